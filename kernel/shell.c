/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's shell on the console: a line is edited, then run in the
 * UART's interrupt. Figures are read without locks: each by itself is whole,
 * together they may be of slightly different moments.
 */
#include <skerry/console.h>

#include <skerry/admit.h>
#include <skerry/cpu.h>
#include <skerry/domain.h>
#include <skerry/fmt.h>
#include <skerry/guest.h>
#include <skerry/image.h>
#include <skerry/measure.h>
#include <skerry/page.h>
#include <skerry/place.h>
#include <skerry/string.h>
#include <skerry/trace.h>

#include "shell_priv.h"

static char line[SHELL_LINE];
static unsigned int len;

const char *shell_state(const struct guest *g)
{
	static const char *const live[] = {
		[DOMAIN_RUNNING] = "running",
		[DOMAIN_PAUSED] = "paused",
		[DOMAIN_SHUTTING_DOWN] = "shutting down",
		[DOMAIN_CRASHED] = "crashed",
	};

	switch (g->phase) {
	case GUEST_BUILDING:
		return "building";
	case GUEST_LIVE:
		return live[READ_ONCE(g->d->state)];
	case GUEST_ENDING:
		return "shutting down";
	case GUEST_WAITING:
		return "waiting";
	default:
		return stop_names[g->reason];
	}
}

static void print_guest(struct guest *g)
{
	char text[80] = "";
	u64 now = time_now();

	if (g->nr_starts > 1)
		fmt_snprintf(text, sizeof(text), ", start %u after: %s",
			     g->nr_starts, stop_names[g->reason]);
	/* At boot it waits for its turn. */
	if (g->phase == GUEST_WAITING && g->nr_starts)
		fmt_snprintf(text, sizeof(text), ", %s, starts again in %lu ms",
			     stop_names[g->reason],
			     g->until > now ? time_to_us(g->until - now) / 1000
					    : 0);
	if (g->phase == GUEST_DOWN && g->gave_up)
		fmt_snprintf(text, sizeof(text),
			     ", left down after %u crashes in a row",
			     g->nr_crashes);
	print("d%-3u %-16s %-13s %2u vCPUs %6lu MiB%s%s", g->id, g->desc.name,
	      shell_state(g), g->desc.nr_vcpus, g->desc.memory / MIB,
	      g->desc.fit.size ? "" : " UNSIGNED", text);
}

static void print_vcpus(struct guest *g)
{
	const struct domain *d = g->d;
	char text[ADMIT_TEXT];

	for (unsigned int i = 0; g->phase == GUEST_LIVE && i < d->nr_vcpus; i++) {
		const struct vcpu *v = d->vcpus[i];
		bool on = READ_ONCE(v->state) != VCPU_OFF,
		     runs = READ_ONCE(cpus[v->cpu].sched.running) == v;

		admit_text(&g->desc.sched[i], text);
		print("d%u.%u %s CPU %u %-7s %s", d->id, i, d->name, v->cpu,
		      !on || domain_is_stopping(d) ? "off"
		      : domain_is_paused(d)	   ? "paused"
		      : runs			   ? "running"
		      : v->sched.ready		   ? "ready"
						   : "waiting",
		      text);
		shell_record(v);
	}
}

/* Every byte of RAM once: what is free, the hypervisor's, a guest's. */
static void print_memory(struct guest *none __unused)
{
	struct page_stats st;
	u64 pools = 0, image = 0, ram = 0;
	bool moves = false; /* memory of a guest between two owners */

	page_stats(&st);
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++) {
		const struct guest *g = &guests[i];
		u64 size = 0;

		moves |= g->phase == GUEST_BUILDING || g->phase == GUEST_ENDING;
		if (!g->d)
			continue;
		for (unsigned int n = 0; n < g->d->home.nr_ram; n++)
			size += g->d->home.ram[n].size;
		print("d%u: RAM %lu KiB, pool %lu KiB, %lu KiB of it used", i,
		      size / KIB, g->d->pool.size / KIB,
		      (g->d->pool.used - g->d->pool.nr_free * PAGE_SIZE) / KIB);
		pools += g->d->pool.size;
		ram += size;
	}
	for (unsigned int i = 0; i < images.nr_modules; i++) {
		const struct page_bank *m = &images.modules[i];

		image += align_up(m->base + m->size, PAGE_SIZE) -
			 align_down(m->base, PAGE_SIZE);
	}
	print("free %lu KiB, hypervisor %lu KiB (images %lu, pools %lu), guests %lu KiB: together %lu KiB",
	      st.free / KIB, st.hyp / KIB, image / KIB, pools / KIB,
	      st.owned / KIB, (st.free + st.hyp + st.owned) / KIB);
	if (ram != st.owned && !moves)
		print("guests' RAM is %lu KiB: does not balance", ram / KIB);
}

