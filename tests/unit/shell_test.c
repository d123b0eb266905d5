/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shell: editing, each command, its errors, and figures of which some are
 * still being counted.
 */
#include "shellhost.h"

static void test_editing(void **state)
{
	char all[200];

	assert_string_equal(type("\r"), "\n" SHELL_PROMPT);
	assert_string_equal(type("  \n"), "  \n" SHELL_PROMPT);
	assert_string_equal(type("\b\x7f"
				 "ab\x7f\b\b\x01\x1b\xff"
				 "x"),
			    "ab\b \b\b \bx");
	assert_string_equal(type("\b"), "\b \b");
	type("lix\bst \r");
	assert_non_null(strstr(out, "(sk) d1   g1"));
	/* No more than the line takes. */
	memset(all, 'y', sizeof(all));
	all[sizeof(all) - 1] = 0;
	assert_int_equal(strlen(type(all)), sizeof(line) - 1);
	type("\r");
	assert_non_null(strstr(out, "y: unknown command; try help\n"));
	assert_string_equal(type("\r"), "\n" SHELL_PROMPT);
}

static void test_help(void **state)
{
	type("help\r");
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		assert_non_null(strstr(out, commands[i].name));
	assert_string_equal(
		type("help me\r"),
		"help me\n(sk) help: takes no argument\n" SHELL_PROMPT);
}

static void test_list(void **state)
{
	doms[0].state = DOMAIN_CRASHED;
	guests[1].desc.fit.size = 0;
	assert_string_equal(
		type("list\r"),
		"list\n(sk) d1   g1               crashed        1 vCPUs     64 MiB UNSIGNED\n"
		"(sk) d3   g3               running        2 vCPUs     64 MiB\n" SHELL_PROMPT);
}

/* What `list` says of a guest alone. */
static void lists(const char *want)
{
	char text[160];

	guests[1].phase = GUEST_NONE;
	snprintf(text, sizeof(text), "list\n(sk) d3   g3               %s\n%s",
		 want, SHELL_PROMPT);
	assert_string_equal(type("list\r"), text);
}

/* Each phase and state, and what there is to say of lives before. */
static void test_phases(void **state)
{
	static const struct {
		enum domain_state state;
		const char *line;
	} live[] = {
		{DOMAIN_PAUSED, "paused         2 vCPUs     64 MiB"},
		{DOMAIN_SHUTTING_DOWN, "shutting down  2 vCPUs     64 MiB"},
		{DOMAIN_CRASHED, "crashed        2 vCPUs     64 MiB"},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(live); i++) {
		doms[1].state = live[i].state;
		lists(live[i].line);
	}
	doms[1].state = DOMAIN_RUNNING;
	g3->nr_starts = 2;
	g3->reason = STOP_WATCHDOG;
	lists("running        2 vCPUs     64 MiB, start 2 after: watchdog");
	g3->phase = GUEST_ENDING;
	doms[1].state = DOMAIN_CRASHED;
	lists("shutting down  2 vCPUs     64 MiB, start 2 after: watchdog");
	/* It is 7 s. */
	g3->phase = GUEST_WAITING;
	doms[1].state = DOMAIN_DEAD;
	g3->until = 7400000;
	lists("waiting        2 vCPUs     64 MiB, watchdog, starts again in "
	      "400 ms");
	g3->until = 6999999;
	lists("waiting        2 vCPUs     64 MiB, watchdog, starts again in "
	      "0 ms");
	g3->d = NULL;
	g3->phase = GUEST_BUILDING;
	g3->nr_starts = 0;
	lists("building       2 vCPUs     64 MiB");
	g3->phase = GUEST_DOWN;
	for (unsigned int why = STOP_OFF; why <= STOP_REFUSED; why++) {
		char text[80];

		g3->reason = why;
		snprintf(text, sizeof(text), "%-13s  2 vCPUs     64 MiB",
			 stop_names[why]);
		lists(text);
	}
	g3->reason = STOP_CRASH;
	g3->nr_starts = 6;
	g3->nr_crashes = 6;
	g3->gave_up = true;
	lists("crashed        2 vCPUs     64 MiB, left down after 6 crashes in a "
	      "row");
}

