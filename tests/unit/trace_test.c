/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rings of the trace: each CPU's own, what wraps, what is written when it
 * is off; and the dump, line by line, to the last of its records.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../kernel/trace.c"

#define NR 256 /* records of the smallest ring */

struct cpu cpus[CONFIG_NR_CPUS], *host_this_cpu = cpus;
unsigned int nr_cpus;
struct guest guests[CONFIG_MAX_DOMAINS + 1];
static struct domain d3 = {.id = 3}, none;
static struct vcpu v = {.domain = &d3, .id = 2}, worker = {.domain = &none};
static u64 now;
static int option;
static bool no_memory;
static u64 allocated;
static unsigned int nr_warned;
static char line[257];
static jmp_buf entered;
static unsigned int nr_ipis[CONFIG_NR_CPUS];

u64 time_now(void)
{
	return now++;
}
u64 time_freq(void)
{
	return 62500000;
}
int machine_get_number(const char *name, u32 lowest, u32 most)
{
	assert_string_equal(name, "trace=");
	assert_int_equal(lowest, 0);
	assert_int_equal(most, 4096);
	return option;
}
void *page_alloc_hyp(u64 size)
{
	assert_true(size && is_aligned(size, PAGE_SIZE));
	allocated = size;
	return no_memory ? NULL : aligned_alloc(PAGE_SIZE, size);
}
void log_at(enum log_level level, const char *fmt, ...)
{
	assert_int_equal(level, LOG_WARNING);
	nr_warned++;
}

/* Each that runs says so. */
void ipi_send(unsigned int cpu, u32 reasons)
{
	assert_int_equal(reasons, IPI_WAKE);
	assert_int_equal(cpus[cpu].trace.on, 1);
	nr_ipis[cpu]++;
}

/* What kernel/cpu.c asks. */
void sched_idle(void)
{
}
struct vcpu *sched_next(void)
{
	return &v;
}
void arch_enter(struct vcpu *to)
{
	assert_ptr_equal(to, &v);
	longjmp(entered, 1);
}
void irq_handle(void)
{
	fail();
}
static void barrier(const char *name)
{
}
void (*host_barrier)(const char *name) = barrier;

static void boot(int kib)
{
	free(rings);
	rings = NULL;
	nr_records = 0;
	memset(cpus, 0, sizeof(cpus));
	memset(&dump, 0, sizeof(dump));
	for (unsigned int i = 0; i < CONFIG_NR_CPUS; i++)
		cpus[i].id = i;
	memset(guests, 0, sizeof(guests));
	host_this_cpu = cpus;
	nr_cpus = 3;
	cpus[0].online = cpus[2].online = 1;
	memset(nr_ipis, 0, sizeof(nr_ipis));
	stopped = 0;
	now = 0x1000;
	option = kib;
	allocated = nr_warned = 0;
	no_memory = false;
	trace_init();
}

static int setup(void **state)
{
	(void)state;
	boot(4);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(rings);
	rings = NULL;
	return 0;
}

static void next_is(const char *want)
{
	assert_true(trace_dump_line(line, sizeof(line)));
	assert_string_equal(line, want);
}

static void dump_begins(const char *was)
{
	char want[96];

	assert_int_equal(trace_dump(), 0);
	snprintf(want, sizeof(want),
		 "trace: begin freq 62500000 cpus 3 now %lx until %lx was %s",
		 now, stopped, was);
	if (!strcmp(was, "on"))
		assert_int_equal(now, stopped + 1);
	next_is(want);
}

static void dump_ends(unsigned int nr, unsigned int lost)
{
	char want[80];

	assert_true(trace_is_dumping());
	snprintf(want, sizeof(want), "trace: end %u records, %u overwritten",
		 nr, lost);
	next_is(want);
	assert_false(trace_is_dumping());
	assert_false(trace_dump_line(line, sizeof(line)));
}

static void on(unsigned int cpu)
{
	host_this_cpu = &cpus[cpu];
}

/* Whole pages for each CPU, or nothing at all. */
static void test_memory(void **state)
{
	(void)state;
	boot(-1);
	assert_int_equal(allocated, 3 * 4 * KIB);
	assert_int_equal(nr_records, 256);
	boot(5);
	assert_int_equal(allocated, 3 * 8 * KIB);
	assert_int_equal(nr_records, 512);
	boot(4096);
	assert_int_equal(nr_records, 4096 * KIB / 16);
	boot(0);
	assert_int_equal(allocated, 0);
	assert_int_equal(nr_warned, 0);
	assert_int_equal(trace_set(true), -ENOMEM);
	assert_int_equal(trace_set(false), -ENOMEM);
	assert_int_equal(trace_dump(), -ENOMEM);
	assert_false(trace_dump_line(line, sizeof(line)));
	/* Nobody writes where there is nothing. */
	trace(TRACE_RUN, &v, 0);
	boot(4);
	option = 4;
	no_memory = true;
	nr_records = 0;
	free(rings);
	trace_init();
	assert_int_equal(nr_warned, 1);
	assert_int_equal(trace_set(true), -ENOMEM);
	assert_int_equal(cpus[0].trace.on, 0);
}

