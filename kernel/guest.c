/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lives of guests. Each event (an order, the last vCPU that has left, a timer)
 * only submits the guest's work; the worker then looks at what is the case and
 * does the next step. So whatever comes together is decided in one place, one
 * after the other.
 */
#include <skerry/guest.h>

#include <skerry/arch/cache.h>
#include <skerry/build.h>
#include <skerry/cpu.h>
#include <skerry/dt.h>
#include <skerry/fmt.h>
#include <skerry/log.h>
#include <skerry/machine.h>
#include <skerry/measure.h>
#include <skerry/panic.h>
#include <skerry/place.h>
#include <skerry/string.h>
#include <skerry/work.h>

#define HELD_PPM      900000
#define DRAIN_STEP_MS 5
#define DRAIN_MAX_MS  1000 /* 1 KiB at 9600 baud */

struct guest guests[CONFIG_MAX_DOMAINS + 1];
enum when_all_off guest_when_all_off;
static bool starting_all;

/* What guest_create_later() was asked for. */
static struct {
	struct work work;
	u32 busy;   /* any CPU sets, the worker clears */
	bool asked; /* whether all are off, meanwhile; the worker's */
	char name[DESCRIBE_NAME_SIZE];
} later;

static u64 ms(u64 n)
{
	return n * time_freq() / 1000;
}

/* --- events -------------------------------------------------------------- */

static void step(struct work *w);

static void kick(struct guest *g)
{
	/* Partner: step(), which looks after it has cleared this. */
	if (!__atomic_exchange_n(&g->queued, 1U, __ATOMIC_ACQ_REL))
		work_submit(&g->work, step);
}

static void timer_fired(struct timer *t)
{
	kick(container_of(t, struct guest, timer));
}

void guest_left(unsigned int id)
{
	guests[id].left = time_now();
	kick(&guests[id]);
}

struct guest *guest_find(unsigned int id)
{
	/* Partner: set_phase(). */
	if (!id || id > CONFIG_MAX_DOMAINS ||
	    load_acquire(&guests[id].phase) == GUEST_NONE)
		return NULL;
	return &guests[id];
}

static int give_order(struct guest *g, enum guest_order order,
		      enum stop_reason why)
{
	struct domain *d = load_acquire(&domains[g->id]);

	__atomic_store_n(&g->order, order, __ATOMIC_RELEASE);
	/* Not only when the worker has time. */
	if (d && why != STOP_NONE)
		domain_stop(d, why);
	kick(g);
	return 0;
}

int guest_start(unsigned int id)
{
	struct guest *g = guest_find(id);

	if (!g)
		return -ENOENT;
	if (READ_ONCE(g->phase) != GUEST_DOWN)
		return -EBUSY;
	return guest_may_start(g) ? give_order(g, ORDER_START, STOP_NONE)
				  : -EACCES;
}

int guest_restart(unsigned int id)
{
	struct guest *g = guest_find(id);

	if (!g)
		return -ENOENT;
	return guest_may_start(g) ? give_order(g, ORDER_RESTART, STOP_RESTART)
				  : -EACCES;
}

int guest_destroy(unsigned int id)
{
	struct guest *g = guest_find(id);

	if (!g)
		return -ENOENT;
	/* One to start that was not begun is taken back. */
	if (READ_ONCE(g->phase) == GUEST_DOWN &&
	    READ_ONCE(g->order) == ORDER_NONE)
		return -EALREADY;
	return give_order(g, ORDER_DESTROY, STOP_DESTROY);
}

bool guest_is_cancelled(unsigned int id)
{
	return READ_ONCE(guests[id].order) == ORDER_DESTROY;
}

static enum guest_order take_order(struct guest *g)
{
	return (enum guest_order)__atomic_exchange_n(&g->order, ORDER_NONE,
						     __ATOMIC_ACQ_REL);
}

