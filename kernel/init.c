/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boot order: one explicit list. Runs on the boot CPU at its linked address,
 * interrupts masked, on the boot stack.
 */
#include <skerry/init.h>

#include <libfdt.h>

#include <asm/io.h>
#include <skerry/arch/gic.h>
#include <skerry/arch/init.h>
#include <skerry/arch/mmu.h>
#include <skerry/arch/stage2.h>
#include <skerry/build.h>
#include <skerry/console.h>
#include <skerry/cpu.h>
#include <skerry/domain.h>
#include <skerry/guest.h>
#include <skerry/irq.h>
#include <skerry/keep.h>
#include <skerry/log.h>
#include <skerry/machine.h>
#include <skerry/panic.h>
#include <skerry/pl031.h>
#include <skerry/ptimer.h>
#include <skerry/pvtime.h>
#include <skerry/sections.h>
#include <skerry/selftest.h>
#include <skerry/stress.h>
#include <skerry/string.h>
#include <skerry/trace.h>
#include <skerry/watchdog.h>

#define DTB_MAX (2 * MIB) /* arm64 boot protocol */

struct cpu cpus[CONFIG_NR_CPUS];
unsigned int nr_cpus = 1;

/* Parts of a domain in the order of their making. */
const struct domain_part *const domain_parts[] = {
	&stage2_part, &vgic_part, &ptimer_part, &vpl011_part,
	&pl031_part,  &wdt_part,  &pvtime_part, NULL,
};

static u64 entry_tick;
static paddr_t image;
static struct work start;

static void init_this_cpu(unsigned int id)
{
	struct cpu *cpu = &cpus[id];

	cpu->id = id;
	sched_init_cpu(id);
}

/* The device tree, mapped as far as its header says, or die. */
static const void *map_dtb(u64 dtb, u64 *size)
{
	u64 page = align_down(dtb, PAGE_SIZE);
	const void *fdt = direct_ptr(PADDR(dtb));

	if (!dtb || !is_aligned(dtb, 8))
		die("no device tree: x0 is %#lx", dtb);
	check(!mmu_map_direct(PADDR(page), 2 * PAGE_SIZE));
	if (fdt_magic(fdt) != FDT_MAGIC)
		die("no device tree at %#lx: magic is %#x", dtb, fdt_magic(fdt));
	*size = fdt_totalsize(fdt);
	if (*size > DTB_MAX || *size < sizeof(struct fdt_header))
		die("device tree: totalsize: %#lx is impossible", *size);
	if (dtb + *size > page + 2 * PAGE_SIZE)
		check(!mmu_map_direct(PADDR(page + 2 * PAGE_SIZE),
				      align_up(dtb + *size, PAGE_SIZE) - page -
					      2 * PAGE_SIZE));
	return fdt;
}

/* Nothing of the tree's slack stays mapped: it may become a guest's. */
static void trim_dtb(u64 dtb, u64 total)
{
	u64 page = align_down(dtb, PAGE_SIZE);
	u64 mapped = max(align_up(dtb + total, PAGE_SIZE), page + 2 * PAGE_SIZE);
	u64 used = align_up(dtb + machine.fdt_size, PAGE_SIZE);

	if (mapped > used)
		mmu_unmap_direct(PADDR(used), mapped - used);
}

/* Move *at behind a range of these that [*at, *at + size) meets. */
static bool step_over(u64 *at, u64 size, const struct page_bank *b,
		      unsigned int nr)
{
	for (; nr; b++, nr--)
		if (*at < b->base + b->size && b->base < *at + size) {
			*at = align_up(b->base + b->size, PAGE_SIZE);
			return true;
		}
	return false;
}

/* Memory for the ownership tables: the first room behind the image. */
static u64 find_room(u64 size, u64 dtb)
{
	u64 behind = align_up(image.v + (u64)(image_end - image_start),
			      PAGE_SIZE);
	const struct page_bank tree = {dtb, machine.fdt_size};

	for (unsigned int i = 0; i < machine.nr_banks; i++) {
		const struct page_bank *b = &machine.banks[i];
		u64 at = max(behind, align_up(b->base, PAGE_SIZE));

		while (step_over(&at, size, &tree, 1) ||
		       step_over(&at, size, machine.reserved,
				 machine.nr_reserved) ||
		       step_over(&at, size, images.modules, images.nr_modules))
			;
		if (at + size <= b->base + b->size)
			return at;
	}
	die("memory: no room for %lu KiB behind the image", size / KIB);
}

