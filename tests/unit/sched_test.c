/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler on one CPU, with others that wake its vCPUs: order, shares,
 * slices, traps of WFI and WFE, IPIs, preemption, what sleepers may gain.
 */
#include "schedhost.h"

static void test_order(void **state)
{
	static const u64 vtimes[] = {30, 10, 20, 15, 0, 25};
	static const int want[] = {4, 1, 3, 2, 5, 0};
	unsigned int turns = 0;
	int cur;

	(void)state;
	assert_int_equal(runs(), -1);
	/* Equals in any order, but each of them once; each for its slice. */
	for (unsigned int i = 0; i < 4; i++)
		wake(i);
	for (int i = 0; i < 12; i++) {
		cur = runs();
		assert_int_equal(run(SLICE - 1), cur);
		now++;
		turns |= 1U << cur;
		if (i % 4 < 3)
			continue;
		assert_int_equal(turns, 15);
		turns = 0;
	}
	setup(NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(want); i++) {
		vcpus[i].sched.vtime = vtimes[i];
		wake(i);
	}
	assert_int_equal(runs(), want[0]);
	for (unsigned int i = 1; i < ARRAY_SIZE(want); i++)
		assert_int_equal(block(), want[i]);
	assert_int_equal(block(), -1);
}

/*
 * At any time nobody is further ahead of the hindmost than by one slice; so
 * shares are as the weights.
 */
static void check_lag(unsigned int n, const u64 *ran)
{
	double vt, least = 1e300;

	for (unsigned int i = 0; i < n; i++) {
		vt = (double)ran[i] / vcpus[i].sched.weight;
		least = vt < least ? vt : least;
	}
	for (unsigned int i = 0; i < n; i++) {
		vt = (double)ran[i] - least * vcpus[i].sched.weight;
		/* One tick of virtual time is lost at the end of a slice. */
		assert_true(vt <= (double)vcpus[i].sched.slice * 1.001 +
					  (double)ran[i] * 0.009);
	}
}

static void check_shares(unsigned int n, u64 nr_slices)
{
	u64 ran[NR_VCPUS] = {}, total = 0, sum = 0;

	for (unsigned int i = 0; i < n; i++) {
		sum += vcpus[i].sched.weight;
		wake(i);
	}
	for (u64 s = 0; s < nr_slices; s++) {
		struct vcpu *v = leave_el2();
		u64 slice = v->sched.slice;

		/* The slice ends by the timer, not before it. */
		assert_int_equal(hosts[0].armed, now + slice);
		now += slice;
		ran[v - vcpus] += slice;
		total += slice;
		if (s % 1000 == 0)
			check_lag(n, ran);
	}
	runs();
	check_lag(n, ran);
	for (unsigned int i = 0; i < n; i++) {
		double want = (double)total * vcpus[i].sched.weight /
			      (double)sum;
		double off = (double)ran[i] - want;

		assert_int_equal(vcpus[i].sched.ran, ran[i]);
		/* Long enough to be that exact. */
		if (want > 110 * (double)vcpus[i].sched.slice)
			assert_true(off < want / 100 && off > -want / 100);
	}
}

static void test_shares(void **state)
{
	unsigned int seed = 17;

	(void)state;
	/* Both ends at once. */
	set(0, 1, SLICE / 10);
	set(1, SCHED_MAX_WEIGHT, SLICE);
	check_shares(2, 120 * SCHED_MAX_WEIGHT / 10);
	for (unsigned int round = 0; round < 15; round++) {
		unsigned int n = 2 + (unsigned int)rand_r(&seed) % 31;
		u64 sum = 0, least = SCHED_MAX_WEIGHT;

		setup(NULL);
		for (unsigned int i = 0; i < n; i++) {
			u32 w = (u32)rand_r(&seed) % SCHED_MAX_WEIGHT + 1;

			/* Small ones too; the longest slices with them. */
			w = max(w >> rand_r(&seed) % 8, 1U);
			set(i, w, SLICE + SLICE / 8 * (rand_r(&seed) % 8));
			sum += w;
			least = min(least, (u64)w);
		}
		check_shares(n, min(250 * sum / least + 1000, 1000000UL));
	}
}

