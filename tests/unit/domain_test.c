/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a domain: its parts made and ended in order, start, pause, stop
 * and crash in each state, the last of its CPUs to let go of it; warnings that
 * cannot flood, and MPIDRs from guests. CPUs that stop or leave it at once are
 * threads.
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

#include <skerry/cpu.h>
#include <skerry/domain.h>
#include <skerry/fmt.h>
#include <skerry/guest.h>
#include <skerry/psci.h>

#define NR_VCPUS   3
#define NR_THREADS 3
#define LEAVES	   100000

struct cpu cpus[CONFIG_NR_CPUS];
unsigned int nr_cpus = 4;
_Thread_local struct cpu *host_this_cpu = &cpus[0];

static struct domain dom, other;
static struct vcpu vcpus[CONFIG_MAX_VCPUS];
static char trace[512]; /* what happened, by name */
static char logged[1024];
static unsigned int nr_kills[NR_VCPUS], nr_left;
static u64 now, out_since[NR_VCPUS];
static unsigned int nr_leave;  /* inside, when vCPU 0 leaves */
static struct domain *to_free; /* by the worker, when it has been left */
static bool threads;

static __printf(1, 2) void note(const char *fmt, ...)
{
	size_t n = strlen(trace);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(trace + n, sizeof(trace) - n, fmt, ap);
	va_end(ap);
	n = strlen(trace);
	assert_in_range(n, 1, sizeof(trace) - 3);
	strcpy(trace + n, " ");
}

static void expect(const char *want)
{
	assert_string_equal(trace, want);
	trace[0] = '\0';
}

static void expect_log(const char *want)
{
	assert_string_equal(logged, want);
	logged[0] = '\0';
}

static void log_text(const char *fmt, va_list ap)
{
	size_t n = strlen(logged);

	vsnprintf(logged + n, sizeof(logged) - n, fmt, ap);
	strncat(logged, "|", sizeof(logged) - strlen(logged) - 1);
	note("log");
}

void log_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_text(fmt, ap);
	va_end(ap);
}
void log_at(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	assert_int_equal(level, LOG_ERROR);
	va_start(ap, fmt);
	log_text(fmt, ap);
	va_end(ap);
}
void lock_rank_take(struct spinlock *l)
{
}
void lock_rank_drop(struct spinlock *l)
{
}
u64 time_freq(void)
{
	return 62500000;
}
u64 time_now(void)
{
	return now;
}
static unsigned int id_of(const struct vcpu *v)
{
	return (unsigned int)(v - vcpus);
}
/* No vCPU may be entered again before it is out of the queues. */
void sched_kill(struct vcpu *v)
{
	if (!domain_is_stopping(&dom) || !dom.lock.tickets)
		abort();
	nr_kills[id_of(v)]++;
	if (!threads)
		note("kill%u", id_of(v));
}
void sched_pause(struct vcpu *v)
{
	assert_true(domain_is_paused(&dom) && dom.lock.tickets);
	note("pause%u", id_of(v));
}
/* Nobody may be about to run: the offset changes after this. */
u64 sched_out_since(struct vcpu *v)
{
	assert_true(domain_is_paused(&dom) && dom.lock.tickets);
	return out_since[id_of(v)];
}
void sched_resume(struct vcpu *v)
{
	assert_true(dom.state == DOMAIN_RUNNING && dom.lock.tickets);
	note("resume%u", id_of(v));
}
void sched_wake(struct vcpu *v)
{
	assert_int_equal(dom.state, DOMAIN_RUNNING);
	assert_int_equal(v->state, VCPU_PENDING);
	note("wake%u", id_of(v));
}
void ipi_send(unsigned int cpu, u32 reasons)
{
	assert_int_equal(dom.state, DOMAIN_RUNNING);
	assert_int_equal(reasons, IPI_WAKE);
	note("ipi%u", cpu);
}
void guest_left(unsigned int id)
{
	/* Ranks: nothing of the domain's is held. */
	if (id != 7 || (!threads && dom.lock.tickets))
		abort();
	__atomic_fetch_add(&nr_left, 1, __ATOMIC_RELAXED);
	free(to_free);
	to_free = NULL;
}
void arch_vcpu_note_fault(struct vcpu *v)
{
	note("fault%u", id_of(v));
}
/* Its timeout begins before its first instruction, and not before it runs. */
void wdt_start(struct domain *d)
{
	assert_int_equal(d->state, DOMAIN_RUNNING);
	assert_int_equal(vcpus[0].state, VCPU_OFF);
	note("watch");
}
void wdt_resume(struct domain *d)
{
	assert_int_equal(d->state, DOMAIN_RUNNING);
	note("rewatch+%lu", d->cntvoff);
}
void wdt_exit(struct domain *d)
{
	if (threads)
		return;
	/* Before vCPU 0's CPU is counted out. */
	assert_int_equal(d->nr_inside, nr_leave);
	note("unwatch");
}

