/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admission: against a simulation of EDF and against the demand at each time,
 * for thousands of small sets; the edge at exactly 100 %, with periods that
 * have nothing in common; what takes too long; and the rules of parameters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <skerry/admit.h>

static unsigned int nr_points;

void work_point(void)
{
	nr_points++;
}

static struct sched_params set[ADMIT_MAX + 1];
static unsigned int nr;
static u32 seed;

static u32 rnd(u32 lo, u32 hi)
{
	seed = seed * 1664525 + 1013904223;
	return lo + (u32)((u64)(seed >> 4) * (hi - lo + 1) >> 28);
}

static void add(u32 budget, u32 period, u32 deadline)
{
	assert_true(nr < ARRAY_SIZE(set));
	set[nr++] = (struct sched_params){.period_us = period,
					  .budget_us = budget,
					  .deadline_us = deadline};
}

static struct admit_result result(void)
{
	struct admit_result r;

	admit_test(set, nr, &r);
	return r;
}
static enum admit_verdict verdict(void)
{
	return result().verdict;
}

static int setup(void **state)
{
	(void)state;
	nr = nr_points = 0;
	seed = 1;
	return 0;
}

/* --- references ---------------------------------------------------------- */

static u64 gcd(u64 a, u64 b)
{
	return b ? gcd(b, a % b) : a;
}
static u64 hyperperiod(void)
{
	u64 h = 1;

	for (unsigned int i = 0; i < nr; i++)
		h *= set[i].period_us / gcd(h, set[i].period_us);
	return h;
}

/*
 * EDF after all have woken together, from job to job: all deadlines are kept up
 * to there, or until the CPU is idle for the first time.
 */
static bool edf_keeps(u64 until)
{
	u64 left[16] = {0}, due[16] = {0}, now = 0;

	while (now < until) {
		unsigned int first = nr;
		u64 next = ~0UL, run;

		for (unsigned int i = 0; i < nr; i++) {
			if (now % set[i].period_us == 0) {
				if (left[i])
					return false;
				left[i] = set[i].budget_us;
				due[i] = now + set[i].deadline_us;
			}
			next = min(next, now + set[i].period_us -
						 now % set[i].period_us);
			if (left[i] && (first == nr || due[i] < due[first]))
				first = i;
		}
		if (first == nr)
			return true;
		run = min(left[first], next - now);
		now += run;
		left[first] -= run;
		if (now > due[first])
			return false;
	}
	return true;
}

/* Whether the demand by each time up to there is at most that. */
static bool demand_fits(u64 until)
{
	for (u64 t = 1; t <= until; t++) {
		u64 sum = 0;

		for (unsigned int i = 0; i < nr; i++)
			for (u64 d = set[i].deadline_us; d <= t;
			     d += set[i].period_us)
				sum += set[i].budget_us;
		if (sum > t)
			return false;
	}
	return true;
}

static bool within_whole(void)
{
	u64 h = hyperperiod(), sum = 0;

	for (unsigned int i = 0; i < nr; i++)
		sum += h / set[i].period_us * set[i].budget_us;
	return sum <= h;
}

static void random_set(u32 vcpus, u32 periods, bool constrained)
{
	nr = 0;
	for (u32 n = rnd(1, vcpus); n; n--) {
		u32 t = rnd(2, periods), c = rnd(1, (t + 1) / 2);

		add(c, t, constrained && rnd(0, 2) ? rnd(c, t) : t);
	}
}

/* --- tests --------------------------------------------------------------- */

/* A third of them fits, as is seen in the end: neither answer is a habit. */
static void test_random(void **state)
{
	unsigned int fits[2] = {0};

	(void)state;
	for (unsigned int i = 0; i < 40000; i++) {
		struct admit_result r;
		bool want;

		random_set(6, 14, i % 4);
		want = within_whole() && edf_keeps(hyperperiod());
		r = result();
		if (want != (r.verdict == ADMIT_FITS))
			fail_msg("set %u: verdict %u, reference %u", i,
				 r.verdict, want);
		if (r.verdict == ADMIT_LATE) {
			assert_true(within_whole());
			assert_true(r.needs_us > r.by_us);
			assert_int_equal(admit_demand(set, nr, r.by_us),
					 r.needs_us);
			/* A deadline. */
			assert_true(admit_demand(set, nr, r.by_us - 1) <
				    r.needs_us);
		} else if (!want) {
			assert_int_equal(r.verdict, ADMIT_OVER);
			assert_false(within_whole());
		}
		fits[want]++;
	}
	assert_true(fits[0] > 8000 && fits[1] > 8000);
}

