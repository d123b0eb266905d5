/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table walker, for EL2 stage 1 and for stage 2: 4 KiB granule,
 * VMSAv8-64 descriptors (Arm ARM D8.3). Pure: it reaches table memory and the
 * TLB through callbacks, so it runs on the host. The caller's lock guards the
 * tables against other writers; hardware walks concurrently.
 */
#pragma once

#include <skerry/util.h>

struct pgtable;

struct pgtable_ops {
	/* Zeroed table page, or NULL. */
	u64 *(*alloc)(struct pgtable *pt);
	/* A table all of whose entries are zero again. */
	void (*free)(struct pgtable *pt, u64 *table);
	u64 *(*to_virt)(struct pgtable *pt, u64 pa);
	u64 (*to_phys)(struct pgtable *pt, const u64 *table);
	/*
	 * Invalidate all TLB entries for [va, va+size) and wait until that is
	 * complete; called between break and make.
	 */
	void (*flush)(struct pgtable *pt, u64 va, u64 size);
};

struct pgtable {
	const struct pgtable_ops *ops;
	u64 *root;
	u8 start_level; /* 0 or 1 */
	u8 va_bits;	/* of input address; concatenated roots allowed */
	bool stage2;
};

enum {
	PGT_R = 1,
	PGT_W = 2,
	PGT_X = 4,
	PGT_DEVICE = 8, /* Device-nGnRE, else Normal write-back inner-shareable */
};

/*
 * Map [va, va+size) to pa with PGT_* flags, largest blocks that alignment
 * allows (1 GiB, 2 MiB, 4 KiB). A live entry is never replaced. -EINVAL
 * unaligned or out of range, -EEXIST when something is mapped there, -ENOMEM;
 * then what was mapped by this call is unmapped again.
 */
int pgtable_map(struct pgtable *pt, u64 va, u64 pa, u64 size,
		unsigned int flags) __must_check;
/*
 * Unmaps what is mapped in the range, splitting blocks by break-before-make;
 * frees empty tables. -ENOMEM when a block cannot be split: what came before
 * it is unmapped.
 */
int pgtable_unmap(struct pgtable *pt, u64 va, u64 size) __must_check;

struct pgtable_leaf {
	u64 va, pa, size;
	unsigned int flags;
};
/* The leaf that maps va; -ENOENT. */
int pgtable_lookup(struct pgtable *pt, u64 va, struct pgtable_leaf *leaf)
	__must_check;
/*
 * Visit leaves in [va, va+size) in order; a visitor's non-zero result ends
 * the walk and is returned. Holes are skipped.
 */
typedef int (*pgtable_visit_fn)(const struct pgtable_leaf *leaf, void *arg);
int pgtable_visit(struct pgtable *pt, u64 va, u64 size, pgtable_visit_fn fn,
		  void *arg);
/* Free all tables below the root (which is the caller's). */
void pgtable_destroy(struct pgtable *pt);
