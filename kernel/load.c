/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading a guest: an arm64 Image (Linux Documentation/arm64/booting) at the
 * start of RAM, device tree and ramdisk 128 MiB above it where there is room,
 * else at the end of the first bank, as Xen places them.
 */
#include <skerry/build.h>

#include <skerry/arch/cache.h>
#include <skerry/arch/mmu.h>
#include <skerry/domain.h>
#include <skerry/guestdt.h>
#include <skerry/layout.h>
#include <skerry/log.h>
#include <skerry/page.h>
#include <skerry/string.h>
#include <skerry/work.h>

#define IMAGE_MAGIC   0x644d5241 /* "ARM\x64" */
#define IMAGE_BE      BIT(0)
#define MODULE_OFFSET (128 * MIB)
#define DTB_SIZE      (32 * KIB)
#define DTB_ROOM      (64 * KIB)

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

/* Copy host memory into guest RAM and write it back, through the windows. */
static int put(struct domain *d, u64 ipa, u64 from, u64 size)
{
	for (u64 n; size; from += n, ipa += n, size -= n) {
		const struct domain_ram *r = d->ram;
		paddr_t pa;
		void *to;

		while (r < d->ram + d->nr_ram && ipa - r->ipa.v >= r->size)
			r++;
		if (r == d->ram + d->nr_ram)
			return -EFAULT;
		pa = PADDR(r->pa.v + (ipa - r->ipa.v));
		n = min(size, r->size - (ipa - r->ipa.v));
		n = min(n, frame_rest(pa.v));
		n = min(n, frame_rest(from));
		n = min(n, WORK_PIECE);
		to = mmu_window(0, pa);
		memcpy(to, mmu_window(1, PADDR(from)), n);
		cache_clean_inval(to, n);
		mmu_window_close(0);
		mmu_window_close(1);
		work_point();
	}
	return 0;
}

static int read_header(const struct describe_guest *g, struct image_header *h)
{
	u64 first = min(sizeof(*h), frame_rest(g->kernel.base));
	const char *why;

	if (g->kernel.size < sizeof(*h)) {
		log_warn("refused: %s: kernel: reg: shorter than an Image header",
			 g->name);
		return -EINVAL;
	}
	memcpy(h, mmu_window(1, PADDR(g->kernel.base)), first);
	memcpy((u8 *)h + first, mmu_window(1, PADDR(g->kernel.base + first)),
	       sizeof(*h) - first);
	mmu_window_close(1);
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
	log_warn("refused: %s: kernel: reg: the module at %#lx %s", g->name,
		 g->kernel.base, why);
	return -EINVAL;
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

int load_guest(struct domain *d, const struct describe_guest *g)
{
	struct image_header h;
	u64 entry, end, dtb;
	void *fdt;
	int err = read_header(g, &h);

	if (err)
		return err;
	entry = GUEST_RAM0_BASE + h.text_offset;
	end = entry + max(h.image_size, g->kernel.size);
	dtb = place_modules(d, end, DTB_ROOM + g->ramdisk.size);
	if (!dtb) {
		log_warn("refused: %s: memory: %lu KiB is too small for a kernel of %lu and a ramdisk of %lu KiB",
			 g->name, g->memory / KIB,
			 (end - GUEST_RAM0_BASE) / KIB, g->ramdisk.size / KIB);
		return -ENOSPC;
	}
	fdt = page_alloc_hyp(DTB_SIZE);
	if (!fdt) {
		log_warn("refused: %s: no memory for its device tree", g->name);
		return -ENOMEM;
	}
	err = guestdt_build(fdt, DTB_SIZE, d, g, dtb + DTB_ROOM) ?:
	      put(d, entry, g->kernel.base, g->kernel.size) ?:
	      put(d, dtb + DTB_ROOM, g->ramdisk.base, g->ramdisk.size) ?:
	      put(d, dtb, direct_pa(fdt).v, DTB_SIZE);
	page_free_hyp(fdt, DTB_SIZE);
	if (err)
		log_warn("refused: %s: its device tree cannot be made (error %d)",
			 g->name, err);
	d->vcpus[0]->on_entry = entry;
	d->vcpus[0]->on_arg = dtb;
	return err;
}
