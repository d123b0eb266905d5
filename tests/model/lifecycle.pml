/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life cycle of a domain: physical CPUs, one guest of two vCPUs, one
 * bystander, the EL2 worker and the shell. docs/model.md says what is left
 * out; test_model.py has the configurations, which set how often events come,
 * and the mutations, each of which has to be found.
 */

/* --- configuration ------------------------------------------------------- */
#ifndef V0_CPU
#define V0_CPU 0
#endif
#ifndef V1_CPU
#define V1_CPU 1
#endif
#ifndef BY_CPU
#define BY_CPU 1
#endif
/* How often at most; each run chooses a number up to it. */
#ifndef MAX_SHELL
#define MAX_SHELL 0	/* commands */
#endif
#ifndef MAX_STOP
#define MAX_STOP 0	/* the guest's SYSTEM_OFF, SYSTEM_RESET, crash */
#endif
#ifndef MAX_ON
#define MAX_ON 0	/* CPU_ON */
#endif
#ifndef MAX_OFF
#define MAX_OFF 0	/* CPU_OFF */
#endif
#ifndef MAX_SGI
#define MAX_SGI 0	/* SGIs to the other vCPU */
#endif
#ifndef MAX_WFI
#define MAX_WFI 0	/* waits of the guest */
#endif
#ifndef MAX_FLUSH
#define MAX_FLUSH 0	/* set/way operations */
#endif
#ifndef MAX_WDT
#define MAX_WDT 0	/* expiries of the watchdog */
#endif
#ifndef MAX_REFRESH
#define MAX_REFRESH 0	/* the guest's writes to the watchdog */
#endif
#ifndef MAX_WALK
#define MAX_WALK 0	/* console_tell_room(): walks through domains[] */
#endif
#ifndef MAX_BY
#define MAX_BY 0	/* interrupts for the bystander */
#endif
#ifndef MAX_FAIL
#define MAX_FAIL 0	/* builds that fail */
#endif
#ifndef MAX_RESTART
#define MAX_RESTART 1	/* lives after the first */
#endif
/* Shell commands: a bit for each. */
#define CMD_DESTROY 1
#define CMD_RESTART 2
#define CMD_START 4
#define CMD_PAUSE 8
#define CMD_RESUME 16
#ifndef SHELL
#define SHELL 31
#endif

/* --- state --------------------------------------------------------------- */
#define NR_CPUS 2
/* vCPUs: two of the guest, the bystander's, and the worker's. */
#define G0 0
#define G1 1
#define BY 2
#define WORKER 3
#define NOBODY 4
#define CPU_OF(v) ((v) == G0 -> V0_CPU : ((v) == G1 -> V1_CPU : \
		   ((v) == BY -> BY_CPU : 0)))
#define IS_GUEST(v) ((v) < BY)
#define DOM(v) ((v) >= BY)

/* enum domain_state */
#define BUILDING 0
#define RUNNING 1
#define PAUSED 2
#define SHUTTING_DOWN 3
#define CRASHED 4
#define DEAD 5
#define IS_STOPPING (dstate >= SHUTTING_DOWN)
#define IS_LEAVING (dstate == SHUTTING_DOWN || dstate == CRASHED)
/* enum stop_reason, without those that differ in name only */
#define STOP_OFF 0
#define STOP_RESET 1
#define STOP_CRASH 2
#define STOP_DESTROY 3
/* enum vcpu_state */
#define OFF 0
#define PENDING 1
#define ON 2

#define IPI_REFRESH 1
#define IPI_WAKE 2
#define IPI_WATCHDOG 4
#define IPI_SYNC 8

/* Where VTTBR_EL2 points. */
#define EMPTY 0
#define GUEST_TABLES 1
#define OTHER_TABLES 2

typedef cpu_data {
	bool resched, reap, slice;
	byte ipi, current, running, vttbr, fp_owner;
	bool ptr;	/* holds a pointer got from domains[] */
	bool synced;	/* has taken IPI_SYNC */
};
cpu_data cpu[NR_CPUS];
chan queue[NR_CPUS] = [4] of { byte };

typedef vcpu_data {
	byte state, flush_pos;
	bool ready, paused, placed, fresh;
	bool pend, lr, loaded, refill;	/* struct vgic_vcpu */
	bool life;	/* whose tables its VTTBR names */
	bool waits;	/* ghost: in a WFI that has not ended */
};
vcpu_data vcpu[4];

byte dstate = DEAD, reason, nr_inside;
bool published;	/* domains[id] */
bool torn = 1;	/* no tables, no RAM: ghost of page ownership */
bool life;	/* which one: ghost, one bit */
bool stopped, ended, down_asked;	/* ghosts, of this life */
bool d_lock, vcpu_lock, vgic_lock[2];
bool wdt_timer, wdt_armed;
bool wdt_paused;	/* ghost: the period has time in it that does not count */

