/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens when a life ends: each policy with each reason, how long it
 * waits, when it stays down; the last output of a guest; and the end of all.
 * guest_order_test.c has orders, guest_boot_test.c the boot and creation.
 */
#include "guesthost.h"

/* What comes of a life's end: nothing, or another one at once. */
static void test_policy(void **state)
{
	static const struct {
		enum restart restart;
		enum stop_reason why;
		bool again;
		const char *log;
	} table[] = {
		{RESTART_NEVER, STOP_OFF, false, "d1 web: off|"},
		{RESTART_NEVER, STOP_RESET, false, "d1 web: reset|"},
		{RESTART_NEVER, STOP_CRASH, false, ""},
		{RESTART_NEVER, STOP_WATCHDOG, false, ""},
		{RESTART_ON_CRASH, STOP_OFF, false, "d1 web: off|"},
		{RESTART_ON_CRASH, STOP_RESET, true, "d1 web: reset|"},
		{RESTART_ON_CRASH, STOP_CRASH, true, ""},
		{RESTART_ON_CRASH, STOP_WATCHDOG, true, ""},
		{RESTART_ALWAYS, STOP_OFF, true, "d1 web: off|"},
		{RESTART_ALWAYS, STOP_RESET, true, "d1 web: reset|"},
		{RESTART_ALWAYS, STOP_CRASH, true, ""},
		{RESTART_ALWAYS, STOP_WATCHDOG, true, ""},
		/* Its order has been taken for an older one. */
		{RESTART_ALWAYS, STOP_DESTROY, false, "d1 web: destroyed|"},
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++) {
		struct guest *g = boot_one(table[i].restart);
		char want[256];

		ends(g, table[i].why);
		snprintf(want, sizeof(want), "d1 web: ran 0 us|%s%s",
			 table[i].log,
			 table[i].again ? "d1 web: starts again|"
					: "= all guests are off|");
		assert_string_equal(logged, want);
		assert_int_equal(g->reason, table[i].why);
		assert_false(g->gave_up);
		if (!table[i].again) {
			in_phase(1, GUEST_DOWN);
			assert_int_equal(next_timer(), NEVER);
			assert_int_equal(nr_alive, 0);
			continue;
		}
		in_phase(1, GUEST_WAITING);
		assert_int_equal(next_timer(), now);
		advance(now);
		in_phase(1, GUEST_LIVE);
		assert_int_equal(g->nr_starts, 2);
		assert_int_equal(g->d->nr_starts, 2);
		assert_int_equal(g->d->born_by, table[i].why);
	}
}

/* Everything in its order, and nothing before all others have let go. */
static void test_end(void **state)
{
	struct guest *g = boot_one(RESTART_ON_CRASH);

	(void)state;
	ends(g, STOP_RESET);
	expect("end1 sync stop1 ");
	advance(now);
	expect("rebuild1 load1 icache place0 give1 start1 ");
	ends(g, STOP_OFF);
	expect("end1 sync stop1 free1 flush leave1 ");
	/* One that is left before the others' vCPUs is not torn down. */
	g = boot_one(RESTART_NEVER);
	domain_stop(g->d, STOP_OFF);
	g->d->nr_inside = 1;
	kick(g);
	work_all();
	in_phase(1, GUEST_LIVE);
	expect("");
	leaves(g);
	work_all();
	in_phase(1, GUEST_DOWN);
}

/* How its vCPUs fared, added up. */
static void test_report(void **state)
{
	struct guest *g;

	(void)state;
	setup(NULL);
	add("web", RESTART_NEVER)->nr_vcpus = 3;
	assert_true(boots());
	g = &guests[1];
	for (unsigned int i = 0; i < 3; i++) {
		struct sched_vcpu *s = &g->d->vcpus[i]->sched;

		s->ran = i * 3600UL * SECOND + 10;
		s->worst_wake = 4 - i;
		g->d->vcpus[i]->wakes[i] = 3;
		g->d->vcpus[i]->wakes[2]++;
	}
	forget();
	ends(g, STOP_OFF);
	assert_string_equal(logged,
			    "d1 web: ran 10800000030 us|"
			    "d1 web: woken 12 times, at worst in 4000 ns: "
			    "3 within 2000 ns, 3 within 4000 ns, "
			    "6 within 8000 ns|"
			    "d1 web: off|= all guests are off|");
}

