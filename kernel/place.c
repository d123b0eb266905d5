/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The book of who is on which CPU. Placement is worst fit: a deadline vCPU goes
 * where the others leave most time, a round-robin one where it gets most of
 * what deadline vCPUs leave.
 */
#include <skerry/place.h>

#include <skerry/admit.h>
#include <skerry/cpu.h>
#include <skerry/fmt.h>
#include <skerry/log.h>
#include <skerry/work.h>

static struct {
	const struct describe_guest *g;
	unsigned int nr; /* of its vCPUs have a CPU */
	u8 cpu[CONFIG_MAX_VCPUS];
} book[CONFIG_MAX_DOMAINS + 1];
static_assert(CONFIG_NR_CPUS <= 256, "a CPU fits a byte");

/* What the book says of each CPU. */
static struct {
	u64 weight; /* of those that share by weight */
	u32 ppm;
} placed[CONFIG_NR_CPUS];

/* Less of its CPU is little for the worker. */
#define WORKER_PPM (ADMIT_WHOLE / 10)

/* Of one CPU, for admit_test(). */
static struct sched_params set[ADMIT_MAX];

/* What collect() has seen on its CPU beside. */
static struct {
	u64 weight;	    /* of those that share by it */
	u32 nr_constrained; /* deadlines before the end of the period */
} seen;

/* The deadline vCPUs of a CPU into `set`; their number. */
static unsigned int collect(unsigned int c)
{
	unsigned int n = 0;

	seen.weight = seen.nr_constrained = 0;
	for (unsigned int id = 1; id <= CONFIG_MAX_DOMAINS; id++)
		for (unsigned int i = 0; i < book[id].nr; i++) {
			const struct sched_params *p = &book[id].g->sched[i];

			if (book[id].cpu[i] != c)
				continue;
			if (!p->budget_us || p->extra_time)
				seen.weight += p->weight;
			seen.nr_constrained += p->deadline_us < p->period_us;
			if (p->budget_us && n++ < ADMIT_MAX)
				set[n - 1] = *p;
		}
	return n;
}

/* Nothing is left of CPU c for those of a guest without a budget. */
static void warn_round_robin(unsigned int c, unsigned int id, unsigned int from)
{
	for (unsigned int i = from; i < book[id].nr; i++) {
		if (book[id].cpu[i] != c || book[id].g->sched[i].budget_us)
			continue;
		work_point();
		log_warn("CPU %u: d%u.%u %s gets only what its deadline vCPUs leave unused of 100 %%",
			 c, id, i, book[id].g->name);
	}
}

/* On CPU c guest `by` has others from vCPU `from` on, which fit; 0: has less. */
static void count(unsigned int c, unsigned int by, unsigned int from)
{
	unsigned int n = collect(c);
	u32 ppm = admit_ppm(set, n), left = ADMIT_WHOLE - ppm;
	bool more = placed[c].ppm < ppm;

	if (c == WORKER_CPU && more && left < WORKER_PPM)
		log_warn("CPU %u: deadline vCPUs leave %u.%04u %% for EL2's worker, which starts, restarts and ends guests and carries out `sched`; `pause N` of their guest makes room",
			 c, left / 10000, left % 10000);
	for (unsigned int id = 1; !left && id <= CONFIG_MAX_DOMAINS; id++)
		if (more || (id == by && placed[c].weight < seen.weight))
			warn_round_robin(c, id, more ? 0 : from);
	placed[c].weight = seen.weight;
	WRITE_ONCE(placed[c].ppm, ppm);
	sched_reserve(c, seen.nr_constrained);
}

u32 place_ppm(unsigned int cpu)
{
	return READ_ONCE(placed[cpu].ppm);
}

/* --- refusals ------------------------------------------------------------ */

/* At a guest's start a warning; of a change the answer. */
static enum log_level tone;
enum tell { TELL_NOT, TELL_ALL, TELL_SUM };

/* What one has of the time that is short. */
static void log_share(unsigned int id, unsigned int vcpu,
		      const struct admit_result *r)
{
	const struct sched_params *p = &book[id].g->sched[vcpu];
	u32 ppm = admit_ppm(p, 1);
	char within[24] = "", share[24];

	if (r->verdict == ADMIT_LATE || r->verdict == ADMIT_LONG)
		fmt_snprintf(within, sizeof(within), " within %u",
			     p->deadline_us);
	if (r->verdict == ADMIT_LATE)
		fmt_snprintf(share, sizeof(share), "%lu us",
			     admit_demand(p, 1, r->by_us));
	else
		fmt_snprintf(share, sizeof(share), "%u.%04u %%", ppm / 10000,
			     ppm % 10000);
	log_at(tone, "  d%u.%u %s %u of every %u us%s: %s", id, vcpu,
	       book[id].g->name, p->budget_us, p->period_us, within, share);
}

/* From the book: they may be more than `set` has room for. */
static void log_shares(unsigned int c, const struct admit_result *r)
{
	for (unsigned int id = 1; id <= CONFIG_MAX_DOMAINS; id++)
		for (unsigned int i = 0; i < book[id].nr; i++)
			if (book[id].cpu[i] == c &&
			    book[id].g->sched[i].budget_us)
				log_share(id, i, r);
}

