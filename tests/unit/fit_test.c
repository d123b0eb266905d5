/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel/fit.c with what stock mkimage has signed: each algorithm, padding and
 * place of the data; which configuration, which keys. Forgeries are in
 * fit_forge_test.c.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "fithost.h"

#include <cmocka.h>

#include <mbedtls/memory_buffer_alloc.h>

#define CONF "/configurations/conf-1"

static const struct verify_key keys[] = {
#include "keys.h"
};
static const struct verify_ring ring = {keys, ARRAY_SIZE(keys), 0};

void __real_mbedtls_memory_buffer_alloc_init(u8 *buf, size_t size);
void __wrap_mbedtls_memory_buffer_alloc_init(u8 *buf, size_t size);

static size_t arena_room; /* 0: all of it */

void __wrap_mbedtls_memory_buffer_alloc_init(u8 *buf, size_t size)
{
	__real_mbedtls_memory_buffer_alloc_init(buf, arena_room ?: size);
}

/* --- */

static struct verdict v;

static void expect(const char *config, u32 min_version,
		   const struct verify_ring *r, int err, const char *text)
{
	judge(&v, file, file_size, config, min_version, r);
	assert_string_equal(v.text, text);
	assert_int_equal(v.err, err);
}

static void check_part_of(const struct fit_part *p, unsigned int nr, size_t size)
{
	assert_int_equal(p->size, size);
	assert_int_equal(p->offset % 4, 0);
	/* The pattern of fitgen.py. */
	for (size_t i = 0; i < size; i++)
		assert_int_equal(file[p->offset + i], (u8)(i * 7 + nr));
}

static void test_each_algorithm(void **state)
{
	static const char *const layouts[] = {"in", "ext", "pos"};
	char name[64];

	for (unsigned int i = 0; i < ARRAY_SIZE(keys); i++)
		for (unsigned int j = 0; j < ARRAY_SIZE(layouts); j++) {
			snprintf(name, sizeof(name), "%s-%s", keys[i].name,
				 layouts[j]);
			fit_load(name);
			expect("conf-1", 0, &ring, 0, "");
			assert_ptr_equal(v.guest.key, &keys[i]);
			assert_string_equal(v.bootargs, "console=hvc0 conf=1");
			assert_int_equal(v.guest.version, 0);
			check_part_of(&v.guest.kernel, 0, 300);
			assert_int_equal(v.guest.ramdisk.size, 0);
			assert_int_equal(v.guest.dtb.size, 0);
			expect(NULL, 0, &ring, 0, "");
		}
}

static void test_configurations(void **state)
{
	static const char *const files[] = {"two-in", "two-ext", "two-pos"};
	struct verdict first;

	for (unsigned int i = 0; i < ARRAY_SIZE(files); i++) {
		fit_load(files[i]);
		expect("conf-1", 5, &ring, 0, "");
		check_part_of(&v.guest.kernel, 0, 300);
		check_part_of(&v.guest.ramdisk, 2, 201);
		check_part_of(&v.guest.dtb, 3, 128);
		assert_int_equal(v.guest.version, 5);
		first = v;
		expect("conf-2", 7, &ring, 0, "");
		check_part_of(&v.guest.kernel, 1, 304);
		assert_int_equal(v.guest.dtb.size, 0);
		assert_int_equal(v.guest.version, 7);
		assert_string_equal(v.bootargs, "console=hvc0 conf=2");
		assert_memory_not_equal(v.guest.digest, first.guest.digest,
					SHA256_SIZE);
		expect(NULL, 0, &ring, -EINVAL,
		       "/configurations: more than one, and none is asked for");
		expect("conf-3", 0, &ring, -EINVAL,
		       "/configurations: no node conf-3");
		expect("conf-", 0, &ring, -EINVAL,
		       "/configurations: no node conf-");
		expect("", 0, &ring, -EINVAL, "/configurations: no node ");
	}
	fit_load("rsa2048-in");
	splice(node_at(CONF), node_end(node_at(CONF)) - node_at(CONF), NULL, 0);
	expect(NULL, 0, &ring, -EINVAL, "/configurations: empty");
	fit_load("rsa2048-in");
	put_prop(prop_at(node_at(CONF), "skerry,bootargs"), 0,
		 string_at("description"), "x", 2);
	expect(NULL, 0, &ring, -EINVAL, CONF ": two properties of one name");
	fit_load("rsa2048-in");
	rename_node(node_at(CONF), "conf@1");
	expect(NULL, 0, &ring, -EINVAL,
	       "/configurations: a node's name has '@' or what cannot be printed");
	fit_load("unsigned-in");
	expect("conf-1", 0, &ring, -EACCES, CONF ": not signed");
}

