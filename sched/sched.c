/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weighted round-robin by virtual time (start-time fair queueing): the ready
 * vCPU with the least virtual time runs for its slice. One that wakes is at
 * most BONUS behind the others, and not at all with a heavier one among them,
 * so sleep is no credit; it takes the CPU at once from one of lower weight, or
 * when it is clearly behind. Who is preempted so goes on with the rest of its
 * slice, before the others have their turn.
 */
#include <skerry/sched.h>

#include <skerry/cpu.h>
#include <skerry/domain.h>
#include <skerry/init.h>
#include <skerry/string.h>

#define BONUS_US 2000
#define GRAIN_US 500

static u64 bonus, grain; /* in ticks */

/* Virtual times wrap: only their distance counts. */
static bool is_later(u64 a, u64 b)
{
	return (s64)(a - b) > 0;
}

static u64 later(u64 a, u64 b)
{
	return is_later(a, b) ? a : b;
}

static u64 us(u64 n)
{
	return n * time_freq() / 1000000;
}

static struct sched_cpu *sched_of(const struct vcpu *v)
{
	return &cpus[v->cpu].sched;
}

static struct vcpu *vcpu_of(struct list *node)
{
	return list_entry(node, struct vcpu, sched.node);
}

static void slice_ended(struct timer *t)
{
	WRITE_ONCE(container_of(t, struct sched_cpu, slice_end)->resched, 1U);
}

void sched_init_cpu(unsigned int cpu)
{
	struct sched_cpu *c = &cpus[cpu].sched;

	spin_init(&c->lock, RANK_SCHED);
	list_init(&c->queue);
	list_init(&c->placed);
	timer_init(&c->slice_end, slice_ended);
	bonus = us(BONUS_US);
	grain = us(GRAIN_US);
}

void sched_place(struct vcpu *v, unsigned int cpu, u32 weight, u32 slice_us)
{
	struct sched_cpu *c = &cpus[cpu].sched;

	v->cpu = cpu;
	v->sched.weight = weight;
	v->sched.slice = us(slice_us);
	list_init(&v->sched.node);
	spin_lock(&c->lock);
	/* Not 0: times wrap, and half of all are later than that. */
	v->sched.vtime = c->vtime;
	list_add_before(&c->placed, &v->sched.placed);
	c->heaviest = max(c->heaviest, weight);
	spin_unlock(&c->lock);
}

static __noinline struct list *place_from_tail(struct sched_cpu *c, u64 vtime)
{
	struct list *at = c->queue.prev;

	while (at != &c->queue && is_later(vcpu_of(at)->sched.vtime, vtime))
		at = at->prev;
	return at->next;
}

/*
 * One that wakes or was preempted belongs to the head most often, one that has
 * run its slice to the tail.
 */
static __force_inline void insert(struct sched_cpu *c, struct vcpu *v)
{
	struct list *at = c->queue.next;

	if (at != &c->queue &&
	    !is_later(vcpu_of(at)->sched.vtime, v->sched.vtime))
		at = place_from_tail(c, v->sched.vtime);
	list_add_before(at, &v->sched.node);
}

/*
 * The preempted one has lost its turn, as what preempted it does not sleep: all
 * by virtual time again, or those behind it would wait until it is level.
 */
static __noinline void settle(struct sched_cpu *c)
{
	struct list all = c->queue;

	c->preempted = false;
	if (list_is_empty(&c->queue))
		return;
	all.next->prev = all.prev->next = &all;
	list_init(&c->queue);
	while (!list_is_empty(&all)) {
		struct vcpu *v = vcpu_of(all.next);

		list_del(&v->sched.node);
		v->sched.left = 0;
		insert(c, v);
	}
}

static void charge(struct vcpu *v, u64 now)
{
	u64 ran = now - v->sched.since;

	v->sched.ran += ran;
	/* With the rest: many short runs of a great weight are not free. */
	ran = ran * SCHED_WEIGHT + v->sched.rest;
	v->sched.vtime += ran / v->sched.weight;
	v->sched.rest = (u32)(ran % v->sched.weight);
	v->sched.since = now;
}

