/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/describe.c: a vCPU's share of its CPU, of the guest's node and its. */
#include "fdtgen.h"

#include <stdlib.h>

#include <skerry/describe.h>
#include <skerry/dt.h>
#include <skerry/work.h>

/* Of sched/admit.c; nothing here comes to it. */
void work_point(void)
{
	abort();
}

struct props {
	const char *name;
	uint32_t val;
};
/* Values that are no cells. */
#define EMPTY  0xfffffff0
#define NATIVE 0xfffffff1
#define TRAP   0xfffffff2
#define SHORT  0xfffffff3
#define YES    0xfffffff4
#define NO     0xfffffff5
#define TWO    0xfffffff6
/* The properties of a node, of those below. */
#define P(...)	    ((const struct props[]){__VA_ARGS__{NULL, 0}})
#define WEIGHT(n)   {"skerry,weight", n},
#define SLICE(n)    {"skerry,slice-us", n},
#define PERIOD(n)   {"skerry,period-us", n},
#define BUDGET(n)   {"skerry,budget-us", n},
#define DEADLINE(n) {"skerry,deadline-us", n},
#define EXTRA(n)    {"skerry,extra-time", n},
#define WFI(n)	    {"skerry,wfi", n},

static const struct props *v1;
static struct describe_guest g;
static struct describe_error err;

static void write_props(const struct props *p)
{
	for (; p->name; p++)
		if (p->val == EMPTY)
			gen_prop(p->name, "", 0);
		else if (p->val == NATIVE)
			gen_prop(p->name, "native", 7);
		else if (p->val == TRAP)
			gen_prop(p->name, "trap", 5);
		else if (p->val == SHORT)
			gen_prop(p->name, "\1", 1);
		else if (p->val == YES)
			gen_prop(p->name, "yes", 4);
		else if (p->val == NO)
			gen_prop(p->name, "no", 3);
		else if (p->val == TWO)
			gen_prop(p->name, "\0\0\0\0\0\0\0\1", 8);
		else
			gen_cells(p->name, p->val);
}

static void write_vcpu(const char *name, uint32_t id, const struct props *p)
{
	if (!p)
		return;
	gen_begin(name);
	gen_str("compatible", "xen,vcpu");
	write_props(p);
	gen_cells("id", id);
	gen_end();
}

/* A guest of 3 vCPUs, of which 2 and 0 may have nodes, and 1 by `v1`. */
static int read_it(const struct props *own, const struct props *v2,
		   const struct props *v0)
{
	struct dt_node node = {NULL};

	memset(&g, 0xff, sizeof(g));
	err.text[0] = 0;
	gen_start();
	gen_begin("chosen");
	gen_begin("rt@1");
	gen_str("compatible", "xen,domain");
	gen_cells("#size-cells", 2);
	gen_cells("memory", 0, 4096);
	gen_cells("cpus", 3);
	write_props(own);
	gen_begin("kernel");
	gen_str("compatible", "multiboot,kernel");
	gen_cells("reg", 0, 0x48000000, 0, 0x1000);
	gen_end();
	write_vcpu("v2", 2, v2);
	write_vcpu("v0", 0, v0);
	write_vcpu("v1", 1, v1);
	gen_end();
	gen_end();
	gen_finish();
	assert_true(describe_next(gen, &node));
	return describe_guest(&node, &g, &err);
}

static void accept(const struct props *own, const struct props *v2,
		   const struct props *v0)
{
	if (read_it(own, v2, v0))
		fail_msg("refused: %s", err.text);
}

static void refuse3(const struct props *own, const struct props *v2,
		    const struct props *v0, const char *text)
{
	if (!read_it(own, v2, v0))
		fail_msg("accepted, expected: %s", text);
	assert_string_equal(err.text, text);
}
#define refuse(text, ...)  refuse3(P(__VA_ARGS__), NULL, NULL, text)
#define refuse2(text, ...) refuse3(P(), P(__VA_ARGS__), NULL, text)

static void assert_sched(unsigned int vcpu, u32 weight, u32 slice, u32 period,
			 u32 budget, u32 deadline, u32 extra)
{
	const struct sched_params *s = &g.sched[vcpu];

	assert_int_equal(s->weight, weight);
	assert_int_equal(s->slice_us, slice);
	assert_int_equal(s->period_us, period);
	assert_int_equal(s->budget_us, budget);
	assert_int_equal(s->deadline_us, deadline);
	assert_int_equal(s->extra_time, extra);
}

