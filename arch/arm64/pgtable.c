/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one walker over translation tables. Recursion goes one level down at a
 * time, so four deep at most. Live descriptors are changed by
 * break-before-make (Arm ARM D8.16.1) only.
 */
#include <skerry/arch/pgtable.h>

#include <asm/barrier.h>
#include <asm/pte.h>

#define LAST_LEVEL 3
#define ENTRIES	   512

static unsigned int level_shift(unsigned int level)
{
	return PAGE_SHIFT + 9 * (LAST_LEVEL - level);
}

static u64 level_size(unsigned int level)
{
	return BIT(level_shift(level));
}

/* Index at a level; the root may be several tables in a row. */
static u64 index_of(const struct pgtable *pt, u64 va, unsigned int level)
{
	u64 index = va >> level_shift(level);

	return level == pt->start_level ? index : index & (ENTRIES - 1);
}

static bool is_table(u64 pte, unsigned int level)
{
	return level < LAST_LEVEL &&
	       (pte & (PTE_VALID | PTE_TABLE)) == (PTE_VALID | PTE_TABLE);
}

static u64 leaf_attrs(const struct pgtable *pt, unsigned int flags)
{
	u64 pte = PTE_VALID | PTE_AF | PTE_SH_INNER |
		  (flags & PGT_X ? 0 : PTE_XN);
	bool device = flags & PGT_DEVICE;

	if (pt->stage2)
		return pte | (flags & PGT_R ? PTE_S2_R : 0) |
		       (flags & PGT_W ? PTE_S2_W : 0) |
		       field_prep(PTE_S2_ATTR,
				  device ? PTE_S2_DEVICE : PTE_S2_NORMAL);
	return pte | PTE_S1_RES1 | (flags & PGT_W ? 0 : PTE_S1_RO) |
	       field_prep(PTE_S1_ATTR, device ? PTE_S1_DEVICE : PTE_S1_NORMAL);
}

static unsigned int leaf_flags(const struct pgtable *pt, u64 pte)
{
	unsigned int flags = pte & PTE_XN ? 0 : PGT_X;

	if (pt->stage2) {
		flags |= pte & PTE_S2_R ? PGT_R : 0;
		flags |= pte & PTE_S2_W ? PGT_W : 0;
		return flags | (field_get(PTE_S2_ATTR, pte) == PTE_S2_DEVICE
					? PGT_DEVICE
					: 0);
	}
	flags |= PGT_R | (pte & PTE_S1_RO ? 0 : PGT_W);
	return flags |
	       (field_get(PTE_S1_ATTR, pte) == PTE_S1_DEVICE ? PGT_DEVICE : 0);
}

static u64 *table_of(struct pgtable *pt, u64 pte)
{
	return pt->ops->to_virt(pt, pte & PTE_ADDR);
}

/* What the new descriptor points to is seen first; partner: the walkers. */
static void publish(u64 *slot, u64 pte)
{
	dsb(ishst);
	WRITE_ONCE(*slot, pte);
	dsb(ishst);
	isb();
}

static void break_entry(struct pgtable *pt, u64 *slot, u64 va, u64 size)
{
	WRITE_ONCE(*slot, 0UL);
	pt->ops->flush(pt, va, size);
}

static bool add_table(struct pgtable *pt, u64 *slot, const u64 *table)
{
	if (table)
		publish(slot,
			pt->ops->to_phys(pt, table) | PTE_VALID | PTE_TABLE);
	return table;
}

static u64 make_leaf(u64 pa, u64 attrs, unsigned int level)
{
	return pa | attrs | (level == LAST_LEVEL ? PTE_TABLE : 0);
}

/* A table in place of a block with the same mapping. */
static int split_block(struct pgtable *pt, u64 *slot, u64 va, unsigned int level)
{
	u64 pte = *slot, size = level_size(level + 1);
	u64 attrs = pte & ~(PTE_ADDR | PTE_TABLE);
	u64 *table = pt->ops->alloc(pt);

	if (!table)
		return -ENOMEM;
	for (u64 i = 0; i < ENTRIES; i++)
		table[i] = make_leaf((pte & PTE_ADDR) + i * size, attrs,
				     level + 1);
	break_entry(pt, slot, align_down(va, level_size(level)),
		    level_size(level));
	add_table(pt, slot, table);
	return 0;
}

static bool is_empty(const u64 *table)
{
	for (u64 i = 0; i < ENTRIES; i++)
		if (table[i])
			return false;
	return true;
}

/* Free the table behind *slot when nothing is left in it. */
static void prune(struct pgtable *pt, u64 *slot, u64 va, unsigned int level)
{
	u64 *table = table_of(pt, *slot);

	if (!is_empty(table))
		return;
	/* Walk caches may hold the table: gone before it is used again. */
	break_entry(pt, slot, align_down(va, level_size(level)),
		    level_size(level));
	pt->ops->free(pt, table);
}

struct map_request {
	u64 pa_offset; /* pa - va */
	u64 attrs;
	u64 done; /* first address not mapped yet */
};

