/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ownership of RAM: a word per 2 MiB frame, a leaf of 512 words where the
 * pages of a frame differ. Leaves come from a small reserve, which is filled
 * before it is needed, since filling it may split a frame itself.
 */
#include <skerry/page.h>

#include <skerry/arch/mmu.h>
#include <skerry/fault.h>
#include <skerry/panic.h>
#include <skerry/spinlock.h>
#include <skerry/string.h>

#define WORD_STATE  BITS(1, 0)
#define WORD_OWNER  BITS(15, 8)
#define WORD_SPLIT  BIT(2) /* the rest is the address of the leaf */
#define LEAF_WORDS  (FRAME_SIZE / PAGE_SIZE)
#define MAX_BANKS   16
#define BOOT_LEAVES 6
#define MIN_LEAVES  4
#define KEPT_LEAVES 2 /* for what goes back: that never fails */
#define NO_BLOCK    (~0UL)

struct bank {
	u64 base, end; /* whole frames */
	u64 *words;
};

static u64 boot_leaves[BOOT_LEAVES][LEAF_WORDS]
	__attribute__((section(".bss.page_aligned"), aligned(PAGE_SIZE)));

static struct {
	struct spinlock lock; /* RANK_PAGE: all of this */
	struct bank banks[MAX_BANKS];
	unsigned int nr_banks;
	u64 bytes[PAGE_OWNED + 1]; /* in each state */
	u64 *leaves;		   /* free ones, linked by their first word */
	unsigned int nr_leaves;
	bool refilling;
} pages = {.lock = SPINLOCK_INIT(RANK_PAGE)};

static u64 make_word(enum page_state state, u8 owner)
{
	return state | field_prep(WORD_OWNER, owner);
}

static u64 *leaf_of(u64 word)
{
	return (u64 *)(word & ~WORD_SPLIT);
}

u64 page_table_size(const struct page_bank *banks, unsigned int nr)
{
	u64 frames = 0;

	for (unsigned int i = 0; i < nr; i++)
		frames += (align_up(banks[i].base + banks[i].size, FRAME_SIZE) -
			   align_down(banks[i].base, FRAME_SIZE)) /
			  FRAME_SIZE;
	return frames * sizeof(u64);
}

static void put_leaf(u64 *leaf)
{
	leaf[0] = (u64)pages.leaves;
	pages.leaves = leaf;
	pages.nr_leaves++;
}

void page_init(const struct page_bank *banks, unsigned int nr, void *mem)
{
	u64 *words = mem;

	check(nr <= MAX_BANKS);
	pages.nr_banks = nr;
	memset(pages.bytes, 0, sizeof(pages.bytes));
	pages.leaves = NULL;
	pages.nr_leaves = 0;
	for (unsigned int i = 0; i < BOOT_LEAVES; i++)
		put_leaf(boot_leaves[i]);
	for (unsigned int i = 0; i < nr; i++) {
		struct bank *b = &pages.banks[i];

		b->base = align_down(banks[i].base, FRAME_SIZE);
		b->end = align_up(banks[i].base + banks[i].size, FRAME_SIZE);
		/* Two banks in one frame: the second one starts after it. */
		if (i && b->base < b[-1].end)
			b->base = b[-1].end;
		if (b->end < b->base)
			b->end = b->base;
		b->words = words;
		words += (b->end - b->base) / FRAME_SIZE;
	}
}

static u64 *word_of(u64 pa)
{
	for (unsigned int i = 0; i < pages.nr_banks; i++) {
		struct bank *b = &pages.banks[i];

		if (pa >= b->base && pa < b->end)
			return &b->words[(pa - b->base) / FRAME_SIZE];
	}
	return NULL;
}

static int split(u64 *word, unsigned int keep)
{
	u64 *leaf = pages.leaves, old = *word;

	if (old & WORD_SPLIT)
		return 0;
	if (pages.nr_leaves <= keep)
		return -ENOMEM;
	pages.leaves = (u64 *)leaf[0];
	pages.nr_leaves--;
	for (u64 i = 0; i < LEAF_WORDS; i++)
		leaf[i] = old;
	*word = (u64)leaf | WORD_SPLIT;
	return 0;
}