/* One that is preempted goes on for the rest of its slice, then the next. */
static void test_rest_of_slice(void **state)
{
	int cur = 0, next;

	(void)state;
	set(3, 10 * SCHED_WEIGHT, SLICE);
	start(0);
	wake(1);
	wake(2);
	for (unsigned int i = 0; i < 7; i++)
		cur = run(SLICE);
	for (unsigned int i = 1; i <= 4; i++) {
		now += SLICE / 5;
		wake(3);
		assert_int_equal(runs(), 3);
		now += 100;
		assert_int_equal(block(), cur);
		assert_int_equal(hosts[0].armed, now + SLICE - i * (SLICE / 5));
	}
	next = run(SLICE / 5);
	assert_true(next != cur && next != 3);
	assert_int_equal(hosts[0].armed, now + SLICE);
}

/* A light one runs far ahead of the others in its slice, and is preempted. */
static void preempt_light(void)
{
	set(0, SCHED_WEIGHT / 16, SLICE);
	set(2, 16 * SCHED_WEIGHT, SLICE);
	start(0);
	wake(1);
	assert_int_equal(runs(), 1);
	assert_int_equal(run(SLICE), 0);
	assert_int_equal(run(SLICE * 3 / 4), 0);
	wake(2);
	assert_int_equal(runs(), 2);
}

/*
 * What preempted it may not run as far as that where others are behind, neither
 * without a pause nor by WFE.
 */
static void test_preempted_far_ahead(void **state)
{
	unsigned int n = 0;
	u64 was;

	(void)state;
	preempt_light();
	while (run(SLICE) != 1)
		assert_true(++n < 16 * (BONUS + SLICE) / SLICE + 2);
	setup(NULL);
	preempt_light();
	/* A WFE gives up a slice of virtual time, here a sixteenth of it. */
	for (n = 0, was = vcpus[2].sched.vtime; pass() == 2; n++) {
		assert_int_equal(vcpus[2].sched.vtime - was, SLICE / 16);
		was = vcpus[2].sched.vtime;
	}
	assert_int_equal(n, (vcpus[1].sched.vtime - 1) / (SLICE / 16));
	assert_ptr_equal(cpus[0].current, &vcpus[1]);
	assert_int_equal(vcpus[2].sched.vtime, vcpus[1].sched.vtime);
	/* And it is the next, not the light one. */
	assert_int_equal(run(SLICE), 2);
}

/* How long it was from a wake, or from when a timer was due, until it ran. */
static void test_wake_record(void **state)
{
	const struct sched_vcpu *s = &vcpus[1].sched;
	unsigned int nr = 0;
	u64 left;

	(void)state;
	start(0);
	wake(1);
	now += 5;
	assert_int_equal(runs(), 1);
	assert_int_equal(s->worst_wake, 5);
	assert_int_equal(vcpus[1].wakes[2], 1);
	assert_int_equal(block(), 0);
	now += SLICE;
	vcpus[1].sched.due = now - 1000;
	wake(1);
	vcpus[1].sched.due = 0;
	assert_int_equal(runs(), 1);
	assert_int_equal(s->worst_wake, 1000);
	assert_int_equal(vcpus[1].wakes[9], 1);
	/* Waiting for a turn is no wake. */
	assert_int_equal(run(SLICE), 0);
	left = now;
	while (run(SLICE) != 1)
		;
	assert_int_equal(s->waited, 5 + 1000 + now - left);
	for (unsigned int i = 0; i < SCHED_WAKES; i++)
		nr += vcpus[1].wakes[i];
	assert_int_equal(nr, 2);
	assert_int_equal(s->worst_wake, 1000);
}

static void test_tickless(void **state)
{
	unsigned int n = 0;

	(void)state;
	/* Alone: no timer, no trap, however long. */
	start(0);
	assert_int_equal(hosts[0].armed, OFF);
	assert_false(books[0].wfi || books[0].wfe);
	assert_false(sched_is_contended());
	assert_int_equal(run(1000 * SEC), 0);
	/* Contended. */
	wake(1);
	assert_int_equal(runs(), 1);
	assert_true(sched_is_contended());
	assert_true(books[1].wfi && books[1].wfe);
	assert_int_equal(hosts[0].armed, now + SLICE);
	assert_int_equal(run(SLICE), 0);
	assert_true(books[0].wfi && books[0].wfe);
	assert_int_equal(hosts[0].armed, now + SLICE);
	/* Alone again. */
	assert_int_equal(block(), 1);
	assert_int_equal(hosts[0].armed, OFF);
	assert_false(books[1].wfi || books[1].wfe);
	assert_false(sched_is_contended());
	/* Idle. */
	assert_int_equal(block(), -1);
	assert_int_equal(hosts[0].armed, OFF);
	/* Asked: WFI only. */
	doms[2].wfi_trap = true;
	wake(2);
	assert_int_equal(runs(), 2);
	assert_int_equal(hosts[0].armed, OFF);
	assert_true(books[2].wfi && !books[2].wfe);
	/* Another length of slice; from when it was chosen. */
	set(0, SCHED_WEIGHT, 1000);
	wake(0);
	now += 50;
	assert_int_equal(block(), 0);
	wake(1);
	while (runs() != 0)
		now += SLICE;
	assert_int_equal(hosts[0].armed, now + 1000);
	/* It is far behind the others, and a WFE gives up but one. */
	now += 77;
	assert_int_equal(pass(), 0);
	assert_int_equal(hosts[0].armed, now + 1000);
	while (pass() != 1)
		assert_true(++n <= SLICE / 1000);
	assert_int_equal(hosts[0].armed, now + SLICE);
}

