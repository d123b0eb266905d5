/* SPDX-License-Identifier: Apache-2.0 */
/* Look-up of emulated MMIO regions and register rows. */
#include <skerry/emul.h>

#include <skerry/error.h>

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

const struct emul_reg *emul_find_reg(const struct emul_reg *table,
				     unsigned int nr,
				     const struct emul_access *a)
{
	unsigned int lo = 0, hi = nr;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;
		const struct emul_reg *r = &table[mid];

		if (a->offset < r->offset)
			hi = mid;
		else if (a->offset - r->offset >= r->size)
			lo = mid + 1;
		else
			return a->size & r->widths ? r : NULL;
	}
	return NULL;
}

void emul_table_access(const struct emul_reg *table, unsigned int nr,
		       struct vcpu *v, struct emul_access *a)
{
	const struct emul_reg *r = emul_find_reg(table, nr, a);

	if (!a->write)
		a->value = 0;
	if (!r)
		return;
	if (a->write && r->write)
		r->write(v, a);
	else if (!a->write && r->read)
		r->read(v, a);
}