static void test_vcpus(void **state)
{
	for (unsigned int i = 0; i < 3; i++)
		vcpus[i].state = VCPU_ON;
	vcpus[0].sched.ran = 2000000;
	vcpus[0].sched.since = 6500000;
	cpus[0].sched.running = &vcpus[0];
	vcpus[1].sched.ready = true;
	vcpus[1].sched.waited = 5000;
	vcpus[1].sched.worst_wake = 1234;
	/* Deferred, it went on with the next budget: no wake is in that. */
	g3->desc.sched[0] = (struct sched_params){256, 5000, 1000,
						  300, 1000, 0};
	vcpus[1].sched.nr_wakes = 1;
	vcpus[1].wakes[4] = 7;
	vcpus[1].sched.nr_preempted = 2;
	vcpus[1].sched.nr_exhausted = 648;
	vcpus[1].sched.nr_missed = 3;
	type("vcpus\r");
	assert_non_null(
		strstr(out, "(sk) d1.0 g1 CPU 0 running weight 256, slice 5000 "
			    "us\n(sk)      ran 2500000 us, waited 0 us, woken "
			    "0 times, preempted 0, budget used up 0, deadline "
			    "missed 0\n(sk) d3.0"));
	assert_non_null(
		strstr(out, "(sk) d3.0 g3 CPU 1 ready   deadline 300/1000 us\n"
			    "(sk)      ran 0 us, waited 5000 us, woken 7 times, "
			    "preempted 2, budget used up 648, deadline missed 3"
			    "\n(sk)      ran after a wake within 1234000 ns at "
			    "worst, half of 7 within 32000 ns\n(sk) d3.1"));
	assert_non_null(strstr(out, "d3.1 g3 CPU 1 waiting weight 257"));
	vcpus[2].state = VCPU_OFF;
	doms[0].state = DOMAIN_PAUSED;
	doms[1].state = DOMAIN_SHUTTING_DOWN;
	type("vcpus\r");
	assert_non_null(strstr(out, "d1.0 g1 CPU 0 paused"));
	assert_non_null(strstr(out, "d3.0 g3 CPU 1 off"));
	assert_non_null(strstr(out, "d3.1 g3 CPU 1 off"));
	/* None that runs: none, though the domain waits. */
	g1->phase = GUEST_WAITING;
	g3->phase = GUEST_DOWN;
	g3->d = NULL;
	assert_string_equal(type("vcpus\r"), "vcpus\n" SHELL_PROMPT);
}

static void test_figures(void **state)
{
	for (unsigned int i = 0; i < NR_CPU_IRQS; i++)
		cpus[1].nr_irqs[i] = i + 5;
	assert_string_equal(
		type("irq\r"),
		"irq\n(sk) CPU 0: timer 0, IPIs 0, maintenance 0, others 0\n"
		"(sk) CPU 1: timer 5, IPIs 6, maintenance 7, others 8\n" SHELL_PROMPT);
	type("log\r");
	assert_int_equal(nr_logs, 1);
	assert_int_equal(nr_last_logs, 0);
	type("lastlog\r");
	assert_int_equal(nr_logs, 2);
	assert_int_equal(nr_last_logs, 1);
}

