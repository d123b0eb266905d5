/* SPDX-License-Identifier: Apache-2.0 */
/* System counter and EL2 physical timer (Arm ARM D11). */
#include <skerry/arch/timer.h>

#include <asm/barrier.h>
#include <asm/sysreg.h>
#include <skerry/machine.h>
#include <skerry/time.h>

u64 time_now(void)
{
	isb(); /* not earlier than what precedes the call (D11.1.2) */
	return sysreg_read(cntpct_el0);
}

u64 time_freq(void)
{
	u64 freq = sysreg_read(cntfrq_el0);

	return freq ? freq : machine.timer_freq;
}

void arch_timer_set(u64 deadline)
{
	sysreg_write(cnthp_cval_el2, deadline);
	sysreg_write(cnthp_ctl_el2, CNT_CTL_ENABLE);
	isb();
}

void arch_timer_off(void)
{
	sysreg_write(cnthp_ctl_el2, 0);
	isb();
}

bool arch_vtimer_line(void)
{
	return (sysreg_read(cntv_ctl_el0) &
		(CNT_CTL_ENABLE | CNT_CTL_IMASK | CNT_CTL_ISTATUS)) ==
	       (CNT_CTL_ENABLE | CNT_CTL_ISTATUS);
}
