/* SPDX-License-Identifier: Apache-2.0 */
/*
 * String functions against naive models: all alignments and small lengths, no
 * byte written outside, none read outside (memory that ends there), overlap.
 * build.mk renames the functions under test; scaffolding uses the host's by
 * their builtin names.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <skerry/string.h>
#include <skerry/util.h>

#define MAX_LEN	 300
#define WORD	 8 /* all alignments are below */
#define BUF_SIZE (WORD + MAX_LEN + 40)

static unsigned int seed = 17;

static void fill(void *buf, size_t n)
{
	for (u8 *p = buf; n; n--)
		*p++ = (u8)(rand_r(&seed) >> 8);
}

static void same(const void *a, const void *b, size_t n)
{
	const u8 *p = a, *q = b;

	if (!__builtin_memcmp(a, b, n))
		return;
	for (size_t i = 0; i < n; i++)
		if (p[i] != q[i])
			fail_msg("byte %zu: %#x, not %#x", i, p[i], q[i]);
}

/* n bytes at this alignment, where the address sanitizer guards the end. */
static u8 *guarded(size_t align, size_t n, u8 **block)
{
	*block = malloc(align + n);
	/* The sanitizer's blocks are at least as aligned as any word. */
	assert_true(is_aligned((u64)*block, WORD));
	return *block + align;
}

static void test_memcpy(void **state)
{
	u8 src[MAX_LEN];

	(void)state;
	fill(src, sizeof(src));
	for (size_t n = 0; n <= MAX_LEN; n++)
		for (unsigned int i = 0; i < WORD * WORD; i++) {
			_Alignas(16) u8 buf[BUF_SIZE], want[BUF_SIZE];
			size_t to = i / WORD;
			u8 *block, *from = guarded(i % WORD, n, &block);

			__builtin_memcpy(from, src, n);
			fill(buf, 1);
			__builtin_memset(buf, buf[0], sizeof(buf));
			__builtin_memcpy(want, buf, sizeof(buf));
			for (size_t k = 0; k < n; k++)
				want[to + k] = src[k];
			assert_ptr_equal(memcpy(buf + to, from, n), buf + to);
			same(buf, want, sizeof(buf));
			same(from, src, n);
			free(block);
		}
}

/* Long ones at all alignments, some of which move whole words. */
static void test_memcpy_long(void **state)
{
	static u8 src[5000], buf[5100], want[5100];

	(void)state;
	fill(src, sizeof(src));
	for (size_t n = sizeof(src) - 70; n <= sizeof(src) - WORD; n++)
		for (unsigned int i = 0; i < WORD * WORD; i++) {
			size_t to = i / WORD, from = i % WORD;

			__builtin_memset(buf, 0xa5, sizeof(buf));
			__builtin_memset(want, 0xa5, sizeof(want));
			__builtin_memcpy(want + to, src + from, n);
			memcpy(buf + to, src + from, n);
			same(buf, want, sizeof(buf));
		}
}

static void check_move(size_t to, size_t from, size_t n)
{
	_Alignas(16) static u8 buf[3 * BUF_SIZE], want[3 * BUF_SIZE];
	u8 tmp[MAX_LEN];

	assert_true(to + n <= sizeof(buf) && from + n <= sizeof(buf));
	/* Neighbours differ, and so do bytes that are some words apart. */
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (u8)(i * 7 + i / 256);
	__builtin_memcpy(want, buf, sizeof(buf));
	__builtin_memcpy(tmp, buf + from, n);
	__builtin_memcpy(want + to, tmp, n);
	assert_ptr_equal(memmove(buf + to, buf + from, n), buf + to);
	same(buf, want, sizeof(buf));
}

static void test_memmove(void **state)
{
	(void)state;
	for (size_t n = 0; n <= MAX_LEN; n++)
		for (size_t from = BUF_SIZE; from < BUF_SIZE + WORD; from++) {
			/* Near ones, both ways, and those that just meet. */
			for (size_t by = 0; by <= 34; by++) {
				check_move(from + by, from, n);
				check_move(from - by, from, n);
			}
			for (size_t by = n ? n - 1 : 0; by <= n + 1; by++) {
				check_move(from + by, from, n);
				check_move(from - by, from, n);
			}
		}
}

