/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interrupt controller through its registers: pending, active, enable,
 * priority, groups, EOI modes, routing. Runs on the first CPU; interrupts are
 * acknowledged by hand with IRQs masked unless the test says otherwise.
 * gicsmp.c has what takes several, gicv2.c what only that version can do.
 */
#include "gic.h"

#define IROUTER	   0x6000
#define GICD_CTLR  0x0000
#define GICD_TYPER 0x0004

#define ICC_PMR	    S3_0_C4_C6_0
#define ICC_HPPIR1  S3_0_C12_C12_2
#define ICC_BPR1    S3_0_C12_C12_3
#define ICC_DIR	    S3_0_C12_C11_1
#define ICC_RPR	    S3_0_C12_C11_3
#define ICC_SGI1R   S3_0_C12_C11_5
#define ICC_ASGI1R  S3_0_C12_C11_6
#define ICC_SGI0R   S3_0_C12_C11_7
#define ICC_CTLR    S3_0_C12_C12_4
#define ICC_IGRPEN1 S3_0_C12_C12_7
#define rd(reg)	    sysreg_read(reg)
#define wr(reg, v)                                                             \
	do {                                                                   \
		sysreg_write(reg, v);                                          \
		asm volatile("isb" ::);                                        \
	} while (0)

#define NR_PEND 20  /* more than any core has list registers */
#define SETTLE	200 /* us for an interrupt to show */

static u64 frame(u32 intid)
{
	return intid < 32 ? gic_banked() : plat.gicd;
}
void set_bit(u32 reg, u32 intid)
{
	write32(frame(intid) + reg + intid / 32 * 4, 1u << intid % 32);
	dsb();
}
bool get_bit(u32 reg, u32 intid)
{
	return read32(frame(intid) + reg + intid / 32 * 4) >> intid % 32 & 1;
}

u32 take_iar(void)
{
	u64 until = now() + SETTLE * ticks_per_us();
	bool last;
	u32 iar;

	do { /* at least once when it had to be there */
		last = now() >= until;
		iar = gic_ack();
	} while (gic_intid(iar) == NONE && !last);
	return iar;
}

u32 take(void)
{
	return gic_intid(take_iar());
}

bool take_and_end(u32 want)
{
	u32 iar = take_iar();

	if (gic_intid(iar) != NONE)
		gic_eoi(iar);
	return gic_intid(iar) == want;
}

void edge(u32 intid)
{
	u64 a = frame(intid) + ICFGR + intid / 16 * 4;

	write32(a, read32(a) | 2u << intid % 16 * 2);
}

/* The CPU interface of either version. */
static void set_mask(u32 priority)
{
	if (plat.gic == 3)
		wr(ICC_PMR, priority);
	else
		write32(plat.gicc + GICC_PMR, priority);
	dsb();
}
static void set_mode(bool eoimode, bool enabled)
{
	if (plat.gic == 3) {
		wr(ICC_CTLR, eoimode ? 2 : 0);
		wr(ICC_IGRPEN1, enabled);
	} else {
		write32(plat.gicc + GICC_CTLR,
			(eoimode ? GICC_CTLR_EOIMODE : 0) | enabled);
	}
	dsb();
}
static u32 highest(void)
{
	return plat.gic == 3 ? (u32)rd(ICC_HPPIR1)
			     : read32(plat.gicc + GICC_HPPIR);
}
static u32 running(void)
{
	return (u32)(plat.gic == 3 ? rd(ICC_RPR) : read32(plat.gicc + GICC_RPR)) &
	       0xff;
}
static void deactivate(u32 iar)
{
	if (plat.gic == 3)
		wr(ICC_DIR, iar);
	else
		write32(plat.gicc + GICC_DIR, iar);
	dsb();
}

static void test_distributor(void)
{
	u32 typer = read32(plat.gicd + GICD_TYPER);
	u32 arch = read32(plat.gicd + (plat.gic == 3 ? 0xffe8 : 0xfe8));

	ok((arch >> 4 & 0xf) == plat.gic, "GICD_PIDR2 says v%u", plat.gic);
	write32(plat.gicd + GICD_TYPER, ~typer);
	ok(read32(plat.gicd + GICD_TYPER) == typer, "GICD_TYPER is read-only");
	set_bit(ISENABLER, FIRST_SPI);
	ok(get_bit(ISENABLER, FIRST_SPI) && get_bit(ICENABLER, FIRST_SPI),
	   "enable bit set and read through both registers");
	set_bit(ICENABLER, FIRST_SPI);
	ok(!get_bit(ISENABLER, FIRST_SPI), "enable bit cleared");
	ok(read32(plat.gicd + ISENABLER + 31 * 4) == 0,
	   "registers beyond the last line read as zero");

	write32(frame(FIRST_SPI) + IPRIORITYR + FIRST_SPI, 0x10203040);
	ok(read8(plat.gicd + IPRIORITYR + FIRST_SPI + 1) == 0x30,
	   "priority written as a word, read as a byte");
	write8(plat.gicd + IPRIORITYR + FIRST_SPI + 2, 0x80);
	ok(read32(plat.gicd + IPRIORITYR + FIRST_SPI) == 0x10803040,
	   "priority written as a byte, read as a word");
	if (plat.gic != 3)
		return;
	write64(plat.gicd + IROUTER + 8 * FIRST_SPI, plat.mpidr[0]);
	ok(read64(plat.gicd + IROUTER + 8 * FIRST_SPI) == plat.mpidr[0],
	   "IROUTER as 64 bits");
	ok(read32(plat.gicd + IROUTER + 8 * FIRST_SPI) == (u32)plat.mpidr[0],
	   "IROUTER's half as 32 bits");
}

