/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deadline vCPUs by examples worked out by hand: order, preemption, budgets,
 * what a wake brings, deadlines before the end of the period, extra time.
 */
#include "deadlinehost.h"

static void test_order(void **state)
{
	(void)state;
	server(0, 28, 30, 30);
	server(1, 1, 10, 10);
	server(2, 1, 20, 20);
	server(3, 1, 15, 40);
	for (unsigned int i = 0; i < 4; i++)
		wake(i);
	assert_int_equal(runs(), 1);
	assert_int_equal(done(), 3);
	assert_int_equal(done(), 2);
	assert_int_equal(done(), 0);
	/* It is the time that counts: 1's deadline is the later one now. */
	now += 21 * MS;
	wake(1);
	assert_int_equal(runs(), 0);
	assert_int_equal(done(), 1);
	assert_int_equal(done(), -1);
	/* Of equals the one that runs stays. */
	now += SEC;
	server(4, 1, 10, 10);
	start(1);
	wake(3); /* not the first */
	runs();
	assert_int_equal(wake(4), 0);
	cpus[0].sched.resched = 1;
	assert_int_equal(runs(), 1);
	assert_int_equal(done(), 4);
	assert_int_equal(done(), 3);
}

/* One IPI where the CPU has to look, none where it has not. */
static void test_preempts(void **state)
{
	(void)state;
	server(1, 2, 20, 20);
	server(2, 2, 10, 10);
	server(3, 2, 30, 30);
	start(0);
	now += MS;
	/* Whatever the virtual times say. */
	vcpus[1].sched.vtime = SEC;
	assert_int_equal(wake(1), 1);
	assert_int_equal(wake(1), 0);
	assert_int_equal(runs(), 1);
	assert_int_equal(vcpus[0].sched.nr_preempted, 1);
	assert_int_equal(wake(3), 0);
	assert_int_equal(cpus[0].sched.resched, 0);
	assert_int_equal(wake(2), 1);
	assert_int_equal(runs(), 2);
	assert_int_equal(vcpus[1].sched.nr_preempted, 1);
	/* One without a deadline has to wait for all of them. */
	set(4, SCHED_MAX_WEIGHT, SLICE);
	assert_int_equal(wake(4), 0);
	assert_int_equal(cpus[0].sched.resched, 0);
	assert_int_equal(done(), 1);
	assert_int_equal(done(), 3);
	/* The same on its own CPU: no IPI, seen on the way out. */
	hosts[0].nr_ipis = 0;
	sched_wake(&vcpus[2]);
	assert_int_equal(cpus[0].sched.resched, 1);
	assert_int_equal(runs(), 2);
	assert_int_equal(hosts[0].nr_ipis, 0);
	assert_int_equal(done(), 3);
	assert_int_equal(done(), 4);
	while (block() >= 0)
		;
	/* Idle, and alone. */
	assert_int_equal(wake(3), 1);
	assert_int_equal(runs(), 3);
	assert_true(books[3].wfi && !books[3].wfe);
}

/* Round-robin goes on where it was, when there is no deadline left. */
static void test_rest_of_slice(void **state)
{
	(void)state;
	server(3, 1, 10, 10);
	set(2, 2 * SCHED_WEIGHT, SLICE);
	vcpus[0].sched.vtime = SLICE;
	start(0);
	wake(1);
	assert_int_equal(runs(), 1);
	now += SLICE / 2;
	wake(3);
	assert_int_equal(runs(), 3);
	assert_int_equal(run(MS / 2), 3);
	assert_int_equal(done(), 1);
	assert_int_equal(hosts[0].armed, now + SLICE / 2);
	/* A heavier one preempts it, and is preempted by a deadline. */
	vcpus[2].sched.vtime = SLICE - 10;
	now += 10;
	wake(2);
	assert_int_equal(runs(), 2);
	assert_ptr_equal(cpus[0].sched.preempted, &vcpus[1]);
	now += SLICE / 4;
	wake(3);
	assert_int_equal(runs(), 3);
	assert_ptr_equal(cpus[0].sched.preempted, &vcpus[2]);
	assert_int_equal(vcpus[1].sched.left, 0);
	assert_int_equal(done(), 2);
	assert_int_equal(hosts[0].armed, now + SLICE - SLICE / 4);
}