/* Who was alone goes before nobody that woke with the one it gives way to. */
static void test_wake_together(void **state)
{
	int first;

	(void)state;
	start(0);
	now += 20 * SLICE;
	wake(1);
	wake(2);
	first = runs();
	assert_true(first == 1 || first == 2);
	now += 50;
	assert_int_equal(block(), 3 - first);
	now += 50;
	assert_int_equal(block(), 0);
}

/* What one pays for its wakes is no time that others have had. */
static void test_payment(void **state)
{
	u64 woke;

	(void)state;
	set(0, SCHED_MAX_WEIGHT, SLICE);
	set(2, 1, SLICE);
	start(0);
	rr_slack = 0;
	server_toll = 5 * SEC / 1000000;
	for (unsigned int i = 0; i < 20; i++) {
		now += SLICE * 2;
		wake(2);
		while (runs() != 2)
			now += SLICE;
		now += 2 * SEC / 1000000;
		assert_int_equal(block(), 0);
		now += SEC / 1000;
		woke = now;
		wake(1);
		while (runs() != 1)
			now += SLICE;
		assert_true(now - woke <= 4 * SLICE);
		now += 100;
		assert_int_equal(block(), 0);
	}
}

static void test_ipi(void **state)
{
	(void)state;
	/* Idle; once until it looks. */
	assert_int_equal(wake(0), 1);
	assert_int_equal(wake(1), 0);
	assert_int_equal(wake(0), 0);
	assert_int_equal(runs(), 0);
	assert_int_equal(cpus[0].sched.resched, 0);
	assert_int_equal(block(), 1);
	/* Alone it has neither slice nor traps. */
	now += 10;
	vcpus[0].sched.vtime = 10;
	assert_int_equal(wake(0), 1);
	assert_int_equal(wake(2), 0);
	assert_int_equal(runs(), 2);
	/* Others wait already, and the new one is not to go first. */
	assert_int_equal(wake(3), 0);
	assert_int_equal(cpus[0].sched.resched, 0);
	/* It is: behind by more than a grain. */
	now += GRAIN + 2;
	vcpus[4].sched.vtime = vcpus[5].sched.vtime = 1;
	assert_int_equal(wake(4), 1);
	assert_int_equal(wake(5), 0);
	assert_int_equal(runs(), 3);
	/* A ready one: nothing to do. */
	assert_int_equal(wake(5), 0);
	assert_int_equal(cpus[0].sched.resched, 0);
	/* From the same CPU it will be seen on the way out. */
	while (block() >= 0)
		;
	hosts[0].nr_ipis = 0;
	sched_wake(&vcpus[0]);
	assert_int_equal(hosts[0].nr_ipis, 0);
	assert_int_equal(cpus[0].sched.resched, 1);
	assert_int_equal(runs(), 0);
	sched_wake(&vcpus[1]);
	assert_int_equal(hosts[0].nr_ipis, 0);
	assert_int_equal(cpus[0].sched.resched, 1);
	runs();
	/* Stopping: the CPU has to look, once. */
	assert_int_equal(remote(stop, 0), 1);
	remote(stop, 1);
	assert_int_equal(runs(), -1);
}

/* Does one of weight w, behind by `lead`, take the CPU from one of 256? */
static bool takes(u32 w, s64 lead)
{
	unsigned int ipis;

	setup(NULL);
	start(0);
	vcpus[1].sched.vtime += SEC;
	wake(1); /* not the first in the queue */
	runs();
	now += SLICE / 2;
	set(2, w, SLICE);
	vcpus[2].sched.vtime = SLICE / 2 - (u64)lead;
	ipis = wake(2);
	assert_int_equal(ipis, cpus[0].sched.resched);
	if (ipis)
		assert_int_equal(runs(), 2);
	return ipis;
}

