/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State machine of virtual interrupts. An interrupt is in one of three places:
 * nowhere (nothing to deliver), on a vCPU's queue, or in a list register of the
 * CPU where that vCPU is loaded. vgic_put() moves it after every change.
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

/* Another CPU has to look at v's interrupts. One IPI until it did. */
static void kick(struct vcpu *v)
{
	/* A held one looks when it is let go. */
	if (v->vgic.refill || v->vgic.held)
		return;
	WRITE_ONCE(v->vgic.refill, true);
	ipi_send(v->cpu, IPI_REFRESH | IPI_WAKE);
}

/* v's queue has what it is to see: it does when it runs, if not loaded. */
static __noinline void tell(struct vcpu *v)
{
	if (v->vgic.loaded && !vgic_is_local(v))
		kick(v);
	else if (!v->vgic.loaded && READ_ONCE(v->state) == VCPU_ON)
		sched_wake(v);
}

void vgic_drop_phys(struct vgic_irq *irq)
{
	struct vcpu *v = irq->target; /* private: the vCPU whose it is */

	/* If its line is still high it fires anew. */
	irq->phys = irq->line = false;
	if (vgic_is_local(v)) {
		gic_deactivate(irq->pintid);
	} else if (v->vgic.loaded) {
		v->vgic.drop |= 1U << irq->intid;
		kick(v);
	}
}

/*
 * A physical timer interrupt waits while its line has gone low again: then
 * there is nothing to tell, and the physical one may fire anew.
 */
static void resample_hw(struct vgic_irq *irq)
{
	if (irq->phys && irq->line && !irq->active &&
	    vgic_is_local(irq->target) && !arch_vtimer_line())
		vgic_drop_phys(irq);
}

void vgic_requeue(struct domain *d, struct vgic_irq *irq, struct vcpu *was)
{
	/* Active on one vCPU: it ends there, wherever it is routed now. */
	struct vcpu *v = irq->active && was ? was : irq->target;

	if (!v || irq->taken)
		return;
	if (unlikely(!vgic_needs_lr(d, irq))) {
		if (irq->enabled && vgic_is_pending(irq))
			vgic_enqueue(v, irq, false);
		return;
	}
	vgic_enqueue(v, irq, true);
	if (v->vgic.loaded || !irq->active) /* an active one ends no wait */
		tell(v);
}

/* Lock held again after others could have it, and their IPIs were taken. */
static void give_way(struct domain *d)
{
	spin_unlock(&d->vgic.lock);
	if (READ_ONCE(this_cpu()->ipi))
		ipi_handle();
	cpu_relax();
	spin_lock(&d->vgic.lock);
}

/* On v's own CPU. */
static void end_dropped(struct vcpu *v)
{
	for (; unlikely(v->vgic.drop); v->vgic.drop &= v->vgic.drop - 1) {
		int n = __builtin_ctz(v->vgic.drop);

		gic_deactivate(v->vgic.private[n].pintid);
	}
}

static void let_go(struct vcpu *v)
{
	if (!v->vgic.held || v->vgic.holders)
		return;
	v->vgic.held = false;
	end_dropped(v);
	vgic_fill(v);
}

/*
 * Bounded: the holders have all come before v was held, as no irq is in its
 * LRs since, and each lets go of v before it waits for anything.
 */
static void wait_while_held(struct domain *d, struct vcpu *v)
{
	while (v->vgic.held) {
		spin_unlock(&d->vgic.lock);
		while (READ_ONCE(v->vgic.holders))
			cpu_relax();
		spin_lock(&d->vgic.lock);
		let_go(v);
	}
}

/*
 * irq is in an LR of w's, which runs elsewhere: have w fold its LRs and stay
 * out of the guest until put(). Two may hold each other: each takes its IPIs
 * here and is held with that, goes on, lets go, and waits to be let go.
 */
static __noinline void hold(struct domain *d, struct vgic_irq *irq,
			    struct vcpu *w)
{
	struct vcpu *self = this_cpu()->current;

