/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guests' watchdog against a naive model that looks each millisecond, as
 * often as the watchdog may: random accesses on two CPUs, and a new guest
 * whenever one is ended.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wdthost.h"

/* DEN0094's description, looked at once a millisecond. */
struct model {
	bool en, ws0, ws1, single;
	u64 wor, wcv;
};

static void model_refresh(struct model *m)
{
	m->ws0 = m->ws1 = false;
	m->wcv = virt() + m->wor;
}

static void model_tick(struct model *m)
{
	if (!m->en || m->ws1 || virt() <= m->wcv)
		return;
	if (m->ws0 || m->single) {
		m->ws0 = m->ws1 = true;
		return;
	}
	m->ws0 = true;
	m->wcv = virt() + m->wor;
}

static void random_access(struct model *m, unsigned int *seed)
{
	u64 r = (u64)rand_r(seed) % 60 * LOOK;

	switch (rand_r(seed) % 6) {
	case 0:
		wr(WCS, (u32)rand_r(seed) | (r != 0));
		m->en = d.wdt.wcs & WCS_EN;
		m->single = false;
		model_refresh(m);
		break;
	case 1:
		r = r < 50 * LOOK ? r : 0;
		wr64(WOR, r);
		m->wor = r;
		m->single = false;
		model_refresh(m);
		break;
	case 2:
		wr64(WCV, virt() + r - 5 * LOOK);
		m->wcv = virt() + r - 5 * LOOK;
		m->single = false;
		break;
	default:
		wr(WRR_AT, (u32)r);
		model_refresh(m);
	}
}

static void test_random(void **state)
{
	unsigned int seed = 33, lives = 0;
	struct model m;

	(void)state;
	m = (struct model){.en = true,
			   .single = true,
			   .wor = PERIOD,
			   .wcv = virt() + PERIOD};
	for (unsigned int n = 0; n < 300000; n++) {
		if (rand_r(&seed) % 20 == 0) {
			on_cpu(rand_r(&seed) % 2 ? AWAY : HOME);
			random_access(&m, &seed);
			on_cpu(HOME);
			wdt_ipi();
		}
		advance(now + LOOK);
		model_tick(&m);
		assert_int_equal(rd(WCS),
				 (u32)m.en | (u32)m.ws0 << 1 | (u32)m.ws1 << 2);
		assert_int_equal(rd64(WCV), m.wcv);
		assert_int_equal(nr_stops, m.ws1);
		if (!m.ws1)
			continue;
		lives++;
		setup(state);
		m = (struct model){.en = true,
				   .single = true,
				   .wor = PERIOD,
				   .wcv = virt() + PERIOD};
	}
	assert_true(lives > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
