/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stolen time: what the calls answer, by number and by width; the page, which
 * is clean in memory before a guest can see it and is mapped for reading only;
 * each vCPU's structure in it, and the figures there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <skerry/arch/cache.h>
#include <skerry/arch/mmu.h>
#include <skerry/domain.h>
#include <skerry/layout.h>
#include <skerry/psci.h>
#include <skerry/pvtime.h>

#define FEATURES     0xc5000020UL
#define ST	     0xc5000021UL
#define SMC64	     BIT(30)
#define SMC_FEATURES 0x80000001UL
#define GARBAGE	     0xdeadbeef00000000UL
#define PAGES	     2

static u8 memory[PAGES * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static struct domain d;
static struct vcpu vcpus[CONFIG_MAX_VCPUS];
static u64 freq;
static int map_error;
static unsigned int cleans, maps;

u64 time_freq(void)
{
	return freq;
}
void cache_clean_inval(const void *p, u64 size)
{
	/* All of it, and not after the guest can read it. */
	assert_int_equal(maps, 0);
	assert_ptr_equal(p, d.pvtime);
	assert_int_equal(size, PAGE_SIZE);
	cleans++;
}
int stage2_map(struct stage2 *s2, ipa_t ipa, paddr_t pa, u64 size,
	       unsigned int flags)
{
	assert_ptr_equal(s2, &d.s2);
	assert_int_equal(cleans, 1);
	assert_int_equal(ipa.v, 0x22004000);
	assert_int_equal(pa.v, direct_pa(d.pvtime).v);
	assert_int_equal(size, PAGE_SIZE);
	assert_int_equal(flags, PGT_R);
	maps++;
	return map_error;
}
bool fault_hits(void)
{
	return false;
}
unsigned int smccc_workarounds(void)
{
	return 0;
}
/* The calls of psci.c that are not tested here. */
void domain_stop(struct domain *dom, enum stop_reason why)
{
	fail();
}
void sched_wake(struct vcpu *v)
{
	fail();
}
void sched_block(struct vcpu *v)
{
	fail();
}
void lock_rank_take(struct spinlock *l)
{
	fail();
}
void lock_rank_drop(struct spinlock *l)
{
	fail();
}
struct vcpu *domain_vcpu_by_mpidr(struct domain *dom, u64 mpidr)
{
	fail();
	return NULL;
}
int stage2_lookup(struct stage2 *s2, ipa_t ipa, struct pgtable_leaf *leaf)
{
	fail();
	return 0;
}

static void pool_of(u64 pages)
{
	memset(&d, 0, sizeof(d));
	memset(memory, 0, sizeof(memory));
	memset(vcpus, 0, sizeof(vcpus));
	cleans = maps = 0;
	map_error = 0;
	freq = 1000000000;
	pool_init(&d.pool, memory, pages * PAGE_SIZE);
	d.nr_vcpus = CONFIG_MAX_VCPUS;
	for (unsigned int i = 0; i < CONFIG_MAX_VCPUS; i++) {
		vcpus[i].domain = &d;
		vcpus[i].id = i;
		d.vcpus[i] = &vcpus[i];
	}
}

static int setup(void **state)
{
	(void)state;
	pool_of(PAGES);
	assert_int_equal(pvtime_part.domain_init(&d, NULL), 0);
	return 0;
}

static s64 call(unsigned int by, u64 fn, u64 arg)
{
	u64 *x = vcpus[by].arch.regs.x;

	x[0] = fn;
	x[1] = arg;
	assert_false(psci_call(&vcpus[by]));
	assert_int_equal(x[1], arg);
	return (s64)x[0];
}

static void test_page(void **state)
{
	(void)state;
	assert_int_equal(maps, 1);
	assert_true((u8 *)d.pvtime >= memory);
	assert_true((u8 *)d.pvtime + PAGE_SIZE <= memory + sizeof(memory));
	assert_true(is_aligned((u64)d.pvtime, PAGE_SIZE));
	/* Nothing else of the pool is in it. */
	assert_true(d.pool.used <= PAGE_SIZE);
	assert_true(sizeof(struct pvtime) * CONFIG_MAX_VCPUS <= PAGE_SIZE);
	pool_of(0);
	assert_int_equal(pvtime_part.domain_init(&d, NULL), -ENOMEM);
	assert_int_equal(maps, 0);
	pool_of(PAGES);
	map_error = -ENOMEM;
	assert_int_equal(pvtime_part.domain_init(&d, NULL), -ENOMEM);
	/* A page of its own behind what is smaller. */
	pool_of(PAGES);
	assert_ptr_equal(pool_alloc(&d.pool, 8, 8), memory);
	assert_int_equal(pvtime_part.domain_init(&d, NULL), 0);
	assert_ptr_equal(d.pvtime, memory + PAGE_SIZE);
}

static void test_features(void **state)
{
	(void)state;
	assert_int_equal(call(0, SMC_FEATURES, FEATURES), 0);
	assert_int_equal(call(0, SMC_FEATURES, GARBAGE | FEATURES), 0);
	assert_int_equal(call(0, SMC_FEATURES, FEATURES & ~SMC64), -1);
	for (u64 fn = FEATURES - 0x40; fn < ST + 0x40; fn++) {
		bool there = fn == FEATURES || fn == ST;

		for (unsigned int up = 0; up < 2; up++) {
			u64 arg = fn | (up ? GARBAGE : 0);

			assert_int_equal(call(0, FEATURES, arg), there ? 0 : -1);
			assert_int_equal(call(0, GARBAGE | FEATURES, arg),
					 there ? 0 : -1);
			/* The 32-bit forms are no functions. */
			assert_int_equal(call(0, FEATURES, arg & ~SMC64), -1);
			assert_int_equal(call(0, FEATURES & ~SMC64, arg), -1);
		}
		if (!there)
			assert_int_equal(call(0, fn, FEATURES), -1);
	}
	assert_int_equal(call(0, FEATURES, 0), -1);
	assert_int_equal(call(0, FEATURES, ~0UL), -1);
	assert_int_equal(call(0, ST & ~SMC64, 0), -1);
	/* To ask what there is, is not to ask for it. */
	assert_null(vcpus[0].pvtime);
}

static void test_address(void **state)
{
	static const u8 zeros[PAGE_SIZE];

	(void)state;
	for (unsigned int i = 0; i < CONFIG_MAX_VCPUS; i++) {
		s64 want = 0x22004000 + 64 * i;

		assert_null(vcpus[i].pvtime);
		assert_int_equal(call(i, ST, ~0UL), want);
		assert_int_equal(call(i, GARBAGE | ST, 5), want);
		assert_ptr_equal(vcpus[i].pvtime, (u8 *)d.pvtime + 64 * i);
	}
	/* Revision, attributes and padding too, and nobody has waited. */
	assert_memory_equal(d.pvtime, zeros, PAGE_SIZE);
}

static u64 stolen(unsigned int of)
{
	u64 ns;

	memcpy(&ns, (u8 *)d.pvtime + 64 * of + 8, sizeof(ns));
	return ns;
}

static void test_publish(void **state)
{
	u8 rest[PAGE_SIZE] = {0};

	(void)state;
	/* What it waited before it asked is in it as well. */
	vcpus[1].sched.waited = 1234;
	call(1, ST, 0);
	assert_int_equal(stolen(1), 1234);
	vcpus[1].sched.waited = 5000;
	assert_int_equal(stolen(1), 1234);
	pvtime_publish(&vcpus[1]);
	assert_int_equal(stolen(1), 5000);
	/* Asked again: it goes on. */
	call(1, ST, 0);
	assert_int_equal(stolen(1), 5000);
	memcpy(rest + 64 + 8, &(u64){5000}, 8);
	assert_memory_equal(d.pvtime, rest, PAGE_SIZE);
}

/* To the nanosecond, for frequencies that boards have, over years. */
static void test_nanoseconds(void **state)
{
	static const u64 freqs[] = {1000000,  8000000,	19200000, 24000000,
				    54000000, 62500000, 33333333, 1000000000};
	const u64 year = 365UL * 24 * 3600;
	u64 last;

	(void)state;
	call(0, ST, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(freqs); i++) {
		freq = freqs[i];
		last = 0;
		for (u64 t = 1; t / freq < 400 * year; t += t / 3 + 1) {
			vcpus[0].sched.waited = t;
			pvtime_publish(&vcpus[0]);
			assert_true(stolen(0) ==
				    (u64)((__uint128_t)t * 1000000000 / freq));
			assert_true(stolen(0) >= last);
			last = stolen(0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_page, setup),
		cmocka_unit_test_setup(test_features, setup),
		cmocka_unit_test_setup(test_address, setup),
		cmocka_unit_test_setup(test_publish, setup),
		cmocka_unit_test_setup(test_nanoseconds, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
