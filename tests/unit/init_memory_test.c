/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns which page after the boot, by a naive second reckoning, of boards as
 * they come: banks, reserved ranges, the image, modules, the device tree, and
 * the tables in the first room; and what cannot be had, with its line.
 */
#define _GNU_SOURCE
#include "inithost.h"

static bool meets(const struct page_bank *b, u64 base, u64 size)
{
	return base < b->base + b->size && b->base < base + size;
}

static bool meets_any(const struct page_bank *b, unsigned int nr, u64 base,
		      u64 size)
{
	for (; nr; b++, nr--)
		if (meets(b, base, size))
			return true;
	return false;
}

static bool is_image(u64 base, u64 size)
{
	const struct page_bank b = {IMAGE, IMAGE_SIZE};

	return meets(&b, base, size);
}

static bool is_tree(u64 base, u64 size, u64 dtb)
{
	const struct page_bank b = {dtb, board.fdt_size};

	return meets(&b, base, size);
}

/* Whole pages of RAM that nothing reserves even in part. */
static bool is_ram(u64 page)
{
	bool in = false;

	for (unsigned int i = 0; i < board.nr_banks; i++)
		in |= page >= board.banks[i].base &&
		      page + PAGE_SIZE <=
			      board.banks[i].base + board.banks[i].size;
	return in &&
	       !meets_any(board.reserved, board.nr_reserved, page, PAGE_SIZE);
}

/* Free for the tables: where they lie is the first such place. */
static bool is_room(u64 at, u64 size, u64 dtb)
{
	bool in = false;

	for (unsigned int i = 0; i < board.nr_banks; i++)
		in |= at >= board.banks[i].base &&
		      at + size <= board.banks[i].base + board.banks[i].size;
	return in && !is_tree(at, size, dtb) &&
	       !meets_any(board.reserved, board.nr_reserved, at, size) &&
	       !meets_any(plan.modules, plan.nr_modules, at, size);
}

static u64 first_room(u64 size, u64 dtb)
{
	u64 at = align_up(IMAGE + IMAGE_SIZE, PAGE_SIZE);

	for (; at < BASE + SIZE; at += PAGE_SIZE)
		if (is_room(at, size, dtb))
			return at;
	return 0;
}

static enum page_state state_of(u64 page, u64 dtb)
{
	if (is_image(page, PAGE_SIZE) || is_tree(page, PAGE_SIZE, dtb) ||
	    meets(&room, page, PAGE_SIZE) ||
	    meets_any(plan.modules, plan.nr_modules, page, PAGE_SIZE))
		return PAGE_HYP;
	if (!is_ram(page))
		return PAGE_NONE;
	/* Stacks, and memory that EL2 took for leaves. */
	if (stack_page[(page - BASE) / PAGE_SIZE] ||
	    mapped[(page - BASE) / PAGE_SIZE])
		return PAGE_HYP;
	return PAGE_FREE;
}

/* Every page is whose it should be, and nothing was written elsewhere. */
static void check_pages(u64 dtb)
{
	static const u64 mark = DEAD * 0x0101010101010101UL;

	for (u64 p = BASE; p < BASE + SIZE; p += PAGE_SIZE) {
		struct page_info info = page_lookup(PADDR(p));
		bool is_mapped = mapped[(p - BASE) / PAGE_SIZE];

		if (info.state != state_of(p, dtb))
			fail_msg("%#lx: state %u", p, info.state);
		assert_int_equal(info.owner, PAGE_OWNER_NONE);
		/* The direct map has what is EL2's own, and nothing else. */
		if (meets(&room, p, PAGE_SIZE) || is_tree(p, PAGE_SIZE, dtb))
			assert_true(is_mapped);
		else if (is_image(p, PAGE_SIZE) ||
			 meets_any(plan.modules, plan.nr_modules, p, PAGE_SIZE) ||
			 !is_ram(p))
			assert_false(is_mapped);
		if (!is_mapped || is_tree(p, PAGE_SIZE, dtb))
			assert_memory_equal(mem + (p - BASE) + MARK, &mark, 8);
	}
}

static void add_module(u64 base, u64 size)
{
	plan.modules[plan.nr_modules++] = (struct page_bank){base, size};
}

static void reserve(u64 base, u64 size)
{
	board.reserved[board.nr_reserved++] = (struct page_bank){base, size};
}

/* Edges within pages: what is RAM or reserved in part is nobody's. */
static void test_pages(void **state)
{
	(void)state;
	assert_true(boots());
	check_pages(DTB);
	assert_int_equal(room.base, IMAGE + 0x181000);
	setup(NULL);
	board.nr_banks = 2;
	board.banks[0] = (struct page_bank){BASE + 0x801, 12 * MIB};
	board.banks[1] = (struct page_bank){BASE + 20 * MIB + 0x7ff, 9 * MIB};
	reserve(BASE + 0x3800, 0x1000);
	reserve(BASE + 9 * MIB, 0x1001);
	/* Across the hole; one within another; behind all. */
	reserve(BASE + 11 * MIB, 10 * MIB);
	reserve(BASE + 13 * MIB, 1);
	reserve(BASE + 11 * MIB + 0x10, 0x20);
	reserve(BASE + 31 * MIB, 16 * MIB);
	add_module(BASE + 10 * MIB, 0x12345);
	add_module(BASE + 25 * MIB + 0x800, 0x800);
	assert_true(boots());
	check_pages(DTB);
}

