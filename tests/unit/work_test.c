/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The EL2 worker: each work is done once, in the order of submission and
 * without a lock, no submission is slept through, and it is left at its
 * preemption points only. CPUs that submit at once are threads.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#undef CONFIG_DEBUG
#define CONFIG_DEBUG 1 /* so that lock_rank_drop() is called */
#include "../../kernel/work.c"

#define STACK	    0xb00000104000UL
#define NR_WORKS    8
#define NR_CPUS	    3
#define SUBMISSIONS 30000

struct cpu cpus[CONFIG_NR_CPUS];
_Thread_local struct cpu *host_this_cpu = &cpus[0];

static struct work works[NR_WORKS];
static char done[64]; /* numbers of works, in order */
static void (*entry)(void);
static jmp_buf idle;
static bool ready, placed;
static u32 ipi;
static unsigned int nr_wakes, nr_blocks, nr_points;
static void (*before_block)(void), (*after_block)(void); /* once, elsewhere */
static void (*others)(void); /* what runs while the worker does not, once */

static void once(void (**fn)(void))
{
	void (*f)(void) = *fn;

	*fn = NULL;
	if (f)
		f();
}

void lock_rank_take(struct spinlock *l)
{
}
/* What is in the list when its lock is dropped may be done at once. */
void lock_rank_drop(struct spinlock *l)
{
	if (l != &work.lock)
		abort();
	if (!list_is_empty(&work.list) &&
	    !list_entry(work.list.prev, struct work, node)->fn)
		abort();
}
u64 mmu_alloc_stack(unsigned int cpu)
{
	/* Not one that a CPU has. */
	assert_int_equal(cpu, CONFIG_NR_CPUS);
	return STACK;
}
void arch_worker_init(struct vcpu *v, void (*fn)(void), u64 stack_top)
{
	assert_ptr_equal(v, &work.vcpu);
	assert_int_equal(stack_top, STACK);
	assert_false(placed);
	entry = fn;
}
void sched_place(struct vcpu *v, unsigned int cpu, const struct sched_params *p,
		 u64 from)
{
	assert_ptr_equal(v, &work.vcpu);
	assert_non_null(entry);
	assert_int_equal(cpu, 0);
	assert_int_equal(p->weight, SCHED_WEIGHT);
	assert_int_equal(p->slice_us, SCHED_SLICE_US);
	placed = true;
}
void sched_wake(struct vcpu *v)
{
	if (v != &work.vcpu || !placed)
		abort();
	__atomic_fetch_add(&nr_wakes, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&ready, true, __ATOMIC_SEQ_CST);
}
void sched_block(struct vcpu *v)
{
	assert_ptr_equal(v, &work.vcpu);
	once(&before_block);
	nr_blocks++;
	cpus[0].sched.resched = 1;
	__atomic_store_n(&ready, false, __ATOMIC_SEQ_CST);
	once(&after_block);
}
void ipi_send(unsigned int cpu, u32 reasons)
{
	assert_int_equal(cpu, 0);
	ipi |= reasons;
}
static bool irqs_open;
static unsigned int nr_masks;

void arch_mask_irqs(bool mask)
{
	irqs_open = !mask;
	nr_masks++;
}
/* Back when the scheduler has chosen the worker again. */
void arch_take_irqs(void)
{
	assert_false(irqs_open);
	nr_points++;
	if (!__atomic_load_n(&ready, __ATOMIC_SEQ_CST)) {
		/* Blocked, but without an interrupt it is not left. */
		assert_int_equal(ipi, IPI_WAKE);
		ipi = 0;
		once(&others);
		if (!__atomic_load_n(&ready, __ATOMIC_SEQ_CST))
			longjmp(idle, 1);
	} else {
		/* Somebody was woken who is to run before the worker, or not. */
		assert_int_equal(ipi, cpus[0].sched.resched ? IPI_WAKE : 0);
		ipi = 0;
		once(&others);
	}
	cpus[0].sched.resched = 0;
}

/* CPU 0 has nothing else to run, until the worker sleeps. */
static void run(void)
{
	alarm(30); /* one that spins, or a lock that is never free */
	if (!setjmp(idle))
		entry();
	alarm(0);
	assert_int_equal(work.lock.tickets, 0);
}

static void note(struct work *w)
{
	size_t n = strlen(done);

	assert_int_equal(work.lock.tickets, 0);
	assert_in_range(n, 0, sizeof(done) - 2);
	assert_in_range(w - works, 0, NR_WORKS - 1);
	done[n] = (char)('0' + (w - works));
}

static void submit(unsigned int i)
{
	work_submit(&works[i], note);
}
static void submit_6(void)
{
	submit(6);
}
static void submit_7(void)
{
	submit(7);
}

static int setup(void **state)
{
	(void)state;
	memset(&work, 0, sizeof(work));
	spin_init(&work.lock, RANK_WORK);
	memset(works, 0, sizeof(works));
	memset(done, 0, sizeof(done));
	entry = NULL;
	ready = placed = false;
	ipi = 0;
	before_block = after_block = others = NULL;
	work_init();
	nr_wakes = nr_blocks = nr_points = 0;
	return 0;
}

/* To the scheduler it is a vCPU that is on, of a domain that never stops. */
static void test_init(void **state)
{
	(void)state;
	assert_true(placed && entry);
	assert_false(ready);
	assert_int_equal(work.vcpu.state, VCPU_ON);
	assert_ptr_equal(work.vcpu.domain, &work.domain);
	assert_false(domain_is_stopping(&work.domain));
	/* What IPI_REFRESH looks at while it runs. */
	assert_true(!work.vcpu.vgic.alone && !work.vcpu.vgic.sorted);
	assert_false(work.vcpu.vgic.loaded);
}

