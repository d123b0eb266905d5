/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interrupt controller with random contents and SGIs from everybody to
 * everybody; as many interrupts as there can be; and a timer interrupt that is
 * never ended.
 */
#include "hostile.h"

#define GICD_CTLR	0x0000
#define GICD_TYPER	0x0004
#define GICD_ISENABLER	0x0100
#define GICD_ICENABLER	0x0180
#define GICD_ISPENDR	0x0200
#define GICD_ICPENDR	0x0280
#define GICD_ICACTIVER	0x0380
#define GICD_IPRIORITYR 0x0400
#define GICD_ITARGETSR	0x0800
#define GICD_SGIR	0x0f00
#define GICD_CPENDSGIR	0x0f10
#define GICR_SIZE	0x20000ul

#define GICC_CTLR	 0x0000
#define GICC_CTLR_ACKCTL 4
#define GICC_PMR	 0x0004
#define GICC_BPR	 0x0008
#define GICC_IAR	 0x000c
#define GICC_EOIR	 0x0010
#define GICC_ABPR	 0x001c
#define GICC_AIAR	 0x0020
#define GICC_AEOIR	 0x0024
#define GICC_APR0	 0x00d0
#define GICC_DIR	 0x1000
#define GICC_SIZE	 0x2000

#define ICC_PMR	    S3_0_C4_C6_0
#define ICC_IAR0    S3_0_C12_C8_0
#define ICC_EOIR0   S3_0_C12_C8_1
#define ICC_BPR0    S3_0_C12_C8_3
#define ICC_AP0R0   S3_0_C12_C8_4
#define ICC_AP1R0   S3_0_C12_C9_0
#define ICC_DIR	    S3_0_C12_C11_1
#define ICC_SGI1R   S3_0_C12_C11_5
#define ICC_ASGI1R  S3_0_C12_C11_6
#define ICC_SGI0R   S3_0_C12_C11_7
#define ICC_BPR1    S3_0_C12_C12_3
#define ICC_CTLR    S3_0_C12_C12_4
#define ICC_IGRPEN0 S3_0_C12_C12_6
#define ICC_IGRPEN1 S3_0_C12_C12_7
#define wr(reg, v)                                                             \
	do {                                                                   \
		sysreg_write(reg, v);                                          \
		isb();                                                         \
	} while (0)

#define NR_WRITES 32
#define NR_SGIS	  32

static void clear(u64 frame, u64 first, u64 nr)
{
	for (u64 i = first; i < first + nr; i++) {
		write32(frame + GICD_ICENABLER + 4 * i, ~0u);
		write32(frame + GICD_ICPENDR + 4 * i, ~0u);
		write32(frame + GICD_ICACTIVER + 4 * i, ~0u);
	}
}

/* Registers with a bit for each SPI. */
static u64 spi_words(void)
{
	return read32(plat.gicd + GICD_TYPER) & 31;
}

void gic_sane(void)
{
	irq_off();
	timer_stop();
	wr(cntp_ctl_el0, 0);
	clear(gic_banked(), 0, 1);
	if (this_cpu()->id == 0) {
		clear(plat.gicd, 1, spi_words());
		gic_init();
	}
	if (plat.gic == 3) {
		wr(ICC_AP0R0, 0);
		wr(ICC_AP1R0, 0);
		wr(ICC_IGRPEN0, 0);
		wr(ICC_BPR1, 0);
	} else {
		for (u64 i = 0; i < 16; i += 4)
			write32(plat.gicd + GICD_CPENDSGIR + i, ~0u);
		write32(plat.gicc + GICC_APR0, 0);
		write32(plat.gicc + GICC_BPR, 0);
		write32(plat.gicc + GICC_ABPR, 0);
	}
	gic_init_cpu();
}

u32 gic_end_group1(void)
{
	u32 ctlr = read32(plat.gicc + GICC_CTLR), iar;

	/* Not by AIAR and AEOIR, which QEMU's GICV has not. */
	write32(plat.gicc + GICC_CTLR, ctlr | GICC_CTLR_ACKCTL);
	iar = gic_ack();
	if (gic_intid(iar) < 1020)
		gic_eoi(iar);
	write32(plat.gicc + GICC_CTLR, ctlr);
	return gic_intid(iar);
}

/* --- random registers ---------------------------------------------------- */

static void write_some(u64 a, u64 size, u64 v)
{
	switch (size) {
	case 0:
		write8(a, (u8)v);
		break;
	case 1:
		write16(a & ~1ul, (u16)v);
		break;
	case 2:
		write32(a & ~3ul, (u32)v);
		break;
	default:
		write64(a & ~7ul, v);
	}
}

