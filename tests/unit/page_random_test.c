/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page ownership against a plain array of pages: random claims, releases and
 * allocations on three banks, two of which share a frame. The array knows each
 * result beforehand, and how many leaves there are.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pagehost.h"

#define NR_ROUNDS   12	 /* each from an empty map */
#define NR_OPS	    2000 /* of each round */
#define BOOT_LEAVES 6
#define MIN_LEAVES  4
#define KEPT_LEAVES 2
#define NOT_FOUND   (~0UL)
#define NOT_RAM	    0

/* In pages from BASE; the second and third share frame 5. */
static const struct page_bank ranges[] = {
	{5, 2 * FRAME_PAGES + 30},
	{4 * FRAME_PAGES, FRAME_PAGES + 100},
	{5 * FRAME_PAGES + 110, 5 * FRAME_PAGES},
};

static u16 model[NR_PAGES];	/* state | owner << 8 */
static bool has_word[NR_PAGES]; /* in a frame of a bank */
static u64 bank_end[NR_PAGES];	/* of the page's bank, in whole frames */
static unsigned int nr_leaves_got, seed;
static u64 held[8], sizes[8]; /* from page_alloc_hyp() */

static u16 word(enum page_state state, u8 owner)
{
	return (u16)(state | owner << 8);
}

static u64 rnd(u64 n)
{
	return (u64)rand_r(&seed) % n;
}

static bool is_mixed(u64 page)
{
	u64 first = align_down(page, FRAME_PAGES);

	for (u64 i = 1; i < FRAME_PAGES; i++)
		if (model[first + i] != model[first])
			return true;
	return false;
}

static unsigned int leaves_left(void)
{
	unsigned int n = BOOT_LEAVES + nr_leaves_got;

	for (u64 f = 0; f < NR_PAGES; f += FRAME_PAGES)
		n -= is_mixed(f);
	return n;
}

/* Leaves that a change of the range takes. */
static unsigned int leaves_needed(u64 at, u64 nr)
{
	u64 last = at + nr - 1;
	bool lo = !is_aligned(at, FRAME_PAGES) && !is_mixed(at);
	bool hi = !is_aligned(at + nr, FRAME_PAGES) && !is_mixed(last);

	if (lo && hi && at / FRAME_PAGES == last / FRAME_PAGES)
		return 1;
	return (unsigned int)lo + hi;
}

static bool all_are(u64 at, u64 nr, u16 w)
{
	for (u64 p = at; p < at + nr; p++)
		if (model[p] != w)
			return false;
	return true;
}

static void set(u64 at, u64 nr, u16 w)
{
	for (u64 p = at; p < at + nr; p++)
		model[p] = w;
}

/* What is taken leaves some for what goes back. */
static bool has_leaves(u64 at, u64 nr, u16 from)
{
	unsigned int needed = leaves_needed(at, nr);

	return !needed ||
	       needed + (from == PAGE_FREE ? KEPT_LEAVES : 0) <= leaves_left();
}

static int expected(u64 at, u64 nr, u16 from, int busy)
{
	if (!has_word[at] || !has_word[at + nr - 1])
		return -EINVAL;
	if (!all_are(at, nr, from))
		return busy;
	return has_leaves(at, nr, from) ? 0 : -ENOMEM;
}

/* Where page_alloc() finds memory: split frames first, then from the top. */
static u64 find(u64 nr, u64 align, u64 limit)
{
	static u64 run[NR_PAGES + 1]; /* free pages from here, in one bank */
	bool small = nr < FRAME_PAGES && align < FRAME_PAGES;

	for (u64 p = NR_PAGES; p--;) {
		bool last = p + 1 == NR_PAGES || bank_end[p] != bank_end[p + 1];

		run[p] = model[p] != PAGE_FREE ? 0 : last ? 1 : run[p + 1] + 1;
	}
	for (u64 p = NR_PAGES; small && p--;)
		if (run[p] >= nr && is_aligned(p, align) && p + nr <= limit &&
		    p / FRAME_PAGES == (p + nr - 1) / FRAME_PAGES && is_mixed(p))
			return p;
	for (u64 p = NR_PAGES; p--;)
		if (run[p] >= nr && is_aligned(p, align) && p + nr <= limit)
			return p;
	return NOT_FOUND;
}

