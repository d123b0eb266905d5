/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests' images: which modules there are, and until when; which keys may sign
 * them, and what the log says of that; and the opening of one, with all of it
 * mapped and nothing left so after it. The reader of FITs is the test's.
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
#include "../../kernel/image.c"

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

static struct describe_guest g;
static struct describe_chosen chosen;
static u8 revoked[3][DESCRIBE_FINGERPRINT];
static char logged[2048];
static u64 now;
static struct page_bank maps[8], freed[IMAGE_MAX_MODULES];
static unsigned int nr_maps, nr_freed, nr_opened, map_err_at, nr_points;
static int map_err, fit_err;
static struct image img;

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
void panic(const char *fmt, ...)
{
	fail_msg("%s", fmt);
	abort();
}
u64 time_now(void)
{
	return now;
}
void work_point(void)
{
	nr_points++;
}
void describe_revoked(const struct describe_chosen *c, unsigned int n,
		      u8 out[DESCRIBE_FINGERPRINT])
{
	memcpy(out, revoked[n], sizeof(revoked[n]));
}

/* The pages of modules, each mapped once and only while it is looked at. */
int mmu_map_direct(paddr_t pa, u64 size)
{
	assert_true(is_aligned(pa.v | size, PAGE_SIZE) && size);
	if (map_err && !map_err_at--)
		return map_err;
	assert_in_range(nr_maps, 0, ARRAY_SIZE(maps) - 1);
	maps[nr_maps++] = (struct page_bank){pa.v, size};
	return 0;
}
/* In any number of pieces, from the start of each. */
void mmu_unmap_direct(paddr_t pa, u64 size)
{
	unsigned int i = 0;

	while (i < nr_maps && maps[i].base != pa.v)
		i++;
	assert_true(i < nr_maps && size && size <= maps[i].size);
	/* No more than a frame at a time. */
	assert_int_equal(pa.v / FRAME_SIZE, (pa.v + size - 1) / FRAME_SIZE);
	maps[i].base += size;
	maps[i].size -= size;
	if (!maps[i].size)
		maps[i] = maps[--nr_maps];
}
int page_release(paddr_t pa, u64 size, enum page_state state, u8 owner)
{
	assert_int_equal(state, PAGE_HYP);
	assert_int_equal(owner, PAGE_OWNER_NONE);
	/* Nothing of a module is mapped any more. */
	assert_int_equal(nr_maps, 0);
	assert_true(nr_freed < ARRAY_SIZE(freed));
	freed[nr_freed++] = (struct page_bank){pa.v, size};
	return 0;
}

static bool is_mapped(const struct page_bank *m)
{
	for (unsigned int i = 0; i < nr_maps; i++)
		if (maps[i].base == align_down(m->base, PAGE_SIZE) &&
		    maps[i].base + maps[i].size ==
			    align_up(m->base + m->size, PAGE_SIZE))
			return true;
	return false;
}

int fit_open(const void *fit, u64 size, const char *config, u32 min_version,
	     const struct verify_ring *r, struct fit_guest *out,
	     struct fit_error *err)
{
	nr_opened++;
	assert_ptr_equal(fit, direct_ptr(PADDR(g.fit.base)));
	assert_int_equal(size, g.fit.size);
	assert_true(is_mapped(&g.fit));
	assert_ptr_equal(config, g.config);
	assert_int_equal(min_version, g.min_version);
	assert_ptr_equal(r, &ring);
	now += 1000;
	memset(out, 0, sizeof(*out));
	if (fit_err) {
		snprintf(err->text, sizeof(err->text), "/configurations: why");
		return fit_err;
	}
	*out = (struct fit_guest){
		.kernel = {0x400, 0x1000, {7}},
		.ramdisk = {0x2000, 0x10, {8}},
		.dtb = {0x3000, 0x20, {9}},
		.bootargs = "signed=1",
		.version = 3,
		.digest = {1, 2, 3, [31] = 4},
		.key = &r->keys[0],
	};
	return 0;
}

