/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stolen time over the life of a vCPU, with the scheduler that counts it and
 * the calls of a guest: off and on again, and paused. Asked for once.
 */
#include "schedhost.h"

#include <skerry/arch/cache.h>
#include <skerry/arch/mmu.h>
#include <skerry/psci.h>
#include <skerry/pvtime.h>

#define CPU_OFF	    0x84000002UL
#define CPU_ON	    0xc4000003UL
#define PV_ST	    0xc5000021UL
#define ENTRY	    0x40080000UL
#define NS_PER_TICK 16
#define IT	    1 /* vCPU 0 of a domain */
#define OTHER	    2 /* vCPU 1 of it, which never waits */

static struct pvtime page[CONFIG_MAX_VCPUS];
static u64 want; /* ticks that IT was ready and did not run */

bool fault_hits(void)
{
	return false;
}
unsigned int smccc_workarounds(void)
{
	return 0;
}
void cache_clean_inval(const void *p, u64 size)
{
	fail();
}
int stage2_map(struct stage2 *s2, ipa_t ipa, paddr_t pa, u64 size,
	       unsigned int flags)
{
	fail();
	return 0;
}
int stage2_lookup(struct stage2 *s2, ipa_t ipa, struct pgtable_leaf *leaf)
{
	assert_int_equal(ipa.v, ENTRY);
	leaf->flags = PGT_R | PGT_X;
	return 0;
}
struct vcpu *domain_vcpu_by_mpidr(struct domain *d, u64 mpidr)
{
	return d->vcpus[mpidr];
}
void domain_stop(struct domain *d, enum stop_reason why)
{
	fail();
}

/* As arch_vcpu_load(). */
static void publish(struct vcpu *v)
{
	if (v->pvtime)
		pvtime_publish(v);
}

static s64 call(unsigned int by, u64 fn, u64 arg)
{
	u64 *x = vcpus[by].arch.regs.x;

	assert_ptr_equal(cpus[0].current, &vcpus[by]);
	x[0] = fn;
	x[1] = arg;
	x[2] = ENTRY;
	x[3] = 7;
	psci_call(&vcpus[by]);
	return (s64)x[0];
}

/* It is ready; until it runs. */
static void waits(void)
{
	while (runs() != IT) {
		now += GRAIN;
		want += GRAIN;
	}
	assert_int_equal(page[0].stolen, want * NS_PER_TICK);
}

/* It runs until its slice is over, and waits for the other one's. */
static void shares(void)
{
	u64 was = want;

	while (runs() == IT)
		now += GRAIN;
	waits();
	assert_true(want > was);
}

/* It sleeps for long, whatever for, and nothing is counted. */
static void sleeps(void)
{
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(run(SLICE), OTHER);
	assert_int_equal(page[0].stolen, want * NS_PER_TICK);
}

static int begin(void **state)
{
	setup(state);
	memset(page, 0, sizeof(page));
	want = 0;
	on_load = publish;
	join(&doms[IT], &vcpus[OTHER]);
	doms[IT].pvtime = page;
	start(IT);
	assert_int_equal(call(IT, PV_ST, 0), 0x22004000);
	wake(OTHER);
	shares();
	return 0;
}

static void goes_off_and_on(unsigned int times)
{
	assert_int_equal(cpus[0].sched.running - vcpus, IT);
	call(IT, CPU_OFF, 0);
	sleeps();
	assert_int_equal(vcpus[IT].state, VCPU_OFF);
	assert_int_equal(call(OTHER, CPU_ON, 0), PSCI_SUCCESS);
	waits();
	assert_int_equal(vcpus[IT].state, VCPU_ON);
	/* As after power-on in everything else. */
	assert_int_equal(books[IT].resets, times);
	assert_int_equal(books[IT].starts, times);
	assert_ptr_equal(vcpus[IT].pvtime, page);
	shares();
}

static void test_off_and_on(void **state)
{
	(void)state;
	for (unsigned int times = 1; times < 4; times++)
		goes_off_and_on(times);
}

static void pauses(void)
{
	remote(sched_pause, IT);
	sleeps();
	remote(sched_resume, IT);
}

static void test_pause(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		pauses();
		waits();
		shares();
	}
	/* While it waits for an interrupt, which comes meanwhile. */
	sched_block(&vcpus[IT]);
	assert_int_equal(runs(), OTHER);
	remote(sched_pause, IT);
	wake(IT);
	sleeps();
	remote(sched_resume, IT);
	waits();
	shares();
	/* While it is off: it stays so, and goes on when it is on. */
	call(IT, CPU_OFF, 0);
	assert_int_equal(runs(), OTHER);
	pauses();
	sleeps();
	assert_int_equal(call(OTHER, CPU_ON, 0), PSCI_SUCCESS);
	waits();
	shares();
	goes_off_and_on(2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_off_and_on, begin),
		cmocka_unit_test_setup(test_pause, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
