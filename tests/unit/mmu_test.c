/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EL2's own map: what each descriptor says, break-before-make with the TLB
 * maintenance and barriers in their order, guard pages, each CPU's windows,
 * the second root for other CPUs, and the reserve of tables, which mapping
 * needs and whose refilling maps.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "cpuhost.h"
#include "stophost.h"
#include <skerry/arch/layout.h>
#include <skerry/cpu.h>
#include <skerry/sections.h>

/* Where the image is linked is where the host has its tables. */
static u64 image_base;
static char *image_last;
#undef EL2_IMAGE_BASE
#define EL2_IMAGE_BASE image_base
#define image_end      image_last

/* The TLB instructions of the file are recorded, with what they are given. */
#define NO_VA (~0UL)
static const u64 a = NO_VA, va = NO_VA;
static void on_asm(const char *text, u64 at_a, u64 at_va);
/* clang-format off */
#define __asm__
#define volatile(...) on_asm(#__VA_ARGS__, a, va)
#include "../../arch/arm64/mmu.c"
#undef volatile
#undef __asm__
/* clang-format on */

#define TABLES	  __attribute__((section(".bss.page_aligned"), aligned(4096)))
#define IMAGE_PA  0x40e00000UL
#define DIRECT	  0x400000000000UL
#define DEVICE	  0x900000000000UL
#define WINDOW	  0xa00000000000UL
#define STACK	  0xb00000000000UL
#define MEM_PA	  0x60000000UL /* for table pages */
#define MEM_SIZE  (64 * PAGE_SIZE)
#define ATTR_MEM  0x40000000000740UL /* XN, AF, inner shareable, RES1, WB */
#define ATTR_DEV  (ATTR_MEM | 4)
#define FLUSH_END "dsb ish\ntlbi vale2is, xzr\ndsb ish\nisb\n"
#define PUBLISH	  "dsb ishst\ndsb ishst\nisb\n"

u64 boot_root[512] TABLES, el2_root[512] TABLES;
static u64 image_tail[512] TABLES;

static struct cpu cpu;
struct cpu *host_this_cpu = &cpu;
static char fresh[sizeof(mmu)];
static u64 nr_pages, max_pages; /* of page_alloc_hyp() */
static u64 stack_pa;
/* The entry that an instruction is for, as it is at that moment. */
static const u64 *watched;
static u64 seen;

STOPS_AS(panic)

static void on_asm(const char *text, u64 at_a, u64 at_va)
{
	note_asm(text, at_a, at_va);
	if (watched)
		seen |= *watched;
}

void *page_alloc_hyp(u64 size)
{
	paddr_t pa = PADDR(MEM_PA + nr_pages * PAGE_SIZE);

	assert_int_equal(size, PAGE_SIZE);
	/* A lock of a lower rank is taken in there. */
	assert_int_equal(mmu.lock.tickets, 0);
	if (nr_pages == max_pages)
		return NULL;
	nr_pages++;
	return mmu_map_direct(pa, size) ? NULL : direct_ptr(pa);
}

int page_alloc(u64 size, u64 align, u64 limit, enum page_state state, u8 owner,
	       paddr_t *pa)
{
	assert_int_equal(size, 3 * PAGE_SIZE);
	assert_int_equal(state, PAGE_HYP);
	assert_int_equal(owner, PAGE_OWNER_NONE);
	*pa = PADDR(stack_pa);
	return stack_pa ? 0 : -ENOMEM;
}

static int group_setup(void **state)
{
	u64 at[] = {(u64)boot_tables, (u64)boot_root, (u64)el2_root,
		    (u64)image_tail};
	u64 last = 0;

	(void)state;
	memcpy(fresh, &mmu, sizeof(mmu));
	image_base = ~0UL;
	for (unsigned int i = 0; i < ARRAY_SIZE(at); i++) {
		image_base = min(image_base, at[i] - PAGE_SIZE);
		last = max(last, at[i] + (i ? PAGE_SIZE : sizeof(boot_tables)));
	}
	image_last = (char *)last;
	return last - image_base > FRAME_SIZE ||
	       mmap(direct_ptr(PADDR(MEM_PA)), MEM_SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		    0) == MAP_FAILED;
}

