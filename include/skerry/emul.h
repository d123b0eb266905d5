/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Emulated MMIO. A device is a region with one access function; a device with
 * many registers uses a sorted table of rows below it. Unlisted offsets inside
 * a region are RAZ/WI; an illegal width at a listed one is RAZ/WI as well.
 */
#pragma once

#include <skerry/util.h>

struct vcpu;
struct domain;

struct emul_access {
	u64 offset; /* in the region */
	u64 value;  /* to write, or the result (zero-extended) */
	u8 size;    /* bytes: 1, 2, 4, 8; offset is aligned to it */
	bool write;
};

struct emul_region {
	u64 base, size; /* IPA */
	void (*access)(struct vcpu *v, struct emul_access *a);
};

#define EMUL_MAX_REGIONS 8

struct emul_domain {
	const struct emul_region *regions[EMUL_MAX_REGIONS]; /* by base */
	unsigned int nr;
};

/* Sorted insert at domain creation. -ENOSPC full, -EEXIST overlap. */
int emul_add(struct emul_domain *e, const struct emul_region *r) __must_check;
/*
 * The region of an address, or NULL. Regions are whole pages, so an aligned
 * access that starts in one ends in it.
 */
static inline const struct emul_region *emul_find(const struct emul_domain *e,
						  u64 ipa)
{
	for (unsigned int i = 0; i < e->nr; i++) {
		const struct emul_region *r = e->regions[i];

		if (ipa - r->base < r->size)
			return r;
	}
	return NULL;
}

/* A register table: rows sorted by offset, no overlaps. */
enum { W8 = 1, W16 = 2, W32 = 4, W64 = 8 }; /* legal access sizes, or-ed */

struct emul_reg {
	u32 offset, size; /* bytes covered */
	u8 widths;
	/* NULL: RAZ / WI. `a->offset` stays relative to the region. */
	void (*read)(struct vcpu *v, struct emul_access *a);
	void (*write)(struct vcpu *v, struct emul_access *a);
};
/* One step of a binary search; nothing is left of it where nr is constant. */
#define EMUL_HALVE(r, nr, off)                                                 \
	do {                                                                   \
		(r) = (off) >= (r)[(nr) / 2].offset ? (r) + (nr) / 2 : (r);    \
		(nr) -= (nr) / 2;                                              \
	} while (0)
#define EMUL_MAX_REGS 32

/* NULL when unlisted or of a wrong width. nr is 1 to EMUL_MAX_REGS. */
static inline const struct emul_reg *emul_find_reg(const struct emul_reg *table,
						   unsigned int nr,
						   const struct emul_access *a)
{
	const struct emul_reg *r = table;

	/* The last row that begins at or below the offset. */
	EMUL_HALVE(r, nr, a->offset);
	EMUL_HALVE(r, nr, a->offset);
	EMUL_HALVE(r, nr, a->offset);
	EMUL_HALVE(r, nr, a->offset);
	EMUL_HALVE(r, nr, a->offset);
	return a->offset - r->offset < r->size && (a->size & r->widths) ? r
									: NULL;
}

/* Look up and call; RAZ/WI when there is no row or no handler. */
static inline void emul_table_access(const struct emul_reg *table,
				     unsigned int nr, struct vcpu *v,
				     struct emul_access *a)
{
	const struct emul_reg *r = emul_find_reg(table, nr, a);

	if (a->write) {
		if (r && r->write)
			r->write(v, a);
		return;
	}
	a->value = 0;
	if (r && r->read)
		r->read(v, a);
}