static void test_memset(void **state)
{
	static const int values[] = {0,	   1,  0x7f,  0x80,
				     0xff, -1, 0x1a5, INT_MIN};

	(void)state;
	for (size_t n = 0; n <= MAX_LEN; n++)
		for (unsigned int i = 0; i < WORD * ARRAY_SIZE(values); i++) {
			_Alignas(16) u8 buf[BUF_SIZE], want[BUF_SIZE];
			int c = values[i / WORD];
			size_t at = i % WORD;

			__builtin_memset(buf, ~c & 0xff, sizeof(buf));
			__builtin_memcpy(want, buf, sizeof(buf));
			for (size_t k = 0; k < n; k++)
				want[at + k] = (u8)c;
			assert_ptr_equal(memset(buf + at, c, n), buf + at);
			same(buf, want, sizeof(buf));
		}
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static void test_memcmp(void **state)
{
	static const u8 pairs[][2] = {{1, 2},	    {0, 255},	{0x7f, 0x80},
				      {0x80, 0xff}, {0, 1},	{0, 0x80},
				      {0xfe, 0xff}, {'a', 'b'}, {0x10, 0x8f}};

	(void)state;
	for (size_t n = 0; n <= MAX_LEN; n++)
		for (unsigned int i = 0; i < WORD * WORD; i++) {
			const u8 *pair = pairs[i % ARRAY_SIZE(pairs)];
			u8 *block[2], *a, *b;

			a = guarded(i / WORD, n, &block[0]);
			b = guarded(i % WORD, n, &block[1]);
			fill(a, n);
			__builtin_memcpy(b, a, n);
			assert_int_equal(memcmp(a, b, n), 0);
			if (n) {
				size_t at = (size_t)rand_r(&seed) % n;

				/* The first one that differs decides. */
				a[at] = pair[0];
				b[at] = pair[1];
				a[n - 1] = at == n - 1 ? pair[0] : 0xff;
				b[n - 1] = at == n - 1 ? pair[1] : 0;
				assert_int_equal(sign(memcmp(a, b, n)), -1);
				assert_int_equal(sign(memcmp(b, a, n)), 1);
				assert_int_equal(memcmp(a, b, at), 0);
			}
			free(block[0]);
			free(block[1]);
		}
}

static void test_memchr(void **state)
{
	(void)state;
	for (size_t n = 0; n <= MAX_LEN; n++)
		for (size_t at = 0; at < n + 1; at++) {
			u8 *block, *s = guarded(n % WORD, n, &block);
			int c = (int)(at % 256);

			__builtin_memset(s, c ^ 0x55, n);
			if (at < n)
				s[at] = (u8)c;
			if (at + 2 < n)
				s[at + 2] = (u8)c;
			assert_ptr_equal(memchr(s, c, n),
					 at < n ? s + at : NULL);
			assert_ptr_equal(memchr(s, c - 256, n),
					 at < n ? s + at : NULL);
			assert_null(memchr(s, c, at));
			free(block);
		}
}

/* Text of n characters in memory that ends with its zero. */
static char *text(size_t align, size_t n, u8 **block)
{
	char *s = (char *)guarded(align, n + 1, block);

	for (size_t i = 0; i < n; i++)
		s[i] = (char)(1 + rand_r(&seed) % 255);
	s[n] = 0;
	return s;
}

static void test_strlen(void **state)
{
	(void)state;
	for (size_t n = 0; n <= MAX_LEN; n++)
		for (size_t align = 0; align < WORD; align++) {
			u8 *block;
			char *s = text(align, n, &block);

			assert_int_equal(strlen(s), n);
			assert_int_equal(strnlen(s, ~0UL), n);
			for (size_t max = 0; max <= n + 2; max++)
				assert_int_equal(strnlen(s, max), min(n, max));
			free(block);
			/* Without an end, nothing behind the limit is read. */
			s = (char *)guarded(align, n, &block);
			__builtin_memset(s, 'x', n);
			assert_int_equal(strnlen(s, n), n);
			free(block);
		}
	assert_int_equal(strlen("ab\0cd"), 2);
	assert_int_equal(strnlen("ab\0cd", 5), 2);
}

static void test_strcmp(void **state)
{
	(void)state;
	for (size_t n = 0; n <= MAX_LEN; n++)
		for (size_t align = 0; align < WORD; align++) {
			u8 *block[2];
			char *a = text(0, n, &block[0]);
			char *b = text(align, n, &block[1]);

			__builtin_memcpy(b, a, n);
			assert_int_equal(strcmp(a, b), 0);
			assert_int_equal(strncmp(a, b, n), 0);
			assert_int_equal(strncmp(a, b, ~0UL), 0);
			if (n) {
				size_t at = (size_t)rand_r(&seed) % n;

				/* Bytes are unsigned. */
				a[at] = (char)(1 + align);
				b[at] = (char)(0x80 + align);
				assert_int_equal(sign(strcmp(a, b)), -1);
				assert_int_equal(sign(strcmp(b, a)), 1);
				assert_int_equal(sign(strncmp(a, b, n)), -1);
				assert_int_equal(sign(strncmp(b, a, at + 1)), 1);
				assert_int_equal(strncmp(a, b, at), 0);
				/* A beginning comes before the whole. */
				b[at] = 0;
				assert_int_equal(sign(strcmp(a, b)), 1);
				assert_int_equal(sign(strcmp(b, a)), -1);
				assert_int_equal(sign(strncmp(b, a, n)), -1);
				assert_int_equal(strncmp(b, a, at), 0);
				/* What follows the zeroes does not count. */
				a[at] = 0;
				b[n - 1] = at == n - 1 ? 0 : 'x';
				assert_int_equal(strcmp(a, b), 0);
				assert_int_equal(strncmp(a, b, n), 0);
			}
			free(block[0]);
			free(block[1]);
		}
	assert_int_equal(strncmp("a", "b", 0), 0);
}

/* Neither needs an end when the limit comes first. */
static void test_strncmp_bounded(void **state)
{
	(void)state;
	for (size_t n = 0; n <= MAX_LEN; n++) {
		u8 *block[2];
		char *a = (char *)guarded(0, n, &block[0]);
		char *b = (char *)guarded(3, n, &block[1]);

		__builtin_memset(a, 'x', n);
		__builtin_memset(b, 'x', n);
		assert_int_equal(strncmp(a, b, n), 0);
		free(block[0]);
		free(block[1]);
	}
}

static void test_strchr(void **state)
{
	(void)state;
	for (size_t n = 0; n <= MAX_LEN; n++)
		for (int c = 0; c < 256; c += 1 + (int)(n % 9)) {
			u8 *block;
			char *s = text(n % WORD, n, &block);
			char *first = NULL, *last = NULL;

			/* Seldom enough that it may be missing. */
			for (size_t i = 0; i <= n; i++)
				if (s[i] == (char)c) {
					first = first ? first : s + i;
					last = s + i;
				}
			assert_ptr_equal(strchr(s, c), first);
			assert_ptr_equal(strrchr(s, c), last);
			assert_ptr_equal(strchr(s, c - 256), first);
			assert_ptr_equal(strrchr(s, c + 256), last);
			free(block);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memcpy),
		cmocka_unit_test(test_memcpy_long),
		cmocka_unit_test(test_memmove),
		cmocka_unit_test(test_memset),
		cmocka_unit_test(test_memcmp),
		cmocka_unit_test(test_memchr),
		cmocka_unit_test(test_strlen),
		cmocka_unit_test(test_strcmp),
		cmocka_unit_test(test_strncmp_bounded),
		cmocka_unit_test(test_strchr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
