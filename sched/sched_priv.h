/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the scheduler. All under the CPU's lock. */
#pragma once

#include <skerry/cpu.h>
#include <skerry/domain.h>

/* Virtual times wrap: only their distance counts. */
static inline bool is_later(u64 a, u64 b)
{
	return heap_is_before(b, a);
}

static inline u64 later(u64 a, u64 b)
{
	return is_later(a, b) ? a : b;
}

static inline u64 from_us(u64 us)
{
	return us * time_freq() / 1000000;
}

static inline struct vcpu *vcpu_of(struct heap_node *node)
{
	return heap_entry(node, struct vcpu, sched.node);
}

/* --- round-robin --------------------------------------------------------- */

/*
 * The end of a slice waits so long, in ticks, for a timer that is due: whom it
 * wakes would else wait for a change of vCPUs first.
 */
extern u64 rr_slack;
void rr_init(void);
void rr_set(struct vcpu *v, const struct sched_params *p);
/* v has run for so long. */
void rr_charge(struct vcpu *v, u64 ran);
/* It is ready, and has not been. */
void rr_wake(struct sched_cpu *c, struct vcpu *v);
/* Ready and not running; by its virtual time. */
void rr_add(struct sched_cpu *c, struct vcpu *v);
/* v, which is in the queue, takes the CPU from cur; both are round-robin. */
bool rr_preempts(const struct vcpu *v, const struct vcpu *cur);
/* The preempted one, if there is one, has lost its turn. */
void rr_settle_one(struct sched_cpu *c);
static inline void rr_settle(struct sched_cpu *c)
{
	if (unlikely(c->preempted))
		rr_settle_one(c);
}
/* The next one, which stays queued; NULL for none. */
static inline struct vcpu *rr_next(const struct sched_cpu *c)
{
	return c->preempted    ? c->preempted
	       : c->queue.root ? vcpu_of(c->queue.root)
			       : NULL;
}
/* `by`, which has been woken, preempts prev: it pays, to that. */
void rr_pay(struct vcpu *by, struct vcpu *prev);
/* prev leaves the CPU to another one, perhaps to a server, but is ready. */
void rr_put(struct sched_cpu *c, struct vcpu *prev, bool for_server);
/* The next one, which stays queued; prev, which could go on, or NULL. */
struct vcpu *rr_choose(struct sched_cpu *c, struct vcpu *prev);

/* --- deadlines ----------------------------------------------------------- */

/*
 * What each wake costs beyond one in a period, in ticks: at least what EL2
 * takes for it, and for the way back, from one that runs. It is given to that
 * one. Else a guest that wakes all the time could have others pay as much as it
 * has itself. Of a budget, also each return of a part of it; of round-robin,
 * each wake that preempts.
 */
extern u64 server_toll;
void server_init(void);
/* `by`, which has paid, preempts v. */
void server_credit(struct vcpu *v, struct vcpu *by);
void server_set(struct vcpu *v, const struct sched_params *p, u64 now);
/*
 * v is ready, and has not been, since `since`. True: it is to run on its budget
 * by the deadline server_deadline(); else it is deferred.
 */
bool server_wake(struct sched_cpu *c, struct vcpu *v, u64 since, u64 now);
/* It waits, or has to. */
void server_block(struct sched_cpu *c, struct vcpu *v, u64 now);
/* Counts it as missed if v should have waited by now. */
void server_check_job(struct vcpu *v, u64 now);
/* v has run for so long on its budget, until its `since`. */
void server_charge(const struct sched_cpu *c, struct vcpu *v, u64 ran);
/*
 * Ready, with no budget left: more, which has come meanwhile, or it is deferred
 * and false.
 */
bool server_supply(struct sched_cpu *c, struct vcpu *v, u64 now);
/* The same when that has come: for it, it may have to pay. */
bool server_resume(struct sched_cpu *c, struct vcpu *v, u64 now);
/* One whose time to return has come, for server_resume(); NULL for none. */
struct vcpu *server_return(struct sched_cpu *c, u64 now);

static inline u64 server_deadline(const struct vcpu *v)
{
	return v->sched.server.release + v->sched.server.deadline;
}
