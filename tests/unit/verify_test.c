/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel/verify.c and sha256.c on the host: signatures good and forged
 * (sigvectors.py), what they leave in the arena and how much of it they need.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mbedtls/memory_buffer_alloc.h>
#include <skerry/arch/simd.h>
#include <skerry/error.h>
#include <skerry/util.h>
#include <skerry/verify.h>
#include <skerry/work.h>

struct vector {
	const char *name;
	struct verify_key key;
	const u8 *digest, *sig;
	size_t size;
	bool good;
};

static const struct vector vectors[] = {
#include "vectors.h"
};

/* --- what the code under test calls -------------------------------------- */

static bool preemptible, has_simd;
static unsigned int nr_pieces;

bool work_preempt(bool on)
{
	bool was = preemptible;

	preemptible = on;
	has_simd &= !on;
	return was;
}

/* SIMD registers are ours until somebody else runs. */
void arch_simd_take(void)
{
	assert_false(preemptible);
	has_simd = true;
	nr_pieces++;
}

/* What uses them, whoever calls it. */
#define HASHING(type, name, params, args)                                      \
	type __real_mbedtls_sha256_##name params;                              \
	type __wrap_mbedtls_sha256_##name params;                              \
	type __wrap_mbedtls_sha256_##name params                               \
	{                                                                      \
		assert_true(has_simd);                                         \
		return __real_mbedtls_sha256_##name args;                      \
	}
HASHING(void, init, (mbedtls_sha256_context * s), (s))
HASHING(void, free, (mbedtls_sha256_context * s), (s))
HASHING(int, starts, (mbedtls_sha256_context * s, int is224), (s, is224))
HASHING(int, update, (mbedtls_sha256_context * s, const u8 *data, size_t size),
	(s, data, size))
HASHING(int, finish, (mbedtls_sha256_context * s, u8 *out), (s, out))

void __real_mbedtls_memory_buffer_alloc_init(u8 *buf, size_t size);
void __wrap_mbedtls_memory_buffer_alloc_init(u8 *buf, size_t size);

static u8 *arena;
static size_t arena_size, arena_room; /* the latter instead, unless 0 */

void __wrap_mbedtls_memory_buffer_alloc_init(u8 *buf, size_t size)
{
	arena = buf;
	arena_size = size;
	/* To see what is wiped. */
	memset(buf, 0xa5, size);
	__real_mbedtls_memory_buffer_alloc_init(buf, arena_room ?: size);
}

static bool is_wiped(void)
{
	for (size_t i = 0; i < arena_size; i++)
		if (arena[i])
			return false;
	return arena_size;
}

/* --- signatures ---------------------------------------------------------- */

static int verify(const struct vector *v, const void *sig, size_t size)
{
	/* To the byte, for the sanitizer. */
	u8 *copy = malloc(size ?: 1);
	int err;

	memcpy(copy, sig, size);
	preemptible = true;
	err = verify_digest(&v->key, v->digest, copy, size);
	assert_true(preemptible);
	preemptible = false;
	free(copy);
	if (!is_wiped())
		fail_msg("%s: something stays in the arena", v->name);
	return err;
}

static void test_vectors(void **state)
{
	unsigned int good = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(vectors); i++) {
		const struct vector *v = &vectors[i];
		int err = verify(v, v->sig, v->size);

		if (err != (v->good ? 0 : -EACCES))
			fail_msg("%s: %d", v->name, err);
		good += v->good;
	}
	printf("%zu signatures, %u good\n", ARRAY_SIZE(vectors), good);
	assert_true(good >= 10 && ARRAY_SIZE(vectors) > 60);
}

/* Of each good signature: other lengths, other bytes, another digest. */
static void test_damaged(void **state)
{
	u8 sig[513], digest[SHA256_SIZE];

	for (unsigned int i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct vector v = vectors[i];

		if (!v.good)
			continue;
		memset(sig, 0, sizeof(sig));
		memcpy(sig, v.sig, v.size);
		for (size_t n = 0; n <= sizeof(sig); n++)
			if (n != v.size && (n < 2 || n + 2 > v.size))
				assert_int_equal(verify(&v, sig, n), -EACCES);
		for (size_t n = 0; n < v.size; n += v.size / 16) {
			sig[n] ^= 1;
			assert_int_equal(verify(&v, sig, v.size), -EACCES);
			sig[n] ^= 1;
		}
		assert_int_equal(verify(&v, sig, v.size), 0);
		for (int fill = 0; fill < 256; fill += 255) {
			memset(sig, fill, v.size);
			assert_int_equal(verify(&v, sig, v.size), -EACCES);
		}
		memcpy(digest, v.digest, sizeof(digest));
		digest[31] ^= 1;
		v.digest = digest;
		assert_int_equal(verify(&v, v.sig, v.size), -EACCES);
	}
}

static const struct vector *find_vector(const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(vectors); i++)
		if (!strcmp(vectors[i].name, name))
			return &vectors[i];
	fail_msg("no vector %s", name);
	return NULL;
}

