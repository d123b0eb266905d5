/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deadline vCPUs whose state or parameters change while they run, are queued,
 * deferred or wait: no books are broken, and no budget is doubled. Overrun is
 * a debt.
 */
#include "deadlinehost.h"

enum where {
	RUNNING,
	QUEUED, /* on its budget */
	DEFERRED,
	BEYOND, /* deferred, runs by weight */
	SHARES, /* the same, queued */
	WAITING,
	NR_WHERE,
};

/* 1, which has 3 of 10, in each of these; 1 ms of it has been used, or all. */
static void put_in(enum where where)
{
	setup(NULL);
	set(0, SCHED_WEIGHT, MS / 2);
	if (where == BEYOND || where == SHARES)
		extra(1, 3, 10, SCHED_WEIGHT);
	else
		server(1, 3, 10, 10);
	server(2, 1, 5, 5);
	start(0);
	wake(1);
	assert_int_equal(runs(), 1);
	now += MS;
	switch (where) {
	case QUEUED:
		wake(2);
		assert_int_equal(runs(), 2);
		break;
	case DEFERRED:
		assert_int_equal(run(2 * MS), 0);
		break;
	case SHARES:
	case BEYOND:
		assert_int_equal(run(2 * MS), 0);
		if (where == BEYOND)
			assert_int_equal(run(MS / 2), 1);
		assert_false(of(1)->active);
		break;
	case WAITING:
		assert_int_equal(done(), 0);
		break;
	default:
		cpus[0].sched.resched = 1;
		runs();
	}
	assert_int_equal(heap_has(&of(1)->deferred),
			 where >= DEFERRED && where <= SHARES);
}

static void test_pause(void **state)
{
	u64 was;

	(void)state;
	for (enum where i = 0; i < NR_WHERE; i++) {
		put_in(i);
		remote(sched_pause, 1);
		check_queue(0);
		was = vcpus[1].sched.ran;
		assert_true(runs() != 1);
		assert_false(heap_has(&of(1)->deferred));
		wake(1);
		passes(3 * MS);
		assert_int_equal(vcpus[1].sched.ran, was);
		remote(sched_resume, 1);
		check_queue(0);
		runs();
		/* What it has used by now is gone. */
		passes(10 * MS);
		if (!of(1)->extra)
			assert_in_range(vcpus[1].sched.ran, 3 * MS, 7 * MS);
		passes(30 * MS);
		assert_true(vcpus[1].sched.ran > was + 9 * MS);
	}
}

static void test_kill(void **state)
{
	(void)state;
	for (enum where i = 0; i < NR_WHERE; i++) {
		put_in(i);
		remote(stop, 1);
		check_queue(0);
		assert_true(runs() != 1);
		assert_int_equal(books[1].left, 1);
		wake(1);
		passes(40 * MS);
		assert_int_equal(books[1].left, 1);
		assert_true(cpus[0].current);
	}
	/* The last one with an early deadline is gone. */
	setup(NULL);
	server(1, 3, 5, 10);
	assert_int_equal(cpus[0].sched.nr_constrained, 1);
	remote(stop, 1);
	runs();
	assert_int_equal(cpus[0].sched.nr_constrained, 0);
}

/*
 * What the others may ask for is what was admitted with vCPU 3, which comes
 * back when it likes: also while it is between two lives. How late 1 is.
 */
static s64 late_beside_lives(bool two)
{
	struct sched_params p = params(4, 5, 20);
	u64 begin, end, from;

	setup(NULL);
	sched_reserve(0, 1);
	server(1, 4, 10, 10);
	server(2, 40, 100, 100);
	server(3, 4, 5, 20);
	passes(200 * MS);
	from = sched_budget_from(&vcpus[3]);
	if (two) {
		remote(stop, 3);
		runs();
	}
	begin = now;
	wake(2);
	assert_int_equal(runs(), 2);
	now += 36 * MS;
	assert_int_equal(done(), -1);
	passes(54 * MS);
	assert_int_equal(now, begin + 90 * MS);
	wake(2);
	if (two) {
		memset(&vcpus[3].sched, 0, sizeof(vcpus[3].sched));
		doms[3].state = DOMAIN_RUNNING;
		sched_place(&vcpus[3], 0, &p, from);
	}
	wake(3);
	wake(1);
	end = now + 10 * MS;
	while (vcpus[1].sched.ran < 4 * MS) {
		assert_true(runs() > 0);
		passes(MS / 10);
		if (cpus[0].current == &vcpus[3] && ran(3) >= 4 * MS)
			done();
		if (cpus[0].current == &vcpus[2] && ran(2) >= 40 * MS)
			done();
		ran(1);
	}
	return (s64)(now - end);
}
static void test_between_lives(void **state)
{
	(void)state;
	assert_true(late_beside_lives(false) <= 0);
	assert_true(late_beside_lives(true) <= 0);
	sched_reserve(0, 0);
}