	self->vgic.in_access = true;
	irq->taken++;
	w->vgic.holders++;
	while (w->vgic.loaded && !w->vgic.held) {
		kick(w);
		give_way(d);
	}
	self->vgic.holding = w;
	self->vgic.in_access = false;
}

struct vcpu *vgic_take_away(struct domain *d, struct vgic_irq *irq)
{
	struct vcpu *v = irq->vcpu;

	if (irq->lr == VGIC_NO_LR) {
		vgic_dequeue(v, irq);
	} else if (vgic_is_local(v)) {
		vgic_fold_lr(v, irq->lr);
	} else {
		hold(d, irq, v);
	}
	return v;
}

/* The end of a hold. False where others still keep irq: they deliver it. */
static bool release(struct vgic_irq *irq)
{
	struct vcpu *self = this_cpu()->current;
	struct vcpu *w = self ? self->vgic.holding : NULL;

	if (!w)
		return false;
	self->vgic.holding = NULL;
	WRITE_ONCE(w->vgic.holders, w->vgic.holders - 1);
	return --irq->taken == 0;
}

struct vcpu *vgic_put_only(struct domain *d, struct vgic_irq *irq,
			   struct vcpu *was)
{
	struct vcpu *self = this_cpu()->current, *v = NULL;
	bool held = irq->taken;

	if (likely(!held || release(irq))) {
		if (irq->hw)
			resample_hw(irq);
		vgic_requeue(d, irq, was);
		v = irq->vcpu;
	}
	if (unlikely(held && self))
		wait_while_held(d, self);
	return v && vgic_is_local(v) && !v->vgic.held ? v : NULL;
}

__noinline void vgic_put_back(struct domain *d, struct vgic_irq *irq,
			      struct vcpu *was)
{
	struct vcpu *v = vgic_put_only(d, irq, was);

	if (v)
		vgic_fill(v);
}

void vgic_update_groups(struct domain *d)
{
	/* Before the lock is let go: one that is alone may be shown. */
	for (unsigned int i = 0; i < d->nr_vcpus; i++)
		if (d->vcpus[i]->vgic.alone)
			vgic_sort(d->vcpus[i]);
	for (unsigned int i = 0; i < d->nr_vcpus; i++) {
		struct vcpu *v = d->vcpus[i];
		struct vgic_irq *irq;

		if (vgic_is_local(v)) {
			vgic_fold_all(v);
			if (!v->vgic.held)
				vgic_fill(v);
		} else if (v->vgic.lr_used) {
			/* Held for one of them, it folds them all. */
			irq = v->vgic.lr[__builtin_ctz(v->vgic.lr_used)];
			vgic_put(d, irq, vgic_take(d, irq));
		} else if (vgic_queue_is_pending(v)) {
			tell(v);
		}
	}
}

void vgic_input(struct domain *d, struct vgic_irq *irq)
{
	struct vcpu *v = irq->vcpu;

	if (irq->lr == VGIC_NO_LR) {
		vgic_put(d, irq, vgic_take(d, irq));
	} else if (!vgic_is_local(v)) {
		v->vgic.changed |= 1U << irq->lr;
		kick(v);
	} else if (!vgic_repend(d, irq)) {
		vgic_fold_lr(v, irq->lr);
		vgic_put(d, irq, v);
	}
}

