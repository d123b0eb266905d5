/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page ownership on the host: claims and releases, the order in which memory
 * is found, splitting and merging of frames, the reserve of leaves, every
 * refusal with nothing changed, and the hypervisor's own pages.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pagehost.h"

/* One bank of whole frames, all free; no leaves but those of boot. */
static void start_frames(unsigned int nr)
{
	struct page_bank bank = {BASE, nr * FRAME_SIZE};

	start(&bank, 1);
	map_fails = true;
	assert_int_equal(page_add_free(PADDR(BASE), bank.size), 0);
}

static void snapshot(struct page_info *info)
{
	memset(info, 0, NR_PAGES * sizeof(*info));
	for (unsigned int i = 0; i < NR_PAGES; i++) {
		struct page_info p = page_lookup(AT(0, i));

		info[i].state = p.state;
		info[i].owner = p.owner;
		info[i].split = p.split;
	}
}

/* `call` fails with `err` and no page is another one's, nor split, after. */
#define assert_refused(call, err)                                              \
	do {                                                                   \
		static struct page_info was[NR_PAGES], is[NR_PAGES];           \
                                                                               \
		snapshot(was);                                                 \
		assert_int_equal(call, err);                                   \
		snapshot(is);                                                  \
		assert_memory_equal(was, is, sizeof(was));                     \
	} while (0)

static void assert_page(paddr_t pa, enum page_state state, u8 owner, bool split)
{
	struct page_info info = page_lookup(pa);

	assert_int_equal(info.state, state);
	assert_int_equal(info.owner, owner);
	assert_int_equal(info.split, split);
}

static int alloc(u64 size, u64 align, u64 limit, u64 *at)
{
	paddr_t pa = PADDR(0);
	int err = page_alloc(size, align, limit, PAGE_OWNED, 1, &pa);

	*at = pa.v;
	return err;
}

static void test_claim(void **state)
{
	(void)state;
	start_frames(4);
	assert_page(AT(0, 0), PAGE_FREE, 0, false);
	assert_page(AT(4, 0), PAGE_NONE, 0, false);
	assert_int_equal(page_claim(AT(1, 0), FRAME_SIZE, PAGE_OWNED, 255), 0);
	assert_page(AT(1, 0), PAGE_OWNED, 255, false);
	assert_page(AT(1, 511), PAGE_OWNED, 255, false);
	assert_page(AT(2, 0), PAGE_FREE, 0, false);
	assert_refused(page_claim(AT(1, 3), PAGE_SIZE, PAGE_OWNED, 255), -EBUSY);
	assert_refused(page_claim(AT(0, 0), 4 * FRAME_SIZE, PAGE_HYP, 0),
		       -EBUSY);
	assert_refused(page_release(AT(1, 0), FRAME_SIZE, PAGE_OWNED, 1),
		       -EPERM);
	assert_refused(page_release(AT(1, 0), FRAME_SIZE, PAGE_HYP, 255),
		       -EPERM);
	assert_refused(page_release(AT(1, 1), FRAME_SIZE, PAGE_OWNED, 255),
		       -EPERM);
	assert_refused(page_release(AT(0, 511), 2 * PAGE_SIZE, PAGE_OWNED, 255),
		       -EPERM);
	assert_refused(page_add_free(AT(0, 0), PAGE_SIZE), -EBUSY);
	/* Inside a part that is another's, from whichever side. */
	assert_true(page_is(AT(1, 0), FRAME_SIZE, PAGE_OWNED, 255));
	assert_false(page_is(AT(1, 0), FRAME_SIZE, PAGE_OWNED, 254));
	assert_false(page_is(AT(1, 0), FRAME_SIZE + PAGE_SIZE, PAGE_OWNED, 255));
	assert_false(page_is(AT(0, 511), FRAME_SIZE, PAGE_OWNED, 255));
	assert_int_equal(page_release(AT(1, 0), FRAME_SIZE, PAGE_OWNED, 255), 0);
	assert_true(page_is(AT(0, 0), 4 * FRAME_SIZE, PAGE_FREE, 0));
	assert_refused(page_release(AT(1, 0), FRAME_SIZE, PAGE_OWNED, 255),
		       -EPERM);
}