static void print_irqs(struct guest *none __unused)
{
	for (unsigned int i = 0; i < nr_cpus; i++) {
		const u64 *nr = cpus[i].nr_irqs;

		print("CPU %u: timer %lu, IPIs %lu, maintenance %lu, others %lu",
		      i, nr[CPU_IRQ_TIMER], nr[CPU_IRQ_IPI], nr[CPU_IRQ_MAINT],
		      nr[CPU_IRQ_OTHER]);
	}
}

static void print_measurements(struct guest *none __unused)
{
	const struct measurement *m;
	char hex[2 * SHA256_SIZE + 1];

	for (unsigned int i = 0; (m = measure_get(i)); i++) {
		fmt_hex(hex, m->digest, SHA256_SIZE);
		if (m->key)
			print("d%u %s sha256 %s key \"%s\" version %u",
			      m->domain, m->name, hex, m->key, m->version);
		else
			print("d%u %s sha256 %s UNSIGNED", m->domain, m->name,
			      hex);
	}
}

void shell_tell_wait(void)
{
	if (place_ppm(WORKER_CPU) == ADMIT_WHOLE)
		print("CPU %u is reserved to 100 %%: this waits until its deadline vCPUs leave time; `pause N` of their guest gives it",
		      WORKER_CPU);
}

void shell_tell(struct guest *g, int err)
{
	switch (err) {
	case 0:
		print_guest(g);
		shell_tell_wait();
		break;
	case -EBUSY:
		print("d%u is not down", g->id);
		break;
	case -EALREADY:
		print("d%u is down", g->id);
		break;
	default: /* -EACCES */
		print("d%u: its image was not kept (skerry,restart = \"never\")",
		      g->id);
	}
}

static void pause_or_resume(struct guest *g, bool pause)
{
	if (g->phase != GUEST_LIVE || !domain_is_live(g->d)) {
		print("d%u is not running", g->id);
		return;
	}
	domain_pause(g->d, pause);
	print_guest(g);
}

static void pause(struct guest *g)
{
	pause_or_resume(g, true);
}

static void resume(struct guest *g)
{
	pause_or_resume(g, false);
}

static void destroy(struct guest *g)
{
	shell_tell(g, guest_destroy(g->id));
}

static void restart(struct guest *g)
{
	shell_tell(g, guest_restart(g->id));
}

static void start(struct guest *g)
{
	shell_tell(g, guest_start(g->id));
}

static void print_log(struct guest *none __unused)
{
	console_shell_log(false);
}

static void print_last_log(struct guest *none __unused)
{
	console_shell_log(true);
}

static void reboot(struct guest *none __unused)
{
	console_sync();
	arch_reboot();
}

static void help(struct guest *none);

static void order_trace(const char *what)
{
	int err = !strcmp(what, "on")	  ? trace_set(true)
		  : !strcmp(what, "off")  ? trace_set(false)
		  : !strcmp(what, "dump") ? trace_dump()
					  : -EINVAL;

	/* No line that begins as one of the dump's. */
	if (err == -EINVAL)
		print("it is trace on, trace off or trace dump");
	else if (err == -EBUSY)
		print("trace %s: a dump is not finished yet", what);
	else if (err)
		print("trace %s: no memory; see the option trace=", what);
}

