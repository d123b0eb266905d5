/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 by mbedTLS, whose code may use SIMD registers anywhere. */
#include <skerry/sha256.h>

#include <skerry/arch/simd.h>
#include <skerry/work.h>

/* Interrupts masked: whoever came in between would find its registers gone. */
static bool simd_begin(void)
{
	bool preempt = work_preempt(false);

	arch_simd_take();
	return preempt;
}

void sha256_md_init(mbedtls_sha256_context *ctx)
{
	bool preempt = simd_begin();

	mbedtls_sha256_init(ctx);
	work_preempt(preempt);
}

void sha256_md_free(mbedtls_sha256_context *ctx)
{
	bool preempt = simd_begin();

	mbedtls_sha256_free(ctx);
	work_preempt(preempt);
}

int sha256_md_starts(mbedtls_sha256_context *ctx, int is224)
{
	bool preempt = simd_begin();
	int err = mbedtls_sha256_starts(ctx, is224);

	work_preempt(preempt);
	return err;
}

int sha256_md_update(mbedtls_sha256_context *ctx, const u8 *data, size_t size)
{
	int err = 0;

	for (size_t n; !err && size; data += n, size -= n) {
		bool preempt = simd_begin();

		n = min(size, (size_t)SHA256_PIECE);
		err = mbedtls_sha256_update(ctx, data, n);
		work_preempt(preempt);
	}
	return err;
}

int sha256_md_finish(mbedtls_sha256_context *ctx, u8 *out)
{
	bool preempt = simd_begin();
	int err = mbedtls_sha256_finish(ctx, out);

	work_preempt(preempt);
	return err;
}

/* The only failures of these are of other hardware. */
void sha256_init(struct sha256 *s)
{
	sha256_md_init(&s->ctx);
	/* 0: not SHA-224. */
	(void)sha256_md_starts(&s->ctx, 0);
}

void sha256_update(struct sha256 *s, const void *data, size_t size)
{
	(void)sha256_md_update(&s->ctx, data, size);
}

void sha256_final(struct sha256 *s, u8 out[SHA256_SIZE])
{
	(void)sha256_md_finish(&s->ctx, out);
	sha256_md_free(&s->ctx);
}
