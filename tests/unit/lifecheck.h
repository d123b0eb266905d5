/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three guests, and as many that may come later, on CPUs that go on in turn by
 * a clock of their own; and all that must hold when nothing goes on. Included
 * by one source of each test.
 */
#pragma once

#include "lifeguest.h"

#include "../../kernel/build.c"
#include "../../kernel/place.c"

#define RAM	(2240 * MIB) /* one whole GiB of it, not at its end */
#define NR_BOOT 3	     /* guests of the boot; as many others come later */

static u64 now;
static unsigned int seed;
static bool wild; /* others give orders, and guests crash */
static unsigned int nr_orders;
static unsigned int stay;	   /* where this guest waits */
static void (*during_point)(void); /* where the worker gives way */
static struct domain_home homes[CONFIG_MAX_DOMAINS + 1]; /* as last seen */

static unsigned int rnd(unsigned int n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 8) % n;
}
u64 time_now(void)
{
	return now;
}
u64 time_freq(void)
{
	return 1000000;
}
static bool is_drained(void)
{
	return !rnd(3);
}

/* --- what goes on meanwhile ---------------------------------------------- */

/* Something in its own memory, found as the hardware does. */
static void touch_ram(struct domain *d)
{
	struct pgtable_leaf leaf;
	u64 ipa = GUEST_RAM0_BASE + rnd((unsigned int)d->memory);

	must(!stage2_lookup(&d->s2, IPA(ipa), &leaf));
	must(page_lookup(PADDR(leaf.pa + (ipa - leaf.va))).owner == d->id);
	scribble(leaf.pa + (ipa - leaf.va));
}

/* It reads its stolen time, and no more than reads, and that of this life. */
static void ask_for_time(struct vcpu *v)
{
	u64 ipa = GUEST_PVTIME_BASE + v->id * sizeof(struct pvtime);
	struct pgtable_leaf leaf;
	const struct pvtime *t;

	must(!stage2_lookup(&v->domain->s2, IPA(ipa), &leaf));
	must(leaf.va == GUEST_PVTIME_BASE && leaf.size == PAGE_SIZE);
	must(leaf.flags == PGT_R);
	must(page_lookup(PADDR(leaf.pa)).state == PAGE_HYP);
	t = direct_ptr(PADDR(leaf.pa + v->id * sizeof(*t)));
	must(v->pvtime ? v->pvtime == t : !t->stolen);
	must(pvtime_ask(v) == (s64)ipa && v->pvtime == t);
}

static void switch_on(struct vcpu *v)
{
	if (READ_ONCE(v->state) != VCPU_OFF)
		return;
	WRITE_ONCE(v->state, (u32)VCPU_PENDING);
	sched_wake(v);
}

/* Sooner or later all of them wait. */
static void guest_acts(struct vcpu *v)
{
	struct domain *d = v->domain;

	now += 20 + rnd(200);
	touch_ram(d);
	ask_for_time(v);
	if (rnd(2))
		switch_on(d->vcpus[rnd(d->nr_vcpus)]);
	if (rnd(4))
		return;
	if (wild && !rnd(8))
		domain_crash(v, "why");
	else if (wild && !rnd(20))
		domain_stop(d, rnd(2) ? STOP_OFF : STOP_RESET);
	else
		sched_block(v);
}

static int any_order(unsigned int id)
{
	switch (rnd(5)) {
	case 0:
		return guest_destroy(id);
	case 1:
		return guest_restart(id);
	case 2:
		return guest_create_later(descs[NR_BOOT + rnd(NR_BOOT)].name);
	default:
		return guest_start(id);
	}
}

/* Each other CPU goes one step on. */
static void step_others(void)
{
	for (unsigned int c = 1; c < NR_CPUS; c++) {
		struct vcpu *v;

		host_this_cpu = &cpus[c];
		v = leave_el2();
		if (v)
			guest_acts(v);
		if (nr_orders && !rnd(40)) {
			nr_orders--;
			(void)!any_order(1 + rnd(2 * NR_BOOT));
		}
	}
	host_this_cpu = &cpus[0];
}