/* It is done. One that came since is not. */
static void drop_order(struct guest *g, u32 order)
{
	__atomic_compare_exchange_n(&g->order, &order, ORDER_NONE, false,
				    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* --- a life begins ------------------------------------------------------- */

static void set_phase(struct guest *g, enum guest_phase phase)
{
	/* Partner: guest_find(), to which a slot is what its phase says. */
	store_release(&g->phase, (u32)phase);
}

static void log_started(const struct domain *d)
{
	log_line("d%u %s: started, %u vCPU%s, %lu MiB", d->id, d->name,
		 d->nr_vcpus, d->nr_vcpus == 1 ? "" : "s", d->memory / MIB);
}

static void let_run(struct guest *g)
{
	struct domain *d = g->d;

	g->held = false;
	g->started = time_now();
	g->nr_starts++;
	set_phase(g, GUEST_LIVE);
	/* Partner: whoever looks through domains[] on another CPU. */
	store_release(&domains[d->id], d);
	console_give_input(d);
	domain_start(d);
}

/* At boot: it could leave the worker no time to start the others. */
static bool is_held(const struct domain *d)
{
	bool held = false;

	for (unsigned int n = 0; n < d->nr_vcpus; n++)
		held |= d->vcpus[n]->cpu == WORKER_CPU &&
			guests[d->id].desc.sched[n].budget_us;
	return held && starting_all && place_ppm(WORKER_CPU) > HELD_PPM;
}

/* It is loaded; what it is goes on record first. */
static void start(struct guest *g, const struct image *img, u64 verify, u64 copy)
{
	u64 was_away, verified = images.verify_ticks - verify;
	u64 copied = images.copy_ticks - copy;
	struct domain *d = g->d;
	struct measurement m = {.domain = g->id, .version = img->fit.version};
	char hex[2 * SHA256_SIZE + 1];

	work_point();
	/* What was loaded is in memory; no I-cache may hold older contents. */
	cache_inval_icache_all();
	for (unsigned int n = 0; n < d->nr_vcpus; n++)
		sched_place(d->vcpus[n], d->vcpus[n]->cpu, &g->desc.sched[n],
			    g->budget_from[n]);
	m.key = img->fit.key ? img->fit.key->name : NULL;
	memcpy(m.name, d->name, sizeof(m.name));
	memcpy(m.digest, img->load.digest, SHA256_SIZE);
	measure_add(&m);
	fmt_hex(hex, m.digest, SHA256_SIZE);
	if (m.key)
		log_line("d%u %s: verified, key \"%s\", version %u, sha256 %s",
			 d->id, d->name, m.key, m.version, hex);
	else
		log_warn("d%u %s: UNSIGNED, sha256 %s", d->id, d->name, hex);
	work_point();
	g->held = is_held(d);
	if (g->held)
		return;
	log_started(d);
	work_point();
	was_away = time_now() - g->left;
	let_run(g);
	work_point();
	/* It did not wait for this line. */
	if (g->nr_starts > 1)
		log_line("d%u %s: was away for %lu ticks, scrub %lu, verify %lu, copy %lu",
			 g->id, g->desc.name, was_away, g->scrub, verified,
			 copied);
	work_point();
}

/* Down, all that it had is given back. */
static void put_down(struct guest *g)
{
	struct domain *d = g->d;

	timer_cancel(&g->timer);
	set_phase(g, GUEST_ENDING);
	g->d = NULL;
	if (d)
		build_free(d);
	set_phase(g, g->created ? GUEST_NONE : GUEST_DOWN);
}

static int build(struct guest *g)
{
	/* Too large for the stack, and there is one worker. */
	static struct image img;
	u64 verify = images.verify_ticks, copy = images.copy_ticks;
	int err = image_open(&g->desc, &img);

	if (err)
		return err;
	err = build_domain(&g->d, g->id, &g->desc);
	if (!err) {
		g->d->born_by = g->reason;
		g->d->nr_starts = g->nr_starts + 1;
		err = load_guest(g->d, &g->desc, &img.load);
		/* To start is what it does. What comes later, obey() sees. */
		if (!err && take_order(g) == ORDER_DESTROY)
			err = -ECANCELED;
		if (err)
			build_stop(g->d);
		else
			start(g, &img, verify, copy);
	}
	image_close(&g->desc);
	return err;
}

static void destroyed(struct guest *g)
{
	g->reason = STOP_DESTROY;
	put_down(g);
	log_line("d%u %s: destroyed", g->id, g->desc.name);
}

/* It runs while others are copied and judged. 0, or why it is down. */
static int bring_up(struct guest *g)
{
	u64 begun = time_now();
	int err;

	timer_cancel(&g->timer);
	g->gave_up = false;
	set_phase(g, GUEST_BUILDING);
	err = build(g);
	g->cost = time_now() - begun;
	if (err == -ECANCELED) {
		drop_order(g, ORDER_DESTROY);
		destroyed(g);
	} else if (err) {
		g->reason = STOP_REFUSED;
		put_down(g);
	}
	return err;
}

/* --- a life ends --------------------------------------------------------- */

static void check_all_off(void)
{
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		if (guests[i].phase > GUEST_DOWN ||
		    READ_ONCE(guests[i].order) != ORDER_NONE)
			return;
	later.asked = READ_ONCE(later.busy);
	if (later.asked)
		return;
	log_at(LOG_NOTICE, "all guests are off");
	console_sync();
	switch (guest_when_all_off) {
	case ALL_OFF_POWEROFF:
		arch_poweroff();
	case ALL_OFF_REBOOT:
		arch_reboot();
	case ALL_OFF_STAY:
		break;
	}
}

/* How long its wake-ups took: on as many lines as that needs, each whole. */
static void report_wakes(const struct domain *d, const u64 wakes[SCHED_WAKES],
			 u64 worst)
{
	/* With a name and numbers as long as they may be: below CONSOLE_LINE. */
	char head[72], one[56], text[144] = "";
	size_t len = 0;
	u64 nr = 0;

	for (unsigned int n = 0; n < SCHED_WAKES; n++)
		nr += wakes[n];
	if (!nr)
		return;
	fmt_snprintf(head, sizeof(head), " %lu times, at worst in %lu ns", nr,
		     time_to_ns(worst));
	for (unsigned int n = 0; n < SCHED_WAKES; n++) {
		if (!wakes[n])
			continue;
		fmt_snprintf(one, sizeof(one), "%lu within %lu ns", wakes[n],
			     time_to_ns(2UL << n));
		if (len + strlen(", ") + strlen(one) >= sizeof(text)) {
			log_line("d%u %s: woken%s: %s", d->id, d->name, head,
				 text);
			work_point();
			head[0] = '\0';
			len = 0;
		}
		len += (size_t)fmt_snprintf(text + len, sizeof(text) - len,
					    "%s%s", len ? ", " : "", one);
	}
	log_line("d%u %s: woken%s: %s", d->id, d->name, head, text);
}

/* The scheduler's record of all its vCPUs. */
static void report(const struct domain *d)
{
	u64 wakes[SCHED_WAKES] = {0};
	u64 ran = 0, worst = 0, missed = 0, exhausted = 0;
	bool server = false;

	for (unsigned int i = 0; i < d->nr_vcpus; i++) {
		const struct sched_vcpu *s = &d->vcpus[i]->sched;

		ran += s->ran;
		worst = max(worst, s->worst_wake);
		server |= sched_is_server(s);
		missed += s->nr_missed;
		exhausted += s->nr_exhausted;
		for (unsigned int n = 0; n < ARRAY_SIZE(wakes); n++)
			wakes[n] += d->vcpus[i]->wakes[n];
	}
	log_line("d%u %s: ran %lu us", d->id, d->name, time_to_us(ran));
	work_point();
	report_wakes(d, wakes, worst);
	work_point();
	if (server)
		log_line("d%u %s: deadline missed %lu times, budget used up %lu times",
			 d->id, d->name, missed, exhausted);
}

/* Where its vCPUs were: only now they are all out of the guest. */
static void dump(const struct domain *d)
{
	if (d->stop_reason == STOP_CRASH)
		arch_vcpu_dump(d->crashed, true);
	for (unsigned int i = 0; i < d->nr_vcpus; i++)
		if (d->stop_reason == STOP_WATCHDOG &&
		    d->vcpus[i]->state == VCPU_ON)
			arch_vcpu_dump(d->vcpus[i], false);
}

/* What comes after a life; the delay in ms, or -1 for nothing. */
static s64 decide(struct guest *g, enum guest_order order)
{
	bool fault = g->reason == STOP_CRASH || g->reason == STOP_WATCHDOG;
	bool again = g->desc.restart == RESTART_ALWAYS ||
		     (g->desc.restart == RESTART_ON_CRASH &&
		      g->reason != STOP_OFF);
	u64 delay;

	if (order == ORDER_DESTROY || (g->reason == STOP_DESTROY && !order))
		return -1;
	if (order == ORDER_RESTART || order == ORDER_START) {
		g->nr_quick = g->nr_crashes = 0;
		return 0;
	}
	if (time_now() - g->started >= ms(RESTART_STABLE_S * 1000UL))
		g->nr_quick = g->nr_crashes = 0;
	g->nr_crashes += fault;
	if (!again)
		return -1;
	if (fault && g->nr_crashes > RESTART_LIMIT) {
		g->gave_up = true;
		log_err("d%u %s: left down: %u crashes in a row, each within %u s of its start",
			g->id, g->desc.name, g->nr_crashes, RESTART_STABLE_S);
		return -1;
	}
	if (!g->nr_quick++)
		return 0;
	delay = (u64)RESTART_DELAY_MS << min(g->nr_quick - 2, 16U);
	delay = min(delay, (u64)RESTART_MAX_MS);
	/* The worker's time is everybody's. */
	return (s64)max(delay, RESTART_SHARE * time_to_us(g->cost) / 1000);
}

static void wait_or_start(struct guest *g, s64 delay)
{
	set_phase(g, GUEST_WAITING);
	g->until = time_now() + ms((u64)delay);
	log_line("d%u %s: starts again%s", g->id, g->desc.name,
		 delay ? ", after a while" : "");
	timer_arm(&g->timer, g->until);
}

/* No CPU runs it any more, and what it said last is on its way. */
static void tear_down(struct guest *g)
{
	struct domain *d = g->d;
	enum guest_order order;
	u64 scrub;
	s64 delay;

	dump(d);
	for (unsigned int n = 0; n < d->nr_vcpus; n++)
		g->budget_from[n] = sched_budget_from(d->vcpus[n]);
	WRITE_ONCE(domains[g->id], NULL);
	cpu_sync();
	report(d);
	work_point();
	g->reason = d->stop_reason;
	scrub = build_scrub_ticks;
	build_stop(d);
	g->scrub = build_scrub_ticks - scrub;
	order = take_order(g);
	/* To restart it, and then not to. */
	if (g->reason == STOP_RESTART && order == ORDER_DESTROY)
		g->reason = STOP_DESTROY;
	delay = decide(g, order);
	if (delay < 0)
		put_down(g);
	/* A crash and a watchdog have said so. */
	if (g->reason != STOP_CRASH && g->reason != STOP_WATCHDOG)
		log_line("d%u %s: %s", g->id, g->desc.name,
			 stop_names[g->reason]);
	/* Who reads that it is off finds the input with the next one. */
	if (delay < 0)
		return;
	work_point();
	wait_or_start(g, delay);
}

/* Its vCPUs have left. */
static void end(struct guest *g)
{
	u64 now = time_now();

	if (g->phase == GUEST_LIVE) {
		console_guest_end(g->d);
		set_phase(g, GUEST_ENDING);
		g->until = now + ms(DRAIN_MAX_MS);
	}
	if (console_guest_is_drained(g->d) || now >= g->until)
		tear_down(g);
	else
		timer_arm(&g->timer, now + ms(DRAIN_STEP_MS));
}

static bool has_left(struct domain *d)
{
	bool left;

	spin_lock(&d->lock);
	left = !d->nr_inside;
	spin_unlock(&d->lock);
	return left;
}

/* An order that came too late for who gave it to act on the domain. */
static void obey(struct guest *g)
{
	u32 order = READ_ONCE(g->order);

	if (order == ORDER_START)
		drop_order(g, ORDER_START);
	else if (order != ORDER_NONE)
		domain_stop(g->d, order == ORDER_DESTROY ? STOP_DESTROY
							 : STOP_RESTART);
}

static void waits(struct guest *g)
{
	enum guest_order order = take_order(g);

	if (order != ORDER_NONE)
		g->nr_quick = g->nr_crashes = 0;
	if (order == ORDER_DESTROY)
		destroyed(g);
	else if (order != ORDER_NONE || time_now() >= g->until)
		bring_up(g);
}

/* True when there was an order. */
static bool is_down(struct guest *g)
{
	enum guest_order order = take_order(g);

	/* Ordered before its image was given back, it may not start any more. */
	if (g->phase == GUEST_NONE || !guest_may_start(g) ||
	    (order != ORDER_START && order != ORDER_RESTART))
		return order != ORDER_NONE;
	g->nr_quick = g->nr_crashes = 0;
	bring_up(g);
	return true;
}

static void step(struct work *w)
{
	struct guest *g = container_of(w, struct guest, work);
	/* Or ordered to be, as check_all_off() has it. */
	bool was_up = g->phase > GUEST_DOWN;

	/* Partner: kick(). What came before is seen below. */
	__atomic_store_n(&g->queued, 0U, __ATOMIC_SEQ_CST);
	if (!was_up)
		was_up = is_down(g);
	else if (g->phase == GUEST_WAITING)
		waits(g);
	else if (g->phase == GUEST_ENDING || has_left(g->d))
		end(g);
	else
		obey(g);
	if (was_up && g->phase <= GUEST_DOWN) {
		check_all_off();
		console_leave_input(g->id);
	}
}

/* --- boot, and creation -------------------------------------------------- */

static struct describe_chosen chosen;
static bool has_later; /* descriptions that are not of the boot */

static struct guest *empty_slot(void)
{
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		if (guests[i].phase == GUEST_NONE)
			return &guests[i];
	return NULL;
}

/* Everything but what the worker's queue may hold. */
static void init_slot(struct guest *g, const struct describe_guest *desc)
{
	g->desc = *desc;
	g->d = NULL;
	g->reason = STOP_NONE;
	g->nr_starts = g->nr_quick = g->nr_crashes = 0;
	g->created = g->gave_up = g->held = false;
	memset(g->budget_from, 0, sizeof(g->budget_from));
	__atomic_store_n(&g->order, ORDER_NONE, __ATOMIC_RELAXED);
	set_phase(g, GUEST_DOWN);
}

static void refuse_at_boot(struct guest *g, const char *why)
{
	log_warn("refused: %s", why);
	/* It keeps its number, and is never started. */
	g->desc.restart = RESTART_NEVER;
	g->reason = STOP_REFUSED;
}

static void read_one(const struct dt_node *node)
{
	struct describe_guest desc;
	struct describe_error err;
	struct guest *g = empty_slot();
	int bad = describe_guest(node, &desc, &err);

	if (!bad) {
		bad = image_add(&desc);
		fmt_snprintf(err.text, sizeof(err.text), "%s: reg: %s",
			     desc.name,
			     bad == -EEXIST ? "module overlaps another guest's"
					    : "too many modules");
	}
	if (desc.later) {
		has_later |= !bad;
		if (bad)
			log_warn("refused: %s", err.text);
		else
			image_keep(&desc);
		return;
	}
	if (!g)
		die("chosen: more than %u xen,domain nodes", CONFIG_MAX_DOMAINS);
	init_slot(g, &desc);
	if (bad)
		refuse_at_boot(g, err.text);
}

void guest_read(const void *fdt)
{
	struct describe_error err;
	struct dt_node node = {.name = NULL};

	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++) {
		guests[i].id = i;
		timer_init(&guests[i].timer, timer_fired);
	}
	if (describe_chosen(fdt, &chosen, &err))
		die("%s", err.text);
	guest_when_all_off = chosen.when_all_off;
	while (describe_next(fdt, &node))
		read_one(&node);
}

void guest_start_all(void)
{
	bool any = has_later, cancelled = false;

	image_read_keys(&chosen);
	starting_all = true;
	/* Who is destroyed before it is its turn does not start. */
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		if (guests[i].phase == GUEST_DOWN &&
		    guests[i].reason != STOP_REFUSED)
			set_phase(&guests[i], GUEST_WAITING);
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++) {
		struct guest *g = &guests[i];
		int err;

		if (g->phase != GUEST_WAITING)
			continue;
		err = bring_up(g);
		any |= !err;
		cancelled |= err == -ECANCELED;
		/* Memory and time may be found later, a signature not. */
		if (err && err != -ENOMEM && err != -ENOSPC && err != -ECANCELED)
			g->desc.restart = RESTART_NEVER;
		if (guest_may_start(g))
			image_keep(&g->desc);
	}
	image_free_rest();
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		if (guests[i].held) {
			log_started(guests[i].d);
			work_point();
		}
	/* All of them, before the worker is preempted. */
	starting_all = false;
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		if (guests[i].held) {
			let_run(&guests[i]);
			obey(&guests[i]);
		}
	if (cancelled)
		check_all_off();
	else if (!any)
		die("chosen: no guest to start");
}

