/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guests' watchdog: its register table and what each register keeps, both
 * stages, all that refreshes it, the ends of the counter, pause, start and end
 * of the guest, hostile accesses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wdthost.h"

/* --- registers ----------------------------------------------------------- */

static void test_table(void **state)
{
	const unsigned int nr = ARRAY_SIZE(regs);

	(void)state;
	assert_in_range(nr, 1, EMUL_MAX_REGS);
	for (unsigned int i = 0; i < nr; i++) {
		const struct emul_reg *r = &regs[i];

		/* No legal access leaves its row. */
		assert_int_equal(r->widths, r->size == 8 ? W32 | W64 : W32);
		assert_true(r->size == 4 || r->size == 8);
		assert_true(is_aligned(r->offset, r->size));
		assert_true(r->read || r->write);
		if (i)
			assert_true(r[-1].offset + r[-1].size <= r->offset);
		assert_true(r->offset + r->size <= SIZE);
	}
}

static void test_init(void **state)
{
	struct emul_region others[EMUL_MAX_REGIONS];

	(void)state;
	assert_int_equal(d.emul.nr, 1);
	assert_int_equal(d.emul.regions[0]->base, BASE);
	assert_int_equal(d.emul.regions[0]->size, SIZE);
	/* It runs, with the description's timeout. */
	assert_int_equal(rd(WCS), WCS_EN);
	assert_int_equal(rd64(WOR), PERIOD);
	assert_int_equal(rd64(WCV), virt() + PERIOD);
	assert_int_equal(armed[HOME], START + PERIOD + 1);
	/* No place in the domain's list. */
	assert_int_equal(wdt_init(&d, MS), -EEXIST);
	memset(&d, 0, sizeof(d));
	for (unsigned int i = 0; i < EMUL_MAX_REGIONS; i++) {
		others[i] = (struct emul_region){.base = i * PAGE_SIZE,
						 .size = PAGE_SIZE};
		assert_int_equal(emul_add(&d.emul, &others[i]), 0);
	}
	assert_int_equal(wdt_init(&d, MS), -ENOSPC);
	/* The most that a description can say. */
	memset(&d, 0, sizeof(d));
	assert_int_equal(wdt_init(&d, 3600000), 0);
	assert_int_equal(d.wdt.offset, 3600 * FREQ);
	/* None is described. */
	memset(&d, 0, sizeof(d));
	assert_int_equal(
		wdt_part.domain_init(&d, &(struct describe_guest){.name = ""}),
		0);
	assert_int_equal(d.emul.nr, 0);
	assert_int_equal(d.wdt.ms, 0);
}

/* Nothing of it may be touched where there is none. */
static void test_none(void **state)
{
	struct domain before;

	(void)state;
	wdt_exit(&d);
	memset(&d.wdt, 0, sizeof(d.wdt));
	before = d;
	wdt_reset(&d);
	wdt_start(&d);
	wdt_resume(&d);
	wdt_exit(&d);
	wdt_ipi();
	assert_memory_equal(&before, &d, sizeof(d));
	assert_int_equal(armed[HOME], NEVER);
}

static void test_wcs(void **state)
{
	(void)state;
	/* One bit can be written. */
	wr(WCS, 0xfffffffe);
	assert_int_equal(rd(WCS), 0);
	wr(WCS, 0xffffffff);
	assert_int_equal(rd(WCS), WCS_EN);
	wr(WCS, 0);
	advance(now + 100 * PERIOD);
	assert_int_equal(rd(WCS), 0);
	assert_false(line);
	assert_int_equal(nr_stops, 0);
	/* The timer that was left armed is not armed again. */
	assert_int_equal(armed[HOME], NEVER);
	/* Enabled again, with a whole period. */
	wr(WCS, 1);
	assert_int_equal(rd64(WCV), virt() + PERIOD);
	assert_int_equal(armed[HOME], now + PERIOD + 1);
}

