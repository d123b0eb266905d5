/* SPDX-License-Identifier: Apache-2.0 */
/* Emulated physical timer of a vCPU. */
#include <skerry/ptimer.h>

#include <skerry/domain.h>
#include <skerry/layout.h>

#define CTL_ENABLE  BIT(0)
#define CTL_IMASK   BIT(1)
#define CTL_ISTATUS BIT(2)

static bool has_fired(const struct ptimer_vcpu *t)
{
	return (t->ctl & CTL_ENABLE) && time_now() >= t->cval;
}

/* Line and EL2 timer as the registers now ask. */
static void update(struct vcpu *v)
{
	struct ptimer_vcpu *t = &v->ptimer;
	bool fired = has_fired(t);

	vgic_set_private(v, GUEST_PTIMER_INTID, fired && !(t->ctl & CTL_IMASK));
	if ((t->ctl & (CTL_ENABLE | CTL_IMASK)) == CTL_ENABLE && !fired)
		timer_arm_for(&t->timer, t->cval, sched_is_server(&v->sched));
	else
		timer_cancel(&t->timer);
}

static void expired(struct timer *timer)
{
	struct vcpu *v = container_of(timer, struct vcpu, ptimer.timer);

	WRITE_ONCE(v->sched.due, timer->deadline);
	update(v);
	WRITE_ONCE(v->sched.due, 0UL);
}

/*
 * A ready vCPU will be loaded and then sees its own timer. So will a paused
 * one: until then its time stands still, and after a pause this deadline is
 * too early.
 */
static void vtimer_due(struct timer *timer)
{
	struct vcpu *v = container_of(timer, struct vcpu, vtimer);

	if (unlikely(!sched_is_waiting(&v->sched)))
		return;
	WRITE_ONCE(v->sched.due, timer->deadline);
	vgic_timer_due(v);
	WRITE_ONCE(v->sched.due, 0UL);
}

void ptimer_vcpu_init(struct vcpu *v)
{
	timer_init(&v->vtimer, vtimer_due);
	timer_init(&v->ptimer.timer, expired);
}

u64 ptimer_read(struct vcpu *v, enum ptimer_reg reg)
{
	const struct ptimer_vcpu *t = &v->ptimer;

	switch (reg) {
	case PTIMER_CTL:
		return t->ctl | (has_fired(t) ? CTL_ISTATUS : 0);
	case PTIMER_CVAL:
		return t->cval;
	default:
		return (u32)(t->cval - time_now());
	}
}

void ptimer_write(struct vcpu *v, enum ptimer_reg reg, u64 val)
{
	struct ptimer_vcpu *t = &v->ptimer;

	switch (reg) {
	case PTIMER_CTL:
		t->ctl = val & (CTL_ENABLE | CTL_IMASK);
		break;
	case PTIMER_CVAL:
		t->cval = val;
		break;
	default: /* TVAL is a signed 32-bit distance */
		t->cval = time_now() + (u64)(s64)(s32)val;
	}
	update(v);
}

static int domain_init(struct domain *d, const struct describe_guest *g __unused)
{
	for (unsigned int n = 0; n < d->nr_vcpus; n++)
		ptimer_vcpu_init(d->vcpus[n]);
	return 0;
}

const struct domain_part ptimer_part = {.domain_init = domain_init};