/* The demand itself, by adding up jobs. */
static void test_random_demand(void **state)
{
	unsigned int late = 0;

	(void)state;
	for (unsigned int i = 0; i < 10000; i++) {
		bool want;

		random_set(4, 12, true);
		want = within_whole() && demand_fits(2 * hyperperiod());
		assert_int_equal(want, verdict() == ADMIT_FITS);
		late += verdict() == ADMIT_LATE;
	}
	assert_true(late > 200);
}

/* Up to 100 % exactly, by one more that has what the others leave. */
static void test_random_whole(void **state)
{
	unsigned int late = 0, whole = 0;

	(void)state;
	for (unsigned int i = 0; i < 2000; i++) {
		u64 h, sum = 0;

		nr = 0;
		for (u32 n = rnd(2, 8); n; n--) {
			u32 t = 5000U << rnd(0, 5), c = rnd(10, t / 4);

			add(c, t, rnd(0, 1) ? t : rnd(c, t));
		}
		h = hyperperiod();
		for (unsigned int k = 0; k < nr; k++)
			sum += h / set[k].period_us * set[k].budget_us;
		if (sum < h) {
			add((u32)(h - sum), (u32)h, (u32)h);
			assert_int_equal(result().ppm, ADMIT_WHOLE);
			whole += verdict() == ADMIT_FITS;
		}
		assert_int_equal(verdict() == ADMIT_FITS,
				 within_whole() && edf_keeps(h));
		late += verdict() == ADMIT_LATE;
	}
	assert_true(late > 100 && whole > 100);
}

/* From the literature, and by hand. */
static void test_known(void **state)
{
	(void)state;
	/* Liu and Layland 1973: what rate-monotonic has no place for. */
	add(2, 5, 5), add(4, 7, 7);
	assert_int_equal(verdict(), ADMIT_FITS);
	assert_int_equal(result().ppm, 971429);
	/* 2/5 + 4/7 + 1/35 = 1. */
	add(1, 35, 35);
	assert_int_equal(result().ppm, ADMIT_WHOLE);
	assert_int_equal(verdict(), ADMIT_FITS);
	nr = 0;
	/* Density above 1, yet it fits: (2, 4, 6), (2, 5, 8), (3, 7, 9). */
	add(2, 6, 4), add(2, 8, 5), add(3, 9, 7);
	assert_int_equal(result().ppm, 916667);
	assert_int_equal(verdict(), ADMIT_FITS);
	set[2].deadline_us = 6;
	assert_int_equal(verdict(), ADMIT_LATE);
	assert_int_equal(result().by_us, 6);
	assert_int_equal(result().needs_us, 7);
	nr = 0;
	/* 50 % alone, but both at once at the very start. */
	add(3, 10, 5), add(2, 10, 5);
	assert_int_equal(verdict(), ADMIT_FITS);
	set[1].budget_us = 3;
	assert_int_equal(verdict(), ADMIT_LATE);
	assert_int_equal(result().by_us, 5);
	assert_int_equal(result().needs_us, 6);
	nr = 0;
	assert_int_equal(verdict(), ADMIT_FITS);
	assert_int_equal(result().ppm, 0);
}

/*
 * Exactly 1: C / (a (a + 1)) for a = C and on is 1 - C / (C + 63) together, as
 * each is C / a - C / (a + 1). The periods' least common multiple has hundreds
 * of digits.
 */
#define FIRST 3000
static void whole(void)
{
	nr = 0;
	for (u32 a = FIRST; nr < ADMIT_MAX - 1; a++)
		add(FIRST, a * (a + 1), a * (a + 1));
	add(FIRST, FIRST + 63, FIRST + 63);
}

