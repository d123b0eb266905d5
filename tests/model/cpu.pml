/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A physical CPU: kernel/cpu.c, irq.c, arch/arm64/trap.c and switch.c. EL2 runs
 * with interrupts masked: they are taken at the label end_irq alone, whatever
 * the CPU does there (`at`).
 */
#define AT_IDLE 0	/* WFI of cpu_idle() */
#define AT_GUEST 1	/* a guest runs */
#define AT_WAIT 2	/* WFI of wait(), its vCPU stays loaded */
#define AT_POINT 3	/* the worker's work_point() */

/* A guest's vCPU, not the worker: the CPU needs its stage 2. */
#if MUTATE_WORKER_IS_GUEST
#define HAS_STAGE2(v) ((v) != NOBODY)
#else
#define HAS_STAGE2(v) ((v) < WORKER)
#endif

/* One of the events that may still come. */
#define TAKE(n) atomic { n > 0 -> n-- }

inline ipi_handle()
{
	atomic { ipi = cpu[me].ipi; cpu[me].ipi = 0 }
	if
	:: ipi & IPI_REFRESH && cpu[me].current < WORKER ->
		vgic_refresh(cpu[me].current)
	:: else -> skip
	fi;
	if
	:: ipi & IPI_WATCHDOG -> wdt_ipi()
	:: else -> skip
	fi;
	if
	:: ipi & IPI_SYNC ->
#if !MUTATE_VTTBR_KEPT
		if
		:: HAS_STAGE2(cpu[me].current) -> skip
		:: else -> cpu[me].vttbr = EMPTY
		fi;
#endif
		cpu[me].synced = 1
	:: else -> skip
	fi;
	ipi = 0
}

/* arch_vcpu_load() */
inline load(v)
{
	if
	:: v == WORKER -> cpu[me].current = v
	:: else ->
		atomic {
			assert(!IS_GUEST(v) ||
			       (!torn && vcpu[v].life == life));
			cpu[me].vttbr = (IS_GUEST(v) -> GUEST_TABLES :
					 OTHER_TABLES);
			cpu[me].current = v;
			cpu[me].fp_owner = v
		}
		vgic_load(v)
	fi;
	/* take_late_wake() */
	if
	:: cpu[me].resched -> cpu[me].ipi = cpu[me].ipi | IPI_WAKE
	:: else -> skip
	fi
}

/* arch_vcpu_unload(); VTTBR_EL2 stays as it is. */
inline unload()
{
	if
	:: cpu[me].current < WORKER -> vgic_unload(cpu[me].current)
	:: else -> skip
	fi;
	cpu[me].current = NOBODY
}

/* console_tell_room(): any CPU looks through domains[]. */
inline console_walk()
{
#if MUTATE_DOMAINS_READ_TWICE
	if
	:: published -> cpu[me].ptr = published; assert(cpu[me].ptr)
	:: else -> skip
	fi;
#else
	cpu[me].ptr = published;
#endif
	if
	:: cpu[me].ptr -> vgic_inject(G0)
	:: else -> skip
	fi;
	cpu[me].ptr = 0
}

inline shell()
{
	n_shell--;
	if
	:: SHELL & CMD_DESTROY -> shell_destroy()
	:: SHELL & CMD_RESTART -> shell_start(1)
	:: SHELL & CMD_START -> shell_start(0)
	:: SHELL & CMD_PAUSE -> domain_pause()
	:: SHELL & CMD_RESUME -> domain_resume()
	fi
}

/*
 * With fairness: a slice is long enough for the bystander to take the interrupt
 * that it has.
 */
#ifdef LTL
#define SLICE_ENDS (cpu[me].slice && !(cpu[me].current == BY && vcpu[BY].lr))
#else
#define SLICE_ENDS cpu[me].slice
#endif

/* One interrupt of a device or a timer; they come when they like. */
#define HAS_DEVICE_IRQ (SLICE_ENDS || (me == 0 && (n_shell > 0 || \
	phase == DELAY || n_by > 0 || n_walk > 0)) || \
	(me == V0_CPU && wdt_timer && n_wdt > 0))

inline device_irq()
{
	if
	:: SLICE_ENDS -> d_step { cpu[me].slice = 0; cpu[me].resched = 1 }
	:: me == 0 && n_shell > 0 -> shell()
	:: me == 0 && phase == DELAY -> n_restart--; submit_build()
	:: me == 0 && n_by > 0 -> n_by--; vgic_inject(BY)
	:: atomic { me == 0 && n_walk > 0 -> n_walk-- } console_walk()
	:: me == V0_CPU && wdt_timer && n_wdt > 0 ->
		d_step { n_wdt--; wdt_timer = 0 }
		wdt_expired()
	:: else -> skip /* another CPU took it */
	fi
}

#define OTHER(v) (1 - (v))

