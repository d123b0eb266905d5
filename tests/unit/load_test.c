/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading a guest on the host: where everything goes in its RAM, that it is
 * hashed there and then written back to memory, and what is refused. Each test
 * runs with an unsigned guest and with a signed one.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loadhost.h"

static u64 add_part(u64 sum, const struct load_part *p)
{
	return sum_of(sum, host_byte(mem, p->at.base), p->at.size);
}

static int load(void)
{
	struct load_part *parts[] = {&img.kernel, &img.ramdisk, &img.dtb};

	assert_int_equal(madvise(poc, PA_SIZE, MADV_DONTNEED), 0);
	img.node = is_signed ? "image" : NULL;
	for (unsigned int i = 0; is_signed && i < 3; i++) {
		sum_final(add_part(0, parts[i]), hashes[i]);
		parts[i]->hash = hashes[i];
	}
	return load_guest(&d, &g, &img);
}

static void assert_tidy(void)
{
	assert_false(preempt);
	assert_windows_closed();
	assert_null(hyp);
}

/* Where the guest's RAM is in `in`, and how much of it follows in a piece. */
static u8 *guest_ram(u8 *in, u64 ipa, u64 *run)
{
	for (unsigned int i = 0; i < d.home.nr_ram; i++)
		if (ipa - d.home.ram[i].ipa.v < d.home.ram[i].size) {
			*run = d.home.ram[i].size - (ipa - d.home.ram[i].ipa.v);
			return host_byte(in, d.home.ram[i].pa.v + ipa -
						     d.home.ram[i].ipa.v);
		}
	return NULL;
}

static bool guest_has(u8 *in, u64 ipa, const u8 *data, u64 size)
{
	u64 run;

	for (u64 n; size; data += n, ipa += n, size -= n) {
		u8 *at = guest_ram(in, ipa, &run);

		assert_non_null(at);
		n = min(run, size);
		if (memcmp(at, data, n))
			return false;
	}
	return true;
}

/* What the caches hold, what memory holds, and nothing on either side. */
static void assert_at(u64 ipa, const u8 *data, u64 size)
{
	u64 run;
	u8 *at;

	if (!guest_has(mem, ipa, data, size))
		fail_msg("%#lx, %#lx: not copied", ipa, size);
	if (!guest_has(poc, ipa, data, size))
		fail_msg("%#lx, %#lx: not written back", ipa, size);
	for (u64 i = 0; i < 64; i++) {
		at = guest_ram(mem, ipa - 1 - i, &run);
		assert_true(!at || !*at);
		at = guest_ram(mem, ipa + size + i, &run);
		assert_true(!at || !*at);
	}
}

/* Loads, and everything is where it should be; entry and tree are at. */
static void assert_loads(u64 entry, u64 dtb)
{
	u8 digest[SHA256_SIZE] = {0};

	nr_hashed = 0;
	assert_int_equal(load(), 0);
	assert_true(nr_points >=
		    (img.kernel.at.size + img.ramdisk.at.size) / (16 * KIB));
	assert_tidy();
	assert_int_equal(nr_lines, 0);
	assert_int_equal(vcpu.on_entry, entry);
	assert_int_equal(vcpu.on_arg, dtb);
	assert_int_equal(tree_initrd, dtb + DTB_ROOM);
	assert_true(images.verify_ticks > 0 && images.verify_ticks < now);
	if (!is_signed) {
		u64 sum = add_part(add_part(add_part(0, &img.kernel),
					    &img.ramdisk),
				   &img.dtb);

		sum = sum_of(sum, (const u8 *)img.bootargs,
			     strlen(img.bootargs));
		sum_final(sum, digest);
	}
	assert_int_equal(nr_hashed, img.kernel.at.size + img.ramdisk.at.size +
					    img.dtb.at.size +
					    (is_signed ? 0 : 5));
	/* That of what is signed is not of this file's making. */
	assert_memory_equal(img.digest, digest, SHA256_SIZE);
	assert_at(entry, host_byte(mem, img.kernel.at.base), img.kernel.at.size);
	assert_at(dtb, tree, TREE_SIZE);
	if (img.ramdisk.at.size)
		assert_at(dtb + DTB_ROOM, host_byte(mem, img.ramdisk.at.base),
			  img.ramdisk.at.size);
}

/* Refused with one line that has `why` in it. */
static void assert_fails(int err, const char *why)
{
	nr_lines = 0;
	assert_int_equal(load(), err);
	assert_tidy();
	assert_int_equal(nr_lines, 1);
	assert_int_equal(strncmp(line, "refused: one: ", 14), 0);
	if (!strstr(line, why))
		fail_msg("'%s' says nothing of '%s'", line, why);
}

