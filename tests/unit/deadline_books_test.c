/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is told of deadline vCPUs and kept for them: the trace of those that are
 * deferred or given other parameters, and for what a toll was paid.
 */
#include <stdio.h>

#include "deadlinehost.h"
#include <skerry/trace.h>

extern void (*host_trace)(enum trace_event e, const struct vcpu *v, u32 arg);

static char told[200];

static void tell(enum trace_event e, const struct vcpu *v, u32 arg)
{
	static const char *const names[] = {
		[TRACE_RUN] = "run",
		[TRACE_IDLE] = "idle",
		[TRACE_WAKE] = "wake",
		[TRACE_BLOCK] = "block",
		[TRACE_PREEMPT] = "preempt",
		[TRACE_EXHAUSTED] = "exhausted",
		[TRACE_REPLENISH] = "replenish",
	};
	size_t len = strlen(told);

	assert_int_equal(arg, 0);
	snprintf(told + len, sizeof(told) - len, "%s%s", len ? " " : "",
		 names[e]);
	len = strlen(told);
	if (v)
		snprintf(told + len, sizeof(told) - len, " %d",
			 (int)(v - vcpus));
}

static void listen(void)
{
	*told = 0;
	host_trace = tell;
	for (unsigned int i = 0; i < NR_CPUS; i++)
		cpus[i].trace.on = 1;
}

#define assert_told(text)                                                      \
	do {                                                                   \
		assert_string_equal(told, text);                               \
		*told = 0;                                                     \
	} while (0)

/* Too little is left for a wake: it waits from then on, and EL2 says so. */
static void test_deferred_by_wake(void **state)
{
	(void)state;
	server_toll = US(5);
	server(1, 2, 10, 10);
	start(0);
	listen();
	wake(1);
	runs();
	now += 2 * MS - US(2);
	assert_int_equal(done(), 0);
	assert_told("wake 1 preempt 0 run 1 block 1 run 0");
	now += US(10);
	wake(1);
	assert_told("wake 1 exhausted 1");
	assert_int_equal(vcpus[1].sched.nr_exhausted, 1);
	passes(8 * MS);
	assert_told("replenish 1 preempt 0 run 1");
	assert_int_equal(vcpus[1].sched.nr_exhausted, 1);
}

/* A part that returns is less than what was overrun. */
static void test_deferred_by_return(void **state)
{
	u64 begin;

	(void)state;
	server(1, 4, 5, 10);
	now += SEC;
	begin = now;
	wake(1);
	runs();
	now += US(10);
	done();
	start(0);
	now = begin + MS;
	wake(1);
	listen();
	runs();
	now += 4 * MS - US(10) + US(100);
	assert_int_equal(runs(), 0);
	assert_told("preempt 0 run 1 exhausted 1 run 0");
	now = begin + 10 * MS;
	assert_int_equal(runs(), 0);
	assert_told("replenish 1 exhausted 1");
	assert_int_equal(vcpus[1].sched.nr_exhausted, 2);
	now = begin + 11 * MS;
	assert_int_equal(runs(), 1);
	assert_told("replenish 1 preempt 0 run 1");
}

/* It waits and wakes by none of this. */
static void test_set(void **state)
{
	(void)state;
	start(1);
	wake(0);
	assert_int_equal(runs(), 0);
	listen();
	server(1, 2, 10, 10);
	assert_told("");
	assert_true(vcpus[1].sched.ready);
	assert_int_equal(runs(), 1);
	assert_told("preempt 0 run 1");
	/* The running one; and one that is deferred. */
	server(1, 2, 20, 20);
	assert_told("exhausted 1");
	assert_int_equal(runs(), 0);
	assert_told("run 0");
	server(1, 3, 20, 20);
	assert_told("replenish 1 exhausted 1");
	plain(1);
	assert_told("replenish 1");
	assert_true(vcpus[1].sched.ready);
	/* One that waits, before and after. */
	server(2, 1, 10, 10);
	assert_told("");
	assert_false(vcpus[2].sched.ready);
}

/*
 * 0 pays for a wake that preempts nobody, and runs. Later it is before 1, whose
 * next part has a later deadline: that is no work of EL2's for 0.
 */
static void test_paid_before(void **state)
{
	u64 begin;

	(void)state;
	server_toll = US(5);
	server(0, 3, 10, 10);
	server(1, 2, 4, 10);
	server(2, 6, 9, 20);
	now += SEC;
	begin = now;
	start(1);
	now += MS;
	done();
	now = begin + 3 * MS;
	start(0);
	now += MS / 10;
	done();
	now += MS / 10;
	start(2);
	now = begin + 3 * MS + MS / 2;
	wake(0);
	assert_int_equal(runs(), 2);
	assert_true(of(0)->paid);
	now = begin + 9 * MS;
	assert_int_equal(done(), 0);
	assert_false(of(0)->paid);
	now += MS / 5;
	wake(1);
	assert_int_equal(runs(), 1);
	/* Late by 10 us, so that there is something to give. */
	now += (u64)of(1)->left + US(10);
	assert_int_equal(runs(), 0);
	assert_true(of(1)->active);
	assert_int_equal(of(1)->left, MS - US(10));
}

/* Nor is what it paid while it ran for who runs in its place later. */
static void test_paid_running(void **state)
{
	(void)state;
	server_toll = US(5);
	server(0, 3, 10, 10);
	server(1, 1, 2, 20);
	now += SEC;
	start(0);
	now += US(10);
	sched_block(&vcpus[0]);
	wake(0);
	assert_int_equal(of(0)->left, (s64)(3 * MS - US(15)));
	assert_int_equal(runs(), 0);
	now += US(10);
	wake(1);
	assert_int_equal(runs(), 1);
	assert_false(of(0)->paid);
}

/* A hog, and one that uses up its budget. */
static void test_exhausted(void **state)
{
	(void)state;
	listen();
	server(1, 2, 10, 10);
	*told = 0;
	start(0);
	wake(1);
	runs();
	run(2 * MS);
	run(8 * MS);
	block();
	block();
	assert_told("wake 0 idle run 0 wake 1 preempt 0 run 1 exhausted 1 run 0 "
		    "replenish 1 preempt 0 run 1 block 1 run 0 block 0 idle");
}

static int quiet(void **state)
{
	host_trace = NULL;
	return setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_exhausted, quiet),
		cmocka_unit_test_setup(test_deferred_by_wake, quiet),
		cmocka_unit_test_setup(test_deferred_by_return, quiet),
		cmocka_unit_test_setup(test_set, quiet),
		cmocka_unit_test_setup(test_paid_before, quiet),
		cmocka_unit_test_setup(test_paid_running, quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