/* All pages alike again: one word says it. */
static void merge(u64 *word)
{
	u64 *leaf, first;

	if (!(*word & WORD_SPLIT))
		return;
	leaf = leaf_of(*word);
	first = leaf[0];
	for (u64 i = 1; i < LEAF_WORDS; i++)
		if (leaf[i] != first)
			return;
	*word = first;
	put_leaf(leaf);
}

/* Highest page of the range whose word differs from `want`, or NO_BLOCK. */
static u64 highest_other(u64 pa, u64 size, u64 want)
{
	u64 end = pa + size;

	while (end > pa) {
		u64 low = max(pa, align_down(end - 1, FRAME_SIZE));
		const u64 *word = word_of(low), *leaf;

		if (!word || !(*word & WORD_SPLIT)) {
			if ((word ? *word : make_word(PAGE_NONE, 0)) != want)
				return end - PAGE_SIZE;
			end = low;
			continue;
		}
		leaf = leaf_of(*word);
		for (; end > low; end -= PAGE_SIZE)
			if (leaf[(end - 1) / PAGE_SIZE % LEAF_WORDS] != want)
				return end - PAGE_SIZE;
	}
	return NO_BLOCK;
}

/* Partial frames at both ends are split first, so that nothing can fail. */
static int split_ends(u64 pa, u64 size, unsigned int keep)
{
	u64 ends[2] = {pa, pa + size};

	for (unsigned int i = 0; i < 2; i++) {
		u64 *word = word_of(ends[i] - i);
		int err;

		if (is_aligned(ends[i], FRAME_SIZE) || !word)
			continue;
		err = split(word, keep);
		if (err)
			return err;
	}
	return 0;
}

static int change(u64 pa, u64 size, u64 from, u64 to)
{
	u64 end = pa + size;
	int err;

	/* Outside all banks there is no word to change. */
	if (!word_of(pa) || !word_of(end - 1))
		return -EINVAL;
	if (highest_other(pa, size, from) != NO_BLOCK)
		return -EBUSY;
	/* A page for the reserve is worth the leaf that it may take. */
	err = split_ends(pa, size,
			 from == make_word(PAGE_FREE, 0) && !pages.refilling
				 ? KEPT_LEAVES
				 : 0);
	if (err) {
		merge(word_of(pa)); /* the one leaf that could be had */
		return err;
	}
	pages.bytes[from & WORD_STATE] -= size;
	pages.bytes[to & WORD_STATE] += size;
	for (u64 next; pa < end; pa = next) {
		u64 *word = word_of(pa);

		check(word);
		next = min(end, align_down(pa, FRAME_SIZE) + FRAME_SIZE);
		if (!(*word & WORD_SPLIT)) {
			*word = to;
			continue;
		}
		for (u64 p = pa; p < next; p += PAGE_SIZE)
			leaf_of(*word)[p / PAGE_SIZE % LEAF_WORDS] = to;
		merge(word);
	}
	if (CONFIG_DEBUG)
		ghost_set(PADDR(end - size), size,
			  (enum page_state)(to & WORD_STATE),
			  (u8)field_get(WORD_OWNER, to));
	return 0;
}

static bool range_ok(u64 pa, u64 size)
{
	return size && is_aligned(pa | size, PAGE_SIZE) && pa + size > pa;
}

/* One CPU at a time; filling it comes here again, and that call does nothing. */
static void refill(void)
{
	bool more;

	spin_lock(&pages.lock);
	more = !pages.refilling && pages.nr_leaves < MIN_LEAVES;
	pages.refilling |= more;
	spin_unlock(&pages.lock);
	/* More than one: a change may have taken two. */
	while (more) {
		u64 *leaf = page_alloc_hyp(PAGE_SIZE);

		spin_lock(&pages.lock);
		if (leaf)
			put_leaf(leaf);
		more = leaf && pages.nr_leaves < MIN_LEAVES;
		pages.refilling = more;
		spin_unlock(&pages.lock);
	}
}

static int locked_change(u64 pa, u64 size, u64 from, u64 to)
{
	int err;

	if (!range_ok(pa, size))
		return -EINVAL;
	spin_lock(&pages.lock);
	err = change(pa, size, from, to);
	spin_unlock(&pages.lock);
	refill();
	return err;
}

int page_add_free(paddr_t pa, u64 size)
{
	return locked_change(pa.v, size, make_word(PAGE_NONE, 0),
			     make_word(PAGE_FREE, 0));
}

