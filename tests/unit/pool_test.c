/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A domain's pool: what is carved, aligned and zeroed, exhaustion to the byte,
 * pages that come back and those skipped for alignment, and random runs in
 * which no two owners ever share a byte and no page is lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <skerry/pool.h>

#define MAX_PAGES 64
#define NR_PAGES  8

static u8 *arena; /* aligned to its size */
static struct pool pool;

/* Pages in a row, aligned to their size rounded up to a power of two. */
static void *pool_alloc_pages(struct pool *p, unsigned int nr)
{
	u64 align = PAGE_SIZE;

	while (align < nr * PAGE_SIZE)
		align *= 2;
	return pool_alloc(p, nr * PAGE_SIZE, align);
}

static int group_setup(void **state)
{
	(void)state;
	arena = aligned_alloc(MAX_PAGES * PAGE_SIZE,
			      3UL * MAX_PAGES * PAGE_SIZE);
	return arena ? 0 : -1;
}

static int group_teardown(void **state)
{
	(void)state;
	free(arena);
	return 0;
}

/* Zeroed memory that begins `first` pages behind an aligned address. */
static u8 *start(unsigned int first, u64 size)
{
	u8 *base = arena + MAX_PAGES * PAGE_SIZE + first * PAGE_SIZE;

	memset(arena, 0xee, 3UL * MAX_PAGES * PAGE_SIZE);
	memset(base, 0, size);
	memset(&pool, 0xee, sizeof(pool));
	pool_init(&pool, base, size);
	return base;
}

static int setup(void **state)
{
	(void)state;
	start(0, NR_PAGES * PAGE_SIZE);
	return 0;
}

/* Zero all over; it is not afterwards. */
static void use(void *mem, u64 size)
{
	const u8 *p = mem;

	assert_non_null(mem);
	for (u64 i = 0; i < size; i++)
		if (p[i])
			fail_msg("byte %lu is %#x", i, p[i]);
	memset(mem, 0xd7, size);
}

static void test_init(void **state)
{
	(void)state;
	assert_ptr_equal(pool.base, arena + MAX_PAGES * PAGE_SIZE);
	assert_int_equal(pool.size, NR_PAGES * PAGE_SIZE);
	assert_int_equal(pool.used, 0);
	assert_int_equal(pool.nr_free, 0);
	assert_null(pool.free_page);
	/* Nothing in it. */
	pool_init(&pool, arena, 0);
	assert_null(pool_alloc(&pool, 1, 1));
	assert_null(pool_alloc_page(&pool));
	assert_null(pool_alloc_pages(&pool, 1));
	assert_int_equal(pool.used, 0);
}

static void test_alloc(void **state)
{
	u8 *base = pool.base;

	(void)state;
	assert_ptr_equal(pool_alloc(&pool, 3, 1), base);
	assert_ptr_equal(pool_alloc(&pool, 1, 1), base + 3);
	assert_ptr_equal(pool_alloc(&pool, 1, 64), base + 64);
	assert_ptr_equal(pool_alloc(&pool, 64, 64), base + 128);
	assert_ptr_equal(pool_alloc(&pool, 8, 64), base + 192);
	assert_ptr_equal(pool_alloc(&pool, 5000, 8), base + 200);
	assert_int_equal(pool.used, 5200);
	/* A page begins at a page, and the next object behind it. */
	assert_ptr_equal(pool_alloc_page(&pool), base + 2 * PAGE_SIZE);
	assert_ptr_equal(pool_alloc(&pool, 1, 1), base + 3 * PAGE_SIZE);
	assert_int_equal(pool.nr_free, 0);
}

static void test_exhaustion(void **state)
{
	static const u64 too_big[] = {101,	 128,	    PAGE_SIZE, BIT(63),
				      ~0UL - 99, ~0UL - 63, ~0UL};
	u64 size = NR_PAGES * PAGE_SIZE;

	(void)state;
	use(pool_alloc(&pool, size - 100, 1), size - 100);
	for (unsigned int i = 0; i < ARRAY_SIZE(too_big); i++) {
		assert_null(pool_alloc(&pool, too_big[i], 1));
		assert_null(pool_alloc(&pool, too_big[i], 64));
		assert_int_equal(pool.used, size - 100);
	}
	/* No byte left after alignment, and one too few. */
	assert_null(pool_alloc(&pool, 65, 64));
	assert_null(pool_alloc(&pool, 1, PAGE_SIZE));
	assert_null(pool_alloc_page(&pool));
	assert_null(pool_alloc_pages(&pool, 1));
	/* What fits still does, to the last byte. */
	use(pool_alloc(&pool, 36, 1), 36);
	use(pool_alloc(&pool, 64, 64), 64);
	assert_int_equal(pool.used, size);
	assert_null(pool_alloc(&pool, 1, 1));
	assert_int_equal(pool.nr_free, 0);
}

