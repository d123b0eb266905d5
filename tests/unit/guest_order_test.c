/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orders to start, restart and destroy a guest: in each phase, from another CPU
 * while the worker is at it, one over the other, and where they are refused.
 */
#include "guesthost.h"

enum { START, RESTART, DESTROY, NR_ORDERS };
static int (*const give[])(unsigned int id) = {guest_start, guest_restart,
					       guest_destroy};

/* What another CPU orders within load_guest(), build_stop() or build_free(). */
static unsigned int first_order, then_order;
static int want_err;

static void gives_first(struct domain *d)
{
	on_load = NULL;
	assert_int_equal(give[first_order](d->id), want_err);
}
static void gives_then(struct domain *d)
{
	on_stop = NULL;
	assert_int_equal(give[then_order](d->id), 0);
}

static void orders(unsigned int what, unsigned int id, int err)
{
	assert_int_equal(give[what](id), err);
}

static bool is_stopping(const struct guest *g, enum stop_reason why)
{
	return domain_is_stopping(g->d) && g->d->stop_reason == why;
}

/* Nobody has such a number. */
static void test_none(void **state)
{
	static const unsigned int ids[] = {
		0, 2, CONFIG_MAX_DOMAINS, CONFIG_MAX_DOMAINS + 1, 1000000, ~0U};

	(void)state;
	boot_one(RESTART_ALWAYS);
	for (unsigned int i = 0; i < ARRAY_SIZE(ids); i++)
		for (unsigned int what = 0; what < NR_ORDERS; what++)
			orders(what, ids[i], -ENOENT);
	assert_int_equal(nr_queued, 0);
}

static struct guest *down(enum restart restart)
{
	struct guest *g = boot_one(restart);

	ends(g, STOP_OFF);
	in_phase(1, GUEST_DOWN);
	forget();
	return g;
}

static void test_down(void **state)
{
	(void)state;
	for (unsigned int what = START; what <= RESTART; what++) {
		struct guest *g = down(RESTART_ON_CRASH);

		orders(what, 1, 0);
		/* Any number of times is once. */
		orders(what, 1, 0);
		work_all();
		in_phase(1, GUEST_LIVE);
		expect("build1 load1 icache place0 give1 start1 ");
		assert_int_equal(g->nr_starts, 2);
		assert_int_equal(g->d->born_by, STOP_OFF);
		assert_int_equal(g->order, ORDER_NONE);
	}
	down(RESTART_ON_CRASH);
	orders(DESTROY, 1, -EALREADY);
	work_all();
	in_phase(1, GUEST_DOWN);
	/* Its image was given back. */
	down(RESTART_NEVER);
	orders(START, 1, -EACCES);
	orders(RESTART, 1, -EACCES);
	work_all();
	in_phase(1, GUEST_DOWN);
	expect("");
}

/* Ordered to start and, before it has begun to, not to. */
static void test_down_both(void **state)
{
	struct guest *g = down(RESTART_ON_CRASH);

	(void)state;
	orders(START, 1, 0);
	orders(DESTROY, 1, 0);
	work_all();
	in_phase(1, GUEST_DOWN);
	assert_int_equal(g->order, ORDER_NONE);
	expect("flush leave1 ");
	orders(DESTROY, 1, -EALREADY);
}

static void test_live(void **state)
{
	struct guest *g = boot_one(RESTART_ON_CRASH);

	(void)state;
	orders(START, 1, -EBUSY);
	orders(RESTART, 1, 0);
	/* At once, not when the worker has time. */
	assert_true(is_stopping(g, STOP_RESTART));
	work_all();
	in_phase(1, GUEST_LIVE);
	expect("");
	leaves(g);
	advance(now);
	in_phase(1, GUEST_LIVE);
	assert_int_equal(g->d->born_by, STOP_RESTART);
	assert_true(has_logged("d1 web: restarted|d1 web: starts again|"));
	forget();
	orders(DESTROY, 1, 0);
	assert_true(is_stopping(g, STOP_DESTROY));
	leaves(g);
	advance(now + SECOND);
	in_phase(1, GUEST_DOWN);
	assert_int_equal(g->reason, STOP_DESTROY);
	assert_true(has_logged("d1 web: destroyed|= all guests are off|"));
	/* Whatever its policy says: down it is. */
	g = boot_one(RESTART_ALWAYS);
	orders(DESTROY, 1, 0);
	leaves(g);
	advance(now + 60 * SECOND);
	in_phase(1, GUEST_DOWN);
	g = boot_one(RESTART_NEVER);
	orders(RESTART, 1, -EACCES);
	assert_false(domain_is_stopping(g->d));
	orders(DESTROY, 1, 0);
	assert_true(is_stopping(g, STOP_DESTROY));
}

