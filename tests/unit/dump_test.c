/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the log says of a crashed vCPU, line by line: registers, where the
 * fault's address leads in both stages, the last exits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cpuhost.h"
#include <skerry/domain.h>
#include <skerry/fmt.h>

#include "../../arch/arm64/dump.c"

#define NO_VA (~0UL)
#define FAR   0xffff800012345abcUL

static struct domain d;
static struct vcpu v;
static char lines[8192];
static size_t len;
static u64 looked_up;
static bool mapped;
static unsigned int nr_points;
static struct pgtable_leaf found;

int stage2_lookup(struct stage2 *s2, ipa_t ipa, struct pgtable_leaf *leaf)
{
	assert_ptr_equal(s2, &d.s2);
	looked_up = ipa.v;
	*leaf = found;
	return mapped ? 0 : -1;
}
/* Each line is one step of the worker's. */
void work_point(void)
{
	assert_int_equal(lines[len - 1], '\n');
	nr_points++;
}
static unsigned int behind; /* so often it will be said */
bool console_is_behind(void)
{
	return behind && behind--;
}
void log_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	len += (size_t)fmt_vsnprintf(lines + len, sizeof(lines) - len, fmt, ap);
	va_end(ap);
	assert_true(len + 2 < sizeof(lines));
	lines[len++] = '\n';
	lines[len] = 0;
}

static int setup(void **state)
{
	(void)state;
	cpu_forget();
	memset(&d, 0, sizeof(d));
	memset(&v, 0, sizeof(v));
	d.id = 3;
	v.domain = &d;
	v.id = 1;
	for (unsigned int i = 0; i < 31; i++)
		v.arch.regs.x[i] = 0x1111 * (i + 1);
	v.arch.regs.pc = 0x40080123;
	v.arch.regs.pstate = 0x3c5;
	v.arch.esr = 0x92000045;
	v.arch.sys.elr_el1 = 0xe1;
	v.arch.sys.esr = 0xe2;
	v.arch.sys.far = 0xe3;
	v.arch.sys.vbar = 0xe4000;
	reg_set("far_el2", FAR);
	reg_set("hpfar_el2", 0x500040);
	mapped = true;
	found = (struct pgtable_leaf){.va = 0x50000000,
				      .pa = 0x80000000,
				      .size = FRAME_SIZE,
				      .flags = PGT_R | PGT_X};
	looked_up = NO_VA;
	len = nr_points = 0;
	return 0;
}

/* It crashed while it was loaded; then it left, and other ones ran. */
static void dump(void)
{
	arch_vcpu_note_fault(&v);
	assert_int_equal(len, 0);
	reg_set("far_el2", 0x5555);
	reg_set("hpfar_el2", 0x660);
	trace_clear();
	arch_vcpu_dump(&v, true);
	assert_trace("%s", "");
}

static void assert_line(const char *want)
{
	char text[200];
	const char *at;

	snprintf(text, sizeof(text), "\n%s\n", want);
	at = strstr(lines, text);
	if (!at)
		fail_msg("%s is not in:\n%s", want, lines);
	assert_null(strstr(at + 1, text));
}

static void test_registers(void **state)
{
	(void)state;
	dump();
	assert_string_equal(
		lines,
		"d3 vcpu1: pc 0x0000000040080123 pstate 0x3c5 esr 0x92000045\n"
		"d3 vcpu1: elr_el1 0xe1 esr_el1 0xe2 far_el1 0xe3 vbar_el1 0xe4000\n"
		"d3 vcpu1: x0  0000000000001111 0000000000002222 0000000000003333 0000000000004444\n"
		"d3 vcpu1: x4  0000000000005555 0000000000006666 0000000000007777 0000000000008888\n"
		"d3 vcpu1: x8  0000000000009999 000000000000aaaa 000000000000bbbb 000000000000cccc\n"
		"d3 vcpu1: x12 000000000000dddd 000000000000eeee 000000000000ffff 0000000000011110\n"
		"d3 vcpu1: x16 0000000000012221 0000000000013332 0000000000014443 0000000000015554\n"
		"d3 vcpu1: x20 0000000000016665 0000000000017776 0000000000018887 0000000000019998\n"
		"d3 vcpu1: x24 000000000001aaa9 000000000001bbba 000000000001cccb 000000000001dddc\n"
		"d3 vcpu1: x28 000000000001eeed 000000000001fffe 000000000002110f\n"
		"d3 vcpu1: stage 1: 0xffff800012345abc is IPA 0x50004abc\n"
		"d3 vcpu1: stage 2: 0x50000000+0x200000 r-x at 0x80000000\n");
	assert_int_equal(nr_points, 12);
	/* No faster than the console can. */
	behind = 30;
	arch_vcpu_dump(&v, false);
	assert_int_equal(nr_points, 12 + 10 + 30);
	assert_int_equal(behind, 0);
}

