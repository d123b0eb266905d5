/* SPDX-License-Identifier: Apache-2.0 */
/* The shell's `sched`: what it shows, what it orders, and what it refuses. */
#include "shellhost.h"

static void test_sched(void **state)
{
	struct sched_vcpu *s = &vcpus[1].sched;

	g3->desc.sched[0] = (struct sched_params){256, 5000, 1000, 300, 800, 0};
	s->ran = 2000000;
	s->since = 6500000;
	cpus[1].sched.running = &vcpus[1];
	s->waited = 5000;
	/* What it has not run after yet, or was started by, is in neither. */
	s->nr_wakes = 11;
	s->nr_preempted = 8;
	s->nr_exhausted = 7;
	s->nr_missed = 6;
	s->worst_wake = 1234;
	/* Of 9 the fifth. */
	vcpus[1].wakes[0] = 3;
	vcpus[1].wakes[3] = 1;
	vcpus[1].wakes[4] = 4;
	vcpus[1].wakes[10] = 1;
	assert_string_equal(
		type("sched\r"),
		"sched\n"
		"(sk) d1.0 g1 CPU 0 weight 256, slice 5000 us\n"
		"(sk)      ran 0 us, waited 0 us, woken 0 times, preempted 0, "
		"budget used up 0, deadline missed 0\n"
		"(sk) d3.0 g3 CPU 1 deadline 300/1000 us (deadline 800)\n"
		"(sk)      ran 2500000 us, waited 5000 us, woken 9 times, "
		"preempted 8, budget used up 7, deadline missed 6\n"
		"(sk)      ran after a wake within 1234000 ns at worst, half of "
		"9 within 32000 ns\n"
		"(sk) d3.1 g3 CPU 1 weight 257, slice 5000 us\n"
		"(sk)      ran 0 us, waited 0 us, woken 0 times, preempted 0, "
		"budget used up 0, deadline missed 0\n"
		"(sk) CPU 0: 99.9999 % reserved\n"
		"(sk) CPU 1: 100.0000 % reserved\n" SHELL_PROMPT);
	/* Half of an even number is the lower one. */
	vcpus[1].wakes[0] = 5;
	vcpus[1].wakes[4] = 3;
	type("sched 3\r");
	assert_non_null(strstr(out, "half of 10 within 2000 ns\n"));
	assert_null(strstr(out, "d1.0"));
	assert_null(strstr(out, "reserved"));
	/* What it will have. A refused one may be described as anything. */
	g3->phase = GUEST_DOWN;
	g3->reason = STOP_OFF;
	g3->d = NULL;
	g1->phase = GUEST_DOWN;
	g1->reason = STOP_REFUSED;
	g1->desc.nr_vcpus = ~0U;
	type("sched\r");
	assert_non_null(strstr(out, "(sk) d3.0 g3 off: deadline 300/1000 "
				    "us (deadline 800)\n(sk) d3.1 g3 off: "
				    "weight 257"));
	assert_non_null(strstr(out, "d1.7 g1 refused"));
	assert_null(strstr(out, "d1.8"));
	assert_string_equal(ordered, "");
}

static void sets(const char *text, const char *want)
{
	char typed[160];

	*ordered = 0;
	snprintf(typed, sizeof(typed), "%s\r", text);
	type(typed);
	assert_string_equal(ordered, want);
	/* The log tells the rest. */
	snprintf(typed, sizeof(typed), "%s\n%s", text, SHELL_PROMPT);
	assert_string_equal(out, typed);
}

static void test_sched_set(void **state)
{
	sets("sched 3 period=1000 budget=300", "3.-1 -1 -1 1000 300 -1 -1");
	sets("sched 3.1  budget=300   period=1000", "3.1 -1 -1 1000 300 -1 -1");
	sets("sched 3.0 weight=1", "3.0 1 -1 -1 -1 -1 -1");
	/* The longest there is. */
	sets("sched 3.0 period=10000000 budget=10000000 deadline=10000000 "
	     "weight=65535 slice=1000000 extra=1",
	     "3.0 65535 1000000 10000000 10000000 10000000 1");
	g3->desc.sched[0] = (struct sched_params){256, 5000, 1000, 300, 800, 1};
	sets("sched 3.0 budget=0", "3.0 -1 -1 -1 0 -1 -1");
	sets("sched 3.0 extra=0 deadline=700", "3.0 -1 -1 -1 -1 700 0");
	sets("sched 3.0 budget=0 deadline=0", "3.0 -1 -1 -1 0 0 -1");
	sets("sched 3.0 budget=000000000000200", "3.0 -1 -1 -1 200 -1 -1");
}

/* One line that names what is wrong; nothing is ordered. */
static void refuses(const char *text, const char *why)
{
	char typed[160], want[400];

	*ordered = 0;
	snprintf(typed, sizeof(typed), "%s\r", text);
	snprintf(want, sizeof(want), "%s\n(sk) sched: %s\n%s", text, why,
		 SHELL_PROMPT);
	assert_string_equal(type(typed), want);
	assert_string_equal(ordered, "");
}