/* All numbers of a line of wake-ups, each of them whole. */
static unsigned int read_wakes(const char *line, unsigned int n, u64 want)
{
	const char *at = strstr(line, ": ");

	for (; at; at = strstr(at, ", "), n++) {
		u64 nr, ns;
		int len;

		at += 2;
		assert_int_equal(sscanf(at, "%lu within %lu ns%n", &nr, &ns,
					&len),
				 2);
		assert_true(at[len] == ',' || !at[len]);
		assert_int_equal(nr, want);
		/* As long as 64 bits hold it. */
		if (n < 53)
			assert_int_equal(ns, 2000UL << n);
	}
	return n;
}

/* On as many lines as it takes, none of which the console cuts. */
static void test_report_all(void **state)
{
	static const char head[] = "d1 a-name-that-has-31-characters-x: woken";
	static const u64 counts[] = {1, 100000, ~0UL};

	(void)state;
	for (unsigned int k = 0; k < ARRAY_SIZE(counts); k++) {
		unsigned int n = 0, nr_heads = 0;

		setup(NULL);
		add(head + 3, RESTART_NEVER);
		assert_true(boots());
		guests[1].d->vcpus[0]->sched.worst_wake = 1UL << 53;
		for (unsigned int i = 0; i < SCHED_WAKES; i++)
			guests[1].d->vcpus[0]->wakes[i] = counts[k];
		forget();
		ends(&guests[1], STOP_OFF);
		for (char *s = strtok(logged, "|"); s; s = strtok(NULL, "|")) {
			u64 nr, ns;

			assert_true(strlen(s) < CONSOLE_LINE);
			if (strncmp(s, head, strlen(head)))
				continue;
			s += strlen(head);
			if (sscanf(s, " %lu times, at worst in %lu ns", &nr,
				   &ns) == 2) {
				/* Of all, and once. */
				assert_int_equal(n | nr_heads++, 0);
				assert_int_equal(nr, SCHED_WAKES * counts[k]);
				assert_int_equal(ns, 1000UL << 53);
			}
			n = read_wakes(s, n, counts[k]);
		}
		assert_int_equal(nr_heads, 1);
		assert_int_equal(n, SCHED_WAKES);
	}
}

/* Of a crash the vCPU that did; of a watchdog's those that ran, or should. */
static void test_dump(void **state)
{
	struct guest *g;

	(void)state;
	for (unsigned int why = STOP_OFF; why <= STOP_RESTART; why++) {
		setup(NULL);
		add("web", RESTART_NEVER)->nr_vcpus = 3;
		assert_true(boots());
		g = &guests[1];
		g->d->vcpus[0]->state = g->d->vcpus[2]->state = VCPU_ON;
		g->d->crashed = g->d->vcpus[1];
		forget();
		ends(g, why);
		expect(why == STOP_CRASH
			       ? "end1 dump1! sync stop1 free1 flush leave1 "
		       : why == STOP_WATCHDOG
			       ? "end1 dump0 dump2 sync stop1 free1 flush leave1 "
			       : "end1 sync stop1 free1 flush leave1 ");
	}
}

/* --- delays and limits ---------------------------------------------------- */

/* It ends at once, and starts again after exactly so long. */
static void again_after(struct guest *g, enum stop_reason why, u64 delay)
{
	forget();
	ends(g, why);
	in_phase(1, GUEST_WAITING);
	assert_int_equal(g->until, now + delay);
	assert_true(has_logged(delay ? "web: starts again, after a while|"
				     : "web: starts again|"));
	if (delay) {
		advance(now + delay - 1);
		in_phase(1, GUEST_WAITING);
		/* Nobody else's event makes it sooner. */
		kick(g);
		work_all();
		in_phase(1, GUEST_WAITING);
		advance(now + 1);
	} else {
		advance(now);
	}
	in_phase(1, GUEST_LIVE);
}