/* The sum is the board's; a module is counted by its pages until it is freed. */
static void test_memory(void **state)
{
	stats = (struct page_stats){.free = 3 * MIB + 4 * KIB,
				    .hyp = 640 * KIB,
				    .owned = 96 * MIB};
	doms[0].home.nr_ram = 1;
	doms[0].home.ram[0].size = 32 * MIB;
	doms[1].home.nr_ram = 2;
	doms[1].home.ram[0].size = doms[1].home.ram[1].size = 32 * MIB;
	images.nr_modules = 3;
	images.modules[0] = (struct page_bank){GIB + 8, 2 * PAGE_SIZE};
	images.modules[2] = (struct page_bank){2 * GIB, PAGE_SIZE};
	assert_string_equal(
		type("memory\r"),
		"memory\n"
		"(sk) d1: RAM 32768 KiB, pool 128 KiB, 24 KiB of it used\n"
		"(sk) d3: RAM 65536 KiB, pool 128 KiB, 24 KiB of it used\n"
		"(sk) free 3076 KiB, hypervisor 640 KiB (images 16, pools 256), "
		"guests 98304 KiB: together 102020 KiB\n" SHELL_PROMPT);
	/* Some guest's page that no guest knows of. */
	doms[1].home.ram[1].size -= PAGE_SIZE;
	type("memory\r");
	assert_non_null(strstr(out, "(sk) guests' RAM is 98300 KiB: does not "
				    "balance\n"));
	/* On its way from one owner to the other, it is no mistake. */
	g3->phase = GUEST_BUILDING;
	type("memory\r");
	assert_null(strstr(out, "balance"));
	g3->phase = GUEST_ENDING;
	type("memory\r");
	assert_null(strstr(out, "balance"));
	/* Down, it has none. */
	g3->phase = GUEST_DOWN;
	g3->d = NULL;
	stats.owned = 32 * MIB;
	type("memory\r");
	assert_null(strstr(out, "d3:"));
	assert_null(strstr(out, "balance"));
}

/* All that there is room for, each once; the oldest stay. */
static void test_measurements(void **state)
{
	struct measurement m = {.domain = 3, .version = 4294967295};
	unsigned int nr = 0;

	assert_string_equal(type("measurements\r"),
			    "measurements\n" SHELL_PROMPT);
	strcpy(m.name, "a-name-that-has-31-characters-x");
	m.digest[0] = 0xa7;
	m.digest[31] = 0x0f;
	m.key = "a-key-that-has-31-characters-xx";
	measure_add(&m);
	m = (struct measurement){.domain = 1, .name = "b"};
	measure_add(&m);
	/* A copy was kept. */
	m.domain = 9;
	assert_string_equal(
		type("measurements\r"),
		"measurements\n"
		"(sk) d3 a-name-that-has-31-characters-x sha256 "
		"a70000000000000000000000000000000000000000000000000000000000000f"
		" key \"a-key-that-has-31-characters-xx\" version 4294967295\n"
		"(sk) d1 b sha256 "
		"0000000000000000000000000000000000000000000000000000000000000000"
		" UNSIGNED\n" SHELL_PROMPT);
	/* The same again, as of a guest that started again, is none. */
	m = *measure_get(0);
	measure_add(&m);
	m = *measure_get(1);
	measure_add(&m);
	assert_null(measure_get(2));
	/* Whatever differs makes it another one. */
	m.domain = 9;
	measure_add(&m);
	m.version = 1;
	measure_add(&m);
	m.name[1] = 'x';
	measure_add(&m);
	m.key = "k";
	measure_add(&m);
	m.digest[31]++;
	measure_add(&m);
	assert_non_null(measure_get(6));
	assert_null(measure_get(7));
	for (unsigned int i = 0; i < 1000; i++) {
		m.version++;
		measure_add(&m);
	}
	while (measure_get(nr))
		nr++;
	assert_true(nr >= CONFIG_MAX_DOMAINS && nr >= 64 && nr < 1000);
	/* Each that found no room is told. */
	assert_int_equal(nr_logged, 1000 + 7 - nr);
	assert_int_equal(measure_get(0)->domain, 3);
	assert_int_equal(measure_get(1)->domain, 1);
	assert_int_equal(measure_get(nr - 1)->domain, 9);
	assert_null(measure_get(~0U));
}

