/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a domain: start, pause, stop and crash in each state, the last
 * of its CPUs to let go of it, what happens at its end and at that of all,
 * each in its order; warnings that cannot flood, and MPIDRs from guests. CPUs
 * that stop or leave it at once are threads.
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

#include <skerry/build.h>
#include <skerry/cpu.h>
#include <skerry/domain.h>
#include <skerry/fmt.h>
#include <skerry/psci.h>

#define NR_VCPUS   3
#define NR_THREADS 3
#define LEAVES	   100000

struct cpu cpus[CONFIG_NR_CPUS];
unsigned int nr_cpus = 4;
_Thread_local struct cpu *host_this_cpu = &cpus[0];
struct build build;

static struct domain dom, other;
static struct vcpu vcpus[CONFIG_MAX_VCPUS];
static char trace[512]; /* what happened, by name */
static char logged[1024];
static unsigned int nr_kills[NR_VCPUS], nr_submits;
static u64 now, out_since[NR_VCPUS];
static unsigned int nr_leave; /* inside, when vCPU 0 leaves */
static void (*finish)(struct work *w);
static bool threads;
static jmp_buf out; /* of what does not return */

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
	if (dom.state != DOMAIN_STOPPING || !dom.lock.tickets)
		abort();
	nr_kills[id_of(v)]++;
	if (!threads)
		note("kill%u", id_of(v));
}
void sched_pause(struct vcpu *v)
{
	assert_true(dom.paused && dom.lock.tickets);
	note("pause%u", id_of(v));
}
/* Nobody may be about to run: the offset changes after this. */
u64 sched_out_since(struct vcpu *v)
{
	assert_true(dom.paused && dom.lock.tickets);
	return out_since[id_of(v)];
}
void sched_resume(struct vcpu *v)
{
	assert_true(!dom.paused && dom.lock.tickets);
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
void work_submit(struct work *w, void (*fn)(struct work *w))
{
	/* Ranks: nothing of the domain's is held. */
	if (w != &dom.end || (!threads && dom.lock.tickets))
		abort();
	finish = fn;
	__atomic_fetch_add(&nr_submits, 1, __ATOMIC_RELAXED);
}
void arch_vcpu_dump(const struct vcpu *v)
{
	note("dump%u", id_of(v));
}
void arch_vcpu_dump_parked(const struct vcpu *v)
{
	assert_int_equal(dom.state, DOMAIN_STOPPING);
	assert_int_equal(dom.nr_inside, 0);
	note("parked%u", id_of(v));
}
void work_point(void)
{
	note("point");
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
	assert_false(d->paused);
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
/* Until all is done, the domain is not off: nobody may take it for that. */
void console_guest_flush(struct domain *d)
{
	assert_int_equal(d->state, DOMAIN_STOPPING);
	note("flush");
}
void stage2_exit(struct stage2 *s2)
{
	assert_ptr_equal(s2, &dom.s2);
	assert_int_equal(dom.state, DOMAIN_STOPPING);
	note("unmap");
}
void build_release_ram(struct domain *d)
{
	assert_int_equal(d->state, DOMAIN_STOPPING);
	note("release");
}
void console_leave_input(const struct domain *d)
{
	assert_int_equal(d->state, DOMAIN_OFF);
	note("input");
}
void console_sync(void)
{
	note("sync");
}
void arch_poweroff(void)
{
	note("poweroff");
	longjmp(out, 1);
}
void arch_reboot(void)
{
	note("reboot");
	longjmp(out, 1);
}

static int setup(void **state)
{
	(void)state;
	memset(domains, 0, sizeof(domains));
	memset(&dom, 0, sizeof(dom));
	memset(&other, 0, sizeof(other));
	memset(vcpus, 0, sizeof(vcpus));
	memset(&build, 0, sizeof(build));
	memset(trace, 0, sizeof(trace));
	memset(logged, 0, sizeof(logged));
	memset(nr_kills, 0, sizeof(nr_kills));
	memset(out_since, 0, sizeof(out_since));
	now = 0;
	nr_submits = 0;
	finish = NULL;
	threads = false;
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
	build.when_all_off = ALL_OFF_STAY;
	return 0;
}

/* Some other state than DOMAIN_RUNNING. */
static const u32 not_running[] = {DOMAIN_BUILDING, DOMAIN_STOPPING, DOMAIN_OFF};

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

/* The first reason wins; what does not run cannot be stopped. */
static void test_stop(void **state)
{
	(void)state;
	domain_stop(&dom, STOP_RESET);
	expect("kill0 kill1 kill2 ");
	assert_int_equal(dom.state, DOMAIN_STOPPING);
	assert_int_equal(dom.stop_reason, STOP_RESET);
	domain_stop(&dom, STOP_DESTROY);
	expect("");
	assert_int_equal(dom.stop_reason, STOP_RESET);
	assert_int_equal(dom.lock.tickets, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(not_running); i++) {
		setup(NULL);
		dom.state = not_running[i];
		domain_stop(&dom, STOP_CRASH);
		expect("");
		assert_int_equal(dom.state, not_running[i]);
		assert_int_equal(dom.stop_reason, 0);
		assert_int_equal(dom.lock.tickets, 0);
	}
}

static void test_pause(void **state)
{
	(void)state;
	domain_pause(&dom, true);
	expect("pause0 pause1 pause2 ");
	assert_true(dom.paused);
	/* Still running as far as its end is concerned. */
	assert_int_equal(dom.state, DOMAIN_RUNNING);
	domain_pause(&dom, false);
	expect("rewatch+0 resume0 resume1 resume2 ");
	assert_false(dom.paused);
	/* Not paused: nothing ends. */
	domain_pause(&dom, false);
	expect("resume0 resume1 resume2 ");
	domain_pause(&dom, true);
	domain_stop(&dom, STOP_DESTROY);
	expect("pause0 pause1 pause2 kill0 kill1 kill2 ");
	/* None of them is ever ready again. */
	domain_pause(&dom, false);
	expect("");
	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(not_running); i++) {
		setup(NULL);
		dom.state = not_running[i / 2];
		dom.paused = i & 1;
		domain_pause(&dom, !dom.paused);
		expect("");
		assert_int_equal(dom.paused, i & 1);
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

/* What there is to know is in the log before it is stopped. */
static void test_crash(void **state)
{
	char reason[200];

	(void)state;
	domain_crash(&vcpus[1], "PC %#lx, %s", 0x40000000UL, "odd");
	expect("log dump1 kill0 kill1 kill2 ");
	expect_log("d7 web: crashed: PC 0x40000000, odd|");
	assert_int_equal(dom.stop_reason, STOP_CRASH);
	/* A second vCPU's tells too, and changes nothing. */
	domain_crash(&vcpus[2], "too");
	expect("log dump2 ");
	expect_log("d7 web: crashed: too|");
	/* One that another one has reset first stays reset. */
	setup(NULL);
	domain_stop(&dom, STOP_RESET);
	domain_crash(&vcpus[0], "late");
	expect("kill0 kill1 kill2 log dump0 ");
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
			assert_int_equal(nr_submits, 0);
			nr_leave = NR_VCPUS - i;
			domain_vcpu_left(&vcpus[(last + 1 + i) % NR_VCPUS]);
		}
		assert_int_equal(nr_submits, 1);
		assert_int_equal(dom.state, DOMAIN_STOPPING);
		expect("kill0 kill1 kill2 unwatch ");
	}
}

static void stop_and_end(enum stop_reason why)
{
	domain_stop(&dom, why);
	nr_leave = NR_VCPUS;
	for (unsigned int i = 0; i < NR_VCPUS; i++)
		domain_vcpu_left(&vcpus[i]);
	assert_int_equal(nr_submits, 1);
	trace[0] = logged[0] = '\0';
	if (!setjmp(out))
		finish(&dom.end);
	assert_int_equal(dom.state, DOMAIN_OFF);
}

/* Memory after the last mapping of it, the state after all of it. */
static void test_end(void **state)
{
	(void)state;
	domains[1] = &other;
	other.state = DOMAIN_RUNNING;
	vcpus[0].sched.ran = 625;
	vcpus[1].sched.ran = 62500000UL * 3600;
	vcpus[0].sched.worst_wake = 125;
	vcpus[0].sched.wakes[6] = 3;
	vcpus[1].sched.worst_wake = 250;
	vcpus[1].sched.wakes[6] = 1;
	vcpus[1].sched.wakes[7] = 2;
	vcpus[2].sched.worst_wake = 62;
	vcpus[2].sched.wakes[5] = 1;
	stop_and_end(STOP_OFF);
	expect("flush unmap release log log log input ");
	expect_log("d7 web: ran 3600000010 us|"
		   "d7 web: woken 7 times, at worst in 4000 ns: "
		   "1 within 1024 ns, 4 within 2048 ns, 2 within 4096 ns|"
		   "d7 web: off|");
	assert_int_equal(other.state, DOMAIN_RUNNING);
}

/* What each vCPU was doing, as long as the memory is there. */
static void test_watchdog(void **state)
{
	(void)state;
	domains[1] = &other;
	other.state = DOMAIN_RUNNING;
	vcpus[0].state = vcpus[2].state = VCPU_ON;
	stop_and_end(STOP_WATCHDOG);
	expect("flush parked0 point parked2 point unmap release log log input ");
}

/* A crash has had its line, and so has a watchdog. */
static void test_reasons(void **state)
{
	static const char *const names[] = {
		[STOP_OFF] = "d7 web: off|",
		[STOP_RESET] = "d7 web: reset|",
		[STOP_CRASH] = "",
		[STOP_DESTROY] = "d7 web: destroyed|",
		[STOP_WATCHDOG] = "",
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		char want[128] = "d7 web: ran 0 us|"
				 "d7 web: woken 0 times, at worst in 0 ns|";

		setup(NULL);
		domains[1] = &other;
		other.state = DOMAIN_RUNNING;
		stop_and_end(i);
		expect_log(strcat(want, names[i]));
	}
	assert_string_equal(stop_names[STOP_CRASH], "crashed");
	assert_string_equal(stop_names[STOP_WATCHDOG], "watchdog");
}

/* Any that is not off, in whatever slot, keeps the board on. */
static void test_others(void **state)
{
	static const unsigned int slots[] = {1, 6, 8, CONFIG_MAX_DOMAINS};
	static const u32 states[] = {DOMAIN_BUILDING, DOMAIN_RUNNING,
				     DOMAIN_STOPPING};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(slots); i++)
		for (unsigned int s = 0; s < ARRAY_SIZE(states); s++) {
			setup(NULL);
			build.when_all_off = ALL_OFF_POWEROFF;
			domains[slots[i]] = &other;
			other.state = states[s];
			stop_and_end(STOP_OFF);
			expect("flush unmap release log log log input ");
		}
}