/* The tables lie behind the image and whatever is there already. */
static void test_room(void **state)
{
	u64 at = IMAGE + 0x181000, size;

	(void)state;
	put_tree(at, 0x5000);
	board.fdt_size = 0x1234;
	add_module(at + 0x2000, 0x1001);
	/* Not in the order of addresses. */
	reserve(at + 0x5000, 0x800);
	reserve(at + 0x4000, 0x1000);
	assert_true(boots_from(at));
	assert_int_equal(room.base, at + 0x6000);
	check_pages(at);
	/* A gap as large as the tables is used, a smaller one is not. */
	size = room.size;
	for (unsigned int i = 0; i < 2; i++) {
		setup(NULL);
		reserve(at, 0x1000);
		reserve(at + 0x1000 + size - i, 0x1000 + i);
		reserve(BASE + 31 * MIB, 1);
		assert_true(boots());
		assert_int_equal(room.size, size);
		assert_int_equal(room.base,
				 at + 0x1000 + (i ? size + 0x1000 : 0));
		check_pages(DTB);
	}
}

/* Page ownership needs memory of its own before all that is used is claimed. */
static void test_in_use(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		setup(NULL);
		/* Frames that are split, the highest pages in use. */
		for (unsigned int n = 12; n < 30; n += 2)
			reserve(BASE + n * MIB + 0x5000, 0x1000);
		add_module(BASE + SIZE - 0x3000 - i * 0x1000, 0x3000);
		if (i) /* as a loader may place it */
			add_module(BASE + 28 * MIB + 0x4000, 0x1000);
		if (i > 1)
			reserve(BASE + SIZE - 0x2000, 0x2000);
		assert_true(boots());
		check_pages(DTB);
	}
}

/* No bank has it, or only one that comes after a hole. */
static void test_no_room(void **state)
{
	u64 end = IMAGE + 0x181000;

	(void)state;
	reserve(end, BASE + SIZE - end);
	dies("boot: memory: no room for 4 KiB behind the image");
	assert_null(strstr(events, "stack"));
	/* Below the image there is enough, but nobody looks there. */
	setup(NULL);
	board.banks[0].size = end - BASE;
	dies("boot: memory: no room for 4 KiB behind the image");
	setup(NULL);
	board.nr_banks = 2;
	board.banks[0].size = end - BASE + 0xfff;
	board.banks[1] = (struct page_bank){DTB - 0x800, 16 * MIB};
	assert_true(boots());
	assert_int_equal(room.base, DTB + 0x2000);
	check_pages(DTB);
}

static void test_not_ram(void **state)
{
	static const struct page_bank wrong[] = {
		{BASE + 3 * MIB, 0x1000},	/* the image */
		{BASE + SIZE - 0x1000, 0x1001}, /* the end of RAM */
		{BASE + SIZE, 0x1000},		{BASE - 0x1000, 0x1001},
		{BASE + 9 * MIB - 1, 1}, /* a page reserved in part */
		{DTB + 0x1234, 0x1000},	 /* the tree's last page */
		{BASE + 10 * MIB + 0xfff, 1},
	};
	char want[128];

	(void)state;
	reserve(IMAGE + 0x180000, 1);
	dies("boot: memory: the image at 0x40200000+0x180800 is not free RAM");
	setup(NULL);
	reserve(DTB + 0x1fff, 1);
	dies("boot: memory: the device tree at 0x40800000+0x1234 is not free RAM");
	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		setup(NULL);
		reserve(BASE + 9 * MIB - 0x800, 0x10);
		add_module(BASE + 10 * MIB, 0x800);
		add_module(wrong[i].base, wrong[i].size);
		snprintf(want, sizeof(want),
			 "boot: memory: a guest's module at %#lx+%#lx is not free RAM",
			 wrong[i].base, wrong[i].size);
		dies(want);
		assert_null(strstr(events, "stack"));
	}
	setup(NULL);
	board.nr_banks = 2;
	board.banks[0].size = 16 * MIB;
	board.banks[1] = (struct page_bank){BASE + 14 * MIB, 4 * MIB};
	dies("boot: memory: banks overlap at 0x40e00000");
}

static void test_ghost(void **state)
{
	(void)state;
	ghost_bytes = 3 * PAGE_SIZE + 8;
	assert_true(boots());
	assert_null(strstr(events, "ghost"));
	setup(NULL);
	debug = true;
	ghost_bytes = 3 * PAGE_SIZE + 8;
	assert_true(boots());
	assert_non_null(strstr(events, "read ghost probe keep sched0"));
	check_pages(DTB);
}

