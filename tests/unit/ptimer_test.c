/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guests' physical timer on the CPU's list of timers: register semantics,
 * the interrupt line, when EL2's timer is armed, and a random run of two vCPUs
 * against a naive model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <skerry/arch/timer.h>
#include <skerry/cpu.h>
#include <skerry/domain.h>
#include <skerry/layout.h>
#include <skerry/ptimer.h>

#define NR_VCPUS 2
#define START	 0x100000000000UL
#define OFF	 (~0UL)
#define ENABLE	 1
#define IMASK	 2
#define ISTATUS	 4

static struct cpu host_cpu;
static struct vcpu vcpus[NR_VCPUS];
static bool line[NR_VCPUS];
static unsigned int due[NR_VCPUS];
static u64 now, armed; /* what EL2's timer is set to */
static u64 was_due;    /* when the last interrupt was, by the record */

struct cpu *host_this_cpu = &host_cpu;
void (*host_barrier)(const char *name);

u64 time_now(void)
{
	return now;
}
void arch_timer_set(u64 deadline)
{
	armed = deadline;
}
void arch_timer_off(void)
{
	armed = OFF;
}
void vgic_set_private(struct vcpu *v, unsigned int intid, bool level)
{
	assert_int_equal(intid, GUEST_PTIMER_INTID);
	line[v - vcpus] = level;
	was_due = v->sched.due;
}

void vgic_timer_due(struct vcpu *v)
{
	due[v - vcpus]++;
	was_due = v->sched.due;
}

static int setup(void **state)
{
	struct domain d = {.nr_vcpus = 0};

	(void)state;
	memset(vcpus, 0, sizeof(vcpus));
	memset(line, 0, sizeof(line));
	memset(due, 0, sizeof(due));
	now = START;
	armed = 0;
	time_init_cpu();
	assert_int_equal(armed, OFF);
	for (unsigned int i = 0; i < NR_VCPUS; i++)
		d.vcpus[d.nr_vcpus++] = &vcpus[i];
	assert_int_equal(ptimer_part.domain_init(&d, NULL), 0);
	return 0;
}

static void wr(enum ptimer_reg reg, u64 val)
{
	ptimer_write(&vcpus[0], reg, val);
}
static u64 rd(enum ptimer_reg reg)
{
	return ptimer_read(&vcpus[0], reg);
}

/* Time passes; the interrupt of EL2's timer comes when it is due. */
static void advance(u64 to)
{
	now = to;
	if (armed <= now)
		time_irq();
}

/* For the record of wakes: when it was due, however late EL2 takes it. */
static void test_due(void **state)
{
	(void)state;
	wr(PTIMER_CVAL, START + 100);
	wr(PTIMER_CTL, ENABLE);
	assert_int_equal(was_due, 0);
	advance(START + 150);
	assert_true(line[0]);
	assert_int_equal(was_due, START + 100);
	assert_int_equal(vcpus[0].sched.due, 0);
	timer_arm(&vcpus[1].vtimer, START + 200);
	advance(START + 300);
	assert_int_equal(due[1], 1);
	assert_int_equal(was_due, START + 200);
	assert_int_equal(vcpus[1].sched.due, 0);
}

/*
 * EL2's stand-in for the virtual timer is for one that waits. A paused one has
 * another time; a ready one, as each is after a pause, will look itself.
 */
static void test_not_waiting(void **state)
{
	for (unsigned int i = 0; i < 4; i++) {
		setup(state);
		vcpus[0].sched.paused = i & 1;
		vcpus[0].sched.ready = i & 2;
		timer_arm(&vcpus[0].vtimer, START + 200);
		advance(START + 200);
		assert_int_equal(due[0], !i);
		assert_int_equal(vcpus[0].sched.due, 0);
		/* Once, and not again. */
		assert_int_equal(armed, OFF);
	}
}

/* The physical timer goes on: its line rises, and stays for the guest. */
static void test_paused(void **state)
{
	(void)state;
	wr(PTIMER_CVAL, START + 100);
	wr(PTIMER_CTL, ENABLE);
	vcpus[0].sched.paused = true;
	advance(START + 150);
	assert_true(line[0]);
	vcpus[0].sched.paused = false;
	assert_int_equal(rd(PTIMER_CTL), ENABLE | ISTATUS);
	assert_int_equal((s32)rd(PTIMER_TVAL), -50);
}

