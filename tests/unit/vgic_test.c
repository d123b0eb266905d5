/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual GIC on one CPU of the host: the state machine's known traps,
 * SGIs, level and edge, and a random run of register accesses that must keep
 * the books consistent. vgic_smp_test.c has what takes two CPUs.
 */
#include "vgichost.h"

static unsigned int woken[NR_VCPUS];

struct cpu *host_this_cpu = &host_cpus[0];
void (*host_barrier)(const char *name);

void ipi_send(unsigned int cpu, u32 reasons)
{
	/* Nothing is loaded elsewhere, but where this is the test. */
	assert_true(host_barrier != NULL);
}
void sched_wake(struct vcpu *v)
{
	woken[v->id]++;
}
void ipi_handle(void)
{
}

/* vCPU 0 is loaded here; vCPU 1 is not. */
static int setup(void **state)
{
	(void)state;
	host_gic_reset();
	host_cpus[0].current = &vcpus[0];
	vgic_load(&vcpus[0]);
	gicd_w(0, 2);
	memset(woken, 0, sizeof(woken));
	return 0;
}

static void test_sgi(void **state)
{
	(void)state;
	vgic_write_sgir(&vcpus[0], 5UL << 24 | 1, true);
	assert_true(lr_of(5) >= 0);
	assert_int_equal(woken[0] + woken[1], 0);
	/* Once more while active: an edge is not lost. */
	take(lr_of(5));
	vgic_write_sgir(&vcpus[0], 5UL << 24 | 1, true);
	assert_int_equal(state_of(5), 3);
	/* To the other, to nobody, to all but self, of the wrong group. */
	vgic_write_sgir(&vcpus[0], 6UL << 24 | 2, true);
	assert_int_equal(woken[1], 1);
	vgic_write_sgir(&vcpus[0], 7UL << 24 | 0xff00, true);
	vgic_write_sgir(&vcpus[0], 7UL << 24 | 1UL << 16 | 1, true);
	vgic_write_sgir(&vcpus[0], 7UL << 24 | 1, false);
	vgic_write_sgir(&vcpus[0], 7UL << 24 | BIT(40), true);
	assert_int_equal(lr_of(7), -1);
	assert_true(vcpus[1].vgic.private[7].latch);
}

static void test_timer(void **state)
{
	int n;

	(void)state;
	/* Disabled: it waits, physically active, and comes when enabled. */
	timer_fires();
	assert_int_equal(lr_of(27), -1);
	assert_int_equal(gicr_r(0, 0x200) >> 27 & 1, 1);
	gicr_w(0, 0x100, BIT(27));
	n = lr_of(27);
	assert_true(n >= 0 && gic()->lrs[n].hw);
	take(n);
	/* Disabling an active one leaves it active: the guest still ends it. */
	gicr_w(0, 0x180, BIT(27));
	assert_int_equal(state_of(27), 2);
	end(lr_of(27));
	assert_false(gic()->phys);
	gicr_w(0, 0x100, BIT(27));
	timer_fires();
	assert_int_equal(state_of(27), 1);
	/* Taken back by a disable; the line falls: nothing is left to tell. */
	gicr_w(0, 0x180, BIT(27));
	assert_int_equal(lr_of(27), -1);
	assert_true(gic()->phys);
	gic()->line = false;
	gicr_w(0, 0x100, BIT(27));
	assert_int_equal(lr_of(27), -1);
	assert_false(gic()->phys);
	/* And again and again through the same LR. */
	gic()->line = true;
	for (n = 0; n < 3; n++) {
		timer_fires();
		assert_int_equal(state_of(27), 1);
		take(lr_of(27));
		end(lr_of(27));
	}
}