/* Some bytes in so many pages: all of the first and last, or a part. */
static struct page_bank part_of(u64 at, u64 size, u64 align)
{
	u64 skip = rand() % 2 ? align_down((u64)rand() % PAGE_SIZE, align) : 0;
	u64 less = rand() % 2 ? (u64)rand() % (PAGE_SIZE - skip) : 0;

	return (struct page_bank){at + skip, size - skip - less};
}

/* Up from BASE, often without a gap. The address of the tree. */
static u64 random_board(void)
{
	u64 at = BASE, dtb = 0, size;
	struct page_bank b;

	board.banks[0].base = BASE;
	for (;; at += size) {
		at += rand() % 3 ? 0 : (u64)(rand() % 1000) * PAGE_SIZE;
		size = (u64)(1 + rand() % (rand() % 3 ? 8 : 600)) * PAGE_SIZE;
		if (at < IMAGE + IMAGE_SIZE && at + size > IMAGE) {
			at = align_up(IMAGE + IMAGE_SIZE, PAGE_SIZE);
			size = 0;
			continue;
		}
		if (at + size > BASE + SIZE)
			break;
		b = part_of(at, size, 1);
		if (!dtb && (rand() % 4 == 0 || at > BASE + 24 * MIB)) {
			b = part_of(at, size, 32); /* not on a mark */
			dtb = b.base;
			board.fdt_size = max(b.size, 40UL);
		} else if (rand() % 8 == 0 && board.nr_banks < 4) {
			struct page_bank *bank = &board.banks[board.nr_banks - 1];

			bank->size = b.base - bank->base;
			bank[1].base = b.base + b.size;
			board.nr_banks++;
		} else if (rand() % 2 && plan.nr_modules < 8) {
			add_module(b.base, b.size);
		} else if (board.nr_reserved < 12) {
			reserve(b.base, b.size);
		}
	}
	b = board.banks[board.nr_banks - 1];
	board.banks[board.nr_banks - 1].size =
		BASE + SIZE - (rand() % 2 ? (u64)rand() % 5000 : 0) - b.base;
	return dtb;
}

/* Boards as they come: either all is right or there is no room. */
static void test_random(void **state)
{
	unsigned int booted = 0, runs = 0;

	(void)state;
	for (unsigned int seed = 1; seed <= 400; seed++) {
		u64 dtb, used, size;
		bool ok;

		setup(NULL);
		srand(seed);
		dtb = random_board();
		used = board.fdt_size;
		if (!dtb || used > 2 * MIB)
			continue;
		put_tree(dtb, used);
		/* A bank's end in a page of something that is used. */
		for (u64 p = BASE + SIZE - 2 * PAGE_SIZE; p < BASE + SIZE;
		     p += PAGE_SIZE)
			if (!is_ram(p) &&
			    (is_tree(p, PAGE_SIZE, dtb) ||
			     meets_any(plan.modules, plan.nr_modules, p,
				       PAGE_SIZE)))
				goto next;
		runs++;
		ok = boots_from(dtb);
		if (!ok) {
			if (sscanf(fatal,
				   "boot: memory: no room for %lu KiB "
				   "behind the image",
				   &size) != 1)
				fail_msg("seed %u: %s", seed, fatal);
			assert_int_equal(first_room(size * KIB, dtb), 0);
		}
		if (ok) {
			booted++;
			assert_int_equal(room.base, first_room(room.size, dtb));
			check_pages(dtb);
		}
	next:;
	}
	assert_in_range(booted, 200, runs);
}

/* What a reset leaves is for nobody else, however little memory is left. */
static void test_kept(void **state)
{
	u64 at = BASE + 12 * MIB, nr = 0;
	paddr_t pa;

	board.reserved[board.nr_reserved++] = (struct page_bank){at, 64 * KIB};
	assert_true(boots());
	while (!page_alloc(PAGE_SIZE, PAGE_SIZE, ~0UL, PAGE_HYP,
			   PAGE_OWNER_NONE, &pa)) {
		assert_false(pa.v >= at && pa.v < at + 64 * KIB);
		nr++;
	}
	assert_in_range(nr, (SIZE - 4 * MIB) / PAGE_SIZE, NR_PAGES - 16);
	for (u64 p = at; p < at + 64 * KIB; p += PAGE_SIZE)
		assert_int_equal(page_lookup(PADDR(p)).state, PAGE_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_pages, setup),
		cmocka_unit_test_setup(test_room, setup),
		cmocka_unit_test_setup(test_in_use, setup),
		cmocka_unit_test_setup(test_no_room, setup),
		cmocka_unit_test_setup(test_not_ram, setup),
		cmocka_unit_test_setup(test_ghost, setup),
		cmocka_unit_test_setup(test_random, setup),
		cmocka_unit_test_setup(test_kept, setup),
	};

	return cmocka_run_group_tests(tests, map_memory, NULL);
}
