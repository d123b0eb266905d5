/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Servers of deadline vCPUs: `budget` in each `period`, by `deadline`. What
 * they may ask for never exceeds what sched/admit.c has admitted, whatever the
 * vCPUs do, and so all of them have what they may ask for by their deadlines.
 *
 * While all deadlines of a CPU are the ends of the periods, they are hard
 * constant-bandwidth servers (Abeni and Buttazzo 1998): one that wakes goes on
 * with what is left by its old deadline if that is no more than its share of
 * the time until then; else it begins anew with a full budget. The demand in
 * any interval is at most its length times budget / period.
 *
 * That is too much where one on the CPU has a deadline before the end of its
 * period, or has it again after its guest's restart: admission then counts
 * whole budgets, and none in an interval shorter than the deadline. There each
 * part of the budget returns a period after the release by which it was used,
 * and what is left over is released again when the vCPU wakes (as in a sporadic
 * server: Sprunt, Sha and Lehoczky 1989). So the parts are sporadic tasks of
 * the same period and deadline, that together have the budget.
 */
#include "sched_priv.h"

#include <skerry/trace.h>

#define TOLL_US 5
#define JITTER	16 /* a part so small of a time does not count */

u64 server_toll;

void server_init(void)
{
	server_toll = from_us(TOLL_US);
}

void server_set(struct vcpu *v, const struct sched_params *p, u64 now)
{
	struct sched_server *s = &v->sched.server;
	/* What was promised before counts to its end. */
	u64 start = later(now, s->release + s->period);
	u64 freq = time_freq();

	/*
	 * Rounded so that the whole asks for no more than was admitted, and a
	 * deadline that is the end of the period stays that.
	 */
	s->budget = from_us(p->budget_us);
	s->period = div_up(p->period_us * freq, 1000000);
	s->deadline = div_up(p->deadline_us * freq, 1000000);
	s->extra = p->extra_time;
	s->active = false;
	/* Overrun is not forgiven. */
	s->left = min(s->left, (s64)0);
	s->spent = (u64)-s->left;
	s->job = 0;
	s->release = start - s->period;
	s->free = 0;
	s->refills[0] = (struct sched_refill){start, s->budget};
	s->nr_refills = 1;
}

/*
 * Parts that come one after the other become one, which comes with the later: a
 * wake that is a little early or late, as all are, must not split the budget.
 * Without room for another part, the two that are closest.
 */
static void merge_close(struct sched_server *s)
{
	struct sched_refill *r = s->refills, *last = r + s->nr_refills - 1;
	struct sched_refill *at = last - 1;

	if (s->nr_refills < 2 || (last->when - at->when > s->deadline / JITTER &&
				  s->nr_refills < SCHED_REFILLS))
		return;
	if (last->when - at->when > s->deadline / JITTER)
		for (struct sched_refill *i = r; i < last; i++)
			if (i[1].when - i->when < at[1].when - at->when)
				at = i;
	at[1].amount += at->amount;
	s->nr_refills--;
	for (; at < last; at++)
		*at = at[1];
}

/* What was used of this release returns a period after it. */
static void give_back(struct sched_server *s)
{
	u64 when = s->release + s->period, debt = (u64)-min(s->left, (s64)0);

	/* Overrun is used of the next release. */
	if (s->spent <= debt)
		return;
	/* They come in this order. */
	s->refills[s->nr_refills++] = (struct sched_refill){when,
							    s->spent - debt};
	s->spent = debt;
	merge_close(s);
}

static bool take(struct sched_server *s, u64 now)
{
	if (!s->nr_refills || is_later(s->refills[0].when, now))
		return false;
	s->left += (s64)s->refills[0].amount;
	/* One that was late may have been moved beyond the next. */
	s->release = later(s->release, s->refills[0].when);
	s->nr_refills--;
	for (unsigned int i = 0; i < s->nr_refills; i++)
		s->refills[i] = s->refills[i + 1];
	return true;
}

/* The release is going to change, that does not. */
static void keep_free(struct sched_server *s)
{
	if (!s->free)
		s->free = s->release + s->period;
}

/* Counted but for waits that are as short as a wake may be early. */
static void defer(struct sched_cpu *c, struct vcpu *v, u64 now)
{
	struct sched_server *s = &v->sched.server;
	u64 when = s->refills[0].when;

	heap_add(&c->deferred, &s->deferred, when);
	v->sched.nr_exhausted += is_later(when, now + s->deadline / JITTER);
	trace(TRACE_EXHAUSTED, v, 0);
}

bool server_supply(struct sched_cpu *c, struct vcpu *v, u64 now)
{
	struct sched_server *s = &v->sched.server;

	keep_free(s);
	while (s->left <= 0) {
		give_back(s);
		if (!take(s, now))
			break;
	}
	s->active = s->left > 0;
	if (unlikely(!s->active)) {
		defer(c, v, now);
		return false;
	}
	/* Nobody asked for it in time. An old deadline would be an advantage. */
	if (unlikely(!is_later(server_deadline(v), now)))
		s->release = now;
	return true;
}

