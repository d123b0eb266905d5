/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Victims are all guests that may start again. The random run gives them
 * orders from timers of all CPUs until enough lives are over, and allocations
 * fail meanwhile; the sweep makes the n-th allocation of a start and of a
 * restart fail for every n that there is. Both then end all victims and compare
 * memory with what it was, to the byte, without any.
 */
#include <skerry/stress.h>

#include <skerry/cpu.h>
#include <skerry/fault.h>
#include <skerry/guest.h>
#include <skerry/log.h>
#include <skerry/machine.h>
#include <skerry/page.h>
#include <skerry/panic.h>

#define MAX_LIVES 1000000
#define STUCK_S	  20 /* no step takes that long */

enum stage { BEGIN, EMPTY, RUN, DRAIN, COMPARE, DONE };

static struct {
	u32 stage;  /* CPU 0 writes */
	u32 lives;  /* wanted; 0: the sweep */
	u64 since;  /* of the stage, or of the sweep's step */
	u64 before; /* bytes free without victims */
	/* The sweep. */
	unsigned int victim, before_it;
	u32 n, tried;
	bool restarts, waits;
} run;
static struct {
	struct timer timer;
	u64 seed;
} per_cpu[CONFIG_NR_CPUS];

static u32 next(u32 below)
{
	u64 *s = &per_cpu[this_cpu()->id].seed;

	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return (u32)(*s >> 33) % below;
}

static void again_in(u32 us)
{
	timer_arm(&per_cpu[this_cpu()->id].timer,
		  time_now() + us * time_freq() / 1000000);
}

static bool is_victim(const struct guest *g)
{
	return READ_ONCE(g->phase) != GUEST_NONE &&
	       g->desc.restart != RESTART_NEVER;
}

/* Nothing is under way. */
static bool is_settled(const struct guest *g)
{
	u32 phase = READ_ONCE(g->phase);

	if (phase == GUEST_NONE)
		return true;
	return !READ_ONCE(g->queued) && READ_ONCE(g->order) == ORDER_NONE &&
	       (phase == GUEST_DOWN || phase == GUEST_LIVE);
}

static void set_stage(enum stage stage)
{
	run.since = time_now();
	WRITE_ONCE(run.stage, (u32)stage);
}

static u64 free_bytes(void)
{
	struct page_stats st;

	page_stats(&st);
	return st.free;
}

/* --- random -------------------------------------------------------------- */

static void random_order(struct guest *g)
{
	struct domain *d = load_acquire(&domains[g->id]);
	int err = 0;

	switch (next(12)) {
	case 0 ... 2:
		err = guest_destroy(g->id);
		break;
	case 3 ... 5:
		err = guest_restart(g->id);
		break;
	case 6:
	case 7:
		if (d)
			domain_pause(d, true);
		break;
	case 8:
	case 9:
		if (d)
			domain_pause(d, false);
		break;
	case 10:
		fault_arm(1 + next(60));
		break;
	default:
		if (d)
			domain_stop(d, STOP_WATCHDOG);
	}
	(void)err; /* that it cannot be obeyed now is as good */
	/* Most of the time they are to live. */
	if (READ_ONCE(g->phase) == GUEST_DOWN)
		err = guest_start(g->id);
}

static void random_step(void)
{
	struct guest *g = &guests[1 + next(CONFIG_MAX_DOMAINS)];

	if (is_victim(g))
		random_order(g);
	again_in(next(8) ? next(100) : next(3000));
}

/* --- the sweep ----------------------------------------------------------- */

static void next_victim(void)
{
	if (run.restarts) {
		/* So that only the next one has memory. */
		run.before_it = run.victim;
		while (++run.victim <= CONFIG_MAX_DOMAINS &&
		       !is_victim(&guests[run.victim]))
			;
	}
	run.restarts = !run.restarts;
	run.n = 1;
}

/* The n-th allocation of what was ordered has failed, or there is none. */
static void judge(struct guest *g)
{
	bool hit = fault_has_hit();

	fault_arm(0);
	run.waits = false;
	if (hit && g->phase == GUEST_DOWN && free_bytes() != run.before)
		panic("stress: d%u: allocation %u of a %s: %lu bytes free, were %lu",
		      g->id, run.n, run.restarts ? "restart" : "start",
		      free_bytes(), run.before);
	run.tried += hit;
	if (hit) {
		run.n++;
		return;
	}
	log_err("stress: d%u: every one of %u allocations of a %s has failed",
		g->id, run.n - 1, run.restarts ? "restart" : "start");
	next_victim();
}

