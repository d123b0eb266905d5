/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched/sched.c. `me` is the CPU that executes. A critical section is one step
 * (it waits for the lock, if others hold it across steps) when at most one of
 * its accesses is to something that is read or written outside of that lock;
 * all those under a scheduler's lock are.
 */

/* Ticket locks of EL2: the CPU spins, with interrupts masked. */
inline lock(l)
{
	atomic { !l -> l = 1 }
}

inline unlock(l)
{
	l = 0
}

inline ask(who)
{
	if
	:: cpu[who].resched -> skip
	:: else ->
		cpu[who].resched = 1;
		if
		:: who != me -> cpu[who].ipi = cpu[who].ipi | IPI_WAKE
		:: else -> skip
		fi
	fi
}

inline dequeue(v)
{
	if
	:: queue[CPU_OF(v)]??[eval(v)] -> queue[CPU_OF(v)]??eval(v)
	:: else -> skip
	fi
}

/*
 * The queue is first come, first served; virtual time is not modelled. One
 * that wakes behind others preempts what runs, or does not.
 */
inline sched_wake(v)
{
	atomic {
		if
		:: MAY_WAKE(v) -> make_ready(v)
		:: else -> skip
		fi
	}
}

inline make_ready(v)
{
	vcpu[v].ready = 1;
	if
	:: cpu[CPU_OF(v)].running == v -> ask(CPU_OF(v))
	:: else ->
		queue[CPU_OF(v)]!v;
		if
		:: ask(CPU_OF(v))
		:: cpu[CPU_OF(v)].running != NOBODY && len(queue[CPU_OF(v)]) > 1
		fi
	fi
}

/* On v's CPU. */
inline sched_block(v)
{
	d_step {
		vcpu[v].ready = 0;
		cpu[me].resched = 1
	}
}

inline sched_kill(v)
{
	atomic {
		vcpu[v].ready = 0;
		dequeue(v);
		cpu[CPU_OF(v)].reap = 1;
		ask(CPU_OF(v))
	}
}

inline sched_pause(v)
{
	atomic {
		vcpu[v].paused = 1;
		vcpu[v].ready = 0;
		dequeue(v);
		ask(CPU_OF(v))
	}
}

inline sched_resume(v)
{
	vcpu[v].paused = 0;
	if
	:: vcpu[v].state != OFF -> sched_wake(v)
	:: else -> skip
	fi
}

inline sched_place(v)
{
	d_step {
		assert(!vcpu[v].placed);
		vcpu[v].placed = 1
	}
}

/* reset(): on v's CPU, while it is not loaded. */
inline vcpu_reset(v)
{
	atomic {
		!vgic_lock[DOM(v)];
		assert(!torn && cpu[me].current != v);
		vcpu[v].pend = 0;
		vcpu[v].lr = 0;
		vcpu[v].flush_pos = 0;
		vcpu[v].waits = 0;
		vcpu[v].life = life;
		vcpu[v].fresh = 1
	}
}

/* choose() and put_off(): one critical section. */
inline choose()
{
	atomic {
		cpu[me].resched = 0;
		if
		:: len(queue[me]) > 0 ->
			queue[me]?nxt;
			if
			:: cpu[me].running != NOBODY &&
			   vcpu[cpu[me].running].ready ->
				queue[me]!cpu[me].running
			:: else -> skip
			fi
		:: len(queue[me]) == 0 && cpu[me].running != NOBODY &&
		   vcpu[cpu[me].running].ready -> nxt = cpu[me].running
		:: else -> nxt = NOBODY
		fi;
		cpu[me].running = nxt;
		usual = 1;
		if
		:: nxt != NOBODY && (vcpu[nxt].state != ON || cpu[me].reap) ->
			usual = 0;
			if
			:: cpu[me].reap || (vcpu[nxt].state == PENDING &&
			   cpu[me].current == nxt) ->
				queue[me]!nxt;
				nxt = NOBODY;
				cpu[me].running = NOBODY
			:: else ->
				if
				:: vcpu[nxt].state == OFF -> vcpu[nxt].ready = 0
				:: else -> skip
				fi
			fi
		:: else -> skip
		fi;
#if MUTATE_NO_SLICE
		cpu[me].slice = 0
#else
		cpu[me].slice = len(queue[me]) > 0
#endif
	}
}

/* Leaves in `taken` whether nxt was switched on. */
inline take_pending()
{
	if
	:: vcpu[nxt].fresh -> skip
	:: else -> vcpu_reset(nxt)
	fi;
	atomic {
		!vcpu_lock;
		taken = TAKES_PENDING(nxt);
		if
		:: taken ->
			assert(!IS_STOPPING);
			assert(vcpu[nxt].flush_pos == 0 &&
			       vcpu[nxt].life == life);
			vcpu[nxt].state = ON;
			vcpu[nxt].fresh = 0
		:: else -> skip
		fi
	}
}

/* Leaves in `nxt` what is to run. */
inline sched_next()
{
	do
	:: choose();
		if
		:: usual || nxt == NOBODY -> break
		:: else ->
			if
			:: vcpu[nxt].ready ->
				take_pending();
				if
				:: taken -> break
				:: else -> skip
				fi
			:: else -> skip
			fi
		fi
	od;
	atomic { usual = 0; taken = 0 }
}

inline find_stopped()
{
	if
	:: IS_STOPPING && vcpu[G0].placed && CPU_OF(G0) == me -> x = G0
	:: IS_STOPPING && vcpu[G1].placed && CPU_OF(G1) == me -> x = G1
	:: else -> x = NOBODY
	fi;
	if
	:: x != NOBODY -> vcpu[x].placed = 0
	:: else -> skip
	fi
}

#define CAN_RESET(v) (dstate == RUNNING && vcpu[v].placed && \
		      CPU_OF(v) == me && !vcpu[v].fresh && vcpu[v].state == OFF)

inline sched_idle()
{
	atomic {
#if !MUTATE_REAP_CLEARED_LATE
		cpu[me].reap = 0;
#endif
		find_stopped()
	}
	do
	:: x != NOBODY ->
		atomic {
			assert(cpu[me].current == NOBODY && !torn);
			if
			:: cpu[me].fp_owner == x -> cpu[me].fp_owner = NOBODY
			:: else -> skip
			fi
		}
		domain_vcpu_left(x);
		atomic { find_stopped() }
	:: else -> break
	od;
#if MUTATE_REAP_CLEARED_LATE
	cpu[me].reap = 0;
#endif
	if
	:: CAN_RESET(G0) -> vcpu_reset(G0)
	:: else -> skip
	fi;
	if
	:: CAN_RESET(G1) -> vcpu_reset(G1)
	:: else -> skip
	fi
}