static void test_sgi_self(void)
{
	gic_send_sgi(0, 3);
	ok(take_and_end(3), "SGI to self");
	ok(take() == NONE, "and it came once");
	gic_send_sgi(0, 15);
	gic_send_sgi(0, 15);
	ok(take_and_end(15) && take() == NONE, "SGI sent twice comes once");
}

static void test_pending(void)
{
	u32 id = FIRST_SPI;

	edge(id);
	gic_enable(id);
	gic_disable(id);
	set_bit(ISPENDR, id);
	ok(take() == NONE, "a disabled interrupt is not delivered");
	ok(get_bit(ISPENDR, id), "but shows as pending");
	set_bit(ISENABLER, id);
	ok(take_and_end(id), "and comes when enabled");
	ok(!get_bit(ISPENDR, id), "which ends its pending state");
	set_bit(ISPENDR, id);
	set_bit(ICPENDR, id);
	ok(take() == NONE, "ICPENDR takes it back");

	set_bit(ISPENDR, id);
	ok(take() == id && get_bit(ISACTIVER, id), "acknowledged is active");
	set_bit(ISPENDR, id);
	ok(get_bit(ISPENDR, id) && get_bit(ISACTIVER, id),
	   "edge while active: active and pending");
	ok(take() == NONE, "not delivered again while active");
	gic_eoi(id);
	ok(take_and_end(id) && take() == NONE, "delivered again after EOI");

	set_bit(ISACTIVER, id);
	set_bit(ISPENDR, id);
	ok(take() == NONE, "ISACTIVER holds it back");
	set_bit(ICACTIVER, id);
	ok(take_and_end(id), "ICACTIVER lets it go");

	set_bit(ISPENDR, id);
	ok(take() == id, "disabled while active:");
	set_bit(ICENABLER, id);
	gic_eoi(id);
	ok(!get_bit(ISACTIVER, id), "its EOI still deactivates");
	set_bit(ISPENDR, id);
	ok(take() == NONE, "and it stays disabled");
	set_bit(ICPENDR, id);
	gic_disable(id);
}

static void test_many(void)
{
	u64 seen = 0;
	u32 id, nr = 0, spurious;

	for (id = FIRST_SPI; id < FIRST_SPI + NR_PEND; id++) {
		edge(id);
		gic_enable(id);
		gic_set_priority(id, (u8)(0xa0 - (id - FIRST_SPI) * 8 % 0x80));
	}
	for (id = FIRST_SPI; id < FIRST_SPI + NR_PEND; id++)
		set_bit(ISPENDR, id);
	while ((id = take()) != NONE && nr < 3 * NR_PEND) {
		seen |= BIT(id - FIRST_SPI);
		nr++;
		gic_eoi(id);
	}
	spurious = take();
	ok(nr == NR_PEND && seen == BIT(NR_PEND) - 1,
	   "%u pending at once: %u taken, set %lx", NR_PEND, nr, seen);
	ok(spurious == NONE, "then nothing is left");

	/* All of them active at the same time: nested by priority. */
	for (id = FIRST_SPI; id < FIRST_SPI + NR_PEND; id++) {
		gic_set_priority(id, 0xa0);
		set_bit(ISPENDR, id);
	}
	for (seen = 0, nr = 0; nr < NR_PEND; nr++) {
		id = take();
		if (id == NONE)
			break;
		seen |= BIT(id - FIRST_SPI);
		gic_eoi(id);
	}
	ok(seen == BIT(NR_PEND) - 1, "same priority: each once, set %lx", seen);
	for (id = FIRST_SPI; id < FIRST_SPI + NR_PEND; id++)
		gic_disable(id);
}

static void test_priority(void)
{
	gic_set_priority(1, 0x80);
	gic_set_priority(2, 0x40);
	gic_send_sgi(0, 1);
	gic_send_sgi(0, 2);
	ok(take_and_end(2) && take_and_end(1), "higher priority comes first");
	gic_set_priority(1, 0xa0);
	gic_set_priority(2, 0xa0);
	set_mask(0x80);
	gic_send_sgi(0, 1);
	ok(take() == NONE, "masked by PMR");
	set_mask(0xf8);
	ok(highest() == 1, "HPPIR shows it");
	ok(take() == 1, "unmasked");
	ok(running() == 0xa0, "RPR is its priority");
	gic_set_priority(2, 0x40);
	gic_send_sgi(0, 2);
	ok(take_and_end(2), "a higher one preempts");
	gic_set_priority(2, 0xa0);
	gic_send_sgi(0, 2);
	ok(take() == NONE, "an equal one does not");
	gic_eoi(1);
	ok(take_and_end(2), "until the first has ended");
	ok(running() == 0xff, "RPR is idle");
}