static void test_preemption(void **state)
{
	(void)state;
	assert_true(takes(256, GRAIN + 1));
	assert_false(takes(256, GRAIN));
	assert_false(takes(256, 1));
	assert_false(takes(256, 0));
	assert_false(takes(256, -1));
	assert_true(takes(257, 1));
	assert_true(takes(65535, GRAIN));
	assert_false(takes(257, 0));
	assert_false(takes(65535, -1));
	assert_true(takes(1, GRAIN + 1));
	assert_false(takes(1, GRAIN));
	assert_false(takes(255, 1));
}

/* Time that i got in the next `ticks`, with all that is ready. */
static u64 gets(unsigned int i, u64 ticks)
{
	u64 was, end = now + ticks;

	cpus[0].sched.resched = 1; /* charged up to now */
	runs();
	was = vcpus[i].sched.ran;
	while (now < end) {
		now = min(hosts[0].armed, end);
		runs();
	}
	cpus[0].sched.resched = 1;
	runs();
	return vcpus[i].sched.ran - was;
}

static void test_bonus(void **state)
{
	u64 got;

	(void)state;
	/* It slept for long, and more than once. */
	start(0);
	for (unsigned int i = 0; i < 20; i++) {
		run(i * SEC);
		wake(1);
		got = gets(1, SEC / 10);
		assert_true(got <= SEC / 20 + BONUS / 2 + SLICE);
		assert_true(got >= SEC / 20 - SLICE);
		/* At once: it is behind. */
		while (runs() != 1)
			now += SLICE;
		assert_int_equal(block(), 0);
	}
	/* Many sleepers at once get one bonus each. */
	for (unsigned int i = 1; i < 9; i++)
		wake(i);
	got = gets(0, SEC);
	assert_true(got >= SEC / 9 - BONUS - SLICE);
	assert_true(got <= SEC / 9 + SLICE);
	/* No credit: neither where it stands ahead. */
	setup(NULL);
	wake(0);
	wake(1);
	for (unsigned int i = 0; i < 10; i++)
		run(SLICE);
	while (runs() != 1)
		now += SLICE;
	now += SLICE - 1;
	got = vcpus[1].sched.vtime + SLICE - 1;
	assert_int_equal(block(), 0);
	wake(1);
	assert_int_equal(vcpus[1].sched.vtime, got);
}

/* One that was alone for long neither starves nor is starved. */
static void test_alone(void **state)
{
	static const u32 weights[] = {256, 1, 65535};
	unsigned int a, b;

	(void)state;
	for (a = 0; a < ARRAY_SIZE(weights); a++)
		for (b = 0; b < ARRAY_SIZE(weights); b++) {
			u64 sum = weights[a] + weights[b];
			u64 time = 25 * SLICE * sum /
				   min(weights[a], weights[b]);
			u64 got, bonus = BONUS * weights[b] / 256;

			setup(NULL);
			set(0, weights[a], SLICE);
			set(1, weights[b], SLICE);
			start(0);
			run(1000 * SEC);
			wake(1);
			got = gets(1, time);
			time = time * weights[b] / sum;
			assert_true(got >= time - 3 * SLICE - time / 50);
			assert_true(got <= time + bonus + 3 * SLICE + time / 50);
		}
}

/* The same where the CPU was idle in between. */
static void test_alone_then_idle(void **state)
{
	u64 got;

	(void)state;
	start(0);
	assert_int_equal(run(1000 * SEC), 0);
	assert_int_equal(block(), -1);
	wake(1);
	assert_int_equal(runs(), 1);
	run(SLICE);
	wake(0);
	got = gets(0, SEC);
	assert_true(got >= SEC / 2 - 2 * SLICE);
	assert_true(got <= SEC / 2 + 2 * SLICE);
}

static void test_pass(void **state)
{
	(void)state;
	start(0);
	/* Alone: nothing to look for. */
	sched_pass(&vcpus[0]);
	assert_int_equal(cpus[0].sched.resched, 0);
	now += 10;
	vcpus[2].sched.vtime = 1;
	wake(1);
	wake(2);
	assert_int_equal(runs(), 1);
	assert_int_equal(pass(), 2);
	assert_int_equal(pass(), 1);
	now += 10;
	assert_int_equal(pass(), 2);
	/* Far behind the others, it lets the next one go first all the same. */
	vcpus[2].sched.vtime = 0;
	assert_int_equal(pass(), 0);
	assert_int_equal(vcpus[2].sched.vtime, 10);
	/* One that is ahead stays there. */
	now += 500;
	assert_int_equal(pass(), 2);
	assert_int_equal(vcpus[0].sched.vtime, 510);
	assert_int_equal(vcpus[0].sched.ran, 510);
}

