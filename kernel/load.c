/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading a guest: an arm64 Image (Linux Documentation/arm64/booting) at the
 * start of RAM, device tree and ramdisk 128 MiB above it where there is room,
 * else at the end of the first bank, as Xen places them. Each part is copied
 * once and the copy, in RAM that is still nobody's, is what is hashed: nothing
 * that changes the source later can matter.
 */
#include <skerry/build.h>

#include <libfdt.h>

#include <skerry/arch/cache.h>
#include <skerry/arch/mmu.h>
#include <skerry/describe.h>
#include <skerry/domain.h>
#include <skerry/fmt.h>
#include <skerry/guest.h>
#include <skerry/guestdt.h>
#include <skerry/layout.h>
#include <skerry/log.h>
#include <skerry/page.h>
#include <skerry/sha256.h>
#include <skerry/string.h>
#include <skerry/work.h>

#define IMAGE_MAGIC   0x644d5241 /* "ARM\x64" */
#define IMAGE_BE      BIT(0)
#define MODULE_OFFSET (128 * MIB)
#define DTB_ROOM      (64 * KIB)
#define PARTIAL_ROOM  (32 * KIB)
/* Copied at once where both ends agree modulo 4 only: some 10 us. */
#define COPY_PIECE (16 * KIB)

struct image_header {
	u32 code[2];
	u64 text_offset, image_size, flags, res[3];
	u32 magic, res4;
};
static_assert(sizeof(struct image_header) == 64, "arm64 Image header");

static u64 frame_rest(u64 addr)
{
	return FRAME_SIZE - (addr & (FRAME_SIZE - 1));
}

struct loader {
	struct domain *d;
	const struct describe_guest *g;
	struct load_image *img;
	struct sha256 sum; /* of a signed part, or of all that is unsigned */
};

__printf(3, 4) static int refuse(const struct loader *l, const char *part,
				 const char *fmt, ...)
{
	const char *node = l->img->node ?: "";
	char why[160];

	fmt_args(why, sizeof(why), fmt);
	log_warn("refused: %s: %s%s%s: %s", l->g->name, node, *node ? ": " : "",
		 part, why);
	return -EINVAL;
}

/*
 * The worker's window onto guest RAM at ipa, *n or fewer bytes of it. NULL
 * when there is none.
 */
static void *ram_window(const struct domain *d, u64 ipa, u64 *n)
{
	for (const struct domain_ram *r = d->home.ram;
	     r < d->home.ram + d->home.nr_ram; r++) {
		u64 offset = ipa - r->ipa.v;

		if (offset >= r->size)
			continue;
		*n = min(*n, r->size - offset);
		*n = min(*n, frame_rest(r->pa.v + offset));
		return mmu_window(1, PADDR(r->pa.v + offset));
	}
	return NULL;
}

static void add_sum(struct loader *l, const void *data, u64 size)
{
	u64 start = time_now();
	bool preempt = work_preempt(true);

	sha256_update(&l->sum, data, size);
	work_preempt(preempt);
	images.verify_ticks += time_now() - start;
}

/* Is what was just added what the signature is of? */
static int check_sum(struct loader *l, const struct load_part *p,
		     const char *name)
{
	u8 sum[SHA256_SIZE];

	if (!p->hash)
		return 0;
	sha256_final(&l->sum, sum);
	if (!memcmp(sum, p->hash, SHA256_SIZE))
		return 0;
	return refuse(l, name, "its data does not have the signed hash");
}

/* Copy to guest RAM, hash the copy if wanted, and write it back. */
static int put(struct loader *l, u64 ipa, const void *from, u64 size, bool sum)
{
	u64 start = time_now() - images.verify_ticks;
	const u8 *at = from;

	for (u64 n; size; at += n, ipa += n, size -= n) {
		void *to;

		if (guest_is_cancelled(l->d->id))
			return -ECANCELED;
		n = min(size, COPY_PIECE);
		to = ram_window(l->d, ipa, &n);
		if (!to)
			return refuse(l, "memory", "none at %#lx", ipa);
		memcpy(to, at, n);
		if (sum)
			add_sum(l, to, n);
		cache_clean_inval(to, n);
		mmu_window_close(1);
		work_point();
	}
	images.copy_ticks += time_now() - images.verify_ticks - start;
	return 0;
}

static int put_part(struct loader *l, u64 ipa, const struct load_part *p,
		    const char *name)
{
	if (!p->at.size)
		return 0;
	if (p->hash)
		sha256_init(&l->sum);
	return put(l, ipa, direct_ptr(PADDR(p->at.base)), p->at.size, true)
		       ?: check_sum(l, p, name);
}

static int read_header(struct loader *l, struct image_header *h)
{
	const struct page_bank *m = &l->img->kernel.at;
	const char *why;

	if (m->size < sizeof(*h))
		return refuse(l, "kernel", "reg: shorter than an Image header");
	memcpy(h, direct_ptr(PADDR(m->base)), sizeof(*h));
	if (h->magic != IMAGE_MAGIC)
		why = "is not an arm64 Image (32-bit kernels, zImage and ELF are not supported)";
	else if (h->flags & IMAGE_BE)
		why = "is a big-endian Image";
	else if (h->text_offset >= GIB || h->image_size >= 4 * GIB)
		why = "has an impossible header";
	else if (h->code[0] == 0 && h->code[1] == 0)
		why = "has no code";
	else
		return 0;
	if (l->img->node)
		return refuse(l, "kernel", "%s", why);
	return refuse(l, "kernel", "reg: the module at %#lx %s", m->base, why);
}

