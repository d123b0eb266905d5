/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures by mbedTLS, whose memory is a small arena: a signature that asks
 * for more is refused, and nothing of it stays behind.
 */
#include <skerry/verify.h>

#include <mbedtls/ecdsa.h>
#include <mbedtls/memory_buffer_alloc.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/rsa.h>
#include <stdlib.h>

#include <skerry/panic.h>

/* FIPS 186-5 A.1.1: above 2^16, odd. */
#define MIN_EXPONENT 65537
/* P-256 takes 7.3 KiB, RSA-4096 5.5 KiB: tests/unit/verify_test.c. */
#define ARENA_SIZE (16 * KIB)
#define P256_BYTES 32

static u8 arena[ARENA_SIZE] __attribute__((aligned(16)));

#ifndef __HOST__
void verify_heap_broken(int status __unused)
{
	panic("mbedTLS: its arena is damaged");
}
#endif

const char *verify_algo_name(const struct verify_key *k)
{
	if (k->algo == VERIFY_ECDSA_P256)
		return "sha256,ecdsa256";
	return k->bits == 2048	 ? "sha256,rsa2048"
	       : k->bits == 3072 ? "sha256,rsa3072"
				 : "sha256,rsa4096";
}

const char *verify_padding_name(const struct verify_key *k)
{
	return k->algo == VERIFY_RSA_PKCS1 ? "pkcs-1.5"
	       : k->algo == VERIFY_RSA_PSS ? "pss"
					   : "";
}

/* Errors of mbedTLS are of two parts, high and low, either may be absent. */
static bool is_no_memory(int err)
{
	return err == MBEDTLS_ERR_MPI_ALLOC_FAILED ||
	       err == MBEDTLS_ERR_ECP_ALLOC_FAILED ||
	       (err < 0 && -(-err & 0x7f) == MBEDTLS_ERR_MPI_ALLOC_FAILED);
}

static int check_rsa(const struct verify_key *k, const u8 *digest,
		     const u8 *sig, size_t size)
{
	u8 e[] = {(u8)(k->exponent >> 24), (u8)(k->exponent >> 16),
		  (u8)(k->exponent >> 8), (u8)k->exponent};
	size_t len = k->bits / 8;
	mbedtls_rsa_context rsa;
	int err;

	if (size != len || k->exponent < MIN_EXPONENT || !(k->exponent & 1))
		return -EACCES;
	mbedtls_rsa_init(&rsa);
	err = mbedtls_rsa_import_raw(&rsa, k->point, len, NULL, 0, NULL, 0,
				     NULL, 0, e, sizeof(e));
	/* What mbedTLS would compute first, at the cost of all the rest. */
	err = err
		      ?: mbedtls_mpi_read_binary(&rsa.MBEDTLS_PRIVATE(RN),
						 k->rr, len);
	err = err ?: mbedtls_rsa_check_pubkey(&rsa);
	if (!err && k->algo == VERIFY_RSA_PSS)
		err = mbedtls_rsa_set_padding(&rsa, MBEDTLS_RSA_PKCS_V21,
					      MBEDTLS_MD_SHA256)
			      ?: mbedtls_rsa_rsassa_pss_verify(&rsa,
							       MBEDTLS_MD_SHA256,
							       SHA256_SIZE,
							       digest, sig);
	else if (!err)
		err = mbedtls_rsa_rsassa_pkcs1_v15_verify(&rsa,
							  MBEDTLS_MD_SHA256,
							  SHA256_SIZE, digest,
							  sig);
	mbedtls_rsa_free(&rsa);
	return err;
}

/* r and s one behind the other; mbedTLS checks that both are in [1, n). */
static int check_ecdsa(const struct verify_key *k, const u8 *digest,
		       const u8 *sig, size_t size)
{
	u8 point[1 + 2 * P256_BYTES] = {4}; /* SEC 1 2.3.4: uncompressed */
	mbedtls_ecp_group group;
	mbedtls_ecp_point q;
	mbedtls_mpi r, s;
	int err;

	if (size != 2 * P256_BYTES)
		return -EACCES;
	for (unsigned int i = 0; i < 2 * P256_BYTES; i++)
		point[1 + i] = k->point[i];
	mbedtls_ecp_group_init(&group);
	mbedtls_ecp_point_init(&q);
	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	err = mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP256R1) ?:
	      mbedtls_ecp_point_read_binary(&group, &q, point, sizeof(point)) ?:
	      mbedtls_ecp_check_pubkey(&group, &q) ?:
	      mbedtls_mpi_read_binary(&r, sig, P256_BYTES) ?:
	      mbedtls_mpi_read_binary(&s, sig + P256_BYTES, P256_BYTES) ?:
	      mbedtls_ecdsa_verify(&group, digest, SHA256_SIZE, &q, &r, &s);
	mbedtls_mpi_free(&s);
	mbedtls_mpi_free(&r);
	mbedtls_ecp_point_free(&q);
	mbedtls_ecp_group_free(&group);
	return err;
}

int verify_digest(const struct verify_key *k, const u8 digest[SHA256_SIZE],
		  const void *sig, size_t size)
{
	int err;

	mbedtls_memory_buffer_alloc_init(arena, sizeof(arena));
	if (k->algo == VERIFY_ECDSA_P256)
		err = check_ecdsa(k, digest, sig, size);
	else
		err = check_rsa(k, digest, sig, size);
	mbedtls_memory_buffer_alloc_free();
	mbedtls_platform_zeroize(arena, sizeof(arena));
	if (is_no_memory(err))
		return -ENOMEM;
	return err ? -EACCES : 0;
}
