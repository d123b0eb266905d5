/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two guests, d1 of one vCPU and d3 of two, and the shell that is typed to:
 * what it prints is kept, and what it orders. Includes shell.c itself. Included
 * by one source of each test.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../kernel/shell.c"

const char *const stop_names[] = {
	"power-on",  "off",	 "reset",     "crashed",
	"destroyed", "watchdog", "restarted", "refused",
};
struct guest guests[CONFIG_MAX_DOMAINS + 1];
struct images images;
struct cpu cpus[CONFIG_NR_CPUS], *host_this_cpu = cpus;
unsigned int nr_cpus = 2;
static struct domain doms[2]; /* of d1 and d3 */
static struct vcpu vcpus[3];
static char out[8192];
static unsigned int nr_logs, nr_last_logs, nr_synced;
static jmp_buf rebooted;
static char ordered[64]; /* which order, to whom */
static int order_err;

void console_shell(const char *fmt, ...)
{
	size_t n = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out + n, sizeof(out) - n, fmt, ap);
	va_end(ap);
}
void console_shell_log(bool last_boot)
{
	nr_logs++;
	nr_last_logs += last_boot;
}
void console_sync(void)
{
	nr_synced++;
}
void arch_reboot(void)
{
	longjmp(rebooted, 1);
}
u64 time_now(void)
{
	return 7000000;
}
u64 time_freq(void)
{
	return 1000000;
}
static struct page_stats stats;

void page_stats(struct page_stats *st)
{
	*st = stats;
}
void domain_pause(struct domain *d, bool pause)
{
	d->state = pause ? DOMAIN_PAUSED : DOMAIN_RUNNING;
}
static int order(const char *what, unsigned int id)
{
	snprintf(ordered, sizeof(ordered), "%s %u", what, id);
	return order_err;
}
int guest_start(unsigned int id)
{
	return order("start", id);
}
int guest_restart(unsigned int id)
{
	return order("restart", id);
}
int guest_destroy(unsigned int id)
{
	return order("destroy", id);
}
int guest_create_later(const char *name)
{
	snprintf(ordered, sizeof(ordered), "create %s", name);
	return order_err;
}

static int order_trace_to(const char *what)
{
	snprintf(ordered, sizeof(ordered), "trace %s", what);
	return order_err;
}
int trace_set(bool on)
{
	return order_trace_to(on ? "on" : "off");
}
int trace_dump(void)
{
	return order_trace_to("dump");
}

int params_change(unsigned int id, unsigned int vcpu,
		  const struct sched_params *to)
{
	const u32 *val = &to->weight;
	size_t n = (size_t)snprintf(ordered, sizeof(ordered), "%u.%d", id,
				    (int)vcpu);

	for (unsigned int i = 0; i < 6; i++)
		n += (size_t)snprintf(ordered + n, sizeof(ordered) - n, " %d",
				      (int)val[i]);
	return order_err;
}
static u32 ppm[2];

u32 place_ppm(unsigned int cpu)
{
	return ppm[cpu];
}
void work_point(void)
{
}

static struct guest *g1 = &guests[1], *g3 = &guests[3];

static unsigned int nr_logged;

void log_at(enum log_level level, const char *fmt, ...)
{
	assert_int_equal(level, LOG_WARNING);
	nr_logged++;
}

static int setup(void **state)
{
	memset(guests, 0, sizeof(guests));
	memset(doms, 0, sizeof(doms));
	memset(vcpus, 0, sizeof(vcpus));
	memset(cpus, 0, sizeof(cpus));
	memset(&images, 0, sizeof(images));
	stats = (struct page_stats){0};
	*ordered = 0;
	order_err = 0;
	ppm[0] = 999999;
	ppm[1] = 1000000;
	for (unsigned int i = 0; i < 2; i++) {
		struct domain *d = &doms[i];
		/* With a gap between them. */
		struct guest *g = &guests[1 + 2 * i];

		g->id = d->id = 1 + 2 * i;
		g->d = d;
		g->phase = GUEST_LIVE;
		g->nr_starts = 1;
		snprintf(g->desc.name, sizeof(g->desc.name), "g%u", d->id);
		g->desc.memory = 64 * MIB;
		g->desc.nr_vcpus = d->nr_vcpus = 1 + i;
		for (unsigned int n = 0; n <= i; n++)
			g->desc.sched[n] =
				(struct sched_params){.weight = 256 + n,
						      .slice_us = 5000};
		d->state = DOMAIN_RUNNING;
		snprintf(d->name, sizeof(d->name), "g%u", d->id);
		g->desc.fit.size = MIB;
		d->pool = (struct pool){.size = 128 * KIB,
					.used = 32 * KIB,
					.nr_free = 2};
	}
	doms[0].vcpus[0] = &vcpus[0];
	doms[1].vcpus[0] = &vcpus[1];
	doms[1].vcpus[1] = &vcpus[2];
	for (unsigned int i = 0; i < 3; i++) {
		vcpus[i].domain = &doms[i != 0];
		vcpus[i].cpu = i != 0;
		vcpus[i].sched.weight = 256;
	}
	len = 0;
	*out = 0;
	return 0;
}

static const char *type(const char *s)
{
	*out = 0;
	for (; *s; s++)
		shell_input(*s);
	return out;
}
