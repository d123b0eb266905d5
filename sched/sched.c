/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queues of each CPU: who is ready, who runs, and who is to run next. What
 * decides among deadline vCPUs is in deadline.c, among the others in rr.c.
 */
#include <skerry/sched.h>

#include "sched_priv.h"

#include <skerry/init.h>
#include <skerry/string.h>
#include <skerry/trace.h>

#define MAX_RETURNS 8 /* under the lock at once */

static struct sched_cpu *sched_of(const struct vcpu *v)
{
	return &cpus[v->cpu].sched;
}

void sched_init_cpu(unsigned int cpu)
{
	struct sched_cpu *c = &cpus[cpu].sched;

	spin_init(&c->lock, RANK_SCHED);
	list_init(&c->placed);
	rr_init();
	server_init();
}

/* What those that are placed here have in common. */
static void survey(struct sched_cpu *c)
{
	c->heaviest = 0;
	c->nr_constrained = c->nr_reserved;
	list_for_each(at, &c->placed) {
		const struct sched_vcpu *s =
			&list_entry(at, struct vcpu, sched.placed)->sched;

		/* Of those that are round-robin, if at times. */
		if (!s->server.budget || s->server.extra)
			c->heaviest = max(c->heaviest, s->weight);
		c->nr_constrained += s->server.deadline < s->server.period;
	}
}

void sched_reserve(unsigned int cpu, u32 nr_constrained)
{
	struct sched_cpu *c = &cpus[cpu].sched;

	spin_lock(&c->lock);
	c->nr_reserved = nr_constrained;
	survey(c);
	spin_unlock(&c->lock);
}

void sched_place(struct vcpu *v, unsigned int cpu, const struct sched_params *p,
		 u64 from)
{
	struct sched_cpu *c = &cpus[cpu].sched;

	v->cpu = cpu;
	rr_set(v, p);
	v->sched.server.release = from; /* of a period of 0 */
	server_set(v, p, time_now());
	spin_lock(&c->lock);
	/* Not 0: times wrap, and half of all are later than that. */
	v->sched.vtime = c->vtime;
	list_add_before(&c->placed, &v->sched.placed);
	c->untidy = true;
	survey(c);
	spin_unlock(&c->lock);
}

u64 sched_budget_from(const struct vcpu *v)
{
	return v->sched.server.release + v->sched.server.period;
}

/* The running one is charged for what it has run since it was the last time. */
static __force_inline void charge(struct sched_cpu *c, struct vcpu *v, u64 now)
{
	u64 ran = now - v->sched.since;

	v->sched.ran += ran;
	v->sched.since = now;
	if (v->sched.server.active)
		server_charge(c, v, ran);
	else
		rr_charge(v, ran);
}

static void dequeue(struct sched_cpu *c, struct vcpu *v)
{
	if (c->preempted == v)
		c->preempted = NULL;
	else
		heap_del(v->sched.server.active ? &c->deadlines : &c->queue,
			 &v->sched.node);
}

/* What choose_from() found. */
static __force_inline void dequeue_first(struct sched_cpu *c, bool active)
{
	if (active)
		heap_pop(&c->deadlines);
	else if (unlikely(c->preempted))
		c->preempted = NULL;
	else
		heap_pop(&c->queue);
}

/* Ready and not running. */
static __force_inline void enqueue(struct sched_cpu *c, struct vcpu *v)
{
	if (v->sched.server.active)
		heap_add(&c->deadlines, &v->sched.node, server_deadline(v));
	else
		rr_add(c, v);
}

static __force_inline void ask(struct sched_cpu *c, unsigned int cpu)
{
	if (READ_ONCE(c->resched))
		return;
	WRITE_ONCE(c->resched, 1U);
	if (cpu != this_cpu()->id)
		ipi_send(cpu, IPI_WAKE);
}

static bool is_contended(const struct sched_cpu *c)
{
	return !heap_is_empty(&c->deadlines) || !heap_is_empty(&c->queue) ||
	       c->preempted;
}

/* v is to run on its budget; what runs may be of any kind, or nothing. */
static bool server_preempts(const struct vcpu *v, const struct vcpu *cur)
{
	return !cur->sched.server.active ||
	       is_later(server_deadline(cur), server_deadline(v));
}

/* cur has run alone for long, perhaps. */
static void catch_up(struct sched_cpu *c, struct vcpu *cur, u64 now)
{
	charge(c, cur, now);
	if (!cur->sched.server.active)
		c->vtime = later(c->vtime, cur->sched.vtime);
}

