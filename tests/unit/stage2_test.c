/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage 2 of a domain: its registers, its errors, the order of TLB maintenance
 * and that it is done for the right VMID before tables go back to the pool;
 * and set/way maintenance: all RAM written back once, in bounded steps, after
 * each switch of the guest's caches.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "memhost.h"
#include <skerry/arch/pgtable.h>
#include <skerry/arch/stage2.h>
#include <skerry/domain.h>
#include <skerry/error.h>
#include <skerry/pool.h>

/* The TLB instructions of the file are recorded by their text. */
static void on_asm(const char *text);
/* clang-format off */
#define __asm__
#define volatile(...) on_asm(#__VA_ARGS__)
#include "../../arch/arm64/stage2.c"
#undef volatile
#undef __asm__
/* clang-format on */

#define POOL_BASE  (2 * GIB)
#define POOL_SIZE  (64 * KIB)
#define OLD_VTTBR  0x77000000abcd0000UL
#define OTHER_HCR  (HCR_VM | HCR_RW | HCR_TSW | HCR_TSC)
#define STEP	   (64 * KIB)
#define MAX_EVENTS 4096
#define CACHES	   (SCTLR_M | SCTLR_C)

static struct event {
	char what[32];
	u64 val;
} events[MAX_EVENTS];
static unsigned int nr_events;

static u64 mmfr0, vttbr, vtcr, hcr, sctlr, tcr;
static unsigned int version; /* of the GIC */
static struct pool pool;
static struct stage2 s2;
static void (*at_tlbi)(void);

static struct domain d;
static struct vcpu v;
static u8 *flushed; /* per line of memory */
static u64 step_lines, step_from, step_to;

static void note(const char *what, u64 val)
{
	assert_true(nr_events < MAX_EVENTS);
	assert_true(strlen(what) < sizeof(events[0].what));
	strcpy(events[nr_events].what, what);
	events[nr_events++].val = val;
}

/* What is long is done while the worker may be preempted, TLBIs are not. */
static bool preempt;
static u64 nr_freed; /* tables, meanwhile */

bool work_preempt(bool on)
{
	bool was = preempt;

	assert_true(on != was);
	nr_freed = pool.nr_free - (on ? 0 : nr_freed);
	preempt = on;
	return was;
}

static void on_asm(const char *text)
{
	char op[32] = "";

	assert_int_equal(sscanf(text, "\"%31[^\"]\"", op), 1);
	/* None of them may lose its order to the compiler. */
	assert_non_null(strstr(text, "::: \"memory\""));
	note(op, vttbr);
	assert_false(preempt);
	if (at_tlbi && !strcmp(op, "tlbi vmalls12e1is"))
		at_tlbi();
}

static void on_op(const char *op, u64 pa)
{
	if (strcmp(op, "civac")) {
		note(op, 0);
		return;
	}
	assert_int_equal(flushed[(pa - PA_BASE) / 64]++, 0);
	step_from = step_lines++ ? min(step_from, pa) : pa;
	step_to = max(step_to, pa);
}

u64 host_sysreg_read(const char *name)
{
	if (!strcmp(name, "ctr_el0"))
		return field_prep(BITS(19, 16), 4UL);
	if (!strcmp(name, "id_aa64mmfr0_el1"))
		return mmfr0;
	if (!strcmp(name, "vttbr_el2"))
		return vttbr;
	if (!strcmp(name, "sctlr_el1"))
		return sctlr;
	assert_string_equal(name, "hcr_el2");
	return hcr;
}

void host_sysreg_write(const char *name, u64 val)
{
	note(name, val);
	if (!strcmp(name, "vttbr_el2"))
		vttbr = val;
	else if (!strcmp(name, "hcr_el2"))
		hcr = val;
	else if (!strcmp(name, "vtcr_el2"))
		vtcr = val;
	else if (!strcmp(name, "tcr_el1"))
		tcr = val;
	else if (!strcmp(name, "sctlr_el1"))
		sctlr = val;
	else
		fail_msg("%s written", name);
}

