/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CPU: kernel/cpu.c, irq.c, time.c, arch/arm64/trap.c and switch.c. EL2 runs
 * with interrupts masked: they are taken at the label end_irq alone.
 */

inline program()
{
	cpu[me].hw = cpu[me].sched_end || HAS_URGENT(me) ||
		     (!cpu[me].timers_wait && HAS_PATIENT(me))
}

/* arch_vcpu_load() */
inline load()
{
	cpu[me].current = nxt;
	vgic_load(nxt);
	d_step {
		if
		:: vcpu[nxt].armed ->
			vcpu[nxt].armed = 0;
			vcpu[nxt].patient = 0;
			program()
		:: else -> skip
		fi
	}
	/* take_late_wake() */
	if
	:: cpu[me].resched -> cpu[me].ipi = cpu[me].ipi | IPI_WAKE
	:: else -> skip
	fi
}

/* arch_vcpu_unload() */
inline unload()
{
	vgic_unload(cpu[me].current);
	d_step {
		if
#if !MUTATE_TIMER_NOT_ARMED
		:: !CUR(me).ready && CUR(me).timer ->
			CUR(me).armed = 1;
			CUR(me).patient = !IS_SERVER(cpu[me].current);
			program()
#endif
		:: else -> skip
		fi;
		cpu[me].current = NOBODY
	}
}

/*
 * With fairness: IPIs are taken, and what the timer is set for has not come
 * while a vCPU takes an interrupt.
 */
#ifdef LTL
#define NO_IPI !cpu[me].ipi
#define FIRES (cpu[me].hw && NO_IPI && \
	       !(cpu[me].mode == GUEST && CUR(me).lr))
#define SLICE_ENDS (cpu[me].slice && \
		    !(cpu[me].passed && cpu[me].root != NOBODY))
#else
#define NO_IPI true
#define FIRES cpu[me].hw
#define SLICE_ENDS cpu[me].slice
#endif

/* The end of time_irq(). The timer has fired: it will not by itself. */
inline time_done()
{
	d_step {
		cpu[me].hw = 0;
		if
#if !MUTATE_TIMER_NOT_PROGRAMMED
		:: !cpu[me].resched -> program()
#endif
		:: else -> skip
		fi
	}
}

inline end_comes()
{
	if
	:: SLICE_ENDS -> d_step { cpu[me].spent = 1; cpu[me].passed = 1 }
	:: cpu[me].root != NOBODY -> cpu[me].due = 1
	:: !cpu[me].slice && cpu[me].root == NOBODY -> skip
	fi;
	d_step { cpu[me].sched_end = 0; cpu[me].resched = 1 }
}

/* A server runs on its budget, which has an end. */
#define IN_THE_WAY (cpu[me].current != NOBODY && CUR(me).serves && \
		    cpu[me].sched_end)

inline vtimer_expired(v)
{
	d_step {
		assert(!vcpu[v].patient || !IN_THE_WAY);
		vcpu[v].armed = 0;
		vcpu[v].patient = 0;
		vcpu[v].timer = 0
	}
	vgic_inject(v)
}

/* expire_patient(): no server runs, or is to run. */
#define EXPIRES(v) (IS_PATIENT(v, me) && !cpu[me].timers_wait && \
		    !cpu[me].resched && !HAS(me, DEADLINES))
/* With fairness: a timer's time comes before the next end. */
#ifdef LTL
#define END_COMES (cpu[me].sched_end && !EXPIRES(0) && !EXPIRES(1) && \
		   !EXPIRES(2) && !EXPIRES(3))
#else
#define END_COMES cpu[me].sched_end
#endif

/* One of those that have come: of more the next one fires at once. */
inline time_irq()
{
	if
	:: END_COMES -> atomic { end_comes() }
	:: IS_URGENT(0, me) -> vtimer_expired(0)
	:: IS_URGENT(1, me) -> vtimer_expired(1)
	:: IS_URGENT(2, me) -> vtimer_expired(2)
	:: IS_URGENT(3, me) -> vtimer_expired(3)
	:: EXPIRES(0) -> vtimer_expired(0)
	:: EXPIRES(1) -> vtimer_expired(1)
	:: EXPIRES(2) -> vtimer_expired(2)
	:: EXPIRES(3) -> vtimer_expired(3)
	:: else -> skip
	fi;
	time_done()
}

inline post()
{
	if
	:: K0 != NONE -> vgic_inject(0)
	:: K1 != NONE -> vgic_inject(1)
	:: K2 != NONE -> vgic_inject(2)
	:: K3 != NONE -> vgic_inject(3)
	fi
}

inline set()
{
	if
	:: SET_TO & (1 << RR) -> sched_set(0, RR)
	:: SET_TO & (1 << SERVER) -> sched_set(0, SERVER)
	:: SET_TO & (1 << EXTRA) -> sched_set(0, EXTRA)
	fi
}

