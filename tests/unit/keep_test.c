/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kept log with a memory behind caches: what was not cleaned when a reset
 * comes is lost, or survives by halves. Resets anywhere, rings that wrap, bits
 * that flip, regions of garbage and of malice, and how boots follow.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <asm/cacheops.h>

#include "../../kernel/keep.c"
#include "../../kernel/log.c"

#define BASE   0x41000000UL
#define REGION ((u8 *)(EL2_DIRECT_BASE + BASE))
#define LINE   64

struct machine machine;
static u8 dram[KEEP_MAX]; /* what a reset leaves */
static u64 size;	  /* of the region */
static char shown[1 << 16];
static u64 mapped_at, mapped_size;
static int map_result;
/* So many lines reach dram, one more reaches it in part, then none does. */
static unsigned int cleans, cut_after;
static u64 seed;
static const char *reason; /* the board's */

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* 64-byte lines and zeroing blocks. */
u64 host_sysreg_read(const char *name)
{
	return strcmp(name, "ctr_el0") ? 4 : 4UL << 16;
}
void host_sysreg_write(const char *name, u64 val)
{
}
static void on_cache(const char *op, u64 a)
{
	u64 at = align_down(a, LINE) - (u64)REGION;

	if (strcmp(op, "civac"))
		return;
	assert_in_range(at, 0, size - LINE);
	for (u64 w = at; w < at + LINE; w += 4)
		if (cleans < cut_after || (cleans == cut_after && (rnd() & 1)))
			memcpy(dram + w, REGION + w, 4);
	cleans++;
}
void (*host_barrier)(const char *name);
void (*host_cache)(const char *op, u64 a) = on_cache;

int mmu_map_direct(paddr_t pa, u64 bytes)
{
	mapped_at = pa.v;
	mapped_size = bytes;
	return map_result;
}
void console_line(enum log_level level, const char *text)
{
	size_t n = strlen(shown);

	snprintf(shown + n, sizeof(shown) - n, "%u%s\n", level, text);
	log_append(level, text);
}
u64 time_now(void)
{
	return 7000;
}
u64 time_freq(void)
{
	return 1000000;
}

/* Caches and EL2's own memory are gone. */
static void reset(void)
{
	memcpy(REGION, dram, size);
	memset(&keep, 0, sizeof(keep));
	memset(&ring, 0, sizeof(ring));
	*shown = 0;
	cleans = 0;
	cut_after = ~0U;
}

/* What the boot says, besides what it said before it had the region. */
static const char *boot(void)
{
	reset();
	log_line("early");
	*shown = 0;
	keep_init(reason);
	return shown;
}

static void begin(u64 bytes)
{
	size = bytes;
	machine.kept = (struct page_bank){BASE, size};
	mapped_at = mapped_size = 0;
	map_result = 0;
	reason = NULL;
	seed = 0x5eed;
}

static int setup(void **state)
{
	begin(KEEP_MIN);
	memset(dram, 0, sizeof(dram));
	boot();
	return 0;
}

static int map_memory(void **state)
{
	/* Nothing beside it: what goes astray faults. */
	return mmap(REGION, KEEP_MAX, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		    0) != REGION;
}

/* The last boot's lines, each ended by a newline; their number. */
static char last[1 << 16];
static unsigned int nr_panic;

static unsigned int read_last(void)
{
	char r[LOG_RECORD];
	unsigned int nr = 0;
	size_t n = 0;
	bool panic;

	*last = 0;
	nr_panic = 0;
	for (u32 pos = 0; keep_read(&pos, r, &panic); nr++) {
		assert_in_range(strlen(r), LOG_TEXT, LOG_RECORD - 1);
		assert_in_range(*r, '0', '4');
		for (const char *p = r; *p; p++)
			assert_in_range(*p, ' ', '~');
		assert_in_range(pos, 1, keep.nr);
		n += (size_t)snprintf(last + n, sizeof(last) - n, "%s\n", r);
		nr_panic += panic;
	}
	return nr;
}

