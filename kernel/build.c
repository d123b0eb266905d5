/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From descriptions to running domains. What fails here refuses one guest
 * with one line and undoes what was done for it; the others go on.
 */
#include <skerry/build.h>

#include <skerry/arch/cache.h>
#include <skerry/arch/gic.h>
#include <skerry/arch/mmu.h>
#include <skerry/cpu.h>
#include <skerry/domain.h>
#include <skerry/dt.h>
#include <skerry/fit.h>
#include <skerry/fmt.h>
#include <skerry/layout.h>
#include <skerry/log.h>
#include <skerry/measure.h>
#include <skerry/panic.h>
#include <skerry/pl031.h>
#include <skerry/ptimer.h>
#include <skerry/string.h>

static struct {
	struct describe_guest guests[CONFIG_MAX_DOMAINS];
	bool ok[CONFIG_MAX_DOMAINS];
	unsigned int nr;
	u64 load[CONFIG_NR_CPUS]; /* weight placed there */
	struct describe_chosen chosen;
	struct verify_ring ring; /* what may sign guests of this boot */
} plan;

struct build build;

#define NR_MODULES 4

static const struct page_bank *module_of(const struct describe_guest *g,
					 unsigned int n)
{
	const struct page_bank *all[NR_MODULES] = {&g->fit, &g->kernel,
						   &g->ramdisk, &g->dtb};

	return all[n];
}

/* Two guests may share a module, whole; nothing may overlap by part. */
static bool add_module(const struct page_bank *m)
{
	if (!m->size)
		return true;
	for (unsigned int i = 0; i < build.nr_modules; i++) {
		const struct page_bank *b = &build.modules[i];

		if (b->base == m->base && b->size == m->size)
			return true;
		if (m->base < align_up(b->base + b->size, PAGE_SIZE) &&
		    b->base < align_up(m->base + m->size, PAGE_SIZE))
			return false;
	}
	build.modules[build.nr_modules++] = *m;
	return true;
}

static bool add_modules(const struct describe_guest *g)
{
	for (unsigned int n = 0; n < NR_MODULES; n++)
		if (!add_module(module_of(g, n)))
			return false;
	return true;
}

void build_read(const void *fdt)
{
	struct describe_error err;
	struct dt_node node = {.name = NULL};

	if (describe_chosen(fdt, &plan.chosen, &err))
		die("%s", err.text);
	build.when_all_off = plan.chosen.when_all_off;
	while (describe_next(fdt, &node)) {
		struct describe_guest *g = &plan.guests[plan.nr];

		if (plan.nr == CONFIG_MAX_DOMAINS)
			die("chosen: more than %u xen,domain nodes",
			    CONFIG_MAX_DOMAINS);
		if (describe_guest(&node, g, &err))
			log_warn("refused: %s", err.text);
		else if (!add_modules(g))
			log_warn("refused: %s: reg: module overlaps another guest's",
				 g->name);
		else
			plan.ok[plan.nr] = true;
		plan.nr++;
	}
}

static void scrub(paddr_t pa, u64 size)
{
	u64 start = time_now();

	for (u64 n; size; pa.v += n, size -= n) {
		n = min(size, WORK_PIECE - (pa.v & (WORK_PIECE - 1)));
		cache_zero_clean(mmu_window(0, pa), n);
		mmu_window_close(0);
		work_point();
	}
	build.scrub_ticks += time_now() - start;
}

/*
 * Worst fit: the CPU of the mask with the least weight, of those that the guest
 * is not on yet if there is one.
 */
static unsigned int choose_cpu(u64 mask, u64 used)
{
	unsigned int best = CONFIG_NR_CPUS;

	if (mask & ~used & BITS(nr_cpus - 1, 0))
		mask &= ~used;
	for (unsigned int c = 0; c < nr_cpus; c++)
		if ((mask & BIT(c)) &&
		    (best == CONFIG_NR_CPUS || plan.load[c] < plan.load[best]))
			best = c;
	return best;
}

