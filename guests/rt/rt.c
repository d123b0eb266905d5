/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A control loop, as an example of one and as a witness: it wakes at fixed
 * points in time, does a fixed amount of work, and reports how late it woke
 * and how often the work was not done when the next period began. It runs on
 * one CPU and uses no floating point.
 *
 * Boot arguments: period_us (default 1000), periods (1000), work_us (50, of a
 * CPU of its own), max_late_us (100, the latest allowed start), settle_us
 * (1000, before it begins), aligned=1 to begin at a multiple of the period,
 * exact=1 to have each lateness with its count too.
 * With naps_ms=N it is no control loop but a neighbour of one: for so long it
 * only waits, until nap_ns (200) later each time.
 */
#include "guest.h"

#define NR_EXACT   16384 /* of the first ones */
#define NR_BUCKETS 16	 /* 0, 1, 2-3, 4-7, ... us, the last one open */
#define CALIBRATE  2000	 /* passes: a few us, which also small budgets have */

static u64 period, periods, max_late;
static u32 work; /* passes of the work loop */

static u64 arrived; /* when the handler ran; 0: not yet */

static u64 missed, skipped, samples, sum, least = ~0ul, most;
static u64 buckets[NR_BUCKETS];
static u32 exact[NR_EXACT]; /* ns */

/*
 * Conversions multiply before they divide, so that no frequency is rounded to
 * whole megahertz; 2^64 is reached after hours of ticks, not in one period.
 */
static u64 from_us(u64 us)
{
	return us * sysreg_read(cntfrq_el0) / 1000000;
}

static u64 to_ns(u64 ticks)
{
	return ticks * 1000000 / sysreg_read(cntfrq_el0) * 1000 +
	       ticks * 1000000 % sysreg_read(cntfrq_el0) * 1000 /
		       sysreg_read(cntfrq_el0);
}

/* The deadline came: the time is taken first, before anything can delay it. */
static void tick(u32 intid)
{
	u64 t = now();

	(void)intid;
	/* The line is level: it falls when the timer is off, not by the EOI. */
	timer_stop();
	WRITE_ONCE(arrived, t);
}

/* Sleeps until the deadline, which may have passed; when the handler ran. */
static u64 wait_until(u64 deadline)
{
	WRITE_ONCE(arrived, 0);
	timer_set(deadline);
	/*
	 * Masked between the test and WFI, or an interrupt in between would
	 * be handled first and then slept through. WFI ends although it is
	 * masked; the handler runs where the mask is lifted.
	 */
	irq_off();
	while (!READ_ONCE(arrived)) {
		wfi();
		irq_on();
		isb();
		irq_off();
	}
	irq_on();
	return arrived;
}

/*
 * Stands for reading sensors, the control law and writing actuators: an
 * amount of instructions, not of time, or being kept from the CPU would count
 * as work done. One copy of it: two loops may differ in their instructions.
 */
static __attribute__((noinline)) void do_work(u32 passes)
{
	while (passes--)
		asm volatile("nop" ::: "memory");
}

/* The fastest of several tries is the one that nothing interrupted. */
static u32 passes_for(u64 us)
{
	u64 best = ~0ul;

	for (unsigned int i = 0; i < 8; i++) {
		u64 t = now();

		do_work(CALIBRATE);
		t = now() - t;
		best = t < best ? t : best;
	}
	return (u32)(from_us(us) * CALIBRATE / (best ? best : 1));
}

static void record(u64 late)
{
	u64 us = late * 1000000 / sysreg_read(cntfrq_el0);
	unsigned int i = us ? 64 - (unsigned int)__builtin_clzl(us) : 0;

	buckets[i < NR_BUCKETS ? i : NR_BUCKETS - 1]++;
	if (samples < NR_EXACT)
		exact[samples] = (u32)to_ns(late);
	samples++;
	sum += late;
	least = late < least ? late : least;
	most = late > most ? late : most;
}

