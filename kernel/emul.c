/* SPDX-License-Identifier: Apache-2.0 */
/* The list of a domain's emulated MMIO regions. */
#include <skerry/emul.h>

int emul_add(struct emul_domain *e, const struct emul_region *r)
{
	unsigned int i;

	if (e->nr == EMUL_MAX_REGIONS)
		return -ENOSPC;
	for (i = 0; i < e->nr; i++) {
		const struct emul_region *o = e->regions[i];

		if (r->base < o->base + o->size && o->base < r->base + r->size)
			return -EEXIST;
	}
	for (i = e->nr; i && e->regions[i - 1]->base > r->base; i--)
		e->regions[i] = e->regions[i - 1];
	e->regions[i] = r;
	e->nr++;
	return 0;
}