/* pv/psci.c */
inline cpu_on(t)
{
	atomic {
		!vcpu_lock;
		taken = vcpu[t].state == OFF;
		vcpu[t].state = (taken -> PENDING : vcpu[t].state)
	}
	if
	:: taken -> sched_wake(t)
	:: else -> skip
	fi;
	taken = 0
}

inline cpu_off(v)
{
	lock(vcpu_lock);
#if MUTATE_OFF_BEFORE_BLOCK
	vcpu[v].state = OFF;
	unlock(vcpu_lock);
	sched_block(v)
#else
	sched_block(v);
	vcpu[v].state = OFF;
	unlock(vcpu_lock)
#endif
}

/* stage2_flush_step(): a piece for each trap. */
inline flush_step(v)
{
	assert(!torn);
	if
	:: vcpu[v].flush_pos == 0 -> vcpu[v].flush_pos = 1
	:: else -> vcpu[v].flush_pos = 0
	fi
}

#define HAS_CALL(v) (IS_GUEST(v) && (n_stop > 0 || n_on > 0 || n_off > 0 || \
	n_sgi > 0 || n_flush > 0 || n_refresh > 0 || \
	vcpu[v].flush_pos > 0))

/* What a guest does, but for waiting. */
inline guest_call(v)
{
	if
	:: TAKE(n_stop);
		if
		:: domain_stop(STOP_OFF)
		:: domain_stop(STOP_RESET)
		:: domain_stop(STOP_CRASH)
		fi
	:: TAKE(n_on); cpu_on(OTHER(v))
	:: TAKE(n_off); cpu_off(v)
	:: TAKE(n_sgi); vgic_inject(OTHER(v))
	:: TAKE(n_flush); flush_step(v)
	:: vcpu[v].flush_pos > 0 -> flush_step(v)
	:: TAKE(n_refresh); wdt_update()
	:: else -> skip /* the other vCPU did it */
	fi
}

proctype Cpu(byte me)
{
	byte nxt = NOBODY, x = NOBODY, at = AT_IDLE, ipi;
	bool usual, taken;

idle:	/* cpu_idle() */
	at = AT_IDLE;
	sched_idle();
next:	/* sched_next(), and the switch to what it says */
	sched_next();
	if
	:: nxt != NOBODY && nxt == cpu[me].current -> goto enter
	:: nxt != NOBODY && nxt != cpu[me].current -> 
		unload();
		load(nxt);
		goto enter
	:: nxt == NOBODY && cpu[me].current != NOBODY ->
		unload();
		goto idle
	:: nxt == NOBODY && cpu[me].current == NOBODY -> skip
	fi;
#if !MUTATE_IDLE_LOOKS_ONCE
	if
	:: cpu[me].reap -> goto idle
	:: else -> skip
	fi;
#endif
	goto end_irq;

enter:
	if
	:: cpu[me].current == WORKER ->
		d_step { nxt = NOBODY; at = AT_POINT; worker_on = 1 }
		!worker_on
	:: else ->
		atomic {
			vcpu[cpu[me].current].waits = 0;
			nxt = NOBODY;
			at = AT_GUEST
		}
	fi;

end_irq:
	if
	:: cpu[me].ipi -> ipi_handle()
	:: HAS_DEVICE_IRQ -> device_irq()
	:: at == AT_POINT && !cpu[me].ipi &&
	   (!in_grace || (cpu[0].synced && cpu[1].synced)) -> goto enter
	:: at == AT_GUEST && vcpu[cpu[me].current].lr ->
		vcpu[cpu[me].current].lr = 0;
		goto end_irq
	:: at == AT_GUEST && HAS_CALL(cpu[me].current) ->
		guest_call(cpu[me].current)
	:: atomic {
		at == AT_GUEST && cpu[me].current == BY && n_walk > 0 ->
		n_walk--
	   }
		console_walk()
	:: atomic {
		at == AT_GUEST && IS_GUEST(cpu[me].current) && n_wfi > 0 ->
		n_wfi--
	   }
		goto wait
	:: at == AT_GUEST && cpu[me].current == BY && !vcpu[BY].lr &&
	   !cpu[me].ipi -> goto wait
	fi;
	if
	:: at == AT_IDLE -> goto idle
	:: at == AT_WAIT -> goto wait
	:: else -> skip
	fi;

out:	/* next_vcpu() */
	if
	:: cpu[me].resched -> goto next
	:: else -> goto enter
	fi;

wait:	/* wait() */
	vcpu[cpu[me].current].waits = 1;
	vgic_has_pending(cpu[me].current);
	if
	:: taken -> taken = 0; goto out
	:: else -> skip
	fi;
	if
	:: len(queue[me]) > 0 || cpu[me].resched ->
		sched_block(cpu[me].current);
		vgic_has_pending(cpu[me].current);
		if
		:: taken -> sched_wake(cpu[me].current)
		:: else -> skip
		fi;
		taken = 0;
		goto out
	:: else -> skip
	fi;
	at = AT_WAIT;
	goto end_irq
}
