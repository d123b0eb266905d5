/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot on the host: a board of the test's, the real page ownership, memory
 * that is a file and shows at the direct map's addresses while it is mapped,
 * and a record of what is initialised. Includes init.c itself. Included by one
 * source of each test, with _GNU_SOURCE.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <skerry/util.h>

static bool debug, early_uart, selftest;
#undef CONFIG_DEBUG
#undef CONFIG_EARLY_UART
#undef CONFIG_SELFTEST
#define CONFIG_DEBUG	  debug
#define CONFIG_EARLY_UART early_uart
#define CONFIG_SELFTEST	  selftest

#include "../../kernel/init.c"

/* 1.5 MiB and a bit. */
__asm__(".bss\n"
	".balign 4096\n"
	".globl image_start, image_end\n"
	"image_start: .skip 0x180800\n"
	"image_end: .skip 1\n"
	".text\n");

#define BASE	   (1 * GIB)
#define SIZE	   (32 * MIB)
#define NR_PAGES   (SIZE / PAGE_SIZE)
#define IMAGE	   (BASE + 2 * MIB)
#define IMAGE_SIZE 0x180800UL
#define DTB	   (BASE + 8 * MIB)
#define TICK	   1000
#define RTC	   0x9010000
#define RTC_VA	   0x900000002000UL
#define DEAD	   0xa5
#define MARK	   0x10 /* where in each page its mark stands */

struct cpu *host_this_cpu = &cpus[0];
struct machine machine;
struct images images;
u64 build_scrub_ticks;
const struct domain_part stage2_part, vgic_part, ptimer_part, vpl011_part,
	pl031_part, wdt_part, pvtime_part;
struct domain *domains[CONFIG_MAX_DOMAINS + 1];

static struct machine board; /* what machine_parse() finds */
static struct images plan;   /* what guest_read() finds */
static u8 *mem;		     /* all of the memory, mapped or not */
static int mem_fd;
static bool mapped[NR_PAGES];
static bool mmu_on;
static char events[2048]; /* what happened, in order */
static char logged[1024], fatal[256];
static jmp_buf out;
static u64 boot_mpidr, now, rtc_base, ghost_bytes;
static struct page_bank room;	  /* the tables' */
static bool stack_page[NR_PAGES]; /* given out as EL2's stacks */
static void (*submitted)(struct work *w);
static struct work *submitted_work;

static __printf(1, 2) void note(const char *fmt, ...)
{
	size_t n = strlen(events);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(events + n, sizeof(events) - n, fmt, ap);
	va_end(ap);
	n = strlen(events);
	assert_in_range(n, 1, sizeof(events) - 3);
	strcpy(events + n, " ");
}

static void __noreturn ends(const char *what, const char *fmt, va_list ap)
{
	size_t n = (size_t)snprintf(fatal, sizeof(fatal), "%s", what);

	vsnprintf(fatal + n, sizeof(fatal) - n, fmt, ap);
	longjmp(out, 1);
}
void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	ends("boot: ", fmt, ap);
}
void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	ends("panic: ", fmt, ap);
}
void arch_enter(struct vcpu *v)
{
	assert_null(v);
	note("enter");
	longjmp(out, 1);
}
void log_line(const char *fmt, ...)
{
	size_t n = strlen(logged);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(logged + n, sizeof(logged) - n, fmt, ap);
	va_end(ap);
	strncat(logged, "|", sizeof(logged) - strlen(logged) - 1);
	note("log");
}
void lock_rank_take(struct spinlock *l)
{
}
void lock_rank_drop(struct spinlock *l)
{
}

static void show(u64 pa, u64 size, bool on)
{
	if (on)
		assert_ptr_equal(mmap(direct_ptr(PADDR(pa)), size,
				      PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_FIXED, mem_fd,
				      (off_t)(pa - BASE)),
				 direct_ptr(PADDR(pa)));
	else
		assert_ptr_equal(mmap(direct_ptr(PADDR(pa)), size, PROT_NONE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				      -1, 0),
				 direct_ptr(PADDR(pa)));
	for (u64 p = 0; p < size; p += PAGE_SIZE)
		mapped[(pa - BASE + p) / PAGE_SIZE] = on;
}

