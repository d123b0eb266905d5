/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of vCPUs' parameters: in each phase of a guest, refused, and while
 * others order it to end, to start again, or its slot becomes another's.
 */
#include "guesthost.h"

#include "../../kernel/params.c"

static const u32 k = ADMIT_KEEP;
static int place_err;
static unsigned int nr_asked;
static void (*on_place)(void);

/* What it would have by then. */
int place_again(unsigned int id)
{
	nr_asked++;
	if (on_place)
		on_place();
	return place_err;
}
void sched_set(struct vcpu *v, const struct sched_params *p)
{
	const struct guest *g = &guests[v->domain->id];

	assert_true(domain_is_live(v->domain));
	assert_int_equal(g->phase, GUEST_LIVE);
	assert_ptr_equal(p, &g->desc.sched[v->id]);
	note("set%u=%u/%u", v->id, p->budget_us, p->period_us);
}

static int params_setup(void **state)
{
	memset(&change, 0, sizeof(change));
	place_err = 0;
	nr_asked = 0;
	on_place = NULL;
	return setup(state);
}

static int orders(unsigned int vcpu, u32 budget, u32 period)
{
	struct sched_params to = {k, k, period, budget, k, k};

	return params_change(1, vcpu, &to);
}

static void has(unsigned int vcpu, u32 budget, u32 period)
{
	const struct sched_params *p = &guests[1].desc.sched[vcpu];

	assert_int_equal(p->budget_us, budget);
	assert_int_equal(p->period_us, period);
	assert_int_equal(p->deadline_us, period);
	assert_int_equal(p->weight, 256);
}

static struct guest *boot_two(enum restart restart)
{
	params_setup(NULL);
	add("web", restart)->nr_vcpus = 2;
	assert_true(boots());
	forget();
	return &guests[1];
}

static void test_live(void **state)
{
	struct guest *g = boot_two(RESTART_ALWAYS);

	(void)state;
	assert_int_equal(orders(1, 300, 1000), 0);
	/* By the worker, and nothing before. */
	has(1, 0, 0);
	expect("");
	work_all();
	has(0, 0, 0);
	has(1, 300, 1000);
	expect("set1=300/1000 ");
	assert_true(has_logged("= d1.1 web: deadline 300/1000 us|"));
	assert_false(has_logged("d1.0 web"));
	forget();
	assert_int_equal(orders(PARAMS_ALL_VCPUS, 100, k), 0);
	work_all();
	/* Of the first one there is no period: both stay. */
	assert_string_equal(logged, "= sched: not changed: web: vCPU 0: "
				    "skerry,period-us: missing|");
	has(0, 0, 0);
	has(1, 300, 1000);
	expect("");
	assert_int_equal(nr_asked, 1);
	assert_int_equal(orders(PARAMS_ALL_VCPUS, 100, 500), 0);
	work_all();
	expect("set0=100/500 set1=100/500 ");
	/* In the next life too. */
	ends(g, STOP_OFF);
	advance(now);
	in_phase(1, GUEST_LIVE);
	has(0, 100, 500);
	assert_int_equal(orders(0, 0, k), 0);
	forget();
	work_all();
	has(0, 0, 0);
	expect("set0=0/0 ");
	assert_string_equal(logged, "= d1.0 web: weight 256, slice 1000 us|");
}

/* What has been changed is told, also where it has no effect yet. */
static void test_no_extra(void **state)
{
	struct sched_params weight = {5, k, k, k, k, k},
			    slice = {k, 700, k, k, k, k},
			    extra = {6, k, k, k, k, 1};

	(void)state;
	boot_two(RESTART_NEVER);
	/* Of one without a budget it has. */
	assert_int_equal(params_change(1, 1, &weight), 0);
	work_all();
	assert_string_equal(logged, "= d1.1 web: weight 5, slice 1000 us|");
	forget();
	assert_int_equal(orders(0, 300, 1000), 0);
	work_all();
	assert_string_equal(logged, "= d1.0 web: deadline 300/1000 us|");
	forget();
	assert_int_equal(params_change(1, 0, &weight), 0);
	work_all();
	assert_string_equal(logged, "= d1.0 web: deadline 300/1000 us|"
				    "=   weight 5, slice 1000 us: of no effect "
				    "without extra=1|");
	forget();
	assert_int_equal(params_change(1, 0, &slice), 0);
	work_all();
	assert_true(has_logged("weight 5, slice 700 us: of no effect"));
	forget();
	assert_int_equal(params_change(1, 0, &extra), 0);
	work_all();
	assert_string_equal(logged, "= d1.0 web: deadline 300/1000 us, extra by "
				    "weight 6, slice 700 us|");
}

