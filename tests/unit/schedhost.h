/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPUs on the host for the tests of sched/: the way out of a trap, the idle
 * loop (kernel/cpu.c itself), EL2's timers, IPIs, and books of what the
 * scheduler asks for. With HOST_THREADS each CPU is a thread.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifdef HOST_THREADS /* cmocka's own end the process without a word there */
#include <stdio.h>
#undef assert_true
#undef assert_false
#undef assert_int_equal
#define assert_true(cond)                                                      \
	do {                                                                   \
		if (!(cond)) {                                                 \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__,     \
				#cond);                                        \
			abort();                                               \
		}                                                              \
	} while (0)
#define assert_false(cond)     assert_true(!(cond))
#define assert_int_equal(a, b) assert_true((a) == (b))
#define HOST_THREAD	       _Thread_local
#else
#define HOST_THREAD
#endif

#include <skerry/arch/timer.h>
#include <skerry/cpu.h>
#include <skerry/domain.h>
#include <skerry/init.h>
#include <skerry/irq.h>

#define NR_CPUS 3
#ifndef NR_VCPUS
#define NR_VCPUS 32
#endif
#define OFF (~0UL)

extern u64 server_toll;
extern u64 rr_slack;
static bool host_tolls; /* as they ship; else there are none */
struct cpu cpus[CONFIG_NR_CPUS];
HOST_THREAD struct cpu *host_this_cpu = &cpus[0];

static struct vcpu vcpus[NR_VCPUS];
static struct domain doms[NR_VCPUS]; /* each vCPU one of its own, at first */

/* Of each vCPU. */
static struct books {
	unsigned int resets, vgic_resets, starts, left;
	ipa_t entry;
	u64 arg;
	bool wfi, wfe; /* trap */
} books[NR_VCPUS];

/* Of each CPU. */
static struct host_cpu {
	jmp_buf out; /* of the idle loop */
	struct vcpu *entered;
	u64 armed; /* what EL2's timer is set to */
	unsigned int nr_ipis;
} hosts[NR_CPUS];

static unsigned int first_guests;
/* What another CPU does meanwhile. */
static void (*during_reset)(struct vcpu *v);

/* The test's: interrupts of the calling CPU; no more to come in WFI. */
static bool host_wfi(void);
static void host_unload(struct vcpu *v);
static void host_load(struct vcpu *v);

static struct host_cpu *host(void)
{
	return &hosts[host_this_cpu->id];
}

void arch_timer_set(u64 deadline)
{
	host()->armed = deadline;
}
void arch_timer_off(void)
{
	host()->armed = OFF;
}
void ipi_send(unsigned int cpu, u32 reasons)
{
	assert_true(reasons & IPI_WAKE);
	__atomic_fetch_add(&hosts[cpu].nr_ipis, 1, __ATOMIC_RELAXED);
	__atomic_fetch_or(&cpus[cpu].ipi, reasons, __ATOMIC_RELEASE);
}
void lock_rank_take(struct spinlock *l)
{
}
void lock_rank_drop(struct spinlock *l)
{
}
void init_first_guest(void)
{
	__atomic_fetch_add(&first_guests, 1, __ATOMIC_RELAXED);
}
void arch_vcpu_trap_wait(struct vcpu *v, bool wfi, bool wfe)
{
	assert_int_equal(v->cpu, host_this_cpu->id);
	books[v - vcpus].wfi = wfi;
	books[v - vcpus].wfe = wfe;
}
void arch_vcpu_reset(struct vcpu *v)
{
	assert_int_equal(v->cpu, host_this_cpu->id);
	assert_true(host_this_cpu->current != v);
	books[v - vcpus].resets++;
	if (during_reset)
		during_reset(v);
}
void vgic_vcpu_reset(struct vcpu *v)
{
	assert_int_equal(v->cpu, host_this_cpu->id);
	books[v - vcpus].vgic_resets++;
}
void arch_vcpu_start(struct vcpu *v, ipa_t entry, u64 arg)
{
	assert_true(v->fresh);
	assert_true(host_this_cpu->current != v);
	books[v - vcpus].starts++;
	books[v - vcpus].entry = entry;
	books[v - vcpus].arg = arg;
}
void domain_vcpu_left(struct vcpu *v)
{
	assert_int_equal(v->cpu, host_this_cpu->id);
	assert_true(host_this_cpu->current != v);
	assert_true(domain_is_stopping(v->domain));
	/* As the domain's lock does: its stop is complete. */
	spin_lock(&v->domain->lock);
	books[v - vcpus].left++;
	spin_unlock(&v->domain->lock);
	/* Of no more use to the scheduler. */
	assert_false(heap_has(&v->sched.node));
	assert_false(heap_has(&v->sched.server.deferred));
	assert_true(list_is_empty(&v->sched.placed));
	assert_true(!timer_is_armed(&v->vtimer));
	assert_true(!timer_is_armed(&v->ptimer.timer));
	assert_true(host_this_cpu->sched.running != v);
	assert_true(host_this_cpu->fp_owner != v);
}