static void test_wor(void **state)
{
	static const u64 vals[] = {
		0,	  1,	0xffffffff,	   0x100000000,
		WOR_MASK, ~0UL, 0xdeadbeefcafef00d};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(vals); i++) {
		u64 want = vals[i] & BITS(47, 0);

		wr64(WOR, vals[i]);
		assert_int_equal(rd64(WOR), want);
		assert_int_equal(rd(WOR), (u32)want);
		assert_int_equal(rd(WOR + 4), want >> 32);
		assert_int_equal(rd64(WCV), virt() + want);
		/* By halves, in either order, each a refresh. */
		wr64(WOR, 0x555555555555);
		now++;
		wr(WOR + 4, (u32)(vals[i] >> 32));
		assert_int_equal(rd64(WOR), (want & BITS(47, 32)) | 0x55555555);
		assert_int_equal(rd64(WCV), virt() + rd64(WOR));
		now++;
		wr(WOR, (u32)vals[i]);
		assert_int_equal(rd64(WOR), want);
		assert_int_equal(rd64(WCV), virt() + want);
	}
}

static void test_wcv(void **state)
{
	(void)state;
	wr64(WCV, RUBBISH);
	assert_int_equal(rd64(WCV), RUBBISH);
	assert_int_equal(rd(WCV), (u32)RUBBISH);
	assert_int_equal(rd(WCV + 4), RUBBISH >> 32);
	wr(WCV, 0x11111111);
	assert_int_equal(rd64(WCV), 0xdeadbeef11111111);
	wr(WCV + 4, 0x22222222);
	assert_int_equal(rd64(WCV), 0x2222222211111111);
	/* Nearer: the timer follows. */
	wr64(WCV, virt() + LOOK);
	assert_int_equal(armed[HOME], now + LOOK + 1);
	advance(now + LOOK);
	assert_int_equal(rd(WCS), WCS_EN);
	advance(now + 1);
	assert_int_equal(rd(WCS), WCS_EN | WCS_WS0);
	/* It is no refresh: the signal stays. */
	wr64(WCV, virt() + 10 * PERIOD);
	assert_int_equal(rd(WCS), WCS_EN | WCS_WS0);
	passes(10 * PERIOD);
	assert_int_equal(nr_stops, 0);
	passes(1);
	assert_int_equal(nr_stops, 1);
}

static void test_ids(void **state)
{
	(void)state;
	assert_int_equal(rd(W_IIDR), 0x1043b);
	assert_int_equal(rd(REFRESH + W_IIDR), 0x1043b);
	assert_int_equal(rd(WRR_AT), 0);
}

/* Every address and size, legal ones apart: RAZ/WI. */
static void test_nothing_there(void **state)
{
	(void)state;
	for (u32 at = 0; at < SIZE; at++)
		for (u8 size = 1; size <= 8; size *= 2) {
			struct wdt before = d.wdt;
			struct emul_access a = {.offset = at, .size = size};

			if (!is_aligned(at, size) ||
			    emul_find_reg(regs, ARRAY_SIZE(regs), &a))
				continue;
			assert_int_equal(run(at, size, false, RUBBISH), 0);
			run(at, size, true, ~0UL);
			assert_memory_equal(&before, &d.wdt, sizeof(before));
		}
	/* What only reads, written; the other way round is in test_ids. */
	wr(W_IIDR, ~0U);
	wr(REFRESH + W_IIDR, ~0U);
	assert_int_equal(rd(W_IIDR), 0x1043b);
	assert_true(d.wdt.single);
}

/* --- stages -------------------------------------------------------------- */

/* The guest never touched it. */
static void test_single_stage(void **state)
{
	(void)state;
	advance(START + PERIOD);
	assert_int_equal(rd(WCS), WCS_EN);
	assert_int_equal(nr_stops, 0);
	advance(START + PERIOD + 1);
	assert_int_equal(nr_stops, 1);
	assert_false(line);
	assert_string_equal(logged,
			    "d2 web: watchdog: not refreshed for 500 ms");
	assert_int_equal(armed[HOME], NEVER);
}

/* Without a driver, a store to WRR every now and then does. */
static void test_single_refresh(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		advance(now + PERIOD);
		wr(WRR_AT, i);
		assert_int_equal(rd64(WCV), virt() + PERIOD);
	}
	assert_true(d.wdt.single);
	assert_int_equal(nr_stops, 0);
	/* Still one stage. */
	advance(now + PERIOD + 1);
	assert_int_equal(nr_stops, 1);
}

