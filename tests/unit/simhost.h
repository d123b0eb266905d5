/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CPU of schedhost.h in virtual time: guests that wake, run, wait, spin and
 * never end, EL2's timer, and what must hold whenever a guest is entered. A
 * tick is 1 us.
 */
#pragma once

#include "schedhost.h"
#include "simset.h"

#define SIM_FREQ  1000000UL
#define SIM_TICKS 1000000
#define SIM_BASE  SIM_FREQ /* when it begins */

enum sim_kind {
	SIM_KEEPS,   /* a job of at most the budget, once in a period or less */
	SIM_OVERRUN, /* asks for up to three times that */
	SIM_ENDLESS,
	SIM_SLEEPS, /* any pattern: it owes nothing, and is owed nothing */
	SIM_SPINS,  /* round-robin: gives way by WFE */
};

static struct sim_vcpu {
	enum sim_kind kind;
	struct sched_params params;
	struct sim_task task; /* of these; budget 0: round-robin */
	bool full;	      /* each job takes the whole budget */
	u64 gap;	      /* between its jobs, at most, beyond a period */
	u64 jitter;	      /* so late it may wake, and be done */
	u64 base;	      /* when the next job is due to begin */
	u64 most;	      /* what it runs and sleeps at a time; now: */
	u64 grain;
	bool dead;   /* between two lives */
	bool waits;  /* in WFI, or dead, until: */
	u64 release; /* the next job's */
	u64 work;    /* until it does something */
	u64 due;     /* the job's end */
	u64 ran;
	s64 used;	  /* of budgets: with what it paid, less what it got */
	u64 purse;	  /* paid for this wake, and not given to anyone yet */
	u64 nr_free;	  /* wakes since `from` that cost nothing */
	u64 load;	  /* of the CPU, which is sim.hyper, from: */
	u64 from, was;	  /* and what it was before */
	u64 since, share; /* its share up to then, times sim.hyper */
	u64 biggest, least; /* budget and period that it has had */
	s64 low, lowest;    /* of sim_excess() at its wakes, and ever */
	u64 anchor;	    /* one of its wakes */
	s64 anchor_used;
} sims[NR_VCPUS];

static struct sim {
	unsigned int nr; /* vCPUs */
	u64 hyper;	 /* all periods divide it; 0: shares do not count */
	u64 end;
	bool missed;
	u64 nr_jobs, nr_exact; /* those that keep, and end with their time */
	u64 nr_events, idle, nr_paid, nr_given, nr_sets, nr_lives;
} sim;

/* With EL2's tolls and slack as they ship, or without. */
static inline void sim_begin(u64 hyper, bool tolls)
{
	memset(&sim, 0, sizeof(sim));
	sim.hyper = hyper;
	host_tolls = tolls;
	memset(sims, 0, sizeof(sims));
	now = SIM_BASE;
	host_freq = SIM_FREQ;
	during_time = NULL;
	host_this_cpu = &cpus[0];
	host_reset();
}

/* What its parameters promise it, from then on. */
static inline void sim_task(struct sim_vcpu *s, u64 from)
{
	const struct sched_params *p = &s->params;

	s->task = (struct sim_task){p->budget_us, p->period_us, p->deadline_us};
	if (!p->budget_us)
		return;
	s->biggest = max(s->biggest, s->task.budget);
	s->load = s->task.budget * sim.hyper / s->task.period;
	assert_int_equal(s->load * s->task.period, s->task.budget * sim.hyper);
	s->from = from;
	s->since = now;
	s->nr_free = 0;
}

/* As the book has it, over lives and changes. */
static inline void sim_reserve(void)
{
	u32 n = 0;

	for (const struct sim_vcpu *s = sims; s < sims + sim.nr; s++)
		n += s->params.deadline_us < s->params.period_us;
	sched_reserve(0, n);
}

static inline struct sim_vcpu *sim_add(enum sim_kind kind,
				       const struct sched_params *p)
{
	unsigned int i = sim.nr++;
	struct sim_vcpu *s = &sims[i];

	vcpus[i].state = VCPU_ON;
	join(&doms[i], &vcpus[i]);
	sched_place(&vcpus[i], 0, p, 0);
	s->kind = kind;
	s->params = *p;
	sim_reserve();
	s->least = p->period_us;
	sim_task(s, now);
	s->waits = true;
	s->release = s->base = now;
	return s;
}

/* --- what they have of it ------------------------------------------------ */

/* Its share of the time so far. */
static inline u64 sim_share(const struct sim_vcpu *s)
{
	if (now < s->from)
		return s->share + (now - s->since) * s->was;
	return s->share + (s->from - s->since) * s->was +
	       (now - s->from) * s->load;
}

/* Of this vCPU so far, beyond that. */
static inline s64 sim_excess(const struct sim_vcpu *s)
{
	return s->used * (s64)sim.hyper - (s64)sim_share(s);
}

