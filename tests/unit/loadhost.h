/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What loading a guest rests on, on the host: a guest with RAM in pieces, its
 * modules, a hash that tells bytes and their order, and a tree of any size.
 * Included by one source of each test, after <cmocka.h> and with _GNU_SOURCE.
 */
#pragma once

#include "memhost.h"
#include <skerry/build.h>
#include <skerry/describe.h>
#include <skerry/domain.h>
#include <skerry/error.h>
#include <skerry/guestdt.h>
#include <skerry/layout.h>
#include <skerry/log.h>
#include <skerry/page.h>
#include <skerry/sha256.h>
#include <skerry/work.h>

#define AREA	  (256 * MIB) /* of each piece of the guest's RAM */
#define MODULES	  (PA_BASE + 3 * GIB)
#define HYP	  (PA_BASE + 4 * GIB - FRAME_SIZE - PAGE_SIZE) /* EL2's own memory */
#define DTB_ROOM  (64 * KIB)
#define PARTIAL	  (32 * KIB)
#define TREE_SIZE (48 * KIB + 7)
#define NEVER	  (~0UL)

static u64 ctr;

static struct domain d;
static struct vcpu vcpu;
static struct describe_guest g;
static struct load_image img;
struct images images;
static bool is_signed;
static u8 hashes[3][SHA256_SIZE];
static void *hyp; /* what build_alloc_hyp() gave and was not given back */
static u64 hyp_size;
static u8 tree[DTB_ROOM];
static u64 tree_initrd;
static bool no_hyp;
static int tree_err;
static char line[512];
static unsigned int nr_lines, nr_allocs;
static bool preempt;
static u64 now, nr_hashed;
static void (*before_copy)(void), (*after_hash)(void);

u64 host_sysreg_read(const char *name)
{
	assert_string_equal(name, "ctr_el0");
	return ctr;
}

void *build_alloc_hyp(u64 size)
{
	hyp_size = DTB_ROOM + (img.dtb.at.size ? PARTIAL : 0);
	assert_int_equal(size, hyp_size);
	assert_null(hyp);
	assert_false(preempt);
	nr_allocs++;
	if (before_copy)
		before_copy();
	if (!no_hyp)
		hyp = direct_ptr(PADDR(HYP));
	return hyp;
}

void build_free_hyp(void *p, u64 size)
{
	assert_int_equal(size, hyp_size);
	assert_non_null(p);
	assert_ptr_equal(p, hyp);
	memset(host_byte(mem, HYP), 0xa5, size);
	hyp = NULL;
}

int guestdt_build(void *buf, u64 size, const struct domain *dom,
		  const struct guestdt *in, struct guestdt_error *err)
{
	assert_true(preempt);
	assert_windows_closed();
	assert_int_equal(size, DTB_ROOM);
	assert_ptr_equal(buf, hyp);
	assert_ptr_equal(dom, &d);
	assert_ptr_equal(in->bootargs, img.bootargs);
	assert_int_equal(in->vpl011, g.vpl011);
	tree_initrd = in->initrd;
	assert_int_equal(in->initrd_size, img.ramdisk.at.size);
	assert_int_equal(in->partial_size, img.dtb.at.size);
	if (in->partial_size)
		assert_memory_equal(in->partial, host_byte(mem, img.dtb.at.base),
				    in->partial_size);
	memcpy(buf, tree, DTB_ROOM);
	snprintf(err->text, sizeof(err->text), "node: reason");
	return tree_err;
}

/* Not SHA-256, but of every byte and its place. Fast: it is for MiBs. */
static __attribute__((no_sanitize("address", "undefined"))) u64 sum_of(
	u64 sum, const u8 *data, size_t size)
{
	while (size--)
		sum = (sum + *data++ + 1) * 0x100000001b3UL;
	return sum;
}

static void sum_final(u64 sum, u8 out[SHA256_SIZE])
{
	for (unsigned int i = 0; i < SHA256_SIZE / 8; i++, sum *= 3)
		memcpy(out + 8 * i, &sum, 8);
}

void sha256_init(struct sha256 *s)
{
	assert_windows_closed();
	memset(s, 0, sizeof(*s));
}

