/* SPDX-License-Identifier: Apache-2.0 */
/*
 * List registers of the calling CPU: which interrupt stands in which one.
 * An LR that the guest emptied stays assigned ("sticky") until somebody needs
 * it, so that the next timer interrupt is one register write.
 */
#include "vgic_priv.h"

#include <skerry/cpu.h>

bool vgic_is_local(const struct vcpu *v)
{
	return v->vgic.loaded && v->cpu == this_cpu()->id;
}

/* An edge moves into the LR; a level stays up to its line. */
void vgic_write_lr(struct vcpu *v, unsigned int n, struct vgic_irq *irq)
{
	bool soft_level = irq->level && !irq->hw;
	bool pending = vgic_is_pending(irq) && irq->enabled;
	struct gic_lr lr = {
		.intid = irq->intid,
		.pintid = irq->pintid,
		.priority = irq->priority,
		.active = irq->active,
		/* A hardware-backed one is never active and pending. */
		.pending = pending && !(irq->hw && irq->active),
		.hw = irq->hw,
		.group1 = irq->group1,
		.eoi_maint = soft_level,
	};

	if (lr.pending && !soft_level)
		irq->latch = false;
	irq->lr_pending = lr.pending;
	irq->lr = (u8)n;
	irq->lr_priority = irq->priority;
	irq->vcpu = v;
	v->vgic.lr[n] = irq;
	v->vgic.lr_used |= 1U << n;
	gic_lr_write(n, &lr);
}

void vgic_fold_lr(struct vcpu *v, unsigned int n)
{
	struct vgic_irq *irq = v->vgic.lr[n];
	unsigned int state = gic_lr_state(n);

	irq->active = state & 2;
	irq->lr_pending = false;
	irq->dirty = false;
	if (irq->level && !irq->hw) {
		if (!(state & 1))
			irq->latch = false; /* acknowledged */
	} else if (state & 1) {
		irq->latch = true;
	}
	gic_lr_clear(n);
	irq->lr = VGIC_NO_LR;
	irq->vcpu = NULL;
	v->vgic.lr[n] = NULL;
	v->vgic.lr_used &= ~(1U << n);
}

void vgic_fold_all(struct vcpu *v)
{
	for (u32 used = v->vgic.lr_used; used; used &= used - 1) {
		unsigned int n = (unsigned int)__builtin_ctz(used);
		struct vgic_irq *irq = v->vgic.lr[n];

		vgic_fold_lr(v, n);
		vgic_requeue(v->domain, irq, v);
	}
}

void vgic_check_lrs(struct vcpu *v)
{
	for (u32 used = v->vgic.lr_used; used; used &= used - 1) {
		unsigned int n = (unsigned int)__builtin_ctz(used);
		struct vgic_irq *irq = v->vgic.lr[n];
		unsigned int state = gic_lr_state(n);

		irq->active = state & 2;
		irq->lr_pending = state & 1;
		if (state ? !irq->dirty : vgic_repend(v->domain, irq)) {
			irq->dirty = false;
			continue;
		}
		/* An empty one stays, unless its EOI asked for attention. */
		if (!state && !irq->dirty && (!irq->level || irq->hw))
			continue;
		vgic_fold_lr(v, n);
		vgic_requeue(v->domain, irq, v);
	}
}

/* A free LR; else one the guest has emptied; else one of lower urgency. */
static int take_lr(struct vcpu *v, u8 priority)
{
	u32 all = (u32)BITS(gic_nr_lrs() - 1, 0);
	u32 free = all & ~v->vgic.lr_used;
	unsigned int worst = 0;
	int victim = -1;

	if (!free) {
		free = (u32)gic_lr_empty() & all;
		for (u32 f = free; f; f &= f - 1) {
			unsigned int n = (unsigned int)__builtin_ctz(f);
			struct vgic_irq *irq = v->vgic.lr[n];

			vgic_fold_lr(v, n);
			vgic_requeue(v->domain, irq, v);
		}
	}
	if (free)
		return __builtin_ctz(free);
	for (unsigned int n = 0; n < gic_nr_lrs(); n++) {
		unsigned int p = v->vgic.lr[n]->priority;

		if (gic_lr_state(n) == 1 && p > priority && p > worst) {
			worst = p;
			victim = (int)n;
		}
	}
	if (victim >= 0) {
		struct vgic_irq *irq = v->vgic.lr[victim];

		vgic_fold_lr(v, (unsigned int)victim);
		vgic_requeue(v->domain, irq, v);
	}
	return victim;
}

void vgic_fill(struct vcpu *v)
{
	bool waiting = false;

	while (!list_is_empty(&v->vgic.queue)) {
		struct vgic_irq *irq = list_entry(v->vgic.queue.next,
						  struct vgic_irq, node);
		/* An active one has to be there for its deactivation. */
		int n = take_lr(v, irq->active ? 0 : irq->priority);

		if (n < 0) {
			waiting = true;
			break;
		}
		/* Freeing an LR may have queued something more urgent. */
		irq = list_entry(v->vgic.queue.next, struct vgic_irq, node);
		list_del(&irq->node);
		vgic_write_lr(v, (unsigned int)n, irq);
	}
	if (waiting != v->vgic.underflow) {
		v->vgic.underflow = waiting;
		gic_set_underflow(waiting);
	}
}