/* Its pending and active bits written by software. */
static void test_timer_bits(void **state)
{
	(void)state;
	gicr_w(0, 0x100, BIT(27));
	/* Without the timer: no physical interrupt stands behind it. */
	gicr_w(0, 0x200, BIT(27));
	assert_int_equal(state_of(27), 1);
	assert_false(gic()->lrs[lr_of(27)].hw);
	take(lr_of(27));
	/* The real one comes before that is ended: after it, once. */
	timer_fires();
	assert_int_equal(state_of(27), 3);
	end(lr_of(27));
	assert_int_equal(state_of(27), 1);
	take(lr_of(27));
	end(lr_of(27));
	assert_true(gic()->phys);
	vgic_maintain(&vcpus[0]);
	assert_int_equal(lr_of(27), -1);
	assert_false(gic()->phys);
	/* Set pending while it is pending anyway: still one. */
	timer_fires();
	gicr_w(0, 0x200, BIT(27));
	assert_int_equal(state_of(27), 1);
	take(lr_of(27));
	end(lr_of(27));
	vgic_maintain(&vcpus[0]);
	assert_int_equal(lr_of(27), -1);
	assert_false(gic()->phys);
	/* Made inactive by a write: the next one can come. */
	timer_fires();
	take(lr_of(27));
	assert_int_equal(gicr_r(0, 0x300) >> 27 & 1, 1);
	gicr_w(0, 0x380, BIT(27));
	assert_int_equal(gicr_r(0, 0x300) >> 27 & 1, 0);
	assert_false(gic()->phys);
	timer_fires();
	assert_int_equal(state_of(27), 1);
	/* Its line is high: clear-pending does nothing. */
	gicr_w(0, 0x280, BIT(27));
	assert_int_equal(state_of(27), 1);
	take(lr_of(27));
	/* Pending and active, which an LR of the hardware's cannot say. */
	gicr_w(0, 0x200, BIT(27));
	assert_int_equal(state_of(27), 3);
	end(lr_of(27));
	take(lr_of(27));
	end(lr_of(27));
	vgic_maintain(&vcpus[0]);
	assert_false(gic()->phys);
}

/* The vCPU is put off, and its timer's interrupt with it. */
static void test_timer_moves(void **state)
{
	(void)state;
	gicr_w(0, 0x100, BIT(27));
	/* Pending, then active, then ended elsewhere: each time it moves. */
	timer_fires();
	vgic_unload(&vcpus[0]);
	assert_false(gic()->phys);
	assert_int_equal(woken[0], 1); /* it is pending: never asleep with it */
	vgic_load(&vcpus[0]);
	assert_true(gic()->phys);
	assert_int_equal(state_of(27), 1);
	take(lr_of(27));
	vgic_unload(&vcpus[0]);
	assert_false(gic()->phys);
	assert_int_equal(woken[0], 1); /* active: nothing to wake for */
	vgic_load(&vcpus[0]);
	assert_true(gic()->phys);
	assert_int_equal(state_of(27), 2);
	assert_true(gic()->lrs[lr_of(27)].hw);
	end(lr_of(27));
	vgic_unload(&vcpus[0]);
	/* It fires while the vCPU is off: woken, and active when loaded. */
	vgic_timer_due(&vcpus[0]);
	assert_int_equal(woken[0], 2);
	vgic_load(&vcpus[0]);
	assert_true(gic()->phys);
	assert_int_equal(state_of(27), 1);
	/* The line that fires all the same is the same interrupt. */
	vgic_inject_hw_ppi(&vcpus[0], 27);
	assert_int_equal(state_of(27), 1);
	take(lr_of(27));
	end(lr_of(27));
	vgic_unload(&vcpus[0]);
	/* Disabled: no wake, but it is not lost. */
	gicr_w(0, 0x180, BIT(27));
	vgic_timer_due(&vcpus[0]);
	assert_int_equal(woken[0], 2);
	gicr_w(0, 0x100, BIT(27));
	assert_int_equal(woken[0], 3);
	/* Made inactive while off: nothing of it is left to load. */
	vgic_load(&vcpus[0]);
	take(lr_of(27));
	vgic_unload(&vcpus[0]);
	gicr_w(0, 0x380, BIT(27));
	vgic_load(&vcpus[0]);
	assert_false(gic()->phys);
	assert_int_equal(lr_of(27), -1);
}

/* Who may be asleep is told of what is pending, and of nothing else. */
static void test_wakes(void **state)
{
	(void)state;
	gicd_w(0xc08, 0xaaaaaaaa);
	vgic_unload(&vcpus[0]);
	vgic_set_spi(&d, 32, true);
	assert_int_equal(woken[0], 0);
	gicd_w(0x104, 1);
	assert_int_equal(woken[0], 1);
	vgic_load(&vcpus[0]);
	take(lr_of(32));
	vgic_unload(&vcpus[0]);
	assert_int_equal(woken[0], 1);
	vcpus[0].state = VCPU_OFF;
	vgic_write_sgir(&vcpus[0], 6UL << 24 | 1, true);
	assert_int_equal(woken[0], 1);
}

