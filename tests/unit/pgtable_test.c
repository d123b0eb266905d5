/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table walker on the host: sizes of blocks, splitting, roll-back, the
 * order of barriers and flushes, and a random run against a naive model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <asm/pte.h>
#include <skerry/arch/pgtable.h>
#include <skerry/error.h>

#define NR_TABLES 256
#define BASE	  0x40000000UL

static u64 tables[NR_TABLES][512] __attribute__((aligned(4096)));
static u64 root[1024] __attribute__((aligned(8192)));
static bool used[NR_TABLES];
static unsigned int allocs_left;
static unsigned int flushes;
static char trace[64];
static size_t traced;

void (*host_barrier)(const char *name);

static void note(char c)
{
	if (traced < sizeof(trace) - 1)
		trace[traced++] = c;
}

static void on_barrier(const char *name)
{
	note(!strncmp(name, "dsb", 3) ? 'D' : 'I');
}

static u64 *alloc(struct pgtable *pt)
{
	(void)pt;
	if (!allocs_left)
		return NULL;
	allocs_left--;
	for (unsigned int i = 0; i < NR_TABLES; i++)
		if (!used[i]) {
			used[i] = true;
			memset(tables[i], 0, sizeof(tables[i]));
			return tables[i];
		}
	return NULL;
}

static void release(struct pgtable *pt, u64 *table)
{
	unsigned int i = (unsigned int)((u64(*)[512])table - tables);

	(void)pt;
	assert_true(i < NR_TABLES && used[i]);
	used[i] = false;
}

static u64 *to_virt(struct pgtable *pt, u64 pa)
{
	(void)pt;
	return tables[(pa - BASE) / 4096];
}

static u64 to_phys(struct pgtable *pt, const u64 *table)
{
	(void)pt;
	return BASE + (u64)((u64(*)[512])table - tables) * 4096;
}

static void flush(struct pgtable *pt, u64 va, u64 size)
{
	(void)pt;
	(void)va;
	assert_true(size >= PAGE_SIZE);
	flushes++;
	note('F');
}

static const struct pgtable_ops ops = {alloc, release, to_virt, to_phys, flush};

static unsigned int nr_used(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < NR_TABLES; i++)
		n += used[i];
	return n;
}

static struct pgtable make(bool stage2)
{
	memset(used, 0, sizeof(used));
	memset(root, 0, sizeof(root));
	allocs_left = NR_TABLES;
	flushes = 0;
	traced = 0;
	memset(trace, 0, sizeof(trace));
	host_barrier = on_barrier;
	return (struct pgtable){.ops = &ops,
				.root = root,
				.start_level = stage2 ? 1 : 0,
				.va_bits = stage2 ? 40 : 48,
				.stage2 = stage2};
}

static u64 leaf_size(struct pgtable *pt, u64 va)
{
	struct pgtable_leaf leaf;

	return pgtable_lookup(pt, va, &leaf) ? 0 : leaf.size;
}

static void test_block_sizes(void **state)
{
	struct pgtable pt = make(true);

	(void)state;
	assert_int_equal(pgtable_map(&pt, GIB, 3 * GIB,
				     GIB + FRAME_SIZE + PAGE_SIZE,
				     PGT_R | PGT_W | PGT_X),
			 0);
	assert_int_equal(leaf_size(&pt, GIB), GIB);
	assert_int_equal(leaf_size(&pt, 2 * GIB), FRAME_SIZE);
	assert_int_equal(leaf_size(&pt, 2 * GIB + FRAME_SIZE), PAGE_SIZE);
	assert_int_equal(leaf_size(&pt, 2 * GIB + FRAME_SIZE + PAGE_SIZE), 0);
	/* Alike in size but not in alignment: pages. */
	assert_int_equal(pgtable_map(&pt, 8 * GIB, 4 * GIB + PAGE_SIZE,
				     FRAME_SIZE, PGT_R),
			 0);
	assert_int_equal(leaf_size(&pt, 8 * GIB), PAGE_SIZE);
	pgtable_destroy(&pt);
	assert_int_equal(nr_used(), 0);
}

