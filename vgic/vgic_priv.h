/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of vgic/. All need the domain's vGIC lock. */
#pragma once

#include <skerry/domain.h>
#include <skerry/vgic.h>

#define VGIC_SPI_FIRST 32
#define VGIC_PRIO_MASK 0xf8 /* five bits are implemented */

extern const struct emul_region vgic_dist_region;
void vgic_redist_access(struct vcpu *v, struct emul_access *a);
void vgic_dist_access(struct vcpu *v, struct emul_access *a);

/* The interrupt as v sees it; NULL when the domain has no such INTID. */
struct vgic_irq *vgic_irq_of(struct vcpu *v, unsigned int intid);
/* Latched, or a level line that is high. */
bool vgic_is_pending(const struct vgic_irq *irq);
/* After any change of irq: queue, list register or another CPU follow. */
void vgic_update(struct domain *d, struct vgic_irq *irq);
void vgic_update_all(struct domain *d);

/* lr.c, on the CPU where v is loaded. */
bool vgic_is_local(const struct vcpu *v);
/* Move LR n back into its interrupt's state. */
void vgic_fold_lr(struct vcpu *v, unsigned int n);
void vgic_fold_all(struct vcpu *v);
/* Note the state of each LR; redo those that others changed or are empty. */
void vgic_check_lrs(struct vcpu *v);
/* True when irq's local LR, emptied by the guest, could be used again. */
bool vgic_repend(struct domain *d, struct vgic_irq *irq);
/* Queued interrupts into free LRs, the most urgent first. */
void vgic_fill(struct vcpu *v);
void vgic_write_lr(struct vcpu *v, unsigned int n, struct vgic_irq *irq);
/* vgic.c: put a folded interrupt back on a queue if it needs one. */
void vgic_requeue(struct domain *d, struct vgic_irq *irq, struct vcpu *was);

/*
 * Without the lock: make the software state of all vCPUs current, or wait
 * until every CPU that was kicked has looked. Serves this CPU's own IPIs.
 */
void vgic_sync_domain(struct domain *d);
void vgic_wait_kicked(struct domain *d);