static void set_input(struct domain *d, struct vgic_irq *irq, bool level)
{
	bool was = irq->line;

	irq->line = level;
	if (irq->level ? was == level : !level || was)
		return;
	if (!irq->level)
		irq->latch = 1;
	vgic_input(d, irq);
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

/* After a fold, which may say that what came before has been acknowledged. */
static __noinline void inject_slow(struct domain *d, struct vgic_irq *irq)
{
	struct vcpu *was = vgic_take(d, irq);

	irq->phys = irq->line = true;
	vgic_put(d, irq, was);
}

void vgic_inject_hw_ppi(struct vcpu *v, unsigned int intid)
{
	struct domain *d = v->domain;
	struct vgic_irq *irq = &v->vgic.private[intid];

	spin_lock(&d->vgic.lock);
	irq->line = true;
	if (unlikely(irq->lr == VGIC_NO_LR || !vgic_repend(d, irq)))
		inject_slow(d, irq);
	spin_unlock(&d->vgic.lock);
}

void vgic_timer_due(struct vcpu *v)
{
	struct domain *d = v->domain;
	struct vgic_irq *irq = &v->vgic.private[GUEST_VTIMER_INTID];
	struct vcpu *was;

	spin_lock(&d->vgic.lock);
	was = vgic_take(d, irq);
	irq->phys = irq->line = true;
	vgic_requeue(d, irq, was);
	spin_unlock(&d->vgic.lock);
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

/* A bit for each vCPU: up to 16 of one Aff1 (vcpu_mpidr()), or all others. */
static_assert(CONFIG_MAX_VCPUS <= 64, "fits the mask");
static u64 sgir_targets(const struct vcpu *v, u64 val)
{
	if (likely(!(val & ((SGIR_AFF1 & ~BITS(17, 16)) | SGIR_AFF2 | SGIR_IRM |
			    SGIR_RS | SGIR_AFF3))))
		return (val & SGIR_LIST) << 16 * field_get(SGIR_AFF1, val);
	return val & SGIR_IRM ? ~BIT(v->id) : 0;
}

void vgic_write_sgir(struct vcpu *v, u64 val, bool group1)
{
	struct domain *d = v->domain;
	u64 to = sgir_targets(v, val) & d->vgic.present;

	spin_lock(&d->vgic.lock);
	for (; to; to &= to - 1) {
		struct vcpu *t = d->vcpus[__builtin_ctzl(to)];
		struct vgic_irq *irq =
			&t->vgic.private[field_get(SGIR_INTID, val)];

		/* It is an edge. */
		if (irq->group1 == group1) {
			irq->latch = 1;
			vgic_input(d, irq);
		}
	}
	spin_unlock(&d->vgic.lock);
}

void vgic_refresh(struct vcpu *v)
{
	struct domain *d = v->domain;

	spin_lock(&d->vgic.lock);
	WRITE_ONCE(v->vgic.refill, false);
	end_dropped(v);
	/* Held already: an IPI of what was loaded before it came late. */
	if (unlikely(v->vgic.holders || v->vgic.held)) {
		vgic_fold_all(v);
		v->vgic.held = true;
		if (!v->vgic.in_access)
			wait_while_held(d, v);
	} else if (likely(v->vgic.loaded)) { /* so it is here */
		vgic_redo_lrs(v);
		if (v->vgic.alone || v->vgic.sorted)
			vgic_fill(v);
	}
	spin_unlock(&d->vgic.lock);
}

void vgic_maintain(struct vcpu *v)
{
	struct domain *d = v->domain;

	spin_lock(&d->vgic.lock);
	for (u64 ended = gic_lr_ended() & v->vgic.lr_used; ended;
	     ended &= ended - 1) {
		unsigned int n = (unsigned int)__builtin_ctzl(ended);
		struct vgic_irq *irq = v->vgic.lr[n];

		vgic_fold_lr(v, n);
		vgic_requeue(d, irq, v);
	}
	vgic_fill(v);
	spin_unlock(&d->vgic.lock);
}

void vgic_load(struct vcpu *v)
{
	struct domain *d = v->domain;
	const struct vgic_irq *timer = &v->vgic.private[GUEST_VTIMER_INTID];

	gic_vcpu_load(&v->vgic.gic);
	spin_lock(&d->vgic.lock);
	if (timer->phys)
		gic_activate(timer->pintid);
	WRITE_ONCE(v->vgic.loaded, true);
	WRITE_ONCE(v->vgic.refill, false);
	v->vgic.waiting = false;
	vgic_fill(v);
	spin_unlock(&d->vgic.lock);
}

void vgic_unload(struct vcpu *v)
{
	struct domain *d = v->domain;
	const struct vgic_irq *timer = &v->vgic.private[GUEST_VTIMER_INTID];

	spin_lock(&d->vgic.lock);
	end_dropped(v);
	vgic_fold_all(v);
	/* The active state moves with v: its successor has a timer too. */
	if (timer->phys)
		gic_deactivate(timer->pintid);
	WRITE_ONCE(v->vgic.loaded, false);
	WRITE_ONCE(v->vgic.refill, false);
	/* Who saw it loaded has sent an IPI that comes too late. */
	if (vgic_queue_is_pending(v))
		tell(v);
	spin_unlock(&d->vgic.lock);
	gic_vcpu_save(&v->vgic.gic);
}

bool vgic_has_pending(struct vcpu *v)
{
	struct domain *d = v->domain;
	bool has;

	spin_lock(&d->vgic.lock);
	has = vgic_queue_is_pending(v);
	if (vgic_is_local(v))
		for (u32 used = v->vgic.lr_used; used && !has; used &= used - 1)
			has = gic_lr_state((unsigned int)__builtin_ctz(used)) ==
			      1;
	spin_unlock(&d->vgic.lock);
	return has;
}

static void init_irq(struct vgic_irq *irq, unsigned int intid)
{
	*irq = (struct vgic_irq){
		.intid = (u16)intid,
		.lr = VGIC_NO_LR,
		.taken = irq->taken, /* who waits to hold v counts on it */
		.source = 1,
		.group1 = gic_version() > 2,
		.level = intid >= 16, /* SGIs are edges */
	};
	list_init(&irq->node);
}

void vgic_vcpu_reset(struct vcpu *v)
{
	struct domain *d = v->domain;
	struct vgic_vcpu *g = &v->vgic;

	spin_lock(&d->vgic.lock);
	for (unsigned int n = 0; n < VGIC_NR_PRIVATE; n++) {
		struct vgic_irq *irq = &g->private[n];

		if (irq->vcpu)
			vgic_dequeue(v, irq);
		init_irq(irq, n);
		irq->target = v;
		irq->enabled = n < 16;
	}
	g->private[GUEST_VTIMER_INTID].hw = true;
	g->private[GUEST_VTIMER_INTID].pintid = (u16)machine.vtimer_intid;
	g->waker_sleep = true;
	g->drop = 0;
	gic_vcpu_reset(&g->gic);
	spin_unlock(&d->vgic.lock);
}

int vgic_domain_init(struct domain *d, unsigned int nr_spis)
{
	struct vgic_domain *g = &d->vgic;
	bool v2 = gic_version() == 2;
	int err;

	if (v2 && d->nr_vcpus > VGIC_V2_MAX_VCPUS)
		return -EOPNOTSUPP;
	spin_init(&g->lock, RANK_VGIC);
	g->present = BITS(d->nr_vcpus - 1, 0);
	g->spis = pool_alloc(&d->pool, nr_spis * sizeof(*g->spis), 64);
	if (!g->spis)
		return -ENOMEM;
	g->nr_spis = nr_spis;
	for (unsigned int n = 0; n < nr_spis; n++) {
		init_irq(&g->spis[n], VGIC_SPI_FIRST + n);
		g->spis[n].target = d->vcpus[0];
		g->spis[n].router = v2; /* ITARGETSR says so, IROUTER is 0 */
	}
	g->dist = (struct emul_region){GUEST_GICD_BASE,
				       v2 ? VGIC_V2_DIST_SIZE : GUEST_GICD_SIZE,
				       v2 ? vgic_v2_dist_access
					  : vgic_v3_dist_access};
	g->redist = (struct emul_region){GUEST_GICR_BASE,
					 d->nr_vcpus * GUEST_GICR_STRIDE,
					 vgic_v3_redist_access};
	err = emul_add(&d->emul, &g->dist);
	return err || v2 ? err : emul_add(&d->emul, &g->redist);
}

static int domain_init(struct domain *d, const struct describe_guest *g)
{
	int err = vgic_domain_init(d, g->nr_spis);

	for (unsigned int n = 0; !err && n < d->nr_vcpus; n++)
		vgic_vcpu_reset(d->vcpus[n]);
	return err;
}

/* No CPU has it loaded: nothing of it is in hardware. */
static void domain_exit(struct domain *d)
{
	d->vgic.nr_spis = 0;
}

const struct domain_part vgic_part = {
	.domain_init = domain_init,
	.domain_exit = domain_exit,
};