static void test_arguments(void **state)
{
	static const u64 sizes[] = {0, 1, PAGE_SIZE - 1, PAGE_SIZE + 8,
				    ~0UL & ~(PAGE_SIZE - 1)};
	u64 at;

	(void)state;
	start_frames(4);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_refused(page_claim(AT(1, 0), sizes[i], PAGE_HYP, 0),
			       -EINVAL);
		assert_refused(page_release(AT(1, 0), sizes[i], PAGE_FREE, 0),
			       -EINVAL);
		assert_refused(page_add_free(AT(1, 0), sizes[i]), -EINVAL);
	}
	for (unsigned int i = 0; i < 4; i++)
		assert_refused(alloc(sizes[i], PAGE_SIZE, ~0UL, &at), -EINVAL);
	assert_refused(alloc(sizes[4], PAGE_SIZE, ~0UL, &at), -ENOMEM);
	assert_refused(page_claim(PADDR(BASE + 1), PAGE_SIZE, PAGE_HYP, 0),
		       -EINVAL);
	/* The last page of all: its end is 0. */
	assert_refused(page_claim(PADDR(-PAGE_SIZE), PAGE_SIZE, PAGE_HYP, 0),
		       -EINVAL);
}

static void test_outside(void **state)
{
	const struct page_bank banks[] = {{AT(1, 0).v, 2 * FRAME_SIZE},
					  {AT(5, 0).v, FRAME_SIZE}};

	(void)state;
	start(banks, 2);
	assert_int_equal(page_table_size(banks, 2), 3 * sizeof(u64));
	assert_int_equal(page_add_free(AT(1, 0), 2 * FRAME_SIZE), 0);
	assert_int_equal(page_add_free(AT(5, 0), FRAME_SIZE), 0);
	assert_refused(page_claim(AT(0, 511), PAGE_SIZE, PAGE_HYP, 0), -EINVAL);
	assert_refused(page_claim(AT(3, 0), PAGE_SIZE, PAGE_HYP, 0), -EINVAL);
	assert_refused(page_claim(AT(0, 0), 2 * FRAME_SIZE, PAGE_HYP, 0),
		       -EINVAL);
	assert_refused(page_claim(AT(2, 0), 2 * FRAME_SIZE, PAGE_HYP, 0),
		       -EINVAL);
	assert_refused(page_release(AT(4, 0), PAGE_SIZE, PAGE_NONE, 0), -EINVAL);
	assert_refused(page_add_free(AT(6, 0), FRAME_SIZE), -EINVAL);
	/* Both ends are RAM, the middle is not. */
	assert_refused(page_claim(AT(2, 0), 4 * FRAME_SIZE, PAGE_HYP, 0),
		       -EBUSY);
	assert_page(PADDR(0), PAGE_NONE, 0, false);
	assert_page(PADDR(~0UL), PAGE_NONE, 0, false);
	assert_true(page_is(AT(3, 0), 2 * FRAME_SIZE, PAGE_NONE, 0));
	assert_false(page_is(AT(3, 0), 2 * FRAME_SIZE, PAGE_FREE, 0));
	assert_false(page_is(AT(2, 0), 4 * FRAME_SIZE, PAGE_FREE, 0));
}

