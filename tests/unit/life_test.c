/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole lives of guests while allocations fail: whichever it is, the guest is
 * refused with one line, nothing is left of what was done for it, and the next
 * time it starts.
 */
#include "lifecheck.h"

#define MIN_FAILED 9 /* allocations of a start, at the very least */
#define MIN_AGAIN  7 /* in place: memory and CPUs are there */

/* --- each allocation once ------------------------------------------------ */

enum way { FIRST, IN_PLACE, CREATED };

static unsigned int slot_of(enum way how, unsigned int n)
{
	return how == CREATED ? NR_BOOT + 1 : 1 + n;
}

/* It is down, but for a restart in place; what it may start from. */
static void give(enum way how, unsigned int n)
{
	if (how == FIRST)
		must(!guest_start(1 + n));
	else if (how == IN_PLACE)
		must(!guest_restart(1 + n));
	else
		must(!guest_create_later(descs[NR_BOOT + n].name));
	run();
}

static void make_ready(enum way how, unsigned int n)
{
	if (how != IN_PLACE || guests[1 + n].phase == GUEST_LIVE)
		return;
	must(!guest_start(1 + n));
	run();
	must(guests[1 + n].phase == GUEST_LIVE);
}

static void try_all(enum way how, unsigned int n)
{
	unsigned int id = slot_of(how, n), tried = 0, failed = 0;
	bool hit = true;

	all_down();
	while (hit) {
		struct page_stats was = stats();
		u64 leaves = nr_leaves;

		make_ready(how, n);
		nr_refused = nr_all_off = 0;
		fault_arm(++tried);
		give(how, n);
		hit = fault_has_hit();
		fault_arm(0);
		check_all();
		if (guests[id].phase == GUEST_LIVE) {
			/* It has another way, or needs it later. */
			must(!nr_refused);
		} else {
			failed++;
			must(hit && nr_refused == 1 && nr_all_off == 1);
			must(guests[id].phase ==
			     (how == CREATED ? GUEST_NONE : GUEST_DOWN));
			must(guests[id].reason == STOP_REFUSED);
			must_equal(was, leaves);
			give(how == IN_PLACE ? FIRST : how, n);
			must(guests[id].phase == GUEST_LIVE && nr_refused == 1);
			check_all();
		}
		all_down();
		must_equal(was, leaves);
	}
	if (failed < (how == IN_PLACE ? MIN_AGAIN : MIN_FAILED))
		fail_msg("guest %u: %u tried, %u failed", n, tried, failed);
}

static void test_first(void **state)
{
	(void)state;
	for (unsigned int n = 0; n < NR_BOOT; n++)
		try_all(FIRST, n);
}

static void test_in_place(void **state)
{
	(void)state;
	for (unsigned int n = 0; n < NR_BOOT; n++)
		try_all(IN_PLACE, n);
}

static void test_created(void **state)
{
	(void)state;
	for (unsigned int n = 0; n < NR_BOOT; n++)
		try_all(CREATED, n);
}

/* At boot the others start, and later that one too. */
static void test_boot(void **state)
{
	unsigned int failed = 0, n = 0;
	bool hit = true;

	(void)state;
	while (hit) {
		unsigned int up = 0;

		power_on(++n);
		hit = fault_has_hit();
		fault_arm(0);
		check_all();
		for (unsigned int i = 1; i <= NR_BOOT; i++)
			up += guests[i].phase == GUEST_LIVE;
		must(nr_refused == NR_BOOT - up && up >= NR_BOOT - 1);
		failed += nr_refused;
		for (unsigned int i = 1; i <= NR_BOOT; i++)
			if (guests[i].phase != GUEST_LIVE)
				must(!guest_start(i));
		run();
		check_all();
		for (unsigned int i = 1; i <= NR_BOOT; i++)
			must(guests[i].phase == GUEST_LIVE);
	}
	must(n >= failed && failed >= NR_BOOT * MIN_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_first, setup),
		cmocka_unit_test_setup(test_in_place, setup),
		cmocka_unit_test_setup(test_created, setup),
		cmocka_unit_test_setup(test_boot, setup),
	};

	return cmocka_run_group_tests(tests, reserve, NULL);
}
