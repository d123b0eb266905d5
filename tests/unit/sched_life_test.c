/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler and the life of vCPUs: power states, and the end of domains,
 * with the idle loop of kernel/cpu.c.
 */
#include "schedhost.h"

static void pend(struct vcpu *v)
{
	v->on_entry = 0x40080000;
	v->on_arg = 7;
	WRITE_ONCE(v->state, (u32)VCPU_PENDING);
	sched_wake(v);
}
static void check_started(unsigned int i, unsigned int starts,
			  unsigned int resets)
{
	assert_int_equal(books[i].starts, starts);
	assert_int_equal(books[i].resets, resets);
	assert_int_equal(books[i].vgic_resets, resets);
	if (!starts)
		return;
	assert_int_equal(books[i].entry.v, 0x40080000);
	assert_int_equal(books[i].arg, 7);
	assert_int_equal(vcpus[i].state, VCPU_ON);
	assert_false(vcpus[i].fresh);
}

static void test_pending(void **state)
{
	(void)state;
	/* Not fresh: reset first. Taken once. */
	vcpus[0].state = VCPU_OFF;
	vcpus[0].blocked = vcpus[0].flush_done = vcpus[0].caches_on = true;
	vcpus[0].flush_pos = 5;
	vcpus[0].ptimer.ctl = 1;
	timer_arm(&vcpus[0].ptimer.timer, now + SEC);
	timer_arm(&vcpus[0].vtimer, now + SEC);
	assert_int_equal(remote(pend, 0), 1);
	assert_int_equal(runs(), 0);
	check_started(0, 1, 1);
	assert_int_equal(first_guests, 1);
	assert_false(vcpus[0].blocked || vcpus[0].flush_done ||
		     vcpus[0].caches_on || vcpus[0].flush_pos ||
		     vcpus[0].ptimer.ctl);
	assert_int_equal(hosts[0].armed, OFF);
	assert_int_equal(block(), -1);
	start(0);
	check_started(0, 1, 1);
	/* Made fresh by the idle loop, where it is off and its domain on. */
	vcpus[1].state = vcpus[2].state = VCPU_OFF;
	doms[2].state = DOMAIN_BUILDING;
	cpus[0].sched.untidy = true;
	assert_int_equal(block(), -1);
	assert_int_equal(books[1].resets, 1);
	assert_true(vcpus[1].fresh);
	assert_int_equal(books[2].resets, 0);
	assert_int_equal(books[0].resets, 1);
	/* Once; and not again when it is taken, with one that runs. */
	start(0);
	assert_int_equal(block(), -1);
	assert_int_equal(books[1].resets, 1);
	start(0);
	remote(pend, 1);
	while (runs() != 1)
		now += SLICE;
	check_started(1, 1, 1);
	/* Off again: not fresh any more, and reset behind another one. */
	sched_block(&vcpus[1]);
	vcpus[1].state = VCPU_OFF;
	assert_int_equal(runs(), 0);
	check_queue(0);
	assert_int_equal(books[1].resets, 1);
	remote(pend, 1);
	while (runs() != 1)
		now += SLICE;
	check_started(1, 2, 2);
}

/* Power-on while it is still loaded: it leaves and is reset first. */
static void test_pending_loaded(void **state)
{
	(void)state;
	start(0);
	sched_block(&vcpus[0]);
	vcpus[0].state = VCPU_OFF;
	assert_int_equal(remote(pend, 0), 0);
	check_queue(0);
	/* The stubs see to it that it is not loaded then. */
	assert_int_equal(runs(), 0);
	check_started(0, 1, 1);
	assert_false(sched_is_contended());
	/* With another one behind it. */
	wake(1);
	while (runs() != 0)
		now += SLICE;
	sched_block(&vcpus[0]);
	vcpus[0].state = VCPU_OFF;
	remote(pend, 0);
	while (runs() != 0)
		now += SLICE;
	check_started(0, 2, 2);
}

static void test_off(void **state)
{
	(void)state;
	/* Woken although off. */
	vcpus[1].state = VCPU_OFF;
	vcpus[1].fresh = true;
	start(0);
	wake(1);
	assert_int_equal(runs(), 0);
	now += 2 * SLICE;
	assert_int_equal(runs(), 0);
	assert_false(vcpus[1].sched.ready);
	assert_false(sched_is_contended());
	assert_int_equal(hosts[0].armed, OFF);
	/* Powered on while that wake is in the queue; or after it. */
	wake(1);
	remote(pend, 1);
	while (runs() != 1)
		now += SLICE;
	check_started(1, 1, 0);
	sched_block(&vcpus[1]);
	vcpus[1].state = VCPU_OFF;
	runs();
	wake(1);
	assert_int_equal(run(SLICE), 0);
	remote(pend, 1);
	while (runs() != 1)
		now += SLICE;
	check_started(1, 2, 1);
}

