/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is built from descriptions: which images are judged and how, each
 * refusal with its line, that everything is undone then, and what the boot log
 * says of keys. The RAM of guests is scrub_test.c's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <skerry/util.h>

static bool allow_unsigned;
#undef CONFIG_ALLOW_UNSIGNED
#define CONFIG_ALLOW_UNSIGNED allow_unsigned
#include "../../kernel/build.c"

#define MODULE (GIB + 0x123008)
#define ZEROS  "000000000000000000000000000000000000000000000000000000000000"
#define DEV    "key \"dev\": algo padding, fingerprint 0100" ZEROS "|"
#define PROD   "key \"prod\": algo padding, fingerprint 02" ZEROS "09|"
/* Of both keys, the first one being nobody's secret. */
#define DEV_WARNING                                                                \
	DEV "! key \"dev\" is a DEVELOPMENT KEY: whoever has its folder can sign " \
	    "guests|" PROD
#define NOT_ATTESTED                                                           \
	"! description: not attested by the loader: who can write the boot "   \
	"medium controls it|"
#define HEX "0102030000000000000000000000000000000000000000000000000000000004"

struct cpu cpus[CONFIG_NR_CPUS], *host_this_cpu = cpus;
unsigned int nr_cpus = 1;
struct domain *domains[CONFIG_MAX_DOMAINS + 1];
static struct verify_key keys[] = {
	{.name = "dev", .development = true, .fingerprint = {1}},
	{.name = "prod", .fingerprint = {2, [31] = 9}},
};
const char *verify_algo_name(const struct verify_key *k)
{
	return "algo";
}
const char *verify_padding_name(const struct verify_key *k)
{
	return "padding";
}
const struct verify_ring verify_built_in = {.keys = keys, .nr = 2};

static struct describe_guest guests[3];
static unsigned int nr_guests, nr_described;
static struct describe_chosen chosen_in;
static u8 revoked[3][DESCRIBE_FINGERPRINT];
static char logged[4096];
static jmp_buf died;
static u64 now;
static struct {
	u64 pa, size;
} maps[8];
static unsigned int nr_points, nr_maps, nr_opened, nr_loads, nr_starts,
	nr_pools, nr_owned;
static int map_err, fit_err, load_err;
static unsigned int map_err_at;
static bool has_ramdisk;

static void log_text(const char *mark, const char *fmt, va_list ap)
{
	size_t n = strlen(logged);

	n += (size_t)snprintf(logged + n, sizeof(logged) - n, "%s", mark);
	n += (size_t)vsnprintf(logged + n, sizeof(logged) - n, fmt, ap);
	snprintf(logged + n, sizeof(logged) - n, "|");
}
void log_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_text("", fmt, ap);
	va_end(ap);
}
void log_at(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	assert_int_equal(level, LOG_WARNING);
	va_start(ap, fmt);
	log_text("! ", fmt, ap);
	va_end(ap);
}
void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_text("boot: ", fmt, ap);
	longjmp(died, 1);
}
void panic(const char *fmt, ...)
{
	fail_msg("%s", fmt);
	abort();
}
void lock_rank_take(struct spinlock *l)
{
}
void lock_rank_drop(struct spinlock *l)
{
}

int describe_chosen(const void *fdt, struct describe_chosen *out,
		    struct describe_error *err)
{
	*out = chosen_in;
	return 0;
}
void describe_revoked(const struct describe_chosen *c, unsigned int n,
		      u8 out[DESCRIBE_FINGERPRINT])
{
	memcpy(out, revoked[n], sizeof(revoked[n]));
}
bool describe_next(const void *fdt, struct dt_node *node)
{
	return nr_described++ < nr_guests;
}
int describe_guest(const struct dt_node *node, struct describe_guest *out,
		   struct describe_error *err)
{
	*out = guests[nr_described - 1];
	return 0;
}

/* The pages of modules, each mapped once and only while it is looked at. */
int mmu_map_direct(paddr_t pa, u64 size)
{
	assert_true(is_aligned(pa.v | size, PAGE_SIZE) && size);
	if (map_err && !map_err_at--)
		return map_err;
	assert_in_range(nr_maps, 0, ARRAY_SIZE(maps) - 1);
	maps[nr_maps].pa = pa.v;
	maps[nr_maps++].size = size;
	return 0;
}
/* In any number of pieces, from the start of each. */
void mmu_unmap_direct(paddr_t pa, u64 size)
{
	unsigned int i = 0;

	while (i < nr_maps && maps[i].pa != pa.v)
		i++;
	assert_true(i < nr_maps && size && size <= maps[i].size);
	/* No more than a frame at a time. */
	assert_int_equal(pa.v / FRAME_SIZE, (pa.v + size - 1) / FRAME_SIZE);
	maps[i].pa += size;
	maps[i].size -= size;
	if (!maps[i].size)
		maps[i] = maps[--nr_maps];
}
static bool is_mapped(const struct page_bank *m)
{
	for (unsigned int i = 0; i < nr_maps; i++)
		if (maps[i].pa == align_down(m->base, PAGE_SIZE) &&
		    maps[i].pa + maps[i].size ==
			    align_up(m->base + m->size, PAGE_SIZE))
			return true;
	return false;
}

