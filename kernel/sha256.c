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

void sha256_init(struct sha256 *s)
{
	bool preempt = simd_begin();

	mbedtls_sha256_init(&s->ctx);
	/* 0: not SHA-224. The only failure of these is of other hardware. */
	(void)mbedtls_sha256_starts(&s->ctx, 0);
	work_preempt(preempt);
}

void sha256_update(struct sha256 *s, const void *data, size_t size)
{
	const u8 *at = data;

	for (size_t n; size; at += n, size -= n) {
		bool preempt = simd_begin();

		n = min(size, (size_t)SHA256_PIECE);
		(void)mbedtls_sha256_update(&s->ctx, at, n);
		work_preempt(preempt);
	}
}

void sha256_final(struct sha256 *s, u8 out[SHA256_SIZE])
{
	bool preempt = simd_begin();

	(void)mbedtls_sha256_finish(&s->ctx, out);
	mbedtls_sha256_free(&s->ctx);
	work_preempt(preempt);
}
