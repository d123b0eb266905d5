/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Physical interrupts at EL2 on a controller that keeps the states of each
 * one: who gets it, in which order it is handled and ended, what is counted;
 * IPIs, none of whose reasons is lost; and the wait until every CPU has taken
 * one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <skerry/arch/gic.h>
#include <skerry/arch/timer.h>
#include <skerry/cpu.h>
#include <skerry/domain.h>
#include <skerry/irq.h>
#include <skerry/layout.h>
#include <skerry/machine.h>
#include <skerry/trace.h>

#define ME	3
#define MAINT	25
#define HTIMER	26
#define VTIMER	20 /* not where guests have theirs */
#define UART	33
#define NR_INTS 1024

struct cpu cpus[CONFIG_NR_CPUS];
struct cpu *host_this_cpu = &cpus[ME];
unsigned int nr_cpus = 6;
struct machine machine;
static struct vcpu guest;
extern void (*host_trace)(enum trace_event e, const struct vcpu *v, u32 arg);

/* What happened, one letter each; see the functions below. */
static char events[32];
static u32 next_ack, handled; /* INTIDs */
static bool active[NR_INTS], dropped[NR_INTS];
static struct {
	bool on, level;
} enabled[NR_INTS];
static unsigned int nr_acks, nr_sgis[CONFIG_NR_CPUS];
static bool timer_line;
static jmp_buf parked;
static void (*on_deactivate)(void); /* what another CPU does, once */
static char line[160];
/* By CPU, of cpu_sync(). */
static unsigned int nr_leaves[CONFIG_NR_CPUS], nr_points;
static void (*on_relax)(void);
static struct vcpu worker;

static void note(char what)
{
	assert_in_range(strlen(events), 0, sizeof(events) - 2);
	events[strlen(events)] = what;
}

u32 gic_ack(void)
{
	nr_acks++;
	handled = next_ack;
	if (handled < GIC_SPURIOUS)
		active[handled] = true;
	next_ack = 1023;
	return handled;
}
/* 'e': the priority is dropped. */
void gic_eoi(u32 intid)
{
	assert_int_equal(intid, handled);
	assert_false(dropped[intid]);
	dropped[intid] = true;
	note('e');
}
/* 'd': in EOImode 1 never before the drop. */
void gic_deactivate(u32 intid)
{
	assert_int_equal(intid, handled);
	assert_true(dropped[intid] && active[intid]);
	active[intid] = dropped[intid] = false;
	note('d');
	if (on_deactivate) {
		void (*fn)(void) = on_deactivate;

		on_deactivate = NULL;
		fn();
	}
}
void gic_end(u32 intid)
{
	gic_eoi(intid);
	gic_deactivate(intid);
}
void gic_enable(u32 intid, unsigned int cpu, bool level)
{
	assert_int_equal(cpu, ME);
	assert_in_range(intid, 16, 31);
	assert_false(enabled[intid].on);
	enabled[intid].on = true;
	enabled[intid].level = level;
}
/* 'x' */
void gic_disable(u32 intid)
{
	assert_int_equal(intid, handled);
	note('x');
}
void gic_send_sgi(unsigned int cpu, unsigned int id)
{
	assert_int_equal(id, 0);
	/* It is taken at once there: the reason must stand already. */
	assert_int_not_equal(cpus[cpu].ipi, 0);
	/* And nothing that came before it may count. */
	if (cpus[cpu].ipi & IPI_SYNC)
		assert_int_equal(cpus[cpu].synced, 0);
	nr_sgis[cpu]++;
}
/* 'W': the list registers' maintenance is off. */
void gic_set_waiting(bool some, bool act)
{
	assert_false(some || act);
	note('W');
}
bool arch_vtimer_line(void)
{
	return timer_line;
}
/* 'v' */
void vgic_inject_hw_ppi(struct vcpu *v, unsigned int intid)
{
	assert_ptr_equal(v, &guest);
	assert_int_equal(intid, GUEST_VTIMER_INTID);
	note('v');
}
/* 'm' */
void vgic_maintain(struct vcpu *v)
{
	assert_ptr_equal(v, &guest);
	assert_true(v->vgic.loaded);
	note('m');
}
/* 'r' */
void vgic_refresh(struct vcpu *v)
{
	assert_ptr_equal(v, &guest);
	note('r');
}
/* 'w' */
void wdt_ipi(void)
{
	assert_int_equal(this_cpu()->synced, 0);
	note('w');
}
/* 's' */
void stage2_leave(void)
{
	/* Its own counts at once. */
	if (this_cpu() != &cpus[ME])
		assert_int_equal(this_cpu()->synced, 0);
	nr_leaves[this_cpu() - cpus]++;
	note('s');
}
/* The worker may be preempted there. */
void work_point(void)
{
	nr_points++;
}
static void relax(const char *name)
{
	if (!strcmp(name, "yield") && on_relax)
		on_relax();
}
void (*host_barrier)(const char *name) = relax;
/* 't' */
void time_irq(void)
{
	note('t');
}
/* 'c' */
void console_irq(void)
{
	note('c');
}
/* 'l' */
void log_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	note('l');
}
void arch_cpu_park(void)
{
	note('p');
	longjmp(parked, 1);
}