/* Parts that note what is done to them; the second one of three fails. */
static int part_err;

static int first_init(struct domain *d, const struct describe_guest *g)
{
	assert_ptr_equal(d, &dom);
	note("+1:%s", g->name);
	return 0;
}
static int second_init(struct domain *d, const struct describe_guest *g)
{
	note("+2:%s", g->name);
	return part_err;
}
static int third_init(struct domain *d, const struct describe_guest *g)
{
	note("+3:%s", g->name);
	return 0;
}
static void first_exit(struct domain *d)
{
	assert_ptr_equal(d, &dom);
	note("-1");
}
static void third_exit(struct domain *d)
{
	note("-3");
}
static const struct domain_part first = {first_init, first_exit},
				second = {second_init, NULL},
				third = {third_init, third_exit};
const struct domain_part *const domain_parts[] = {&first, &second, &third, NULL};

static int setup(void **state)
{
	(void)state;
	memset(domains, 0, sizeof(domains));
	memset(&dom, 0, sizeof(dom));
	memset(&other, 0, sizeof(other));
	memset(vcpus, 0, sizeof(vcpus));
	memset(trace, 0, sizeof(trace));
	memset(logged, 0, sizeof(logged));
	memset(nr_kills, 0, sizeof(nr_kills));
	memset(out_since, 0, sizeof(out_since));
	now = 0;
	nr_left = 0;
	threads = false;
	to_free = NULL;
	part_err = 0;
	spin_init(&dom.lock, RANK_DOMAIN);
	dom.id = 7;
	strcpy(dom.name, "web");
	dom.state = DOMAIN_RUNNING;
	dom.nr_vcpus = dom.nr_inside = NR_VCPUS;
	for (unsigned int i = 0; i < NR_VCPUS; i++) {
		dom.vcpus[i] = &vcpus[i];
		vcpus[i].domain = &dom;
		vcpus[i].id = i;
		vcpus[i].cpu = 10 + i;
	}
	domains[dom.id] = &dom;
	return 0;
}

/* All but running and paused. */
static const u32 not_live[] = {DOMAIN_BUILDING, DOMAIN_SHUTTING_DOWN,
			       DOMAIN_CRASHED, DOMAIN_DEAD};

/* In the order of the table and back; all of them, or none. */
static void test_parts(void **state)
{
	static const struct describe_guest g = {.name = "w"};

	(void)state;
	assert_int_equal(domain_init_parts(&dom, &g), 0);
	expect("+1:w +2:w +3:w ");
	domain_exit_parts(&dom);
	expect("-3 -1 ");
	part_err = -ENOMEM;
	assert_int_equal(domain_init_parts(&dom, &g), -ENOMEM);
	expect("+1:w +2:w -3 -1 ");
}

/* The others' CPUs make them ready for CPU_ON; vCPU 0 alone runs. */
static void test_start(void **state)
{
	(void)state;
	dom.state = DOMAIN_BUILDING;
	domain_start(&dom);
	expect("watch ipi11 ipi12 wake0 ");
	assert_int_equal(vcpus[0].state, VCPU_PENDING);
	assert_int_equal(vcpus[1].state, VCPU_OFF);
	assert_int_equal(vcpus[2].state, VCPU_OFF);
	setup(NULL);
	dom.state = DOMAIN_BUILDING;
	dom.nr_vcpus = 1;
	domain_start(&dom);
	expect("watch wake0 ");
}

