/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State machine of virtual interrupts. An interrupt is in one of three places:
 * nowhere (nothing to deliver), on a vCPU's queue, or in a list register of the
 * CPU where that vCPU is loaded. vgic_update() moves it after every change.
 */
#include "vgic_priv.h"

#include <asm/barrier.h>
#include <skerry/arch/timer.h>
#include <skerry/cpu.h>
#include <skerry/layout.h>
#include <skerry/machine.h>
#include <skerry/pool.h>
#include <skerry/string.h>

struct vgic_irq *vgic_irq_of(struct vcpu *v, unsigned int intid)
{
	struct vgic_domain *g = &v->domain->vgic;

	if (intid < VGIC_NR_PRIVATE)
		return &v->vgic.private[intid];
	if (intid - VGIC_SPI_FIRST < g->nr_spis)
		return &g->spis[intid - VGIC_SPI_FIRST];
	return NULL;
}

bool vgic_is_pending(const struct vgic_irq *irq)
{
	return irq->latch || (irq->level && irq->line);
}

static bool group_enabled(const struct domain *d, const struct vgic_irq *irq)
{
	return irq->group1 ? d->vgic.enabled_g1 : d->vgic.enabled_g0;
}

static bool needs_lr(const struct domain *d, const struct vgic_irq *irq)
{
	return irq->active ||
	       (irq->enabled && vgic_is_pending(irq) && group_enabled(d, irq));
}

/* Another CPU has to look at v's interrupts. One IPI until it did. */
static void kick(struct vcpu *v)
{
	if (v->vgic.refill)
		return;
	WRITE_ONCE(v->vgic.refill, true);
	ipi_send(v->cpu, IPI_REFRESH | IPI_WAKE);
}

static void enqueue(struct vcpu *v, struct vgic_irq *irq)
{
	struct list *at = v->vgic.queue.next;

	/* Active ones first, then by priority; first come among equals. */
	while (at != &v->vgic.queue) {
		const struct vgic_irq *o = list_entry(at, struct vgic_irq, node);

		if (irq->active ? !o->active
				: !o->active && o->priority > irq->priority)
			break;
		at = at->next;
	}
	list_add_before(at, &irq->node);
	irq->vcpu = v;
}

/*
 * A physical timer interrupt waits while its line has gone low again: then
 * there is nothing to tell, and the physical one may fire anew.
 */
static void resample_hw(struct vgic_irq *irq, const struct vcpu *v)
{
	if (!irq->hw || !irq->latch || irq->active || !vgic_is_local(v) ||
	    arch_vtimer_line())
		return;
	irq->latch = false;
	gic_deactivate(irq->pintid);
}

void vgic_requeue(struct domain *d, struct vgic_irq *irq, struct vcpu *was)
{
	/* Active on one vCPU: it ends there, wherever it is routed now. */
	struct vcpu *v = irq->active || irq->intid < VGIC_NR_PRIVATE
				 ? was
				 : irq->target;

	if (!v || !needs_lr(d, irq))
		return;
	enqueue(v, irq);
	if (!vgic_is_local(v))
		kick(v);
}

/*
 * The guest has emptied the LR of last time, which still says all that there
 * is to say: make it pending again. Any other change clears or redoes the LR.
 */
static inline bool repend(struct domain *d, struct vgic_irq *irq)
{
	if (!irq->enabled || !vgic_is_pending(irq) || !group_enabled(d, irq) ||
	    !gic_lr_repend(irq->lr))
		return false;
	if (!irq->level || irq->hw)
		irq->latch = false;
	irq->active = false;
	irq->lr_pending = true;
	return true;
}

bool vgic_repend(struct domain *d, struct vgic_irq *irq)
{
	/* Changed by another CPU: perhaps in what the LR says. */
	if (irq->dirty &&
	    (irq->priority != irq->lr_priority ||
	     (irq->intid >= VGIC_NR_PRIVATE && irq->target != irq->vcpu)))
		return false;
	return repend(d, irq);
}

void vgic_update(struct domain *d, struct vgic_irq *irq)
{
	struct vcpu *v = irq->vcpu;

	if (irq->lr != VGIC_NO_LR) {
		if (!vgic_is_local(v)) {
			irq->dirty = true;
			kick(v);
			return;
		}
		vgic_fold_lr(v, irq->lr);
	} else if (!v && !needs_lr(d, irq)) {
		return;
	} else if (!list_is_empty(&irq->node)) {
		list_del(&irq->node);
		irq->vcpu = NULL;
	}
	if (!v)
		v = irq->target;
	if (v && irq->hw)
		resample_hw(irq, v);
	vgic_requeue(d, irq, v);
	v = irq->vcpu;
	if (v && vgic_is_local(v))
		vgic_fill(v);
}

