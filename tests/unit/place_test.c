/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Placement: which CPU a vCPU gets and why none, in the words of the log; the
 * book over guests that come, change and go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../kernel/place.c"

struct cpu cpus[CONFIG_NR_CPUS], *host_this_cpu = cpus;
unsigned int nr_cpus;

static struct describe_guest guest[CONFIG_MAX_DOMAINS + 1];
static char logged[16384];
static u32 seed;

void log_at(enum log_level level, const char *fmt, ...)
{
	size_t n = strlen(logged);
	va_list ap;

	assert_true(level == LOG_WARNING || level == LOG_NOTICE);
	n += (size_t)sprintf(logged + n, "%s", level == LOG_NOTICE ? "= " : "");
	va_start(ap, fmt);
	n += (size_t)vsnprintf(logged + n, sizeof(logged) - n, fmt, ap);
	va_end(ap);
	assert_true(n + 2 < sizeof(logged));
	strcat(logged, "|");
}
void work_point(void)
{
}
static u32 reserved[CONFIG_NR_CPUS];
void sched_reserve(unsigned int cpu, u32 nr_constrained)
{
	reserved[cpu] = nr_constrained;
}

static u32 rnd(u32 lo, u32 hi)
{
	seed = seed * 1664525 + 1013904223;
	return lo + (u32)((u64)(seed >> 4) * (hi - lo + 1) >> 28);
}

static int setup(void **state)
{
	(void)state;
	memset(book, 0, sizeof(book));
	memset(placed, 0, sizeof(placed));
	memset(reserved, 0, sizeof(reserved));
	memset(guest, 0, sizeof(guest));
	for (unsigned int id = 1; id <= CONFIG_MAX_DOMAINS; id++) {
		struct describe_guest *g = &guest[id];

		snprintf(g->name, sizeof(g->name), "g%u", id);
		for (unsigned int i = 0; i < CONFIG_MAX_VCPUS; i++) {
			g->affinity[i] = ~0UL;
			g->sched[i].weight = 256;
		}
	}
	logged[0] = '\0';
	nr_cpus = 4;
	seed = 1;
	return 0;
}

/* One more vCPU of the guest, not placed yet. */
static struct sched_params *add(unsigned int id, u64 mask, u32 budget,
				u32 period, u32 deadline)
{
	struct describe_guest *g = &guest[id];
	struct sched_params *p = &g->sched[g->nr_vcpus];

	g->affinity[g->nr_vcpus++] = mask;
	p->budget_us = budget;
	p->period_us = period;
	p->deadline_us = deadline;
	return p;
}

static void is_on(unsigned int id, const char *cpu)
{
	assert_int_equal(place_guest(id, &guest[id]), 0);
	assert_int_equal(book[id].nr, strlen(cpu));
	for (unsigned int i = 0; cpu[i]; i++)
		assert_int_equal(place_of(id, i), cpu[i] - '0');
	assert_string_equal(logged, "");
}

static void refuses(unsigned int id, const char *why)
{
	u32 ppm[CONFIG_NR_CPUS];
	u64 weight[CONFIG_NR_CPUS];

	for (unsigned int c = 0; c < nr_cpus; c++) {
		ppm[c] = place_ppm(c);
		weight[c] = placed[c].weight;
	}
	assert_int_equal(place_guest(id, &guest[id]), -ENOSPC);
	assert_string_equal(logged, why);
	logged[0] = '\0';
	assert_int_equal(book[id].nr, 0);
	for (unsigned int c = 0; c < nr_cpus; c++) {
		assert_int_equal(ppm[c], place_ppm(c));
		assert_int_equal(weight[c], placed[c].weight);
	}
}

static void has(u32 ppm0, u32 ppm1, u32 ppm2, u32 ppm3)
{
	assert_int_equal(place_ppm(0), ppm0);
	assert_int_equal(place_ppm(1), ppm1);
	assert_int_equal(place_ppm(2), ppm2);
	assert_int_equal(place_ppm(3), ppm3);
}