/* To the same, back by way of the round-robin, and to others. */
static void test_set(void **state)
{
	(void)state;
	for (enum where i = 0; i < NR_WHERE; i++)
		for (unsigned int to = 0; to < 4; to++) {
			put_in(i);
			host_this_cpu = &cpus[to & 1];
			if (to == 0)
				server(1, 3, 10, 10);
			else if (to == 1)
				server(1, 3, 5, 20);
			else if (to == 2)
				extra(1, 3, 10, 512);
			else
				plain(1);
			host_this_cpu = &cpus[0];
			check_queue(0);
			assert_int_equal(vcpus[1].sched.ready, i != WAITING);
			/* Nothing of the last period is to be had again. */
			if (to < 3 && i != WAITING) {
				assert_true(heap_has(&of(1)->deferred));
				assert_false(of(1)->active);
				assert_int_equal(of(1)->refills[0].when,
						 SEC + 10 * MS);
			}
			runs();
			passes(50 * MS);
			wake(1);
			runs();
			passes(50 * MS);
			assert_true(vcpus[1].sched.ran > 5 * MS);
		}
}

/* When it ends is seen, although nothing else happens. */
static void test_set_timer(void **state)
{
	(void)state;
	for (enum where i = 0; i < NR_WHERE; i++) {
		put_in(i);
		host_this_cpu = &cpus[1];
		server(1, 2, 10, 10);
		host_this_cpu = &cpus[0];
		wake(1);
		runs();
		passes(SEC + 9 * MS - now);
		assert_int_equal(hosts[0].armed, SEC + 10 * MS);
		now = SEC + 10 * MS;
		runs();
		assert_true(of(1)->active);
	}
}

static void off(struct vcpu *v)
{
	sched_block(v);
	v->state = VCPU_OFF;
}
static void on(struct vcpu *v)
{
	v->state = VCPU_PENDING;
	sched_wake(v);
}

/* Off and on again is no way to a new budget. */
static void test_off_and_on(void **state)
{
	(void)state;
	for (unsigned int used = 1; used < 4; used++) {
		put_in(RUNNING);
		now = SEC + used * MS;
		off(&vcpus[1]);
		assert_int_equal(runs(), 0);
		now = SEC + 3 * MS;
		remote(on, 1);
		assert_int_equal(runs(), used < 3 ? 1 : 0);
		assert_int_equal(vcpus[1].state,
				 used < 3 ? VCPU_ON : VCPU_PENDING);
		passes(7 * MS - 1);
		assert_int_equal(ran(1), 3 * MS);
		passes(1);
		assert_int_equal(vcpus[1].state, VCPU_ON);
		assert_int_equal(books[1].starts, 1);
		assert_int_equal(books[1].resets, 1);
		passes(9 * MS);
		assert_int_equal(ran(1), 6 * MS);
	}
	/* With extra time it is back by weight, and then on its budget. */
	put_in(BEYOND);
	off(&vcpus[1]);
	assert_int_equal(runs(), 0);
	assert_false(heap_has(&of(1)->deferred));
	remote(on, 1);
	runs();
	passes(SEC + 10 * MS - now);
	assert_int_equal(vcpus[1].state, VCPU_ON);
	assert_true(of(1)->active && cpus[0].current == &vcpus[1]);
}

/* A power-on that is taken while it runs: it leaves first. */
static void test_on_loaded(void **state)
{
	(void)state;
	put_in(RUNNING);
	off(&vcpus[1]);
	remote(on, 1);
	check_queue(0);
	assert_int_equal(runs(), 1);
	assert_int_equal(books[1].starts, 1);
	assert_int_equal(hosts[0].armed, now + 2 * MS);
	assert_int_equal(run(2 * MS), 0);
}

/* Used at SEC: `over` more than 2 of 10. What it gets after that, of each. */
static void overruns(u64 over)
{
	server(1, 2, 10, 10);
	start(0);
	wake(1);
	assert_int_equal(runs(), 1);
	assert_int_equal(run(2 * MS + over), 0);
}

