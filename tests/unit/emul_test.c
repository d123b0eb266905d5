/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Emulated MMIO: the list of regions, the look-up in register tables of every
 * length against a linear search, widths, RAZ/WI, the edges of rows, and what
 * an access does that is unaligned or ends in another row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <skerry/emul.h>
#include <skerry/error.h>

#define BASE	0x22000000UL
#define RUBBISH 0xdeadbeefcafef00dUL

static struct emul_domain e;

static int setup(void **state)
{
	(void)state;
	memset(&e, 0, sizeof(e));
	return 0;
}

/* --- regions ------------------------------------------------------------- */

static struct emul_region page(u64 nr, u64 nr_pages)
{
	return (struct emul_region){.base = BASE + nr * PAGE_SIZE,
				    .size = nr_pages * PAGE_SIZE};
}

static void check_sorted(unsigned int nr)
{
	assert_int_equal(e.nr, nr);
	for (unsigned int i = 1; i < nr; i++)
		assert_true(e.regions[i - 1]->base + e.regions[i - 1]->size <=
			    e.regions[i]->base);
}

static void test_find(void **state)
{
	const struct emul_region r[] = {page(0, 1), page(1, 2), page(5, 16)};
	const struct emul_region top = {.base = ~0UL - PAGE_SIZE + 1,
					.size = PAGE_SIZE};
	const struct emul_region zero = {.base = 0, .size = PAGE_SIZE};

	(void)state;
	assert_null(emul_find(&e, 0));
	assert_null(emul_find(&e, ~0UL));
	for (unsigned int i = 0; i < ARRAY_SIZE(r); i++)
		assert_int_equal(emul_add(&e, &r[i]), 0);
	for (u64 p = 0; p < 24; p++) {
		const struct emul_region *want = p == 0		   ? &r[0]
						 : p <= 2	   ? &r[1]
						 : p < 5 || p > 20 ? NULL
								   : &r[2];
		u64 ipa = BASE + p * PAGE_SIZE;

		assert_ptr_equal(emul_find(&e, ipa), want);
		assert_ptr_equal(emul_find(&e, ipa + 1), want);
		assert_ptr_equal(emul_find(&e, ipa + PAGE_SIZE - 1), want);
		/* The same in other places of the address space. */
		assert_null(emul_find(&e, ipa ^ BIT(32)));
		assert_null(emul_find(&e, ipa ^ BIT(63)));
		assert_null(emul_find(&e, ipa ^ BIT(28)));
	}
	assert_null(emul_find(&e, BASE - 1));
	assert_null(emul_find(&e, 0));
	assert_null(emul_find(&e, ~0UL));
	/* At both ends of all addresses. */
	assert_int_equal(emul_add(&e, &zero), 0);
	assert_int_equal(emul_add(&e, &top), 0);
	check_sorted(5);
	assert_ptr_equal(emul_find(&e, 0), &zero);
	assert_ptr_equal(emul_find(&e, PAGE_SIZE - 1), &zero);
	assert_null(emul_find(&e, PAGE_SIZE));
	assert_null(emul_find(&e, ~0UL - PAGE_SIZE));
	assert_ptr_equal(emul_find(&e, ~0UL - PAGE_SIZE + 1), &top);
	assert_ptr_equal(emul_find(&e, ~0UL), &top);
}

/* Five regions in each order in which they can come. */
static void test_order(void **state)
{
	struct emul_region r[5];

	(void)state;
	for (unsigned int i = 0; i < 5; i++)
		r[i] = page(2 * i, 2 - i % 2);
	for (unsigned int code = 0; code < 5 * 5 * 5 * 5 * 5; code++) {
		unsigned int order[5], seen = 0, c = code;

		for (unsigned int i = 0; i < 5; i++, c /= 5) {
			order[i] = c % 5;
			seen |= 1U << order[i];
		}
		if (seen != 31)
			continue;
		setup(state);
		for (unsigned int i = 0; i < 5; i++) {
			assert_int_equal(emul_add(&e, &r[order[i]]), 0);
			check_sorted(i + 1);
		}
		for (unsigned int i = 0; i < 5; i++) {
			assert_ptr_equal(e.regions[i], &r[i]);
			assert_ptr_equal(emul_find(&e, r[i].base), &r[i]);
		}
	}
}

