/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admission of deadline vCPUs to a CPU. In the bounds below n <= 64 vCPUs have
 * budget <= deadline <= period <= 10^7 < 2^24, in us.
 */
#include <skerry/admit.h>

#include <skerry/fmt.h>
#include <skerry/work.h>

typedef unsigned __int128 u128;

static_assert(SCHED_MAX_PERIOD_US < BIT(24) && ADMIT_MAX == 64, "the bounds");

/* --- utilisation --------------------------------------------------------- */

/* Of k periods' product, below 2^(24 k), and up to k times that: words. */
#define WORDS(k) ((24 * (k) + 7) / 64 + 1)

/* num / den += c / t */
static void add_ratio(u64 *num, u64 *den, unsigned int words, u32 c, u32 t)
{
	u64 num_carry = 0, den_carry = 0;

	for (unsigned int i = 0; i < words; i++) {
		/* Below 2^89 and 2^88: the carries are below 2^25. */
		u128 x = (u128)num[i] * t + (u128)den[i] * c + num_carry;
		u128 y = (u128)den[i] * t + den_carry;

		num[i] = (u64)x;
		den[i] = (u64)y;
		num_carry = (u64)(x >> 64);
		den_carry = (u64)(y >> 64);
	}
}

/* num / den > ppm / 10^6 */
static bool is_above(const u64 *num, const u64 *den, unsigned int words, u64 ppm)
{
	__int128 rest = 0; /* of num 10^6 - den ppm; below 2^91 */
	u64 any = 0;

	for (unsigned int i = 0; i < words; i++) {
		rest += (__int128)num[i] * ADMIT_WHOLE - (__int128)den[i] * ppm;
		any |= (u64)rest;
		rest >>= 64;
	}
	return rest > 0 || (!rest && any);
}

u32 admit_ppm(const struct sched_params *set, unsigned int n)
{
	u64 num[WORDS(ADMIT_MAX)] = {0}, den[WORDS(ADMIT_MAX)] = {1}, ppm = 0;

	for (unsigned int i = 0; i < n; i++) {
		u64 c = set[i].budget_us, t = set[i].period_us;

		add_ratio(num, den, WORDS(i + 1), (u32)c, (u32)t);
		/* 10^7 10^6 2^20 < 2^64; each is short by less than 2^-20. */
		ppm += (c * ADMIT_WHOLE << 20) / t;
	}
	/* Short by less than 1 + 64 / 2^20: at most two turns. */
	ppm >>= 20;
	while (is_above(num, den, WORDS(n), ppm))
		ppm++;
	work_point();
	return (u32)ppm;
}

/* --- demand -------------------------------------------------------------- */

/*
 * Times stay below 2^63: the bound from which they only fall is below 2^62, and
 * where the utilisation is at most 1 the sums below exceed t by no more than
 * all budgets, 64 * 10^7.
 */
#define MAX_TIME BIT(62)

u64 admit_demand(const struct sched_params *set, unsigned int n, u64 t)
{
	u64 sum = 0;

	for (const struct sched_params *s = set; s < set + n; s++)
		if (t >= s->deadline_us)
			sum += ((t - s->deadline_us) / s->period_us + 1) *
			       s->budget_us;
	return sum;
}

/* The last deadline up to t, which has one. */
static u64 deadline_at(const struct sched_params *set, unsigned int n, u64 t)
{
	u64 last = 0;

	for (const struct sched_params *s = set; s < set + n; s++)
		if (t >= s->deadline_us)
			last = max(last,
				   t - (t - s->deadline_us) % s->period_us);
	return last;
}

/* Until when the CPU is busy after a start of all, if it is for w at least. */
static u64 busy_for(const struct sched_params *set, unsigned int n, u64 w)
{
	u64 sum = 0;

	for (const struct sched_params *s = set; s < set + n; s++)
		sum += (w + s->period_us - 1) / s->period_us * s->budget_us;
	return sum;
}

/*
 * By then there is no more demand than time for good: sum (T - D) U / (1 - U).
 * Rounded up, or ~0 where 1 - U is nothing in fixed point of 40 bits.
 */
static u64 slack_bound(const struct sched_params *set, unsigned int n)
{
	u64 used = 0, sum = 0;

	for (const struct sched_params *s = set; s < set + n; s++) {
		/* At most 2^40. */
		u64 u = (((u64)s->budget_us << 40) + s->period_us - 1) /
			s->period_us;

		used += u;
		/* Below 2^24 times `used`: below 2^64 where that counts. */
		sum += (s->period_us - s->deadline_us) * u;
	}
	return used < BIT(40) ? sum / (BIT(40) - used) + 1 : ~0UL;
}

/* One more; false when there were too many. */
static bool take_step(unsigned int *steps)
{
	if (!(++*steps % 8))
		work_point();
	return *steps <= ADMIT_STEPS;
}

/* Deadlines that are missed at all are so before: the less of two bounds. */
static u64 time_bound(const struct sched_params *set, unsigned int n,
		      unsigned int *steps)
{
	u64 slack = slack_bound(set, n), was = 0, busy = 1;

	/* Half of the steps are for what needs the bound. */
	while (was != busy && busy < slack && *steps < ADMIT_STEPS / 2) {
		was = busy;
		busy = busy_for(set, n, was);
		take_step(steps);
	}
	return was == busy ? min(busy, slack) : slack;
}

/*
 * QPA (Zhang and Burns 2009): from the end back. Where t has room for its
 * demand h < t, so has all from h on; where it is just enough, t alone.
 */
