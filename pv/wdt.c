/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guests' watchdog (Arm DEN0094, appendix "Generic Watchdog"). Its time is
 * the guest's virtual counter, which goes on while the guest waits for a CPU
 * and stands still while it is paused: what becomes due then has no effect, and
 * when the guest goes on, its period has what was left of it.
 * The first signal, WS0, is an SPI; the second, WS1, ends the guest. Until the
 * guest writes WCS, WOR or WCV there is one stage only: the description's
 * timeout ends it without a warning, unless WRR is written in time.
 *
 * The timer is one of the CPU of vCPU 0. It may fire too early, and then looks
 * for what is due by now: so a refresh costs no more than the access, and
 * another CPU needs an IPI only for a time that is nearer than before.
 *
 * Who runs on that CPU pays for IPI and timer, so they are bounded, whatever
 * the guest writes elsewhere: it never looks again within a millisecond, and an
 * IPI is for a look then, so that until then no other one is needed. What
 * becomes due meanwhile is late by less than that.
 */
#include <skerry/wdt.h>

#include <skerry/cpu.h>
#include <skerry/domain.h>
#include <skerry/layout.h>
#include <skerry/log.h>

#define WCS	0x000
#define WOR	0x008
#define WCV	0x010
#define W_IIDR	0xfcc
#define REFRESH 0x1000 /* the second frame */
#define WRR	0x000

#define WCS_EN	BIT(0)
#define WCS_WS0 BIT(1)
#define WCS_WS1 BIT(2)

#define IIDR_VERSION_1 BIT(16)
#define IIDR_ARM       0x43b
#define WOR_MASK       BITS(47, 0)
#define NEVER	       (~0UL)

static u64 counter(const struct domain *d)
{
	return time_now() - READ_ONCE(d->cntvoff);
}

/* In physical ticks: the counter has to be greater than WCV. */
static u64 due(const struct domain *d)
{
	const struct wdt *w = &d->wdt;
	u64 now = time_now(), count = now - READ_ONCE(d->cntvoff);

	if (!(w->wcs & WCS_EN))
		return NEVER;
	if (count > w->compare)
		return now;
	return w->compare - count < NEVER - now ? now + (w->compare - count) + 1
						: NEVER;
}

static u64 next_look(void)
{
	return time_now() + time_freq() / 1000;
}

static bool is_home(const struct domain *d)
{
	return d->vcpus[0]->cpu == this_cpu()->id;
}

/*
 * With the lock, after any change. A stopping domain's stays off: wdt_exit()
 * comes later on the same CPU, or has seen that state before.
 */
static void update(struct domain *d)
{
	struct wdt *w = &d->wdt;
	u64 at = due(d);
	bool home = is_home(d);

	if (at < w->armed)
		at = home ? max(at, next_look()) : next_look();
	if (at >= w->armed)
		return;
	w->armed = at;
	if (!home)
		ipi_send(d->vcpus[0]->cpu, IPI_WATCHDOG);
	else if (!domain_is_stopping(d))
		timer_arm(&w->timer, at);
}

void wdt_ipi(void)
{
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++) {
		struct domain *d = load_acquire(&domains[i]);
		struct wdt *w;

		if (!d || !d->wdt.ms || !is_home(d))
			continue;
		w = &d->wdt;
		spin_lock(&w->lock);
		if (w->armed != NEVER && !domain_is_stopping(d))
			timer_arm(&w->timer, w->armed);
		spin_unlock(&w->lock);
	}
}

/* A new period, in the same stage. */
static void reload(struct domain *d)
{
	d->wdt.compare = counter(d) + d->wdt.offset;
}

/* An explicit refresh. */
static void refresh(struct domain *d)
{
	struct wdt *w = &d->wdt;

	if (w->wcs & WCS_WS0)
		vgic_set_spi(d, GUEST_WATCHDOG_INTID, false);
	w->wcs &= (u32)WCS_EN;
	w->refreshed = counter(d);
	reload(d);
}

/* A period went by without one. True when that was the last one. */
static bool time_out(struct domain *d)
{
	struct wdt *w = &d->wdt;

	if (w->single || (w->wcs & WCS_WS0)) {
		w->wcs |= WCS_WS0 | WCS_WS1;
		return true;
	}
	w->wcs |= WCS_WS0;
	vgic_set_spi(d, GUEST_WATCHDOG_INTID, true);
	reload(d);
	return false;
}

static void expired(struct timer *timer)
{
	struct domain *d = container_of(timer, struct domain, wdt.timer);
	struct wdt *w = &d->wdt;
	bool ends = false;
	u64 now, ago = 0;

	spin_lock(&w->lock);
	w->armed = NEVER;
	/*
	 * In this order: a time of before the pause, or an offset of after it.
	 * Resumed later, wdt_resume() arms it again.
	 */
	now = time_now();
	if (!domain_is_paused(d)) {
		now -= READ_ONCE(d->cntvoff);
		ago = now - w->refreshed;
		if ((w->wcs & WCS_EN) && now > w->compare)
			ends = time_out(d);
		if (!ends)
			update(d);
	}
	spin_unlock(&w->lock);
	if (!ends || domain_is_stopping(d))
		return;
	log_err("d%u %s: watchdog: not refreshed for %lu ms", d->id, d->name,
		time_to_us(ago) / 1000);
	domain_stop(d, STOP_WATCHDOG);
}

