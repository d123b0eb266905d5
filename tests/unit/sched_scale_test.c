/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the work of the scheduler grows with the vCPUs of a CPU. It is counted in
 * basic blocks, of which each counts itself when it is run (gcc's
 * -fsanitize-coverage=trace-pc): the same number whenever this is built by the
 * same compiler, with each step of each loop in it.
 */
#define NR_VCPUS 257
#include <stdio.h>

#include "simhost.h"

static u64 blocks;
static bool counting;

__attribute__((no_sanitize_coverage)) void __sanitizer_cov_trace_pc(void);
__attribute__((no_sanitize_coverage)) void __sanitizer_cov_trace_pc(void)
{
	blocks += counting;
}

enum op { WAKE, BLOCK, PICK, NR_OPS };

static u64 count(enum op op, struct vcpu *v)
{
	blocks = 0;
	counting = true;
	if (op == WAKE)
		sched_wake(v);
	else if (op == BLOCK)
		sched_block(v);
	else
		sched_next();
	counting = false;
	cpus[0].current = cpus[0].sched.running;
	return blocks;
}

enum mix { ROUND_ROBIN, IMPLICIT, CONSTRAINED, BOTH };

static void place(unsigned int nr, enum mix mix)
{
	sim_begin(0, false);
	for (unsigned int i = 0; i < nr; i++) {
		struct sched_params p = {.weight = (u32)(1 + below(1000)),
					 .slice_us = 1000};

		if (mix && (mix != BOTH || i % 2)) {
			p.period_us = (u32)(50000 + below(1000000));
			p.budget_us = (u32)(100 + below(1000));
			p.deadline_us = p.period_us / (1 + (mix != IMPLICIT));
			p.extra_time = one_in(4);
		}
		sim_add(SIM_SLEEPS, &p);
	}
}

/* The most that a call of each kind has taken, with nearly all of nr ready. */
static void most_of(unsigned int nr, enum mix mix, u64 most[NR_OPS])
{
	unsigned int ready = 0, full = 0;

	place(nr, mix);
	for (unsigned int n = 0; n < 100000; n++) {
		struct vcpu *cur = cpus[0].sched.running, *v;

		now = max(now, min(now + below(200), hosts[0].armed));
		if (hosts[0].armed <= now)
			time_irq();
		v = &vcpus[below(nr)];
		if (!v->sched.ready) {
			most[WAKE] = max(most[WAKE], count(WAKE, v));
			ready++;
		} else if (cur && ready + below(nr) > nr + nr / 2) {
			most[BLOCK] = max(most[BLOCK], count(BLOCK, cur));
			ready--;
		}
		if (READ_ONCE(cpus[0].sched.resched))
			most[PICK] = max(most[PICK], count(PICK, NULL));
		full += ready > nr / 2;
		if (n % 256 == 0)
			check_queue(0);
	}
	assert_true(full > 50000);
}

static unsigned int log_2(unsigned int n)
{
	return 31 - (unsigned int)__builtin_clz(n);
}

/* Of blocks: at one vCPU, and for each time that their number doubles. */
#define FIRST	  180
#define PER_LEVEL 50

static void test_growth(void **state)
{
	static const char *const names[] = {"round-robin", "implicit",
					    "constrained", "both"};

	(void)state;
	random_seed(1);
	for (enum mix mix = ROUND_ROBIN; mix <= BOTH; mix++) {
		for (unsigned int nr = 2; nr <= 256; nr *= nr == 2 ? 8 : 4) {
			u64 most[NR_OPS] = {};

			most_of(nr, mix, most);
			printf("%s, %u: wake %lu, block %lu, pick %lu blocks\n",
			       names[mix], nr, most[WAKE], most[BLOCK],
			       most[PICK]);
			for (unsigned int op = 0; op < NR_OPS; op++)
				assert_true(most[op] <=
					    FIRST + PER_LEVEL * log_2(nr));
		}
	}
}

/* One with the earliest deadline wakes and runs: the same at any number. */
static void preempt(unsigned int nr, enum mix mix, u64 cost[NR_OPS])
{
	static const struct sched_params first = {.weight = SCHED_WEIGHT,
						  .slice_us = 1000,
						  .period_us = 1000,
						  .budget_us = 100,
						  .deadline_us = 1000};
	struct vcpu *v = &vcpus[nr];

	place(nr, mix);
	sim_add(SIM_KEEPS, &first);
	for (unsigned int i = 0; i < nr; i++)
		sched_wake(&vcpus[i]);
	count(PICK, NULL);
	assert_non_null(cpus[0].sched.running);
	now += 50;
	cost[WAKE] = count(WAKE, v);
	assert_true(cpus[0].sched.resched);
	cost[PICK] = count(PICK, NULL);
	assert_ptr_equal(cpus[0].sched.running, v);
	cost[BLOCK] = count(BLOCK, v);
	check_queue(0);
}

static void test_preempts(void **state)
{
	(void)state;
	for (enum mix mix = ROUND_ROBIN; mix <= BOTH; mix++) {
		u64 few[NR_OPS], cost[NR_OPS];

		random_seed(mix);
		preempt(4, mix, few);
		printf("preempts: wake %lu, pick %lu, block %lu blocks\n",
		       few[WAKE], few[PICK], few[BLOCK]);
		for (unsigned int nr = 5; nr <= 256; nr++) {
			preempt(nr, mix, cost);
			assert_memory_equal(cost, few, sizeof(cost));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_preempts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