static void test_off(void **state)
{
	(void)state;
	trace(TRACE_RUN, &v, 7);
	assert_int_equal(cpus[0].trace.next, 0);
	dump_begins("off");
	dump_ends(0, 0);
	assert_int_equal(trace_set(true), 0);
	trace(TRACE_RUN, &v, 7);
	assert_int_equal(trace_set(false), 0);
	trace(TRACE_IDLE, NULL, 0);
	assert_int_equal(cpus[0].trace.next, 1);
	for (unsigned int i = 0; i < 2; i++) {
		/* As often as it is asked for. */
		dump_begins("off");
		next_is("trace: c0 1001 run d3.2 7");
		dump_ends(1, 0);
	}
	/* It begins with nothing. */
	assert_int_equal(trace_set(true), 0);
	assert_int_equal(trace_set(false), 0);
	dump_begins("off");
	dump_ends(0, 0);
}

/* Every event by its name, nobody, the worker, and who wrote it. */
static void test_records(void **state)
{
	static const char *const want[] = {
		"run",	     "idle",	  "wake", "block", "preempt",
		"exhausted", "replenish", "exit", "enter", "irq",
	};
	char text[80];
	u64 at;

	(void)state;
	static_assert(ARRAY_SIZE(want) == NR_TRACE_EVENTS, "all of them");
	assert_int_equal(trace_set(true), 0);
	at = now;
	for (unsigned int e = 0; e < NR_TRACE_EVENTS; e++)
		trace((enum trace_event)e, e == TRACE_IDLE ? NULL : &v,
		      0xfffffff0 + e);
	on(2);
	trace(TRACE_RUN, &worker, 0);
	on(0);
	assert_int_equal(trace_set(false), 0);
	dump_begins("off");
	for (unsigned int e = 0; e < NR_TRACE_EVENTS; e++) {
		snprintf(text, sizeof(text), "trace: c0 %lx %s %s %x", at + e,
			 want[e], e == TRACE_IDLE ? "-" : "d3.2",
			 0xfffffff0 + e);
		next_is(text);
	}
	snprintf(text, sizeof(text), "trace: c2 %lx run d0.0 0",
		 at + NR_TRACE_EVENTS);
	next_is(text);
	dump_ends(NR_TRACE_EVENTS + 1, 0);
	/* As large as what a record holds may be. */
	d3.id = 255;
	v.id = 254;
	now = ~0UL - 4;
	assert_int_equal(trace_set(true), 0);
	trace(TRACE_REPLENISH, &v, ~0U);
	dump_begins("on");
	next_is("trace: c0 fffffffffffffffb replenish d255.254 ffffffff");
	dump_ends(1, 0);
	d3.id = 3;
	v.id = 2;
}

/* The last of them, in their order, and how many were lost before. */
static void test_wrap(void **state)
{
	static const unsigned int nrs[] = {NR - 2,     NR - 1,	   NR,
					   NR + 1,     2 * NR - 1, 2 * NR,
					   10 * NR + 7};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(nrs); i++) {
		unsigned int nr = nrs[i], kept = min(nr, NR - 1U);
		char text[80];

		assert_int_equal(trace_set(true), 0);
		now = 0x100000;
		for (unsigned int n = 0; n < nr; n++) {
			on(1);
			trace(TRACE_IRQ, NULL, n);
			/* Another one's ring is not touched. */
			on(0);
			if (!(n % NR))
				trace(TRACE_IDLE, NULL, 0);
		}
		assert_int_equal(trace_set(false), 0);
		dump_begins("off");
		for (unsigned int n = 0; n < nr; n += NR) {
			assert_true(trace_dump_line(line, sizeof(line)));
			assert_memory_equal(line, "trace: c0 ", 10);
		}
		for (unsigned int n = nr - kept; n < nr; n++) {
			snprintf(text, sizeof(text), "trace: c1 %lx irq - %x",
				 0x100000UL + n + n / NR + (n % NR > 0), n);
			next_is(text);
		}
		dump_ends(kept + (nr + NR - 1) / NR, nr - kept);
	}
}

/*
 * A record that was begun when tracing stopped is written all the same, where
 * the dump does not read.
 */