/* --- registers ----------------------------------------------------------- */

static void read_wcs(struct vcpu *v, struct emul_access *a)
{
	a->value = READ_ONCE(v->domain->wdt.wcs);
}

static void write_wcs(struct vcpu *v, struct emul_access *a)
{
	struct wdt *w = &v->domain->wdt;

	spin_lock(&w->lock);
	w->single = false;
	refresh(v->domain);
	w->wcs = (u32)(a->value & WCS_EN);
	update(v->domain);
	spin_unlock(&w->lock);
}

/* Of a register of 64 bits: all of it, or the half at the offset. */
static u64 part_of(u64 reg, const struct emul_access *a)
{
	if (a->size == 8)
		return reg;
	return a->offset & 4 ? reg >> 32 : (u32)reg;
}

static u64 with_part(u64 reg, const struct emul_access *a)
{
	if (a->size == 8)
		return a->value;
	return a->offset & 4 ? (u32)reg | a->value << 32
			     : (reg & BITS(63, 32)) | (u32)a->value;
}

static void read_wor(struct vcpu *v, struct emul_access *a)
{
	a->value = part_of(READ_ONCE(v->domain->wdt.offset), a);
}

static void write_wor(struct vcpu *v, struct emul_access *a)
{
	struct wdt *w = &v->domain->wdt;

	spin_lock(&w->lock);
	w->single = false;
	w->offset = with_part(w->offset, a) & WOR_MASK;
	refresh(v->domain);
	update(v->domain);
	spin_unlock(&w->lock);
}

static void read_wcv(struct vcpu *v, struct emul_access *a)
{
	a->value = part_of(READ_ONCE(v->domain->wdt.compare), a);
}

/* No refresh: signals stay as they are. */
static void write_wcv(struct vcpu *v, struct emul_access *a)
{
	struct wdt *w = &v->domain->wdt;

	spin_lock(&w->lock);
	w->single = false;
	w->compare = with_part(w->compare, a);
	update(v->domain);
	spin_unlock(&w->lock);
}

static void write_wrr(struct vcpu *v, struct emul_access *a __unused)
{
	struct wdt *w = &v->domain->wdt;

	spin_lock(&w->lock);
	refresh(v->domain);
	update(v->domain);
	spin_unlock(&w->lock);
}

static void read_iidr(struct vcpu *v __unused, struct emul_access *a)
{
	a->value = IIDR_VERSION_1 | IIDR_ARM;
}

static const struct emul_reg regs[] = {
	{WCS, 4, W32, read_wcs, write_wcs},
	{WOR, 8, W32 | W64, read_wor, write_wor},
	{WCV, 8, W32 | W64, read_wcv, write_wcv},
	{W_IIDR, 4, W32, read_iidr, NULL},
	{REFRESH + WRR, 4, W32, NULL, write_wrr},
	{REFRESH + W_IIDR, 4, W32, read_iidr, NULL},
};

static void access(struct vcpu *v, struct emul_access *a)
{
	emul_table_access(regs, ARRAY_SIZE(regs), v, a);
}

/* --- life ---------------------------------------------------------------- */

void wdt_reset(struct domain *d)
{
	struct wdt *w = &d->wdt;

	if (!w->ms)
		return;
	spin_lock(&w->lock);
	w->single = true;
	w->offset = w->ms * time_freq() / 1000;
	refresh(d);
	w->wcs = (u32)WCS_EN;
	w->armed = NEVER;
	spin_unlock(&w->lock);
}

void wdt_start(struct domain *d)
{
	struct wdt *w = &d->wdt;

	if (!w->ms)
		return;
	spin_lock(&w->lock);
	refresh(d);
	update(d);
	spin_unlock(&w->lock);
}

void wdt_resume(struct domain *d)
{
	struct wdt *w = &d->wdt;

	if (!w->ms)
		return;
	spin_lock(&w->lock);
	update(d);
	spin_unlock(&w->lock);
}

void wdt_exit(struct domain *d)
{
	struct wdt *w = &d->wdt;

	if (!w->ms)
		return;
	spin_lock(&w->lock);
	timer_cancel(&w->timer);
	w->armed = NEVER;
	spin_unlock(&w->lock);
}

int wdt_init(struct domain *d, u32 ms)
{
	static const struct emul_region region = {
		.base = GUEST_WATCHDOG_BASE,
		.size = GUEST_WATCHDOG_SIZE,
		.access = access,
	};
	struct wdt *w = &d->wdt;

	w->ms = ms;
	spin_init(&w->lock, RANK_VCPU);
	timer_init(&w->timer, expired);
	wdt_reset(d);
	return emul_add(&d->emul, &region);
}

static int domain_init(struct domain *d, const struct describe_guest *g)
{
	return g->watchdog_ms ? wdt_init(d, g->watchdog_ms) : 0;
}

/* Its timer is off since vCPU 0 has left: wdt_exit(). */
const struct domain_part wdt_part = {.domain_init = domain_init};