static void ring(struct timer *t)
{
	(void)t;
	sched_wake(&vcpus[3]);
}

/*
 * What guests without a budget set their timers to is in no server's way: not
 * when its own is due among them, not when another CPU wakes it, and not while
 * it runs.
 */
#define NR_RUNG 16

static unsigned int nr_rung, wake_at;

static void ring_slowly(struct timer *t)
{
	(void)t;
	now += 10; /* what EL2 takes for one */
	if (++nr_rung == wake_at)
		wake(3);
}

static void test_patient(void **state)
{
	static struct timer own, rest[NR_RUNG];
	u64 many;

	(void)state;
	server(3, 1, 10, 10);
	now += SEC;
	timer_init(&own, ring);
	for (unsigned int i = 0; i < NR_RUNG; i++)
		timer_init(&rest[i], ring_slowly);
	start(0);
	for (unsigned int round = 0; round < 3; round++) {
		u64 at = now + MS;

		for (unsigned int i = 0; i < NR_RUNG; i++)
			timer_arm_for(&rest[i], at, false);
		if (round == 0)
			timer_arm_for(&own, at + 1, true);
		nr_rung = 0;
		wake_at = round == 1 ? 5 : 0;
		assert_int_equal(hosts[0].armed, at);
		assert_int_equal(run(MS), round < 2 ? 3 : 0);
		if (round == 2) {
			assert_int_equal(nr_rung, NR_RUNG);
			break;
		}
		assert_int_equal(nr_rung, round ? 5 : 1);
		/* Its budget's end, and nothing before. */
		assert_int_equal(hosts[0].armed, now + MS);
		assert_int_equal(run(MS / 2), 3);
		/* Those that come meanwhile as well, but for servers'. */
		timer_arm_for(&rest[0], now + 10, false);
		assert_int_equal(hosts[0].armed, now + MS / 2);
		timer_arm_for(&rest[0], now + 10, true);
		assert_int_equal(hosts[0].armed, now + 10);
		timer_arm_for(&rest[0], now + 10, false);
		assert_int_equal(hosts[0].armed, now + MS / 2);
		timer_arm_for(&own, now + 20, true);
		nr_rung = wake_at = 0;
		assert_int_equal(run(MS / 4), 3);
		assert_int_equal(nr_rung, 0);
		/* When it waits again, at once. */
		done();
		assert_int_equal(runs(), 0);
		assert_int_equal(nr_rung, round ? NR_RUNG - 4 : NR_RUNG);
		now += 20 * MS;
		runs();
	}
	/* Nor is one late that gets its budget back among them. */
	wake(3);
	assert_int_equal(runs(), 3);
	assert_int_equal(run(MS), 0);
	for (unsigned int i = 0; i < NR_RUNG; i++)
		timer_arm_for(&rest[i], of(3)->refills[0].when - 1, false);
	nr_rung = 0;
	now = hosts[0].armed;
	assert_int_equal(runs(), 3);
	assert_int_equal(nr_rung, 1);
	assert_int_equal(done(), 0);
	assert_int_equal(nr_rung, NR_RUNG);
	/* Beside them the end of a slice may wait for one of these. */
	rr_slack = 100;
	wake(1);
	wake(2);
	assert_int_equal(run(SLICE), 1);
	timer_arm_for(&own, now + SLICE + 100, false);
	assert_int_equal(hosts[0].armed, now + SLICE + 100);
	/* No other timer waits for it. */
	timer_arm_for(&rest[0], now + SLICE, true);
	assert_int_equal(hosts[0].armed, now + SLICE);
	timer_cancel(&rest[0]);
	assert_int_equal(hosts[0].armed, now + SLICE + 100);
	many = vcpus[2].sched.nr_preempted;
	assert_int_equal(run(SLICE + 100), 3);
	assert_int_equal(vcpus[2].sched.nr_preempted, many);
	timer_arm_for(&rest[0], now + 10, false);
	timer_cancel(&rest[0]);
	assert_true(heap_is_empty(&cpus[0].patient));
	assert_true(heap_is_empty(&cpus[0].timers));
}

