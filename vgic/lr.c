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

static unsigned int kind_of(const struct vgic_irq *irq)
{
	return irq->active ? VGIC_ACTIVE : irq->group1;
}

void vgic_sort(struct vcpu *v)
{
	struct vgic_irq *irq = v->vgic.alone;
	unsigned int kind = kind_of(irq), prio = irq->priority / 8U;
	struct vgic_irq **first = &v->vgic.first[kind][prio];

	v->vgic.alone = NULL;
	if (v->vgic.sorted_kind[kind] >> prio & 1)
		list_add_before(&(*first)->node, &irq->node);
	else
		*first = irq;
	v->vgic.sorted_kind[kind] |= 1U << prio;
	v->vgic.sorted |= 1U << prio;
}

static __noinline void unsort(struct vcpu *v, struct vgic_irq *irq)
{
	unsigned int kind = kind_of(irq), prio = irq->priority / 8U;
	struct vgic_irq **first = &v->vgic.first[kind][prio];
	u32 *kinds = v->vgic.sorted_kind;

	if (list_is_empty(&irq->node))
		kinds[kind] &= ~(1U << prio);
	else if (*first == irq)
		*first = list_entry(irq->node.next, struct vgic_irq, node);
	list_del(&irq->node);
	v->vgic.sorted = kinds[VGIC_GROUP0] | kinds[VGIC_GROUP1] |
			 kinds[VGIC_ACTIVE];
}

void vgic_enqueue(struct vcpu *v, struct vgic_irq *irq, bool may_be_shown)
{
	bool others = v->vgic.alone || v->vgic.sorted;

	irq->vcpu = v;
	if (v->vgic.alone)
		vgic_sort(v);
	v->vgic.alone = irq;
	if (unlikely(others || !may_be_shown))
		vgic_sort(v);
}

void vgic_dequeue(struct vcpu *v, struct vgic_irq *irq)
{
	irq->vcpu = NULL;
	if (likely(v->vgic.alone == irq))
		v->vgic.alone = NULL;
	else
		unsort(v, irq);
}

u32 vgic_sorted_pending(const struct vcpu *v)
{
	const bool *enabled = v->domain->vgic.enabled;
	const u32 *kinds = v->vgic.sorted_kind;

	return (enabled[0] ? kinds[VGIC_GROUP0] : 0) |
	       (enabled[1] ? kinds[VGIC_GROUP1] : 0);
}

/* The most urgent that v may be shown; NULL: none. */
static __noinline struct vgic_irq *first_sorted(const struct vcpu *v)
{
	const u32 *kinds = v->vgic.sorted_kind;
	u32 all = kinds[VGIC_ACTIVE] | vgic_sorted_pending(v);
	unsigned int prio, kind = VGIC_GROUP1;

	if (!all)
		return NULL;
	prio = (unsigned int)__builtin_ctz(all);
	if (kinds[VGIC_ACTIVE] >> prio & 1)
		kind = VGIC_ACTIVE;
	else if (v->domain->vgic.enabled[0] && kinds[VGIC_GROUP0] >> prio & 1)
		kind = VGIC_GROUP0;
	return v->vgic.first[kind][prio];
}

static struct vgic_irq *most_urgent(const struct vcpu *v)
{
	struct vgic_irq *alone = v->vgic.alone;

	return alone || likely(!v->vgic.sorted) ? alone : first_sorted(v);
}

static void refold(struct vcpu *v, unsigned int n)
{
	struct vgic_irq *irq = v->vgic.lr[n];

	vgic_fold_lr(v, n);
	vgic_requeue(v->domain, irq, v);
}

void vgic_end_some(struct vcpu *v)
{
	const u32 *active = &v->vgic.sorted_kind[VGIC_ACTIVE];
	unsigned int eois = gic_take_eois();

	if (unlikely(eois && v->vgic.alone))
		vgic_sort(v);
	for (; unlikely(eois && *active); eois--) {
		struct vgic_irq *irq =
			v->vgic.first[VGIC_ACTIVE][__builtin_ctz(*active)];

		vgic_dequeue(v, irq);
		irq->active = false;
		if (irq->phys)
			vgic_drop_phys(irq);
		vgic_requeue(v->domain, irq, v);
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

	if (v->vgic.alone) /* it waits: note_waiting() looks at sorted ones */
		vgic_sort(v);
	if (n >= 0)
		refold(v, (unsigned int)n);
	return n >= 0;
}

static void note_waiting(struct vcpu *v, bool some)
{
	if (!some && !v->vgic.waiting)
		return;
	if (!v->vgic.waiting)
		(void)gic_take_eois(); /* of nothing that was active */
	v->vgic.waiting = some;
	gic_set_waiting(some, v->vgic.sorted_kind[VGIC_ACTIVE]);
}

void vgic_fill(struct vcpu *v)
{
	struct vgic_irq *irq;

	vgic_end_queued(v);
	while ((irq = most_urgent(v))) {
		u32 free = gic_lrs() & ~v->vgic.lr_used;

		if (unlikely(!free)) {
			/* What that queues may be more urgent: look again. */
			if (free_lr(v, irq))
				continue;
			break;
		}
		vgic_dequeue(v, irq);
		write_lr(v, (unsigned int)__builtin_ctz(free), irq,
			 !irq->active || vgic_is_deliverable(v->domain, irq));
	}
	note_waiting(v, irq);
}