static bool has_cpus(const struct describe_guest *g)
{
	if (gic_version() == 2 && g->nr_vcpus > VGIC_V2_MAX_VCPUS) {
		log_warn("refused: %s: cpus: %u, but at most %u with a GICv2",
			 g->name, g->nr_vcpus, VGIC_V2_MAX_VCPUS);
		return false;
	}
	for (unsigned int n = 0; n < g->nr_vcpus; n++) {
		if (g->affinity[n] & BITS(nr_cpus - 1, 0))
			continue;
		log_warn("refused: %s: hard-affinity: no physical CPU for vCPU %u (%u CPUs, affinity %#lx)",
			 g->name, n, nr_cpus, g->affinity[n]);
		return false;
	}
	return true;
}

static int build_vcpus(struct domain *d, const struct describe_guest *g)
{
	u64 used = 0;

	for (unsigned int n = 0; n < g->nr_vcpus; n++) {
		struct vcpu *v = pool_alloc(&d->pool, sizeof(*v), 64);
		unsigned int c = choose_cpu(g->affinity[n], used);

		if (!v)
			return -ENOMEM;
		v->domain = d;
		v->id = n;
		v->cpu = c;
		d->vcpus[n] = v;
		used |= BIT(c);
		plan.load[c] += g->weight;
	}
	return 0;
}

static int alloc_ram(struct domain *d, u64 ipa, u64 size)
{
	for (u64 n; size; ipa += n, size -= n) {
		struct domain_ram *r = &d->ram[d->nr_ram];

		if (d->nr_ram == DOMAIN_MAX_RAM)
			return -ENOSPC;
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
		d->nr_ram++;
		if (stage2_map(&d->s2, r->ipa, r->pa, n, PGT_R | PGT_W | PGT_X))
			return -ENOMEM;
		scrub(r->pa, n);
	}
	return 0;
}

/* The CPU interface of a GICv2 is the hardware's own; the rest is vgic/'s. */
static int map_gicv(struct domain *d)
{
	int err = 0;

	for (unsigned int n = 0; !err && gic_version() == 2 && n < 2; n++)
		err = stage2_map(&d->s2, IPA(GUEST_GICC_BASE + n * PAGE_SIZE),
				 gic_guest_frame(n), PAGE_SIZE,
				 PGT_R | PGT_W | PGT_DEVICE);
	return err;
}

static int build_parts(struct domain *d, const struct describe_guest *g)
{
	int err = stage2_init(&d->s2, &d->pool, (u8)d->id) ?:
		  map_gicv(d) ?:
		  vgic_domain_init(d, g->nr_spis) ?:
		  (g->vpl011 ? vpl011_init(d) : 0) ?:
		  pl031_init(d) ?:
		  (g->watchdog_ms ? wdt_init(d, g->watchdog_ms) : 0);

	for (unsigned int n = 0; !err && n < d->nr_vcpus; n++) {
		ptimer_vcpu_init(d->vcpus[n]);
		vgic_vcpu_reset(d->vcpus[n]);
	}
	return err;
}

void build_release_ram(struct domain *d)
{
	for (; d->nr_ram; d->nr_ram--) {
		const struct domain_ram *r = &d->ram[d->nr_ram - 1];

		scrub(r->pa, r->size);
		check(!page_release(r->pa, r->size, PAGE_OWNED, (u8)d->id));
	}
}

static void undo(struct domain *d)
{
	for (unsigned int n = 0; n < d->nr_vcpus && d->vcpus[n]; n++)
		plan.load[d->vcpus[n]->cpu] -= plan.guests[d->id - 1].weight;
	build_release_ram(d);
	vgic_domain_exit(d);
	stage2_exit(&d->s2);
	/* d itself is in the pool. */
	page_free_hyp(d->pool.base, d->pool.size);
}

static_assert(sizeof(struct domain) <= 64 * KIB, "fits every pool");

static struct domain *new_domain(unsigned int id, const struct describe_guest *g)
{
	void *mem = page_alloc_hyp(g->pool_size);
	struct pool pool;
	struct domain *d;

