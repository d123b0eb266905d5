/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A GIC on the host for the tests of vgic/: list registers as an array for
 * each CPU, with what the guest and the CPU interface do to them.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifdef HOST_THREADS /* cmocka's own end the process without a word there */
#include <stdio.h>
#undef assert_true
#undef assert_int_equal
#define assert_true(cond)                                                      \
	do {                                                                   \
		if (!(cond)) {                                                 \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__,     \
				#cond);                                        \
			abort();                                               \
		}                                                              \
	} while (0)
#define assert_int_equal(a, b) assert_true((a) == (b))
#undef assert_false
#undef assert_null
#define assert_false(cond) assert_true(!(cond))
#define assert_null(ptr)   assert_true(!(ptr))
#endif

#include <skerry/cpu.h>
#include <skerry/domain.h>
#include <skerry/layout.h>
#include <skerry/machine.h>

#ifndef NR_VCPUS
#define NR_VCPUS 2
#endif
#ifndef NR_SPIS
#define NR_SPIS 64
#endif
#define NR_LRS	   4
#define PHYS_TIMER 27

static struct domain d;
static struct vcpu vcpus[NR_VCPUS];
static struct vgic_irq spis[NR_SPIS];
static struct cpu host_cpus[NR_VCPUS];

/* Of each CPU. */
static struct host_gic {
	struct gic_lr lrs[NR_LRS];
	bool some_wait, active_waits;
	unsigned int eois;
	bool phys; /* its timer's interrupt is active */
	bool line; /* its timer's line */
} gics[NR_VCPUS];

struct machine machine = {.vtimer_intid = PHYS_TIMER};
static unsigned int host_gic_version = 3;

static struct host_gic *gic(void)
{
	return &gics[host_this_cpu->id];
}