static void at_point(void)
{
	now += 10;
	if (during_point)
		during_point();
	if (!rnd(20))
		step_others();
}

static bool nothing_to_do(void)
{
	return true;
}

/* Until nothing happens any more; time goes to what a guest waits for. */
static void run(void)
{
	unsigned int rounds = 0;

	for (unsigned int quiet = 0; quiet < 2; quiet++) {
		bool waits = false;

		run_cpu0();
		if (stay && guests[stay].phase == GUEST_WAITING)
			return;
		for (unsigned int c = 1; c < NR_CPUS; c++) {
			struct vcpu *v;

			host_this_cpu = &cpus[c];
			while ((v = leave_el2())) {
				guest_acts(v);
				quiet = 0;
			}
		}
		host_this_cpu = &cpus[0];
		for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++) {
			waits |= guests[i].phase > GUEST_LIVE;
			if (guests[i].queued)
				quiet = 0;
		}
		/* From the shell, while it ends or waits. */
		if (waits && nr_orders && !rnd(3)) {
			nr_orders--;
			(void)!any_order(1 + rnd(2 * NR_BOOT));
		} else if (waits) {
			if (armed[0] != OFF)
				now = max(now, armed[0]);
		}
		if (waits)
			quiet = 0;
		must(rounds++ < 100000);
	}
}

/* --- what must hold when nothing goes on --------------------------------- */

static bool is_in(const void *p, const struct domain *d)
{
	return (u64)p - (u64)d->pool.base < d->pool.size;
}

static void check_timer(const struct cpu *c, const struct heap_node *n)
{
	bool known = false;

	if (!n)
		return;
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		known |= domains[i] && is_in(n, domains[i]);
	must(known);
	check_timer(c, n->left);
	check_timer(c, n->right);
}

/* Of somebody who lives. */
static void check_timers(void)
{
	for (unsigned int c = 0; c < NR_CPUS; c++) {
		check_timer(&cpus[c], cpus[c].timers.root);
		check_timer(&cpus[c], cpus[c].patient.root);
	}
}

static void check_placed(void)
{
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		must(book[i].nr == (guests[i].d ? guests[i].d->nr_vcpus : 0));
	for (unsigned int c = 0; c < NR_CPUS; c++) {
		u64 weight = 0;

		for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
			for (unsigned int n = 0;
			     guests[i].d && n < guests[i].d->nr_vcpus; n++)
				if (guests[i].d->vcpus[n]->cpu == c)
					weight += guests[i].desc.sched[n].weight;
		must(placed[c].weight == weight && !placed[c].ppm);
		must(!cpus[c].current || cpus[c].current == worker);
		list_for_each(at, &cpus[c].sched.placed) {
			struct vcpu *v = list_entry(at, struct vcpu,
						    sched.placed);

			must(v == worker || domains[v->domain->id] == v->domain);
		}
	}
}

static void check_ram(const struct guest *g, u64 *sum)
{
	const struct domain_home *h = &g->d->home;
	u64 size = 0;

	for (unsigned int n = 0; n < h->nr_ram; size += h->ram[n++].size)
		for (u64 at = 0; at < h->ram[n].size; at += FRAME_SIZE) {
			struct page_info info = page_lookup(
				PADDR(h->ram[n].pa.v + at));

			must(info.state == PAGE_OWNED && info.owner == g->id);
		}
	must(size == g->desc.memory && g->d->nr_vcpus == g->desc.nr_vcpus);
	ghost_check_domain(g->d);
	homes[g->id] = *h;
	*sum += size;
}

/* What it had is scrubbed, unless it is somebody else's by now. */
static void check_gone(const struct guest *g)
{
	struct domain_home *h = &homes[g->id];

	for (unsigned int n = 0; n < h->nr_ram; n++)
		for (u64 at = 0, size; at < h->ram[n].size; at += size) {
			u64 pa = h->ram[n].pa.v + at;

			size = min(h->ram[n].size - at, PIECE - pa % PIECE);
			if (page_lookup(PADDR(pa)).state == PAGE_FREE)
				must(is_zero(pa, size));
		}
	h->nr_ram = 0;
}

