/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PSCI 1.1 (Arm DEN0022) and SMCCC (DEN0028) as a guest may use and abuse
 * them. CPUs other than the first are off before and after each group.
 */
#include "systest.h"

#define NOT_SUPPORTED	   (-1)
#define INVALID_PARAMETERS (-2)
#define ALREADY_ON	   (-4)
#define ON_PENDING	   (-5)
#define INVALID_ADDRESS	   (-9)

#define AFF_ON	0
#define AFF_OFF 1

extern char secondary_entry[];

static u32 go, ran, entered[MAX_CPUS];
static s64 answers[MAX_CPUS];

static s32 call(u64 fn, u64 a1, u64 a2, u64 a3)
{
	return (s32)psci(fn, a1, a2, a3);
}

static void returns(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&ran, 1, __ATOMIC_SEQ_CST);
}

static void stays_until_go(void *arg)
{
	(void)arg;
	WRITE_ONCE(entered[this_cpu()->id], 1);
	while (!READ_ONCE(go))
		cpu_relax();
}

static bool wait_off(unsigned int cpu)
{
	u64 end = now() + 1000000 * ticks_per_us();

	while (!cpu_is_off(cpu) && now() < end)
		cpu_relax();
	return cpu_is_off(cpu);
}

static void test_features(void)
{
	static const u32 present[] = {
		PSCI_VERSION,
		PSCI_CPU_OFF,
		(u32)PSCI_CPU_ON,
		0x84000003, /* CPU_ON, 32 bit */
		(u32)PSCI_AFFINITY_INFO,
		PSCI_MIGRATE_INFO_TYPE,
		PSCI_SYSTEM_OFF,
		PSCI_SYSTEM_RESET,
		PSCI_FEATURES,
	};
	bool all = true;

	ok(psci(PSCI_VERSION, 0, 0, 0) >= 0x10001, "PSCI is 1.1 or later");
	for (size_t i = 0; i < ARRAY_SIZE(present); i++) {
		if (call(PSCI_FEATURES, present[i], 0, 0) != 0) {
			printf("# FEATURES(%x) is not 0\n", present[i]);
			all = false;
		}
	}
	ok(all, "FEATURES has all mandatory functions");
	ok(call(PSCI_FEATURES, PSCI_CPU_SUSPEND, 0, 0) >= 0,
	   "FEATURES has CPU_SUSPEND");
	ok(call(PSCI_FEATURES, SMCCC_VERSION, 0, 0) == 0,
	   "FEATURES has SMCCC_VERSION");
	ok(call(PSCI_FEATURES, 0x8400001f, 0, 0) == NOT_SUPPORTED,
	   "FEATURES of an unknown function");
	ok(call(PSCI_MIGRATE_INFO_TYPE, 0, 0, 0) == 2,
	   "MIGRATE_INFO_TYPE: no trusted OS");
}

static void test_affinity(void)
{
	ok(call(PSCI_AFFINITY_INFO, plat.mpidr[0], 0, 0) == AFF_ON,
	   "AFFINITY_INFO of the running CPU");
	ok(call(PSCI_AFFINITY_INFO, 0xff00, 0, 0) == INVALID_PARAMETERS,
	   "AFFINITY_INFO of an absent CPU");
	ok(call(PSCI_AFFINITY_INFO, plat.mpidr[0], 99, 0) == INVALID_PARAMETERS,
	   "AFFINITY_INFO of an impossible level");
	if (plat.nr_cpus > 1)
		ok(call(PSCI_AFFINITY_INFO, plat.mpidr[1], 0, 0) == AFF_OFF,
		   "AFFINITY_INFO of a CPU that is off");
}

static void test_on_errors(void)
{
	u64 entry = (u64)secondary_entry;

	ok(call(PSCI_CPU_ON, 0xff00, entry, 0) == INVALID_PARAMETERS,
	   "CPU_ON of an absent CPU");
	ok(call(PSCI_CPU_ON, 1ul << 63 | plat.mpidr[0], entry, 0) ==
		   INVALID_PARAMETERS,
	   "CPU_ON with reserved bits in the affinity");
	ok(call(PSCI_CPU_ON, plat.mpidr[0], entry, 0) == ALREADY_ON,
	   "CPU_ON of the running CPU");
	if (plat.nr_cpus < 2)
		return;
	ok(call(PSCI_CPU_ON, plat.mpidr[1], 0x30000000, 0) == INVALID_ADDRESS,
	   "CPU_ON at an address without memory");
	ok(call(PSCI_CPU_ON, plat.mpidr[1], ~3ul, 0) == INVALID_ADDRESS,
	   "CPU_ON at the end of the address space");
	ok(cpu_is_off(1), "the CPU is still off");
}