/* Armed without a budget, and now it has all of the CPU: it is told still. */
static void test_patient_self(void **state)
{
	struct timer *t = &vcpus[0].ptimer.timer;

	(void)state;
	now += SEC;
	start(0);
	timer_init(t, ring_slowly);
	timer_arm_for(t, now + 15 * MS, false);
	nr_rung = wake_at = 0;
	server(0, 10, 10, 10);
	assert_int_equal(runs(), 0);
	passes(14 * MS);
	assert_int_equal(nr_rung, 0);
	passes(12 * MS);
	assert_int_equal(nr_rung, 1);
	assert_true(of(0)->active);
}

/*
 * A timer that is due when a slice is just over brings its end with it: who is
 * woken does not wait for a change of the others.
 */
static void test_slack(void **state)
{
	static struct timer t;
	u64 missed = vcpus[3].sched.nr_missed;

	(void)state;
	server(3, 1, 10, 10);
	rr_slack = 100;
	timer_init(&t, ring);
	start(0);
	wake(1);
	assert_int_equal(runs(), 1);
	assert_int_equal(hosts[0].armed, now + SLICE);
	timer_arm(&t, now + SLICE + 100);
	assert_int_equal(hosts[0].armed, now + SLICE + 100);
	assert_int_equal(run(SLICE + 99), 1);
	assert_int_equal(run(1), 3);
	assert_ptr_equal(cpus[0].sched.preempted, &vcpus[1]);
	/* The slice was over, and so it is the other one's turn. */
	now += MS / 2;
	assert_int_equal(done(), 0);
	assert_null(cpus[0].sched.preempted);
	assert_int_equal(hosts[0].armed, now + SLICE);
	/* Later, or with a budget's end, it is on its own. */
	timer_arm(&t, now + SLICE + 101);
	assert_int_equal(hosts[0].armed, now + SLICE);
	/* The other one has had these 100. */
	assert_int_equal(run(SLICE), 0);
	assert_int_equal(run(101), 3);
	timer_arm(&t, now + MS + 1);
	assert_int_equal(hosts[0].armed, now + MS);
	timer_cancel(&t);
	assert_int_equal(done(), 0);
	assert_int_equal(hosts[0].armed, now + SLICE - 101);
	assert_int_equal(run(SLICE - 101), 1);
	assert_int_equal(vcpus[3].sched.nr_missed, missed);
	/* One that was alone has a slice before it yet, of its own. */
	assert_int_equal(block(), 0);
	assert_int_equal(run(3 * SLICE), 0);
	wake(3);
	assert_int_equal(runs(), 3);
	assert_ptr_equal(cpus[0].sched.preempted, &vcpus[0]);
	wake(1);
	assert_int_equal(done(), 1);
	/* Nor does it go before one that woke with who preempts it. */
	assert_int_equal(block(), 0);
	now += 20 * SLICE;
	wake(1);
	wake(3);
	assert_int_equal(runs(), 3);
	assert_int_equal(done(), 1);
}

/* Ends when its timer fires, and comes back a period after its release. */
static void test_budget(void **state)
{
	u64 release;

	(void)state;
	server(1, 2, 10, 10);
	start(0);
	for (unsigned int i = 0; i < 3; i++) {
		if (!i)
			wake(1);
		assert_int_equal(runs(), 1);
		release = now;
		assert_int_equal(hosts[0].armed, release + 2 * MS);
		assert_int_equal(run(2 * MS - 1), 1);
		assert_int_equal(vcpus[1].sched.nr_exhausted, i);
		assert_int_equal(run(1), 0);
		assert_int_equal(vcpus[1].sched.nr_exhausted, i + 1);
		assert_int_equal(vcpus[1].sched.nr_preempted, 0);
		/* Nothing else has to be looked for: 0 is alone. */
		assert_int_equal(hosts[0].armed, release + 10 * MS);
		assert_false(sched_is_contended());
		/* Woken or not. */
		wake(1);
		assert_int_equal(run(8 * MS - 1), 0);
		now++;
	}
	assert_int_equal(runs(), 1);
	/* Paused when it is deferred: it wakes to the same. */
	assert_int_equal(run(2 * MS), 0);
	remote(sched_pause, 1);
	runs();
	assert_int_equal(hosts[0].armed, OFF);
	now += MS;
	assert_int_equal(remote(sched_resume, 1), 1);
	assert_int_equal(runs(), 0);
	assert_int_equal(hosts[0].armed, now + 7 * MS);
	now += 7 * MS;
	assert_int_equal(runs(), 1);
	/* The CPU is idle meanwhile. */
	assert_int_equal(done(), 0);
	assert_int_equal(block(), -1);
	wake(1);
	assert_int_equal(runs(), 1);
	release = now;
	assert_int_equal(run(2 * MS), -1);
	assert_int_equal(hosts[0].armed, release + 10 * MS);
	now = release + 10 * MS;
	assert_int_equal(runs(), 1);
}

