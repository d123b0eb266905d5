/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between gic.c and the drivers of the two GIC versions: what differs between
 * them, and the registers that both have (IHI 0048 4.3, IHI 0069 12.9).
 */
#pragma once

#include <skerry/arch/gic.h>
#include <skerry/spinlock.h>

/* clang-format off */
#define GICD_CTLR	0x0000
#define GICD_TYPER	0x0004
#define GICD_IGROUPR	0x0080
#define GICD_ISENABLER	0x0100
#define GICD_ICENABLER	0x0180
#define GICD_ICPENDR	0x0280
#define GICD_ISACTIVER	0x0300
#define GICD_ICACTIVER	0x0380
#define GICD_IPRIORITYR	0x0400
#define GICD_ICFGR	0x0c00

/* GICH_HCR and ICH_HCR_EL2 */
#define HCR_EN		BIT(0)
#define HCR_UIE		BIT(1)
#define HCR_LRENPIE	BIT(2)
#define HCR_EOICOUNT	BITS(31, 27)

/* What each driver has: result, name, parameters, arguments. */
#define GIC_OPS(op)							\
	op(u32, ack, (void), ())					\
	op(void, eoi, (u32 intid), (intid))				\
	op(void, deactivate, (u32 intid), (intid))			\
	op(void, end, (u32 intid), (intid))				\
	op(void, send_sgi, (unsigned int cpu, unsigned int id), (cpu, id)) \
	op(void, lr_write, (unsigned int n, const struct gic_lr *lr), (n, lr)) \
	op(void, lr_clear, (unsigned int n), (n))			\
	op(bool, lr_repend, (unsigned int n), (n))			\
	op(unsigned int, lr_state, (unsigned int n), (n))		\
	op(u64, lr_empty, (void), ())					\
	op(u64, lr_ended, (void), ())					\
	op(void, vcpu_save, (struct gic_vcpu *g), (g))			\
	op(void, vcpu_load, (const struct gic_vcpu *g), (g))		\
	op(void, vcpu_reset, (struct gic_vcpu *g), (g))

/* Those that only gic.c calls. */
#define GIC_PARTS(op)							\
	op(void, init, (void), ())					\
	/* Switch the distributor on, after its reset. */		\
	op(void, start, (void), ())					\
	/* The calling CPU's interface; how many LRs it has. */		\
	op(unsigned int, init_cpu, (void), ())				\
	op(void, route, (u32 intid, unsigned int cpu), (intid, cpu))	\
	op(u32, read_hcr, (void), ())					\
	op(void, write_hcr, (u32 val), (val))
/* clang-format on */

#define GIC_DECLARE(type, name, params, args)                                  \
	type gicv2_##name params;                                              \
	type gicv3_##name params;
GIC_OPS(GIC_DECLARE)
GIC_PARTS(GIC_DECLARE)

/* Written once at boot. */
struct gic {
	unsigned int nr_lrs;
	u32 lrs;
	u64 dist;
	struct spinlock lock; /* RANK_GIC: read-modify-write of registers */
};
extern struct gic gic;

/* The calling CPU's private interrupts: off, idle, EL2's timer before all. */
void gic_reset_private(void);
/* GICv3: the frame with the registers of a CPU's private interrupts. */
u64 gicv3_sgi_frame(unsigned int cpu);