/* v is in the queue. */
static bool preempts(const struct vcpu *v, struct vcpu *cur, u64 now)
{
	bool heavier = v->sched.weight > cur->sched.weight;

	/* What cur has run since makes that but clearer. */
	if (heavier && is_later(cur->sched.vtime, v->sched.vtime))
		return true;
	charge(cur, now);
	return is_later(cur->sched.vtime,
			v->sched.vtime + (heavier ? 0 : grain));
}

static void ask(struct sched_cpu *c, unsigned int cpu)
{
	if (READ_ONCE(c->resched))
		return;
	WRITE_ONCE(c->resched, 1U);
	if (cpu != this_cpu()->id)
		ipi_send(cpu, IPI_WAKE);
}

static __force_inline void wake(struct sched_cpu *c, struct vcpu *v)
{
	struct vcpu *cur;
	bool first;
	u64 now;

	if (v->sched.ready || domain_is_stopping(v->domain))
		return;
	now = time_now();
	cur = c->running;
	first = list_is_empty(&c->queue);
	/* It may have been alone, and run for long. */
	if (cur && first) {
		charge(cur, now);
		c->vtime = later(c->vtime, cur->sched.vtime);
	}
	v->sched.ready = true;
	if (v == cur) {
		/* Blocked or paused, but not left yet: choose() puts it back. */
		ask(c, v->cpu);
		return;
	}
	v->sched.since = READ_ONCE(v->sched.due) ?: now;
	v->sched.woken = true;
	v->sched.left = 0;
	/* What a light one has slept is no credit against a heavier one. */
	v->sched.vtime =
		later(v->sched.vtime,
		      c->vtime - (v->sched.weight == c->heaviest ? bonus : 0));
	insert(c, v);
	/* Alone, the running one has no slice and waits without a trap. */
	if (!cur || first || preempts(v, cur, now))
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

void sched_block(struct vcpu *v)
{
	struct sched_cpu *c = sched_of(v);

	spin_lock(&c->lock);
	v->sched.ready = false;
	WRITE_ONCE(c->resched, 1U);
	spin_unlock(&c->lock);
}

void sched_kill(struct vcpu *v)
{
	struct sched_cpu *c = sched_of(v);

	spin_lock(&c->lock);
	v->sched.ready = false;
	list_del(&v->sched.node);
	WRITE_ONCE(c->reap, 1U);
	ask(c, v->cpu);
	spin_unlock(&c->lock);
}

void sched_pause(struct vcpu *v)
{
	struct sched_cpu *c = sched_of(v);

	spin_lock(&c->lock);
	/* Else it is charged, and with that `since` set, when it leaves. */
	if (!v->sched.paused && c->running != v)
		v->sched.since = time_now();
	v->sched.paused = true;
	v->sched.ready = false;
	list_del(&v->sched.node);
	ask(c, v->cpu);
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
	return !list_is_empty(&this_cpu()->sched.queue);
}

void sched_pass(struct vcpu *v)
{
	struct sched_cpu *c = sched_of(v);

	spin_lock(&c->lock);
	if (!list_is_empty(&c->queue)) {
		const struct vcpu *head;

		if (unlikely(c->preempted))
			settle(c);
		head = vcpu_of(c->queue.next);
		charge(v, time_now());
		v->sched.vtime = later(v->sched.vtime, head->sched.vtime);
		c->slice_until = 0;
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
		memset(v->sched.wakes, 0, sizeof(v->sched.wakes));
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
	v->sched.nr_runs++;
	if (v->sched.woken) {
		v->sched.woken = false;
		v->sched.worst_wake = max(v->sched.worst_wake, waited);
		v->sched.wakes[63 - __builtin_clzl(waited | 1)]++;
	}
	v->sched.since = now;
}

/* Under the lock: account for what ran, and choose. */
static struct vcpu *choose(struct sched_cpu *c, u64 now)
{
	struct vcpu *prev = c->running, *v = NULL;
	bool stays = prev && prev->sched.ready;

	WRITE_ONCE(c->resched, 0U);
	if (prev) {
		charge(prev, now);
		prev->sched.left = c->slice_until > now ? c->slice_until - now
							: 0;
	}
	if (stays && unlikely(c->preempted))
		settle(c);
	if (!list_is_empty(&c->queue))
		v = vcpu_of(c->queue.next);
	if (stays && (!v || is_later(v->sched.vtime, prev->sched.vtime))) {
		v = prev;
	} else if (v) {
		list_del(&v->sched.node);
		if (unlikely(v->sched.left))
			c->preempted = false;
		if (stays && prev->sched.left) {
			/* It is the next. */
			c->preempted = true;
			list_add_before(c->queue.next, &prev->sched.node);
		} else if (stays) {
			insert(c, prev);
		}
		record(v, now);
	}
	/*
	 * The least virtual time, unless v was preempted. Idle now: who wakes
	 * next is not to be behind what ran.
	 */
	if (v ? !v->sched.left : prev != NULL)
		c->vtime = later(c->vtime, (v ?: prev)->sched.vtime);
	c->running = v;
	return v;
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
		insert(c, v);
		return c->running = NULL;
	}
	/* Switched off while it was being woken: a wake too many. */
	if (state == VCPU_OFF)
		v->sched.ready = false;
	return v;
}

struct vcpu *sched_next(void)
{
	struct cpu *cpu = this_cpu();
	struct sched_cpu *c = &cpu->sched;
	bool contended, usual;
	struct vcpu *v;
	u64 now;

	do {
		spin_lock(&c->lock);
		/* Not before: a wake by another CPU may have charged up to now. */
		now = time_now();
		v = choose(c, now);
		usual = !v || (READ_ONCE(v->state) == VCPU_ON && !c->reap);
		if (unlikely(!usual))
			v = put_off(cpu, v);
		contended = !list_is_empty(&c->queue);
		spin_unlock(&c->lock);
	} while (unlikely(!usual && v) &&
		 (!READ_ONCE(v->sched.ready) || !take_pending(v)));
	if (v && contended) {
		c->slice_until = now + (v->sched.left ?: v->sched.slice);
		timer_arm(&c->slice_end, c->slice_until);
		arch_vcpu_trap_wait(v, true, true);
		return v;
	}
	c->slice_until = 0;
	timer_cancel(&c->slice_end);
	if (v)
		arch_vcpu_trap_wait(v, v->domain->wfi_trap, false);
	return v;
}

static u32 weight_of(struct list *placed)
{
	return list_entry(placed, struct vcpu, sched.placed)->sched.weight;
}

static bool is_stopped(const struct vcpu *v)
{
	return domain_is_stopping(v->domain);
}

static bool is_off(const struct vcpu *v)
{
	return !v->fresh && READ_ONCE(v->state) == VCPU_OFF &&
	       READ_ONCE(v->domain->state) == DOMAIN_RUNNING;
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

void sched_idle(void)
{
	struct cpu *cpu = this_cpu();
	struct sched_cpu *c = &cpu->sched;
	struct vcpu *v;

	spin_lock(&c->lock);
	WRITE_ONCE(c->reap, 0U);
	while ((v = find(c, is_stopped))) {
		list_del(&v->sched.placed);
		c->heaviest = 0;
		list_for_each(at, &c->placed)
			c->heaviest = max(c->heaviest, weight_of(at));
		spin_unlock(&c->lock);
		timer_cancel(&v->ptimer.timer);
		timer_cancel(&v->vtimer);
		if (cpu->fp_owner == v)
			cpu->fp_owner = NULL;
		domain_vcpu_left(v);
		spin_lock(&c->lock);
	}
	while ((v = find(c, is_off))) {
		spin_unlock(&c->lock);
		reset(v);
		spin_lock(&c->lock);
	}
	spin_unlock(&c->lock);
}
