/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a vCPU might have others pay for: the work that EL2 has with its wakes
 * and returns, time that it has had alone, and a budget as a slice.
 */
#include "deadlinehost.h"
#include <skerry/trace.h>

extern void (*host_trace)(enum trace_event e, const struct vcpu *v, u32 arg);

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

/* What returns meanwhile is used when it comes, as if EL2 had looked. */
static void test_alone_in_parts(void **state)
{
	u64 begin;

	(void)state;
	server_with_extra(0, 4, 10, 20);
	server(1, 4, 5, 20);
	now += 100 * MS;
	begin = now;
	start(0);
	now += MS;
	done();
	now = begin + 2 * MS;
	start(0);
	now = begin + 22 * MS;
	wake(1);
	assert_int_equal(runs(), 1);
	assert_int_equal(of(0)->left, 3 * MS);
	assert_int_equal(deadline_of(0), begin + 32 * MS);
	assert_int_equal(of(0)->nr_refills, 1);
	assert_int_equal(of(0)->refills[0].when, begin + 40 * MS);
	/* After many periods no more than one of them is gone through. */
	assert_int_equal(done(), 0);
	assert_int_equal(block(), -1);
	now += 100 * MS;
	start(0);
	begin = now;
	now += 3600 * SEC + 22 * MS;
	wake(1);
	assert_int_equal(runs(), 1);
	assert_int_equal(of(0)->left, 2 * MS);
	assert_int_equal(deadline_of(0), begin + 3600 * SEC + 30 * MS);
	/* None of the last one has come yet. */
	assert_int_equal(done(), 0);
	assert_int_equal(block(), -1);
	now += 100 * MS;
	start(0);
	begin = now;
	now += MS;
	done();
	now = begin + 2 * MS;
	start(0);
	now = begin + 3600 * SEC + 11 * MS / 2;
	wake(1);
	assert_int_equal(runs(), 1);
	assert_int_equal(of(0)->left, 0);
	assert_int_equal(of(0)->deferred.key, begin + 3600 * SEC + 20 * MS);
}

/*
 * 1 keeps its promise with wakes that are not exactly a period apart, and so
 * has its budget in time, also if it was alone for a part of that: it is used
 * from when it comes, or the part that comes last would be another return.
 */
static void test_alone_early(void **state)
{
	static const u64 at[] = {0, 713, 1423, 2131};
	u64 begin;

	(void)state;
	server_toll = US(5);
	sched_set(&vcpus[1], &(struct sched_params){
				     .weight = SCHED_WEIGHT,
				     .slice_us = 5000,
				     .budget_us = 475,
				     .deadline_us = 648,
				     .period_us = 715,
				     .extra_time = 1,
			     });
	sched_set(&vcpus[2], &(struct sched_params){
				     .weight = SCHED_WEIGHT,
				     .slice_us = 5000,
				     .budget_us = 7905,
				     .deadline_us = 74587,
				     .period_us = 90090,
			     });
	now += SEC;
	begin = now;
	for (unsigned int n = 0; n < ARRAY_SIZE(at); n++) {
		now = begin + US(at[n]);
		runs();
		wake(1);
		runs();
		for (u64 work = 0; work < US(475);) {
			work += cpus[0].current == &vcpus[1] ? US(1) / 2 : 0;
			now += US(1) / 2;
			if (n == 2 && now >= begin + US(1526))
				wake(2);
			if (work < US(475))
				runs();
		}
		assert_true(now <= begin + US(at[n] + 648));
		done();
		while (n < 3 && now < begin + US(at[n + 1])) {
			now += US(1) / 2;
			runs();
		}
	}
}

/* Nor is time on a budget, for a round-robin vCPU. */
static void test_set_plain(void **state)
{
	(void)state;
	server(1, 5, 10, 10);
	start(0);
	passes(100 * MS);
	wake(1);
	assert_int_equal(runs(), 1);
	now += MS;
	plain(1);
	assert_int_equal(vcpus[1].sched.vtime, vcpus[0].sched.vtime);
}

/* Another period has a free wake of its own. */
static void test_set_free(void **state)
{
	u64 begin;

	(void)state;
	server_toll = MS / 10;
	server(1, 4, 80, 80);
	now += SEC;
	begin = now;
	start(1);
	now += MS / 10;
	done();
	now += MS / 10;
	wake(1);
	assert_true(of(1)->paid);
	runs();
	done();
	/* Early, so that the next one is free a little after its period. */
	now = begin + 76 * MS;
	start(1);
	assert_false(of(1)->paid);
	assert_int_equal(of(1)->free, begin + 160 * MS);
	done();
	server(1, 4, 8, 8);
	now = begin + 156 * MS;
	start(1);
	assert_false(of(1)->paid);
	assert_int_equal(of(1)->left, 4 * MS);
}

