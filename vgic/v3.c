/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GICv3 distributor and redistributor registers of guests (IHI 0069 chapter
 * 12): one security state (GICD_CTLR.DS), affinity routing always on, no LPIs.
 */
#include "vgic_priv.h"

#include <skerry/layout.h>

/* clang-format off */
#define GICD_CTLR	0x0000
#define CTLR_G0		BIT(0)
#define CTLR_G1		BIT(1)
#define CTLR_ARE	BIT(4)
#define CTLR_DS		BIT(6)
#define GICD_TYPER	0x0004
#define TYPER_ID_BITS	field_prep(BITS(23, 19), 9)	/* INTIDs of 10 bits */
#define TYPER_NO_1OFN	BIT(25)
#define GICD_IIDR	0x0008
#define GIC_IGROUPR	0x0080
#define GIC_ISENABLER	0x0100
#define GIC_ICENABLER	0x0180
#define GIC_ISPENDR	0x0200
#define GIC_ICPENDR	0x0280
#define GIC_ISACTIVER	0x0300
#define GIC_ICACTIVER	0x0380
#define GIC_IPRIORITYR	0x0400
#define GIC_ICFGR	0x0c00
#define GICD_IROUTER	0x6100
#define IROUTER_IRM	BIT(31)
#define GIC_PIDR2	0xffe8
#define PIDR2_ARCH_V3	0x3b
#define IIDR_ARM	0x43b
#define GICR_SGI	0x10000
#define GICR_TYPER	0x0008
#define GICR_WAKER	0x0014
#define WAKER_SLEEP	BIT(1)
#define WAKER_ASLEEP	BIT(2)
/* clang-format on */

static void lock(struct vcpu *v)
{
	spin_lock(&v->domain->vgic.lock);
}

static void unlock(struct vcpu *v)
{
	spin_unlock(&v->domain->vgic.lock);
}

/*
 * The interrupts of an access to a register with `bits` bits for each: private
 * ones only in the redistributor, SPIs only in the distributor. NULL for none.
 * Blocks of registers are aligned to their size, and accesses to theirs.
 */
static struct vgic_irq *irqs_at(struct vcpu *v, const struct emul_access *a,
				unsigned int bits)
{
	unsigned int off = (unsigned int)a->offset & (128 * bits - 1);
	unsigned int first = off * 8 / bits;

	if ((first < VGIC_NR_PRIVATE) != (a->offset >= GICR_SGI))
		return NULL;
	return vgic_irq_of(v, first);
}

typedef u32 (*get_fn)(const struct vgic_irq *irq);
typedef void (*set_fn)(struct vgic_irq *irq, u32 val);

/* What may stand in an LR is `true_state`: it is taken from there first. */
static __force_inline void read_each(struct vcpu *v, struct emul_access *a,
				     unsigned int bits, get_fn get,
				     bool true_state)
{
	struct domain *d = v->domain;
	struct vgic_irq *irq = irqs_at(v, a, bits);

	if (!irq)
		return;
	lock(v);
	for (unsigned int i = 0; i < 8U * a->size; i += bits, irq++) {
		struct vcpu *was = NULL;
		bool taken = true_state && irq->lr != VGIC_NO_LR;

		if (taken)
			was = vgic_take(d, irq);
		a->value |= (u64)get(irq) << i;
		if (taken)
			vgic_put(d, irq, was);
	}
	unlock(v);
}

/* A field of each interrupt; nothing is done for those that have it. */
static __force_inline void write_each(struct vcpu *v, struct emul_access *a,
				      unsigned int bits, get_fn get, set_fn set)
{
	struct domain *d = v->domain;
	struct vgic_irq *irq = irqs_at(v, a, bits);

	if (!irq)
		return;
	lock(v);
	for (unsigned int i = 0; i < 8U * a->size; i += bits, irq++) {
		u32 val = (u32)(a->value >> i) & ((1U << bits) - 1);

		if (val != get(irq)) {
			struct vcpu *was = vgic_take(d, irq);

			set(irq, val);
			vgic_put(d, irq, was);
		}
	}
	unlock(v);
}

/* Registers in which a one sets, or clears, something. */
static __force_inline void write_ones(struct vcpu *v, struct emul_access *a,
				      get_fn get, set_fn set, u32 val)
{
	struct domain *d = v->domain;
	struct vgic_irq *irqs = irqs_at(v, a, 1);

	if (!irqs)
		return;
	lock(v);
	for (u32 ones = (u32)a->value; ones; ones &= ones - 1) {
		struct vgic_irq *irq = &irqs[__builtin_ctz(ones)];
		struct vcpu *was;

		if (get && get(irq) == val)
			continue;
		was = vgic_take(d, irq);
		set(irq, val);
		vgic_put(d, irq, was);
	}
	unlock(v);
}

static u32 get_group(const struct vgic_irq *irq)
{
	return irq->group1;
}

static void set_group(struct vgic_irq *irq, u32 val)
{
	irq->group1 = val;
}

