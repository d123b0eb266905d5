/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that means harm, or has lost its mind. None of this may stop the
 * hypervisor or another guest; what happens to this one differs by case.
 */
#include "systest.h"

#define HOLE 0x30000000ul

/* Every word of the interrupt controller and the UART, read and written. */
static void sweep(u64 base, u64 size)
{
	static const u64 values[] = {~0ul, 0, 0x5555555555555555ul};
	struct fault f;

	fault_begin(&f);
	for (u64 off = 0; off < size; off += 4) {
		(void)read8(base + off + 1);
		(void)read16(base + off);
		(void)read32(base + off);
		(void)read64(base + (off & ~7ul));
		for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
			write32(base + off, (u32)values[i]);
			write8(base + off + 3, (u8)values[i]);
			write16(base + off + 2, (u16)values[i]);
			write64(base + (off & ~7ul), values[i]);
		}
	}
	fault_end(&f);
	printf("# %lx: %u faults\n", base, f.count);
}

void hostile_sweep(void)
{
	irq_off();
	if (plat.gic == 3) {
		sweep(plat.gicr.base, 0x20000ul * plat.nr_cpus);
		sweep(plat.gicr.base + plat.gicr.size - 0x20000, 0x20000);
	}
	sweep(plat.gicd, plat.gic == 3 ? 0x10000 : 0x1000);
	if (plat.gic == 2)
		sweep(plat.gicc, 0x2000);
	if (plat.rtc)
		sweep(plat.rtc, 0x1000);
	ok(true, "every register of every device abused");
}

/* A jump out of memory with the vectors in place: our own abort. */
void hostile_jump(void)
{
	mmu_allow_exec(HOLE);
	printf("# jumping to %lx\n", HOLE);
	((void (*)(void))HOLE)();
	ok(false, "came back");
}

/* The vectors are nowhere, so the first exception never gets anywhere. */
void hostile_vectors(void)
{
	printf("# losing the vectors\n");
	mmu_allow_exec(HOLE);
	sysreg_write(vbar_el1, HOLE);
	isb();
	(void)read32(HOLE);
	for (;;)
		cpu_relax();
}

/* Calls, traps and interrupts as fast as they go, on all CPUs. */
static void storm(void *arg)
{
	u32 nr_words = plat.gic == 3 ? 0x1000 : 0x400;

	(void)arg;
	irq_on();
	for (u32 i = 0; i < 20000; i++) {
		psci(0x84000000ul + i % 64 + 0xff00, i, ~0ul, i);
		psci(PSCI_CPU_ON, i, ~0ul - i, i);
		write32(plat.gicd + 4 * (i % nr_words), i);
		gic_send_sgi(i % plat.nr_cpus, i % 16);
	}
}

void hostile_storm(void)
{
	for (unsigned int c = 1; c < plat.nr_cpus; c++)
		cpu_start(c, storm, NULL);
	storm(NULL);
	irq_off();
	ok(true, "survived its own storm");
}

/* The way out that is not power-off. */
void hostile_reset(void)
{
	psci(PSCI_SYSTEM_RESET, 0, 0, 0);
	ok(false, "came back from SYSTEM_RESET");
}
