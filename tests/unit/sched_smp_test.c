/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler on CPUs of the host that are threads: guests whose vCPUs give
 * work to each other, wait, pass, and switch each other on and off, while the
 * CPUs are interrupted. Some have deadlines, and get other parameters now and
 * then. Nothing given may be left undone, and every vCPU of a domain that
 * stops leaves once.
 */
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "schedhost.h"

#define NR_GUEST_CPUS 2 /* threads; the test itself is the third CPU */
#define NR_DOMAINS    4
#define NR_USED	      16
#define NR_KINDS      6 /* of parameters */
#define NR_ROUNDS     80
#define ROUND_MS      25
#define NR_WAKES      20000
#define ENOUGH_WAKES  500
#define WAKES_TIME    15  /* s; a busy machine has fewer wakes */
#define PATIENCE      30  /* s */
#define TIMEOUT	      100 /* s without progress; a deadlock ends the test */

/* What a virtual interrupt controller knows of a vCPU. */
static struct guest {
	struct spinlock lock;
	bool loaded, refill;
	u64 posted, done;
} guests[NR_USED];

static bool acting; /* guests do what they like; else only what is to do */
static bool ended;
static bool is_calm[NR_GUEST_CPUS]; /* has seen that they are not acting */
static pthread_t threads[NR_GUEST_CPUS];
static u64 start_time;
static u64 idle_wakes[NR_GUEST_CPUS];

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

static struct guest *guest_of(const struct vcpu *v)
{
	return &guests[v - vcpus];
}

void irq_handle(void)
{
	struct cpu *cpu = host_this_cpu;
	struct vcpu *v = cpu->current;
	u32 ipi = __atomic_exchange_n(&cpu->ipi, 0, __ATOMIC_ACQUIRE);

	if (v && ipi & IPI_REFRESH) {
		spin_lock(&guest_of(v)->lock);
		guest_of(v)->refill = false;
		spin_unlock(&guest_of(v)->lock);
	}
	if (host()->armed <= time_now())
		time_irq();
}
/* What this CPU does from here on is but what is to do. */
static bool see_calm(void)
{
	bool quiet = !load_acquire(&acting);

	store_release(&is_calm[host_this_cpu->id], quiet);
	return quiet;
}
static bool host_wfi(void)
{
	while (!host_irq_is_pending()) {
		see_calm();
		if (load_acquire(&ended))
			return false;
		sched_yield();
	}
	return true;
}

static bool has_pending(struct vcpu *v)
{
	struct guest *g = guest_of(v);
	bool has;

	spin_lock(&g->lock);
	has = g->posted != g->done;
	spin_unlock(&g->lock);
	return has;
}
/* As vgic_load() and vgic_unload(). */
static void host_load(struct vcpu *v)
{
	struct guest *g = guest_of(v);

	assert_int_equal(v->cpu, host_this_cpu->id);
	spin_lock(&g->lock);
	g->loaded = true;
	g->refill = false;
	spin_unlock(&g->lock);
}
static void host_unload(struct vcpu *v)
{
	struct guest *g = guest_of(v);

	spin_lock(&g->lock);
	g->loaded = g->refill = false;
	if (READ_ONCE(v->state) == VCPU_ON && g->posted != g->done)
		sched_wake(v);
	spin_unlock(&g->lock);
}

/* Work for v: an interrupt. */
static void post(struct vcpu *v)
{
	struct guest *g = guest_of(v);

	spin_lock(&g->lock);
	g->posted++;
	if (!g->loaded) {
		if (READ_ONCE(v->state) == VCPU_ON)
			sched_wake(v);
	} else if (v->cpu != host_this_cpu->id && !g->refill) {
		g->refill = true;
		ipi_send(v->cpu, IPI_REFRESH | IPI_WAKE);
	}
	spin_unlock(&g->lock);
}

