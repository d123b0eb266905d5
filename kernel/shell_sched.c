/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shell's `sched`: shows what vCPUs have of their CPUs and had, and orders
 * changes, which are made elsewhere.
 */
#include "shell_priv.h"

#include <skerry/admit.h>
#include <skerry/cpu.h>
#include <skerry/domain.h>
#include <skerry/guest.h>
#include <skerry/params.h>
#include <skerry/place.h>
#include <skerry/string.h>

/* One that is alone is charged only when it leaves. */
static u64 ran_us(const struct vcpu *v)
{
	bool runs = READ_ONCE(cpus[v->cpu].sched.running) == v;
	u64 ran = READ_ONCE(v->sched.ran), since = READ_ONCE(v->sched.since);

	return time_to_us(ran + (runs ? time_now() - since : 0));
}

void shell_record(const struct vcpu *v)
{
	const struct sched_vcpu *s = &v->sched;
	u64 all = 0, n = 0;
	unsigned int half = 0;

	for (unsigned int i = 0; i < SCHED_WAKES; i++)
		all += v->wakes[i];
	while (half < SCHED_WAKES - 1 && 2 * (n += v->wakes[half]) < all)
		half++;
	print("     ran %lu us, waited %lu us, woken %lu times, preempted %lu, budget used up %lu, deadline missed %lu",
	      ran_us(v), time_to_us(s->waited), all, s->nr_preempted,
	      s->nr_exhausted, s->nr_missed);
	if (all)
		print("     ran after a wake within %lu ns at worst, half of %lu within %lu ns",
		      time_to_ns(s->worst_wake), all, time_to_ns(2UL << half));
}

static void print_sched(struct guest *g)
{
	char text[ADMIT_TEXT];

	/* Of one that was refused any number may be described. */
	for (unsigned int i = 0;
	     i < min(g->desc.nr_vcpus, (u32)DESCRIBE_MAX_VCPUS); i++) {
		admit_text(&g->desc.sched[i], text);
		if (g->phase != GUEST_LIVE) {
			print("d%u.%u %s %s: %s", g->id, i, g->desc.name,
			      shell_state(g), text);
			continue;
		}
		print("d%u.%u %s CPU %u %s", g->id, i, g->desc.name,
		      g->d->vcpus[i]->cpu, text);
		shell_record(g->d->vcpus[i]);
	}
}

/* The next word of *s; false: there is none. */
static bool next_word(const char **s, char word[SHELL_LINE])
{
	unsigned int n = 0;

	while (**s == ' ')
		++*s;
	while (**s && **s != ' ')
		word[n++] = *(*s)++;
	word[n] = 0;
	return n;
}

/* key=number, each once; which member of *to it is, or -EINVAL. */
static int read_key(const char *word, struct sched_params *to)
{
	/* In the order of struct sched_params. */
	static const char *const keys[] = {"weight", "slice",	 "period",
					   "budget", "deadline", "extra"};
	const char *eq = strchr(word, '=');
	u32 *val = &to->weight;

	for (int i = 0; eq && i < (int)ARRAY_SIZE(keys); i++, val++) {
		size_t n = strlen(keys[i]);

		if (n != (size_t)(eq - word) || strncmp(word, keys[i], n))
			continue;
		if (*val != ADMIT_KEEP)
			return -EINVAL;
		eq++;
		*val = shell_read_number(&eq);
		return *val != ADMIT_KEEP && !*eq ? i : -EINVAL;
	}
	return -EINVAL;
}

/* All of them; what is wrong is told. */
static bool read_keys(const char *s, struct sched_params *to)
{
	char word[SHELL_LINE], why[ADMIT_WHY];

	memset(to, 0xff, sizeof(*to)); /* ADMIT_KEEP */
	while (next_word(&s, word)) {
		int key = read_key(word, to);

		if (key < 0) {
			print("sched: `%s`: not weight, slice, period, budget, deadline or extra, = and a number, once",
			      word);
			return false;
		}
		if ((&to->weight)[key] == SHELL_MANY) {
			const char *prop = admit_range((unsigned int)key, why);

			print("sched: `%s`: %s: %s", word, prop, why);
			return false;
		}
	}
	return true;
}

/* What the worker would say, at once. */
static bool fits_rules(const struct guest *g, unsigned int vcpu,
		       const struct sched_params *to)
{
	char why[ADMIT_WHY];

	for (unsigned int i = 0;
	     i < min(g->desc.nr_vcpus, (u32)DESCRIBE_MAX_VCPUS); i++) {
		struct sched_params p = g->desc.sched[i];
		const char *prop;

		if (vcpu != PARAMS_ALL_VCPUS && vcpu != i)
			continue;
		admit_change(&p, to);
		prop = admit_check(&p, why);
		if (prop) {
			print("sched: d%u.%u: %s: %s", g->id, i, prop, why);
			return false;
		}
	}
	return true;
}

static void change_sched(struct guest *g, unsigned int vcpu, const char *s)
{
	struct sched_params to;
	int err;

	if (!read_keys(s, &to) || !fits_rules(g, vcpu, &to))
		return;
	err = params_change(g->id, vcpu, &to);
	if (err == -EBUSY)
		print("sched: another change is not finished yet");
	else if (err)
		shell_tell(g, err);
	else
		shell_tell_wait();
}

void shell_sched(const char *s)
{
	unsigned int vcpu = PARAMS_ALL_VCPUS;
	char word[SHELL_LINE];
	const char *at = word;
	struct guest *g;

	if (!next_word(&s, word)) {
		for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
			if (guests[i].phase != GUEST_NONE)
				print_sched(&guests[i]);
		for (unsigned int c = 0; c < nr_cpus; c++)
			print("CPU %u: %u.%04u %% reserved", c,
			      place_ppm(c) / 10000, place_ppm(c) % 10000);
		return;
	}
	g = shell_read_guest(&at);
	if (g && *at == '.') {
		at++;
		vcpu = shell_read_number(&at);
		if (vcpu >= g->desc.nr_vcpus)
			g = NULL;
	}
	if (!g || *at)
		print("sched: no guest or vCPU `%s`; try sched", word);
	else if (!*s)
		print_sched(g);
	else
		change_sched(g, vcpu, s);
}
