/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What GICv2 adds to the virtual GIC: its distributor's registers, each also
 * in the ways that it does not allow, and SGIs that come from several senders.
 * vgic_test.c has what both versions share.
 */
#define NR_VCPUS 3
#include "vgichost.h"

#include <skerry/error.h>

static unsigned int woken[NR_VCPUS];

struct cpu *host_this_cpu = &host_cpus[0];
void (*host_barrier)(const char *name);

void ipi_send(unsigned int cpu, u32 reasons)
{
	abort(); /* nothing is loaded elsewhere */
}
void sched_wake(struct vcpu *v)
{
	woken[v->id]++;
}
void ipi_handle(void)
{
}

/* vCPU 0 is loaded here; the others are not. */
static int setup(void **state)
{
	(void)state;
	host_gic_version = 2;
	host_gic_reset();
	host_cpus[0].current = &vcpus[0];
	vgic_load(&vcpus[0]);
	gicd_w(0, 1);
	memset(woken, 0, sizeof(woken));
	return 0;
}

/* As another vCPU, which is not loaded. */
static void gicd_w_by(unsigned int who, u64 offset, u32 val)
{
	host_cpus[0].current = &vcpus[who];
	gicd_w(offset, val);
	host_cpus[0].current = &vcpus[0];
}
static u32 gicd_r_by(unsigned int who, u64 offset)
{
	u32 val;

	host_cpus[0].current = &vcpus[who];
	val = gicd_r(offset);
	host_cpus[0].current = &vcpus[0];
	return val;
}
static void gicd_w8(u64 offset, u8 val)
{
	mmio(&d.vgic.dist, offset, 1, true, val);
}
static u8 gicd_r8(u64 offset)
{
	return (u8)mmio(&d.vgic.dist, offset, 1, false, 0);
}
static void sgi(unsigned int from, unsigned int intid, u32 list)
{
	gicd_w_by(from, 0xf00, list << 16 | intid);
}
static unsigned int source_of(unsigned int intid)
{
	assert_true(lr_of(intid) >= 0);
	return gic()->lrs[lr_of(intid)].source;
}
static void take_and_end(unsigned int intid)
{
	take(lr_of(intid));
	end(lr_of(intid));
	if (gic_lr_ended())
		vgic_maintain(&vcpus[0]);
}

/* --- registers ------------------------------------------------------------- */

static void test_init(void **state)
{
	struct domain big = {.nr_vcpus = 9};

	(void)state;
	assert_int_equal(vgic_domain_init(&big, 32), -EOPNOTSUPP);
	assert_int_equal(big.emul.nr, 0);
	assert_int_equal(vgic_part.domain_init(
				 &big, &(struct describe_guest){.nr_spis = 32}),
			 -EOPNOTSUPP);
	big.nr_vcpus = 8;
	assert_int_equal(vgic_domain_init(&big, 32), 0);
	/* The distributor alone: the rest of a GICv3's frames is free. */
	assert_int_equal(big.emul.nr, 1);
	assert_int_equal(big.vgic.dist.base, 0x03001000);
	assert_int_equal(big.vgic.dist.size, 0x1000);
	host_gic_version = 3;
	big.nr_vcpus = 9;
	big.emul.nr = 0;
	assert_int_equal(vgic_domain_init(&big, 32), 0);
	assert_int_equal(big.emul.nr, 2);
}

/* At its end it has no SPIs that anybody could raise; once is twice. */
static void test_exit(void **state)
{
	(void)state;
	assert_int_equal(d.vgic.nr_spis, NR_SPIS);
	vgic_part.domain_exit(&d);
	assert_int_equal(d.vgic.nr_spis, 0);
	vgic_part.domain_exit(&d);
	vgic_set_spi(&d, 32, true);
}