void vgic_update_all(struct domain *d)
{
	for (unsigned int i = 0; i < d->nr_vcpus; i++)
		for (unsigned int n = 0; n < VGIC_NR_PRIVATE; n++)
			vgic_update(d, &d->vcpus[i]->vgic.private[n]);
	for (unsigned int n = 0; n < d->vgic.nr_spis; n++)
		vgic_update(d, &d->vgic.spis[n]);
}

static void set_input(struct domain *d, struct vgic_irq *irq, bool level)
{
	bool was = irq->line;

	irq->line = level;
	if (irq->level ? was == level : !level || was)
		return;
	if (!irq->level)
		irq->latch = true;
	vgic_update(d, irq);
}

void vgic_set_spi(struct domain *d, unsigned int intid, bool level)
{
	spin_lock(&d->vgic.lock);
	if (intid - VGIC_SPI_FIRST < d->vgic.nr_spis)
		set_input(d, &d->vgic.spis[intid - VGIC_SPI_FIRST], level);
	spin_unlock(&d->vgic.lock);
}

void vgic_set_private(struct vcpu *v, unsigned int intid, bool level)
{
	spin_lock(&v->domain->vgic.lock);
	set_input(v->domain, &v->vgic.private[intid], level);
	spin_unlock(&v->domain->vgic.lock);
}

void vgic_inject_hw_ppi(struct vcpu *v, unsigned int intid)
{
	struct domain *d = v->domain;
	struct vgic_irq *irq = &v->vgic.private[intid];

	spin_lock(&d->vgic.lock);
	irq->latch = true;
	if (unlikely(irq->lr == VGIC_NO_LR || !repend(d, irq)))
		vgic_update(d, irq);
	spin_unlock(&d->vgic.lock);
}

/* One SGI to one vCPU; it is an edge. */
static void raise_sgi(struct vcpu *t, unsigned int intid, bool group1)
{
	struct vgic_irq *irq = &t->vgic.private[intid];

	if (irq->group1 != group1)
		return;
	irq->latch = true;
	if (irq->lr == VGIC_NO_LR || !vgic_is_local(t) ||
	    !repend(t->domain, irq))
		vgic_update(t->domain, irq);
}

/* clang-format off */
#define SGIR_LIST	BITS(15, 0)
#define SGIR_AFF1	BITS(23, 16)
#define SGIR_INTID	BITS(27, 24)
#define SGIR_AFF2	BITS(39, 32)
#define SGIR_IRM	BIT(40)
#define SGIR_RS		BITS(47, 44)
#define SGIR_AFF3	BITS(55, 48)
/* clang-format on */

void vgic_write_sgir(struct vcpu *v, u64 val, bool group1)
{
	struct domain *d = v->domain;
	unsigned int intid = (unsigned int)field_get(SGIR_INTID, val);

	spin_lock(&d->vgic.lock);
	if (unlikely(val & SGIR_IRM)) {
		for (unsigned int i = 0; i < d->nr_vcpus; i++)
			if (d->vcpus[i] != v)
				raise_sgi(d->vcpus[i], intid, group1);
	} else if (!(val & (SGIR_AFF2 | SGIR_AFF3 | SGIR_RS))) {
		u64 base = field_get(SGIR_AFF1, val) * 16;

		for (u64 list = val & SGIR_LIST; list; list &= list - 1) {
			u64 id = base + (u64)__builtin_ctzl(list);

			if (id < d->nr_vcpus)
				raise_sgi(d->vcpus[id], intid, group1);
		}
	}
	spin_unlock(&d->vgic.lock);
}

void vgic_refresh(struct vcpu *v)
{
	struct domain *d = v->domain;

	spin_lock(&d->vgic.lock);
	if (vgic_is_local(v)) {
		vgic_check_lrs(v);
		if (!list_is_empty(&v->vgic.queue) || v->vgic.underflow)
			vgic_fill(v);
	}
	WRITE_ONCE(v->vgic.refill, false);
	spin_unlock(&d->vgic.lock);
}

void vgic_load(struct vcpu *v)
{
	struct domain *d = v->domain;

	gic_vcpu_load(&v->vgic.gic);
	spin_lock(&d->vgic.lock);
	WRITE_ONCE(v->vgic.loaded, true);
	WRITE_ONCE(v->vgic.refill, false);
	v->vgic.underflow = false;
	vgic_fill(v);
	spin_unlock(&d->vgic.lock);
}