static void test_split_merge(void **state)
{
	(void)state;
	start_frames(4);
	assert_int_equal(page_claim(AT(1, 7), 2 * PAGE_SIZE, PAGE_OWNED, 3), 0);
	assert_page(AT(1, 6), PAGE_FREE, 0, true);
	assert_page(AT(1, 7), PAGE_OWNED, 3, true);
	assert_page(AT(1, 8), PAGE_OWNED, 3, true);
	assert_page(PADDR(AT(1, 8).v + 0xfff), PAGE_OWNED, 3, true);
	assert_page(AT(1, 9), PAGE_FREE, 0, true);
	assert_page(AT(2, 0), PAGE_FREE, 0, false);
	/* The last differing page brings the word back: claimed, then free. */
	assert_int_equal(page_claim(AT(1, 0), 7 * PAGE_SIZE, PAGE_OWNED, 3), 0);
	assert_page(AT(1, 0), PAGE_OWNED, 3, true);
	assert_int_equal(page_claim(AT(1, 9), 503 * PAGE_SIZE, PAGE_OWNED, 3),
			 0);
	assert_page(AT(1, 9), PAGE_OWNED, 3, false);
	assert_int_equal(page_release(AT(1, 511), PAGE_SIZE, PAGE_OWNED, 3), 0);
	assert_page(AT(1, 0), PAGE_OWNED, 3, true);
	assert_int_equal(page_release(AT(1, 0), 511 * PAGE_SIZE, PAGE_OWNED, 3),
			 0);
	assert_page(AT(1, 0), PAGE_FREE, 0, false);
	/* Partial frames at both ends, a whole one between them. */
	assert_int_equal(page_claim(AT(0, 511), FRAME_SIZE + 2 * PAGE_SIZE,
				    PAGE_HYP, 0),
			 0);
	assert_page(AT(0, 510), PAGE_FREE, 0, true);
	assert_page(AT(0, 511), PAGE_HYP, 0, true);
	assert_page(AT(1, 99), PAGE_HYP, 0, false);
	assert_page(AT(2, 0), PAGE_HYP, 0, true);
	assert_page(AT(2, 1), PAGE_FREE, 0, true);
	assert_int_equal(page_release(AT(0, 511), FRAME_SIZE + 2 * PAGE_SIZE,
				      PAGE_HYP, 0),
			 0);
	for (unsigned int f = 0; f < 4; f++)
		assert_page(AT(f, 0), PAGE_FREE, 0, false);
	assert_int_equal(nr_taken, 0);
}

static void test_shared_frame(void **state)
{
	/* Three banks meet in frame 1; the last one has no frame of its own. */
	const struct page_bank banks[] = {
		{AT(0, 2).v, FRAME_SIZE + 8 * PAGE_SIZE}, /* to page 1:10 */
		{AT(1, 20).v, 10 * PAGE_SIZE},
		{AT(1, 500).v, 112 * PAGE_SIZE}, /* to page 2:100 */
	};
	struct page_stats s;

	(void)state;
	assert_int_equal(page_table_size(banks, 3), 5 * sizeof(u64));
	start(banks, 3);
	map_fails = true;
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(page_add_free(PADDR(banks[i].base),
					       banks[i].size),
				 0);
	page_stats(&s);
	assert_int_equal(s.free + s.hyp, FRAME_SIZE + 130 * PAGE_SIZE);
	assert_page(AT(0, 1), PAGE_NONE, 0, true);
	assert_page(AT(0, 2), PAGE_FREE, 0, true);
	assert_page(AT(1, 9), PAGE_FREE, 0, true);
	assert_page(AT(1, 10), PAGE_NONE, 0, true);
	assert_page(AT(1, 19), PAGE_NONE, 0, true);
	assert_page(AT(1, 20), PAGE_FREE, 0, true);
	assert_page(AT(1, 30), PAGE_NONE, 0, true);
	assert_page(AT(1, 500), PAGE_FREE, 0, true);
	assert_page(AT(2, 100), PAGE_NONE, 0, true);
	/* A range of two banks is one range. */
	assert_int_equal(page_claim(AT(1, 505), 12 * PAGE_SIZE, PAGE_OWNED, 9),
			 0);
	assert_true(page_is(AT(1, 505), 12 * PAGE_SIZE, PAGE_OWNED, 9));
	assert_int_equal(page_claim(AT(0, 2), FRAME_SIZE + 8 * PAGE_SIZE,
				    PAGE_OWNED, 9),
			 0);
	assert_refused(page_claim(AT(0, 1), PAGE_SIZE, PAGE_OWNED, 9), -EBUSY);
	assert_refused(page_claim(AT(1, 15), PAGE_SIZE, PAGE_OWNED, 9), -EBUSY);
}

