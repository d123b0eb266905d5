/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of vCPUs' parameters. The worker is between two steps of a guest's
 * life when it looks at one: a guest has its CPUs, and lives, or it does not.
 */
#include <skerry/params.h>

#include <skerry/admit.h>
#include <skerry/log.h>
#include <skerry/place.h>
#include <skerry/string.h>
#include <skerry/work.h>

/* What was ordered; the worker's while busy. */
static struct {
	struct work work;
	u32 busy; /* any CPU sets, the worker clears */
	unsigned int id, vcpu;
	struct sched_params to;
	char name[DESCRIBE_NAME_SIZE];
} change;

/* 0, or why they cannot change. */
static int may_change(const struct guest *g, unsigned int vcpu)
{
	if (!g)
		return -ENOENT;
	if (g->phase == GUEST_DOWN && !guest_may_start(g))
		return -EACCES;
	return vcpu == PARAMS_ALL_VCPUS || vcpu < g->desc.nr_vcpus ? 0 : -ENOENT;
}

static bool is_meant(unsigned int vcpu)
{
	return change.vcpu == PARAMS_ALL_VCPUS || change.vcpu == vcpu;
}

static int change_params(struct guest *g)
{
	struct sched_params *p = g->desc.sched;
	char why[ADMIT_WHY];

	for (unsigned int i = 0; i < g->desc.nr_vcpus; i++) {
		const char *prop;

		if (!is_meant(i))
			continue;
		admit_change(&p[i], &change.to);
		prop = admit_check(&p[i], why);
		if (!prop)
			continue;
		log_at(LOG_NOTICE, "sched: not changed: %s: vCPU %u: %s: %s",
		       g->desc.name, i, prop, why);
		return -EINVAL;
	}
	return place_again(g->id);
}

static void set_params(struct guest *g)
{
	char text[ADMIT_TEXT];

	for (unsigned int i = 0; i < g->desc.nr_vcpus; i++) {
		const struct sched_params *p = &g->desc.sched[i];

		if (!is_meant(i))
			continue;
		/* It may stop meanwhile, but only the worker frees it. */
		if (g->phase == GUEST_LIVE && domain_is_live(g->d))
			sched_set(g->d->vcpus[i], p);
		work_point();
		admit_text(p, text);
		log_at(LOG_NOTICE, "d%u.%u %s: %s", g->id, i, g->desc.name,
		       text);
		if (p->budget_us && !p->extra_time &&
		    (change.to.weight & change.to.slice_us) != ADMIT_KEEP)
			log_at(LOG_NOTICE,
			       "  weight %u, slice %u us: of no effect without extra=1",
			       p->weight, p->slice_us);
	}
}

static void change_sched(struct work *w __unused)
{
	static struct sched_params was[DESCRIBE_MAX_VCPUS];
	struct guest *g = guest_find(change.id);

	/* The slot may be another guest's by now. */
	if (may_change(g, change.vcpu) || strcmp(g->desc.name, change.name)) {
		log_at(LOG_NOTICE, "sched: not changed: %s: it is gone",
		       change.name);
	} else {
		memcpy(was, g->desc.sched, sizeof(was));
		if (!change_params(g))
			set_params(g);
		else
			memcpy(g->desc.sched, was, sizeof(was));
	}
	__atomic_store_n(&change.busy, 0U, __ATOMIC_RELEASE);
}

int params_change(unsigned int id, unsigned int vcpu,
		  const struct sched_params *to)
{
	struct guest *g = guest_find(id);
	int err = may_change(g, vcpu);

	if (err)
		return err;
	if (__atomic_exchange_n(&change.busy, 1U, __ATOMIC_ACQUIRE))
		return -EBUSY;
	change.id = id;
	change.vcpu = vcpu;
	change.to = *to;
	memcpy(change.name, g->desc.name, sizeof(change.name));
	work_submit(&change.work, change_sched);
	return 0;
}
