/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GICv3 (IHI 0069): distributor, redistributors, the EL2 CPU interface and
 * the list registers. gic.c has what GICv2 has, too.
 */
#include "gic_priv.h"

#include <asm/barrier.h>
#include <asm/io.h>
#include <asm/sysreg.h>
#include <skerry/arch/mmu.h>
#include <skerry/cpu.h>
#include <skerry/log.h>
#include <skerry/machine.h>
#include <skerry/panic.h>
#include <skerry/spinlock.h>

/* clang-format off */
#define GICD_CTLR_ARE	BIT(4)
#define GICD_CTLR_G1	BIT(1)
#define GICD_CTLR_RWP	BIT(31)
#define GICD_IROUTER	0x6000
#define GICR_CTLR	0x0000
#define GICR_CTLR_RWP	BIT(3)
#define GICR_TYPER	0x0008
#define GICR_TYPER_LAST	BIT(4)
#define GICR_TYPER_VLPI	BIT(1)
#define GICR_WAKER	0x0014
#define GICR_WAKER_SLEEP BIT(1)
#define GICR_WAKER_ASLEEP BIT(2)
#define GICR_SGI	0x10000
#define GICR_FRAMES	0x20000UL

#define LR_PENDING	BIT(62)
#define LR_ACTIVE	BIT(63)
#define LR_HW		BIT(61)
#define LR_GROUP1	BIT(60)
#define LR_PRIO		BITS(55, 48)
#define LR_PINTID	BITS(41, 32)
#define LR_EOI		BIT(41)
/* clang-format on */

static struct {
	u64 redist[CONFIG_NR_CPUS];
	u64 sgi_target[CONFIG_NR_CPUS];
	unsigned int nr_apr;
} v3;

static void wait_rwp(u64 reg, u32 bit)
{
	/* Hardware clears it in a bounded, short time (IHI 0069 12.9.4). */
	while (mmio_read32(reg) & bit)
		cpu_relax();
}

void gicv3_start(void)
{
	mmio_write32(gic.dist + GICD_CTLR, GICD_CTLR_ARE);
	wait_rwp(gic.dist + GICD_CTLR, GICD_CTLR_RWP);
	mmio_write32(gic.dist + GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_G1);
	wait_rwp(gic.dist + GICD_CTLR, GICD_CTLR_RWP);
}

u64 gicv3_sgi_frame(unsigned int cpu)
{
	return v3.redist[cpu] + GICR_SGI;
}

static u32 affinity_of(u64 mpidr)
{
	return (u32)((mpidr & 0xffffff) | (mpidr >> 8 & 0xff000000));
}

/*
 * Note the frame of every CPU of ours in one redistributor region, of which
 * nothing is mapped that is behind the last one: it is sparse.
 */
static void scan_region(u64 pa, u64 size, u64 stride)
{
	for (u64 end = pa + size; pa + GICR_FRAMES <= end;) {
		u64 r = (u64)mmu_map_device(PADDR(pa), GICR_FRAMES);
		u64 typer = mmio_read64(r + GICR_TYPER);

		for (unsigned int i = 0; i < nr_cpus; i++)
			if (affinity_of(machine.cpus[i].mpidr) == typer >> 32)
				v3.redist[i] = r;
		if (typer & GICR_TYPER_LAST)
			break;
		pa += stride			? stride
		      : typer & GICR_TYPER_VLPI ? 2 * GICR_FRAMES
						: GICR_FRAMES;
	}
}

/* ICC_SGI1R_EL1 without the INTID (IHI 0069 12.2.13). */
static u64 sgi_target(u64 m)
{
	return (m >> 32 & 0xff) << 48 | (m >> 4 & 0xf) << 44 |
	       (m >> 16 & 0xff) << 32 | (m >> 8 & 0xff) << 16 | BIT(m & 0xf);
}

void gicv3_init(void)
{
	const struct machine_gic *m = &machine.gic;

	for (unsigned int i = 0; i < m->nr_redist; i++) {
		/* Only as much as CPUs of ours can need. */
		u64 size = min(m->redist_size[i],
			       CONFIG_NR_CPUS * 2 * GICR_FRAMES);

		scan_region(m->redist[i], size, m->redist_stride);
	}
	for (unsigned int i = 0; i < nr_cpus; i++) {
		if (!v3.redist[i])
			die("interrupt-controller: reg: no redistributor for CPU %u",
			    i);
		v3.sgi_target[i] = sgi_target(machine.cpus[i].mpidr);
	}
}

static void redist_init(u64 r)
{
	mmio_write32(r + GICR_WAKER,
		     mmio_read32(r + GICR_WAKER) & ~(u32)GICR_WAKER_SLEEP);
	while (mmio_read32(r + GICR_WAKER) & GICR_WAKER_ASLEEP)
		cpu_relax();
	gic_reset_private();
	wait_rwp(r + GICR_CTLR, GICR_CTLR_RWP);
}

unsigned int gicv3_init_cpu(void)
{
	u64 vtr;

	/* SRE with EL1 allowed; ICC_* need it (IHI 0069 12.2.22). */
	sysreg_write(icc_sre_el2, 0xf);
	isb();
	sysreg_write(icc_sre_el1, 7); /* for the guest */
	redist_init(v3.redist[this_cpu()->id]);
	sysreg_write(icc_pmr_el1, 0xff); /* all */
	sysreg_write(icc_bpr1_el1, 0);
	sysreg_write(icc_ctlr_el1, 2); /* EOImode */
	sysreg_write(icc_igrpen1_el1, 1);
	vtr = sysreg_read(ich_vtr_el2);
	v3.nr_apr = 1U << (field_get(BITS(28, 26), vtr) - 4);
	return (unsigned int)(vtr & 15) + 1;
}

