/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kernel/page.c needs on the host: the direct map is real memory at its
 * real address, accessible where mapped and full of rubbish when mapped anew.
 * Included by one source of each test, after <cmocka.h>.
 */
#pragma once

#include <stdio.h>
#include <sys/mman.h>

#include <skerry/arch/mmu.h>
#include <skerry/error.h>
#include <skerry/page.h>
#include <skerry/panic.h>
#include <skerry/spinlock.h>

#define BASE	    (1 * GIB)
#define NR_FRAMES   12
#define FRAME_PAGES (FRAME_SIZE / PAGE_SIZE)
#define NR_PAGES    (NR_FRAMES * FRAME_PAGES)
#define AT(frame, page)                                                        \
	PADDR(BASE + (u64)(frame)*FRAME_SIZE + (u64)(page)*PAGE_SIZE)

static u64 words[NR_FRAMES + 4];
static bool mapped[NR_PAGES], map_fails;
static struct page_bank taken[16]; /* mapped during one call */
static unsigned int nr_taken;

void panic(const char *fmt, ...)
{
	mock_assert(0, fmt, __FILE__, __LINE__);
	abort();
}

void lock_rank_take(struct spinlock *l)
{
	(void)l;
}
void lock_rank_drop(struct spinlock *l)
{
	(void)l;
}
void ghost_set(paddr_t pa, u64 size, enum page_state state, u8 owner)
{
	(void)pa, (void)size, (void)state, (void)owner;
}
void ghost_check_page(paddr_t pa, const struct page_info *info)
{
	(void)pa, (void)info;
}

static void set_mapped(paddr_t pa, u64 size, bool on)
{
	assert_true(size && is_aligned(pa.v | size, PAGE_SIZE));
	assert_true(pa.v >= BASE && pa.v + size <= AT(NR_FRAMES, 0).v);
	for (u64 p = 0; p < size; p += PAGE_SIZE) {
		assert_int_equal(mapped[(pa.v - BASE + p) / PAGE_SIZE], !on);
		mapped[(pa.v - BASE + p) / PAGE_SIZE] = on;
	}
	assert_int_equal(mprotect(direct_ptr(pa), size,
				  on ? PROT_READ | PROT_WRITE : PROT_NONE),
			 0);
}

int mmu_map_direct(paddr_t pa, u64 size)
{
	if (map_fails)
		return -ENOMEM;
	set_mapped(pa, size, true);
	memset(direct_ptr(pa), 0xa5, size);
	assert_true(nr_taken < ARRAY_SIZE(taken));
	taken[nr_taken++] = (struct page_bank){pa.v, size};
	return 0;
}

void mmu_unmap_direct(paddr_t pa, u64 size)
{
	set_mapped(pa, size, false);
}

static void start(const struct page_bank *banks, unsigned int nr)
{
	assert_true(page_table_size(banks, nr) <= sizeof(words));
	memset(words, 0, sizeof(words));
	memset(mapped, 0, sizeof(mapped));
	map_fails = false;
	nr_taken = 0;
	assert_int_equal(mprotect(direct_ptr(PADDR(BASE)),
				  NR_FRAMES * FRAME_SIZE, PROT_NONE),
			 0);
	page_init(banks, nr, words);
}

/* Whole range in (state, owner)? */
static bool page_is(paddr_t pa, u64 size, enum page_state state, u8 owner)
{
	for (; size; pa.v += PAGE_SIZE, size -= PAGE_SIZE) {
		struct page_info info = page_lookup(pa);

		if (info.state != state || info.owner != owner)
			return false;
	}
	return true;
}

/* The direct map's addresses; the group's setup function. */
static int reserve_direct(void **state)
{
	(void)state;
	if (mmap(direct_ptr(PADDR(BASE)), NR_FRAMES * FRAME_SIZE, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		 0) != MAP_FAILED)
		return 0;
	perror("the direct map's address");
	return 1;
}