static void test_pages(void **state)
{
	u8 *page[NR_PAGES];

	(void)state;
	for (unsigned int i = 0; i < NR_PAGES; i++) {
		page[i] = pool_alloc_page(&pool);
		assert_ptr_equal(page[i], pool.base + i * PAGE_SIZE);
		use(page[i], PAGE_SIZE);
	}
	assert_null(pool_alloc_page(&pool));
	/* The last one that came back is the first to go, zeroed. */
	for (unsigned int i = 0; i < NR_PAGES; i++) {
		pool_free_page(&pool, page[i]);
		assert_int_equal(pool.nr_free, i + 1);
		/* Free pages are pages only. */
		assert_null(pool_alloc(&pool, 1, 1));
		assert_null(pool_alloc_pages(&pool, 1));
	}
	for (unsigned int i = NR_PAGES; i--;) {
		assert_ptr_equal(pool_alloc_page(&pool), page[i]);
		assert_int_equal(pool.nr_free, i);
		use(page[i], PAGE_SIZE);
	}
	assert_null(pool_alloc_page(&pool));
	assert_int_equal(pool.used, NR_PAGES * PAGE_SIZE);
}

static void test_part_of_a_page(void **state)
{
	(void)state;
	start(0, 2 * PAGE_SIZE + 100);
	assert_null(pool_alloc_pages(&pool, 3));
	use(pool_alloc_page(&pool), PAGE_SIZE);
	use(pool_alloc_page(&pool), PAGE_SIZE);
	assert_null(pool_alloc_page(&pool));
	assert_null(pool_alloc_pages(&pool, 1));
	use(pool_alloc(&pool, 90, 1), 90);
	/* Aligned, it would begin behind the end. */
	assert_null(pool_alloc(&pool, 1, 128));
	assert_null(pool_alloc_page(&pool));
	assert_null(pool_alloc_pages(&pool, 1));
	use(pool_alloc(&pool, 10, 1), 10);
	assert_null(pool_alloc(&pool, 1, 128));
	assert_null(pool_alloc_page(&pool));
	assert_null(pool_alloc_pages(&pool, 1));
	assert_int_equal(pool.nr_free, 0);
}

static u64 run_of(unsigned int nr)
{
	u64 align = 1;

	while (align < nr)
		align *= 2;
	return align;
}

static void check_contiguous(unsigned int first, unsigned int before,
			     unsigned int nr)
{
	u64 skip = -(u64)(first + before) & (run_of(nr) - 1);
	u8 *base = start(first, 40 * PAGE_SIZE);
	u8 *run = base + (before + skip) * PAGE_SIZE;

	/* A page with one byte in use is not whole. */
	if (before)
		use(pool_alloc(&pool, (before - 1) * PAGE_SIZE + 1, 1), 1);
	assert_ptr_equal(pool_alloc_pages(&pool, nr), run);
	use(run, nr * PAGE_SIZE);
	assert_int_equal(pool.used, (before + skip + nr) * PAGE_SIZE);
	/* What was skipped is not lost. */
	assert_int_equal(pool.nr_free, skip);
	for (u64 i = skip; i--;) {
		u8 *page = pool_alloc_page(&pool);

		assert_ptr_equal(page, base + (before + i) * PAGE_SIZE);
		use(page, PAGE_SIZE);
	}
	assert_ptr_equal(pool_alloc_page(&pool), run + nr * PAGE_SIZE);
}

/* From every place in the aligned memory, after every number of pages. */
static void test_contiguous(void **state)
{
	(void)state;
	for (unsigned int first = 0; first < 16; first++)
		for (unsigned int before = 0; before < 9; before++)
			for (unsigned int nr = 1; nr <= 9; nr++)
				check_contiguous(first, before, nr);
}

static void test_contiguous_refused(void **state)
{
	static const unsigned int nrs[] = {4, 5, 8, 64, 0x100000, 0xffffffff};

	(void)state;
	/* Pages 1 to 7 of eight: four aligned ones are the last, taken. */
	start(1, 7 * PAGE_SIZE);
	use(pool_alloc(&pool, 3 * PAGE_SIZE + 1, 1), 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(nrs); i++) {
		assert_null(pool_alloc_pages(&pool, nrs[i]));
		assert_int_equal(pool.used, 3 * PAGE_SIZE + 1);
		/* Pages skipped in vain are not free twice. */
		assert_int_equal(pool.nr_free, 0);
		assert_null(pool.free_page);
	}
	/* Three would fit, but not where they are aligned. */
	assert_null(pool_alloc_pages(&pool, 3));
	use(pool_alloc_pages(&pool, 2), 2 * PAGE_SIZE);
	assert_int_equal(pool.nr_free, 1);
	use(pool_alloc_page(&pool), PAGE_SIZE);
	assert_null(pool_alloc_page(&pool));
	/* More bytes than 32 bits hold, aligned already; nothing is touched. */
	pool_init(&pool, (void *)BIT(46), NR_PAGES * PAGE_SIZE);
	for (unsigned int i = 3; i < ARRAY_SIZE(nrs); i++)
		assert_null(pool_alloc_pages(&pool, nrs[i]));
}