static int setup(void **state)
{
	(void)state;
	cpu_forget();
	memcpy(&mmu, fresh, sizeof(mmu));
	memset(boot_tables, 0, sizeof(boot_tables));
	memset(boot_root, 0, sizeof(boot_root));
	memset(el2_root, 0, sizeof(el2_root));
	memset(direct_ptr(PADDR(MEM_PA)), 0, MEM_SIZE);
	nr_pages = 0;
	max_pages = MEM_SIZE / PAGE_SIZE;
	stack_pa = 0;
	watched = NULL;
	cpu.id = 0;
	/* As early_map() left them: the image, and one-to-one in one only. */
	el2_root[256] = boot_root[256] = 0x1111003;
	boot_root[0] = 0x2222003;
	mmu_boot(PADDR(IMAGE_PA));
	mmu_init();
	return 0;
}

static int setup_quiet(void **state)
{
	setup(state);
	trace_clear();
	return 0;
}

static u64 pa_of(const void *p)
{
	return (u64)p - image_base + IMAGE_PA;
}

/* The table that a descriptor points to, found without mmu.c. */
static u64 *table_at(u64 pte)
{
	u64 pa = pte & 0xfffffffff000UL;

	assert_int_equal(pte & ~0xfffffffff000UL, 3);
	if (pa >= IMAGE_PA && pa < IMAGE_PA + ((u64)image_last - image_base))
		return (u64 *)(pa - IMAGE_PA + image_base);
	assert_true(pa >= MEM_PA && pa < MEM_PA + MEM_SIZE);
	return (u64 *)(DIRECT + pa);
}

/* The entry of an address in the table of a level; NULL without a table. */
static u64 *entry(u64 *root, u64 at, unsigned int level)
{
	u64 *t = root;

	for (unsigned int l = 0; l < level; l++) {
		u64 pte = t[at >> (39 - 9 * l) & 511];

		if (!pte)
			return NULL;
		t = table_at(pte);
	}
	return &t[at >> (39 - 9 * level) & 511];
}

static u64 page(u64 at)
{
	u64 *pte = entry(el2_root, at, 3);

	return pte ? *pte : 0;
}

static void test_init(void **state)
{
	(void)state;
	/* Tables before what leads to them; then no one-to-one map is left. */
	assert_trace("dsb ishst\nisb\ndsb ishst\nttbr0_el2=%#lx\nisb\n"
		     "tlbi alle2\ndsb nsh\nisb\n",
		     pa_of(el2_root));
	assert_int_equal(el2_root[0], 0);
	assert_int_equal(boot_root[0], 0x2222003);
	assert_int_equal(boot_root[256], 0x1111003);
	for (unsigned int i = 1; i < 512; i++) {
		assert_int_equal(boot_root[i], el2_root[i]);
		assert_int_equal(!el2_root[i], i != 256 && i != 320 && i != 321);
	}
	/* A level-2 table each, for 512 CPUs, empty. */
	for (unsigned int slot = 0; slot < 2; slot++) {
		u64 at = WINDOW + slot * 512 * GIB;

		assert_ptr_equal(entry(el2_root, at, 2), mmu.window_l2[slot]);
		for (unsigned int i = 0; i < 512; i++)
			assert_int_equal(mmu.window_l2[slot][i], 0);
	}
	assert_int_not_equal(el2_root[320], el2_root[321]);
	assert_int_equal(image_pa(boot_root).v, pa_of(boot_root));
}

/* Other CPUs start with what is mapped by then. */
static void test_boot_root(void **state)
{
	(void)state;
	assert_int_equal(mmu_map_direct(PADDR(0x80000000), PAGE_SIZE), 0);
	assert_int_equal(boot_root[128], 0);
	/* What it alone has stays, wherever the image was loaded. */
	boot_root[200] = 0x3333003;
	trace_clear();
	assert_int_equal(mmu_boot_root().v, pa_of(boot_root));
	assert_trace("dsb ishst\n");
	assert_int_equal(boot_root[128], el2_root[128]);
	assert_int_not_equal(boot_root[128], 0);
	assert_int_equal(boot_root[0], 0x2222003);
	assert_int_equal(boot_root[200], 0x3333003);
	assert_int_equal(el2_root[0] | el2_root[200], 0);
}

