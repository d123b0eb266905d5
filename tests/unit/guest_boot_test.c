/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where guests come from: the descriptions of the boot with their numbers and
 * refusals, what is on record of each start, which modules are kept; and those
 * that are created at run time, of which nothing is left when they fail or end.
 */
#include "guesthost.h"

static void expect_log(const char *want)
{
	assert_string_equal(logged, want);
	logged[0] = '\0';
}

#define DIGEST                                                                 \
	"ab0000000000000000000000000000000000000000000000000000000000000c"

/* --- boot ----------------------------------------------------------------- */

/* On record before it runs, and in no instruction cache. */
static void test_start(void **state)
{
	struct describe_guest *g = add("linux", RESTART_NEVER);

	(void)state;
	g->nr_vcpus = 2;
	is_signed = true;
	assert_true(boots());
	expect("keys build1 load1 icache place0 place1 give1 start1 ");
	expect_log("d1 linux: verified, key \"dev\", version 9, sha256 " DIGEST
		   "|d1 linux: started, 2 vCPUs, 32 MiB|");
	assert_int_equal(nr_measured, 1);
	assert_int_equal(last_measured.domain, 1);
	assert_int_equal(last_measured.version, 9);
	assert_string_equal(last_measured.name, "linux");
	assert_string_equal(last_measured.key, "dev");
	assert_int_equal(last_measured.digest[0], 0xab);
	assert_int_equal(guests[1].started, now);
	assert_int_equal(guests[1].d->nr_starts, 1);
	assert_int_equal(guests[1].d->born_by, STOP_NONE);
	setup(NULL);
	add("linux", RESTART_NEVER);
	assert_true(boots());
	expect_log("! d1 linux: UNSIGNED, sha256 " DIGEST
		   "|d1 linux: started, 1 vCPU, 32 MiB|");
	assert_null(last_measured.key);
	assert_int_equal(last_measured.version, 0);
}

/* Who could leave the worker no time runs when all others are there. */
static void test_held(void **state)
{
	(void)state;
	add("a", RESTART_ALWAYS)->sched[0].budget_us = 10;
	add("b", RESTART_ALWAYS);
	add("c", RESTART_ALWAYS)->sched[0].budget_us = 10;
	add("d", RESTART_ALWAYS);
	reserved_ppm = 900001;
	assert_true(boots());
	expect("keys build1 load1 icache place0 build2 load2 icache place0 "
	       "give2 start2 build3 load3 icache place0 build4 load4 icache "
	       "place0 give4 start4 give1 start1 give3 start3 ");
	/* Not in a later life: the others run. */
	assert_int_equal(guest_restart(1), 0);
	leaves(&guests[1]);
	advance(now);
	assert_non_null(strstr(trace, "place0 give1 start1 "));
	setup(NULL);
	add("a", RESTART_ALWAYS)->sched[0].budget_us = 10;
	add("b", RESTART_ALWAYS);
	reserved_ppm = 900000;
	assert_true(boots());
	expect("keys build1 load1 icache place0 give1 start1 "
	       "build2 load2 icache place0 give2 start2 ");
	reserved_ppm = 0;
}

/* Any vCPU of it, but one that has a budget, and on the worker's CPU. */
static void test_held_vcpu(void **state)
{
	static const struct {
		unsigned int budgets; /* of which vCPUs; 0 and 4 are on CPU 0 */
		bool held;
	} table[] = {
		{0x00, false}, {0x01, true},  {0x02, false},
		{0x08, false}, {0x10, true},  {0x20, false},
		{0x12, true},  {0xee, false}, {0xff, true},
	};

	(void)state;
	reserved_ppm = 900001;
	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++) {
		struct describe_guest *g;

		setup(NULL);
		g = add("a", RESTART_ALWAYS);
		g->nr_vcpus = CONFIG_MAX_VCPUS;
		for (unsigned int n = 0; n < g->nr_vcpus; n++)
			g->sched[n].budget_us = table[i].budgets >> n & 1;
		add("b", RESTART_ALWAYS);
		assert_true(boots());
		assert_int_equal(strstr(trace, "start1") >
					 strstr(trace, "start2"),
				 table[i].held);
		in_phase(1, GUEST_LIVE);
	}
	reserved_ppm = 0;
}

