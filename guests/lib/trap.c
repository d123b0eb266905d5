/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions of the guest: interrupts to registered handlers, expected faults
 * into the record of whoever waits for them, everything else a register dump
 * and power-off.
 */
#include "guest.h"

irq_fn *irq_hook;
static irq_fn *handlers[NR_INTIDS];
static u32 counts[MAX_CPUS][NR_INTIDS];

void trap_irq(struct frame *f);
void trap_sync(struct frame *f);
void trap_serror(struct frame *f);
void trap_bad(struct frame *f);

void irq_register(u32 intid, irq_fn *fn)
{
	handlers[intid] = fn;
}

u32 irq_count(unsigned int cpu, u32 intid)
{
	return READ_ONCE(counts[cpu][intid]);
}

void trap_irq(struct frame *f)
{
	u32 iar, intid;

	(void)f;
	if (irq_hook) {
		irq_hook(0);
		return;
	}
	iar = gic_ack();
	intid = gic_intid(iar);
	if (intid >= NR_INTIDS)
		return; /* spurious */
	WRITE_ONCE(counts[this_cpu()->id][intid],
		   counts[this_cpu()->id][intid] + 1);
	if (handlers[intid])
		handlers[intid](intid);
	gic_eoi(iar);
}

void trap_bad(struct frame *f)
{
	printf("guest fault: cpu %u esr %lx far %lx elr %lx spsr %lx\n",
	       this_cpu()->id, f->esr, f->far, f->elr, f->spsr);
	for (int i = 0; i < 31; i += 4)
		printf("  x%d %016lx %016lx %016lx %016lx\n", i, f->x[i],
		       f->x[i + 1 < 31 ? i + 1 : 30],
		       f->x[i + 2 < 31 ? i + 2 : 30],
		       f->x[i + 3 < 31 ? i + 3 : 30]);
	printf("not ok - unexpected exception\n");
	power_off();
}

static void record(struct frame *f, bool serror)
{
	struct fault *out = this_cpu()->fault;

	if (!out->count++) {
		out->esr = f->esr;
		out->far = f->far;
		out->elr = f->elr;
		out->serror = serror;
	}
}

void trap_sync(struct frame *f)
{
	if (!this_cpu()->expecting)
		trap_bad(f);
	record(f, false);
	/* A jump to nowhere resumes behind its call. */
	f->elr = ESR_EC(f->esr) == EC_IABT_CUR ? f->x[30] : f->elr + 4;
}

void trap_serror(struct frame *f)
{
	if (!this_cpu()->expecting)
		trap_bad(f);
	record(f, true);
}

void fault_begin(struct fault *f)
{
	*f = (struct fault){.count = 0};
	this_cpu()->fault = f;
	this_cpu()->expecting = true;
	asm volatile("" ::: "memory");
}

bool fault_end(struct fault *f)
{
	dsb();
	isb();
	this_cpu()->expecting = false;
	return f->count != 0;
}