	if (!mem)
		return NULL;
	pool_init(&pool, mem, g->pool_size);
	d = pool_alloc(&pool, sizeof(*d), 64);
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

static int build_domain(unsigned int i, struct load_image *img)
{
	const struct describe_guest *g = &plan.guests[i];
	struct domain *d = new_domain(i + 1, g);
	const char *what = "xen,domain-p2m-mem-mb: pool";
	u64 low = min(g->memory, GUEST_RAM0_SIZE);
	int err;

	if (!d) {
		log_warn("refused: %s: no memory for its pool of %lu KiB",
			 g->name, g->pool_size / KIB);
		return -ENOMEM;
	}
	d->is_signed = img->node;
	err = build_vcpus(d, g) ?: build_parts(d, g);
	if (!err) {
		what = "memory: not enough free RAM, or pool";
		err = alloc_ram(d, GUEST_RAM0_BASE, low)
			      ?: alloc_ram(d, GUEST_RAM1_BASE, g->memory - low);
	}
	if (err)
		log_warn("refused: %s: %s too small (error %d)", g->name, what,
			 err);
	else
		err = load_guest(d, g, img);
	if (err)
		undo(d);
	else
		/* Other CPUs look through domains[] while guests run. */
		store_release(&domains[d->id], d);
	return err;
}

/* --- images -------------------------------------------------------------- */

/* Each key that is revoked, and whether there is such a key. */
static void revoke_keys(void)
{
	for (unsigned int n = 0; n < plan.chosen.nr_revoked; n++) {
		u8 print[SHA256_SIZE];
		char hex[2 * SHA256_SIZE + 1];
		bool found = false;

		describe_revoked(&plan.chosen, n, print);
		for (unsigned int i = 0; i < plan.ring.nr; i++)
			if (!memcmp(plan.ring.keys[i].fingerprint, print,
				    SHA256_SIZE)) {
				plan.ring.revoked |= BIT(i);
				found = true;
			}
		fmt_hex(hex, print, SHA256_SIZE);
		if (!found)
			log_line("revoked key %s is none of this build", hex);
	}
}

static void read_keys(void)
{
	char hex[2 * SHA256_SIZE + 1];

	plan.ring = verify_built_in;
	revoke_keys();
	for (unsigned int i = 0; i < plan.ring.nr; i++) {
		const struct verify_key *k = &plan.ring.keys[i];

		fmt_hex(hex, k->fingerprint, SHA256_SIZE);
		log_line("key \"%s\": %s %s, fingerprint %s", k->name,
			 verify_algo_name(k), verify_padding_name(k), hex);
		if (plan.ring.revoked & BIT(i))
			log_line("key \"%s\" is revoked", k->name);
		else if (k->development)
			log_warn("key \"%s\" is a DEVELOPMENT KEY: whoever has its folder can sign guests",
				 k->name);
	}
	if (CONFIG_ALLOW_UNSIGNED)
		log_warn("guests may be UNSIGNED in this build");
	if (plan.chosen.attested)
		log_line("description: attested by the loader: %s",
			 plan.chosen.attested);
	else
		log_warn("description: not attested by the loader: who can write the boot medium controls it");
}

static struct load_part part_of(const struct describe_guest *g,
				const struct fit_part *p)
{
	return (struct load_part){
		.at = {g->fit.base + p->offset, p->size},
		.hash = p->hash,
	};
}

/* Take those in front of the n-th out of the direct map again. */
static void unmap_modules(const struct describe_guest *g, unsigned int n)
{
	while (n--) {
		const struct page_bank *m = module_of(g, n);
		u64 pa = align_down(m->base, PAGE_SIZE);
		u64 end = align_up(m->base + m->size, PAGE_SIZE);

		/* Page by page at both ends: a frame at a time. */
		for (u64 next; m->size && pa < end; pa = next) {
			next = min(end, align_down(pa, FRAME_SIZE) + FRAME_SIZE);
			mmu_unmap_direct(PADDR(pa), next - pa);
			work_point();
		}
	}
}

static int map_modules(const struct describe_guest *g)
{
	for (unsigned int n = 0; n < NR_MODULES; n++) {
		const struct page_bank *m = module_of(g, n);
		u64 pa = align_down(m->base, PAGE_SIZE);
		u64 end = align_up(m->base + m->size, PAGE_SIZE);
		int err = m->size ? mmu_map_direct(PADDR(pa), end - pa) : 0;

		if (!err)
			continue;
		log_warn("refused: %s: reg: a module cannot be mapped (error %d)",
			 g->name, err);
		unmap_modules(g, n);
		return err;
	}
	return 0;
}

/* Judge a signed image, and say where its parts are. */
static int open_fit(const struct describe_guest *g, struct fit_guest *fit,
		    struct load_image *img)
{
	u64 start = time_now();
	struct fit_error why;
	int err = fit_open(direct_ptr(PADDR(g->fit.base)), g->fit.size,
			   g->config, g->min_version, &plan.ring, fit, &why);