static int setup(void **state)
{
	(void)state;
	memset(&images, 0, sizeof(images));
	memset(&ring, 0, sizeof(ring));
	memset(&g, 0, sizeof(g));
	memset(&chosen, 0, sizeof(chosen));
	memset(revoked, 0, sizeof(revoked));
	memset(&img, 0xa5, sizeof(img));
	allow_unsigned = false;
	nr_maps = nr_freed = nr_opened = nr_points = map_err_at = 0;
	map_err = fit_err = 0;
	now = 5000;
	logged[0] = '\0';
	strcpy(g.name, "web");
	g.bootargs = "plain=1";
	g.fit_node = "";
	return 0;
}

static void set_fit(void)
{
	g.fit = (struct page_bank){MODULE, 3 * FRAME_SIZE + 8};
	g.fit_node = "image";
	g.config = "conf";
	g.min_version = 2;
}

static void set_plain(void)
{
	allow_unsigned = true;
	g.kernel = (struct page_bank){MODULE + 1, 100};
	g.ramdisk = (struct page_bank){MODULE + MIB, 5 * MIB};
	g.dtb = (struct page_bank){MODULE + 16 * MIB, 50};
}

/* --- modules ------------------------------------------------------------- */

/* A guest of one module, or of a kernel and a ramdisk. */
static struct describe_guest guest_of(u64 base, u64 size, u64 base2, u64 size2)
{
	return (struct describe_guest){.kernel = {base, size},
				       .ramdisk = {base2, size2}};
}

static int add(u64 base, u64 size, u64 base2, u64 size2)
{
	struct describe_guest one = guest_of(base, size, base2, size2);

	return image_add(&one);
}

static bool is_there(u64 base, u64 size, u64 base2, u64 size2)
{
	struct describe_guest one = guest_of(base, size, base2, size2);

	return image_is_there(&one);
}

/* Whole modules may be shared; parts may not, nor a page. */
static void test_add(void **state)
{
	u64 at = MODULE, size = 2 * PAGE_SIZE;

	(void)state;
	assert_int_equal(add(at, size, 0, 0), 0);
	assert_int_equal(images.nr_modules, 1);
	assert_int_equal(add(at, size, at + 16 * PAGE_SIZE, 1), 0);
	assert_int_equal(images.nr_modules, 2);
	assert_int_equal(add(at, size - 8, 0, 0), -EEXIST);
	assert_int_equal(add(at + 8, size, 0, 0), -EEXIST);
	assert_int_equal(add(at - 8, 8, 0, 0), -EEXIST);
	assert_int_equal(add(at - PAGE_SIZE, size + 2 * PAGE_SIZE, 0, 0),
			 -EEXIST);
	assert_int_equal(add(at + size, 1, 0, 0), -EEXIST);
	/* Neighbours' pages are their own. */
	assert_int_equal(add(align_down(at, PAGE_SIZE) - 8, 8, 0, 0), 0);
	assert_int_equal(add(align_up(at + size, PAGE_SIZE), 8, 0, 0), 0);
	assert_int_equal(images.nr_modules, 4);
	/* Refused for its second one, the first one is not there either. */
	assert_int_equal(add(2 * GIB, 8, at + 16 * PAGE_SIZE + 1, 8), -EEXIST);
	assert_int_equal(images.nr_modules, 4);
	assert_false(is_there(2 * GIB, 8, 0, 0));
	assert_true(is_there(at, size, at + 16 * PAGE_SIZE, 1));
	assert_false(is_there(at, size, 2 * GIB, 8));
	assert_false(is_there(at, size - 8, 0, 0));
	assert_false(is_there(at + 1, size, 0, 0));
	/* Its own two may not overlap. */
	assert_int_equal(add(3 * GIB, 100, 3 * GIB + 8, 8), -EEXIST);
}

/* As many as there is room for; one that is known needs none. */
static void test_add_full(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < IMAGE_MAX_MODULES; i++)
		assert_int_equal(add(GIB + i * MIB, MIB, 0, 0), 0);
	assert_int_equal(add(GIB, MIB, 2 * MIB + GIB, MIB), 0);
	assert_int_equal(add(8 * GIB, MIB, 0, 0), -ENOSPC);
	assert_int_equal(images.nr_modules, IMAGE_MAX_MODULES);
}