/* With extra time: beyond its budget it is one that has slept until now. */
static __noinline void refresh(struct sched_cpu *c, struct vcpu *v,
			       struct vcpu *cur, u64 now)
{
	if (cur && !is_contended(c))
		catch_up(c, cur, now);
	v->sched.vtime = later(v->sched.vtime, c->vtime);
}

/* v, ready from now on, joins the round-robin; true if it goes before cur. */
static bool join(struct sched_cpu *c, struct vcpu *v, struct vcpu *cur, u64 now)
{
	rr_wake(c, v);
	if (!cur || cur->sched.server.active)
		return !cur;
	/* What it has run since makes that but clearer. */
	if (v->sched.weight <= cur->sched.weight ||
	    !is_later(cur->sched.vtime, v->sched.vtime))
		charge(c, cur, now);
	return rr_preempts(v, cur);
}

/* v becomes ready; true if its CPU has to look. */
static __force_inline bool make_ready(struct sched_cpu *c, struct vcpu *v,
				      u64 now)
{
	struct vcpu *cur = c->running;
	bool is_server = sched_is_server(&v->sched);
	bool first;

	/* Blocked or paused, but not left yet: choose() puts it back. */
	if (unlikely(v == cur)) {
		charge(c, v, now);
		/* By weight its time on the budget is no credit. */
		if (is_server && !server_wake(c, v, now, now))
			v->sched.vtime = later(v->sched.vtime, c->vtime);
		return true;
	}
	v->sched.since = READ_ONCE(v->sched.due) ?: now;
	v->sched.woken = true;
	if (is_server) {
		if (unlikely(v->sched.server.extra))
			refresh(c, v, cur, now);
		if (likely(server_wake(c, v, v->sched.since, now))) {
			heap_add(&c->deadlines, &v->sched.node,
				 server_deadline(v));
			/* Alone with extra time, the running one has no end. */
			return !cur || server_preempts(v, cur) ||
			       !c->slice_until;
		}
		/* The timer has to be set for its return. */
		if (!v->sched.server.extra)
			return c->deferred.root == &v->sched.server.deferred;
	}
	first = !is_contended(c);
	if (cur && first)
		catch_up(c, cur, now);
	/* Alone, the running one may have no end and wait without a trap. */
	return join(c, v, cur, now) ||
	       (first && !(cur && cur->sched.server.active && c->slice_until)) ||
	       c->deferred.root == &v->sched.server.deferred;
}

static __force_inline void wake(struct sched_cpu *c, struct vcpu *v)
{
	if (v->sched.ready || domain_is_stopping(v->domain))
		return;
	v->sched.ready = true;
	v->sched.nr_wakes++;
	trace(TRACE_WAKE, v, 0);
	if (make_ready(c, v, time_now()))
		ask(c, v->cpu);
}

void sched_wake(struct vcpu *v)
{
	struct sched_cpu *c = sched_of(v);

	spin_lock(&c->lock);
	if (!v->sched.paused)
		wake(c, v);
	spin_unlock(&c->lock);
}

static void unready(struct sched_cpu *c, struct vcpu *v)
{
	if (v->sched.ready)
		trace(TRACE_BLOCK, v, 0);
	v->sched.ready = false;
	if (sched_is_server(&v->sched))
		server_block(c, v, time_now());
}

void sched_block(struct vcpu *v)
{
	struct sched_cpu *c = sched_of(v);

	spin_lock(&c->lock);
	unready(c, v);
	WRITE_ONCE(c->resched, 1U);
	spin_unlock(&c->lock);
}

void sched_kill(struct vcpu *v)
{
	struct sched_cpu *c = sched_of(v);

	spin_lock(&c->lock);
	unready(c, v);
	dequeue(c, v);
	WRITE_ONCE(c->reap, 1U);
	ask(c, v->cpu);
	spin_unlock(&c->lock);
}

void sched_pause(struct vcpu *v)
{
	struct sched_cpu *c = sched_of(v);
	u64 now;

	spin_lock(&c->lock);
	/* Else it is charged, and with that `since` set, when it leaves. */
	if (!v->sched.paused && c->running != v) {
		now = time_now();
		if (v->sched.ready)
			v->sched.waited += now - v->sched.since;
		v->sched.since = now;
	}
	v->sched.paused = true;
	unready(c, v);
	dequeue(c, v);
	ask(c, v->cpu);
	spin_unlock(&c->lock);
}

