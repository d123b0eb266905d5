/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What takes more than its share: time, and room on the console, and turns, and
 * timers.
 */
#include "hostile.h"

#define HOG_US	  20000 /* several slices */
#define NR_LINES  64
#define NR_NAPS	  256
#define NR_TIMES  1024
#define WDT_WCV	  0x010
#define NR_BURSTS 8
#define EARLY	  512 /* ticks, as is EL2's way to the first timer */
#define STEP	  5   /* so that all distances have their turn */

/* Nothing is masked so well that EL2's timer would not come. */
void round_hog(struct me *me)
{
	u64 end = now() + HOG_US * ticks_per_us();

	asm volatile("msr daifset, #15" ::: "memory");
	while (now() < end) {
		switch (me->rounds % 4) {
		case 0: /* without one exit */
			for (unsigned int i = 0; i < 10000; i++)
				asm volatile("" ::: "memory");
			break;
		case 1:
			asm volatile("sevl\n\twfe" ::: "memory");
			break;
		case 2:
			asm volatile("yield" ::: "memory");
			break;
		default: /* atomics on what the other vCPUs have, too */
			__atomic_add_fetch(me->scratch, 1, __ATOMIC_SEQ_CST);
		}
		me->ops++;
	}
	asm volatile("msr daifclr, #4" ::: "memory");
}

void round_flood(struct me *me)
{
	static const char junk[] = "\r\t\b\x1b[2J\x7f\xff\x01"
				   "(sk) panic: not at all";

	for (unsigned int i = 0; i < NR_LINES; i++) {
		if (below(me, 8) == 0)
			put_line(junk, sizeof(junk) - 1);
		else
			printf("flood %u %lu %s\n", me->cpu, me->ops,
			       "................................");
		me->ops++;
	}
	if (below(me, 4) == 0) {
		for (unsigned int i = 0; i < 500; i++)
			put_line("x", 1);
	}
}

/* All ways to give the CPU up, each for a tick, and what is armed for that. */
void round_nap(struct me *me)
{
	gic_sane();
	me->irq = timer_over;
	gic_enable(plat.timer_intid[TIMER_VIRT]);
	for (unsigned int i = 0; i < NR_NAPS; i++) {
		u64 at = below(me, 4) ? now() + below(me, 3) : 0;

		timer_set(at ?: now() + below(me, 2000));
		switch (below(me, 5)) {
		case 0:
			wfi();
			break;
		case 1:
			asm volatile("sevl\n\twfe\n\twfe" ::: "memory");
			break;
		case 2:
			asm volatile("yield" ::: "memory");
			break;
		case 3:
			psci(PSCI_CPU_SUSPEND, 0, 0, 0);
			break;
		default:
			timer_set(now() - 1);
		}
		if (below(me, 2)) {
			irq_on();
			isb();
			irq_off();
		}
		me->ops++;
	}
}

/*
 * Where a guest has a watchdog, its timer is one of vCPU 0's CPU: told of times
 * that come nearer, and by one vCPU of some that are due. None is the end: the
 * watchdog was fed before, and WOR is long.
 */
void round_watchdog(struct me *me)
{
	u64 far = now() + 1000000 * ticks_per_us();

	me->ops++;
	for (unsigned int i = 0; plat.wdt && i < NR_TIMES; i++) {
		write64(plat.wdt + WDT_WCV, far - i);
		if (me->cpu == 1 && !below(me, 4)) {
			write32(plat.wdt_refresh, 0);
			write64(plat.wdt + WDT_WCV, now() + below(me, 2000));
		}
		me->ops++;
	}
}

static void both_over(struct me *me, bool fiq)
{
	sysreg_write(cntp_ctl_el0, 0);
	timer_over(me, fiq);
}

/*
 * Both timers of all vCPUs, and of all guests that do this, are due at the same
 * time, shortly before a neighbour's that wakes at multiples of its period. All
 * know that time without telling each other: their counter is the same one. The
 * physical timers are a tick later: had they woken the vCPUs, there would be
 * less to do for the virtual ones.
 */
void round_burst(struct me *me)
{
	u64 period = bootarg_num("period_us", 1000) * ticks_per_us();

	gic_sane();
	me->irq = both_over;
	gic_enable(plat.timer_intid[TIMER_VIRT]);
	gic_enable(plat.timer_intid[TIMER_PHYS]);
	for (unsigned int i = 0; i < NR_BURSTS; i++) {
		u64 n = now() / period + 1;
		u64 at = n * period - n * STEP % EARLY;

		sysreg_write(cntp_cval_el0, at + 1);
		sysreg_write(cntp_ctl_el0, 1);
		timer_set(at);
		while (now() <= at)
			wfi();
		irq_on();
		isb();
		irq_off();
		me->ops++;
	}
}