static void test_delays(void **state)
{
	static const u64 delays[] = {0,	   100,	 200,	400,   800,   1600,
				     3200, 6400, 10000, 10000, 10000, 10000};
	struct guest *g = boot_one(RESTART_ALWAYS);

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(delays); i++)
		again_after(g, i % 2 ? STOP_RESET : STOP_OFF, delays[i] * MS);
	/* However often. */
	for (unsigned int i = 0; i < 100; i++)
		again_after(g, STOP_RESET, 10 * SECOND);
	assert_int_equal(g->nr_starts, 1 + ARRAY_SIZE(delays) + 100);
}

/* The sixth crash in a row is the last; a watchdog's end is one, too. */
static void test_limit(void **state)
{
	static const enum restart with[] = {RESTART_ON_CRASH, RESTART_ALWAYS};
	static const u64 delays[] = {0, 100, 200, 400, 800};

	(void)state;
	for (unsigned int k = 0; k < 4; k++) {
		struct guest *g = boot_one(with[k / 2]);
		enum stop_reason odd = k % 2 ? STOP_WATCHDOG : STOP_CRASH;

		for (unsigned int i = 0; i < ARRAY_SIZE(delays); i++)
			again_after(g, i % 2 ? odd : STOP_CRASH, delays[i] * MS);
		forget();
		ends(g, odd);
		in_phase(1, GUEST_DOWN);
		assert_true(g->gave_up);
		assert_int_equal(g->nr_crashes, 6);
		assert_int_equal(g->reason, odd);
		assert_true(has_logged("!! d1 web: left down: 6 crashes in a "
				       "row, each within 60 s of its start|"));
		assert_int_equal(next_timer(), NEVER);
		/* By order it starts, and has all its chances again. */
		assert_int_equal(guest_start(1), 0);
		work_all();
		in_phase(1, GUEST_LIVE);
		assert_false(g->gave_up);
		for (unsigned int i = 0; i < ARRAY_SIZE(delays); i++)
			again_after(g, STOP_CRASH, delays[i] * MS);
		ends(g, STOP_CRASH);
		in_phase(1, GUEST_DOWN);
	}
}

/* Resets wait as well, but are no crashes. */
static void test_mixed(void **state)
{
	static const u64 delays[] = {0,	   100,	 200,  400,  800,
				     1600, 3200, 6400, 10000};
	struct guest *g = boot_one(RESTART_ON_CRASH);

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(delays); i++) {
		again_after(g, i % 2 ? STOP_CRASH : STOP_RESET, delays[i] * MS);
		assert_int_equal(g->nr_crashes, (i + 1) / 2);
	}
	again_after(g, STOP_CRASH, 10 * SECOND);
	ends(g, STOP_CRASH);
	in_phase(1, GUEST_DOWN);
	assert_true(g->gave_up);
}

/* A life of 60 s makes up for all before; one tick less does not. */
static void test_stable(void **state)
{
	struct guest *g = boot_one(RESTART_ON_CRASH);

	(void)state;
	for (unsigned int round = 0; round < 3; round++) {
		again_after(g, STOP_CRASH, 0);
		again_after(g, STOP_CRASH, 100 * MS);
		advance(now + 60 * SECOND);
	}
	assert_int_equal(g->nr_crashes, 2);
	again_after(g, STOP_CRASH, 0);
	advance(now + 60 * SECOND - 1);
	again_after(g, STOP_CRASH, 100 * MS);
	assert_int_equal(g->nr_crashes, 2);
}

/* Each kind of order does, too. */
static void test_order_resets(void **state)
{
	struct guest *g = boot_one(RESTART_ALWAYS);

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		again_after(g, STOP_CRASH, 0);
		again_after(g, STOP_CRASH, 100 * MS);
		again_after(g, STOP_RESET, 200 * MS);
		assert_int_equal(guest_restart(1), 0);
		leaves(g);
		advance(now);
		in_phase(1, GUEST_LIVE);
		assert_int_equal(g->nr_quick | g->nr_crashes, 0);
	}
	again_after(g, STOP_CRASH, 0);
	assert_int_equal(guest_destroy(1), 0);
	leaves(g);
	work_all();
	in_phase(1, GUEST_DOWN);
	assert_int_equal(guest_start(1), 0);
	work_all();
	again_after(g, STOP_CRASH, 0);
}