void sched_set(struct vcpu *v, const struct sched_params *p)
{
	struct sched_cpu *c = sched_of(v);
	bool ready, woken;
	u64 now, since;

	spin_lock(&c->lock);
	now = time_now();
	if (c->running == v) {
		charge(c, v, now);
		c->slice_until = now; /* of what it was */
	}
	ready = v->sched.ready;
	since = v->sched.since;
	woken = v->sched.woken;
	if (heap_has(&v->sched.server.deferred))
		trace(TRACE_REPLENISH, v, 0);
	/* Ready all the time: arch_vcpu_unload() looks without the lock. */
	if (sched_is_server(&v->sched))
		server_block(c, v, now);
	dequeue(c, v);
	if (v->sched.server.active)
		v->sched.vtime = later(v->sched.vtime, c->vtime);
	rr_set(v, p);
	server_set(v, p, now);
	survey(c);
	if (ready && make_ready(c, v, now))
		ask(c, v->cpu);
	/* It has not been woken by this: it waits since it did. */
	if (ready && c->running != v) {
		v->sched.since = since;
		v->sched.woken = woken;
	}
	spin_unlock(&c->lock);
}

void sched_resume(struct vcpu *v)
{
	struct sched_cpu *c = sched_of(v);

	spin_lock(&c->lock);
	/* A CPU_ON before this has set the state, a later one wakes it. */
	if (READ_ONCE(v->state) != VCPU_OFF)
		wake(c, v);
	/* Partner: sched_is_waiting(), to which it is never just waiting. */
	store_release(&v->sched.paused, false);
	spin_unlock(&c->lock);
}

u64 sched_out_since(struct vcpu *v)
{
	struct sched_cpu *c = sched_of(v);
	u64 since = ~0UL;

	spin_lock(&c->lock);
	/*
	 * Not chosen, it is not about to be loaded. But one that is loaded may
	 * be chosen again before it is unloaded, when what was chosen instead
	 * turns out to be off: then it would go on with the offset it has.
	 */
	if (c->running != v && !READ_ONCE(v->vgic.loaded))
		since = v->sched.since;
	spin_unlock(&c->lock);
	return since;
}

bool sched_is_contended(void)
{
	/* Not locked: who becomes the first asks this CPU to look. */
	return is_contended(&this_cpu()->sched);
}

void sched_pass(struct vcpu *v)
{
	struct sched_cpu *c = sched_of(v);
	const struct vcpu *next;
	u64 now, most;

	spin_lock(&c->lock);
	rr_settle(c);
	next = rr_next(c);
	if (next && !v->sched.server.active) {
		now = time_now();
		charge(c, v, now);
		/* Nobody knows for what it waits: a slice at most. */
		most = v->sched.vtime +
		       v->sched.slice * SCHED_WEIGHT / v->sched.weight;
		v->sched.vtime = later(v->sched.vtime, next->sched.vtime);
		if (is_later(v->sched.vtime, most))
			v->sched.vtime = most;
		c->slice_until = now;
		WRITE_ONCE(c->resched, 1U);
	}
	spin_unlock(&c->lock);
}

/* As after power-on. Done while it is off, so that CPU_ON has little to do. */
static void reset(struct vcpu *v)
{
	timer_cancel(&v->ptimer.timer);
	timer_cancel(&v->vtimer);
	v->ptimer.ctl = 0;
	v->blocked = false;
	v->flush_done = v->caches_on = false;
	v->flush_pos = 0;
	arch_vcpu_reset(v);
	vgic_vcpu_reset(v);
	v->fresh = true;
}

/* CPU_ON was given: take it, unless the domain was stopped. */
static bool take_pending(struct vcpu *v)
{
	struct domain *d = v->domain;
	bool take;

	if (!v->fresh)
		reset(v);
	spin_lock(&d->vcpu_lock);
	take = v->state == VCPU_PENDING && !domain_is_stopping(d);
	if (take) {
		arch_vcpu_start(v, IPA(v->on_entry), v->on_arg);
		v->fresh = false;
		v->sched.worst_wake = 0;
		memset(v->wakes, 0, sizeof(v->wakes));
		WRITE_ONCE(v->state, VCPU_ON);
	}
	spin_unlock(&d->vcpu_lock);
	if (take)
		init_first_guest();
	return take;
}

/* v is to run, and has been ready since it woke or was preempted. */
static void record(struct vcpu *v, u64 now)
{
	u64 waited = now - v->sched.since;

	v->sched.waited += waited;
	if (v->sched.woken) {
		v->sched.woken = false;
		v->sched.worst_wake = max(v->sched.worst_wake, waited);
		v->wakes[63 - __builtin_clzl(waited | 1)]++;
	}
	v->sched.since = now;
}

/* Ready, and not deferred. */
static bool may_run(const struct vcpu *v)
{
	const struct sched_server *s = &v->sched.server;

	return v->sched.ready && (!s->budget || s->active || s->extra);
}

