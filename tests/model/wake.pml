/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wake, sleep and IPIs: who is told when a vCPU becomes ready, and when EL2's
 * timer is set. Two CPUs with up to four vCPUs of all kinds; what the CPUs do
 * is in wake_cpu.pml, the scheduler in wake_sched.pml. docs/model.md says what
 * is left out; test_wake.py has the configurations, and the mutations, each of
 * which has to be found.
 */

/* --- configuration ------------------------------------------------------- */
#define NONE 0
#define RR 1
#define SERVER 2
#define EXTRA 3		/* a server with extra time */
#ifndef K0
#define K0 SERVER
#endif
#ifndef K1
#define K1 RR
#endif
#ifndef K2
#define K2 NONE
#endif
#ifndef K3
#define K3 NONE
#endif
#ifndef ON_CPU0
#define ON_CPU0 3	/* so many are placed there, the others on CPU 1 */
#endif
#ifndef POSTERS
#define POSTERS 3	/* CPUs where interrupts of devices come; bits */
#endif
#ifndef WORKERS
#define WORKERS 2	/* CPUs that pause, resume, stop, set; bits */
#endif
#ifndef SET_TO
#define SET_TO 14	/* kinds; bits */
#endif
#ifndef WFI_TRAP
#define WFI_TRAP 0	/* skerry,wfi = "trap" */
#endif
/* How often at most. */
#ifndef MAX_POST
#define MAX_POST 0	/* interrupts, each for any vCPU */
#endif
#ifndef MAX_TIMER
#define MAX_TIMER 0	/* virtual timers, each of any vCPU */
#endif
#ifndef MAX_PAUSE
#define MAX_PAUSE 0	/* of vCPU 0, and resumed as often */
#endif
#ifndef MAX_KILL
#define MAX_KILL 0
#endif
#ifndef MAX_SET
#define MAX_SET 0	/* sched_set() of vCPU 0 */
#endif

/* --- state --------------------------------------------------------------- */
#define NOBODY 4
#define CPU_OF(v) ((v) < ON_CPU0 -> 0 : 1)
#define IPI_REFRESH 1
#define IPI_WAKE 2

/* Of vgic.pml: one domain, which is always there. */
#define ON 2
#define DOM(v) 0
#define IS_GUEST(v) 1
#define torn 0

/* Where a CPU is. Interrupts are taken anywhere but in EL2. */
#define EL2 0
#define GUEST 1
#define WAIT 2	/* WFI of wait(), its vCPU stays loaded */
#define IDLE 3	/* WFI of cpu_idle() */

/* The queue a vCPU is in. Of each, only who comes first is ever looked at. */
#define DEADLINES 1
#define QUEUE 2
#define PREEMPTED 3

typedef cpu_data {
	bool resched, reap, trap;
	byte mode, ipi, current, running;
	byte root;	/* of the deferred ones: the first to return */
	bool due;	/* its time has come */
	bool slice;	/* slice_until: an end of slice or budget is set */
	bool spent;	/* that has come */
	bool sched_end;	/* what sched_next() has set, or TIME_NEVER */
	bool hw;	/* EL2's timer is programmed */
	bool timers_wait; /* not for patient ones, as a server runs */
	bool cover;	/* ghost: sched_end is not after root's return */
	byte sent;	/* ghost: IPIs since resched was last taken */
	bool passed;	/* ghost: a slice since the last return */
};
cpu_data cpu[2];

typedef vcpu_data {
	byte state, kind, in;
	bool ready, paused, stopping;
	bool pend, lr, loaded, refill;	/* struct vgic_vcpu */
	bool serves, has;		/* left > 0 */
	bool deferred;
	bool timer, armed;	/* its own, and vtimer on EL2's */
	bool patient;	/* armed, and no server when that was done */
};
vcpu_data vcpu[4];

bool vgic_lock[1];
byte n_post, n_timer, n_pause, n_resume, n_kill, n_set;
pid cpu_pid;	/* of CPU 0; that of CPU 1 is the next one */

#define IS_IN(v, c, q) (vcpu[v].in == (q) && CPU_OF(v) == (c))
#define HAS(c, q) (IS_IN(0, c, q) || IS_IN(1, c, q) || IS_IN(2, c, q) || \
		   IS_IN(3, c, q))
