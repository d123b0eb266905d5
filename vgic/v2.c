/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GICv2 distributor registers of guests (IHI 0048 chapter 4.3): no Security
 * Extensions, up to eight CPUs. The guest's CPU interface is the hardware's.
 */
#include "vgic_priv.h"

/* clang-format off */
#define GICD_ITARGETSR	0x0800
#define GICD_SGIR	0x0f00
#define SGIR_FILTER	BITS(25, 24)
#define SGIR_LIST	BITS(23, 16)
#define SGIR_INTID	BITS(3, 0)
#define GICD_CPENDSGIR	0x0f10
#define GICD_SPENDSGIR	0x0f20
#define GICD_PIDR4	0x0fd0
/* clang-format on */

static void read_typer(struct vcpu *v, struct emul_access *a)
{
	a->value = v->domain->vgic.nr_spis / 32 | (v->domain->nr_vcpus - 1) << 5;
}

/* Those of GIC-400, by which some guests tell the version. */
static void read_id(struct vcpu *v __unused, struct emul_access *a)
{
	static const u8 ids[] = {0x04, 0, 0,	0,    0x90, 0xb4,
				 0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1};

	a->value = ids[(a->offset - GICD_PIDR4) / 4];
}

/* The pending bits of SGIs are read-only: each stands for several. */
static void write_set_pending(struct vcpu *v, struct emul_access *a)
{
	if (a->offset == GIC_ISPENDR)
		a->value &= ~BITS(15, 0);
	vgic_write_set_pending(v, a);
}

static void write_clear_pending(struct vcpu *v, struct emul_access *a)
{
	if (a->offset == GIC_ICPENDR)
		a->value &= ~BITS(15, 0);
	vgic_write_clear_pending(v, a);
}

/* A private interrupt's is the vCPU that reads. */
static void read_targets(struct vcpu *v, struct emul_access *a)
{
	for (unsigned int i = 0; i < a->size; i++) {
		const struct vgic_irq *irq = vgic_irq_of(v, (a->offset & 0x3ff) +
								    i);

		if (irq)
			a->value |= (irq->intid < VGIC_NR_PRIVATE ? 1UL << v->id
								  : irq->router)
				    << 8 * i;
	}
}

/* To the first of several (1-N allows any). To none: it stays pending. */
static void write_targets(struct vcpu *v, struct emul_access *a)
{
	struct domain *d = v->domain;

	vgic_lock(v);
	for (unsigned int i = 0; i < a->size; i++) {
		struct vgic_irq *irq = vgic_irq_of(v, (a->offset & 0x3ff) + i);
		u32 mask = (u8)(a->value >> 8 * i) & (u32)d->vgic.present;
		struct vcpu *was;

		if (!irq || irq->intid < VGIC_NR_PRIVATE || irq->router == mask)
			continue;
		was = vgic_take(d, irq);
		irq->router = mask;
		irq->target = mask ? d->vcpus[__builtin_ctz(mask)] : NULL;
		vgic_put(d, irq, was);
	}
	vgic_unlock(v);
}

static void write_sgir(struct vcpu *v, struct emul_access *a)
{
	struct domain *d = v->domain;
	u32 val = (u32)a->value, self = 1U << v->id;
	u32 filter = (u32)field_get(SGIR_FILTER, val);
	/* The list, all others, itself, reserved. */
	u32 list = likely(!filter) ? (u32)field_get(SGIR_LIST, val)
		   : filter == 1   ? ~self
		   : filter == 2   ? self
				   : 0;

	vgic_lock(v);
	for (list &= (u32)d->vgic.present; list; list &= list - 1) {
		struct vcpu *t = d->vcpus[__builtin_ctz(list)];
		struct vgic_irq *irq = &t->vgic.private[val & SGIR_INTID];

		irq->latch |= self;
		vgic_input(d, irq);
	}
	vgic_unlock(v);
}

/* Senders by which v's own SGIs are pending: read, cleared or set. */
static void access_senders(struct vcpu *v, struct emul_access *a)
{
	struct domain *d = v->domain;

	vgic_lock(v);
	for (unsigned int i = 0; i < a->size; i++) {
		struct vgic_irq *irq = &v->vgic.private[(a->offset & 15) + i];
		u32 senders = (u8)(a->value >> 8 * i) & (u32)d->vgic.present;
		struct vcpu *was = vgic_take(d, irq);

		if (!a->write)
			a->value |= (u64)irq->latch << 8 * i;
		else if (a->offset < GICD_SPENDSGIR)
			irq->latch &= ~senders;
		else
			irq->latch |= senders;
		vgic_put(d, irq, was);
	}
	vgic_unlock(v);
}

/* clang-format off */
static const struct emul_reg dist_regs[] = {
	{GICD_CTLR,	4,	W32,	vgic_read_ctlr,	vgic_write_ctlr},
	{GICD_TYPER,	4,	W32,	read_typer,	NULL},
	{GICD_IIDR,	4,	W32,	vgic_read_iidr,	NULL},
	{GIC_IGROUPR,	0x80,	W32,	RW(group, group)},
	{GIC_ISENABLER,	0x80,	W32,	RW(enable, set_enable)},
	{GIC_ICENABLER,	0x80,	W32,	RW(enable, clear_enable)},
	{GIC_ISPENDR,	0x80,	W32,	vgic_read_pending, write_set_pending},
	{GIC_ICPENDR,	0x80,	W32,	vgic_read_pending, write_clear_pending},
	{GIC_ISACTIVER,	0x80,	W32,	RW(active, set_active)},
	{GIC_ICACTIVER,	0x80,	W32,	RW(active, clear_active)},
	{GIC_IPRIORITYR, 0x400,	W8 | W32, RW(priority, priority)},
	{GICD_ITARGETSR, 0x400,	W8 | W32, read_targets,	write_targets},
	{GIC_ICFGR,	0x100,	W32,	RW(config, config)},
	{GICD_CPENDSGIR, 16,	W8 | W32, access_senders, access_senders},
	{GICD_SPENDSGIR, 16,	W8 | W32, access_senders, access_senders},
	{GICD_PIDR4,	0x30,	W32,	read_id,	NULL},
};
/* clang-format on */

void vgic_v2_dist_access(struct vcpu *v, struct emul_access *a)
{
	/* By far the most frequent one, as ICC_SGI1R in trap_sysreg(). */
	if (a->offset == GICD_SGIR && a->size == 4 && a->write)
		write_sgir(v, a);
	else
		emul_table_access(dist_regs, ARRAY_SIZE(dist_regs), v, a);
}