/* The last line is on the wire before the board goes off. */
static void test_all_off(void **state)
{
	static const struct {
		enum when_all_off how;
		const char *end;
	} ways[] = {
		{ALL_OFF_POWEROFF, "poweroff "},
		{ALL_OFF_REBOOT, "reboot "},
		{ALL_OFF_STAY, "input "},
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++) {
		char want[128] = "flush unmap release log log log log sync ";

		setup(NULL);
		build.when_all_off = ways[i].how;
		domains[2] = &other;
		other.state = DOMAIN_OFF;
		stop_and_end(STOP_OFF);
		expect(strcat(want, ways[i].end));
		assert_non_null(strstr(logged, "off|all guests are off|"));
	}
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
	assert_int_equal(nr_submits, 1);
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
		cmocka_unit_test_setup(test_start, setup),
		cmocka_unit_test_setup(test_stop, setup),
		cmocka_unit_test_setup(test_pause, setup),
		cmocka_unit_test_setup(test_pause_time, setup),
		cmocka_unit_test_setup(test_crash, setup),
		cmocka_unit_test_setup(test_leave, setup),
		cmocka_unit_test_setup(test_end, setup),
		cmocka_unit_test_setup(test_watchdog, setup),
		cmocka_unit_test_setup(test_reasons, setup),
		cmocka_unit_test_setup(test_others, setup),
		cmocka_unit_test_setup(test_all_off, setup),
		cmocka_unit_test_setup(test_log_once, setup),
		cmocka_unit_test_setup(test_mpidr, setup),
		cmocka_unit_test_setup(test_leave_at_once, setup),
		cmocka_unit_test_setup(test_stop_at_once, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