static void test_alloc(void **state)
{
	u64 at;

	(void)state;
	start_frames(8);
	/* From the top, a split frame first. */
	assert_int_equal(alloc(FRAME_SIZE, FRAME_SIZE, ~0UL, &at), 0);
	assert_int_equal(at, AT(7, 0).v);
	assert_int_equal(alloc(PAGE_SIZE, PAGE_SIZE, ~0UL, &at), 0);
	assert_int_equal(at, AT(6, 511).v);
	assert_int_equal(alloc(PAGE_SIZE, PAGE_SIZE, ~0UL, &at), 0);
	assert_int_equal(at, AT(6, 510).v);
	assert_int_equal(alloc(2 * PAGE_SIZE, 16 * PAGE_SIZE, ~0UL, &at), 0);
	assert_int_equal(at, AT(6, 496).v);
	/* The gaps that alignment leaves are used again. */
	assert_int_equal(alloc(12 * PAGE_SIZE, PAGE_SIZE, ~0UL, &at), 0);
	assert_int_equal(at, AT(6, 498).v);
	/* Aligned to a frame, it does not look into the split one only. */
	assert_int_equal(alloc(PAGE_SIZE, FRAME_SIZE, ~0UL, &at), 0);
	assert_int_equal(at, AT(6, 0).v);
	assert_int_equal(alloc(FRAME_SIZE + PAGE_SIZE, PAGE_SIZE, ~0UL, &at), 0);
	assert_int_equal(at, AT(4, 511).v);
	/* Below a limit, which need not be aligned. */
	assert_int_equal(alloc(PAGE_SIZE, PAGE_SIZE, AT(3, 5).v + 1, &at), 0);
	assert_int_equal(at, AT(3, 4).v);
	assert_int_equal(alloc(PAGE_SIZE, PAGE_SIZE, AT(3, 4).v, &at), 0);
	assert_int_equal(at, AT(3, 3).v);
	assert_int_equal(alloc(FRAME_SIZE, FRAME_SIZE, AT(2, 511).v, &at), 0);
	assert_int_equal(at, AT(1, 0).v);
	assert_refused(alloc(PAGE_SIZE, PAGE_SIZE, BASE, &at), -ENOMEM);
	assert_refused(alloc(PAGE_SIZE, PAGE_SIZE, 0, &at), -ENOMEM);
	assert_refused(alloc(8 * FRAME_SIZE, PAGE_SIZE, ~0UL, &at), -ENOMEM);
	assert_refused(alloc(9 * FRAME_SIZE, PAGE_SIZE, ~0UL, &at), -ENOMEM);
	assert_refused(alloc(2 * FRAME_SIZE, 4 * FRAME_SIZE, ~0UL, &at),
		       -ENOMEM);
	assert_int_equal(alloc(PAGE_SIZE, PAGE_SIZE, AT(0, 1).v, &at), 0);
	assert_int_equal(at, BASE);
	assert_page(AT(0, 0), PAGE_OWNED, 1, true);
}

static void test_stats(void **state)
{
	struct page_stats s;

	(void)state;
	start_frames(4);
	assert_int_equal(page_claim(AT(0, 5), FRAME_SIZE, PAGE_OWNED, 1), 0);
	assert_int_equal(page_claim(AT(1, 5), FRAME_SIZE, PAGE_OWNED, 2), 0);
	assert_int_equal(page_claim(AT(3, 0), 3 * PAGE_SIZE, PAGE_HYP, 0), 0);
	page_stats(&s);
	assert_int_equal(s.owned, 2 * FRAME_SIZE);
	assert_int_equal(s.hyp, 3 * PAGE_SIZE);
	assert_int_equal(s.free, 2 * FRAME_SIZE - 3 * PAGE_SIZE);
}

static void test_no_leaf(void **state)
{
	u64 at;

	(void)state;
	start_frames(9);
	for (unsigned int f = 4; f < 8; f++)
		assert_int_equal(page_claim(AT(f, 1), PAGE_SIZE, PAGE_HYP, 0),
				 0);
	assert_refused(page_claim(AT(2, 1), PAGE_SIZE, PAGE_HYP, 0), -ENOMEM);
	assert_refused(page_claim(AT(2, 0), FRAME_SIZE + PAGE_SIZE, PAGE_HYP, 0),
		       -ENOMEM);
	assert_refused(alloc(PAGE_SIZE, PAGE_SIZE, AT(3, 0).v, &at), -ENOMEM);
	/* Whole frames and split ones need no leaf. */
	assert_int_equal(alloc(FRAME_SIZE, FRAME_SIZE, ~0UL, &at), 0);
	assert_int_equal(at, AT(8, 0).v);
	assert_int_equal(alloc(PAGE_SIZE, PAGE_SIZE, ~0UL, &at), 0);
	assert_int_equal(at, AT(7, 511).v);
	/* What goes back has its own two. */
	assert_int_equal(page_release(AT(8, 3), PAGE_SIZE, PAGE_OWNED, 1), 0);
	assert_int_equal(page_claim(AT(8, 3), PAGE_SIZE, PAGE_OWNED, 1), 0);
	/* One leaf of the two that are needed: it is not lost. */
	assert_int_equal(page_release(AT(4, 1), PAGE_SIZE, PAGE_HYP, 0), 0);
	for (unsigned int i = 0; i < 3; i++)
		assert_refused(page_claim(AT(1, 5), 2 * FRAME_SIZE, PAGE_HYP, 0),
			       -ENOMEM);
	assert_int_equal(page_claim(AT(1, 5), PAGE_SIZE, PAGE_HYP, 0), 0);
}