static void test_whole(void **state)
{
	(void)state;
	whole();
	assert_int_equal(verdict(), ADMIT_FITS);
	assert_int_equal(result().ppm, ADMIT_WHOLE);
	for (unsigned int i = 0; i < nr; i++) {
		set[i].budget_us++;
		assert_int_equal(verdict(), ADMIT_OVER);
		assert_int_equal(result().ppm, i == 63 ? 1000327 : 1000001);
		set[i].budget_us -= 2;
		assert_int_equal(verdict(), ADMIT_FITS);
		set[i].budget_us++;
		/* The longest time it cannot be told in. */
		set[i].deadline_us--;
		assert_int_equal(verdict(), ADMIT_LONG);
		set[i].deadline_us++;
	}
	set[nr++] = set[0];
	assert_int_equal(verdict(), ADMIT_MANY);
}

/*
 * The k-th differences of 1 / (a (a + 1)) are known to be above 0 where their
 * sign is such, and fall to (k + 1)! / a^(k + 2): here from 10^-10 to 10^-41.
 */
static void test_least_excess(void **state)
{
	(void)state;
	for (unsigned int k = 1; k <= 13; k++) {
		u32 binomial = 1;

		whole();
		for (unsigned int j = 0; j <= k; j++) {
			set[20 + j].budget_us += j % 2 ? -binomial : binomial;
			binomial = binomial * (k - j) / (j + 1);
		}
		assert_int_equal(verdict(), ADMIT_OVER);
		assert_int_equal(result().ppm, ADMIT_WHOLE + 1);
		for (unsigned int j = 0; j <= k; j++)
			set[20 + j].budget_us = 2 * FIRST -
						set[20 + j].budget_us;
		assert_int_equal(verdict(), ADMIT_FITS);
		assert_int_equal(result().ppm, ADMIT_WHOLE);
	}
}

/* The 64 largest primes: no common denominator is longer. */
static void test_primes(void **state)
{
	(void)state;
	for (u32 p = SCHED_MAX_PERIOD_US - 1; nr < ADMIT_MAX; p--) {
		bool prime = true;

		for (u32 d = 2; prime && d * d <= p; d++)
			prime = p % d;
		if (prime)
			add(p / ADMIT_MAX, p, p);
	}
	assert_int_equal(verdict(), ADMIT_FITS);
	for (unsigned int i = 0; i < nr; i++)
		set[i].budget_us++;
	assert_int_equal(verdict(), ADMIT_OVER);
	for (unsigned int i = 0; i < nr; i++)
		set[i].budget_us = set[i].period_us;
	assert_int_equal(verdict(), ADMIT_OVER);
	assert_int_equal(result().ppm, ADMIT_MAX * ADMIT_WHOLE);
}

/* The largest and the least of everything; the worst that the bounds say. */
static void test_extremes(void **state)
{
	u32 longest = SCHED_MAX_PERIOD_US;

	(void)state;
	for (unsigned int i = 0; i < ADMIT_MAX; i++)
		add(longest, longest, longest);
	assert_int_equal(result().ppm, ADMIT_MAX * ADMIT_WHOLE);
	for (unsigned int i = 0; i < ADMIT_MAX; i++)
		set[i].budget_us = longest / ADMIT_MAX;
	assert_int_equal(result().ppm, ADMIT_WHOLE);
	assert_int_equal(verdict(), ADMIT_FITS);
	/* All of it at once. */
	for (unsigned int i = 0; i < ADMIT_MAX; i++)
		set[i].deadline_us = longest - 1;
	assert_int_equal(verdict(), ADMIT_LATE);
	assert_int_equal(result().by_us, longest - 1);
	assert_int_equal(result().needs_us, longest);
	set[0].budget_us--;
	assert_int_equal(verdict(), ADMIT_FITS);
	nr = 0;
	add(longest, longest, longest);
	assert_int_equal(verdict(), ADMIT_FITS);
	set[0].deadline_us--;
	assert_int_equal(verdict(), ADMIT_LATE);
	nr = 0;
	/* From the shortest to the longest: 100,000 periods within one. */
	add(50, 100, 50);
	add(longest / 2, longest, longest);
	assert_int_equal(verdict(), ADMIT_FITS);
	set[1].deadline_us--;
	assert_int_equal(verdict(), ADMIT_LATE);
	assert_int_equal(result().by_us, longest - 1);
	assert_int_equal(result().needs_us, longest);
	set[1].budget_us--;
	assert_int_equal(verdict(), ADMIT_FITS);
}