static void test_map(void **state)
{
	const u64 pa = 0x7fffe000;

	(void)state;
	assert_int_equal(mmu_map_direct(PADDR(pa), 3 * PAGE_SIZE), 0);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(page(DIRECT + pa + i * PAGE_SIZE),
				 (pa + i * PAGE_SIZE) | ATTR_MEM | 3);
	assert_int_equal(page(DIRECT + pa - PAGE_SIZE), 0);
	assert_int_equal(page(DIRECT + pa + 3 * PAGE_SIZE), 0);
	/* Nothing was there, so nothing is forgotten; each store is seen. */
	assert_trace(
		PUBLISH PUBLISH PUBLISH PUBLISH PUBLISH PUBLISH PUBLISH PUBLISH);
	/* The largest blocks. */
	assert_int_equal(mmu_map_direct(PADDR(4 * GIB - FRAME_SIZE),
					GIB + FRAME_SIZE),
			 0);
	assert_int_equal(*entry(el2_root, DIRECT + 4 * GIB - FRAME_SIZE, 2),
			 (4 * GIB - FRAME_SIZE) | ATTR_MEM | 1);
	assert_int_equal(*entry(el2_root, DIRECT + 4 * GIB, 1),
			 4 * GIB | ATTR_MEM | 1);
}

static void test_map_errors(void **state)
{
	const paddr_t pa = PADDR(0x80000000);

	(void)state;
	assert_int_equal(mmu_map_direct(pa, PAGE_SIZE), 0);
	/* A second map would be of memory that is somebody's. */
	assert_int_equal(mmu_map_direct(pa, PAGE_SIZE), -EEXIST);
	assert_int_equal(mmu_map_direct(PADDR(pa.v - FRAME_SIZE),
					FRAME_SIZE + PAGE_SIZE),
			 -EEXIST);
	assert_int_equal(page(DIRECT + pa.v), pa.v | ATTR_MEM | 3);
	assert_int_equal(mmu_map_direct(PADDR(pa.v + 1), PAGE_SIZE), -EINVAL);
	assert_int_equal(mmu_map_direct(PADDR(pa.v + PAGE_SIZE), 0), -EINVAL);
	assert_int_equal(mmu_map_direct(PADDR(BIT(48)), PAGE_SIZE), -EINVAL);
	/* The lock is free again. */
	assert_int_equal(mmu.lock.tickets, 0);
}

static void test_unmap(void **state)
{
	const u64 pa = 0x80000000, at = DIRECT + pa;

	(void)state;
	assert_int_equal(mmu_map_direct(PADDR(pa), 3 * PAGE_SIZE), 0);
	watched = entry(el2_root, at + PAGE_SIZE, 3);
	seen = 0;
	trace_clear();
	mmu_unmap_direct(PADDR(pa + PAGE_SIZE), PAGE_SIZE);
	assert_trace("dsb ishst\ntlbi vae2is, %#lx\n" FLUSH_END,
		     (at + PAGE_SIZE) >> 12);
	/* Broken when the TLBs are told. */
	assert_int_equal(seen, 0);
	assert_int_equal(page(at), pa | ATTR_MEM | 3);
	assert_int_equal(page(at + PAGE_SIZE), 0);
	assert_int_equal(mmu.lock.tickets, 0);
	/* With the last page go the tables, each from the walk caches too. */
	watched = NULL;
	mmu_unmap_direct(PADDR(pa), PAGE_SIZE);
	trace_clear();
	mmu_unmap_direct(PADDR(pa + 2 * PAGE_SIZE), PAGE_SIZE);
	assert_trace("dsb ishst\ntlbi vae2is, %#lx\n" FLUSH_END
		     "dsb ishst\ntlbi alle2is\n" FLUSH_END
		     "dsb ishst\ntlbi alle2is\n" FLUSH_END
		     "dsb ishst\ntlbi alle2is\n" FLUSH_END,
		     (at + 2 * PAGE_SIZE) >> 12);
	assert_int_equal(el2_root[128], 0);
}