/* What the call took for leaves was free after the call's own change. */
static void take_leaves(void)
{
	for (unsigned int i = 0; i < nr_taken; i++) {
		u64 at = (taken[i].base - BASE) / PAGE_SIZE;

		assert_int_equal(taken[i].size, PAGE_SIZE);
		assert_int_equal(model[at], PAGE_FREE);
		model[at] = word(PAGE_HYP, 0);
		nr_leaves_got++;
	}
	nr_taken = 0;
}

/* Full again, unless no page can be had. */
static void check_reserve(void)
{
	u64 at = find(1, 1, NR_PAGES);

	if (map_fails || leaves_left() >= MIN_LEAVES || at == NOT_FOUND)
		return;
	assert_true(leaves_needed(at, 1) > leaves_left());
}

/* Kept as counters, they are true after each change. */
static void check_stats(void)
{
	struct page_stats s;
	u64 sum[4] = {0};

	for (u64 p = 0; p < NR_PAGES; p++)
		sum[model[p] & 3] += PAGE_SIZE;
	page_stats(&s);
	assert_int_equal(s.free, sum[PAGE_FREE]);
	assert_int_equal(s.hyp, sum[PAGE_HYP]);
	assert_int_equal(s.owned, sum[PAGE_OWNED]);
}

static void finish(void)
{
	take_leaves();
	check_stats();
	check_reserve();
}

static void try_claim(u64 at, u64 nr, u8 owner)
{
	int err = expected(at, nr, PAGE_FREE, -EBUSY);

	assert_int_equal(page_claim(AT(0, at), nr * PAGE_SIZE, PAGE_OWNED, owner),
			 err);
	if (!err)
		set(at, nr, word(PAGE_OWNED, owner));
	finish();
}

static void try_release(u64 at, u64 nr, u8 owner)
{
	int err = expected(at, nr, word(PAGE_OWNED, owner), -EPERM);

	assert_int_equal(page_release(AT(0, at), nr * PAGE_SIZE, PAGE_OWNED,
				      owner),
			 err);
	if (!err)
		set(at, nr, PAGE_FREE);
	finish();
}

static void try_add(u64 at, u64 nr)
{
	int err = expected(at, nr, NOT_RAM, -EBUSY);

	/* A range across a hole is the caller's mistake (boot only). */
	for (u64 p = at; p < at + nr; p++)
		if (!has_word[p])
			return;
	assert_int_equal(page_add_free(AT(0, at), nr * PAGE_SIZE), err);
	if (!err)
		set(at, nr, PAGE_FREE);
	finish();
}

static void try_alloc(u64 nr, u64 align, u64 limit, u8 owner)
{
	u64 at = find(nr, align, limit);
	bool ok = at != NOT_FOUND && has_leaves(at, nr, PAGE_FREE);
	paddr_t pa;

	assert_int_equal(page_alloc(nr * PAGE_SIZE, align * PAGE_SIZE,
				    AT(0, limit).v, PAGE_OWNED, owner, &pa),
			 ok ? 0 : -ENOMEM);
	if (ok) {
		assert_int_equal(pa.v, AT(0, at).v);
		set(at, nr, word(PAGE_OWNED, owner));
	}
	finish();
}

static void try_hyp(void)
{
	u64 i = rnd(8), nr = 1 + rnd(6), at;
	u8 *p;

	if (held[i]) {
		page_free_hyp(direct_ptr(AT(0, held[i])), sizes[i] * PAGE_SIZE);
		set(held[i], sizes[i], PAGE_FREE);
		held[i] = 0;
		finish();
		return;
	}
	at = find(nr, 1, NR_PAGES);
	p = page_alloc_hyp(nr * PAGE_SIZE);
	assert_int_equal(p != NULL, !map_fails && at != NOT_FOUND &&
					    has_leaves(at, nr, PAGE_FREE));
	if (p) {
		assert_ptr_equal(p, direct_ptr(AT(0, at)));
		assert_int_equal(p[0] | p[nr * PAGE_SIZE - 1], 0);
		set(at, nr, word(PAGE_HYP, 0));
		held[i] = at;
		sizes[i] = nr;
		nr_taken--; /* itself, the last one */
	}
	finish();
}

