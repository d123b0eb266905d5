/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers that GICv2 and GICv3 share: a field of each interrupt, wherever
 * the tables of v2.c and v3.c have it, and the bits that enable the groups.
 */
#include "vgic_priv.h"

/*
 * The interrupts of an access to a register with `bits` bits for each; NULL
 * for none. Blocks of registers are aligned to their size, accesses to theirs.
 */
static struct vgic_irq *irqs_at(struct vcpu *v, const struct emul_access *a,
				unsigned int bits)
{
	unsigned int off = (unsigned int)a->offset & (128 * bits - 1);

	return vgic_irq_of(v, off * 8 / bits);
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
	vgic_lock(v);
	for (unsigned int i = 0; i < 8U * a->size; i += bits, irq++) {
		struct vcpu *was = NULL;
		bool taken = true_state && irq->lr != VGIC_NO_LR;

		if (taken)
			was = vgic_take(d, irq);
		a->value |= (u64)get(irq) << i;
		if (taken)
			vgic_put(d, irq, was);
	}
	vgic_unlock(v);
}

/* What the changes of an access deliver is sorted out once, at its end. */
static __force_inline void end_changes(struct vcpu *v, struct vcpu *fill)
{
	if (unlikely(fill))
		vgic_fill(fill);
	vgic_unlock(v);
}

/* A field of each interrupt; nothing is done for those that have it. */
static __force_inline void write_each(struct vcpu *v, struct emul_access *a,
				      unsigned int bits, get_fn get, set_fn set)
{
	struct domain *d = v->domain;
	struct vcpu *fill = NULL;
	struct vgic_irq *irq = irqs_at(v, a, bits);

	if (!irq)
		return;
	vgic_lock(v);
	for (unsigned int i = 0; i < 8U * a->size; i += bits, irq++) {
		u32 val = (u32)(a->value >> i) & ((1U << bits) - 1);

		if (val != get(irq)) {
			struct vcpu *was = vgic_take(d, irq);

			set(irq, val);
			if (unlikely(vgic_has_state(irq)))
				fill = vgic_put_only(d, irq, was) ?: fill;
		}
	}
	end_changes(v, fill);
}

/* Registers in which a one sets, or clears, something. */
static __force_inline void write_ones(struct vcpu *v, struct emul_access *a,
				      get_fn get, set_fn set, u32 val)
{
	struct domain *d = v->domain;
	struct vcpu *fill = NULL;
	struct vgic_irq *irqs = irqs_at(v, a, 1);

	if (!irqs)
		return;
	vgic_lock(v);
	for (u32 ones = (u32)a->value; ones; ones &= ones - 1) {
		struct vgic_irq *irq = &irqs[__builtin_ctz(ones)];
		struct vcpu *was;

		if (get && get(irq) == val)
			continue;
		was = vgic_take(d, irq);
		set(irq, val);
		if (unlikely(vgic_has_state(irq)))
			fill = vgic_put_only(d, irq, was) ?: fill;
	}
	end_changes(v, fill);
}

static u32 get_group(const struct vgic_irq *irq)
{
	return irq->group1;
}

static void set_group(struct vgic_irq *irq, u32 val)
{
	irq->group1 = val;
}

void vgic_read_group(struct vcpu *v, struct emul_access *a)
{
	read_each(v, a, 1, get_group, false);
}

void vgic_write_group(struct vcpu *v, struct emul_access *a)
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

void vgic_read_enable(struct vcpu *v, struct emul_access *a)
{
	read_each(v, a, 1, get_enable, false);
}

void vgic_write_set_enable(struct vcpu *v, struct emul_access *a)
{
	write_ones(v, a, get_enable, set_enable, 1);
}

void vgic_write_clear_enable(struct vcpu *v, struct emul_access *a)
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

void vgic_read_pending(struct vcpu *v, struct emul_access *a)
{
	read_each(v, a, 1, get_pending, true);
}

void vgic_write_set_pending(struct vcpu *v, struct emul_access *a)
{
	write_ones(v, a, NULL, set_pending, 1);
}

void vgic_write_clear_pending(struct vcpu *v, struct emul_access *a)
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

void vgic_read_active(struct vcpu *v, struct emul_access *a)
{
	read_each(v, a, 1, get_active, true);
}

void vgic_write_set_active(struct vcpu *v, struct emul_access *a)
{
	write_ones(v, a, NULL, set_active, 1);
}

void vgic_write_clear_active(struct vcpu *v, struct emul_access *a)
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

void vgic_read_priority(struct vcpu *v, struct emul_access *a)
{
	read_each(v, a, 8, get_priority, false);
}

void vgic_write_priority(struct vcpu *v, struct emul_access *a)
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

void vgic_read_config(struct vcpu *v, struct emul_access *a)
{
	read_each(v, a, 2, get_config, false);
}

void vgic_write_config(struct vcpu *v, struct emul_access *a)
{
	write_each(v, a, 2, get_config, set_config);
}

void vgic_read_ctlr(struct vcpu *v, struct emul_access *a)
{
	const struct vgic_domain *g = &v->domain->vgic;

	a->value = (g->enabled[0] ? CTLR_G0 : 0) | (g->enabled[1] ? CTLR_G1 : 0);
}

void vgic_write_ctlr(struct vcpu *v, struct emul_access *a)
{
	struct vgic_domain *g = &v->domain->vgic;
	bool g0 = a->value & CTLR_G0, g1 = a->value & CTLR_G1;

	vgic_lock(v);
	if (g->enabled[0] != g0 || g->enabled[1] != g1) {
		g->enabled[0] = g0;
		g->enabled[1] = g1;
		vgic_update_groups(v->domain);
	}
	vgic_unlock(v);
}

void vgic_read_iidr(struct vcpu *v __unused, struct emul_access *a)
{
	a->value = 0x43b; /* Arm */
}
