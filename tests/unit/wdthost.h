/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guests' watchdog on the timers of two CPUs. Its table is private to
 * pv/wdt.c, so the source is included here. Included by one source of each
 * test, after <cmocka.h>.
 */
#pragma once

#include "../../pv/wdt.c"

#include <skerry/arch/timer.h>

#define BASE	0x22002000UL
#define SIZE	0x2000U
#define RUBBISH 0xdeadbeefcafef00dUL
#define FREQ	1000000UL
#define MS	500
#define PERIOD	500000UL /* of the description, in ticks */
#define START	0x100000000000UL
#define VOFF	0x1234567UL
#define LOOK	1000UL /* 1 ms */
#define HOME	1
#define AWAY	2
#define WRR_AT	0x1000

struct cpu cpus[CONFIG_NR_CPUS];
struct cpu *host_this_cpu = &cpus[HOME];
void (*host_barrier)(const char *name);
struct domain *domains[CONFIG_MAX_DOMAINS + 1];

static struct domain d, other;
static struct vcpu vcpus[2], other_vcpu;
static u64 now, armed[CONFIG_NR_CPUS];
static bool line;
static unsigned int nr_ipis, nr_stops, nr_programs;
static char logged[160];

void lock_rank_take(struct spinlock *l)
{
	(void)l;
}
void lock_rank_drop(struct spinlock *l)
{
	(void)l;
}
u64 time_now(void)
{
	return now;
}
u64 time_freq(void)
{
	return FREQ;
}
void arch_timer_set(u64 deadline)
{
	nr_programs++;
	armed[host_this_cpu->id] = deadline;
}
void arch_timer_off(void)
{
	armed[host_this_cpu->id] = NEVER;
}
void vgic_set_spi(struct domain *dom, unsigned int intid, bool level)
{
	assert_ptr_equal(dom, &d);
	assert_int_equal(intid, 33);
	/* Two changes reach the vGIC in the order in which they are made. */
	assert_int_not_equal(d.wdt.lock.tickets, 0);
	assert_int_not_equal(line, level);
	line = level;
}
void ipi_send(unsigned int cpu, u32 reasons)
{
	assert_int_equal(cpu, HOME);
	assert_int_equal(reasons, IPI_WATCHDOG);
	nr_ipis++;
}
void domain_stop(struct domain *dom, enum stop_reason why)
{
	assert_ptr_equal(dom, &d);
	assert_int_equal(why, STOP_WATCHDOG);
	/* Ranks: the domain's lock comes first. */
	assert_int_equal(d.wdt.lock.tickets, 0);
	nr_stops++;
	d.state = DOMAIN_SHUTTING_DOWN;
}
void log_at(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	assert_int_equal(level, LOG_ERROR);
	assert_int_equal(d.wdt.lock.tickets, 0);
	va_start(ap, fmt);
	vsnprintf(logged, sizeof(logged), fmt, ap);
	va_end(ap);
}

static void on_cpu(unsigned int cpu)
{
	host_this_cpu = &cpus[cpu];
}

static int setup(void **state)
{
	const struct describe_guest g = {.watchdog_ms = MS};

	(void)state;
	memset(&d, 0, sizeof(d));
	memset(&other, 0, sizeof(other));
	memset(vcpus, 0, sizeof(vcpus));
	memset(domains, 0, sizeof(domains));
	now = START;
	line = false;
	nr_ipis = nr_stops = 0;
	logged[0] = 0;
	for (unsigned int i = 0; i < CONFIG_NR_CPUS; i++) {
		cpus[i].id = i;
		on_cpu(i);
		time_init_cpu();
	}
	on_cpu(HOME);
	d.id = 2;
	strcpy(d.name, "web");
	d.nr_vcpus = 2;
	d.cntvoff = VOFF;
	for (unsigned int i = 0; i < 2; i++) {
		d.vcpus[i] = &vcpus[i];
		vcpus[i].domain = &d;
		vcpus[i].id = i;
		vcpus[i].cpu = i ? AWAY : HOME;
	}
	other_vcpu.domain = &other;
	other.vcpus[0] = &other_vcpu;
	domains[1] = &other;
	domains[2] = &d;
	assert_int_equal(wdt_part.domain_init(&d, &g), 0);
	assert_int_equal(armed[HOME], NEVER);
	d.state = DOMAIN_RUNNING;
	wdt_start(&d);
	return 0;
}

/* As the trap does it: through the domain's list of regions. */
static u64 run(u64 offset, u8 size, bool write, u64 val)
{
	const struct emul_region *r = emul_find(&d.emul, BASE + offset);
	struct emul_access a = {.offset = offset,
				.size = size,
				.write = write,
				.value = val};

	if (size < 8 && write)
		a.value &= BITS(8 * size - 1, 0);
	assert_non_null(r);
	r->access(&vcpus[host_this_cpu->id == AWAY], &a);
	assert_int_equal(d.wdt.lock.tickets, 0);
	assert_int_equal(line, (d.wdt.wcs & WCS_WS0) != 0 && !d.wdt.single);
	return a.value;
}

static u32 rd(u64 offset)
{
	u64 val = run(offset, 4, false, RUBBISH);

	assert_int_equal(val >> 32, 0);
	return (u32)val;
}
static void wr(u64 offset, u32 val)
{
	run(offset, 4, true, val);
}
static u64 rd64(u64 offset)
{
	return run(offset, 8, false, RUBBISH);
}
static void wr64(u64 offset, u64 val)
{
	run(offset, 8, true, val);
}

/* Time passes on HOME; its interrupt comes when it is due. */
static void advance(u64 to)
{
	struct cpu *was = host_this_cpu;

	on_cpu(HOME);
	now = to;
	if (armed[HOME] <= now)
		time_irq();
	host_this_cpu = was;
}

/* HOME takes its interrupts in time. */
static inline void passes(u64 ticks)
{
	u64 end = now + ticks;

	while (armed[HOME] <= end)
		advance(armed[HOME]);
	advance(end);
}

static u64 virt(void)
{
	return now - VOFF;
}
