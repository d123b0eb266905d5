/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GICv2 with the Virtualization Extensions, such as GIC-400 (IHI 0048): CPU
 * interfaces (GICC) and list registers (GICH) in memory, and the pages of GICV
 * for guests. All of it is banked: each CPU reaches its own at one address.
 */
#include "gic_priv.h"

#include <asm/io.h>
#include <asm/barrier.h>
#include <asm/sysreg.h>
#include <skerry/arch/mmu.h>
#include <skerry/cpu.h>
#include <skerry/machine.h>
#include <skerry/panic.h>

/* clang-format off */
#define GICD_ITARGETSR	0x0800
#define GICD_SGIR	0x0f00
#define GICC_CTLR	0x0000
#define GICC_CTLR_EN	BIT(0)
#define GICC_CTLR_EOIMODE BIT(9)
#define GICC_PMR	0x0004
#define GICC_BPR	0x0008
#define GICC_IAR	0x000c
#define GICC_EOIR	0x0010
#define GICC_APR	0x00d0
#define GICC_IIDR	0x00fc
#define GICC_DIR	0x1000
#define IAR_INTID	BITS(9, 0)

#define GICH_HCR	0x0000
#define GICH_VTR	0x0004
#define GICH_VMCR	0x0008
#define GICH_EISR	0x0020
#define GICH_ELRSR	0x0030
#define GICH_APR	0x00f0
#define GICH_LR		0x0100
#define VMCR_BPR	BITS(23, 21)
#define VMCR_ABPR	BITS(20, 18)
#define LR_HW		BIT(31)
#define LR_GROUP1	BIT(30)
#define LR_ACTIVE	BIT(29)
#define LR_PENDING	BIT(28)
#define LR_STATE	BITS(29, 28)
#define LR_PRIO		BITS(27, 23)
#define LR_PINTID	BITS(19, 10)
#define LR_EOI		BIT(19)
#define LR_CPUID	BITS(12, 10)

#define ALIAS		0x10000UL	/* pages repeat up to here, see init() */
#define SRE_GIC		BITS(27, 24)	/* of ID_AA64PFR0_EL1 */
/* clang-format on */

static struct {
	u64 cpu, hyp; /* GICC, GICH */
	paddr_t guest[2];
	/* By CPU: its bit in GICD_SGIR and ITARGETSR, which is no CPU number. */
	u8 target[CONFIG_NR_CPUS];
	/* By CPU: IAR of the last SGI. Its end names the sender, too. */
	u32 sgi[CONFIG_NR_CPUS];
} v2;

/*
 * SoCs for 64 KiB pages repeat each 4 KiB page of a frame 16 times, so that its
 * second page, with GICC_DIR, is 64 KiB further (SBSA, appendix F). The last
 * copy of the first page is the one right before it.
 */
static bool is_aliased(const struct machine_gic *m)
{
	u64 cpu = v2.cpu;

	return m->redist_size[0] >= 2 * ALIAS &&
	       mmio_read32(cpu + GICC_IIDR) ==
		       mmio_read32(cpu + ALIAS - PAGE_SIZE + GICC_IIDR);
}

void gicv2_init(void)
{
	const struct machine_gic *m = &machine.gic;
	u64 step = PAGE_SIZE;

	v2.cpu = (u64)mmu_map_device(PADDR(m->redist[0]),
				     min(m->redist_size[0], 2 * ALIAS));
	v2.hyp = (u64)mmu_map_device(PADDR(m->redist[1]), PAGE_SIZE);
	if (is_aliased(m)) {
		v2.cpu += ALIAS - PAGE_SIZE;
		if (m->redist_size[2] >= 2 * ALIAS)
			step = ALIAS;
	}
	v2.guest[0] = PADDR(m->redist[2]);
	v2.guest[1] = PADDR(m->redist[2] + step);
}

void gicv2_start(void)
{
	mmio_write32(gic.dist + GICD_CTLR, 1);
}

paddr_t gic_guest_frame(unsigned int n)
{
	return v2.guest[n];
}

/*
 * A CPU with the system registers of GICv3 must not use them here: with SRE
 * clear EL2 has the interface in memory, and ICC_* are UNDEFINED in EL1.
 */
static void leave_sysregs(void)
{
	if (!(sysreg_read(id_aa64pfr0_el1) & SRE_GIC))
		return;
	sysreg_write(icc_sre_el2, 0);
	isb();
	if (sysreg_read(icc_sre_el2) & 1)
		die("interrupt-controller: compatible: GICv2, but CPU %u has ICC_SRE_EL2.SRE fixed at 1",
		    this_cpu()->id);
}

unsigned int gicv2_init_cpu(void)
{
	unsigned int id = this_cpu()->id;

	leave_sysregs();
	gic_reset_private();
	/* The read-only targets of SGI 0. A lone CPU's read as zero (4.3.12). */
	v2.target[id] = (u8)mmio_read32(gic.dist + GICD_ITARGETSR) ?: 1;
	mmio_write32(v2.cpu + GICC_PMR, 0xff); /* all */
	mmio_write32(v2.cpu + GICC_BPR, 0);
	mmio_write32(v2.cpu + GICC_APR, 0); /* of a loader that ended none */
	/*
	 * EOImode is bit 9 for Non-secure software and without Security
	 * Extensions alike (IHI 0048 4.4.1). AckCtl and FIQEn stay clear.
	 */
	mmio_write32(v2.cpu + GICC_CTLR, GICC_CTLR_EN | GICC_CTLR_EOIMODE);
	return min((mmio_read32(v2.hyp + GICH_VTR) & 63) + 1, (u32)GIC_MAX_LRS);
}

