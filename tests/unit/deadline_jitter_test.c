/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No wake comes exactly a period after the last one: EL2 was at something else
 * when the timer was due, or the device was late. A vCPU that uses nearly all
 * of its budget in each period has it nevertheless, and pays no toll.
 */
#include "deadlinehost.h"

#define JOBS 3000

/* Each job: woken up to `jitter` late, it runs for `work`, and waits. */
static void check_jobs(const struct sched_params *p, u64 work, u64 jitter)
{
	unsigned int seed = 7;
	u64 begin, from, end;

	sched_set(&vcpus[1], p);
	now += SEC;
	begin = now;
	start(0);
	for (u64 n = 0; n < JOBS; n++) {
		now = begin + n * US(p->period_us);
		now += (u64)rand_r(&seed) % (jitter + 1);
		from = now;
		wake(1);
		runs();
		end = vcpus[1].sched.ran + work;
		while (ran(1) < end)
			passes(end - vcpus[1].sched.ran);
		assert_true(now <= from + US(p->deadline_us));
		assert_ptr_equal(cpus[0].current, &vcpus[1]);
		done();
	}
	assert_int_equal(vcpus[1].sched.nr_missed, 0);
	/* What it had of one budget and of the next is no overrun. */
	assert_int_equal(vcpus[1].sched.nr_exhausted, 0);
}

static void jitter(u32 deadline_us, bool beside, u64 room, u64 most)
{
	struct sched_params p = params(0, 0, 1);

	if (beside)
		server(5, 1, 10, 100);
	p.budget_us = 300;
	p.deadline_us = deadline_us;
	server_toll = US(5);
	check_jobs(&p, US(300) - room, most);
}

static void test_implicit(void **state)
{
	(void)state;
	jitter(1000, false, US(1) / 10, US(1) / 2);
	setup(NULL);
	jitter(1000, false, US(1) / 10, US(20));
	setup(NULL);
	jitter(1000, false, US(1) / 10, US(60));
}

/* What it has left goes first: the rest of the budget is there by then. */
static void test_constrained(void **state)
{
	(void)state;
	jitter(500, false, US(1), US(1) / 2);
	setup(NULL);
	jitter(310, false, US(1), US(1) / 2);
	setup(NULL);
	jitter(500, false, US(25), US(20));
}

static void test_beside_constrained(void **state)
{
	(void)state;
	jitter(1000, true, US(1), US(1) / 2);
	setup(NULL);
	jitter(1000, true, US(25), US(20));
}

/* One wake in each period is free, a little early or not; not more. */
static void test_rate(void **state)
{
	u64 begin, paid = 0, all = 0;

	(void)state;
	server(1, 4, 8, 8);
	server_toll = US(5);
	now += SEC;
	begin = now;
	start(0);
	wake(0);
	while (now < begin + 800 * MS) {
		wake(1);
		all++;
		paid += of(1)->paid;
		assert_int_equal(runs(), 1);
		assert_int_equal(of(1)->left + (s64)of(1)->spent, 4 * MS);
		now += MS / 16;
		done();
		now += MS / 3;
	}
	assert_true(all > 1500);
	assert_in_range(all - paid, 99, 101);
}

/* All a little early, that many in so long: 5 us each is all it gains. */
static void rate_early(u64 early)
{
	u64 begin, nr_free = 0;

	server(1, 4, 8, 8);
	server_toll = US(5);
	now += SEC;
	begin = now;
	start(0);
	for (unsigned int i = 0; i < 300; i++) {
		u64 at = now;

		wake(1);
		if (!of(1)->paid)
			assert_true(nr_free++ * (8 * MS - US(5)) <=
				    at - begin + MS / 2);
		assert_int_equal(runs(), 1);
		now += US(100);
		done();
		now = at + 8 * MS - early;
	}
	assert_true(nr_free > 140);
}
static void test_rate_early(void **state)
{
	static const u64 us[] = {0,  1,	 4,   5,   6,	7,  10,
				 20, 40, 100, 499, 500, 501};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(us); i++) {
		setup(NULL);
		rate_early(US(us[i]));
	}
}

