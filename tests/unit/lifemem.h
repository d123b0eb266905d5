/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of lifehost.h: what the log says, physical memory by windows and
 * by the direct map, and stage 2, with what must hold when it goes.
 */
#pragma once

#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <skerry/arch/cache.h>
#include <skerry/arch/gic.h>
#include <skerry/arch/mmu.h>
#include <skerry/arch/timer.h>
#include <skerry/build.h>
#include <skerry/cpu.h>
#include <skerry/dt.h>
#include <skerry/fault.h>
#include <skerry/fmt.h>
#include <skerry/guest.h>
#include <skerry/init.h>
#include <skerry/irq.h>
#include <skerry/layout.h>
#include <skerry/log.h>
#include <skerry/machine.h>
#include <skerry/panic.h>
#include <skerry/pl031.h>
#include <skerry/ptimer.h>
#include <skerry/pvtime.h>
#include <skerry/string.h>

/* cmocka's own would end a thread without a word. */
#define must(cond)                                                             \
	do {                                                                   \
		if (!(cond)) {                                                 \
			fprintf(stderr, "%s:%d: %s (seed %u)\n%s\n", __FILE__, \
				__LINE__, #cond, host_seed, last_line);        \
			abort();                                               \
		}                                                              \
	} while (0)

#ifdef HOST_THREADS
#define HOST_THREAD _Thread_local
#else
#define HOST_THREAD
#endif

#define NR_CPUS	    3
#define BASE	    (1 * GIB)
#define MODULES	    (BASE + 2 * MIB) /* above: the tables of page.c */
#define MODULE_SIZE (12 * KIB)
#define KEPT	    (8 * MIB) /* tables and modules */
#define VTIMER	    27
#define HTIMER	    26
#define OFF	    (~0UL)
#define NOBODY	    0x1000UL
#define NR_DESCS    6

static unsigned int host_seed; /* of this test, for the report of a failure */
static char last_line[256];

static unsigned int rnd(unsigned int n); /* the test's: 0 to n - 1 */

/* --- text ---------------------------------------------------------------- */

static u32 nr_refused, nr_all_off;

static void note_line(const char *fmt, va_list ap)
{
	char text[sizeof(last_line)];

	fmt_vsnprintf(text, sizeof(text), fmt, ap);
	if (!strncmp(text, "refused: ", 9))
		__atomic_fetch_add(&nr_refused, 1, __ATOMIC_RELAXED);
	if (!strcmp(text, "all guests are off"))
		__atomic_fetch_add(&nr_all_off, 1, __ATOMIC_RELAXED);
	if (getenv("LIFE_LOG"))
		fprintf(stderr, "%s\n", text);
#ifndef HOST_THREADS
	strcpy(last_line, text);
#endif
}
void log_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note_line(fmt, ap);
	va_end(ap);
}
void log_at(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note_line(fmt, ap);
	va_end(ap);
}
void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	must(!"panic");
	abort();
}
void die(const char *fmt, ...)
{
	panic("%s", fmt);
}

/* --- memory -------------------------------------------------------------- */

/*
 * Windows show memory by one mapping, the direct map is another one with pages
 * that come and go. It is sparse: only pieces that were touched are not zero.
 */
#define MAX_RAM (2304 * MIB)
#define PIECE	WORK_PIECE

static u64 ram_size;
static int ram_fd;
static u8 *ram;
static u8 touched[MAX_RAM / PIECE];
static bool mapped[MAX_RAM / PAGE_SIZE];
static u64 nr_mapped, nr_leaves;
static u64 vttbr[NR_CPUS + 1];
static bool window_open[2];

static u8 *ram_at(u64 pa)
{
	must(pa - BASE < ram_size);
	return ram + (pa - BASE);
}

/* A piece may have two owners. */
static u8 *flag_of(u64 pa)
{
	return &touched[(pa - BASE) / PIECE];
}

/* Something at `pa` of a guest's. */
static void scribble(u64 pa)
{
	u64 *at = (u64 *)ram_at(align_down(pa, 8));

	__atomic_store_n(flag_of(pa), 1, __ATOMIC_RELAXED);
	__atomic_store_n(at, pa | 1, __ATOMIC_RELAXED);
}