static int setup(void **state)
{
	(void)state;
	memset(cpus, 0, sizeof(cpus));
	memset(&guest, 0, sizeof(guest));
	memset(&machine, 0, sizeof(machine));
	memset(active, 0, sizeof(active));
	memset(dropped, 0, sizeof(dropped));
	memset(enabled, 0, sizeof(enabled));
	memset(nr_sgis, 0, sizeof(nr_sgis));
	memset(events, 0, sizeof(events));
	memset(nr_leaves, 0, sizeof(nr_leaves));
	nr_points = 0;
	on_relax = NULL;
	line[0] = '\0';
	nr_acks = 0;
	on_deactivate = NULL;
	timer_line = true;
	machine.vtimer_intid = VTIMER;
	machine.htimer_intid = HTIMER;
	machine.gic.maint_intid = MAINT;
	machine.uart = UART_PL011;
	machine.uart_intid = UART;
	cpus[ME].id = ME;
	cpus[ME].current = &guest;
	guest.vgic.loaded = true;
	irq_init_cpu();
	return 0;
}

/* One interrupt: what irq_handle() did and left behind. */
static void take(u32 intid, const char *did, bool left_active)
{
	nr_acks = 0;
	memset(events, 0, sizeof(events));
	next_ack = intid;
	irq_handle();
	assert_int_equal(nr_acks, 1);
	assert_string_equal(events, did);
	if (intid < GIC_SPURIOUS)
		assert_int_equal(active[intid], left_active);
}

static void counted(u64 timer, u64 ipi, u64 maint, u64 other)
{
	assert_int_equal(cpus[ME].nr_irqs[CPU_IRQ_TIMER], timer);
	assert_int_equal(cpus[ME].nr_irqs[CPU_IRQ_IPI], ipi);
	assert_int_equal(cpus[ME].nr_irqs[CPU_IRQ_MAINT], maint);
	assert_int_equal(cpus[ME].nr_irqs[CPU_IRQ_OTHER], other);
}

static unsigned int nr_enabled(void)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < NR_INTS; i++)
		nr += enabled[i].on;
	return nr;
}

static void test_enable(void **state)
{
	static const u32 ours[] = {VTIMER, HTIMER, MAINT};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(ours); i++)
		assert_true(enabled[ours[i]].on && enabled[ours[i]].level);
	assert_int_equal(nr_enabled(), 3);
	assert_int_equal(cpus[ME].vtimer_intid, VTIMER);
	/* A controller without one: not SGI 0 instead. */
	memset(enabled, 0, sizeof(enabled));
	machine.gic.maint_intid = 0;
	irq_init_cpu();
	assert_int_equal(nr_enabled(), 2);
}

/* Nothing is there: nothing is ended, whatever number says so. */
static void test_spurious(void **state)
{
	(void)state;
	for (u32 intid = GIC_SPURIOUS; intid < NR_INTS; intid++)
		take(intid, "", false);
	/* LPIs are no one's. */
	take(8192, "", false);
	counted(0, 0, 0, 0);
}

/* Dropped before the guest has it, and active until the guest ends it. */
static void test_guest_timer(void **state)
{
	(void)state;
	take(VTIMER, "ev", true);
	counted(1, 0, 0, 0);
	/* Late, of a vCPU that has left: nobody else would end it. */
	setup(NULL);
	timer_line = false;
	take(VTIMER, "ed", false);
	setup(NULL);
	cpus[ME].current = NULL;
	take(VTIMER, "ed", false);
	counted(1, 0, 0, 0);
	/* The number that guests know it by is another's here. */
	take(GUEST_VTIMER_INTID, "lxed", false);
}

/* Its cause goes first, else the level would be taken once more. */
static void test_maintenance(void **state)
{
	(void)state;
	take(MAINT, "med", false);
	counted(0, 0, 1, 0);
	/* Of a vCPU held in EL2, or of one that has left. */
	guest.vgic.loaded = false;
	take(MAINT, "Wed", false);
	cpus[ME].current = NULL;
	take(MAINT, "Wed", false);
	counted(0, 0, 3, 0);
}