/* What has run has run for so long. */
static inline void sim_ran(struct sim_vcpu *s, u64 ran)
{
	u64 toll = server_toll ? server_toll - 1 : 0;
	s64 most, had;

	s->ran += ran;
	if (!ran || !s->task.budget || s->params.extra_time)
		return;
	s->used += (s64)ran;
	/* Not before what was promised before is over. */
	assert_true(now - ran >= s->from);
	/*
	 * Whatever it does: no more than its share of any time since a wake and
	 * one budget; two of any other time. The last toll may be more than was
	 * left, and is of the next budget.
	 */
	most = (s64)((s->task.budget + toll) * sim.hyper);
	assert_true(sim_excess(s) - s->low <= most);
	assert_true(sim_excess(s) - s->lowest <=
		    most + (s64)(s->biggest * sim.hyper));
	/* No part of it comes twice in a period. */
	had = s->used - s->anchor_used;
	if (cpus[0].sched.nr_constrained)
		assert_true(had <= (s64)(s->task.budget * div_up(now - s->anchor,
								 s->least) +
					 toll));
}

/* --- what they do -------------------------------------------------------- */

static inline void sim_job(struct sim_vcpu *s)
{
	const struct sim_task *t = &s->task;

	switch (s->kind) {
	case SIM_KEEPS:
		/* Else time for its WFI is left: the timer may be earlier. */
		s->work = s->full ? t->budget : 1 + below(t->budget - 1);
		s->due = s->base + s->jitter + t->deadline;
		s->base += t->period + (s->gap ? below(s->gap) : 0);
		s->release = s->base + below(s->jitter + 1);
		sim.nr_jobs++;
		break;
	case SIM_OVERRUN:
		s->work = 1 + below(3 * t->budget);
		s->release += t->period;
		break;
	case SIM_ENDLESS:
		s->work = OFF / 2;
		break;
	default:
		s->work = 1 + below(s->grain);
	}
}

/* From now on what it has begun before is not to be had again. */
static inline void sim_anew(struct sim_vcpu *s, u64 from)
{
	s->share = sim_share(s);
	s->was = now < s->from ? s->was : s->load;
	sim_task(s, max(now, from));
}

/* Another life, which knows of the one before only when that had its budget. */
static inline void sim_live(struct sim_vcpu *s)
{
	struct vcpu *v = &vcpus[s - sims];
	u64 from = sched_budget_from(v);

	assert_true(list_is_empty(&v->sched.placed));
	s->dead = false;
	s->ran = 0;
	sim_anew(s, from);
	memset(&v->sched, 0, sizeof(v->sched));
	v->domain->state = DOMAIN_RUNNING;
	sched_place(v, 0, &s->params, from);
	sim.nr_lives++;
}

/* True if the interrupt is this CPU's own, or asks it to look. */
static inline bool sim_wake(unsigned int i)
{
	struct sim_vcpu *s = &sims[i];

	if (s->dead)
		sim_live(s);
	s->waits = false;
	s->low = min(s->low, sim_excess(s));
	if (now - s->anchor >= s->task.period * magnitude(8)) {
		s->anchor = now;
		s->anchor_used = s->used;
	}
	sim_job(s);
	if (one_in(2)) {
		wake(i);
		return false;
	}
	sched_wake(&vcpus[i]);
	return true;
}

/* What the others leave, until what was promised to them before is over too. */
static inline u64 sim_room(const struct sim_vcpu *s)
{
	u64 load = 0;

	for (const struct sim_vcpu *o = sims; o < sims + sim.nr; o++)
		if (o != s)
			load += now < o->from ? max(o->was, o->load) : o->load;
	return sim.hyper - load;
}

/* Another period, with which all still fit at any time. */
static inline void sim_choose(struct sim_vcpu *s)
{
	struct sched_params *p = &s->params;
	u64 times = 1 + below(4), most, period;

	if (cpus[0].sched.nr_constrained) {
		/* The same less often, or as at first. */
		while (s->task.budget * sim.hyper % (s->least * times))
			times--;
		p->period_us = (u32)(s->least * times);
		return;
	}
	period = random_period(sim.hyper, SCHED_MIN_PERIOD_US);
	most = min(sim_room(s) * period / sim.hyper, period);
	if (most < SCHED_MIN_BUDGET_US)
		return;
	if (!one_in(4))
		most -= below(most - SCHED_MIN_BUDGET_US + 1);
	p->budget_us = (u32)most;
	p->period_us = p->deadline_us = (u32)period;
}

static inline void sim_set_again(struct vcpu *v)
{
	struct sim_vcpu *s = &sims[v - vcpus];

	s->params.weight = (u32)magnitude(SCHED_MAX_WEIGHT);
	if (!s->task.budget) {
		sched_set(v, &s->params);
		return;
	}
	if (!one_in(4))
		sim_choose(s);
	sim_anew(s, sched_budget_from(v));
	sim_reserve();
	sched_set(v, &s->params);
	sim.nr_sets++;
}

