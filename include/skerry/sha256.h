/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 (FIPS 180-4) by mbedTLS, with the CPU's crypto extension where it
 * has one. By the EL2 worker. SIMD registers are in use meanwhile, so
 * interrupts are masked, for SHA256_PIECE bytes at a time in work_preempt().
 */
#pragma once

#include <mbedtls/sha256.h>

#include <skerry/util.h>

#define SHA256_SIZE  32
#define SHA256_PIECE 512 /* some 30,000 instructions without the extension */

struct sha256 {
	mbedtls_sha256_context ctx;
};

void sha256_init(struct sha256 *s);
void sha256_update(struct sha256 *s, const void *data, size_t size);
/* The digest; s has to be initialised again before its next use. */
void sha256_final(struct sha256 *s, u8 out[SHA256_SIZE]);

/* mbedTLS's own with the same care, for its signatures (lib/mbedtls/md.c). */
void sha256_md_init(mbedtls_sha256_context *ctx);
void sha256_md_free(mbedtls_sha256_context *ctx);
int sha256_md_starts(mbedtls_sha256_context *ctx, int is224);
int sha256_md_update(mbedtls_sha256_context *ctx, const u8 *data, size_t size);
int sha256_md_finish(mbedtls_sha256_context *ctx, u8 *out);