/* Woken for nothing: sleeps again, and once is enough. */
static void test_nothing(void **state)
{
	(void)state;
	ready = true;
	run();
	assert_string_equal(done, "");
	assert_int_equal(nr_blocks, 1);
	assert_int_equal(nr_wakes, 0);
	assert_int_equal(nr_points, 1);
}

static void test_order(void **state)
{
	(void)state;
	submit(2);
	assert_true(ready);
	submit(0);
	submit(5);
	submit(1);
	assert_int_equal(nr_wakes, 4);
	run();
	assert_string_equal(done, "2051");
	/* None is left, and each may come again. */
	ready = true;
	run();
	submit(0);
	submit(2);
	run();
	assert_string_equal(done, "205102");
}

/* By the worker itself, even the same: behind what was there before. */
static void again(struct work *w)
{
	note(w);
	if (strlen(done) < 4)
		work_submit(w, again);
}

static void test_resubmit(void **state)
{
	(void)state;
	work_submit(&works[3], again);
	submit(4);
	run();
	assert_string_equal(done, "3433");
	assert_int_equal(nr_blocks, 1);
}

/* As a domain that is gone with its work. */
static void gone(struct work *w)
{
	free(w);
	submit(1);
}

static void test_freed(void **state)
{
	struct work *w = malloc(sizeof(*w));

	(void)state;
	assert_non_null(w);
	work_submit(w, gone);
	run();
	assert_string_equal(done, "1");
}

/* Between its look at the list and its sleep, where it is still ready. */
static void test_before_block(void **state)
{
	(void)state;
	submit(0);
	before_block = submit_7;
	run();
	assert_string_equal(done, "07");
}

static void test_after_block(void **state)
{
	(void)state;
	submit(0);
	after_block = submit_7;
	run();
	assert_string_equal(done, "07");
	/* While another one runs: it goes on where it was left. */
	submit(1);
	others = submit_6;
	run();
	assert_string_equal(done, "0716");
}

static unsigned int points_before;

static void in_pieces(struct work *w)
{
	note(w);
	points_before = nr_points;
	work_point();
	note(w);
	work_point();
	note(w);
	assert_int_equal(nr_points, points_before + 2);
}

/* What came at a preemption point waits until the first one has ended. */
static void test_points(void **state)
{
	(void)state;
	work_submit(&works[1], in_pieces);
	others = submit_7;
	submit(2);
	run();
	assert_string_equal(done, "11127");
	assert_int_equal(points_before, 0);
	/* Its own, one behind each of the three, and to wait. */
	assert_int_equal(nr_points, 2 + 3 + 1);
	assert_int_equal(nr_blocks, 1);
}

/* Nested as hashing does it: each gives back what it found. */
static void preemptible(struct work *w)
{
	note(w);
	assert_false(work_preempt(true));
	assert_true(irqs_open);
	assert_true(work_preempt(false));
	assert_false(irqs_open);
	assert_false(work_preempt(false));
	assert_false(irqs_open);
	assert_false(work_preempt(true));
	assert_true(work_preempt(true));
	assert_true(irqs_open);
	assert_true(work_preempt(false));
	assert_false(irqs_open);
	assert_int_equal(nr_masks, 6);
	note(w);
}

static void test_preempt(void **state)
{
	(void)state;
	nr_masks = 0;
	work_submit(&works[3], preemptible);
	submit(2);
	run();
	assert_string_equal(done, "332");
}

static struct many {
	struct work work;
	unsigned int cpu, nr;
} many[NR_CPUS][SUBMISSIONS];
static unsigned int next[NR_CPUS], nr_done, nr_ended;

static void one_of_many(struct work *w)
{
	struct many *m = container_of(w, struct many, work);

	assert_int_equal(m->nr, next[m->cpu]);
	next[m->cpu]++;
	nr_done++;
}

static void *submitter(void *arg)
{
	unsigned int cpu = *(unsigned int *)arg;

	host_this_cpu = &cpus[cpu];
	for (unsigned int i = 0; i < SUBMISSIONS; i++) {
		many[cpu][i].cpu = cpu;
		many[cpu][i].nr = i;
		work_submit(&many[cpu][i].work, one_of_many);
	}
	__atomic_fetch_add(&nr_ended, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Several CPUs and the worker: all, once, in the order of each CPU. */
static void test_at_once(void **state)
{
	unsigned int ids[NR_CPUS];
	pthread_t t[NR_CPUS];

	(void)state;
	memset(next, 0, sizeof(next));
	nr_done = nr_ended = 0;
	for (unsigned int i = 0; i < NR_CPUS; i++) {
		ids[i] = i;
		assert_int_equal(pthread_create(&t[i], NULL, submitter, &ids[i]),
				 0);
	}
	alarm(30);
	/* Woken each time by submissions alone. */
	while (__atomic_load_n(&nr_ended, __ATOMIC_ACQUIRE) < NR_CPUS ||
	       __atomic_load_n(&ready, __ATOMIC_SEQ_CST))
		if (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) && !setjmp(idle))
			entry();
	alarm(0);
	for (unsigned int i = 0; i < NR_CPUS; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	assert_int_equal(nr_done, NR_CPUS * SUBMISSIONS);
	assert_true(list_is_empty(&work.list));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_init, setup),
		cmocka_unit_test_setup(test_nothing, setup),
		cmocka_unit_test_setup(test_order, setup),
		cmocka_unit_test_setup(test_resubmit, setup),
		cmocka_unit_test_setup(test_freed, setup),
		cmocka_unit_test_setup(test_before_block, setup),
		cmocka_unit_test_setup(test_after_block, setup),
		cmocka_unit_test_setup(test_points, setup),
		cmocka_unit_test_setup(test_preempt, setup),
		cmocka_unit_test_setup(test_at_once, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
