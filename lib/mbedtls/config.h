/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mbedTLS as far as verifying needs it: SHA-256, RSA, ECDSA with P-256. No
 * private keys, no random numbers, no files. Memory is an arena's
 * (kernel/verify.c).
 */
#pragma once

#define MBEDTLS_HAVE_ASM
#define MBEDTLS_NO_UDBL_DIVISION /* no libgcc */
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_MEMORY_BUFFER_ALLOC_C
#ifndef __HOST__
#define MBEDTLS_PLATFORM_NO_STD_FUNCTIONS
#define MBEDTLS_PLATFORM_EXIT_MACRO	verify_heap_broken
#define MBEDTLS_PLATFORM_SNPRINTF_MACRO fmt_snprintf
#endif

#define MBEDTLS_SHA256_C
#define MBEDTLS_MD_C
/* arch_simd_take() comes before, getauxval() tells whether there is one. */
#ifdef __aarch64__
#define MBEDTLS_SHA256_USE_ARMV8_A_CRYPTO_IF_PRESENT
#endif

#define MBEDTLS_BIGNUM_C
#define MBEDTLS_MPI_MAX_SIZE 512 /* RSA-4096 */
#define MBEDTLS_OID_C
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V15
#define MBEDTLS_PKCS1_V21

#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECDSA_C
