/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's shell on the console: a line is edited, then run in the
 * UART's interrupt. Figures are read without locks: each by itself is whole,
 * together they may be of slightly different moments.
 */
#include <skerry/console.h>

#include <skerry/cpu.h>
#include <skerry/domain.h>
#include <skerry/fmt.h>
#include <skerry/measure.h>
#include <skerry/page.h>
#include <skerry/string.h>

#define print(fmt, ...) console_shell("(sk) " fmt "\n", ##__VA_ARGS__)

static char line[80];
static unsigned int len;

static const char *state_of(const struct domain *d)
{
	u32 state = READ_ONCE(d->state);

	if (state == DOMAIN_OFF)
		return stop_names[d->stop_reason];
	if (state == DOMAIN_STOPPING)
		return "stopping";
	return domain_is_paused(d) ? "paused" : "running";
}

static void print_guest(struct domain *d)
{
	print("d%-3u %-16s %-9s %2u vCPUs %6lu MiB%s", d->id, d->name,
	      state_of(d), d->nr_vcpus, d->memory / MIB,
	      d->is_signed ? "" : " UNSIGNED");
}

static void print_vcpus(struct domain *d)
{
	for (unsigned int i = 0; i < d->nr_vcpus; i++) {
		const struct vcpu *v = d->vcpus[i];
		bool on = READ_ONCE(v->state) != VCPU_OFF,
		     runs = READ_ONCE(cpus[v->cpu].sched.running) == v;
		u64 ran = READ_ONCE(v->sched.ran);
		u64 since = READ_ONCE(v->sched.since);

		/* One that is alone is charged only when it leaves. */
		print("d%u.%u CPU %u %-7s weight %u, ran %lu ms, waited %lu ms,"
		      " woken in %lu us at worst, %lu runs",
		      d->id, i, v->cpu,
		      !on || domain_is_stopping(d) ? "off"
		      : domain_is_paused(d)	   ? "paused"
		      : runs			   ? "running"
		      : v->sched.ready		   ? "ready"
						   : "waiting",
		      v->sched.weight,
		      time_to_us(ran + (runs ? time_now() - since : 0)) / 1000,
		      time_to_us(v->sched.waited) / 1000,
		      time_to_us(v->sched.worst_wake), v->sched.nr_runs);
	}
}

static void print_memory(struct domain *d __unused)
{
	struct page_stats st;

	page_stats(&st);
	print("free %lu MiB, hypervisor %lu KiB, guests %lu MiB", st.free / MIB,
	      st.hyp / KIB, st.owned / MIB);
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		if (domains[i])
			print("d%u: %lu KiB of the hypervisor's, %lu KiB used",
			      i, domains[i]->pool.size / KIB,
			      (domains[i]->pool.used -
			       domains[i]->pool.nr_free * PAGE_SIZE) /
				      KIB);
}

static void print_irqs(struct domain *d __unused)
{
	for (unsigned int i = 0; i < nr_cpus; i++) {
		const u64 *nr = cpus[i].nr_irqs;

		print("CPU %u: timer %lu, IPIs %lu, maintenance %lu, others %lu",
		      i, nr[CPU_IRQ_TIMER], nr[CPU_IRQ_IPI], nr[CPU_IRQ_MAINT],
		      nr[CPU_IRQ_OTHER]);
	}
}

static void print_measurements(struct domain *d __unused)
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

static void pause(struct domain *d)
{
	domain_pause(d, true);
	print_guest(d);
}

static void resume(struct domain *d)
{
	domain_pause(d, false);
	print_guest(d);
}

static void destroy(struct domain *d)
{
	domain_stop(d, STOP_DESTROY);
	print_guest(d);
}

static void print_log(struct domain *d __unused)
{
	console_shell_log(false);
}

static void print_last_log(struct domain *d __unused)
{
	console_shell_log(true);
}

static void reboot(struct domain *d __unused)
{
	console_sync();
	arch_reboot();
}

static void help(struct domain *d);

/* A command runs once, for each guest, or for the one that is named. */
enum scope { ONCE, EACH, ONE };

static const struct command {
	const char *name, *help;
	enum scope guest;
	void (*run)(struct domain *d);
} commands[] = {
	/* clang-format off */
	{"help", "these commands", ONCE, help},
	{"list", "the guests", EACH, print_guest},
	{"vcpus", "what each vCPU does and did", EACH, print_vcpus},
	{"memory", "of the board, the hypervisor, its pools", ONCE, print_memory},
	{"measurements", "what was started, by its digest", ONCE, print_measurements},
	{"irq", "physical interrupts by CPU", ONCE, print_irqs},
	{"log", "the last messages", ONCE, print_log},
	{"lastlog", "those of before the reset", ONCE, print_last_log},
	{"pause", "N: guest N does not run until `resume N`", ONE, pause},
	{"resume", "N: it runs again", ONE, resume},
	{"destroy", "N: end guest N", ONE, destroy},
	{"reboot", "the board, at once", ONCE, reboot},
	/* clang-format on */
};

static void help(struct domain *d __unused)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		print("%-12s %s", commands[i].name, commands[i].help);
}

/* The guest of a number in decimal, or NULL. */
static struct domain *find_guest(const char *s)
{
	unsigned int n = 0;

	while (*s >= '0' && *s <= '9' && n <= CONFIG_MAX_DOMAINS)
		n = n * 10 + (unsigned int)(*s++ - '0');
	return *s || n > CONFIG_MAX_DOMAINS ? NULL : domains[n];
}

static void run(const struct command *c, const char *arg)
{
	struct domain *d = find_guest(arg);

	if (c->guest != ONE && *arg)
		print("%s: takes no argument", c->name);
	else if (c->guest == ONE && !d)
		print("%s: no guest `%s`; try list", c->name, arg);
	else if (c->guest == ONE && READ_ONCE(d->state) != DOMAIN_RUNNING)
		print("%s: d%u is not running", c->name, d->id);
	else if (c->guest != EACH)
		c->run(d);
	else
		for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
			if (domains[i])
				c->run(domains[i]);
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
