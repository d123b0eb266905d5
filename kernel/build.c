/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a domain is made of. What fails here refuses one guest with one line and
 * undoes what was done for it; the others go on.
 */
#include <skerry/build.h>

#include <skerry/arch/cache.h>
#include <skerry/arch/gic.h>
#include <skerry/arch/mmu.h>
#include <skerry/cpu.h>
#include <skerry/domain.h>
#include <skerry/layout.h>
#include <skerry/log.h>
#include <skerry/panic.h>
#include <skerry/place.h>
#include <skerry/string.h>
#include <skerry/work.h>

u64 build_scrub_ticks;

static void scrub(paddr_t pa, u64 size)
{
	u64 start = time_now();

	for (u64 n; size; pa.v += n, size -= n) {
		n = min(size, WORK_PIECE - (pa.v & (WORK_PIECE - 1)));
		cache_zero_clean(mmu_window(0, pa), n);
		mmu_window_close(0);
		work_point();
	}
	build_scrub_ticks += time_now() - start;
}

/* --- CPUs ---------------------------------------------------------------- */

static int check_cpus(const struct describe_guest *g)
{
	if (gic_version() == 2 && g->nr_vcpus > VGIC_V2_MAX_VCPUS) {
		log_warn("refused: %s: cpus: %u, but at most %u with a GICv2",
			 g->name, g->nr_vcpus, VGIC_V2_MAX_VCPUS);
		return -EINVAL;
	}
	for (unsigned int n = 0; n < g->nr_vcpus; n++) {
		if (g->affinity[n] & BITS(nr_cpus - 1, 0))
			continue;
		log_warn("refused: %s: hard-affinity: no physical CPU for vCPU %u (%u CPUs, affinity %#lx)",
			 g->name, n, nr_cpus, g->affinity[n]);
		return -EINVAL;
	}
	return 0;
}

static int add_vcpus(struct domain *d)
{
	for (unsigned int n = 0; n < d->nr_vcpus; n++) {
		struct vcpu *v = pool_alloc(&d->pool, sizeof(*v), 64);

		if (!v)
			return -ENOMEM;
		v->domain = d;
		v->id = n;
		v->cpu = place_of(d->id, n);
		d->vcpus[n] = v;
	}
	return 0;
}

/* --- memory -------------------------------------------------------------- */

static int alloc_ram(struct domain *d, u64 ipa, u64 size)
{
	struct domain_home *h = &d->home;

	for (u64 n; size; ipa += n, size -= n) {
		struct domain_ram *r = &h->ram[h->nr_ram];

		/* Later there may be larger ones. */
		if (h->nr_ram == DOMAIN_MAX_RAM)
			return -ENOMEM;
		n = size;
		/* 1 GiB blocks where they can be had, then what fits. */
		while (page_alloc(n, n >= GIB ? GIB : FRAME_SIZE, ~0UL,
				  PAGE_OWNED, (u8)d->id, &r->pa) &&
		       page_alloc(n, FRAME_SIZE, ~0UL, PAGE_OWNED, (u8)d->id,
				  &r->pa)) {
			if (n <= FRAME_SIZE)
				return -ENOMEM;
			n = align_up(n / 2, FRAME_SIZE);
		}
		r->ipa = IPA(ipa);
		r->size = n;
		h->nr_ram++;
		scrub(r->pa, n);
	}
	return 0;
}

static int map_ram(struct domain *d)
{
	for (unsigned int n = 0; n < d->home.nr_ram; n++) {
		const struct domain_ram *r = &d->home.ram[n];
		int err = stage2_map(&d->s2, r->ipa, r->pa, r->size,
				     PGT_R | PGT_W | PGT_X);

		if (err)
			return err;
	}
	return 0;
}

static void zero(u8 *p, u64 size)
{
	for (u64 n; size; p += n, size -= n) {
		n = min(size, WORK_PIECE);
		memset(p, 0, n);
		work_point();
	}
}

void *build_alloc_hyp(u64 size)
{
	u64 align = size < FRAME_SIZE ? PAGE_SIZE : FRAME_SIZE;
	paddr_t pa;

	if (page_alloc(size, align, ~0UL, PAGE_HYP, PAGE_OWNER_NONE, &pa))
		return NULL;
	if (mmu_map_direct(pa, size)) {
		check(!page_release(pa, size, PAGE_HYP, PAGE_OWNER_NONE));
		return NULL;
	}
	work_point();
	zero(direct_ptr(pa), size);
	return direct_ptr(pa);
}