static bool host_irq_is_pending(void)
{
	return READ_ONCE(host_this_cpu->ipi) || host()->armed <= time_now();
}
void arch_enter(struct vcpu *v)
{
	host()->entered = v;
	longjmp(host()->out, 1);
}
static void host_on_barrier(const char *name)
{
	assert_true(!strcmp(name, "wfi"));
	if (!host_wfi())
		arch_enter(NULL);
}
void (*host_barrier)(const char *name) = host_on_barrier;

/* The vCPU that the idle loop enters; NULL when it sleeps for good. */
static struct vcpu *host_idle(void)
{
	if (!setjmp(host()->out))
		cpu_idle();
	return host()->entered;
}

/* The way out of EL2: interrupts first, then whatever is to run (vectors.S). */
static struct vcpu *leave_el2(void)
{
	struct cpu *cpu = host_this_cpu;
	struct vcpu *v, *next;

	do {
		v = next = cpu->current;
		if (host_irq_is_pending())
			irq_handle();
		if (v && READ_ONCE(cpu->sched.resched))
			next = sched_next();
		if (v && next != v) {
			host_unload(v);
			v = cpu->current = NULL;
		}
		if (!next)
			next = host_idle();
		if (next && next != v) {
			cpu->current = next;
			host_load(next);
		}
		/* As in arch_vcpu_load(). */
		if (next && next != v && READ_ONCE(cpu->sched.resched))
			ipi_send(cpu->id, IPI_WAKE);
	} while (next && host_irq_is_pending());
	return next;
}

static void domain_stops(struct domain *d)
{
	spin_lock(&d->lock);
	WRITE_ONCE(d->state, DOMAIN_SHUTTING_DOWN);
	for (unsigned int i = 0; i < d->nr_vcpus; i++)
		sched_kill(d->vcpus[i]);
	spin_unlock(&d->lock);
}

static void join(struct domain *d, struct vcpu *v)
{
	v->domain = d;
	v->id = d->nr_vcpus;
	d->vcpus[d->nr_vcpus++] = v;
}

static void host_reset(void)
{
	struct cpu *was = host_this_cpu;

	memset(vcpus, 0, sizeof(vcpus));
	memset(doms, 0, sizeof(doms));
	memset(books, 0, sizeof(books));
	memset(cpus, 0, sizeof(cpus));
	memset(hosts, 0, sizeof(hosts));
	during_reset = NULL;
	first_guests = 0;
	for (unsigned int i = 0; i < NR_CPUS; i++) {
		host_this_cpu = &cpus[i];
		host_this_cpu->id = i;
		time_init_cpu();
		sched_init_cpu(i);
		if (!host_tolls)
			server_toll = rr_slack = 0;
	}
	host_this_cpu = was;
	for (unsigned int i = 0; i < NR_VCPUS; i++) {
		timer_init(&vcpus[i].vtimer, NULL);
		timer_init(&vcpus[i].ptimer.timer, NULL);
		vcpus[i].state = VCPU_ON;
		doms[i].state = DOMAIN_RUNNING;
	}
}

/* Those in one of a CPU's queues; a heap's shape is another test's. */
static unsigned int check_heap(unsigned int cpu, const struct heap_node *n,
			       bool active)
{
	const struct vcpu *v;

	if (!n)
		return 0;
	v = heap_entry(n, struct vcpu, sched.node);
	assert_true(v->sched.ready && cpus[cpu].sched.running != v);
	assert_int_equal(v->cpu, cpu);
	assert_true(v->sched.server.active == active);
	if (active) {
		assert_true(v->sched.server.left > 0);
		assert_true(n->key ==
			    v->sched.server.release + v->sched.server.deadline);
	} else {
		assert_true(n->key == v->sched.vtime);
		assert_true(!v->sched.server.budget || v->sched.server.extra);
	}
	return 1 + check_heap(cpu, n->left, active) +
	       check_heap(cpu, n->right, active);
}

/* None is made or lost: what is left, used, and to return. */
static void check_server(const struct vcpu *v)
{
	const struct sched_server *s = &v->sched.server;
	s64 sum = s->left + (s64)s->spent;

	for (unsigned int i = 0; i < s->nr_refills; i++) {
		sum += (s64)s->refills[i].amount;
		assert_true(!i || s->refills[i].when >= s->refills[i - 1].when);
	}
	assert_true(sum == (s64)s->budget);
	assert_true(s->nr_refills <= SCHED_REFILLS);
	assert_true(!s->active || s->budget);
	if (heap_has(&s->deferred)) {
		assert_true(v->sched.ready && !s->active);
		assert_true(s->deferred.key == s->refills[0].when);
	}
}