static void test_pause(void **state)
{
	type("pause 3\r");
	assert_int_equal(doms[1].state, DOMAIN_PAUSED);
	assert_int_equal(doms[0].state, DOMAIN_RUNNING);
	assert_non_null(strstr(out, "g3               paused"));
	type("resume 3\r");
	assert_int_equal(doms[1].state, DOMAIN_RUNNING);
	assert_non_null(strstr(out, "g3               running"));
	/* Nothing of one that does not live. */
	doms[0].state = DOMAIN_CRASHED;
	g3->phase = GUEST_WAITING;
	for (unsigned int i = 0; i < 4; i++) {
		static const char *const text[] = {"pause 1\r", "resume 1\r",
						   "pause 3\r", "resume 3\r"};

		type(text[i]);
		assert_non_null(strstr(out, i < 2 ? "(sk) d1 is not running\n"
						  : "(sk) d3 is not running\n"));
	}
	assert_int_equal(doms[0].state, DOMAIN_CRASHED);
	assert_int_equal(doms[1].state, DOMAIN_RUNNING);
	assert_string_equal(ordered, "");
}

/* Each order reaches its guest, and what it came to is told. */
static void test_orders(void **state)
{
	static const char *const orders[] = {"start", "restart", "destroy"};
	static const struct {
		int err;
		const char *line;
	} results[] = {
		{0, "(sk) d3   g3               running"},
		{-EBUSY, "(sk) d3 is not down\n"},
		{-EALREADY, "(sk) d3 is down\n"},
		{-EACCES, "(sk) d3: its image was not kept "
			  "(skerry,restart = \"never\")\n"},
	};
	char text[64], want[64];

	for (unsigned int i = 0; i < ARRAY_SIZE(orders); i++)
		for (unsigned int n = 0; n < ARRAY_SIZE(results); n++) {
			order_err = results[n].err;
			*ordered = 0;
			snprintf(text, sizeof(text), "%s 3\r", orders[i]);
			snprintf(want, sizeof(want), "%s 3", orders[i]);
			type(text);
			assert_string_equal(ordered, want);
			assert_non_null(strstr(out, results[n].line));
		}
}

/* What the worker does waits where deadline vCPUs have all of its CPU. */
static void test_waits(void **state)
{
	static const char *const orders[] = {"start 3\r", "restart 3\r",
					     "destroy 3\r", "create b\r"};

	for (unsigned int i = 0; i < ARRAY_SIZE(orders); i++) {
		order_err = 0;
		ppm[0] = ADMIT_WHOLE;
		type(orders[i]);
		assert_non_null(strstr(out, "(sk) CPU 0 is reserved to 100 %: "
					    "this waits until"));
		order_err = -EBUSY;
		type(orders[i]);
		assert_null(strstr(out, "reserved"));
		order_err = 0;
		ppm[0]--;
		type(orders[i]);
		assert_null(strstr(out, "reserved"));
	}
}

/* A number of no guest is nobody's, and no number either. */
static void test_no_guest(void **state)
{
	static const char *const orders[] = {"start", "restart", "destroy",
					     "pause", "resume"};
	static const char *const wrong[] = {"",		  "0",	"2",  "4",
					    "d3",	  "3x", "-1", "17",
					    "4294967299", "1 3"};
	char text[64], want[64];

	for (unsigned int c = 0; c < ARRAY_SIZE(orders); c++)
		for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
			snprintf(text, sizeof(text), "%s %s\r", orders[c],
				 wrong[i]);
			snprintf(want, sizeof(want),
				 "(sk) %s: no guest `%s`; try list\n",
				 orders[c], wrong[i]);
			type(text);
			assert_non_null(strstr(out, want));
			assert_string_equal(ordered, "");
		}
	type("destroy\r");
	assert_non_null(strstr(out, "(sk) destroy: no guest ``; try list\n"));
	/* The last slot there is. */
	guests[CONFIG_MAX_DOMAINS] = *g3;
	guests[CONFIG_MAX_DOMAINS].id = CONFIG_MAX_DOMAINS;
	snprintf(text, sizeof(text), "destroy %u\r", CONFIG_MAX_DOMAINS);
	type(text);
	snprintf(want, sizeof(want), "destroy %u", CONFIG_MAX_DOMAINS);
	assert_string_equal(ordered, want);
}

