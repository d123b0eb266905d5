/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weighted round-robin by virtual time (start-time fair queueing): the ready
 * vCPU with the least virtual time runs for its slice. One that wakes is at
 * most BONUS behind the others, and not at all with a heavier one among them,
 * so sleep is no credit; it takes the CPU at once from one of lower weight, or
 * when it is clearly behind. Who is preempted so goes on with the rest of its
 * slice, before the others have their turn.
 */
#include "sched_priv.h"

#define BONUS_US 2000
#define GRAIN_US 500
#define SLACK_US 2

static u64 bonus, grain; /* in ticks */
u64 rr_slack;

void rr_init(void)
{
	bonus = from_us(BONUS_US);
	grain = from_us(GRAIN_US);
	rr_slack = from_us(SLACK_US);
}

void rr_set(struct vcpu *v, const struct sched_params *p)
{
	v->sched.weight = p->weight;
	v->sched.slice = from_us(p->slice_us);
	v->sched.rest = 0; /* less than a tick, and of another weight */
}

void rr_charge(struct vcpu *v, u64 ran)
{
	/* With the rest: many short runs of a great weight are not free. */
	ran = ran * SCHED_WEIGHT + v->sched.rest;
	v->sched.vtime += ran / v->sched.weight;
	v->sched.rest = (u32)(ran % v->sched.weight);
}

/* By virtual time again. */
void rr_settle_one(struct sched_cpu *c)
{
	struct vcpu *v = c->preempted;

	c->preempted = NULL;
	v->sched.left = 0;
	heap_add(&c->queue, &v->sched.node, v->sched.vtime);
}

void rr_add(struct sched_cpu *c, struct vcpu *v)
{
	/* One that is behind it does not wait for it. */
	if (c->preempted && is_later(c->preempted->sched.vtime, v->sched.vtime))
		rr_settle(c);
	heap_add(&c->queue, &v->sched.node, v->sched.vtime);
}

void rr_wake(struct sched_cpu *c, struct vcpu *v)
{
	v->sched.left = 0;
	/* What a light one has slept is no credit against a heavier one. */
	v->sched.vtime =
		later(v->sched.vtime,
		      c->vtime - (v->sched.weight == c->heaviest ? bonus : 0));
	rr_add(c, v);
}

bool rr_preempts(const struct vcpu *v, const struct vcpu *cur)
{
	bool heavier = v->sched.weight > cur->sched.weight;

	return is_later(cur->sched.vtime,
			v->sched.vtime + (heavier ? 0 : grain));
}

void rr_pay(struct vcpu *by, struct vcpu *prev)
{
	rr_charge(by, server_toll);
	prev->sched.vtime -= server_toll * SCHED_WEIGHT / prev->sched.weight;
}

void rr_put(struct sched_cpu *c, struct vcpu *prev, bool for_server)
{
	/* For a server the queue can wait: rr_choose() has time for it. */
	if (!prev->sched.left && !for_server) {
		rr_add(c, prev);
		return;
	}
	/* The one before it has waited for what is itself preempted now. */
	rr_settle(c);
	c->preempted = prev;
}

struct vcpu *rr_choose(struct sched_cpu *c, struct vcpu *prev)
{
	struct vcpu *v = c->preempted;

	/* What preempted it does not sleep, but has run its time; or it had. */
	if (v && (prev || !v->sched.left))
		rr_settle_one(c);
	v = rr_next(c);
	return prev && (!v || is_later(v->sched.vtime, prev->sched.vtime)) ? prev
									   : v;
}
