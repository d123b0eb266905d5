/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which vCPU a physical CPU runs: weighted round-robin by virtual time. A vCPU
 * stays on the CPU where it was placed. Times in ticks of the system counter;
 * virtual time is that times SCHED_WEIGHT / weight, so that vCPUs that are
 * always ready get shares as their weights. Tickless: a slice ends by a timer
 * only where another vCPU is ready, and only then WFI and WFE trap.
 */
#pragma once

#include <skerry/spinlock.h>
#include <skerry/time.h>

struct vcpu;

#define SCHED_WEIGHT	 256 /* of a vCPU without skerry,weight */
#define SCHED_MAX_WEIGHT 65535
#define SCHED_SLICE_US	 5000

/* Of a vCPU; RANK_SCHED of its CPU. */
struct sched_vcpu {
	struct list node;   /* in the queue, when ready and not running */
	struct list placed; /* among all vCPUs of its CPU */
	bool ready;	    /* wants the CPU; running or queued; any reads */
	bool paused;	    /* never ready, whoever wakes it; any reads */
	bool woken;	    /* has not run since */
	u32 weight;
	u32 rest; /* of the division by it */
	u64 slice;
	u64 left; /* of the slice in which it was preempted, or 0 */
	u64 vtime;
	u64 since; /* it began to run, became ready, or left being paused */
	u64 due;   /* or was to, by a timer; 0; its CPU sets, any reads */
	/* For the figures. */
	u64 ran, waited, nr_runs;
	/*
	 * Wakes since it was last started, by the time from each (a timer's
	 * from when it was due) until it ran: the longest, and how many of
	 * 2^n to 2^(n+1) ticks (n = 0: or none).
	 */
	u64 worst_wake;
	u32 wakes[64];
};

/* Of a CPU. */
struct sched_cpu {
	struct spinlock lock;
	struct list queue; /* ready ones by virtual time; see preempted */
	bool preempted;	   /* one that goes on before all that are behind it */
	struct list placed;
	u32 heaviest;	      /* weight of these */
	struct vcpu *running; /* NULL: idle */
	u64 vtime;	      /* the least a vCPU may wake with, plus a bonus */
	struct timer slice_end;
	u64 slice_until; /* of `running`; 0: no other is ready */
	u32 resched; /* look again before the guest is entered; any CPU sets */
	u32 reap;    /* a domain is stopping; likewise */
};

void sched_init_cpu(unsigned int cpu);
/* Boot, or creation of v: its CPU for good; slice in us. Not ready yet. */
void sched_place(struct vcpu *v, unsigned int cpu, u32 weight, u32 slice_us);
/* Ready; sends its CPU an IPI if that has to look. Any CPU, idempotent. */
void sched_wake(struct vcpu *v);
/* Not ready; the caller checks afterwards whether v is to wake again. */
void sched_block(struct vcpu *v);
/* v's domain is stopping: it never runs again. Any CPU. */
void sched_kill(struct vcpu *v);
/*
 * Not ready until sched_resume(), which wakes it unless it is off: then a vCPU
 * that waited finds out that there was nothing. Any CPU, idempotent.
 */
void sched_pause(struct vcpu *v);
void sched_resume(struct vcpu *v);
/*
 * Of a paused v, which the caller keeps so: from when on it has been out of the
 * guest without a break, not before the pause began; ~0 while its CPU may still
 * have it. Any CPU.
 */
u64 sched_out_since(struct vcpu *v);
/*
 * Neither paused nor ready: nothing but a wake will have it loaded. On its CPU,
 * without the lock. Acquire: once it is seen as resumed it is seen as ready;
 * partner: sched_resume().
 */
static inline bool sched_is_waiting(const struct sched_vcpu *s)
{
	return !load_acquire(&s->paused) && !READ_ONCE(s->ready);
}
/* After a trapped WFE: the next one goes first. On v's CPU. */
void sched_pass(struct vcpu *v);
/* Somebody else is ready on the calling CPU. */
bool sched_is_contended(void);
/* The vCPU to run next, NULL for none. For what runs now, its time is up. */
struct vcpu *sched_next(void);
/* Idle loop: let go of stopped vCPUs, make ready those that are off. */
void sched_idle(void);