static void test_create(void **state)
{
	assert_string_equal(type("create web-2\r"),
			    "create web-2\n" SHELL_PROMPT);
	assert_string_equal(ordered, "create web-2");
	order_err = -EBUSY;
	assert_string_equal(
		type("create b\r"),
		"create b\n(sk) create: another one is not finished yet\n" SHELL_PROMPT);
	*ordered = 0;
	type("create\r");
	assert_non_null(strstr(out, "(sk) create: no name of a guest; see "
				    "skerry,start\n"));
	/* As long as a name may be, and one more. */
	type("create a-name-that-has-32-characters-xy\r");
	assert_non_null(strstr(out, "(sk) create: no name of a guest"));
	assert_string_equal(ordered, "");
	order_err = 0;
	type("create a-name-that-has-31-characters-x\r");
	assert_string_equal(ordered, "create a-name-that-has-31-characters-x");
}

/* No answer looks like a line of a dump. */
static void test_trace(void **state)
{
	static const char *const what[] = {"on", "off", "dump"};
	static const char *const wrong[] = {"trace", "trace o", "trace onn",
					    "trace dump 1"};
	static const struct {
		int err;
		const char *line;
	} results[] = {
		{0, ""},
		{-EBUSY, "(sk) trace %s: a dump is not finished yet\n"},
		{-ENOMEM, "(sk) trace %s: no memory; see the option trace=\n"},
	};
	char text[32], line[80], want[120];

	for (unsigned int i = 0; i < ARRAY_SIZE(what); i++)
		for (unsigned int n = 0; n < ARRAY_SIZE(results); n++) {
			order_err = results[n].err;
			*ordered = 0;
			snprintf(text, sizeof(text), "trace %s", what[i]);
			snprintf(line, sizeof(line), results[n].line, what[i]);
			snprintf(want, sizeof(want), "%s\n%s" SHELL_PROMPT,
				 text, line);
			strcat(text, "\r");
			assert_string_equal(type(text), want);
			text[strlen(text) - 1] = 0;
			assert_string_equal(ordered, text);
		}
	*ordered = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		type(wrong[i]);
		assert_string_equal(type("\r"),
				    "\n(sk) it is trace on, trace off or trace "
				    "dump\n" SHELL_PROMPT);
		assert_string_equal(ordered, "");
	}
}

static void test_reboot(void **state)
{
	type("reboot now\r");
	assert_int_equal(nr_synced, 0);
	if (!setjmp(rebooted)) {
		type("reboot\r");
		fail();
	}
	assert_int_equal(nr_synced, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_editing, setup),
		cmocka_unit_test_setup(test_help, setup),
		cmocka_unit_test_setup(test_list, setup),
		cmocka_unit_test_setup(test_phases, setup),
		cmocka_unit_test_setup(test_vcpus, setup),
		cmocka_unit_test_setup(test_figures, setup),
		cmocka_unit_test_setup(test_memory, setup),
		cmocka_unit_test_setup(test_measurements, setup),
		cmocka_unit_test_setup(test_pause, setup),
		cmocka_unit_test_setup(test_orders, setup),
		cmocka_unit_test_setup(test_waits, setup),
		cmocka_unit_test_setup(test_no_guest, setup),
		cmocka_unit_test_setup(test_create, setup),
		cmocka_unit_test_setup(test_trace, setup),
		cmocka_unit_test_setup(test_reboot, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
