/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leftist heap, intrusive: the least key first. Each operation takes O(log n)
 * steps at worst; adding a new least one, and taking it out again before
 * others come, takes none. Keys may wrap: only their distance counts, and is
 * to be less than 2^63. Of equal ones the first that was added goes first. The
 * owner's lock guards it.
 */
#pragma once

#include <skerry/util.h>

struct heap_node {
	struct heap_node *parent, *left, *right;
	u64 key;
	u32 rank; /* steps to the nearest missing child; 0: in no heap */
	u32 nr;	  /* of the addition */
};

struct heap {
	struct heap_node *root; /* the least one; NULL when empty */
	u32 nr;			/* of additions; it may wrap */
};

static inline bool heap_is_before(u64 a, u64 b)
{
	return (s64)(a - b) < 0;
}

static inline bool heap_is_empty(const struct heap *h)
{
	return !h->root;
}

static inline bool heap_has(const struct heap_node *n)
{
	return n->rank;
}

void heap_add_below(struct heap *h, struct heap_node *n);
void heap_del_inner(struct heap *h, struct heap_node *n);

/* n is in no heap. */
static inline void heap_add(struct heap *h, struct heap_node *n, u64 key)
{
	struct heap_node *root = h->root;

	n->parent = n->right = NULL;
	n->left = root;
	n->key = key;
	n->rank = 1;
	n->nr = h->nr++;
	if (root && !heap_is_before(key, root->key)) {
		heap_add_below(h, n);
		return;
	}
	if (root)
		root->parent = n;
	h->root = n;
}

/* The least one, which there is. */
static inline void heap_pop(struct heap *h)
{
	struct heap_node *n = h->root;

	if (unlikely(n->right)) {
		heap_del_inner(h, n);
		return;
	}
	n->rank = 0;
	h->root = n->left;
	if (n->left)
		n->left->parent = NULL;
}

/* From the heap that it is in, if it is. */
static inline void heap_del(struct heap *h, struct heap_node *n)
{
	if (!n->rank)
		return;
	if (n->parent)
		heap_del_inner(h, n);
	else
		heap_pop(h);
}

#define heap_entry(ptr, type, member) container_of(ptr, type, member)