/* A guest slot: what the worker does for it, what the shell wants. */
#define IDLE 0
#define ENDING 1
#define DELAY 2
#define BUILD 3
#define WANT_NOTHING 0
#define WANT_DOWN 1
#define WANT_UP 2
byte phase, want;
#define ITEM_END 1
#define ITEM_BUILD 2
chan workq = [2] of { byte };
bool worker_on, in_grace;
pid cpu_pid;	/* of CPU 0; that of CPU 1 is the next one */

byte n_shell, n_stop, n_on, n_off, n_sgi, n_wfi, n_flush, n_wdt, n_refresh,
	n_walk, n_by, n_fail, n_restart;

#if MUTATE_WAKE_IGNORES_STOPPING
#define MAY_WAKE(v) (!vcpu[v].ready && !vcpu[v].paused)
#else
#define MAY_WAKE(v) (!vcpu[v].ready && !vcpu[v].paused && \
		     !(IS_GUEST(v) && IS_STOPPING))
#endif
#if MUTATE_ON_UNCHECKED
#define TAKES_PENDING(v) (vcpu[v].state == PENDING)
#else
#define TAKES_PENDING(v) (vcpu[v].state == PENDING && \
			  !(IS_GUEST(v) && IS_STOPPING))
#endif

#if MUTATE_REASON_NOT_FIRST
#define STOPS_TWICE IS_LEAVING
#else
#define STOPS_TWICE 0
#endif
#if MUTATE_END_BEFORE_LAST
#define LAST_INSIDE 1
#else
#define LAST_INSIDE 0
#endif

#include "sched.pml"
#include "vgic.pml"
#include "domain.pml"
#include "worker.pml"
#include "cpu.pml"

/* --- start and end ------------------------------------------------------- */
#ifndef LTL
#define IS_IDLE(v) (vcpu[v].state == OFF || (vcpu[v].state == ON && \
	(vcpu[v].waits -> !vcpu[v].pend && !vcpu[v].lr : vcpu[v].ready)))
#define IS_PAUSED(v) (!vcpu[v].ready && cpu[CPU_OF(v)].current != v)
/* When nothing can happen any more, nothing may be left to do. */
active proctype Quiescent()
{
	timeout;
	assert(Cpu[cpu_pid]@end_irq && Cpu[cpu_pid + 1]@end_irq);
	d_step {
		assert(!d_lock && !vcpu_lock && !vgic_lock[0] && !vgic_lock[1]);
		assert(len(workq) == 0 && phase == IDLE && want == WANT_NOTHING);
		assert(IS_IDLE(BY));
		assert(dstate == RUNNING || dstate == PAUSED ||
		       dstate == DEAD);
		assert(dstate != RUNNING ||
		       (IS_IDLE(G0) && IS_IDLE(G1) && wdt_timer));
		assert(dstate != PAUSED || (IS_PAUSED(G0) && IS_PAUSED(G1)));
		assert(!down_asked || dstate == DEAD);
		assert(dstate != DEAD || (torn && !published))
	}
}
#endif

init {
	atomic {
		select(n_shell : 0 .. MAX_SHELL);
		select(n_stop : 0 .. MAX_STOP);
		select(n_on : 0 .. MAX_ON);
		select(n_off : 0 .. MAX_OFF);
		select(n_sgi : 0 .. MAX_SGI);
		select(n_wfi : 0 .. MAX_WFI);
		select(n_flush : 0 .. MAX_FLUSH);
		select(n_wdt : 0 .. MAX_WDT);
		select(n_refresh : 0 .. MAX_REFRESH);
		select(n_walk : 0 .. MAX_WALK);
		select(n_by : 0 .. MAX_BY);
		select(n_fail : 0 .. MAX_FAIL);
		n_restart = MAX_RESTART;
		byte i = 0;
		do
		:: i < NR_CPUS ->
			cpu[i].current = NOBODY;
			cpu[i].running = NOBODY;
			cpu[i].fp_owner = NOBODY;
			i++
		:: else -> break
		od;
		i = 0;
		/* The boot submits the first build. */
		phase = BUILD;
		workq!ITEM_BUILD;
		vcpu[WORKER].state = ON;
		vcpu[WORKER].ready = 1;
		queue[0]!WORKER;
		/* A guest that was started before the model begins. */
		vcpu[BY].state = ON;
		vcpu[BY].ready = 1;
		vcpu[BY].placed = 1;
		queue[BY_CPU]!BY;
		run Worker();
		cpu_pid = run Cpu(0);
		run Cpu(1)
	}
}

ltl stopped_dies { [] (IS_LEAVING -> <> !IS_LEAVING) }
ltl destroyed_is_down {
	[] (down_asked -> <> (!down_asked || (dstate == DEAD && phase == IDLE)))
}
ltl bystander_served {
	[] (vcpu[BY].pend || vcpu[BY].lr -> <> !(vcpu[BY].pend || vcpu[BY].lr))
}
ltl bystander_runs {
	[] (vcpu[BY].ready -> <> (cpu[BY_CPU].current == BY || !vcpu[BY].ready))
}
