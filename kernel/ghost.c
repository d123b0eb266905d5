/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debug builds only: a second, naive map of page ownership, one byte per
 * 4 KiB page, kept beside the real one and compared with it.
 */
#include <skerry/page.h>

#include <skerry/arch/mmu.h>
#include <skerry/domain.h>
#include <skerry/layout.h>
#include <skerry/panic.h>

#define MAX_BANKS 16

static struct {
	u64 base, nr;
	u8 *state, *owner;
} ghosts[MAX_BANKS];
static unsigned int nr_ghosts;

static u64 nr_pages(const struct page_bank *b)
{
	return (align_up(b->base + b->size, PAGE_SIZE) -
		align_down(b->base, PAGE_SIZE)) /
	       PAGE_SIZE;
}

u64 ghost_size(const struct page_bank *banks, unsigned int nr)
{
	u64 size = 0;

	for (unsigned int i = 0; i < nr; i++)
		size += 2 * nr_pages(&banks[i]);
	return size;
}

void ghost_init(const struct page_bank *banks, unsigned int nr, void *mem)
{
	u8 *p = mem;

	nr_ghosts = nr;
	for (unsigned int i = 0; i < nr; i++) {
		ghosts[i].base = align_down(banks[i].base, PAGE_SIZE);
		ghosts[i].nr = nr_pages(&banks[i]);
		ghosts[i].state = p;
		ghosts[i].owner = p + ghosts[i].nr;
		p += 2 * ghosts[i].nr;
	}
}

/* Index of the page in its bank; false outside all. */
static bool find(u64 pa, unsigned int *bank, u64 *index)
{
	for (unsigned int i = 0; i < nr_ghosts; i++) {
		*bank = i;
		*index = (pa - ghosts[i].base) / PAGE_SIZE;
		if (pa >= ghosts[i].base && *index < ghosts[i].nr)
			return true;
	}
	return false;
}

void ghost_set(paddr_t pa, u64 size, enum page_state state, u8 owner)
{
	unsigned int bank;
	u64 index;

	for (u64 a = pa.v; a < pa.v + size; a += PAGE_SIZE) {
		if (!find(a, &bank, &index))
			panic("ghost: page %#lx is not RAM", a);
		ghosts[bank].state[index] = (u8)state;
		ghosts[bank].owner[index] = owner;
	}
}

void ghost_check_page(paddr_t pa, const struct page_info *info)
{
	unsigned int bank;
	u64 index;

	if (!find(pa.v, &bank, &index)) {
		if (info->state != PAGE_NONE)
			panic("ghost: page %#lx is not RAM", pa.v);
		return;
	}
	if (ghosts[bank].state[index] != info->state ||
	    ghosts[bank].owner[index] != info->owner)
		panic("ghost: page %#lx is %u of %u, the words say %u of %u",
		      pa.v, ghosts[bank].state[index],
		      ghosts[bank].owner[index], info->state, info->owner);
}

/* The one page of EL2's own that a guest has, and just so: to read it. */
static bool is_pvtime(const struct domain *d, const struct pgtable_leaf *leaf)
{
	return leaf->va == GUEST_PVTIME_BASE && leaf->size == PAGE_SIZE &&
	       leaf->flags == PGT_R && leaf->pa == direct_pa(d->pvtime).v;
}

static int check_leaf(const struct pgtable_leaf *leaf, void *arg)
{
	const struct domain *d = arg;
	bool own = !is_pvtime(d, leaf);

	if (leaf->flags & PGT_DEVICE) /* GICV, which nobody owns */
		return 0;
	/* First and last page: a block is claimed as a whole. */
	for (u64 pa = leaf->pa; pa < leaf->pa + leaf->size;
	     pa += leaf->size - PAGE_SIZE ? leaf->size - PAGE_SIZE : PAGE_SIZE) {
		struct page_info info = page_lookup(PADDR(pa));

		if (info.state != (own ? PAGE_OWNED : PAGE_HYP) ||
		    info.owner != (own ? d->id : PAGE_OWNER_NONE))
			panic("ghost: d%u maps page %#lx of owner %u, state %u",
			      d->id, pa, info.owner, info.state);
	}
	return 0;
}

void ghost_check_domain(struct domain *d)
{
	if (d->s2.pt.root)
		pgtable_visit(&d->s2.pt, 0, BIT(d->s2.pt.va_bits), check_leaf,
			      d);
}