/* The last one counts, though the first has stopped it. */
static void test_live_both(void **state)
{
	struct guest *g = boot_one(RESTART_ON_CRASH);

	(void)state;
	orders(DESTROY, 1, 0);
	orders(RESTART, 1, 0);
	leaves(g);
	advance(now);
	in_phase(1, GUEST_LIVE);
	assert_int_equal(g->d->born_by, STOP_DESTROY);
	orders(RESTART, 1, 0);
	orders(DESTROY, 1, 0);
	leaves(g);
	advance(now + SECOND);
	in_phase(1, GUEST_DOWN);
	/* What it is, not what it was to be. */
	assert_int_equal(g->reason, STOP_DESTROY);
	assert_true(has_logged("d1 web: destroyed|"));
}

/* Its own end was first: an order says only what comes then. */
static void test_ending(void **state)
{
	static const struct {
		enum restart restart;
		unsigned int what;
		enum guest_phase then;
	} table[] = {
		{RESTART_ALWAYS, DESTROY, GUEST_DOWN},
		{RESTART_ON_CRASH, RESTART, GUEST_LIVE},
		{RESTART_NEVER, DESTROY, GUEST_DOWN},
	};

	(void)state;
	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(table); i++) {
		struct guest *g = boot_one(table[i / 2].restart);

		drained_at = now + 3 * MS;
		domain_stop(g->d, STOP_OFF);
		/* As it is stopped, and as its last output is written. */
		if (i % 2)
			orders(table[i / 2].what, 1, 0);
		leaves(g);
		work_all();
		in_phase(1, GUEST_ENDING);
		if (!(i % 2)) {
			orders(START, 1, -EBUSY);
			orders(table[i / 2].what, 1, 0);
			work_all();
			in_phase(1, GUEST_ENDING);
		}
		advance(now + SECOND);
		in_phase(1, table[i / 2].then);
		assert_int_equal(g->reason, STOP_OFF);
		assert_true(has_logged("d1 web: off|"));
		assert_int_equal(g->order, ORDER_NONE);
	}
}

/* While its memory is scrubbed, and while it is given back. */
static void test_torn_down(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		struct guest *g = boot_one(RESTART_ON_CRASH);

		first_order = i % 2 ? RESTART : DESTROY;
		want_err = 0;
		*(i < 2 ? &on_stop : &on_free) = gives_first;
		ends(g, STOP_OFF);
		on_stop = on_free = NULL;
		advance(now);
		in_phase(1, i % 2 ? GUEST_LIVE : GUEST_DOWN);
		assert_int_equal(g->order, ORDER_NONE);
		/* And of one that would have started: not by itself. */
		g = boot_one(RESTART_ALWAYS);
		on_stop = gives_first;
		ends(g, STOP_RESET);
		on_stop = NULL;
		advance(now);
		in_phase(1, i % 2 ? GUEST_LIVE : GUEST_DOWN);
	}
}

static void test_waiting(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct guest *g = boot_one(RESTART_ON_CRASH);

		ends(g, STOP_CRASH);
		advance(now);
		ends(g, STOP_CRASH);
		in_phase(1, GUEST_WAITING);
		forget();
		orders(START, 1, -EBUSY);
		orders(i ? DESTROY : RESTART, 1, 0);
		work_all();
		in_phase(1, i ? GUEST_DOWN : GUEST_LIVE);
		assert_int_equal(next_timer(), NEVER);
		if (!i) {
			expect("rebuild1 load1 icache place0 give1 start1 ");
			continue;
		}
		expect("free1 flush leave1 ");
		assert_string_equal(logged,
				    "d1 web: destroyed|= all guests are off|");
		assert_int_equal(g->reason, STOP_DESTROY);
	}
}

/* --- while it is built ---------------------------------------------------- */

