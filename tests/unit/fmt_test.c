/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Formatted text: every conversion, flag, width, precision and length against
 * the host's snprintf where both mean the same, and by value where they do not
 * (null pointers, limits, what is unknown); buffers of every size, to the byte.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <skerry/fmt.h>

#define MAX_TEXT 8192
#define FILL	 ((char)0xa5)

/* One buffer of exactly this size: the text, its end, and nothing after it. */
static void check_size(size_t size, const char *want, size_t len, const char *f,
		       va_list ap)
{
	size_t end = min(len, size - 1);
	char *buf = malloc(size);

	memset(buf, FILL, size);
	assert_int_equal(fmt_vsnprintf(buf, size, f, ap), len);
	assert_memory_equal(buf, want, end);
	assert_int_equal(buf[end], 0);
	for (size_t i = end + 1; i < size; i++)
		assert_int_equal(buf[i], FILL);
	free(buf);
}

static void check_text(bool all_sizes, const char *want, size_t len,
		       const char *f, va_list args)
{
	va_list ap;

	for (size_t size = all_sizes ? 1 : len + 1; size <= len + 2; size++) {
		va_copy(ap, args);
		check_size(size, want, len, f, ap);
		va_end(ap);
	}
	/* No buffer at all: only the length. */
	va_copy(ap, args);
	assert_int_equal(fmt_vsnprintf(NULL, 0, f, ap), len);
	va_end(ap);
}

/* Not marked as printf-like: what the compiler would refuse is tried too. */
static void is(const char *want, const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	check_text(true, want, strlen(want), f, ap);
	va_end(ap);
}

static void as_host(bool all_sizes, const char *f, ...)
{
	char want[MAX_TEXT];
	va_list ap;
	int len;

	va_start(ap, f);
	len = vsnprintf(want, sizeof(want), f, ap);
	va_end(ap);
	assert_in_range(len, 0, sizeof(want) - 1);
	va_start(ap, f);
	check_text(all_sizes, want, (size_t)len, f, ap);
	va_end(ap);
}

static void test_plain(void **state)
{
	char buf[4] = {FILL, FILL, FILL, FILL};

	(void)state;
	is("", "");
	is("plain text\n", "plain text\n");
	is("100%", "100%%");
	is("%%", "%%%%");
	is("%d", "%%d", 5);
	assert_int_equal(fmt_snprintf(buf, 3, "%s", "abcdef"), 6);
	assert_memory_equal(buf, "ab\0\xa5", 4);
	assert_int_equal(fmt_snprintf(NULL, 0, "%u-%u", 10U, 200U), 6);
}

static void test_char(void **state)
{
	char buf[8];

	(void)state;
	for (int c = 1; c < 256; c++)
		as_host(true, "<%c>", c);
	is("AB", "%c%c", 'A', 'B' + 0x100);
	is("    x|y    ", "%5c|%-5c", 'x', 'y');
	is("x", "%1c", 'x');
	/* A zero is a character like any other. */
	memset(buf, FILL, sizeof(buf));
	assert_int_equal(fmt_snprintf(buf, sizeof(buf), "a%cb", 0), 3);
	assert_memory_equal(buf, "a\0b\0\xa5", 5);
}

static void test_string(void **state)
{
	static const char *const texts[] = {"", "a", "abc", "%d %s",
					    "0123456789"};
	static const char *const forms[] = {"%s",   "%1s",   "%3s",
					    "%12s", "%-12s", "%-1s|"};

	(void)state;
	for (unsigned int t = 0; t < ARRAY_SIZE(texts); t++)
		for (unsigned int f = 0; f < ARRAY_SIZE(forms); f++)
			as_host(true, forms[f], texts[t]);
	is("(null)", "%s", NULL);
	is("  (null)|(null)  ", "%8s|%-8s", NULL, NULL);
}

static void test_numbers(void **state)
{
	static const u64 vals[] = {0,
				   1,
				   9,
				   10,
				   15,
				   16,
				   0x7fffffff,
				   0x80000000,
				   0xffffffff,
				   0x100000000,
				   999999999999,
				   0x0123456789abcdef,
				   LONG_MAX,
				   (u64)LONG_MIN,
				   ~0UL};
	/* clang-format off */
	static const char *const narrow[] = {
		"%d", "%u", "%x", "%5d", "%-5d|", "%05d", "%012u", "%-012x|",
		"%20x", "%020d", "%-20d|", "%0-9u|", "%-00005x|", "%00d", "%1u"};
	static const char *const wide[] = {
		"%ld", "%lu", "%lx", "%lld", "%llu", "%llx", "%zd", "%zu",
		"%zx", "%24ld", "%-24lu|", "%024ld", "%016lx", "%030llx", "%5zu",
		"%-24zx|"};
	/* clang-format on */

	(void)state;
	for (unsigned int v = 0; v < ARRAY_SIZE(vals); v++) {
		for (unsigned int f = 0; f < ARRAY_SIZE(narrow); f++)
			as_host(true, narrow[f], (unsigned int)vals[v]);
		for (unsigned int f = 0; f < ARRAY_SIZE(wide); f++)
			as_host(true, wide[f], vals[v]);
	}
	is("-2147483648 -9223372036854775808", "%d %ld", INT_MIN, LONG_MIN);
	/* The sign is in front of the zeroes and counts. */
	is("-0042|  -42|-42  ", "%05d|%5d|%-5d", -42, -42, -42);
	is("ffffffff", "%x", -1);
}

