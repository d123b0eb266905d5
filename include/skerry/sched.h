/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which vCPU a physical CPU runs (docs/scheduling.md). Deadline vCPUs with some
 * of their budget left go first, the earliest deadline before all; the others
 * share what remains, round-robin by virtual time. A vCPU stays on the CPU
 * where it was placed. Times in ticks of the system counter; virtual time is
 * that times SCHED_WEIGHT / weight, so that vCPUs that are always ready get
 * shares as their weights. Tickless: EL2's timer is set for the end of a
 * budget, the return of a deferred vCPU, and the end of a slice where another
 * vCPU is ready. A deadline vCPU gives the CPU up by WFI, as do those of a
 * guest with skerry,wfi = "trap"; from the others WFI and WFE trap only where
 * another vCPU is ready.
 */
#pragma once

#include <skerry/heap.h>
#include <skerry/list.h>
#include <skerry/spinlock.h>
#include <skerry/time.h>

struct vcpu;

#define SCHED_WEIGHT	 256 /* of a vCPU without skerry,weight */
#define SCHED_MAX_WEIGHT 65535
#define SCHED_SLICE_US	 5000
/* Of a deadline vCPU. */
#define SCHED_MIN_PERIOD_US 100
#define SCHED_MAX_PERIOD_US 10000000
#define SCHED_MIN_BUDGET_US 10

/*
 * What is described or ordered for a vCPU. With a budget it is a deadline vCPU:
 * that much in each period, within `deadline` of when it wakes; budget <=
 * deadline <= period. Else these are 0.
 */
struct sched_params {
	u32 weight, slice_us;
	u32 period_us, budget_us, deadline_us;
	u32 extra_time; /* 1: beyond its budget round-robin, by weight */
};

/* An amount of budget that may be used from `when` on. */
struct sched_refill {
	u64 when, amount;
};

#define SCHED_REFILLS 8

/* The server of a deadline vCPU; sched/deadline.c. */
struct sched_server {
	u64 period, budget, deadline; /* budget 0: none */
	bool extra;
	bool active; /* runs, or is to run, on its budget */
	u32 nr_refills;
	/* left + spent + all refills = budget */
	s64 left;    /* may be used by release + deadline; < 0: overrun */
	u64 spent;   /* of that release */
	u64 release; /* when what is left could be used */
	struct sched_refill refills[SCHED_REFILLS]; /* by time; see there */
	struct heap_node deferred; /* until the first of them */
	bool paid;		   /* for its last wake; see server_toll */
	u64 free; /* when the next one costs nothing; 0: release + period */
	u64 job;  /* it is to have waited again by then; 0: it waits */
};

/* Of a vCPU; RANK_SCHED of its CPU. */
struct sched_vcpu {
	/* In a queue by deadline or virtual time: ready, and not running. */
	struct heap_node node;
	struct list placed; /* among all vCPUs of its CPU */
	struct sched_server server;
	bool ready;  /* wants the CPU; running or queued; any reads */
	bool paused; /* never ready, whoever wakes it; any reads */
	bool woken;  /* has not run since */
	u32 weight;
	u32 rest; /* of the division by it */
	u64 slice;
	u64 left; /* of the slice in which it was preempted, or 0 */
	u64 vtime;
	u64 since; /* it began to run, became ready, or left being paused */
	u64 due;   /* or was to, by a timer; 0; its CPU sets, any reads */
	/*
	 * For the figures: times it was woken, preempted while it wanted to go
	 * on, had used up its budget, and had not gone to wait again within its
	 * deadline of being woken.
	 */
	u64 ran, waited, nr_wakes, nr_preempted, nr_exhausted, nr_missed;
	u64 worst_wake; /* the longest of those counted in `wakes` */
};

/*
 * `wakes` of struct vcpu, since it was last started: how many took 2^n to 2^(n+1)
 * ticks (n = 0: or none) from each, a timer's from when it was due, until the
 * vCPU was chosen to run. Its last member, so that what is hot is in reach.
 */
#define SCHED_WAKES 64

/* Of a CPU. */
struct sched_cpu {
	struct spinlock lock;
	struct heap deadlines;	/* servers with budget, by deadline */
	struct heap deferred;	/* those without, by when they get some */
	struct heap queue;	/* the other ready ones, by virtual time */
	struct vcpu *preempted; /* one of these that goes first, or NULL */
	struct list placed;
	u32 heaviest;	      /* weight of these */
	u32 nr_reserved;      /* for a deadline before the end of the period */
	u32 nr_constrained;   /* with the placed ones that have one; 0: none */
	struct vcpu *running; /* NULL: idle */
	u64 vtime;	      /* the least a vCPU may wake with, plus a bonus */
	u64 slice_until;      /* end of its slice or budget; 0: none is set */
	u32 resched; /* look again before the guest is entered; any CPU sets */
	u32 reap;    /* a domain is stopping; likewise */
	bool untidy; /* one that is off may have to be reset */
};

void sched_init_cpu(unsigned int cpu);
/*
 * On this CPU time is kept for so many vCPUs with a deadline before the end of
 * their period, whether they are there or between two lives. Any CPU.
 */
void sched_reserve(unsigned int cpu, u32 nr_constrained);
/*
 * Boot, or creation of v: its CPU for good. Not ready yet. As a deadline vCPU
 * it has no budget before `from`: until then it had one in an earlier life.
 */
void sched_place(struct vcpu *v, unsigned int cpu, const struct sched_params *p,
		 u64 from);
/* When a vCPU that is placed has a budget again, for its next life. */
u64 sched_budget_from(const struct vcpu *v);
/*
 * Other parameters for a placed v, which were admitted. Any CPU. As a deadline
 * vCPU it begins anew, not before its last period is over.
 */
void sched_set(struct vcpu *v, const struct sched_params *p);
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
/*
 * After a trapped WFE: the next one goes first, unless v is behind it by more
 * than a slice, and gives up that much. On v's CPU.
 */
void sched_pass(struct vcpu *v);
/* Somebody else is ready on the calling CPU. */
bool sched_is_contended(void);
static inline bool sched_is_server(const struct sched_vcpu *s)
{
	return s->server.budget;
}
/* The vCPU to run next, NULL for none. For what runs now, its time is up. */
struct vcpu *sched_next(void);
/* Idle loop: let go of stopped vCPUs, make ready those that are off. */
void sched_idle(void);