/* An order while it waits: whatever the count was. */
static void test_order_while_waiting(void **state)
{
	struct guest *g = boot_one(RESTART_ALWAYS);

	(void)state;
	again_after(g, STOP_CRASH, 0);
	again_after(g, STOP_CRASH, 100 * MS);
	ends(g, STOP_CRASH);
	in_phase(1, GUEST_WAITING);
	assert_int_equal(g->nr_crashes, 3);
	assert_int_equal(guest_restart(1), 0);
	work_all();
	in_phase(1, GUEST_LIVE);
	assert_int_equal(g->nr_quick | g->nr_crashes, 0);
	again_after(g, STOP_CRASH, 0);
}

static void take_two_seconds(struct domain *d)
{
	now += 2 * SECOND;
}

/* Who is dear to start again does not have more than a tenth of the worker. */
static void test_cost(void **state)
{
	struct guest *g = boot_one(RESTART_ALWAYS);

	(void)state;
	on_load = take_two_seconds;
	again_after(g, STOP_RESET, 0);
	assert_int_equal(g->cost, 2 * SECOND);
	on_load = NULL;
	now = g->started;
	again_after(g, STOP_RESET, 18 * SECOND);
	/* By its last start, which took no time. */
	assert_int_equal(g->cost, 0);
	again_after(g, STOP_RESET, 200 * MS);
}

/* Its memory is not there any more, or its image does not verify again. */
static void test_refused_later(void **state)
{
	static const struct {
		int *err;
		const char *did;
	} table[] = {
		{&open_err, "free1 flush leave1 "},
		{&build_err, "rebuild1 free1 flush leave1 "},
		{&load_err, "rebuild1 load1 stop1 free1 flush leave1 "},
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++) {
		struct guest *g = boot_one(RESTART_ALWAYS);

		ends(g, STOP_OFF);
		*table[i].err = -EINVAL;
		forget();
		advance(now);
		expect(table[i].did);
		in_phase(1, GUEST_DOWN);
		assert_int_equal(g->reason, STOP_REFUSED);
		assert_int_equal(nr_alive | nr_open, 0);
		assert_int_equal(next_timer(), NEVER);
		assert_true(has_logged("all guests are off|"));
		/* It may be tried again. */
		*table[i].err = 0;
		assert_int_equal(guest_start(1), 0);
		work_all();
		in_phase(1, GUEST_LIVE);
		assert_int_equal(g->nr_starts, 2);
		assert_int_equal(g->d->born_by, STOP_REFUSED);
	}
}

/* --- its last output ------------------------------------------------------ */

/* Looked after every 5 ms until it is out. */
static void test_drain(void **state)
{
	struct guest *g = boot_one(RESTART_NEVER);

	(void)state;
	drained_at = now + 12 * MS;
	ends(g, STOP_OFF);
	expect("end1 ");
	for (unsigned int i = 1; i <= 3; i++) {
		in_phase(1, GUEST_ENDING);
		assert_int_equal(next_timer(), now + 5 * MS);
		/* No other event ends it sooner, nor is it told twice. */
		kick(g);
		advance(now + 5 * MS);
	}
	expect("sync stop1 free1 flush leave1 ");
	in_phase(1, GUEST_DOWN);
}

/* On a line that does not move it is not waited for for ever. */
static void test_drain_limit(void **state)
{
	struct guest *g = boot_one(RESTART_NEVER);

	(void)state;
	drained_at = NEVER;
	ends(g, STOP_CRASH);
	advance(now + 1000 * MS - 1);
	in_phase(1, GUEST_ENDING);
	expect("end1 ");
	advance(now + 1);
	in_phase(1, GUEST_DOWN);
	expect("dump0! sync stop1 free1 flush leave1 ");
}

/* --- all off -------------------------------------------------------------- */