static void test_el2_timer(void **state)
{
	(void)state;
	take(HTIMER, "ted", false);
	cpus[ME].current = NULL;
	take(HTIMER, "ted", false);
	counted(0, 0, 0, 2);
}

static void test_uart(void **state)
{
	(void)state;
	take(UART, "ced", false);
	counted(0, 0, 0, 1);
	/* Without a console the number means nothing. */
	machine.uart = UART_NONE;
	take(UART, "lxed", false);
	assert_string_equal(line, "CPU 3: unexpected interrupt 33 disabled");
}

/* A device that nobody drives is heard once: off before it can come again. */
static void test_unknown(void **state)
{
	static const u32 strange[] = {1, 15, 19, 31, 32, 34, 500, 1019};
	char want[64];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(strange); i++) {
		take(strange[i], "lxed", false);
		snprintf(want, sizeof(want),
			 "CPU 3: unexpected interrupt %u disabled", strange[i]);
		assert_string_equal(line, want);
	}
	counted(0, 0, 0, ARRAY_SIZE(strange));
}

static void test_ipi(void **state)
{
	(void)state;
	cpus[ME].ipi = IPI_REFRESH | IPI_WAKE;
	take(0, "edr", false);
	assert_int_equal(cpus[ME].ipi, 0);
	/* Each reason once. */
	take(0, "ed", false);
	cpus[ME].ipi = IPI_WAKE;
	take(0, "ed", false);
	/* No vCPU is loaded: none to look at. */
	cpus[ME].current = NULL;
	cpus[ME].ipi = IPI_REFRESH;
	take(0, "ed", false);
	assert_int_equal(cpus[ME].ipi, 0);
	/* Timers are the CPU's, whatever it runs. */
	cpus[ME].ipi = IPI_WATCHDOG | IPI_REFRESH;
	take(0, "edw", false);
	counted(0, 5, 0, 0);
}

static void another_asks(void)
{
	ipi_send(ME, IPI_REFRESH);
}

/* A reason that comes while its SGI is being ended is taken by this one. */
static void test_ipi_meanwhile(void **state)
{
	(void)state;
	cpus[ME].ipi = IPI_WAKE;
	on_deactivate = another_asks;
	take(0, "edr", false);
	assert_int_equal(nr_sgis[ME], 1);
	take(0, "ed", false);
}

/* Of a panic elsewhere: the SGI is ended, no guest is looked at any more. */
static void test_stop(void **state)
{
	(void)state;
	cpus[ME].ipi = IPI_STOP | IPI_REFRESH;
	next_ack = 0;
	if (!setjmp(parked)) {
		irq_handle();
		fail_msg("not parked");
	}
	assert_string_equal(events, "edp");
}

/* Reasons add up until they are taken; an SGI goes to that CPU alone. */
static void test_send(void **state)
{
	(void)state;
	ipi_send(5, IPI_WAKE);
	assert_int_equal(cpus[5].ipi, IPI_WAKE);
	ipi_send(5, IPI_REFRESH);
	assert_int_equal(cpus[5].ipi, IPI_WAKE | IPI_REFRESH);
	ipi_send(ME, IPI_WAKE);
	for (unsigned int i = 0; i < CONFIG_NR_CPUS; i++)
		assert_int_equal(nr_sgis[i], i == 5 ? 2 : i == ME);
	assert_int_equal(cpus[ME].ipi, IPI_WAKE);
}

/* --- cpu_sync() ---------------------------------------------------------- */

static const unsigned int taking[] = {4, 0, 1}; /* in this order */
static unsigned int nr_taken;

static void takes_ipi(unsigned int cpu)
{
	host_this_cpu = &cpus[cpu];
	ipi_handle();
	host_this_cpu = &cpus[ME];
}

/* One CPU more, at each look; before that one that has nothing. */
static void next_takes(void)
{
	assert_in_range(nr_taken, 0, ARRAY_SIZE(taking) - 1);
	takes_ipi(taking[nr_taken++]);
}

static int setup_sync(void **state)
{
	setup(state);
	for (unsigned int i = 0; i < ARRAY_SIZE(taking); i++) {
		cpus[taking[i]].online = 1;
		cpus[taking[i]].synced = 1; /* of an earlier time */
	}
	cpus[ME].online = 1;
	worker.arch.el2_sp = 0xb00000004000;
	cpus[ME].current = &worker;
	nr_taken = 0;
	on_relax = next_takes;
	return 0;
}