/* The address in both registers; which faults it is there of. */
static void test_walk(void **state)
{
	static const struct {
		u64 esr;
		const char *line;
	} cases[] = {
		/* Translation, access flag, and of a table; also by a fetch. */
		{0x92000005, "0xffff800012345abc is IPA 0x50004abc"},
		{0x9200000a, "0xffff800012345abc is IPA 0x50004abc"},
		{0x82000007, "0xffff800012345abc is IPA 0x50004abc"},
		{0x82000085, "a table of 0xffff800012345abc is IPA 0x50004abc"},
		{0x9200008f, "a table of 0xffff800012345abc is IPA 0x50004abc"},
		/* Permissions, and what is no abort. */
		{0x9200000f, NULL},
		{0x8200000f, NULL},
		{0x82000010, NULL}, /* external */
		{0x56000000, NULL},
		{0x3a000000, NULL},
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		char want[120];

		setup(NULL);
		v.arch.esr = cases[i].esr;
		dump();
		snprintf(want, sizeof(want), "d3 vcpu1: stage 1: %s",
			 cases[i].line
				 ?: "where 0xffff800012345abc leads is not known");
		assert_line(want);
		assert_int_equal(looked_up, cases[i].line ? 0x50004abc : NO_VA);
		assert_int_equal(!!strstr(lines, "stage 2"), !!cases[i].line);
	}
	/* Nothing is asked that could fault, and nothing changed. */
	setup(NULL);
	trace_reads = true;
	arch_vcpu_note_fault(&v);
	assert_trace("%s", "mrs far_el2\nmrs hpfar_el2\n");
}

static void test_stage2(void **state)
{
	static const char *const rights[] = {"---", "r--", "-w-", "rw-",
					     "--x", "r-x", "-wx", "rwx"};

	(void)state;
	for (unsigned int f = 0; f < 16; f++) {
		char want[100];

		setup(NULL);
		found.flags = f;
		dump();
		snprintf(want, sizeof(want),
			 "d3 vcpu1: stage 2: 0x50000000+0x200000 %s at "
			 "0x80000000",
			 rights[f & 7]);
		assert_line(want);
	}
	setup(NULL);
	mapped = false;
	dump();
	assert_line("d3 vcpu1: stage 2: nothing at 0x50004abc");
}

/* The last eight, the oldest first. */
static void test_exits(void **state)
{
	static const unsigned int counts[] = {1, 7, 8, 9, 16, 100};

	(void)state;
	for (unsigned int k = 0; k < ARRAY_SIZE(counts); k++) {
		unsigned int n = counts[k], first = n < 8 ? 0 : n - 8;
		char want[1000];
		size_t at = 0;

		setup(NULL);
		for (unsigned int i = 0; i < n; i++)
			v.arch.exits[v.arch.nr_exits++ % 8] =
				(struct exit_record){0x900 + i, 0x40000000 + i};
		dump();
		for (unsigned int i = first; i < n; i++)
			at += (size_t)snprintf(want + at, sizeof(want) - at,
					       "d3 vcpu1: exit %u: esr %#x "
					       "pc %#x\n",
					       i, 0x900 + i, 0x40000000 + i);
		assert_string_equal(strstr(lines, "d3 vcpu1: exit"), want);
	}
	setup(NULL);
	dump();
	assert_null(strstr(lines, "exit"));
}

/* Of a watchdog's victim: where it was, and no fault of some time before. */
static void test_no_fault(void **state)
{
	(void)state;
	v.arch.fault_va = 0x123;
	v.arch.fault_ipa = 0x456000;
	v.arch.exits[0] = (struct exit_record){0x900, 0x40000000};
	v.arch.nr_exits = 1;
	trace_reads = true;
	arch_vcpu_dump(&v, false);
	assert_trace("%s", "");
	assert_null(strstr(lines, "stage"));
	assert_int_equal(looked_up, NO_VA);
	assert_line(
		"d3 vcpu1: elr_el1 0xe1 esr_el1 0xe2 far_el1 0xe3 vbar_el1 0xe4000");
	assert_line(
		"d3 vcpu1: x28 000000000001eeed 000000000001fffe 000000000002110f");
	assert_line("d3 vcpu1: exit 0: esr 0x900 pc 0x40000000");
	assert_int_equal(nr_points, 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_registers, setup),
		cmocka_unit_test_setup(test_walk, setup),
		cmocka_unit_test_setup(test_stage2, setup),
		cmocka_unit_test_setup(test_exits, setup),
		cmocka_unit_test_setup(test_no_fault, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