static void test_id_registers(void **state)
{
	static const u8 ids[] = {4,    0, 0,  0,    0x90, 0xb4,
				 0x2b, 0, 13, 0xf0, 5,	  0xb1};

	(void)state;
	assert_int_equal(gicd_r(4), 2 | 2 << 5); /* 96 INTIDs, 3 CPUs */
	assert_int_equal(gicd_r(8), 0x43b);
	for (unsigned int i = 0; i < 12; i++)
		assert_int_equal(gicd_r(0xfd0 + 4 * i), ids[i]);
	/* Written without effect. */
	gicd_w(4, ~0U);
	gicd_w(8, ~0U);
	gicd_w(0xfe8, ~0U);
	assert_int_equal(gicd_r(4), 0x42);
	assert_int_equal(gicd_r(8), 0x43b);
	assert_int_equal(gicd_r(0xfe8), 0x2b);
	assert_int_equal(gicd_r(0), 1);
	gicd_w(0, ~0U);
	assert_int_equal(gicd_r(0), 3);
	gicd_w(0, 2);
	assert_int_equal(gicd_r(0), 2);
}

/* Nothing there: security's registers, the holes, GICv3's. */
static void test_absent(void **state)
{
	static const u16 holes[] = {0x00c, 0x010, 0x040, 0x07c, 0xd00,
				    0xe00, 0xe3c, 0xf04, 0xf30, 0xfcc};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(holes); i++) {
		gicd_w(holes[i], ~0U);
		assert_int_equal(gicd_r(holes[i]), 0);
	}
	assert_int_equal(gicd_r(0xf00), 0); /* write-only */
	/* Interrupts past the last one: of every register with a field. */
	static const struct {
		u16 base, bits;
	} fields[] = {{0x080, 1}, {0x100, 1}, {0x180, 1}, {0x200, 1},
		      {0x280, 1}, {0x300, 1}, {0x380, 1}, {0x400, 8},
		      {0x800, 8}, {0xc00, 2}};

	for (unsigned int i = 0; i < ARRAY_SIZE(fields); i++)
		for (u64 n = 96; n < 1024; n += 32 / fields[i].bits) {
			u64 reg = fields[i].base + n * fields[i].bits / 8;

			gicd_w(reg, ~0U);
			assert_int_equal(gicd_r(reg), 0);
		}
}

/* Only words, where bytes are not said to be possible (IHI 0048 4.1.4). */
static void test_widths(void **state)
{
	static const u8 sizes[] = {1, 2, 4, 8};

	(void)state;
	for (u64 offset = 0; offset < 0x1000; offset += 4) {
		bool bytes = (offset >= 0x400 && offset < 0xc00) ||
			     (offset >= 0xf10 && offset < 0xf30);

		for (unsigned int i = 0; i < 4; i++) {
			u8 size = sizes[i];

			if (size == 4 || (bytes && size == 1) || offset % size)
				continue;
			/* All ones first, so that something would be read. */
			mmio(&d.vgic.dist, offset, size, true, ~0UL);
			if (offset >= 0x100 && offset < 0x180)
				gicd_w(offset, ~0U);
			assert_int_equal(mmio(&d.vgic.dist, offset, size, false,
					      0),
					 0);
		}
	}
	/* The illegal writes did nothing. */
	assert_int_equal(gicd_r(0), 1);
	assert_int_equal(gicd_r(0x80), 0);
	assert_int_equal(gicd_r(0x204), 0);
	assert_int_equal(gicd_r(0x304), 0);
	assert_int_equal(gicd_r(0x420), 0);
	assert_int_equal(gicd_r(0xc08), 0);
}

