/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orders to guests: what becomes of those that come together, and of guests
 * whose image is refused; then a thousand ends and starts at random, while
 * others give orders and allocations fail.
 */
#include "lifecheck.h"

#define NR_CYCLES 1000

/* --- images -------------------------------------------------------------- */

/* Its modules went back: nothing may be read there any more. */
static void test_image_gone(void **state)
{
	static struct work start;

	(void)state;
	for (unsigned int by_load = 0; by_load < 2; by_load++) {
		describe_all();
		boot(RAM);
		memset(book, 0, sizeof(book));
		memset(placed, 0, sizeof(placed));
		*(by_load ? &load_fails : &fit_fails) = 1;
		work_submit(&start, start_all);
		run();
		must(guests[1].phase == GUEST_DOWN && nr_refused == 1);
		must(guests[2].phase == GUEST_LIVE);
		must(page_lookup(PADDR(MODULES)).state == PAGE_FREE);
		must(guest_start(1) == -EACCES);
		must(guest_restart(1) == -EACCES);
		run();
		must(guests[1].phase == GUEST_DOWN);
	}
}

/* A later failure of the same kind is no reason: the image is kept. */
static void test_image_kept(void **state)
{
	(void)state;
	for (unsigned int by_load = 0; by_load < 2; by_load++) {
		*(by_load ? &load_fails : &fit_fails) = 1;
		nr_refused = 0;
		must(!guest_restart(1));
		run();
		check_all();
		must(guests[1].phase == GUEST_DOWN && nr_refused == 1);
		must(!guest_start(1));
		run();
		check_all();
		must(guests[1].phase == GUEST_LIVE);
	}
}

/* --- orders that come together ------------------------------------------- */

static unsigned int nr_given;

/* When it is being loaded, and when that has been undone. */
static void destroy_then_restart(void)
{
	const struct guest *g = &guests[1];
	bool has_parts = g->d && g->d->s2.pt.root;

	if (!nr_given && g->phase == GUEST_BUILDING && has_parts) {
		must(!guest_destroy(1));
		nr_given++;
	} else if (nr_given == 1 && g->phase == GUEST_BUILDING && !has_parts) {
		must(!guest_restart(1));
		nr_given++;
	}
}

/* The last one counts, also for one that is being undone. */
static void test_last_counts(void **state)
{
	u32 nr = guests[1].nr_starts;

	(void)state;
	nr_given = 0;
	during_point = destroy_then_restart;
	must(!guest_restart(1));
	run();
	during_point = NULL;
	must(nr_given == 2);
	check_all();
	must(guests[1].phase == GUEST_LIVE && guests[1].nr_starts == nr + 1);
}

static void test_start_destroy(void **state)
{
	(void)state;
	all_down();
	must(guest_destroy(1) == -EALREADY);
	must(!guest_start(1));
	must(!guest_destroy(1));
	run();
	check_all();
	must(guests[1].phase == GUEST_DOWN);
}

/* Others find its domain, but it does not run yet. */
static void destroy_found(void)
{
	struct domain *d = domains[1];

	if (d && d->state == DOMAIN_BUILDING && !nr_given++)
		must(!guest_destroy(1));
}

static void test_destroy_found(void **state)
{
	(void)state;
	nr_given = 0;
	during_point = destroy_found;
	must(!guest_restart(1));
	run();
	during_point = NULL;
	check_all();
	must(nr_given && guests[1].phase == GUEST_DOWN);
}

/* Its timer is not to come any more. */
static void test_destroy_waiting(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		domain_stop(guests[3].d, STOP_RESET);
		stay = i == 2 ? 3 : 0;
		run();
	}
	stay = 0;
	must(guests[3].phase == GUEST_WAITING);
	must(!guest_destroy(3));
	run();
	check_all();
	must(guests[3].phase == GUEST_DOWN);
}

/* While the last one is torn down. */
static void start_another(void)
{
	if (guests[2].phase == GUEST_ENDING && !domains[2] && !nr_given++)
		must(!guest_start(1));
}

/* The order that kept its end from being that of all comes to nothing. */
static void test_all_off(void **state)
{
	(void)state;
	all_down();
	must(!guest_start(2));
	run();
	nr_all_off = nr_given = 0;
	fit_fails = 1;
	during_point = start_another;
	must(!guest_destroy(2));
	run();
	during_point = NULL;
	check_all();
	must(nr_given && guests[1].phase == GUEST_DOWN);
	must(guests[2].phase == GUEST_DOWN && nr_all_off == 1);
}

/* --- at random ----------------------------------------------------------- */

static void cycle(void)
{
	unsigned int id = 1 + rnd(CONFIG_MAX_DOMAINS);

	/* Those that came later make room again. */
	if (guests[id].phase == GUEST_NONE)
		id = 1 + rnd(NR_BOOT);
	wild = rnd(2);
	nr_orders = rnd(4);
	fault_arm(rnd(2) ? 1 + rnd(60) : 0);
	if (!rnd(6))
		fit_fails = load_fails = rnd(2);
	if (guests[id].phase == GUEST_DOWN)
		must(!guest_start(id));
	else
		must(!(id > NR_BOOT || rnd(2) ? guest_destroy(id)
					      : guest_restart(id)));
	run();
	fault_arm(0);
	fit_fails = load_fails = 0;
	check_all();
}

static void test_random(void **state)
{
	struct page_stats was;
	u64 leaves = nr_leaves;
	unsigned int nr_lives = 0;

	(void)state;
	host_seed = seed = (unsigned int)(getenv("LIFE_SEED")
						  ? atoi(getenv("LIFE_SEED"))
						  : 4711);
	all_down();
	was = stats();
	for (unsigned int i = 0; i < NR_CYCLES; i++)
		cycle();
	for (unsigned int i = 1; i <= NR_BOOT; i++)
		nr_lives += guests[i].nr_starts;
	must(nr_lives >= NR_CYCLES / 2);
	wild = false;
	nr_orders = 0;
	for (unsigned int i = 0; i < 20; i++) {
		all_down();
		must_equal(was, leaves);
		/* The largest, in one piece; then the others around it. */
		for (unsigned int n = 1; n <= NR_BOOT; n++) {
			must(!guest_start(n));
			run();
			check_all();
			must(guests[n].phase == GUEST_LIVE);
			must(guests[n].d->home.nr_ram == 1);
		}
		must(is_aligned(guests[1].d->home.ram[0].pa.v, GIB));
		/* Down in any order. */
		must(!guest_destroy(1 + rnd(NR_BOOT)));
		run();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_image_gone, setup),
		cmocka_unit_test_setup(test_image_kept, setup),
		cmocka_unit_test_setup(test_last_counts, setup),
		cmocka_unit_test_setup(test_start_destroy, setup),
		cmocka_unit_test_setup(test_destroy_found, setup),
		cmocka_unit_test_setup(test_destroy_waiting, setup),
		cmocka_unit_test_setup(test_all_off, setup),
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, reserve, NULL);
}