/* Where most is left; the least weight among equals; not twice on one. */
static void test_deadline(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		add(1, ~0UL, 100 + 100 * i, 1000, 1000);
	is_on(1, "012");
	has(100000, 200000, 300000, 0);
	add(2, 7, 250, 1000, 1000);
	add(2, 7, 10, 1000, 1000);
	is_on(2, "01");
	has(350000, 210000, 300000, 0);
	/* CPU 2 has more, CPU 3 weight and no deadline, CPU 0 is taken. */
	add(3, 8, 0, 0, 0);
	is_on(3, "3");
	add(4, ~0UL, 10, 1000, 1000);
	add(4, ~0UL, 10, 1000, 1000);
	is_on(4, "31");
	place_free(1);
	has(250000, 20000, 0, 10000);
	place_free(2);
	place_free(4);
	has(0, 0, 0, 0);
	/* Nor on the one before the last, though least of it is taken. */
	add(7, 2, 500, 1000, 1000);
	add(7, 4, 600, 1000, 1000);
	is_on(7, "12");
	for (unsigned int i = 0; i < 3; i++)
		add(8, 7, 100, 1000, 1000);
	is_on(8, "012");
	place_free(7);
	place_free(8);
	/* Of those that leave as much. */
	add(5, ~0UL, 0, 0, 0)->weight = 10;
	add(5, ~0UL, 0, 0, 0)->weight = 5;
	is_on(5, "01");
	add(6, 11, 10, 1000, 1000);
	is_on(6, "1");
}

/* The best one cannot take it, another one can, or one the guest is on. */
static void test_next_best(void **state)
{
	(void)state;
	add(1, 1, 300, 1000, 300);
	add(1, 2, 500, 1000, 1000);
	is_on(1, "01");
	/* CPU 0 has more time, but not at once. */
	add(2, 3, 250, 1000, 500);
	is_on(2, "1");
	has(300000, 750000, 0, 0);
	/* Twice on CPU 2: CPU 3 would be the other one, but is full. */
	add(3, 8, 950, 1000, 1000);
	is_on(3, "3");
	add(4, 12, 200, 1000, 1000);
	add(4, 12, 200, 1000, 1000);
	is_on(4, "22");
}

/* Weight by what is left of a CPU. */
static void test_weights(void **state)
{
	struct sched_params *p;

	(void)state;
	add(1, 1, 500, 1000, 1000);
	add(1, 2, 800, 1000, 1000);
	add(1, 4, 1000, 1000, 1000);
	p = add(1, 8, 100, 1000, 1000);
	p->extra_time = 1;
	p->weight = 1000;
	is_on(1, "0123");
	assert_int_equal(placed[0].weight, 0);
	assert_int_equal(placed[3].weight, 1000);
	nr_cpus = 3;
	/* 256 of 50 % on CPU 0; 512 of it; 256 of 20 % is less than 768 of it. */
	for (unsigned int id = 2; id < 9; id++)
		add(id, ~0UL, 0, 0, 0);
	is_on(2, "0");
	is_on(3, "0");
	is_on(4, "1");
	is_on(5, "0");
	is_on(6, "0");
	/* All the same: 1280 by 50 % or 512 by 20 %. */
	is_on(7, "0");
	is_on(8, "1");
	/* Only what may not be elsewhere goes to a CPU that is taken wholly. */
	add(9, 4, 0, 0, 0);
	assert_int_equal(place_guest(9, &guest[9]), 0);
	assert_int_equal(place_of(9, 0), 2);
	logged[0] = '\0';
	nr_cpus = 4;
	/* Beside one with extra time of the weight 1000. */
	add(10, 14, 0, 0, 0);
	is_on(10, "3");
	add(11, 13, 0, 0, 0);
	is_on(11, "3");
}

