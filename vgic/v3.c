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

/* First INTID of an access to a register with `bits` bits an interrupt. */
static unsigned int first_of(const struct emul_access *a, unsigned int base,
			     unsigned int bits)
{
	return (unsigned int)((a->offset & 0xffff) - base) * 8 / bits;
}

/* Private ones only in the redistributor, SPIs only in the distributor. */
static struct vgic_irq *irq_at(struct vcpu *v, const struct emul_access *a,
			       unsigned int intid)
{
	if ((intid < VGIC_NR_PRIVATE) != (a->offset >= GICR_SGI))
		return NULL;
	return vgic_irq_of(v, intid);
}

typedef bool (*get_fn)(const struct vgic_irq *irq);
typedef void (*set_fn)(struct vgic_irq *irq);

static void read_bits(struct vcpu *v, struct emul_access *a, unsigned int base,
		      get_fn get)
{
	unsigned int first = first_of(a, base, 1);

	lock(v);
	for (unsigned int i = 0; i < 32; i++) {
		const struct vgic_irq *irq = irq_at(v, a, first + i);

		if (irq && get(irq))
			a->value |= BIT(i);
	}
	unlock(v);
}

static void write_bits(struct vcpu *v, struct emul_access *a, unsigned int base,
		       set_fn set)
{
	unsigned int first = first_of(a, base, 1);

	lock(v);
	for (u64 bits = a->value; bits; bits &= bits - 1) {
		struct vgic_irq *irq =
			irq_at(v, a, first + (unsigned int)__builtin_ctzl(bits));

		if (irq) {
			set(irq);
			vgic_update(v->domain, irq);
		}
	}
	unlock(v);
}

static bool get_group(const struct vgic_irq *irq)
{
	return irq->group1;
}

static bool get_enable(const struct vgic_irq *irq)
{
	return irq->enabled;
}

static bool get_pending(const struct vgic_irq *irq)
{
	return vgic_is_pending(irq) || irq->lr_pending;
}

static bool get_active(const struct vgic_irq *irq)
{
	return irq->active;
}

static void set_enable(struct vgic_irq *irq)
{
	irq->enabled = true;
}

static void clear_enable(struct vgic_irq *irq)
{
	irq->enabled = false;
}

static void set_pending(struct vgic_irq *irq)
{
	/* The timer's pending state is its line's (hardware-backed). */
	if (!irq->hw)
		irq->latch = true;
}

static void clear_pending(struct vgic_irq *irq)
{
	if (!irq->hw)
		irq->latch = false;
}

static void set_active(struct vgic_irq *irq)
{
	if (!irq->hw)
		irq->active = true;
}

static void clear_active(struct vgic_irq *irq)
{
	if (irq->hw && irq->active)
		gic_deactivate(irq->pintid);
	irq->active = false;
}

static void read_group(struct vcpu *v, struct emul_access *a)
{
	read_bits(v, a, GIC_IGROUPR, get_group);
}

static void write_group(struct vcpu *v, struct emul_access *a)
{
	unsigned int first = first_of(a, GIC_IGROUPR, 1);

	lock(v);
	for (unsigned int i = 0; i < 32; i++) {
		struct vgic_irq *irq = irq_at(v, a, first + i);

		if (irq && irq->group1 != (bool)(a->value & BIT(i))) {
			irq->group1 = a->value & BIT(i);
			vgic_update(v->domain, irq);
		}
	}
	unlock(v);
}

static void read_enable(struct vcpu *v, struct emul_access *a)
{
	read_bits(v, a,
		  a->offset & GIC_ICENABLER & ~GIC_ISENABLER ? GIC_ICENABLER
							     : GIC_ISENABLER,
		  get_enable);
}

static void write_set_enable(struct vcpu *v, struct emul_access *a)
{
	write_bits(v, a, GIC_ISENABLER, set_enable);
}

static void write_clear_enable(struct vcpu *v, struct emul_access *a)
{
	write_bits(v, a, GIC_ICENABLER, clear_enable);
	/* It must not be taken newly after this write (IHI 0069 12.9.7). */
	vgic_wait_kicked(v->domain);
}

static void read_pending(struct vcpu *v, struct emul_access *a)
{
	vgic_sync_domain(v->domain);
	read_bits(v, a,
		  (a->offset & 0xff80) == GIC_ICPENDR ? GIC_ICPENDR
						      : GIC_ISPENDR,
		  get_pending);
}

/*
 * State that may stand in an LR is changed in software only after a fold:
 * local LRs are folded here, under the lock, one interrupt at a time.
 */
