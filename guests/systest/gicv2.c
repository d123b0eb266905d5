/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What GICv2 alone has: targets by bit mask, SGIs through a register of the
 * distributor, and their senders. Between CPUs the others send what the first
 * one takes.
 */
#include "gic.h"

static u8 pending_from(u32 sgi)
{
	return read8(plat.gicd + GICD_CPENDSGIR + sgi);
}

static void test_targets(void)
{
	u64 reg = plat.gicd + ITARGETSR;

	if (plat.nr_cpus == 1) {
		skip("ITARGETSR", "may be read as zero with one CPU");
		return;
	}
	ok(read32(reg) == 0x01010101 && read8(reg + 27) == 1,
	   "ITARGETSR of private interrupts tells who reads");
	write32(reg, 0x02020202);
	write8(reg + 27, 2);
	ok(read32(reg) == 0x01010101 && read8(reg + 27) == 1,
	   "and is read-only");
	write32(reg + FIRST_SPI, 0x01020301);
	ok(read32(reg + FIRST_SPI) == 0x01020301 &&
		   read8(reg + FIRST_SPI + 1) == 3,
	   "of an SPI as a word and as a byte");
	write8(reg + FIRST_SPI, 0x80);
	ok(plat.nr_cpus == 8 || read8(reg + FIRST_SPI) == 0,
	   "bits of absent CPUs are zero");
	write32(reg + FIRST_SPI, 0x01010101);
}

static void test_sgir(void)
{
	u64 sgir = plat.gicd + GICD_SGIR;

	write32(sgir, SGIR_SELF | 3);
	ok(take() == 3, "SGIR: to self by the filter");
	gic_eoi(3);
	write32(sgir, SGIR_SELF | 0xfeu << 16 | 3);
	ok(take_and_end(3), "whatever the list says");
	write32(sgir, 1u << 16 | 4);
	ok(take_and_end(4), "to self by the list");
	write32(sgir, 4);
	if (plat.nr_cpus == 1)
		write32(sgir, SGIR_OTHERS | 1u << 16 | 4);
	if (plat.nr_cpus < 8)
		write32(sgir, 0x80u << 16 | 4);
	ok(take() == NONE, "an empty list, absent CPUs: nothing");
}

static void test_pending_bits(void)
{
	gic_disable(5);
	write32(plat.gicd + GICD_SGIR, SGIR_SELF | 5);
	dsb();
	ok(get_bit(ISPENDR, 5) && pending_from(5) == 1, "pending from self: %x",
	   pending_from(5));
	set_bit(ICPENDR, 5);
	ok(get_bit(ICPENDR, 5), "ICPENDR does not take an SGI back");
	write8(plat.gicd + GICD_CPENDSGIR + 5, 1);
	ok(!get_bit(ISPENDR, 5) && !pending_from(5), "CPENDSGIR does");
	set_bit(ISPENDR, 5);
	ok(!get_bit(ISPENDR, 5), "ISPENDR does not send one");
	set_bit(ISENABLER, 5);
	ok(take() == NONE, "so nothing comes");
	write32(plat.gicd + GICD_SPENDSGIR + 4, 1u << 8);
	ok(take_and_end(5), "SPENDSGIR does");
}

/* Group 1, which IAR gives only with AckCtl (AIAR is not everywhere). */
static void test_group1(void)
{
	write32(plat.gicd + IGROUPR, 1u << 6);
	write32(plat.gicc + GICC_CTLR, 3);
	gic_send_sgi(0, 6);
	ok(take() == NONE, "group 1 is off in GICD_CTLR");
	write32(plat.gicd + GICD_CTLR, 3);
	dsb();
	ok(gic_ack() == 1022, "IAR says that there is one of group 1");
	write32(plat.gicc + GICC_CTLR, 3 | GICC_CTLR_ACKCTL);
	ok(take_and_end(6) && take() == NONE, "and gives it with AckCtl");
	write32(plat.gicd + GICD_CTLR, 2);
	gic_send_sgi(0, 7);
	ok(take() == NONE, "group 0 is off in GICD_CTLR");
	write32(plat.gicd + GICD_CTLR, 1);
	ok(take_and_end(7), "it comes when it is on");
	write32(plat.gicd + IGROUPR, 0);
	write32(plat.gicc + GICC_CTLR, 1);
}