static void read_some(u64 a, u64 size)
{
	switch (size) {
	case 0:
		(void)read8(a);
		break;
	case 1:
		(void)read16(a & ~1ul);
		break;
	case 2:
		(void)read32(a & ~3ul);
		break;
	default:
		(void)read64(a & ~7ul);
	}
}

/* Most often where the registers are, now and then anywhere. */
static u64 some_register(struct me *me)
{
	u64 off = below(me, 8) ? below(me, 0x1000) : below(me, 0x10000);

	if (plat.gic == 2)
		return plat.gicd + off % PAGE;
	if (below(me, 3))
		return plat.gicd + off;
	return plat.gicr.base + below(me, plat.nr_cpus) * GICR_SIZE +
	       (below(me, 4) ? 0x10000 : 0) + off;
}

static void interface_v3(struct me *me)
{
	switch (below(me, 8)) {
	case 0:
		wr(ICC_PMR, rnd(me));
		break;
	case 1:
		wr(ICC_CTLR, rnd(me));
		break;
	case 2: /* its reserved bits end QEMU 10: icv_gprio_mask asserts */
		wr(ICC_BPR1, rnd(me) & 7);
		break;
	case 3:
		wr(ICC_IGRPEN0, rnd(me) & 1);
		break;
	case 4:
		wr(ICC_IGRPEN1, rnd(me) & 1);
		break;
	case 5:
		wr(ICC_DIR, below(me, 64));
		break;
	case 6:
		wr(ICC_EOIR0, below(me, 64));
		break;
	default:
		gic_eoi((u32)below(me, 64));
	}
}

/* The frames of the hardware that the guest has to itself. */
static void interface_v2(struct me *me)
{
	static const u16 regs[] = {GICC_CTLR, GICC_PMR,	  GICC_BPR,  GICC_EOIR,
				   GICC_ABPR, GICC_AEOIR, GICC_APR0, GICC_DIR};
	u64 a = plat.gicc + below(me, GICC_SIZE);

	switch (below(me, 4)) {
	case 0:
		write_some(a, below(me, 4), bad_value(me));
		break;
	case 1:
		read_some(a, below(me, 4));
		break;
	case 2:
		(void)read32(plat.gicc + (below(me, 2) ? GICC_IAR : GICC_AIAR));
		break;
	default:
		write32(plat.gicc + regs[below(me, ARRAY_SIZE(regs))],
			(u32)bad_value(me));
	}
}

static void sgi_v2(struct me *me)
{
	u32 intid = (u32)below(me, 16);

	switch (below(me, 8)) {
	case 0:
		write32(plat.gicd + GICD_SGIR, (u32)rnd(me));
		break;
	case 1:
		write32(plat.gicd + GICD_SGIR, 1u << 24 | intid);
		break;
	case 2: /* pending from everybody, and from some no more */
		write_some(plat.gicd + GICD_CPENDSGIR + below(me, 32),
			   below(me, 4), rnd(me));
		break;
	case 3: /* an SPI goes from one to the other */
		write8(plat.gicd + GICD_ITARGETSR + 32 + below(me, 64),
		       (u8)rnd(me));
		break;
	default:
		write32(plat.gicd + GICD_SGIR, 0xffu << 16 | intid);
	}
}

static void sgi_v3(struct me *me)
{
	u64 v = below(me, 16) << 24;

	switch (below(me, 8)) {
	case 0:
		wr(ICC_SGI1R, rnd(me));
		break;
	case 1:
		wr(ICC_SGI0R, v | 0xff);
		break;
	case 2:
		wr(ICC_ASGI1R, rnd(me));
		break;
	case 3:
		wr(ICC_SGI1R, v | 1ul << 40); /* all others */
		break;
	default:
		wr(ICC_SGI1R, v | 0xff);
	}
}

/* So that what is sent can come, of both groups. */
static void open_up(void)
{
	write32(plat.gicd + GICD_CTLR, 0x13);
	gic_init_cpu();
	if (plat.gic == 3) {
		wr(ICC_IGRPEN0, 1);
	} else {
		write32(plat.gicc + GICC_APR0, 0);
		write32(plat.gicc + GICC_CTLR, 3);
	}
}

