/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue of a vCPU: its order and its books against naive ones, groups that
 * are off, and that no work grows with what is queued. Work is counted in basic
 * blocks, each step of each loop is one (gcc's -fsanitize-coverage=trace-pc).
 */
#define NR_SPIS 960
#include <stdio.h>

#include "vgichost.h"

struct cpu *host_this_cpu = &host_cpus[0];
void (*host_barrier)(const char *name);

static unsigned int woken[NR_VCPUS], kicked;
static unsigned long blocks;

__attribute__((no_sanitize_coverage)) void __sanitizer_cov_trace_pc(void);
__attribute__((no_sanitize_coverage)) void __sanitizer_cov_trace_pc(void)
{
	blocks++;
}
void ipi_send(unsigned int cpu, u32 reasons)
{
	(void)cpu;
	(void)reasons;
	kicked++;
}
void sched_wake(struct vcpu *v)
{
	woken[v->id]++;
}
void ipi_handle(void)
{
}

/* All SPIs are edges of vCPU 0, which is loaded, and enabled. */
static int setup(void **state)
{
	(void)state;
	host_gic_version = 3;
	host_gic_reset();
	host_cpus[0].current = &vcpus[0];
	vgic_load(&vcpus[0]);
	gicd_w(0, 2);
	for (unsigned int w = 1; w <= NR_SPIS / 32; w++) {
		gicd_w(0xc00 + 8 * w, 0xaaaaaaaa);
		gicd_w(0xc04 + 8 * w, 0xaaaaaaaa);
		gicd_w(0x100 + 4 * w, ~0U);
	}
	memset(woken, 0, sizeof(woken));
	kicked = 0;
	return 0;
}

static bool may_be_shown(const struct vgic_irq *irq)
{
	return irq->active || d.vgic.enabled[irq->group1];
}

static unsigned int key_of(const struct vgic_irq *irq)
{
	return irq->priority * 2U + !irq->active;
}

/* vCPU 0's queue: bits and rings say what each interrupt says. */
static void check_queue(void)
{
	struct vgic_vcpu *g = &vcpus[0].vgic;
	u32 kinds[VGIC_NR_KINDS] = {};
	unsigned int nr = 0, linked = 0;

	for (unsigned int i = 0; i < VGIC_NR_PRIVATE + NR_SPIS; i++) {
		struct vgic_irq *irq = i < 32 ? &g->private[i] : &spis[i - 32];

		if (irq->vcpu != &vcpus[0] || irq->lr != VGIC_NO_LR ||
		    irq == g->alone) {
			assert_true(list_is_empty(&irq->node));
			continue;
		}
		kinds[irq->active ? VGIC_ACTIVE : irq->group1] |=
			1U << irq->priority / 8;
		nr++;
	}
	assert_memory_equal(kinds, g->sorted_kind, sizeof(kinds));
	assert_int_equal(g->sorted, kinds[0] | kinds[1] | kinds[2]);
	for (unsigned int k = 0; k < VGIC_NR_KINDS; k++)
		for (unsigned int p = 0; p < VGIC_NR_PRIOS; p++) {
			if (!(kinds[k] >> p & 1))
				continue;
			linked++;
			list_for_each(at, &g->first[k][p]->node)
				linked++;
		}
	assert_int_equal(linked, nr);
	if (g->alone) {
		assert_ptr_equal(g->alone->vcpu, &vcpus[0]);
		assert_true(may_be_shown(g->alone));
	}
}

/* After LRs were filled: no other is more urgent than what stands there. */
static void check_shown(void)
{
	struct vgic_vcpu *g = &vcpus[0].vgic;
	unsigned int worst = 0, best = ~0U;
	bool some = false, active = false;

	for (unsigned int n = 0; n < NR_LRS; n++)
		worst = max(worst, !gic_lr_state(n)
					   ? ~0U
					   : gic()->lrs[n].priority * 2U +
						     !gic()->lrs[n].active);
	for (unsigned int i = 0; i < NR_SPIS; i++) {
		if (spis[i].vcpu != &vcpus[0] || spis[i].lr != VGIC_NO_LR)
			continue;
		active |= spis[i].active;
		if (!may_be_shown(&spis[i]))
			continue;
		some = true;
		best = min(best, key_of(&spis[i]));
	}
	assert_true(!some || best >= worst);
	assert_int_equal(gic()->some_wait, some);
	assert_true(!some || gic()->active_waits == active);
	assert_true(!g->alone || !g->sorted);
}

/* Registers at random, of many interrupts that wait. */
static void test_random(void **state)
{
	static const u16 regs[] = {0x80,  0x100, 0x180, 0x200, 0x200,
				   0x200, 0x280, 0x300, 0x380};
	unsigned int seed = 9;

	(void)state;
	for (unsigned int i = 0; i < 30000; i++) {
		unsigned int r = (unsigned int)rand_r(&seed);
		u32 mask = (u32)rand_r(&seed) & (u32)rand_r(&seed);
		unsigned int word = 1 + r / 1024 % 6;

		if (r % 16 == 0)
			gicd_w(0, r >> 5 & 3);
		else if (r % 16 < 3)
			gicd_w(0x400 + 32 * word + r / 32 % 8 * 4, mask);
		else if (r % 16 == 3)
			vgic_unload(&vcpus[0]), vgic_load(&vcpus[0]);
		else
			gicd_w(regs[r / 16 % ARRAY_SIZE(regs)] + 4 * word,
			       r & 0x100000 ? mask : mask & -mask);
		check_queue();
		gic()->eois += gic()->active_waits && r % 7 == 0;
		for (unsigned int n = 0; n < NR_LRS; n++)
			if (gic()->lrs[n].pending && rand_r(&seed) % 4 == 0)
				take((int)n);
			else if (gic()->lrs[n].active && (rand_r(&seed) & 1))
				end((int)n);
		vgic_maintain(&vcpus[0]);
		check_queue();
		check_shown();
		check_books();
	}
}

/* Of one group: by priority, then in the order in which they came. */
static void test_order(void **state)
{
	static u16 came[NR_SPIS];
	unsigned int seed = 4, nr = 0;
	bool gone[NR_SPIS] = {};

	(void)state;
	vgic_unload(&vcpus[0]);
	for (unsigned int i = 0; i < NR_SPIS; i++)
		mmio(&d.vgic.dist, 0x420 + i, 1, true,
		     (u64)rand_r(&seed) & 0x38);
	while (nr < 500) {
		unsigned int n = (unsigned int)rand_r(&seed) % NR_SPIS;

		if (spis[n].latch)
			continue;
		vgic_set_spi(&d, 32 + n, true);
		came[nr++] = (u16)n;
	}
	vgic_load(&vcpus[0]);
	for (unsigned int left = nr; left; left--) {
		unsigned int best = NR_SPIS;

		for (unsigned int i = 0; i < nr; i++)
			if (!gone[came[i]] &&
			    (best == NR_SPIS ||
			     spis[came[i]].priority < spis[best].priority))
				best = came[i];
		gone[best] = true;
		take(lr_of(32 + best));
		end(lr_of(32 + best));
		vgic_maintain(&vcpus[0]);
	}
	assert_int_equal(vcpus[0].vgic.sorted, 0);
}

/* Of a group that is off: nobody hears of them until it is on. */
static void test_groups(void **state)
{
	(void)state;
	gicd_w(0, 0);
	gicd_w(0x84, ~1U);
	vgic_set_spi(&d, 32, true);
	vgic_set_spi(&d, 33, true);
	assert_int_equal(lr_of(32) + lr_of(33), -2);
	assert_false(gic()->some_wait);
	assert_false(vgic_has_pending(&vcpus[0]));
	gicd_w(0, 1);
	assert_true(lr_of(32) >= 0 && lr_of(33) < 0);
	gicd_w(0, 2);
	assert_true(lr_of(32) < 0 && lr_of(33) >= 0);
	gicd_w(0, 0);
	vgic_unload(&vcpus[0]);
	vgic_set_spi(&d, 34, true);
	assert_int_equal(woken[0], 0);
	gicd_w(0, 2);
	assert_int_equal(woken[0], 1);
	/* One that is alone, and its group goes off. */
	gicd_w(0x284, ~0U);
	vgic_set_spi(&d, 40, true);
	gicd_w(0, 0);
	assert_false(vgic_has_pending(&vcpus[0]));
	vgic_load(&vcpus[0]);
	assert_int_equal(lr_of(40), -1);
	gicd_w(0, 3);
	assert_true(lr_of(40) >= 0);
	/* On another CPU. */
	gicd_w(0, 0);
	mmio(&d.vgic.dist, 0x6000 + 8 * 50, 8, true, 1);
	vcpus[1].vgic.loaded = true;
	vgic_set_spi(&d, 50, true);
	assert_int_equal(kicked, 0);
	gicd_w(0, 2);
	assert_int_equal(kicked, 1);
}

/* One more active than there are LRs: the only one that waits. */
static void test_active(void **state)
{
	(void)state;
	for (unsigned int n = 0; n <= NR_LRS; n++)
		gicd_w(0x304, 1U << n);
	assert_true(gic()->some_wait && gic()->active_waits);
	assert_int_equal(lr_of(32 + NR_LRS), -1);
	/* The guest ended it, and something else of it changes then. */
	gic()->eois = 1;
	gicd_w(0x204, 1U << NR_LRS);
	assert_int_equal(gicd_r(0x304), (1U << NR_LRS) - 1);
}

/* Held, it stays out of its LRs, whatever IPI comes late. */
static void test_held(void **state)
{
	struct vgic_vcpu *g = &vcpus[0].vgic;

	(void)state;
	g->holders = 1;
	g->in_access = true;
	vgic_refresh(&vcpus[0]);
	assert_true(g->held);
	g->holders = 0;
	vgic_set_spi(&d, 40, true);
	vgic_refresh(&vcpus[0]);
	assert_int_equal(lr_of(40), -1);
	g->in_access = false;
	vgic_refresh(&vcpus[0]);
	assert_false(g->held);
	assert_true(lr_of(40) >= 0);
}

enum op { PEND, CTLR_OFF, CTLR_ON, UNLOAD, LOAD, ACT, EOI, DROP, NR_OPS };

static void cost_at(unsigned int nr, unsigned long cost[NR_OPS])
{
	static const char *const names[] = {"pend", "off", "on",   "unload",
					    "load", "act", "EOIs", "clear"};

	setup(NULL);
	for (unsigned int w = 1; w <= nr / 32; w++) {
		blocks = 0;
		gicd_w(0x200 + 4 * w, ~0U);
		cost[PEND] = blocks;
	}
	for (enum op op = CTLR_OFF; op < NR_OPS; op++) {
		gic()->eois = op == EOI ? 31 : 0;
		blocks = 0;
		if (op == CTLR_OFF || op == CTLR_ON)
			gicd_w(0, op == CTLR_ON ? 2 : 0);
		else if (op == UNLOAD)
			vgic_unload(&vcpus[0]);
		else if (op == LOAD)
			vgic_load(&vcpus[0]);
		else if (op == EOI)
			vgic_maintain(&vcpus[0]);
		else
			gicd_w((op == ACT ? 0x300 : 0x280) + nr / 8, ~0U);
		cost[op] = blocks;
	}
	for (enum op op = 0; op < NR_OPS; op++)
		printf("%u queued, %s: %lu blocks\n", nr, names[op], cost[op]);
}

static void test_work(void **state)
{
	unsigned long few[NR_OPS], many[NR_OPS];

	(void)state;
	cost_at(64, few);
	for (unsigned int i = 0; i < 2; i++) {
		cost_at(i ? NR_SPIS : 256, many);
		for (enum op op = 0; op < NR_OPS; op++)
			assert_true(many[op] <= few[op] + few[op] / 8 + 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_random, setup),
		cmocka_unit_test_setup(test_order, setup),
		cmocka_unit_test_setup(test_groups, setup),
		cmocka_unit_test_setup(test_active, setup),
		cmocka_unit_test_setup(test_held, setup),
		cmocka_unit_test(test_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