/* Objects only leave the rest of the page before the next one unused. */
static void test_order(void **state)
{
	(void)state;
	start(1, 7 * PAGE_SIZE);
	use(pool_alloc(&pool, 8, 8), 8);
	/* Page 2 is aligned to two: nothing whole is skipped. */
	assert_ptr_equal(pool_alloc_pages(&pool, 2), pool.base + PAGE_SIZE);
	assert_int_equal(pool.nr_free, 0);
	assert_ptr_equal(pool_alloc(&pool, 8, 8), pool.base + 3 * PAGE_SIZE);
	/* A free page is taken before a new one is carved. */
	pool_free_page(&pool, pool.base + PAGE_SIZE);
	assert_ptr_equal(pool_alloc_page(&pool), pool.base + PAGE_SIZE);
	assert_ptr_equal(pool_alloc_page(&pool), pool.base + 4 * PAGE_SIZE);
}

/* --- random runs --------------------------------------------------------- */

#define RANDOM_PAGES 40

static unsigned int seed = 23;
static u8 owner[RANDOM_PAGES * PAGE_SIZE]; /* of each byte of the pool */
static u8 *pages[RANDOM_PAGES];
static unsigned int nr_pages;

static unsigned int below(unsigned int n)
{
	return (unsigned int)rand_r(&seed) % n;
}

static void take(u8 *mem, u64 size, u64 align)
{
	u64 at = (u64)(mem - pool.base);

	assert_true(is_aligned((u64)mem, align));
	assert_true(mem >= pool.base && at + size <= pool.size);
	assert_true(at + size <= pool.used);
	for (u64 i = 0; i < size; i++)
		if (owner[at + i]++)
			fail_msg("byte %lu given twice", at + i);
	use(mem, size);
}

static void give_back(u64 pos)
{
	u64 at = (u64)(pages[pos] - pool.base);

	memset(owner + at, 0, PAGE_SIZE);
	pool_free_page(&pool, pages[pos]);
	pages[pos] = pages[--nr_pages];
}

static bool random_step(void)
{
	u64 nr_free = pool.nr_free, used = pool.used;
	u64 size = 1 + below(600), align = 1UL << below(13);
	unsigned int nr = 1 + below(5);
	u8 *mem;

	switch (below(8)) {
	case 0:
		mem = pool_alloc(&pool, size, align);
		if (!mem) {
			assert_true(align_up(used, align) + size > pool.size);
			return false;
		}
		take(mem, size, align);
		assert_int_equal(pool.nr_free, nr_free);
		return true;
	case 1:
		mem = pool_alloc_pages(&pool, nr);
		if (!mem)
			return false;
		take(mem, nr * PAGE_SIZE, run_of(nr) * PAGE_SIZE);
		for (unsigned int i = 0; i < nr; i++)
			pages[nr_pages++] = mem + i * PAGE_SIZE;
		return true;
	case 2:
	case 3:
	case 4:
		if (nr_pages)
			give_back(below(nr_pages));
		return true;
	default:
		mem = pool_alloc_page(&pool);
		if (!mem) {
			assert_int_equal(nr_free, 0);
			return false;
		}
		take(mem, PAGE_SIZE, PAGE_SIZE);
		pages[nr_pages++] = mem;
		assert_int_equal(pool.nr_free, nr_free - (nr_free > 0));
		return true;
	}
}

static void test_random(void **state)
{
	(void)state;
	for (unsigned int round = 0; round < 200; round++) {
		unsigned int refused = 0;
		u64 whole = 0;

		start(below(8), RANDOM_PAGES * PAGE_SIZE);
		memset(owner, 0, sizeof(owner));
		nr_pages = 0;
		while (refused < 10) {
			u64 nr_free = pool.nr_free, used = pool.used;

			if (random_step())
				continue;
			refused++;
			assert_int_equal(pool.nr_free, nr_free);
			assert_int_equal(pool.used, used);
		}
		/* Pages that are all free are what is left, no more no less. */
		while (nr_pages)
			give_back(0);
		whole = pool.nr_free + (pool.size - pool.used) / PAGE_SIZE;
		for (u64 i = 0; i < whole; i++)
			take(pool_alloc_page(&pool), PAGE_SIZE, PAGE_SIZE);
		assert_null(pool_alloc_page(&pool));
		assert_int_equal(pool.nr_free, 0);
		/* No byte of a whole page is without an owner. */
		for (u64 p = 0; p < RANDOM_PAGES; p++) {
			u64 taken = 0;

			for (u64 i = 0; i < PAGE_SIZE; i++)
				taken += owner[p * PAGE_SIZE + i];
			assert_int_not_equal(taken, 0);
		}
	}
	/* Nothing around the pool. */
	for (u64 i = 0; i < 3UL * MAX_PAGES * PAGE_SIZE; i++)
		if (arena + i < pool.base || arena + i >= pool.base + pool.size)
			assert_int_equal(arena[i], 0xee);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_init, setup),
		cmocka_unit_test_setup(test_alloc, setup),
		cmocka_unit_test_setup(test_exhaustion, setup),
		cmocka_unit_test_setup(test_pages, setup),
		cmocka_unit_test_setup(test_part_of_a_page, setup),
		cmocka_unit_test_setup(test_contiguous, setup),
		cmocka_unit_test_setup(test_contiguous_refused, setup),
		cmocka_unit_test_setup(test_order, setup),
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