/* Each field by itself, of private interrupts and of SPIs. */
static void test_fields(void **state)
{
	(void)state;
	/* Group 0 out of reset, and banked. */
	for (u64 i = 0; i < 3; i++)
		assert_int_equal(gicd_r(0x80 + 4 * i), 0);
	gicd_w(0x80, 0x80000001);
	gicd_w(0x84, 0x10);
	assert_int_equal(gicd_r(0x80), 0x80000001);
	assert_int_equal(gicd_r(0x84), 0x10);
	assert_int_equal(gicd_r(0x88), 0);
	assert_int_equal(gicd_r_by(1, 0x80), 0);
	assert_int_equal(gicd_r_by(1, 0x84), 0x10);
	/* SGIs are enabled out of reset. */
	assert_int_equal(gicd_r(0x100), 0xffff);
	gicd_w(0x100, BIT(30));
	gicd_w(0x180, BIT(3));
	gicd_w(0x108, 6);
	gicd_w(0x188, 4);
	assert_int_equal(gicd_r(0x100), 0x4000fff7);
	assert_int_equal(gicd_r(0x180), 0x4000fff7);
	assert_int_equal(gicd_r(0x104), 0);
	assert_int_equal(gicd_r(0x108), 2);
	assert_int_equal(gicd_r_by(2, 0x100), 0xffff);
	/* Five bits of priority, byte by byte and as words. */
	gicd_w(0x400, 0x04030201);
	assert_int_equal(gicd_r(0x400), 0);
	gicd_w(0x404, 0xff8040ff);
	assert_int_equal(gicd_r(0x404), 0xf88040f8);
	assert_int_equal(gicd_r_by(1, 0x404), 0);
	gicd_w8(0x421, 0x5f);
	assert_int_equal(gicd_r(0x420), 0x5800);
	assert_int_equal(gicd_r8(0x421), 0x58);
	assert_int_equal(gicd_r8(0x422), 0);
	/* Edges by configuration; SGIs are, PPIs are wired. */
	assert_int_equal(gicd_r(0xc00), 0xaaaaaaaa);
	assert_int_equal(gicd_r(0xc04), 0);
	gicd_w(0xc00, 0);
	gicd_w(0xc04, ~0U);
	gicd_w(0xc08, 0x80000003);
	assert_int_equal(gicd_r(0xc00), 0xaaaaaaaa);
	assert_int_equal(gicd_r(0xc04), 0);
	assert_int_equal(gicd_r(0xc08), 0x80000002);
}

static void test_pending_active(void **state)
{
	(void)state;
	gicd_w(0xc08, 0xaaaaaaaa);
	/* Of SPIs and PPIs; of SGIs the bits are read-only. */
	gicd_w(0x200, 0x4000ffff);
	assert_int_equal(gicd_r(0x200), 0x40000000);
	assert_int_equal(gicd_r(0x280), 0x40000000);
	gicd_w(0x280, BIT(30));
	assert_int_equal(gicd_r(0x200), 0);
	sgi(1, 3, 1);
	assert_int_equal(gicd_r(0x200), BIT(3));
	gicd_w(0x280, ~0U);
	assert_int_equal(gicd_r(0x280), BIT(3));
	gicd_w(0x204, 6);
	assert_int_equal(gicd_r(0x204), 6);
	gicd_w(0x284, 2);
	assert_int_equal(gicd_r(0x284), 4);
	/* An SPI's word at the place where the SGIs would be, were it the first. */
	gicd_w(0x208, 0xffff);
	assert_int_equal(gicd_r(0x208), 0xffff);
	gicd_w(0x288, 0xff);
	assert_int_equal(gicd_r(0x208), 0xff00);
	/* Active: the SGI's bit can be written. */
	gicd_w(0x300, BIT(3) | BIT(30));
	assert_int_equal(gicd_r(0x300), BIT(3) | BIT(30));
	assert_int_equal(gicd_r(0x380), BIT(3) | BIT(30));
	assert_int_equal(gicd_r(0x304), 0);
	gicd_w(0x380, BIT(3));
	assert_int_equal(gicd_r(0x300), BIT(30));
	gicd_w(0x304, 5);
	gicd_w(0x384, 1);
	assert_int_equal(gicd_r(0x304), 4);
}