/* Orders of the control domain are no way to a budget. */
static inline bool sim_order(unsigned int i)
{
	struct sim_vcpu *s = &sims[i];

	if (s->kind == SIM_KEEPS || !one_in(64))
		return false;
	sim_job(s);
	if (one_in(4)) {
		remote(stop, i);
		s->dead = s->waits = true;
		s->release = now + magnitude(4 * max(s->task.period, s->most));
	} else if (one_in(2)) {
		remote(sim_set_again, i);
	} else {
		remote(sched_pause, i);
		remote(sched_resume, i);
	}
	return true;
}

/* The running one has done its work. */
static inline void sim_act(unsigned int i)
{
	struct sim_vcpu *s = &sims[i];

	if (sim_order(i))
		return;
	if (s->kind == SIM_SPINS) {
		s->work = 1 + below(s->grain);
		if (books[i].wfe)
			sched_pass(&vcpus[i]);
		return;
	}
	if (s->kind == SIM_KEEPS) {
		sim.missed |= now > s->due;
		sim.nr_exact += now == s->due;
	}
	if (s->kind == SIM_SLEEPS) {
		s->release = now + below(s->grain * 2);
		if (one_in(16))
			s->grain = magnitude(s->most);
	}
	s->waits = true;
	sched_block(&vcpus[i]);
	/* As WFI does, which looks again for what has come. */
	if (s->release <= now)
		sim_wake(i);
}

static inline void sim_advance(u64 to)
{
	struct vcpu *v = cpus[0].current;
	struct sim_vcpu *s;
	u64 ran;

	if (!v) {
		sim.idle += to - now;
		now = to;
		return;
	}
	s = &sims[v - vcpus];
	s->lowest = min(s->lowest, sim_excess(s));
	s->work -= to - now;
	ran = to - now;
	now = to;
	sim_ran(s, ran);
}

/* What the CPU does is what it is to do. */
static inline void sim_check(void)
{
	const struct vcpu *cur = cpus[0].sched.running;
	const struct sched_server *s;

	assert_ptr_equal(cur, cpus[0].current);
	/* Its WFI gives the CPU to those who want it. */
	if (cur && (sched_is_server(&cur->sched) || sched_is_contended()))
		assert_true(books[cur - vcpus].wfi);
	for (unsigned int i = 0; i < sim.nr; i++) {
		s = &vcpus[i].sched.server;
		assert_int_equal(vcpus[i].sched.ready, !sims[i].waits);
		if (!vcpus[i].sched.ready || &vcpus[i] == cur)
			continue;
		/* The earliest deadline first; never idle. */
		if (s->active)
			assert_true(cur && cur->sched.server.active &&
				    cur->sched.server.release +
						    cur->sched.server.deadline <=
					    s->release + s->deadline);
		else if (!s->budget || s->extra)
			assert_non_null(cur);
		/* Back when there is something to be had. */
		if (heap_has(&s->deferred))
			assert_true(s->refills[0].when > now);
	}
	if (sim.nr_events++ % 64 == 0)
		check_queue(0);
}

/* When the next thing happens. */
static inline u64 sim_next(void)
{
	const struct vcpu *v = cpus[0].current;
	u64 at = min(sim.end, hosts[0].armed);

	if (v)
		at = min(at, now + sims[v - vcpus].work);
	for (unsigned int i = 0; i < sim.nr; i++)
		if (sims[i].waits)
			at = min(at, sims[i].release);
	return max(at, now);
}

/* All that happens now; the order is said only where a job needs all it has. */
static inline void sim_step(void)
{
	const struct vcpu *v = cpus[0].current;
	unsigned int first = (unsigned int)below(sim.nr), i;
	bool look = false;

	if (v && !sims[v - vcpus].work) {
		i = (unsigned int)(v - vcpus);
		if (hosts[0].armed > now || sims[i].full || one_in(2)) {
			sim_act(i);
			look = true;
		}
	}
	for (unsigned int n = 0; n < sim.nr; n++) {
		i = (first + n) % sim.nr;
		if (sims[i].waits && sims[i].release <= now)
			look |= sim_wake(i);
	}
	if (look || host_irq_is_pending())
		leave_el2();
	sim_check();
}

/* Until its end, or the first missed deadline. */
static inline void sim_run(u64 ticks)
{
	sim.end = now + ticks;
	leave_el2();
	while (now < sim.end && !sim.missed) {
		sim_advance(sim_next());
		sim_step();
	}
	for (unsigned int i = 0; i < sim.nr; i++)
		sim.missed |= sims[i].kind == SIM_KEEPS && !sims[i].waits &&
			      sims[i].due < now;
}
