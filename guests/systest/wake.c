/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long it takes to wake another CPU, and to be answered: CPU 0 sends an SGI
 * once a millisecond and sleeps; CPU 1 takes the time and sends one back.
 * Boot arguments: wakes=N, settle_us=N before the first, wake_us=N and
 * answer_us=N, the most that may be.
 */
#include "systest.h"

#define THERE 8
#define BACK  9

static u64 arrived, answered;
static u32 listening, leave;

static void there(u32 intid)
{
	(void)intid;
	WRITE_ONCE(arrived, now());
	gic_send_sgi(0, BACK);
}

static void back(u32 intid)
{
	(void)intid;
	WRITE_ONCE(answered, now());
}

static void alarm(u32 intid)
{
	(void)intid;
	timer_stop();
}

/* Until an interrupt has been taken. */
static void nap(void)
{
	wfi(); /* ends although masked */
	irq_on();
	isb();
	irq_off();
}

static void listen(void *arg)
{
	(void)arg;
	irq_off();
	WRITE_ONCE(listening, 1);
	while (!READ_ONCE(leave))
		nap();
}

static u64 to_ns(u64 ticks)
{
	return ticks * 1000 / ticks_per_us();
}

void test_wake(void)
{
	u64 n = bootarg_num("wakes", 100), at = now(), sent;
	u64 worst = 0, least = ~0ul, whole = 0;

	irq_register(THERE, there);
	irq_register(BACK, back);
	irq_register(plat.timer_intid[TIMER_VIRT], alarm);
	gic_enable(plat.timer_intid[TIMER_VIRT]);
	cpu_start(1, listen, NULL);
	ok(wait_for(&listening, 1, 1000000), "CPU 1 listens");
	irq_off();
	at += bootarg_num("settle_us", 0) * ticks_per_us();
	for (u64 i = 0; i < n; i++) {
		at += 1000 * ticks_per_us();
		timer_set(at);
		while (now() < at)
			nap();
		WRITE_ONCE(answered, 0);
		sent = now();
		gic_send_sgi(1, THERE);
		while (!READ_ONCE(answered))
			nap();
		least = arrived - sent < least ? arrived - sent : least;
		worst = arrived - sent > worst ? arrived - sent : worst;
		whole = answered - sent > whole ? answered - sent : whole;
	}
	WRITE_ONCE(leave, 1);
	gic_send_sgi(1, THERE);
	while (!cpu_is_off(1))
		cpu_relax();
	irq_on();
	printf("# wake: %lu ns at least, %lu at most, answered in %lu\n",
	       to_ns(least), to_ns(worst), to_ns(whole));
	ok(to_ns(worst) <= 1000 * bootarg_num("wake_us", 1000),
	   "each of %lu wakes in time", n);
	ok(to_ns(whole) <= 1000 * bootarg_num("answer_us", 1000),
	   "and each answer");
}
