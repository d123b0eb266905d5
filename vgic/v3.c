/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GICv3 distributor and redistributor registers of guests (IHI 0069 chapter
 * 12): one security state (GICD_CTLR.DS), affinity routing always on, no LPIs.
 */
#include "vgic_priv.h"

#include <skerry/layout.h>

/* clang-format off */
#define CTLR_ARE	BIT(4)
#define CTLR_DS		BIT(6)
#define TYPER_ID_BITS	field_prep(BITS(23, 19), 9)	/* INTIDs of 10 bits */
#define TYPER_NO_1OFN	BIT(25)
#define GICD_IROUTER	0x6100
#define IROUTER_IRM	BIT(31)
#define GIC_PIDR2	0xffe8
#define PIDR2_ARCH_V3	0x3b
#define GICR_SGI	0x10000
#define GICR_TYPER	0x0008
#define GICR_WAKER	0x0014
#define WAKER_SLEEP	BIT(1)
#define WAKER_ASLEEP	BIT(2)
/* clang-format on */

static void read_ctlr(struct vcpu *v, struct emul_access *a)
{
	vgic_read_ctlr(v, a);
	a->value |= CTLR_ARE | CTLR_DS;
}

static void read_typer(struct vcpu *v, struct emul_access *a)
{
	a->value = v->domain->vgic.nr_spis / 32 | TYPER_ID_BITS | TYPER_NO_1OFN;
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
	vgic_lock(v);
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
	vgic_unlock(v);
}

/* Of SPIs only: private interrupts are in the redistributors. */
/* clang-format off */
static const struct emul_reg dist_regs[] = {
	{GICD_CTLR,	4,	W32,	read_ctlr,	vgic_write_ctlr},
	{GICD_TYPER,	4,	W32,	read_typer,	NULL},
	{GICD_IIDR,	4,	W32,	vgic_read_iidr,	NULL},
	{GIC_IGROUPR + 4,	0x7c,	W32,	RW(group, group)},
	{GIC_ISENABLER + 4,	0x7c,	W32,	RW(enable, set_enable)},
	{GIC_ICENABLER + 4,	0x7c,	W32,	RW(enable, clear_enable)},
	{GIC_ISPENDR + 4,	0x7c,	W32,	RW(pending, set_pending)},
	{GIC_ICPENDR + 4,	0x7c,	W32,	RW(pending, clear_pending)},
	{GIC_ISACTIVER + 4,	0x7c,	W32,	RW(active, set_active)},
	{GIC_ICACTIVER + 4,	0x7c,	W32,	RW(active, clear_active)},
	{GIC_IPRIORITYR + 32,	0x3e0,	W8 | W32, RW(priority, priority)},
	{GIC_ICFGR + 8,		0xf8,	W32,	RW(config, config)},
	{GICD_IROUTER,	8 * VGIC_MAX_SPIS, W32 | W64, read_router, write_router},
	{GIC_PIDR2,	4,	W32,	read_pidr2,	NULL},
};
/* clang-format on */

void vgic_v3_dist_access(struct vcpu *v, struct emul_access *a)
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
	{0x0004,		4, W32,	vgic_read_iidr,	NULL},
	{GICR_TYPER,		8, W32 | W64, read_redist_typer, NULL},
	{GICR_WAKER,		4, W32,	read_waker,	write_waker},
	{GIC_PIDR2,		4, W32,	read_pidr2,	NULL},
	{SGI(GIC_IGROUPR),	4, W32,	RW(group, group)},
	{SGI(GIC_ISENABLER),	4, W32,	RW(enable, set_enable)},
	{SGI(GIC_ICENABLER),	4, W32,	RW(enable, clear_enable)},
	{SGI(GIC_ISPENDR),	4, W32,	RW(pending, set_pending)},
	{SGI(GIC_ICPENDR),	4, W32,	RW(pending, clear_pending)},
	{SGI(GIC_ISACTIVER),	4, W32,	RW(active, set_active)},
	{SGI(GIC_ICACTIVER),	4, W32,	RW(active, clear_active)},
	{SGI(GIC_IPRIORITYR),	32, W8 | W32, RW(priority, priority)},
	{SGI(GIC_ICFGR),	8, W32,	vgic_read_config, NULL}, /* fixed */
};
/* clang-format on */

void vgic_v3_redist_access(struct vcpu *v, struct emul_access *a)
{
	u64 offset = a->offset;
	struct vcpu *t = v->domain->vcpus[offset / GUEST_GICR_STRIDE];

	a->offset = offset % GUEST_GICR_STRIDE;
	emul_table_access(redist_regs, ARRAY_SIZE(redist_regs), t, a);
	a->offset = offset;
}