int fit_open(const void *fit, u64 size, const char *config, u32 min_version,
	     const struct verify_ring *ring, struct fit_guest *out,
	     struct fit_error *err)
{
	const struct describe_guest *g = &guests[nr_opened++];

	assert_ptr_equal(fit, direct_ptr(PADDR(g->fit.base)));
	assert_int_equal(size, g->fit.size);
	assert_true(is_mapped(&g->fit));
	assert_ptr_equal(config, g->config);
	assert_int_equal(min_version, g->min_version);
	assert_int_equal(ring->nr, 2);
	now += 1000;
	memset(out, 0, sizeof(*out));
	if (fit_err) {
		snprintf(err->text, sizeof(err->text), "/configurations: why");
		return fit_err;
	}
	*out = (struct fit_guest){
		.kernel = {0x400, 0x1000, {7}},
		.bootargs = "signed=1",
		.version = 3,
		.digest = {1, 2, 3, [31] = 4},
		.key = &ring->keys[ring->revoked & 1],
	};
	if (has_ramdisk) {
		out->ramdisk = (struct fit_part){0x2000, 0x10, {8}};
		out->dtb = (struct fit_part){0x3000, 0x20, {9}};
	}
	return 0;
}

int load_guest(struct domain *d, const struct describe_guest *g,
	       struct load_image *img)
{
	assert_true(is_mapped(g->fit.size ? &g->fit : &g->kernel));
	assert_int_equal(d->is_signed, g->fit.size != 0);
	nr_loads++;
	if (g->fit.size) {
		assert_ptr_equal(img->node, g->fit_node);
		assert_string_equal(img->bootargs, "signed=1");
		assert_int_equal(img->kernel.at.base, g->fit.base + 0x400);
		assert_int_equal(img->kernel.at.size, 0x1000);
		assert_int_equal(img->kernel.hash[0], 7);
		assert_int_equal(img->ramdisk.at.size, has_ramdisk ? 0x10 : 0);
		assert_int_equal(img->dtb.at.size, has_ramdisk ? 0x20 : 0);
		if (has_ramdisk) {
			assert_int_equal(img->ramdisk.at.base,
					 g->fit.base + 0x2000);
			assert_int_equal(img->ramdisk.hash[0], 8);
			assert_int_equal(img->dtb.hash[0], 9);
		}
	} else {
		assert_null(img->node);
		assert_null(img->kernel.hash);
		assert_string_equal(img->bootargs, "plain=1");
		assert_memory_equal(&img->kernel.at, &g->kernel,
				    sizeof(g->kernel));
		assert_memory_equal(&img->ramdisk.at, &g->ramdisk,
				    sizeof(g->kernel));
		assert_memory_equal(&img->dtb.at, &g->dtb, sizeof(g->dtb));
		memcpy(img->digest, (u8[32]){1, 2, 3, [31] = 4}, 32);
	}
	if (load_err)
		log_warn("refused: loading");
	return load_err;
}

u64 time_now(void)
{
	return now;
}
/* Where the one that was just started may run. */
void work_point(void)
{
	nr_points++;
}
void ptimer_vcpu_init(struct vcpu *v)
{
}
unsigned int gic_version(void)
{
	return 3;
}
paddr_t gic_guest_frame(unsigned int n)
{
	return PADDR(0);
}
int vgic_domain_init(struct domain *d, unsigned int nr_spis)
{
	return 0;
}
void vgic_domain_exit(struct domain *d)
{
}
void vgic_vcpu_reset(struct vcpu *v)
{
}
int vpl011_init(struct domain *d)
{
	return 0;
}
int pl031_init(struct domain *d)
{
	return 0;
}
int wdt_init(struct domain *d, u32 ms)
{
	return 0;
}
int stage2_init(struct stage2 *s2, struct pool *pool, u8 vmid)
{
	return 0;
}
void stage2_exit(struct stage2 *s2)
{
}
int stage2_map(struct stage2 *s2, ipa_t ipa, paddr_t pa, u64 size,
	       unsigned int flags)
{
	return 0;
}
void *mmu_window(unsigned int slot, paddr_t pa)
{
	static u8 room[WORK_PIECE];

	assert_int_equal(slot, 0);
	return room;
}
void mmu_window_close(unsigned int slot)
{
	assert_int_equal(slot, 0);
}
void cache_zero_clean(void *p, u64 size)
{
}
void cache_inval_icache_all(void)
{
}
int page_alloc(u64 size, u64 align, u64 limit, enum page_state state, u8 owner,
	       paddr_t *pa)
{
	*pa = PADDR(2 * GIB);
	nr_owned++;
	return 0;
}
int page_release(paddr_t pa, u64 size, enum page_state state, u8 owner)
{
	/* Nothing of a module is mapped any more. */
	if (state == PAGE_OWNED)
		nr_owned--;
	else
		assert_int_equal(nr_maps, 0);
	return 0;
}
void *page_alloc_hyp(u64 size)
{
	nr_pools++;
	return calloc(1, size);
}
void page_free_hyp(void *p, u64 size)
{
	nr_pools--;
	free(p);
}
void sched_place(struct vcpu *v, unsigned int cpu, u32 weight, u32 slice_us)
{
}
void console_give_input(const struct domain *d)
{
}
void domain_start(struct domain *d)
{
	/* Each at once, not behind the loading of all. */
	assert_int_equal(++nr_starts, nr_loads);
	nr_points = 0;
}

