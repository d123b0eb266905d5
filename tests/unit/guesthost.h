/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests' lives without what they consist of: descriptions are a table,
 * building and loading do what the test says, the worker's queue and time go on
 * when it wants. Includes guest.c itself. Included by one source of each test.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../kernel/guest.c"

#define MS	  1000UL /* ticks, of 1 MHz */
#define SECOND	  (1000 * MS)
#define NEVER	  (~0UL)
#define MAX_NODES (2 * CONFIG_MAX_DOMAINS)

struct cpu cpus[CONFIG_NR_CPUS], *host_this_cpu = cpus;
struct machine machine;
struct images images;
u64 build_scrub_ticks;
struct domain *domains[CONFIG_MAX_DOMAINS + 1];
const char *const stop_names[] = {
	"power-on",  "off",	 "reset",     "crashed",
	"destroyed", "watchdog", "restarted", "refused",
};

/* The tree: guests by the number of their node; bad ones have a reason. */
static struct describe_guest nodes[MAX_NODES];
static char names[MAX_NODES][DESCRIBE_NAME_SIZE];
static const char *bad[MAX_NODES];
static bool overlaps[MAX_NODES], module_gone[MAX_NODES];
static unsigned int nr_nodes;
static enum when_all_off all_off;
static bool bad_chosen;

static u64 now;
static char trace[4096], logged[8192];
static jmp_buf out;
/* What happens, at which guest; 0: none. */
static int open_err, build_err, load_err;
static unsigned int bad_id;
/* What other CPUs do meanwhile. */
static void (*on_load)(struct domain *d), (*on_stop)(struct domain *d),
	(*on_free)(struct domain *d);
static unsigned int nr_open, nr_kept, nr_freed, nr_alive, nr_measured;
static bool kept[MAX_NODES];
static u64 drained_at; /* all output of those that end is out by then */
static struct measurement last_measured;
static struct verify_key key = {.name = "dev"};
static bool is_signed;

static __printf(1, 2) void note(const char *fmt, ...)
{
	size_t n = strlen(trace);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(trace + n, sizeof(trace) - n, fmt, ap);
	va_end(ap);
	strncat(trace, " ", sizeof(trace) - strlen(trace) - 1);
}
static void expect(const char *want)
{
	assert_string_equal(trace, want);
	trace[0] = '\0';
}

static void log_text(const char *mark, const char *fmt, va_list ap)
{
	size_t n = strlen(logged);

	assert_true(n < sizeof(logged) - 512);
	n += (size_t)snprintf(logged + n, sizeof(logged) - n, "%s", mark);
	n += (size_t)vsnprintf(logged + n, sizeof(logged) - n, fmt, ap);
	snprintf(logged + n, sizeof(logged) - n, "|");
}
void log_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_text("", fmt, ap);
	va_end(ap);
}
void log_at(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_text(level == LOG_ERROR    ? "!! "
		 : level == LOG_NOTICE ? "= "
				       : "! ",
		 fmt, ap);
	va_end(ap);
}
static bool has_logged(const char *text)
{
	return strstr(logged, text);
}
void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_text("boot: ", fmt, ap);
	longjmp(out, 1);
}
void panic(const char *fmt, ...)
{
	fail_msg("%s", fmt);
	abort();
}
void lock_rank_take(struct spinlock *l)
{
}
void lock_rank_drop(struct spinlock *l)
{
}

/* --- work and time ------------------------------------------------------- */

static struct {
	struct work *w;
	void (*fn)(struct work *w);
} queue[64];
static unsigned int nr_queued;
static struct timer *armed[CONFIG_MAX_DOMAINS];
static unsigned int nr_armed;

void work_submit(struct work *w, void (*fn)(struct work *w))
{
	/* The same one twice would make the list a ring. */
	for (unsigned int i = 0; i < nr_queued; i++)
		assert_ptr_not_equal(queue[i].w, w);
	assert_true(nr_queued < ARRAY_SIZE(queue));
	queue[nr_queued].w = w;
	queue[nr_queued++].fn = fn;
}
void work_point(void)
{
}
/* Until there is nothing to do. */
static void work_all(void)
{
	for (unsigned int i = 0; nr_queued; i++) {
		struct work *w = queue[0].w;
		void (*fn)(struct work *) = queue[0].fn;

		assert_in_range(i, 0, 1000);
		memmove(queue, queue + 1, --nr_queued * sizeof(queue[0]));
		fn(w);
	}
}