void test_gicv2(void)
{
	test_group1();
	test_targets();
	test_sgir();
	test_pending_bits();
}

/* --- several CPUs -------------------------------------------------------- */

static void send(void *arg)
{
	gic_send_sgi(0, (u32)(u64)arg);
}

static void send_from(unsigned int cpu, u32 sgi)
{
	if (!cpu) {
		gic_send_sgi(0, sgi);
		return;
	}
	cpu_start(cpu, send, (void *)(u64)sgi);
	while (!cpu_is_off(cpu))
		cpu_relax();
}

static u8 all_cpus(void)
{
	return (u8)((1u << plat.nr_cpus) - 1);
}

/* Takes and ends until nothing comes: the senders, or 0 if one came twice. */
static u8 take_all(u32 sgi, u32 *nr)
{
	u8 from = 0;
	u32 iar;

	for (*nr = 0; gic_intid(iar = take_iar()) == sgi; ++*nr) {
		from |= (u8)(1u << (iar >> 10 & 7));
		gic_eoi(iar);
	}
	return from;
}

static void test_senders(void)
{
	u32 nr;
	u8 from;

	for (unsigned int c = 0; c < plat.nr_cpus; c++) {
		send_from(c, 9);
		send_from(c, 9);
	}
	ok(pending_from(9) == all_cpus(), "pending from each CPU: %x",
	   pending_from(9));
	from = take_all(9, &nr);
	ok(from == all_cpus() && nr == plat.nr_cpus,
	   "taken from each CPU once, by IAR: %x, %u times", from, nr);
	ok(!get_bit(ISPENDR, 9) && !get_bit(ISACTIVER, 9), "and that was all");
}

static void test_sender_while_active(void)
{
	u32 iar, nr;
	u8 from;

	send_from(1, 9);
	iar = take_iar();
	ok(iar == (1u << 10 | 9), "active from CPU 1: %x", iar);
	send_from(0, 9);
	send_from(1, 9);
	ok(take() == NONE && pending_from(9) == 3,
	   "sent again by two: held back, %x", pending_from(9));
	gic_eoi(iar);
	from = take_all(9, &nr);
	ok(from == 3 && nr == 2, "after its end both come: %x", from);
}

static void test_take_back(void)
{
	u32 nr;
	u8 from;

	for (unsigned int c = 0; c < plat.nr_cpus; c++)
		send_from(c, 9);
	write8(plat.gicd + GICD_CPENDSGIR + 9, 1);
	dsb();
	ok(pending_from(9) == (all_cpus() & ~1), "one sender taken back: %x",
	   pending_from(9));
	from = take_all(9, &nr);
	ok(from == (all_cpus() & ~1) && nr == plat.nr_cpus - 1,
	   "the others come: %x", from);
}

static u32 own_targets[MAX_CPUS];

static void read_targets(void *arg)
{
	(void)arg;
	WRITE_ONCE(own_targets[this_cpu()->id], read32(plat.gicd + ITARGETSR));
}

static void test_banked(void)
{
	bool good = true;

	for (unsigned int c = 1; c < plat.nr_cpus; c++) {
		cpu_start(c, read_targets, NULL);
		while (!cpu_is_off(c))
			cpu_relax();
		good &= READ_ONCE(own_targets[c]) == 0x01010101u << c;
	}
	ok(good, "each CPU reads its own bit in ITARGETSR");
}

void test_gicv2_smp(void)
{
	bool masked = sysreg_read(daif) & BIT(7);

	irq_off();
	test_banked();
	test_senders();
	test_sender_while_active();
	test_take_back();
	if (!masked)
		irq_on();
}