/* More than its share of the time until its deadline. */
static bool exceeds(const struct sched_server *s, u64 until)
{
	return s->left > 0 && (unsigned __int128)(u64)s->left * s->period >
				      (unsigned __int128)until * s->budget;
}

void server_credit(struct vcpu *v, struct vcpu *by)
{
	struct sched_server *s = &v->sched.server;
	u64 credit = min(server_toll, s->spent);

	by->sched.server.paid = false;
	s->left += (s64)credit;
	s->spent -= credit;
}

static void begin_anew(struct sched_server *s, u64 now)
{
	s->spent = (u64)-min(s->left, (s64)0);
	s->left = (s64)(s->budget - s->spent);
	s->nr_refills = 0;
	s->release = now;
}

/*
 * EL2 is to look at it, and perhaps to change to it: once in a period that
 * costs nothing, a little early or not.
 */
static void pay(struct sched_server *s, bool returns, u64 now)
{
	u64 jitter = s->deadline / JITTER;

	s->paid = false;
	if (!is_later(s->free, now + jitter)) {
		s->free = later(s->free, now) + s->period;
		return;
	}
	/* The wake was early, and had what was left of the last period. */
	if (returns && !is_later(now + s->period, s->free + jitter))
		return;
	s->left -= (s64)server_toll;
	s->spent += server_toll;
	s->paid = true;
}

/* Not the first time in a period. */
static __noinline bool wake_again(struct sched_cpu *c, struct vcpu *v, u64 now)
{
	struct sched_server *s = &v->sched.server;
	u64 until = s->release + s->period - now;
	bool active;

	keep_free(s);
	if ((s64)until <= 0 || (!c->nr_constrained && exceeds(s, until))) {
		begin_anew(s, now);
	} else if (c->nr_constrained) {
		give_back(s);
		while (take(s, now))
			;
		s->release = later(s->release, now);
	}
	/* Else it pays when it returns. */
	if (s->left > 0)
		pay(s, false, now);
	active = server_supply(c, v, now);
	/* But for what EL2 itself may have been late: as it is usually. */
	if (s->free - (s->release + s->period) <= server_toll)
		s->free = 0;
	return active;
}

bool server_resume(struct sched_cpu *c, struct vcpu *v, u64 now)
{
	keep_free(&v->sched.server);
	pay(&v->sched.server, true, now);
	return server_supply(c, v, now);
}

bool server_wake(struct sched_cpu *c, struct vcpu *v, u64 since, u64 now)
{
	struct sched_server *s = &v->sched.server;

	s->job = since + s->deadline;
	if (unlikely(s->free || is_later(s->release + s->period, now)))
		return wake_again(c, v, now);
	/* All of its budget has returned by then, in parts or not. */
	begin_anew(s, now);
	s->active = s->left > 0;
	return likely(s->active) || server_supply(c, v, now);
}

/* One period after another goes by without it having waited. */
void server_check_job(struct vcpu *v, u64 now)
{
	struct sched_server *s = &v->sched.server;

	if (!s->job || !is_later(now, s->job))
		return;
	v->sched.nr_missed++;
	s->job = later(s->job, now - s->period) + s->period;
}

void server_block(struct sched_cpu *c, struct vcpu *v, u64 now)
{
	struct sched_server *s = &v->sched.server;

	heap_del(&c->deferred, &s->deferred);
	server_check_job(v, now);
	s->job = 0;
	s->paid = false;
}

/*
 * Alone, it was not told when its budget was over: it has had extra time, and
 * what came of its budget meanwhile, as if it had been told. Of whole periods
 * nothing is left but that all was used when the last one of them began.
 */
static __noinline void used_alone(struct sched_server *s, u64 now)
{
	u64 at = now - (u64)-s->left, gone = (now - at) / s->period * s->period;

	keep_free(s);
	s->spent += (u64)s->left;
	s->left = 0;
	at += gone;
	s->release += gone;
	for (unsigned int i = 0; i < s->nr_refills; i++)
		s->refills[i].when += gone;
	do {
		u64 used;

		give_back(s);
		at = later(at, s->refills[0].when);
		if (!take(s, now))
			break;
		used = min(now - at, (u64)s->left);
		s->left -= (s64)used;
		s->spent += used;
		at += used;
	} while (is_later(now, at));
}

void server_charge(const struct sched_cpu *c, struct vcpu *v, u64 ran)
{
	struct sched_server *s = &v->sched.server;

	s->left -= (s64)ran;
	s->spent += ran;
	if (unlikely(s->left < 0 && !c->slice_until))
		used_alone(s, v->sched.since);
}

struct vcpu *server_return(struct sched_cpu *c, u64 now)
{
	struct heap_node *n = c->deferred.root;
	struct vcpu *v;

	if (!n || is_later(n->key, now))
		return NULL;
	v = heap_entry(n, struct vcpu, sched.server.deferred);
	heap_del(&c->deferred, n);
	return v;
}