static unsigned int what;

static void orders_held(struct domain *d)
{
	static int (*const give[])(unsigned int id) = {guest_destroy,
						       guest_restart};

	if (d->id != 2)
		return;
	assert_true(guests[1].held);
	assert_int_equal(guest_start(1), -EBUSY);
	assert_int_equal(give[what](1), 0);
}

static void start_all(void)
{
	guest_read(&machine);
	guest_start_all();
}

/* Once it runs the worker may have no time: it is carried out before. */
static void test_held_orders(void **state)
{
	static const enum stop_reason why[] = {STOP_DESTROY, STOP_RESTART};

	(void)state;
	reserved_ppm = 900001;
	for (what = 0; what < ARRAY_SIZE(why); what++) {
		setup(NULL);
		add("a", RESTART_ALWAYS)->sched[0].budget_us = 10;
		add("b", RESTART_ALWAYS);
		add("c", RESTART_ALWAYS)->sched[0].budget_us = 10;
		on_load = orders_held;
		assert_true(returns(start_all));
		in_phase(1, GUEST_LIVE);
		assert_true(domain_is_stopping(guests[1].d));
		assert_int_equal(guests[1].d->stop_reason, why[what]);
		assert_false(domain_is_stopping(guests[3].d));
		forget();
		leaves(&guests[1]);
		advance(now + SECOND);
		in_phase(1, what ? GUEST_LIVE : GUEST_DOWN);
		in_phase(3, GUEST_LIVE);
		assert_true(has_logged(what ? "d1 a: restarted|"
					    : "d1 a: destroyed|"));
		assert_int_equal(guests[1].nr_starts, 1 + what);
		assert_int_equal(guests[1].order, ORDER_NONE);
	}
	reserved_ppm = 0;
}

/* Numbers are by the order of the tree; the refused keep theirs. */
static void test_refused(void **state)
{
	(void)state;
	add("a", RESTART_ALWAYS);
	add("b", RESTART_ALWAYS);
	add("c", RESTART_ALWAYS);
	add("d", RESTART_ALWAYS);
	bad[0] = "a: memory: missing";
	overlaps[2] = true;
	assert_true(boots());
	expect("keys build2 load2 icache place0 give2 start2 "
	       "build4 load4 icache place0 give4 start4 ");
	assert_true(has_logged("! refused: a: memory: missing|"
			       "! refused: c: reg: module overlaps another "
			       "guest's|"));
	for (unsigned int i = 1; i <= 3; i += 2) {
		in_phase(i, GUEST_DOWN);
		assert_int_equal(guests[i].reason, STOP_REFUSED);
		/* Its image is not there, or another one's. */
		assert_int_equal(guest_start(i), -EACCES);
		assert_int_equal(guest_restart(i), -EACCES);
		assert_int_equal(guest_destroy(i), -EALREADY);
	}
	in_phase(5, GUEST_NONE);
}

/* What fails takes nothing from the next one; memory may be found later. */
static void test_fails(void **state)
{
	static const struct {
		int *err, val;
		bool is_kept;
	} table[] = {
		{&open_err, -EACCES, false},  {&open_err, -ENOMEM, true},
		{&build_err, -EINVAL, false}, {&build_err, -ENOMEM, true},
		{&load_err, -EINVAL, false},  {&load_err, -ENOMEM, true},
		{&build_err, -ENOSPC, true},
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++) {
		setup(NULL);
		add("a", RESTART_ALWAYS);
		add("b", RESTART_ALWAYS);
		bad_id = 1;
		*table[i].err = table[i].val;
		assert_true(boots());
		in_phase(1, GUEST_DOWN);
		in_phase(2, GUEST_LIVE);
		assert_int_equal(nr_alive, 1);
		assert_int_equal(nr_open, 0);
		assert_int_equal(nr_freed, 1);
		assert_int_equal(guests[1].reason, STOP_REFUSED);
		assert_int_equal(kept[0], table[i].is_kept);
		assert_true(kept[1]);
		/* What was given back is never looked at again. */
		*table[i].err = 0;
		assert_int_equal(guest_start(1), table[i].is_kept ? 0 : -EACCES);
		assert_int_equal(guest_restart(1),
				 table[i].is_kept ? 0 : -EACCES);
		work_all();
		in_phase(1, table[i].is_kept ? GUEST_LIVE : GUEST_DOWN);
	}
}