static void test_groups(void **state)
{
	(void)state;
	gicd_w(0, 0);
	sgi(0, 1, 1);
	sgi(0, 2, 1);
	gicd_w(0x80, BIT(2));
	assert_int_equal(lr_of(1), -1);
	gicd_w(0, 1);
	assert_int_equal(state_of(1), 1);
	assert_false(gic()->lrs[lr_of(1)].group1);
	assert_int_equal(lr_of(2), -1);
	gicd_w(0, 2);
	assert_int_equal(lr_of(1), -1);
	assert_true(gic()->lrs[lr_of(2)].group1);
	gicd_w(0, 3);
	take_and_end(1);
	take_and_end(2);
}

/* --- ITARGETSR --------------------------------------------------------------- */

static void test_targets(void **state)
{
	(void)state;
	/* Private ones say who reads, and nothing else. */
	for (unsigned int who = 0; who < NR_VCPUS; who++)
		for (u64 i = 0; i < 32; i += 4) {
			gicd_w_by(who, 0x800 + i, 0);
			assert_int_equal(gicd_r_by(who, 0x800 + i),
					 0x01010101U << who);
		}
	gicd_w8(0x805, 4);
	assert_int_equal(gicd_r8(0x805), 1);
	/* SPIs: the first vCPU out of reset; absent ones read as zero. */
	assert_int_equal(gicd_r(0x820), 0x01010101);
	gicd_w(0x820, 0xff00f806);
	assert_int_equal(gicd_r(0x820), 0x07000006);
	gicd_w8(0x821, 0xfd);
	assert_int_equal(gicd_r8(0x821), 5);
	assert_int_equal(gicd_r(0x820), 0x07000506);
	assert_int_equal(gicd_r(0x85c), 0x01010101); /* the last ones */
	assert_ptr_equal(spis[0].target, &vcpus[1]);
	assert_ptr_equal(spis[1].target, &vcpus[0]);
	assert_null(spis[2].target);
	assert_ptr_equal(spis[3].target, &vcpus[0]);
}

static void test_routing(void **state)
{
	(void)state;
	gicd_w(0xc08, 0xaaaaaaaa);
	gicd_w(0x104, 3);
	/* To nobody: it stays pending, and comes when it is routed. */
	gicd_w8(0x820, 0);
	gicd_w(0x204, 1);
	assert_int_equal(lr_of(32), -1);
	assert_int_equal(gicd_r(0x204), 1);
	gicd_w8(0x820, 0xf8); /* absent ones are nobody */
	assert_int_equal(lr_of(32), -1);
	gicd_w8(0x820, 7);
	assert_int_equal(state_of(32), 1);
	/* Pending in an LR here: it follows. */
	gicd_w8(0x820, 6);
	assert_int_equal(lr_of(32), -1);
	assert_ptr_equal(spis[0].vcpu, &vcpus[1]);
	assert_int_equal(woken[1], 1);
	gicd_w8(0x820, 4);
	assert_int_equal(woken[2], 1);
	gicd_w8(0x820, 1);
	/* Active here: it ends here, and the next one comes there. */
	take(lr_of(32));
	gicd_w8(0x820, 4);
	assert_int_equal(state_of(32), 2);
	gicd_w(0x204, 1);
	assert_int_equal(state_of(32), 3);
	end(lr_of(32));
	gicd_w(0x820, 0x01010104); /* the same again changes nothing */
	assert_int_equal(state_of(32), 1);
	gicd_w8(0x820, 1);
	gicd_w8(0x820, 4);
	assert_int_equal(lr_of(32), -1);
	assert_int_equal(woken[2], 2);
	/* The neighbours of a byte stay where they are. */
	gicd_w(0x204, 2);
	assert_int_equal(state_of(33), 1);
}

/* --- SGIs -------------------------------------------------------------------- */