static void test_crc(void **state)
{
	assert_int_equal(crc32(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(crc32(crc32(0, "1234", 4), "56789", 5), 0xcbf43926);
	assert_int_equal(crc32(5, "", 0), 5);
}

static void test_boots(void **state)
{
	assert_string_equal(shown, "3reset: cold or unknown\n");
	assert_true(keep_is_cold());
	assert_int_equal(read_last(), 0);
	log_warn("careful");
	assert_string_equal(boot(), "3reset: warm, boot 2\n"
				    "3last boot: 3 lines kept, see `lastlog`\n");
	assert_false(keep_is_cold());
	assert_int_equal(read_last(), 3);
	assert_string_equal(last, "3           7 early\n"
				  "3           7 reset: cold or unknown\n"
				  "2           7 careful\n");
	keep_panic();
	log_err("panic: %s", "why");
	log_err("CPU 0\x1b\xff\tx");
	assert_string_equal(boot(), "3reset: warm, boot 3\n"
				    "2last boot panicked:\n"
				    "2| panic: why\n2| CPU 0???x\n");
	assert_int_equal(read_last(), 5);
	assert_int_equal(nr_panic, 2);
	/* Told once, and what the teller says is no panic. */
	assert_string_equal(boot(), "3reset: warm, boot 4\n"
				    "3last boot: 5 lines kept, see `lastlog`\n");
	assert_int_equal(read_last(), 5);
	assert_int_equal(nr_panic, 0);
	/* Power off. */
	memset(dram, 0, sizeof(dram));
	assert_string_equal(boot(), "3reset: cold or unknown\n");
	assert_true(keep_is_cold());
}

/* With the board's word; without a region it is all that is known. */
static void test_reason(void **state)
{
	reason = "watchdog";
	assert_memory_equal(boot(), "3reset: watchdog (warm, boot 2)\n", 32);
	memset(dram, 0, sizeof(dram));
	assert_string_equal(boot(), "3reset: watchdog (cold or unknown)\n");
	machine.kept.size = 0;
	assert_non_null(strstr(boot(), "\n3reset: watchdog\n"));
	reason = NULL;
	assert_null(strstr(boot(), "reset"));
}

/* Numbers of boots go round, and 0 is none. */
static void test_numbers(void **state)
{
	char want[64];
	u32 number = 0xfffffffd;
	struct header h = make_header(number);

	memcpy(dram, &h, sizeof(h));
	for (unsigned int i = 0; i < 6; i++) {
		number = number + 1 ? number + 1 : 1;
		snprintf(want, sizeof(want), "3reset: warm, boot %u\n", number);
		assert_memory_equal(boot(), want, strlen(want));
	}
	assert_int_equal(number, 4);
	h = make_header(0);
	memset(dram, 0, sizeof(dram));
	memcpy(dram, &h, sizeof(h));
	assert_string_equal(boot(), "3reset: cold or unknown\n");
}

/* Which regions are taken, and how much of them. */
static void test_regions(void **state)
{
	static const struct {
		u64 base, size, at, mapped;
		const char *says;
	} cases[] = {
		{0, 0, 0, 0,
		 "4reserved-memory: no \"ramoops\": no log is kept\n"},
		{BASE, KEEP_MIN - 1, 0, 0, "2ramoops"},
		{BASE + 1, KEEP_MIN, 0, 0, "2ramoops"},
		{BASE + 1, 1, 0, 0, "2ramoops"},
		{BASE, KEEP_MIN, BASE, KEEP_MIN, "3reset"},
		{BASE - 1, KEEP_MIN + 1, BASE, KEEP_MIN, "3reset"},
		{BASE, KEEP_MIN + PAGE_SIZE, BASE, KEEP_MIN + PAGE_SIZE,
		 "3reset"},
		{BASE, GIB, BASE, KEEP_MAX, "3reset"},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(dram, 0, sizeof(dram));
		begin(max(cases[i].mapped, KEEP_MIN));
		machine.kept = (struct page_bank){cases[i].base, cases[i].size};
		assert_memory_equal(boot(), cases[i].says,
				    strlen(cases[i].says));
		assert_int_equal(mapped_at, cases[i].at);
		assert_int_equal(mapped_size, cases[i].mapped);
		log_line("goes on");
		assert_int_equal(read_last(), 0);
		assert_int_equal(keep_is_cold(), true);
	}
	/* It is someone else's. */
	begin(KEEP_MIN);
	map_result = -17;
	assert_string_equal(
		boot(),
		"2ramoops: reg: not 16 KiB of free pages: no log is kept\n");
	log_line("goes on");
	assert_int_equal(read_last(), 0);
}

/* A text of as many characters as its number asks for. */
static const char *text_of(unsigned int i)
{
	static char text[CONSOLE_LINE];
	unsigned int n = i * 7 % (CONSOLE_LINE - 8);

	memset(text, 'a' + (char)(i % 26), sizeof(text));
	snprintf(text + n, sizeof(text) - n, "%u", i);
	return text;
}

/* The newest ones, whole, without a gap, as many as there is room for. */
static void test_wrap(void **state)
{
	u64 sizes[] = {KEEP_MIN, KEEP_MIN + 3 * PAGE_SIZE, KEEP_MAX};
	char want[CONSOLE_LINE + 32], *at;
	unsigned int nr, first;

	for (unsigned int s = 0; s < ARRAY_SIZE(sizes); s++)
		for (unsigned int total = 20; total < 1300; total += 97) {
			begin(sizes[s]);
			memset(dram, 0, sizeof(dram));
			boot();
			for (unsigned int i = 0; i < total; i++)
				log_line("%s", text_of(i));
			boot();
			nr = read_last();
			if (nr == total + 2)
				continue;
			assert_in_range(nr, keep.nr / 5 - 1, keep.nr);
			first = total - nr;
			at = last;
			for (unsigned int i = first; i < total; i++) {
				snprintf(want, sizeof(want), "3%12u %s\n", 7,
					 text_of(i));
				assert_memory_equal(at, want, strlen(want));
				at += strlen(want);
			}
			assert_int_equal(*at, 0);
		}
}

/*
 * All that was cleaned is there, in order; of the line that was being written
 * a beginning at most. `written` are the lines, the third on.
 */
static void check_cut(const char *written)
{
	const char *at = last;
	size_t whole;

	boot();
	read_last();
	/* Only the last one may be cut. */
	whole = (size_t)((*at ? strrchr(at, '\n') : at) - at);
	assert_memory_equal(written, at, whole);
	assert_null(strstr(at, "\n\n"));
}

/* Where this boot's next slot is. */
static u64 next_slot(void)
{
	return (u64)&keep.this.slots[1 + keep.this.seq % keep.nr] - (u64)REGION;
}

/* A reset after each line that is cleaned, the next one torn. */
static void test_cut_lines(void **state)
{
	static char written[1 << 14];
	unsigned int total = 0;

	for (unsigned int cut = 0; !total || cut < total; cut++)
		for (unsigned int again = 0; again < 20; again++) {
			setup(state);
			seed += again;
			cleans = 0;
			cut_after = cut;
			snprintf(written, sizeof(written),
				 "3%12u early\n3%12u reset: cold or unknown\n",
				 7, 7);
			for (unsigned int i = 0; i < 12; i++) {
				size_t n = strlen(written);

				log_line("%s", text_of(i * 5));
				snprintf(written + n, sizeof(written) - n,
					 "3%12u %s\n", 7, text_of(i * 5));
			}
			total = cleans;
			check_cut(written);
		}
	assert_in_range(total, 30, 60);
}

/* Every half-way state of a slot but the last is none. */
static void test_torn_slot(void **state)
{
	u64 at = next_slot();
	struct slot new, old, mix, got;
	u32 place = keep.this.seq % keep.nr;

	for (unsigned int lap = 0; lap < 2; lap++) {
		memcpy(&old, REGION + at, LINE);
		log_line("a line of one slot, lap %u", lap);
		memcpy(&new, REGION + at, LINE);
		assert_true(read_slot(&keep.this, place, &got));
		for (u32 words = 0; words < 65536; words++) {
			bool is_new, is_old;

			for (unsigned int w = 0; w < 16; w++)
				memcpy((u8 *)&mix + 4 * w,
				       (words & BIT(w) ? (u8 *)&new
						       : (u8 *)&old) +
					       4 * w,
				       4);
			memcpy(REGION + at, &mix, LINE);
			is_new = !memcmp(&mix, &new, LINE);
			is_old = lap && !memcmp(&mix, &old, LINE);
			assert_int_equal(read_slot(&keep.this, place, &got),
					 is_new || is_old);
		}
		memcpy(REGION + at, &new, LINE);
		/* Once round. */
		while (keep.this.seq % keep.nr != place)
			log_line("x");
	}
}

/* A reset while a half is begun: the last boot's is there, or the new one. */
static void test_cut_init(void **state)
{
	unsigned int total = 0;

	for (unsigned int cut = 0; !total || cut <= total; cut++)
		for (unsigned int again = 0; again < 2; again++) {
			const char *says;

			/* The half to be begun holds boot 1, or nothing. */
			setup(state);
			if (again)
				boot();
			keep_panic();
			log_err("panic: before");
			reset();
			cut_after = cut;
			keep_init(reason);
			total = cleans;
			says = boot();
			assert_non_null(strstr(says, "reset: warm"));
			if (strstr(says, again ? "boot 4" : "boot 3"))
				assert_true(cut >= size / 2 / LINE);
			else
				assert_non_null(strstr(says, "| panic: before"));
		}
}

/* Whichever bit flips, only the line with it is lost, or some of it. */
static void test_flips(void **state)
{
	static u8 whole[KEEP_MIN];
	unsigned int at[3];
	unsigned int nr;

	for (unsigned int i = 0; i < 3; i++) {
		at[i] = (unsigned int)next_slot();
		log_line("line %u", i);
	}
	memcpy(whole, dram, size);
	for (unsigned int bit = 0; bit < LINE * 8; bit++) {
		memcpy(dram, whole, size);
		dram[at[1] + bit / 8] ^= (u8)(1U << bit % 8);
		boot();
		nr = read_last();
		assert_int_equal(nr, 4);
		assert_non_null(strstr(last, "line 0\n"));
		assert_null(strstr(last, "line 1\n"));
		assert_non_null(strstr(last, "line 2\n"));
		/* In the header: nothing is believed. */
		memcpy(dram, whole, size);
		dram[bit / 8 % sizeof(struct header)] ^= (u8)(1U << bit % 8);
		assert_string_equal(boot(), "3reset: cold or unknown\n");
	}
}

/* Made up: a line without an end, and slots of another boot in between. */
static void test_forged(void **state)
{
	struct slot *s = keep.this.slots, other;

	for (unsigned int i = 0; i < 40; i++) {
		s = &keep.this.slots[1 + (keep.this.seq + i) % keep.nr];
		*s = (struct slot){0, keep.this.seq + i, sizeof(s->text),
				   i ? 0 : SLOT_FIRST, "1"};
		memset(s->text + !i, 'a', sizeof(s->text) - !i);
		s->crc = slot_crc(keep.this.boot, s);
		memcpy(dram + ((u64)s - (u64)REGION), s, LINE);
	}
	boot();
	assert_int_equal(read_last(), 3);
	assert_int_equal(strlen(strrchr(last, '1')), LOG_RECORD);
	setup(NULL);
	for (unsigned int i = 0; i < 8; i++)
		log_line("of boot 1");
	other = keep.this.slots[1 + (keep.this.seq - 1) % keep.nr];
	boot();
	keep.this.seq = other.seq;
	memcpy(dram + next_slot(), &other, LINE);
	boot();
	assert_int_equal(read_last(), 3);
	assert_null(strstr(last, "of boot 1"));
}

/* Slots whose CRC is right, and nothing else. */
static void forge(unsigned int nr)
{
	u32 boots = (u32)rnd();

	for (u32 i = 0; i < nr; i++) {
		struct slot *s = (struct slot *)dram + 1 +
				 rnd() % (size / 2 / LINE - 1);

		for (unsigned int w = 0; w < 8; w++)
			((u64 *)s)[w] = rnd();
		if (rnd() & 3)
			s->len = (u8)(rnd() % 56);
		if (rnd() & 1)
			s->text[0] = (char)('0' + rnd() % 6);
		if (rnd() & 3)
			s->seq = (u32)((rnd() & 3 ? 0 : 0xffffff00) +
				       (u64)(s - (struct slot *)dram) - 1);
		s->crc = slot_crc(boots, s);
	}
	keep.nr = (u32)(size / 2 / LINE) - 1;
	struct header h = make_header(boots ? boots : 1);
	memcpy(dram, &h, sizeof(h));
}

static void test_garbage(void **state)
{
	static u8 good[KEEP_MIN];
	unsigned int nr_warm = 0, nr_lines = 0;

	for (unsigned int i = 0; i < 60; i++)
		log_line("%s", text_of(i));
	boot();
	for (unsigned int i = 0; i < 20; i++)
		log_line("%s", text_of(i));
	memcpy(good, dram, size);
	for (unsigned int i = 0; i < 100000; i++) {
		const char *says;
		unsigned int kind = i % 4;

		if (kind == 3)
			memcpy(dram, good, size);
		else
			for (u64 w = 0; w < size / 8; w++)
				((u64 *)dram)[w] = kind ? rnd() : 0;
		if (kind == 1)
			memcpy(dram, good, sizeof(struct header));
		if (kind == 2 && i % 16 == 2)
			forge((unsigned int)(rnd() % 64));
		for (u64 n = kind == 3 ? rnd() % 32 : 0; n; n--)
			dram[rnd() % size] = (u8)rnd();
		says = boot();
		assert_memory_equal(says, "3reset: ", 8);
		nr_warm += !!strstr(says, "warm");
		nr_lines += read_last();
		/* Neither zeros nor noise. */
		if (kind == 0 || (kind == 2 && i % 16 != 2))
			assert_string_equal(says, "3reset: cold or unknown\n");
		if (kind == 1)
			assert_non_null(strstr(says, ": 0 lines kept"));
		/* It works from then on. */
		log_line("on we go");
		if (i % 64 == 0) {
			assert_non_null(strstr(boot(), "warm"));
			read_last();
			assert_non_null(strstr(last, "on we go\n"));
		}
	}
	assert_in_range(nr_warm, 40000, 75000);
	assert_in_range(nr_lines, 100000, 3000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_crc, setup),
		cmocka_unit_test_setup(test_boots, setup),
		cmocka_unit_test_setup(test_reason, setup),
		cmocka_unit_test_setup(test_numbers, setup),
		cmocka_unit_test_setup(test_regions, setup),
		cmocka_unit_test_setup(test_wrap, setup),
		cmocka_unit_test_setup(test_cut_lines, setup),
		cmocka_unit_test_setup(test_torn_slot, setup),
		cmocka_unit_test_setup(test_cut_init, setup),
		cmocka_unit_test_setup(test_flips, setup),
		cmocka_unit_test_setup(test_forged, setup),
		cmocka_unit_test_setup(test_garbage, setup),
	};

	return cmocka_run_group_tests(tests, map_memory, NULL);
}
