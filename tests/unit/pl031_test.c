/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guests' clock: time of day from the counter, with every frequency and
 * around the ends of 32 bits; nothing that a guest writes changes it; register
 * table, widths and identification. The table is private to pv/pl031.c, so the
 * source is included here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../pv/pl031.c"

#include <skerry/error.h>

#define BASE	0x22001000UL
#define SIZE	0x1000U
#define RUBBISH 0xdeadbeefcafef00dUL
#define TODAY	1767225600UL /* 2026-01-01 */

static struct domain d[2];
static u64 now, freq;

u64 time_now(void)
{
	return now;
}
u64 time_freq(void)
{
	return freq;
}

static int setup(void **state)
{
	(void)state;
	memset(d, 0, sizeof(d));
	now = 0;
	freq = 62500000;
	pl031_set_base(0);
	assert_int_equal(pl031_part.domain_init(&d[0], NULL), 0);
	assert_int_equal(pl031_part.domain_init(&d[1], NULL), 0);
	return 0;
}

/* As the trap does it: through the domain's list of regions. */
static u64 run_in(struct domain *dom, u64 offset, u8 size, bool write)
{
	const struct emul_region *r = emul_find(&dom->emul, BASE + offset);
	struct emul_access a = {.offset = offset,
				.size = size,
				.write = write,
				.value = RUBBISH};

	assert_non_null(r);
	/* No handler looks at the vCPU: time is the same for all. */
	r->access(NULL, &a);
	return a.value;
}

static u64 rd(u64 offset)
{
	return run_in(&d[0], offset, 4, false);
}

static void test_table(void **state)
{
	const unsigned int nr = ARRAY_SIZE(regs);

	(void)state;
	assert_in_range(nr, 1, EMUL_MAX_REGS);
	for (unsigned int i = 0; i < nr; i++) {
		const struct emul_reg *r = &regs[i];

		assert_true(r->size && is_aligned(r->offset | r->size, 4));
		assert_int_equal(r->widths, W32);
		assert_non_null(r->read);
		/* No guest changes anything. */
		assert_null(r->write);
		if (i)
			assert_true(r[-1].offset + r[-1].size <= r->offset);
	}
	assert_int_equal(regs[nr - 1].offset + regs[nr - 1].size, SIZE);
}

static void test_init(void **state)
{
	struct emul_region other[EMUL_MAX_REGIONS];

	(void)state;
	assert_int_equal(d[0].emul.regions[0]->base, BASE);
	assert_int_equal(d[0].emul.regions[0]->size, SIZE);
	assert_int_equal(d[0].emul.nr, 1);
	/* No place in the domain's list. */
	assert_int_equal(pl031_init(&d[0]), -EEXIST);
	memset(d, 0, sizeof(d));
	for (unsigned int i = 0; i < EMUL_MAX_REGIONS; i++) {
		other[i] = (struct emul_region){.base = i * PAGE_SIZE,
						.size = PAGE_SIZE};
		assert_int_equal(emul_add(&d[0].emul, &other[i]), 0);
	}
	assert_int_equal(pl031_init(&d[0]), -ENOSPC);
}

static void test_registers(void **state)
{
	/* PL031 revision 0, and "PrimeCell". */
	static const u8 id[] = {0x31, 0x10, 0x04, 0, 0x0d, 0xf0, 0x05, 0xb1};

	(void)state;
	pl031_set_base(TODAY);
	for (u32 at = 0; at < SIZE; at++) {
		u64 want = at == 0	     ? TODAY
			   : at == 0xc	     ? 1
			   : at >= SIZE - 32 ? id[(at - (SIZE - 32)) / 4]
					     : 0;

		if (at % 4 == 0)
			assert_int_equal(rd(at), want);
		/* Words only. */
		assert_int_equal(run_in(&d[0], at, 1, false), 0);
		if (at % 2 == 0)
			assert_int_equal(run_in(&d[0], at, 2, false), 0);
		if (at % 8 == 0)
			assert_int_equal(run_in(&d[0], at, 8, false), 0);
	}
}

static void test_writes(void **state)
{
	struct domain before[2];

	(void)state;
	pl031_set_base(TODAY);
	memcpy(before, d, sizeof(d));
	/* Match, load, control and interrupt registers among them. */
	for (u32 at = 0; at < SIZE; at++)
		for (u8 size = 1; size <= 8; size *= 2) {
			run_in(&d[0], at, size, true);
			assert_int_equal(rd(0), TODAY);
			assert_int_equal(rd(0xc), 1);
			assert_int_equal(run_in(&d[1], 0, 4, false), TODAY);
		}
	assert_memory_equal(before, d, sizeof(d));
	/* It goes on. */
	now += 3 * freq;
	assert_int_equal(rd(0), TODAY + 3);
	assert_int_equal(run_in(&d[1], 0, 4, false), TODAY + 3);
}

static void test_time(void **state)
{
	/* One that no second divides, and QEMU's and boards' own. */
	static const u64 freqs[] = {1,	      3,	19200000,
				    54000000, 62500000, 1000000000};
	static const u64 starts[] = {0, 1, 12345678901, 0x100000000, BIT(62)};

	(void)state;
	for (unsigned int f = 0; f < ARRAY_SIZE(freqs); f++)
		for (unsigned int s = 0; s < ARRAY_SIZE(starts); s++) {
			u64 tick;

			freq = freqs[f];
			now = starts[s] / freq * freq;
			tick = now;
			pl031_set_base(TODAY);
			assert_int_equal(rd(0), TODAY);
			for (u64 sec = 1; sec < 5000; sec += 7) {
				now = tick + sec * freq - 1;
				assert_int_equal(rd(0), TODAY + sec - 1);
				now++;
				assert_int_equal(rd(0), TODAY + sec);
			}
		}
}

/* Set in the middle of a second: right to the second, never backwards. */
static void test_fraction(void **state)
{
	u64 last = TODAY;

	(void)state;
	freq = 1000;
	for (u64 part = 0; part < freq; part += 111) {
		now = 5 * freq + part;
		pl031_set_base(TODAY);
		assert_int_equal(rd(0), TODAY);
		last = TODAY;
		for (u64 i = 0; i < 5000; i++) {
			u64 elapsed = (i + 1) / freq;

			now++;
			assert_true(rd(0) == last || rd(0) == last + 1);
			last = rd(0);
			assert_in_range(last, TODAY + elapsed,
					TODAY + elapsed + 1);
		}
	}
}

static void test_ends(void **state)
{
	(void)state;
	/* Of the register's 32 bits: it starts again. */
	pl031_set_base(0xffffffff);
	assert_int_equal(rd(0), 0xffffffff);
	now += freq;
	assert_int_equal(rd(0), 0);
	now += freq;
	assert_int_equal(rd(0), 1);
	/* A counter that is ahead of the clock; without a clock, it is 1970. */
	now = 1000 * freq;
	pl031_set_base(5);
	assert_int_equal(rd(0), 5);
	now += 10 * freq;
	assert_int_equal(rd(0), 15);
	pl031_set_base(0);
	assert_int_equal(rd(0), 0);
	/* Set anew, the old base is forgotten. */
	pl031_set_base(TODAY);
	pl031_set_base(TODAY + 1);
	assert_int_equal(rd(0), TODAY + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_table, setup),
		cmocka_unit_test_setup(test_init, setup),
		cmocka_unit_test_setup(test_registers, setup),
		cmocka_unit_test_setup(test_writes, setup),
		cmocka_unit_test_setup(test_time, setup),
		cmocka_unit_test_setup(test_fraction, setup),
		cmocka_unit_test_setup(test_ends, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