/* What is in the book of CPU c is too much. */
static void refuse(unsigned int id, unsigned int c, unsigned int n,
		   const struct admit_result *r, enum tell tell)
{
	bool over = r->verdict == ADMIT_OVER || r->verdict == ADMIT_MANY;
	const char *colon = tell == TELL_ALL ? ":" : "";
	char head[96] = " ";

	if (tell == TELL_ALL)
		fmt_snprintf(head, sizeof(head), "%s: %s: skerry,%s-us:",
			     tone == LOG_NOTICE ? "sched: not changed"
						: "refused",
			     book[id].g->name, over ? "budget" : "deadline");
	switch (r->verdict) {
	case ADMIT_OVER:
		log_at(tone, "%s CPU %u would need %u.%04u %% of its time%s",
		       head, c, r->ppm / 10000, r->ppm % 10000, colon);
		break;
	case ADMIT_LATE:
		log_at(tone,
		       "%s CPU %u needs %lu us by %lu us after a start of all%s",
		       head, c, r->needs_us, r->by_us, colon);
		break;
	case ADMIT_MANY:
		log_at(tone,
		       "%s CPU %u would have %u deadline vCPUs, at most %u%s",
		       head, c, n, ADMIT_MAX, colon);
		break;
	default:
		log_at(tone,
		       "%s CPU %u would need %u.%04u %% of its time, and cannot be shown to suffice within %u steps; periods that are multiples of each other help%s",
		       head, c, r->ppm / 10000, r->ppm % 10000, ADMIT_STEPS,
		       colon);
	}
	if (tell == TELL_ALL)
		log_shares(c, r);
}

/* CPU c as it is in the book; tells what is wrong, if that is wanted. */
static int admit(unsigned int id, unsigned int c, enum tell tell)
{
	struct admit_result r;
	unsigned int n = collect(c);

	admit_test(set, n, &r);
	if (r.verdict == ADMIT_FITS)
		return 0;
	if (tell)
		refuse(id, c, n, &r, tell);
	return -ENOSPC;
}

/* --- placement ----------------------------------------------------------- */

/* CPU c is better than `best` for a vCPU with p. */
static bool is_better(unsigned int c, unsigned int best,
		      const struct sched_params *p)
{
	u64 w_c = placed[c].weight, w_best = placed[best].weight;

	if (p->budget_us && placed[c].ppm != placed[best].ppm)
		return placed[c].ppm < placed[best].ppm;
	if (p->budget_us)
		return w_c < w_best;
	/* Weight by time left, with it: below 2^31 and 2^20. */
	return (w_c + p->weight) * (ADMIT_WHOLE - placed[best].ppm) <
	       (w_best + p->weight) * (ADMIT_WHOLE - placed[c].ppm);
}

/* CONFIG_NR_CPUS: none. */
static unsigned int best_of(u64 mask, const struct sched_params *p)
{
	unsigned int best = CONFIG_NR_CPUS;

	for (unsigned int c = 0; c < nr_cpus; c++)
		if ((mask & BIT(c)) &&
		    (best == CONFIG_NR_CPUS || is_better(c, best, p)))
			best = c;
	return best;
}

/* Of those that the guest is not on yet, if there is one. */
static unsigned int choose_cpu(u64 mask, u64 used, const struct sched_params *p)
{
	unsigned int best = best_of(mask & ~used, p);

	return best == CONFIG_NR_CPUS ? best_of(mask, p) : best;
}

/* The next vCPU of the guest; its CPU, or an error. */
static int place(unsigned int id, u64 used)
{
	unsigned int n = book[id].nr++, c, first = CONFIG_NR_CPUS;
	const struct sched_params *p = &book[id].g->sched[n];
	u64 mask = book[id].g->affinity[n];
	int err;

	while ((c = choose_cpu(mask, used, p)) < CONFIG_NR_CPUS) {
		book[id].cpu[n] = (u8)c;
		if (!p->budget_us || !admit(id, c, TELL_NOT))
			return (int)c;
		first = first == CONFIG_NR_CPUS ? c : first;
		mask &= ~BIT(c);
	}
	book[id].cpu[n] = (u8)first;
	err = admit(id, first, TELL_ALL);
	/* What each of the others would need: bounded by their number. */
	mask = book[id].g->affinity[n] & ~BIT(first);
	while ((c = choose_cpu(mask, used, p)) < CONFIG_NR_CPUS) {
		book[id].cpu[n] = (u8)c;
		err = admit(id, c, TELL_SUM);
		mask &= ~BIT(c);
	}
	return err;
}

int place_guest(unsigned int id, const struct describe_guest *g)
{
	u64 used = 0;

	tone = LOG_WARNING;
	book[id].g = g;
	while (book[id].nr < g->nr_vcpus) {
		int c = place(id, used);

		if (c < 0) {
			/* What is not counted yet goes unseen. */
			place_free(id);
			return c;
		}
		used |= BIT(c);
		count((unsigned int)c, id, book[id].nr - 1);
	}
	return 0;
}

void place_free(unsigned int id)
{
	while (book[id].nr)
		count(book[id].cpu[--book[id].nr], 0, 0);
}

unsigned int place_of(unsigned int id, unsigned int vcpu)
{
	return book[id].cpu[vcpu];
}

int place_again(unsigned int id)
{
	int err = 0;

	tone = LOG_NOTICE;
	for (unsigned int i = 0; !err && i < book[id].nr; i++)
		err = admit(id, book[id].cpu[i], TELL_ALL);
	for (unsigned int i = 0; !err && i < book[id].nr; i++)
		count(book[id].cpu[i], id, 0);
	return err;
}