/* One that is waiting meanwhile is told by its own. */
static void test_two_budgets(void **state)
{
	(void)state;
	server(0, 3, 10, 10);
	server(1, 4, 20, 20);
	wake(0);
	wake(1);
	assert_int_equal(runs(), 0);
	assert_int_equal(run(3 * MS), 1);
	/* 1's own budget would end at the same time as 0 returns, plus 1. */
	assert_int_equal(hosts[0].armed, now + 4 * MS);
	assert_int_equal(run(4 * MS), -1);
	assert_int_equal(hosts[0].armed, now + 3 * MS);
	assert_int_equal(run(3 * MS), 0);
	assert_int_equal(run(3 * MS), -1);
	assert_int_equal(run(7 * MS), 0); /* at 20 both; 30 and 40 */
	assert_int_equal(run(3 * MS), 1);
	assert_int_equal(vcpus[0].sched.nr_exhausted, 3);
	assert_int_equal(vcpus[1].sched.nr_exhausted, 1);
}

/*
 * Of 4 by 10, 2 are left at 2. Woken at `at`: does it go on with them, by the
 * same deadline?
 */
static bool goes_on(u64 at)
{
	u64 begin;

	setup(NULL);
	server(0, 4, 10, 10);
	start(0);
	begin = now;
	assert_int_equal(run(2 * MS), 0);
	assert_int_equal(done(), -1);
	now = begin + at;
	start(0);
	if (deadline_of(0) == begin + 10 * MS) {
		assert_int_equal(hosts[0].armed, now + 2 * MS);
		return true;
	}
	assert_int_equal(deadline_of(0), now + 10 * MS);
	assert_int_equal(hosts[0].armed, now + 4 * MS);
	return false;
}

static void test_wake(void **state)
{
	(void)state;
	assert_true(goes_on(2 * MS));
	assert_true(goes_on(3 * MS));
	assert_true(goes_on(5 * MS)); /* 2 of 5 is 4 of 10 */
	assert_false(goes_on(5 * MS + 1));
	assert_false(goes_on(9 * MS));
	assert_false(goes_on(10 * MS));
	assert_false(goes_on(11 * MS));
	assert_false(goes_on(1000 * MS));
}

/* However it sleeps, its share is not exceeded, whenever one begins to look. */
static void steal(unsigned int seed, bool constrained)
{
	s64 excess, lowest = 0, low = 0;
	u64 begin = now;

	server(1, 3, constrained ? 7 : 10, 10);
	start(0);
	for (unsigned int i = 0; i < 20000; i++) {
		passes((u64)rand_r(&seed) % (2 * MS));
		if (cpus[0].current == &vcpus[1])
			done();
		excess = (s64)(ran(1) * 10) - (s64)((now - begin) * 3);
		lowest = min(lowest, excess);
		if (rand_r(&seed) % 2) {
			if (!vcpus[1].sched.ready)
				low = min(low, excess);
			wake(1);
		}
		runs();
		/* In no time since a wake by more than a budget. */
		assert_true(excess - low <= (s64)(30 * MS));
		assert_true(excess - lowest <= (s64)(60 * MS));
	}
	assert_true(ran(1) * 10 > (now - begin)); /* it has run at all */
}

static void test_steal(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		setup(NULL);
		steal(i, i & 1);
	}
}

