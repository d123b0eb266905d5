/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual GIC. vgic.c is the state machine of one interrupt and the choice of
 * what stands in list registers; lr.c moves it to and from arch/gic.h; v3.c
 * holds the GICv3 register tables. One lock per domain (RANK_VGIC) guards all
 * interrupt state of the domain; list registers belong to the CPU on which the
 * vCPU is loaded.
 *
 * List registers stay in the hardware while the vCPU runs. Software reads them
 * back (folds) only when a register access needs the true state, when an
 * interrupt is injected and its old LR is in doubt, and on maintenance.
 */
#pragma once

#include <skerry/arch/gic.h>
#include <skerry/emul.h>
#include <skerry/error.h>
#include <skerry/list.h>
#include <skerry/spinlock.h>

struct domain;
struct vcpu;

#define VGIC_NR_PRIVATE 32
#define VGIC_MAX_SPIS	988
#define VGIC_NO_LR	0xff

struct vgic_irq {
	struct list node;    /* in target's queue when it may need an LR */
	struct vcpu *vcpu;   /* queue it is on; NULL when on none */
	struct vcpu *target; /* SPI: from IROUTER; NULL: no such vCPU */
	u16 intid;
	u16 pintid; /* hardware-backed: physical INTID */
	u8 priority;
	u8 lr;		/* LR of `vcpu` that holds it, VGIC_NO_LR */
	u8 lr_priority; /* as written to that LR */
	/* Whole bytes: the hot paths test and set them one by one. */
	bool enabled, group1, level, hw;
	bool line;	 /* level: input high */
	bool latch;	 /* edge seen, or set-pending written */
	bool active;	 /* as of the last fold when in an LR */
	bool lr_pending; /* likewise, of its LR */
	bool dirty;	 /* its LR on another CPU has to be redone */
	u64 router;	 /* IROUTER as written */
};

struct vgic_vcpu {
	struct vgic_irq private[VGIC_NR_PRIVATE];
	struct list queue; /* pending or active, highest priority first */
	struct vgic_irq *lr[GIC_MAX_LRS];
	u32 lr_used; /* bit n: lr[n] != NULL */
	struct gic_vcpu gic;
	bool loaded;	  /* its LRs are in the hardware of vcpu->cpu */
	bool refill;	  /* asked to look at its queue (with an IPI) */
	bool underflow;	  /* maintenance on underflow is on */
	bool waker_sleep; /* GICR_WAKER.ProcessorSleep */
};

struct vgic_domain {
	struct spinlock lock;
	struct vgic_irq *spis;
	unsigned int nr_spis;
	bool enabled_g0, enabled_g1; /* GICD_CTLR */
	struct emul_region dist, redist;
};

/* Allocates from d's pool; -ENOMEM. Idempotent exit. */
int vgic_domain_init(struct domain *d, unsigned int nr_spis) __must_check;
void vgic_domain_exit(struct domain *d);
/* Reset state of the vCPU's redistributor and CPU interface. Not loaded. */
void vgic_vcpu_reset(struct vcpu *v);

/* Raise or lower a level line, or (edge) raise: `level` true is one edge. */
void vgic_set_spi(struct domain *d, unsigned int intid, bool level);
void vgic_set_private(struct vcpu *v, unsigned int intid, bool level);
/*
 * The physical, hardware-backed PPI `intid` fired on the CPU that runs v: its
 * priority is dropped and it stays active until the guest deactivates it.
 * The fast path of the virtual timer.
 */
void vgic_inject_hw_ppi(struct vcpu *v, unsigned int intid);
/* ICC_SGI1R/SGI0R/ASGI1R value written by v (IHI 0069 12.2.x). */
void vgic_write_sgir(struct vcpu *v, u64 val, bool group1);

/* Load the LRs of v into, or fold them out of, the calling CPU. */
void vgic_load(struct vcpu *v);
void vgic_unload(struct vcpu *v);
/* On the CPU of v: fold and refill, after IPI or maintenance interrupt. */
void vgic_refresh(struct vcpu *v);
/* Would v take an interrupt now (ends WFI)? Takes the lock. */
bool vgic_has_pending(struct vcpu *v);