static void test_two_stages(void **state)
{
	(void)state;
	wr(WCS, 1);
	advance(now + PERIOD);
	assert_int_equal(rd(WCS), WCS_EN);
	assert_false(line);
	advance(now + 1);
	assert_int_equal(rd(WCS), WCS_EN | WCS_WS0);
	assert_true(line);
	assert_int_equal(rd64(WCV), virt() + PERIOD);
	advance(now + PERIOD);
	assert_int_equal(nr_stops, 0);
	advance(now + 1);
	assert_int_equal(nr_stops, 1);
	assert_int_equal(d.wdt.wcs, WCS_EN | WCS_WS0 | WCS_WS1);
	assert_string_equal(logged,
			    "d2 web: watchdog: not refreshed for 1000 ms");
}

/* However late EL2 is, the guest has a second stage of full length. */
static void test_late(void **state)
{
	(void)state;
	wr(WCS, 1);
	advance(now + 10 * PERIOD);
	assert_int_equal(rd(WCS), WCS_EN | WCS_WS0);
	assert_int_equal(armed[HOME], now + PERIOD + 1);
	assert_int_equal(nr_stops, 0);
}

/* Each of them in each stage: the signal goes, a new period begins. */
static void test_refreshes(void **state)
{
	static const struct {
		u64 offset, val;
		u8 size;
	} ways[] = {{WRR_AT, 0, 4},   {WRR_AT, 0xffffffff, 4}, {WCS, 1, 4},
		    {WOR, PERIOD, 4}, {WOR, PERIOD, 8},	       {WOR + 4, 0, 4}};

	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(ways); i++) {
		bool second = i & 1;

		setup(state);
		wr(WCS, 1);
		passes(second ? PERIOD + 1 : PERIOD - 3 * LOOK);
		assert_int_equal(line, second);
		passes(2 * LOOK);
		run(ways[i / 2].offset, ways[i / 2].size, true, ways[i / 2].val);
		assert_false(line);
		assert_int_equal(rd(WCS), WCS_EN);
		assert_int_equal(rd64(WCV), virt() + PERIOD);
		passes(PERIOD);
		assert_int_equal(rd(WCS), WCS_EN);
		passes(1);
		assert_int_equal(rd(WCS), WCS_EN | WCS_WS0);
		assert_int_equal(nr_stops, 0);
	}
	/* Off in the second stage: the line falls, and that was it. */
	setup(state);
	wr(WCS, 1);
	advance(now + PERIOD + 1);
	wr(WCS, 0);
	assert_false(line);
	advance(now + 10 * PERIOD);
	assert_int_equal(nr_stops, 0);
}

/* WOR 0: a millisecond for each stage, and no endless loop in between. */
static void test_shortest(void **state)
{
	(void)state;
	wr64(WOR, 0);
	assert_int_equal(armed[HOME], now + LOOK);
	advance(now + LOOK);
	assert_int_equal(rd(WCS), WCS_EN | WCS_WS0);
	assert_int_equal(nr_stops, 0);
	assert_int_equal(armed[HOME], now + LOOK);
	advance(now + LOOK);
	assert_int_equal(nr_stops, 1);
}

static void test_longest(void **state)
{
	(void)state;
	wr64(WOR, ~0UL);
	advance(now + WOR_MASK);
	assert_int_equal(rd(WCS), WCS_EN);
	assert_int_equal(armed[HOME], now + LOOK);
	advance(now + 1);
	assert_int_equal(rd(WCS), WCS_EN);
	advance(armed[HOME]);
	assert_int_equal(rd(WCS), WCS_EN | WCS_WS0);
	/* The last of all times is never behind the counter. */
	wr64(WCV, ~0UL);
	advance(armed[HOME]);
	assert_int_equal(armed[HOME], NEVER);
	advance(~0UL - 2 * LOOK);
	assert_int_equal(nr_stops, 0);
	/* In the past: as soon as it looks. */
	wr64(WCV, 0);
	assert_int_equal(armed[HOME], now + LOOK);
	advance(armed[HOME]);
	assert_int_equal(nr_stops, 1);
}

