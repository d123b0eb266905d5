/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vgic/vgic.c: one interrupt for each vCPU, an edge. It is on the queue
 * (`pend`), in a list register (`lr`), or in both when it came twice.
 */

/* vgic_fill(), under the lock, on v's CPU */
inline vgic_fill(v)
{
	if
	:: vcpu[v].pend -> vcpu[v].pend = 0; vcpu[v].lr = 1
	:: else -> skip
	fi
}

/* The rest of a critical section that has found v not loaded, but on. */
inline wake_if_taken(v)
{
	if
	:: taken ->
		sched_wake(v);
		atomic { taken = 0; unlock(vgic_lock[DOM(v)]) }
	:: else -> skip
	fi
}

/* vgic_input() with vgic_requeue(), tell() and kick() */
inline vgic_inject(v)
{
	atomic {
		!vgic_lock[DOM(v)];
		assert(!IS_GUEST(v) || !torn);
		vcpu[v].pend = 1;
		if
		:: vcpu[v].loaded && cpu[me].current == v -> vgic_fill(v)
		:: vcpu[v].loaded && cpu[me].current != v ->
			if
			:: vcpu[v].refill -> skip
			:: else ->
				vcpu[v].refill = 1;
				cpu[CPU_OF(v)].ipi = cpu[CPU_OF(v)].ipi |
					(IPI_REFRESH | IPI_WAKE)
			fi
		:: !vcpu[v].loaded && vcpu[v].state == ON ->
			vgic_lock[DOM(v)] = 1;
			taken = 1
		:: else -> skip
		fi
	}
	wake_if_taken(v)
}

inline vgic_refresh(v)
{
	atomic {
		!vgic_lock[DOM(v)];
		vcpu[v].refill = 0;
		vgic_fill(v)
	}
}

inline vgic_load(v)
{
	atomic {
		!vgic_lock[DOM(v)];
		vcpu[v].loaded = 1;
		vcpu[v].refill = 0;
		vgic_fill(v)
	}
}

inline vgic_unload(v)
{
	atomic {
		!vgic_lock[DOM(v)];
		vcpu[v].pend = vcpu[v].pend || vcpu[v].lr;
		vcpu[v].lr = 0;
		vcpu[v].loaded = 0;
		vcpu[v].refill = 0;
#if !MUTATE_UNLOAD_NO_WAKE
		if
		:: vcpu[v].pend && vcpu[v].state == ON ->
			vgic_lock[DOM(v)] = 1;
			taken = 1
		:: else -> skip
		fi
#endif
	}
	wake_if_taken(v)
}

/* vgic_has_pending(), of the vCPU that is loaded here */
inline vgic_has_pending(v)
{
	atomic {
		!vgic_lock[DOM(v)];
		taken = vcpu[v].pend || vcpu[v].lr
	}
}