static void test_level(void **state)
{
	(void)state;
	vgic_set_spi(&d, 32, true);
	/* Pending shows the line though it is disabled. */
	assert_int_equal(gicd_r(0x204) & 1, 1);
	gicd_w(0x104, 1);
	assert_true(lr_of(32) >= 0 && gic()->lrs[lr_of(32)].eoi_maint);
	vgic_set_spi(&d, 32, false);
	assert_int_equal(lr_of(32), -1);
	vgic_set_spi(&d, 32, true);
	take(lr_of(32));
	end(lr_of(32));
	vgic_maintain(&vcpus[0]); /* the line is still high */
	assert_int_equal(state_of(32), 1);
	/* Clearing the pending bit of a high line does nothing. */
	gicd_w(0x284, 1);
	assert_int_equal(gicd_r(0x204) & 1, 1);
	take(lr_of(32));
	vgic_set_spi(&d, 32, false);
	assert_int_equal(state_of(32), 2);
	end(lr_of(32));
	vgic_maintain(&vcpus[0]);
	assert_int_equal(lr_of(32), -1);
	/* Set pending while the line is low: once, or until it is cleared. */
	gicd_w(0x204, 1);
	take(lr_of(32));
	end(lr_of(32));
	vgic_maintain(&vcpus[0]);
	assert_int_equal(lr_of(32), -1);
	gicd_w(0x204, 1);
	gicd_w(0x284, 1);
	assert_int_equal(lr_of(32), -1);
	/* The line changes after the guest's end and before maintenance. */
	gicd_w(0x204, 1);
	take(lr_of(32));
	end(lr_of(32));
	vgic_set_spi(&d, 32, true);
	vgic_set_spi(&d, 32, false);
	assert_int_equal(lr_of(32), -1);
}

static void test_edge(void **state)
{
	(void)state;
	gicd_w(0xc08, 0xaaaaaaaa);
	gicd_w(0x104, 1);
	vgic_set_spi(&d, 32, true);
	vgic_set_spi(&d, 32, false);
	assert_int_equal(state_of(32), 1);
	/* Cleared in the LR where it stands. */
	gicd_w(0x284, 1);
	assert_int_equal(lr_of(32), -1);
	assert_int_equal(gicd_r(0x204) & 1, 0);
	vgic_set_spi(&d, 32, true);
	take(lr_of(32));
	/* Clear-pending of an active one keeps it active. */
	vgic_set_spi(&d, 32, false);
	vgic_set_spi(&d, 32, true);
	assert_int_equal(state_of(32), 3);
	gicd_w(0x284, 1);
	assert_int_equal(state_of(32), 2);
	/* Set active by a write, and inactive. */
	gicd_w(0x384, 1);
	assert_int_equal(lr_of(32), -1);
	gicd_w(0x304, 1);
	assert_int_equal(state_of(32), 2);
	end(lr_of(32));
	assert_int_equal(gicd_r(0x304) & 1, 0);
}

/* What a pending one in an LR says follows the registers. */
static void test_changes(void **state)
{
	(void)state;
	gicd_w(0xc08, 0xaaaaaaaa);
	gicd_w(0x104, 1);
	gicd_w(0x204, 1);
	mmio(&d.vgic.dist, 0x420, 1, true, 0x40);
	assert_int_equal(gic()->lrs[lr_of(32)].priority, 0x40);
	gicd_w(0x84, ~1U);
	assert_int_equal(lr_of(32), -1); /* group 0 is off */
	gicd_w(0, 3);
	assert_false(gic()->lrs[lr_of(32)].group1);
	gicd_w(0, 2);
	assert_int_equal(lr_of(32), -1);
	/* Active, its group off: it can be ended, and is not pending. */
	gicd_w(0, 3);
	take(lr_of(32));
	gicd_w(0x204, 1);
	gicd_w(0, 2);
	assert_int_equal(state_of(32), 2);
	assert_int_equal(gicd_r(0x204) & 1, 1);
	/* An active one ends no wait. */
	gicd_w(0, 3);
	assert_int_equal(state_of(32), 3);
	assert_false(vgic_has_pending(&vcpus[0]));
	end(lr_of(32));
	assert_true(vgic_has_pending(&vcpus[0]));
}

