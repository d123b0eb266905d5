/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched/sched.c, deadline.c, rr.c: critical sections of one CPU's lock, each in
 * one step. Time, budgets and virtual times are choices: a budget is there or
 * not, and whether it has ended, a deferred vCPU's time has come, or one goes
 * before another may be so or not, but where a timer has said it.
 * `me` is the CPU that executes.
 */

inline unlock(l)
{
	l = 0
}

inline ask(which)
{
	if
#if !MUTATE_ASK_UNCHECKED
	:: cpu[which].resched -> skip
	:: else ->
#else
	:: true ->
#endif
		cpu[which].resched = 1;
		if
#if !MUTATE_IPI_FORGOTTEN
		:: which != me ->
			cpu[which].sent++;
			assert(cpu[which].sent == 1);
			cpu[which].ipi = cpu[which].ipi | IPI_WAKE
#endif
		:: else -> skip
		fi
	fi
}

/* --- deadline.c ---------------------------------------------------------- */

/* With fairness: all periods are the same. */
#ifdef LTL
#define COMES_FIRST(v) (cpu[CPU_OF(v)].root == NOBODY)
#else
#define COMES_FIRST(v) (!cpu[CPU_OF(v)].due)
#endif

/* Time of return: before all others', unless one of them is in the past. */
inline defer(v)
{
	assert(!vcpu[v].deferred);
	vcpu[v].deferred = 1;
	if
	:: COMES_FIRST(v) ->
		cpu[CPU_OF(v)].root = v;
		cpu[CPU_OF(v)].cover = 0
	:: cpu[CPU_OF(v)].root != NOBODY -> skip
	fi
}

#define IS_NEXT(w, v) (vcpu[w].deferred && CPU_OF(w) == CPU_OF(v))

inline undefer(v)
{
	if
	:: vcpu[v].deferred ->
		vcpu[v].deferred = 0;
		if
		:: cpu[CPU_OF(v)].root == v ->
			cpu[CPU_OF(v)].due = 0;
			if
			:: IS_NEXT(0, v) -> cpu[CPU_OF(v)].root = 0
			:: IS_NEXT(1, v) -> cpu[CPU_OF(v)].root = 1
			:: IS_NEXT(2, v) -> cpu[CPU_OF(v)].root = 2
			:: IS_NEXT(3, v) -> cpu[CPU_OF(v)].root = 3
			:: else -> cpu[CPU_OF(v)].root = NOBODY
			fi
		:: else -> skip
		fi
	:: else -> skip
	fi
}

/* server_supply(), and server_wake(): it may begin anew. */
inline supply(v)
{
	if
	:: vcpu[v].has -> vcpu[v].serves = 1
	:: !vcpu[v].has -> vcpu[v].has = 1; vcpu[v].serves = 1
	:: !vcpu[v].has -> vcpu[v].serves = 0; defer(v)
	fi
}

/* What ran may be found without budget before the timer says so. */
inline charge(v)
{
	if
#ifndef LTL
	:: vcpu[v].serves -> vcpu[v].has = 0
#endif
	:: true -> skip
	fi
}

/* --- rr.c ---------------------------------------------------------------- */

#define SETTLE(v, c) \
	vcpu[v].in = (IS_IN(v, c, PREEMPTED) -> QUEUE : vcpu[v].in)

inline rr_settle(which)
{
	d_step {
		SETTLE(0, which);
		SETTLE(1, which);
		SETTLE(2, which);
		SETTLE(3, which)
	}
}

inline enqueue(v)
{
	assert(!vcpu[v].in);
	if
	:: vcpu[v].serves -> vcpu[v].in = DEADLINES
	:: !vcpu[v].serves -> vcpu[v].in = QUEUE
	:: !vcpu[v].serves && HAS(CPU_OF(v), PREEMPTED) ->
		rr_settle(CPU_OF(v));
		vcpu[v].in = QUEUE
	fi
}

/* --- sched.c ------------------------------------------------------------- */