/* What is not known in time is refused, in bounded time and giving way. */
static void test_steps(void **state)
{
	(void)state;
	whole();
	set[0].deadline_us--;
	assert_int_equal(verdict(), ADMIT_LONG);
	assert_in_range(nr_points, ADMIT_STEPS / 4 / 8, ADMIT_STEPS / 2 / 8 + 2);
	/* The CPU is busy for days, but room is there from some ms on. */
	set[10].budget_us--;
	nr_points = 0;
	assert_int_equal(verdict(), ADMIT_FITS);
	assert_in_range(nr_points, 1, 10);
	/* From hours on, and far too much to look at. */
	for (unsigned int i = 0; i < 50; i++)
		set[i].deadline_us -= 2000000;
	nr_points = 0;
	assert_int_equal(verdict(), ADMIT_LONG);
	assert_in_range(nr_points, ADMIT_STEPS / 8, ADMIT_STEPS / 8 + 2);
	/* All is seen at the start of a set of multiples, however long. */
	nr = 0;
	for (unsigned int i = 0; i < 16; i++)
		add(100U << i >> 4, 100U << i, 100U << i);
	set[15].deadline_us--;
	assert_int_equal(verdict(), ADMIT_FITS);
}

/* --- parameters ---------------------------------------------------------- */

static struct sched_params P(u32 weight, u32 slice, u32 period, u32 budget,
			     u32 deadline, u32 extra) {
	return (struct sched_params){weight, slice,    period,
				     budget, deadline, extra};
}

static const struct sched_params good[] = {
	{.weight = 1, .slice_us = 100},
	{.weight = SCHED_MAX_WEIGHT, .slice_us = 1000000},
	{256, 5000, 100, 10, 10, 0},
	{256, 5000, 100, 100, 100, 1},
	{256, 5000, 10000000, 10000000, 10000000, 1},
	{256, 5000, 1000, 300, 300, 0},
};

static void is_wrong(struct sched_params p, const char *prop, const char *want)
{
	char why[ADMIT_WHY];
	const char *got = admit_check(&p, why);

	assert_non_null(got);
	assert_string_equal(got, prop);
	assert_string_equal(why, want);
}

static void test_check(void **state)
{
	char why[ADMIT_WHY];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(good); i++)
		assert_null(admit_check(&good[i], why));
#define WRONG(prop, why, ...) is_wrong(P(__VA_ARGS__), "skerry," prop, why)
	WRONG("weight", "0: must be 1 to 65535", 0, 5000, 0, 0, 0, 0);
	WRONG("weight", "65536: must be 1 to 65535", 65536, 5000, 0, 0, 0, 0);
	WRONG("slice-us", "99: must be 100 to 1000000", 1, 99, 0, 0, 0, 0);
	WRONG("slice-us", "1000001: must be 100 to 1000000", 1, 1000001, 0, 0,
	      0, 0);
	WRONG("budget-us", "missing", 1, 100, 1000, 0, 0, 0);
	WRONG("budget-us", "missing", 1, 100, 1000, 0, 1000, 1);
	WRONG("deadline-us", "needs skerry,budget-us", 1, 100, 0, 0, 100, 1);
	WRONG("extra-time", "needs skerry,budget-us", 1, 100, 0, 0, 0, 1);
	WRONG("period-us", "missing", 1, 100, 0, 10, 10, 0);
	WRONG("period-us", "99: must be 100 to 10000000", 1, 100, 99, 10, 99, 0);
	WRONG("period-us", "10000001: must be 100 to 10000000", 1, 100,
	      10000001, 10, 100, 0);
	WRONG("budget-us", "9: must be 10 to 10000000", 1, 100, 100, 9, 100, 0);
	WRONG("deadline-us", "9: must be 10 to 10000000", 1, 100, 1000, 10, 9,
	      0);
	WRONG("budget-us", "801: must be at most the deadline of 800 us", 1,
	      100, 1000, 801, 800, 0);
	WRONG("deadline-us", "0: must be 10 to 10000000", 1, 100, 1000, 10, 0,
	      0);
	/* What it is for is missing. */
	WRONG("period-us", "missing", 1, 100, 0, 10, 0, 0);
	WRONG("deadline-us", "1001: must be at most the period of 1000 us", 1,
	      100, 1000, 10, 1001, 0);
	WRONG("extra-time", "2: must be 0 to 1", 1, 100, 1000, 10, 1000, 2);
	WRONG("budget-us", "4294967295: must be 10 to 10000000", 1, 100, 1000,
	      ~0U, 1000, 0);
}

