/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a deadline vCPU might have others pay for: the work that EL2 has with
 * its wakes, time that it has had alone, and a budget as a slice.
 */
#include "deadlinehost.h"

static void server_with_extra(unsigned int i, u32 budget, u32 deadline,
			      u32 period)
{
	struct sched_params p = params(budget, deadline, period);

	p.extra_time = 1;
	sched_set(&vcpus[i], &p);
}

static void test_toll(void **state)
{
	u64 toll = MS / 10, begin;

	(void)state;
	server(0, 3, 10, 10);
	server(1, 2, 5, 5);
	server_toll = toll;
	start(0);
	begin = now;
	/* One wake a period is free, and nothing is given for it. */
	wake(1);
	assert_int_equal(runs(), 1);
	assert_int_equal(of(1)->left, 2 * MS);
	now += toll / 10;
	assert_int_equal(done(), 0);
	assert_int_equal(of(0)->left, 3 * MS);
	/* Each further one is paid to whom it preempts. */
	for (unsigned int i = 1; i <= 5; i++) {
		now += toll / 2; /* EL2's work */
		wake(1);
		assert_int_equal(runs(), 1);
		/* The first of them begins anew: it had used little. */
		assert_int_equal(of(1)->left,
				 (s64)(2 * MS - i * toll - (i - 1) * toll / 10));
		/* No more than it has used. */
		assert_int_equal(of(0)->left, 3 * MS);
		assert_int_equal(of(0)->spent, 0);
		now += toll / 10;
		assert_int_equal(done(), 0);
	}
	now += 4 * toll;
	wake(1);
	runs();
	assert_int_equal(of(0)->left, (s64)(3 * MS - 3 * toll));
	done();
	/* So it runs out of budget, and not the other one. */
	for (unsigned int i = 0; i < 30; i++) {
		now += toll / 20;
		wake(1);
		if (runs() == 1) {
			now += toll / 20;
			done();
		}
	}
	assert_true(heap_has(&of(1)->deferred) || of(1)->left <= 0);
	assert_true(of(0)->left > (s64)(2 * MS));
	assert_true(now < begin + 5 * MS);
	/* Without a server to give it to it is lost. */
	server_toll = 0;
}

/* 1 is not kept from its 4 ms by what 0 did not use while it was alone. */
static void test_alone(void **state)
{
	u64 had;

	(void)state;
	server_with_extra(0, 5, 10, 20);
	server(1, 4, 5, 20);
	now += 100 * MS;
	start(0);
	now += 26 * MS;
	wake(1);
	assert_int_equal(runs(), 1);
	had = ran(1);
	passes(4 * MS - 10);
	assert_int_equal(ran(1) - had, 4 * MS - 10);
	assert_int_equal(done(), 0);
	assert_int_equal(vcpus[1].sched.nr_missed, 0);
}

/* The same with deadlines at the ends of the periods, at 100 %. */
static void test_alone_implicit(void **state)
{
	u64 begin, had;

	(void)state;
	server_with_extra(0, 5, 20, 20);
	server(1, 3, 4, 4);
	now += 100 * MS;
	start(0);
	now += 26 * MS;
	begin = now;
	for (unsigned int n = 0; n < 20; n++) {
		had = vcpus[1].sched.ran;
		passes(begin + n * 4 * MS - now);
		wake(1);
		runs();
		while (ran(1) - had < 3 * MS - 10)
			passes(3 * MS - 10 - (vcpus[1].sched.ran - had));
		assert_true(now <= begin + (n + 1) * 4 * MS);
		assert_ptr_equal(cpus[0].current, &vcpus[1]);
		done();
	}
	assert_int_equal(vcpus[1].sched.nr_missed, 0);
}

/* The rest of a budget of seconds is no slice. */
static void test_set_slice(void **state)
{
	(void)state;
	server(0, 5000, 10000, 10000);
	now += 20 * SEC;
	start(0);
	wake(1);
	wake(2);
	runs();
	now += MS;
	plain(0);
	runs();
	assert_true(vcpus[0].sched.left <= SLICE);
	passes(4 * SLICE);
	assert_true(ran(2) >= SLICE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_toll, setup),
		cmocka_unit_test_setup(test_alone, setup),
		cmocka_unit_test_setup(test_alone_implicit, setup),
		cmocka_unit_test_setup(test_set_slice, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