void vgic_unload(struct vcpu *v)
{
	struct domain *d = v->domain;

	spin_lock(&d->vgic.lock);
	/* First, so that folded interrupts are queued and not loaded again. */
	WRITE_ONCE(v->vgic.loaded, false);
	vgic_fold_all(v);
	WRITE_ONCE(v->vgic.refill, false);
	spin_unlock(&d->vgic.lock);
	gic_vcpu_save(&v->vgic.gic);
}

bool vgic_has_pending(struct vcpu *v)
{
	struct domain *d = v->domain;
	bool has = false;

	spin_lock(&d->vgic.lock);
	list_for_each(at, &v->vgic.queue) {
		struct vgic_irq *irq = list_entry(at, struct vgic_irq, node);

		has |= irq->enabled && vgic_is_pending(irq);
	}
	if (vgic_is_local(v))
		for (u32 used = v->vgic.lr_used; used && !has; used &= used - 1)
			has = gic_lr_state((unsigned int)__builtin_ctz(used)) &
			      1;
	spin_unlock(&d->vgic.lock);
	return has;
}

void vgic_wait_kicked(struct domain *d)
{
	for (unsigned int i = 0; i < d->nr_vcpus; i++) {
		struct vcpu *w = d->vcpus[i];

		/* Bounded: that CPU takes the IPI when it leaves EL2, or here. */
		while (!vgic_is_local(w) && READ_ONCE(w->vgic.loaded) &&
		       READ_ONCE(w->vgic.refill)) {
			if (READ_ONCE(this_cpu()->ipi))
				ipi_handle();
			cpu_relax();
		}
	}
}

void vgic_sync_domain(struct domain *d)
{
	struct vcpu *self = this_cpu()->current;
	bool kicked = false;

	spin_lock(&d->vgic.lock);
	for (unsigned int i = 0; i < d->nr_vcpus; i++) {
		struct vcpu *w = d->vcpus[i];

		if (w != self && w->vgic.loaded && w->vgic.lr_used) {
			kick(w);
			kicked = true;
		}
	}
	if (self && self->domain == d && vgic_is_local(self)) {
		vgic_fold_all(self);
		vgic_fill(self);
	}
	spin_unlock(&d->vgic.lock);
	if (kicked)
		vgic_wait_kicked(d);
}

static void init_irq(struct vgic_irq *irq, unsigned int intid)
{
	*irq = (struct vgic_irq){
		.intid = (u16)intid,
		.lr = VGIC_NO_LR,
		.group1 = true,
		.level = intid >= 16, /* SGIs are edges */
	};
	list_init(&irq->node);
}

void vgic_vcpu_reset(struct vcpu *v)
{
	struct domain *d = v->domain;
	struct vgic_vcpu *g = &v->vgic;

	spin_lock(&d->vgic.lock);
	if (!g->queue.next)
		list_init(&g->queue);
	for (unsigned int n = 0; n < VGIC_NR_PRIVATE; n++) {
		struct vgic_irq *irq = &g->private[n];

		/* Left active by the last run of this vCPU, on this CPU. */
		if (irq->hw && (irq->latch || irq->active))
			gic_deactivate(irq->pintid);
		if (irq->node.next)
			list_del(&irq->node);
		init_irq(irq, n);
		irq->target = v;
		irq->enabled = n < 16;
	}
	g->private[GUEST_VTIMER_INTID].hw = true;
	g->private[GUEST_VTIMER_INTID].pintid = (u16)machine.vtimer_intid;
	g->waker_sleep = true;
	gic_vcpu_reset(&g->gic);
	spin_unlock(&d->vgic.lock);
}

int vgic_domain_init(struct domain *d, unsigned int nr_spis)
{
	struct vgic_domain *g = &d->vgic;
	int err;

	spin_init(&g->lock, RANK_VGIC);
	g->spis = pool_alloc(&d->pool, nr_spis * sizeof(*g->spis), 64);
	if (!g->spis)
		return -ENOMEM;
	g->nr_spis = nr_spis;
	for (unsigned int n = 0; n < nr_spis; n++) {
		init_irq(&g->spis[n], VGIC_SPI_FIRST + n);
		g->spis[n].target = d->vcpus[0];
	}
	g->dist = (struct emul_region){GUEST_GICD_BASE, GUEST_GICD_SIZE,
				       vgic_dist_access};
	g->redist = (struct emul_region){GUEST_GICR_BASE,
					 d->nr_vcpus * GUEST_GICR_STRIDE,
					 vgic_redist_access};
	err = emul_add(&d->emul, &g->dist);
	return err ? err : emul_add(&d->emul, &g->redist);
}

void vgic_domain_exit(struct domain *d)
{
	d->vgic.nr_spis = 0;
}
