/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cache maintenance by VA: line and block sizes as the CPU gives them, every
 * line of a range once and nothing beyond it, zeroes written before they are
 * cleaned, and the order of operations and barriers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <asm/barrier.h>
#include <asm/cacheops.h>
#include <skerry/arch/cache.h>

#define BUF_SIZE   (64 * KIB)
#define MAX_EVENTS 8192
#define DZP	   BIT(4)
#define FILL	   0xa5

static u8 buf[BUF_SIZE] __attribute__((aligned(4096)));
static u64 ctr, dczid;
/* What must be zero in memory when a line of it is cleaned. */
static u64 zero_from, zero_to;

static struct event {
	const char *op;
	u64 a;
} events[MAX_EVENTS];
static unsigned int nr_events;

static void note(const char *op, u64 a)
{
	assert_true(nr_events < MAX_EVENTS);
	events[nr_events++] = (struct event){op, a};
}

static void on_barrier(const char *name)
{
	note(name, 0);
}

static void on_cache(const char *op, u64 a)
{
	u64 line = cache_line_size();

	note(op, a);
	if (strcmp(op, "civac"))
		return;
	for (u64 b = max(zero_from, align_down(a, line));
	     b < min(zero_to, align_down(a, line) + line); b++)
		assert_int_equal(*(u8 *)b, 0);
}

void (*host_barrier)(const char *name) = on_barrier;
void (*host_cache)(const char *op, u64 a) = on_cache;

u64 host_sysreg_read(const char *name)
{
	if (!strcmp(name, "ctr_el0"))
		return ctr;
	assert_string_equal(name, "dczid_el0");
	return dczid;
}

/* log2 of the size in words; the other fields of CTR_EL0 all differ. */
static void set_line(u64 words)
{
	ctr = BIT(31) | field_prep(BITS(27, 24), ~words) |
	      field_prep(BITS(23, 20), ~words) |
	      field_prep(BITS(19, 16), words) | field_prep(BITS(3, 0), ~words);
}

static void restart(void)
{
	nr_events = 0;
	zero_from = zero_to = 0;
}

static int setup(void **state)
{
	(void)state;
	set_line(4);
	dczid = 4;
	restart();
	return 0;
}

static bool is(unsigned int i, const char *op)
{
	return i < nr_events && !strcmp(events[i].op, op);
}

/*
 * Events from `first` on: each line of the range cleaned once, in whatever
 * order, none beyond, and then the one barrier that completes them.
 */
static void assert_cleaned(unsigned int first, u64 from, u64 size)
{
	u64 line = cache_line_size(), start = align_down(from, line);
	u64 nr = size ? (align_up(from + size, line) - start) / line : 0;
	static u8 seen[BUF_SIZE / 4 + 2];

	assert_true(nr <= ARRAY_SIZE(seen));
	memset(seen, 0, sizeof(seen));
	assert_int_equal(nr_events, first + nr + 1);
	for (unsigned int i = first; i < first + nr; i++) {
		u64 n = (events[i].a - start) / line;

		assert_true(is(i, "civac"));
		assert_true(events[i].a >= start && n < nr);
		assert_int_equal(seen[n]++, 0);
	}
	assert_true(is(nr_events - 1, "dsb sy"));
}

static void test_sizes(void **state)
{
	(void)state;
	for (u64 n = 0; n < 16; n++) {
		set_line(n);
		assert_int_equal(cache_line_size(), 4UL << n);
		dczid = n;
		assert_int_equal(cache_zva_size(), 4UL << n);
		dczid = n | DZP;
		assert_int_equal(cache_zva_size(), 0);
	}
}

static void test_each_line_once(void **state)
{
	u64 base = (u64)buf + 8192;

	(void)state;
	/* Lines of 16 to 2048 bytes, every kind of start and end. */
	for (u64 n = 2; n <= 9; n++) {
		u64 line = 4UL << n, step = line / 16;

		set_line(n);
		for (u64 start = 0; start < line; start += step)
			for (u64 size = 1; size <= 3 * line; size += step) {
				restart();
				cache_clean_inval((u8 *)base + start, size);
				assert_cleaned(0, base + start, size);
			}
	}
	/* One byte on each side of a line's end. */
	set_line(4);
	restart();
	cache_clean_inval((u8 *)base + 63, 2);
	assert_cleaned(0, base + 63, 2);
	assert_int_equal(nr_events, 3);
}

static void test_nothing(void **state)
{
	(void)state;
	cache_clean_inval(buf, 0);
	assert_cleaned(0, (u64)buf, 0);
	restart();
	cache_zero_clean(buf, 0);
	assert_cleaned(0, (u64)buf, 0);
}

/* Zeroes exactly the range; the number of DC ZVA used for it. */
static unsigned int zero(u64 offset, u64 size)
{
	u64 from = (u64)buf + offset, block = cache_zva_size();
	unsigned int nr = 0;

	memset(buf, FILL, sizeof(buf));
	restart();
	zero_from = from;
	zero_to = from + size;
	cache_zero_clean(buf + offset, size);
	for (u64 i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], i - offset < size ? 0 : FILL);
	while (is(nr, "zva")) {
		/* Blocks in a row, so each one once. */
		assert_int_equal(events[nr].a, from + nr * block);
		nr++;
	}
	/* No DC ZVA after the first clean. */
	assert_cleaned(nr, from, size);
	return nr;
}

static void test_zero_by_block(void **state)
{
	(void)state;
	for (u64 n = 2; n <= 9; n++)
		for (u64 line = 2; line <= 9; line++) {
			u64 block = 4UL << n;

			dczid = n;
			set_line(line);
			assert_int_equal(zero(0, 4096), 4096 / block);
			assert_int_equal(zero(4096, block), 1);
			assert_int_equal(zero(4096 - block, 3 * block), 3);
		}
}

static void test_zero_unaligned(void **state)
{
	(void)state;
	/* Neither what is before nor what is behind may be lost. */
	assert_int_equal(zero(4096 + 16, 4096), 0);
	assert_int_equal(zero(4096, 4096 - 16), 0);
	assert_int_equal(zero(4096 + 16, 4096 - 16), 0);
	assert_int_equal(zero(4097, 1), 0);
	assert_int_equal(zero(4095, 63), 0);
	/* Aligned, but to a smaller block than the CPU's. */
	dczid = 9;
	assert_int_equal(zero(1024, 4096), 0);
	assert_int_equal(zero(4096, 1024), 0);
}

static void test_zero_prohibited(void **state)
{
	(void)state;
	for (u64 n = 0; n < 16; n++) {
		dczid = DZP | n;
		assert_int_equal(zero(4096, 8192), 0);
	}
}

static void test_icache_order(void **state)
{
	(void)state;
	cache_inval_icache_all();
	assert_int_equal(nr_events, 4);
	assert_true(is(0, "dsb ish") && is(1, "iallu_is") && is(2, "dsb ish") &&
		    is(3, "isb"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sizes, setup),
		cmocka_unit_test_setup(test_each_line_once, setup),
		cmocka_unit_test_setup(test_nothing, setup),
		cmocka_unit_test_setup(test_zero_by_block, setup),
		cmocka_unit_test_setup(test_zero_unaligned, setup),
		cmocka_unit_test_setup(test_zero_prohibited, setup),
		cmocka_unit_test_setup(test_icache_order, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