static void test_of_all(void **state)
{
	accept(P(), NULL, NULL);
	for (unsigned int i = 0; i < 3; i++)
		assert_sched(i, 256, 5000, 0, 0, 0, 0);
	accept(P(WEIGHT(65535) SLICE(1000000)), NULL, P());
	for (unsigned int i = 0; i < 3; i++)
		assert_sched(i, 65535, 1000000, 0, 0, 0, 0);
	/* The deadline is the period, where none is told. */
	accept(P(BUDGET(300) PERIOD(1000)), NULL, P());
	for (unsigned int i = 0; i < 3; i++)
		assert_sched(i, 256, 5000, 1000, 300, 1000, 0);
	accept(P(DEADLINE(400) BUDGET(300) PERIOD(1000) EXTRA(EMPTY)), P(),
	       NULL);
	for (unsigned int i = 0; i < 3; i++)
		assert_sched(i, 256, 5000, 1000, 300, 400, 1);
	accept(P(PERIOD(100) BUDGET(10) DEADLINE(10) EXTRA(0)), NULL, NULL);
	assert_sched(1, 256, 5000, 100, 10, 10, 0);
	accept(P(PERIOD(10000000) BUDGET(10000000) DEADLINE(10000000) EXTRA(1)),
	       NULL, NULL);
	assert_sched(1, 256, 5000, 10000000, 10000000, 10000000, 1);
}

/* Each property by itself, and of that vCPU alone. */
static void test_of_one(void **state)
{
	accept(P(), P(PERIOD(1000) BUDGET(300)), P(WEIGHT(1)));
	assert_sched(0, 1, 5000, 0, 0, 0, 0);
	assert_sched(1, 256, 5000, 0, 0, 0, 0);
	assert_sched(2, 256, 5000, 1000, 300, 1000, 0);
	accept(P(PERIOD(1000) BUDGET(300) DEADLINE(500) EXTRA(EMPTY)),
	       P(PERIOD(2000) EXTRA(0)), P(SLICE(100) DEADLINE(700)));
	assert_sched(0, 256, 100, 1000, 300, 700, 1);
	assert_sched(1, 256, 5000, 1000, 300, 500, 1);
	assert_sched(2, 256, 5000, 2000, 300, 500, 0);
	/* The default deadline is that of the vCPU's own period. */
	accept(P(PERIOD(1000) BUDGET(300)), P(PERIOD(500)), P(PERIOD(5000)));
	assert_sched(0, 256, 5000, 5000, 300, 5000, 0);
	assert_sched(1, 256, 5000, 1000, 300, 1000, 0);
	assert_sched(2, 256, 5000, 500, 300, 500, 0);
	/* What is refused of the guest's node alone counts for none here. */
	v1 = P(PERIOD(700));
	accept(P(BUDGET(300)), P(PERIOD(500)), P(PERIOD(600)));
	assert_sched(1, 256, 5000, 700, 300, 700, 0);
	v1 = NULL;
}

static void test_ranges(void **state)
{
	refuse("rt: skerry,weight: 0: must be 1 to 65535", WEIGHT(0));
	refuse("rt: skerry,slice-us: 99: must be 100 to 1000000", SLICE(99));
	refuse("rt: skerry,period-us: 99: must be 100 to 10000000",
	       PERIOD(99) BUDGET(20));
	refuse("rt: skerry,period-us: 10000001: must be 100 to 10000000",
	       PERIOD(10000001) BUDGET(20));
	refuse("rt: skerry,budget-us: 9: must be 10 to 10000000",
	       PERIOD(100) BUDGET(9));
	refuse("rt: skerry,budget-us: 0: must be 10 to 10000000",
	       PERIOD(100) BUDGET(0));
	refuse("rt: skerry,budget-us: 4294967295: must be 10 to 10000000",
	       PERIOD(100) BUDGET(~0U));
	refuse("rt: skerry,deadline-us: 0: must be 10 to 10000000",
	       PERIOD(100) BUDGET(10) DEADLINE(0));
	refuse("rt: skerry,deadline-us: 10000001: must be 10 to 10000000",
	       PERIOD(100) BUDGET(10) DEADLINE(10000001));
	refuse("rt: skerry,period-us: must be one cell",
	       PERIOD(EMPTY) BUDGET(10));
	refuse2("rt/v2: skerry,budget-us: 0: must be 10 to 10000000",
		PERIOD(100) BUDGET(0));
	refuse2("rt/v2: skerry,weight: 65536: must be 1 to 65535",
		WEIGHT(65536));
	refuse2("rt/v2: skerry,wfi: unknown property", WFI(TRAP));
}

