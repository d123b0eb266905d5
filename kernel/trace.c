/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rings of the trace and their dump, which the console takes line by line
 * as fast as the UART sends. tools/sktrace reads it.
 */
#include <skerry/trace.h>

#include <skerry/domain.h>
#include <skerry/fmt.h>
#include <skerry/guest.h>
#include <skerry/log.h>
#include <skerry/machine.h>
#include <skerry/page.h>
#include <skerry/string.h>
#include <skerry/time.h>

#define DEFAULT_KIB 4
#define MAX_KIB	    4096
#define NOBODY	    0xff /* as vCPU */

struct trace_record {
	u64 tick;
	u8 event, domain, vcpu, spare;
	u32 arg;
};
static_assert(sizeof(struct trace_record) == 16, "256 in 4 KiB");
static_assert(CONFIG_MAX_DOMAINS <= 255 && CONFIG_MAX_VCPUS < NOBODY,
	      "a byte each");

static const char *const names[NR_TRACE_EVENTS] = {
	[TRACE_RUN] = "run",
	[TRACE_IDLE] = "idle",
	[TRACE_WAKE] = "wake",
	[TRACE_BLOCK] = "block",
	[TRACE_PREEMPT] = "preempt",
	[TRACE_EXHAUSTED] = "exhausted",
	[TRACE_REPLENISH] = "replenish",
	[TRACE_EXIT] = "exit",
	[TRACE_ENTER] = "enter",
	[TRACE_IRQ] = "irq",
};

static struct trace_record *rings; /* one after the other */
static u64 nr_records;		   /* in each; 0: no rings */
static u64 stopped;		   /* tick of the last time */

/* CPU 0 sets it up, and `active` gives it to who holds the console. */
static struct {
	bool active;
	bool again; /* tracing goes on afterwards */
	unsigned int line, guest, cpu;
	u64 at, end; /* of that CPU's ring */
	u64 now;     /* as its first line has it */
	u64 nr, nr_lost;
} dump;

void trace_put(enum trace_event e, const struct vcpu *v, u32 arg)
{
	struct cpu *cpu = this_cpu();
	u64 at = cpu->trace.next;

	rings[cpu->id * nr_records + at % nr_records] = (struct trace_record){
		.tick = time_now(),
		.event = (u8)e,
		.domain = v ? (u8)v->domain->id : 0,
		.vcpu = v ? (u8)v->id : NOBODY,
		.arg = arg,
	};
	/* Partner: first_of(). */
	store_release(&cpu->trace.next, at + 1);
}

void trace_init(void)
{
	int kib = machine_get_number("trace=", 0, MAX_KIB);
	u64 size = align_up((kib < 0 ? DEFAULT_KIB : (u64)kib) * KIB, PAGE_SIZE);

	if (!size)
		return;
	rings = page_alloc_hyp(nr_cpus * size);
	if (rings)
		nr_records = size / sizeof(*rings);
	else
		log_warn("trace: no memory for %lu KiB per CPU", size / KIB);
}

static void set(bool on)
{
	for (unsigned int i = 0; i < nr_cpus; i++) {
		struct trace_ring *t = &cpus[i].trace;

		if (t->on == on)
			continue;
		if (on)
			t->first = READ_ONCE(t->next);
		else
			stopped = time_now();
		WRITE_ONCE(t->on, on);
		/* What it runs may not show for long, without an interrupt. */
		if (on && READ_ONCE(cpus[i].online))
			ipi_send(i, IPI_WAKE);
	}
}

static int order(void)
{
	return !nr_records ? -ENOMEM : trace_is_dumping() ? -EBUSY : 0;
}

int trace_set(bool on)
{
	int err = order();

	if (!err)
		set(on);
	return err;
}

static const struct trace_record *record_at(u64 at)
{
	return &rings[dump.cpu * nr_records + at % nr_records];
}

/*
 * The ring of dump.cpu, from its oldest record. Its CPU may be writing one
 * that it began before tracing was stopped: over the oldest of a full ring,
 * which is left out. If it took the time of it after the dump had, so is that.
 */
static void first_of(void)
{
	const struct trace_ring *t = &cpus[dump.cpu].trace;

	dump.end = load_acquire(&t->next);
	dump.at = dump.end - min(dump.end - t->first, nr_records - 1);
	while (dump.end != dump.at && record_at(dump.end - 1)->tick > dump.now)
		dump.end--;
	dump.nr += dump.end - dump.at;
	dump.nr_lost += dump.at - t->first;
}

int trace_dump(void)
{
	int err = order();

	if (err)
		return err;
	memset(&dump, 0, sizeof(dump));
	dump.again = cpus[0].trace.on;
	set(false);
	/* Partner: trace_is_dumping(). */
	store_release(&dump.active, true);
	return 0;
}

bool trace_is_dumping(void)
{
	return load_acquire(&dump.active);
}

static void put_record(char *line, size_t size)
{
	const struct trace_record *r = record_at(dump.at++);
	char who[12] = "-";

	if (r->vcpu != NOBODY)
		fmt_snprintf(who, sizeof(who), "d%u.%u", r->domain, r->vcpu);
	fmt_snprintf(line, size, "trace: c%u %lx %s %s %x", dump.cpu, r->tick,
		     names[r->event], who, r->arg);
}

/* Those of guests that there are, by their numbers. */
static bool put_name(char *line, size_t size)
{
	while (dump.guest < CONFIG_MAX_DOMAINS) {
		const struct guest *g = &guests[++dump.guest];

		/* Partner: set_phase(). */
		if (load_acquire(&g->phase) == GUEST_NONE)
			continue;
		fmt_snprintf(line, size, "trace: d%u %s", g->id, g->desc.name);
		return true;
	}
	return false;
}

bool trace_dump_line(char *line, size_t size)
{
	if (!trace_is_dumping())
		return false;
	if (!dump.line++) {
		dump.now = time_now();
		fmt_snprintf(
			line, size,
			"trace: begin freq %lu cpus %u now %lx until %lx was %s",
			time_freq(), nr_cpus, dump.now, stopped,
			dump.again ? "on" : "off");
		first_of();
		return true;
	}
	if (put_name(line, size))
		return true;
	while (dump.at == dump.end && ++dump.cpu < nr_cpus)
		first_of();
	if (dump.cpu < nr_cpus) {
		put_record(line, size);
		return true;
	}
	fmt_snprintf(line, size, "trace: end %lu records, %lu overwritten",
		     dump.nr, dump.nr_lost);
	if (dump.again)
		set(true);
	store_release(&dump.active, false);
	return true;
}