static void edges_by_priority(unsigned int nr)
{
	gicd_w(0xc08, 0xaaaaaaaa);
	for (unsigned int i = 0; i < nr; i++)
		mmio(&d.vgic.dist, 0x420 + i, 1, true, 0x80 - 8 * i);
	gicd_w(0x104, (1U << nr) - 1);
}

static void test_more_than_lrs(void **state)
{
	(void)state;
	edges_by_priority(8);
	for (unsigned int i = 0; i < 8; i++)
		gicd_w(0x204, 1U << i);
	/* The most urgent ones stand in LRs, and somebody waits. */
	for (unsigned int i = 4; i < 8; i++)
		assert_true(lr_of(32 + i) >= 0);
	assert_true(gic()->some_wait);
	assert_false(gic()->active_waits);
	for (unsigned int i = 4; i < 8; i++) {
		int n = lr_of(32 + i);

		take(n);
		end(n);
	}
	vgic_maintain(&vcpus[0]);
	for (unsigned int i = 0; i < 4; i++)
		assert_true(lr_of(32 + i) >= 0);
	assert_false(gic()->some_wait);
}

/* A handler interrupted by the next one, more deeply than there are LRs. */
static void test_nested(void **state)
{
	(void)state;
	edges_by_priority(7);
	for (unsigned int i = 0; i < 7; i++) {
		gicd_w(0x204, 1U << i);
		take(lr_of(32 + i));
	}
	assert_true(gic()->active_waits);
	assert_int_equal(gicd_r(0x304), 0x7f);
	/* A more urgent one still comes in, and takes an LR. */
	vgic_write_sgir(&vcpus[0], 5UL << 24 | 1, true);
	take(lr_of(5));
	end(lr_of(5));
	for (int i = 6; i >= 0; i--) {
		int n = lr_of(32 + (unsigned int)i);

		assert_int_equal(gicd_r(0x304), (2U << i) - 1);
		n = lr_of(32 + (unsigned int)i);
		if (n >= 0)
			end(n);
		else
			gic()->eois++;
		/* Maintenance comes late, or after the last LR only. */
		if (n < 0)
			vgic_maintain(&vcpus[0]);
	}
	assert_int_equal(gicd_r(0x304), 0);
	vgic_maintain(&vcpus[0]);
	assert_false(gic()->some_wait);
	/* Ends of what was not active are no ends of what is later. */
	gic()->eois = 3;
	for (unsigned int i = 0; i < 7; i++) {
		gicd_w(0x204, 1U << i);
		take(lr_of(32 + i));
	}
	vgic_maintain(&vcpus[0]);
	assert_int_equal(gicd_r(0x304), 0x7f);
	/* Active and pending in the queue: no reason to end a wait. */
	gicd_w(0x204, 1);
	assert_int_equal(lr_of(32), -1);
	assert_false(vgic_has_pending(&vcpus[0]));
	/* Those in LRs end, one that is not, and the vCPU is put off. */
	for (unsigned int i = 6; i > 2; i--)
		end(lr_of(32 + i));
	gic()->eois = 1;
	vgic_unload(&vcpus[0]);
	gic()->eois = 0;
	vgic_load(&vcpus[0]);
	assert_int_equal(gicd_r(0x304), 3);
}

static void test_routing(void **state)
{
	(void)state;
	gicd_w(0xc08, 0xaaaaaaaa);
	gicd_w(0x104, 3);
	mmio(&d.vgic.dist, 0x6100, 8, true, 9); /* absent */
	gicd_w(0x204, 1);
	assert_int_equal(lr_of(32), -1);
	assert_int_equal(gicd_r(0x204) & 1, 1);
	mmio(&d.vgic.dist, 0x6100, 8, true, 0);
	assert_true(lr_of(32) >= 0);
	mmio(&d.vgic.dist, 0x6108, 4, true, 1);
	gicd_w(0x204, 2);
	assert_int_equal(woken[1], 1);
	assert_int_equal(mmio(&d.vgic.dist, 0x6108, 8, false, 0), 1);
	/* Routed away while active here: it ends here, and comes there. */
	take(lr_of(32));
	mmio(&d.vgic.dist, 0x6100, 8, true, 1);
	assert_int_equal(state_of(32), 2);
	gicd_w(0x204, 1);
	assert_int_equal(state_of(32), 3);
	gicd_w(0x284, 1);
	end(lr_of(32));
	gicd_w(0x204, 1);
	assert_int_equal(lr_of(32), -1);
	assert_ptr_equal(spis[0].vcpu, &vcpus[1]);
}

