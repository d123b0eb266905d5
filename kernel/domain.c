/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Life of a domain after it was built: start, stop, crash, and the end, when
 * the last of its CPUs has let go of it.
 */
#include <skerry/domain.h>

#include <skerry/build.h>
#include <skerry/cpu.h>
#include <skerry/fmt.h>
#include <skerry/log.h>

#define MAX_WARNINGS 4

struct domain *domains[CONFIG_MAX_DOMAINS + 1];
const char *const stop_names[] = {"off", "reset", "crashed", "destroyed",
				  "watchdog"};

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
	spin_lock(&d->lock);
	if (d->state == DOMAIN_RUNNING) {
		d->stop_reason = why;
		WRITE_ONCE(d->state, DOMAIN_STOPPING);
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
	if (d->state == DOMAIN_RUNNING) {
		bool resume = d->paused && !pause;

		if (resume)
			take_off_pause(d);
		/* Release, for who sees that it goes on: domain_is_paused(). */
		store_release(&d->paused, pause);
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
	arch_vcpu_dump(v);
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

static void all_off(void)
{
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		if (domains[i] && READ_ONCE(domains[i]->state) != DOMAIN_OFF)
			return;
	log_line("all guests are off");
	console_sync();
	switch (build.when_all_off) {
	case ALL_OFF_POWEROFF:
		arch_poweroff();
	case ALL_OFF_REBOOT:
		arch_reboot();
	case ALL_OFF_STAY:
		break;
	}
}

/* The scheduler's record of all its vCPUs. */
static void report(const struct domain *d)
{
	u32 wakes[ARRAY_SIZE(d->vcpus[0]->sched.wakes)] = {0};
	u64 ran = 0, worst = 0, nr = 0;
	char text[160] = "";
	size_t len = 0;

	for (unsigned int i = 0; i < d->nr_vcpus; i++) {
		const struct sched_vcpu *s = &d->vcpus[i]->sched;

		ran += s->ran;
		worst = max(worst, s->worst_wake);
		for (unsigned int n = 0; n < ARRAY_SIZE(wakes); n++)
			wakes[n] += s->wakes[n];
	}
	for (unsigned int n = 0; n < ARRAY_SIZE(wakes); n++) {
		nr += wakes[n];
		if (wakes[n] && len < sizeof(text))
			len += (size_t)fmt_snprintf(text + len,
						    sizeof(text) - len,
						    "%s%u within %lu ns",
						    len ? ", " : ": ", wakes[n],
						    time_to_ns(2UL << n));
	}
	log_line("d%u %s: ran %lu us", d->id, d->name, time_to_us(ran));
	log_line("d%u %s: woken %lu times, at worst in %lu ns%s", d->id,
		 d->name, nr, time_to_ns(worst), text);
}

/* Where its vCPUs were: only now they are all out of the guest. */
static void dump(const struct domain *d)
{
	for (unsigned int i = 0; i < d->nr_vcpus; i++) {
		if (d->vcpus[i]->state != VCPU_ON)
			continue;
		arch_vcpu_dump_parked(d->vcpus[i]);
		work_point();
	}
}

/* No CPU runs it any more: what it owned goes back, scrubbed. */
static void finish(struct work *w)
{
	struct domain *d = container_of(w, struct domain, end);

	console_guest_flush(d);
	if (d->stop_reason == STOP_WATCHDOG)
		dump(d);
	stage2_exit(&d->s2);
	build_release_ram(d);
	report(d);
	if (d->stop_reason != STOP_CRASH && d->stop_reason != STOP_WATCHDOG)
		log_line("d%u %s: %s", d->id, d->name,
			 stop_names[d->stop_reason]);
	WRITE_ONCE(d->state, DOMAIN_OFF);
	all_off();
	console_leave_input(d);
}

void domain_vcpu_left(struct vcpu *v)
{
	struct domain *d = v->domain;
	bool last;

	if (!v->id)
		wdt_exit(d);
	spin_lock(&d->lock);
	last = --d->nr_inside == 0;
	spin_unlock(&d->lock);
	if (last)
		work_submit(&d->end, finish);
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
