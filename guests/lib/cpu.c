/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PSCI and SMCCC calls, secondary CPUs, the virtual timer and the common
 * start of every guest. A secondary that returns from its function is turned
 * off again.
 */
#include "guest.h"

#define STACK_SIZE 16384

/* start.S reads `stack` at offset 0 with the MMU off. */
struct cpu_boot {
	u64 stack;
	void (*fn)(void *arg);
	void *arg;
	struct cpu *cpu;
} __attribute__((aligned(64)));

struct cpu cpus[MAX_CPUS];
static struct cpu_boot boots[MAX_CPUS];
static u8 stacks[MAX_CPUS][STACK_SIZE] __attribute__((aligned(16)));

extern char secondary_entry[];
void sleep_ms(u64 ms)
{
	u64 end = now() + ms * 1000 * ticks_per_us();

	gic_enable(plat.timer_intid[TIMER_VIRT]);
	timer_set(end);
	while (now() < end)
		wfi();
	timer_stop();
	gic_disable(plat.timer_intid[TIMER_VIRT]);
}

void guest_start(const void *fdt, u64 ticks);
void secondary_start(struct cpu_boot *boot);

#define CONDUIT(name, insn)                                                    \
	u64 name(u64 fn, u64 a1, u64 a2, u64 a3)                               \
	{                                                                      \
		register u64 x0 asm("x0") = fn;                                \
		register u64 x1 asm("x1") = a1;                                \
		register u64 x2 asm("x2") = a2;                                \
		register u64 x3 asm("x3") = a3;                                \
		asm volatile(insn " #0"                                        \
			     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"x4",   \
			       "x5", "x6", "x7", "x8", "x9", "x10", "x11",     \
			       "x12", "x13", "x14", "x15", "x16", "x17",       \
			       "memory");                                      \
		return x0;                                                     \
	}
CONDUIT(hvc_call, "hvc")
CONDUIT(smc_call, "smc")

u64 psci(u64 fn, u64 a1, u64 a2, u64 a3)
{
	return plat.psci_smc ? smc_call(fn, a1, a2, a3)
			     : hvc_call(fn, a1, a2, a3);
}

void power_off(void)
{
	psci(PSCI_SYSTEM_OFF, 0, 0, 0);
	for (;;)
		wfi();
}

s64 cpu_start(unsigned int cpu, void (*fn)(void *), void *arg)
{
	struct cpu_boot *b = &boots[cpu];

	*b = (struct cpu_boot){
		.stack = (u64)stacks[cpu] + STACK_SIZE,
		.fn = fn,
		.arg = arg,
		.cpu = &cpus[cpu],
	};
	cpus[cpu] = (struct cpu){.id = cpu};
	/* The new CPU reads it with its MMU off. */
	cache_clean(b, sizeof(*b));
	cache_clean(&cpus[cpu], sizeof(cpus[cpu]));
	cache_clean(stacks[cpu], STACK_SIZE);
	return (s64)psci(PSCI_CPU_ON, plat.mpidr[cpu], (u64)secondary_entry,
			 (u64)b);
}

u64 cpu_boot_record(unsigned int cpu)
{
	return (u64)&boots[cpu];
}

bool cpu_is_off(unsigned int cpu)
{
	return psci(PSCI_AFFINITY_INFO, plat.mpidr[cpu], 0, 0) == 1;
}

void secondary_start(struct cpu_boot *boot)
{
	sysreg_write(tpidr_el1, boot->cpu);
	mmu_on();
	gic_init_cpu();
	boot->fn(boot->arg);
	irq_off();
	psci(PSCI_CPU_OFF, 0, 0, 0);
}

u64 ticks_per_us(void)
{
	u64 f = sysreg_read(cntfrq_el0) / 1000000;

	return f ? f : 1;
}

void delay_us(u64 us)
{
	u64 end = now() + us * ticks_per_us();

	while (now() < end)
		cpu_relax();
}

void timer_set(u64 deadline)
{
	sysreg_write(cntv_cval_el0, deadline);
	sysreg_write(cntv_ctl_el0, 1);
	isb();
}

void timer_stop(void)
{
	sysreg_write(cntv_ctl_el0, 0);
	isb();
}

void guest_start(const void *fdt, u64 ticks)
{
	sysreg_write(tpidr_el1, &cpus[0]);
	plat_init(fdt);
	plat.entry_ticks = ticks;
	console_init();
	mmu_init();
	mmu_on();
	gic_init();
	gic_init_cpu();
	guest_main();
	power_off();
}