static void test_concatenated_root(void **state)
{
	struct pgtable pt = make(true);
	struct pgtable_leaf leaf;

	(void)state;
	assert_int_equal(pgtable_map(&pt, 1023 * GIB, GIB, GIB, PGT_R), 0);
	assert_int_not_equal(root[1023], 0);
	assert_int_equal(root[511], 0);
	assert_int_equal(pgtable_lookup(&pt, 1023 * GIB + 5, &leaf), 0);
	assert_int_equal(leaf.pa, GIB);
}

static void test_arguments(void **state)
{
	struct pgtable pt = make(true);

	(void)state;
	assert_int_equal(pgtable_map(&pt, 1, 0, PAGE_SIZE, PGT_R), -EINVAL);
	assert_int_equal(pgtable_map(&pt, 0, 1, PAGE_SIZE, PGT_R), -EINVAL);
	assert_int_equal(pgtable_map(&pt, 0, 0, 0, PGT_R), -EINVAL);
	assert_int_equal(pgtable_map(&pt, BIT(40), 0, PAGE_SIZE, PGT_R),
			 -EINVAL);
	assert_int_equal(pgtable_map(&pt, BIT(40) - PAGE_SIZE, 0, 2 * PAGE_SIZE,
				     PGT_R),
			 -EINVAL);
	assert_int_equal(pgtable_map(&pt, PAGE_SIZE, 0, ~0UL & ~4095UL, PGT_R),
			 -EINVAL);
	assert_int_equal(pgtable_map(&pt, 0, BIT(48), PAGE_SIZE, PGT_R),
			 -EINVAL);
	assert_int_equal(nr_used(), 0);
}

static void test_exists(void **state)
{
	struct pgtable pt = make(true);

	(void)state;
	assert_int_equal(pgtable_map(&pt, FRAME_SIZE, 0, FRAME_SIZE, PGT_R), 0);
	/* What came before the clash is gone again. */
	assert_int_equal(pgtable_map(&pt, 0, GIB, 2 * FRAME_SIZE, PGT_R),
			 -EEXIST);
	assert_int_equal(leaf_size(&pt, 0), 0);
	assert_int_equal(leaf_size(&pt, FRAME_SIZE), FRAME_SIZE);
	assert_int_equal(pgtable_map(&pt, FRAME_SIZE + PAGE_SIZE, 0, PAGE_SIZE,
				     PGT_R),
			 -EEXIST);
}

static void test_no_memory(void **state)
{
	u64 size = 2 * FRAME_SIZE + 3 * PAGE_SIZE;

	(void)state;
	for (unsigned int n = 0; n < 16; n++) {
		struct pgtable pt = make(true);
		int err;

		allocs_left = n;
		err = pgtable_map(&pt, GIB - PAGE_SIZE, GIB - PAGE_SIZE, size,
				  PGT_R);
		if (!err) {
			assert_true(n >= 3);
			return;
		}
		assert_int_equal(err, -ENOMEM);
		for (u64 va = GIB - PAGE_SIZE; va < GIB + size; va += PAGE_SIZE)
			assert_int_equal(leaf_size(&pt, va), 0);
		assert_int_equal(nr_used(), 0);
	}
	fail_msg("never enough tables");
}

static void test_split(void **state)
{
	struct pgtable pt = make(true);
	struct pgtable_leaf leaf;

	(void)state;
	assert_int_equal(pgtable_map(&pt, 0, 4 * GIB, GIB, PGT_R | PGT_W), 0);
	assert_int_equal(pgtable_unmap(&pt, 5 * PAGE_SIZE, PAGE_SIZE), 0);
	assert_int_equal(leaf_size(&pt, 5 * PAGE_SIZE), 0);
	assert_int_equal(pgtable_lookup(&pt, 4 * PAGE_SIZE, &leaf), 0);
	assert_int_equal(leaf.pa, 4 * GIB + 4 * PAGE_SIZE);
	assert_int_equal(leaf.size, PAGE_SIZE);
	assert_int_equal(leaf.flags, PGT_R | PGT_W);
	assert_int_equal(leaf_size(&pt, FRAME_SIZE), FRAME_SIZE);
	assert_int_equal(pgtable_unmap(&pt, 0, GIB), 0);
	assert_int_equal(nr_used(), 0);
	assert_int_equal(root[0], 0);
}