static void write_folded(struct vcpu *v, struct emul_access *a,
			 unsigned int base, set_fn set)
{
	unsigned int first = first_of(a, base, 1);

	lock(v);
	for (u64 bits = a->value; bits; bits &= bits - 1) {
		struct vgic_irq *irq =
			irq_at(v, a, first + (unsigned int)__builtin_ctzl(bits));
		struct vcpu *on;

		if (!irq)
			continue;
		on = irq->vcpu;
		if (irq->lr != VGIC_NO_LR && vgic_is_local(on)) {
			vgic_fold_lr(on, irq->lr);
			set(irq);
			vgic_requeue(v->domain, irq, on);
			vgic_fill(on);
		} else {
			set(irq);
			vgic_update(v->domain, irq);
		}
	}
	unlock(v);
	vgic_wait_kicked(v->domain);
}

static void write_set_pending(struct vcpu *v, struct emul_access *a)
{
	write_folded(v, a, GIC_ISPENDR, set_pending);
}

static void write_clear_pending(struct vcpu *v, struct emul_access *a)
{
	write_folded(v, a, GIC_ICPENDR, clear_pending);
}

static void read_active(struct vcpu *v, struct emul_access *a)
{
	vgic_sync_domain(v->domain);
	read_bits(v, a,
		  (a->offset & 0xff80) == GIC_ICACTIVER ? GIC_ICACTIVER
							: GIC_ISACTIVER,
		  get_active);
}

static void write_set_active(struct vcpu *v, struct emul_access *a)
{
	write_folded(v, a, GIC_ISACTIVER, set_active);
}

static void write_clear_active(struct vcpu *v, struct emul_access *a)
{
	write_folded(v, a, GIC_ICACTIVER, clear_active);
}

static void read_priority(struct vcpu *v, struct emul_access *a)
{
	unsigned int first = first_of(a, GIC_IPRIORITYR, 8);

	lock(v);
	for (unsigned int i = 0; i < a->size; i++) {
		const struct vgic_irq *irq = irq_at(v, a, first + i);

		if (irq)
			a->value |= (u64)irq->priority << 8 * i;
	}
	unlock(v);
}

static void write_priority(struct vcpu *v, struct emul_access *a)
{
	unsigned int first = first_of(a, GIC_IPRIORITYR, 8);

	lock(v);
	for (unsigned int i = 0; i < a->size; i++) {
		struct vgic_irq *irq = irq_at(v, a, first + i);
		u8 prio = (u8)(a->value >> 8 * i) & VGIC_PRIO_MASK;

		if (irq && irq->priority != prio) {
			irq->priority = prio;
			vgic_update(v->domain, irq);
		}
	}
	unlock(v);
}

static void read_config(struct vcpu *v, struct emul_access *a)
{
	unsigned int first = first_of(a, GIC_ICFGR, 2);

	lock(v);
	for (unsigned int i = 0; i < 16; i++) {
		const struct vgic_irq *irq = irq_at(v, a, first + i);

		if (irq && !irq->level)
			a->value |= 2UL << 2 * i;
	}
	unlock(v);
}

static void write_config(struct vcpu *v, struct emul_access *a)
{
	unsigned int first = first_of(a, GIC_ICFGR, 2);

	lock(v);
	for (unsigned int i = 0; i < 16; i++) {
		struct vgic_irq *irq = irq_at(v, a, first + i);
		bool level = !(a->value & 2UL << 2 * i);

		/* SGIs are edges; PPIs are wired. */
		if (!irq || irq->intid < VGIC_NR_PRIVATE || irq->level == level)
			continue;
		irq->level = level;
		vgic_update(v->domain, irq);
	}
	unlock(v);
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
	vgic_wait_kicked(v->domain);
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

	if (!irq)
		return;
	lock(v);
	if (a->size == 4)
		val = a->offset & 4 ? (irq->router & BITS(31, 0)) | val << 32
				    : (irq->router & ~BITS(31, 0)) | val;
	irq->router = val & (0xff00ffffffUL | IROUTER_IRM);
	/* Any of them: the first one. An absent CPU: it stays pending. */
	irq->target = irq->router & IROUTER_IRM
			      ? v->domain->vcpus[0]
			      : domain_vcpu_by_mpidr(v->domain, irq->router);
	if (irq->lr == VGIC_NO_LR && !list_is_empty(&irq->node)) {
		list_del(&irq->node);
		irq->vcpu = NULL;
	}
	vgic_update(v->domain, irq);
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