int mmu_map_direct(paddr_t pa, u64 size)
{
	assert_true(mmu_on);
	assert_true(size && is_aligned(pa.v | size, PAGE_SIZE));
	assert_true(pa.v >= BASE && pa.v + size <= BASE + SIZE);
	for (u64 p = 0; p < size; p += PAGE_SIZE)
		if (mapped[(pa.v - BASE + p) / PAGE_SIZE])
			return -17;
	show(pa.v, size, true);
	if (!room.size && strstr(events, "read "))
		room = (struct page_bank){pa.v, size};
	return 0;
}
void mmu_unmap_direct(paddr_t pa, u64 size)
{
	assert_true(size && is_aligned(pa.v | size, PAGE_SIZE));
	for (u64 p = 0; p < size; p += PAGE_SIZE)
		assert_true(mapped[(pa.v - BASE + p) / PAGE_SIZE]);
	show(pa.v, size, false);
}
void *mmu_map_device(paddr_t pa, u64 size)
{
	assert_true(pa.v == RTC && size == 4);
	note("map_rtc");
	return (void *)RTC_VA;
}
u32 host_mmio_read32(u64 addr)
{
	assert_int_equal(addr, RTC_VA);
	return 1700000000;
}
void mmu_boot(paddr_t at)
{
	assert_int_equal(at.v, IMAGE);
	note("boot");
}
void mmu_init(void)
{
	mmu_on = true;
	note("mmu");
}
u64 mmu_alloc_stack(unsigned int cpu)
{
	paddr_t pa;

	note("stack%u", cpu);
	/* Memory has its owners, and its CPU is one of the scheduler's. */
	assert_int_equal(cpus[cpu].id, cpu);
	assert_int_equal(page_alloc(EL2_STACK_SIZE, PAGE_SIZE, ~0UL, PAGE_HYP,
				    PAGE_OWNER_NONE, &pa),
			 0);
	for (u64 p = 0; p < EL2_STACK_SIZE; p += PAGE_SIZE)
		stack_page[(pa.v - BASE + p) / PAGE_SIZE] = true;
	return 0xb00000004000UL + cpu * (u64)EL2_STACK_STRIDE;
}
void sched_init_cpu(unsigned int cpu)
{
	assert_true(heap_is_empty(&cpus[cpu].timers));
	note("sched%u", cpu);
}
void console_init(void)
{
	note("console%u", machine.uart);
}
void panic_init(void)
{
	note("panic");
}
const char *watchdog_probe(void)
{
	note("probe");
	return "why";
}
void keep_init(const char *reason)
{
	assert_string_equal(reason, "why");
	/* Reserved memory that shows nowhere is nobody's by now. */
	note("keep");
	for (unsigned int i = 0; i < machine.nr_reserved; i++)
		assert_int_equal(page_lookup(PADDR(machine.reserved[i].base)).state,
				 PAGE_NONE);
}
void watchdog_init(void)
{
	note("watchdog");
}
void trace_init(void)
{
	/* The rings are of CPUs that are known by then. */
	assert_int_equal(nr_cpus, machine.nr_cpus);
	note("trace");
}
void machine_parse(const void *fdt, u64 max_size)
{
	u64 dtb = direct_pa(fdt).v;

	note("parse");
	assert_ptr_equal(machine.fdt, fdt);
	/* All that the tree claims to be can be read. */
	assert_int_equal(max_size, fdt_totalsize(fdt));
	for (u64 p = align_down(dtb, PAGE_SIZE); p < dtb + max_size;
	     p += PAGE_SIZE)
		assert_true(mapped[(p - BASE) / PAGE_SIZE]);
	board.fdt = fdt;
	machine = board;
}
void guest_read(const void *fdt)
{
	assert_ptr_equal(fdt, machine.fdt);
	note("read");
	images = plan;
}
u64 ghost_size(const struct page_bank *banks, unsigned int nr)
{
	return ghost_bytes;
}
void ghost_init(const struct page_bank *banks, unsigned int nr, void *at)
{
	u64 table = align_up(page_table_size(banks, nr), PAGE_SIZE);
	u64 pa = direct_pa(at).v;

	note("ghost");
	/* Beside the words, and all of it there and zero. */
	assert_true(pa >= room.base + table);
	assert_true(pa + ghost_bytes <= room.base + room.size);
	for (u64 i = 0; i < ghost_bytes; i++)
		assert_int_equal(((u8 *)at)[i], 0);
}
void ghost_set(paddr_t pa, u64 size, enum page_state state, u8 owner)
{
}
void ghost_check_page(paddr_t pa, const struct page_info *info)
{
}