/* One wake that EL2 saw late does not make those after it early. */
static void test_late_once(void **state)
{
	(void)state;
	server(1, 4, 8, 8);
	server_toll = US(5);
	now += SEC;
	start(0);
	for (unsigned int i = 0; i < 10; i++) {
		u64 due = now;

		now += i == 3 ? US(5) : i == 6 ? US(6) : 0;
		wake(1);
		assert_int_equal(runs(), 1);
		assert_false(of(1)->paid);
		/* More than that is early by what a wake may be, and counted. */
		assert_int_equal(!!of(1)->free, i > 6);
		now += MS;
		done();
		now = due + 8 * MS;
	}
}

/* A payment is for that wake only. */
static void test_paid_once(void **state)
{
	(void)state;
	server(0, 5, 20, 20);
	server(1, 4, 8, 8);
	server_toll = US(5);
	now += SEC;
	wake(1);
	runs();
	now += US(1);
	done();
	/* It pays, but preempts nobody. */
	now += US(1);
	wake(1);
	assert_true(of(1)->paid);
	runs();
	assert_false(of(1)->paid);
	now += US(1);
	done();
	now += 50 * MS;
	wake(0);
	runs();
	now += MS;
	wake(1);
	assert_int_equal(runs(), 1);
	assert_int_equal(of(0)->left, 4 * MS);
	assert_int_equal(of(1)->left, 4 * MS);
}

/* Each part of a budget that returns is another change of vCPUs. */
static void test_returns_pay(void **state)
{
	u64 begin, had;

	(void)state;
	server(0, 50, 100, 100);
	server(1, 4, 5, 10);
	server_toll = US(5);
	now += SEC;
	begin = now;
	start(0);
	wake(0);
	for (unsigned int i = 0; i < 4; i++) {
		wake(1);
		assert_int_equal(runs(), 1);
		now += MS - US(10);
		assert_int_equal(done(), 0);
		now += MS;
	}
	wake(1);
	runs();
	passes(begin + 10 * MS - now);
	/* From now on it never waits; its parts stay apart. */
	had = of(0)->left + (s64)(vcpus[0].sched.ran);
	passes(50 * MS);
	assert_true(of(1)->nr_refills >= 2);
	assert_true(of(0)->left + (s64)ran(0) - had > (s64)(10 * US(5)));
}

/* Nor is there another one for a new life, or for other parameters. */
static void test_lives(void **state)
{
	struct sched_params p = params(3, 10, 10);
	u64 from;

	(void)state;
	server(1, 3, 10, 10);
	now += SEC;
	start(0);
	wake(1);
	runs();
	now += 3 * MS - 1;
	done();
	from = sched_budget_from(&vcpus[1]);
	assert_int_equal(from, now + 7 * MS + 1);
	list_del(&vcpus[1].sched.placed);
	memset(&vcpus[1].sched, 0, sizeof(vcpus[1].sched));
	sched_place(&vcpus[1], 0, &p, from);
	wake(1);
	assert_int_equal(runs(), 0);
	passes(7 * MS);
	assert_int_equal(runs(), 0);
	passes(1);
	assert_int_equal(runs(), 1);
	assert_int_equal(deadline_of(1), from + 10 * MS);
	done();
	/* What it has overrun is of the next budget. */
	now += SEC;
	wake(1);
	runs();
	now += 4 * MS;
	sched_set(&vcpus[1], &p);
	assert_int_equal(runs(), 0);
	passes(6 * MS);
	assert_int_equal(runs(), 1);
	assert_int_equal(of(1)->left, 2 * MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_implicit, setup),
		cmocka_unit_test_setup(test_constrained, setup),
		cmocka_unit_test_setup(test_beside_constrained, setup),
		cmocka_unit_test_setup(test_rate, setup),
		cmocka_unit_test_setup(test_rate_early, setup),
		cmocka_unit_test_setup(test_late_once, setup),
		cmocka_unit_test_setup(test_paid_once, setup),
		cmocka_unit_test_setup(test_returns_pay, setup),
		cmocka_unit_test_setup(test_lives, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