static void test_groups(void)
{
	u32 ctlr = read32(plat.gicd + GICD_CTLR);

	write32(plat.gicd + GICD_CTLR, ctlr & ~3u);
	gic_send_sgi(0, 4);
	ok(take() == NONE, "nothing while the distributor is off");
	write32(plat.gicd + GICD_CTLR, ctlr);
	ok(take_and_end(4), "it comes when the distributor is on");
	set_mode(false, false);
	gic_send_sgi(0, 4);
	ok(take() == NONE, "nothing while the group is off at the CPU");
	set_mode(false, true);
	ok(take_and_end(4), "it comes when the group is on");
}

static void test_eoimode1(void)
{
	set_mode(true, true);
	gic_send_sgi(0, 5);
	ok(take() == 5, "EOImode 1: acknowledged");
	gic_eoi(5);
	ok(running() == 0xff, "EOIR drops the priority");
	ok(get_bit(ISACTIVER, 5), "and leaves it active");
	gic_send_sgi(0, 5);
	ok(take() == NONE, "so it does not come again");
	deactivate(5);
	ok(take() == 5, "until DIR deactivated it");
	gic_eoi(5);
	deactivate(5);
	set_mode(false, true);
	ok(!get_bit(ISACTIVER, 5) && take() == NONE, "EOImode 0 again");
}

/*
 * QEMU's GICv2 looks at a line that is high after a guest's EOI with the next
 * event of the physical GIC only; a hypervisor's timer for CNTP is one.
 */
static void nudge(bool on)
{
	if (plat.gic != 2)
		return;
	sysreg_write(cntp_tval_el0, 10 * ticks_per_us());
	sysreg_write(cntp_ctl_el0, on);
	isb();
}

static void test_level(void)
{
	u32 id = plat.timer_intid[TIMER_VIRT];

	gic_disable(id);
	timer_set(now());
	ok(get_bit(ISPENDR, id), "level line shows as pending though disabled");
	gic_enable(id);
	ok(take() == id, "level interrupt comes");
	gic_eoi(id);
	nudge(true);
	ok(take() == id, "and again while its line is high");
	nudge(false);
	timer_stop();
	gic_eoi(id);
	ok(take() == NONE && !get_bit(ISPENDR, id),
	   "and no more when the line is low");
	timer_set(now());
	delay_us(10);
	timer_stop();
	delay_us(10);
	/* Allowed to come late, once: the line is sampled (IHI 0069 4.3). */
	if (take() == id)
		gic_eoi(id);
	ok(take() == NONE, "a line that fell comes no more");
	gic_disable(id);
}

void route(u32 id, int cpu)
{
	if (plat.gic == 3)
		write64(plat.gicd + IROUTER + 8 * id,
			cpu < 0 ? 0xff00 : plat.mpidr[cpu]);
	else
		write8(plat.gicd + ITARGETSR + id, cpu < 0 ? 0 : 1u << cpu);
	dsb();
}

static void test_routing(void)
{
	u32 id = FIRST_SPI;

	edge(id);
	gic_enable(id);
	route(id, -1);
	set_bit(ISPENDR, id);
	if (plat.gic == 2 && plat.nr_cpus == 1)
		skip("routed to no CPU", "one CPU may be the target always");
	else
		ok(take() == NONE, "routed to an absent CPU: not here");
	route(id, 0);
	ok(take_and_end(id), "comes after it was routed back");
	gic_disable(id);
	if (plat.gic != 3)
		return;
	wr(ICC_SGI1R, 0xfffful | 6ul << 24 | 0xfful << 16);
	wr(ICC_SGI0R, 1ul | 6ul << 24);
	wr(ICC_ASGI1R, 1ul | 6ul << 24);
	ok(take() == NONE, "SGIs to absent CPUs and other groups");
}

static u32 handled;

static void count(u32 intid)
{
	(void)intid;
	WRITE_ONCE(handled, READ_ONCE(handled) + 1);
}

/* The ordinary way, through the vector, from WFI. */
static void test_vectored(void)
{
	irq_register(7, count);
	WRITE_ONCE(handled, 0);
	irq_on();
	for (u32 i = 0; i < 100; i++)
		gic_send_sgi(0, 7);
	ok(wait_for(&handled, 100, 1000), "100 SGIs through the vector: %u",
	   READ_ONCE(handled));
	irq_off();
}

void test_gic(void)
{
	irq_off();
	ok(take() == NONE, "nothing is pending at the start");
	test_distributor();
	test_sgi_self();
	test_pending();
	test_many();
	test_priority();
	test_groups();
	test_level();
	test_eoimode1();
	test_routing();
	if (plat.gic == 2)
		test_gicv2();
	else
		skip("ITARGETSR, SGIR, senders of SGIs", "GICv2 only");
	test_vectored();
	irq_on();
}