/* All that are online are asked, and all of them waited for. */
static void test_sync(void **state)
{
	(void)state;
	cpus[2].synced = 1;
	cpu_sync();
	for (unsigned int i = 0; i < CONFIG_NR_CPUS; i++)
		assert_int_equal(nr_sgis[i], i == 0 || i == 1 || i == 4);
	assert_int_equal(nr_taken, 3);
	assert_true(nr_points >= 3);
	/* None had a guest: its last one's stage 2 is let go of. */
	for (unsigned int i = 0; i < CONFIG_NR_CPUS; i++)
		assert_int_equal(nr_leaves[i],
				 i == 0 || i == 1 || i == 4 || i == ME);
	/* The next time it begins anew. */
	nr_taken = 0;
	cpu_sync();
	assert_int_equal(nr_taken, 3);
	assert_int_equal(nr_leaves[1], 2);
}

/* Where a guest is loaded, it has its stage 2; the worker has none. */
static void test_sync_loaded(void **state)
{
	(void)state;
	cpus[0].current = &guest;
	cpus[1].current = &worker;
	cpu_sync();
	assert_int_equal(nr_taken, 3);
	assert_int_equal(nr_leaves[0], 0);
	assert_int_equal(nr_leaves[1], 1);
	assert_int_equal(nr_leaves[4], 1);
	assert_int_equal(nr_leaves[ME], 1);
	/* Not with a guest on the caller's either. */
	setup_sync(NULL);
	cpus[ME].current = &guest;
	cpu_sync();
	assert_int_equal(nr_leaves[ME], 0);
	assert_int_equal(nr_leaves[1], 1);
}

static void goes_off(void)
{
	cpus[taking[nr_taken++]].online = 0;
}

/* One that is gone answers no more; alone there is nobody to wait for. */
static void test_sync_offline(void **state)
{
	(void)state;
	on_relax = goes_off;
	cpu_sync();
	assert_int_equal(nr_taken, 3);
	assert_int_equal(nr_leaves[0], 0);
	assert_int_equal(nr_leaves[ME], 1);
	setup(NULL);
	cpus[ME].online = 1;
	cpu_sync();
	for (unsigned int i = 0; i < CONFIG_NR_CPUS; i++)
		assert_int_equal(nr_sgis[i], 0);
	assert_int_equal(nr_points, 0);
}

/* The last of all reasons: what the others do may look through domains[]. */
static void test_sync_last(void **state)
{
	(void)state;
	cpus[ME].current = &guest;
	cpus[ME].ipi = IPI_SYNC | IPI_WATCHDOG | IPI_REFRESH;
	take(0, "edrw", false);
	assert_int_equal(cpus[ME].synced, 1);
	cpus[ME].synced = 0;
	cpus[ME].current = NULL;
	cpus[ME].ipi = IPI_SYNC | IPI_WATCHDOG;
	take(0, "edws", false);
	assert_int_equal(cpus[ME].synced, 1);
}

static u32 traced_intid;

static void take_trace(enum trace_event e, const struct vcpu *v, u32 arg)
{
	assert_int_equal(e, TRACE_IRQ);
	assert_ptr_equal(v, cpus[ME].current);
	/* Before it is handled. */
	assert_string_equal(events, "");
	traced_intid = arg;
}

/* Each that is acknowledged, whoever runs. */
static void test_trace(void **state)
{
	(void)state;
	host_trace = take_trace;
	cpus[ME].trace.on = 1;
	take(VTIMER, "ev", true);
	assert_int_equal(traced_intid, VTIMER);
	cpus[ME].current = NULL;
	take(HTIMER, "ted", false);
	assert_int_equal(traced_intid, HTIMER);
	cpus[ME].trace.on = 0;
	take(UART, "ced", false);
	assert_int_equal(traced_intid, HTIMER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_enable, setup),
		cmocka_unit_test_setup(test_spurious, setup),
		cmocka_unit_test_setup(test_guest_timer, setup),
		cmocka_unit_test_setup(test_maintenance, setup),
		cmocka_unit_test_setup(test_el2_timer, setup),
		cmocka_unit_test_setup(test_uart, setup),
		cmocka_unit_test_setup(test_unknown, setup),
		cmocka_unit_test_setup(test_ipi, setup),
		cmocka_unit_test_setup(test_ipi_meanwhile, setup),
		cmocka_unit_test_setup(test_stop, setup),
		cmocka_unit_test_setup(test_send, setup),
		cmocka_unit_test_setup(test_trace, setup),
		cmocka_unit_test_setup(test_sync, setup_sync),
		cmocka_unit_test_setup(test_sync_loaded, setup_sync),
		cmocka_unit_test_setup(test_sync_offline, setup_sync),
		cmocka_unit_test_setup(test_sync_last, setup_sync),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
