/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A domain while it lives: start, pause, stop, crash, until the last of its
 * CPUs has let go of it. What comes before and after is the worker's (guest.c).
 */
#include <skerry/domain.h>

#include <skerry/cpu.h>
#include <skerry/fmt.h>
#include <skerry/guest.h>
#include <skerry/log.h>

#define MAX_WARNINGS 4

struct domain *domains[CONFIG_MAX_DOMAINS + 1];
const char *const stop_names[] = {
	"power-on",  "off",	 "reset",     "crashed",
	"destroyed", "watchdog", "restarted", "refused",
};

int domain_init_parts(struct domain *d, const struct describe_guest *g)
{
	for (unsigned int i = 0; domain_parts[i]; i++) {
		int err = domain_parts[i]->domain_init(d, g);

		if (!err)
			continue;
		domain_exit_parts(d);
		return err;
	}
	return 0;
}

void domain_exit_parts(struct domain *d)
{
	unsigned int n = 0;

	while (domain_parts[n])
		n++;
	while (n--)
		if (domain_parts[n]->domain_exit)
			domain_parts[n]->domain_exit(d);
}

void domain_start(struct domain *d)
{
	struct vcpu *v = d->vcpus[0];

	WRITE_ONCE(d->state, DOMAIN_RUNNING);
	wdt_start(d);
	store_release(&v->state, (u32)VCPU_PENDING);
	/* The others' CPUs, if idle, make them ready for CPU_ON. */
	for (unsigned int i = 1; i < d->nr_vcpus; i++)
		ipi_send(d->vcpus[i]->cpu, IPI_WAKE);
	sched_wake(v);
}

void domain_stop(struct domain *d, enum stop_reason why)
{
	bool fault = why == STOP_CRASH || why == STOP_WATCHDOG;

	spin_lock(&d->lock);
	if (domain_is_live(d)) {
		d->stop_reason = why;
		WRITE_ONCE(d->state,
			   fault ? DOMAIN_CRASHED : DOMAIN_SHUTTING_DOWN);
		for (unsigned int i = 0; i < d->nr_vcpus; i++)
			sched_kill(d->vcpus[i]);
	}
	spin_unlock(&d->lock);
}

/*
 * Takes the pause off d's virtual time, which must go back on none of its vCPUs
 * nor between them. So the pause counts from when the last one has left the
 * guest: what any of them has read is from before. If one has not yet, nothing
 * is taken off: it may read the counter again, by the old offset.
 */
static void take_off_pause(struct domain *d)
{
	u64 since = 0, now;

	for (unsigned int i = 0; i < d->nr_vcpus; i++)
		since = max(since, sched_out_since(d->vcpus[i]));
	now = time_now();
	if (since < now)
		WRITE_ONCE(d->cntvoff, d->cntvoff + (now - since));
}

void domain_pause(struct domain *d, bool pause)
{
	spin_lock(&d->lock);
	if (domain_is_live(d)) {
		bool resume = domain_is_paused(d) && !pause;

		if (resume)
			take_off_pause(d);
		/* Release, for who sees that it goes on: domain_is_paused(). */
		store_release(&d->state,
			      (u32)(pause ? DOMAIN_PAUSED : DOMAIN_RUNNING));
		if (resume)
			wdt_resume(d);
		for (unsigned int i = 0; i < d->nr_vcpus; i++)
			(pause ? sched_pause : sched_resume)(d->vcpus[i]);
	}
	spin_unlock(&d->lock);
}

void domain_crash(struct vcpu *v, const char *fmt, ...)
{
	struct domain *d = v->domain;
	char reason[128];

	fmt_args(reason, sizeof(reason), fmt);
	log_err("d%u %s: crashed: %s", d->id, d->name, reason);
	arch_vcpu_note_fault(v);
	WRITE_ONCE(d->crashed, v);
	domain_stop(d, STOP_CRASH);
}

void domain_log_once(struct domain *d, const char *fmt, ...)
{
	char text[160];

	if (__atomic_fetch_add(&d->nr_warned, 1, __ATOMIC_RELAXED) >=
	    MAX_WARNINGS) {
		/* Stay there, so that it never wraps. */
		WRITE_ONCE(d->nr_warned, (u32)MAX_WARNINGS);
		return;
	}
	fmt_args(text, sizeof(text), fmt);
	log_line("d%u: %s", d->id, text);
}

void domain_vcpu_left(struct vcpu *v)
{
	struct domain *d = v->domain;
	unsigned int id = d->id;
	bool last;

	if (!v->id)
		wdt_exit(d);
	spin_lock(&d->lock);
	last = --d->nr_inside == 0;
	spin_unlock(&d->lock);
	/* The worker may free d from here on. */
	if (last)
		guest_left(id);
}

struct vcpu *domain_vcpu_by_mpidr(struct domain *d, u64 mpidr)
{
	u64 id = (mpidr & 15) | (mpidr >> 8 & 0xff) << 4;

	if ((mpidr & 0xff00ffffffUL) !=
		    (vcpu_mpidr((unsigned int)id) & 0xff00ffffffUL) ||
	    id >= d->nr_vcpus)
		return NULL;
	return d->vcpus[id];
}
