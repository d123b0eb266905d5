/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random task sets on the scheduler itself, in virtual time. Deadlines of all
 * sets that fit by simset.h are kept, whatever the other vCPUs do; of those
 * that do not fit, one is missed. From SIM_SEED=n on, until SIM_SETS=n have
 * been admitted. Odd ones with the tolls and the slack that ship.
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

/* What sched.c asks of deadline.c, seen on the way (-Wl,--wrap). */
bool __real_server_wake(struct sched_cpu *c, struct vcpu *v, u64 since, u64 at);
bool __wrap_server_wake(struct sched_cpu *c, struct vcpu *v, u64 since, u64 at);
bool __real_server_resume(struct sched_cpu *c, struct vcpu *v, u64 at);
bool __wrap_server_resume(struct sched_cpu *c, struct vcpu *v, u64 at);
void __real_server_credit(struct vcpu *v, struct vcpu *by);
void __wrap_server_credit(struct vcpu *v, struct vcpu *by);

static inline void sim_paid(struct sim_vcpu *s, const struct vcpu *v)
{
	s->purse = 0;
	if (!v->sched.server.paid)
		return;
	s->purse = server_toll;
	s->used += (s64)server_toll;
	sim.nr_paid++;
}

bool __wrap_server_wake(struct sched_cpu *c, struct vcpu *v, u64 since, u64 at)
{
	bool active = __real_server_wake(c, v, since, at);
	struct sim_vcpu *s = &sims[v - vcpus];

	sim_paid(s, v);
	/*
	 * One in each period costs nothing, a little early or not. By what EL2
	 * may be late itself, each of them may come before the period's end.
	 */
	if (active && !v->sched.server.paid)
		assert_true(s->nr_free++ * (s->task.period - server_toll) <=
			    at + s->task.deadline / 16 - s->from);
	return active;
}

bool __wrap_server_resume(struct sched_cpu *c, struct vcpu *v, u64 at)
{
	bool active = __real_server_resume(c, v, at);

	sim_paid(&sims[v - vcpus], v);
	return active;
}