/* Its budget is used up. It goes on as soon as it has some again. */
static __noinline void exhausted(struct sched_cpu *c, struct vcpu *v, u64 now)
{
	struct timer *t = &v->ptimer.timer;

	/* Armed before v had a budget: it would wait for v itself. */
	if (unlikely(timer_is_armed(t) && t->patient))
		timer_arm_for(t, t->deadline, true);
	server_check_job(v, now);
	server_supply(c, v, now);
}

/* prev's time is accounted for; true if it could go on. */
static bool leave(struct sched_cpu *c, struct vcpu *prev, u64 now)
{
	bool active = prev->sched.server.active;
	u64 left = 0;

	charge(c, prev, now);
	/* It was alone: a whole one, but not before others that wait. */
	if (!active && !c->slice_until)
		left = heap_is_empty(&c->queue) ? prev->sched.slice : 0;
	else if (!active)
		left = c->slice_until > now ? c->slice_until - now : 0;
	else if (prev->sched.ready && prev->sched.server.left <= 0)
		exhausted(c, prev, now);
	prev->sched.left = left;
	if (!prev->sched.ready && READ_ONCE(prev->state) == VCPU_OFF)
		c->untidy = true;
	return may_run(prev);
}

/* The next one, which is still queued if it is not prev, NULL for none. */
static struct vcpu *choose_from(struct sched_cpu *c, struct vcpu *prev)
{
	struct vcpu *v;

	if (!heap_is_empty(&c->deadlines)) {
		v = vcpu_of(c->deadlines.root);
		return prev && !server_preempts(v, prev) ? prev : v;
	}
	if (prev && prev->sched.server.active)
		return prev;
	return rr_choose(c, prev);
}

static __force_inline void put(struct sched_cpu *c, struct vcpu *prev,
			       struct vcpu *by, bool by_active)
{
	prev->sched.nr_preempted++;
	if (prev->sched.server.active) {
		if (unlikely(by->sched.server.paid))
			server_credit(prev, by);
		/* For nobody, if it paid while it ran. */
		prev->sched.server.paid = false;
		enqueue(c, prev);
	} else {
		if (!by_active && by->sched.woken)
			rr_pay(by, prev);
		rr_put(c, prev, by_active);
	}
}

static __noinline void trace_change(const struct vcpu *put, struct vcpu *v)
{
	if (put)
		trace(TRACE_PREEMPT, put, 0);
	trace(TRACE_RUN, v, 0);
}

/* Account for what ran, and choose. */
static struct vcpu *choose(struct cpu *cpu, u64 now)
{
	struct sched_cpu *c = &cpu->sched;
	struct vcpu *prev = c->running, *v;
	bool stays = prev && leave(c, prev, now);
	bool alone = prev && !prev->sched.server.active && !rr_next(c), active;

	WRITE_ONCE(c->resched, 0U);
	v = choose_from(c, stays ? prev : NULL);
	active = v && v->sched.server.active;
	/*
	 * The least virtual time, unless v was preempted, and before it pays
	 * for its wake. With no other left, who wakes next is not to be behind
	 * what ran.
	 */
	if (v && !active) {
		if (!v->sched.left)
			c->vtime = later(c->vtime, v->sched.vtime);
	} else if (alone) {
		c->vtime = later(c->vtime, prev->sched.vtime);
	}
	if (v && v != prev) {
		if (unlikely(READ_ONCE(cpu->trace.on)))
			trace_change(stays ? prev : NULL, v);
		dequeue_first(c, active);
		if (stays)
			put(c, prev, v, active);
		/* It has preempted whom it has, and nobody later. */
		v->sched.server.paid = false;
		record(v, now);
	}
	c->running = v;
	return v;
}

/*
 * Deferred ones whose time has come have budget again. True if there may be
 * more of them.
 */
static __noinline bool take_returns(struct sched_cpu *c, u64 now)
{
	for (unsigned int i = 0; i < MAX_RETURNS; i++) {
		struct vcpu *v = server_return(c, now);

		if (likely(!v))
			return false;
		trace(TRACE_REPLENISH, v, 0);
		server_check_job(v, now);
		if (v == c->running) {
			charge(c, v, now);
			server_resume(c, v, now);
			continue;
		}
		dequeue(c, v);
		if (server_resume(c, v, now) || v->sched.server.extra)
			enqueue(c, v);
	}
	return true;
}

/*
 * When to look again although nothing happens, or TIME_NEVER; *last: unless
 * something does by then.
 */