static void test_keys(void **state)
{
	struct verify_key one = keys[0];
	struct verify_ring r = {&one, 1, 0};

	fit_load("mixed-in");
	expect("conf-1", 0, &r, 0, "");
	expect("conf-2", 0, &r, -EACCES,
	       "/configurations/conf-2/signature-1: key \"other\" is not one of this build");
	r.nr = 0;
	expect("conf-1", 0, &r, -EACCES,
	       CONF "/signature-1: key \"rsa2048\" is not one of this build");
	r.nr = 1;
	r.revoked = ~1ULL;
	expect("conf-1", 0, &r, 0, "");
	r.revoked = 1;
	expect("conf-1", 0, &r, -EACCES,
	       CONF "/signature-1: key \"rsa2048\" is revoked");
	/* Revoked is a key, not a position: the last one of many. */
	r = ring;
	r.revoked = BIT(ring.nr - 1);
	fit_load("old-ext");
	expect("conf-1", 0, &r, -EACCES,
	       CONF "/signature-1: key \"old\" is revoked");
	/* A key of the same name, but for another padding or size. */
	fit_load("mixed-in");
	r = (struct verify_ring){&one, 1, 0};
	one.algo = VERIFY_RSA_PSS;
	expect("conf-1", 0, &r, -EACCES,
	       CONF
	       "/signature-1: padding: key \"rsa2048\" is for \"pss\" only");
	one.algo = VERIFY_RSA_PKCS1;
	one.bits = 3072;
	expect("conf-1", 0, &r, -EACCES,
	       CONF
	       "/signature-1: algo: key \"rsa2048\" is for \"sha256,rsa3072\" only");
}

/* With an exponent of 1 the padded digest is its own signature. */
static void test_exponent(void **state)
{
	static const u8 info[] = {0,	0x30, 0x31, 0x30, 0x0d, 0x06, 0x09,
				  0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
				  0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
	struct verify_key one = keys[0];
	const struct verify_ring r = {&one, 1, 0};
	u8 em[256] = {0, 1};

	fit_load("rsa2048-in");
	expect("conf-1", 0, &r, 0, "");
	memset(em + 2, 0xff, sizeof(em) - 2);
	memcpy(em + 256 - 32 - sizeof(info), info, sizeof(info));
	memcpy(em + 256 - 32, v.guest.digest, SHA256_SIZE);
	memcpy(file + prop_at(node_at(CONF "/signature-1"), "value") + 12, em,
	       256);
	for (one.exponent = 0; one.exponent < 8; one.exponent++)
		expect("conf-1", 0, &r, -EACCES,
		       CONF "/signature-1: not a signature of key \"rsa2048\"");
}

/* One that is good suffices, whichever it is; the others count as names. */
static void test_two_signatures(void **state)
{
	static const char second[] = CONF "/signature-1";
	struct verify_ring r = ring;

	fit_load("both-in");
	expect("conf-1", 0, &r, 0, "");
	assert_string_equal(v.guest.key->name, "other");
	r.revoked = BIT(1);
	expect("conf-1", 0, &r, 0, "");
	assert_string_equal(v.guest.key->name, "rsa2048");
	r.revoked = BIT(0);
	expect("conf-1", 0, &r, 0, "");
	r.revoked = BIT(0) | BIT(1);
	expect("conf-1", 0, &r, -EACCES,
	       CONF "/signature-1: key \"rsa2048\" is revoked");
	file[prop_at(node_at(second), "value") + 12] ^= 1;
	r.revoked = BIT(1);
	expect("conf-1", 0, &r, -EACCES,
	       CONF "/signature-1: not a signature of key \"rsa2048\"");
	r.revoked = 0;
	expect("conf-1", 0, &r, 0, "");
	splice(node_at(second), node_end(node_at(second)) - node_at(second),
	       NULL, 0);
	expect("conf-1", 0, &r, -EACCES,
	       CONF "/signature-2: not a signature of key \"other\"");
}

/* Not a judgement of the signature; and no other one is tried. */
static void test_no_memory(void **state)
{
	fit_load("both-in");
	arena_room = 512;
	expect("conf-1", 0, &ring, -ENOMEM,
	       CONF "/signature-2: no memory to verify it");
	arena_room = 0;
	expect("conf-1", 0, &ring, 0, "");
}

static void test_truncated(void **state)
{
	static const char *const files[] = {"two-in", "two-ext", "two-pos"};
	size_t full;

	for (unsigned int i = 0; i < ARRAY_SIZE(files); i++) {
		fit_load(files[i]);
		full = file_size;
		for (file_size = 0; file_size < full;
		     file_size += file_size < 128 ? 1 : 64) {
			judge(&v, file, file_size, "conf-1", 0, &ring);
			/* What comes last is the data that conf-1 needs, or
			 * the free room of the tree. */
			if (!v.text[0])
				fail_msg("%s: accepted: %zu of %zu bytes",
					 files[i], file_size, full);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_algorithm),
		cmocka_unit_test(test_configurations),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_exponent),
		cmocka_unit_test(test_two_signatures),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