static void test_sched_bad(void **state)
{
	static const char *const words[] = {
		"x",
		"budget",
		"budget=",
		"budget=x",
		"budget=-1",
		"budget=300x",
		"budget=0x10",
		"=300",
		"budge=300",
		"budgets=300",
		"budget==300",
		"Budget=300",
		"budget=1000000000x",
		"=1000000000",
		"1",
		"budget=300=300",
		"budget=+300",
		"budget=3.0",
	};
	static const char *const nobody[] = {
		"0",	"2",   "x",	      "3x",
		"3.",	"3.2", "3.x",	      "3.0x",
		"3.-1", ".0",  "4294967299",  "3.4294967295",
		"1.1",	"17",  "999999999.0", "3.4294967296",
	};
	char text[100], why[300];

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		snprintf(text, sizeof(text), "sched 3 period=1000 %s", words[i]);
		snprintf(why, sizeof(why),
			 "`%s`: not weight, slice, period, budget, deadline or "
			 "extra, = and a number, once",
			 words[i]);
		refuses(text, why);
	}
	refuses("sched 3 budget=10 period=1000 budget=20",
		"`budget=20`: not weight, slice, period, budget, deadline or "
		"extra, = and a number, once");
	for (unsigned int i = 0; i < ARRAY_SIZE(nobody); i++) {
		snprintf(text, sizeof(text), "sched %s budget=0", nobody[i]);
		snprintf(why, sizeof(why), "no guest or vCPU `%s`; try sched",
			 nobody[i]);
		refuses(text, why);
	}
	/* More than is read: the range is named as well. */
	refuses("sched 3 period=1000 budget=1000000000",
		"`budget=1000000000`: skerry,budget-us: must be 10 to 10000000");
	refuses("sched 3 weight=4294967295 budget",
		"`weight=4294967295`: skerry,weight: must be 1 to 65535");
	refuses("sched 3.1 extra=18446744073709551617",
		"`extra=18446744073709551617`: skerry,extra-time: must be 0 to "
		"1");
	refuses("sched 3 budget=999999999 period=1000",
		"d3.0: skerry,budget-us: 999999999: must be 10 to 10000000");
	/* Of the rules; each vCPU that is meant. */
	refuses("sched 3 period=99 budget=10",
		"d3.0: skerry,period-us: 99: must be 100 to 10000000");
	refuses("sched 3.1 budget=300", "d3.1: skerry,period-us: missing");
	refuses("sched 3 extra=1",
		"d3.0: skerry,extra-time: needs skerry,budget-us");
	refuses("sched 3 weight=999999999",
		"d3.0: skerry,weight: 999999999: must be 1 to 65535");
	g3->desc.sched[1] = (struct sched_params){256, 5000, 1000, 300, 800, 1};
	refuses("sched 3.1 budget=900",
		"d3.1: skerry,budget-us: 900: must be at most the deadline of "
		"800 us");
	refuses("sched 3.1 deadline=0",
		"d3.1: skerry,deadline-us: 0: must be 10 to 10000000");
	refuses("sched 3.1 budget=0 extra=1",
		"d3.1: skerry,extra-time: needs skerry,budget-us");
	refuses("sched 3 deadline=900",
		"d3.0: skerry,deadline-us: needs skerry,budget-us");
}

static void test_sched_later(void **state)
{
	order_err = -EBUSY;
	type("sched 3 weight=5\r");
	assert_non_null(strstr(out, "(sk) sched: another change is not finished "
				    "yet\n"));
	order_err = -EACCES;
	type("sched 3 weight=5\r");
	assert_non_null(strstr(out, "(sk) d3: its image was not kept"));
}

/* The worker, which makes the change, has no time of its own. */
static void test_sched_waits(void **state)
{
	ppm[0] = ADMIT_WHOLE;
	assert_string_equal(
		type("sched 3 weight=5\r"),
		"sched 3 weight=5\n(sk) CPU 0 is reserved to 100 %: this waits "
		"until its deadline vCPUs leave time; `pause N` of their guest "
		"gives it\n" SHELL_PROMPT);
	assert_string_equal(ordered, "3.-1 5 -1 -1 -1 -1 -1");
	order_err = -EBUSY;
	type("sched 3 weight=5\r");
	assert_null(strstr(out, "reserved"));
	type("sched 3 foo=5\r");
	assert_null(strstr(out, "reserved"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sched, setup),
		cmocka_unit_test_setup(test_sched_set, setup),
		cmocka_unit_test_setup(test_sched_bad, setup),
		cmocka_unit_test_setup(test_sched_later, setup),
		cmocka_unit_test_setup(test_sched_waits, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