static void test_order(void **state)
{
	struct pgtable pt = make(true);

	(void)state;
	/* Publishing: barrier before the store and after it, no flush. */
	assert_int_equal(pgtable_map(&pt, 0, GIB, GIB, PGT_R), 0);
	assert_string_equal(trace, "DDI");
	/* A live block is broken and flushed before the table is made. */
	traced = 0;
	memset(trace, 0, sizeof(trace));
	assert_int_equal(pgtable_unmap(&pt, 0, FRAME_SIZE), 0);
	assert_int_equal(strncmp(trace, "FDDIF", 5), 0);
}

static void test_attributes(void **state)
{
	struct pgtable pt = make(true);

	(void)state;
	assert_int_equal(pgtable_map(&pt, 0, GIB, GIB, PGT_R | PGT_X), 0);
	assert_int_equal(root[0], GIB | PTE_VALID | PTE_AF | PTE_SH_INNER |
					  PTE_S2_R | 0xf << 2);
	pt = make(true);
	assert_int_equal(pgtable_map(&pt, 0, GIB, GIB,
				     PGT_R | PGT_W | PGT_DEVICE),
			 0);
	assert_int_equal(root[0], GIB | PTE_VALID | PTE_AF | PTE_SH_INNER |
					  PTE_S2_R | PTE_S2_W | PTE_XN |
					  0x1 << 2);
	/* Level 0 has no blocks: 512 GiB of 1 GiB ones. */
	pt = make(false);
	assert_int_equal(pgtable_map(&pt, 0, 0, 512 * GIB, PGT_R), 0);
	assert_int_equal(leaf_size(&pt, 511 * GIB), GIB);
}

#define MODEL_PAGES (4 * 512)

static void test_random(void **state)
{
	struct pgtable pt = make(true);
	static u64 model[MODEL_PAGES]; /* pa + 1 of each page, or 0 */
	unsigned int seed = 7;

	(void)state;
	memset(model, 0, sizeof(model));
	for (unsigned int i = 0; i < 4000; i++) {
		u64 at = (u64)rand_r(&seed) % MODEL_PAGES;
		u64 nr = 1 + (u64)rand_r(&seed) % (MODEL_PAGES - at);
		bool free = true;

		if (rand_r(&seed) & 1) {
			at = align_down(at, 512);
			nr = align_up(nr, 512);
			nr = min(nr, MODEL_PAGES - at);
		}
		if (rand_r(&seed) & 1) {
			for (u64 p = at; p < at + nr; p++)
				free &= !model[p];
			assert_int_equal(pgtable_map(&pt, at * PAGE_SIZE,
						     GIB + at * PAGE_SIZE,
						     nr * PAGE_SIZE, PGT_R),
					 free ? 0 : -EEXIST);
			for (u64 p = at; free && p < at + nr; p++)
				model[p] = GIB + p * PAGE_SIZE + 1;
		} else {
			assert_int_equal(pgtable_unmap(&pt, at * PAGE_SIZE,
						       nr * PAGE_SIZE),
					 0);
			memset(&model[at], 0, nr * sizeof(model[0]));
		}
		for (u64 p = 0; p < MODEL_PAGES; p += 1 + i % 7) {
			struct pgtable_leaf l;
			bool is = !pgtable_lookup(&pt, p * PAGE_SIZE, &l);

			assert_int_equal(is, model[p] != 0);
			if (is)
				assert_int_equal(l.pa + p * PAGE_SIZE - l.va,
						 model[p] - 1);
		}
		allocs_left = NR_TABLES;
	}
	assert_int_equal(pgtable_unmap(&pt, 0, MODEL_PAGES * PAGE_SIZE), 0);
	assert_int_equal(nr_used(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block_sizes),
		cmocka_unit_test(test_concatenated_root),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_exists),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