#define IS_QUEUED(v, c) (vcpu[v].in && CPU_OF(v) == (c))
#define CONTENDED(c) (IS_QUEUED(0, c) || IS_QUEUED(1, c) || \
		      IS_QUEUED(2, c) || IS_QUEUED(3, c))
#define IS_ARMED(v, c) (vcpu[v].armed && CPU_OF(v) == (c))
#define ARMED(c) (IS_ARMED(0, c) || IS_ARMED(1, c) || IS_ARMED(2, c) || \
		  IS_ARMED(3, c))
#define IS_PATIENT(v, c) (vcpu[v].patient && CPU_OF(v) == (c))
#define HAS_PATIENT(c) (IS_PATIENT(0, c) || IS_PATIENT(1, c) || \
			IS_PATIENT(2, c) || IS_PATIENT(3, c))
#define IS_URGENT(v, c) (IS_ARMED(v, c) && !vcpu[v].patient)
#define HAS_URGENT(c) (IS_URGENT(0, c) || IS_URGENT(1, c) || \
		       IS_URGENT(2, c) || IS_URGENT(3, c))
#define CUR(c) vcpu[cpu[c].current]
#define IS_SERVER(v) (vcpu[v].kind >= SERVER)

#include "wake_sched.pml"
#include "vgic.pml"
#include "wake_cpu.pml"

/* --- what has to hold ---------------------------------------------------- */
/* Nothing on its way to c: what is not as it has to be stays so. */
#define RESTS(c) (cpu[c].mode != EL2 && !cpu[c].ipi)
#define RUNS(c) (cpu[c].mode == GUEST || cpu[c].mode == WAIT)

/* Always, as the scheduler's lock is not seen held. */
#define IS_SOUND(v) ((!vcpu[v].in || (vcpu[v].ready && \
		cpu[CPU_OF(v)].running != v && \
		vcpu[v].serves == (vcpu[v].in == DEADLINES) && \
		(vcpu[v].serves || vcpu[v].kind != SERVER))) && \
	(!vcpu[v].ready || (!vcpu[v].paused && !vcpu[v].stopping)) && \
	(!vcpu[v].deferred || cpu[CPU_OF(v)].root != NOBODY))
/* Ready, and neither queued nor running: then it will return. */
#define IS_KNOWN(v) (!vcpu[v].ready || vcpu[v].in || \
	cpu[CPU_OF(v)].running == v || \
	(vcpu[v].deferred && vcpu[v].kind == SERVER))
#define WILL_RETURN(v) (vcpu[v].deferred == \
	(vcpu[v].ready && IS_SERVER(v) && !vcpu[v].serves))
/* It has something to take, or its timer would: it is to be woken. */
#define IS_TOLD(v) (!RESTS(CPU_OF(v)) || vgic_lock[0] || vcpu[v].paused || \
	vcpu[v].stopping || \
	((!vcpu[v].pend || (vcpu[v].ready && !vcpu[v].loaded)) && \
	 (!vcpu[v].timer || vcpu[v].loaded || vcpu[v].ready || vcpu[v].armed)))
#define VCPU_HOLDS(v) (IS_SOUND(v) && IS_KNOWN(v) && WILL_RETURN(v) && \
		       IS_TOLD(v))

#define IS_ASKED(c) (!cpu[c].resched && (cpu[c].mode != IDLE || !cpu[c].reap))
/* Who runs may, and is who was chosen. */
#define IS_RIGHT(c) (RUNS(c) -> \
	(cpu[c].running == cpu[c].current && CUR(c).ready && \
	 (CUR(c).serves || CUR(c).kind != SERVER)) : \
	(cpu[c].running == NOBODY && !CONTENDED(c)))
#define IS_FIRST(c) (!RUNS(c) || CUR(c).serves || !HAS(c, DEADLINES))
/* One that waits loaded waits alone, and for nothing that is there. */
#define WAITS_ALONE(c) (cpu[c].mode != WAIT || (!CONTENDED(c) && \
	!CUR(c).lr && CUR(c).kind == RR))
/* Others have their turn, and a budget its end. */
#define HAS_END(c) (!RUNS(c) || (cpu[c].slice && cpu[c].sched_end) || \
	(!CONTENDED(c) && (!CUR(c).serves || (CUR(c).kind == EXTRA && \
	 cpu[c].root == NOBODY))))