u32 gicv3_ack(void)
{
	u32 intid = (u32)sysreg_read(icc_iar1_el1);

	/* IAR completes before the handler's accesses (IHI 0069 4.1.2). */
	dsb(sy);
	return intid;
}

void gicv3_eoi(u32 intid)
{
	sysreg_write(icc_eoir1_el1, intid);
}

void gicv3_deactivate(u32 intid)
{
	sysreg_write(icc_dir_el1, intid);
}

void gicv3_end(u32 intid)
{
	gicv3_eoi(intid);
	gicv3_deactivate(intid);
}

void gicv3_route(u32 intid, unsigned int cpu)
{
	mmio_write64(gic.dist + GICD_IROUTER + 8 * (u64)intid,
		     cpus[cpu].mpidr & 0xff00ffffffUL);
}

void gicv3_send_sgi(unsigned int cpu, unsigned int id)
{
	/* What the SGI announces is seen first; partner: gicv3_ack's dsb. */
	dsb(ishst);
	sysreg_write(icc_sgi1r_el1, v3.sgi_target[cpu] | (u64)id << 24);
	isb();
}

/* A case for each list register, whose number is part of its name. */
/* clang-format off */
#define LR_CASES(op) \
	op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) \
	op(8) op(9) op(10) op(11) op(12) op(13) op(14) op(15)
/* clang-format on */
#define LR_WRITE(n)                                                            \
	case n:                                                                \
		sysreg_write(ich_lr##n##_el2, val);                            \
		break;
#define LR_STATE(n)                                                            \
	case n:                                                                \
		return (unsigned int)(sysreg_read(ich_lr##n##_el2) >> 62);

static inline void lr_set(unsigned int n, u64 val)
{
	/* The first one most often: without the table of jumps. */
	if (likely(!n)) {
		sysreg_write(ich_lr0_el2, val);
		return;
	}
	switch (n) {
		LR_CASES(LR_WRITE)
	}
}

void gicv3_lr_write(unsigned int n, const struct gic_lr *lr)
{
	u64 val = lr->intid | field_prep(LR_PRIO, lr->priority) |
		  field_prep(LR_PENDING, lr->pending) |
		  field_prep(LR_ACTIVE, lr->active) |
		  field_prep(LR_GROUP1, lr->group1) | field_prep(LR_HW, lr->hw);

	val |= lr->hw ? field_prep(LR_PINTID, lr->pintid)
		      : field_prep(LR_EOI, lr->eoi_maint);
	lr_set(n, val);
}

void gicv3_lr_clear(unsigned int n)
{
	lr_set(n, 0);
}

unsigned int gicv3_lr_state(unsigned int n)
{
	switch (n) {
		LR_CASES(LR_STATE)
	}
	return 0;
}

#define LR_REPEND(n)                                                           \
	case n:                                                                \
		val = sysreg_read(ich_lr##n##_el2);                            \
		if (val & (LR_PENDING | LR_ACTIVE))                            \
			return false;                                          \
		sysreg_write(ich_lr##n##_el2, val | LR_PENDING);               \
		return true;

bool gicv3_lr_repend(unsigned int n)
{
	u64 val;

	switch (n) {
		LR_CASES(LR_REPEND)
	}
	return false;
}

u64 gicv3_lr_empty(void)
{
	return sysreg_read(ich_elrsr_el2);
}

u64 gicv3_lr_ended(void)
{
	return sysreg_read(ich_eisr_el2);
}

u32 gicv3_read_hcr(void)
{
	return (u32)sysreg_read(ich_hcr_el2);
}

void gicv3_write_hcr(u32 val)
{
	sysreg_write(ich_hcr_el2, val);
}

void gicv3_vcpu_reset(struct gic_vcpu *g)
{
	*g = (struct gic_vcpu){0};
}

/* Only implemented APRs may be touched: others are UNDEFINED. */
#define APRS(op)                                                               \
	op(0);                                                                 \
	if (v3.nr_apr > 1) {                                                   \
		op(1);                                                         \
	}                                                                      \
	if (v3.nr_apr > 2) {                                                   \
		op(2);                                                         \
		op(3);                                                         \
	}
#define SAVE_APR(n)                                                            \
	g->apr[0][n] = sysreg_read(ich_ap0r##n##_el2);                         \
	g->apr[1][n] = sysreg_read(ich_ap1r##n##_el2)
#define LOAD_APR(n)                                                            \
	sysreg_write(ich_ap0r##n##_el2, g->apr[0][n]);                         \
	sysreg_write(ich_ap1r##n##_el2, g->apr[1][n])

void gicv3_vcpu_save(struct gic_vcpu *g)
{
	g->vmcr = sysreg_read(ich_vmcr_el2);
	APRS(SAVE_APR)
	sysreg_write(ich_hcr_el2, 0);
}

void gicv3_vcpu_load(const struct gic_vcpu *g)
{
	sysreg_write(ich_vmcr_el2, g->vmcr);
	APRS(LOAD_APR)
	sysreg_write(ich_hcr_el2, HCR_EN);
}