/* A virtual counter that is ahead of the physical one, or about to wrap. */
static void test_wrap(void **state)
{
	(void)state;
	now = 1000;
	d.cntvoff = (u64)-5000;
	wr64(WOR, LOOK);
	assert_int_equal(rd64(WCV), 7000);
	advance(2000);
	assert_int_equal(rd(WCS), WCS_EN);
	advance(2001);
	assert_int_equal(rd(WCS), WCS_EN | WCS_WS0);
	/* All ones is the end of time for the guest, whatever ours is. */
	wr64(WCV, ~0UL);
	advance(armed[HOME]);
	assert_int_equal(armed[HOME], ~0UL - 4999);
	/* Sums that wrap are behind the counter (64-bit compare). */
	setup(state);
	d.cntvoff = 0;
	now = ~0UL - 2 * LOOK;
	wr64(WOR, 3 * LOOK);
	assert_int_equal(rd64(WCV), LOOK - 1);
	advance(now);
	advance(armed[HOME]);
	assert_int_equal(nr_stops, 1);
}

/* --- timers and CPUs ----------------------------------------------------- */

/* A refresh leaves the timer alone; it finds out when it fires. */
static void test_lazy(void **state)
{
	unsigned int before;

	(void)state;
	wr(WCS, 1);
	before = nr_programs;
	for (unsigned int i = 0; i < 1000; i++) {
		advance(now + PERIOD / 2000);
		wr(WRR_AT, 0);
	}
	assert_int_equal(nr_programs, before);
	advance(START + PERIOD + 1);
	assert_false(line);
	assert_int_equal(armed[HOME], START + PERIOD / 2 + PERIOD + 1);
	advance(armed[HOME]);
	assert_true(line);
}

/* A vCPU on another CPU: only what is to fire sooner needs an IPI. */
static void test_other_cpu(void **state)
{
	(void)state;
	on_cpu(AWAY);
	now += 10;
	wr(WCS, 1);
	wr(WRR_AT, 0);
	wr64(WOR, 2 * PERIOD);
	assert_int_equal(nr_ipis, 0);
	wr64(WOR, 1000);
	assert_int_equal(nr_ipis, 1);
	assert_int_equal(armed[AWAY], NEVER);
	/* Told once, to look in a millisecond: any time it finds by itself. */
	wr64(WOR, 1000);
	wr64(WOR, 5000);
	wr64(WOR, 2000);
	assert_int_equal(nr_ipis, 1);
	assert_int_equal(armed[HOME], START + PERIOD + 1);
	on_cpu(HOME);
	wdt_ipi();
	assert_int_equal(armed[HOME], START + 10 + LOOK);
	advance(START + 10 + LOOK);
	assert_false(line);
	assert_int_equal(armed[HOME], START + 10 + 2001);
	advance(armed[HOME] - 1);
	assert_false(line);
	advance(armed[HOME]);
	assert_true(line);
	/* An IPI too many, and one on another CPU. */
	wdt_ipi();
	on_cpu(AWAY);
	wdt_ipi();
	assert_int_equal(armed[AWAY], NEVER);
}

/* By the worker, on another CPU than vCPU 0's. */
static void test_start_elsewhere(void **state)
{
	(void)state;
	wdt_exit(&d);
	wdt_reset(&d);
	on_cpu(AWAY);
	now += 1000 * PERIOD;
	wdt_start(&d);
	assert_int_equal(nr_ipis, 1);
	on_cpu(HOME);
	wdt_ipi();
	assert_int_equal(armed[HOME], now + LOOK);
	advance(now + LOOK);
	assert_int_equal(armed[HOME], now - LOOK + PERIOD + 1);
}

/* A signal that is due before the look is late by a millisecond at most. */
static void test_near(void **state)
{
	(void)state;
	on_cpu(AWAY);
	wr64(WOR, 1);
	on_cpu(HOME);
	wdt_ipi();
	advance(now + LOOK - 1);
	assert_false(line);
	/* Others' IPIs do not put it off. */
	wdt_ipi();
	advance(now + 1);
	assert_true(line);
	/* Nor is there one for what would be looked at before. */
	setup(state);
	wr64(WOR, 0);
	assert_int_equal(armed[HOME], START + LOOK);
	on_cpu(AWAY);
	now += 100;
	wr64(WOR, 10);
	assert_int_equal(nr_ipis, 0);
	advance(START + LOOK);
	assert_true(line);
}