/* A block is gone everywhere before its pages take its place. */
static void test_split(void **state)
{
	const u64 pa = 2 * GIB, at = DIRECT + pa;

	(void)state;
	assert_int_equal(mmu_map_direct(PADDR(pa), FRAME_SIZE), 0);
	watched = entry(el2_root, at, 2);
	assert_int_equal(*watched, pa | ATTR_MEM | 1);
	seen = 0;
	trace_clear();
	mmu_unmap_direct(PADDR(pa + PAGE_SIZE), FRAME_SIZE - 2 * PAGE_SIZE);
	assert_non_null(strstr(events, "dsb ishst\ntlbi alle2is\n" FLUSH_END
				       "dsb ishst\ndsb ishst\nisb\n"));
	assert_int_equal(page(at), pa | ATTR_MEM | 3);
	assert_int_equal(page(at + PAGE_SIZE), 0);
	assert_int_equal(page(at + FRAME_SIZE - 2 * PAGE_SIZE), 0);
	assert_int_equal(page(at + FRAME_SIZE - PAGE_SIZE),
			 (pa + FRAME_SIZE - PAGE_SIZE) | ATTR_MEM | 3);
}

/* Page by page up to 64 of them, then all at once. */
static void test_flush_sizes(void **state)
{
	(void)state;
	for (u64 n = 1; n <= 66; n++) {
		u64 at = DEVICE + n * FRAME_SIZE - 5 * PAGE_SIZE;
		char *p = events;

		trace_clear();
		tlb_flush(&mmu.pt, at, n * PAGE_SIZE);
		if (n > 64) {
			assert_trace("dsb ishst\ntlbi alle2is\n" FLUSH_END);
			continue;
		}
		assert_memory_equal(p, "dsb ishst\n", 10);
		p += 10;
		for (u64 i = 0; i < n; i++) {
			char line[40];

			snprintf(line, sizeof(line), "tlbi vae2is, %#lx\n",
				 (at >> 12) + i);
			assert_memory_equal(p, line, strlen(line));
			p += strlen(line);
		}
		assert_string_equal(p, FLUSH_END);
	}
}

static void test_unmap_broken(void **state)
{
	(void)state;
	assert_int_equal(mmu_map_direct(PADDR(2 * GIB), FRAME_SIZE), 0);
	/* No table to split the block with, and none to be had. */
	mmu.nr_reserve = 0;
	may_stop = true;
	if (!setjmp(stopped)) {
		mmu_unmap_direct(PADDR(2 * GIB), PAGE_SIZE);
		fail_msg("came back");
	}
	assert_non_null(strstr(why, "check(!pgtable_unmap("));
}

static void test_devices(void **state)
{
	(void)state;
	/* From the middle of a page into the next one. */
	assert_ptr_equal(mmu_map_device(PADDR(0x9000ffc), 8), DEVICE + 0xffc);
	assert_int_equal(page(DEVICE), 0x9000000 | ATTR_DEV | 3);
	assert_int_equal(page(DEVICE + PAGE_SIZE), 0x9001000 | ATTR_DEV | 3);
	assert_int_equal(page(DEVICE + 2 * PAGE_SIZE), 0);
	/* A page that faults, then the next device. */
	assert_ptr_equal(mmu_map_device(PADDR(0x8000000), 0x10000),
			 DEVICE + 3 * PAGE_SIZE);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(page(DEVICE + (3 + i) * PAGE_SIZE),
				 (0x8000000 + i * PAGE_SIZE) | ATTR_DEV | 3);
	assert_int_equal(page(DEVICE + 19 * PAGE_SIZE), 0);
	assert_ptr_equal(mmu_map_device(PADDR(0x9000fff), 1),
			 DEVICE + 20 * PAGE_SIZE + 0xfff);
	assert_int_equal(page(DEVICE + 21 * PAGE_SIZE), 0);
	/* The same device once more is no error: another address. */
	assert_ptr_equal(mmu_map_device(PADDR(0x9000000), PAGE_SIZE),
			 DEVICE + 22 * PAGE_SIZE);
}