/* As pv/psci.c does. */
static void cpu_on(struct vcpu *v)
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
static void cpu_off(struct vcpu *v)
{
	spin_lock(&v->domain->vcpu_lock);
	sched_block(v);
	WRITE_ONCE(v->state, (u32)VCPU_OFF);
	spin_unlock(&v->domain->vcpu_lock);
}

/* A trapped WFI, as wait() in trap.c. */
static void wait_for_work(struct vcpu *v)
{
	while (!has_pending(v)) {
		if (sched_is_contended() || sched_is_server(&v->sched) ||
		    READ_ONCE(host_this_cpu->sched.resched)) {
			sched_block(v);
			if (has_pending(v))
				sched_wake(v);
			break;
		}
		if (!host_wfi())
			break;
		irq_handle();
	}
}

static void work(struct vcpu *v)
{
	struct guest *g = guest_of(v);

	spin_lock(&g->lock);
	g->done = g->posted;
	spin_unlock(&g->lock);
}

/* What the guest does between two traps. */
static void act(struct vcpu *v, bool quiet, unsigned int *seed)
{
	struct vcpu *t = &vcpus[(unsigned int)rand_r(seed) % NR_USED];
	unsigned int what = (unsigned int)rand_r(seed) % 16;

	work(v);
	if (quiet) {
		wait_for_work(v);
		return;
	}
	if (what < 6)
		post(t);
	else if (what < 9)
		sched_pass(v);
	else if (what < 11)
		cpu_on(t);
	else if (what < 12)
		cpu_off(v);
	else
		wait_for_work(v);
}

static void *run_cpu(void *arg)
{
	unsigned int seed;

	host_this_cpu = arg;
	seed = host_this_cpu->id + (unsigned int)start_time;
	while (!load_acquire(&ended)) {
		struct vcpu *v = leave_el2();

		if (v) {
			assert_int_equal(READ_ONCE(v->state), VCPU_ON);
			check_queue(host_this_cpu->id);
			act(v, see_calm(), &seed);
		}
	}
	return NULL;
}

/* None, deadlines at and before the end of the period; with extra time or not. */
static struct sched_params params(unsigned int i, unsigned int kind)
{
	struct sched_params p = {.weight = i % 3 ? SCHED_WEIGHT : 1 + i * 500,
				 .slice_us = 100};

	if (kind < 2)
		return p;
	p.extra_time = kind & 1;
	p.budget_us = 10 + i * 5;
	p.period_us = 400 + i * 100;
	p.deadline_us = kind < 4 ? p.period_us : p.period_us / 2;
	return p;
}

static void start(void *(*fn)(void *))
{
	host_this_cpu = &cpus[NR_GUEST_CPUS];
	host_reset();
	memset(guests, 0, sizeof(guests));
	memset(is_calm, 0, sizeof(is_calm));
	ended = false;
	start_time = time_now();
	for (unsigned int i = 0; i < NR_USED; i++) {
		struct sched_params p = params(i, i % NR_KINDS);

		join(&doms[i % NR_DOMAINS], &vcpus[i]);
		sched_place(&vcpus[i], i / NR_DOMAINS % NR_GUEST_CPUS, &p, 0);
	}
	alarm(TIMEOUT);
	for (unsigned int i = 0; i < NR_GUEST_CPUS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fn, &cpus[i]),
				 0);
}
static void finish(void)
{
	store_release(&ended, true);
	for (unsigned int i = 0; i < NR_GUEST_CPUS; i++)
		pthread_join(threads[i], NULL);
	alarm(0);
}

static bool all_calm(void)
{
	for (unsigned int i = 0; i < NR_GUEST_CPUS; i++)
		if (!load_acquire(&is_calm[i]))
			return false;
	return true;
}
static bool all_done(void)
{
	bool done = true;

	for (unsigned int i = 0; i < NR_USED; i++)
		done = done && !has_pending(&vcpus[i]);
	return done;
}
static bool all_left(void)
{
	for (unsigned int i = 0; i < NR_USED; i++)
		if (!READ_ONCE(books[i].left))
			return false;
	return true;
}
/* In real life nobody else would help: what was lost stays undone. */
static void wait_until(bool (*cond)(void))
{
	u64 end = time_now() + PATIENCE * time_freq();

	while (!cond()) {
		assert_true(time_now() < end);
		usleep(200);
	}
}

