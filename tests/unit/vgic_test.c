/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual GIC on the host, list registers as an array: the state machine's
 * known traps, SGIs, level and edge, and a random run of register accesses
 * that must keep the bookkeeping consistent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <skerry/cpu.h>
#include <skerry/domain.h>
#include <skerry/layout.h>
#include <skerry/machine.h>

#define NR_VCPUS   2
#define NR_LRS	   4
#define PHYS_TIMER 27

static struct domain d;
static struct vcpu vcpus[NR_VCPUS];
static struct vgic_irq spis[64];
static struct cpu host_cpu;
static struct gic_lr lrs[NR_LRS];
static bool underflow, timer_line;
static unsigned int ipis, deactivated;

struct cpu *host_this_cpu = &host_cpu;
void (*host_barrier)(const char *name);
struct machine machine = {.vtimer_intid = PHYS_TIMER};

unsigned int gic_nr_lrs(void)
{
	return NR_LRS;
}
void gic_lr_write(unsigned int n, const struct gic_lr *lr)
{
	lrs[n] = *lr;
}
void gic_lr_clear(unsigned int n)
{
	memset(&lrs[n], 0, sizeof(lrs[n]));
}
unsigned int gic_lr_state(unsigned int n)
{
	return lrs[n].pending | lrs[n].active << 1;
}
bool gic_lr_repend(unsigned int n)
{
	if (gic_lr_state(n))
		return false;
	return lrs[n].pending = true;
}
u64 gic_lr_empty(void)
{
	u64 mask = 0;

	for (unsigned int n = 0; n < NR_LRS; n++)
		mask |= gic_lr_state(n) ? 0 : BIT(n);
	return mask;
}
void gic_set_underflow(bool on)
{
	underflow = on;
}
void gic_deactivate(u32 intid)
{
	assert_int_equal(intid, PHYS_TIMER);
	deactivated++;
}
void gic_vcpu_load(const struct gic_vcpu *g)
{
	(void)g;
}
void gic_vcpu_save(struct gic_vcpu *g)
{
	(void)g;
}
void gic_vcpu_reset(struct gic_vcpu *g)
{
	(void)g;
}
bool arch_vtimer_line(void)
{
	return timer_line;
}
void ipi_send(unsigned int cpu, u32 reasons)
{
	assert_int_equal(cpu, 1);
	assert_true(reasons & IPI_REFRESH);
	ipis++;
	/* The other CPU looks at once, as far as the test can tell. */
	vcpus[1].vgic.loaded = false;
}
void ipi_handle(void)
{
}
void lock_rank_take(struct spinlock *l)
{
	(void)l;
}
void lock_rank_drop(struct spinlock *l)
{
	(void)l;
}
void *pool_alloc(struct pool *p, u64 size, u64 align)
{
	(void)p;
	(void)align;
	assert_true(size <= sizeof(spis));
	return memset(spis, 0, sizeof(spis));
}
int emul_add(struct emul_domain *e, const struct emul_region *r)
{
	e->regions[e->nr++] = r;
	return 0;
}
struct vcpu *domain_vcpu_by_mpidr(struct domain *dom, u64 mpidr)
{
	(void)dom;
	return mpidr < NR_VCPUS ? &vcpus[mpidr] : NULL;
}

static u64 mmio(const struct emul_region *r, u64 offset, u8 size, bool write,
		u64 value)
{
	struct emul_access a = {offset, value, size, write};

	r->access(&vcpus[0], &a);
	return a.value;
}
static void gicd_w(u64 offset, u32 val)
{
	mmio(&d.vgic.dist, offset, 4, true, val);
}
static u32 gicd_r(u64 offset)
{
	return (u32)mmio(&d.vgic.dist, offset, 4, false, 0);
}
static void gicr_w(u64 offset, u32 val)
{
	mmio(&d.vgic.redist, 0x10000 + offset, 4, true, val);
}
static u32 gicr_r(u64 offset)
{
	return (u32)mmio(&d.vgic.redist, 0x10000 + offset, 4, false, 0);
}

/* vCPU 0 is loaded here; vCPU 1 runs on CPU 1. */
static int setup(void **state)
{
	(void)state;
	memset(&d, 0, sizeof(d));
	memset(vcpus, 0, sizeof(vcpus));
	memset(lrs, 0, sizeof(lrs));
	memset(&host_cpu, 0, sizeof(host_cpu));
	d.nr_vcpus = NR_VCPUS;
	for (unsigned int i = 0; i < NR_VCPUS; i++) {
		vcpus[i].domain = &d;
		vcpus[i].id = vcpus[i].cpu = i;
		d.vcpus[i] = &vcpus[i];
	}
	assert_int_equal(vgic_domain_init(&d, 64), 0);
	for (unsigned int i = 0; i < NR_VCPUS; i++)
		vgic_vcpu_reset(&vcpus[i]);
	host_cpu.current = &vcpus[0];
	vgic_load(&vcpus[0]);
	gicd_w(0, 2);
	ipis = deactivated = 0;
	underflow = false;
	timer_line = true;
	return 0;
}

static int lr_of(unsigned int intid)
{
	for (int n = 0; n < NR_LRS; n++)
		if (gic_lr_state((unsigned int)n) && lrs[n].intid == intid)
			return n;
	return -1;
}

/* The guest acknowledges, or ends, what stands in LR n. */
static void take(int n)
{
	lrs[n].pending = false;
	lrs[n].active = true;
}
static void end(int n)
{
	lrs[n].active = false;
}