/* Each of the four kinds is one. */
static void test_kinds(void **state)
{
	struct describe_guest one = {.fit = {GIB, 1},
				     .kernel = {2 * GIB, 1},
				     .ramdisk = {3 * GIB, 1},
				     .dtb = {4 * GIB, 1}};

	(void)state;
	assert_int_equal(image_add(&one), 0);
	assert_int_equal(images.nr_modules, 4);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(images.modules[i].base, (i + 1) * GIB);
}

/* What nobody keeps goes back in whole pages, once. */
static void test_free_rest(void **state)
{
	struct describe_guest keeper = guest_of(MODULE + GIB, 8, 0, 0);

	(void)state;
	assert_int_equal(add(MODULE, 2 * PAGE_SIZE, MODULE + GIB, 8), 0);
	assert_int_equal(add(MODULE + 2 * GIB, 8, 0, 0), 0);
	image_keep(&keeper);
	image_free_rest();
	assert_int_equal(nr_freed, 2);
	assert_int_equal(freed[0].base, align_down(MODULE, PAGE_SIZE));
	assert_int_equal(freed[0].size, 3 * PAGE_SIZE);
	assert_int_equal(freed[1].base, align_down(MODULE, PAGE_SIZE) + 2 * GIB);
	assert_int_equal(freed[1].size, PAGE_SIZE);
	assert_true(image_is_there(&keeper));
	assert_false(is_there(MODULE, 2 * PAGE_SIZE, 0, 0));
	assert_false(is_there(MODULE + GIB, 8, MODULE + 2 * GIB, 8));
	image_free_rest();
	assert_int_equal(nr_freed, 2);
}

/* --- keys ---------------------------------------------------------------- */

static void reads_keys(const char *want)
{
	logged[0] = '\0';
	image_read_keys(&chosen);
	assert_string_equal(logged, want);
	assert_int_equal(ring.nr, 2);
	assert_ptr_equal(ring.keys, keys);
	/* The built-in ring is as it was. */
	assert_int_equal(verify_built_in.revoked, 0);
}

static void test_keys(void **state)
{
	(void)state;
	reads_keys(DEV_WARNING NOT_ATTESTED);
	assert_int_equal(ring.revoked, 0);
	allow_unsigned = true;
	chosen.attested = "U-Boot";
	reads_keys(DEV_WARNING "! guests may be UNSIGNED in this build|"
			       "description: attested by the loader: U-Boot|");
}

static void test_revoked(void **state)
{
	(void)state;
	chosen.attested = "U-Boot";
	chosen.nr_revoked = 3;
	revoked[0][0] = 1; /* dev's */
	revoked[1][31] = 9;
	revoked[2][0] = 1;
	reads_keys(
		"revoked key "
		"0000000000000000000000000000000000000000000000000000000000000009"
		" is none of this build|" DEV "key \"dev\" is revoked|" PROD
		"description: attested by the loader: U-Boot|");
	assert_int_equal(ring.revoked, 1);
	/* Read anew, the others are forgotten. */
	chosen.nr_revoked = 1;
	memcpy(revoked[0], keys[1].fingerprint, 32);
	reads_keys(DEV_WARNING "key \"prod\" is revoked|"
			       "description: attested by the loader: U-Boot|");
	assert_int_equal(ring.revoked, 2);
}

/* --- one image ----------------------------------------------------------- */

static void opens(void)
{
	assert_int_equal(image_open(&g, &img), 0);
	assert_string_equal(logged, "");
}

static void closes(void)
{
	image_close(&g);
	assert_int_equal(nr_maps, 0);
}

static void refuses(int err, const char *why)
{
	assert_int_equal(image_open(&g, &img), err);
	assert_string_equal(logged, why);
	assert_int_equal(nr_maps, 0);
}

