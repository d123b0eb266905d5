/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lives of guests on CPUs of the host that are threads: two of them run and
 * reap vCPUs and give orders at random, the test's own is CPU 0 with the worker.
 * Nothing ordered may get lost: when all others are quiet, one order to destroy
 * each guest ends it all. `make life-tsan` has ThreadSanitizer watch it.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <time.h>

#include "lifeguest.h"

#define RAM	    (192 * MIB)
#define NR_BOOT	    3
#define NR_ROUNDS   40
#define ROUND_MS    60
#define LONG_MS	    600 /* of those after them */
#define MAX_TIME    120 /* s, for more rounds until enough has happened */
#define TIMEOUT	    100 /* s for a round; a deadlock ends the test */
#define PATIENCE_MS 20000

static _Thread_local unsigned int seed;
static pthread_t threads[NR_CPUS];
static u64 round_end;
static bool calm;	      /* no more orders, and guests only wait */
static bool is_calm[NR_CPUS]; /* what each thread has seen of it */
static bool ended;
static bool destroyed_all;
static u32 off_before, nr_down;
static u64 nr_orders, nr_crashes;

#ifdef __SANITIZE_THREAD__
/* READ_ONCE() and WRITE_ONCE(): whole, and meant to be seen by others. */
#define VOLATILE(size)                                                         \
	void __tsan_volatile_read##size(void *p);                              \
	void __tsan_volatile_write##size(void *p);                             \
	void __tsan_volatile_read##size(void *p)                               \
	{                                                                      \
	}                                                                      \
	void __tsan_volatile_write##size(void *p)                              \
	{                                                                      \
	}
/* clang-format off */
VOLATILE(1) VOLATILE(2) VOLATILE(4) VOLATILE(8) VOLATILE(16)
/* clang-format on */
#endif

	static unsigned int rnd(unsigned int n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 8) % n;
}
u64 time_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}
u64 time_freq(void)
{
	return 1000000000;
}
static u64 in_ms(u64 n)
{
	return time_now() + n * 1000000;
}
static bool is_drained(void)
{
	return rnd(3);
}

/* --- what the CPUs do ---------------------------------------------------- */

static void any_order(void)
{
	unsigned int id = 1 + rnd(NR_BOOT + 2);
	struct domain *d = load_acquire(&domains[id]);
	int err = 0;

	switch (rnd(8)) {
	case 0:
	case 1:
		err = guest_destroy(id);
		break;
	case 2:
		err = guest_restart(id);
		break;
	case 3:
		err = guest_create_later(descs[NR_BOOT].name);
		break;
	case 4:
		if (d)
			domain_stop(d, rnd(2) ? STOP_WATCHDOG : STOP_RESET);
		break;
	case 5:
		if (d)
			domain_pause(d, rnd(2));
		break;
	default:
		err = guest_start(id);
	}
	__atomic_fetch_add(&nr_orders, !err, __ATOMIC_RELAXED);
}

static void switch_on(struct vcpu *v)
{
	bool was_off;

	spin_lock(&v->domain->vcpu_lock);
	was_off = v->state == VCPU_OFF;
	if (was_off)
		WRITE_ONCE(v->state, (u32)VCPU_PENDING);
	spin_unlock(&v->domain->vcpu_lock);
	if (was_off)
		sched_wake(v);
}

static void guest_acts(struct vcpu *v)
{
	struct domain *d = v->domain;
	struct pgtable_leaf leaf;
	u64 ipa = GUEST_RAM0_BASE + rnd((unsigned int)d->memory);

	/* Its memory is its own as long as it runs. */
	must(!stage2_lookup(&d->s2, IPA(ipa), &leaf));
	must(page_lookup(PADDR(leaf.pa)).owner == d->id);
	scribble(leaf.pa + (ipa - leaf.va));
	if (load_acquire(&calm) || !rnd(4)) {
		sched_block(v);
		return;
	}
	if (!rnd(3))
		switch_on(d->vcpus[rnd(d->nr_vcpus)]);
	if (!rnd(20)) {
		__atomic_fetch_add(&nr_crashes, 1, __ATOMIC_RELAXED);
		domain_crash(v, "why");
	} else if (!rnd(40)) {
		domain_stop(d, STOP_OFF);
	}
}

static void *run_cpu(void *arg)
{
	host_this_cpu = arg;
	seed = host_seed + host_this_cpu->id;
	while (!load_acquire(&ended)) {
		bool quiet = load_acquire(&calm);
		struct vcpu *v = leave_el2();

		if (v)
			guest_acts(v);
		else if (!rnd(64)) /* others may keep the host's CPU for long */
			sched_yield();
		if (!quiet && !rnd(64))
			any_order();
		store_release(&is_calm[host_this_cpu->id], quiet);
	}
	return NULL;
}

/* --- CPU 0 --------------------------------------------------------------- */

