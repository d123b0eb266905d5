/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Per-CPU data, found through TPIDR_EL2. Other CPUs may touch only what is
 * marked so.
 */
#pragma once

#include <skerry/sched.h>
#include <asm/cpu.h>

struct vcpu;

/* Reasons for an IPI; bits of struct cpu.ipi. */
enum {
	IPI_REFRESH = BIT(0),  /* look at the current vCPU's interrupts */
	IPI_WAKE = BIT(1),     /* choose again which vCPU to run */
	IPI_STOP = BIT(2),     /* panic elsewhere: park */
	IPI_WATCHDOG = BIT(3), /* a watchdog's timer is to fire sooner */
	IPI_SYNC = BIT(4),     /* for cpu_sync() */
};

/* kernel/trace.c; the records are elsewhere. */
struct trace_ring {
	u32 on;	   /* who gives orders writes; so `first` */
	u64 next;  /* counts records; any CPU reads */
	u64 first; /* `next` when tracing began */
};

/* Kinds of physical interrupts that are counted. */
enum { CPU_IRQ_TIMER, CPU_IRQ_IPI, CPU_IRQ_MAINT, CPU_IRQ_OTHER, NR_CPU_IRQS };

struct cpu {
	struct vcpu *current; /* loaded vCPU or NULL; assembly knows */
	u64 stack_top;	      /* likewise */
	unsigned int id;
	struct vcpu *fp_owner; /* whose FP state the registers hold */
	struct heap timers;    /* by deadline */
	struct heap patient;   /* likewise; time.h */
	u64 sched_end;	       /* time.h */
	u64 sched_last;	       /* time.h */
	struct sched_cpu sched;
	u32 ipi;    /* pending reasons; any CPU ORs, owner swaps */
	u32 online; /* any CPU reads */
	u32 synced; /* has taken IPI_SYNC; the worker clears */
	u32 ranks;  /* debug: bit per lock rank held */
	u64 mpidr;
	u64 nr_irqs[NR_CPU_IRQS]; /* by kind; any CPU reads */
	struct trace_ring trace;
	u32 vtimer_intid, htimer_intid; /* as machine's: found sooner here */
	unsigned int in_panic;		/* how deep */
	/* For exceptions of EL2 itself: its own stack may be the cause. */
	u8 panic_stack[3072] __attribute__((aligned(16)));
} __attribute__((aligned(PAGE_SIZE)));

/* Registers of an exception taken from EL2; assembly knows the layout. */
struct el2_regs {
	u64 x[31];
	u64 sp, pc, pstate, esr, far;
};

extern struct cpu cpus[CONFIG_NR_CPUS];
extern unsigned int nr_cpus;

static inline struct cpu *this_cpu(void)
{
	return arch_this_cpu();
}

/* Give `cpu` a reason and an SGI; nothing is waited for. */
void ipi_send(unsigned int cpu, u32 reasons);
/* Take what has come; called from the SGI handler. */
void ipi_handle(void);

/*
 * When it returns, no CPU uses what it has found in domains[] before, and none
 * has the stage 2 of a domain that it does not run. By the worker.
 */
void cpu_sync(void);

/* Boot order of a secondary CPU, then idle; never returns. */
__noreturn void cpu_secondary_main(void);
__noreturn void cpu_idle(void);
/* arch/arm64/smp.c */
void smp_start_secondaries(void);
__noreturn void arch_cpu_park(void);
/* Leave this stack and enter v, or idle with NULL. */
__noreturn void arch_enter(struct vcpu *v);
/* Context of v on the calling CPU: system registers, LRs, FP trap. */
void arch_vcpu_load(struct vcpu *v);
void arch_vcpu_unload(struct vcpu *v);
__noreturn void arch_poweroff(void);
__noreturn void arch_reboot(void);
