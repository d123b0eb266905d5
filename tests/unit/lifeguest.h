/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guests of lifehost.h: their descriptions, images that may be refused,
 * the console, and a boot that knows nothing of earlier ones.
 */
#pragma once

#include "lifehost.h"

/* --- descriptions, images and the console -------------------------------- */

static struct describe_guest descs[NR_DESCS];
static unsigned int nr_descs;
static u32 fit_fails, load_fails; /* so many times, or for ever: ~0 */
const struct verify_ring verify_built_in;

static bool fails(u32 *n)
{
	if (!*n)
		return false;
	*n -= *n != ~0U;
	return true;
}

const char *verify_algo_name(const struct verify_key *k)
{
	return "";
}
const char *verify_padding_name(const struct verify_key *k)
{
	return "";
}
int describe_chosen(const void *fdt, struct describe_chosen *out,
		    struct describe_error *err)
{
	*out = (struct describe_chosen){.when_all_off = ALL_OFF_STAY};
	return 0;
}
void describe_revoked(const struct describe_chosen *c, unsigned int n,
		      u8 out[DESCRIBE_FINGERPRINT])
{
	abort();
}
bool describe_next(const void *fdt, struct dt_node *node)
{
	const struct describe_guest *g = descs;

	if (node->name)
		g = container_of(node->name, struct describe_guest, name) + 1;
	node->name = g->name;
	return g < descs + nr_descs;
}
int describe_guest(const struct dt_node *node, struct describe_guest *out,
		   struct describe_error *err)
{
	*out = *container_of(node->name, struct describe_guest, name);
	return 0;
}

static void check_mapped(const struct page_bank *m)
{
	for (u64 pa = align_down(m->base, PAGE_SIZE); pa < m->base + m->size;
	     pa += PAGE_SIZE) {
		must(mapped[(pa - BASE) / PAGE_SIZE]);
		must(page_lookup(PADDR(pa)).state == PAGE_HYP);
	}
}

int fit_open(const void *fit, u64 size, const char *config, u32 min_version,
	     const struct verify_ring *ring, struct fit_guest *out,
	     struct fit_error *err)
{
	struct page_bank m = {direct_pa(fit).v, size};

	check_mapped(&m);
	work_point();
	memset(out, 0, sizeof(*out));
	fmt_snprintf(err->text, sizeof(err->text), "no");
	out->kernel.size = 8;
	return fails(&fit_fails) ? -EACCES : 0;
}

/* As kernel/load.c: the only one that writes before the guest does. */
int load_guest(struct domain *d, const struct describe_guest *g,
	       struct load_image *img)
{
	const struct domain_ram *r = d->home.ram;
	u8 *tree = page_alloc_hyp(2 * PAGE_SIZE);
	int err = 0;

	if (!tree) {
		log_warn("refused: no memory");
		return -ENOMEM;
	}
	check_mapped(&img->kernel.at);
	for (unsigned int n = 0; n < d->home.nr_ram; n++)
		must(is_zero(r[n].pa.v, r[n].size));
	for (unsigned int n = 0; n < 8 && !err; n++) {
		scribble(r->pa.v + rnd((unsigned int)min(r->size, GIB)));
		work_point();
		if (guest_is_cancelled(d->id))
			err = -ECANCELED;
	}
	if (!err && fails(&load_fails)) {
		log_warn("refused: not loaded");
		err = -EINVAL;
	}
	page_free_hyp(tree, 2 * PAGE_SIZE);
	d->vcpus[0]->on_entry = GUEST_RAM0_BASE;
	return err;
}

void console_sync(void)
{
}
void console_irq(void)
{
}
void console_tell_room(void)
{
}
/* Others may find d by now. */
void console_give_input(const struct domain *d)
{
	at_point();
}
void console_leave_input(unsigned int id)
{
}
void console_guest_end(struct domain *d)
{
	must(!d->nr_inside);
}
bool console_guest_is_drained(struct domain *d)
{
	return is_drained();
}
bool console_guest_putc(struct domain *d, u8 c)
{
	return true;
}

