/* SPDX-License-Identifier: Apache-2.0 */
/* The heap against a sorted array, and its shape, which bounds each step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <skerry/heap.h>

#define NR 300

static struct heap heap;
static struct heap_node nodes[NR];
static bool in[NR];

/* Number of nodes; keys, parents, ranks and the leftist shape are checked. */
static unsigned int check(const struct heap_node *n,
			  const struct heap_node *parent)
{
	u64 left, right;

	if (!n)
		return 0;
	assert_ptr_equal(n->parent, parent);
	if (parent)
		assert_true(heap_is_before(parent->key, n->key) ||
			    (parent->key == n->key && parent->nr < n->nr));
	left = n->left ? n->left->rank : 0;
	right = n->right ? n->right->rank : 0;
	assert_true(left >= right);
	assert_int_equal(n->rank, right + 1);
	assert_true(in[n - nodes]);
	return 1 + check(n->left, n) + check(n->right, n);
}

static void check_all(void)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < NR; i++) {
		assert_int_equal(heap_has(&nodes[i]), in[i]);
		nr += in[i];
		if (in[i])
			assert_false(
				heap_is_before(nodes[i].key, heap.root->key));
	}
	assert_int_equal(check(heap.root, NULL), nr);
	assert_int_equal(heap_is_empty(&heap), !nr);
	if (nr)
		/* A node of rank r has at least 2^r - 1 below and with it. */
		assert_true((1UL << heap.root->rank) - 1 <= nr);
}

static int setup(void **state)
{
	(void)state;
	heap = (struct heap){};
	for (unsigned int i = 0; i < NR; i++) {
		nodes[i] = (struct heap_node){};
		in[i] = false;
	}
	return 0;
}

static void add(unsigned int i, u64 key)
{
	heap_add(&heap, &nodes[i], key);
	in[i] = true;
}
static void del(unsigned int i)
{
	heap_del(&heap, &nodes[i]);
	in[i] = false;
}

static void random_run(u64 base, unsigned int range)
{
	unsigned int seed = 11;

	for (unsigned int n = 0; n < 20000; n++) {
		unsigned int i = (unsigned int)rand_r(&seed) % NR;

		/* Grows, then shrinks. */
		if (!in[i] && (unsigned int)rand_r(&seed) % 20000 > n)
			add(i,
			    base + (u64)((unsigned int)rand_r(&seed) % range));
		else
			del(i);
		if (heap.root && rand_r(&seed) % 4 == 0)
			del((unsigned int)(heap.root - nodes));
		if (n % 16 == 0)
			check_all();
	}
}

static void test_random(void **state)
{
	(void)state;
	random_run(1000, 1U << 30);
	setup(state);
	random_run(1000, 4); /* mostly equal ones */
	setup(state);
	random_run(-(1UL << 29), 1U << 30); /* across the wrap */
}

static void test_sorted(void **state)
{
	(void)state;
	for (unsigned int up = 0; up < 2; up++) {
		for (unsigned int i = 0; i < NR; i++)
			add(i, up ? i : NR - i);
		check_all();
		for (unsigned int i = 0; i < NR; i++) {
			unsigned int least = up ? i : NR - 1 - i;

			assert_ptr_equal(heap.root, &nodes[least]);
			del(least);
		}
		check_all();
	}
}

/* A new least one, taken out again, leaves the rest as it was. */
static void test_front(void **state)
{
	struct heap_node *was;

	(void)state;
	for (unsigned int i = 1; i < NR; i++)
		add(i, 1000 + i * 7919 % 1000);
	was = heap.root;
	for (unsigned int i = 0; i < 3; i++) {
		add(0, 5);
		assert_ptr_equal(heap.root->left, was);
		assert_null(heap.root->right);
		check_all();
		del(0);
		assert_ptr_equal(heap.root, was);
		check_all();
	}
	del(0); /* in none: nothing happens */
	check_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_random, setup),
		cmocka_unit_test_setup(test_sorted, setup),
		cmocka_unit_test_setup(test_front, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