static void check_guest(const struct guest *g, u64 *owned, u64 *pools)
{
	bool has = g->phase == GUEST_LIVE;

	must(g->phase <= GUEST_LIVE && g->phase != GUEST_BUILDING);
	must(!g->queued && g->order == ORDER_NONE);
	must(!g->d == !has && domains[g->id] == g->d);
	must(!timer_is_armed(&g->timer));
	if (!has) {
		check_gone(g);
		return;
	}
	must(domain_is_live(g->d) && g->d->id == g->id);
	must(g->d->nr_inside == g->d->nr_vcpus);
	must(g->d->nr_starts == g->nr_starts);
	check_ram(g, owned);
	*pools += g->d->pool.size;
}

static void check_all(void)
{
	u64 owned = 0, pools = 0, hyp = 0;
	struct page_stats s;

	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		check_guest(&guests[i], &owned, &pools);
	check_timers();
	check_placed();
	page_stats(&s);
	hyp = KEPT + pools + nr_leaves * PAGE_SIZE;
	for (unsigned int i = 0; i < images.nr_modules; i++)
		must(images.modules[i].size);
	must(s.owned == owned && s.hyp == hyp && s.free == RAM - owned - hyp);
	/* Of modules nothing is mapped. */
	must(nr_mapped == hyp - KEPT + (MODULES - BASE));
}

/* --- the guests ---------------------------------------------------------- */

static void describe_all(void)
{
	static const char *const names[] = {"large", "many", "small"};
	struct describe_guest *g;
	char name[32];

	nr_descs = 0;
	for (unsigned int i = 0; i < 2 * NR_BOOT; i++) {
		unsigned int n = i % NR_BOOT;

		fmt_snprintf(name, sizeof(name), "%s%s", names[n],
			     i < NR_BOOT ? "" : "-later");
		/* Not whole frames; a whole GiB, where it is to be had. */
		g = describe(name,
			     n == 0   ? GIB
			     : n == 1 ? 98 * MIB + 12 * KIB
				      : 36 * MIB,
			     n == 1 ? CONFIG_MAX_VCPUS : 1 + n);
		if (n == 0)
			make_fit(g);
		else if (n == 1)
			add_modules(g);
		if (n == 1)
			g->watchdog_ms = 100 * 3600 * 1000U;
		g->later = i >= NR_BOOT;
	}
}

/* n: the allocation of the boot that fails; 0: none. */
static void power_on(unsigned int n)
{
	static struct work start;

	describe_all();
	boot(RAM);
	memset(homes, 0, sizeof(homes));
	memset(book, 0, sizeof(book));
	memset(placed, 0, sizeof(placed));
	wild = false;
	nr_orders = 0;
	fault_arm(n);
	work_submit(&start, start_all);
	run();
}

static int setup(void **state)
{
	(void)state;
	host_seed = seed = 1;
	power_on(0);
	check_all();
	for (unsigned int i = 1; i <= NR_BOOT; i++)
		must(guests[i].phase == GUEST_LIVE);
	must(!nr_refused);
	return 0;
}

static void all_down(void)
{
	bool any = false;

	nr_all_off = 0;
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		if (guests[i].phase > GUEST_DOWN) {
			must(!guest_destroy(i));
			any = true;
		}
	run();
	check_all();
	must(nr_all_off == any);
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		must(guests[i].phase <= GUEST_DOWN);
}

static struct page_stats stats(void)
{
	struct page_stats s;

	page_stats(&s);
	return s;
}

/* Tables of page ownership that it has taken meanwhile stay. */
static void must_equal(struct page_stats was, u64 leaves)
{
	struct page_stats s = stats();
	u64 more = (nr_leaves - leaves) * PAGE_SIZE;

	must(s.owned == was.owned && s.hyp == was.hyp + more &&
	     s.free == was.free - more);
}