unsigned int gic_version(void)
{
	return host_gic_version;
}
unsigned int gic_nr_lrs(void)
{
	return NR_LRS;
}
u32 gic_lrs(void)
{
	return (1U << NR_LRS) - 1;
}
void gic_lr_write(unsigned int n, const struct gic_lr *lr)
{
	/* UNPREDICTABLE otherwise (IHI 0069 9.4.3). */
	assert_false(lr->hw && lr->active && lr->pending);
	assert_true(lr->pending || lr->active);
	if (lr->hw) {
		assert_int_equal(lr->pintid, PHYS_TIMER);
		assert_true(gic()->phys);
	}
	for (unsigned int i = 0; i < NR_LRS; i++)
		assert_true(i == n || !gic_lr_state(i) ||
			    gic()->lrs[i].intid != lr->intid);
	gic()->lrs[n] = *lr;
}
void gic_lr_clear(unsigned int n)
{
	memset(&gic()->lrs[n], 0, sizeof(struct gic_lr));
}
unsigned int gic_lr_state(unsigned int n)
{
	return gic()->lrs[n].pending | gic()->lrs[n].active << 1;
}
bool gic_lr_repend(unsigned int n)
{
	if (gic_lr_state(n))
		return false;
	if (gic()->lrs[n].hw)
		assert_true(gic()->phys);
	return gic()->lrs[n].pending = true;
}
void gic_activate(u32 intid)
{
	assert_int_equal(intid, PHYS_TIMER);
	assert_false(gic()->phys);
	gic()->phys = true;
}
u64 gic_lr_empty(void)
{
	u64 mask = 0;

	for (unsigned int n = 0; n < NR_LRS; n++)
		mask |= gic_lr_state(n) ? 0 : BIT(n);
	return mask;
}
u64 gic_lr_ended(void)
{
	u64 mask = 0;

	for (unsigned int n = 0; n < NR_LRS; n++)
		if (!gic_lr_state(n) && gic()->lrs[n].eoi_maint)
			mask |= BIT(n);
	return mask;
}
void gic_set_waiting(bool some, bool active)
{
	gic()->some_wait = some;
	gic()->active_waits = active;
}
unsigned int gic_take_eois(void)
{
	unsigned int n = gic()->eois;

	gic()->eois = 0;
	return n;
}
void gic_deactivate(u32 intid)
{
	assert_int_equal(intid, PHYS_TIMER);
	assert_true(gic()->phys);
	gic()->phys = false;
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
	return gic()->line;
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

/* The guest's accesses, by the vCPU of the calling CPU. */
static u64 mmio(const struct emul_region *r, u64 offset, u8 size, bool write,
		u64 value)
{
	struct emul_access a = {offset, value, size, write};

	r->access(host_this_cpu->current, &a);
	return a.value;
}
static void gicd_w(u64 offset, u32 val)
{
	mmio(&d.vgic.dist, offset, 4, true, val);
}
static inline u32 gicd_r(u64 offset)
{
	return (u32)mmio(&d.vgic.dist, offset, 4, false, 0);
}
/* The SGI frame of vCPU t. */
static inline void gicr_w(unsigned int t, u64 offset, u32 val)
{
	mmio(&d.vgic.redist, t * 0x20000 + 0x10000 + offset, 4, true, val);
}
static inline u32 gicr_r(unsigned int t, u64 offset)
{
	return (u32)mmio(&d.vgic.redist, t * 0x20000 + 0x10000 + offset, 4,
			 false, 0);
}

static int lr_of(unsigned int intid)
{
	for (int n = 0; n < NR_LRS; n++)
		if (gic_lr_state((unsigned int)n) && gic()->lrs[n].intid == intid)
			return n;
	return -1;
}
static inline unsigned int state_of(unsigned int intid)
{
	int n = lr_of(intid);

	return n < 0 ? 0 : gic_lr_state((unsigned int)n);
}

/* The guest acknowledges, or ends, what stands in LR n. */
static void take(int n)
{
	assert_true(n >= 0);
	gic()->lrs[n].pending = false;
	gic()->lrs[n].active = true;
}
static void end(int n)
{
	assert_true(n >= 0);
	gic()->lrs[n].active = false;
	if (gic()->lrs[n].hw)
		gic()->phys = false;
}

/* The physical timer's interrupt, which only comes when it is not active. */
static inline void timer_fires(void)
{
	assert_false(gic()->phys);
	gic()->phys = true;
	vgic_inject_hw_ppi(host_this_cpu->current, 27);
}

static void host_gic_reset(void)
{
	const struct describe_guest g = {.nr_spis = NR_SPIS};

	memset(&d, 0, sizeof(d));
	memset(vcpus, 0, sizeof(vcpus));
	memset(gics, 0, sizeof(gics));
	memset(host_cpus, 0, sizeof(host_cpus));
	d.nr_vcpus = NR_VCPUS;
	for (unsigned int i = 0; i < NR_VCPUS; i++) {
		host_cpus[i].id = i;
		gics[i].line = true;
		vcpus[i].domain = &d;
		vcpus[i].id = vcpus[i].cpu = i;
		vcpus[i].state = VCPU_ON;
		d.vcpus[i] = &vcpus[i];
	}
	host_this_cpu = &host_cpus[0];
	assert_int_equal(vgic_part.domain_init(&d, &g), 0);
}

/* What must hold of the books of the calling CPU's vCPU at any time. */
static void check_books(void)
{
	const struct vgic_vcpu *g = &host_this_cpu->current->vgic;

	for (unsigned int n = 0; n < NR_LRS; n++) {
		assert_int_equal(!!(g->lr_used & BIT(n)), g->lr[n] != NULL);
		if (!g->lr[n]) {
			assert_int_equal(gic_lr_state(n), 0);
			continue;
		}
		assert_int_equal(g->lr[n]->lr, n);
		assert_int_equal(g->lr[n]->intid, gic()->lrs[n].intid);
		assert_true(list_is_empty(&g->lr[n]->node));
	}
}