/* A key record that does not fit the signature, or no key at all. */
static void test_other_key(void **state)
{
	static u8 zero[512];
	static u8 even[512];

	for (unsigned int i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct vector v = vectors[i];

		if (!v.good || v.key.algo == VERIFY_ECDSA_P256)
			continue;
		v.key.exponent += 2;
		assert_int_equal(verify(&v, v.sig, v.size), -EACCES);
		v.key = vectors[i].key;
		/* A record that says another size than its modulus has. */
		for (v.key.bits = 2048; v.key.bits <= 4096; v.key.bits += 1024)
			if (v.key.bits < vectors[i].key.bits)
				assert_int_equal(verify(&v, v.sig, v.size),
						 -EACCES);
		v.key = vectors[i].key;
		memcpy(even, v.key.point, v.size);
		even[v.size - 1] ^= 1;
		v.key.point = even;
		assert_int_equal(verify(&v, v.sig, v.size), -EACCES);
		v.key.point = zero;
		assert_int_equal(verify(&v, v.sig, v.size), -EACCES);
	}
}

static void test_names(void **state)
{
	static const char *const names[][3] = {
		{"rsa2048 pkcs1", "sha256,rsa2048", "pkcs-1.5"},
		{"rsa3072 pkcs1", "sha256,rsa3072", "pkcs-1.5"},
		{"rsa4096 pss", "sha256,rsa4096", "pss"},
		{"p256", "sha256,ecdsa256", ""},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		const struct verify_key *k = &find_vector(names[i][0])->key;

		assert_string_equal(verify_algo_name(k), names[i][1]);
		assert_string_equal(verify_padding_name(k), names[i][2]);
	}
}

/*
 * With an arena of any size a good signature is either good or -ENOMEM, which
 * is not a judgement of it. The least that suffices is printed.
 */
static void test_arena(void **state)
{
	static const char *const names[] = {"rsa2048 pkcs1", "rsa2048 pss",
					    "rsa3072 pkcs1", "rsa3072 pss",
					    "rsa4096 pkcs1", "rsa4096 pss",
					    "p256"};
	size_t most = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		const struct vector *v = find_vector(names[i]);
		size_t least = 0;

		for (arena_room = 128; arena_room <= 16 * KIB; arena_room += 32) {
			int err = verify(v, v->sig, v->size);

			if (err && err != -ENOMEM)
				fail_msg("%s: %d with %zu bytes", v->name, err,
					 arena_room);
			if (err)
				least = 0;
			else if (!least)
				least = arena_room;
			/* Enough is enough, but for what fragments it. */
			if (least && arena_room > least + 256)
				break;
		}
		printf("%-14s %5zu bytes of the arena\n", v->name, least);
		assert_true(least);
		most = max(most, least);
	}
	arena_room = 0;
	/* Twice what is needed: other allocators' headers, other compilers. */
	assert_true(arena_size >= 2 * most);
}

/* --- SHA-256 ------------------------------------------------------------- */

static void hash(const void *data, size_t size, size_t cut, u8 *out)
{
	struct sha256 s;

	sha256_init(&s);
	sha256_update(&s, data, cut);
	sha256_update(&s, (const u8 *)data + cut, size - cut);
	sha256_final(&s, out);
}

static void check_hash(const void *data, size_t size, const char *want)
{
	u8 out[SHA256_SIZE];
	char text[2 * SHA256_SIZE + 1];

	hash(data, size, size / 2, out);
	for (int i = 0; i < SHA256_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", out[i]);
	assert_string_equal(text, want);
}

/* The examples that NIST has published with FIPS 180-4. */
static void test_fips(void **state)
{
	static const char two[] =
		"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	char *many = malloc(1000000);

	memset(many, 'a', 1000000);
	check_hash(
		"", 0,
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	check_hash(
		"abc", 3,
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	check_hash(
		two, strlen(two),
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	check_hash(
		many, 1000000,
		"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(many);
}

/* hashlib's digests (fitgen.py) of 0 to N bytes, and cut anywhere. */
static const u8 digests[][SHA256_SIZE] = {
#include "digests.h"
};

static size_t pieces(size_t size)
{
	return (size + SHA256_PIECE - 1) / SHA256_PIECE;
}

static void test_pieces(void **state)
{
	u8 out[SHA256_SIZE];

	assert_true(ARRAY_SIZE(digests) > 2 * SHA256_PIECE);
	for (size_t n = 0; n < ARRAY_SIZE(digests); n++) {
		u8 *data = malloc(n ?: 1);

		for (size_t i = 0; i < n; i++)
			data[i] = (u8)(i * 11 + i / 256);
		/* Every cut of some sizes, some cuts of every size. */
		for (size_t cut = 0; cut <= n;
		     cut += n % SHA256_PIECE < 3 ? 1 : n / 3 + 1) {
			nr_pieces = 0;
			preemptible = true;
			hash(data, n, cut, out);
			assert_true(preemptible);
			preemptible = false;
			assert_memory_equal(out, digests[n], SHA256_SIZE);
			/* Interrupts are masked for one piece at a time. */
			assert_int_equal(nr_pieces,
					 4 + pieces(cut) + pieces(n - cut));
		}
		free(data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_other_key),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_fips),
		cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