static void start_first(struct domain *d)
{
	on_load = NULL;
	assert_int_equal(guest_start(2), -EBUSY); /* it will be */
	assert_int_equal(guest_restart(2), 0);
}

/* Ordered to start when nobody knew yet that it cannot. */
static void test_fails_with_order(void **state)
{
	(void)state;
	add("a", RESTART_ALWAYS);
	add("b", RESTART_ALWAYS);
	on_load = start_first;
	open_err = -EACCES;
	bad_id = 2;
	assert_true(boots());
	in_phase(2, GUEST_DOWN);
	assert_int_equal(guests[2].order, ORDER_NONE);
}

/* Modules of those that may start again, and of those that come later. */
static void test_kept(void **state)
{
	(void)state;
	add("never", RESTART_NEVER);
	add("crash", RESTART_ON_CRASH);
	add("later", RESTART_NEVER)->later = 1;
	add("always", RESTART_ALWAYS);
	assert_true(boots());
	assert_false(kept[0]);
	assert_true(kept[1] && kept[2] && kept[3]);
	assert_int_equal(nr_kept, 3);
	assert_int_equal(nr_freed, 1);
	/* Those for later have no number. */
	assert_string_equal(guests[3].desc.name, "always");
	in_phase(4, GUEST_NONE);
}

static void test_later(void **state)
{
	(void)state;
	add("a", RESTART_NEVER)->later = 1;
	add("b", RESTART_NEVER)->later = 1;
	bad[1] = "b: cpus: missing";
	assert_true(boots());
	expect_log("! refused: b: cpus: missing|");
	expect("keys ");
	in_phase(1, GUEST_NONE);
	assert_true(kept[0]);
	assert_false(kept[1]);
	/* None that could ever come is none. */
	setup(NULL);
	add("b", RESTART_NEVER)->later = 1;
	bad[0] = "b: cpus: missing";
	assert_false(boots());
	expect_log("! refused: b: cpus: missing|"
		   "boot: chosen: no guest to start|");
}

static void test_dies(void **state)
{
	char name[16];

	(void)state;
	assert_false(boots());
	expect_log("boot: chosen: no guest to start|");
	setup(NULL);
	add("a", RESTART_ALWAYS);
	open_err = -EACCES;
	assert_false(boots());
	expect_log("boot: chosen: no guest to start|");
	setup(NULL);
	bad_chosen = true;
	assert_false(boots());
	expect_log("boot: chosen: bad|");
	/* As many as there are slots, and one more; any number for later. */
	for (unsigned int more = 0; more < 2; more++) {
		setup(NULL);
		add("later", RESTART_NEVER)->later = 1;
		for (unsigned int i = 0; i < CONFIG_MAX_DOMAINS + more; i++) {
			snprintf(name, sizeof(name), "g%u", i);
			add(name, RESTART_NEVER);
		}
		add("too", RESTART_NEVER)->later = 1;
		assert_int_equal(boots(), !more);
	}
	expect_log("boot: chosen: more than 16 xen,domain nodes|");
}

static void cancel(struct domain *d)
{
	assert_int_equal(guest_destroy(d->id), 0);
}

