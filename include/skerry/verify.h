/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures over SHA-256 digests, checked with mbedTLS against keys built
 * into the image: RSA with PKCS#1 v1.5 or PSS padding (RFC 8017), ECDSA with
 * P-256 (FIPS 186-5). What algorithm a key is for is part of the key.
 */
#pragma once

#include <skerry/sha256.h>

enum verify_algo { VERIFY_RSA_PKCS1, VERIFY_RSA_PSS, VERIFY_ECDSA_P256 };

/* Made by tools/genkeys.py from a PEM file. */
struct verify_key {
	const char *name; /* key-name-hint of what it has signed */
	enum verify_algo algo;
	u32 bits;		     /* RSA: 2048, 3072 or 4096; ECDSA: 256 */
	bool development;	     /* made by the build: anyone may have it */
	u8 fingerprint[SHA256_SIZE]; /* of the DER SubjectPublicKeyInfo */
	const u8 *point; /* RSA: modulus; ECDSA: X then Y; big-endian */
	const u8 *rr;	 /* RSA: R^2 mod n, R = 2^bits, big-endian: bits / 8 */
	u32 exponent;	 /* RSA */
};

struct verify_ring {
	const struct verify_key *keys;
	unsigned int nr; /* at most 64 */
	u64 revoked;	 /* mask over keys */
};

/* The keys of this build (kernel/keys.c); nothing is revoked there. */
extern const struct verify_ring verify_built_in;

/* "sha256,rsa2048" and so on, as mkimage writes it. */
const char *verify_algo_name(const struct verify_key *k);
/* "pss", "pkcs-1.5", or "" for ECDSA. */
const char *verify_padding_name(const struct verify_key *k);
/*
 * 0 when sig is k's signature of the digest. -EACCES when it is not (any
 * length), -ENOMEM when the arena does not suffice; the arena is wiped before
 * it returns. Long work: by the EL2 worker, in work_preempt().
 */
int verify_digest(const struct verify_key *k, const u8 digest[SHA256_SIZE],
		  const void *sig, size_t size) __must_check;