/* What is under way cannot be hurried; ordered down it is not finished. */
static void test_building(void **state)
{
	(void)state;
	for (first_order = 0; first_order < NR_ORDERS; first_order++) {
		struct guest *g = down(RESTART_ON_CRASH);
		bool cancels = first_order == DESTROY;

		want_err = first_order == START ? -EBUSY : 0;
		on_load = gives_first;
		orders(START, 1, 0);
		work_all();
		on_load = NULL;
		in_phase(1, cancels ? GUEST_DOWN : GUEST_LIVE);
		assert_int_equal(g->order, ORDER_NONE);
		assert_int_equal(g->nr_starts, cancels ? 1 : 2);
		assert_int_equal(nr_open, 0);
		if (!cancels) {
			assert_false(domain_is_stopping(g->d));
			continue;
		}
		expect("build1 load1 stop1 free1 flush leave1 ");
		assert_string_equal(logged,
				    "d1 web: destroyed|= all guests are off|");
		assert_int_equal(g->reason, STOP_DESTROY);
		assert_int_equal(nr_measured, 1);
	}
	/* A restart is no order there for one that may not. */
	setup(NULL);
	add("web", RESTART_NEVER);
	first_order = RESTART;
	want_err = -EACCES;
	on_load = gives_first;
	assert_true(boots());
	in_phase(1, GUEST_LIVE);
}

/* Cancelled, and wanted again before that has been done. */
static void test_building_both(void **state)
{
	struct guest *g = down(RESTART_ON_CRASH);

	(void)state;
	first_order = DESTROY;
	then_order = RESTART;
	want_err = 0;
	on_load = gives_first;
	on_stop = gives_then;
	orders(START, 1, 0);
	work_all();
	assert_true(has_logged("d1 web: destroyed|"));
	in_phase(1, GUEST_LIVE);
	assert_int_equal(g->order, ORDER_NONE);
	/* Refused and ordered meanwhile to start again: it is tried again. */
	g = down(RESTART_ON_CRASH);
	first_order = RESTART;
	on_load = gives_first;
	load_err = -EINVAL;
	want_err = 0;
	orders(START, 1, 0);
	on_stop = gives_then;
	then_order = DESTROY;
	work_all();
	in_phase(1, GUEST_DOWN);
	assert_int_equal(g->order, ORDER_NONE);
	assert_int_equal(nr_alive, 0);
}

/* Of the last moment: it is found by nobody yet, but was loaded. */
static void start_then_destroy(struct domain *d)
{
	/* As give_order() of a CPU that has looked into domains[] before. */
	__atomic_store_n(&guests[d->id].order, ORDER_DESTROY, __ATOMIC_RELEASE);
	kick(&guests[d->id]);
}

static void test_too_late(void **state)
{
	struct guest *g = boot_one(RESTART_ALWAYS);

	(void)state;
	start_then_destroy(g->d);
	assert_false(domain_is_stopping(g->d));
	work_all();
	assert_true(is_stopping(g, STOP_DESTROY));
	leaves(g);
	advance(now);
	in_phase(1, GUEST_DOWN);
	g = boot_one(RESTART_ALWAYS);
	g->order = ORDER_RESTART;
	kick(g);
	work_all();
	assert_true(is_stopping(g, STOP_RESTART));
	leaves(g);
	advance(now);
	in_phase(1, GUEST_LIVE);
	/* To start is what it has done. */
	g->order = ORDER_START;
	kick(g);
	work_all();
	assert_int_equal(g->order, ORDER_NONE);
	assert_false(domain_is_stopping(g->d));
}

/* While the boot is at another one. */
static void orders_second(struct domain *d)
{
	if (d->id == 1)
		assert_int_equal(give[first_order](2), want_err);
}

static void test_at_boot(void **state)
{
	(void)state;
	for (first_order = 0; first_order < NR_ORDERS; first_order++) {
		setup(NULL);
		add("a", RESTART_NEVER);
		add("b", RESTART_ALWAYS);
		/* It waits for its turn. */
		want_err = first_order == START ? -EBUSY : 0;
		on_load = orders_second;
		assert_true(boots());
		work_all();
		if (first_order == DESTROY) {
			in_phase(2, GUEST_DOWN);
			assert_int_equal(guests[2].nr_starts, 0);
			continue;
		}
		/* Once. */
		in_phase(2, GUEST_LIVE);
		assert_int_equal(guests[2].nr_starts, 1);
		assert_int_equal(guests[2].order, ORDER_NONE);
		assert_false(domain_is_stopping(guests[2].d));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_none, setup),
		cmocka_unit_test_setup(test_down, setup),
		cmocka_unit_test_setup(test_down_both, setup),
		cmocka_unit_test_setup(test_live, setup),
		cmocka_unit_test_setup(test_live_both, setup),
		cmocka_unit_test_setup(test_ending, setup),
		cmocka_unit_test_setup(test_torn_down, setup),
		cmocka_unit_test_setup(test_waiting, setup),
		cmocka_unit_test_setup(test_building, setup),
		cmocka_unit_test_setup(test_building_both, setup),
		cmocka_unit_test_setup(test_too_late, setup),
		cmocka_unit_test_setup(test_at_boot, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