static void is_part(const struct load_part *p, u64 at, u64 size, u8 hash)
{
	assert_int_equal(p->at.base, MODULE + at);
	assert_int_equal(p->at.size, size);
	assert_int_equal(p->hash[0], hash);
	/* In what lives as long as the image is open. */
	assert_in_range((u64)p->hash, (u64)&img, (u64)(&img + 1) - 32);
}

static void test_signed(void **state)
{
	(void)state;
	image_read_keys(&chosen);
	logged[0] = '\0';
	set_fit();
	opens();
	assert_true(is_mapped(&g.fit));
	assert_ptr_equal(img.load.node, g.fit_node);
	assert_string_equal(img.load.bootargs, "signed=1");
	is_part(&img.load.kernel, 0x400, 0x1000, 7);
	is_part(&img.load.ramdisk, 0x2000, 0x10, 8);
	is_part(&img.load.dtb, 0x3000, 0x20, 9);
	assert_memory_equal(img.load.digest, ((u8[32]){1, 2, 3, [31] = 4}), 32);
	assert_int_equal(img.fit.version, 3);
	assert_ptr_equal(img.fit.key, &keys[0]);
	assert_int_equal(images.verify_ticks, 1000);
	closes();
	/* Its 4 frames, one after the other. */
	assert_int_equal(nr_points, 4);
	opens();
	assert_int_equal(images.verify_ticks, 2000);
	closes();
}

static void test_not_signed_well(void **state)
{
	(void)state;
	set_fit();
	fit_err = -EACCES;
	refuses(-EACCES, "! refused: web: image: /configurations: why|");
	/* The time went all the same. */
	assert_int_equal(images.verify_ticks, 1000);
	fit_err = -ENOMEM;
	logged[0] = '\0';
	refuses(-ENOMEM, "! refused: web: image: /configurations: why|");
}

static void test_unsigned(void **state)
{
	static const struct fit_guest none;

	(void)state;
	set_plain();
	opens();
	assert_true(is_mapped(&g.kernel) && is_mapped(&g.ramdisk) &&
		    is_mapped(&g.dtb));
	assert_null(img.load.node);
	assert_string_equal(img.load.bootargs, "plain=1");
	assert_memory_equal(&img.load.kernel.at, &g.kernel, sizeof(g.kernel));
	assert_memory_equal(&img.load.ramdisk.at, &g.ramdisk, sizeof(g.kernel));
	assert_memory_equal(&img.load.dtb.at, &g.dtb, sizeof(g.dtb));
	assert_null(img.load.kernel.hash);
	assert_null(img.load.ramdisk.hash);
	assert_null(img.load.dtb.hash);
	/* No key, no version: nobody may take it for signed. */
	assert_memory_equal(&img.fit, &none, sizeof(none));
	assert_int_equal(nr_opened, 0);
	assert_int_equal(images.verify_ticks, 0);
	closes();
	allow_unsigned = false;
	refuses(-EACCES, "! refused: web: unsigned: this build starts signed "
			 "images only (skerry,fit)|");
}

/* Whichever module cannot be mapped, the others are unmapped again. */
static void test_no_tables(void **state)
{
	(void)state;
	for (unsigned int n = 0; n < 3; n++) {
		setup(NULL);
		set_plain();
		map_err = -ENOMEM;
		map_err_at = n;
		refuses(-ENOMEM, "! refused: web: reg: a module cannot be mapped "
				 "(error -12)|");
	}
	setup(NULL);
	set_fit();
	map_err = -EEXIST;
	refuses(-EEXIST,
		"! refused: web: reg: a module cannot be mapped (error -17)|");
	assert_int_equal(nr_opened, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_add, setup),
		cmocka_unit_test_setup(test_add_full, setup),
		cmocka_unit_test_setup(test_kinds, setup),
		cmocka_unit_test_setup(test_free_rest, setup),
		cmocka_unit_test_setup(test_keys, setup),
		cmocka_unit_test_setup(test_revoked, setup),
		cmocka_unit_test_setup(test_signed, setup),
		cmocka_unit_test_setup(test_not_signed_well, setup),
		cmocka_unit_test_setup(test_unsigned, setup),
		cmocka_unit_test_setup(test_no_tables, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