/* What must hold of the books of a CPU whenever its lock is free. */
static void check_queue(unsigned int cpu)
{
	struct sched_cpu *c = &cpus[cpu].sched;
	unsigned int nr, ready = 0;

	spin_lock(&c->lock);
	nr = check_heap(cpu, c->queue.root, false) +
	     check_heap(cpu, c->deadlines.root, true) + !!c->preempted;
	if (c->preempted) {
		/* Of one without a rest the queue waits for a server. */
		assert_true(c->preempted->sched.left || !c->running ||
			    c->running->sched.server.budget || c->resched);
		assert_true(c->preempted->sched.ready);
		assert_true(c->running != c->preempted);
		assert_false(heap_has(&c->preempted->sched.node));
		assert_false(c->preempted->sched.server.active);
	}
	/* Each ready one runs, is queued, or is deferred. */
	for (unsigned int i = 0; i < NR_VCPUS; i++) {
		const struct vcpu *v = &vcpus[i];

		if (v->cpu != cpu)
			continue;
		check_server(v);
		ready += v->sched.ready && c->running != v &&
			 (!heap_has(&v->sched.server.deferred) ||
			  v->sched.server.extra);
	}
	assert_int_equal(ready, nr);
	spin_unlock(&c->lock);
}

#ifndef HOST_THREADS

#define FREQ  62500000
#define SLICE 312500UL /* 5 ms */
#define BONUS 125000UL
#define GRAIN 31250UL
#define SEC   ((u64)FREQ)

/* One CPU is looked at, others wake and stop its vCPUs. */
static u64 now, host_freq;
static void (*during_time)(void); /* what another CPU does, once */
static void (*on_load)(struct vcpu *v);
static u64 unload_takes, load_takes, nr_times_read;

u64 time_now(void)
{
	u64 t = now;
	void (*fn)(void) = during_time;

	nr_times_read++;
	/* Under the lock nobody else does anything. */
	if (fn && !cpus[0].sched.lock.tickets) {
		during_time = NULL;
		fn();
	}
	return t;
}
u64 time_freq(void)
{
	return host_freq;
}
void irq_handle(void)
{
	host_this_cpu->ipi = 0;
	if (host()->armed <= now)
		time_irq();
}
static bool host_wfi(void)
{
	return host_irq_is_pending();
}
static void host_unload(struct vcpu *v)
{
	now += unload_takes;
}
static void host_load(struct vcpu *v)
{
	if (on_load)
		on_load(v);
	now += load_takes;
}

static inline int setup(void **state)
{
	static const struct sched_params usual = {.weight = SCHED_WEIGHT,
						  .slice_us = SCHED_SLICE_US};

	(void)state;
	now = SEC;
	host_freq = FREQ;
	during_time = NULL;
	on_load = NULL;
	unload_takes = load_takes = 0;
	host_this_cpu = &cpus[0];
	host_reset();
	for (unsigned int i = 0; i < NR_VCPUS; i++) {
		join(&doms[i], &vcpus[i]);
		sched_place(&vcpus[i], 0, &usual, 0);
	}
	return 0;
}

static inline void set(unsigned int i, u32 weight, u64 slice)
{
	vcpus[i].sched.weight = weight;
	cpus[0].sched.heaviest = 0;
	for (unsigned int n = 0; n < NR_VCPUS; n++)
		cpus[0].sched.heaviest = max(cpus[0].sched.heaviest,
					     vcpus[n].sched.weight);
	vcpus[i].sched.slice = slice;
}

/* Another CPU does it. Number of IPIs to CPU 0. */
static inline unsigned int remote(void (*fn)(struct vcpu *v), unsigned int i)
{
	unsigned int was = hosts[0].nr_ipis;

	host_this_cpu = &cpus[1];
	fn(&vcpus[i]);
	host_this_cpu = &cpus[0];
	return hosts[0].nr_ipis - was;
}
static inline unsigned int wake(unsigned int i)
{
	return remote(sched_wake, i);
}
static inline void stop(struct vcpu *v)
{
	domain_stops(v->domain);
}

/* What CPU 0 runs when it is back from EL2; -1 for nothing. */
static inline int runs(void)
{
	struct vcpu *v = leave_el2();

	assert_ptr_equal(v, cpus[0].current);
	assert_ptr_equal(v, cpus[0].sched.running);
	check_queue(0);
	return v ? (int)(v - vcpus) : -1;
}
/* The guest goes on for so long. */
static inline int run(u64 ticks)
{
	now += ticks;
	return runs();
}
static inline void start(unsigned int i)
{
	wake(i);
	assert_int_equal(runs(), i);
}
static inline int block(void)
{
	sched_block(cpus[0].current);
	return runs();
}
static inline int pass(void)
{
	sched_pass(cpus[0].current);
	return runs();
}

#endif