void round_gic(struct me *me)
{
	if (!plat.gic)
		return;
	if (below(me, 2))
		open_up();
	for (unsigned int i = 0; i < NR_WRITES; i++) {
		u64 a = some_register(me);

		if (below(me, 4))
			write_some(a, below(me, 4), bad_value(me));
		else
			read_some(a, below(me, 4));
		if (below(me, 4) == 0)
			plat.gic == 3 ? interface_v3(me) : interface_v2(me);
		me->ops++;
	}
	for (unsigned int i = 0; i < NR_SGIS; i++) {
		plat.gic == 3 ? sgi_v3(me) : sgi_v2(me);
		me->ops++;
		if (below(me, 4) == 0) {
			irq_on();
			asm volatile("msr daifclr, #1\n\tisb" ::: "memory");
			asm volatile("msr daifset, #1" ::: "memory");
			irq_off();
		}
	}
	open_up();
	gic_send_sgi(me->cpu, 1);
	irq_on();
	isb();
	irq_off();
}

/* --- all SPIs at once ---------------------------------------------------- */

#define NR_CHANGES 64

/* All are pending, with groups on and off, and some of them change. */
void round_spis(struct me *me)
{
	u64 words = spi_words();

	for (u64 i = 8; i < 8 * (words + 1); i++)
		write32(plat.gicd + GICD_IPRIORITYR + 4 * i, (u32)rnd(me));
	for (u64 i = 1; i <= words; i++) {
		write32(plat.gicd + GICD_ISENABLER + 4 * i, ~0u);
		write32(plat.gicd + GICD_ISPENDR + 4 * i, ~0u);
	}
	for (unsigned int i = 0; i < NR_CHANGES; i++) {
		u64 word = 4 * (1 + below(me, words));

		write32(plat.gicd + GICD_CTLR, i % 2 ? 3 : (u32)below(me, 4));
		write32(plat.gicd + GICD_ICPENDR + word, (u32)rnd(me));
		write32(plat.gicd + GICD_ISPENDR + word, ~0u);
		me->ops += 3;
	}
	clear(plat.gicd, 1, words);
}

/* --- the timer that is never ended --------------------------------------- */

#define LINGER_US 500

/* Taken and left alone: neither ended nor silenced. */
static void ignore(struct me *me, bool fiq)
{
	(void)me;
	(void)fiq;
	(void)gic_ack();
}

/* Its priority is dropped, and it stays active (EOImode 1). */
static void half_end(struct me *me, bool fiq)
{
	u32 iar = gic_ack();

	(void)me;
	(void)fiq;
	if (gic_intid(iar) < 1020)
		gic_eoi(iar);
}

/* Without yield, which is slow where instructions are counted. */
static void linger(void)
{
	u64 end = now() + LINGER_US * ticks_per_us();

	while (now() < end)
		for (unsigned int i = 0; i < 1000; i++)
			asm volatile("" ::: "memory");
}

static void physical_storm(struct me *me)
{
	for (unsigned int i = 0; i < 64; i++) {
		sysreg_write(cntp_tval_el0, below(me, 2) ? 1 : bad_value(me));
		wr(cntp_ctl_el0, below(me, 4));
		me->ops++;
	}
	wr(cntp_ctl_el0, 0);
}

void round_timer(struct me *me)
{
	u32 intid = plat.timer_intid[TIMER_VIRT];
	u64 kind = below(me, 5);

	gic_sane();
	if (plat.gic == 3)
		wr(ICC_CTLR, kind == 1 ? 2 : 0);
	else
		write32(plat.gicc + GICC_CTLR, kind == 1 ? 0x201 : 1);
	me->irq = kind == 1 ? half_end : ignore;
	gic_enable(intid);
	gic_enable(plat.timer_intid[TIMER_PHYS]);
	timer_set(now());
	if (kind == 2) { /* never taken, and never slept through */
		for (unsigned int i = 0; i < 100; i++)
			wfi();
	} else {
		irq_on();
		linger();
		irq_off();
	}
	switch (kind) {
	case 3: /* off while it is active, and on again */
		gic_disable(intid);
		linger();
		gic_enable(intid);
		linger();
		break;
	case 4: /* deactivated behind the CPU interface's back */
		for (unsigned int i = 0; i < 32; i++) {
			write32(gic_banked() + GICD_ICACTIVER, ~0u);
			if (plat.gic == 3)
				wr(ICC_AP1R0, 0);
			else
				write32(plat.gicc + GICC_APR0, 0);
			irq_on();
			isb();
			irq_off();
			me->ops++;
		}
		break;
	}
	physical_storm(me);
	me->ops++;
}