/* No vCPU can leave oftener than it has come. */
static void check_inside(void)
{
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++) {
		struct domain *d = domains[i];

		if (!d)
			continue;
		spin_lock(&d->lock);
		must(d->nr_inside <= d->nr_vcpus);
		spin_unlock(&d->lock);
	}
}

/* Each work once in the worker's queue: the list would not be one. */
static void at_point(void)
{
	check_inside();
	if (!rnd(8))
		sched_yield();
	if (time_now() >= round_end)
		store_release(&calm, true);
}

static void destroy_all(void)
{
	off_before = __atomic_load_n(&nr_all_off, __ATOMIC_RELAXED);
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++) {
		if (guests[i].phase <= GUEST_DOWN)
			continue;
		nr_down++;
		must(!guest_destroy(i));
	}
}

static bool is_over(void)
{
	if (!nr_down)
		return true;
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		if (guests[i].phase > GUEST_DOWN)
			return false;
	return __atomic_load_n(&nr_all_off, __ATOMIC_RELAXED) > off_before;
}

/* CPU 0 sleeps. In real life nobody would help: what was lost stays so. */
static bool nothing_to_do(void)
{
	if (time_now() < round_end) {
		sched_yield();
		return false;
	}
	store_release(&calm, true);
	must(time_now() < round_end + PATIENCE_MS * 1000000UL);
	for (unsigned int c = 1; c < NR_CPUS; c++)
		if (!load_acquire(&is_calm[c])) {
			sched_yield();
			return false;
		}
	if (!destroyed_all) {
		/* What they did before may have left an interrupt. */
		if (irq_is_pending() || READ_ONCE(this_cpu()->sched.resched))
			return false;
		destroyed_all = true;
		destroy_all();
		return false;
	}
	if (is_over())
		return true;
	usleep(100);
	return false;
}

static void check_down(void)
{
	struct page_stats s;

	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++) {
		const struct guest *g = &guests[i];

		must(g->phase == (i <= NR_BOOT ? GUEST_DOWN : GUEST_NONE));
		must(!g->d && !domains[i]);
		must(!g->queued && g->order == ORDER_NONE);
		must(!timer_is_armed(&g->timer));
	}
	for (unsigned int c = 0; c < NR_CPUS; c++) {
		const struct list *l = &cpus[c].sched.placed;

		must(c ? list_is_empty(l) : l->next == &worker->sched.placed);
		must(l->next->next == l || !c);
		must(!cpus[c].current && heap_is_empty(&cpus[c].timers) &&
		     heap_is_empty(&cpus[c].patient));
	}
	page_stats(&s);
	must(!s.owned && s.hyp == KEPT + nr_leaves * PAGE_SIZE);
	must(nr_mapped == MODULES - BASE + nr_leaves * PAGE_SIZE);
}

static void one_round(unsigned int n)
{
	calm = ended = destroyed_all = false;
	nr_down = 0;
	memset(is_calm, 0, sizeof(is_calm));
	host_seed = 100 * n + 1;
	seed = host_seed;
	round_end = in_ms(n < NR_ROUNDS ? ROUND_MS : LONG_MS);
	for (unsigned int c = 1; c < NR_CPUS; c++)
		must(!pthread_create(&threads[c], NULL, run_cpu, &cpus[c]));
	run_cpu0();
	store_release(&ended, true);
	for (unsigned int c = 1; c < NR_CPUS; c++)
		pthread_join(threads[c], NULL);
	check_down();
}

/* On a busy machine a round may have few. */
static bool is_enough(u64 *lives)
{
	*lives = 0;
	for (unsigned int i = 1; i <= NR_BOOT; i++)
		*lives += guests[i].nr_starts;
	return *lives >= NR_ROUNDS && nr_orders >= NR_ROUNDS && nr_crashes;
}

static void test_random(void **state)
{
	static struct work start;
	u64 lives, end = in_ms(MAX_TIME * 1000);
	unsigned int n = 0;

	(void)state;
	nr_descs = 0;
	describe("one", 8 * MIB, 1);
	describe("many", 20 * MIB + 4 * KIB, CONFIG_MAX_VCPUS)->watchdog_ms = 30;
	describe("two", 12 * MIB, 2)->restart = RESTART_ALWAYS;
	make_fit(describe("later", 4 * MIB, 2));
	descs[NR_BOOT].later = 1;
	boot(RAM);
	work_submit(&start, start_all);
	do {
		alarm(TIMEOUT);
		one_round(n++);
	} while (n < NR_ROUNDS || (!is_enough(&lives) && time_now() < end));
	alarm(0);
	must(is_enough(&lives));
	if (getenv("LIFE_LOG"))
		fprintf(stderr,
			"%u rounds, %lu lives, %lu orders, %lu crashes\n", n,
			lives, nr_orders, nr_crashes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, reserve, NULL);
}
