/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stolen time for guests. The page is the pool's, so it stays EL2's own and
 * mapped there; stage 2 has it read-only (kernel/ghost.c knows it). A vCPU's
 * figure changes while it does not run, so writing it when it is loaded is
 * enough.
 */
#include <skerry/pvtime.h>

#include <skerry/arch/cache.h>
#include <skerry/arch/mmu.h>
#include <skerry/domain.h>
#include <skerry/layout.h>
#include <skerry/psci.h>
#include <skerry/smccc.h>

static_assert(CONFIG_MAX_VCPUS * sizeof(struct pvtime) <= PAGE_SIZE,
	      "one page for a domain");

s64 pvtime_features(u32 fn)
{
	return fn == PV_TIME_FEATURES || fn == PV_TIME_ST ? PSCI_SUCCESS
							  : PSCI_NOT_SUPPORTED;
}

s64 pvtime_ask(struct vcpu *v)
{
	v->pvtime = &v->domain->pvtime[v->id];
	pvtime_publish(v);
	return (s64)(GUEST_PVTIME_BASE + v->id * sizeof(struct pvtime));
}

void pvtime_publish(struct vcpu *v)
{
	/* Single-copy atomic, as the guest reads it (DEN0057A 4.1). */
	WRITE_ONCE(v->pvtime->stolen, time_to_ns(v->sched.waited));
}

static int domain_init(struct domain *d, const struct describe_guest *g __unused)
{
	d->pvtime = pool_alloc_page(&d->pool);
	if (!d->pvtime)
		return -ENOMEM;
	/* A guest that reads past the caches finds no one else's old data. */
	cache_clean_inval(d->pvtime, PAGE_SIZE);
	return stage2_map(&d->s2, IPA(GUEST_PVTIME_BASE), direct_pa(d->pvtime),
			  PAGE_SIZE, PGT_R);
}

const struct domain_part pvtime_part = {.domain_init = domain_init};
