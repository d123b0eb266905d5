/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bringing up the other CPUs, by PSCI or spin table, and ending the board's
 * run.
 */
#include "arch_priv.h"

#include <asm/barrier.h>
#include <asm/sysreg.h>
#include <skerry/arch/cache.h>
#include <skerry/arch/init.h>
#include <skerry/arch/mmu.h>
#include <skerry/cpu.h>
#include <skerry/log.h>
#include <skerry/machine.h>
#include <skerry/panic.h>
#include <skerry/sections.h>
#include <skerry/smccc.h>
#include <skerry/time.h>

#define START_TIMEOUT_S 5

/* What a secondary reads with its MMU off; see boot.S. */
struct boot_args {
	u64 root;
	u64 cpu;
};
struct boot_args boot_args[CONFIG_NR_CPUS];

u64 arch_mpidr(void)
{
	return sysreg_read(mpidr_el1) & 0xff00ffffffUL;
}

static int start_cpu(unsigned int i)
{
	const struct machine_cpu *c = &machine.cpus[i];
	u64 entry = image_pa(secondary_entry).v;
	u64 *release;

	boot_args[i].root = mmu_boot_root().v;
	boot_args[i].cpu = (u64)&cpus[i];
	/* The other CPU reads past the caches; secondary_spin from cpus[0] on. */
	cache_clean_inval(&boot_args[i], sizeof(boot_args[i]));
	cache_clean_inval(cpus, (i + 1) * sizeof(cpus[0]));
	if (c->method == CPU_METHOD_PSCI)
		return (int)smccc_smc(PSCI_CPU_ON64, c->mpidr, entry,
				      image_pa(&boot_args[i]).v);
	/*
	 * Spin table: the stub jumps with x0 = 0, so it cannot hand over the
	 * arguments; secondary_spin in boot.S finds them by MPIDR.
	 */
	release = mmu_window(0, PADDR(c->release));
	WRITE_ONCE(*release, image_pa(secondary_spin).v);
	cache_clean_inval(release, sizeof(*release));
	mmu_window_close(0);
	sev();
	return 0;
}

void smp_start_secondaries(void)
{
	u64 limit = time_now() + START_TIMEOUT_S * time_freq();

	for (unsigned int i = 1; i < nr_cpus; i++) {
		int err = start_cpu(i);

		if (err)
			die("cpus: CPU %u (MPIDR %#lx) does not start: %d", i,
			    machine.cpus[i].mpidr, err);
		while (!load_acquire(&cpus[i].online)) {
			if (time_now() > limit)
				die("cpus: CPU %u (MPIDR %#lx) does not come up",
				    i, machine.cpus[i].mpidr);
			cpu_relax();
		}
	}
}

static __noreturn void end_board(u32 fn)
{
	if (machine.has_psci)
		smccc_smc(fn, 0, 0, 0);
	log_line("no PSCI to end with: CPU %u is parked", this_cpu()->id);
	arch_cpu_park();
}

void arch_poweroff(void)
{
	end_board(PSCI_SYSTEM_OFF);
}

void arch_reboot(void)
{
	end_board(PSCI_SYSTEM_RESET);
}