/* Each part of the budget returns a period after its own release. */
static void test_parts(void **state)
{
	u64 begin = now;

	(void)state;
	server(1, 4, 5, 20);
	start(0);
	wake(1);
	assert_int_equal(runs(), 1);
	assert_int_equal(deadline_of(1), begin + 5 * MS);
	assert_int_equal(run(1 * MS), 1);
	assert_int_equal(done(), 0);
	now = begin + 3 * MS;
	wake(1);
	assert_int_equal(runs(), 1);
	assert_int_equal(deadline_of(1), begin + 8 * MS);
	assert_int_equal(hosts[0].armed, begin + 6 * MS);
	assert_int_equal(run(3 * MS), 0);
	assert_int_equal(hosts[0].armed, begin + 20 * MS);
	now = begin + 20 * MS;
	assert_int_equal(runs(), 1);
	assert_int_equal(deadline_of(1), begin + 25 * MS);
	assert_int_equal(run(1 * MS), 0);
	now = begin + 23 * MS;
	assert_int_equal(runs(), 1);
	assert_int_equal(hosts[0].armed, begin + 26 * MS);
	assert_int_equal(run(2 * MS), 1);
	assert_int_equal(done(), 0);
	/* At 40 comes 1, at 43 come 2, and 1 is left: all at 45 by 50. */
	now = begin + 45 * MS;
	wake(1);
	assert_int_equal(runs(), 1);
	assert_int_equal(deadline_of(1), begin + 50 * MS);
	assert_int_equal(hosts[0].armed, now + 4 * MS);
	/* At 42 but 2 of them. */
	assert_int_equal(run(1 * MS), 1);
	assert_int_equal(done(), 0);
	now = begin + 64 * MS;
	wake(1);
	assert_int_equal(runs(), 1);
	assert_int_equal(deadline_of(1), begin + 69 * MS);
	assert_int_equal(hosts[0].armed, now + 3 * MS);
}

/* More parts than are kept: two become one, that comes later; none is lost. */
static void test_many_parts(void **state)
{
	u64 begin = now;

	(void)state;
	server(1, 12, 15, 20);
	start(0);
	for (unsigned int i = 0; i < 12; i++) {
		now = begin + i * 3 * MS / 2;
		wake(1);
		assert_int_equal(runs(), 1);
		assert_int_equal(run(MS), i < 11 ? 1 : 0);
		done();
	}
	assert_int_equal(of(1)->left, 0);
	wake(1);
	runs();
	assert_int_equal(of(1)->nr_refills, SCHED_REFILLS - 1);
	for (unsigned int i = 0; i < SCHED_REFILLS - 1; i++) {
		bool last = i == SCHED_REFILLS - 2;

		assert_int_equal(of(1)->refills[i].amount, last ? 6 * MS : MS);
		assert_int_equal(of(1)->refills[i].when,
				 begin + 20 * MS + (last ? 11 : i) * 3 * MS / 2);
	}
	now = begin + 20 * MS;
	assert_int_equal(runs(), 1);
}

/*
 * Where constant bandwidth is too much: 5 of 10 with 2 left wakes 4 before its
 * deadline, when 4 by 5 of 20 does. Both by their old deadlines would be 6 in 5.
 */
static void test_mixed(void **state)
{
	u64 begin = now;

	(void)state;
	server(0, 5, 10, 10);
	server(1, 4, 5, 20);
	start(0);
	assert_int_equal(run(3 * MS), 0);
	assert_int_equal(done(), -1);
	now = begin + 6 * MS;
	wake(0);
	wake(1);
	assert_int_equal(runs(), 1);
	assert_int_equal(deadline_of(0), begin + 16 * MS);
	assert_int_equal(run(4 * MS - 1), 1);
	now++;
	sched_block(&vcpus[1]);
	assert_int_equal(runs(), 0);
	assert_true(now < begin + 11 * MS);
	assert_int_equal(vcpus[1].sched.nr_missed, 0);
	/* And 3 more, which come at 10, by 20. */
	assert_int_equal(run(2 * MS), 0);
	assert_int_equal(deadline_of(0), begin + 20 * MS);
	assert_int_equal(run(3 * MS - 1), 0);
	assert_int_equal(done(), -1);
	assert_int_equal(vcpus[0].sched.nr_missed, 0);
	/* With that one gone, it is a constant bandwidth server again. */
	plain(1);
	now = begin + 100 * MS;
	start(0);
	assert_int_equal(run(2 * MS), 0);
	done();
	now += MS;
	start(0);
	assert_int_equal(deadline_of(0), begin + 110 * MS);
}