static void test_sgir(void **state)
{
	(void)state;
	/* A list, of which some are absent. */
	gicd_w(0xf00, 0xfa << 16 | 5);
	assert_int_equal(lr_of(5), -1);
	assert_true(vcpus[1].vgic.private[5].latch);
	assert_false(vcpus[2].vgic.private[5].latch);
	assert_int_equal(woken[1], 1);
	/* All others: the list does not count. */
	gicd_w(0xf00, 1 << 24 | 1 << 16 | 6);
	assert_int_equal(lr_of(6), -1);
	assert_int_equal(vcpus[1].vgic.private[6].latch, 1);
	assert_int_equal(vcpus[2].vgic.private[6].latch, 1);
	/* Itself. NSATT and what is reserved do not matter. */
	gicd_w(0xf00, 2 << 24 | 6 << 16 | 0xfff0 | 7);
	assert_int_equal(state_of(7), 1);
	assert_int_equal(source_of(7), 0);
	assert_false(vcpus[1].vgic.private[7].latch);
	/* The reserved filter, and an empty list. */
	gicd_w(0xf00, 3 << 24 | 0xff << 16 | 8);
	gicd_w(0xf00, 8);
	for (unsigned int i = 0; i < NR_VCPUS; i++)
		assert_false(vcpus[i].vgic.private[8].latch);
	assert_int_equal(lr_of(8), -1);
	/* From another one to all others. */
	gicd_w_by(2, 0xf00, 1 << 24 | 9);
	assert_int_equal(source_of(9), 2);
	assert_int_equal(vcpus[1].vgic.private[9].latch, 4);
	assert_false(vcpus[2].vgic.private[9].latch);
}

/* Pending from two: one after the other, each with its name. */
static void test_two_senders(void **state)
{
	(void)state;
	sgi(2, 5, 1);
	assert_int_equal(source_of(5), 2);
	assert_false(gic()->lrs[lr_of(5)].eoi_maint);
	sgi(2, 5, 1); /* once more is no more */
	sgi(1, 5, 1);
	assert_int_equal(source_of(5), 1);
	assert_true(gic()->lrs[lr_of(5)].eoi_maint);
	take(lr_of(5));
	assert_int_equal(gicd_r(0x200), BIT(5));
	assert_int_equal(gicd_r(0x300), BIT(5));
	end(lr_of(5));
	vgic_maintain(&vcpus[0]);
	assert_int_equal(state_of(5), 1);
	assert_int_equal(source_of(5), 2);
	take_and_end(5);
	assert_int_equal(state_of(5), 0);
	assert_int_equal(gicd_r(0x200), 0);
	/* The LR of last time serves its own sender only. */
	sgi(2, 5, 1);
	assert_int_equal(source_of(5), 2);
	take_and_end(5);
	sgi(0, 5, 1);
	assert_int_equal(state_of(5), 1);
	assert_int_equal(source_of(5), 0);
	take_and_end(5);
}

/* Active from one: the same again in its LR, another's after its end. */
static void test_sender_while_active(void **state)
{
	(void)state;
	sgi(1, 5, 1);
	take(lr_of(5));
	sgi(1, 5, 1);
	assert_int_equal(state_of(5), 3);
	assert_int_equal(source_of(5), 1);
	sgi(2, 5, 1);
	sgi(0, 5, 1);
	assert_int_equal(state_of(5), 3);
	assert_int_equal(source_of(5), 1);
	end(lr_of(5));
	take(lr_of(5)); /* once more from 1, active */
	assert_int_equal(gicd_r(0xf14), 5 << 8);
	assert_int_equal(state_of(5), 2);
	assert_int_equal(source_of(5), 1);
	assert_true(gic()->lrs[lr_of(5)].eoi_maint);
	/* It moves with the vCPU. */
	vgic_unload(&vcpus[0]);
	vgic_load(&vcpus[0]);
	assert_int_equal(state_of(5), 2);
	assert_int_equal(source_of(5), 1);
	end(lr_of(5));
	vgic_maintain(&vcpus[0]);
	assert_int_equal(source_of(5), 0);
	/* And while the first is still pending. */
	vgic_unload(&vcpus[0]);
	assert_int_equal(woken[0], 1);
	vgic_load(&vcpus[0]);
	assert_int_equal(source_of(5), 0);
	assert_true(gic()->lrs[lr_of(5)].eoi_maint);
	take(lr_of(5));
	/* Ended and put off before maintenance. */
	end(lr_of(5));
	vgic_unload(&vcpus[0]);
	assert_int_equal(woken[0], 2);
	vgic_load(&vcpus[0]);
	assert_int_equal(source_of(5), 2);
	take_and_end(5);
	assert_int_equal(lr_of(5), -1);
}