static void test_no_tables(void **state)
{
	(void)state;
	mmu.nr_reserve = 0;
	max_pages = 0;
	assert_stops(mmu_map_device(PADDR(0x9000123), 4),
		     "panic: no tables to map the device at 0x9000123");
	assert_int_equal(mmu_map_direct(PADDR(GIB), PAGE_SIZE), -ENOMEM);
	assert_int_equal(mmu.lock.tickets, 0);
	assert_int_equal(el2_root[128], 0);
	stack_pa = 0x70000000;
	assert_stops(mmu_alloc_stack(2),
		     "panic: no tables for the stack of CPU 2");
	stack_pa = 0;
	assert_stops(mmu_alloc_stack(3),
		     "panic: no memory for the stack of CPU 3");
}

static void test_stacks(void **state)
{
	(void)state;
	for (unsigned int i = 0; i <= CONFIG_NR_CPUS; i++) {
		u64 low = STACK + i * 0x10000 + PAGE_SIZE, top;

		stack_pa = 0x70000000 + i * 0x3000;
		top = mmu_alloc_stack(i);
		assert_int_equal(top, low + 0x3000);
		/* An overflow faults, and so does what runs off the top. */
		assert_int_equal(page(low - PAGE_SIZE), 0);
		for (unsigned int n = 0; n < 3; n++)
			assert_int_equal(page(low + n * PAGE_SIZE),
					 (stack_pa + n * PAGE_SIZE) | ATTR_MEM |
						 3);
		assert_int_equal(page(top), 0);
	}
}

/* A window's entry before each instruction that is about it. */
static void test_windows(void **state)
{
	static const unsigned int ids[] = {0, 1, CONFIG_NR_CPUS - 1};

	(void)state;
	for (unsigned int n = 0; n < 6; n++) {
		unsigned int id = ids[n / 2], slot = n & 1;
		u64 at = WINDOW + slot * 512 * GIB + id * FRAME_SIZE;
		const u64 *pte = entry(el2_root, at, 2);
		char open[100], close[100];

		cpu.id = id;
		snprintf(open, sizeof(open),
			 "dsb nshst\ntlbi vae2, %#lx\ndsb nsh\n"
			 "dsb nshst\nisb\n",
			 at >> 12);
		strcpy(close, open);
		trace_clear();
		watched = pte;
		assert_ptr_equal(mmu_window(slot, PADDR(0x12345678abc)),
				 at + 0x78abc);
		assert_trace("%s", open);
		assert_int_equal(*pte, 0x12345600000 | ATTR_MEM | 1);
		/* Another frame at once: the old one is broken first. */
		seen = 0;
		assert_ptr_equal(mmu_window(slot, PADDR(3 * FRAME_SIZE - 1)),
				 at + FRAME_SIZE - 1);
		assert_trace("%s", open);
		assert_int_equal(seen, 0);
		assert_int_equal(*pte, 2 * FRAME_SIZE | ATTR_MEM | 1);
		mmu_window_close(slot);
		assert_trace("%s", close);
		assert_int_equal(seen, 0);
		assert_int_equal(*pte, 0);
		mmu_window(slot, PADDR(n * FRAME_SIZE));
	}
	/* They were all of their own. */
	for (unsigned int slot = 0; slot < 2; slot++)
		for (unsigned int i = 0; i < 512; i++) {
			unsigned int k = i == 0 ? 0 : i == 1 ? 1 : 2;
			u64 pte = (2 * k + slot) * FRAME_SIZE | ATTR_MEM | 1;

			assert_int_equal(mmu.window_l2[slot][i],
					 i == ids[k] ? pte : 0);
		}
}

/* Walks find tables in the image and in the frame that it ends in. */
static void test_table_addresses(void **state)
{
	u64 end = IMAGE_PA + ((u64)image_last - image_base);

	(void)state;
	assert_ptr_equal(table_virt(NULL, IMAGE_PA), image_base);
	assert_ptr_equal(table_virt(NULL, end - PAGE_SIZE),
			 image_last - PAGE_SIZE);
	assert_ptr_equal(table_virt(NULL, end), DIRECT + end);
	assert_ptr_equal(table_virt(NULL, IMAGE_PA - PAGE_SIZE),
			 DIRECT + IMAGE_PA - PAGE_SIZE);
	assert_ptr_equal(table_virt(NULL, IMAGE_PA + FRAME_SIZE),
			 DIRECT + IMAGE_PA + FRAME_SIZE);
	assert_int_equal(table_phys(NULL, (u64 *)(DIRECT + end)), end);
	assert_int_equal(table_phys(NULL, boot_tables[7]),
			 pa_of(boot_tables[7]));
}

