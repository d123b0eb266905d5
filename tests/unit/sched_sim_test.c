/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random task sets on the scheduler itself, in virtual time. Deadlines of all
 * sets that fit by simset.h are kept, whatever the other vCPUs do; of those
 * that do not fit, one is missed. SIM_SETS=n of them from SIM_SEED=n on.
 */
#include <stdio.h>

#include <skerry/admit.h>
#include <skerry/work.h>

#include "simhost.h"

#ifndef SIM_SETS
#define SIM_SETS   2000
#define SIM_SHARES 200
#endif

static struct sim_set set_now; /* which is simulated */
static u64 seed_now;	       /* 0: none */

static u64 from_env(const char *name, u64 otherwise)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 0) : otherwise;
}

static int begin(void **state)
{
	(void)state;
	seed_now = 0;
	return 0;
}

/* Which set failed, if one did. */
static int end(void **state)
{
	(void)state;
	if (!seed_now)
		return 0;
	fprintf(stderr, "SIM_SEED=%lu SIM_SETS=1: at %lu us, hyperperiod %lu\n",
		seed_now, now - SIM_BASE, set_now.hyper);
	for (unsigned int i = 0; i < sim.nr; i++) {
		const struct sim_vcpu *s = &sims[i];

		fprintf(stderr,
			"%2u kind %d: %lu by %lu in %lu; full %d, extra %d, gap %lu, grain %lu, due %ld, ran %lu, missed %lu\n",
			i, s->kind, s->task.budget, s->task.deadline,
			s->task.period, s->full, s->params.extra_time, s->gap,
			s->grain, (long)(s->due - SIM_BASE), s->ran,
			vcpus[i].sched.nr_missed);
	}
	return 0;
}

/*
 * How they behave: all keep to their jobs, which may be whole budgets at once;
 * or some do not; or one with extra time never ends, and is often alone.
 */
enum neighbours { GOOD, FULL, ANY, LONELY };

static void add_deadline(const struct sim_task *t, enum neighbours how)
{
	enum sim_kind kind = SIM_KEEPS;
	struct sched_params p = {
		.weight = (u32)magnitude(SCHED_MAX_WEIGHT),
		.slice_us = (u32)(100 + below(SCHED_SLICE_US)),
		.period_us = (u32)t->period,
		.budget_us = (u32)t->budget,
		.deadline_us = (u32)t->deadline,
		.extra_time = how == LONELY ? !sim.nr : how == ANY && one_in(4),
	};
	struct sim_vcpu *s;

	if (how == ANY && one_in(2))
		kind = SIM_OVERRUN + below(3);
	if (how == LONELY && !sim.nr)
		kind = one_in(2) ? SIM_ENDLESS : SIM_SLEEPS;
	s = sim_add(kind, &p);
	s->most = max(max(t->budget * 2, t->period / (how == LONELY ? 1 : 4)),
		      4UL);
	s->grain = magnitude(s->most);
	s->full = kind == SIM_KEEPS &&
		  (how == FULL || how == LONELY || one_in(2));
	if (how == LONELY || (how != FULL && one_in(2)))
		s->gap = magnitude(t->period * (how == LONELY ? 4 : 1));
	if (how == FULL || how == LONELY)
		return;
	s->release += below(t->period);
	s->base = s->release;
	/* More than that costs another budget's time. */
	if (one_in(4))
		s->jitter = below(t->deadline / 16 + 1);
}

static void add_others(void)
{
	static const enum sim_kind kinds[] = {SIM_ENDLESS, SIM_SLEEPS,
					      SIM_SPINS};

	for (unsigned int n = (unsigned int)below(5); n; n--) {
		struct sched_params p = {
			.weight = (u32)magnitude(SCHED_MAX_WEIGHT),
			.slice_us = (u32)(100 + below(SCHED_SLICE_US)),
		};
		enum sim_kind kind = kinds[below(ARRAY_SIZE(kinds))];
		struct sim_vcpu *s = sim_add(kind, &p);

		s->most = s->grain = 16 + magnitude(20000);
		s->release += below(10000);
	}
}

static void simulate(enum neighbours how)
{
	sim_begin();
	for (unsigned int i = 0; i < set_now.nr; i++)
		add_deadline(&set_now.task[i], how);
	if (how == ANY)
		add_others();
	sim_run(SIM_TICKS + 1);
}

static void check_kept(void)
{
	assert_false(sim.missed);
	check_queue(0);
	for (unsigned int i = 0; i < sim.nr; i++) {
		if (&vcpus[i] != cpus[0].current)
			assert_int_equal(vcpus[i].sched.ran, sims[i].ran);
		if (sims[i].kind == SIM_KEEPS && !sims[i].jitter)
			assert_int_equal(vcpus[i].sched.nr_missed, 0);
	}
}

