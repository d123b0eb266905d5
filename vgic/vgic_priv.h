/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of vgic/. All need the domain's vGIC lock. */
#pragma once

#include <skerry/domain.h>
#include <skerry/vgic.h>

#define VGIC_SPI_FIRST	  32
#define VGIC_PRIO_MASK	  0xf8
#define VGIC_V2_DIST_SIZE 0x1000

/* Of the distributor, and in GICv3 for private ones of the redistributor. */
/* clang-format off */
#define CTLR_G0		BIT(0)
#define CTLR_G1		BIT(1)
#define GICD_CTLR	0x0000
#define GICD_TYPER	0x0004
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
/* clang-format on */

/* Accesses of v; regs.c has the registers that v2.c and v3.c share. */
typedef void vgic_access(struct vcpu *v, struct emul_access *a);
vgic_access vgic_v3_dist_access, vgic_v3_redist_access, vgic_v2_dist_access;
vgic_access vgic_read_ctlr, vgic_write_ctlr, vgic_read_iidr;
vgic_access vgic_read_group, vgic_write_group;
vgic_access vgic_read_enable, vgic_write_set_enable, vgic_write_clear_enable;
vgic_access vgic_read_pending, vgic_write_set_pending, vgic_write_clear_pending;
vgic_access vgic_read_active, vgic_write_set_active, vgic_write_clear_active;
vgic_access vgic_read_priority, vgic_write_priority;
vgic_access vgic_read_config, vgic_write_config;
#define RW(get, set) vgic_read_##get, vgic_write_##set /* in their tables */

static inline void vgic_lock(struct vcpu *v)
{
	spin_lock(&v->domain->vgic.lock);
}

static inline void vgic_unlock(struct vcpu *v)
{
	spin_unlock(&v->domain->vgic.lock);
}

/* The interrupt as v sees it; NULL when the domain has no such INTID. */
struct vgic_irq *vgic_irq_of(struct vcpu *v, unsigned int intid);

/* Latched, or a level line that is high. */
static inline bool vgic_is_pending(const struct vgic_irq *irq)
{
	return irq->latch || (irq->level && irq->line);
}

/* Pending, and nothing in the distributor keeps it from the vCPU. */
static inline bool vgic_is_deliverable(const struct domain *d,
				       const struct vgic_irq *irq)
{
	return irq->enabled && vgic_is_pending(irq) &&
	       d->vgic.enabled[irq->group1];
}

static inline bool vgic_needs_lr(const struct domain *d,
				 const struct vgic_irq *irq)
{
	return irq->active || vgic_is_deliverable(d, irq);
}

/* A bit for each priority at which v would take a sorted one. */
u32 vgic_sorted_pending(const struct vcpu *v);
/* v would take an interrupt of its queue. An active one ends no wait. */
static inline bool vgic_queue_is_pending(const struct vcpu *v)
{
	const struct vgic_irq *alone = v->vgic.alone;

	return alone ? !alone->active
		     : unlikely(v->vgic.sorted) && vgic_sorted_pending(v);
}

/* Queued interrupts into LRs, the most urgent first. */
void vgic_fill(struct vcpu *v);
/*
 * Around every change of irq, and before its state is read: take() brings all
 * of the state into software and keeps it there until put(), which delivers.
 * Where irq stands in an LR of another CPU, that vCPU is held in EL2 meanwhile,
 * so take() and put() may drop the lock; the caller holds no other lock and has
 * taken no other interrupt. `was` is the vCPU that had it, or NULL.
 * put_only() leaves it to do once for several: vgic_fill() for what it returns,
 * if that is not NULL.
 */
struct vcpu *vgic_take_away(struct domain *d, struct vgic_irq *irq);
struct vcpu *vgic_put_only(struct domain *d, struct vgic_irq *irq,
			   struct vcpu *was);
void vgic_put_back(struct domain *d, struct vgic_irq *irq, struct vcpu *was);
static inline struct vcpu *vgic_take(struct domain *d, struct vgic_irq *irq)
{
	return likely(!irq->vcpu) ? NULL : vgic_take_away(d, irq);
}
static inline bool vgic_has_state(const struct vgic_irq *irq)
{
	return irq->taken | irq->active | irq->latch | irq->line;
}
static inline void vgic_put(struct domain *d, struct vgic_irq *irq,
			    struct vcpu *was)
{
	if (unlikely(vgic_has_state(irq)))
		vgic_put_back(d, irq, was);
}
/*
 * The groups that are enabled have changed. Of a group that is not, interrupts
 * are queued all the same: only what stands in LRs has to be looked at.
 */
void vgic_update_groups(struct domain *d);
/* irq's line or latch changed, in a way that needs no hold. */
void vgic_input(struct domain *d, struct vgic_irq *irq);
/* The guest ended a forwarded interrupt, but not through its LR. */
void vgic_drop_phys(struct vgic_irq *irq);

/* lr.c, on the CPU where v is loaded. */
bool vgic_is_local(const struct vcpu *v);
/* Move LR n back into its interrupt's state. */
void vgic_fold_lr(struct vcpu *v, unsigned int n);
void vgic_fold_all(struct vcpu *v);
/* The same for each LR that others changed, or make it pending again. */
void vgic_redo_lrs(struct vcpu *v);
/* Ends that met no LR belong to the most urgent active one of the queue. */
void vgic_end_some(struct vcpu *v);
static inline void vgic_end_queued(struct vcpu *v)
{
	if (unlikely(v->vgic.waiting))
		vgic_end_some(v);
}
/*
 * The guest has emptied the LR of last time, which still says all that there
 * is to say: make it pending again. Any other change takes it from the LR.
 */
static inline bool vgic_repend(struct domain *d, struct vgic_irq *irq)
{
	bool level = irq->level;

	if ((level ? !irq->lr_hw : irq->latch != irq->source) ||
	    !vgic_is_deliverable(d, irq) || !gic_lr_repend(irq->lr))
		return false;
	/* A level has it by set-pending only, and keeps it until it is taken. */
	if (!level)
		irq->latch = 0;
	return true;
}
/* By priority; active ones first, then group 0, then first come. */
void vgic_enqueue(struct vcpu *v, struct vgic_irq *irq, bool may_be_shown);
/* The one that is alone is not so any more. */
void vgic_sort(struct vcpu *v);
void vgic_dequeue(struct vcpu *v, struct vgic_irq *irq);
/* vgic.c: put a folded interrupt back on a queue if it needs one. */
void vgic_requeue(struct domain *d, struct vgic_irq *irq, struct vcpu *was);