/* The same, and RAM is as it was. */
static void assert_refused(int err, const char *why)
{
	off_t at = 0;

	assert_fails(err, why);
	/* Pages of the file that exist at all, below those of modules. */
	while ((at = lseek(mem_fd, at, SEEK_DATA)) >= 0 &&
	       at < (off_t)(MODULES - PA_BASE))
		for (off_t end = at + (off_t)PAGE_SIZE; at < end; at++)
			assert_int_equal(mem[at], 0);
}

/* Ordered down before any of its pieces: silently, with nothing left open. */
static void test_cancelled(void **state)
{
	int err = -ECANCELED;
	u64 n = 0;

	(void)state;
	for (; err; n++) {
		reset(NULL);
		add_ram(64 * MIB, 0);
		set_kernel(MODULES, 200 * KIB, 0, 0);
		set_module(&img.ramdisk.at, MODULES + MIB, 100 * KIB);
		cancel_after = n;
		err = load();
		assert_int_equal(err, nr_asked > n ? -ECANCELED : 0);
		assert_tidy();
		assert_int_equal(nr_lines, 0);
		/* No piece is copied that was not asked for. */
		if (err)
			assert_int_equal(nr_asked, n + 1);
	}
	/* Kernel, ramdisk and tree: more often than once each. */
	assert_true(n > 3 + (200 + 100) * KIB / FRAME_SIZE);
}

static void test_simple(void **state)
{
	(void)state;
	add_ram(256 * MIB, 0);
	set_kernel(MODULES, 3 * MIB + 5, 0x80000, 4 * MIB);
	set_module(&img.ramdisk.at, MODULES + 16 * MIB, MIB + 1);
	assert_loads(GUEST_RAM0_BASE + 0x80000, GUEST_RAM0_BASE + 128 * MIB);
	assert_int_equal(nr_allocs, 1);
}

static void test_no_ramdisk(void **state)
{
	(void)state;
	add_ram(256 * MIB, 0);
	set_kernel(MODULES, 64, 0, 0);
	assert_loads(GUEST_RAM0_BASE, GUEST_RAM0_BASE + 128 * MIB);
}

/* Either end anywhere in a frame, and a header that lies in two of them. */
static void test_odd_addresses(void **state)
{
	static const u64 off[] = {1,
				  63,
				  FRAME_SIZE - 1,
				  FRAME_SIZE - 8,
				  FRAME_SIZE - 57,
				  FRAME_SIZE - 63,
				  FRAME_SIZE - 64};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(off); i++)
		for (u64 text = 0; text <= 0x7ffff; text += 0x7ffff) {
			reset(NULL);
			ctr = field_prep(BITS(19, 16), 2 + i);
			add_ram(160 * MIB, i * PAGE_SIZE);
			set_kernel(MODULES + off[i], FRAME_SIZE + 77, text, 0);
			set_module(&img.ramdisk.at, MODULES + 16 * MIB - off[i],
				   2 * FRAME_SIZE + 1);
			assert_loads(GUEST_RAM0_BASE + text,
				     GUEST_RAM0_BASE + 128 * MIB);
		}
}

/* RAM in pieces that are far apart and in no order. */
static void test_pieces(void **state)
{
	unsigned int seed = 11;

	(void)state;
	for (unsigned int n = 0; n < 12; n++) {
		u64 pa = MODULES + (u64)rand_r(&seed) % (4 * MIB);
		u64 text = (u64)rand_r(&seed) % (64 * KIB);

		reset(NULL);
		ctr = field_prep(BITS(19, 16), 2 + (u64)rand_r(&seed) % 8);
		for (unsigned int i = 0; i < 4; i++)
			add_ram((1 + (u64)rand_r(&seed) % 512) * PAGE_SIZE,
				(u64)rand_r(&seed) % 1024 * PAGE_SIZE);
		add_ram(128 * MIB - d.memory + PAGE_SIZE, 0);
		add_ram(DTB_ROOM, (u64)rand_r(&seed) % 1024 * PAGE_SIZE);
		add_ram(MIB, (u64)rand_r(&seed) % 1024 * PAGE_SIZE);
		add_ram(8 * MIB, FRAME_SIZE - PAGE_SIZE);
		set_kernel(pa, (u64)rand_r(&seed) % (5 * MIB) + 64, text, 0);
		set_module(&img.ramdisk.at,
			   MODULES + 16 * MIB + (u64)rand_r(&seed) % MIB,
			   (u64)rand_r(&seed) % (4 * MIB));
		assert_loads(GUEST_RAM0_BASE + text,
			     GUEST_RAM0_BASE + 128 * MIB);
	}
}