static void test_straggler(void **state)
{
	char text[80];

	(void)state;
	assert_int_equal(trace_set(true), 0);
	for (unsigned int n = 0; n < NR; n++)
		trace(TRACE_IRQ, NULL, n);
	dump_begins("on");
	trace_put(TRACE_IRQ, NULL, 0xdead);
	for (unsigned int n = 1; n < NR; n++) {
		snprintf(text, sizeof(text), "trace: c0 %x irq - %x",
			 0x1000 + n, n);
		next_is(text);
	}
	dump_ends(NR - 1, 1);
}

/* Nor what another CPU began then, and looked at the time after the dump had. */
static void test_late_straggler(void **state)
{
	static const unsigned int nrs[] = {0, 1, NR - 2, NR - 1, NR};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(nrs); i++) {
		unsigned int nr = nrs[i], from = nr + 2 > NR ? nr + 2 - NR : 0;
		char text[80];

		boot(4);
		assert_int_equal(trace_set(true), 0);
		on(1);
		for (unsigned int n = 0; n < nr; n++)
			trace(TRACE_IRQ, NULL, n);
		on(0);
		assert_int_equal(trace_set(false), 0);
		/* CPU 2's is as late as it may be, CPU 1's by one more. */
		dump_begins("off");
		now--;
		on(2);
		trace_put(TRACE_IRQ, NULL, 0xcafe);
		on(1);
		trace_put(TRACE_IRQ, NULL, 0xdead);
		on(0);
		for (unsigned int n = from; n < nr; n++) {
			snprintf(text, sizeof(text), "trace: c1 %x irq - %x",
				 0x1000 + n, n);
			next_is(text);
		}
		snprintf(text, sizeof(text), "trace: c2 %x irq - cafe",
			 (u32)now - 2);
		next_is(text);
		dump_ends(nr - from + 1, from);
	}
}

/* It stops while it is dumped, and goes on with empty rings. */
static void test_goes_on(void **state)
{
	(void)state;
	assert_int_equal(trace_set(true), 0);
	trace(TRACE_RUN, &v, 1);
	/* Again says nothing new. */
	assert_int_equal(trace_set(true), 0);
	assert_int_equal(nr_ipis[0], 1);
	assert_int_equal(nr_ipis[1], 0); /* not there */
	assert_int_equal(nr_ipis[2], 1);
	dump_begins("on");
	trace(TRACE_RUN, &v, 2);
	assert_int_equal(trace_set(true), -EBUSY);
	assert_int_equal(trace_set(false), -EBUSY);
	assert_int_equal(trace_dump(), -EBUSY);
	next_is("trace: c0 1000 run d3.2 1");
	dump_ends(1, 0);
	trace(TRACE_RUN, &v, 3);
	dump_begins("on");
	assert_true(trace_dump_line(line, sizeof(line)));
	assert_string_equal(strrchr(line, 'd'), "d3.2 3");
	dump_ends(1, 0);
	for (unsigned int i = 0; i < nr_cpus; i++)
		assert_int_equal(cpus[i].trace.on, 1);
	assert_int_equal(trace_set(false), 0);
	for (unsigned int i = 0; i < nr_cpus; i++)
		assert_int_equal(cpus[i].trace.on, 0);
}

/* Of every slot in use, with names as long as they may be. */
static void test_names(void **state)
{
	char name[DESCRIBE_NAME_SIZE], want[80];

	(void)state;
	memset(name, '"', sizeof(name));
	name[sizeof(name) - 1] = 0;
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++) {
		guests[i].id = i;
		guests[i].phase = i % 3 ? GUEST_DOWN + i % 2 : GUEST_NONE;
		strcpy(guests[i].desc.name, name);
	}
	dump_begins("off");
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++) {
		if (!(i % 3))
			continue;
		snprintf(want, sizeof(want), "trace: d%u %s", i, name);
		next_is(want);
	}
	dump_ends(0, 0);
}

/* The idle loop says so once, however often it looks. */
static void test_idle(void **state)
{
	(void)state;
	assert_int_equal(trace_set(true), 0);
	if (!setjmp(entered))
		cpu_idle();
	dump_begins("on");
	next_is("trace: c0 1000 idle - 0");
	dump_ends(1, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_memory, setup),
		cmocka_unit_test_setup(test_off, setup),
		cmocka_unit_test_setup(test_records, setup),
		cmocka_unit_test_setup(test_wrap, setup),
		cmocka_unit_test_setup(test_straggler, setup),
		cmocka_unit_test_setup(test_late_straggler, setup),
		cmocka_unit_test_setup(test_goes_on, setup),
		cmocka_unit_test_setup(test_names, setup),
		cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