static void test_range(void **state)
{
	static const char *const want[] = {
		"skerry,weight: must be 1 to 65535",
		"skerry,slice-us: must be 100 to 1000000",
		"skerry,period-us: must be 100 to 10000000",
		"skerry,budget-us: must be 10 to 10000000",
		"skerry,deadline-us: must be 10 to 10000000",
		"skerry,extra-time: must be 0 to 1",
	};
	char why[ADMIT_WHY], text[100];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(want); i++) {
		const char *prop = admit_range(i, why);

		snprintf(text, sizeof(text), "%s: %s", prop, why);
		assert_string_equal(text, want[i]);
	}
}

static void is_told(struct sched_params p, const char *want)
{
	char text[ADMIT_TEXT];

	admit_text(&p, text);
	assert_string_equal(text, want);
}

static void test_text(void **state)
{
	(void)state;
	is_told(P(256, 5000, 0, 0, 0, 0), "weight 256, slice 5000 us");
	is_told(P(256, 5000, 1000, 300, 1000, 0), "deadline 300/1000 us");
	is_told(P(256, 5000, 1000, 300, 800, 0),
		"deadline 300/1000 us (deadline 800)");
	is_told(P(256, 5000, 1000, 300, 1000, 1),
		"deadline 300/1000 us, extra by weight 256, slice 5000 us");
	/* The longest. */
	is_told(P(65535, 1000000, 10000000, 9999998, 9999999, 1),
		"deadline 9999998/10000000 us (deadline 9999999), extra by "
		"weight 65535, slice 1000000 us");
}

static void changes(struct sched_params p, struct sched_params to,
		    struct sched_params want)
{
	admit_change(&p, &to);
	assert_memory_equal(&p, &want, sizeof(p));
}

static void test_change(void **state)
{
	const u32 k = ADMIT_KEEP;

	(void)state;
	changes(good[3], P(k, k, k, k, k, k), good[3]);
	changes(P(1, 100, 1000, 300, 800, 1), P(2, 200, k, k, k, 0),
		P(2, 200, 1000, 300, 800, 0));
	/* The deadline goes with the period, unless it is told as well. */
	changes(P(1, 100, 1000, 300, 800, 1), P(k, k, 2000, k, k, k),
		P(1, 100, 2000, 300, 2000, 1));
	changes(P(1, 100, 1000, 300, 800, 1), P(k, k, 2000, k, 900, k),
		P(1, 100, 2000, 300, 900, 1));
	changes(P(1, 100, 1000, 300, 800, 1), P(k, k, k, 400, 700, k),
		P(1, 100, 1000, 400, 700, 1));
	changes(P(1, 100, 0, 0, 0, 0), P(k, k, 1000, 300, k, k),
		P(1, 100, 1000, 300, 1000, 0));
	/* Round-robin again; what is told beside it is for the check. */
	changes(P(1, 100, 1000, 300, 800, 1), P(k, k, k, 0, k, k),
		P(1, 100, 0, 0, 0, 0));
	changes(P(1, 100, 1000, 300, 800, 1), P(k, k, 500, 0, k, 1),
		P(1, 100, 500, 0, 0, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_random, setup),
		cmocka_unit_test_setup(test_random_demand, setup),
		cmocka_unit_test_setup(test_random_whole, setup),
		cmocka_unit_test_setup(test_known, setup),
		cmocka_unit_test_setup(test_whole, setup),
		cmocka_unit_test_setup(test_least_excess, setup),
		cmocka_unit_test_setup(test_primes, setup),
		cmocka_unit_test_setup(test_extremes, setup),
		cmocka_unit_test_setup(test_steps, setup),
		cmocka_unit_test_setup(test_check, setup),
		cmocka_unit_test_setup(test_range, setup),
		cmocka_unit_test_setup(test_text, setup),
		cmocka_unit_test_setup(test_change, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
