/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that is paused from outside, `pauses=N` times: its virtual time must
 * stand still, on all of its CPUs alike, and its physical time go on. It sees a
 * pause by the distance of the two counters.
 */
#include "systest.h"

#define PERIOD_US 20000	  /* of the virtual timer; a neighbour may be busy */
#define AHEAD_US  1000000 /* of the physical one: only a pause is as long */
#define LEAST_US  1000	  /* that counts as a pause */
#define EACH_US	  20000	  /* of several, at the least */
#define CLOSE_US  100	  /* two readings that belong together */

static u64 period, deadline;
static u32 ticks, early, late, phys_fired;

static u64 us(u64 n)
{
	return n * ticks_per_us();
}

static u64 phys_now(void)
{
	isb();
	return sysreg_read(cntpct_el0);
}

/* Physical less virtual time; right but for CLOSE_US. */
static u64 distance(void)
{
	u64 before, p, after;

	do {
		before = now();
		p = phys_now();
		after = now();
	} while (after - before > us(CLOSE_US));
	return p - before;
}

static void tick(u32 intid)
{
	u64 t = now();

	(void)intid;
	if (t < deadline)
		early++;
	else if (t - deadline > us(AHEAD_US / 2))
		late++;
	deadline += period;
	ticks++;
	timer_set(deadline);
}

static void phys_tick(u32 intid)
{
	(void)intid;
	sysreg_write(cntp_ctl_el0, 0);
	isb();
	phys_fired++;
}

static void phys_ahead(void)
{
	sysreg_write(cntp_cval_el0, phys_now() + us(AHEAD_US));
	sysreg_write(cntp_ctl_el0, 1);
	isb();
}

/* Until virtual time has jumped, which it must not, or there was a pause. */
static u64 wait_for_pause(u64 was)
{
	u64 d = was;

	while (d - was < us(LEAST_US) && !READ_ONCE(late)) {
		phys_ahead();
		wfi();
		d = distance();
	}
	return d - was;
}

static void one_pause(unsigned int i)
{
	u32 fired = READ_ONCE(phys_fired), rtc = read32(plat.rtc);
	u64 was = distance(), v = now(), p = phys_now(), length, s;

	phys_ahead();
	printf("# PAUSE %u\n", i);
	length = wait_for_pause(was);
	v = now() - v;
	p = phys_now() - p;
	rtc = read32(plat.rtc) - rtc;
	printf("# paused for %lu us: virtual time %lu us, physical %lu us\n",
	       length / ticks_per_us(), v / ticks_per_us(), p / ticks_per_us());
	ok(length > us(AHEAD_US) &&
		   p - v - length + us(CLOSE_US) < 2 * us(CLOSE_US),
	   "virtual time stood still, physical time went on");
	ok(READ_ONCE(phys_fired) > fired, "the physical timer went on");
	/* us() is of whole ticks, and a pause may be long. */
	s = p / sysreg_read(cntfrq_el0);
	ok(rtc + 1 >= s && rtc <= s + 1, "and so did the clock");
}

void test_pause(void)
{
	u64 start = now(), end;
	u32 n = (u32)bootarg_num("pauses", 1), count;

	period = us(PERIOD_US);
	deadline = start + period;
	irq_register(plat.timer_intid[TIMER_VIRT], tick);
	irq_register(plat.timer_intid[TIMER_PHYS], phys_tick);
	gic_enable(plat.timer_intid[TIMER_VIRT]);
	gic_enable(plat.timer_intid[TIMER_PHYS]);
	timer_set(deadline);
	for (u32 i = 1; i <= n; i++)
		one_pause(i);
	irq_off();
	count = ticks;
	end = now();
	timer_stop();
	ok(!early, "the virtual timer was early %u times", early);
	ok(!late, "and late %u times", late);
	ok(count + 1 >= (end - start) / period && count <= (end - start) / period,
	   "%u periods in %lu us", count, (end - start) / ticks_per_us());
	gic_disable(plat.timer_intid[TIMER_VIRT]);
	gic_disable(plat.timer_intid[TIMER_PHYS]);
	irq_on();
}

static void alarm(u32 intid)
{
	(void)intid;
	timer_stop();
}

/* A neighbour's: a line each `every_us=N`, until it is destroyed. */
void test_clock(void)
{
	u64 step = us(bootarg_num("every_us", 100000)), at = now();

	irq_register(plat.timer_intid[TIMER_VIRT], alarm);
	gic_enable(plat.timer_intid[TIMER_VIRT]);
	for (u64 i = 1;; i++) {
		at += step;
		/* Masked, it ends WFI and is taken behind it. */
		irq_off();
		timer_set(at);
		while (now() < at) {
			wfi();
			irq_on();
			isb();
			irq_off();
		}
		irq_on();
		printf("CLOCK %lu\n", i);
	}
}

/* --- several CPUs --------------------------------------------------------- */

static u64 stamps[MAX_CPUS]; /* what each has read last */
static u32 backwards, over;

/* Not before what any CPU, this one too, had read before. */
static void compare(void)
{
	for (unsigned int i = 0; i < plat.nr_cpus; i++) {
		u64 theirs = READ_ONCE(stamps[i]), t;

		dsb();
		t = now();
		if (t < theirs)
			WRITE_ONCE(backwards, READ_ONCE(backwards) + 1);
		WRITE_ONCE(stamps[this_cpu()->id], t);
		dsb();
	}
	cpu_relax();
}

static void compare_all_the_time(void *arg)
{
	(void)arg;
	while (!READ_ONCE(over))
		compare();
}

/* Until something is typed. */
void test_pause_smp(void)
{
	u64 first = distance(), start = now(), length;
	u32 n = (u32)bootarg_num("pauses", 1);

	for (unsigned int i = 1; i < plat.nr_cpus; i++)
		cpu_start(i, compare_all_the_time, NULL);
	printf("# PAUSE 1\n");
	while (console_getc() < 0)
		for (unsigned int i = 0; i < 100; i++)
			compare();
	WRITE_ONCE(over, 1);
	for (unsigned int i = 1; i < plat.nr_cpus; i++)
		while (!cpu_is_off(i))
			cpu_relax();
	length = (distance() - first) / ticks_per_us();
	printf("# virtual time %lu us\n", (now() - start) / ticks_per_us());
	ok(length > n * EACH_US, "%u pauses, %lu us", n, length);
	ok(!READ_ONCE(backwards), "virtual time went back %u times",
	   READ_ONCE(backwards));
}
