/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random sets of deadline vCPUs, and the exact analysis that says which of them
 * fit on a CPU. All periods divide one number: sums of shares are integers, and
 * demand repeats.
 */
#pragma once

#include <skerry/sched.h>

#define SET_MAX 12

struct sim_task {
	u64 budget, period, deadline; /* in us */
};

struct sim_set {
	unsigned int nr;
	u64 hyper; /* all periods divide it */
	struct sim_task task[SET_MAX];
};

/* xorshift64*, of Marsaglia and Vigna */
static u64 random_state;

static inline u64 random_u64(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1d;
}
/* From 0 to n - 1. */
static inline u64 below(u64 n)
{
	return (random_u64() >> 8) % n;
}
static inline bool one_in(u64 n)
{
	return !below(n);
}
/* From 1 to n, each power of two as often as the next. */
static inline u64 magnitude(u64 n)
{
	u64 top = 1UL << below(64 - (u64)__builtin_clzl(n));

	return min(top + below(top), n);
}
static inline void random_seed(u64 seed)
{
	random_state = seed * 0x9e3779b97f4a7c15 + 1;
	for (int i = 0; i < 8; i++)
		random_u64();
}

/* --- the analysis -------------------------------------------------------- */

/* Of the whole CPU, which is `hyper`. */
static inline u64 set_load(const struct sim_set *s)
{
	u64 load = 0;

	for (unsigned int i = 0; i < s->nr; i++)
		load += s->task[i].budget * (s->hyper / s->task[i].period);
	return load;
}

/* What has to be done by t if all start at 0. */
static inline u64 set_demand(const struct sim_set *s, u64 t)
{
	u64 sum = 0;

	for (unsigned int i = 0; i < s->nr; i++)
		if (t >= s->task[i].deadline)
			sum += ((t - s->task[i].deadline) / s->task[i].period +
				1) *
			       s->task[i].budget;
	return sum;
}

/*
 * Processor demand (Baruah, Rosier and Howell 1990), at each deadline of a
 * hyperperiod: with a load of at most 1 the next one is no worse.
 */
static inline bool set_fits(const struct sim_set *s)
{
	u64 next[SET_MAX], demand = 0, at;

	if (set_load(s) > s->hyper)
		return false;
	for (unsigned int i = 0; i < s->nr; i++)
		next[i] = s->task[i].deadline;
	for (;;) {
		at = ~0UL;
		for (unsigned int i = 0; i < s->nr; i++)
			at = min(at, next[i]);
		if (at > s->hyper)
			return true;
		for (unsigned int i = 0; i < s->nr; i++) {
			if (next[i] != at)
				continue;
			demand += s->task[i].budget;
			next[i] += s->task[i].period;
		}
		if (demand > at)
			return false;
	}
}

/* --- the sets ------------------------------------------------------------ */

/* A divisor of `hyper`, not less than `least`. */
static inline u64 random_period(u64 hyper, u64 least)
{
	u64 k = magnitude(max(hyper / least, 1UL));

	while (hyper % k)
		k--;
	return hyper / k;
}

static inline void set_task(struct sim_set *s, u64 budget, u64 period)
{
	budget = max(budget, (u64)SCHED_MIN_BUDGET_US);
	s->task[s->nr++] = (struct sim_task){budget, period, period};
}

/* The rest of the CPU, to the last tick, if a task can have that. */
static inline void set_fill(struct sim_set *s)
{
	u64 rest = s->hyper - min(set_load(s), s->hyper), k;

	k = min(rest / SCHED_MIN_BUDGET_US, s->hyper / SCHED_MIN_PERIOD_US);
	if (!k)
		return;
	k = magnitude(k);
	while (s->hyper % k || rest % k)
		k--;
	set_task(s, rest / k, s->hyper / k);
}

/* Implicit deadlines; shares as of UUniFast (Bini and Buttazzo 2005). */
static inline void set_shares(struct sim_set *s)
{
	static const u64 hypers[] = {720720, 1000000, 907200, 831600, 524288};
	unsigned int nr = 1 + (unsigned int)below(SET_MAX);
	bool fill = one_in(2);
	u64 left, share, best;

	s->hyper = hypers[below(ARRAY_SIZE(hypers))];
	s->nr = 0;
	left = one_in(2) ? s->hyper : s->hyper / 2 + below(s->hyper / 2);
	while (s->nr + 1 < nr) {
		/* The greatest of the rest's cuts, without a root. */
		best = 0;
		for (unsigned int i = s->nr + 1; i < nr; i++)
			best = max(best, below(left + 1));
		share = max(left - best, (u64)SCHED_MIN_BUDGET_US);
		left = best;
		best = random_period(s->hyper,
				     max(div_up(SCHED_MIN_BUDGET_US * s->hyper,
						share),
					 (u64)SCHED_MIN_PERIOD_US));
		set_task(s, share * best / s->hyper, best);
	}
	if (fill || !s->nr)
		set_fill(s);
	if (!s->nr)
		set_task(s, left, s->hyper);
}

/* The least value from lo to hi with which the set fits; with hi it does. */
static inline void set_least(struct sim_set *s, u64 *value, u64 lo)
{
	u64 hi = *value;

	while (lo < hi) {
		*value = lo + (hi - lo) / 2;
		if (set_fits(s))
			hi = *value;
		else
			lo = *value + 1;
	}
	*value = hi;
}

/* Deadlines closer to the periods, until the set fits. */
static inline void set_relax(struct sim_set *s)
{
	const struct sim_set was = *s;

	for (u64 part = 60; !set_fits(s); part -= 4) {
		for (unsigned int i = 0; i < s->nr; i++)
			s->task[i].deadline = was.task[i].period -
					      (was.task[i].period -
					       was.task[i].deadline) *
						      part / 64;
		if (!part)
			return;
	}
}

/* Deadlines before the ends of periods, for some or for all. */
static inline void set_constrain(struct sim_set *s)
{
	bool all = one_in(3);
	struct sim_task *t;

	for (unsigned int i = 0; i < s->nr; i++) {
		t = &s->task[i];
		if (all || one_in(2))
			t->deadline = t->budget +
				      below(t->period - t->budget + 1);
	}
	if (set_load(s) > s->hyper || one_in(8))
		return;
	set_relax(s);
	t = &s->task[below(s->nr)];
	/* To the brim. */
	if (one_in(2))
		set_least(s, &t->deadline, t->budget);
}

static inline void set_random(struct sim_set *s)
{
	struct sim_task *t;

	set_shares(s);
	for (unsigned int i = 0; i < s->nr; i++)
		s->task[i].budget = min(s->task[i].budget, s->task[i].period);
	if (one_in(2))
		set_constrain(s);
	/* A tick more than that: what is full overflows. */
	t = &s->task[below(s->nr)];
	if (!one_in(4))
		return;
	if (one_in(2) && t->budget < t->deadline)
		t->budget++;
	else if (t->deadline > t->budget)
		t->deadline--;
}