static void test_on_off(void)
{
	s64 again;

	WRITE_ONCE(go, 0);
	WRITE_ONCE(entered[1], 0);
	ok(cpu_start(1, stays_until_go, NULL) == 0, "CPU_ON");
	again = call(PSCI_CPU_ON, plat.mpidr[1], (u64)secondary_entry, 0);
	ok(again == ON_PENDING || again == ALREADY_ON,
	   "a second CPU_ON at once: %ld", again);
	ok(wait_for(&entered[1], 1, 1000000), "the CPU runs");
	ok(call(PSCI_CPU_ON, plat.mpidr[1], (u64)secondary_entry, 0) ==
		   ALREADY_ON,
	   "CPU_ON of a running CPU");
	ok(call(PSCI_AFFINITY_INFO, plat.mpidr[1], 0, 0) == AFF_ON,
	   "AFFINITY_INFO of a running CPU");
	WRITE_ONCE(go, 1);
	ok(wait_off(1), "CPU_OFF");

	WRITE_ONCE(ran, 0);
	for (int i = 0; i < 50; i++)
		if (cpu_start(1, returns, NULL) || !wait_off(1))
			break;
	ok(READ_ONCE(ran) == 50, "50 times on and off: %u", READ_ONCE(ran));
}

static void race(void *arg)
{
	unsigned int me = this_cpu()->id;

	(void)arg;
	WRITE_ONCE(entered[me], 1);
	while (!READ_ONCE(go))
		cpu_relax();
	answers[me] = call(PSCI_CPU_ON, plat.mpidr[3], (u64)secondary_entry,
			   READ_ONCE(answers[0]));
	WRITE_ONCE(entered[me], 2);
}

/*
 * Two CPUs start a third at the same time: one of them wins. cpu_start() is
 * called once for CPU 3 before, so that its boot record is in memory.
 */
static void test_concurrent(void)
{
	unsigned int wins = 0, busy = 0;

	if (plat.nr_cpus < 4) {
		skip("concurrent CPU_ON", "needs 4 CPUs");
		return;
	}
	WRITE_ONCE(ran, 0);
	cpu_start(3, returns, NULL);
	wait_off(3);
	for (int round = 0; round < 20; round++) {
		WRITE_ONCE(go, 0);
		answers[0] = (s64)cpu_boot_record(3);
		for (unsigned int c = 1; c < 3; c++) {
			WRITE_ONCE(entered[c], 0);
			cpu_start(c, race, NULL);
			wait_for(&entered[c], 1, 1000000);
		}
		WRITE_ONCE(go, 1);
		for (unsigned int c = 1; c < 3; c++) {
			wait_for(&entered[c], 2, 1000000);
			wins += answers[c] == 0;
			busy += answers[c] == ON_PENDING ||
				answers[c] == ALREADY_ON;
			wait_off(c);
		}
		wait_off(3);
	}
	ok(wins >= 20 && wins + busy == 40,
	   "concurrent CPU_ON: %u won, %u were told so", wins, busy);
	ok(READ_ONCE(ran) == wins + 1, "each winner started the CPU once");
}

static void test_suspend(void)
{
	u32 intid = plat.timer_intid[TIMER_VIRT];
	u64 start = now();
	s32 err;

	irq_off();
	gic_enable(intid);
	irq_register(intid, NULL);
	timer_set(start + 2000 * ticks_per_us());
	err = call(PSCI_CPU_SUSPEND, 0, 0, 0);
	ok(err == 0, "CPU_SUSPEND returns 0: %d", err);
	ok(now() - start >= 2000 * ticks_per_us(),
	   "CPU_SUSPEND ended with the timer");
	timer_stop();
	gic_disable(intid);
	irq_on();
}

void test_psci(void)
{
	test_features();
	test_affinity();
	test_on_errors();
	test_suspend();
	if (plat.nr_cpus < 2) {
		skip("CPU_ON", "one CPU");
		return;
	}
	test_on_off();
	test_concurrent();
}

