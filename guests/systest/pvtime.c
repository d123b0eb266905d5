/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stolen time (Arm DEN0057A): the calls, the page that is only read, and
 * whether the figure is what this CPU sees missing of the counter's time.
 */
#include "systest.h"

#define NOT_SUPPORTED	(-1)
#define INVALID_ADDRESS (-9)
#define SMC64		BIT(30)
#define PAGE		4096ul
#define STOLEN		8
#define GAP_US		20

static u64 where[MAX_CPUS];

static s64 features(u64 fn)
{
	return (s64)psci(PV_TIME_FEATURES, fn, 0, 0);
}

/* Our map has it as a device: past the cache that EL2 wrote it to. */
static u64 word(u64 a)
{
	cache_clean((void *)a, sizeof(u64));
	return read64(a);
}

static void test_calls(void)
{
	u64 a = psci(PV_TIME_ST, 0, 0, 0);

	ok(psci(SMCCC_ARCH_FEATURES, PV_TIME_FEATURES, 0, 0) == 0,
	   "ARCH_FEATURES has PV_TIME_FEATURES");
	ok(features(PV_TIME_FEATURES) == 0 && features(PV_TIME_ST) == 0,
	   "PV_TIME_FEATURES has itself and PV_TIME_ST");
	ok(features(PV_TIME_ST + 1) == NOT_SUPPORTED &&
		   features(0) == NOT_SUPPORTED &&
		   features(PV_TIME_ST & ~SMC64) == NOT_SUPPORTED &&
		   features(PSCI_VERSION) == NOT_SUPPORTED,
	   "and no other function");
	ok((s64)psci(PV_TIME_ST & ~SMC64, 0, 0, 0) == NOT_SUPPORTED &&
		   (s64)psci(PV_TIME_FEATURES & ~SMC64, PV_TIME_ST, 0, 0) ==
			   NOT_SUPPORTED &&
		   (s64)psci(PV_TIME_ST + 1, 0, 0, 0) == NOT_SUPPORTED,
	   "no calls of 32 bits, nor a third one");
	ok(hvc_call(PV_TIME_ST, 0, 0, 0) == a &&
		   smc_call(PV_TIME_ST, 0, 0, 0) == a,
	   "HVC and SMC, once more: the same address, %lx", a);
	ok((s64)a > 0 && !(a & 63) && !is_ram(a), "which is aligned, not RAM");
}

static void ask(void *arg)
{
	(void)arg;
	WRITE_ONCE(where[this_cpu()->id], psci(PV_TIME_ST, 0, 0, 0));
}

static bool all_as_they_should(u64 page)
{
	bool good = true;

	for (u64 i = 0; i < PAGE; i += 8)
		if (word(page + i) &&
		    (i % 64 != STOLEN || i / 64 >= plat.nr_cpus))
			good = false;
	return good;
}

static void test_structures(void)
{
	bool good = true;

	ask(NULL);
	for (unsigned int c = 1; c < plat.nr_cpus; c++) {
		cpu_start(c, ask, NULL);
		while (!cpu_is_off(c))
			cpu_relax();
	}
	for (unsigned int c = 0; c < plat.nr_cpus; c++)
		good &= where[c] == where[0] + 64 * c;
	ok(good, "each CPU has its own structure");
	ok(all_as_they_should(where[0]), "nothing but times in the page");
}

static void test_writes(u64 page)
{
	struct fault f;
	u64 a = where[0], old = word(a + STOLEN);
	bool good = true;

	for (u64 i = 0; i < PAGE; i += 64) {
		fault_begin(&f);
		write64(page + i + STOLEN, 1);
		good &= external_abort(&f, EC_DABT_CUR, page + i + STOLEN) &&
			f.esr & BIT(6);
	}
	ok(good, "a store to each structure");
	fault_begin(&f);
	write8(a + 1, 1);
	ok(external_abort(&f, EC_DABT_CUR, a + 1), "of a byte");
	fault_begin(&f);
	asm volatile("stp %1, %1, [%0]" ::"r"(a), "r"(-1ul) : "memory");
	ok(external_abort(&f, EC_DABT_CUR, a), "of a pair");
	fault_begin(&f);
	asm volatile("str q0, [%0]" ::"r"(a) : "memory");
	ok(external_abort(&f, EC_DABT_CUR, a), "of a vector");
	ok(all_as_they_should(page) && word(a + STOLEN) - old < 1000000000,
	   "nothing of that is in the page");
}

static void test_page(void)
{
	u64 page = where[0] & ~(PAGE - 1);
	unsigned int last = plat.nr_cpus - 1;
	struct fault f;

	test_writes(page);
	mmu_allow_exec(page);
	for (u64 at = page; at < page + PAGE; at += PAGE - 4) {
		fault_begin(&f);
		((void (*)(void))at)();
		ok(external_abort(&f, EC_IABT_CUR, at), "no code at %lx", at);
		ok((s64)psci(PSCI_CPU_ON, plat.mpidr[last], at, 0) ==
			   INVALID_ADDRESS,
		   "and no CPU starts there");
	}
	fault_begin(&f);
	(void)read64(page + PAGE);
	ok(external_abort(&f, EC_DABT_CUR, page + PAGE), "a hole behind it");
	if (plat.wdt)
		return;
	fault_begin(&f);
	(void)read64(page - 8);
	ok(external_abort(&f, EC_DABT_CUR, page - 8), "and before it");
}

void test_pvtime(void)
{
	test_calls();
	test_structures();
	test_page();
}

/* Time that this CPU, which never waits, misses of the next `ms`. */
static u64 missed_ns(u64 ms)
{
	u64 end = now() + ms * 1000 * ticks_per_us(), sum = 0, last = now(), t;

	for (; last < end; last = t) {
		t = now();
		if (t - last > GAP_US * ticks_per_us())
			sum += t - last;
	}
	return sum * 1000 / ticks_per_us();
}

/* Boot argument ms=N: for how long. */
void test_stolen(void)
{
	u64 a = psci(PV_TIME_ST, 0, 0, 0), first, got, miss;

	irq_off();
	first = word(a + STOLEN);
	miss = missed_ns(bootarg_num("ms", 200));
	got = word(a + STOLEN) - first;
	printf("# STOLEN %lu first, then %lu, missed %lu\n", first, got, miss);
	/* What switching takes is nobody's, and is missed. */
	ok(got <= miss && miss - got <= miss / 50,
	   "what was stolen is what is missing");
	if (got)
		return;
	sleep_ms(20);
	ok(word(a + STOLEN) == first, "nothing is stolen from who sleeps");
}
