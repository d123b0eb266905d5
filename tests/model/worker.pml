/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel/work.c, and what the worker does for a guest slot. It is a process of
 * its own, but goes on only while CPU 0 says so (`worker_on`).
 */

inline work_point()
{
	atomic {
		if
		:: cpu[0].resched -> cpu[0].ipi = cpu[0].ipi | IPI_WAKE
		:: else -> skip
		fi;
		worker_on = 0
	}
	worker_on
}

/*
 * After the domain was unpublished: no CPU knows it any more. CPU 0 goes on
 * with the worker when all have answered, or after an interrupt of its own:
 * the turns of the loop in which nothing happens are left out.
 */
inline grace()
{
#if !MUTATE_NO_GRACE
	d_step { cpu[0].synced = 0; cpu[1].synced = 0 }
	cpu[0].ipi = cpu[0].ipi | IPI_SYNC;
	cpu[1].ipi = cpu[1].ipi | IPI_SYNC;
	in_grace = 1;
	do
	:: cpu[0].synced && cpu[1].synced -> break
	:: else -> work_point()
	od;
	in_grace = 0
#else
	skip
#endif
}

#define IS_GONE(v) (!vcpu[v].placed && !vcpu[v].ready && !vcpu[v].loaded && \
	!(queue[CPU_OF(v)]??[eval(v)]) && cpu[CPU_OF(v)].current != v && \
	cpu[CPU_OF(v)].running != v && cpu[CPU_OF(v)].fp_owner != v)

/* What is to hold when the guest's tables and RAM are given back. */
inline check_gone()
{
	d_step {
		assert(IS_GONE(G0) && IS_GONE(G1));
		assert(cpu[0].vttbr != GUEST_TABLES);
		assert(cpu[1].vttbr != GUEST_TABLES);
		assert(!cpu[0].ptr && !cpu[1].ptr && !published);
		assert(!wdt_timer && !d_lock)
	}
}

/* Flush of the VMID, tables and RAM; others run while RAM is scrubbed. */
inline tear_down()
{
	check_gone();
	torn = 1;
	work_point();
	check_gone();
	dstate = DEAD
}

/* "end" */
inline guest_end()
{
	d_step { assert(IS_LEAVING && phase == IDLE); phase = ENDING }
	published = 0;
	grace();
	tear_down();
	/* No point until the end: what the shell wants is what it wanted. */
	d_step {
		if
		:: n_restart > 0 && (want == WANT_UP || (want == WANT_NOTHING &&
		   (reason == STOP_RESET || reason == STOP_CRASH))) ->
			phase = DELAY
		:: else -> phase = IDLE
		fi;
		want = WANT_NOTHING
	}
}

inline set_up()
{
	d_step {
		nr_inside = 2;
		stopped = 0;
		ended = 0;
#if !MUTATE_FRESH_KEPT
		vcpu[G0].fresh = 0;
		vcpu[G1].fresh = 0;
#endif
#if !MUTATE_STATE_KEPT
		vcpu[G0].state = OFF;
		vcpu[G1].state = OFF;
#endif
#if !MUTATE_PAUSED_KEPT
		vcpu[G0].paused = 0;
		vcpu[G1].paused = 0;
#endif
		wdt_armed = 0;
		wdt_paused = 0
	}
	sched_place(G0);
	sched_place(G1);
#if MUTATE_PLACED_WHILE_DEAD
	dstate = BUILDING;
#endif
	published = 1
}

/* Of what set_up() did, and of all before it. */
inline undo()
{
	d_step { vcpu[G0].placed = 0; vcpu[G1].placed = 0; published = 0 }
	grace();
	tear_down();
	d_step { phase = IDLE; want = WANT_NOTHING }
}

/* domain_start() */
inline domain_start()
{
	d_step {
		assert(!down_asked && nr_inside == 2 && !stopped);
		assert(!vcpu[G0].ready && !vcpu[G0].paused &&
		       vcpu[G0].state == OFF);
		assert(!vcpu[G1].ready && !vcpu[G1].paused &&
		       vcpu[G1].state == OFF);
		assert(vcpu[G0].placed && vcpu[G1].placed && published);
		phase = IDLE;
		want = WANT_NOTHING
	}
	dstate = RUNNING;
	wdt_update();
	vcpu[G0].state = PENDING;
	cpu[V1_CPU].ipi = cpu[V1_CPU].ipi | IPI_WAKE;
	sched_wake(G0)
}

/* "build" */
inline guest_build()
{
	assert(dstate == DEAD && phase == BUILD && torn);
	/* The tables are others than before. */
	d_step { torn = 0; life = !life }
#if !MUTATE_PLACED_WHILE_DEAD
	dstate = BUILDING;
#endif
	work_point();
	if
	:: n_fail > 0 ->
		n_fail--;
		tear_down();
		d_step { phase = IDLE; want = WANT_NOTHING }
	:: true ->
		set_up();
		work_point();
		if
#if !MUTATE_BUILD_NOT_CANCELLED
		:: want == WANT_DOWN -> undo()
#endif
		:: else -> domain_start()
		fi
	fi
}

proctype Worker()
{
	byte me = 0, item;

	worker_on;
end_wait:
	do
	:: atomic { len(workq) > 0 -> workq?item }
		if
		:: item == ITEM_END -> guest_end()
		:: item == ITEM_BUILD -> guest_build()
		fi;
		item = 0
	:: len(workq) == 0 ->
#if MUTATE_WORKER_CHECKS_FIRST
		if
		:: len(workq) > 0 -> sched_wake(WORKER)
		:: else -> skip
		fi;
		sched_block(WORKER);
#else
		sched_block(WORKER);
		if
		:: len(workq) > 0 -> sched_wake(WORKER)
		:: else -> skip
		fi;
#endif
		work_point()
	od
}