static void test_header(void **state)
{
	static const struct {
		u64 at;
		u32 val;
		const char *why;
	} bad[] = {
		{56, 0, "is not an arm64 Image"},
		{56, 0x52644d41, "is not an arm64 Image"},
		{56, 0x644d5240, "is not an arm64 Image"},
		{24, 1, "big-endian"},
		{24, 0xb, "big-endian"},
		{8, GIB, "impossible header"},
		{12, 1, "impossible header"},
		{12, ~0U, "impossible header"},
		{20, 1, "impossible header"},
		{20, ~0U, "impossible header"},
		{0, 0, "has no code"},
	};

	(void)state;
	add_ram(256 * MIB, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		set_kernel(MODULES + 4, 4096, 0, 4096);
		set_header(4, 0);
		set_header(bad[i].at, bad[i].val);
		assert_refused(-EINVAL, bad[i].why);
		assert_non_null(strstr(line, is_signed ? "one: image: kernel: "
						       : "0x100000004"));
	}
	/* Code in the second word is code. */
	set_kernel(MODULES + 4, 4096, 0, 4096);
	set_header(0, 0);
	set_header(4, 0x14000000);
	assert_int_equal(nr_allocs, 0);
	nr_lines = 0;
	assert_loads(GUEST_RAM0_BASE, GUEST_RAM0_BASE + 128 * MIB);
}

static void test_too_short(void **state)
{
	(void)state;
	add_ram(256 * MIB, 0);
	for (u64 size = 0; size < 64; size++) {
		set_kernel(MODULES, 64, 0, 0);
		img.kernel.at.size = size;
		assert_refused(-EINVAL, "shorter than an Image header");
	}
	assert_int_equal(nr_allocs, 0);
}

/* All of memory is of use; one byte more of anything is refused. */
static void test_place(void **state)
{
	static const struct {
		u64 memory, text, image, ramdisk, dtb; /* 0: too small */
	} cases[] = {
		/* 128 MiB up, while the kernel ends below it */
		{256 * MIB, 0, 128 * MIB, MIB, 128 * MIB},
		{256 * MIB, 4096, 128 * MIB - 4096, MIB, 128 * MIB},
		{256 * MIB, 0, 128 * MIB + 1, MIB, 255 * MIB - DTB_ROOM},
		{256 * MIB, 1, 128 * MIB, MIB, 255 * MIB - DTB_ROOM},
		/* and tree and ramdisk fit above it. */
		{129 * MIB, 0, MIB, MIB - DTB_ROOM, 128 * MIB},
		{129 * MIB, 0, MIB, MIB - DTB_ROOM + 1, 128 * MIB - DTB_ROOM},
		{128 * MIB + DTB_ROOM, 0, MIB, 0, 128 * MIB},
		{128 * MIB, 0, MIB, 0, 128 * MIB - DTB_ROOM},
		/* Else at the end, aligned, above the kernel. */
		{8 * MIB, 0, MIB, 1, 8 * MIB - 2 * DTB_ROOM},
		{8 * MIB, 0, 8 * MIB - DTB_ROOM, 0, 8 * MIB - DTB_ROOM},
		{8 * MIB, 0, 8 * MIB - DTB_ROOM + 1, 0, 0},
		{8 * MIB, 1, 8 * MIB - DTB_ROOM, 0, 0},
		{8 * MIB, 0, 8 * MIB - 2 * DTB_ROOM, 1, 8 * MIB - 2 * DTB_ROOM},
		{8 * MIB, 0, 8 * MIB - 2 * DTB_ROOM, DTB_ROOM + 1, 0},
		{8 * MIB, 0, MIB, 9 * MIB, 0},
		{8 * MIB, 0, 8 * MIB, 0, 0},
		{8 * MIB, 0, 9 * MIB, 0, 0},
		{8 * MIB, 0, 4 * GIB - 1, 0, 0},
		{8 * MIB, GIB - 1, MIB, 0, 0},
		{PAGE_SIZE, 0, PAGE_SIZE, 0, 0},
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		reset(NULL);
		add_ram(cases[i].memory, 0);
		set_kernel(MODULES, 4096, cases[i].text, cases[i].image);
		if (cases[i].ramdisk)
			set_module(&img.ramdisk.at, MODULES + 16 * MIB,
				   cases[i].ramdisk);
		if (cases[i].dtb)
			assert_loads(GUEST_RAM0_BASE + cases[i].text,
				     GUEST_RAM0_BASE + cases[i].dtb);
		else
			assert_refused(-ENOSPC, "too small");
	}
}