/* TOLL_US and SLACK_US, as docs/scheduling.md has them. */
static void test_shipped(void **state)
{
	(void)state;
	host_tolls = true;
	setup(NULL);
	host_tolls = false;
	assert_int_equal(server_toll, 5 * SEC / 1000000);
	assert_int_equal(rr_slack, 2 * SEC / 1000000);
}

/* By weight: from who has woken and takes the CPU, to who has lost it. */
static void test_round_robin(void **state)
{
	u64 toll = MS / 10, by, prev;

	(void)state;
	server_toll = toll;
	vcpus[2].sched.vtime = SEC;
	set(0, SCHED_WEIGHT / 2, SLICE);
	set(1, SCHED_WEIGHT * 2, SLICE);
	server(2, 1, 10, 10);
	start(0);
	now += 2 * SLICE;
	wake(1);
	by = vcpus[1].sched.vtime;
	prev = vcpus[0].sched.vtime;
	assert_int_equal(runs(), 1);
	assert_int_equal(vcpus[1].sched.vtime, by + toll / 2);
	assert_int_equal(vcpus[0].sched.vtime, prev - toll * 2);
	/* A turn costs nothing, and a deadline pays by its budget. */
	vcpus[1].sched.vtime = prev;
	assert_int_equal(run(SLICE), 0);
	assert_int_equal(vcpus[1].sched.vtime, prev + SLICE / 2);
	assert_int_equal(vcpus[0].sched.vtime, prev - toll * 2);
	wake(2);
	assert_int_equal(runs(), 2);
	assert_int_equal(vcpus[0].sched.vtime, prev - toll * 2);
	assert_int_equal(vcpus[2].sched.vtime, SEC);
}

/* One free wake a period, also after periods without any. */
static void test_not_saved_up(void **state)
{
	(void)state;
	server_toll = MS / 10;
	server(1, 4, 8, 8);
	now += SEC;
	for (unsigned int i = 0; i < 4; i++) {
		for (unsigned int n = 0; n < 3; n++) {
			wake(1);
			assert_int_equal(of(1)->paid, n > 0);
			runs();
			now += MS / 100;
			done();
			/* The next one begins anew, and pays. */
			now += n ? 0 : 6 * MS;
		}
		now += 80 * MS;
	}
}

/* Without any of its budget it pays when that returns, and only then. */
static void test_empty(void **state)
{
	(void)state;
	server_toll = MS / 10;
	server(1, 2, 10, 10);
	now += SEC;
	start(1);
	assert_int_equal(run(2 * MS), -1);
	remote(sched_pause, 1);
	runs();
	remote(sched_resume, 1);
	assert_int_equal(runs(), -1);
	assert_int_equal(of(1)->left, 0);
	assert_int_equal(of(1)->refills[0].amount + of(1)->spent, 2 * MS);
	assert_false(of(1)->paid);
	assert_int_equal(run(8 * MS), 1);
	assert_int_equal(of(1)->left, 2 * MS);
}

/* A change is charged to who gets the CPU by it, whatever the kind. */
static void test_switch(void **state)
{
	u64 takes, begin;

	(void)state;
	server(1, 2, 10, 10);
	start(0);
	now += MS;
	begin = now;
	unload_takes = MS / 10;
	load_takes = MS / 5;
	takes = unload_takes + load_takes;
	wake(1);
	assert_int_equal(runs(), 1);
	assert_int_equal(now, begin + takes);
	assert_int_equal(hosts[0].armed, begin + 2 * MS);
	assert_int_equal(vcpus[0].sched.ran, MS);
	assert_int_equal(vcpus[0].sched.vtime, MS);
	now += MS;
	assert_int_equal(done(), 0);
	assert_int_equal(vcpus[1].sched.ran, MS + takes);
	assert_int_equal(of(1)->left, MS - takes);
	now += MS;
	wake(2);
	assert_int_equal(vcpus[0].sched.ran, 2 * MS + takes);
	assert_int_equal(vcpus[0].sched.vtime, 2 * MS + takes);
	/* Until the guest is entered. */
	assert_int_equal(runs(), 2);
	now += MS;
	assert_int_equal(block(), 0);
	assert_int_equal(vcpus[2].sched.ran, MS + takes);
}