void build_free_hyp(void *base, u64 size)
{
	paddr_t pa = direct_pa(base);

	zero(base, size);
	mmu_unmap_direct(pa, size);
	check(!page_release(pa, size, PAGE_HYP, PAGE_OWNER_NONE));
}

static_assert(sizeof(struct domain) <= 64 * KIB, "fits every pool");

/* Its pool is zero from `used` on. */
static struct domain *new_domain(unsigned int id,
				 const struct describe_guest *g, u8 *base)
{
	struct pool pool;
	struct domain *d;

	pool_init(&pool, base, g->pool_size);
	d = pool_alloc(&pool, sizeof(*d), 64);
	if (!d) /* only where allocations are made to fail */
		return NULL;
	d->pool = pool;
	d->id = id;
	memcpy(d->name, g->name, sizeof(d->name));
	spin_init(&d->lock, RANK_DOMAIN);
	spin_init(&d->vcpu_lock, RANK_VCPU);
	d->memory = g->memory;
	d->nr_vcpus = d->nr_inside = g->nr_vcpus;
	d->wfi_trap = g->wfi_trap;
	return d;
}

static void free_home(unsigned int id, struct domain_home *h)
{
	for (; h->nr_ram; h->nr_ram--) {
		const struct domain_ram *r = &h->ram[h->nr_ram - 1];

		check(!page_release(r->pa, r->size, PAGE_OWNED, (u8)id));
	}
}

/* --- life ---------------------------------------------------------------- */

void build_stop(struct domain *d)
{
	domain_exit_parts(d);
	for (unsigned int n = 0; n < d->home.nr_ram; n++)
		scrub(d->home.ram[n].pa, d->home.ram[n].size);
	WRITE_ONCE(d->state, DOMAIN_DEAD);
}

void build_free(struct domain *d)
{
	free_home(d->id, &d->home);
	place_free(d->id);
	/* d itself is in the pool. */
	build_free_hyp(d->pool.base, d->pool.size);
}

static struct domain *first(unsigned int id, const struct describe_guest *g)
{
	struct page_stats st;
	struct domain *d;
	u8 *base;

	/* Before anything is scrubbed that will not suffice. */
	page_stats(&st);
	if (st.free < g->memory) {
		log_warn("refused: %s: memory: %lu MiB, but %lu are free",
			 g->name, g->memory / MIB, st.free / MIB);
		return NULL;
	}
	base = build_alloc_hyp(g->pool_size);
	d = base ? new_domain(id, g, base) : NULL;
	if (base && !d)
		build_free_hyp(base, g->pool_size);
	if (!d)
		log_warn("refused: %s: no memory for its pool of %lu KiB",
			 g->name, g->pool_size / KIB);
	return d;
}

static struct domain *again(struct domain *d, const struct describe_guest *g)
{
	struct domain_home home = d->home;
	unsigned int id = d->id;
	u8 *base = d->pool.base;

	zero(base, d->pool.used);
	d = new_domain(id, g, base);
	if (d) {
		d->home = home;
		return d;
	}
	free_home(id, &home);
	build_free_hyp(base, g->pool_size);
	log_warn("refused: %s: no memory in its pool", g->name);
	return NULL;
}

static int fill(struct domain *d, const struct describe_guest *g)
{
	const char *what = "memory: not enough free RAM, or pool";
	u64 low = min(g->memory, GUEST_RAM0_SIZE);
	int err = 0;

	if (!d->home.nr_ram)
		err = alloc_ram(d, GUEST_RAM0_BASE, low)
			      ?: alloc_ram(d, GUEST_RAM1_BASE, g->memory - low);
	if (!err) {
		what = "xen,domain-p2m-mem-mb: pool";
		err = add_vcpus(d) ?: domain_init_parts(d, g) ?: map_ram(d);
	}
	if (err)
		log_warn("refused: %s: %s too small (error %d)", g->name, what,
			 err);
	return err;
}

int build_domain(struct domain **d, unsigned int id,
		 const struct describe_guest *g)
{
	struct domain *was = *d, *now;
	int err = 0;

	/* Others that run at work points find it whole, or not at all. */
	*d = NULL;
	if (!was)
		err = check_cpus(g) ?: place_guest(id, g);
	if (err)
		return err;
	now = was ? again(was, g) : first(id, g);
	if (!now) {
		place_free(id);
		return -ENOMEM;
	}
	err = fill(now, g);
	if (!err) {
		*d = now;
		return 0;
	}
	build_stop(now);
	build_free(now);
	return err;
}