static void test_all_off(void **state)
{
	static const struct {
		enum when_all_off how;
		const char *did;
	} ways[] = {
		{ALL_OFF_POWEROFF, "end1 sync stop1 free1 flush poweroff "},
		{ALL_OFF_REBOOT, "end1 sync stop1 free1 flush reboot "},
		{ALL_OFF_STAY, "end1 sync stop1 free1 flush leave1 "},
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++) {
		setup(NULL);
		all_off = ways[i].how;
		add("web", RESTART_NEVER);
		assert_true(boots());
		assert_int_equal(guest_when_all_off, ways[i].how);
		forget();
		domain_stop(guests[1].d, STOP_OFF);
		leaves(&guests[1]);
		assert_int_equal(returns(work_all), ways[i].how == ALL_OFF_STAY);
		expect(ways[i].did);
		assert_true(has_logged("d1 web: off|= all guests are off|"));
	}
}

/* Another one in any slot and phase but down keeps the board on. */
static void test_others(void **state)
{
	static const unsigned int slots[] = {2, CONFIG_MAX_DOMAINS};

	(void)state;
	for (unsigned int s = 0; s < ARRAY_SIZE(slots); s++)
		for (unsigned int phase = GUEST_NONE; phase <= GUEST_WAITING;
		     phase++) {
			struct guest *g = boot_one(RESTART_NEVER);
			bool keeps = phase > GUEST_DOWN;

			guests[slots[s]].phase = phase;
			ends(g, STOP_OFF);
			assert_int_equal(has_logged("all guests are off"),
					 !keeps);
			expect(keeps ? "end1 sync stop1 free1 leave1 "
				     : "end1 sync stop1 free1 flush leave1 ");
		}
}

/* One that is ordered to start is as good as on; refused, all are off then. */
static void test_off_with_orders(void **state)
{
	(void)state;
	for (unsigned int fails = 0; fails < 2; fails++) {
		setup(NULL);
		all_off = ALL_OFF_POWEROFF;
		add("a", RESTART_NEVER);
		add("b", RESTART_ON_CRASH);
		assert_true(boots());
		ends(&guests[2], STOP_OFF);
		forget();
		domain_stop(guests[1].d, STOP_OFF);
		leaves(&guests[1]);
		assert_int_equal(guest_start(2), 0);
		build_err = fails ? -ENOMEM : 0;
		assert_int_equal(returns(work_all), !fails);
		if (!fails) {
			expect("end1 sync stop1 free1 leave1 build2 load2 "
			       "icache place0 give2 start2 ");
			assert_false(has_logged("all guests are off"));
			continue;
		}
		assert_true(has_logged("all guests are off"));
		expect("end1 sync stop1 free1 leave1 build2 free2 flush "
		       "poweroff ");
	}
}

static void orders_destroy(struct domain *d)
{
	assert_int_equal(guest_destroy(d->id), 0);
}

/* Ordered down once more while it goes: that keeps no board on. */
static void test_off_with_own_order(void **state)
{
	struct guest *g = boot_one(RESTART_NEVER);

	(void)state;
	on_free = orders_destroy;
	ends(g, STOP_OFF);
	in_phase(1, GUEST_DOWN);
	assert_true(has_logged("all guests are off|"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_policy, setup),
		cmocka_unit_test_setup(test_end, setup),
		cmocka_unit_test_setup(test_report, setup),
		cmocka_unit_test_setup(test_report_all, setup),
		cmocka_unit_test_setup(test_dump, setup),
		cmocka_unit_test_setup(test_delays, setup),
		cmocka_unit_test_setup(test_limit, setup),
		cmocka_unit_test_setup(test_mixed, setup),
		cmocka_unit_test_setup(test_stable, setup),
		cmocka_unit_test_setup(test_order_resets, setup),
		cmocka_unit_test_setup(test_order_while_waiting, setup),
		cmocka_unit_test_setup(test_cost, setup),
		cmocka_unit_test_setup(test_refused_later, setup),
		cmocka_unit_test_setup(test_drain, setup),
		cmocka_unit_test_setup(test_drain_limit, setup),
		cmocka_unit_test_setup(test_all_off, setup),
		cmocka_unit_test_setup(test_others, setup),
		cmocka_unit_test_setup(test_off_with_orders, setup),
		cmocka_unit_test_setup(test_off_with_own_order, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