static void read_group(struct vcpu *v, struct emul_access *a)
{
	read_each(v, a, 1, get_group, false);
}

static void write_group(struct vcpu *v, struct emul_access *a)
{
	write_each(v, a, 1, get_group, set_group);
}

static u32 get_enable(const struct vgic_irq *irq)
{
	return irq->enabled;
}

static void set_enable(struct vgic_irq *irq, u32 val)
{
	irq->enabled = val;
}

static void read_enable(struct vcpu *v, struct emul_access *a)
{
	read_each(v, a, 1, get_enable, false);
}

static void write_set_enable(struct vcpu *v, struct emul_access *a)
{
	write_ones(v, a, get_enable, set_enable, 1);
}

static void write_clear_enable(struct vcpu *v, struct emul_access *a)
{
	write_ones(v, a, get_enable, set_enable, 0);
}

static u32 get_pending(const struct vgic_irq *irq)
{
	return vgic_is_pending(irq);
}

/* A line that is high stays pending (IHI 0069 12.9.7). */
static void set_pending(struct vgic_irq *irq, u32 val)
{
	irq->latch = val;
}

static void read_pending(struct vcpu *v, struct emul_access *a)
{
	read_each(v, a, 1, get_pending, true);
}

static void write_set_pending(struct vcpu *v, struct emul_access *a)
{
	write_ones(v, a, NULL, set_pending, 1);
}

static void write_clear_pending(struct vcpu *v, struct emul_access *a)
{
	write_ones(v, a, NULL, set_pending, 0);
}

static u32 get_active(const struct vgic_irq *irq)
{
	return irq->active;
}

static void set_active(struct vgic_irq *irq, u32 val)
{
	if (irq->active && !val && irq->phys)
		vgic_drop_phys(irq);
	irq->active = val;
}

static void read_active(struct vcpu *v, struct emul_access *a)
{
	read_each(v, a, 1, get_active, true);
}

static void write_set_active(struct vcpu *v, struct emul_access *a)
{
	write_ones(v, a, NULL, set_active, 1);
}

static void write_clear_active(struct vcpu *v, struct emul_access *a)
{
	write_ones(v, a, NULL, set_active, 0);
}

static u32 get_priority(const struct vgic_irq *irq)
{
	return irq->priority;
}

static void set_priority(struct vgic_irq *irq, u32 val)
{
	irq->priority = val & VGIC_PRIO_MASK;
}

static void read_priority(struct vcpu *v, struct emul_access *a)
{
	read_each(v, a, 8, get_priority, false);
}

static void write_priority(struct vcpu *v, struct emul_access *a)
{
	write_each(v, a, 8, get_priority, set_priority);
}

static u32 get_config(const struct vgic_irq *irq)
{
	return irq->level ? 0 : 2;
}

static void set_config(struct vgic_irq *irq, u32 val)
{
	/* SGIs are edges; PPIs are wired. */
	if (irq->intid >= VGIC_NR_PRIVATE)
		irq->level = !(val & 2);
}

static void read_config(struct vcpu *v, struct emul_access *a)
{
	read_each(v, a, 2, get_config, false);
}

static void write_config(struct vcpu *v, struct emul_access *a)
{
	write_each(v, a, 2, get_config, set_config);
}

static void read_ctlr(struct vcpu *v, struct emul_access *a)
{
	const struct vgic_domain *g = &v->domain->vgic;

	a->value = CTLR_ARE | CTLR_DS | (g->enabled_g0 ? CTLR_G0 : 0) |
		   (g->enabled_g1 ? CTLR_G1 : 0);
}

static void write_ctlr(struct vcpu *v, struct emul_access *a)
{
	struct vgic_domain *g = &v->domain->vgic;
	bool g0 = a->value & CTLR_G0, g1 = a->value & CTLR_G1;

	lock(v);
	if (g->enabled_g0 != g0 || g->enabled_g1 != g1) {
		g->enabled_g0 = g0;
		g->enabled_g1 = g1;
		vgic_update_all(v->domain);
	}
	unlock(v);
}

static void read_typer(struct vcpu *v, struct emul_access *a)
{
	a->value = v->domain->vgic.nr_spis / 32 | TYPER_ID_BITS | TYPER_NO_1OFN;
}

static void read_iidr(struct vcpu *v __unused, struct emul_access *a)
{
	a->value = IIDR_ARM;
}

static void read_pidr2(struct vcpu *v __unused, struct emul_access *a)
{
	a->value = PIDR2_ARCH_V3;
}

static unsigned int router_intid(const struct emul_access *a)
{
	return (unsigned int)(a->offset - GICD_IROUTER) / 8 + VGIC_SPI_FIRST;
}

static void read_router(struct vcpu *v, struct emul_access *a)
{
	const struct vgic_irq *irq = vgic_irq_of(v, router_intid(a));

	if (irq)
		a->value = a->size == 8	   ? irq->router
			   : a->offset & 4 ? irq->router >> 32
					   : (u32)irq->router;
}