/*
 * The hungriest calls there are, one after the other: the reserve is refilled
 * before it is empty, by pages that need tables to be mapped themselves.
 */
static void test_refill(void **state)
{
	(void)state;
	for (u64 i = 0; i < 16; i++) {
		/* No table in common but the root's. */
		u64 pa = (i + 1) * 512 * GIB;

		assert_int_equal(mmu_map_direct(PADDR(pa), PAGE_SIZE), 0);
		assert_int_equal(page(DIRECT + pa), pa | ATTR_MEM | 3);
		assert_true(mmu.nr_reserve >= 3);
		assert_false(mmu.refilling);
	}
	/* 3 tables each; 20 at first, 4 for windows, some for the new ones. */
	assert_true(nr_pages >= 16 * 3 - 16 && nr_pages <= 16 * 3);
	/* Nothing is given twice. */
	for (unsigned int i = 0; i < mmu.nr_reserve; i++) {
		for (unsigned int n = 0; n < 512; n++)
			assert_int_equal(mmu.reserve[i][n], 0);
		for (unsigned int k = 0; k < i; k++)
			assert_ptr_not_equal(mmu.reserve[i], mmu.reserve[k]);
	}
}

static void test_refill_level(void **state)
{
	(void)state;
	/* Above the mark it is left alone. */
	assert_int_equal(mmu_map_direct(PADDR(MEM_PA - PAGE_SIZE), PAGE_SIZE),
			 0);
	assert_int_equal(nr_pages, 0);
	mmu.nr_reserve = 5;
	assert_int_equal(mmu_map_direct(PADDR(MEM_PA - 2 * PAGE_SIZE), PAGE_SIZE),
			 0);
	/* One table for the frame of the new ones. */
	assert_int_equal(mmu.nr_reserve, 8);
	assert_int_equal(nr_pages, 4);
	/* No memory: it goes on with what there is. */
	max_pages = nr_pages;
	mmu.nr_reserve = 2;
	assert_int_equal(mmu_map_direct(PADDR(MEM_PA - 3 * PAGE_SIZE), PAGE_SIZE),
			 0);
	assert_int_equal(mmu.nr_reserve, 2);
	assert_false(mmu.refilling);
}

/* More tables come back than there is room for. */
static void test_full_reserve(void **state)
{
	(void)state;
	mmu.nr_reserve = ARRAY_SIZE(mmu.reserve) - 1;
	table_free(NULL, boot_tables[0]);
	table_free(NULL, boot_tables[1]);
	assert_int_equal(mmu.nr_reserve, ARRAY_SIZE(mmu.reserve));
	assert_ptr_equal(table_alloc(NULL), boot_tables[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_init, setup),
		cmocka_unit_test_setup(test_boot_root, setup_quiet),
		cmocka_unit_test_setup(test_map, setup_quiet),
		cmocka_unit_test_setup(test_map_errors, setup_quiet),
		cmocka_unit_test_setup(test_unmap, setup_quiet),
		cmocka_unit_test_setup(test_split, setup_quiet),
		cmocka_unit_test_setup(test_flush_sizes, setup_quiet),
		cmocka_unit_test_setup(test_unmap_broken, setup_quiet),
		cmocka_unit_test_setup(test_devices, setup_quiet),
		cmocka_unit_test_setup(test_no_tables, setup_quiet),
		cmocka_unit_test_setup(test_stacks, setup_quiet),
		cmocka_unit_test_setup(test_windows, setup_quiet),
		cmocka_unit_test_setup(test_table_addresses, setup_quiet),
		cmocka_unit_test_setup(test_refill, setup_quiet),
		cmocka_unit_test_setup(test_refill_level, setup_quiet),
		cmocka_unit_test_setup(test_full_reserve, setup_quiet),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