#define TRAPS(c) (cpu[c].mode != GUEST || cpu[c].trap || !CONTENDED(c))
#define HAS_RETURN(c) (cpu[c].root == NOBODY || \
	(cpu[c].cover && cpu[c].sched_end))
#define HAS_TIMER(c) (cpu[c].hw || !(cpu[c].sched_end || ARMED(c)))
/* Patient timers wait for a server on its budget, and that has an end. */
#define WAIT_RIGHTLY(c) (!cpu[c].timers_wait || !HAS_PATIENT(c) || \
	(RUNS(c) && CUR(c).serves && cpu[c].sched_end))
#define CPU_HOLDS(c) (!RESTS(c) || (IS_ASKED(c) && IS_RIGHT(c) && \
	IS_FIRST(c) && WAITS_ALONE(c) && HAS_END(c) && TRAPS(c) && \
	HAS_RETURN(c) && HAS_TIMER(c) && WAIT_RIGHTLY(c)))

#ifndef LTL
active proctype Watch()
{
	byte c = 0, v = 0;

	atomic {
		!(VCPU_HOLDS(0) && VCPU_HOLDS(1) && VCPU_HOLDS(2) &&
		  VCPU_HOLDS(3) && CPU_HOLDS(0) && CPU_HOLDS(1)) ->
		do
		:: v < 4 ->
			assert(IS_SOUND(v));
			assert(IS_KNOWN(v));
			assert(WILL_RETURN(v));
			assert(IS_TOLD(v));
			v++
		:: else -> break
		od;
		do
		:: RESTS(c) ->
			assert(IS_ASKED(c));
			assert(IS_RIGHT(c));
			assert(IS_FIRST(c));
			assert(WAITS_ALONE(c));
			assert(HAS_END(c));
			assert(TRAPS(c));
			assert(HAS_RETURN(c));
			assert(HAS_TIMER(c));
			assert(WAIT_RIGHTLY(c));
			c++
		:: else -> c++
		od
	}
}

/* When nothing can happen any more, nobody waits for a lock. */
active proctype Quiescent()
{
	timeout;
	assert(cpu[0].mode != EL2 && cpu[1].mode != EL2)
}
#endif

#define PLACE(v, k) \
	vcpu[v].state = ON; \
	vcpu[v].kind = k; \
	vcpu[v].serves = (k >= SERVER); \
	vcpu[v].has = (k >= SERVER); \
	vcpu[v].ready = (k != NONE); \
	vcpu[v].in = (k == NONE -> 0 : (k == RR -> QUEUE : DEADLINES))

init {
	d_step {
		n_post = MAX_POST;
		n_timer = MAX_TIMER;
		n_pause = MAX_PAUSE;
		n_resume = MAX_PAUSE;
		n_kill = MAX_KILL;
		n_set = MAX_SET;
		PLACE(0, K0);
		PLACE(1, K1);
		PLACE(2, K2);
		PLACE(3, K3);
		cpu[0].current = NOBODY;
		cpu[1].current = NOBODY;
		cpu[0].running = NOBODY;
		cpu[1].running = NOBODY;
		cpu[0].root = NOBODY;
		cpu[1].root = NOBODY
	}
	atomic {
		cpu_pid = run Cpu(0);
		run Cpu(1)
	}
}

#ifdef LTL
/* Weak fairness: what waits for a vCPU is taken, if that is never paused. */
ltl taken_0 {
	[] (vcpu[0].pend || vcpu[0].lr -> <> !(vcpu[0].pend || vcpu[0].lr))
}
ltl taken_1 {
	[] (vcpu[1].pend || vcpu[1].lr -> <> !(vcpu[1].pend || vcpu[1].lr))
}
/* Who is ready runs, or sleeps again. */
ltl runs_0 {
	[] (vcpu[0].ready -> <> (cpu[0].current == 0 || !vcpu[0].ready))
}
ltl runs_1 {
	[] (vcpu[1].ready -> <> (cpu[0].current == 1 || !vcpu[1].ready))
}
/* A timer expires in the end, or what it is for has come otherwise. */
ltl expires_1 {
	[] (vcpu[1].armed -> <> !vcpu[1].armed)
}
#endif