/* Ranges that are not free memory: the reserved ones, then those in use. */
static struct page_bank kept[MACHINE_MAX_RESERVED + 3 + IMAGE_MAX_MODULES];
static unsigned int nr_kept;

/* The pages of [lo, hi) outside the first `nr` kept ranges; their size. */
static u64 add_pages(u64 lo, u64 hi, unsigned int nr, enum page_state state)
{
	u64 sum = 0, end;

	lo = align_up(lo, PAGE_SIZE);
	hi = align_down(hi, PAGE_SIZE);
	for (; lo < hi; lo = end) {
		end = lo;
		if (step_over(&end, PAGE_SIZE, kept, nr))
			continue;
		end = hi;
		for (unsigned int i = 0; i < nr; i++)
			if (kept[i].base > lo)
				end = min(end,
					  align_down(kept[i].base, PAGE_SIZE));
		if (state == PAGE_HYP && page_add_hyp(PADDR(lo), end - lo))
			break;
		if (state == PAGE_FREE && page_add_free(PADDR(lo), end - lo))
			die("memory: banks overlap at %#lx", lo);
		sum += end - lo;
	}
	return sum;
}

static void claim(const char *what, const struct page_bank *b)
{
	u64 lo = align_down(b->base, PAGE_SIZE), sum = 0;
	u64 hi = align_up(b->base + b->size, PAGE_SIZE);

	for (unsigned int i = 0; i < machine.nr_banks; i++) {
		const struct page_bank *ram = &machine.banks[i];

		sum += add_pages(max(lo, ram->base),
				 min(hi, ram->base + ram->size),
				 machine.nr_reserved, PAGE_HYP);
	}
	if (sum != hi - lo)
		die("memory: %s at %#lx+%#lx is not free RAM", what, b->base,
		    b->size);
}

static void keep(const struct page_bank *b, unsigned int nr)
{
	memcpy(&kept[nr_kept], b, nr * sizeof(*b));
	nr_kept += nr;
}

/*
 * What is in use is never free, not even until it is claimed: page ownership
 * takes free memory for its own needs meanwhile.
 */
static void add_ram(u64 dtb, u64 room, u64 size)
{
	const struct page_bank used[] = {
		{image.v, (u64)(image_end - image_start)},
		{room, size},
		{dtb, machine.fdt_size},
	};

	nr_kept = 0;
	keep(machine.reserved, machine.nr_reserved);
	keep(used, ARRAY_SIZE(used));
	keep(images.modules, images.nr_modules);
	for (unsigned int i = 0; i < machine.nr_banks; i++) {
		const struct page_bank *ram = &machine.banks[i];

		add_pages(ram->base, ram->base + ram->size, nr_kept, PAGE_FREE);
	}
	claim("the image", &used[0]);
	claim("the page table", &used[1]);
	claim("the device tree", &used[2]);
	for (unsigned int i = 0; i < images.nr_modules; i++)
		claim("a guest's module", &images.modules[i]);
}

static void init_memory(u64 dtb)
{
	const struct page_bank *banks = machine.banks;
	unsigned int nr = machine.nr_banks;
	u64 table = align_up(page_table_size(banks, nr), PAGE_SIZE);
	u64 ghost = CONFIG_DEBUG ? ghost_size(banks, nr) : 0;
	u64 size = align_up(table + ghost, PAGE_SIZE);
	u64 room = find_room(size, dtb);
	u8 *mem = direct_ptr(PADDR(room));

	check(!mmu_map_direct(PADDR(room), size));
	memset(mem, 0, size);
	if (CONFIG_DEBUG)
		ghost_init(banks, nr, mem + table);
	page_init(banks, nr, mem);
	add_ram(dtb, room, size);
}

