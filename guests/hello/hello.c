/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest useful guest: says what machine it found, takes virtual timer
 * interrupts on every CPU and powers off. It exists to be read; the tests
 * that try to break things are in guests/systest.
 * Boot arguments: ticks=N (interrupts per CPU, default 5).
 */
#include "guest.h"

#define PERIOD_US 1000

static u64 wanted;
static bool done[MAX_CPUS];

static void tick(u32 intid)
{
	if (irq_count(this_cpu()->id, intid) < wanted)
		timer_set(now() + PERIOD_US * ticks_per_us());
	else
		timer_stop();
}

static void take_ticks(void *arg)
{
	unsigned int cpu = this_cpu()->id;
	u32 intid = plat.timer_intid[TIMER_VIRT];

	(void)arg;
	gic_enable(intid);
	timer_set(now() + PERIOD_US * ticks_per_us());
	while (irq_count(cpu, intid) < wanted) {
		irq_off();
		if (irq_count(cpu, intid) < wanted)
			wfi(); /* wakes although masked; then taken */
		irq_on();
	}
	WRITE_ONCE(done[cpu], true);
}

static void describe(void)
{
	u64 mem = 0;

	for (unsigned int i = 0; i < plat.nr_mem; i++)
		mem += plat.mem[i].size;
	printf("Hello from EL%lu: %u CPU%s, %lu MiB, GICv%u, \"%s\"\n",
	       sysreg_read(CurrentEL) >> 2 & 3, plat.nr_cpus,
	       plat.nr_cpus == 1 ? "" : "s", mem >> 20, plat.gic, plat.bootargs);
}

void guest_main(void)
{
	wanted = bootarg_num("ticks", 5);
	irq_register(plat.timer_intid[TIMER_VIRT], tick);
	describe();
	ok(plat.gic && plat.uart && plat.nr_mem, "device tree read");

	take_ticks(NULL);
	ok(true, "%lu timer interrupts on CPU 0", wanted);
	for (unsigned int cpu = 1; cpu < plat.nr_cpus; cpu++) {
		s64 err = cpu_start(cpu, take_ticks, NULL);

		while (!err && !(READ_ONCE(done[cpu]) && cpu_is_off(cpu)))
			cpu_relax();
		ok(!err, "%lu timer interrupts on CPU %u", wanted, cpu);
	}
	tap_plan();
}