/*
 * Whatever vCPUs do, there or elsewhere, vCPU 0's CPU is interrupted no more
 * than twice a millisecond: by an IPI and by the timer that it leads to.
 */
static void test_storm(void **state)
{
	u64 end, far = virt() + PERIOD / 2;
	unsigned int nr_looks, seed = 7;

	for (unsigned int kind = 0; kind < 10; kind++) {
		setup(state);
		nr_looks = 0;
		end = now + 20 * LOOK;
		for (u64 i = 0; now < end; i++) {
			on_cpu(kind % 2 ? HOME : AWAY);
			/* Nearer each time; near and far; off and on; ... */
			if (kind / 2 == 0)
				wr64(WCV, far - i);
			else if (kind / 2 == 1)
				wr64(WOR, i % 2 ? PERIOD : 20);
			else if (kind / 2 == 2)
				wr(WCS, i % 2);
			else if (kind / 2 == 3)
				wr64(WCV, virt() + (u64)rand_r(&seed) % PERIOD);
			else /* ... due all the time, and never let be due */
				wr64(WOR, 3);
			on_cpu(HOME);
			wdt_ipi();
			now += (u64)rand_r(&seed) % 3;
			nr_looks += armed[HOME] <= now;
			advance(now);
			assert_int_equal(nr_stops, 0);
		}
		assert_in_range(nr_ipis, kind ? 0 : 20, kind % 2 ? 0 : 20);
		assert_in_range(nr_looks, 0, 20);
	}
}

/* --- pause, end, reset --------------------------------------------------- */

/* As domain_pause() ends a pause that began at `from`. */
static void resume(u64 from)
{
	d.cntvoff += now - from;
	d.state = DOMAIN_RUNNING;
	wdt_resume(&d);
}

static void test_pause(void **state)
{
	u64 from, back, wcv;

	for (unsigned int stage = 0; stage < 2; stage++) {
		setup(state);
		wr(WCS, 1);
		advance(now + stage * (PERIOD + 1));
		advance(now + PERIOD / 5);
		d.state = DOMAIN_PAUSED;
		from = now;
		wcv = rd64(WCV);
		/* Its timer fires once, to no effect, and stays off. */
		advance(now + PERIOD + 1);
		assert_int_equal(armed[HOME], NEVER);
		advance(now + 1000 * PERIOD);
		assert_int_equal(d.wdt.wcs, WCS_EN | (stage ? WCS_WS0 : 0));
		assert_int_equal(nr_stops, 0);
		/* It goes on where it was, with what was left. */
		on_cpu(stage ? AWAY : HOME);
		back = now;
		resume(from);
		assert_int_equal(nr_ipis, stage);
		on_cpu(HOME);
		wdt_ipi();
		if (stage)
			advance(armed[HOME]);
		assert_int_equal(now, back + stage * LOOK);
		assert_int_equal(line, stage);
		assert_int_equal(rd64(WCV), wcv);
		assert_int_equal(armed[HOME], back + PERIOD * 4 / 5 + 1);
		advance(back + PERIOD * 4 / 5);
		assert_int_equal(d.wdt.wcs, WCS_EN | (stage ? WCS_WS0 : 0));
		advance(now + 1);
		assert_int_equal(nr_stops, stage);
		assert_true(line);
	}
}

/* Resumed before the timer fired, which it does too early then. */
static void test_short_pause(void **state)
{
	u64 from = now + 10;

	(void)state;
	advance(from);
	d.state = DOMAIN_PAUSED;
	advance(now + PERIOD - 20);
	resume(from);
	assert_int_equal(armed[HOME], START + PERIOD + 1);
	advance(START + PERIOD + 1);
	assert_int_equal(armed[HOME], START + PERIOD + PERIOD - 20 + 1);
	advance(START + PERIOD + PERIOD - 20);
	assert_int_equal(nr_stops, 0);
	advance(now + 1);
	assert_int_equal(nr_stops, 1);
	/* In its own time. */
	assert_string_equal(logged,
			    "d2 web: watchdog: not refreshed for 500 ms");
}

