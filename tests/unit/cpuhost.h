/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CPU on the host: system registers by name, and one record of all that is
 * done to it, a line each, in order. A register that the test has not set may
 * not be read. Included by one source of each test, after <cmocka.h>.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <asm/sysreg.h>

#define MAX_REGS 96

static struct {
	char name[24];
	u64 val;
} cpu_regs[MAX_REGS];
static unsigned int nr_cpu_regs;

static char events[1 << 20];
static size_t trace_len;
static bool trace_reads;

static inline __printf(1, 2) void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	trace_len += (size_t)vsnprintf(events + trace_len,
				       sizeof(events) - trace_len, fmt, ap);
	va_end(ap);
	assert_true(trace_len + 1 < sizeof(events));
	events[trace_len++] = '\n';
	events[trace_len] = 0;
}

static inline void trace_clear(void)
{
	trace_len = 0;
	events[0] = 0;
}

/* All that was done since the last call, and nothing else. */
static inline __printf(1, 2) void assert_trace(const char *fmt, ...)
{
	static char want[sizeof(events)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	assert_string_equal(events, want);
	trace_clear();
}

/* Where a line begins; it is there exactly once. */
static inline size_t trace_at(const char *line)
{
	size_t len = strlen(line), found = sizeof(events);

	for (const char *p = events; *p; p = strchr(p, '\n') + 1) {
		if (strncmp(p, line, len) || p[len] != '\n')
			continue;
		if (found != sizeof(events))
			fail_msg("twice: %s", line);
		found = (size_t)(p - events);
	}
	if (found == sizeof(events))
		fail_msg("%s is not in:\n%s", line, events);
	return found;
}

static inline void assert_order(const char *first, const char *then)
{
	if (trace_at(first) >= trace_at(then))
		fail_msg("%s is not before %s in:\n%s", first, then, events);
}

static inline u64 *cpu_reg(const char *name)
{
	for (unsigned int i = 0; i < nr_cpu_regs; i++)
		if (!strcmp(cpu_regs[i].name, name))
			return &cpu_regs[i].val;
	return NULL;
}

static inline void reg_set(const char *name, u64 val)
{
	u64 *reg = cpu_reg(name);

	if (!reg) {
		assert_true(nr_cpu_regs < MAX_REGS);
		assert_true(strlen(name) < sizeof(cpu_regs[0].name));
		strcpy(cpu_regs[nr_cpu_regs].name, name);
		reg = &cpu_regs[nr_cpu_regs++].val;
	}
	*reg = val;
}

static inline u64 reg_get(const char *name)
{
	u64 *reg = cpu_reg(name);

	if (!reg) {
		fail_msg("%s is read", name);
		abort();
	}
	return *reg;
}

static inline void cpu_forget(void)
{
	nr_cpu_regs = 0;
	trace_reads = false;
	trace_clear();
}

u64 host_sysreg_read(const char *name)
{
	if (trace_reads)
		note("mrs %s", name);
	return reg_get(name);
}

void host_sysreg_write(const char *name, u64 val)
{
	note("%s=%#lx", name, val);
	reg_set(name, val);
}

static void cpu_barrier(const char *name)
{
	note("%s", name);
}

void (*host_barrier)(const char *name) = cpu_barrier;

/*
 * An asm statement as its text: the instructions are noted, and for %0 the
 * value of its expression, of which there are three. None of them may lose its
 * order to the compiler.
 */
static inline void note_asm(const char *text, u64 a, u64 va)
{
	static const char end[] = "\"memory\"";
	char op[64], *line, *at;
	size_t len = strlen(text);

	assert_true(len > sizeof(end));
	assert_string_equal(text + len - (sizeof(end) - 1), end);
	assert_int_equal(sscanf(text, "\"%63[^\"]\"", op), 1);
	for (line = op; (at = strstr(line, "\\n\\t")); line = at + 4) {
		*at = 0;
		note("%s", line);
	}
	at = strstr(line, "%0");
	if (!at) {
		note("%s", line);
		return;
	}
	*at = 0;
	if (strstr(text, "::\"r\"(a >> 12) :"))
		note("%s%#lx", line, a >> 12);
	else if (strstr(text, "::\"r\"(va >> 12) :"))
		note("%s%#lx", line, va >> 12);
	else if (strstr(text, "::\"r\"(va) :"))
		note("%s%#lx", line, va);
	else
		fail_msg("operand of %s", text);
}