static struct describe_guest *describe(const char *name, u64 memory,
				       unsigned int nr_vcpus)
{
	struct describe_guest *g = &descs[nr_descs];
	u64 at = MODULES + 4 * nr_descs++ * MODULE_SIZE;

	*g = (struct describe_guest){
		.memory = memory,
		.nr_vcpus = nr_vcpus,
		.nr_spis = 32,
		.pool_size = 512 * KIB,
		.vpl011 = true,
		.restart = RESTART_ON_CRASH,
		.kernel = {at, MODULE_SIZE - 8},
		.bootargs = "",
		.fit_node = "",
	};
	fmt_snprintf(g->name, sizeof(g->name), "%s", name);
	for (unsigned int n = 0; n < nr_vcpus; n++)
		g->affinity[n] = ~0UL;
	for (unsigned int n = 0; n < nr_vcpus; n++)
		g->sched[n] = (struct sched_params){.weight = 100 + nr_descs,
						    .slice_us = SCHED_SLICE_US};
	return g;
}
static void make_fit(struct describe_guest *g)
{
	g->fit = g->kernel;
	g->kernel.size = 0;
}
static inline void add_modules(struct describe_guest *g)
{
	g->ramdisk = (struct page_bank){g->kernel.base + MODULE_SIZE,
					MODULE_SIZE};
	g->dtb = (struct page_bank){g->ramdisk.base + MODULE_SIZE, 5000};
}

/* --- boot ---------------------------------------------------------------- */

/* The group's setup function. */
static int reserve(void **state)
{
	ram_fd = memfd_create("ram", 0);
	if (ram_fd < 0 || ftruncate(ram_fd, (off_t)MAX_RAM))
		return -1;
	ram = mmap(NULL, MAX_RAM, PROT_READ | PROT_WRITE, MAP_SHARED, ram_fd, 0);
	if (ram == MAP_FAILED)
		return -1;
	return mmap(direct_ptr(PADDR(BASE)), MAX_RAM, PROT_NONE,
		    MAP_SHARED | MAP_FIXED_NOREPLACE, ram_fd, 0) == MAP_FAILED;
}

/* RAM has rubbish everywhere, and the tables of page.c stand in front of modules. */
static void boot_memory(u64 size)
{
	struct page_bank bank = {BASE, size};
	u64 table = align_up(page_table_size(&bank, 1), PAGE_SIZE);

	must(!madvise(ram, MAX_RAM, MADV_REMOVE));
	must(!mprotect(direct_ptr(PADDR(BASE)), MAX_RAM, PROT_NONE));
	memset(mapped, 0, sizeof(mapped));
	ram_size = size;
	nr_mapped = 0;
	fault_arm(0);
	must(table + ghost_size(&bank, 1) <= MODULES - BASE);
	must(!mmu_map_direct(PADDR(BASE), MODULES - BASE));
	memset(direct_ptr(PADDR(BASE)), 0, MODULES - BASE);
	ghost_init(&bank, 1, direct_ptr(PADDR(BASE + table)));
	page_init(&bank, 1, direct_ptr(PADDR(BASE)));
	nr_leaves = 0;
	must(!page_add_hyp(PADDR(BASE), KEPT));
	must(!page_add_free(PADDR(BASE + KEPT), size - KEPT));
	for (u64 at = BASE + KEPT; at < BASE + size; at += 4 * PIECE)
		scribble(at + rnd(4 * PIECE));
}

static void boot_cpus(void)
{
	memset(cpus, 0, sizeof(cpus));
	if (worker)
		memset(worker, 0, sizeof(*worker));
	for (unsigned int c = 0; c < NR_CPUS; c++) {
		host_this_cpu = &cpus[c];
		cpus[c].id = c;
		cpus[c].online = 1;
		cpus[c].vtimer_intid = VTIMER;
		cpus[c].htimer_intid = HTIMER;
		vttbr[c] = NOBODY;
		time_init_cpu();
		sched_init_cpu(c);
	}
	host_this_cpu = &cpus[0];
}

static void boot(u64 size)
{
	boot_memory(size);
	boot_cpus();
	memset(guests, 0, sizeof(guests));
	memset(domains, 0, sizeof(domains));
	memset(&images, 0, sizeof(images));
	window_open[0] = window_open[1] = false;
	fit_fails = load_fails = 0;
	nr_refused = nr_all_off = 0;
	guest_read(NULL);
	work_init();
}

static void start_all(struct work *w)
{
	guest_start_all();
}
