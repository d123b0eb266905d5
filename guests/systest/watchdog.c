/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generic watchdog (Arm DEN0094): as a driver uses it; as one that stops
 * feeding it; and by a guest that means harm. Times are such that the guest
 * is ended only where that is the point.
 */
#include "systest.h"

#define WCS	0x000
#define WOR	0x008
#define WCV	0x010
#define W_IIDR	0xfcc
#define WCS_EN	1
#define WCS_WS0 2
#define SHORT	2000 /* us */
#define BITS_48 0xfffffffffffful
#define FAR	BITS_48 /* WOR of days */

static u32 barks;

static u64 ticks(u64 us)
{
	return us * ticks_per_us();
}

/* The driver's: it takes note, and feeds. */
static void bark(u32 intid)
{
	(void)intid;
	write32(plat.wdt_refresh, 0);
	WRITE_ONCE(barks, READ_ONCE(barks) + 1);
}

static void test_registers(void)
{
	u64 at;

	ok(read32(plat.wdt + W_IIDR) == read32(plat.wdt_refresh + W_IIDR) &&
		   (read32(plat.wdt + W_IIDR) >> 16 & 0xf) == 1,
	   "architecture version 1 in both frames");
	ok(read32(plat.wdt + WCS) == WCS_EN, "it runs from the start");
	write32(plat.wdt + WCS, 0);
	ok(read32(plat.wdt + WCS) == 0, "disabled");
	write64(plat.wdt + WOR, ~0ul);
	ok(read64(plat.wdt + WOR) == BITS_48, "WOR has 48 bits");
	write32(plat.wdt + WOR, 0x1234);
	ok(read32(plat.wdt + WOR) == 0x1234 &&
		   read32(plat.wdt + WOR + 4) == 0xffff,
	   "and two halves");
	write64(plat.wdt + WOR, ticks(SHORT));
	at = now();
	write32(plat.wdt_refresh, 0);
	ok(read64(plat.wdt + WCV) - at - ticks(SHORT) <= now() - at,
	   "a refresh sets WCV to the counter plus WOR");
	delay_us(3 * SHORT);
	ok(read32(plat.wdt + WCS) == 0, "disabled, nothing comes of it");
	write16(plat.wdt + WCS, WCS_EN);
	write64(plat.wdt + WCS, WCS_EN);
	ok(read32(plat.wdt + WCS) == 0 && read8(plat.wdt + W_IIDR) == 0,
	   "accesses of another size have no effect");
}

static void test_stages(void)
{
	u64 start;
	bool fed = true;

	irq_register(plat.wdt_intid, bark);
	WRITE_ONCE(barks, 0);
	gic_enable(plat.wdt_intid);
	irq_on();
	start = now();
	write32(plat.wdt + WCS, WCS_EN);
	ok(wait_for(&barks, 1, 3 * SHORT) && now() - start >= ticks(SHORT),
	   "the first stage ends in an interrupt, not before its time");
	ok(read32(plat.wdt + WCS) == WCS_EN, "a refresh takes WS0 back");
	for (u32 i = 0; i < 10; i++) {
		delay_us(SHORT / 2);
		write32(plat.wdt_refresh, i);
		fed &= READ_ONCE(barks) == 1;
	}
	ok(fed, "refreshed in time, it is silent");
	ok(wait_for(&barks, 2, 3 * SHORT), "else it comes again");
	gic_disable(plat.wdt_intid);
	start = now();
	while (read32(plat.wdt + WCS) == WCS_EN &&
	       now() - start < ticks(3 * SHORT))
		cpu_relax();
	ok(read32(plat.wdt + WCS) == (WCS_EN | WCS_WS0), "WS0 in WCS");
	write64(plat.wdt + WOR, ticks(SHORT));
	ok(read32(plat.wdt + WCS) == WCS_EN, "WOR written is a refresh, too");
	write32(plat.wdt + WCS, 0);
}

static void feed_from(void *arg)
{
	(void)arg;
	for (u32 i = 0; i < 10; i++) {
		delay_us(SHORT / 2);
		write32(plat.wdt_refresh, i);
	}
	/* From here, and nearer than what is waited for. */
	write64(plat.wdt + WOR, ticks(SHORT / 4));
}

static void test_other_cpus(void)
{
	u64 start = now();

	if (plat.nr_cpus < 2) {
		skip("fed by another CPU", "one CPU");
		return;
	}
	gic_enable(plat.wdt_intid);
	WRITE_ONCE(barks, 0);
	write64(plat.wdt + WOR, ticks(SHORT));
	write32(plat.wdt + WCS, WCS_EN);
	cpu_start(1, feed_from, NULL);
	ok(wait_for(&barks, 1, 10 * SHORT) && now() - start >= ticks(5 * SHORT) &&
		   now() - start < ticks(6 * SHORT),
	   "fed, and then hurried, by another CPU");
	write32(plat.wdt + WCS, 0);
	gic_disable(plat.wdt_intid);
	while (!cpu_is_off(1))
		cpu_relax();
}

void test_watchdog(void)
{
	if (!plat.wdt) {
		skip("watchdog", "not in the device tree");
		return;
	}
	test_registers();
	test_stages();
	test_other_cpus();
}

/* Fed for a while, as without a driver: by stores to WRR alone. */
void hostile_undriven(void)
{
	for (u32 i = 0; i < 20; i++) {
		delay_us(SHORT);
		write32(plat.wdt_refresh, i);
	}
	printf("# fed for %u us, now silent\n", 20 * SHORT);
	irq_off();
	for (;;)
		wfi();
}

/* A driver that hangs, with interrupts off: both stages go by. */
void hostile_unfed(void)
{
	irq_off();
	write64(plat.wdt + WOR, ticks(20 * SHORT));
	write32(plat.wdt + WCS, WCS_EN);
	printf("# silent for 2 * %u us\n", 20 * SHORT);
	for (;;)
		asm volatile("" ::: "memory");
}

/*
 * All CPUs at it with every size, also where nothing is; one of them has WS0
 * come again and again, which asks for EL2's timer and an IPI each time.
 * WOR is far away, so nothing of this is the end.
 */
static void flood(void *arg)
{
	bool nearer = this_cpu()->id == plat.nr_cpus - 1;

	(void)arg;
	for (u32 i = 0; i < 20000; i++) {
		u64 at = plat.wdt + i * 8 % 0x2000;

		write32(plat.wdt_refresh, i);
		if (nearer)
			write64(plat.wdt + WCV, now() + i % 50);
		else
			write64(plat.wdt + WOR, FAR - i);
		(void)read64(at);
		(void)read8(at + i % 8);
		write16(at + 2, (u16)i);
		write8(at + i % 8, (u8)i);
		if (at - plat.wdt > WCV)
			write64(at, ~0ul);
	}
}

void hostile_flood(void)
{
	irq_off();
	write64(plat.wdt + WOR, FAR);
	printf("# flood: start\n");
	for (unsigned int c = 1; c < plat.nr_cpus; c++)
		cpu_start(c, flood, NULL);
	flood(NULL);
	for (unsigned int c = 1; c < plat.nr_cpus; c++)
		while (!cpu_is_off(c))
			cpu_relax();
	ok(true, "survived its own flood");
}