static void test_over(void **state)
{
	(void)state;
	nr_cpus = 2;
	add(1, 1, 300, 1000, 1000);
	add(2, 1, 1, 3, 3);
	add(3, 2, 900, 1000, 1000);
	is_on(1, "0");
	is_on(2, "0");
	is_on(3, "1");
	/* The one with most room is told of, and what was placed before is not. */
	add(4, ~0UL, 0, 0, 0);
	add(4, ~0UL, 10, 1000, 1000);
	add(4, ~0UL, 500, 1000, 1000);
	refuses(4, "refused: g4: skerry,budget-us: CPU 0 would need 113.3334 % "
		   "of its time:|"
		   "  d1.0 g1 300 of every 1000 us: 30.0000 %|"
		   "  d2.0 g2 1 of every 3 us: 33.3334 %|"
		   "  d4.2 g4 500 of every 1000 us: 50.0000 %|"
		   "  CPU 1 would need 141.0000 % of its time|");
	guest[4].affinity[2] = 2;
	refuses(4, "refused: g4: skerry,budget-us: CPU 1 would need 141.0000 % "
		   "of its time:|"
		   "  d3.0 g3 900 of every 1000 us: 90.0000 %|"
		   "  d4.1 g4 10 of every 1000 us: 1.0000 %|"
		   "  d4.2 g4 500 of every 1000 us: 50.0000 %|");
	/* By the least that there is. */
	add(5, 2, 1000000, 10000000, 10000000);
	is_on(5, "1");
	has(633334, 1000000, 0, 0);
	add(6, 2, 10, 10000000, 10000000);
	refuses(6, "refused: g6: skerry,budget-us: CPU 1 would need 100.0001 % "
		   "of its time:|"
		   "  d3.0 g3 900 of every 1000 us: 90.0000 %|"
		   "  d5.0 g5 1000000 of every 10000000 us: 10.0000 %|"
		   "  d6.0 g6 10 of every 10000000 us: 0.0001 %|");
}

static void test_late(void **state)
{
	(void)state;
	nr_cpus = 1;
	add(1, 1, 300, 1000, 1000);
	add(2, 1, 200, 600, 300);
	is_on(1, "0");
	is_on(2, "0");
	add(3, 1, 250, 5000, 400);
	refuses(3, "refused: g3: skerry,deadline-us: CPU 0 needs 450 us by 400 "
		   "us after a start of all:|"
		   "  d1.0 g1 300 of every 1000 us within 1000: 0 us|"
		   "  d2.0 g2 200 of every 600 us within 300: 200 us|"
		   "  d3.0 g3 250 of every 5000 us within 400: 250 us|");
	/* CPU 1 has no time at all, CPU 2 not at once, CPU 3 is not allowed. */
	nr_cpus = 4;
	add(4, 2, 960, 1000, 1000);
	is_on(4, "1");
	add(5, 4, 100, 1000, 200);
	add(5, 4, 210, 1000, 310);
	is_on(5, "22");
	guest[3].affinity[0] = 7;
	refuses(3, "refused: g3: skerry,deadline-us: CPU 2 needs 560 us by 400 "
		   "us after a start of all:|"
		   "  d3.0 g3 250 of every 5000 us within 400: 250 us|"
		   "  d5.0 g5 100 of every 1000 us within 200: 100 us|"
		   "  d5.1 g5 210 of every 1000 us within 310: 210 us|"
		   "  CPU 0 needs 450 us by 400 us after a start of all|"
		   "  CPU 1 would need 101.0000 % of its time|");
	guest[3].affinity[0] = 1;
	guest[3].sched[0].budget_us = 200;
	is_on(3, "0");
}

/* What is to be logged next. */
static char wanted[sizeof(logged)];

static __printf(1, 2) void want(const char *fmt, ...)
{
	size_t n = strlen(wanted);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(wanted + n, sizeof(wanted) - n, fmt, ap);
	va_end(ap);
}

#define MANY (ADMIT_MAX / CONFIG_MAX_VCPUS) /* guests that have as many */

/* Those of the guests that fill CPU 0, after a mark. */
static void want_many(const char *mark)
{
	for (unsigned int id = 1; id <= MANY; id++)
		for (unsigned int i = 0; i < CONFIG_MAX_VCPUS; i++)
			want("%s  d%u.%u g%u 10 of every 10000 us: 0.1000 %%|",
			     mark, id, i, id);
}