/* All pairs of places and sizes against the definition of an overlap. */
static void test_overlap(void **state)
{
	const struct emul_region below = page(0, 1), above = page(40, 1);

	(void)state;
	for (u64 at = 2; at < 14; at++)
		for (u64 n = 1; n < 7; n++) {
			const struct emul_region first = page(7, 3);
			const struct emul_region r = page(at, n);
			bool overlaps = false;

			for (u64 p = at; p < at + n; p++)
				overlaps |= p >= 7 && p < 10;
			setup(state);
			assert_int_equal(emul_add(&e, &above), 0);
			assert_int_equal(emul_add(&e, &first), 0);
			assert_int_equal(emul_add(&e, &below), 0);
			assert_int_equal(emul_add(&e, &r),
					 overlaps ? -EEXIST : 0);
			check_sorted(overlaps ? 3 : 4);
			assert_ptr_equal(emul_find(&e, first.base), &first);
			if (!overlaps)
				assert_ptr_equal(emul_find(&e, r.base), &r);
		}
	/* With any of them, the same one included; by one byte. */
	setup(state);
	assert_int_equal(emul_add(&e, &below), 0);
	assert_int_equal(emul_add(&e, &above), 0);
	assert_int_equal(emul_add(&e, &below), -EEXIST);
	assert_int_equal(emul_add(&e, &above), -EEXIST);
	for (u64 i = 0; i < 2; i++) {
		struct emul_region r = {.base = BASE + PAGE_SIZE - i,
					.size = PAGE_SIZE};
		struct emul_region s = {.base = above.base - PAGE_SIZE + i,
					.size = PAGE_SIZE};

		assert_int_equal(emul_add(&e, &s), i ? -EEXIST : 0);
		assert_int_equal(emul_add(&e, &r), i ? -EEXIST : 0);
		e.nr = 2;
		e.regions[0] = &below;
		e.regions[1] = &above;
	}
}

static void test_full(void **state)
{
	struct emul_region r[EMUL_MAX_REGIONS + 1];

	(void)state;
	for (unsigned int i = 0; i <= EMUL_MAX_REGIONS; i++) {
		r[i] = page(2 * i, 1);
		assert_int_equal(emul_add(&e, &r[i]),
				 i < EMUL_MAX_REGIONS ? 0 : -ENOSPC);
	}
	check_sorted(EMUL_MAX_REGIONS);
	for (unsigned int i = 0; i <= EMUL_MAX_REGIONS; i++)
		assert_ptr_equal(emul_find(&e, r[i].base),
				 i < EMUL_MAX_REGIONS ? &r[i] : NULL);
}

/* --- register tables ----------------------------------------------------- */

static unsigned int seed = 41;

static u32 below(u32 n)
{
	return (u32)rand_r(&seed) % n;
}

static const struct emul_reg *linear(const struct emul_reg *table,
				     unsigned int nr,
				     const struct emul_access *a)
{
	for (unsigned int i = 0; i < nr; i++)
		if (a->offset >= table[i].offset &&
		    a->offset < (u64)table[i].offset + table[i].size)
			return table[i].widths & a->size ? &table[i] : NULL;
	return NULL;
}

static void check_find(const struct emul_reg *table, unsigned int nr, u64 offset)
{
	for (u8 size = 1; size <= 8; size *= 2) {
		const struct emul_access a = {.offset = offset, .size = size};

		assert_ptr_equal(emul_find_reg(table, nr, &a),
				 linear(table, nr, &a));
	}
}

/* Rows that touch or not, in memory that ends with the last one. */
static struct emul_reg *random_table(unsigned int nr, u32 gap, u32 max_size)
{
	struct emul_reg *table = calloc(nr, sizeof(*table));
	u32 at = below(2) ? 0 : 4 * below(gap + 1);

	for (unsigned int i = 0; i < nr; i++) {
		table[i].offset = at;
		table[i].size = 4 + 4 * below(max_size / 4);
		table[i].widths = (u8)below(16);
		at += table[i].size + (below(2) ? 0 : 4 * below(gap));
	}
	return table;
}

static void test_every_length(void **state)
{
	(void)state;
	for (unsigned int nr = 1; nr <= EMUL_MAX_REGS; nr++)
		for (unsigned int round = 0; round < 20; round++) {
			struct emul_reg *table = random_table(nr, 5, 20);
			u64 end = table[nr - 1].offset + table[nr - 1].size;

			for (u64 at = 0; at < end + 40; at++)
				check_find(table, nr, at);
			free(table);
		}
}

/* As far as 32 bits go, and with offsets that have more. */
static void test_wide_tables(void **state)
{
	(void)state;
	for (unsigned int nr = 1; nr <= EMUL_MAX_REGS; nr++)
		for (unsigned int round = 0; round < 20; round++) {
			struct emul_reg *table = random_table(nr, 0x1000000,
							      0x1000000);

			if (round & 1) {
				/* The last row ends with the last offset. */
				table[nr - 1].offset = 0xfffffff0;
				table[nr - 1].size = 16;
			}
			for (unsigned int i = 0; i < nr; i++)
				for (u64 d = 0; d < 10; d++) {
					u64 at = table[i].offset - 5UL + d;

					check_find(table, nr, at);
					check_find(table, nr,
						   at + table[i].size);
					check_find(table, nr, at + BIT(32));
					check_find(table, nr, at | BIT(63));
				}
			check_find(table, nr, ~0UL);
			free(table);
		}
}