u32 gicv2_ack(void)
{
	u32 iar = mmio_read32(v2.cpu + GICC_IAR), intid = iar & IAR_INTID;

	/* IAR completes before what the interrupt announces is read. */
	dsb(sy);
	if (intid < 16)
		v2.sgi[this_cpu()->id] = iar;
	return intid;
}

static u32 iar_of(u32 intid)
{
	return intid < 16 ? v2.sgi[this_cpu()->id] : intid;
}

void gicv2_eoi(u32 intid)
{
	mmio_write32(v2.cpu + GICC_EOIR, iar_of(intid));
}

void gicv2_deactivate(u32 intid)
{
	mmio_write32(v2.cpu + GICC_DIR, iar_of(intid));
}

void gicv2_end(u32 intid)
{
	u64 cpu = v2.cpu;
	u32 iar = iar_of(intid);

	mmio_write32(cpu + GICC_EOIR, iar);
	mmio_write32(cpu + GICC_DIR, iar);
}

void gicv2_route(u32 intid, unsigned int cpu)
{
	u64 reg = gic.dist + GICD_ITARGETSR + align_down(intid, 4);
	unsigned int shift = intid % 4 * 8;

	mmio_write32(reg, (mmio_read32(reg) & ~(0xffU << shift)) |
				  (u32)v2.target[cpu] << shift);
}

/* Not inlined: it would keep GICv3's from being so. */
__noinline void gicv2_send_sgi(unsigned int cpu, unsigned int id)
{
	/* What the SGI announces is seen first; partner: gicv2_ack's dsb. */
	dsb(ishst);
	mmio_write32(gic.dist + GICD_SGIR, (u32)v2.target[cpu] << 16 | id);
}

/*
 * List registers. Accesses to one GIC stay in order (nGnRE), also those of
 * EL2 to GICH and of the guest to GICV, so no barrier is needed.
 */
static u64 lr_reg(unsigned int n)
{
	return v2.hyp + GICH_LR + 4 * (u64)n;
}

void gicv2_lr_write(unsigned int n, const struct gic_lr *lr)
{
	u64 val = lr->intid | field_prep(LR_PRIO, lr->priority >> 3) |
		  field_prep(LR_PENDING, lr->pending) |
		  field_prep(LR_ACTIVE, lr->active) |
		  field_prep(LR_GROUP1, lr->group1) | field_prep(LR_HW, lr->hw);

	if (likely(lr->hw))
		val |= field_prep(LR_PINTID, lr->pintid);
	else
		val |= field_prep(LR_CPUID, lr->source) |
		       field_prep(LR_EOI, lr->eoi_maint);
	mmio_write32(lr_reg(n), (u32)val);
}

void gicv2_lr_clear(unsigned int n)
{
	mmio_write32(lr_reg(n), 0);
}

unsigned int gicv2_lr_state(unsigned int n)
{
	return (unsigned int)field_get(LR_STATE, mmio_read32(lr_reg(n)));
}

bool gicv2_lr_repend(unsigned int n)
{
	u64 reg = lr_reg(n);
	u32 val = mmio_read32(reg);

	if (val & LR_STATE)
		return false;
	mmio_write32(reg, val | (u32)LR_PENDING);
	return true;
}

u64 gicv2_lr_empty(void)
{
	return mmio_read32(v2.hyp + GICH_ELRSR);
}

u64 gicv2_lr_ended(void)
{
	return mmio_read32(v2.hyp + GICH_EISR);
}

u32 gicv2_read_hcr(void)
{
	return mmio_read32(v2.hyp + GICH_HCR);
}

void gicv2_write_hcr(u32 val)
{
	mmio_write32(v2.hyp + GICH_HCR, val);
}

void gicv2_vcpu_reset(struct gic_vcpu *g)
{
	/* The least binary points that five bits of priority allow. */
	*g = (struct gic_vcpu){
		.vmcr = field_prep(VMCR_BPR, 2) | field_prep(VMCR_ABPR, 3),
	};
}

void gicv2_vcpu_save(struct gic_vcpu *g)
{
	u64 hyp = v2.hyp;

	g->vmcr = mmio_read32(hyp + GICH_VMCR);
	g->apr[0][0] = mmio_read32(hyp + GICH_APR);
	mmio_write32(hyp + GICH_HCR, 0);
}

void gicv2_vcpu_load(const struct gic_vcpu *g)
{
	u64 hyp = v2.hyp;

	mmio_write32(hyp + GICH_VMCR, (u32)g->vmcr);
	mmio_write32(hyp + GICH_APR, (u32)g->apr[0][0]);
	mmio_write32(hyp + GICH_HCR, HCR_EN);
}