/* Woken before the CPU looked: it goes on. */
static void test_block_and_wake(void **state)
{
	(void)state;
	for (unsigned int others = 0; others < 3; others++)
		for (unsigned int by = 0; by < 2; by++) {
			setup(NULL);
			start(0);
			for (unsigned int i = 1; i <= others; i++)
				wake(i);
			while (runs() != 0)
				now += SLICE;
			sched_block(&vcpus[0]);
			if (by)
				wake(0);
			else
				sched_wake(&vcpus[0]);
			check_queue(0);
			while (runs() != 0)
				now += SLICE;
			assert_int_equal(sched_is_contended(), others > 0);
			/* And it is gone when it blocks. */
			for (unsigned int i = 0; i <= others; i++)
				block();
			assert_int_equal(runs(), -1);
		}
}

static void wake_2_later(void)
{
	now += 100;
	wake(2);
}
/* Another CPU reads the time after this one, and has the lock before it. */
static void test_late_lock(void **state)
{
	(void)state;
	start(0);
	wake(1);
	now += 10;
	cpus[0].sched.resched = 1;
	during_time = wake_2_later;
	runs();
	for (unsigned int i = 0; i < 3; i++) {
		assert_true(vcpus[i].sched.vtime < 2 * SEC);
		assert_true(vcpus[i].sched.ran < SEC);
		assert_true(vcpus[i].sched.worst_wake < SEC);
	}
}

/* Heavy ones pay for short runs too. */
static void test_short_runs(void **state)
{
	(void)state;
	set(0, SCHED_MAX_WEIGHT, SLICE);
	set(1, SCHED_MAX_WEIGHT, SLICE);
	wake(1);
	runs();
	for (unsigned int i = 0; i < 4000000; i++) {
		wake(0);
		if (runs() == 0) {
			now += 200;
			block();
		}
		now += 20;
	}
	/* It may have been behind by BONUS and GRAIN. */
	assert_true(vcpus[0].sched.ran <
		    vcpus[1].sched.ran + 2 * 256 * (BONUS + GRAIN));
}

/* Virtual time of light ones goes round within some years. */
static void test_wrap(void **state)
{
	u64 was;

	(void)state;
	cpus[0].sched.vtime = -SLICE;
	vcpus[0].sched.vtime = vcpus[1].sched.vtime = -SLICE;
	start(0);
	wake(1);
	for (unsigned int i = 0; i < 4; i++)
		run(SLICE);
	was = vcpus[0].sched.ran;
	for (unsigned int i = 0; i < 100; i++)
		run(SLICE);
	assert_in_range((vcpus[0].sched.ran - was) / SLICE, 48, 52);
	/* Behind and ahead are told apart across it. */
	while (block() >= 0)
		;
	cpus[0].sched.vtime = vcpus[0].sched.vtime = -GRAIN;
	vcpus[1].sched.vtime = 10;
	vcpus[2].sched.vtime = 20;
	for (unsigned int i = 3; i--;)
		wake(i);
	assert_int_equal(runs(), 0);
	assert_int_equal(block(), 1);
	assert_int_equal(block(), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_order, setup),
		cmocka_unit_test_setup(test_shares, setup),
		cmocka_unit_test_setup(test_rest_of_slice, setup),
		cmocka_unit_test_setup(test_preempted_far_ahead, setup),
		cmocka_unit_test_setup(test_wake_record, setup),
		cmocka_unit_test_setup(test_tickless, setup),
		cmocka_unit_test_setup(test_ipi, setup),
		cmocka_unit_test_setup(test_wake_together, setup),
		cmocka_unit_test_setup(test_payment, setup),
		cmocka_unit_test_setup(test_preemption, setup),
		cmocka_unit_test_setup(test_bonus, setup),
		cmocka_unit_test_setup(test_alone, setup),
		cmocka_unit_test_setup(test_pass, setup),

		cmocka_unit_test_setup(test_alone_then_idle, setup),
		cmocka_unit_test_setup(test_block_and_wake, setup),
		cmocka_unit_test_setup(test_late_lock, setup),
		cmocka_unit_test_setup(test_short_runs, setup),
		cmocka_unit_test_setup(test_wrap, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