/* Disabled, or of a group that is off, while one is active. */
static void test_sender_disabled(void **state)
{
	(void)state;
	sgi(1, 5, 1);
	take(lr_of(5));
	sgi(2, 5, 1);
	gicd_w(0x180, BIT(5));
	assert_int_equal(state_of(5), 2);
	assert_int_equal(source_of(5), 1);
	end(lr_of(5));
	vgic_maintain(&vcpus[0]);
	assert_int_equal(lr_of(5), -1);
	assert_int_equal(gicd_r(0x200), BIT(5));
	gicd_w(0x100, BIT(5));
	assert_int_equal(source_of(5), 2);
	take_and_end(5);
}

static void test_senders(void **state)
{
	(void)state;
	sgi(0, 5, 1);
	sgi(1, 5, 1);
	sgi(2, 6, 1);
	assert_int_equal(gicd_r8(0xf15), 3);
	assert_int_equal(gicd_r8(0xf25), 3);
	assert_int_equal(gicd_r(0xf14), 4 << 16 | 3 << 8);
	assert_int_equal(gicd_r(0xf24), 4 << 16 | 3 << 8);
	assert_int_equal(gicd_r_by(1, 0xf14), 0); /* banked */
	/* One of two is taken back: the other comes. */
	gicd_w8(0xf15, 1);
	assert_int_equal(source_of(5), 1);
	assert_false(gic()->lrs[lr_of(5)].eoi_maint);
	gicd_w8(0xf15, 1); /* not pending: nothing */
	gicd_w8(0xf15, 0xfc);
	assert_int_equal(gicd_r8(0xf15), 2);
	gicd_w8(0xf15, 2);
	assert_int_equal(lr_of(5), -1);
	assert_int_equal(gicd_r8(0xf15), 0);
	/* Set by a write, of present senders; all four of a word. */
	gicd_w(0xf24, 0xff000200);
	assert_int_equal(gicd_r(0xf24), 0x07040200);
	assert_int_equal(source_of(5), 1);
	assert_int_equal(source_of(7), 0);
	gicd_w(0xf14, 0x01070700);
	assert_int_equal(gicd_r(0xf14), 0x06000000);
	/* Active: what is cleared is what waits. */
	take(lr_of(7));
	assert_int_equal(gicd_r8(0xf17), 4);
	gicd_w8(0xf17, 7);
	assert_int_equal(state_of(7), 2);
	assert_int_equal(source_of(7), 1);
	gicd_w8(0xf27, 2);
	assert_int_equal(state_of(7), 3);
	gicd_w8(0xf17, 2);
	end(lr_of(7));
	assert_int_equal(gicd_r(0x200), 0);
	assert_int_equal(gicd_r(0x300), 0);
	/* The first and the last register. */
	gicd_w8(0xf20, 1);
	gicd_w8(0xf2f, 4);
	assert_int_equal(gicd_r(0xf10), 1);
	assert_int_equal(gicd_r(0xf1c), 4U << 24);
	assert_int_equal(source_of(15), 2);
	gicd_w(0xf10, ~0U);
	gicd_w(0xf1c, ~0U);
	assert_int_equal(gicd_r(0x200), 0);
}