#define IS_BIT(bits) (((bits) >> me) & 1)
#define IS_WORKER IS_BIT(WORKERS)
#if MUTATE_WAIT_IGNORES_RESCHED
#define MUST_BLOCK (CONTENDED(me) || IS_SERVER(cpu[me].current))
#else
#define MUST_BLOCK (CONTENDED(me) || IS_SERVER(cpu[me].current) || \
		    cpu[me].resched)
#endif
/* Enters EL2. */
#define TRAP at = cpu[me].mode; cpu[me].mode = EL2
#define TAKE(n) n--; TRAP

/*
 * A step ends where another CPU may come between: a lock that is taken within
 * another one makes no end.
 */
proctype Cpu(byte me)
{
	byte nxt = NOBODY, cur = NOBODY, at = IDLE, ipi;
	bool taken, yes, first, was;

idle:	/* cpu_idle(), sched_idle() */
	atomic { at = IDLE; cpu[me].reap = 0 }
next:	/* sched_next(), and the switch to what it says */
	sched_next();
	if
	:: cpu[me].current != NOBODY && cpu[me].current != nxt ->
		atomic { unload() }
	:: else -> skip
	fi;
	atomic {
		if
		:: nxt != NOBODY ->
			if
			:: cpu[me].current != nxt -> load()
			:: else -> skip
			fi;
			goto enter
		:: nxt == NOBODY && (at != IDLE || cpu[me].reap) -> goto idle
		:: nxt == NOBODY && at == IDLE && !cpu[me].reap ->
			cpu[me].mode = IDLE;
			goto end_irq
		fi
	}

enter:
	atomic { nxt = NOBODY; at = GUEST; cpu[me].mode = GUEST }
end_irq:
	atomic {
		if
		:: cpu[me].ipi ->
			TRAP;
			ipi = cpu[me].ipi;
			cpu[me].ipi = 0;
			if
			:: ipi & IPI_REFRESH && cpu[me].current != NOBODY ->
				vgic_refresh(cpu[me].current)
			:: else -> skip
			fi;
			ipi = 0
		:: FIRES -> TRAP; time_irq()
		:: cpu[me].mode == GUEST && CUR(me).lr ->
			CUR(me).lr = 0;
			goto end_irq
		:: cpu[me].mode == GUEST && !CUR(me).timer && n_timer > 0 ->
			CUR(me).timer = 1;
			n_timer--;
			goto end_irq
		:: (cpu[me].mode == GUEST || cpu[me].mode == WAIT) &&
		   CUR(me).timer ->
			/*
			 * The line of its timer. In the LRs that may take the
			 * place of what another vCPU is to have now.
			 */
			TRAP;
			CUR(me).timer = 0;
			vgic_inject(cpu[me].current);
			if
			:: n_post > 0 -> n_post--; post()
			:: skip
			fi
#if MUTATE_TIMER_NO_CHANGE
			if
			:: at == GUEST -> goto enter
			:: else -> skip
			fi
#endif
		:: IS_BIT(POSTERS) && n_post > 0 -> TAKE(n_post); post()
		:: IS_WORKER && n_set > 0 -> TAKE(n_set); set()
		:: IS_WORKER && n_kill > 0 -> TAKE(n_kill); sched_kill(0)
		:: IS_WORKER && n_pause > 0 && !vcpu[0].paused ->
			TAKE(n_pause);
			sched_pause(0)
		:: IS_WORKER && n_resume > 0 && vcpu[0].paused ->
			TAKE(n_resume);
			sched_resume(0)
		:: cpu[me].mode == GUEST && cpu[me].trap && !CUR(me).lr &&
		   NO_IPI ->
			TRAP;
			goto wait
		fi
	}
	if
	:: at == IDLE -> goto idle
	:: at == WAIT -> goto wait
	:: at == GUEST -> goto out
	fi;

out:	/* next_vcpu() */
	if
	:: cpu[me].resched -> goto next
	:: atomic { !cpu[me].resched -> goto enter }
	fi;

wait:	/* wait() */
	atomic {
		at = GUEST;
#if !MUTATE_WAIT_UNCHECKED
		vgic_has_pending(cpu[me].current);
#endif
		if
		:: taken -> taken = 0; goto out
		:: else -> skip
		fi
	}
	if
	:: MUST_BLOCK -> sched_block(cpu[me].current)
	:: atomic { !MUST_BLOCK -> cpu[me].mode = WAIT; goto end_irq }
	fi;
	atomic {
		vgic_has_pending(cpu[me].current);
		if
		:: taken -> sched_wake(cpu[me].current)
		:: else -> skip
		fi;
		taken = 0
	}
	goto out
}