/* Woken in time, and not done by its deadline, or by the next. */
static void test_missed(void **state)
{
	const struct sched_vcpu *s = &vcpus[1].sched;
	u64 begin;

	(void)state;
	server(1, 2, 5, 10);
	start(0);
	wake(1);
	begin = now;
	assert_int_equal(runs(), 1);
	assert_int_equal(run(MS), 1);
	assert_int_equal(done(), 0);
	assert_int_equal(s->nr_missed, 0);
	/* 3 of 2: 5 are over when the third comes. */
	now = begin + 20 * MS;
	wake(1);
	assert_int_equal(runs(), 1);
	passes(10 * MS);
	assert_int_equal(runs(), 1);
	assert_int_equal(s->nr_missed, 1);
	assert_int_equal(run(MS), 1);
	assert_int_equal(done(), 0);
	assert_int_equal(s->nr_missed, 1);
	/* One that never waits: once each period. */
	now = begin + 100 * MS;
	wake(1);
	runs();
	passes(51 * MS);
	assert_int_equal(s->nr_missed, 6);
	assert_int_equal(done(), 0);
	assert_int_equal(s->nr_missed, 6);
	/* From when its timer was due. */
	now = begin + 200 * MS;
	vcpus[1].sched.due = now - 4 * MS;
	wake(1);
	vcpus[1].sched.due = 0;
	assert_int_equal(runs(), 1);
	assert_int_equal(run(MS + 1), 1);
	assert_int_equal(done(), 0);
	assert_int_equal(s->nr_missed, 7);
}

/* Beyond its budget by weight, and back to it at once. */
static void test_extra(void **state)
{
	u64 begin = now;

	(void)state;
	extra(1, 2, 10, 3 * SCHED_WEIGHT);
	start(0);
	wake(1);
	assert_int_equal(runs(), 1);
	assert_int_equal(hosts[0].armed, begin + 2 * MS);
	assert_false(books[1].wfe);
	now += 2 * MS;
	runs();
	assert_int_equal(vcpus[1].sched.nr_exhausted, 1);
	assert_true(vcpus[1].sched.ready && !of(1)->active);
	/* Its slices go on until it returns, or 0's are cut short. */
	passes(8 * MS);
	assert_ptr_equal(cpus[0].current, &vcpus[1]);
	assert_true(of(1)->active);
	assert_int_equal(hosts[0].armed, begin + 12 * MS);
	passes(990 * MS);
	assert_int_equal(vcpus[1].sched.nr_exhausted, 100);
	assert_in_range(ran(1), 800 * MS - SLICE, 800 * MS + SLICE);
	assert_in_range(ran(0), 200 * MS - SLICE, 200 * MS + SLICE);
	assert_int_equal(ran(0) + ran(1), now - begin);
}

static void test_extra_alone(void **state)
{
	static struct timer t;
	u64 when;

	(void)state;
	extra(1, 2, 10, SCHED_WEIGHT);
	start(1);
	/* No timer: nobody is kept waiting. */
	assert_int_equal(hosts[0].armed, OFF);
	assert_true(books[1].wfi && !books[1].wfe);
	/* Others' timers do not wait for its end, which it has not. */
	timer_init(&t, ring_slowly);
	timer_arm_for(&t, now + MS, false);
	assert_int_equal(hosts[0].armed, now + MS);
	nr_rung = 0;
	assert_int_equal(run(MS), 1);
	assert_int_equal(nr_rung, 1);
	assert_int_equal(hosts[0].armed, OFF);
	assert_int_equal(run(1000 * SEC - MS - 10), 1);
	assert_int_equal(vcpus[1].sched.nr_exhausted, 0);
	/* What it has run alone is no debt: it has the next budget at once. */
	when = now;
	assert_int_equal(wake(0), 1);
	assert_int_equal(runs(), 1);
	assert_int_equal(vcpus[1].sched.nr_exhausted, 0);
	assert_int_equal(hosts[0].armed, when + 2 * MS);
	/* It did not sleep: by weight they are equals from then on. */
	passes(SEC);
	assert_in_range(ran(0), 400 * MS - SLICE - MS, 400 * MS + SLICE);
	/* Without extra time it is told. */
	while (block() >= 0)
		;
	server(2, 2, 10, 10);
	start(2);
	assert_int_equal(hosts[0].armed, now + 2 * MS);
	assert_int_equal(run(2 * MS), -1);
	/* So is who has it while another one is to return. */
	start(1);
	assert_int_equal(hosts[0].armed, now + 2 * MS);
}