/* A copy that is not written back yet, and others may run meanwhile. */
void sha256_update(struct sha256 *s, const void *data, size_t size)
{
	const u8 *p = data;
	u64 sum, off = (u64)(p - view[1]);
	const u8 *at;

	assert_true(preempt);
	assert_false(view_open[0]);
	assert_in_range(size, 0, PARTIAL);
	if (view_open[1]) {
		assert_true(off + size <= FRAME_SIZE);
		at = poc + view_pa[1] - PA_BASE + off;
		assert_true(!*at && !memcmp(at, at + 1, size - 1));
	}
	nr_hashed += size;
	memcpy(&sum, s, 8);
	sum = sum_of(sum, data, size);
	memcpy(s, &sum, 8);
	if (after_hash)
		after_hash();
}

void sha256_final(struct sha256 *s, u8 out[SHA256_SIZE])
{
	u64 sum;

	memcpy(&sum, s, 8);
	sum_final(sum, out);
}

bool work_preempt(bool on)
{
	bool was = preempt;

	assert_false(view_open[0]);
	preempt = on;
	return was;
}

u64 time_now(void)
{
	return ++now;
}

void log_at(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	assert_int_equal(level, LOG_WARNING);
	assert_false(preempt);
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	nr_lines++;
}

static void fill(u8 *to, u64 size, unsigned int seed)
{
	for (u64 i = 0; i < size; i++)
		to[i] = (u8)(1 + rand_r(&seed) % 255);
}

static void set_header(u64 offset, u32 val)
{
	memcpy(host_byte(mem, img.kernel.at.base + offset), &val, sizeof(val));
}

static void set_module(struct page_bank *m, u64 pa, u64 size)
{
	*m = (struct page_bank){pa, size};
	fill(host_byte(mem, pa), size, (unsigned int)size);
}

/* A correct Image. */
static void set_kernel(u64 pa, u64 size, u64 text_offset, u64 image_size)
{
	set_module(&img.kernel.at, pa, size);
	set_header(0, 0x91005a4d);
	set_header(8, (u32)text_offset);
	set_header(12, (u32)(text_offset >> 32));
	set_header(16, (u32)image_size);
	set_header(20, (u32)(image_size >> 32));
	set_header(24, 0xa);
	set_header(28, 0);
	set_header(56, 0x644d5241);
}

/* The next piece of guest RAM. */
static void add_ram(u64 size, u64 pa_offset)
{
	unsigned int n = d.home.nr_ram++;

	assert_true(n < DOMAIN_MAX_RAM && pa_offset + size <= AREA);
	d.home.ram[n] = (struct domain_ram){
		.ipa = IPA(GUEST_RAM0_BASE + d.memory),
		.pa = PADDR(PA_BASE + n * AREA + pa_offset),
		.size = size,
	};
	d.memory += size;
	g.memory = d.memory;
}

static u64 nr_points, nr_asked, cancel_after;

/* Guests run, and others use this CPU's windows. */
void work_point(void)
{
	assert_windows_closed();
	assert_false(preempt);
	nr_points++;
}

/* The order comes after so many pieces. */
bool guest_is_cancelled(unsigned int id)
{
	assert_int_equal(id, d.id);
	return nr_asked++ >= cancel_after;
}

static int reset(void **state)
{
	(void)state;
	forget_memory();
	memset(&d, 0, sizeof(d));
	memset(&g, 0, sizeof(g));
	memset(&vcpu, 0, sizeof(vcpu));
	memset(&img, 0, sizeof(img));
	memset(&images, 0, sizeof(images));
	cancel_after = NEVER;
	nr_asked = 0;
	d.id = 5;
	img.bootargs = "a=b c";
	preempt = false;
	nr_hashed = 0;
	before_copy = after_hash = NULL;
	d.nr_vcpus = 1;
	d.vcpus[0] = &vcpu;
	strcpy(g.name, "one");
	ctr = field_prep(BITS(19, 16), 4UL);
	nr_lines = nr_allocs = 0;
	nr_points = 0;
	hyp = NULL;
	no_hyp = false;
	tree_err = 0;
	tree_initrd = 0;
	/* Less than its room, so that what is beside it shows. */
	fill(tree, TREE_SIZE, 3);
	/* totalsize, big-endian */
	memcpy(tree + 4, (u8[]){0, 0, TREE_SIZE >> 8, TREE_SIZE & 255}, 4);
	return 0;
}

static int setup(void **state)
{
	is_signed = false;
	return reset(state);
}
static int setup_signed(void **state)
{
	is_signed = true;
	return reset(state);
}