static void test_refill(void **state)
{
	struct page_stats s;

	(void)state;
	start_frames(12);
	map_fails = false;
	/* Two frames are split each time; the reserve keeps up. */
	for (unsigned int f = 0; f < 10; f += 2)
		assert_int_equal(page_claim(AT(f, 500), FRAME_SIZE, PAGE_OWNED,
					    7),
				 0);
	assert_true(nr_taken >= 8);
	for (unsigned int i = 0; i < nr_taken; i++) {
		assert_int_equal(taken[i].size, PAGE_SIZE);
		assert_true(
			page_is(PADDR(taken[i].base), PAGE_SIZE, PAGE_HYP, 0));
	}
	page_stats(&s);
	assert_int_equal(s.hyp, nr_taken * PAGE_SIZE);
	assert_int_equal(s.owned, 5 * FRAME_SIZE);
	assert_int_equal(s.free + s.hyp + s.owned, 12 * FRAME_SIZE);
	/* What could not be mapped is asked for again. */
	map_fails = true;
	assert_int_equal(page_claim(AT(11, 0), PAGE_SIZE, PAGE_OWNED, 7), 0);
	map_fails = false;
	nr_taken = 0;
	assert_int_equal(page_release(AT(11, 0), PAGE_SIZE, PAGE_OWNED, 7), 0);
	for (unsigned int f = 0; f < 10; f += 2)
		assert_int_equal(page_release(AT(f, 500), FRAME_SIZE,
					      PAGE_OWNED, 7),
				 0);
	assert_int_equal(nr_taken, 0);
}

static void test_hyp(void **state)
{
	struct page_stats s;
	u8 *p, *q;

	(void)state;
	start_frames(4);
	map_fails = false;
	p = page_alloc_hyp(3 * PAGE_SIZE);
	assert_ptr_equal(p, direct_ptr(AT(3, 509)));
	assert_true(page_is(AT(3, 509), 3 * PAGE_SIZE, PAGE_HYP, 0));
	assert_true(mapped[3 * FRAME_PAGES + 509]);
	for (unsigned int i = 0; i < 3 * PAGE_SIZE; i++)
		assert_int_equal(p[i], 0);
	q = page_alloc_hyp(FRAME_SIZE);
	assert_ptr_equal(q, direct_ptr(AT(2, 509)));
	page_free_hyp(p, 3 * PAGE_SIZE);
	assert_false(mapped[3 * FRAME_PAGES + 509]);
	page_free_hyp(q, FRAME_SIZE);
	assert_null(page_alloc_hyp(5 * FRAME_SIZE));
	assert_null(page_alloc_hyp(0));
	page_stats(&s);
	assert_int_equal(s.hyp, (nr_taken - 2) * PAGE_SIZE); /* leaves */
	/* Not mapped: given back, nothing left behind. */
	start_frames(4);
	assert_null(page_alloc_hyp(PAGE_SIZE));
	assert_null(page_alloc_hyp(2 * FRAME_SIZE));
	for (unsigned int f = 0; f < 4; f++)
		assert_page(AT(f, 0), PAGE_FREE, 0, false);
	/* What is not the hypervisor's is never freed. */
	map_fails = false;
	p = page_alloc_hyp(PAGE_SIZE);
	assert_int_equal(page_release(direct_pa(p), PAGE_SIZE, PAGE_HYP, 0), 0);
	expect_assert_failure(page_free_hyp(p, PAGE_SIZE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claim),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_outside),
		cmocka_unit_test(test_split_merge),
		cmocka_unit_test(test_shared_frame),
		cmocka_unit_test(test_alloc),
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_no_leaf),
		cmocka_unit_test(test_refill),
		cmocka_unit_test(test_hyp),
	};

	return cmocka_run_group_tests(tests, reserve_direct, NULL);
}