int page_add_hyp(paddr_t pa, u64 size)
{
	return locked_change(pa.v, size, make_word(PAGE_NONE, 0),
			     make_word(PAGE_HYP, PAGE_OWNER_NONE));
}

int page_claim(paddr_t pa, u64 size, enum page_state state, u8 owner)
{
	return locked_change(pa.v, size, make_word(PAGE_FREE, 0),
			     make_word(state, owner));
}

int page_release(paddr_t pa, u64 size, enum page_state state, u8 owner)
{
	int err = locked_change(pa.v, size, make_word(state, owner),
				make_word(PAGE_FREE, 0));

	return err == -EBUSY ? -EPERM : err;
}

/* Highest free run in a bank, below its end and the limit. */
static u64 search_bank(const struct bank *b, u64 size, u64 align, u64 limit)
{
	u64 top = min(b->end, limit);

	while (top >= b->base && top - b->base >= size) {
		u64 at = align_down(top - size, align), block;

		if (at < b->base)
			break;
		block = highest_other(at, size, make_word(PAGE_FREE, 0));
		if (block == NO_BLOCK)
			return at;
		top = block;
	}
	return NO_BLOCK;
}

/* A run inside a frame that is split already, so that no other one is. */
static u64 search_split(u64 size, u64 align, u64 limit)
{
	for (unsigned int i = pages.nr_banks; i--;) {
		const struct bank *b = &pages.banks[i];

		for (u64 n = (b->end - b->base) / FRAME_SIZE; n--;) {
			u64 base = b->base + n * FRAME_SIZE, at;

			if (!(b->words[n] & WORD_SPLIT))
				continue;
			at = search_bank(&(struct bank){base, base + FRAME_SIZE,
							NULL},
					 size, align, limit);
			if (at != NO_BLOCK)
				return at;
		}
	}
	return NO_BLOCK;
}

int page_alloc(u64 size, u64 align, u64 limit, enum page_state state, u8 owner,
	       paddr_t *pa)
{
	u64 at = NO_BLOCK;
	int err = -ENOMEM;

	if (!range_ok(0, size))
		return -EINVAL;
	if (fault_hits())
		return -ENOMEM;
	spin_lock(&pages.lock);
	if (size < FRAME_SIZE && align < FRAME_SIZE)
		at = search_split(size, align, limit);
	for (unsigned int i = pages.nr_banks; at == NO_BLOCK && i--;)
		at = search_bank(&pages.banks[i], size, align, limit);
	if (at != NO_BLOCK)
		err = change(at, size, make_word(PAGE_FREE, 0),
			     make_word(state, owner));
	spin_unlock(&pages.lock);
	refill();
	*pa = PADDR(at);
	return err;
}

struct page_info page_lookup(paddr_t pa)
{
	struct page_info info = {.state = PAGE_NONE};
	const u64 *word;

	spin_lock(&pages.lock);
	word = word_of(pa.v);
	if (word) {
		info.split = *word & WORD_SPLIT;
		if (info.split)
			word = leaf_of(*word) + pa.v / PAGE_SIZE % LEAF_WORDS;
		info.state = (enum page_state)(*word & WORD_STATE);
		info.owner = (u8)field_get(WORD_OWNER, *word);
	}
	if (CONFIG_DEBUG)
		ghost_check_page(pa, &info);
	spin_unlock(&pages.lock);
	return info;
}

void page_stats(struct page_stats *out)
{
	spin_lock(&pages.lock);
	*out = (struct page_stats){.free = pages.bytes[PAGE_FREE],
				   .hyp = pages.bytes[PAGE_HYP],
				   .owned = pages.bytes[PAGE_OWNED]};
	spin_unlock(&pages.lock);
}

void *page_alloc_hyp(u64 size)
{
	paddr_t pa;

	if (page_alloc(size, PAGE_SIZE, ~0UL, PAGE_HYP, PAGE_OWNER_NONE, &pa))
		return NULL;
	if (mmu_map_direct(pa, size)) {
		check(!page_release(pa, size, PAGE_HYP, PAGE_OWNER_NONE));
		return NULL;
	}
	return memset(direct_ptr(pa), 0, size);
}

void page_free_hyp(void *p, u64 size)
{
	paddr_t pa = direct_pa(p);

	memset(p, 0, size);
	mmu_unmap_direct(pa, size);
	check(!page_release(pa, size, PAGE_HYP, PAGE_OWNER_NONE));
}