static void test_ctl(void **state)
{
	(void)state;
	assert_int_equal(rd(PTIMER_CTL), 0);
	wr(PTIMER_CVAL, START + 100);
	/* Disabled: neither armed nor met. */
	assert_int_equal(armed, OFF);
	/* Two bits can be written; the status is not one of them. */
	wr(PTIMER_CTL, ~0UL);
	assert_int_equal(rd(PTIMER_CTL), ENABLE | IMASK);
	wr(PTIMER_CTL, ENABLE | ISTATUS);
	assert_int_equal(rd(PTIMER_CTL), ENABLE);
	assert_int_equal(armed, START + 100);
	now = START + 99;
	assert_int_equal(rd(PTIMER_CTL), ENABLE);
	now = START + 100;
	assert_int_equal(rd(PTIMER_CTL), ENABLE | ISTATUS);
	now = ~0UL;
	assert_int_equal(rd(PTIMER_CTL), ENABLE | ISTATUS);
	wr(PTIMER_CTL, 0);
	assert_int_equal(rd(PTIMER_CTL), 0);
}

static void test_cval(void **state)
{
	static const u64 vals[] = {0,	      1,	   START - 1, START,
				   START + 1, BIT(63) - 1, BIT(63),   ~0UL};

	(void)state;
	wr(PTIMER_CTL, ENABLE);
	for (unsigned int i = 0; i < ARRAY_SIZE(vals); i++) {
		bool met = vals[i] <= START;

		wr(PTIMER_CVAL, vals[i]);
		assert_int_equal(rd(PTIMER_CVAL), vals[i]);
		assert_int_equal(rd(PTIMER_CTL), ENABLE | (met ? ISTATUS : 0));
		assert_int_equal(line[0], met);
		assert_int_equal(armed, met ? OFF : vals[i]);
	}
}

static void test_tval(void **state)
{
	static const u64 vals[] = {0,
				   1,
				   0x7fffffff,
				   0x80000000,
				   0xffffffff,
				   0xdeadbeef00000005,
				   0xffffffff80000001};

	(void)state;
	wr(PTIMER_CTL, ENABLE);
	for (unsigned int i = 0; i < ARRAY_SIZE(vals); i++) {
		s64 distance = (s64)(s32)(u32)vals[i];

		now = START;
		wr(PTIMER_TVAL, vals[i]);
		assert_int_equal(rd(PTIMER_CVAL), START + (u64)distance);
		assert_int_equal(line[0], distance <= 0);
		assert_int_equal(rd(PTIMER_TVAL), (u32)vals[i]);
		/* It counts down, through zero, in 32 bits. */
		now = START + 7;
		assert_int_equal(rd(PTIMER_TVAL), (u32)(vals[i] - 7));
		assert_int_equal(rd(PTIMER_CVAL), START + (u64)distance);
	}
	/* Around the ends of the counter. */
	now = 5;
	wr(PTIMER_TVAL, (u32)-10);
	assert_int_equal(rd(PTIMER_CVAL), (u64)-5);
	now = ~0UL - 5;
	wr(PTIMER_TVAL, 10);
	assert_int_equal(rd(PTIMER_CVAL), 4);
}

static void test_expiry(void **state)
{
	(void)state;
	wr(PTIMER_TVAL, 1000);
	wr(PTIMER_CTL, ENABLE);
	advance(START + 999);
	assert_false(line[0]);
	assert_int_equal(armed, START + 1000);
	advance(START + 1000);
	assert_true(line[0]);
	/* Nothing to wait for until the guest asks again. */
	assert_int_equal(armed, OFF);
	advance(START + 5000);
	assert_true(line[0]);
	/* The guest's handler: next tick, and the line falls. */
	wr(PTIMER_CVAL, START + 6000);
	assert_false(line[0]);
	assert_int_equal(armed, START + 6000);
	advance(START + 7000);
	assert_true(line[0]);
	wr(PTIMER_CTL, 0);
	assert_false(line[0]);
	assert_int_equal(armed, OFF);
}

static void test_mask(void **state)
{
	(void)state;
	/* Masked: no interrupt and no work for EL2, but the status tells. */
	wr(PTIMER_CTL, ENABLE | IMASK);
	wr(PTIMER_TVAL, 100);
	assert_int_equal(armed, OFF);
	advance(START + 100);
	assert_false(line[0]);
	assert_int_equal(rd(PTIMER_CTL), ENABLE | IMASK | ISTATUS);
	/* Unmasked after it was met, and masked again. */
	wr(PTIMER_CTL, ENABLE);
	assert_true(line[0]);
	wr(PTIMER_CTL, ENABLE | IMASK);
	assert_false(line[0]);
	/* Masked while it runs, unmasked before it is met. */
	wr(PTIMER_CTL, ENABLE);
	wr(PTIMER_TVAL, 100);
	wr(PTIMER_CTL, ENABLE | IMASK);
	assert_int_equal(armed, OFF);
	wr(PTIMER_CTL, ENABLE);
	assert_int_equal(armed, now + 100);
	assert_false(line[0]);
}