/*
 * The timer takes the LR of one that is another vCPU's as soon as it is no more
 * active here: that vCPU is woken by an interrupt that is not its own.
 */
static void test_timer_wakes_other(void **state)
{
	(void)state;
	gicd_w(0xc08, 0xaaaaaaaa);
	gicd_w(0x104, 1);
	gicd_w(0x420, 0xf8);
	gicr_w(0, 0x100, BIT(27));
	gicd_w(0x204, 1);
	take(lr_of(32));
	mmio(&d.vgic.dist, 0x6100, 8, true, 1);
	gicd_w(0x204, 1);
	assert_int_equal(state_of(32), 3);
	end(lr_of(32));
	for (u64 sgi = 1; sgi < NR_LRS; sgi++)
		vgic_write_sgir(&vcpus[0], sgi << 24 | 1, true);
	assert_int_equal(gic_lr_empty(), 0);
	assert_int_equal(state_of(32), 1);
	assert_int_equal(woken[1], 0);
	timer_fires();
	assert_int_equal(state_of(27), 1);
	assert_ptr_equal(spis[0].vcpu, &vcpus[1]);
	assert_int_equal(woken[1], 1);
}

static void test_registers(void **state)
{
	(void)state;
	assert_int_equal(gicd_r(4) & 31, 2);
	gicd_w(4, ~0U);
	assert_int_equal(gicd_r(4) & 31, 2);
	assert_int_equal(gicd_r(0) & 0x52, 0x52);
	assert_int_equal(gicd_r(0xffe8), 0x3b);
	assert_int_equal(gicd_r(0xff00), 0);
	/* Illegal width: read as zero, written without effect. */
	gicd_w(0x104, 1);
	assert_int_equal(mmio(&d.vgic.dist, 0x104, 1, false, 0), 0);
	assert_int_equal(mmio(&d.vgic.dist, 0x100, 8, false, 0), 0);
	/* Five bits of priority; SPIs only here, private ones only there. */
	mmio(&d.vgic.dist, 0x423, 1, true, 0xff);
	assert_int_equal(gicd_r(0x420), 0xf8000000);
	gicd_w(0x100, ~0U);
	assert_int_equal(gicd_r(0x100), 0);
	assert_int_equal(gicr_r(0, 0x100), 0xffff);
	assert_int_equal(mmio(&d.vgic.redist, 0x20008, 8, false, 0),
			 1UL << 32 | 1UL << 8 | BIT(4));
	/* Group off: nothing is delivered; SGIs' configuration is fixed. */
	gicd_w(0, 0);
	vgic_write_sgir(&vcpus[0], 3UL << 24 | 1, true);
	assert_int_equal(lr_of(3), -1);
	gicd_w(0, 2);
	assert_true(lr_of(3) >= 0);
	gicr_w(0, 0xc00, 0);
	assert_int_equal(gicr_r(0, 0xc00), 0xaaaaaaaa);
}