static int map_level(struct pgtable *pt, u64 *table, unsigned int level, u64 va,
		     u64 end, struct map_request *rq)
{
	u64 size = level_size(level);

	for (u64 next; va < end; va = next) {
		u64 *slot = &table[index_of(pt, va, level)];
		u64 pa = va + rq->pa_offset;
		int err;

		next = min(end, align_down(va, size) + size);
		if (level >= 1 && next - va == size && is_aligned(pa, size)) {
			if (*slot)
				return -EEXIST;
			publish(slot, make_leaf(pa, rq->attrs, level));
			rq->done = next;
			continue;
		}
		if (*slot && !is_table(*slot, level))
			return -EEXIST;
		if (!*slot && !add_table(pt, slot, pt->ops->alloc(pt)))
			return -ENOMEM;
		err = map_level(pt, table_of(pt, *slot), level + 1, va, next,
				rq);
		if (err) {
			prune(pt, slot, va, level);
			return err;
		}
	}
	return 0;
}

static bool range_ok(const struct pgtable *pt, u64 va, u64 size)
{
	u64 limit = BIT(pt->va_bits);

	return size && is_aligned(va | size, PAGE_SIZE) && va < limit &&
	       size <= limit - va;
}

int pgtable_map(struct pgtable *pt, u64 va, u64 pa, u64 size, unsigned int flags)
{
	struct map_request rq = {
		.pa_offset = pa - va,
		.attrs = leaf_attrs(pt, flags),
		.done = va,
	};
	int err;

	if (!range_ok(pt, va, size) || !is_aligned(pa, PAGE_SIZE) || pa >> 48 ||
	    (pa + size - 1) >> 48)
		return -EINVAL;
	err = map_level(pt, pt->root, pt->start_level, va, va + size, &rq);
	/* Whole leaves of this call only, so this needs no memory. */
	if (err && rq.done > va && pgtable_unmap(pt, va, rq.done - va))
		return -EINVAL;
	return err;
}

static int unmap_level(struct pgtable *pt, u64 *table, unsigned int level,
		       u64 va, u64 end)
{
	u64 size = level_size(level);

	for (u64 next; va < end; va = next) {
		u64 *slot = &table[index_of(pt, va, level)];
		int err;

		next = min(end, align_down(va, size) + size);
		if (!*slot)
			continue;
		if (!is_table(*slot, level)) {
			if (next - va == size) {
				break_entry(pt, slot, va, size);
				continue;
			}
			err = split_block(pt, slot, va, level);
			if (err)
				return err;
		}
		err = unmap_level(pt, table_of(pt, *slot), level + 1, va, next);
		if (err)
			return err;
		prune(pt, slot, va, level);
	}
	return 0;
}

int pgtable_unmap(struct pgtable *pt, u64 va, u64 size)
{
	if (!range_ok(pt, va, size))
		return -EINVAL;
	return unmap_level(pt, pt->root, pt->start_level, va, va + size);
}

static int visit_level(struct pgtable *pt, const u64 *table, unsigned int level,
		       u64 va, u64 end, pgtable_visit_fn fn, void *arg)
{
	u64 size = level_size(level);
	int err = 0;

	for (u64 next; va < end && !err; va = next) {
		u64 pte = READ_ONCE(table[index_of(pt, va, level)]);
		struct pgtable_leaf leaf;

		next = min(end, align_down(va, size) + size);
		if (!(pte & PTE_VALID))
			continue;
		if (is_table(pte, level)) {
			err = visit_level(pt, table_of(pt, pte), level + 1, va,
					  next, fn, arg);
			continue;
		}
		leaf = (struct pgtable_leaf){
			.va = align_down(va, size),
			.pa = pte & PTE_ADDR,
			.size = size,
			.flags = leaf_flags(pt, pte),
		};
		err = fn(&leaf, arg);
	}
	return err;
}

int pgtable_visit(struct pgtable *pt, u64 va, u64 size, pgtable_visit_fn fn,
		  void *arg)
{
	if (!range_ok(pt, va, size))
		return -EINVAL;
	return visit_level(pt, pt->root, pt->start_level, va, va + size, fn,
			   arg);
}

static int take_leaf(const struct pgtable_leaf *leaf, void *arg)
{
	*(struct pgtable_leaf *)arg = *leaf;
	return 1;
}

int pgtable_lookup(struct pgtable *pt, u64 va, struct pgtable_leaf *leaf)
{
	return pgtable_visit(pt, align_down(va, PAGE_SIZE), PAGE_SIZE,
			     take_leaf, leaf) == 1
		       ? 0
		       : -ENOENT;
}

static void destroy_level(struct pgtable *pt, u64 *table, unsigned int level,
			  u64 nr)
{
	for (u64 i = 0; i < nr; i++) {
		u64 pte = table[i];

		if (!pte)
			continue;
		table[i] = 0;
		if (!is_table(pte, level))
			continue;
		destroy_level(pt, table_of(pt, pte), level + 1, ENTRIES);
		pt->ops->free(pt, table_of(pt, pte));
	}
}

void pgtable_destroy(struct pgtable *pt)
{
	destroy_level(pt, pt->root, pt->start_level,
		      BIT(pt->va_bits) >> level_shift(pt->start_level));
}