static void check_left(u32 mask)
{
	for (unsigned int i = 0; i < NR_VCPUS; i++)
		assert_int_equal(books[i].left, mask >> i & 1);
}

static void test_kill(void **state)
{
	(void)state;
	/* Queued, running, blocked; off; power-on given. */
	vcpus[1].sched.vtime = 1; /* in this order */
	vcpus[2].sched.vtime = 2;
	wake(0);
	wake(1);
	wake(2);
	assert_int_equal(runs(), 0);
	remote(stop, 1);
	check_left(0);
	assert_int_equal(runs(), 0);
	check_left(2);
	remote(stop, 0);
	assert_int_equal(runs(), 2);
	check_left(3);
	vcpus[4].state = VCPU_OFF;
	remote(stop, 3);
	remote(stop, 4);
	assert_int_equal(runs(), 2);
	check_left(0x1b);
	vcpus[5].state = VCPU_OFF;
	remote(pend, 5);
	remote(stop, 5);
	assert_int_equal(runs(), 2);
	check_left(0x3b);
	assert_int_equal(books[5].starts, 0);
	/* Nobody wakes them any more; the idle loop does not see them. */
	for (unsigned int i = 0; i < 6; i++)
		if (i != 2)
			assert_int_equal(wake(i), 0);
	assert_int_equal(runs(), 2);
	assert_int_equal(block(), -1);
	check_left(0x3b);
	/* On its own CPU, by itself. */
	wake(2);
	assert_int_equal(runs(), 2);
	stop(&vcpus[2]);
	assert_int_equal(runs(), -1);
	check_left(0x3f);
}

/* A domain with vCPUs in every state, and what the CPU holds of them. */
static void test_kill_domain(void **state)
{
	struct domain *d = &doms[0];

	(void)state;
	d->nr_vcpus = 0;
	for (unsigned int i = 0; i < 8; i++)
		join(d, &vcpus[i]);
	for (unsigned int i = 0; i < 10; i++) {
		vcpus[i].sched.vtime = i; /* in this order */
		wake(i);
	}
	assert_int_equal(runs(), 0);
	assert_int_equal(block(), 1);
	vcpus[0].state = VCPU_OFF;
	assert_int_equal(block(), 2);
	now += SLICE;
	assert_int_equal(runs(), 3);
	cpus[0].fp_owner = &vcpus[0];
	timer_arm(&vcpus[0].vtimer, now + 5 * SEC);
	timer_arm(&vcpus[1].ptimer.timer, now + 5 * SEC);
	timer_arm(&vcpus[9].vtimer, now + 9 * SEC);
	remote(stop, 3);
	/* It is not entered again: the CPU goes by the idle loop. */
	assert_true(runs() >= 8);
	check_left(0xff);
	assert_null(cpus[0].fp_owner);
	assert_true(timer_is_armed(&vcpus[9].vtimer));
	assert_true(block() >= 8);
	assert_int_equal(block(), -1);
	check_left(0xff);
}

static void stop_it(struct vcpu *v)
{
	remote(stop, (unsigned int)(v - vcpus));
}
/* Stopped while its power-on is taken, and its state is reset. */
static void test_kill_pending(void **state)
{
	(void)state;
	vcpus[0].state = VCPU_OFF;
	remote(pend, 0);
	wake(1);
	during_reset = stop_it;
	assert_int_equal(runs(), 1);
	assert_int_equal(books[0].resets, 1);
	assert_int_equal(books[0].starts, 0);
	check_left(1);
}

static void stop_3(struct vcpu *v)
{
	during_reset = NULL;
	remote(stop, 3);
	wake(0);
}
/* Nothing that another CPU says may be slept over. */
static void test_kill_while_idle(void **state)
{
	(void)state;
	assert_int_equal(runs(), -1);
	/* The idle loop is past its look at what stops. */
	vcpus[1].state = vcpus[2].state = VCPU_OFF;
	cpus[0].sched.untidy = true;
	during_reset = stop_3;
	assert_int_equal(runs(), 0);
	check_left(8);
	/* Who woke did not wait for another reset. */
	assert_int_equal(vcpus[1].fresh + vcpus[2].fresh, 1);
	assert_int_equal(block(), -1);
	assert_true(vcpus[1].fresh && vcpus[2].fresh);
}