void work_point(void)
{
}

static u64 nr_long; /* of which admission does not say whether they fit */

/* What admission says about the set. */
static void check_admission(bool fits)
{
	struct sched_params p[SET_MAX] = {};
	struct admit_result r;

	for (unsigned int i = 0; i < set_now.nr; i++) {
		p[i].budget_us = (u32)set_now.task[i].budget;
		p[i].period_us = (u32)set_now.task[i].period;
		p[i].deadline_us = (u32)set_now.task[i].deadline;
	}
	admit_test(p, set_now.nr, &r);
	nr_long += r.verdict == ADMIT_LONG;
	if (r.verdict == ADMIT_LONG)
		return;
	assert_int_equal(r.verdict == ADMIT_FITS, fits);
	assert_int_equal(r.verdict == ADMIT_OVER,
			 set_load(&set_now) > set_now.hyper);
	assert_int_equal(r.ppm, div_up(set_load(&set_now) * ADMIT_WHOLE,
				       set_now.hyper));
	if (r.verdict == ADMIT_LATE) {
		assert_int_equal(r.needs_us, set_demand(&set_now, r.by_us));
		assert_true(r.needs_us > r.by_us);
	}
}

static void test_sets(void **state)
{
	u64 nr = from_env("SIM_SETS", SIM_SETS), seed, full = 0, fit = 0;
	u64 jobs = 0, exact = 0, events = 0;
	enum neighbours how;
	bool fits;

	(void)state;
	nr_long = 0;
	seed = from_env("SIM_SEED", 1);
	for (u64 n = 0; n < nr; n++) {
		seed_now = seed + n;
		random_seed(seed_now);
		set_random(&set_now);
		how = one_in(4)			     ? FULL
		      : one_in(4)		     ? GOOD
		      : set_now.nr <= 4 && one_in(2) ? LONELY
						     : ANY;
		fits = set_fits(&set_now);
		check_admission(fits);
		if (fits) {
			simulate(how);
			check_kept();
			fit++;
			full += set_load(&set_now) == set_now.hyper;
		} else {
			simulate(FULL);
			assert_true(sim.missed);
		}
		jobs += sim.nr_jobs;
		exact += sim.nr_exact;
		events += sim.nr_events;
	}
	seed_now = 0;
	printf("%lu sets, %lu fit, %lu fill the CPU, %lu are too long to say; %lu jobs, %lu end just in time; %lu events\n",
	       nr, fit, full, nr_long, jobs, exact, events);
	if (nr < 100)
		return;
	assert_true(fit > nr / 2 && fit < nr - nr / 20);
	assert_true(full > nr / 10 && nr_long <= nr / 100);
	assert_true(jobs > 100 * nr && exact > nr);
}

/*
 * Hogs, maybe beside a deadline vCPU that takes 60 %: after 1000 slices each
 * has its share of what is left to within 1 %.
 */
static void check_shares(bool beside)
{
	static const struct sched_params most = {.weight = SCHED_WEIGHT,
						 .slice_us = SCHED_SLICE_US,
						 .period_us = 1000,
						 .budget_us = 600,
						 .deadline_us = 1000};
	unsigned int nr = 2 + (unsigned int)below(11), first = beside;
	u64 sum = 0, slices = 0, ran = 0, want;
	struct sched_params p;

	sim_begin();
	if (beside)
		sim_add(SIM_KEEPS, &most)->full = true;
	for (unsigned int i = 0; i < nr; i++) {
		p = (struct sched_params){
			.weight = (u32)(1 + below(1000)),
			.slice_us = (u32)(500 + below(SCHED_SLICE_US)),
		};
		sum += p.weight;
		sim_add(SIM_ENDLESS, &p);
	}
	while (slices < 1000) {
		sim_run(1000);
		slices = ran = 0;
		for (unsigned int i = first; i < sim.nr; i++) {
			slices += sims[i].ran / sims[i].params.slice_us;
			ran += sims[i].ran;
		}
	}
	assert_false(sim.missed);
	assert_int_equal(sim.idle, 0);
	for (unsigned int i = first; i < sim.nr; i++) {
		want = ran * sims[i].params.weight / sum;
		assert_true(sims[i].ran <= want + ran / 100 &&
			    want <= sims[i].ran + ran / 100);
	}
}

static void test_shares(void **state)
{
	(void)state;
	for (u64 n = 0; n < SIM_SHARES; n++) {
		random_seed(n);
		check_shares(n & 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sets, begin, end),
		cmocka_unit_test(test_shares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