static void init_cpu_parts(void)
{
	arch_init_cpu();
	gic_init_cpu();
	stage2_init_cpu();
	time_init_cpu();
	irq_init_cpu();
}

void cpu_secondary_main(void)
{
	init_cpu_parts();
	if (CONFIG_STRESS)
		stress_init_cpu();
	store_release(&this_cpu()->online, 1U);
	arch_enter(NULL);
}

/* The boot CPU is CPU 0, wherever the tree has it. */
static void put_boot_cpu_first(void)
{
	struct machine_cpu *c = machine.cpus, boot;

	while (c < machine.cpus + machine.nr_cpus && c->mpidr != arch_mpidr())
		c++;
	if (c == machine.cpus + machine.nr_cpus)
		die("cpus: reg: the boot CPU (MPIDR %#lx) is not described",
		    arch_mpidr());
	boot = *c;
	*c = machine.cpus[0];
	machine.cpus[0] = boot;
}

static void init_cpus(void)
{
	put_boot_cpu_first();
	nr_cpus = machine.nr_cpus;
	for (unsigned int i = 0; i < nr_cpus; i++) {
		init_this_cpu(i);
		cpus[i].mpidr = machine.cpus[i].mpidr;
		cpus[i].stack_top = mmu_alloc_stack(i);
	}
	gic_init();
	arch_init();
	init_cpu_parts();
	cpus[0].online = 1;
	smp_start_secondaries();
	if (machine.nr_cpus_ignored)
		log_line("%u CPUs beyond CONFIG_NR_CPUS stay off",
			 machine.nr_cpus_ignored);
}

/* Guests count on from the board's time of day (PL031's data register). */
static void init_clock(void)
{
	if (machine.rtc_base)
		pl031_set_base(mmio_read32(
			(u64)mmu_map_device(PADDR(machine.rtc_base), 4)));
}

static void log_memory(void)
{
	struct page_stats st;
	u64 pools = 0;

	page_stats(&st);
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		if (domains[i])
			pools += domains[i]->pool.size;
	log_line("memory: %lu KiB kept, pools %lu KiB, guests %lu MiB, free %lu MiB",
		 (st.hyp - pools) / KIB, pools / KIB, st.owned / MIB,
		 st.free / MIB);
}

void init_first_guest(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	log_line("ready: %lu ticks to first guest, scrub %lu ticks, verify %lu ticks",
		 time_now() - entry_tick - build_scrub_ticks -
			 images.verify_ticks,
		 build_scrub_ticks, images.verify_ticks);
}

static void start_guests(struct work *w __unused)
{
	guest_start_all();
	/* At once: some that run now may leave the worker no time. */
	log_memory();
	console_give_input(NULL);
}

void init_main(u64 dtb, u64 image_addr, u64 tick)
{
	u64 dtb_size;

	entry_tick = tick;
	image = PADDR(image_addr);
	init_this_cpu(0);
	mmu_boot(image);
	mmu_init();
	if (CONFIG_EARLY_UART) {
		machine.uart = UART_PL011;
		machine.uart_base = CONFIG_EARLY_UART_BASE;
		console_init();
	}
	machine.fdt = map_dtb(dtb, &dtb_size);
	machine_parse(machine.fdt, dtb_size);
	console_init();
	panic_init();
	trim_dtb(dtb, dtb_size);
	log_line("Skerry %s on %s", CONFIG_VERSION, machine.model);
	guest_read(machine.fdt);
	init_memory(dtb);
	keep_init(watchdog_probe());
	init_cpus();
	console_init_irq();
	init_clock();
	watchdog_init();
	trace_init();
	log_line("%u CPUs, GICv%u with %u list registers, %u-bit IPA, timer %lu Hz",
		 nr_cpus, gic_version(), gic_nr_lrs(), stage2_ipa_bits(),
		 time_freq());
	if (CONFIG_SELFTEST)
		selftest_run();
	if (CONFIG_STRESS)
		stress_init_cpu();
	work_init();
	work_submit(&start, start_guests);
	arch_enter(NULL);
}