int guest_create(const struct dt_node *node, struct describe_error *err)
{
	struct guest *g = empty_slot();
	struct describe_guest desc;
	int ret = describe_guest(node, &desc, err);

	if (!ret && !image_is_there(&desc)) {
		ret = -ENOENT;
		fmt_snprintf(err->text, sizeof(err->text),
			     "%s: reg: no such module in memory", desc.name);
	} else if (!ret && !g) {
		ret = -ENOSPC;
		fmt_snprintf(err->text, sizeof(err->text),
			     "%s: there are %u guests already", desc.name,
			     CONFIG_MAX_DOMAINS);
	}
	if (ret) {
		log_warn("refused: %s", err->text);
		return ret;
	}
	init_slot(g, &desc);
	g->created = true;
	ret = bring_up(g);
	return ret ?: (int)g->id;
}

static void create_later(struct work *w __unused)
{
	struct describe_guest desc;
	struct describe_error err;
	struct dt_node node = {.name = NULL};
	bool found = false, made;

	while (!found && describe_next(machine.fdt, &node))
		found = !describe_guest(&node, &desc, &err) && desc.later &&
			!strcmp(desc.name, later.name);
	if (!found)
		log_warn("refused: %s: no such description with skerry,start = \"later\"",
			 later.name);
	/* What it fails with is in the log. */
	made = found && guest_create(&node, &err) > 0;
	__atomic_store_n(&later.busy, 0U, __ATOMIC_RELEASE);
	/* A mistake in a name turns nothing off. */
	if (later.asked || (found && !made))
		check_all_off();
}

int guest_create_later(const char *name)
{
	if (__atomic_exchange_n(&later.busy, 1U, __ATOMIC_ACQUIRE))
		return -EBUSY;
	fmt_snprintf(later.name, sizeof(later.name), "%s", name);
	work_submit(&later.work, create_later);
	return 0;
}