static int setup(void **state)
{
	(void)state;
	memset(&build, 0, sizeof(build));
	memset(&plan, 0, sizeof(plan));
	memset(guests, 0, sizeof(guests));
	memset(domains, 0, sizeof(domains));
	chosen_in = (struct describe_chosen){.when_all_off = ALL_OFF_REBOOT};
	memset(revoked, 0, sizeof(revoked));
	allow_unsigned = has_ramdisk = false;
	nr_guests = nr_described = nr_maps = nr_opened = nr_loads = 0;
	nr_starts = nr_pools = nr_owned = 0;
	map_err = fit_err = load_err = 0;
	map_err_at = 0;
	now = 5000;
	return 0;
}

static struct describe_guest *add_guest(const char *name)
{
	struct describe_guest *g = &guests[nr_guests++];

	snprintf(g->name, sizeof(g->name), "%s", name);
	g->memory = 4 * MIB;
	g->nr_vcpus = 1;
	g->pool_size = 128 * KIB;
	g->affinity[0] = ~0UL;
	g->bootargs = "plain=1";
	g->fit_node = "";
	return g;
}

static struct describe_guest *add_fit(const char *name)
{
	struct describe_guest *g = add_guest(name);

	g->fit = (struct page_bank){MODULE + nr_guests * GIB,
				    3 * FRAME_SIZE + 8};
	g->fit_node = "image";
	g->config = "conf";
	g->min_version = 2;
	return g;
}

static struct describe_guest *add_plain(const char *name)
{
	struct describe_guest *g = add_guest(name);

	g->kernel = (struct page_bank){MODULE + 1, 100};
	g->ramdisk = (struct page_bank){MODULE + MIB, MIB};
	g->dtb = (struct page_bank){MODULE + 4 * MIB, 50};
	return g;
}

/* Boots, and the log is this; what was mapped is not any more. */
static void boots(const char *want)
{
	logged[0] = 0;
	if (!setjmp(died)) {
		build_read(NULL);
		build_all();
	}
	assert_string_equal(logged, want);
	assert_int_equal(nr_maps, 0);
	assert_int_equal(build.when_all_off, ALL_OFF_REBOOT);
	assert_true(nr_points || !nr_starts);
	assert_int_equal(nr_owned, nr_starts);
	assert_int_equal(nr_pools, nr_starts);
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		if (domains[i])
			page_free_hyp(domains[i]->pool.base, 0);
	assert_int_equal(nr_pools, 0);
}

static void test_verified(void **state)
{
	const struct measurement *m;
	unsigned int n = 0;

	(void)state;
	add_fit("linux");
	has_ramdisk = true;
	boots(DEV_WARNING NOT_ATTESTED
	      "d1 linux: verified, key \"dev\", version 3, sha256 " HEX "|"
	      "d1 linux: started, 1 vCPU, 4 MiB|");
	assert_int_equal(nr_starts, 1);
	assert_int_equal(build.verify_ticks, 1000);
	while (measure_get(n + 1))
		n++;
	m = measure_get(n);
	assert_int_equal(m->domain, 1);
	assert_string_equal(m->name, "linux");
	assert_string_equal(m->key, "dev");
	assert_int_equal(m->version, 3);
	assert_int_equal(m->digest[31], 4);
}