/* Where a release is still to come, a wake does not bring it forward. */
static void test_release_to_come(void **state)
{
	u64 begin;

	(void)state;
	server(0, 5, 20, 20);
	server(1, 1, 2, 10);
	now += SEC;
	begin = now;
	start(0);
	assert_int_equal(run(5 * MS), -1);
	/* The last budget was for 20 ms: the first of the next comes then. */
	server(0, 5, 10, 10);
	assert_int_equal(sched_budget_from(&vcpus[0]), begin + 20 * MS);
	assert_true(of(0)->release > now);
	for (u64 at = 6; at < 20; at += 2) {
		remote(sched_pause, 0);
		runs();
		now = begin + at * MS;
		remote(sched_resume, 0);
		assert_int_equal(runs(), -1);
	}
	passes(begin + 20 * MS - now);
	assert_ptr_equal(cpus[0].current, &vcpus[0]);
	assert_int_equal(of(0)->left, 5 * MS);
}

/* Parts of half a ms each; the last wake is not over. */
static void wake_at(u64 begin, const u64 *at, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		now = begin + at[i] * MS / 10;
		wake(1);
		assert_int_equal(runs(), 1);
		now += MS / 2;
		if (i + 1 < nr)
			done();
	}
}

/* A sixteenth of 16 ms is close; without room the closest two are. */
static void test_close_parts(void **state)
{
	static const u64 close[] = {0, 10, 25},
			 many[] = {0, 20, 32, 50, 70, 90, 110, 130, 150};
	u64 begin;

	(void)state;
	server(1, 12, 16, 20);
	now += SEC;
	begin = now;
	wake_at(begin, close, ARRAY_SIZE(close));
	assert_int_equal(of(1)->nr_refills, 1);
	assert_int_equal(of(1)->refills[0].when, begin + 21 * MS);
	assert_int_equal(of(1)->refills[0].amount, MS);
	done();
	now += SEC;
	begin = now;
	wake_at(begin, many, ARRAY_SIZE(many));
	assert_int_equal(of(1)->nr_refills, SCHED_REFILLS - 1);
	assert_int_equal(of(1)->refills[0].when, begin + 20 * MS);
	assert_int_equal(of(1)->refills[0].amount, MS / 2);
	assert_int_equal(of(1)->refills[1].when, begin + 232 * MS / 10);
	assert_int_equal(of(1)->refills[1].amount, MS);
	assert_int_equal(of(1)->refills[2].when, begin + 25 * MS);
}

static unsigned int nr_returns, nr_at_once, most_at_once;
static u64 locked_at;

/* Each time that it has the lock the CPU reads the time, and once. */
static void count_returns(enum trace_event e, const struct vcpu *v, u32 arg)
{
	if (e != TRACE_REPLENISH)
		return;
	if (locked_at != nr_times_read)
		nr_at_once = 0;
	locked_at = nr_times_read;
	nr_returns++;
	most_at_once = max(most_at_once, ++nr_at_once);
}

/* However many return, others do not wait long for the lock. */
static void test_lock_hold(void **state)
{
	u64 begin = now;

	(void)state;
	for (unsigned int i = 0; i < 30; i++) {
		server(i, 1, 40, 40);
		wake(i);
	}
	runs();
	passes(40 * MS - 1);
	assert_int_equal(hosts[0].armed, begin + 40 * MS);
	nr_returns = most_at_once = 0;
	cpus[0].trace.on = 1;
	host_trace = count_returns;
	now++;
	assert_true(runs() >= 0);
	host_trace = NULL;
	cpus[0].trace.on = 0;
	assert_int_equal(nr_returns, 30);
	assert_int_equal(most_at_once, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_toll, setup),
		cmocka_unit_test_setup(test_alone, setup),
		cmocka_unit_test_setup(test_alone_implicit, setup),
		cmocka_unit_test_setup(test_set_slice, setup),
		cmocka_unit_test_setup(test_alone_in_parts, setup),
		cmocka_unit_test_setup(test_alone_early, setup),
		cmocka_unit_test_setup(test_set_plain, setup),
		cmocka_unit_test_setup(test_set_free, setup),
		cmocka_unit_test_setup(test_shipped, setup),
		cmocka_unit_test_setup(test_round_robin, setup),
		cmocka_unit_test_setup(test_not_saved_up, setup),
		cmocka_unit_test_setup(test_empty, setup),
		cmocka_unit_test_setup(test_switch, setup),
		cmocka_unit_test_setup(test_release_to_come, setup),
		cmocka_unit_test_setup(test_close_parts, setup),
		cmocka_unit_test_setup(test_lock_hold, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