/* What the place was chosen by must be what was hashed. */
static int check_header(struct loader *l, u64 entry,
			const struct image_header *h)
{
	struct image_header copy;
	u8 *to = (u8 *)&copy;

	for (u64 done = 0, n; done < sizeof(copy); done += n) {
		const void *from;

		n = sizeof(copy) - done;
		from = ram_window(l->d, entry + done, &n);
		memcpy(to + done, from, n);
		mmu_window_close(1);
	}
	return memcmp(&copy, h, sizeof(copy))
		       ? refuse(l, "kernel", "changed while it was copied")
		       : 0;
}

/* Where tree and ramdisk go, or 0 when the first bank is too small. */
static u64 place_modules(const struct domain *d, u64 kernel_end, u64 size)
{
	u64 bank = GUEST_RAM0_BASE + min(d->memory, GUEST_RAM0_SIZE);
	u64 at = GUEST_RAM0_BASE + MODULE_OFFSET;

	if (kernel_end <= at && at + size <= bank)
		return at;
	at = align_down(bank - min(size, bank), DTB_ROOM);
	return at >= kernel_end ? at : 0;
}

/* The partial tree's copy, in memory of the hypervisor. */
static int read_partial(struct loader *l, void *to)
{
	const struct load_part *p = &l->img->dtb;

	if (!p->at.size)
		return 0;
	if (p->hash)
		sha256_init(&l->sum);
	memcpy(to, direct_ptr(PADDR(p->at.base)), p->at.size);
	add_sum(l, to, p->at.size);
	return check_sum(l, p, "fdt");
}

static int put_tree(struct loader *l, u64 ipa, void *fdt)
{
	const struct load_image *img = l->img;
	const struct guestdt in = {
		.bootargs = img->bootargs,
		.vpl011 = l->g->vpl011,
		.initrd = ipa + DTB_ROOM,
		.initrd_size = img->ramdisk.at.size,
		.partial = (u8 *)fdt + DTB_ROOM,
		.partial_size = img->dtb.at.size,
	};
	struct guestdt_error why;
	bool preempt = work_preempt(true);
	int err = guestdt_build(fdt, DTB_ROOM, l->d, &in, &why);

	work_preempt(preempt);
	if (err == -EINVAL)
		return refuse(l, "fdt", "%s", why.text);
	if (err) {
		log_warn("refused: %s: its device tree cannot be made (error %d)",
			 l->g->name, err);
		return err;
	}
	/* What is behind it is zero there too. */
	return put(l, ipa, fdt, align_up(fdt_totalsize(fdt), 8), false);
}

/* All of it, entry and tree being at these addresses. */
static int put_image(struct loader *l, const struct image_header *h, u64 entry,
		     u64 dtb, void *fdt)
{
	struct load_image *img = l->img;
	int err;

	if (!img->node)
		sha256_init(&l->sum);
	err = put_part(l, entry, &img->kernel, "kernel") ?:
	      check_header(l, entry, h) ?:
	      put_part(l, dtb + DTB_ROOM, &img->ramdisk, "ramdisk") ?:
	      read_partial(l, (u8 *)fdt + DTB_ROOM) ?:
	      put_tree(l, dtb, fdt);
	if (!err && !img->node) {
		add_sum(l, img->bootargs, strlen(img->bootargs));
		sha256_final(&l->sum, img->digest);
	}
	return err;
}

int load_guest(struct domain *d, const struct describe_guest *g,
	       struct load_image *img)
{
	struct loader l = {.d = d, .g = g, .img = img};
	u64 entry, end, dtb, room = DTB_ROOM;
	struct image_header h = {0};
	void *fdt;
	int err = read_header(&l, &h);

	if (err)
		return err;
	entry = GUEST_RAM0_BASE + h.text_offset;
	end = entry + max(h.image_size, img->kernel.at.size);
	dtb = place_modules(d, end, DTB_ROOM + img->ramdisk.at.size);
	if (!dtb) {
		log_warn("refused: %s: memory: %lu KiB is too small for a kernel of %lu and a ramdisk of %lu KiB",
			 g->name, g->memory / KIB, (end - GUEST_RAM0_BASE) / KIB,
			 img->ramdisk.at.size / KIB);
		return -ENOSPC;
	}
	if (img->dtb.at.size > PARTIAL_ROOM)
		return refuse(&l, "fdt", "%lu bytes: at most %lu",
			      img->dtb.at.size, PARTIAL_ROOM);
	if (img->dtb.at.size)
		room += PARTIAL_ROOM;
	fdt = build_alloc_hyp(room);
	if (!fdt) {
		log_warn("refused: %s: no memory for its device tree", g->name);
		return -ENOMEM;
	}
	err = put_image(&l, &h, entry, dtb, fdt);
	build_free_hyp(fdt, room);
	d->vcpus[0]->on_entry = entry;
	d->vcpus[0]->on_arg = dtb;
	return err;
}