/* x4 to x17 must survive any call (SMCCC 1.1 and later). */
static bool registers_kept(u64 fn)
{
	u64 bad;

	asm volatile("mov x0, %1\n\t"
		     "mov x4, #4\n\tmov x5, #5\n\tmov x6, #6\n\t"
		     "mov x7, #7\n\tmov x8, #8\n\tmov x9, #9\n\t"
		     "mov x10, #10\n\tmov x11, #11\n\tmov x12, #12\n\t"
		     "mov x13, #13\n\tmov x14, #14\n\tmov x15, #15\n\t"
		     "mov x16, #16\n\tmov x17, #17\n\t"
		     "hvc #0\n\t"
		     "sub x4, x4, #4\n\tsub x5, x5, #5\n\t"
		     "sub x6, x6, #6\n\tsub x7, x7, #7\n\t"
		     "sub x8, x8, #8\n\tsub x9, x9, #9\n\t"
		     "sub x10, x10, #10\n\tsub x11, x11, #11\n\t"
		     "sub x12, x12, #12\n\tsub x13, x13, #13\n\t"
		     "sub x14, x14, #14\n\tsub x15, x15, #15\n\t"
		     "sub x16, x16, #16\n\tsub x17, x17, #17\n\t"
		     "orr x4, x4, x5\n\torr x6, x6, x7\n\t"
		     "orr x8, x8, x9\n\torr x10, x10, x11\n\t"
		     "orr x12, x12, x13\n\torr x14, x14, x15\n\t"
		     "orr x16, x16, x17\n\torr x4, x4, x6\n\t"
		     "orr x8, x8, x10\n\torr x12, x12, x14\n\t"
		     "orr x4, x4, x8\n\torr x12, x12, x16\n\t"
		     "orr %0, x4, x12\n\t"
		     : "=&r"(bad)
		     : "r"(fn)
		     : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8",
		       "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16",
		       "x17", "memory");
	return !bad;
}

void test_smccc(void)
{
	static const u32 unknown[] = {
		0x8000fe00, /* Arm architecture */
		0x8100fe00, /* CPU vendor */
		0x8200fe00, /* SiP */
		0xc200fe00, /* SiP, 64 bit */
		0x8300fe00, /* OEM */
		0x8400fe00, /* standard */
		0x8500fe00, /* standard hypervisor */
		0x8600fe00, /* vendor hypervisor */
		0xb200fe00, /* trusted OS */
		0x0400fe00, /* yielding */
		0xffffffff,
	};
	struct fault f;
	bool all = true;

	ok((s32)psci(SMCCC_VERSION, 0, 0, 0) >= 0x10001,
	   "SMCCC is 1.1 or later: %lx", psci(SMCCC_VERSION, 0, 0, 0));
	ok(call(SMCCC_ARCH_FEATURES, SMCCC_VERSION, 0, 0) == 0,
	   "ARCH_FEATURES has SMCCC_VERSION");
	ok(call(SMCCC_ARCH_FEATURES, 0x80007fff, 0, 0) == NOT_SUPPORTED ||
		   call(SMCCC_ARCH_FEATURES, 0x80007fff, 0, 0) >= 0,
	   "ARCH_FEATURES of WORKAROUND_2 answers");
	ok(call(SMCCC_ARCH_FEATURES, 0x8000ff00, 0, 0) == NOT_SUPPORTED,
	   "ARCH_FEATURES of an unknown function");
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		if ((s32)hvc_call(unknown[i], 0, 0, 0) != NOT_SUPPORTED) {
			printf("# %x is not refused\n", unknown[i]);
			all = false;
		}
	}
	ok(all, "unknown functions are NOT_SUPPORTED");
	ok(smc_call(PSCI_VERSION, 0, 0, 0) == hvc_call(PSCI_VERSION, 0, 0, 0),
	   "SMC works as HVC does");
	ok(registers_kept(PSCI_VERSION), "x4 to x17 kept by a known function");
	ok(registers_kept(0x8600fe00), "x4 to x17 kept by an unknown function");
	fault_begin(&f);
	asm volatile("hvc #0x4242" ::: "x0", "x1", "x2", "x3", "memory");
	ok(fault_end(&f) && ESR_EC(f.esr) == EC_UNKNOWN,
	   "HVC with an unknown immediate is undefined");
}