static void check_figures(void)
{
	u64 ran[NR_GUEST_CPUS] = {}, passed = time_now() - start_time;

	for (unsigned int i = 0; i < NR_USED; i++) {
		const struct sched_vcpu *s = &vcpus[i].sched;

		ran[vcpus[i].cpu] += s->ran;
		assert_true(s->worst_wake <= passed && s->waited <= passed);
		assert_true(s->vtime <= passed * SCHED_WEIGHT);
		assert_int_equal(books[i].left, 1);
		assert_false(heap_has(&s->server.deferred));
	}
	for (unsigned int i = 0; i < NR_GUEST_CPUS; i++)
		assert_true(ran[i] <= passed);
}

/* From a CPU that runs none of them. */
static void give_work(unsigned int *seed, bool changes)
{
	u64 end = start_time + ROUND_MS * time_freq() / 1000;

	while (time_now() < end) {
		unsigned int r = (unsigned int)rand_r(seed);

		post(&vcpus[r % NR_USED]);
		if (r >> 8 & 1)
			cpu_on(&vcpus[(r >> 16) % NR_USED]);
		if (changes && !(r >> 9 & 15)) {
			struct sched_params p = params((r >> 16) % NR_USED,
						       r >> 24 & 7);

			sched_set(&vcpus[(r >> 16) % NR_USED], &p);
		}
		sched_yield();
	}
}

static void test_random(void **state)
{
	unsigned int seed = 3;

	(void)state;
	for (unsigned int round = 0; round < NR_ROUNDS; round++) {
		acting = true;
		start(run_cpu);
		for (unsigned int i = 0; i < NR_USED; i++)
			sched_wake(&vcpus[i]);
		give_work(&seed, round & 2);
		/* Half of the rounds end in the middle of it all. */
		if (round % 2) {
			store_release(&acting, false);
			/* Who still acts might switch one off again. */
			wait_until(all_calm);
			for (unsigned int i = 0; i < NR_USED; i++)
				cpu_on(&vcpus[i]);
			wait_until(all_done);
		}
		for (unsigned int i = 0; i < NR_DOMAINS; i++)
			domain_stops(&doms[i]);
		wait_until(all_left);
		finish();
		check_figures();
	}
}

/* Woken when the CPU is idle, or on its way to that. */
static void *run_waiter(void *arg)
{
	host_this_cpu = arg;
	while (!load_acquire(&ended)) {
		struct vcpu *v = leave_el2();

		if (!v)
			continue;
		sched_block(v);
		/* The waker waits for its CPU to be seen idle. */
		__atomic_fetch_add(&idle_wakes[v->cpu], 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void test_wake_idle(void **state)
{
	u64 end = time_now() + WAKES_TIME * time_freq();

	(void)state;
	memset(idle_wakes, 0, sizeof(idle_wakes));
	start(run_waiter);
	for (u64 n = 0; n < NR_WAKES; n++) {
		unsigned int cpu = n % NR_GUEST_CPUS;
		u64 was = load_acquire(&idle_wakes[cpu]);

		if (n >= ENOUGH_WAKES && time_now() >= end)
			break;
		if (!(n % 100))
			alarm(TIMEOUT);
		while (load_acquire(&cpus[cpu].sched.running))
			sched_yield();
		sched_wake(&vcpus[cpu * NR_DOMAINS + n / 2 % NR_DOMAINS]);
		while (load_acquire(&idle_wakes[cpu]) == was)
			sched_yield();
	}
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wake_idle),

		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
