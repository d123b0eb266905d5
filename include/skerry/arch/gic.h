/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The physical interrupt controller as the rest of the hypervisor sees it,
 * GICv3 (IHI 0069) or, later, GICv2 (IHI 0048). Per-CPU functions act on the
 * calling CPU, interrupts masked.
 */
#pragma once

#include <skerry/util.h>

#define GIC_MAX_LRS  16
#define GIC_SPURIOUS 1020 /* and above: nothing to handle */

/* A list register, independent of the GIC version. */
struct gic_lr {
	u16 intid;
	u16 pintid; /* valid when hw */
	u8 priority;
	u8 source; /* SGI of GICv2: the sending vCPU, in the guest's IAR */
	bool pending, active;
	bool hw; /* the guest's deactivation also ends pintid's */
	bool group1;
	bool eoi_maint; /* maintenance interrupt at the guest's EOI; !hw */
};

/* Per vCPU: what moves with it on a switch. LR content is kept by vgic/. */
struct gic_vcpu {
	u64 vmcr;
	u64 apr[2][4];
};

/* Board description → mapped and reset distributor. Boot CPU, once. */
void gic_init(void);
/* The calling CPU's redistributor and CPU interface. */
void gic_init_cpu(void);
unsigned int gic_nr_lrs(void);
/* A bit for each. */
u32 gic_lrs(void);
/* 2 or 3: what guests are given. */
unsigned int gic_version(void);

/*
 * GICv2: the pages of GICV that stand at the guest's GICC and GICC + 4 KiB,
 * n = 0 and 1; the second one starts with GICC_DIR.
 */
paddr_t gic_guest_frame(unsigned int n);

/* Acknowledge; the INTID, or >= GIC_SPURIOUS. */
u32 gic_ack(void);
/* Priority drop (EOImode = 1): the interrupt stays active. */
void gic_eoi(u32 intid);
/* Deactivate, on the CPU that acknowledged it when private. */
void gic_deactivate(u32 intid);
/* Both: it was the hypervisor's own. */
void gic_end(u32 intid);
/* A private one of the calling CPU, made active as if it had been taken. */
void gic_activate(u32 intid);
void gic_enable(u32 intid, unsigned int cpu, bool level);
void gic_disable(u32 intid);
/* SGI to one CPU; `id` < 16. Orders earlier stores before it (dsb ishst). */
void gic_send_sgi(unsigned int cpu, unsigned int id);

/* List registers of the calling CPU. */
void gic_lr_write(unsigned int n, const struct gic_lr *lr);
void gic_lr_clear(unsigned int n);
/*
 * Make LR n pending again with all else as it was written, if the guest has
 * emptied it; false otherwise.
 */
bool gic_lr_repend(unsigned int n);
/* State bits of LR n: bit 0 pending, bit 1 active. */
unsigned int gic_lr_state(unsigned int n);
/* Bit n set: LR n holds neither a pending nor an active interrupt. */
u64 gic_lr_empty(void);
/* Bit n set: the guest has ended LR n, which was to tell so (eoi_maint). */
u64 gic_lr_ended(void);
/*
 * Maintenance interrupts while interrupts wait for LRs: when at most one LR is
 * valid, and, with `active`, when the guest ends one that is in no LR.
 */
void gic_set_waiting(bool some, bool active);
/* How many the guest ended that were in no LR, since the last call. */
unsigned int gic_take_eois(void);
/* Guest's CPU interface state: to memory and back; reset values. */
void gic_vcpu_save(struct gic_vcpu *g);
void gic_vcpu_load(const struct gic_vcpu *g);
void gic_vcpu_reset(struct gic_vcpu *g);