u64 time_now(void)
{
	return now;
}
u64 time_freq(void)
{
	return 1000000;
}
void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	t->fn = fn;
}
void timer_cancel(struct timer *t)
{
	for (unsigned int i = 0; i < nr_armed; i++)
		if (armed[i] == t) {
			armed[i] = armed[--nr_armed];
			return;
		}
}
void timer_arm(struct timer *t, u64 deadline)
{
	timer_cancel(t);
	t->deadline = deadline;
	armed[nr_armed++] = t;
}
/* When the next timer fires. */
static u64 next_timer(void)
{
	u64 next = NEVER;

	for (unsigned int i = 0; i < nr_armed; i++)
		next = min(next, armed[i]->deadline);
	return next;
}
/* Time goes on, and what is due then is done. */
static void advance(u64 to)
{
	work_all();
	while (next_timer() <= to) {
		now = max(now, next_timer());
		for (unsigned int i = 0; i < nr_armed; i++)
			if (armed[i]->deadline <= now) {
				struct timer *t = armed[i];

				armed[i] = armed[--nr_armed];
				t->fn(t);
				break;
			}
		work_all();
	}
	now = to;
}

/* --- descriptions and images --------------------------------------------- */

bool describe_next(const void *fdt, struct dt_node *node)
{
	unsigned int n = node->name ? (unsigned int)(node->name - names[0]) /
						      DESCRIBE_NAME_SIZE +
					      1
				    : 0;

	assert_ptr_equal(fdt, &machine);
	if (n == nr_nodes)
		return false;
	node->name = names[n];
	return true;
}
static unsigned int number_of(const char *name)
{
	for (unsigned int n = 0; n < nr_nodes; n++)
		if (!strcmp(nodes[n].name, name))
			return n;
	fail_msg("%s: not described", name);
	return 0;
}
int describe_guest(const struct dt_node *node, struct describe_guest *g,
		   struct describe_error *err)
{
	unsigned int n = (unsigned int)(node->name - names[0]) /
			 DESCRIBE_NAME_SIZE;

	*g = nodes[n];
	if (!bad[n])
		return 0;
	snprintf(err->text, sizeof(err->text), "%s", bad[n]);
	return -EINVAL;
}
int describe_chosen(const void *fdt, struct describe_chosen *c,
		    struct describe_error *err)
{
	*c = (struct describe_chosen){.when_all_off = all_off,
				      .attested = "test"};
	snprintf(err->text, sizeof(err->text), "chosen: bad");
	return bad_chosen ? -EINVAL : 0;
}

int image_add(const struct describe_guest *g)
{
	return overlaps[number_of(g->name)] ? -EEXIST : 0;
}
void image_keep(const struct describe_guest *g)
{
	/* Not behind the freeing of what is not kept. */
	assert_int_equal(nr_freed, 0);
	kept[number_of(g->name)] = true;
	nr_kept++;
}
bool image_is_there(const struct describe_guest *g)
{
	unsigned int n = number_of(g->name);

	return !module_gone[n] && (!nr_freed || kept[n]);
}
void image_free_rest(void)
{
	nr_freed++;
	assert_int_equal(nr_open, 0);
}
void image_read_keys(const struct describe_chosen *c)
{
	assert_string_equal(c->attested, "test");
	note("keys");
}
static struct guest *by_name(const char *name)
{
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		if (guests[i].phase != GUEST_NONE &&
		    !strcmp(guests[i].desc.name, name))
			return &guests[i];
	fail_msg("%s: no guest", name);
	return NULL;
}
static bool is_bad(unsigned int id)
{
	return !bad_id || bad_id == id;
}
int image_open(const struct describe_guest *g, struct image *img)
{
	unsigned int n = number_of(g->name);

	/* Never memory that was given back: it may be a guest's. */
	assert_true(!nr_freed || kept[n]);
	memset(img, 0, sizeof(*img));
	if (open_err && is_bad(by_name(g->name)->id))
		return open_err;
	nr_open++;
	img->load.digest[0] = 0xab;
	img->load.digest[31] = 0x0c;
	if (is_signed) {
		img->fit.key = &key;
		img->fit.version = 9;
	}
	return 0;
}
void image_close(const struct describe_guest *g)
{
	nr_open--;
}