/* To whom it preempts, and once. */
void __wrap_server_credit(struct vcpu *v, struct vcpu *by)
{
	struct sim_vcpu *s = &sims[v - vcpus], *from = &sims[by - vcpus];
	s64 was = v->sched.server.left;

	assert_ptr_equal(v, cpus[0].sched.running);
	__real_server_credit(v, by);
	was = v->sched.server.left - was;
	assert_true(was >= 0 && (u64)was <= from->purse);
	from->purse = 0;
	s->used -= was;
	sim.nr_given += was > 0;
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
			"%2u kind %d: %lu by %lu in %lu; full %d, extra %d, gap %lu, jitter %lu, grain %lu, due %ld, ran %lu, missed %lu\n",
			i, s->kind, s->task.budget, s->task.deadline,
			s->task.period, s->full, s->params.extra_time, s->gap,
			s->jitter, s->grain, (long)(s->due - SIM_BASE), s->ran,
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
	sim_begin(set_now.hyper, seed_now & 1);
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

/* Of all sets; too long: admission refuses without a word on whether it fits. */
static struct {
	u64 admitted, refused, too_long, full, tolls;
	u64 jobs, exact, events, paid, given, sets, lives;
} sums;

/* What admission says about the set: that it fits. */
static bool check_admission(bool fits)
{
	struct sched_params p[SET_MAX] = {};
	struct admit_result r;

	for (unsigned int i = 0; i < set_now.nr; i++) {
		p[i].budget_us = (u32)set_now.task[i].budget;
		p[i].period_us = (u32)set_now.task[i].period;
		p[i].deadline_us = (u32)set_now.task[i].deadline;
	}
	admit_test(p, set_now.nr, &r);
	if (r.verdict == ADMIT_LONG) {
		sums.too_long++;
		return false;
	}
	assert_int_equal(r.verdict == ADMIT_FITS, fits);
	assert_int_equal(r.verdict == ADMIT_OVER,
			 set_load(&set_now) > set_now.hyper);
	assert_int_equal(r.ppm, div_up(set_load(&set_now) * ADMIT_WHOLE,
				       set_now.hyper));
	if (r.verdict == ADMIT_LATE) {
		assert_int_equal(r.needs_us, set_demand(&set_now, r.by_us));
		assert_true(r.needs_us > r.by_us);
	}
	return fits;
}

static void count(bool admitted)
{
	sums.admitted += admitted;
	sums.refused += !admitted;
	sums.full += admitted && set_load(&set_now) == set_now.hyper;
	sums.tolls += admitted && server_toll;
	sums.jobs += sim.nr_jobs;
	sums.exact += sim.nr_exact;
	sums.events += sim.nr_events;
	sums.paid += server_toll ? sim.nr_paid : 0;
	sums.given += sim.nr_given;
	sums.sets += sim.nr_sets;
	sums.lives += sim.nr_lives;
}

static void check_set(void)
{
	enum neighbours how;
	bool fits, admitted;

	random_seed(seed_now);
	set_random(&set_now);
	how = one_in(4)			     ? FULL
	      : one_in(4)		     ? GOOD
	      : set_now.nr <= 4 && one_in(2) ? LONELY
					     : ANY;
	fits = set_fits(&set_now);
	admitted = check_admission(fits);
	simulate(fits ? how : FULL);
	if (fits)
		check_kept();
	else
		assert_true(sim.missed);
	count(admitted);
}

static void test_sets(void **state)
{
	u64 nr = from_env("SIM_SETS", SIM_SETS);

	(void)state;
	memset(&sums, 0, sizeof(sums));
	seed_now = from_env("SIM_SEED", 1);
	for (; sums.admitted < nr; seed_now++)
		check_set();
	seed_now = 0;
	printf("%lu sets admitted, %lu with tolls, %lu fill the CPU; %lu refused, %lu are too long to say\n"
	       "%lu jobs, %lu end just in time; %lu other parameters, %lu other lives; %lu tolls, %lu given to others; %lu events\n",
	       sums.admitted, sums.tolls, sums.full, sums.refused,
	       sums.too_long, sums.jobs, sums.exact, sums.sets, sums.lives,
	       sums.paid, sums.given, sums.events);
	if (nr < 100)
		return;
	assert_true(sums.refused > nr / 20 && sums.refused < nr / 2);
	assert_true(sums.full > nr / 10 && sums.too_long <= nr / 100);
	assert_true(sums.tolls > nr / 3 && sums.paid > 100 * nr);
	assert_true(sums.given > 10 * nr && sums.sets > nr && sums.lives > nr);
	assert_true(sums.jobs > 100 * nr && sums.exact > nr);
}

/* So many slices each of the hogs has had, or more. */
static u64 least_slices(unsigned int first)
{
	u64 least = ~0UL;

	for (unsigned int i = first; i < sim.nr; i++)
		least = min(least, sims[i].ran / sims[i].params.slice_us);
	return least;
}

/*
 * Hogs, maybe beside a deadline vCPU that takes 60 %: after 1000 slices of each
 * it has its share of what is left, to within 1 % of that.
 */
static void check_shares(bool beside, bool tolls)
{
	static const struct sched_params most = {.weight = SCHED_WEIGHT,
						 .slice_us = SCHED_SLICE_US,
						 .period_us = 10000,
						 .budget_us = 6000,
						 .deadline_us = 10000};
	unsigned int nr = 2 + (unsigned int)below(11), first = beside;
	u64 sum = 0, ran = 0, want;
	struct sched_params p;

	sim_begin(most.period_us, tolls);
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
	while (least_slices(first) < 1000)
		sim_run(100000);
	assert_false(sim.missed);
	assert_int_equal(sim.idle, 0);
	for (unsigned int i = first; i < sim.nr; i++)
		ran += sims[i].ran;
	for (unsigned int i = first; i < sim.nr; i++) {
		want = ran * sims[i].params.weight / sum;
		assert_true(sims[i].ran <= want + want / 100 &&
			    want <= sims[i].ran + want / 100);
	}
	sums.events += sim.nr_events;
}

static void test_shares(void **state)
{
	(void)state;
	/* Enough is known of what is wrong. */
	if (seed_now) {
		print_message("shares: skipped, as test_sets has failed\n");
		skip();
	}
	for (u64 n = 0; n < SIM_SHARES; n++) {
		random_seed(n);
		check_shares(n & 1, n & 2);
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
