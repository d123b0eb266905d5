/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random sets of deadline vCPUs that a CPU can just bear. Some do what they
 * have promised, others whatever they like: the first of them are done by
 * their deadlines, to the tick.
 */
#include "deadlinehost.h"

#define HYPER	 40000 /* us; all periods divide it */
#define MAX_SET	 8
#define NR_PLAIN 2 /* without a deadline, always ready; behind the others */

enum kind {
	HONEST, /* as much as its budget, at least a period apart */
	LATE,	/* the same, each of them a bit less, and apart */
	WILD,	/* runs and waits as it likes */
	HOG,	/* never waits */
	NR_KINDS,
};

static struct task {
	struct sched_params p;
	enum kind kind;
	bool waits;
	u64 woken, next, left; /* to run until it waits; ticks */
} tasks[MAX_SET];

static unsigned int seed, nr_tasks;
static u64 nr_jobs, nr_tight;

static u32 below(u64 n)
{
	return (u32)((u64)rand_r(&seed) % n);
}

/* All of the CPU's time, in parts. */
static void make_set(void)
{
	static const u32 periods[] = {1000, 2000,  4000,  5000,
				      8000, 10000, 20000, 40000};
	u64 rest = HYPER;

	nr_tasks = 0;
	for (unsigned int i = 0; i < MAX_SET; i++) {
		u32 period = periods[below(ARRAY_SIZE(periods))];
		u64 most = rest * period / HYPER;
		struct task *t = &tasks[nr_tasks];

		if (most < SCHED_MIN_BUDGET_US)
			continue;
		*t = (struct task){.kind = below(NR_KINDS), .waits = true};
		t->p = params(0, 0, 0);
		t->p.extra_time = below(2);
		t->p.period_us = t->p.deadline_us = period;
		t->p.budget_us = (u32)most;
		if (i < MAX_SET - 1 && below(3))
			t->p.budget_us = 10 + below(most / 2 + 1);
		if (t->p.budget_us > most)
			t->p.budget_us = (u32)most;
		rest -= (u64)t->p.budget_us * HYPER / period;
		nr_tasks++;
	}
}

/* What may be asked for within `us`, of which all is to be done. */
static u64 demand(u64 us)
{
	u64 sum = 0;

	for (unsigned int i = 0; i < nr_tasks; i++) {
		const struct sched_params *p = &tasks[i].p;

		if (us >= p->deadline_us)
			sum += ((us - p->deadline_us) / p->period_us + 1) *
			       p->budget_us;
	}
	return sum;
}
static bool is_feasible(void)
{
	for (unsigned int i = 0; i < nr_tasks; i++)
		for (u64 us = tasks[i].p.deadline_us; us <= HYPER;
		     us += tasks[i].p.period_us)
			if (demand(us) > us)
				return false;
	return true;
}
/* Deadlines before the ends of periods, as early as they may be. */
static void constrain(void)
{
	for (unsigned int tries = 0; tries < 200; tries++) {
		struct sched_params *p = &tasks[below(nr_tasks)].p;
		u32 was = p->deadline_us;

		p->deadline_us = p->budget_us + below(was - p->budget_us + 1);
		if (!is_feasible())
			p->deadline_us = was;
	}
}

static void begin_job(struct task *t, unsigned int i)
{
	u64 budget = of(i)->budget;

	t->waits = false;
	t->woken = now;
	t->left = t->kind == HONEST ? budget
		  : t->kind == LATE ? 1 + below(budget)
				    : 1 + below(of(i)->period);
	wake(i);
}
/* It has run what it wanted to run. */
static void end_job(struct task *t, unsigned int i)
{
	u64 period = of(i)->period;

	t->waits = true;
	t->next = now + below(period);
	if (t->kind == HONEST)
		t->next = t->woken + period;
	else if (t->kind == LATE)
		t->next = t->woken + period + below(period / 4);
	if (t->kind <= LATE) {
		nr_jobs++;
		nr_tight += now + period / 50 > t->woken + of(i)->deadline;
		assert_true(now <= t->woken + of(i)->deadline);
	}
	sched_block(&vcpus[i]);
}

/* To the next time that something happens. */
static void step(void)
{
	int cur = runs();
	struct task *t = cur >= 0 && cur < (int)nr_tasks ? &tasks[cur] : NULL;
	bool ends = t && t->kind != HOG;
	u64 next = hosts[0].armed;

	if (ends)
		next = min(next, now + t->left);
	for (unsigned int i = 0; i < nr_tasks; i++)
		if (tasks[i].waits)
			next = min(next, max(now, tasks[i].next));
	if (ends)
		t->left -= next - now;
	now = next;
	if (ends && !t->left)
		end_job(t, (unsigned int)cur);
	for (unsigned int i = 0; i < nr_tasks; i++)
		if (tasks[i].waits && tasks[i].next <= now)
			begin_job(&tasks[i], i);
}

static void random_sets(bool constrained, u64 freq)
{
	for (unsigned int round = 0; round < 400; round++) {
		u64 end;

		setup(NULL);
		host_freq = freq;
		make_set();
		if (constrained)
			constrain();
		assert_true(is_feasible());
		for (unsigned int i = 0; i < nr_tasks; i++) {
			sched_set(&vcpus[i], &tasks[i].p);
			/* All at once, or one after another. */
			tasks[i].next = now;
			if (round % 2)
				tasks[i].next += below(of(i)->period);
		}
		for (unsigned int i = 0; i < NR_PLAIN; i++)
			wake(MAX_SET + i);
		end = now + freq / 1000000 * HYPER * 8;
		while (now < end)
			step();
	}
}

static void test_implicit(void **state)
{
	(void)state;
	seed = 5;
	nr_jobs = nr_tight = 0;
	random_sets(false, 62500000);
	random_sets(false, 19200000);
	assert_true(nr_jobs > 10000 && nr_tight > 100);
}
static void test_constrained(void **state)
{
	(void)state;
	seed = 6;
	nr_jobs = nr_tight = 0;
	random_sets(true, 62500000);
	random_sets(true, 19200000);
	assert_true(nr_jobs > 10000 && nr_tight > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_implicit, setup),

		cmocka_unit_test_setup(test_constrained, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