static void test_prefix(void **state)
{
	(void)state;
	as_host(true, "%#x %#lx %#zx", 1U, ~0UL, (size_t)0xabc);
	as_host(true, "%#018lx|%#18lx|%-#18lx|", 0xbeefUL, 0xbeefUL, 0xbeefUL);
	as_host(true, "%#3x|%#03x|%-#3x|", 0xbeefU, 0xbeefU, 0xbeefU);
	as_host(true, "%0#10x|%#010x|%-#010x|", 0xaU, 0xbU, 0xcU);
	/* Addresses stay recognisable: no special form of zero. */
	is("0x0 0x0", "%#x %#lx", 0U, 0UL);
	is("0x00000000 0x000000ff", "%#010x %#010lx", 0U, 255UL);
	/* Bases that have no prefix. */
	is("7 -7", "%#u %#d", 7U, -7);
}

static void test_ignored(void **state)
{
	(void)state;
	/* %% takes no argument, whatever stands between. */
	is("% 5", "%-5% %d", 5);
	is("% 5", "%lz% %d", 5);
}

static void test_unknown(void **state)
{
	(void)state;
	/* Printed, without a touch of the arguments. */
	for (char c = ' '; c < 0x7f; c++) {
		char f[] = {'<', '%', c, '>', '%', 'd', 0};
		char want[] = {'<', c, '>', '7', 0};

		if (strchr("csduxzl%-#0123456789", c))
			continue;
		is(want, f, 7);
	}
	is("*d 7", "%*d %d", 7);
	is("hd 7", "%hd %d", 7);
	is("+d d 7", "%+d% d %d", 7);
	is("X 7", "%08lX %d", 7);
	is("n 7", "%n %d", 7);
	is("i p 7", "%i %p %d", 7);
	is(".3s 7", "%.3s %d", 7);
	is("\x80\xff", "%\x80%\xff");
	/* Flags after a width are none. */
	is("-d 7", "%5-d %d", 7);
	/* A conversion that does not come. */
	is("", "%");
	is("abc", "abc%");
	is("7", "%d%", 7);
	is("abc", "abc%-08l");
	is("abc", "abc%llzzl");
}

/* A width that a slip of the pen made huge ends somewhere. */
static void test_limits(void **state)
{
	char spaces[1001], long_text[1501];

	(void)state;
	memset(spaces, ' ', 1000);
	spaces[1000] = 0;
	spaces[999] = '7';
	is(spaces, "%1000d", 7);
	is(spaces, "%1001u", 7U);
	is(spaces, "%4294967295x", 7U);
	is(spaces, "%99999999999999999999999s", "7");
	is(spaces, "%4294967297lx", 7UL);
	as_host(false, "%999d|%-999d|%0999d|%#0999x", 1, 2, 3, 4U);

	memset(long_text, 'x', 1500);
	long_text[1500] = 0;
	as_host(false, "%s", long_text);
}

static void test_many(void **state)
{
	(void)state;
	/* More than fit into registers. */
	as_host(true, "%d %ld %u %s %x %c %lx %s %zu %d %d %lu", -1, -2L, 3U,
		"four", 5U, '6', 7UL, "eight", (size_t)9, 10, -11, 12UL);
}

/* --- random ones against the host ---------------------------------------- */

static unsigned int seed = 3;

static unsigned int below(unsigned int n)
{
	return (unsigned int)rand_r(&seed) % n;
}

static u64 random_value(void)
{
	u64 val = (u64)rand_r(&seed) << 62 ^ (u64)rand_r(&seed) << 31 ^
		  (u64)rand_r(&seed);

	return val >> below(64) ^ (below(4) ? 0 : ~0UL);
}

/* A conversion of which C says what it does. */
static char random_spec(char *f)
{
	static const char convs[] = "duxcs";
	char conv = convs[below(5)];
	bool number = strchr("dux", conv);

	f += sprintf(f, "[%%");
	for (unsigned int n = below(4); n; n--)
		switch (below(3)) {
		case 0:
			*f++ = '-';
			break;
		case 1:
			if (number)
				*f++ = '0';
			break;
		default:
			if (conv == 'x')
				*f++ = '#';
		}
	if (below(2))
		f += sprintf(f, "%u", 1 + below(40));
	if (number)
		f += sprintf(f, "%s",
			     (const char *[]){"", "l", "ll", "z"}[below(4)]);
	sprintf(f, "%c]", conv);
	return conv;
}

static void test_random(void **state)
{
	char f[2][32], both[64], text[12];

	(void)state;
	for (unsigned int i = 0; i < 50000; i++) {
		u64 val[2];

		for (unsigned int n = 0; n < 2; n++) {
			char conv = random_spec(f[n]);

			/* The host has its own words for nothing. */
			val[n] = random_value() | 1;
			if (conv == 'c')
				val[n] = 1 + below(255);
			if (conv == 's') {
				memset(text, 'x', sizeof(text));
				text[below(sizeof(text))] = 0;
				val[n] = (u64)text;
			}
		}
		sprintf(both, "%s %s", f[0], f[1]);
		as_host(i % 16 == 0, both, val[0], val[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),	cmocka_unit_test(test_char),
		cmocka_unit_test(test_string),	cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_prefix),	cmocka_unit_test(test_ignored),
		cmocka_unit_test(test_unknown), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_many),	cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
