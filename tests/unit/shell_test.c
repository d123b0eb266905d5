/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shell: editing, each command, its errors, and figures of which some are
 * still being counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../kernel/shell.c"

const char *const stop_names[] = {"off", "reset", "crashed", "destroyed",
				  "watchdog"};
struct domain *domains[CONFIG_MAX_DOMAINS + 1];
struct cpu cpus[CONFIG_NR_CPUS], *host_this_cpu = cpus;
unsigned int nr_cpus = 2;
static struct domain guests[2];
static struct vcpu vcpus[3];
static char out[8192];
static unsigned int nr_logs, nr_last_logs, nr_synced;
static jmp_buf rebooted;

void console_shell(const char *fmt, ...)
{
	size_t n = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out + n, sizeof(out) - n, fmt, ap);
	va_end(ap);
}
void console_shell_log(bool last_boot)
{
	nr_logs++;
	nr_last_logs += last_boot;
}
void console_sync(void)
{
	nr_synced++;
}
void arch_reboot(void)
{
	longjmp(rebooted, 1);
}
u64 time_now(void)
{
	return 7000000;
}
u64 time_freq(void)
{
	return 1000000;
}
void page_stats(struct page_stats *st)
{
	*st = (struct page_stats){.free = 3 * MIB,
				  .hyp = 40 * KIB,
				  .owned = 96 * MIB};
}
void domain_pause(struct domain *d, bool pause)
{
	d->paused = pause;
}
void domain_stop(struct domain *d, enum stop_reason why)
{
	assert_int_equal(why, STOP_DESTROY);
	d->state = DOMAIN_STOPPING;
	d->stop_reason = why;
}

static int setup(void **state)
{
	memset(guests, 0, sizeof(guests));
	memset(vcpus, 0, sizeof(vcpus));
	memset(cpus, 0, sizeof(cpus));
	for (unsigned int i = 0; i < 2; i++) {
		struct domain *d = &guests[i];

		/* With a gap between them. */
		d->id = 1 + 2 * i;
		domains[d->id] = d;
		snprintf(d->name, sizeof(d->name), "g%u", d->id);
		d->state = DOMAIN_RUNNING;
		d->memory = 64 * MIB;
		d->nr_vcpus = 1 + i;
		d->is_signed = true;
		d->pool = (struct pool){.size = 128 * KIB,
					.used = 32 * KIB,
					.nr_free = 2};
	}
	guests[0].vcpus[0] = &vcpus[0];
	guests[1].vcpus[0] = &vcpus[1];
	guests[1].vcpus[1] = &vcpus[2];
	for (unsigned int i = 0; i < 3; i++) {
		vcpus[i].domain = &guests[i != 0];
		vcpus[i].cpu = i != 0;
		vcpus[i].sched.weight = 256;
	}
	len = 0;
	*out = 0;
	return 0;
}

static const char *type(const char *s)
{
	*out = 0;
	for (; *s; s++)
		shell_input(*s);
	return out;
}

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
	guests[0].state = DOMAIN_OFF;
	guests[0].stop_reason = STOP_CRASH;
	guests[0].is_signed = false;
	assert_string_equal(
		type("list\r"),
		"list\n(sk) d1   g1               crashed    1 vCPUs     64 MiB UNSIGNED\n"
		"(sk) d3   g3               running    2 vCPUs     64 MiB\n" SHELL_PROMPT);
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
	vcpus[1].sched.nr_runs = 9;
	type("vcpus\r");
	assert_non_null(
		strstr(out, "(sk) d1.0 CPU 0 running weight 256, "
			    "ran 2500 ms, waited 0 ms, woken in 0 us at worst, "
			    "0 runs\n"));
	assert_non_null(
		strstr(out, "(sk) d3.0 CPU 1 ready   weight 256, "
			    "ran 0 ms, waited 5 ms, woken in 1234 us at worst, "
			    "9 runs\n"));
	assert_non_null(strstr(out, "d3.1 CPU 1 waiting"));
	vcpus[2].state = VCPU_OFF;
	guests[0].paused = true;
	guests[1].state = DOMAIN_STOPPING;
	type("vcpus\r");
	assert_non_null(strstr(out, "d1.0 CPU 0 paused"));
	assert_non_null(strstr(out, "d3.0 CPU 1 off"));
	assert_non_null(strstr(out, "d3.1 CPU 1 off"));
}

static void test_figures(void **state)
{
	for (unsigned int i = 0; i < NR_CPU_IRQS; i++)
		cpus[1].nr_irqs[i] = i + 5;
	assert_string_equal(
		type("irq\r"),
		"irq\n(sk) CPU 0: timer 0, IPIs 0, maintenance 0, others 0\n"
		"(sk) CPU 1: timer 5, IPIs 6, maintenance 7, others 8\n" SHELL_PROMPT);
	type("memory\r");
	assert_non_null(strstr(out, "free 3 MiB, hypervisor 40 KiB, "
				    "guests 96 MiB\n"));
	assert_non_null(strstr(out, "d3: 128 KiB of the hypervisor's, 24 KiB"));
	type("log\r");
	assert_int_equal(nr_logs, 1);
	assert_int_equal(nr_last_logs, 0);
	type("lastlog\r");
	assert_int_equal(nr_logs, 2);
	assert_int_equal(nr_last_logs, 1);
}

/* All that there is room for; the oldest stay. */
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
	for (unsigned int i = 0; i < 1000; i++)
		measure_add(&m);
	while (measure_get(nr))
		nr++;
	assert_true(nr >= CONFIG_MAX_DOMAINS && nr >= 64 && nr < 1000);
	assert_int_equal(measure_get(0)->domain, 3);
	assert_int_equal(measure_get(1)->domain, 1);
	assert_int_equal(measure_get(nr - 1)->domain, 9);
	assert_null(measure_get(~0U));
}

static void test_acts(void **state)
{
	static const char *const wrong[] = {"",		  "0",	"2",  "4",
					    "d3",	  "3x", "-1", "17",
					    "4294967299", "1 3"};
	char text[64];

	type("pause 3\r");
	assert_true(guests[1].paused);
	assert_false(guests[0].paused);
	assert_non_null(strstr(out, "g3               paused"));
	type("resume 3\r");
	assert_false(guests[1].paused);
	assert_non_null(strstr(out, "g3               running"));
	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(text, sizeof(text), "destroy %s\r", wrong[i]);
		type(text);
		assert_non_null(strstr(out, "(sk) destroy: no guest `"));
	}
	type("destroy\r");
	assert_non_null(strstr(out, "(sk) destroy: no guest ``; try list\n"));
	assert_int_equal(guests[0].state, DOMAIN_RUNNING);
	type("destroy 1\r");
	assert_int_equal(guests[0].state, DOMAIN_STOPPING);
	assert_non_null(strstr(out, "g1               stopping"));
	for (const char *const *c =
		     (const char *const[]){"destroy", "pause", "resume", NULL};
	     *c; c++) {
		snprintf(text, sizeof(text), "%s 1\r", *c);
		type(text);
		assert_non_null(strstr(out, "d1 is not running\n"));
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
		cmocka_unit_test_setup(test_vcpus, setup),
		cmocka_unit_test_setup(test_figures, setup),
		cmocka_unit_test_setup(test_measurements, setup),
		cmocka_unit_test_setup(test_acts, setup),
		cmocka_unit_test_setup(test_reboot, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
