/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ownership of RAM. Every 2 MiB frame of the board's RAM has one 8-byte word;
 * a frame whose 4 KiB pages differ is split: its word points to a leaf of 512
 * words. A page is free, the hypervisor's, or owned by one domain; every change
 * names the state that it expects and fails when it finds another one.
 * All functions take RANK_PAGE inside. Sizes in bytes, multiples of PAGE_SIZE.
 */
#pragma once

#include <skerry/util.h>

enum page_state {
	PAGE_NONE, /* not RAM, or reserved by firmware */
	PAGE_FREE,
	PAGE_HYP,   /* image, tables, pools, retained modules */
	PAGE_OWNED, /* by domain slot 1 to 255 */
};

#define PAGE_OWNER_NONE 0

/* Boot: memory for the tables of [base, base+size) banks. */
struct page_bank {
	u64 base, size;
};

/*
 * Boot CPU, once. `mem` is zeroed memory of page_table_size() bytes for the
 * words of the banks (sorted, 2 MiB granular outwards); everything starts
 * PAGE_NONE.
 */
void page_init(const struct page_bank *banks, unsigned int nr, void *mem);
u64 page_table_size(const struct page_bank *banks, unsigned int nr);
/* Boot: NONE to FREE for what the DTB says is RAM, partial frames included. */
int page_add_free(paddr_t pa, u64 size) __must_check;
/* Boot: NONE to HYP for RAM in use: never free, so never anyone else's. */
int page_add_hyp(paddr_t pa, u64 size) __must_check;

/*
 * Free to (state, owner). -EBUSY when any page is not free; then nothing
 * changed. -ENOMEM when a frame has to be split and the leaf cannot be had.
 */
int page_claim(paddr_t pa, u64 size, enum page_state state, u8 owner)
	__must_check;
/* (state, owner) back to free. -EPERM when a page differs; nothing changed. */
int page_release(paddr_t pa, u64 size, enum page_state state, u8 owner)
	__must_check;
/*
 * Find, claim and return free memory, top-down, aligned to `align` (power of
 * two, >= PAGE_SIZE), below `limit`. -ENOMEM.
 */
int page_alloc(u64 size, u64 align, u64 limit, enum page_state state, u8 owner,
	       paddr_t *pa) __must_check;

struct page_info {
	enum page_state state;
	u8 owner;
	bool split; /* the state is of the 4 KiB page, not of the frame */
};
struct page_info page_lookup(paddr_t pa);

/* Bytes in each state, for `memory` and the boot log. */
struct page_stats {
	u64 free, hyp, owned;
};
void page_stats(struct page_stats *out);

/*
 * Zeroed hypervisor pages, mapped in EL2 (arch/mmu.h direct map).
 * NULL when there are none.
 */
void *page_alloc_hyp(u64 size);
void page_free_hyp(void *p, u64 size);

/* Debug builds: the naive second map (kernel/ghost.c). */
void ghost_set(paddr_t pa, u64 size, enum page_state state, u8 owner);
/* Panics where the ghost map and the ownership words differ. */
void ghost_check_page(paddr_t pa, const struct page_info *info);
u64 ghost_size(const struct page_bank *banks, unsigned int nr);
void ghost_init(const struct page_bank *banks, unsigned int nr, void *mem);
struct domain;
/* Panics when d's stage 2 maps RAM that is not d's. */
void ghost_check_domain(struct domain *d);