static struct vcpu *const the_vcpu = (struct vcpu *)0x1000;
static unsigned int reads, writes;
static struct emul_access seen;

static void on_read(struct vcpu *v, struct emul_access *a)
{
	assert_ptr_equal(v, the_vcpu);
	assert_false(a->write);
	seen = *a;
	reads++;
	a->value |= 0x1234;
}

static void on_write(struct vcpu *v, struct emul_access *a)
{
	assert_ptr_equal(v, the_vcpu);
	assert_true(a->write);
	seen = *a;
	writes++;
}

enum { NOTHING, READ, WRITTEN };

/* One access: which handler has run, and what a read gave. */
static int run(const struct emul_reg *table, unsigned int nr, u64 offset,
	       u8 size, bool write)
{
	struct emul_access a = {.offset = offset,
				.size = size,
				.write = write,
				.value = RUBBISH};

	reads = writes = 0;
	emul_table_access(table, nr, the_vcpu, &a);
	assert_int_equal(a.offset, offset);
	assert_int_equal(a.size, size);
	assert_int_equal(a.write, write);
	assert_true(reads + writes <= 1);
	if (reads + writes) {
		assert_int_equal(seen.offset, offset);
		assert_int_equal(seen.size, size);
		/* What a register does not set reads as zero. */
		assert_int_equal(seen.value, write ? RUBBISH : 0);
	}
	if (!write)
		assert_int_equal(a.value, reads ? 0x1234 : 0);
	return reads ? READ : writes ? WRITTEN : NOTHING;
}

static void test_widths(void **state)
{
	(void)state;
	for (unsigned int widths = 0; widths < 16; widths++)
		for (u8 size = 1; size <= 8; size *= 2) {
			const struct emul_reg table[] = {
				{8, 8, (u8)widths, on_read, on_write}};
			bool legal = widths & size;

			assert_int_equal(run(table, 1, 8, size, false),
					 legal ? READ : NOTHING);
			assert_int_equal(run(table, 1, 8, size, true),
					 legal ? WRITTEN : NOTHING);
		}
}

static void test_raz_wi(void **state)
{
	static const struct emul_reg table[] = {
		{0x10, 4, W32, on_read, NULL},
		{0x14, 4, W32, NULL, on_write},
		{0x18, 4, W32, NULL, NULL},
		{0x20, 4, W32, on_read, on_write},
	};
	static const struct {
		u64 offset;
		int read, write;
	} want[] = {{0, NOTHING, NOTHING},    {0xc, NOTHING, NOTHING},
		    {0x10, READ, NOTHING},    {0x14, NOTHING, WRITTEN},
		    {0x18, NOTHING, NOTHING}, {0x1c, NOTHING, NOTHING},
		    {0x20, READ, WRITTEN},    {0x24, NOTHING, NOTHING},
		    {0xffc, NOTHING, NOTHING}};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(run(table, 4, want[i].offset, 4, false),
				 want[i].read);
		assert_int_equal(run(table, 4, want[i].offset, 4, true),
				 want[i].write);
		assert_int_equal(run(table, 4, want[i].offset, 8, false),
				 NOTHING);
		assert_int_equal(run(table, 4, want[i].offset, 8, true),
				 NOTHING);
	}
}

/*
 * The first byte decides, whatever the rest of the access covers: it belongs
 * to its row as a whole or is RAZ/WI as a whole, and one handler runs.
 */
static void test_straddle(void **state)
{
	static const struct emul_reg table[] = {
		{0x10, 0x0c, W8 | W16 | W32 | W64, on_read, NULL},
		{0x1c, 0x04, W8, NULL, on_write},
		{0x22, 0x02, W16 | W32, on_read, on_write},
	};

	(void)state;
	for (u64 at = 0; at < 0x30; at++)
		for (u8 size = 1; size <= 8; size *= 2) {
			int read = NOTHING, write = NOTHING;

			if (at >= 0x10 && at < 0x1c)
				read = READ;
			if (at >= 0x1c && at < 0x20 && size == 1)
				write = WRITTEN;
			if (at >= 0x22 && at < 0x24 && (size == 2 || size == 4)) {
				read = READ;
				write = WRITTEN;
			}
			assert_int_equal(run(table, 3, at, size, false), read);
			assert_int_equal(run(table, 3, at, size, true), write);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_find, setup),
		cmocka_unit_test_setup(test_order, setup),
		cmocka_unit_test_setup(test_overlap, setup),
		cmocka_unit_test_setup(test_full, setup),
		cmocka_unit_test_setup(test_every_length, setup),
		cmocka_unit_test_setup(test_wide_tables, setup),
		cmocka_unit_test_setup(test_widths, setup),
		cmocka_unit_test_setup(test_raz_wi, setup),
		cmocka_unit_test_setup(test_straddle, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