/* Each field by itself: of SPIs, and of the private ones of one vCPU. */
static void test_fields_of(u32 (*rd)(u64), void (*wr)(u64, u32), u64 word)
{
	u64 prio = 0x400 + 32 * word, icfgr = 0xc00 + 8 * word + (word ? 0 : 4);
	u32 on = word ? 0 : 0xffff;

	assert_int_equal(rd(0x80 + 4 * word), ~0U);
	wr(0x80 + 4 * word, 0x80f0f0f1);
	assert_int_equal(rd(0x80 + 4 * word), 0x80f0f0f1);
	assert_int_equal(rd(0x100 + 4 * word), on);
	wr(0x100 + 4 * word, 0x60000000);
	wr(0x180 + 4 * word, 0x20000000);
	assert_int_equal(rd(0x100 + 4 * word), on | 0x40000000);
	assert_int_equal(rd(0x180 + 4 * word), on | 0x40000000);
	wr(0x200 + 4 * word, 0x13000000);
	wr(0x280 + 4 * word, 0x01000000);
	assert_int_equal(rd(0x200 + 4 * word), 0x12000000);
	assert_int_equal(rd(0x280 + 4 * word), 0x12000000);
	wr(0x300 + 4 * word, 0x08c00000);
	wr(0x380 + 4 * word, 0x00400000);
	assert_int_equal(rd(0x300 + 4 * word), 0x08800000);
	assert_int_equal(rd(0x380 + 4 * word), 0x08800000);
	wr(prio + 4, 0xff8040ff);
	assert_int_equal(rd(prio + 4), 0xf88040f8);
	assert_int_equal(rd(prio), 0);
	wr(icfgr, 0xc0000003);
	assert_int_equal(rd(icfgr), word ? 0x80000002 : 0); /* PPIs: wired */
	/* And the others are as they were. */
	assert_int_equal(rd(0x80 + 4 * word), 0x80f0f0f1);
	assert_int_equal(rd(0x100 + 4 * word), on | 0x40000000);
	assert_int_equal(rd(0x200 + 4 * word), 0x12000000);
	assert_int_equal(rd(0x300 + 4 * word), 0x08800000);
}

static u32 gicr1_r(u64 offset)
{
	return gicr_r(1, offset);
}
static void gicr1_w(u64 offset, u32 val)
{
	gicr_w(1, offset, val);
}

static void test_fields(void **state)
{
	(void)state;
	test_fields_of(gicd_r, gicd_w, 1);
	test_fields_of(gicd_r, gicd_w, 2);
	test_fields_of(gicr1_r, gicr1_w, 0);
	/* No private one in the distributor. */
	for (u64 reg = 0x80; reg < 0x400; reg += 0x80)
		assert_int_equal(gicd_r(reg), 0);
	assert_int_equal(gicd_r(0x404), 0);
	assert_int_equal(gicd_r(0xc00), 0);
	assert_int_equal(gicd_r(0xc04), 0);
	assert_int_equal(gicr_r(0, 0xc00), 0xaaaaaaaa);
	assert_int_equal(gicr_r(0, 0x404), 0);
	/* No SPI in the redistributor. */
	for (u64 reg = 0x84; reg < 0x400; reg += 0x80)
		assert_int_equal(gicr_r(1, reg), 0);
	assert_int_equal(gicr_r(1, 0x424), 0);
	assert_int_equal(gicr_r(1, 0xc08), 0);
}

/* Both frames of a redistributor, and what cannot be written. */
static u32 frame_r(u64 offset)
{
	return (u32)mmio(&d.vgic.redist, 0x20000 + offset, 4, false, 0);
}

static void test_id_registers(void **state)
{
	static const u16 ro[] = {4, 8, 12, 0xffe8};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(ro); i++) {
		u32 dist = gicd_r(ro[i]), redist = frame_r(ro[i]);

		gicd_w(ro[i], ~dist);
		assert_int_equal(gicd_r(ro[i]), dist);
		mmio(&d.vgic.redist, 0x20000 + ro[i], 4, true, ~redist);
		assert_int_equal(frame_r(ro[i]), redist);
	}
	assert_int_equal(gicd_r(0), 0x52);
	assert_int_equal(gicd_r(4), 2 | 9 << 19 | BIT(25));
	assert_int_equal(gicd_r(8), 0x43b);
	assert_int_equal(frame_r(4), 0x43b);
	assert_int_equal(frame_r(8), 1 << 8 | BIT(4));
	assert_int_equal(frame_r(12), 1);
	assert_int_equal(frame_r(0xffe8), 0x3b);
	/* GICR_WAKER: asleep out of reset. */
	assert_int_equal(frame_r(0x14), 6);
	mmio(&d.vgic.redist, 0x20014, 4, true, ~2U);
	assert_int_equal(frame_r(0x14), 0);
	mmio(&d.vgic.redist, 0x20014, 4, true, 2);
	assert_int_equal(frame_r(0x14), 6);
	assert_int_equal(mmio(&d.vgic.redist, 0x14, 4, false, 0), 6);
}