/* Each CPU's parts; none before what they rest on is there. */
void gic_init(void)
{
	assert_int_equal(nr_cpus, board.nr_cpus);
	for (unsigned int i = 0; i < nr_cpus; i++)
		assert_int_equal(cpus[i].mpidr, machine.cpus[i].mpidr);
	note("gic");
}
void arch_init(void)
{
	note("arch");
}
void arch_init_cpu(void)
{
	note("cpu");
}
void gic_init_cpu(void)
{
	note("gic_cpu");
}
void stage2_init_cpu(void)
{
	note("s2_cpu");
}
void time_init_cpu(void)
{
	note("time_cpu");
}
void irq_init_cpu(void)
{
	assert_int_equal(this_cpu()->online, 0);
	note("irq_cpu");
}
void smp_start_secondaries(void)
{
	assert_int_equal(cpus[0].online, 1);
	for (unsigned int i = 0; i < nr_cpus; i++)
		assert_int_equal(cpus[i].stack_top,
				 0xb00000004000UL + i * EL2_STACK_STRIDE);
	note("smp");
}
void console_init_irq(void)
{
	note("console_irq");
}
void pl031_set_base(u64 seconds)
{
	note("clock");
	rtc_base = seconds;
}
void selftest_run(void)
{
	note("selftest");
}
void work_init(void)
{
	note("work");
}
void work_submit(struct work *w, void (*fn)(struct work *w))
{
	note("submit");
	submitted_work = w;
	submitted = fn;
}
void guest_start_all(void)
{
	note("build");
}
void console_give_input(const struct domain *d)
{
	note("input");
}
u64 arch_mpidr(void)
{
	return boot_mpidr;
}
unsigned int gic_version(void)
{
	return 3;
}
unsigned int gic_nr_lrs(void)
{
	return 4;
}
unsigned int stage2_ipa_bits(void)
{
	return 40;
}
u64 time_freq(void)
{
	return 62500000;
}
u64 time_now(void)
{
	return now;
}

static void put_tree(u64 at, u64 total)
{
	fdt32_t head[] = {cpu_to_fdt32(FDT_MAGIC), cpu_to_fdt32((u32)total)};

	memcpy(mem + (at - BASE), head, sizeof(head));
	board.fdt_size = total;
}

/* A board of two CPUs and one bank; its tree claims more than it uses. */
static int setup(void **state)
{
	(void)state;
	show(BASE, SIZE, false);
	for (u64 p = 0; p < SIZE; p += PAGE_SIZE)
		memset(mem + p, DEAD, MARK + 8);
	memset(stack_page, 0, sizeof(stack_page));
	memset(cpus, 0, sizeof(cpus));
	memset(&machine, 0, sizeof(machine));
	memset(&images, 0, sizeof(images));
	memset(&board, 0, sizeof(board));
	memset(&plan, 0, sizeof(plan));
	memset(domains, 0, sizeof(domains));
	events[0] = logged[0] = fatal[0] = '\0';
	nr_cpus = 1;
	mmu_on = debug = early_uart = selftest = false;
	ghost_bytes = 0;
	submitted = NULL;
	board.banks[0] = (struct page_bank){BASE, SIZE};
	board.nr_banks = 1;
	board.cpus[0].mpidr = boot_mpidr = 0x100;
	board.cpus[1].mpidr = 0x101;
	board.nr_cpus = 2;
	board.uart = UART_PL011;
	strcpy(board.model, "test board");
	put_tree(DTB, 0x5000);
	board.fdt_size = 0x1234;
	return 0;
}

/* True when the boot came to its end. */
static bool boots_from(u64 dtb)
{
	fatal[0] = '\0';
	room.size = 0;
	if (!setjmp(out)) {
		init_main(dtb, IMAGE, TICK);
		fail_msg("came back");
	}
	return !fatal[0];
}

static bool boots(void)
{
	return boots_from(DTB);
}

static void dies(const char *line)
{
	assert_false(boots());
	assert_string_equal(fatal, line);
}

static int map_memory(void **state)
{
	(void)state;
	mem_fd = memfd_create("memory", 0);
	if (mem_fd < 0 || ftruncate(mem_fd, SIZE))
		return -1;
	mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, mem_fd, 0);
	if (mem == MAP_FAILED)
		return -1;
	memset(mem, DEAD, SIZE);
	/* Nothing else of this process is at the direct map's addresses. */
	if (mmap(direct_ptr(PADDR(BASE)), SIZE, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		 0) != MAP_FAILED)
		return 0;
	perror("the direct map's address");
	return -1;
}