static void test_debt(void **state)
{
	(void)state;
	overruns(MS / 2);
	now = SEC + 10 * MS;
	assert_int_equal(runs(), 1);
	assert_int_equal(hosts[0].armed, now + 3 * MS / 2);
	/* Each time a little. */
	assert_int_equal(run(2 * MS), 0);
	now = SEC + 20 * MS;
	assert_int_equal(runs(), 1);
	assert_int_equal(hosts[0].armed, now + 3 * MS / 2);
	/* Once it is paid, it has all again. */
	assert_int_equal(run(3 * MS / 2), 0);
	now = SEC + 30 * MS;
	assert_int_equal(runs(), 1);
	assert_int_equal(hosts[0].armed, now + 2 * MS);
	/* More than a budget: that period brings nothing. */
	setup(NULL);
	overruns(3 * MS);
	assert_int_equal(run(5 * MS - 1), 0);
	passes(10 * MS);
	assert_int_equal(vcpus[1].sched.ran, 5 * MS);
	now = SEC + 20 * MS;
	assert_int_equal(runs(), 1);
	assert_int_equal(hosts[0].armed, now + MS);
	/* With extra time it waits for its turn meanwhile. */
	setup(NULL);
	extra(1, 2, 10, SCHED_WEIGHT);
	vcpus[1].sched.vtime = SEC;
	start(0);
	wake(1);
	assert_int_equal(runs(), 1);
	assert_int_equal(run(5 * MS), 0);
	assert_int_equal(run(5 * MS), 0);
	assert_true(sched_is_contended() && !of(1)->active);
	assert_int_equal(run(10 * MS), 1);
	assert_int_equal(hosts[0].armed, now + MS);
}

/* Sleeping is no way out of it, nor does it cost more than that. */
static void test_debt_asleep(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		u64 begin;

		setup(NULL);
		/* With a deadline before the end of the period, and without. */
		if (i & 1)
			server(3, 1, 5, 50);
		server(1, 2, 10, 10);
		start(0);
		wake(1);
		runs();
		/* It waits just when it has used too much. */
		now += 5 * MS / 2;
		if (i & 2)
			sched_block(&vcpus[1]);
		assert_int_equal(runs(), 0);
		if (!(i & 2))
			remote(sched_pause, 1);
		now = SEC + 15 * MS;
		remote(sched_resume, 1);
		assert_int_equal(runs(), 1);
		begin = now;
		assert_int_equal(hosts[0].armed, begin + 3 * MS / 2);
		assert_int_equal(run(3 * MS / 2), 0);
		now = begin + 10 * MS;
		assert_int_equal(runs(), 1);
		assert_int_equal(hosts[0].armed, now + 2 * MS);
	}
}

/* To the round-robin and back, twice: a budget in a period, not two. */
static void test_set_twice(void **state)
{
	(void)state;
	for (enum where i = 0; i < WAITING; i++) {
		put_in(i);
		plain(1);
		check_queue(0);
		plain(1);
		server(1, 3, 10, 10);
		check_queue(0);
		assert_true(heap_has(&of(1)->deferred));
		assert_int_equal(of(1)->refills[0].when, SEC + 10 * MS);
		assert_int_equal(of(1)->release + of(1)->period, SEC + 10 * MS);
	}
}

/* In the round-robin it did not run while it ran on its budget: no credit. */
static void test_set_credit(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		setup(NULL);
		extra(1, 5, 10, SCHED_WEIGHT);
		start(0);
		/* 0 runs for long, and what was made of 1 is not used up. */
		passes(SEC);
		wake(1);
		assert_int_equal(runs(), 1);
		if (i == 0) {
			plain(1);
		} else if (i == 1) {
			extra(1, 5, 10, SCHED_WEIGHT);
		} else if (i == 2) {
			/* It waits and wakes when its budget is just over. */
			now += 5 * MS;
			sched_block(&vcpus[1]);
			wake(1);
			assert_int_equal(runs(), 0);
		} else {
			wake(2);
			server(3, 1, 5, 5);
			wake(3);
			assert_int_equal(runs(), 3);
			plain(1);
			done();
		}
		runs();
		vcpus[1].sched.ran = 0;
		passes(SEC);
		assert_true(ran(1) < 780 * MS);
	}
}