static void test_cancel(void **state)
{
	(void)state;
	wr(PTIMER_TVAL, 100);
	wr(PTIMER_CTL, ENABLE);
	wr(PTIMER_CTL, 0);
	assert_int_equal(armed, OFF);
	advance(START + 200);
	assert_false(line[0]);
	/* An interrupt of EL2's timer with nothing due changes nothing. */
	wr(PTIMER_TVAL, 100);
	wr(PTIMER_CTL, ENABLE);
	time_irq();
	assert_false(line[0]);
	assert_int_equal(armed, now + 100);
	/* Set further away: the earlier time is forgotten. */
	wr(PTIMER_TVAL, 300);
	assert_int_equal(armed, now + 300);
	advance(now + 299);
	assert_false(line[0]);
	advance(now + 1);
	assert_true(line[0]);
}

static void test_two_timers(void **state)
{
	(void)state;
	wr(PTIMER_CTL, ENABLE);
	wr(PTIMER_TVAL, 200);
	ptimer_write(&vcpus[1], PTIMER_CTL, ENABLE);
	ptimer_write(&vcpus[1], PTIMER_TVAL, 100);
	/* The nearer one is armed, then the other one. */
	assert_int_equal(armed, START + 100);
	advance(START + 150);
	assert_true(line[1] && !line[0]);
	assert_int_equal(armed, START + 200);
	ptimer_write(&vcpus[1], PTIMER_TVAL, 50);
	/* Both at one time. */
	advance(START + 200);
	assert_true(line[0] && line[1]);
	assert_int_equal(armed, OFF);
}

struct model {
	u64 ctl, cval;
};

static void check_model(const struct model *m)
{
	u64 first = OFF;

	for (unsigned int i = 0; i < NR_VCPUS; i++) {
		bool met = (m[i].ctl & ENABLE) && now >= m[i].cval;

		assert_int_equal(ptimer_read(&vcpus[i], PTIMER_CTL),
				 m[i].ctl | (met ? ISTATUS : 0));
		assert_int_equal(ptimer_read(&vcpus[i], PTIMER_CVAL), m[i].cval);
		assert_int_equal(ptimer_read(&vcpus[i], PTIMER_TVAL),
				 (u32)(m[i].cval - now));
		assert_int_equal(line[i], met && !(m[i].ctl & IMASK));
		if (m[i].ctl == ENABLE && !met)
			first = min(first, m[i].cval);
	}
	assert_int_equal(armed, first);
}

static void test_random(void **state)
{
	struct model model[NR_VCPUS];
	unsigned int seed = 29;

	(void)state;
	memset(model, 0, sizeof(model));
	for (unsigned int n = 0; n < 200000; n++) {
		unsigned int i = (unsigned int)rand_r(&seed) % NR_VCPUS;
		u64 r = (u64)rand_r(&seed);

		switch (rand_r(&seed) % 4) {
		case 0:
			model[i].ctl = r & 3;
			ptimer_write(&vcpus[i], PTIMER_CTL, r);
			break;
		case 1:
			model[i].cval = now + r % 1000 - 300;
			ptimer_write(&vcpus[i], PTIMER_CVAL, model[i].cval);
			break;
		case 2:
			r = (u32)(r % 1000 - 300);
			model[i].cval = now + (u64)(s32)r;
			ptimer_write(&vcpus[i], PTIMER_TVAL, r);
			break;
		default:
			advance(now + r % 300);
		}
		check_model(model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_ctl, setup),
		cmocka_unit_test_setup(test_due, setup),
		cmocka_unit_test_setup(test_not_waiting, setup),
		cmocka_unit_test_setup(test_paused, setup),
		cmocka_unit_test_setup(test_cval, setup),
		cmocka_unit_test_setup(test_tval, setup),
		cmocka_unit_test_setup(test_expiry, setup),
		cmocka_unit_test_setup(test_mask, setup),
		cmocka_unit_test_setup(test_cancel, setup),
		cmocka_unit_test_setup(test_two_timers, setup),
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
