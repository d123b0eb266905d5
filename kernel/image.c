/* SPDX-License-Identifier: Apache-2.0 */
/* The modules of guests, the ring of keys, and what may be started (image.h). */
#include <skerry/image.h>

#include <skerry/arch/layout.h>
#include <skerry/arch/mmu.h>
#include <skerry/fmt.h>
#include <skerry/log.h>
#include <skerry/panic.h>
#include <skerry/string.h>
#include <skerry/time.h>
#include <skerry/work.h>

#define NR_MODULES 4

struct images images;
static struct verify_ring ring; /* what may sign guests of this boot */

static const struct page_bank *module_of(const struct describe_guest *g,
					 unsigned int n)
{
	const struct page_bank *all[NR_MODULES] = {&g->fit, &g->kernel,
						   &g->ramdisk, &g->dtb};

	return all[n];
}

/* Its place in the list, or that of the list's end. */
static unsigned int find(const struct page_bank *m)
{
	unsigned int i = 0;

	while (i < images.nr_modules && (images.modules[i].base != m->base ||
					 images.modules[i].size != m->size))
		i++;
	return i;
}

static bool overlaps(const struct page_bank *m)
{
	for (unsigned int i = 0; i < images.nr_modules; i++) {
		const struct page_bank *b = &images.modules[i];

		if (m->base < align_up(b->base + b->size, PAGE_SIZE) &&
		    b->base < align_up(m->base + m->size, PAGE_SIZE))
			return true;
	}
	return false;
}

int image_add(const struct describe_guest *g)
{
	unsigned int before = images.nr_modules;

	for (unsigned int n = 0; n < NR_MODULES; n++) {
		const struct page_bank *m = module_of(g, n);

		if (!m->size || find(m) < images.nr_modules)
			continue;
		if (images.nr_modules == IMAGE_MAX_MODULES || overlaps(m)) {
			bool full = !overlaps(m);

			images.nr_modules = before;
			return full ? -ENOSPC : -EEXIST;
		}
		images.modules[images.nr_modules++] = *m;
	}
	return 0;
}

void image_keep(const struct describe_guest *g)
{
	for (unsigned int n = 0; n < NR_MODULES; n++)
		if (module_of(g, n)->size)
			images.kept[find(module_of(g, n))] = true;
}

bool image_is_there(const struct describe_guest *g)
{
	for (unsigned int n = 0; n < NR_MODULES; n++)
		if (module_of(g, n)->size &&
		    find(module_of(g, n)) == images.nr_modules)
			return false;
	return true;
}

void image_free_rest(void)
{
	for (unsigned int i = 0; i < images.nr_modules; i++) {
		struct page_bank *m = &images.modules[i];
		u64 pa = align_down(m->base, PAGE_SIZE);
		u64 end = align_up(m->base + m->size, PAGE_SIZE);

		if (images.kept[i] || !m->size)
			continue;
		check(!page_release(PADDR(pa), end - pa, PAGE_HYP,
				    PAGE_OWNER_NONE));
		*m = (struct page_bank){0};
	}
}

/* --- keys ---------------------------------------------------------------- */

/* Each key that is revoked, and whether there is such a key. */
static void revoke_keys(const struct describe_chosen *c)
{
	for (unsigned int n = 0; n < c->nr_revoked; n++) {
		u8 print[SHA256_SIZE];
		char hex[2 * SHA256_SIZE + 1];
		bool found = false;

		describe_revoked(c, n, print);
		for (unsigned int i = 0; i < ring.nr; i++)
			if (!memcmp(ring.keys[i].fingerprint, print,
				    SHA256_SIZE)) {
				ring.revoked |= BIT(i);
				found = true;
			}
		fmt_hex(hex, print, SHA256_SIZE);
		if (!found)
			log_line("revoked key %s is none of this build", hex);
	}
}

void image_read_keys(const struct describe_chosen *c)
{
	char hex[2 * SHA256_SIZE + 1];

	ring = verify_built_in;
	revoke_keys(c);
	for (unsigned int i = 0; i < ring.nr; i++) {
		const struct verify_key *k = &ring.keys[i];

		fmt_hex(hex, k->fingerprint, SHA256_SIZE);
		log_line("key \"%s\": %s %s, fingerprint %s", k->name,
			 verify_algo_name(k), verify_padding_name(k), hex);
		if (ring.revoked & BIT(i))
			log_line("key \"%s\" is revoked", k->name);
		else if (k->development)
			log_warn("key \"%s\" is a DEVELOPMENT KEY: whoever has its folder can sign guests",
				 k->name);
	}
	if (CONFIG_ALLOW_UNSIGNED)
		log_warn("guests may be UNSIGNED in this build");
	if (c->attested)
		log_line("description: attested by the loader: %s", c->attested);
	else
		log_warn("description: not attested by the loader: who can write the boot medium controls it");
}

/* --- one image ----------------------------------------------------------- */

static struct load_part part_of(const struct describe_guest *g,
				const struct fit_part *p)
{
	return (struct load_part){
		.at = {g->fit.base + p->offset, p->size},
		.hash = p->hash,
	};
}

/* Take those in front of the n-th out of the direct map again. */
static void unmap(const struct describe_guest *g, unsigned int n)
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

static int map(const struct describe_guest *g)
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
		unmap(g, n);
		return err;
	}
	return 0;
}

/* Judge a signed image, and say where its parts are. */
static int open_fit(const struct describe_guest *g, struct image *img)
{
	struct fit_guest *fit = &img->fit;
	u64 start = time_now();
	struct fit_error why;
	int err = fit_open(direct_ptr(PADDR(g->fit.base)), g->fit.size,
			   g->config, g->min_version, &ring, fit, &why);

	images.verify_ticks += time_now() - start;
	if (err) {
		log_warn("refused: %s: %s: %s", g->name, g->fit_node, why.text);
		return err;
	}
	img->load = (struct load_image){
		.kernel = part_of(g, &fit->kernel),
		.ramdisk = part_of(g, &fit->ramdisk),
		.dtb = part_of(g, &fit->dtb),
		.bootargs = fit->bootargs,
		.node = g->fit_node,
	};
	memcpy(img->load.digest, fit->digest, SHA256_SIZE);
	return 0;
}

int image_open(const struct describe_guest *g, struct image *img)
{
	int err;

	if (!g->fit.size && !CONFIG_ALLOW_UNSIGNED) {
		log_warn("refused: %s: unsigned: this build starts signed images only (skerry,fit)",
			 g->name);
		return -EACCES;
	}
	err = map(g);
	if (err)
		return err;
	memset(img, 0, sizeof(*img));
	img->load = (struct load_image){
		.kernel.at = g->kernel,
		.ramdisk.at = g->ramdisk,
		.dtb.at = g->dtb,
		.bootargs = g->bootargs,
	};
	err = g->fit.size ? open_fit(g, img) : 0;
	if (err)
		image_close(g);
	return err;
}

void image_close(const struct describe_guest *g)
{
	unmap(g, NR_MODULES);
}