static void test_demand(const struct sched_params *set, unsigned int n,
			struct admit_result *r)
{
	unsigned int steps = 0;
	u64 first = ~0UL, t = time_bound(set, n, &steps), h;

	for (unsigned int i = 0; i < n; i++)
		first = min(first, (u64)set[i].deadline_us);
	r->verdict = ADMIT_LONG;
	if (t > MAX_TIME)
		return;
	while (take_step(&steps)) {
		h = admit_demand(set, n, t);
		if (h <= first || h > t) {
			r->verdict = h <= first ? ADMIT_FITS : ADMIT_LATE;
			r->by_us = deadline_at(set, n, t);
			r->needs_us = h;
			return;
		}
		t = h < t ? h : t - 1;
	}
}

void admit_test(const struct sched_params *set, unsigned int n,
		struct admit_result *r)
{
	bool constrained = false;

	*r = (struct admit_result){.verdict = ADMIT_MANY};
	if (n > ADMIT_MAX)
		return;
	r->ppm = admit_ppm(set, n);
	r->verdict = r->ppm > ADMIT_WHOLE ? ADMIT_OVER : ADMIT_FITS;
	for (unsigned int i = 0; i < n; i++)
		constrained |= set[i].deadline_us < set[i].period_us;
	if (constrained && r->verdict == ADMIT_FITS)
		test_demand(set, n, r);
}

/* --- parameters ---------------------------------------------------------- */

/* In the order of struct sched_params. */
enum { WEIGHT, SLICE, PERIOD, BUDGET, DEADLINE, EXTRA, NR_PARAMS };
static const struct rule {
	const char *name;
	u32 lo, hi;
} rules[NR_PARAMS] = {
	{"skerry,weight", 1, SCHED_MAX_WEIGHT},
	{"skerry,slice-us", 100, 1000000},
	{"skerry,period-us", SCHED_MIN_PERIOD_US, SCHED_MAX_PERIOD_US},
	{"skerry,budget-us", SCHED_MIN_BUDGET_US, SCHED_MAX_PERIOD_US},
	{"skerry,deadline-us", SCHED_MIN_BUDGET_US, SCHED_MAX_PERIOD_US},
	{"skerry,extra-time", 0, 1},
};
static_assert(sizeof(struct sched_params) == NR_PARAMS * sizeof(u32),
	      "nothing between them");

const char *admit_range(unsigned int n, char why[ADMIT_WHY])
{
	fmt_snprintf(why, ADMIT_WHY, "must be %u to %u", rules[n].lo,
		     rules[n].hi);
	return rules[n].name;
}

const char *admit_check(const struct sched_params *p, char why[ADMIT_WHY])
{
	const u32 *val = &p->weight;

	for (unsigned int i = 0; i < NR_PARAMS; i++) {
		/* Of a round-robin vCPU what is of a deadline is 0. */
		bool none = i >= PERIOD && !val[i];

		/* With the other two it is told, if only as the period. */
		if (i == DEADLINE && p->budget_us && p->period_us)
			none = false;
		if (none || (val[i] >= rules[i].lo && val[i] <= rules[i].hi))
			continue;
		fmt_snprintf(why, ADMIT_WHY, "%u: must be %u to %u", val[i],
			     rules[i].lo, rules[i].hi);
		return rules[i].name;
	}
	fmt_snprintf(why, ADMIT_WHY, "missing");
	if (!p->budget_us != !p->period_us)
		return rules[p->budget_us ? PERIOD : BUDGET].name;
	fmt_snprintf(why, ADMIT_WHY, "needs skerry,budget-us");
	if (!p->budget_us && (p->deadline_us || p->extra_time))
		return rules[p->deadline_us ? DEADLINE : EXTRA].name;
	fmt_snprintf(why, ADMIT_WHY, "%u: must be at most the period of %u us",
		     p->deadline_us, p->period_us);
	if (p->deadline_us > p->period_us)
		return rules[DEADLINE].name;
	fmt_snprintf(why, ADMIT_WHY, "%u: must be at most the deadline of %u us",
		     p->budget_us, p->deadline_us);
	return p->budget_us > p->deadline_us ? rules[BUDGET].name : NULL;
}

void admit_text(const struct sched_params *p, char text[ADMIT_TEXT])
{
	char within[32] = "";

	if (p->deadline_us < p->period_us)
		fmt_snprintf(within, sizeof(within), " (deadline %u)",
			     p->deadline_us);
	if (!p->budget_us)
		fmt_snprintf(text, ADMIT_TEXT, "weight %u, slice %u us",
			     p->weight, p->slice_us);
	else if (!p->extra_time)
		fmt_snprintf(text, ADMIT_TEXT, "deadline %u/%u us%s",
			     p->budget_us, p->period_us, within);
	else
		fmt_snprintf(text, ADMIT_TEXT,
			     "deadline %u/%u us%s, extra by weight %u, slice %u us",
			     p->budget_us, p->period_us, within, p->weight,
			     p->slice_us);
}

void admit_change(struct sched_params *p, const struct sched_params *to)
{
	const u32 *from = &to->weight;
	u32 *val = &p->weight;

	if (to->period_us != ADMIT_KEEP)
		p->deadline_us = to->period_us;
	if (!to->budget_us)
		p->period_us = p->deadline_us = p->extra_time = 0;
	for (unsigned int i = 0; i < NR_PARAMS; i++)
		if (from[i] != ADMIT_KEEP)
			val[i] = from[i];
}