static void test_pause(void **state)
{
	(void)state;
	/* One that waits is out already; what it waits for has no effect. */
	start(0);
	assert_int_equal(block(), -1);
	now += 10;
	remote(sched_pause, 0);
	assert_int_equal(sched_out_since(&vcpus[0]), now);
	assert_false(sched_is_waiting(&vcpus[0].sched));
	now += 10;
	wake(0);
	remote(sched_pause, 0);
	assert_int_equal(runs(), -1);
	assert_int_equal(sched_out_since(&vcpus[0]), now - 10);
	/* It finds out itself that there was nothing. */
	now += 10;
	remote(sched_resume, 0);
	assert_false(sched_is_waiting(&vcpus[0].sched));
	assert_int_equal(runs(), 0);
	assert_int_equal(block(), -1);
	assert_true(sched_is_waiting(&vcpus[0].sched));
	/* One that is off waits on; powered on in the pause, it runs after. */
	vcpus[1].state = VCPU_OFF;
	remote(sched_pause, 1);
	remote(sched_resume, 1);
	assert_false(vcpus[1].sched.ready);
	assert_int_equal(runs(), -1);
	remote(sched_pause, 1);
	remote(pend, 1);
	assert_int_equal(runs(), -1);
	remote(sched_resume, 1);
	assert_int_equal(runs(), 1);
	check_started(1, 1, books[1].resets);
}

/* One that runs leaves when its CPU sees it, and counts from then. */
static void test_pause_running(void **state)
{
	(void)state;
	start(0);
	now += 10;
	assert_int_equal(remote(sched_pause, 0), 1);
	assert_int_equal(sched_out_since(&vcpus[0]), OFF);
	/* Meanwhile another one wakes, which charges it. */
	now += 10;
	wake(1);
	assert_int_equal(sched_out_since(&vcpus[0]), OFF);
	assert_int_equal(run(10), 1);
	assert_int_equal(sched_out_since(&vcpus[0]), now);
	/* Others' time does not count. */
	run(3 * SLICE);
	assert_int_equal(sched_out_since(&vcpus[0]), now - 3 * SLICE);
	/* Resumed and paused again before it has left. */
	remote(sched_resume, 0);
	block();
	assert_int_equal(runs(), 0);
	remote(sched_pause, 0);
	remote(sched_resume, 0);
	remote(sched_pause, 0);
	assert_int_equal(sched_out_since(&vcpus[0]), OFF);
	remote(sched_resume, 0);
	assert_int_equal(run(5), 0);
	/* Ready and queued: out since the pause. */
	wake(1);
	assert_int_equal(vcpus[1].sched.ready, true);
	now += 7;
	remote(sched_pause, 1);
	assert_int_equal(sched_out_since(&vcpus[1]), now);
	assert_int_equal(run(2 * SLICE), 0);
	/* Loaded, though not chosen, it may be chosen once more. */
	vcpus[1].vgic.loaded = true;
	assert_int_equal(sched_out_since(&vcpus[1]), OFF);
}

/* What it waited before a pause is not lost; the pause is no wait. */
static void test_pause_waited(void **state)
{
	(void)state;
	start(0);
	wake(1);
	now += 7;
	remote(sched_pause, 1);
	assert_int_equal(vcpus[1].sched.waited, 7);
	/* Paused again it waits no longer. */
	now += 100;
	remote(sched_pause, 1);
	remote(sched_resume, 1);
	now += 5;
	assert_int_equal(block(), 1);
	assert_int_equal(vcpus[1].sched.waited, 12);
	/* One that runs, or does not want to, has not waited. */
	now += 3;
	remote(sched_pause, 1);
	remote(sched_pause, 2);
	runs();
	now += 50;
	remote(sched_resume, 1);
	remote(sched_resume, 2);
	while (runs() >= 0)
		block();
	assert_int_equal(vcpus[1].sched.waited, 12);
	assert_int_equal(vcpus[2].sched.waited, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_pending, setup),
		cmocka_unit_test_setup(test_off, setup),
		cmocka_unit_test_setup(test_kill, setup),
		cmocka_unit_test_setup(test_kill_domain, setup),
		cmocka_unit_test_setup(test_pause, setup),
		cmocka_unit_test_setup(test_pause_running, setup),
		cmocka_unit_test_setup(test_pause_waited, setup),
		cmocka_unit_test_setup(test_kill_pending, setup),

		cmocka_unit_test_setup(test_pending_loaded, setup),
		cmocka_unit_test_setup(test_kill_while_idle, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