/* A file longer than what its header says counts in full. */
static void test_long_file(void **state)
{
	(void)state;
	add_ram(8 * MIB, 0);
	set_kernel(MODULES, 8 * MIB - DTB_ROOM, 0, 4096);
	assert_int_equal(load(), 0);
	assert_int_equal(vcpu.on_arg, GUEST_RAM0_BASE + 8 * MIB - DTB_ROOM);
	reset(NULL);
	add_ram(8 * MIB, 0);
	set_kernel(MODULES, 8 * MIB - DTB_ROOM + 1, 0, 4096);
	assert_refused(-ENOSPC, "too small");
}

/* Tree and ramdisk stay in the first bank, whatever the second one has. */
static void test_second_bank(void **state)
{
	(void)state;
	add_ram(128 * MIB, 0);
	d.home.ram[0].size = AREA;
	d.memory = GUEST_RAM0_SIZE + GIB;
	set_kernel(MODULES, 4096, 0, 0);
	assert_loads(GUEST_RAM0_BASE, GUEST_RAM0_BASE + 128 * MIB);
	/* At the end of the bank, where this guest has no RAM. */
	reset(NULL);
	add_ram(64 * MIB, 0);
	d.memory = GUEST_RAM0_SIZE + GIB;
	set_kernel(MODULES, 4096, 0, 128 * MIB + 1);
	assert_fails(-EINVAL, "memory: none at 0xffff0000");
	assert_int_equal(vcpu.on_arg,
			 GUEST_RAM0_BASE + GUEST_RAM0_SIZE - DTB_ROOM);
}

/* RAM with a hole: an error, never a copy to somewhere else. */
static void test_hole(void **state)
{
	(void)state;
	add_ram(MIB, FRAME_SIZE - PAGE_SIZE);
	add_ram(PAGE_SIZE, 0);
	add_ram(159 * MIB, 0);
	d.home.ram[1].ipa.v += GIB;
	set_kernel(MODULES, 3 * MIB, 0, 0);
	assert_fails(-EINVAL, "memory: none at 0x40100000");
	assert_int_equal(*host_byte(mem, d.home.ram[1].pa.v), 0);
	assert_int_equal(*host_byte(mem, d.home.ram[2].pa.v), 0);
	assert_int_equal(*host_byte(mem, PA_BASE + FRAME_SIZE - PAGE_SIZE - 1),
			 0);
	assert_int_equal(*host_byte(mem, PA_BASE + FRAME_SIZE - PAGE_SIZE + MIB),
			 0);
}

static void test_errors(void **state)
{
	(void)state;
	add_ram(256 * MIB, 0);
	set_kernel(MODULES, 4096, 0, 0);
	set_module(&img.ramdisk.at, MODULES + 16 * MIB, 4096);
	no_hyp = true;
	assert_refused(-ENOMEM, "no memory for its device tree");
	no_hyp = false;
	tree_err = -ENOSPC;
	assert_fails(-ENOSPC, "device tree cannot be made");
	tree_err = -EINVAL;
	assert_fails(-EINVAL, is_signed ? "one: image: fdt: node: reason"
					: "one: fdt: node: reason");
	tree_err = 0;
	nr_lines = 0;
	assert_loads(GUEST_RAM0_BASE, GUEST_RAM0_BASE + 128 * MIB);
}

/* The copy, not the source, is what is hashed and what runs. */
static void forge(void)
{
	memset(host_byte(mem, img.kernel.at.base), 0x11, img.kernel.at.size);
}
static void forge_header(void)
{
	set_header(8, 0x1000);
}
static void forge_code(void)
{
	*host_byte(mem, img.kernel.at.base + 4095) ^= 1;
}