/* --- domains ------------------------------------------------------------- */

int build_domain(struct domain **d, unsigned int id,
		 const struct describe_guest *g)
{
	struct vcpu *v;

	assert_int_equal(nr_open, 1);
	assert_int_equal(guests[id].phase, GUEST_BUILDING);
	assert_null(domains[id]);
	note(*d ? "rebuild%u" : "build%u", id);
	if (*d)
		assert_int_equal((*d)->state, DOMAIN_DEAD);
	else
		nr_alive++;
	v = *d ? (*d)->vcpus[0] : calloc(CONFIG_MAX_VCPUS, sizeof(*v));
	*d = realloc(*d, sizeof(**d));
	assert_non_null(*d);
	memset(*d, 0, sizeof(**d));
	memset(v, 0, CONFIG_MAX_VCPUS * sizeof(*v));
	(*d)->id = id;
	memcpy((*d)->name, g->name, sizeof(g->name));
	(*d)->memory = g->memory;
	(*d)->nr_vcpus = (*d)->nr_inside = g->nr_vcpus;
	for (unsigned int i = 0; i < CONFIG_MAX_VCPUS; i++) {
		v[i] = (struct vcpu){.id = i, .cpu = i % 4, .domain = *d};
		(*d)->vcpus[i] = &v[i];
	}
	if (!build_err || !is_bad(id))
		return 0;
	(*d)->state = DOMAIN_DEAD;
	build_free(*d);
	*d = NULL;
	return build_err;
}
int load_guest(struct domain *d, const struct describe_guest *g,
	       struct load_image *img)
{
	note("load%u", d->id);
	if (on_load)
		on_load(d);
	if (guest_is_cancelled(d->id))
		return -ECANCELED;
	return load_err && is_bad(d->id) ? load_err : 0;
}
void build_stop(struct domain *d)
{
	/* Nobody finds it any more. */
	assert_null(domains[d->id]);
	note("stop%u", d->id);
	if (on_stop)
		on_stop(d);
	d->state = DOMAIN_DEAD;
}
void build_free(struct domain *d)
{
	assert_int_equal(d->state, DOMAIN_DEAD);
	note("free%u", d->id);
	if (on_free)
		on_free(d);
	nr_alive--;
	free(d->vcpus[0]);
	free(d);
}
void domain_start(struct domain *d)
{
	/* All that others may see of it is there. */
	assert_ptr_equal(domains[d->id], d);
	assert_int_equal(guests[d->id].phase, GUEST_LIVE);
	d->state = DOMAIN_RUNNING;
	note("start%u", d->id);
}
void domain_stop(struct domain *d, enum stop_reason why)
{
	if (!domain_is_live(d))
		return;
	d->state = why == STOP_CRASH || why == STOP_WATCHDOG
			   ? DOMAIN_CRASHED
			   : DOMAIN_SHUTTING_DOWN;
	d->stop_reason = why;
	if (why == STOP_CRASH && !d->crashed)
		d->crashed = d->vcpus[0];
}
void cpu_sync(void)
{
	note("sync");
}
void cache_inval_icache_all(void)
{
	note("icache");
}
void sched_place(struct vcpu *v, unsigned int cpu, const struct sched_params *p,
		 u64 from)
{
	const struct describe_guest *g = &guests[v->domain->id].desc;

	assert_int_equal(cpu, v->cpu);
	assert_ptr_equal(p, &g->sched[v->id]);
	/* What its last life had, if there was one. */
	assert_int_equal(from,
			 guests[v->domain->id].nr_starts ? 1000 + v->id : 0);
	note("place%u", v->id);
}
static u32 reserved_ppm;
u32 place_ppm(unsigned int cpu)
{
	assert_int_equal(cpu, 0);
	return reserved_ppm;
}
u64 sched_budget_from(const struct vcpu *v)
{
	return 1000 + v->id;
}
void measure_add(const struct measurement *m)
{
	nr_measured++;
	last_measured = *m;
}
void arch_vcpu_dump(const struct vcpu *v, bool fault)
{
	assert_int_not_equal(v->domain->state, DOMAIN_DEAD);
	assert_int_equal(v->domain->nr_inside, 0);
	note("dump%u%s", v->id, fault ? "!" : "");
}