static bool is_zero(u64 pa, u64 size)
{
	static const u8 zeros[PIECE];

	for (u64 n; size; pa += n, size -= n) {
		n = min(size, PIECE - (pa & (PIECE - 1)));
		/* A look at the others would give them memory. */
		if (__atomic_load_n(flag_of(pa), __ATOMIC_RELAXED) &&
		    memcmp(ram_at(pa), zeros, n))
			return false;
	}
	return true;
}

/* No CPU may look at tables that go. */
static void check_not_walked(u64 pa, u64 size)
{
	for (unsigned int c = 0; c < NR_CPUS; c++) {
		u64 root = __atomic_load_n(&vttbr[c], __ATOMIC_RELAXED);

		must((root & BITS(47, 1)) - pa >= size);
	}
}

static void set_mapped(u64 pa, u64 size, bool on)
{
	must(size && is_aligned(pa | size, PAGE_SIZE));
	must(pa >= BASE && pa + size <= BASE + ram_size);
	for (u64 p = (pa - BASE) / PAGE_SIZE;
	     p < (pa + size - BASE) / PAGE_SIZE; p++) {
		must(mapped[p] == !on);
		mapped[p] = on;
	}
	nr_mapped += on ? size : -size;
	must(!mprotect(direct_ptr(PADDR(pa)), size,
		       on ? PROT_READ | PROT_WRITE : PROT_NONE));
}

int mmu_map_direct(paddr_t pa, u64 size)
{
	if (fault_hits())
		return -ENOMEM;
	set_mapped(pa.v, size, true);
	for (u64 at = align_down(pa.v, PIECE); at < pa.v + size; at += PIECE)
		__atomic_store_n(flag_of(at), 1, __ATOMIC_RELAXED);
	/* All others are larger: one that page.c took for itself. */
	nr_leaves += size == PAGE_SIZE;
	return 0;
}
void mmu_unmap_direct(paddr_t pa, u64 size)
{
	check_not_walked(pa.v, size);
	set_mapped(pa.v, size, false);
}

void *mmu_window(unsigned int slot, paddr_t pa)
{
	must(slot < 2 && this_cpu()->id == 0 && !window_open[slot]);
	must(page_lookup(pa).state == PAGE_OWNED);
	window_open[slot] = true;
	return ram_at(pa.v);
}
void mmu_window_close(unsigned int slot)
{
	must(window_open[slot]);
	window_open[slot] = false;
}
void cache_zero_clean(void *p, u64 size)
{
	u64 pa = BASE + (u64)((u8 *)p - ram);
	bool dirty = __atomic_load_n(flag_of(pa), __ATOMIC_RELAXED);

	/* Within one frame and one piece. */
	must(window_open[0] && size <= PIECE && is_aligned(size, PAGE_SIZE));
	must(pa / PIECE == (pa + size - 1) / PIECE);
	if (dirty && size == PIECE) {
		must(!madvise(p, size, MADV_REMOVE));
		__atomic_store_n(flag_of(pa), 0, __ATOMIC_RELAXED);
	} else if (dirty) {
		memset(p, 0, size);
	}
}
void cache_clean_inval(const void *p, u64 size)
{
}
void cache_inval_icache_all(void)
{
}
paddr_t image_pa(const void *sym)
{
	return PADDR(NOBODY);
}

/* --- stage 2, whose instructions no host knows ---------------------------- */

u64 host_sysreg_read(const char *name)
{
	if (!strcmp(name, "id_aa64mmfr0_el1"))
		return 2; /* 40 bits */
	must(!strcmp(name, "vttbr_el2"));
	return vttbr[this_cpu()->id];
}
void host_sysreg_write(const char *name, u64 val)
{
	if (!strcmp(name, "vttbr_el2"))
		__atomic_store_n(&vttbr[this_cpu()->id], val, __ATOMIC_RELAXED);
	else
		must(!strcmp(name, "tcr_el1") || !strcmp(name, "sctlr_el1"));
}

/* A VMID is flushed: no other CPU runs it. */
static void on_asm(const char *text)
{
	u64 own = vttbr[this_cpu()->id];

	for (unsigned int c = 0; c < NR_CPUS; c++) {
		u64 v = __atomic_load_n(&vttbr[c], __ATOMIC_RELAXED);

		must(c == this_cpu()->id || v >> 48 != own >> 48);
	}
}
/* clang-format off */
#define __asm__
#define volatile(...) on_asm(#__VA_ARGS__)
#include "../../arch/arm64/stage2.c"
#undef volatile
#undef __asm__
/* clang-format on */