/* By order, not for what the description says: the board lives on, or not. */
static void test_cancelled(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		setup(NULL);
		all_off = i ? ALL_OFF_POWEROFF : ALL_OFF_STAY;
		add("a", RESTART_ON_CRASH);
		on_load = cancel;
		assert_int_equal(boots(), !i);
		assert_string_equal(logged, "d1 a: destroyed|"
					    "= all guests are off|");
		in_phase(1, GUEST_DOWN);
		assert_int_equal(nr_alive | nr_open, 0);
		if (i)
			continue;
		/* It was good so far: it may be started. */
		assert_true(kept[0]);
		on_load = NULL;
		assert_int_equal(guest_start(1), 0);
		work_all();
		in_phase(1, GUEST_LIVE);
	}
	/* Beside another one nothing is off. */
	setup(NULL);
	add("a", RESTART_NEVER);
	add("b", RESTART_NEVER);
	bad[0] = "bad";
	on_load = NULL;
	assert_true(boots());
	assert_false(has_logged("all guests are off"));
}

/* --- creation ------------------------------------------------------------- */

static struct dt_node node_of(const char *name)
{
	return (struct dt_node){.name = names[number_of(name)]};
}

/* One that lives since the boot, in slot 1, and descriptions for later. */
static void boot_with_later(void)
{
	add("web", RESTART_ON_CRASH);
	add("vm", RESTART_ON_CRASH)->later = 1;
	add("other", RESTART_NEVER)->later = 1;
	assert_true(boots());
	forget();
}

static int create(const char *name, struct describe_error *err)
{
	struct dt_node node = node_of(name);

	return guest_create(&node, err);
}

static void test_create(void **state)
{
	struct describe_error err;

	(void)state;
	boot_with_later();
	assert_int_equal(create("vm", &err), 2);
	in_phase(2, GUEST_LIVE);
	assert_true(guests[2].created);
	expect("build2 load2 icache place0 give2 start2 ");
	assert_int_equal(create("vm", &err), 3);
	/* It starts again as others do, in its slot. */
	ends(&guests[2], STOP_CRASH);
	in_phase(2, GUEST_WAITING);
	advance(now);
	in_phase(2, GUEST_LIVE);
	assert_int_equal(guests[2].nr_starts, 2);
	/* Down, the slot is free; in which nothing is of the one before. */
	ends(&guests[2], STOP_OFF);
	in_phase(2, GUEST_NONE);
	assert_int_equal(guest_start(2), -ENOENT);
	assert_int_equal(guest_restart(2), -ENOENT);
	assert_int_equal(guest_destroy(2), -ENOENT);
	assert_int_equal(create("other", &err), 2);
	assert_int_equal(guests[2].nr_starts, 1);
	assert_int_equal(guests[2].d->born_by, STOP_NONE);
	assert_int_equal(guests[2].nr_crashes | guests[2].nr_quick, 0);
	ends(&guests[2], STOP_DESTROY);
	ends(&guests[3], STOP_OFF);
	ends(&guests[1], STOP_OFF);
	assert_int_equal(nr_alive, 0);
	in_phase(1, GUEST_DOWN);
	assert_true(has_logged("all guests are off|"));
}

/* An order that came too late for the one before is not this one's. */
static void test_create_orders(void **state)
{
	struct describe_error err;

	(void)state;
	boot_with_later();
	assert_int_equal(create("vm", &err), 2);
	on_free = cancel;
	ends(&guests[2], STOP_OFF);
	in_phase(2, GUEST_NONE);
	on_free = NULL;
	/* Given, and not yet looked at. */
	guests[2].order = ORDER_DESTROY;
	kick(&guests[2]);
	assert_int_equal(create("vm", &err), 2);
	work_all();
	in_phase(2, GUEST_LIVE);
	assert_false(domain_is_stopping(guests[2].d));
	/* Left down after its last crash it is gone as well. */
	for (unsigned int i = 0; i < 6; i++) {
		ends(&guests[2], STOP_CRASH);
		advance(now + 10 * SECOND);
	}
	in_phase(2, GUEST_NONE);
	assert_true(has_logged("left down: 6 crashes"));
}