/* More than admission has room for: each of them is named all the same. */
static void test_many(void **state)
{
	(void)state;
	nr_cpus = 2;
	for (unsigned int id = 1; id <= MANY; id++) {
		for (unsigned int i = 0; i < CONFIG_MAX_VCPUS; i++)
			add(id, 1, 10, 10000, 10000);
		assert_int_equal(place_guest(id, &guest[id]), 0);
	}
	has(64000, 0, 0, 0);
	add(16, 1, 20, 10000, 10000);
	wanted[0] = '\0';
	want("refused: g16: skerry,budget-us: CPU 0 would have 65 deadline "
	     "vCPUs, at most 64:|");
	want_many("");
	want("  d16.0 g16 20 of every 10000 us: 0.2000 %%|");
	refuses(16, wanted);
	/* Where another CPU was tried first, the number alone. */
	add(15, 2, 300, 10000, 300);
	is_on(15, "1");
	guest[16].affinity[0] = 3;
	guest[16].sched[0].deadline_us = 20;
	refuses(16, "refused: g16: skerry,deadline-us: CPU 1 needs 320 us by "
		    "300 us after a start of all:|"
		    "  d15.0 g15 300 of every 10000 us within 300: 300 us|"
		    "  d16.0 g16 20 of every 10000 us within 20: 20 us|"
		    "  CPU 0 would have 65 deadline vCPUs, at most 64|");
	/* More than one at once, by a change. */
	guest[16].affinity[0] = 1;
	add(16, 1, 0, 0, 0);
	guest[16].sched[0].budget_us = 0;
	is_on(16, "00");
	for (unsigned int i = 0; i < 2; i++)
		guest[16].sched[i] = guest[1].sched[0];
	wanted[0] = '\0';
	want("= sched: not changed: g16: skerry,budget-us: CPU 0 would have 66 "
	     "deadline vCPUs, at most 64:|");
	want_many("= ");
	for (unsigned int i = 0; i < 2; i++)
		want("=   d16.%u g16 10 of every 10000 us: 0.1000 %%|", i);
	assert_int_equal(place_again(16), -ENOSPC);
	assert_string_equal(logged, wanted);
}

/* What is not known in time is told of with all that is known. */
static void test_long(void **state)
{
	(void)state;
	nr_cpus = 2;
	/* 100 % together, see admit_test.c. */
	for (u32 a = 3000; a < 3063; a++)
		add(1 + (a - 3000) / 8, 1, 3000, a * (a + 1), a * (a + 1));
	for (unsigned int id = 1; id < 8; id++)
		assert_int_equal(place_guest(id, &guest[id]), 0);
	add(8, 1, 3000, 3063, 3062);
	logged[0] = wanted[0] = '\0';
	want("refused: g8: skerry,deadline-us: CPU 0 would need 100.0000 %% of "
	     "its time, and cannot be shown to suffice within 20000 steps; "
	     "periods that are multiples of each other help:|");
	for (u32 a = 3000; a < 3063; a++) {
		u32 t = a * (a + 1), ppm = (3000U * ADMIT_WHOLE + t - 1) / t;

		want("  d%u.%u g%u 3000 of every %u us within %u: 0.%04u %%|",
		     1 + (a - 3000) / 8, (a - 3000) % 8, 1 + (a - 3000) / 8, t,
		     t, ppm);
	}
	want("  d8.7 g8 3000 of every 3063 us within 3062: 97.9432 %%|");
	refuses(8, wanted);
	/* Where another CPU was tried first, one line. */
	add(15, 2, 1000, 10000, 10000);
	is_on(15, "1");
	guest[8].affinity[7] = 3;
	refuses(8, "refused: g8: skerry,budget-us: CPU 1 would need 107.9432 % "
		   "of its time:|"
		   "  d8.7 g8 3000 of every 3063 us: 97.9432 %|"
		   "  d15.0 g15 1000 of every 10000 us: 10.0000 %|"
		   "  CPU 0 would need 100.0000 % of its time, and cannot be "
		   "shown to suffice within 20000 steps; periods that are "
		   "multiples of each other help|");
	guest[8].affinity[7] = 1;
	guest[8].sched[7].deadline_us++;
	assert_int_equal(place_guest(8, &guest[8]), 0);
	has(ADMIT_WHOLE, 100000, 0, 0);
}