/* Down before a start, alive before a restart; then the order. */
static void sweep(struct guest *g)
{
	struct guest *last = &guests[run.before_it];
	int err = 0;

	if (!is_settled(g) || !is_settled(last))
		return;
	if (run.before_it && last->phase == GUEST_LIVE) {
		err = guest_destroy(last->id);
	} else if (run.waits) {
		judge(g);
	} else if (!run.restarts && g->phase == GUEST_LIVE) {
		err = guest_destroy(g->id);
	} else if (run.restarts && g->phase == GUEST_DOWN) {
		err = guest_start(g->id);
	} else {
		run.waits = true;
		fault_arm(run.n);
		err = run.restarts ? guest_restart(g->id) : guest_start(g->id);
	}
	check(!err);
	run.since = time_now();
}

/* --- both ---------------------------------------------------------------- */

/* All victims down? Orders them so. */
static bool empty(void)
{
	bool all = true;

	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++) {
		struct guest *g = &guests[i];

		if (!is_victim(g) || (is_settled(g) && g->phase == GUEST_DOWN))
			continue;
		/* -EALREADY: on its way. */
		all = guest_destroy(i) == -ENOENT;
	}
	return all;
}

static u32 nr_lives(void)
{
	u32 sum = 0;

	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		sum += is_victim(&guests[i]) ? guests[i].nr_starts : 0;
	return sum;
}

static void check_stuck(void)
{
	if (time_now() - run.since < STUCK_S * time_freq())
		return;
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		if (guests[i].phase != GUEST_NONE)
			log_err("stress: d%u: phase %u, order %u, queued %u, state %u, %u inside",
				i, guests[i].phase, guests[i].order,
				guests[i].queued,
				guests[i].d ? guests[i].d->state : 0,
				guests[i].d ? guests[i].d->nr_inside : 0);
	panic("stress: stuck in stage %u, %u lives", run.stage, nr_lives());
}

static void compare(void)
{
	u64 now = free_bytes();

	if (now != run.before)
		panic("stress: %lu bytes free, were %lu", now, run.before);
	log_err("stress: %u lives, %u failed allocations swept, memory balances: %lu bytes free",
		nr_lives(), run.tried, now);
	set_stage(DONE);
}

static void all_started(void)
{
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		if (is_victim(&guests[i]) && !guests[i].nr_starts)
			return;
	set_stage(EMPTY);
}

/* CPU 0 leads. All have lived once when memory is looked at first. */
static void lead(void)
{
	switch (run.stage) {
	case BEGIN:
		all_started();
		break;
	case EMPTY:
		if (!empty())
			break;
		run.before = free_bytes();
		run.victim = 0;
		run.restarts = true;
		next_victim();
		set_stage(RUN);
		break;
	case RUN:
		if (run.lives ? nr_lives() < run.lives
			      : run.victim <= CONFIG_MAX_DOMAINS)
			break;
		fault_arm(0);
		set_stage(DRAIN);
		break;
	case DRAIN:
		if (empty())
			set_stage(COMPARE);
		break;
	case COMPARE:
		compare();
	}
}

static void fired(struct timer *t __unused)
{
	bool first = this_cpu()->id == 0;

	if (first)
		lead();
	if (run.stage == DONE)
		return;
	if (first)
		check_stuck();
	if (run.lives && READ_ONCE(run.stage) == RUN) {
		if (first)
			run.since = time_now();
		random_step();
		return;
	}
	if (first && run.stage == RUN)
		sweep(&guests[run.victim]);
	again_in(first ? 50 : 1000);
}

void stress_init_cpu(void)
{
	unsigned int cpu = this_cpu()->id;
	int seed = machine_get_number("stress=", 1, 1U << 30);
	int lives = machine_get_number("lives=", 1, MAX_LIVES);

	if (seed < 0 && !machine_has_option("faults=1"))
		return;
	run.lives = seed < 0 ? 0 : lives < 0 ? 1000 : (u32)lives;
	per_cpu[cpu].seed = (u64)seed * 2654435761 + cpu + 1;
	timer_init(&per_cpu[cpu].timer, fired);
	again_in(1000);
}
