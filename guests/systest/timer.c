/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual and the physical generic timer: deadlines, status, masks, the
 * 32-bit view, sleep; and the PL031 clock. Interrupts are taken through the
 * vector.
 */
#include "systest.h"

#define CTL_ENABLE  BIT(0)
#define CTL_IMASK   BIT(1)
#define CTL_ISTATUS BIT(2)

static u32 fired;
static u64 fired_at;
static bool phys;

static void ctl_write(u64 v)
{
	if (phys)
		sysreg_write(cntp_ctl_el0, v);
	else
		sysreg_write(cntv_ctl_el0, v);
	isb();
}
static u64 ctl_read(void)
{
	return phys ? sysreg_read(cntp_ctl_el0) : sysreg_read(cntv_ctl_el0);
}
static void cval_write(u64 v)
{
	if (phys)
		sysreg_write(cntp_cval_el0, v);
	else
		sysreg_write(cntv_cval_el0, v);
	isb();
}
static u64 cval_read(void)
{
	return phys ? sysreg_read(cntp_cval_el0) : sysreg_read(cntv_cval_el0);
}
static void tval_write(u64 v)
{
	if (phys)
		sysreg_write(cntp_tval_el0, v);
	else
		sysreg_write(cntv_tval_el0, v);
	isb();
}
static s32 tval_read(void)
{
	return (s32)(phys ? sysreg_read(cntp_tval_el0)
			  : sysreg_read(cntv_tval_el0));
}
static u64 count_read(void)
{
	isb();
	return phys ? sysreg_read(cntpct_el0) : sysreg_read(cntvct_el0);
}

static void expired(u32 intid)
{
	(void)intid;
	fired_at = count_read();
	ctl_write(0);
	WRITE_ONCE(fired, READ_ONCE(fired) + 1);
}

static void test_deadlines(const char *name, u32 intid)
{
	u64 us = ticks_per_us(), at;
	u32 n = 0;
	bool late = false;

	WRITE_ONCE(fired, 0);
	irq_register(intid, expired);
	gic_enable(intid);
	at = count_read() + 5000 * us;
	cval_write(at);
	ok(cval_read() == at, "%s: CVAL reads back", name);
	ctl_write(CTL_ENABLE);
	ok((ctl_read() & 7) == CTL_ENABLE, "%s: enabled, not expired", name);
	ok(tval_read() > 0 && tval_read() <= (s32)(5000 * us),
	   "%s: TVAL counts down", name);
	ok(wait_for(&fired, 1, 100000) && fired_at >= at,
	   "%s: fires at its deadline", name);

	tval_write(300 * us);
	at = cval_read();
	ok(at - count_read() <= 300 * us, "%s: TVAL sets CVAL", name);
	ctl_write(CTL_ENABLE);
	ok(wait_for(&fired, 2, 100000) && fired_at >= at, "%s: TVAL fires",
	   name);

	tval_write((u64)(s64)-5);
	ctl_write(CTL_ENABLE | CTL_IMASK);
	delay_us(100);
	ok((ctl_read() & 7) == 7 && READ_ONCE(fired) == 2,
	   "%s: past deadline, masked: only ISTATUS", name);
	ctl_write(CTL_ENABLE);
	ok(wait_for(&fired, 3, 1000), "%s: past deadline fires at once", name);

	cval_write(count_read() + 100 * us);
	ctl_write(CTL_ENABLE);
	ctl_write(0);
	delay_us(300);
	ok(READ_ONCE(fired) == 3, "%s: stopped in time", name);
	cval_write(~0ul);
	ctl_write(CTL_ENABLE);
	delay_us(300);
	ok(READ_ONCE(fired) == 3 && !(ctl_read() & CTL_ISTATUS),
	   "%s: the far end of time does not fire", name);

	for (n = 4; n < 54; n++) {
		irq_off();
		at = count_read() + 200 * us;
		cval_write(at);
		ctl_write(CTL_ENABLE);
		while (READ_ONCE(fired) != n) {
			wfi();
			irq_on();
			irq_off();
		}
		irq_on();
		late |= fired_at < at;
	}
	ok(!late, "%s: 50 times out of WFI, never early", name);
	ctl_write(0);
	gic_disable(intid);
}

void test_timer(void)
{
	u64 a = now(), b, c;

	isb();
	b = sysreg_read(cntpct_el0);
	c = now();
	ok(sysreg_read(cntfrq_el0) >= 1000000, "CNTFRQ is %lu",
	   sysreg_read(cntfrq_el0));
	ok(c >= a && b != 0, "counters go forward");
	phys = false;
	test_deadlines("CNTV", plat.timer_intid[TIMER_VIRT]);
	phys = true;
	test_deadlines("CNTP", plat.timer_intid[TIMER_PHYS]);
}

static void sleep_us(u64 us)
{
	u32 intid = plat.timer_intid[TIMER_VIRT];
	u64 end = now() + us * ticks_per_us();

	irq_off();
	gic_enable(intid);
	timer_set(end);
	while (now() < end)
		wfi();
	timer_stop();
	gic_disable(intid);
	irq_on();
}

#define YEAR_2020 1577836800u

void test_rtc(void)
{
	u32 t0, t1;

	if (!plat.rtc) {
		skip("PL031", "not in the device tree");
		return;
	}
	t0 = read32(plat.rtc);
	ok(t0 > YEAR_2020, "the clock is set: %u", t0);
	sleep_us(1100000);
	t1 = read32(plat.rtc);
	ok(t1 - t0 >= 1 && t1 - t0 < 30, "and it goes: %u s later", t1 - t0);
	ok((read32(plat.rtc + 0xfe0) & 0xff) == 0x31, "it is a PL031");
}