#define LEAVES(left)                                                           \
	"CPU 0: deadline vCPUs leave " left " % for EL2's worker, which "      \
	"starts, restarts and ends guests and carries out `sched`; `pause "    \
	"N` of their guest makes room|"

static void warns(unsigned int id, const char *warning)
{
	assert_int_equal(place_guest(id, &guest[id]), 0);
	assert_string_equal(logged, warning);
	logged[0] = '\0';
}

/* Told of the worker's CPU when it becomes less, not when it stays so. */
static void test_worker(void **state)
{
	(void)state;
	add(1, 2, 1000, 1000, 1000);
	is_on(1, "1");
	add(2, 1, 900, 1000, 1000);
	is_on(2, "0");
	add(3, 1, 10, 10000000, 10000000);
	warns(3, LEAVES("9.9999"));
	assert_int_equal(place_again(2), 0);
	place_free(3);
	is_on(2, "0");
	add(4, 1, 1000, 10000, 10000);
	warns(4, LEAVES("0.0000"));
	place_free(4);
	warns(4, LEAVES("0.0000"));
}

/* One without a budget where all is reserved is told of once. */
static void test_starved(void **state)
{
	static const char warning[] =
		"CPU 1: d1.1 g1 gets only what its deadline vCPUs leave unused "
		"of 100 %|";

	(void)state;
	add(1, 4, 0, 0, 0);
	add(1, 2, 0, 0, 0);
	is_on(1, "21");
	add(2, 2, 999999, 1000000, 1000000);
	is_on(2, "1");
	guest[2].sched[0].budget_us++;
	guest[2].sched[0].extra_time = 1;
	assert_int_equal(place_again(2), 0);
	assert_string_equal(logged, warning);
	logged[0] = '\0';
	/* As it is, or with less. */
	assert_int_equal(place_again(2), 0);
	guest[2].sched[0].weight--;
	assert_int_equal(place_again(2), 0);
	assert_string_equal(logged, "");
	add(3, 2, 0, 0, 0);
	add(3, 2, 0, 0, 0);
	/* The others have been told of. */
	warns(3, "CPU 1: d3.0 g3 gets only what its deadline vCPUs leave unused "
		 "of 100 %|"
		 "CPU 1: d3.1 g3 gets only what its deadline vCPUs leave unused "
		 "of 100 %|");
	place_free(3);
	place_free(2);
	assert_string_equal(logged, "");
	/* By one that takes no share beyond its budget. */
	guest[2].sched[0].extra_time = 0;
	warns(2, warning);
}

static void test_again(void **state)
{
	struct sched_params *p = guest[1].sched;

	(void)state;
	nr_cpus = 2;
	add(1, 1, 300, 1000, 1000);
	add(1, 2, 300, 1000, 1000);
	add(2, 2, 500, 1000, 1000);
	is_on(1, "01");
	is_on(2, "1");
	p[0].budget_us = 400;
	p[1].budget_us = 501;
	/* Both, or none: what CPU 0 has is as it was. */
	assert_int_equal(place_again(1), -ENOSPC);
	assert_string_equal(logged,
			    "= sched: not changed: g1: skerry,budget-us: CPU 1 "
			    "would need 100.1000 % of its time:|"
			    "=   d1.1 g1 501 of every 1000 us: 50.1000 %|"
			    "=   d2.0 g2 500 of every 1000 us: 50.0000 %|");
	has(300000, 800000, 0, 0);
	logged[0] = '\0';
	p[1].budget_us = 500;
	assert_int_equal(place_again(1), 0);
	has(400000, 1000000, 0, 0);
	p[1].budget_us = p[1].period_us = p[1].deadline_us = 0;
	assert_int_equal(place_again(1), 0);
	has(400000, 500000, 0, 0);
	assert_int_equal(placed[1].weight, 256);
	assert_string_equal(logged, "");
	/* It has no CPU: nothing is asked of any. */
	place_free(1);
	p[0].budget_us = 5000;
	assert_int_equal(place_again(1), 0);
	has(0, 500000, 0, 0);
}