/* --- console and board --------------------------------------------------- */

void console_give_input(const struct domain *d)
{
	note("give%u", d->id);
}
void console_leave_input(unsigned int id)
{
	note("leave%u", id);
}
void console_guest_end(struct domain *d)
{
	note("end%u", d->id);
}
bool console_guest_is_drained(struct domain *d)
{
	return now >= drained_at;
}
void console_sync(void)
{
	note("flush");
}
void arch_poweroff(void)
{
	note("poweroff");
	longjmp(out, 1);
}
void arch_reboot(void)
{
	note("reboot");
	longjmp(out, 1);
}

/* --- for tests ----------------------------------------------------------- */

static void forget(void)
{
	trace[0] = logged[0] = '\0';
}

static int setup(void **state)
{
	(void)state;
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		if (guests[i].d) {
			free(guests[i].d->vcpus[0]);
			free(guests[i].d);
		}
	memset(guests, 0, sizeof(guests));
	memset(domains, 0, sizeof(domains));
	memset(&later, 0, sizeof(later));
	has_later = false;
	memset(nodes, 0, sizeof(nodes));
	memset(names, 0, sizeof(names));
	memset(bad, 0, sizeof(bad));
	memset(overlaps, 0, sizeof(overlaps));
	memset(module_gone, 0, sizeof(module_gone));
	memset(kept, 0, sizeof(kept));
	nr_nodes = nr_queued = nr_armed = nr_open = nr_kept = nr_freed = 0;
	nr_alive = nr_measured = bad_id = 0;
	open_err = build_err = load_err = 0;
	on_load = on_stop = on_free = NULL;
	all_off = ALL_OFF_STAY;
	bad_chosen = is_signed = false;
	now = 5000 * SECOND;
	drained_at = 0;
	machine.fdt = &machine;
	forget();
	return 0;
}

static struct describe_guest *add(const char *name, enum restart restart)
{
	struct describe_guest *g = &nodes[nr_nodes];

	/* What tells it from others is where its node's name is. */
	snprintf(names[nr_nodes], sizeof(names[0]), "%s", name);
	snprintf(g->name, sizeof(g->name), "%s", name);
	g->memory = 32 * MIB;
	g->nr_vcpus = 1;
	for (unsigned int i = 0; i < DESCRIBE_MAX_VCPUS; i++)
		g->sched[i] = (struct sched_params){.weight = 256 + nr_nodes,
						    .slice_us = 1000 + nr_nodes};
	g->restart = restart;
	nr_nodes++;
	return g;
}

/* True when it came back: neither died nor turned the board off. */
static bool returns(void (*fn)(void))
{
	if (setjmp(out))
		return false;
	fn();
	return true;
}
static void boot(void)
{
	guest_read(&machine);
	guest_start_all();
	work_all();
}
static bool boots(void)
{
	return returns(boot);
}

static inline struct guest *boot_one(enum restart restart)
{
	setup(NULL);
	add("web", restart);
	assert_true(boots());
	assert_int_equal(guests[1].phase, GUEST_LIVE);
	forget();
	return &guests[1];
}

static void in_phase(unsigned int id, enum guest_phase phase)
{
	assert_int_equal(guests[id].phase, phase);
	/* A domain exactly while there is one for it, found while it lives. */
	assert_int_equal(guests[id].d != NULL, phase >= GUEST_LIVE);
	assert_int_equal(domains[id] != NULL,
			 phase == GUEST_LIVE || phase == GUEST_ENDING);
}

/* All its vCPUs are let go of. */
static void leaves(struct guest *g)
{
	g->d->nr_inside = 0;
	guest_left(g->id);
}

static void ends(struct guest *g, enum stop_reason why)
{
	domain_stop(g->d, why);
	leaves(g);
	work_all();
}
