/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/domain.c and kernel/guest.c: what any CPU does to a domain. */

inline domain_stop(why)
{
#if !MUTATE_STATE_UNLOCKED
	lock(d_lock);
#else
	skip;
#endif
	if
	:: dstate == RUNNING || dstate == PAUSED || STOPS_TWICE ->
		atomic {
			/* The first reason wins. */
			assert(!stopped);
			stopped = 1;
			reason = why;
			dstate = (why == STOP_CRASH -> CRASHED : SHUTTING_DOWN)
		}
		sched_kill(G0);
		sched_kill(G1)
	:: else -> skip
	fi;
#if !MUTATE_STATE_UNLOCKED
	unlock(d_lock)
#else
	skip
#endif
}

/* By the shell: nothing happens to a domain that is not there. */
inline domain_pause()
{
	lock(d_lock);
	if
	:: dstate == RUNNING ->
		atomic { dstate = PAUSED; wdt_paused = 1 }
		sched_pause(G0);
		sched_pause(G1)
	:: else -> skip
	fi;
	unlock(d_lock)
}

inline domain_resume()
{
	lock(d_lock);
	if
	:: dstate == PAUSED ->
		wdt_resume();
		sched_resume(G0);
		sched_resume(G1)
	:: else -> skip
	fi;
	unlock(d_lock)
}

/* work_submit(): a node that is in the list already would destroy it. */
inline work_submit(item)
{
	atomic {
		assert(!(workq??[eval(item)]));
		workq!item
	}
	sched_wake(WORKER)
}

inline domain_vcpu_left(v)
{
	if
	:: v == G0 -> wdt_exit()
	:: else -> skip
	fi;
	atomic {
		!d_lock;
		assert(nr_inside > 0 && !torn);
		nr_inside--;
		usual = nr_inside == LAST_INSIDE
	}
	if
	:: usual ->
		atomic { assert(!ended); ended = 1; usual = 0 }
		work_submit(ITEM_END)
	:: else -> skip
	fi
}

/* --- pv/wdt.c ------------------------------------------------------------ */

/* update(), wdt_start(): a time that is nearer than before. */
inline wdt_update()
{
	atomic {
		wdt_armed = 1;
		if
		:: me != V0_CPU ->
			cpu[V0_CPU].ipi = cpu[V0_CPU].ipi | IPI_WATCHDOG
		:: me == V0_CPU && !IS_STOPPING -> wdt_timer = 1
		:: else -> skip
		fi
	}
}

/*
 * The period begins anew and the state changes in one critical section of the
 * watchdog: with the state first, one that is due just then ends the guest for
 * the time in which it was paused; with the state last, it fires for nothing
 * and is not armed any more.
 */
inline wdt_resume()
{
#if MUTATE_RUNS_BEFORE_WATCHDOG
	dstate = RUNNING;
	atomic { wdt_paused = 0; wdt_update() }
#elif MUTATE_RUNS_AFTER_WATCHDOG
	atomic { wdt_paused = 0; wdt_update() }
	dstate = RUNNING
#else
	atomic { dstate = RUNNING; wdt_paused = 0; wdt_update() }
#endif
}

inline wdt_exit()
{
#if !MUTATE_WDT_KEPT
	atomic { wdt_timer = 0; wdt_armed = 0 }
#else
	skip
#endif
}

inline wdt_ipi()
{
	cpu[me].ptr = published;
	if
	:: cpu[me].ptr ->
		atomic {
			assert(!torn);
			if
			:: wdt_armed && !IS_STOPPING -> wdt_timer = 1
			:: else -> skip
			fi
		}
		cpu[me].ptr = 0
	:: else -> skip
	fi
}

/* expired(), in the timer's interrupt of V0_CPU */
inline wdt_expired()
{
	atomic {
		assert(!torn);
		wdt_armed = 0;
		taken = dstate != PAUSED;
		assert(dstate != RUNNING || !wdt_paused)
	}
	if
	:: taken && !IS_STOPPING -> domain_stop(STOP_CRASH)
	:: else -> skip
	fi;
	taken = 0
}

/* --- kernel/guest.c: the shell's requests, in an interrupt of CPU 0 ------ */

inline submit_build()
{
	d_step { phase = BUILD; want = WANT_NOTHING }
	work_submit(ITEM_BUILD)
}

/*
 * Only CPU 0 reads and writes `want` and `phase`. A request is noted whatever
 * the state is, as the guest may be stopping for another reason.
 */
inline shell_destroy()
{
#if MUTATE_DESTROY_FORGOTTEN
	atomic {
		down_asked = 1;
		if
		:: dstate == BUILDING || phase != IDLE -> want = WANT_DOWN
		:: else -> skip
		fi
	}
#else
	atomic { down_asked = 1; want = WANT_DOWN }
#endif
	if
	:: dstate == RUNNING || dstate == PAUSED -> domain_stop(STOP_DESTROY)
	:: dstate == DEAD && (phase == IDLE || phase == DELAY) ->
		d_step { phase = IDLE; want = WANT_NOTHING }
	:: else -> skip
	fi
}

/* `restart` (again), `start` */
inline shell_start(again)
{
	if
	:: dstate == RUNNING || dstate == PAUSED ->
		if
		:: again ->
			want = WANT_UP;
			domain_stop(STOP_RESET)
		:: else -> skip
		fi
	:: dstate == DEAD && (phase == IDLE || phase == DELAY) ->
		down_asked = 0;
		submit_build()
	:: else ->
		d_step { down_asked = 0; want = WANT_UP }
	fi
}
