/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupts between CPUs: each of the others takes SGIs and an SPI through its
 * vector, spinning or asleep.
 */
#include "gic.h"

static u32 pings[MAX_CPUS], ready[MAX_CPUS], leave;

static void ping(u32 intid)
{
	(void)intid;
	WRITE_ONCE(pings[this_cpu()->id], pings[this_cpu()->id] + 1);
}

static void listen(void *arg)
{
	unsigned int me = this_cpu()->id;
	bool asleep = (u64)arg;

	/* What was sent to wake it for the last time may still be pending. */
	if (plat.gic == 3)
		set_bit(ICPENDR, 8);
	else
		write32(plat.gicd + GICD_CPENDSGIR + 8, ~0u);
	irq_on();
	WRITE_ONCE(ready[me], 1);
	while (!READ_ONCE(leave)) {
		if (asleep)
			wfi();
		else
			cpu_relax();
	}
	irq_off();
	WRITE_ONCE(ready[me], 0);
}

static void listeners(bool asleep)
{
	bool all = true;

	irq_register(8, ping);
	WRITE_ONCE(leave, 0);
	for (unsigned int c = 1; c < plat.nr_cpus; c++) {
		WRITE_ONCE(pings[c], 0);
		cpu_start(c, listen, (void *)(u64)asleep);
		all &= wait_for(&ready[c], 1, 1000000);
	}
	ok(all, "all CPUs listen, %s", asleep ? "in WFI" : "spinning");
	for (u32 n = 1; n <= 50; n++)
		for (unsigned int c = 1; c < plat.nr_cpus; c++) {
			gic_send_sgi(c, 8);
			all &= wait_for(&pings[c], n, 1000000);
		}
	ok(all, "50 SGIs to each came one by one");
	if (plat.gic == 3) /* ICC_SGI1R: all but self */
		sysreg_write(S3_0_C12_C11_5, 1ul << 40 | 8ul << 24);
	else
		write32(plat.gicd + GICD_SGIR, SGIR_OTHERS | 8);
	for (unsigned int c = 1; c < plat.nr_cpus; c++)
		all &= wait_for(&pings[c], 51, 1000000);
	ok(all, "one SGI to all others");
	/* An SPI, moved from CPU to CPU. */
	irq_register(FIRST_SPI, ping);
	edge(FIRST_SPI);
	gic_enable(FIRST_SPI);
	for (unsigned int c = 1; c < plat.nr_cpus; c++) {
		route(FIRST_SPI, (int)c);
		set_bit(ISPENDR, FIRST_SPI);
		all &= wait_for(&pings[c], 52, 1000000);
	}
	ok(all, "an SPI follows its routing");
	gic_disable(FIRST_SPI);
	WRITE_ONCE(leave, 1);
	for (unsigned int c = 1; c < plat.nr_cpus; c++) {
		gic_send_sgi(c, 8);
		while (!cpu_is_off(c))
			cpu_relax();
	}
}

void test_gic_smp(void)
{
	if (plat.nr_cpus < 2) {
		skip("SGIs between CPUs", "one CPU");
		return;
	}
	listeners(false);
	listeners(true);
	if (plat.gic == 2)
		test_gicv2_smp();
	else
		skip("SGIs of several senders", "GICv2 only");
}