/*
 * Period n is [start + n * period, start + (n + 1) * period). Deadlines are
 * absolute, computed from the start, not from the last wake-up, so that being
 * late once does not move all that follow. A period that was over before it
 * could begin is missed and left out: an old command to an actuator is worth
 * less than a new one.
 */
static void control_loop(void)
{
	u64 start = now() + period;

	if (bootarg_num("aligned", 0))
		start += period - start % period;
	for (u64 n = 0; n < periods; n++) {
		u64 deadline = start + n * period, end;

		record(wait_until(deadline) - deadline);
		do_work(work);
		end = now();
		if (end > deadline + period)
			missed++;
		while (n + 1 < periods && end > start + (n + 2) * period) {
			missed++;
			skipped++;
			n++;
		}
	}
}

static void histogram(void)
{
	u64 low = 0, high = 0;

	for (unsigned int i = 0; i < NR_BUCKETS; i++) {
		if (buckets[i] && i == NR_BUCKETS - 1)
			printf("# rt: late %5lu us or more: %lu\n", low,
			       buckets[i]);
		else if (buckets[i])
			printf("# rt: late %5lu to %5lu us: %lu\n", low, high,
			       buckets[i]);
		low = 1ul << i;
		high = 2 * low - 1;
	}
}

/* Sorted in a simple way (Shell's), as nobody waits any more. */
static void print_exact(void)
{
	u64 n = samples < NR_EXACT ? samples : NR_EXACT, same;

	for (u64 gap = n / 2; gap; gap /= 2)
		for (u64 i = gap; i < n; i++) {
			u32 v = exact[i];
			u64 at = i;

			for (; at >= gap && exact[at - gap] > v; at -= gap)
				exact[at] = exact[at - gap];
			exact[at] = v;
		}
	for (u64 i = 0; i < n; i += same) {
		for (same = 1; i + same < n && exact[i + same] == exact[i];)
			same++;
		printf("# rt: exactly %u ns: %lu\n", exact[i], same);
	}
}

/* Its own timer and WFI, as fast as they go: each wake preempts somebody. */
static void nap(u64 ms)
{
	u64 later = bootarg_num("nap_ns", 200) * sysreg_read(cntfrq_el0) /
		    1000000000;
	u64 end = now() + from_us(ms * 1000), naps = 0;

	for (; now() < end; naps++)
		wait_until(now() + later);
	printf("# rt: %lu naps\n", naps);
	ok(naps, "rt: has napped");
	tap_plan();
}

void guest_main(void)
{
	u64 period_us = bootarg_num("period_us", 1000);
	u64 work_us = bootarg_num("work_us", 50);

	periods = bootarg_num("periods", 1000);
	period = from_us(period_us);
	max_late = from_us(bootarg_num("max_late_us", 100));
	if (!periods || !period || work_us >= period_us) {
		ok(false, "rt: period_us=%lu periods=%lu work_us=%lu",
		   period_us, periods, work_us);
		tap_plan();
		return;
	}
	work = passes_for(work_us);
	irq_register(plat.timer_intid[TIMER_VIRT], tick);
	gic_enable(plat.timer_intid[TIMER_VIRT]);
	wait_until(now() + from_us(bootarg_num("settle_us", 1000)));
	if (bootarg_num("naps_ms", 0)) {
		nap(bootarg_num("naps_ms", 0));
		return;
	}
	printf("# rt: start, %lu periods of %lu us, %lu us of work (%u)\n",
	       periods, period_us, work_us, work);
	control_loop(); /* which prints nothing: a console may be slow */
	histogram();
	if (bootarg_num("exact", 0))
		print_exact();
	printf("# rt: late min %lu mean %lu max %lu ns, %lu periods left out\n",
	       to_ns(least), to_ns(sum / samples), to_ns(most), skipped);
	ok(!missed, "rt: %lu of %lu periods missed", missed, periods);
	ok(most <= max_late, "rt: latest start %lu ns, %lu allowed",
	   to_ns(most), to_ns(max_late));
	tap_plan();
}
