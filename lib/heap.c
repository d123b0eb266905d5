/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leftist heap: of two children the left one has the greater rank, so that the
 * way along right children has at most log2(n + 1) steps.
 */
#include <skerry/heap.h>

static bool is_first(const struct heap_node *a, const struct heap_node *b)
{
	if (a->key == b->key)
		return (s32)(a->nr - b->nr) < 0;
	return heap_is_before(a->key, b->key);
}

static u32 rank_of(const struct heap_node *n)
{
	return n ? n->rank : 0;
}

/* After a change of n's children; true when its own rank has changed. */
static bool settle(struct heap_node *n)
{
	struct heap_node *left = n->left;
	u32 rank;

	if (rank_of(left) < rank_of(n->right)) {
		n->left = n->right;
		n->right = left;
	}
	rank = 1 + rank_of(n->right);
	if (rank == n->rank)
		return false;
	n->rank = rank;
	return true;
}

/* Two heaps, or what is left of them, as one; its root has no parent. */
static struct heap_node *merge(struct heap_node *a, struct heap_node *b)
{
	struct heap_node *root = NULL, *up = NULL, *n;

	while (a && b) {
		if (is_first(b, a)) {
			n = a;
			a = b;
			b = n;
		}
		if (up)
			up->right = a;
		else
			root = a;
		a->parent = up;
		up = a;
		a = a->right;
	}
	n = a ? a : b;
	if (n)
		n->parent = up;
	if (!up)
		return n;
	up->right = n;
	for (; up; up = up->parent)
		settle(up);
	return root;
}

void heap_add_below(struct heap *h, struct heap_node *n)
{
	n->left = NULL;
	h->root = merge(h->root, n);
}

void heap_del_inner(struct heap *h, struct heap_node *n)
{
	struct heap_node *up = n->parent, *sub = merge(n->left, n->right);

	n->rank = 0;
	if (sub)
		sub->parent = up;
	if (!up)
		h->root = sub;
	else if (up->left == n)
		up->left = sub;
	else
		up->right = sub;
	/*
	 * Further up only while ranks change: each such one is greater by one
	 * than the one below, so there are at most log2(n + 1).
	 */
	while (up && settle(up))
		up = up->parent;
}