static void write_router(struct vcpu *v, struct emul_access *a)
{
	struct vgic_irq *irq = vgic_irq_of(v, router_intid(a));
	u64 val = a->value;
	struct vcpu *was;

	if (!irq)
		return;
	lock(v);
	was = vgic_take(v->domain, irq);
	if (a->size == 4)
		val = a->offset & 4 ? (irq->router & BITS(31, 0)) | val << 32
				    : (irq->router & ~BITS(31, 0)) | val;
	irq->router = val & (0xff00ffffffUL | IROUTER_IRM);
	/* Any of them: the first one. An absent CPU: it stays pending. */
	irq->target = irq->router & IROUTER_IRM
			      ? v->domain->vcpus[0]
			      : domain_vcpu_by_mpidr(v->domain, irq->router);
	vgic_put(v->domain, irq, was);
	unlock(v);
}

/* clang-format off */
static const struct emul_reg dist_regs[] = {
	{GICD_CTLR,	4,    W32,	read_ctlr,	write_ctlr},
	{GICD_TYPER,	4,    W32,	read_typer,	NULL},
	{GICD_IIDR,	4,    W32,	read_iidr,	NULL},
	{GIC_IGROUPR,	0x80, W32,	read_group,	write_group},
	{GIC_ISENABLER,	0x80, W32,	read_enable,	write_set_enable},
	{GIC_ICENABLER,	0x80, W32,	read_enable,	write_clear_enable},
	{GIC_ISPENDR,	0x80, W32,	read_pending,	write_set_pending},
	{GIC_ICPENDR,	0x80, W32,	read_pending,	write_clear_pending},
	{GIC_ISACTIVER,	0x80, W32,	read_active,	write_set_active},
	{GIC_ICACTIVER,	0x80, W32,	read_active,	write_clear_active},
	{GIC_IPRIORITYR, 0x400, W8 | W32, read_priority, write_priority},
	{GIC_ICFGR,	0x100, W32,	read_config,	write_config},
	{GICD_IROUTER,	8 * VGIC_MAX_SPIS, W32 | W64, read_router, write_router},
	{GIC_PIDR2,	4,    W32,	read_pidr2,	NULL},
};
/* clang-format on */

void vgic_dist_access(struct vcpu *v, struct emul_access *a)
{
	emul_table_access(dist_regs, ARRAY_SIZE(dist_regs), v, a);
}

static void read_redist_typer(struct vcpu *t, struct emul_access *a)
{
	u64 aff = vcpu_mpidr(t->id) & 0xffffff;
	u64 val = aff << 32 | (u64)t->id << 8;

	if (t->id == t->domain->nr_vcpus - 1)
		val |= BIT(4); /* Last */
	a->value = a->size == 8 ? val : a->offset & 4 ? val >> 32 : (u32)val;
}

static void read_waker(struct vcpu *t, struct emul_access *a)
{
	a->value = t->vgic.waker_sleep ? WAKER_SLEEP | WAKER_ASLEEP : 0;
}

static void write_waker(struct vcpu *t, struct emul_access *a)
{
	t->vgic.waker_sleep = a->value & WAKER_SLEEP;
}

#define SGI(reg) (GICR_SGI + (reg))
/* clang-format off */
static const struct emul_reg redist_regs[] = {
	{0x0004,		4, W32,	read_iidr,	NULL},
	{GICR_TYPER,		8, W32 | W64, read_redist_typer, NULL},
	{GICR_WAKER,		4, W32,	read_waker,	write_waker},
	{GIC_PIDR2,		4, W32,	read_pidr2,	NULL},
	{SGI(GIC_IGROUPR),	4, W32,	read_group,	write_group},
	{SGI(GIC_ISENABLER),	4, W32,	read_enable,	write_set_enable},
	{SGI(GIC_ICENABLER),	4, W32,	read_enable,	write_clear_enable},
	{SGI(GIC_ISPENDR),	4, W32,	read_pending,	write_set_pending},
	{SGI(GIC_ICPENDR),	4, W32,	read_pending,	write_clear_pending},
	{SGI(GIC_ISACTIVER),	4, W32,	read_active,	write_set_active},
	{SGI(GIC_ICACTIVER),	4, W32,	read_active,	write_clear_active},
	{SGI(GIC_IPRIORITYR),	32, W8 | W32, read_priority, write_priority},
	{SGI(GIC_ICFGR),	8, W32,	read_config,	write_config},
};
/* clang-format on */

void vgic_redist_access(struct vcpu *v, struct emul_access *a)
{
	u64 offset = a->offset;
	struct vcpu *t = v->domain->vcpus[offset / GUEST_GICR_STRIDE];

	a->offset = offset % GUEST_GICR_STRIDE;
	emul_table_access(redist_regs, ARRAY_SIZE(redist_regs), t, a);
	a->offset = offset;
}