static void test_unsigned(void **state)
{
	const struct measurement *m;
	unsigned int n = 0;

	(void)state;
	add_plain("one");
	boots(DEV_WARNING NOT_ATTESTED
	      "! refused: one: unsigned: this build starts signed images only "
	      "(skerry,fit)|boot: chosen: no guest to start|");
	assert_int_equal(nr_loads, 0);
	setup(NULL);
	allow_unsigned = true;
	add_plain("one");
	add_fit("two");
	nr_opened = 1; /* the second one's is looked at */
	boots(DEV_WARNING
	      "! guests may be UNSIGNED in this build|" NOT_ATTESTED
	      "! d1 one: UNSIGNED, sha256 " HEX "|"
	      "d1 one: started, 1 vCPU, 4 MiB|"
	      "d2 two: verified, key \"dev\", version 3, sha256 " HEX "|"
	      "d2 two: started, 1 vCPU, 4 MiB|");
	while (measure_get(n + 1))
		n++;
	m = measure_get(n - 1);
	assert_string_equal(m->name, "one");
	assert_null(m->key);
	assert_int_equal(m->version, 0);
}

static void test_refused(void **state)
{
	(void)state;
	add_fit("a");
	fit_err = -EACCES;
	boots(DEV_WARNING NOT_ATTESTED
	      "! refused: a: image: /configurations: why|"
	      "boot: chosen: no guest to start|");
	assert_int_equal(nr_loads, 0);
	assert_int_equal(build.verify_ticks, 1000);
	setup(NULL);
	add_fit("a");
	load_err = -EINVAL;
	boots(DEV_WARNING NOT_ATTESTED "! refused: loading|"
				       "boot: chosen: no guest to start|");
	assert_int_equal(nr_loads, 1);
	assert_null(domains[1]);
}

/* Whichever module cannot be mapped, the others are unmapped again. */
static void test_no_tables(void **state)
{
	(void)state;
	for (unsigned int n = 0; n < 3; n++) {
		setup(NULL);
		allow_unsigned = true;
		add_plain("a");
		map_err = -ENOMEM;
		map_err_at = n;
		boots(DEV_WARNING
		      "! guests may be UNSIGNED in this build|" NOT_ATTESTED
		      "! refused: a: reg: a module cannot be mapped (error -12)|"
		      "boot: chosen: no guest to start|");
		assert_int_equal(nr_loads, 0);
	}
}

/* Whole modules may be shared; parts may not. */
static void test_overlap(void **state)
{
	struct describe_guest *a = add_fit("a"), *b = add_fit("b");

	(void)state;
	b->fit = a->fit;
	boots(DEV_WARNING NOT_ATTESTED
	      "d1 a: verified, key \"dev\", version 3, sha256 " HEX "|"
	      "d1 a: started, 1 vCPU, 4 MiB|"
	      "d2 b: verified, key \"dev\", version 3, sha256 " HEX "|"
	      "d2 b: started, 1 vCPU, 4 MiB|");
	assert_int_equal(build.nr_modules, 0);
	setup(NULL);
	a = add_fit("a");
	b = add_fit("b");
	b->fit = a->fit;
	b->fit.size -= 8;
	boots("! refused: b: reg: module overlaps another guest's|" DEV_WARNING NOT_ATTESTED
	      "d1 a: verified, key \"dev\", version 3, sha256 " HEX "|"
	      "d1 a: started, 1 vCPU, 4 MiB|");
}

static void test_keys(void **state)
{
	(void)state;
	add_fit("a");
	chosen_in.attested = "U-Boot";
	chosen_in.nr_revoked = 3;
	revoked[0][0] = 1; /* dev's */
	revoked[1][31] = 9;
	revoked[2][0] = 1;
	boots("revoked key "
	      "0000000000000000000000000000000000000000000000000000000000000009"
	      " is none of this build|" DEV "key \"dev\" is revoked|" PROD
	      "description: attested by the loader: U-Boot|"
	      "d1 a: verified, key \"prod\", version 3, sha256 " HEX "|"
	      "d1 a: started, 1 vCPU, 4 MiB|");
	assert_int_equal(plan.ring.revoked, 1);
	/* The built-in ring is as it was. */
	assert_int_equal(verify_built_in.revoked, 0);
	setup(NULL);
	add_fit("a");
	chosen_in.nr_revoked = 1;
	memcpy(revoked[0], keys[1].fingerprint, 32);
	boots(DEV_WARNING "key \"prod\" is revoked|" NOT_ATTESTED
			  "d1 a: verified, key \"dev\", version 3, sha256 " HEX
			  "|d1 a: started, 1 vCPU, 4 MiB|");
	assert_int_equal(plan.ring.revoked, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_verified, setup),
		cmocka_unit_test_setup(test_unsigned, setup),
		cmocka_unit_test_setup(test_refused, setup),
		cmocka_unit_test_setup(test_no_tables, setup),
		cmocka_unit_test_setup(test_overlap, setup),
		cmocka_unit_test_setup(test_keys, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