/* What is no flag is not told of as a number: it may be a word. */
static void test_flag(void **state)
{
	static const uint32_t wrong[] = {2, ~0U, YES, NO, SHORT, TWO, TRAP};

	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		refuse("rt: skerry,extra-time: is a flag: by itself, or <0> or <1>",
		       PERIOD(100) BUDGET(10) EXTRA(wrong[i]));
		refuse2("rt/v2: skerry,extra-time: is a flag: by itself, or <0> or "
			"<1>",
			PERIOD(100) BUDGET(10) EXTRA(wrong[i]));
	}
}

static void test_together(void **state)
{
	refuse("rt: skerry,budget-us: missing", PERIOD(100));
	refuse("rt: skerry,period-us: missing", BUDGET(100));
	refuse("rt: skerry,period-us: missing", BUDGET(100) DEADLINE(100));
	refuse("rt: skerry,deadline-us: needs skerry,budget-us", DEADLINE(100));
	refuse("rt: skerry,extra-time: needs skerry,budget-us", EXTRA(EMPTY));
	refuse("rt: skerry,extra-time: needs skerry,budget-us", EXTRA(1));
	refuse("rt: skerry,deadline-us: 1001: must be at most the period of "
	       "1000 us",
	       PERIOD(1000) BUDGET(300) DEADLINE(1001));
	refuse("rt: skerry,budget-us: 501: must be at most the deadline of "
	       "500 us",
	       PERIOD(1000) BUDGET(501) DEADLINE(500));
	refuse("rt: skerry,budget-us: 1001: must be at most the deadline of "
	       "1000 us",
	       PERIOD(1000) BUDGET(1001));
}

/* The node to blame: that which says other than the guest's. */
static void test_blame(void **state)
{
	refuse2("rt/v2: skerry,budget-us: missing", PERIOD(100));
	refuse2("rt/v2: skerry,period-us: missing", BUDGET(100));
	refuse2("rt/v2: skerry,deadline-us: needs skerry,budget-us",
		DEADLINE(100));
	refuse2("rt/v2: skerry,extra-time: needs skerry,budget-us", EXTRA(1));
	refuse3(P(PERIOD(1000) BUDGET(300) DEADLINE(500)), P(), P(PERIOD(400)),
		"rt/v0: skerry,deadline-us: 500: must be at most the period "
		"of 400 us");
	refuse3(P(PERIOD(1000) BUDGET(300)), P(BUDGET(1001)), P(),
		"rt/v2: skerry,budget-us: 1001: must be at most the deadline "
		"of 1000 us");
	refuse3(P(PERIOD(1000)), P(), P(PERIOD(1000)),
		"rt: skerry,budget-us: missing");
	/* vCPU 1 has no node, the others are good. */
	refuse3(P(BUDGET(300)), P(PERIOD(500)), P(PERIOD(600)),
		"rt: skerry,period-us: missing");
	refuse3(P(EXTRA(1)), P(), P(PERIOD(1000) BUDGET(300)),
		"rt: skerry,extra-time: needs skerry,budget-us");
}

static void test_wfi(void **state)
{
	static const char why[] =
		"rt: skerry,wfi: a deadline vCPU's WFI always traps";

	assert_int_equal(read_it(P(PERIOD(100) BUDGET(10)), NULL, NULL), 0);
	assert_int_equal(g.wfi_trap, 0);
	assert_int_equal(read_it(P(WFI(NATIVE)), NULL, NULL), 0);
	assert_int_equal(g.wfi_trap, 0);
	assert_int_equal(read_it(P(WFI(TRAP) PERIOD(100) BUDGET(10)), NULL, NULL),
			 0);
	assert_int_equal(g.wfi_trap, 1);
	refuse(why, WFI(NATIVE) PERIOD(100) BUDGET(10));
	refuse3(P(WFI(NATIVE)), P(PERIOD(100) BUDGET(10)), NULL, why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of_all), cmocka_unit_test(test_of_one),
		cmocka_unit_test(test_ranges), cmocka_unit_test(test_together),
		cmocka_unit_test(test_blame),  cmocka_unit_test(test_wfi),
		cmocka_unit_test(test_flag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