static void test_random(void **state)
{
	static const u8 sizes[] = {1, 2, 4, 8};
	unsigned int seed = 3;

	(void)state;
	for (unsigned int i = 0; i < 100000; i++) {
		u64 r = (u64)rand_r(&seed) << 31 | (u64)rand_r(&seed);
		u8 size = sizes[r & 3];
		bool redist = r & 4;
		u64 offset = (r >> 8) % (redist ? 0x40000 : 0x10000);

		if (r & 8) /* where the registers are */
			offset = (redist ? 0x10000 : 0) + (r >> 8) % 0xd00;
		mmio(redist ? &d.vgic.redist : &d.vgic.dist,
		     align_down(offset, size), size, r & 16,
		     (u64)rand_r(&seed) * 0x100000001UL);
		if (r & 32)
			vgic_write_sgir(&vcpus[0], r, r & 64);
		if ((r & 128) && !gic()->phys)
			timer_fires();
		gic()->line = r & 256;
		vgic_set_spi(&d, 32 + (unsigned int)(r >> 40) % 70, r & 512);
		gic()->eois += !(r >> 11 & 63);
		for (unsigned int n = 0; n < NR_LRS; n++)
			if (gic()->lrs[n].pending && !gic()->lrs[n].active &&
			    (rand_r(&seed) & 1))
				take((int)n);
			else if (gic()->lrs[n].active && (rand_r(&seed) & 1))
				end((int)n);
		if (r & 1024)
			vgic_refresh(&vcpus[0]);
		if (gic_lr_ended() || gic()->eois)
			vgic_maintain(&vcpus[0]);
		check_books();
	}
}

/* vCPU 1's CPU, while vCPU 0 waits for it without the lock. */
static void goes_off(const char *name)
{
	host_barrier = NULL;
	assert_string_equal(name, "yield");
	host_this_cpu = &host_cpus[1];
	vgic_unload(&vcpus[1]);
	vgic_vcpu_reset(&vcpus[1]);
	host_this_cpu = &host_cpus[0];
}

/* One that is to be held switches itself off, and is reset, before it is. */
static void test_reset_while_taken(void **state)
{
	const struct vgic_irq *irq = &vcpus[1].vgic.private[6];

	(void)state;
	host_this_cpu = &host_cpus[1];
	host_cpus[1].current = &vcpus[1];
	vgic_load(&vcpus[1]);
	vgic_write_sgir(&vcpus[1], 6UL << 24 | 2, true);
	assert_int_equal(state_of(6), 1);
	host_this_cpu = &host_cpus[0];
	host_barrier = goes_off;
	gicr_w(1, 0x180, BIT(6));
	assert_null(host_barrier);
	/* Nobody waits for the access any more, nor does it hold anything. */
	assert_int_equal(vcpus[1].vgic.holders, 0);
	assert_null(vcpus[0].vgic.holding);
	assert_int_equal(irq->taken, 0);
	assert_false(irq->enabled);
	/* As after any reset. */
	vgic_write_sgir(&vcpus[0], 6UL << 24 | 2, true);
	gicr_w(1, 0x100, BIT(6));
	host_this_cpu = &host_cpus[1];
	vgic_load(&vcpus[1]);
	assert_int_equal(state_of(6), 1);
	vgic_unload(&vcpus[1]);
	host_this_cpu = &host_cpus[0];
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sgi, setup),
		cmocka_unit_test_setup(test_timer, setup),
		cmocka_unit_test_setup(test_timer_bits, setup),
		cmocka_unit_test_setup(test_timer_moves, setup),
		cmocka_unit_test_setup(test_wakes, setup),
		cmocka_unit_test_setup(test_level, setup),
		cmocka_unit_test_setup(test_edge, setup),
		cmocka_unit_test_setup(test_changes, setup),
		cmocka_unit_test_setup(test_more_than_lrs, setup),
		cmocka_unit_test_setup(test_nested, setup),
		cmocka_unit_test_setup(test_routing, setup),
		cmocka_unit_test_setup(test_registers, setup),
		cmocka_unit_test_setup(test_fields, setup),
		cmocka_unit_test_setup(test_id_registers, setup),
		cmocka_unit_test_setup(test_timer_wakes_other, setup),
		cmocka_unit_test_setup(test_random, setup),
		cmocka_unit_test_setup(test_reset_while_taken, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