static void test_sgi(void **state)
{
	(void)state;
	vgic_write_sgir(&vcpus[0], 5UL << 24 | 1, true);
	assert_true(lr_of(5) >= 0);
	assert_int_equal(ipis, 0);
	/* Once more while active: an edge is not lost. */
	take(lr_of(5));
	vgic_write_sgir(&vcpus[0], 5UL << 24 | 1, true);
	assert_int_equal(gic_lr_state((unsigned int)lr_of(5)), 3);
	/* To the other, to nobody, to all but self, of the wrong group. */
	vgic_write_sgir(&vcpus[0], 6UL << 24 | 2, true);
	assert_int_equal(ipis, 1);
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
	vgic_inject_hw_ppi(&vcpus[0], 27);
	assert_int_equal(lr_of(27), -1);
	gicr_w(0x100, BIT(27));
	n = lr_of(27);
	assert_true(n >= 0 && lrs[n].hw && lrs[n].pintid == PHYS_TIMER);
	take(n);
	/* Disabling an active one leaves it active: the guest still ends it. */
	gicr_w(0x180, BIT(27));
	assert_int_equal(gic_lr_state((unsigned int)lr_of(27)), 2);
	end(lr_of(27));
	gicr_w(0x100, BIT(27));
	vgic_inject_hw_ppi(&vcpus[0], 27);
	assert_int_equal(gic_lr_state((unsigned int)lr_of(27)), 1);
	assert_int_equal(deactivated, 0);
	/* Taken back by a disable; the line falls: nothing is left to tell. */
	gicr_w(0x180, BIT(27));
	assert_int_equal(lr_of(27), -1);
	timer_line = false;
	gicr_w(0x100, BIT(27));
	assert_int_equal(lr_of(27), -1);
	assert_int_equal(deactivated, 1);
}

static void test_level(void **state)
{
	(void)state;
	vgic_set_spi(&d, 32, true);
	/* Pending shows the line though it is disabled. */
	assert_int_equal(gicd_r(0x204) & 1, 1);
	gicd_w(0x104, 1);
	assert_true(lr_of(32) >= 0 && lrs[lr_of(32)].eoi_maint);
	vgic_set_spi(&d, 32, false);
	assert_int_equal(lr_of(32), -1);
	vgic_set_spi(&d, 32, true);
	take(lr_of(32));
	end(lr_of(32) < 0 ? 0 : lr_of(32));
	vgic_refresh(&vcpus[0]); /* maintenance: the line is still high */
	assert_int_equal(gic_lr_state((unsigned int)lr_of(32)), 1);
	/* Clearing the pending bit of a high line does nothing. */
	gicd_w(0x284, 1);
	assert_int_equal(gicd_r(0x204) & 1, 1);
}

static void test_more_than_lrs(void **state)
{
	(void)state;
	gicd_w(0xc08, 0xaaaaaaaa); /* edges */
	for (unsigned int i = 0; i < 8; i++)
		mmio(&d.vgic.dist, 0x420 + i, 1, true, 0x80 - 8 * i);
	gicd_w(0x104, 0xff);
	for (unsigned int i = 0; i < 8; i++)
		gicd_w(0x204, 1U << i);
	/* The most urgent ones stand in LRs, and somebody waits. */
	for (unsigned int i = 4; i < 8; i++)
		assert_true(lr_of(32 + i) >= 0);
	assert_true(underflow);
	for (unsigned int i = 4; i < 8; i++) {
		int n = lr_of(32 + i);

		take(n);
		end(n);
	}
	vgic_refresh(&vcpus[0]);
	for (unsigned int i = 0; i < 4; i++)
		assert_true(lr_of(32 + i) >= 0);
	assert_false(underflow);
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
	assert_int_equal(ipis, 1);
	assert_int_equal(mmio(&d.vgic.dist, 0x6108, 8, false, 0), 1);
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
	assert_int_equal(gicr_r(0x100), 0xffff);
	assert_int_equal(mmio(&d.vgic.redist, 0x20008, 8, false, 0),
			 1UL << 32 | 1UL << 8 | BIT(4));
	/* Group off: nothing is delivered; SGIs' configuration is fixed. */
	gicd_w(0, 0);
	vgic_write_sgir(&vcpus[0], 3UL << 24 | 1, true);
	assert_int_equal(lr_of(3), -1);
	gicd_w(0, 2);
	assert_true(lr_of(3) >= 0);
	gicr_w(0xc00, 0);
	assert_int_equal(gicr_r(0xc00), 0xaaaaaaaa);
}

static void check_books(void)
{
	const struct vgic_vcpu *g = &vcpus[0].vgic;

	for (unsigned int n = 0; n < NR_LRS; n++) {
		assert_int_equal(!!(g->lr_used & BIT(n)), g->lr[n] != NULL);
		if (!g->lr[n]) {
			assert_int_equal(gic_lr_state(n), 0);
			continue;
		}
		assert_int_equal(g->lr[n]->lr, n);
		assert_int_equal(g->lr[n]->intid, lrs[n].intid);
		assert_true(list_is_empty(&g->lr[n]->node));
	}
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
		if (r & 128)
			vgic_inject_hw_ppi(&vcpus[0], 27);
		vgic_set_spi(&d, 32 + (unsigned int)(r >> 40) % 70, r & 512);
		for (unsigned int n = 0; n < NR_LRS; n++)
			if (lrs[n].pending && (rand_r(&seed) & 1))
				take((int)n);
			else if (rand_r(&seed) & 1)
				end((int)n);
		if (r & 1024)
			vgic_refresh(&vcpus[0]);
		check_books();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sgi, setup),
		cmocka_unit_test_setup(test_timer, setup),
		cmocka_unit_test_setup(test_level, setup),
		cmocka_unit_test_setup(test_more_than_lrs, setup),
		cmocka_unit_test_setup(test_routing, setup),
		cmocka_unit_test_setup(test_registers, setup),
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