	build.verify_ticks += time_now() - start;
	if (err) {
		log_warn("refused: %s: %s: %s", g->name, g->fit_node, why.text);
		return err;
	}
	*img = (struct load_image){
		.kernel = part_of(g, &fit->kernel),
		.ramdisk = part_of(g, &fit->ramdisk),
		.dtb = part_of(g, &fit->dtb),
		.bootargs = fit->bootargs,
		.node = g->fit_node,
	};
	memcpy(img->digest, fit->digest, SHA256_SIZE);
	return 0;
}

static int open_image(const struct describe_guest *g, struct fit_guest *fit,
		      struct load_image *img)
{
	memset(fit, 0, sizeof(*fit));
	*img = (struct load_image){
		.kernel.at = g->kernel,
		.ramdisk.at = g->ramdisk,
		.dtb.at = g->dtb,
		.bootargs = g->bootargs,
	};
	return g->fit.size ? open_fit(g, fit, img) : 0;
}

/* Its vCPUs are placed; what it is goes on record first. */
static void start_guest(struct domain *d, const struct describe_guest *g,
			const struct measurement *m)
{
	char hex[2 * SHA256_SIZE + 1];

	/* What was loaded is in memory; no I-cache may hold older contents. */
	cache_inval_icache_all();
	for (unsigned int n = 0; n < d->nr_vcpus; n++)
		sched_place(d->vcpus[n], d->vcpus[n]->cpu, g->weight,
			    g->slice_us);
	measure_add(m);
	fmt_hex(hex, m->digest, SHA256_SIZE);
	if (m->key)
		log_line("d%u %s: verified, key \"%s\", version %u, sha256 %s",
			 d->id, d->name, m->key, m->version, hex);
	else
		log_warn("d%u %s: UNSIGNED, sha256 %s", d->id, d->name, hex);
	log_line("d%u %s: started, %u vCPU%s, %lu MiB", d->id, d->name,
		 d->nr_vcpus, d->nr_vcpus == 1 ? "" : "s", d->memory / MIB);
	console_give_input(d);
	domain_start(d);
	work_point();
}

/* It runs while the next ones are copied and judged. */
static void build_guest(unsigned int i)
{
	const struct describe_guest *g = &plan.guests[i];
	struct measurement m = {.domain = i + 1};
	struct fit_guest fit;
	struct load_image img;
	int err;

	if (!g->fit.size && !CONFIG_ALLOW_UNSIGNED) {
		log_warn("refused: %s: unsigned: this build starts signed images only (skerry,fit)",
			 g->name);
		return;
	}
	if (map_modules(g))
		return;
	err = open_image(g, &fit, &img) ?: build_domain(i, &img);
	unmap_modules(g, NR_MODULES);
	if (err)
		return;
	memcpy(m.name, g->name, sizeof(m.name));
	memcpy(m.digest, img.digest, SHA256_SIZE);
	m.key = fit.key ? fit.key->name : NULL;
	m.version = fit.version;
	start_guest(domains[i + 1], g, &m);
}

static void free_modules(void)
{
	for (unsigned int i = 0; i < build.nr_modules; i++) {
		u64 pa = align_down(build.modules[i].base, PAGE_SIZE);
		u64 end = align_up(build.modules[i].base + build.modules[i].size,
				   PAGE_SIZE);

		check(!page_release(PADDR(pa), end - pa, PAGE_HYP,
				    PAGE_OWNER_NONE));
	}
	build.nr_modules = 0;
}

void build_all(void)
{
	bool any = false;

	read_keys();
	for (unsigned int i = 0; i < plan.nr; i++) {
		if (plan.ok[i] && has_cpus(&plan.guests[i]))
			build_guest(i);
		any |= domains[i + 1] != NULL;
	}
	free_modules();
	if (!any)
		die("chosen: no guest to start");
}
