/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Physical memory on the host: a file of which a window shows one frame, and
 * nothing once closed. What a cache was not told to write back is missing from
 * the second copy, which is what a guest with its caches off would read.
 * Included by one source of each test, after <cmocka.h> and with _GNU_SOURCE;
 * the test supplies host_sysreg_read().
 */
#pragma once

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <asm/barrier.h>
#include <asm/cacheops.h>
#include <skerry/arch/mmu.h>

#define PA_BASE	  (1 * GIB)
#define PA_SIZE	  (4 * GIB)
#define MAX_CLEAN (FRAME_SIZE / 16 + 2)

static u8 *mem, *poc; /* by PA - PA_BASE */
static int mem_fd;
static u8 *view[2]; /* a frame each, with nothing around it */
static u64 view_pa[2];
static bool view_open[2];
static u64 cleaning[MAX_CLEAN]; /* lines whose clean is not complete */
static unsigned int nr_cleaning;
/* Sees every operation too, when set. */
static void (*mem_trace)(const char *op, u64 pa);

static void mem_cache(const char *op, u64 a)
{
	u64 size = cache_line_size(), offset = 0;
	unsigned int i = a - (u64)view[0] < FRAME_SIZE ? 0 : 1;

	if (!strcmp(op, "iallu_is")) {
		if (mem_trace)
			mem_trace(op, 0);
		return;
	}
	offset = align_down(a, size) - (u64)view[i];
	assert_true(offset < FRAME_SIZE && view_open[i]);
	if (mem_trace)
		mem_trace(op, view_pa[i] + offset);
	if (!strcmp(op, "zva"))
		return;
	assert_string_equal(op, "civac");
	assert_true(nr_cleaning < MAX_CLEAN);
	cleaning[nr_cleaning++] = view_pa[i] + offset;
}

/* Cleaned lines are in memory when a barrier has waited for them. */
static void mem_barrier(const char *name)
{
	if (mem_trace)
		mem_trace(name, 0);
	if (strcmp(name, "dsb sy"))
		return;
	while (nr_cleaning) {
		u64 at = cleaning[--nr_cleaning] - PA_BASE;

		memcpy(poc + at, mem + at, cache_line_size());
	}
}

void (*host_cache)(const char *op, u64 a) = mem_cache;
void (*host_barrier)(const char *name) = mem_barrier;

void *mmu_window(unsigned int slot, paddr_t pa)
{
	u64 frame = align_down(pa.v, FRAME_SIZE);

	assert_true(slot < 2);
	assert_true(frame >= PA_BASE && frame < PA_BASE + PA_SIZE);
	assert_ptr_equal(mmap(view[slot], FRAME_SIZE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_FIXED, mem_fd,
			      (off_t)(frame - PA_BASE)),
			 view[slot]);
	view_pa[slot] = frame;
	view_open[slot] = true;
	return view[slot] + (pa.v - frame);
}

void mmu_window_close(unsigned int slot)
{
	/* A clean that is not complete goes by the address of the window. */
	assert_int_equal(nr_cleaning, 0);
	assert_ptr_equal(mmap(view[slot], FRAME_SIZE, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 view[slot]);
	view_open[slot] = false;
}

static void assert_windows_closed(void)
{
	assert_false(view_open[0] || view_open[1]);
	assert_int_equal(nr_cleaning, 0);
}

static u8 *host_byte(u8 *in, u64 pa)
{
	return in + (pa - PA_BASE);
}

/* The group's setup function. */
static int reserve_memory(void **state)
{
	(void)state;
	mem_fd = memfd_create("memory", 0);
	if (mem_fd < 0 || ftruncate(mem_fd, (off_t)PA_SIZE))
		return -1;
	mem = mmap(NULL, PA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, mem_fd, 0);
	poc = mmap(NULL, PA_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem == MAP_FAILED || poc == MAP_FAILED)
		return -1;
	for (unsigned int i = 0; i < 2; i++) {
		u8 *room = mmap(NULL, 4 * FRAME_SIZE, PROT_NONE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (room == MAP_FAILED)
			return -1;
		view[i] = (u8 *)align_up((u64)room + PAGE_SIZE, FRAME_SIZE);
	}
	return 0;
}

/* All of it zero again. */
static void forget_memory(void)
{
	assert_int_equal(fallocate(mem_fd,
				   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   0, (off_t)PA_SIZE),
			 0);
	assert_int_equal(madvise(poc, PA_SIZE, MADV_DONTNEED), 0);
	nr_cleaning = 0;
	mem_trace = NULL;
}