static void test_forged(void **state)
{
	u8 before[4096];

	(void)state;
	add_ram(256 * MIB, 0);
	set_kernel(MODULES, sizeof(before), 0, 4096);
	memcpy(before, host_byte(mem, MODULES), sizeof(before));
	after_hash = forge;
	assert_int_equal(load(), 0);
	assert_at(GUEST_RAM0_BASE, before, sizeof(before));
	/* Between the look at the header and the copy. */
	for (unsigned int i = 0; i < 2; i++) {
		reset(NULL);
		add_ram(256 * MIB, 0);
		set_kernel(MODULES, sizeof(before), 0, 4096);
		before_copy = i ? forge_header : forge_code;
		if (is_signed)
			assert_fails(-EINVAL, "one: image: kernel: its data "
					      "does not have the signed hash");
		else if (i)
			assert_fails(-EINVAL, "one: kernel: changed while it "
					      "was copied");
		else
			assert_int_equal(load(), 0);
	}
}

/* A header that lies in two pieces of RAM is compared whole. */
static void test_split_header(void **state)
{
	(void)state;
	add_ram(FRAME_SIZE, 0);
	add_ram(254 * MIB, 0);
	set_kernel(MODULES, 4096, FRAME_SIZE - 12, 0);
	before_copy = forge_header;
	assert_fails(-EINVAL, is_signed ? "signed hash" : "changed while");
	reset(NULL);
	add_ram(FRAME_SIZE, 0);
	add_ram(254 * MIB, 0);
	set_kernel(MODULES, 4096, FRAME_SIZE - 12, 0);
	assert_loads(GUEST_RAM0_BASE + FRAME_SIZE - 12,
		     GUEST_RAM0_BASE + 128 * MIB);
}

/* One bit of each part, wherever it is. */
static void test_mismatch(void **state)
{
	static const char *const names[] = {"kernel", "ramdisk", "fdt"};
	struct load_part *parts[] = {&img.kernel, &img.ramdisk, &img.dtb};
	char want[80];

	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		for (unsigned int n = 0; n < 3; n++) {
			reset(NULL);
			add_ram(256 * MIB, 0);
			set_kernel(MODULES, 3 * WORK_PIECE, 0, 0);
			set_module(&parts[1]->at, MODULES + 16 * MIB, MIB);
			set_module(&parts[2]->at, MODULES + 32 * MIB, PARTIAL);
			assert_int_equal(load(), 0);
			forget_memory();
			set_kernel(MODULES, 3 * WORK_PIECE, 0, 0);
			set_module(&parts[1]->at, MODULES + 16 * MIB, MIB);
			set_module(&parts[2]->at, MODULES + 32 * MIB, PARTIAL);
			*host_byte(mem, parts[i]->at.base +
						(parts[i]->at.size - 65) * n / 2 +
						64) ^= 0x40;
			snprintf(want, sizeof(want),
				 "refused: one: image: %s: its data does not "
				 "have the signed hash",
				 names[i]);
			nr_lines = 0;
			/* With the hashes of before. */
			assert_int_equal(load_guest(&d, &g, &img), -EINVAL);
			assert_string_equal(line, want);
			assert_int_equal(nr_lines, 1);
			assert_tidy();
		}
}

static void test_partial(void **state)
{
	(void)state;
	for (u64 size = PARTIAL - 1; size <= PARTIAL + 1; size++) {
		reset(NULL);
		add_ram(256 * MIB, 0);
		set_kernel(MODULES, 4096, 0, 0);
		set_module(&img.dtb.at, MODULES + 16 * MIB + 4, size);
		if (size <= PARTIAL)
			assert_loads(GUEST_RAM0_BASE,
				     GUEST_RAM0_BASE + 128 * MIB);
		else
			assert_refused(-EINVAL, "fdt: 32769 bytes: at most "
						"32768");
	}
}

/* Where all of the board's memory is for EL2. */
static int map_memory(void **state)
{
	void *at = direct_ptr(PADDR(PA_BASE));

	if (reserve_memory(state))
		return -1;
	return mmap(at, PA_SIZE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED_NOREPLACE, mem_fd, 0) == at
		       ? 0
		       : -1;
}

#define BOTH(test)                                                             \
	cmocka_unit_test_setup(test, setup),                                   \
		cmocka_unit_test_setup(test, setup_signed)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_simple),
		BOTH(test_cancelled),
		BOTH(test_no_ramdisk),
		BOTH(test_odd_addresses),
		BOTH(test_pieces),
		BOTH(test_header),
		BOTH(test_too_short),
		BOTH(test_place),
		BOTH(test_long_file),
		BOTH(test_second_bank),
		BOTH(test_hole),
		BOTH(test_errors),
		BOTH(test_forged),
		BOTH(test_split_header),
		BOTH(test_partial),
		cmocka_unit_test_setup(test_mismatch, setup_signed),
	};

	return cmocka_run_group_tests(tests, map_memory, NULL);
}