/* Leaves in `yes` whether v's CPU has to look. */
inline make_ready(v)
{
	vcpu[v].ready = 1;
	cur = cpu[CPU_OF(v)].running;
	first = !CONTENDED(CPU_OF(v));
	if
	:: cur == v -> charge(v)
	:: else -> skip
	fi;
	if
	:: IS_SERVER(v) -> supply(v)
	:: else -> skip
	fi;
	if
	:: cur == v -> yes = 1
	:: cur != v && vcpu[v].serves ->
		enqueue(v);
		if
		:: cur == NOBODY -> yes = 1
#if MUTATE_SERVER_NOT_FIRST
		:: cur != NOBODY && !vcpu[cur].serves -> yes = 0
#endif
		:: cur != NOBODY -> yes = 1
		/* Alone with extra time, the running one has no end. */
		:: cur != NOBODY && vcpu[cur].serves &&
		   cpu[CPU_OF(v)].slice -> yes = 0
		fi
	:: cur != v && !vcpu[v].serves && vcpu[v].kind == SERVER ->
#if !MUTATE_RETURN_NOT_ASKED
		yes = cpu[CPU_OF(v)].root == v
#else
		yes = 0
#endif
	:: cur != v && !vcpu[v].serves && vcpu[v].kind != SERVER ->
		if
		:: cur != NOBODY && first -> charge(cur)
		:: else -> skip
		fi;
		enqueue(v);
		if
		:: cur == NOBODY -> yes = 1
		:: cur != NOBODY && !vcpu[cur].serves -> yes = 1
		:: cur != NOBODY -> yes = 0
		fi;
#if MUTATE_END_NOT_LOOKED_AT
		yes = yes || (first && !(cur != NOBODY && vcpu[cur].serves));
#elif !MUTATE_FIRST_NOT_ASKED
		/* A server with an end waits with a trap, and its end is set. */
		yes = yes || (first && !(cur != NOBODY && vcpu[cur].serves &&
					 cpu[CPU_OF(v)].slice));
#endif
#if !MUTATE_EXTRA_NOT_ASKED
		yes = yes || cpu[CPU_OF(v)].root == v
#else
		skip
#endif
	fi
}

inline ask_if(who)
{
	if
	:: yes -> ask(who)
	:: else -> skip
	fi;
	d_step { yes = 0; first = 0; cur = NOBODY }
}

#define MAY_WAKE(v) (!vcpu[v].ready && !vcpu[v].stopping)

inline sched_wake(v)
{
	atomic {
		if
		:: MAY_WAKE(v) && !vcpu[v].paused ->
			make_ready(v);
			ask_if(CPU_OF(v))
		:: else -> skip
		fi
	}
}

inline unready(v)
{
	vcpu[v].ready = 0;
	if
#if MUTATE_DEFERRED_KEPT
	:: false -> skip
#else
	:: IS_SERVER(v) -> undefer(v)
#endif
	:: else -> skip
	fi
}

inline sched_block(v)
{
	atomic { unready(v); cpu[me].resched = 1 }
}

inline sched_pause(v)
{
	atomic {
		vcpu[v].paused = 1;
		unready(v);
#if !MUTATE_PAUSED_QUEUED
		vcpu[v].in = 0;
#endif
		ask(CPU_OF(v))
	}
}

inline sched_resume(v)
{
	atomic {
		vcpu[v].paused = 0;
		if
		:: MAY_WAKE(v) -> make_ready(v); ask_if(CPU_OF(v))
		:: else -> skip
		fi
	}
}

/* domain_stop(), of a domain of one vCPU */
inline sched_kill(v)
{
	atomic {
		vcpu[v].stopping = 1;
		unready(v);
		vcpu[v].in = 0;
		cpu[CPU_OF(v)].reap = 1;
		ask(CPU_OF(v))
	}
}

/* Whatever it had is gone; a server may have to wait for its old period. */
inline sched_set(v, k)
{
	atomic {
		was = vcpu[v].ready;
		unready(v);
		d_step {
			vcpu[v].in = 0;
			vcpu[v].kind = k;
			vcpu[v].serves = 0;
			vcpu[v].has = 0;
			vcpu[v].ready = was
		}
		if
		:: was ->
			make_ready(v);
#if MUTATE_SET_NOT_ASKED
			yes = yes && cur != v;
#endif
			ask_if(CPU_OF(v))
		:: else -> skip
		fi;
		was = 0
	}
}

/* Leaves one of this CPU's queue q in `nxt`; there is one. */
inline any_of(q)
{
	if
	:: IS_IN(0, me, q) -> nxt = 0
	:: IS_IN(1, me, q) -> nxt = 1
	:: IS_IN(2, me, q) -> nxt = 2
	:: IS_IN(3, me, q) -> nxt = 3
	fi
}

/*
 * One returns only if the timer said so, or by chance; one that has overrun by
 * a whole budget is deferred again.
 */
inline take_returns()
{
	do
	:: cpu[me].root != NOBODY && !yes ->
		nxt = cpu[me].root;
		undefer(nxt);
		cpu[me].passed = 0;
		if
		:: nxt != cpu[me].running ->
#if !MUTATE_RETURNS_TWICE
			vcpu[nxt].in = 0
#else
			skip
#endif
		:: else -> skip
		fi;
#ifdef LTL
		d_step { vcpu[nxt].has = 1; vcpu[nxt].serves = 1 }
#else
		supply(nxt);
#endif
		if
		:: nxt != cpu[me].running &&
		   (vcpu[nxt].serves || vcpu[nxt].kind == EXTRA) ->
			enqueue(nxt)
		:: else -> skip
		fi;
		yes = !vcpu[nxt].serves
	:: !cpu[me].due -> break
	od;
	yes = 0
}