static void test_create_refused(void **state)
{
	struct describe_error err;
	unsigned int gone;

	(void)state;
	boot_with_later();
	gone = number_of("other");
	bad[gone] = "other: memory: missing";
	assert_int_equal(create("other", &err), -EINVAL);
	assert_string_equal(err.text, bad[gone]);
	expect_log("! refused: other: memory: missing|");
	bad[gone] = NULL;
	module_gone[gone] = true;
	assert_int_equal(create("other", &err), -ENOENT);
	assert_string_equal(err.text, "other: reg: no such module in memory");
	expect_log("! refused: other: reg: no such module in memory|");
	in_phase(2, GUEST_NONE);
	for (unsigned int i = 2; i <= CONFIG_MAX_DOMAINS; i++)
		assert_int_equal(create("vm", &err), i);
	forget();
	assert_int_equal(create("vm", &err), -ENOSPC);
	assert_string_equal(err.text, "vm: there are 16 guests already");
	expect_log("! refused: vm: there are 16 guests already|");
	expect("");
	/* What is worse is said first: it would not help to make room. */
	module_gone[gone] = true;
	assert_int_equal(create("other", &err), -ENOENT);
}

/* Whatever it fails with, its slot is free and nothing of it is there. */
static void test_create_fails(void **state)
{
	static int *const errs[] = {&open_err, &build_err, &load_err};
	struct describe_error err;

	(void)state;
	boot_with_later();
	for (unsigned int i = 0; i < ARRAY_SIZE(errs); i++) {
		*errs[i] = -ENOSPC;
		assert_int_equal(create("vm", &err), -ENOSPC);
		*errs[i] = 0;
		in_phase(2, GUEST_NONE);
		assert_int_equal(nr_alive, 1);
		assert_int_equal(nr_open, 0);
		assert_int_equal(guest_start(2), -ENOENT);
	}
	forget();
	on_load = cancel;
	assert_int_equal(create("vm", &err), -ECANCELED);
	in_phase(2, GUEST_NONE);
	assert_string_equal(logged, "d2 vm: destroyed|");
	work_all();
	in_phase(1, GUEST_LIVE);
	assert_int_equal(nr_alive, 1);
	assert_int_equal(nr_measured, 1);
}

/* --- by name, in the background ------------------------------------------- */

static void test_create_later(void **state)
{
	char long_name[] = "a-name-that-has-31-characters-x and more";

	(void)state;
	boot_with_later();
	assert_int_equal(guest_create_later("vm"), 0);
	/* Nothing happens here; one at a time. */
	in_phase(2, GUEST_NONE);
	assert_int_equal(guest_create_later("other"), -EBUSY);
	work_all();
	in_phase(2, GUEST_LIVE);
	assert_string_equal(guests[2].desc.name, "vm");
	in_phase(3, GUEST_NONE);
	assert_int_equal(guest_create_later("other"), 0);
	work_all();
	assert_string_equal(guests[3].desc.name, "other");
	forget();
	/* Those of the boot are none, nor are parts of names. */
	for (unsigned int i = 0; i < 3; i++) {
		static const char *const wrong[] = {"web", "v", "vmm"};
		char want[128];

		assert_int_equal(guest_create_later(wrong[i]), 0);
		work_all();
		snprintf(want, sizeof(want),
			 "! refused: %s: no such description with "
			 "skerry,start = \"later\"|",
			 wrong[i]);
		expect_log(want);
	}
	assert_int_equal(guest_create_later(long_name), 0);
	work_all();
	assert_true(has_logged("refused: a-name-that-has-31-characters-x: no "));
	in_phase(4, GUEST_NONE);
}

/* A bad one of the name is passed over, and what fails leaves no trace. */
static void test_create_later_fails(void **state)
{
	(void)state;
	boot_with_later();
	bad[number_of("vm")] = "vm: bad";
	assert_int_equal(guest_create_later("vm"), 0);
	work_all();
	assert_true(has_logged("refused: vm: no such description"));
	bad[number_of("vm")] = NULL;
	build_err = -ENOMEM;
	assert_int_equal(guest_create_later("vm"), 0);
	work_all();
	in_phase(2, GUEST_NONE);
	assert_false(has_logged("all guests are off"));
	/* Busy no more. */
	build_err = 0;
	assert_int_equal(guest_create_later("vm"), 0);
	work_all();
	in_phase(2, GUEST_LIVE);
}