/* A command runs once, for each guest, for that of a number, or by a name. */
enum scope { ONCE, EACH, ONE, NAME, TRACE, SCHED };

static const struct command {
	const char *name, *help;
	enum scope guest;
	void (*run)(struct guest *g);
} commands[] = {
	/* clang-format off */
	{"help", "these commands", ONCE, help},
	{"list", "the guests", EACH, print_guest},
	{"vcpus", "what each vCPU does and did", EACH, print_vcpus},
	{"sched", "[N[.V] KEY=NUMBER ...]: shares of CPUs, or their change", SCHED, NULL},
	{"memory", "of the board, the hypervisor, its pools", ONCE, print_memory},
	{"measurements", "what was started, by its digest", ONCE, print_measurements},
	{"irq", "physical interrupts by CPU", ONCE, print_irqs},
	{"log", "the last messages", ONCE, print_log},
	{"lastlog", "those of before the reset", ONCE, print_last_log},
	{"pause", "N: guest N does not run until `resume N`", ONE, pause},
	{"resume", "N: it runs again", ONE, resume},
	{"destroy", "N: end guest N", ONE, destroy},
	{"restart", "N: end it, and start it from its image", ONE, restart},
	{"start", "N: one that is down", ONE, start},
	{"create", "NAME: a guest described for later", NAME, NULL},
	{"trace", "on, off, dump: of the scheduler and exits", TRACE, NULL},
	{"reboot", "the board, at once", ONCE, reboot},
	/* clang-format on */
};

static void help(struct guest *none __unused)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		print("%-12s %s", commands[i].name, commands[i].help);
}

u32 shell_read_number(const char **s)
{
	u64 val = **s >= '0' && **s <= '9' ? 0 : ~0U;

	for (; **s >= '0' && **s <= '9'; ++*s)
		val = min(val * 10 + (u64)(**s - '0'), (u64)SHELL_MANY);
	return (u32)val;
}

struct guest *shell_read_guest(const char **s)
{
	u32 n = shell_read_number(s);

	return n > CONFIG_MAX_DOMAINS || guests[n].phase == GUEST_NONE
		       ? NULL
		       : &guests[n];
}

/* The guest of a number in decimal, or NULL. */
static struct guest *find_guest(const char *s)
{
	struct guest *g = shell_read_guest(&s);

	return *s ? NULL : g;
}

static void create(const char *name)
{
	if (strlen(name) >= DESCRIBE_NAME_SIZE || !*name)
		print("create: no name of a guest; see skerry,start");
	else if (guest_create_later(name))
		print("create: another one is not finished yet");
	else
		shell_tell_wait();
}

static void run(const struct command *c, const char *arg)
{
	struct guest *g = find_guest(arg);

	if (c->guest == NAME)
		create(arg);
	else if (c->guest == TRACE)
		order_trace(arg);
	else if (c->guest == SCHED)
		shell_sched(arg);
	else if (c->guest != ONE && *arg)
		print("%s: takes no argument", c->name);
	else if (c->guest == ONE && !g)
		print("%s: no guest `%s`; try list", c->name, arg);
	else if (c->guest != EACH)
		c->run(g);
	else
		for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
			if (guests[i].phase != GUEST_NONE)
				c->run(&guests[i]);
}

static void execute(void)
{
	const char *arg = "";
	char *blank;

	while (len && line[len - 1] == ' ')
		len--;
	line[len] = 0;
	blank = strchr(line, ' ');
	if (blank) {
		*blank = 0;
		arg = blank + 1;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(line, commands[i].name)) {
			run(&commands[i], arg);
			return;
		}
	if (len)
		print("%s: unknown command; try help", line);
}

void shell_input(char c)
{
	if (c == '\r' || c == '\n') {
		console_shell("\n");
		execute();
		console_shell(SHELL_PROMPT);
		len = 0;
	} else if ((c == '\b' || c == 0x7f) && len) {
		len--;
		console_shell("\b \b");
	} else if (c >= ' ' && c < 0x7f && len < sizeof(line) - 1) {
		line[len++] = c;
		console_shell("%c", c);
	}
}
