/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GICv2 and GICv3 as a guest uses them: group 1 (v3) or the only group (v2),
 * one priority, EOImode 0. Tests that want more write the registers.
 */
#include "guest.h"

#define GICD_CTLR	      0x0000
#define GICD_IGROUPR	      0x0080
#define GICD_ISENABLER	      0x0100
#define GICD_ICENABLER	      0x0180
#define GICD_IPRIORITYR	      0x0400
#define GICD_ITARGETSR	      0x0800
#define GICD_SGIR	      0x0f00
#define GICD_IROUTER	      0x6000
#define GICR_TYPER	      0x0008
#define GICR_TYPER_VLPIS      BIT(1)
#define GICR_TYPER_LAST	      BIT(4)
#define GICR_WAKER	      0x0014
#define GICR_WAKER_SLEEP      BIT(1)
#define GICR_WAKER_ASLEEP     BIT(2)
#define GICR_SGI_FRAME	      0x10000
#define GICC_CTLR	      0x00
#define GICC_PMR	      0x04
#define GICC_IAR	      0x0c
#define GICC_EOIR	      0x10
#define ICC_PMR_EL1	      S3_0_C4_C6_0
#define ICC_IAR1_EL1	      S3_0_C12_C12_0
#define ICC_EOIR1_EL1	      S3_0_C12_C12_1
#define ICC_CTLR_EL1	      S3_0_C12_C12_4
#define ICC_SRE_EL1	      S3_0_C12_C12_5
#define ICC_IGRPEN1_EL1	      S3_0_C12_C12_7
#define ICC_SGI1R_EL1	      S3_0_C12_C11_5
#define sysreg_read_(reg)     sysreg_read(reg)
#define sysreg_write_(reg, v) sysreg_write(reg, v)

#define PRIO_DEFAULT 0xa0

static u64 find_redist(void)
{
	u64 m = own_mpidr();
	u64 me = (m & 0xffffff) | (m >> 8 & 0xff000000);

	for (u64 r = plat.gicr.base; r < plat.gicr.base + plat.gicr.size;) {
		u64 typer = read64(r + GICR_TYPER);

		if (typer >> 32 == me)
			return r;
		if (typer & GICR_TYPER_LAST)
			break;
		r += typer & GICR_TYPER_VLPIS ? 0x40000 : 0x20000;
	}
	return 0;
}

u64 gic_banked(void)
{
	return plat.gic == 3 ? this_cpu()->redist + GICR_SGI_FRAME : plat.gicd;
}

static u64 frame_of(u32 intid)
{
	return intid < 32 ? gic_banked() : plat.gicd;
}

void gic_init(void)
{
	if (plat.gic == 3) /* ARE_NS, EnableGrp1 */
		write32(plat.gicd + GICD_CTLR, 0x12);
	else if (plat.gic == 2)
		write32(plat.gicd + GICD_CTLR, 1);
}

static void init_cpu_v3(void)
{
	u64 rd = find_redist();

	this_cpu()->redist = rd;
	if (!rd) {
		printf("no redistributor for MPIDR %lx\n", own_mpidr());
		return;
	}
	sysreg_write_(ICC_SRE_EL1, sysreg_read_(ICC_SRE_EL1) | 1);
	isb();
	write32(rd + GICR_WAKER, read32(rd + GICR_WAKER) & ~GICR_WAKER_SLEEP);
	while (read32(rd + GICR_WAKER) & GICR_WAKER_ASLEEP)
		cpu_relax();
	write32(rd + GICR_SGI_FRAME + GICD_IGROUPR, ~0u);
	sysreg_write_(ICC_PMR_EL1, 0xf8);
	sysreg_write_(ICC_CTLR_EL1, 0);
	sysreg_write_(ICC_IGRPEN1_EL1, 1);
	isb();
}

void gic_init_cpu(void)
{
	if (plat.gic == 3) {
		init_cpu_v3();
	} else if (plat.gic == 2) {
		write32(plat.gicd + GICD_IGROUPR, 0);
		write32(plat.gicc + GICC_PMR, 0xf8);
		write32(plat.gicc + GICC_CTLR, 1);
	} else {
		return;
	}
	for (u32 i = 0; i < 32; i++)
		gic_set_priority(i, PRIO_DEFAULT);
	write32(gic_banked() + GICD_ISENABLER, 0xffff);
}

void gic_set_priority(u32 intid, u8 prio)
{
	write8(frame_of(intid) + GICD_IPRIORITYR + intid, prio);
}

void gic_enable(u32 intid)
{
	u64 f = frame_of(intid);

	if (intid >= 32 && plat.gic == 3) {
		write32(f + GICD_IGROUPR + intid / 32 * 4,
			read32(f + GICD_IGROUPR + intid / 32 * 4) |
				1u << intid % 32);
		write64(f + GICD_IROUTER + 8 * intid, own_mpidr());
	} else if (intid >= 32) {
		write32(f + GICD_IGROUPR + intid / 32 * 4,
			read32(f + GICD_IGROUPR + intid / 32 * 4) &
				~(1u << intid % 32));
		write8(f + GICD_ITARGETSR + intid, 1u << this_cpu()->id);
	}
	if (intid >= 32)
		gic_set_priority(intid, PRIO_DEFAULT);
	write32(f + GICD_ISENABLER + intid / 32 * 4, 1u << intid % 32);
}

void gic_disable(u32 intid)
{
	write32(frame_of(intid) + GICD_ICENABLER + intid / 32 * 4,
		1u << intid % 32);
}

u32 gic_ack(void)
{
	if (plat.gic == 3)
		return (u32)sysreg_read_(ICC_IAR1_EL1);
	return read32(plat.gicc + GICC_IAR);
}

u32 gic_intid(u32 iar)
{
	return iar & (plat.gic == 2 ? 0x3ff : 0xffffff);
}

void gic_eoi(u32 iar)
{
	if (plat.gic == 3) {
		sysreg_write_(ICC_EOIR1_EL1, iar);
		isb();
	} else {
		write32(plat.gicc + GICC_EOIR, iar);
		dsb(); /* it is done when the caller goes on */
	}
}

void gic_send_sgi(unsigned int cpu, u32 intid)
{
	u64 m = plat.mpidr[cpu];

	dsb(); /* what the receiver shall see */
	if (plat.gic == 3)
		sysreg_write_(ICC_SGI1R_EL1,
			      (m >> 32 & 0xff) << 48 | (m >> 16 & 0xff) << 32 |
				      (u64)intid << 24 | (m >> 8 & 0xff) << 16 |
				      (m >> 4 & 0xf) << 44 | BIT(m & 0xf));
	else
		write32(plat.gicd + GICD_SGIR, 1u << (16 + cpu) | intid);
	isb();
}