/* With fairness: no server has the whole CPU. */
inline exhausted(v)
{
#ifdef LTL
	vcpu[v].serves = 0;
	defer(v)
#else
	supply(v)
#endif
}

/* leave(): in `was` whether what ran could go on. */
inline leave()
{
	cur = cpu[me].running;
	if
	:: cur != NOBODY ->
		/* A slice that has not ended may be gone on with. */
		first = !vcpu[cur].serves && cpu[me].slice && !cpu[me].spent;
		if
		:: vcpu[cur].serves && cpu[me].spent -> vcpu[cur].has = 0
		:: else -> charge(cur)
		fi;
		if
		:: vcpu[cur].serves && vcpu[cur].ready && !vcpu[cur].has ->
			exhausted(cur)
		:: else -> skip
		fi;
		was = vcpu[cur].ready &&
		      (vcpu[cur].serves || vcpu[cur].kind != SERVER)
	:: else -> skip
	fi
}

#ifdef LTL
#define KEEPS_CPU (!cpu[me].spent)
#else
#define KEEPS_CPU true
#endif

inline choose_from()
{
	if
	:: HAS(me, DEADLINES) -> any_of(DEADLINES)
	:: was && vcpu[cur].serves -> nxt = cur
	:: !HAS(me, DEADLINES) && !(was && vcpu[cur].serves) ->
		if
		:: was -> rr_settle(me)
		:: else -> skip
		fi;
		if
		:: HAS(me, PREEMPTED) -> any_of(PREEMPTED)
		:: !HAS(me, PREEMPTED) && HAS(me, QUEUE) -> any_of(QUEUE)
		:: was && (KEEPS_CPU || !HAS(me, QUEUE)) -> nxt = cur
		:: !was && !CONTENDED(me) -> nxt = NOBODY
		fi
	fi
}

inline put()
{
	if
	:: !vcpu[cur].serves && first ->
		rr_settle(me);
		vcpu[cur].in = PREEMPTED
	:: true -> enqueue(cur)
	fi
}

inline set_end()
{
	d_step {
		cpu[me].trap = WFI_TRAP || CONTENDED(me) ||
			       (nxt != NOBODY && IS_SERVER(nxt));
		cpu[me].slice = nxt != NOBODY && (vcpu[nxt].serves ->
			CONTENDED(me) || cpu[me].root != NOBODY ||
			vcpu[nxt].kind != EXTRA : CONTENDED(me));
#if MUTATE_SLICE_NOT_SET
		cpu[me].slice = nxt != NOBODY && vcpu[nxt].serves;
#endif
		cpu[me].spent = 0;
		cpu[me].cover = 1;
#if MUTATE_RETURN_NOT_TIMED
		cpu[me].sched_end = cpu[me].slice;
#else
		cpu[me].sched_end = cpu[me].slice || cpu[me].root != NOBODY;
#endif
#if MUTATE_TIMERS_NEVER_WAIT
		cpu[me].timers_wait = 0;
#elif MUTATE_TIMERS_WAIT_ON
		cpu[me].timers_wait = cpu[me].timers_wait ||
				      (cpu[me].slice && vcpu[nxt].serves);
#elif MUTATE_TIMERS_WAIT_ENDLESSLY
		cpu[me].timers_wait = nxt != NOBODY && vcpu[nxt].serves;
#else
		cpu[me].timers_wait = nxt != NOBODY && vcpu[nxt].serves &&
				      cpu[me].sched_end;
#endif
#if MUTATE_PATIENT_FORGOTTEN
		cpu[me].hw = cpu[me].sched_end || HAS_URGENT(me)
#else
		program()
#endif
	}
}

/* Leaves in `nxt` what is to run. */
inline sched_next()
{
	atomic {
		take_returns();
		leave();
#if !MUTATE_RESCHED_CLEARED_LATE
		d_step { cpu[me].resched = 0; cpu[me].sent = 0 }
#endif
		choose_from();
		if
		:: nxt != NOBODY && nxt != cur ->
			vcpu[nxt].in = 0;
			if
			:: was -> put()
			:: else -> skip
			fi
		:: else -> skip
		fi;
		/* put_off() */
		if
		:: nxt != NOBODY && cpu[me].reap ->
			enqueue(nxt);
			nxt = NOBODY
		:: else -> skip
		fi;
		cpu[me].running = nxt;
		d_step { cur = NOBODY; was = 0; first = 0 }
		set_end()
	}
#if MUTATE_RESCHED_CLEARED_LATE
	d_step { cpu[me].resched = 0; cpu[me].sent = 0 }
#endif
}