unsigned int gic_version(void)
{
	return version;
}
/* Of what is the image's; a table's address has no other bits. */
paddr_t image_pa(const void *sym)
{
	return PADDR((u64)sym & BITS(47, 12));
}
/* Not one after the other, as on boards that repeat them. */
paddr_t gic_guest_frame(unsigned int n)
{
	return PADDR(0x20846000 + n * 0x10000UL);
}

static int group_setup(void **state)
{
	flushed = mmap(NULL, PA_SIZE / 64, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (flushed == MAP_FAILED ||
	    mmap(direct_ptr(PADDR(POOL_BASE)), POOL_SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		 0) == MAP_FAILED)
		return -1;
	return reserve_memory(state);
}

static void forget_flushes(void)
{
	assert_int_equal(madvise(flushed, PA_SIZE / 64, MADV_DONTNEED), 0);
}

static int setup(void **state)
{
	(void)state;
	forget_memory();
	forget_flushes();
	mem_trace = on_op;
	at_tlbi = NULL;
	nr_events = 0;
	/* All fields but PARange (40 bits) are of no interest. */
	mmfr0 = 0xfffffff0 | 2;
	vttbr = OLD_VTTBR;
	hcr = OTHER_HCR;
	sctlr = tcr = 0;
	version = 3;
	memset(direct_ptr(PADDR(POOL_BASE)), 0, POOL_SIZE);
	memset(&s2, 0, sizeof(s2));
	pool_init(&pool, direct_ptr(PADDR(POOL_BASE)), POOL_SIZE);
	memset(&d, 0, sizeof(d));
	memset(&v, 0, sizeof(v));
	v.domain = &d;
	return 0;
}

static void start(u8 vmid)
{
	assert_int_equal(stage2_init(&s2, &pool, vmid), 0);
	nr_events = 0;
}

static bool is_event(unsigned int i, const char *what, u64 val)
{
	return i < nr_events && !strcmp(events[i].what, what) &&
	       events[i].val == val;
}

/* One flush of a VMID from event i on (Arm ARM D8.14.5, K13.5); its end. */
static unsigned int assert_flush(unsigned int i, u64 of)
{
	/* Stores to tables first, then the VMID for the TLBI. */
	assert_true(is_event(i, "dsb ishst", 0));
	assert_true(is_event(i + 1, "vttbr_el2", of));
	assert_true(is_event(i + 2, "isb", 0));
	assert_true(is_event(i + 3, "tlbi vmalls12e1is", of));
	assert_true(is_event(i + 4, "dsb ish", 0));
	/* Errata: once more, and waited for. */
	assert_true(is_event(i + 5, "tlbi vale2is, xzr", of));
	assert_true(is_event(i + 6, "dsb ish", 0));
	assert_true(is_event(i + 7, "vttbr_el2", OLD_VTTBR));
	assert_true(is_event(i + 8, "isb", 0));
	return i + 9;
}

static void test_registers(void **state)
{
	static const u8 bits[16] = {32, 36, 40, 42, 44, 48, 48, 48,
				    48, 48, 48, 48, 48, 48, 48, 48};

	(void)state;
	for (u64 r = 0; r < 16; r++) {
		u64 ipa = min((u64)bits[r], 40UL);

		nr_events = 0;
		mmfr0 = 0x1122334455667780UL | r;
		assert_int_equal(stage2_ipa_bits(), ipa);
		stage2_init_cpu();
		assert_int_equal(nr_events, 8);
		assert_true(is_event(0, "vtcr_el2", vtcr));
		assert_true(is_event(1, "isb", 0));
		/* Its stage 2 is nobody's from the start. */
		assert_int_equal(vttbr, image_pa(nobody).v);
		assert_int_equal(vtcr & BITS(5, 0), 64 - ipa);
		assert_int_equal(field_get(BITS(7, 6), vtcr), 1);
		/* Write-back, inner shareable, 4 KiB */
		assert_int_equal(field_get(BITS(15, 8), vtcr), 0x35);
		assert_int_equal(field_get(BITS(18, 16), vtcr), min(r, 5UL));
		assert_int_equal(vtcr >> 19, BIT(31 - 19));
	}
}

static void test_init(void **state)
{
	static const unsigned int bits[] = {32, 36, 40, 40};

	(void)state;
	for (unsigned int r = 0; r < 4; r++)
		for (unsigned int vmid = 1; vmid < 256; vmid += 127) {
			u64 root, size = r >= 2 ? 2 * PAGE_SIZE : PAGE_SIZE;

			setup(NULL);
			mmfr0 = r;
			/* Something is carved from the pool already. */
			pool_alloc(&pool, 100, 8);
			assert_int_equal(stage2_init(&s2, &pool, (u8)vmid), 0);
			root = direct_pa(s2.pt.root).v;
			assert_true(is_aligned(root, size));
			assert_true(root >= POOL_BASE &&
				    root + size <= POOL_BASE + pool.used);
			assert_int_equal(s2.vttbr, root | (u64)vmid << 48);
			assert_int_equal(s2.vttbr >> 48, vmid);
			assert_int_equal(s2.pt.va_bits, bits[r]);
			/* What an earlier owner of the VMID left goes. */
			assert_int_equal(assert_flush(0, s2.vttbr), nr_events);
			assert_int_equal(vttbr, OLD_VTTBR);
		}
}

static void test_no_root(void **state)
{
	(void)state;
	pool.size = 2 * PAGE_SIZE - 1;
	assert_int_equal(stage2_init(&s2, &pool, 5), -ENOMEM);
	assert_int_equal(nr_events, 0);
	/* Such a domain can be ended. */
	stage2_exit(&s2);
	assert_int_equal(nr_events, 0);
}

static void test_map_errors(void **state)
{
	struct pgtable_leaf leaf;
	const ipa_t at = IPA(GIB), out = IPA(BIT(40)), far = IPA(~0UL << 12);

	(void)state;
	start(1);
	assert_int_equal(stage2_map(&s2, at, PADDR(GIB), PAGE_SIZE, PGT_R), 0);
	assert_int_equal(stage2_map(&s2, at, PADDR(GIB), PAGE_SIZE, PGT_R),
			 -EEXIST);
	assert_int_equal(stage2_map(&s2, IPA(at.v + 1), PADDR(0), PAGE_SIZE, 0),
			 -EINVAL);
	assert_int_equal(stage2_map(&s2, at, PADDR(0), 0, PGT_R), -EINVAL);
	/* Beyond the IPA size: neither mapped nor found nor wrapped. */
	assert_int_equal(stage2_map(&s2, out, PADDR(0), PAGE_SIZE, PGT_R),
			 -EINVAL);
	assert_int_equal(stage2_map(&s2, IPA(out.v - PAGE_SIZE), PADDR(0),
				    2 * PAGE_SIZE, PGT_R),
			 -EINVAL);
	assert_int_equal(stage2_map(&s2, far, PADDR(0), PAGE_SIZE, PGT_R),
			 -EINVAL);
	assert_int_equal(stage2_lookup(&s2, IPA(out.v + at.v), &leaf), -ENOENT);
	assert_int_equal(stage2_lookup(&s2, far, &leaf), -ENOENT);
	assert_int_equal(pgtable_unmap(&s2.pt, far.v, PAGE_SIZE), -EINVAL);
	assert_int_equal(stage2_lookup(&s2, IPA(at.v + PAGE_SIZE), &leaf),
			 -ENOENT);
	assert_int_equal(stage2_lookup(&s2, IPA(at.v + 0xabc), &leaf), 0);
	assert_true(leaf.va == at.v && leaf.pa == GIB &&
		    leaf.size == PAGE_SIZE && leaf.flags == PGT_R);
	/* With fewer bits the limit is lower. */
	setup(NULL);
	mmfr0 = 0;
	start(1);
	assert_int_equal(stage2_map(&s2, IPA(BIT(32)), PADDR(0), PAGE_SIZE, 0),
			 -EINVAL);
	assert_int_equal(stage2_map(&s2, IPA(3 * GIB), PADDR(GIB), GIB, PGT_R),
			 0);
	assert_int_equal(stage2_lookup(&s2, IPA(BIT(32) - 1), &leaf), 0);
	assert_int_equal(stage2_lookup(&s2, IPA(BIT(32)), &leaf), -ENOENT);
	assert_int_equal(stage2_lookup(&s2, IPA(BIT(34) + 3 * GIB), &leaf),
			 -ENOENT);
}

/* The pool runs dry at each table: all or nothing, and nothing is lost. */
static void test_no_tables(void **state)
{
	struct pgtable_leaf leaf;
	int err = -ENOMEM;

	(void)state;
	for (u64 pages = 2; err; pages++) {
		u64 size = 2 * PAGE_SIZE;

		setup(NULL);
		pool.size = pages * PAGE_SIZE;
		start(3);
		err = stage2_map(&s2, IPA(GIB - PAGE_SIZE), PADDR(0), size,
				 PGT_R);
		assert_int_equal(err, pages < 6 ? -ENOMEM : 0);
		if (!err)
			break;
		assert_int_equal(stage2_lookup(&s2, IPA(GIB), &leaf), -ENOENT);
		assert_int_equal(stage2_lookup(&s2, IPA(GIB - 1), &leaf),
				 -ENOENT);
		/* Every table is free again. */
		assert_int_equal(pool.nr_free, pages - 2);
		/* A block needs none. */
		assert_int_equal(stage2_map(&s2, IPA(0), PADDR(0), GIB, PGT_R),
				 0);
	}
}

static void unmapped_by_now(void)
{
	struct pgtable_leaf leaf;

	assert_int_equal(stage2_lookup(&s2, IPA(GIB), &leaf), -ENOENT);
	/* And no table is anyone else's before the TLBs forgot it. */
	assert_true(pool.nr_free < 2);
}

static void test_unmap(void **state)
{
	unsigned int i = 0;

	(void)state;
	start(9);
	assert_int_equal(stage2_map(&s2, IPA(GIB), PADDR(GIB), PAGE_SIZE, PGT_R),
			 0);
	/* Nothing was there, so nothing has to be forgotten. */
	for (i = 0; i < nr_events; i++)
		assert_null(strstr(events[i].what, "tlbi"));
	nr_events = 0;
	at_tlbi = unmapped_by_now;
	assert_int_equal(pgtable_unmap(&s2.pt, GIB, PAGE_SIZE), 0);
	/* The page, then each of two tables that became empty. */
	for (i = 0; i < nr_events;)
		i = assert_flush(i, s2.vttbr);
	assert_int_equal(nr_events, 3 * 9);
	assert_int_equal(vttbr, OLD_VTTBR);
	assert_int_equal(pool.nr_free, 2);
}

static void still_mapped(void)
{
	struct pgtable_leaf leaf;

	assert_int_equal(stage2_lookup(&s2, IPA(GIB), &leaf), 0);
	assert_int_equal(pool.nr_free, 0);
}

static void test_exit(void **state)
{
	(void)state;
	start(200);
	assert_int_equal(stage2_map(&s2, IPA(GIB), PADDR(GIB), PAGE_SIZE, PGT_R),
			 0);
	nr_events = 0;
	/* First the VMID is flushed, then its tables may be others'. */
	at_tlbi = still_mapped;
	stage2_exit(&s2);
	assert_int_equal(assert_flush(0, s2.vttbr), nr_events);
	assert_int_equal(pool.nr_free, 2);
	assert_int_equal(nr_freed, 2);
	assert_false(preempt);
	assert_null(s2.pt.root);
	nr_events = 0;
	stage2_exit(&s2);
	assert_int_equal(nr_events, 0);
	assert_int_equal(pool.nr_free, 2);
}

/* --- as a part of a domain; the CPU without one --------------------------- */

static int part_init(unsigned int gic, u8 id)
{
	version = gic;
	d.id = id;
	pool_init(&d.pool, direct_ptr(PADDR(POOL_BASE)), POOL_SIZE);
	return stage2_part.domain_init(&d, NULL);
}

static void test_part(void **state)
{
	struct pgtable_leaf leaf;

	(void)state;
	assert_int_equal(part_init(3, 9), 0);
	assert_int_equal(d.s2.vttbr >> 48, 9);
	assert_int_not_equal(stage2_lookup(&d.s2, IPA(GUEST_GICC_BASE), &leaf),
			     0);
	stage2_part.domain_exit(&d);
	assert_null(d.s2.pt.root);
	/* Twice is once; and of one that was never initialised. */
	nr_events = 0;
	stage2_part.domain_exit(&d);
	memset(&d, 0, sizeof(d));
	stage2_part.domain_exit(&d);
	assert_int_equal(nr_events, 0);
}

/* Each guest of a GICv2 gets GICV's pages, as a device, or has none. */
static void test_gicv(void **state)
{
	struct pgtable_leaf leaf;

	(void)state;
	assert_int_equal(part_init(2, 1), 0);
	for (unsigned int n = 0; n < 2; n++) {
		u64 ipa = GUEST_GICC_BASE + n * PAGE_SIZE;

		assert_int_equal(stage2_lookup(&d.s2, IPA(ipa), &leaf), 0);
		assert_int_equal(leaf.va, ipa);
		assert_int_equal(leaf.size, PAGE_SIZE);
		assert_int_equal(leaf.pa, 0x20846000 + n * 0x10000);
		assert_int_equal(leaf.flags, PGT_R | PGT_W | PGT_DEVICE);
	}
	assert_int_not_equal(stage2_lookup(&d.s2,
					   IPA(GUEST_GICC_BASE + 2 * PAGE_SIZE),
					   &leaf),
			     0);
	stage2_part.domain_exit(&d);
	/* Without a page for the tables above it. */
	setup(NULL);
	pool_init(&d.pool, direct_ptr(PADDR(POOL_BASE)), 2 * PAGE_SIZE);
	version = 2;
	d.id = 1;
	assert_int_equal(stage2_part.domain_init(&d, NULL), -ENOMEM);
	stage2_part.domain_exit(&d);
	setup(NULL);
	pool_init(&d.pool, direct_ptr(PADDR(POOL_BASE)), 0);
	assert_int_equal(stage2_part.domain_init(&d, NULL), -ENOMEM);
}

/* No walk begins with one half of each; then nothing is mapped for anybody. */
static void test_leave(void **state)
{
	(void)state;
	stage2_leave();
	assert_true(is_event(0, "tcr_el1", TCR_EPD0 | TCR_EPD1));
	assert_true(is_event(1, "isb", 0));
	/* Where EPD counts. */
	assert_true(is_event(2, "sctlr_el1", SCTLR_EL1_RESET | SCTLR_M));
	assert_true(is_event(3, "isb", 0));
	assert_true(is_event(4, "vttbr_el2", image_pa(nobody).v));
	assert_true(is_event(5, "isb", 0));
	assert_int_equal(nr_events, 6);
	assert_int_equal(vttbr >> 48, 0);
	/* Concatenated, as VTCR_EL2 has it, and empty. */
	assert_true(is_aligned((u64)nobody, 2 * PAGE_SIZE));
	assert_int_equal(sizeof(nobody), 2 * PAGE_SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(nobody); i++)
		assert_int_equal(nobody[i], 0);
}

static void add_ram(u64 pa, u64 size)
{
	d.home.ram[d.home.nr_ram++] = (struct domain_ram){
		.ipa = IPA(GIB + d.memory), .pa = PADDR(pa), .size = size};
	d.memory += size;
}

/* The guest's CPU writes everywhere; memory has none of it. */
static void dirty(u8 val)
{
	for (unsigned int i = 0; i < d.home.nr_ram; i++) {
		memset(host_byte(mem, d.home.ram[i].pa.v - 64), val,
		       d.home.ram[i].size + 128);
		memset(host_byte(poc, d.home.ram[i].pa.v - 64), 0,
		       d.home.ram[i].size + 128);
	}
	forget_flushes();
}

/* Each line once; not one of a neighbour's. */
static void assert_all_flushed(void)
{
	for (unsigned int i = 0; i < d.home.nr_ram; i++) {
		u64 pa = d.home.ram[i].pa.v, size = d.home.ram[i].size;

		for (u64 n = 0; n < size; n += 64)
			assert_int_equal(flushed[(pa + n - PA_BASE) / 64], 1);
		assert_int_equal(flushed[(pa - 64 - PA_BASE) / 64], 0);
		assert_int_equal(flushed[(pa + size - PA_BASE) / 64], 0);
		assert_memory_equal(host_byte(poc, pa), host_byte(mem, pa),
				    size);
	}
}

/* A set/way instruction, executed until it is done; the steps it took. */
static unsigned int set_way(void)
{
	unsigned int n;

	for (n = 0;; n++) {
		bool done;

		step_lines = step_from = step_to = 0;
		done = stage2_flush_step(&v);
		assert_windows_closed();
		if (done) {
			assert_int_equal(step_lines, 0);
			return n;
		}
		/* Progress, and no more than the time of one step. */
		assert_true(step_lines && step_lines <= STEP / 64);
		assert_int_equal(step_from / STEP, step_to / STEP);
		assert_true(n < d.memory / PAGE_SIZE);
	}
}

static void test_flush(void **state)
{
	(void)state;
	add_ram(PA_BASE + FRAME_SIZE, 2 * FRAME_SIZE);
	add_ram(PA_BASE + 5 * FRAME_SIZE + PAGE_SIZE, PAGE_SIZE);
	add_ram(PA_BASE + 8 * FRAME_SIZE - 3 * PAGE_SIZE, 5 * PAGE_SIZE);
	add_ram(PA_BASE + 10 * FRAME_SIZE + STEP - PAGE_SIZE, STEP);
	dirty(1);
	assert_int_equal(set_way(), 64 + 1 + 2 + 2);
	assert_all_flushed();
	/* From now on a switch of the caches is seen; all else is kept. */
	assert_int_equal(hcr, OTHER_HCR | HCR_TVM);
	/* A loop over sets and ways costs this once. */
	nr_events = 0;
	for (unsigned int i = 0; i < 4096; i++)
		assert_int_equal(set_way(), 0);
	assert_int_equal(nr_events, 0);
	assert_all_flushed();
}

/* The trap is not set before all is written back. */
static void test_flush_resumed(void **state)
{
	(void)state;
	add_ram(PA_BASE + FRAME_SIZE, FRAME_SIZE);
	add_ram(PA_BASE + 3 * FRAME_SIZE, FRAME_SIZE);
	dirty(2);
	for (unsigned int i = 0; i < 64; i++) {
		assert_int_equal(hcr, OTHER_HCR);
		assert_int_equal(v.flush_pos, i * STEP);
		assert_false(stage2_flush_step(&v));
	}
	assert_false(v.flush_done);
	assert_true(stage2_flush_step(&v));
	assert_all_flushed();
	assert_int_equal(hcr, OTHER_HCR | HCR_TVM);
	assert_int_equal(v.flush_pos, 0);
}

static void test_no_ram(void **state)
{
	(void)state;
	assert_int_equal(set_way(), 0);
	assert_true(stage2_flush_step(&v));
}

/* As sysregs.c handles the trap; without TVM nobody sees the write. */
static void write_sctlr(u64 val)
{
	sctlr = val;
	if (hcr & HCR_TVM)
		stage2_cache_toggle(&v, (val & CACHES) == CACHES);
}

static void test_toggle(void **state)
{
	(void)state;
	add_ram(PA_BASE + FRAME_SIZE, STEP);
	dirty(1);
	assert_int_equal(set_way(), 1);
	/* No switch: the same state written again. */
	write_sctlr(SCTLR_I);
	assert_int_equal(set_way(), 0);
	assert_true(hcr & HCR_TVM);
	/* On: not watched any more, at full speed. */
	write_sctlr(CACHES);
	assert_int_equal(hcr, OTHER_HCR);
	dirty(2);
	assert_int_equal(set_way(), 1);
	assert_all_flushed();
	assert_int_equal(hcr, OTHER_HCR | HCR_TVM);
	/* Off, seen. */
	write_sctlr(0);
	assert_int_equal(hcr, OTHER_HCR | HCR_TVM);
	dirty(3);
	assert_int_equal(set_way(), 1);
	assert_all_flushed();
}

/* Caches on since before anyone watched: off is a switch all the same. */
static void test_unseen_on(void **state)
{
	(void)state;
	add_ram(PA_BASE + FRAME_SIZE, STEP);
	write_sctlr(CACHES);
	dirty(1);
	assert_int_equal(set_way(), 1);
	write_sctlr(0);
	dirty(2);
	assert_int_equal(set_way(), 1);
	assert_all_flushed();
}

/*
 * A boot loader: invalidates, switches on; off, cleans, starts a kernel, which
 * must not be trapped at each switch of its address spaces for ever.
 */
static void test_unseen_off(void **state)
{
	(void)state;
	add_ram(PA_BASE + FRAME_SIZE, STEP);
	assert_int_equal(set_way(), 1);
	write_sctlr(CACHES);
	assert_int_equal(hcr, OTHER_HCR);
	write_sctlr(0);
	dirty(1);
	assert_int_equal(set_way(), 1);
	assert_all_flushed();
	write_sctlr(CACHES);
	assert_int_equal(hcr, OTHER_HCR);
	dirty(2);
	assert_int_equal(set_way(), 1);
	assert_all_flushed();
}

/* The first set/way operation after any switch writes all RAM back. */
static void test_random(void **state)
{
	unsigned int seed = 5;
	bool due = true;

	(void)state;
	add_ram(PA_BASE + FRAME_SIZE, PAGE_SIZE);
	add_ram(PA_BASE + 3 * FRAME_SIZE, PAGE_SIZE);
	for (unsigned int i = 0; i < 3000; i++) {
		u64 val = (u64)(rand_r(&seed) >> 8 & 0x1005);

		nr_events = 0;
		if (rand_r(&seed) & 64) {
			due |= ((val & CACHES) == CACHES) !=
			       ((sctlr & CACHES) == CACHES);
			write_sctlr(val);
			/* With the caches on again nothing is watched. */
			if (due && (val & CACHES) == CACHES)
				assert_int_equal(hcr, OTHER_HCR);
			continue;
		}
		dirty((u8)(1 + i % 255));
		set_way();
		if (due)
			assert_all_flushed();
		due = false;
		assert_int_equal(hcr, OTHER_HCR | HCR_TVM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_registers, setup),
		cmocka_unit_test_setup(test_init, setup),
		cmocka_unit_test_setup(test_no_root, setup),
		cmocka_unit_test_setup(test_map_errors, setup),
		cmocka_unit_test_setup(test_no_tables, setup),
		cmocka_unit_test_setup(test_unmap, setup),
		cmocka_unit_test_setup(test_exit, setup),
		cmocka_unit_test_setup(test_part, setup),
		cmocka_unit_test_setup(test_gicv, setup),
		cmocka_unit_test_setup(test_leave, setup),
		cmocka_unit_test_setup(test_flush, setup),
		cmocka_unit_test_setup(test_flush_resumed, setup),
		cmocka_unit_test_setup(test_no_ram, setup),
		cmocka_unit_test_setup(test_toggle, setup),
		cmocka_unit_test_setup(test_unseen_on, setup),
		cmocka_unit_test_setup(test_unseen_off, setup),
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