/* A fault of the guest's is told from its end by order or by itself. */
static const struct {
	enum stop_reason why;
	enum domain_state state;
} ends[] = {
	{STOP_OFF, DOMAIN_SHUTTING_DOWN},
	{STOP_RESET, DOMAIN_SHUTTING_DOWN},
	{STOP_CRASH, DOMAIN_CRASHED},
	{STOP_WATCHDOG, DOMAIN_CRASHED},
	{STOP_DESTROY, DOMAIN_SHUTTING_DOWN},
	{STOP_RESTART, DOMAIN_SHUTTING_DOWN},
};

/* The first reason wins; what does not live cannot be stopped. */
static void test_stop(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(ends); i++) {
		setup(NULL);
		dom.state = i & 1 ? DOMAIN_PAUSED : DOMAIN_RUNNING;
		domain_stop(&dom, ends[i / 2].why);
		expect("kill0 kill1 kill2 ");
		assert_int_equal(dom.state, ends[i / 2].state);
		assert_int_equal(dom.stop_reason, ends[i / 2].why);
		domain_stop(&dom, STOP_DESTROY);
		domain_stop(&dom, STOP_CRASH);
		expect("");
		assert_int_equal(dom.state, ends[i / 2].state);
		assert_int_equal(dom.stop_reason, ends[i / 2].why);
		assert_int_equal(dom.lock.tickets, 0);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(not_live); i++) {
		setup(NULL);
		dom.state = not_live[i];
		domain_stop(&dom, STOP_CRASH);
		expect("");
		assert_int_equal(dom.state, not_live[i]);
		assert_int_equal(dom.stop_reason, 0);
		assert_int_equal(dom.lock.tickets, 0);
	}
}

static void test_pause(void **state)
{
	(void)state;
	domain_pause(&dom, true);
	expect("pause0 pause1 pause2 ");
	assert_true(domain_is_paused(&dom) && domain_is_live(&dom));
	assert_false(domain_is_stopping(&dom));
	domain_pause(&dom, false);
	expect("rewatch+0 resume0 resume1 resume2 ");
	assert_false(domain_is_paused(&dom));
	assert_true(domain_is_live(&dom));
	/* Not paused: nothing ends. */
	domain_pause(&dom, false);
	expect("resume0 resume1 resume2 ");
	domain_pause(&dom, true);
	domain_stop(&dom, STOP_DESTROY);
	expect("pause0 pause1 pause2 kill0 kill1 kill2 ");
	/* None of them is ever ready again. */
	domain_pause(&dom, false);
	expect("");
	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(not_live); i++) {
		setup(NULL);
		dom.state = not_live[i / 2];
		assert_false(domain_is_live(&dom));
		domain_pause(&dom, i & 1);
		expect("");
		assert_int_equal(dom.state, not_live[i / 2]);
		assert_int_equal(dom.lock.tickets, 0);
	}
}

/* Pauses, resumes at `at`; what was taken off. */
static u64 pause_until(u64 at)
{
	u64 was = dom.cntvoff;

	domain_pause(&dom, true);
	assert_int_equal(dom.cntvoff, was);
	now = at;
	domain_pause(&dom, false);
	/* Not once more. */
	now += 1000;
	domain_pause(&dom, false);
	trace[0] = '\0';
	return dom.cntvoff - was;
}

/* Virtual time stands still from when the last vCPU has left the guest. */
static void test_pause_time(void **state)
{
	(void)state;
	dom.cntvoff = 500;
	memcpy(out_since, (u64[]){7000, 9000, 8000}, sizeof(out_since));
	assert_int_equal(pause_until(10000), 1000);
	assert_int_equal(dom.cntvoff, 1500);
	/* Each pause by itself; here with the last one in another place. */
	memcpy(out_since, (u64[]){20000, 11000, 12000}, sizeof(out_since));
	assert_int_equal(pause_until(50000), 30000);
	assert_int_equal(dom.cntvoff, 31500);
	/* One has not left: it may read the counter still. */
	for (unsigned int i = 0; i < NR_VCPUS; i++) {
		memcpy(out_since, (u64[]){52000, 52000, 52000},
		       sizeof(out_since));
		out_since[i] = ~0UL;
		assert_int_equal(pause_until(60000), 0);
	}
	/* At this very moment. */
	out_since[2] = 70000;
	assert_int_equal(pause_until(70000), 0);
	/* Paused twice is paused once. */
	memcpy(out_since, (u64[]){71000, 72000, 73000}, sizeof(out_since));
	domain_pause(&dom, true);
	now = 80000;
	assert_int_equal(pause_until(100000), 27000);
}