/* --- whatever comes ------------------------------------------------------ */

static void any_params(struct sched_params *p)
{
	u32 t = 1000U << rnd(0, 4), c = rnd(10, t / 2);

	*p = (struct sched_params){.weight = rnd(1, 1000)};
	if (!rnd(0, 2))
		return;
	p->period_us = t;
	p->budget_us = c;
	p->deadline_us = rnd(0, 1) ? t : rnd(c, t);
	p->extra_time = rnd(0, 1);
}

/* Of its own, from the guests. */
static enum admit_verdict check_cpu(unsigned int c, const struct sched_params *q)
{
	struct sched_params s[CONFIG_MAX_DOMAINS * CONFIG_MAX_VCPUS];
	struct admit_result r;
	unsigned int n = 0, constrained = 0;
	u64 weight = 0;

	for (unsigned int id = 1; id <= CONFIG_MAX_DOMAINS; id++)
		for (unsigned int i = 0; i < book[id].nr; i++) {
			const struct sched_params *p = &guest[id].sched[i];

			if (place_of(id, i) != c)
				continue;
			assert_true(guest[id].affinity[i] & BIT(c));
			if (p->budget_us)
				s[n++] = *p;
			if (!p->budget_us || p->extra_time)
				weight += p->weight;
			constrained += p->deadline_us < p->period_us;
		}
	assert_int_equal(constrained, reserved[c]);
	admit_test(s, n, &r);
	assert_int_equal(r.verdict, ADMIT_FITS);
	assert_int_equal(r.ppm, place_ppm(c));
	assert_int_equal(weight, placed[c].weight);
	if (q->budget_us)
		s[n++] = *q;
	admit_test(s, n, &r);
	return r.verdict;
}

static void test_random(void **state)
{
	unsigned int refused = 0, changed = 0, unchanged = 0;

	(void)state;
	nr_cpus = 2;
	for (unsigned int k = 0; k < 10000; k++) {
		unsigned int id = rnd(1, 10);
		struct describe_guest *g = &guest[id];

		logged[0] = '\0';
		if (book[id].nr && rnd(0, 1)) {
			place_free(id);
		} else if (book[id].nr) {
			struct describe_guest was = *g;

			any_params(&g->sched[rnd(0, g->nr_vcpus - 1)]);
			if (place_again(id)) {
				*g = was;
				unchanged++;
			} else {
				changed++;
			}
		} else {
			g->nr_vcpus = rnd(1, 3);
			for (unsigned int i = 0; i < 3; i++) {
				any_params(&g->sched[i]);
				g->affinity[i] = rnd(1, 3);
			}
			if (place_guest(id, g)) {
				/* Of one vCPU: no CPU takes it. */
				for (unsigned int c = 0;
				     g->nr_vcpus == 1 && c < nr_cpus; c++)
					if (g->affinity[0] & BIT(c))
						assert_int_not_equal(
							check_cpu(c, g->sched),
							ADMIT_FITS);
				refused++;
			}
		}
		for (unsigned int c = 0; c < nr_cpus; c++)
			check_cpu(c, guest[1].sched);
	}
	assert_true(refused > 500 && changed > 500 && unchanged > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_deadline, setup),
		cmocka_unit_test_setup(test_next_best, setup),
		cmocka_unit_test_setup(test_weights, setup),
		cmocka_unit_test_setup(test_over, setup),
		cmocka_unit_test_setup(test_late, setup),
		cmocka_unit_test_setup(test_many, setup),
		cmocka_unit_test_setup(test_long, setup),
		cmocka_unit_test_setup(test_worker, setup),
		cmocka_unit_test_setup(test_starved, setup),
		cmocka_unit_test_setup(test_again, setup),
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
