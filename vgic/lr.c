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

/*
 * An LR has room for one sender of an SGI (IHI 0048 5.3.12): the active one, or
 * the first. The others follow after the end of it. False: it is not pending.
 */
static __noinline bool take_sender(struct vgic_irq *irq)
{
	bool pending;

	if (!irq->active)
		irq->source = irq->latch & -irq->latch;
	pending = irq->latch & irq->source;
	irq->latch &= ~irq->source;
	return pending;
}

/* An edge moves into the LR; a level stays up to its line. */
static void write_lr(struct vcpu *v, unsigned int n, struct vgic_irq *irq,
		     bool pending)
{
	/* A hardware-backed LR cannot be active and pending (IHI 0069 9.4.3). */
	bool hw = irq->phys && !(irq->active && pending);
	struct gic_lr lr = {
		.intid = irq->intid,
		.pintid = irq->pintid,
		.priority = irq->priority,
		.active = irq->active,
		.pending = pending,
		.hw = hw,
		.group1 = irq->group1,
		.eoi_maint = irq->level && !hw,
	};

	if (pending && !irq->level) {
		if (likely(irq->latch == irq->source)) {
			irq->latch = 0;
		} else {
			lr.pending = take_sender(irq);
			lr.eoi_maint = irq->latch;
		}
	}
	lr.source = (u8)__builtin_ctz(irq->source);
	irq->lr = (u8)n;
	irq->lr_hw = hw;
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
	if (!irq->level) {
		irq->latch |= state & 1 ? irq->source : 0;
	} else if (!(state & 1)) {
		/* Acknowledged. What fired anew was folded before it came. */
		irq->latch = 0;
		if (irq->hw)
			irq->line = false;
	}
	gic_lr_clear(n);
	irq->lr = VGIC_NO_LR;
	irq->vcpu = NULL;
	v->vgic.lr[n] = NULL;
	v->vgic.lr_used &= ~(1U << n);
	v->vgic.changed &= ~(1U << n);
	if (!state && irq->phys) {
		if (irq->lr_hw)
			irq->phys = false; /* by the guest's own end of it */
		else
			vgic_drop_phys(irq);
	}
}

static void refold(struct vcpu *v, unsigned int n)
{
	struct vgic_irq *irq = v->vgic.lr[n];

	vgic_fold_lr(v, n);
	vgic_requeue(v->domain, irq, v);
}

void vgic_end_some(struct vcpu *v)
{
	for (unsigned int eois = gic_take_eois(); unlikely(eois); eois--) {
		list_for_each(at, &v->vgic.queue) {
			struct vgic_irq *irq = list_entry(at, struct vgic_irq,
							  node);

			if (!irq->active)
				continue;
			list_del(&irq->node);
			irq->vcpu = NULL;
			irq->active = false;
			if (irq->phys)
				vgic_drop_phys(irq);
			vgic_requeue(v->domain, irq, v);
			break;
		}
	}
}

void vgic_fold_all(struct vcpu *v)
{
	vgic_end_queued(v);
	for (u32 used = v->vgic.lr_used; used; used &= used - 1)
		refold(v, (unsigned int)__builtin_ctz(used));
}

void vgic_redo_lrs(struct vcpu *v)
{
	u32 changed = v->vgic.changed;

	for (v->vgic.changed = 0; changed; changed &= changed - 1) {
		unsigned int n = (unsigned int)__builtin_ctz(changed);

		if (!vgic_repend(v->domain, v->vgic.lr[n]))
			refold(v, n);
	}
}

/* The LR of least urgency, if that is less than irq's. */
static int victim_for(const struct vcpu *v, const struct vgic_irq *irq)
{
	unsigned int worst = irq->priority * 2U + !irq->active;
	int victim = -1;

	for (unsigned int n = 0; n < gic_nr_lrs(); n++) {
		unsigned int key = v->vgic.lr[n]->priority * 2U +
				   !(gic_lr_state(n) & 2);

		if (key > worst) {
			worst = key;
			victim = (int)n;
		}
	}
	return victim;
}

/* Make room: one that the guest has emptied, or one of lower urgency. */
static __noinline bool free_lr(struct vcpu *v, const struct vgic_irq *irq)
{
	u32 empty = (u32)gic_lr_empty() & gic_lrs();
	int n = empty ? __builtin_ctz(empty) : victim_for(v, irq);

	if (n >= 0)
		refold(v, (unsigned int)n);
	return n >= 0;
}

static void note_waiting(struct vcpu *v)
{
	bool some = !list_is_empty(&v->vgic.queue), active = false;

	if (!some && !v->vgic.waiting)
		return;
	list_for_each(at, &v->vgic.queue)
		active |= list_entry(at, struct vgic_irq, node)->active;
	if (!v->vgic.waiting)
		(void)gic_take_eois(); /* of nothing that was active */
	v->vgic.waiting = some;
	gic_set_waiting(some, active);
}

void vgic_fill(struct vcpu *v)
{
	vgic_end_queued(v);
	while (!list_is_empty(&v->vgic.queue)) {
		struct list *head = &v->vgic.queue;
		struct vgic_irq *irq = list_entry(head->next, struct vgic_irq,
						  node);
		bool pending = vgic_is_deliverable(v->domain, irq);
		u32 free = gic_lrs() & ~v->vgic.lr_used;

		if (unlikely(!free)) {
			/* What that queues may be more urgent: look again. */
			if (free_lr(v, irq))
				continue;
			break;
		}
		list_del(&irq->node);
		irq->vcpu = NULL;
		/* Neither: GICD_CTLR is being written, this one comes later. */
		if (likely(pending || irq->active))
			write_lr(v, (unsigned int)__builtin_ctz(free), irq,
				 pending);
	}
	note_waiting(v);
}