/* The last one of all that could not be. */
static void test_create_last(void **state)
{
	(void)state;
	all_off = ALL_OFF_REBOOT;
	add("vm", RESTART_NEVER)->later = 1;
	assert_true(boots());
	forget();
	/* A mistake in a name turns nothing off. */
	assert_int_equal(guest_create_later("vn"), 0);
	assert_true(returns(work_all));
	assert_false(has_logged("all guests are off"));
	build_err = -ENOMEM;
	assert_int_equal(guest_create_later("vm"), 0);
	assert_false(returns(work_all));
	assert_true(has_logged("all guests are off|"));
	assert_non_null(strstr(trace, "flush reboot "));
}

static void destroy_second(struct domain *d)
{
	if (d->id == 1)
		assert_int_equal(guest_destroy(2), 0);
}

/* Before it is its turn. */
static void test_destroyed_before(void **state)
{
	(void)state;
	add("a", RESTART_NEVER);
	add("b", RESTART_NEVER);
	on_load = destroy_second;
	assert_true(boots());
	work_all();
	in_phase(1, GUEST_LIVE);
	in_phase(2, GUEST_DOWN);
	assert_int_equal(guests[2].nr_starts, 0);
	assert_true(has_logged("d2 b: destroyed|"));
}

/* Its image is kept for the description. */
static void test_created_restarts(void **state)
{
	(void)state;
	boot_with_later();
	assert_int_equal(guest_create_later("other"), 0);
	work_all();
	in_phase(2, GUEST_LIVE);
	assert_int_equal(guests[2].desc.restart, RESTART_NEVER);
	assert_int_equal(guest_restart(2), 0);
	leaves(&guests[2]);
	advance(now);
	in_phase(2, GUEST_LIVE);
	assert_int_equal(guests[2].nr_starts, 2);
}

/* Nothing is off while one is to be made, and is then if it cannot be. */
static void test_create_meanwhile(void **state)
{
	(void)state;
	all_off = ALL_OFF_REBOOT;
	add("a", RESTART_NEVER);
	add("vm", RESTART_NEVER)->later = 1;
	assert_true(boots());
	forget();
	domain_stop(guests[1].d, STOP_OFF);
	leaves(&guests[1]);
	assert_int_equal(guest_create_later("vn"), 0);
	assert_false(returns(work_all));
	assert_non_null(strstr(logged, "no such description"));
	assert_true(strstr(logged, "all guests are off") >
		    strstr(logged, "no such description"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_start, setup),
		cmocka_unit_test_setup(test_held, setup),
		cmocka_unit_test_setup(test_held_vcpu, setup),
		cmocka_unit_test_setup(test_held_orders, setup),
		cmocka_unit_test_setup(test_refused, setup),
		cmocka_unit_test_setup(test_fails, setup),
		cmocka_unit_test_setup(test_fails_with_order, setup),
		cmocka_unit_test_setup(test_kept, setup),
		cmocka_unit_test_setup(test_later, setup),
		cmocka_unit_test_setup(test_dies, setup),
		cmocka_unit_test_setup(test_cancelled, setup),
		cmocka_unit_test_setup(test_create, setup),
		cmocka_unit_test_setup(test_create_orders, setup),
		cmocka_unit_test_setup(test_create_refused, setup),
		cmocka_unit_test_setup(test_create_fails, setup),
		cmocka_unit_test_setup(test_create_later, setup),
		cmocka_unit_test_setup(test_create_later_fails, setup),
		cmocka_unit_test_setup(test_create_last, setup),
		cmocka_unit_test_setup(test_create_meanwhile, setup),
		cmocka_unit_test_setup(test_destroyed_before, setup),
		cmocka_unit_test_setup(test_created_restarts, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