static void test_refused(void **state)
{
	(void)state;
	boot_two(RESTART_ALWAYS);
	place_err = -ENOSPC;
	assert_int_equal(orders(PARAMS_ALL_VCPUS, 900, 1000), 0);
	work_all();
	assert_int_equal(nr_asked, 1);
	has(0, 0, 0);
	has(1, 0, 0);
	expect("");
	/* place.c has told. */
	assert_string_equal(logged, "");
	place_err = 0;
	assert_int_equal(orders(0, 900, 1000), 0);
	work_all();
	has(0, 900, 1000);
}

/* While the worker gives way in the middle of one. */
static void orders_more(void)
{
	on_place = NULL;
	assert_int_equal(orders(1, 10, 100), -EBUSY);
	assert_int_equal(guest_destroy(1), 0);
}

static void test_busy(void **state)
{
	struct guest *g = boot_two(RESTART_ALWAYS);

	(void)state;
	assert_int_equal(orders(0, 300, 1000), 0);
	assert_int_equal(orders(1, 300, 1000), -EBUSY);
	work_all();
	has(1, 0, 0);
	expect("set0=300/1000 ");
	assert_int_equal(orders(1, 300, 1000), 0);
	on_place = orders_more;
	work_all();
	/* Its CPUs may have let go of it by then. */
	has(1, 300, 1000);
	assert_true(domain_is_stopping(g->d));
	expect("");
	assert_int_equal(orders(1, 400, 1000), 0);
	work_all();
	has(1, 400, 1000);
	expect("");
}

static void test_nobody(void **state)
{
	static const unsigned int ids[] = {0, 2, CONFIG_MAX_DOMAINS,
					   CONFIG_MAX_DOMAINS + 1, ~0U};
	struct sched_params to = {1, k, k, k, k, k};

	(void)state;
	boot_two(RESTART_NEVER);
	for (unsigned int i = 0; i < ARRAY_SIZE(ids); i++)
		assert_int_equal(params_change(ids[i], 0, &to), -ENOENT);
	assert_int_equal(params_change(1, 2, &to), -ENOENT);
	assert_int_equal(params_change(1, ~0U - 1, &to), -ENOENT);
	assert_int_equal(nr_queued, 0);
	/* In this life, its last one. */
	assert_int_equal(orders(0, 300, 1000), 0);
	ends(&guests[1], STOP_OFF);
	in_phase(1, GUEST_DOWN);
	assert_int_equal(orders(0, 400, 1000), -EACCES);
	assert_int_equal(nr_queued, 0);
	assert_int_equal(change.busy, 0);
}

/* What was refused at boot has any number of vCPUs. */
static void test_bad_description(void **state)
{
	(void)state;
	params_setup(NULL);
	add("bad", RESTART_ALWAYS)->nr_vcpus = 4000;
	bad[0] = "bad: cpus: 4000: must be 1 to 8";
	add("web", RESTART_ALWAYS);
	assert_true(boots());
	assert_int_equal(orders(3000, 10, 100), -EACCES);
	assert_int_equal(orders(PARAMS_ALL_VCPUS, 10, 100), -EACCES);
	assert_int_equal(nr_queued, 0);
}