/* The time on its budget is no credit for the time beyond it. */
static void test_extra_credit(void **state)
{
	u64 was;

	(void)state;
	extra(1, 5, 10, SCHED_WEIGHT);
	start(0);
	wake(1);
	runs();
	/* It always waits in time, while 0 runs on. */
	for (unsigned int i = 0; i < 1000; i++) {
		assert_int_equal(run(MS), 1);
		assert_int_equal(done(), 0);
		run(9 * MS);
		wake(1);
		assert_int_equal(runs(), 1);
	}
	run(5 * MS);
	assert_false(of(1)->active);
	was = ran(0);
	passes(95 * MS);
	/* Half of each period on its budget, half of the other half. */
	assert_in_range(ran(0) - was, 24 * MS - SLICE, 24 * MS + SLICE);
}

/* 12 come back at once: more than are taken under the lock at once. */
static void test_many_returns(void **state)
{
	u64 begin = now;

	(void)state;
	for (unsigned int i = 0; i < 12; i++) {
		server(i, 1, 20, 20);
		wake(i);
	}
	runs();
	passes(20 * MS - 1);
	assert_int_equal(runs(), -1);
	assert_int_equal(hosts[0].armed, begin + 20 * MS);
	now++;
	assert_true(runs() >= 0);
	assert_true(heap_is_empty(&cpus[0].sched.deferred));
	for (unsigned int i = 0; i < 12; i++)
		assert_true(of(i)->active && of(i)->left == (s64)MS);
	passes(12 * MS);
	assert_int_equal(runs(), -1);
	for (unsigned int i = 0; i < 12; i++) {
		assert_int_equal(vcpus[i].sched.nr_exhausted, 2);
		assert_int_equal(ran(i), 2 * MS);
	}
}

/* In ticks they ask for no more than in us, and for hardly less. */
static void check_rounding(u64 freq, unsigned int *seed)
{
	struct sched_params p = params(0, 0, 0);

	p.period_us = 100 + (u32)rand_r(seed) % 10000;
	p.budget_us = 10 + (u32)rand_r(seed) % (p.period_us - 9);
	p.deadline_us = rand_r(seed) % 2
				? p.period_us
				: p.budget_us +
					  (u32)rand_r(seed) % (p.period_us -
							       p.budget_us + 1);
	host_freq = freq;
	sched_set(&vcpus[0], &p);
	assert_true(of(0)->budget * 1000000 <= p.budget_us * freq);
	assert_true((of(0)->budget + 1) * 1000000 > p.budget_us * freq);
	assert_true(of(0)->period * 1000000 >= p.period_us * freq);
	assert_true((of(0)->period - 1) * 1000000 < p.period_us * freq);
	assert_true(of(0)->deadline * 1000000 >= p.deadline_us * freq);
	assert_true((of(0)->deadline - 1) * 1000000 < p.deadline_us * freq);
	assert_true((p.deadline_us == p.period_us) ==
		    (of(0)->deadline == of(0)->period));
	assert_true(!cpus[0].sched.nr_constrained ==
		    (p.deadline_us == p.period_us));
}

static void test_rounding(void **state)
{
	unsigned int seed = 1;

	(void)state;
	for (unsigned int i = 0; i < 100000; i++) {
		check_rounding(62500000, &seed);
		check_rounding(19200000, &seed);
		check_rounding(54000000, &seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_order, setup),
		cmocka_unit_test_setup(test_preempts, setup),
		cmocka_unit_test_setup(test_rest_of_slice, setup),
		cmocka_unit_test_setup(test_patient, setup),
		cmocka_unit_test_setup(test_patient_self, setup),
		cmocka_unit_test_setup(test_slack, setup),
		cmocka_unit_test_setup(test_budget, setup),
		cmocka_unit_test_setup(test_two_budgets, setup),
		cmocka_unit_test_setup(test_wake, setup),
		cmocka_unit_test_setup(test_steal, setup),
		cmocka_unit_test_setup(test_parts, setup),
		cmocka_unit_test_setup(test_many_parts, setup),
		cmocka_unit_test_setup(test_mixed, setup),
		cmocka_unit_test_setup(test_missed, setup),
		cmocka_unit_test_setup(test_extra, setup),
		cmocka_unit_test_setup(test_extra_alone, setup),
		cmocka_unit_test_setup(test_extra_credit, setup),
		cmocka_unit_test_setup(test_many_returns, setup),
		cmocka_unit_test_setup(test_rounding, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