/* 0 ran alone for long, and is preempted: it did not wait, nor did others. */
static void test_alone_credit(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		setup(NULL);
		extra(1, 2, 10, SCHED_WEIGHT);
		start(0);
		passes(100 * SEC);
		wake(1);
		assert_int_equal(runs(), 1);
		/* Beyond its budget; or who wakes while it is on that. */
		if (i)
			wake(2);
		passes(SEC);
		if (i)
			assert_true(ran(2) < 300 * MS);
		else
			assert_true(ran(1) < 620 * MS);
		assert_true(ran(0) > 240 * MS);
	}
}

/*
 * It wakes with no budget, but extra time, while others wait: the timer is to
 * be set for its return, which is before the end of their slices or budgets.
 */
static void test_extra_wakes(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		setup(NULL);
		extra(1, 2, 6, SCHED_WEIGHT);
		if (i)
			server(0, 20, 40, 40);
		set(2, SCHED_WEIGHT, 10 * SLICE);
		set(3, SCHED_WEIGHT, 10 * SLICE);
		vcpus[2].sched.vtime = vcpus[3].sched.vtime = SLICE;
		start(1);
		wake(2);
		wake(3);
		assert_int_equal(runs(), 1);
		assert_int_equal(run(2 * MS), 1);
		assert_false(of(1)->active);
		/* It waits, and not until it returns. */
		assert_true(block() >= 2);
		vcpus[1].sched.vtime = 10 * SEC;
		if (i)
			start(0);
		now += MS;
		wake(1);
		runs();
		assert_false(of(1)->active);
		assert_int_equal(hosts[0].armed, SEC + 6 * MS);
		now = SEC + 6 * MS;
		assert_int_equal(runs(), 1);
	}
}

/* Off, and woken nevertheless: that is no job, and nothing is to return. */
static void test_woken_off(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		put_in(i ? BEYOND : RUNNING);
		off(&vcpus[1]);
		runs();
		wake(1);
		for (unsigned int n = 0; n < 20; n++) {
			passes(MS);
			check_queue(0);
		}
		assert_false(vcpus[1].sched.ready);
		assert_false(heap_has(&of(1)->deferred));
		assert_true(!of(1)->job);
		remote(sched_pause, 1);
		assert_int_equal(vcpus[1].sched.nr_missed, 0);
	}
}

/* What was late was moved, but not what is to return before that. */
static void test_late_parts(void **state)
{
	(void)state;
	server(1, 48, 50, 60);
	for (unsigned int i = 0; i < 2; i++) {
		now = SEC + i * 10 * MS;
		start(1);
		assert_int_equal(run(MS), 1);
		assert_int_equal(done(), -1);
	}
	/* The CPU does not look for long. 1 comes at 60, and 1 at 70. */
	now = SEC + 20 * MS;
	wake(1);
	now = SEC + 65 * MS;
	assert_int_equal(runs(), 1);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(hosts[0].armed, now + (i % 3 ? MS : 46 * MS));
		now = hosts[0].armed;
		assert_int_equal(runs(), i < 3 ? 1 : -1);
	}
}

/* Done at the very deadline is in time. */
static void test_just_in_time(void **state)
{
	(void)state;
	server(1, 2, 2, 10);
	start(0);
	wake(1);
	assert_int_equal(runs(), 1);
	now += 2 * MS;
	sched_block(&vcpus[1]);
	runs();
	assert_int_equal(vcpus[1].sched.nr_missed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_pause, setup),
		cmocka_unit_test_setup(test_kill, setup),
		cmocka_unit_test_setup(test_between_lives, setup),
		cmocka_unit_test_setup(test_set, setup),
		cmocka_unit_test_setup(test_set_timer, setup),
		cmocka_unit_test_setup(test_off_and_on, setup),
		cmocka_unit_test_setup(test_on_loaded, setup),
		cmocka_unit_test_setup(test_debt, setup),
		cmocka_unit_test_setup(test_debt_asleep, setup),
		cmocka_unit_test_setup(test_set_twice, setup),
		cmocka_unit_test_setup(test_set_credit, setup),
		cmocka_unit_test_setup(test_alone_credit, setup),
		cmocka_unit_test_setup(test_extra_wakes, setup),
		cmocka_unit_test_setup(test_woken_off, setup),
		cmocka_unit_test_setup(test_late_parts, setup),
		cmocka_unit_test_setup(test_just_in_time, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
