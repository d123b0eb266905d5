/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual GIC. vgic.c is the state machine of one interrupt and the choice of
 * what stands in list registers; lr.c moves it to and from arch/gic.h; v2.c
 * and v3.c hold the register tables of the two versions, regs.c what they
 * share. One lock per domain (RANK_VGIC) guards all interrupt state of the
 * domain; list registers belong to the CPU on which the vCPU is loaded.
 *
 * List registers stay in the hardware while the vCPU runs. Software reads them
 * back (folds) only when a register access needs the true state, when an
 * interrupt changed whose LR cannot simply be made pending, and on maintenance.
 */
#pragma once

#include <skerry/arch/gic.h>
#include <skerry/emul.h>
#include <skerry/list.h>
#include <skerry/spinlock.h>

struct domain;
struct vcpu;

#define VGIC_NR_PRIVATE	  32
#define VGIC_MAX_SPIS	  960
#define VGIC_V2_MAX_VCPUS 8
#define VGIC_NO_LR	  0xff
#define VGIC_NR_PRIOS	  32 /* five bits are implemented */

struct vgic_irq {
	struct list node;    /* with its like in the queue of `vcpu` */
	struct vcpu *vcpu;   /* whose queue or LR it is in; NULL: neither */
	struct vcpu *target; /* SPI: from IROUTER or ITARGETSR; NULL: none */
	u16 intid;
	u16 pintid; /* hardware-backed: physical INTID */
	u8 priority;
	u8 lr;	  /* LR of `vcpu` that holds it, VGIC_NO_LR */
	u8 taken; /* register accesses that keep it out of LRs */
	/*
	 * Edge seen, or set-pending written. A bit for each sender of an SGI in
	 * GICv2, else bit 0; in `source` that of the LR's, or the active one.
	 */
	u8 latch, source;
	/* Whole bytes: the hot paths test and set them one by one. */
	bool enabled, group1, level;
	bool hw;     /* backed by pintid; always level */
	bool phys;   /* hw: pintid is active, forwarded to the guest */
	bool lr_hw;  /* its LR deactivates pintid */
	bool line;   /* level: input high; hw: as sampled when it fired */
	bool active; /* not while in an LR */
	u64 router;  /* IROUTER, or the byte of ITARGETSR, as written */
};

/* What may be queued: pending, of a group, and active. */
enum vgic_kind { VGIC_GROUP0, VGIC_GROUP1, VGIC_ACTIVE, VGIC_NR_KINDS };

struct vgic_vcpu {
	struct vgic_irq private[VGIC_NR_PRIVATE];
	/*
	 * Its queue: nothing, one alone that it may be shown, or several,
	 * sorted. Those of a group that is off are there, and sorted, too.
	 */
	struct vgic_irq *alone;
	u32 sorted; /* bit n: some of priority 8 * n */
	u32 sorted_kind[VGIC_NR_KINDS];
	struct vgic_irq *lr[GIC_MAX_LRS];
	u32 lr_used; /* bit n: lr[n] != NULL */
	u32 changed; /* LRs that other CPUs want looked at */
	u32 drop;    /* private INTIDs whose physical one is to end */
	struct gic_vcpu gic;
	bool loaded;	  /* its LRs are in the hardware of vcpu->cpu */
	bool refill;	  /* asked to look, with an IPI */
	bool waiting;	  /* maintenance for the queue is on */
	bool waker_sleep; /* GICR_WAKER.ProcessorSleep */
	/*
	 * Held: kept in EL2 with empty LRs, until `holders` is 0 again, so
	 * that another vCPU's register access sees and sets the true state.
	 */
	bool held;
	bool in_access;	      /* it waits in such an access of its own */
	u32 holders;	      /* accesses that ask for it; any CPU reads */
	struct vcpu *holding; /* the one its own access holds */
	/*
	 * The first of those of one kind and priority, where there are some:
	 * they make a ring. No work grows with what a guest has pending.
	 */
	struct vgic_irq *first[VGIC_NR_KINDS][VGIC_NR_PRIOS];
};

struct vgic_domain {
	struct spinlock lock;
	u64 present; /* a bit for each vCPU */
	struct vgic_irq *spis;
	unsigned int nr_spis;
	bool enabled[2]; /* GICD_CTLR, of each group */
	struct emul_region dist, redist;
};

/*
 * Allocates from d's pool; -ENOMEM. -EOPNOTSUPP: more vCPUs than this version
 * of the GIC can have. Idempotent exit.
 */
int vgic_domain_init(struct domain *d, unsigned int nr_spis) __must_check;
struct domain_part;
extern const struct domain_part vgic_part;
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
/* The same of a vCPU that is not loaded, whose timer an EL2 timer stood for. */
void vgic_timer_due(struct vcpu *v);
/* ICC_SGI1R/SGI0R/ASGI1R value written by v (IHI 0069 12.2.x). */
void vgic_write_sgir(struct vcpu *v, u64 val, bool group1);

/* Load the LRs of v into, or fold them out of, the calling CPU. */
void vgic_load(struct vcpu *v);
void vgic_unload(struct vcpu *v);
/*
 * On the CPU where v is loaded: after an IPI, what other CPUs changed; after a
 * maintenance interrupt, what the guest ended. vgic_refresh() waits while v is
 * held: for register accesses of the same guest, which are short.
 */
void vgic_refresh(struct vcpu *v);
void vgic_maintain(struct vcpu *v);
/* Would v take an interrupt now (ends WFI)? Takes the lock. */
bool vgic_has_pending(struct vcpu *v);