/* One that waits for an LR keeps its senders. */
static void test_senders_queued(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < NR_LRS + 1; i++) {
		gicd_w8(0x400 + i, 8 * i);
		sgi(1, i, 1);
		sgi(2, i, 1);
	}
	assert_int_equal(lr_of(NR_LRS), -1);
	for (unsigned int i = 0; i < NR_LRS; i++) {
		assert_int_equal(source_of(i), 1);
		take_and_end(i);
		assert_int_equal(source_of(i), 2);
		take_and_end(i);
	}
	vgic_maintain(&vcpus[0]);
	assert_int_equal(source_of(NR_LRS), 1);
	take_and_end(NR_LRS);
	assert_int_equal(source_of(NR_LRS), 2);
	take_and_end(NR_LRS);
	assert_int_equal(gicd_r(0x200), 0);
	/* Reset of a vCPU forgets them. */
	sgi(1, 3, 4);
	vgic_vcpu_reset(&vcpus[2]);
	assert_int_equal(gicd_r_by(2, 0x200), 0);
	assert_int_equal(gicd_r_by(2, 0xf10), 0);
}

/* Each SGI that is taken was sent, by the sender that it tells. */
static void test_random(void **state)
{
	static const u8 sizes[] = {1, 2, 4, 8};
	u8 sent[16] = {0};
	unsigned int seed = 3;

	(void)state;
	for (unsigned int i = 0; i < 100000; i++) {
		u64 r = (u64)rand_r(&seed) << 31 | (u64)rand_r(&seed);
		u8 size = sizes[r & 3];
		u64 offset = (r >> 8) % 0x1000;
		unsigned int intid = r >> 20 & 15, from = (r >> 24) % 3;

		if (r & 4) {
			sgi(from, intid, 1);
			sent[intid] |= 1U << from;
		} else if (offset < 0xf00 || offset > 0xf30) {
			/* SGIs not by the back door, and none disabled. */
			mmio(&d.vgic.dist, align_down(offset, size), size,
			     r & 16, (u64)rand_r(&seed) * 0x100000001UL);
			gicd_w(0x100, 0xffff);
			gicd_w(0x380, 0xffff & r >> 30);
			gicd_w(0, 3);
		}
		if ((r & 128) && !gic()->phys)
			timer_fires();
		gic()->line = r & 256;
		vgic_set_spi(&d, 32 + (unsigned int)(r >> 40) % 70, r & 512);
		for (unsigned int n = 0; n < NR_LRS; n++) {
			struct gic_lr *lr = &gic()->lrs[n];

			if (lr->pending && !lr->active && (rand_r(&seed) & 1)) {
				if (lr->intid < 16) {
					assert_true(sent[lr->intid] >>
							    lr->source &
						    1);
					sent[lr->intid] &= ~(1U << lr->source);
				}
				take((int)n);
			} else if (lr->active && (rand_r(&seed) & 1)) {
				end((int)n);
			}
		}
		if (r & 1024)
			vgic_refresh(&vcpus[0]);
		if (!(r >> 50 & 31)) {
			vgic_unload(&vcpus[0]);
			vgic_load(&vcpus[0]);
		}
		if (gic_lr_ended() || !(r >> 55 & 7))
			vgic_maintain(&vcpus[0]);
		check_books();
		/* What was sent and not taken is pending, from each of them. */
		if (!(i % 16)) {
			intid = r >> 20 & 15;
			assert_int_equal(gicd_r8(0xf10 + intid), sent[intid]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_init, setup),
		cmocka_unit_test_setup(test_exit, setup),
		cmocka_unit_test_setup(test_id_registers, setup),
		cmocka_unit_test_setup(test_absent, setup),
		cmocka_unit_test_setup(test_widths, setup),
		cmocka_unit_test_setup(test_fields, setup),
		cmocka_unit_test_setup(test_pending_active, setup),
		cmocka_unit_test_setup(test_groups, setup),
		cmocka_unit_test_setup(test_targets, setup),
		cmocka_unit_test_setup(test_routing, setup),
		cmocka_unit_test_setup(test_sgir, setup),
		cmocka_unit_test_setup(test_two_senders, setup),
		cmocka_unit_test_setup(test_sender_while_active, setup),
		cmocka_unit_test_setup(test_sender_disabled, setup),
		cmocka_unit_test_setup(test_senders, setup),
		cmocka_unit_test_setup(test_senders_queued, setup),
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