static u64 set_end(struct sched_cpu *c, const struct vcpu *v, bool on_budget,
		   bool contended, u64 now, u64 *last)
{
	u64 until = heap_is_empty(&c->deferred) ? TIME_NEVER
						: c->deferred.root->key;
	u64 end = 0;

	if (on_budget) {
		if (contended || until != TIME_NEVER || !v->sched.server.extra)
			end = now + (u64)v->sched.server.left;
	} else if (v && contended) {
		c->slice_until = now + (v->sched.left ?: v->sched.slice);
		*last = min(until, c->slice_until + rr_slack);
		return min(until, c->slice_until);
	}
	c->slice_until = end;
	*last = end ? min(until, end) : until;
	return *last;
}

/*
 * v was chosen, but is not to be entered as it is. NULL: what is loaded leaves
 * first, for the idle loop to reap, or for v's reset.
 */
static __noinline struct vcpu *put_off(struct cpu *cpu, struct vcpu *v)
{
	struct sched_cpu *c = &cpu->sched;
	u32 state = READ_ONCE(v->state);

	if (c->reap || (state == VCPU_PENDING && cpu->current == v)) {
		enqueue(c, v);
		return c->running = NULL;
	}
	/* Switched off while it was being woken: a wake too many. */
	if (state == VCPU_OFF)
		unready(c, v);
	return v;
}

struct vcpu *sched_next(void)
{
	struct cpu *cpu = this_cpu();
	struct sched_cpu *c = &cpu->sched;
	bool contended, on_budget, usual, ready = false;
	struct vcpu *v;
	u64 now, until, last;

	do {
		spin_lock(&c->lock);
		/* Not before: a wake by another CPU may have charged up to now. */
		now = time_now();
		while (unlikely(!heap_is_empty(&c->deferred)) &&
		       take_returns(c, now)) {
			spin_unlock(&c->lock);
			spin_lock(&c->lock);
			now = time_now();
		}
		v = choose(cpu, now);
		usual = !v || (READ_ONCE(v->state) == VCPU_ON && !c->reap);
		if (unlikely(!usual)) {
			v = put_off(cpu, v);
			/* Not later: a CPU_ON may find it loaded still. */
			ready = v && v->sched.ready;
		}
		contended = is_contended(c);
		on_budget = v && v->sched.server.active;
		until = set_end(c, v, on_budget, contended, now, &last);
		spin_unlock(&c->lock);
	} while (unlikely(!usual && v) && (!ready || !take_pending(v)));
	time_set_sched_end(cpu, until, last);
	if (v)
		arch_vcpu_trap_wait(v,
				    contended || sched_is_server(&v->sched) ||
					    v->domain->wfi_trap,
				    contended && !on_budget);
	return v;
}

static bool is_stopped(const struct vcpu *v)
{
	return domain_is_stopping(v->domain);
}

static bool is_used(const struct vcpu *v)
{
	return !v->fresh && READ_ONCE(v->state) == VCPU_OFF;
}

static bool is_off(const struct vcpu *v)
{
	return is_used(v) && READ_ONCE(v->domain->state) == DOMAIN_RUNNING;
}

/* Under the lock, as others are placed by the worker. */
static struct vcpu *find(struct sched_cpu *c, bool (*is)(const struct vcpu *v))
{
	list_for_each(at, &c->placed) {
		struct vcpu *v = list_entry(at, struct vcpu, sched.placed);

		if (is(v))
			return v;
	}
	return NULL;
}

static __noinline void reap(struct sched_cpu *c)
{
	struct cpu *cpu = this_cpu();
	struct vcpu *v;

	WRITE_ONCE(c->reap, 0U);
	while ((v = find(c, is_stopped))) {
		list_del(&v->sched.placed);
		spin_unlock(&c->lock);
		timer_cancel(&v->ptimer.timer);
		timer_cancel(&v->vtimer);
		if (cpu->fp_owner == v)
			cpu->fp_owner = NULL;
		domain_vcpu_left(v); /* and may be freed */
		spin_lock(&c->lock);
	}
	survey(c);
}

void sched_idle(void)
{
	struct cpu *cpu = this_cpu();
	struct sched_cpu *c = &cpu->sched;
	struct vcpu *v;

	spin_lock(&c->lock);
	if (unlikely(READ_ONCE(c->reap)))
		reap(c);
	/* Who wakes meanwhile does not wait for all of them. */
	while (unlikely(c->untidy) && !READ_ONCE(c->resched) &&
	       !is_contended(c) && (v = find(c, is_off))) {
		spin_unlock(&c->lock);
		reset(v);
		spin_lock(&c->lock);
	}
	/* Of a domain that does not run yet, or is paused: later. */
	if (unlikely(c->untidy))
		c->untidy = find(c, is_used);
	spin_unlock(&c->lock);
}