/* What the hardware knows is kept before it is stopped; who it was, too. */
static void test_crash(void **state)
{
	char reason[200];

	(void)state;
	domain_crash(&vcpus[1], "PC %#lx, %s", 0x40000000UL, "odd");
	expect("log fault1 kill0 kill1 kill2 ");
	assert_ptr_equal(dom.crashed, &vcpus[1]);
	expect_log("d7 web: crashed: PC 0x40000000, odd|");
	assert_int_equal(dom.stop_reason, STOP_CRASH);
	/* A second vCPU's tells too, and changes nothing. */
	domain_crash(&vcpus[2], "too");
	expect("log fault2 ");
	expect_log("d7 web: crashed: too|");
	/* One that another one has reset first stays reset. */
	setup(NULL);
	domain_stop(&dom, STOP_RESET);
	domain_crash(&vcpus[0], "late");
	expect("kill0 kill1 kill2 log fault0 ");
	assert_int_equal(dom.stop_reason, STOP_RESET);
	/* A reason as long as a guest can make it. */
	memset(reason, 'x', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	logged[0] = '\0';
	domain_crash(&vcpus[0], "%s", reason);
	assert_int_equal(strlen(logged), strlen("d7 web: crashed: |") + 127);
}

/* Whichever is the last one, and only then. */
static void test_leave(void **state)
{
	(void)state;
	for (unsigned int last = 0; last < NR_VCPUS; last++) {
		setup(NULL);
		domain_stop(&dom, STOP_OFF);
		for (unsigned int i = 0; i < NR_VCPUS; i++) {
			assert_int_equal(nr_left, 0);
			nr_leave = NR_VCPUS - i;
			domain_vcpu_left(&vcpus[(last + 1 + i) % NR_VCPUS]);
		}
		assert_int_equal(nr_left, 1);
		assert_int_equal(dom.state, DOMAIN_SHUTTING_DOWN);
		expect("kill0 kill1 kill2 unwatch ");
	}
}

/* The worker may be faster than who told it: the domain is gone then. */
static void test_leave_and_free(void **state)
{
	struct vcpu v = {.id = 1};

	(void)state;
	to_free = v.domain = calloc(1, sizeof(*v.domain));
	assert_non_null(to_free);
	spin_init(&to_free->lock, RANK_DOMAIN);
	to_free->id = 7;
	to_free->nr_inside = 1;
	domain_vcpu_left(&v);
	assert_int_equal(nr_left, 1);
	assert_null(to_free);
}

/* Users' scripts read them, and guests. */
static void test_names(void **state)
{
	static const char *const names[] = {
		[STOP_NONE] = "power-on",     [STOP_OFF] = "off",
		[STOP_RESET] = "reset",	      [STOP_CRASH] = "crashed",
		[STOP_DESTROY] = "destroyed", [STOP_WATCHDOG] = "watchdog",
		[STOP_RESTART] = "restarted", [STOP_REFUSED] = "refused",
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		assert_string_equal(stop_names[i], names[i]);
}

/* A few lines of each domain, however often it tries. */
static void test_log_once(void **state)
{
	char want[256] = "";

	(void)state;
	for (unsigned int i = 0; i < 100; i++)
		domain_log_once(&dom, "write %u", i);
	for (unsigned int i = 0; i < 4; i++)
		snprintf(want + strlen(want), sizeof(want) - strlen(want),
			 "d7: write %u|", i);
	expect_log(want);
	/* Counted on by CPUs that met here, it would be 0 some day. */
	dom.nr_warned = ~0U;
	domain_log_once(&dom, "more");
	domain_log_once(&dom, "more");
	expect_log("");
	/* Another one's are its own. */
	other.id = 2;
	domain_log_once(&other, "hello");
	expect_log("d2: hello|");
}

static void test_mpidr(void **state)
{
	/* U, MT and RES1 are not affinity. */
	static const u64 noise[] = {0, BIT(31), BIT(30), BIT(24), BIT(40)};
	/* Of no vCPU, some of whose low bits are a vCPU's. */
	static const u64 none[] = {
		3,	0xf,	 0x10,	   0x11,    0x80,	 0x100, 0x101,
		0xffff, 0x10000, 0x800001, BIT(32), BIT(39) | 2, ~0UL,
	};

	(void)state;
	for (unsigned int i = 0; i < NR_VCPUS; i++)
		for (unsigned int n = 0; n < ARRAY_SIZE(noise); n++)
			assert_ptr_equal(domain_vcpu_by_mpidr(&dom, i | noise[n]),
					 &vcpus[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(none); i++)
		assert_null(domain_vcpu_by_mpidr(&dom, none[i]));
	dom.nr_vcpus = CONFIG_MAX_VCPUS;
	for (unsigned int i = 0; i < CONFIG_MAX_VCPUS; i++) {
		dom.vcpus[i] = &vcpus[i];
		assert_ptr_equal(domain_vcpu_by_mpidr(&dom, vcpu_mpidr(i)),
				 &vcpus[i]);
	}
	assert_null(domain_vcpu_by_mpidr(&dom, vcpu_mpidr(CONFIG_MAX_VCPUS)));
}

static void in_threads(void *(*fn)(void *))
{
	pthread_t t[NR_THREADS];

	threads = true;
	alarm(60);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, fn, &cpus[i]), 0);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	alarm(0);
	threads = false;
}

static void *leaver(void *cpu)
{
	host_this_cpu = cpu;
	for (unsigned int i = 0; i < LEAVES; i++)
		domain_vcpu_left(&vcpus[0]);
	return NULL;
}

/* Exactly one of those that leave at once is the last one. */
static void test_leave_at_once(void **state)
{
	(void)state;
	dom.nr_inside = NR_THREADS * LEAVES;
	in_threads(leaver);
	assert_int_equal(dom.nr_inside, 0);
	assert_int_equal(nr_left, 1);
}

static pthread_barrier_t all;

static void *stopper(void *cpu)
{
	unsigned int id = (unsigned int)((struct cpu *)cpu - cpus);

	host_this_cpu = cpu;
	for (unsigned int i = 0; i < 2000; i++) {
		pthread_barrier_wait(&all);
		domain_stop(&dom, id + 1);
		pthread_barrier_wait(&all);
		if (id)
			continue;
		for (unsigned int v = 0; v < NR_VCPUS; v++)
			if (nr_kills[v] != i + 1)
				abort();
		dom.state = DOMAIN_RUNNING;
	}
	return NULL;
}

/* Each vCPU is let go of once, or it would be counted twice. */
static void test_stop_at_once(void **state)
{
	(void)state;
	assert_int_equal(pthread_barrier_init(&all, NULL, NR_THREADS), 0);
	in_threads(stopper);
	pthread_barrier_destroy(&all);
	for (unsigned int v = 0; v < NR_VCPUS; v++)
		assert_int_equal(nr_kills[v], 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_parts, setup),
		cmocka_unit_test_setup(test_start, setup),
		cmocka_unit_test_setup(test_stop, setup),
		cmocka_unit_test_setup(test_pause, setup),
		cmocka_unit_test_setup(test_pause_time, setup),
		cmocka_unit_test_setup(test_crash, setup),
		cmocka_unit_test_setup(test_leave, setup),
		cmocka_unit_test_setup(test_leave_and_free, setup),
		cmocka_unit_test_setup(test_names, setup),
		cmocka_unit_test_setup(test_log_once, setup),
		cmocka_unit_test_setup(test_mpidr, setup),
		cmocka_unit_test_setup(test_leave_at_once, setup),
		cmocka_unit_test_setup(test_stop_at_once, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