static void check_pages(void)
{
	for (u64 p = 0; p < NR_PAGES; p++) {
		struct page_info info;

		info = page_lookup(PADDR(AT(0, p).v + rnd(PAGE_SIZE)));
		assert_int_equal(word(info.state, info.owner), model[p]);
		if (is_aligned(p, FRAME_PAGES))
			assert_int_equal(info.split, is_mixed(p));
	}
}

static void check_range(u64 at, u64 nr, u8 owner)
{
	u16 w = rnd(2) ? model[at] : word(PAGE_OWNED, owner);

	assert_int_equal(page_is(AT(0, at), nr * PAGE_SIZE,
				 (enum page_state)(w & 3), (u8)(w >> 8)),
			 all_are(at, nr, w));
}

static void setup_banks(void)
{
	struct page_bank banks[3];
	u64 start_at = 0;

	memset(model, 0, sizeof(model));
	memset(has_word, 0, sizeof(has_word));
	memset(held, 0, sizeof(held));
	nr_leaves_got = 0;
	for (unsigned int i = 0; i < 3; i++) {
		u64 lo = max(start_at, align_down(ranges[i].base, FRAME_PAGES));
		u64 hi = align_up(ranges[i].base + ranges[i].size, FRAME_PAGES);

		banks[i] = (struct page_bank){AT(0, ranges[i].base).v,
					      ranges[i].size * PAGE_SIZE};
		for (u64 p = lo; p < hi; p++) {
			has_word[p] = true;
			bank_end[p] = hi;
		}
		start_at = hi;
	}
	start(banks, 3);
	for (unsigned int i = 0; i < 3; i++)
		try_add(ranges[i].base, ranges[i].size);
}

/* A range that is often a frame, or the part of one owner around a page. */
static void pick(u64 *at, u64 *nr)
{
	*at = rnd(NR_PAGES);
	*nr = 1 + rnd(min(NR_PAGES - *at, 2 * FRAME_PAGES));
	switch (rnd(4)) {
	case 0:
		*at = align_down(*at, FRAME_PAGES);
		*nr = FRAME_PAGES;
		break;
	case 1:
		*nr = 1 + rnd(min(NR_PAGES - *at, 8UL));
		break;
	case 2:
		for (; *at && model[*at - 1] == model[*at]; --*at)
			;
		for (*nr = 1;
		     *at + *nr < NR_PAGES && model[*at + *nr] == model[*at];
		     ++*nr)
			;
		break;
	}
}

static void run_op(void)
{
	u8 owner = (u8)(1 + rnd(3) * 127);
	u64 at, nr;

	pick(&at, &nr);
	switch (rnd(8)) {
	case 0:
	case 1:
		try_claim(at, nr, owner);
		break;
	case 2:
	case 3:
	case 4:
		try_release(at, nr, (u8)(model[at] >> 8));
		break;
	case 5:
		try_alloc(nr, 1UL << rnd(11), rnd(2) ? NR_PAGES : rnd(NR_PAGES),
			  owner);
		break;
	case 6:
		try_hyp();
		break;
	case 7:
		if (!rnd(20))
			try_add(at, nr);
		break;
	}
	check_range(at, nr, owner);
}

static void test_random(void **state)
{
	(void)state;
	seed = 11;
	for (unsigned int round = 0; round < NR_ROUNDS; round++) {
		setup_banks();
		for (unsigned int i = 0; i < NR_OPS; i++) {
			/* Odd rounds begin with no new leaves. */
			map_fails = round % 2 && i < NR_OPS / 2;
			run_op();
			if (is_aligned(i, 32))
				check_pages();
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, reserve_direct, NULL);
}