/* It has its CPUs, but no vCPU that runs on them. */
static void test_waiting(void **state)
{
	struct guest *g = boot_two(RESTART_ALWAYS);

	(void)state;
	/* Twice in a row: after a while. */
	ends(g, STOP_OFF);
	advance(now);
	drained_at = now + 3 * MS;
	ends(g, STOP_OFF);
	in_phase(1, GUEST_ENDING);
	forget();
	assert_int_equal(orders(0, 300, 1000), 0);
	work_all();
	has(0, 300, 1000);
	expect("");
	advance(now + 10 * MS);
	in_phase(1, GUEST_WAITING);
	forget();
	assert_int_equal(orders(1, 300, 1000), 0);
	work_all();
	has(1, 300, 1000);
	expect("");
	assert_int_equal(nr_asked, 2);
	advance(now + 200 * MS);
	in_phase(1, GUEST_LIVE);
	has(0, 300, 1000);
	has(1, 300, 1000);
}

static void test_down(void **state)
{
	struct guest *g = boot_two(RESTART_ON_CRASH);

	(void)state;
	ends(g, STOP_OFF);
	in_phase(1, GUEST_DOWN);
	forget();
	assert_int_equal(orders(1, 300, 1000), 0);
	work_all();
	has(1, 300, 1000);
	expect("");
	assert_int_equal(guest_start(1), 0);
	work_all();
	in_phase(1, GUEST_LIVE);
	has(1, 300, 1000);
}

/* Before the worker sees it: each order that ends a life, or begins one. */
static void test_races(void **state)
{
	struct guest *g;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		g = boot_two(RESTART_ALWAYS);
		if (i % 2)
			assert_int_equal(orders(0, 300, 1000), 0);
		assert_int_equal(i < 2 ? guest_destroy(1) : guest_restart(1), 0);
		if (!(i % 2))
			assert_int_equal(orders(0, 300, 1000), 0);
		leaves(g);
		advance(now);
		in_phase(1, i < 2 ? GUEST_DOWN : GUEST_LIVE);
		has(0, 300, 1000);
		assert_null(strstr(trace, "set"));
		assert_false(change.busy);
	}
}

/* Another CPU orders it while the guest is built. */
static void orders_one(struct domain *d)
{
	on_load = NULL;
	assert_int_equal(guests[d->id].phase, GUEST_BUILDING);
	assert_int_equal(orders(0, 300, 1000), 0);
	/* Another life, or none, is being loaded from what it was. */
	has(0, 0, 0);
}

static void test_building(void **state)
{
	(void)state;
	params_setup(NULL);
	add("web", RESTART_ALWAYS)->nr_vcpus = 2;
	on_load = orders_one;
	assert_true(boots());
	in_phase(1, GUEST_LIVE);
	has(0, 300, 1000);
	assert_non_null(strstr(trace, "start1 set0=300/1000 "));
}

/* The slot has become empty, or somebody else's, or smaller. */
static void test_slot(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		struct describe_guest *now_there = &guests[1].desc;

		boot_two(RESTART_ALWAYS);
		assert_int_equal(orders(1, 300, 1000), 0);
		if (i == 0)
			guests[1].phase = GUEST_NONE;
		else if (i == 1)
			now_there->name[2] = 'x';
		else
			now_there->nr_vcpus = 1;
		work_all();
		has(1, 0, 0);
		assert_string_equal(logged, "= sched: not changed: web: it is "
					    "gone|");
		assert_int_equal(nr_asked, 0);
		assert_false(change.busy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_live, params_setup),
		cmocka_unit_test_setup(test_no_extra, params_setup),
		cmocka_unit_test_setup(test_refused, params_setup),
		cmocka_unit_test_setup(test_busy, params_setup),
		cmocka_unit_test_setup(test_nobody, params_setup),
		cmocka_unit_test_setup(test_bad_description, params_setup),
		cmocka_unit_test_setup(test_waiting, params_setup),
		cmocka_unit_test_setup(test_down, params_setup),
		cmocka_unit_test_setup(test_races, params_setup),
		cmocka_unit_test_setup(test_building, params_setup),
		cmocka_unit_test_setup(test_slot, params_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