/* Nothing was taken off: a vCPU had not left yet, and its time went on. */
static void test_no_pause(void **state)
{
	(void)state;
	d.state = DOMAIN_PAUSED;
	advance(now + PERIOD + 1);
	assert_int_equal(nr_stops, 0);
	resume(now);
	assert_int_equal(armed[HOME], now + LOOK);
	advance(now + LOOK);
	assert_int_equal(nr_stops, 1);
}

/* The end: never again, whatever its vCPUs still do on their way out. */
static void test_exit(void **state)
{
	(void)state;
	wr(WCS, 1);
	d.state = DOMAIN_SHUTTING_DOWN;
	wdt_exit(&d);
	assert_int_equal(armed[HOME], NEVER);
	on_cpu(AWAY);
	wr64(WOR, 10);
	assert_int_equal(nr_ipis, 1);
	on_cpu(HOME);
	wdt_ipi();
	wr64(WOR, 5);
	assert_int_equal(armed[HOME], NEVER);
	wdt_exit(&d);
	wdt_exit(&d);
	wdt_ipi();
	assert_int_equal(armed[HOME], NEVER);
	assert_int_equal(nr_stops, 0);
	/* Stopped by something else, before the timer was cancelled. */
	setup(state);
	d.state = DOMAIN_SHUTTING_DOWN;
	advance(now + PERIOD + 1);
	assert_int_equal(nr_stops, 0);
	assert_string_equal(logged, "");
}

/* Another of the CPU's timers goes on. */
static void nothing(struct timer *t)
{
	(void)t;
}

static void test_exit_beside(void **state)
{
	struct timer t;

	(void)state;
	timer_init(&t, nothing);
	timer_arm(&t, now + 2 * PERIOD);
	wdt_exit(&d);
	assert_int_equal(armed[HOME], now + 2 * PERIOD);
	timer_cancel(&t);
}

static void test_reset(void **state)
{
	(void)state;
	wr64(WOR, 7);
	advance(now + LOOK);
	assert_true(line);
	advance(now + LOOK);
	assert_int_equal(nr_stops, 1);
	wdt_exit(&d);
	d.state = DOMAIN_DEAD;
	wdt_reset(&d);
	assert_false(line);
	d.state = DOMAIN_RUNNING;
	now += 12345;
	wdt_start(&d);
	assert_int_equal(rd(WCS), WCS_EN);
	assert_int_equal(rd64(WOR), PERIOD);
	assert_int_equal(armed[HOME], now + PERIOD + 1);
	/* One stage, as the first time. */
	advance(now + PERIOD + 1);
	assert_int_equal(nr_stops, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_table, setup),
		cmocka_unit_test_setup(test_init, setup),
		cmocka_unit_test_setup(test_none, setup),
		cmocka_unit_test_setup(test_wcs, setup),
		cmocka_unit_test_setup(test_wor, setup),
		cmocka_unit_test_setup(test_wcv, setup),
		cmocka_unit_test_setup(test_ids, setup),
		cmocka_unit_test_setup(test_nothing_there, setup),
		cmocka_unit_test_setup(test_single_stage, setup),
		cmocka_unit_test_setup(test_single_refresh, setup),
		cmocka_unit_test_setup(test_two_stages, setup),
		cmocka_unit_test_setup(test_late, setup),
		cmocka_unit_test_setup(test_refreshes, setup),
		cmocka_unit_test_setup(test_shortest, setup),
		cmocka_unit_test_setup(test_longest, setup),
		cmocka_unit_test_setup(test_wrap, setup),
		cmocka_unit_test_setup(test_lazy, setup),
		cmocka_unit_test_setup(test_other_cpu, setup),
		cmocka_unit_test_setup(test_start_elsewhere, setup),
		cmocka_unit_test_setup(test_near, setup),
		cmocka_unit_test_setup(test_storm, setup),
		cmocka_unit_test_setup(test_pause, setup),
		cmocka_unit_test_setup(test_short_pause, setup),
		cmocka_unit_test_setup(test_no_pause, setup),
		cmocka_unit_test_setup(test_exit, setup),
		cmocka_unit_test_setup(test_exit_beside, setup),
		cmocka_unit_test_setup(test_reset, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
