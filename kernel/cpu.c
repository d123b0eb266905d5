/* SPDX-License-Identifier: Apache-2.0 */
/* What a physical CPU does when no vCPU is ready. */
#include <skerry/cpu.h>

#include <asm/barrier.h>
#include <skerry/irq.h>
#include <skerry/trace.h>

void cpu_idle(void)
{
	trace(TRACE_IDLE, NULL, 0);
	for (;;) {
		struct vcpu *v;

		sched_idle();
		v = sched_next();
		if (v)
			arch_enter(v);
		/* Asked after sched_idle() looked: its IPI may be gone. */
		if (READ_ONCE(this_cpu()->sched.reap))
			continue;
		/* Masked interrupts end WFI too, so none is missed. */
		wfi();
		irq_handle();
	}
}
