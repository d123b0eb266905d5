/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console with its log: prefixes, turns, full rings and what guests are
 * told, raw mode, where input goes, levels and the wrap of the log, on a UART
 * that takes as many characters as the test lets it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../kernel/console.c"
#include "../../kernel/log.c"

struct domain *domains[CONFIG_MAX_DOMAINS + 1];
struct machine machine;
static struct domain guests[3]; /* d1 to d3 */
static char wire[1 << 16];
static size_t nr_wire, room;
static const char *typed;
static char got[4][64]; /* by guest; 0 is the shell's */
static unsigned int nr_told[4];
static const char *options;
static bool tx_irq;
static u64 now;
static char kept[512];
static unsigned int nr_last; /* lines of the last boot */

void keep_line(const char *text)
{
	assert_int_not_equal(con.lock.tickets || con.panic, 0);
	snprintf(kept, sizeof(kept), "%s", text);
}
bool keep_read(u32 *pos, char r[LOG_RECORD], bool *panic)
{
	if (*pos == nr_last)
		return false;
	memset(r, 'x', LOG_RECORD - 1);
	memcpy(r, "2         123 ", LOG_TEXT);
	r[LOG_RECORD - 1] = 0;
	if (!(*pos)++)
		strcpy(r + LOG_TEXT, "first");
	return true;
}
void lock_rank_take(struct spinlock *l)
{
}
void lock_rank_drop(struct spinlock *l)
{
}
bool pl011_try_putc(u64 base, char c)
{
	assert_int_not_equal(con.lock.tickets || con.panic || !con.irq, 0);
	if (!room)
		return false;
	room--;
	assert_in_range(nr_wire, 0, sizeof(wire) - 2);
	wire[nr_wire++] = c;
	wire[nr_wire] = 0;
	return true;
}
int pl011_getc(u64 base)
{
	return typed && *typed ? *typed++ : -1;
}
void pl011_init(u64 base)
{
}
void pl011_irq_mask(u64 base, bool tx)
{
	tx_irq = tx;
}
void *mmu_map_device(paddr_t pa, u64 size)
{
	return wire;
}
void gic_enable(u32 intid, unsigned int cpu, bool level)
{
	assert_int_equal(intid, 33);
}
bool arch_find_console(const void *fdt)
{
	return false;
}
bool machine_has_option(const char *word)
{
	return options && !strcmp(word, options);
}
u64 time_now(void)
{
	return now;
}
u64 time_freq(void)
{
	return 1000000;
}
static void add(char *to, char c)
{
	assert_int_equal(con.lock.tickets, 0);
	to[strlen(to)] = c;
}
bool vpl011_input(struct domain *d, u8 c)
{
	add(got[d->id], (char)c);
	return true;
}
void shell_input(char c)
{
	add(got[0], c);
}
void vpl011_room(struct domain *d)
{
	assert_int_equal(con.lock.tickets, 0);
	nr_told[d->id]++;
}

/* A dump of so many lines. */
static unsigned int nr_dump, dump_line;

bool trace_is_dumping(void)
{
	return dump_line < nr_dump;
}
bool trace_dump_line(char *to, size_t size)
{
	if (!trace_is_dumping())
		return false;
	assert_int_not_equal(con.lock.tickets, 0);
	snprintf(to, size, "trace: %u", dump_line++);
	return true;
}

static int boot(const char *option)
{
	nr_dump = dump_line = 0;
	memset(&con, 0, sizeof(con));
	con.level = LOG_INFO;
	con.shell.text = shell_text;
	con.shell.size = sizeof(shell_text);
	memset(&ring, 0, sizeof(ring));
	memset(guests, 0, sizeof(guests));
	memset(got, 0, sizeof(got));
	memset(nr_told, 0, sizeof(nr_told));
	for (unsigned int i = 0; i < 3; i++) {
		struct domain *d = domains[i + 1] = &guests[i];

		d->id = i + 1;
		snprintf(d->name, sizeof(d->name), "g%u", i + 1);
		d->state = DOMAIN_RUNNING;
		d->console.present = true;
		d->console.out.text = d->console.text;
		d->console.out.size = CONSOLE_RING;
	}
	nr_wire = 0;
	*wire = 0;
	room = ~0UL;
	now = 5000;
	typed = NULL;
	options = option;
	machine.uart = UART_PL011;
	machine.uart_intid = 33;
	console_init();
	console_init_irq();
	return 0;
}

void watchdog_refresh(void)
{
}

static int setup(void **state)
{
	return boot(NULL);
}

static bool gput(unsigned int id, const char *s)
{
	bool more = true;

	for (; *s; s++)
		more = console_guest_putc(&guests[id - 1], (u8)*s);
	return more;
}

static void expect(const char *want)
{
	assert_string_equal(wire, want);
	nr_wire = 0;
	*wire = 0;
}

static void flow(size_t n)
{
	room = n;
	console_irq();
}

static void type(const char *s)
{
	typed = s;
	while (*typed)
		console_irq();
}

static void test_lines(void **state)
{
	char text[CONSOLE_LINE + 2];

	gput(1, "hel");
	gput(2, "other\r\n");
	log_line("%u guests", 2);
	gput(1, "lo\n\n");
	expect("(d2) other\r\n(sk) 2 guests\r\n(d1) hello\r\n(d1) \r\n");
	/* As long as a line may be, and one more. */
	memset(text, 'x', CONSOLE_LINE);
	strcpy(text + CONSOLE_LINE, "\n");
	gput(1, text);
	assert_int_equal(nr_wire, 5 + CONSOLE_LINE + 2);
	expect(wire);
	text[CONSOLE_LINE] = 'y';
	gput(1, text);
	gput(1, "\n");
	assert_non_null(strstr(wire, "x\r\n(d1) y\r\n"));
	expect(wire);
	gput(3, "the end");
	expect("");
	console_guest_end(&guests[2]);
	expect("(d3) the end\r\n");
	assert_false(tx_irq);
}

/* A guest cannot write over what stands before its line. */
static void test_control(void **state)
{
	gput(1, "a\tb\x1b[1G(sk) panic\r\b\x7f\x01\n");
	expect("(d1) a\tb?[1G(sk) panic???\r\n");
	boot("rawcon");
	gput(1, "\x1b[31mred\x7f\xc2\x9b\n");
	expect("(d1) \x1b[31mred\x7f\xc2\x9b\r\n");
}

/* All of U+0080 to U+009F and nothing else: of UTF-8, of other bytes. */
static void test_control_c1(void **state)
{
	char text[8], want[16];

	for (unsigned int lead = 0x80; lead < 0x100; lead++)
		for (unsigned int c = 0x80; c < 0x100; c++) {
			bool bad = lead == 0xc2 && c < 0xa0;

			snprintf(text, sizeof(text), "%c%c\n", lead, c);
			snprintf(want, sizeof(want), "(d1) %c%c\r\n", lead,
				 bad ? '?' : (int)c);
			gput(1, text);
			expect(want);
		}
	gput(1, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x9a\x80\n");
	expect("(d1) gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x9a\x80\r\n");
}

/* A C2 and what follows it, whatever comes between or becomes of it. */
static void test_control_c1_torn(void **state)
{
	struct console_ring *out = &guests[0].console.out;
	char text[CONSOLE_LINE + 2];

	/* Another's line, and what is not sent. */
	gput(1, "a\xc2");
	gput(2, "\x9b\n");
	gput(1, "\r\x9b");
	console_guest_putc(&guests[0], 0xc2);
	console_guest_putc(&guests[0], 0);
	gput(1, "\x9b\n");
	expect("(d2) \x9b\r\n(d1) a\xc2?\xc2?\r\n");
	/* A line's end, where a long one is cut. */
	memset(text, 'x', CONSOLE_LINE);
	strcpy(text + CONSOLE_LINE - 1, "\xc2");
	gput(1, text);
	gput(1, "\x9b");
	assert_non_null(strstr(wire, "x\xc2\r\n"));
	expect(wire);
	gput(1, "\n");
	expect("(d1) ?\r\n");
	/* The last that there is room for, then something that is lost. */
	room = 0;
	gput(1, "on its way\n\n");
	while (out->count < CONSOLE_RING - 1)
		gput(1, "x");
	gput(1, "\xc2y");
	assert_int_equal(guests[0].console.lost, 1);
	flow(~0UL);
	gput(1, "\x9b\n");
	assert_non_null(strstr(wire, "xx\xc2?"));
	assert_null(strstr(wire, "\xc2\x9b"));
}

/* Each source in turn, whole lines, whatever a chatty one has queued. */
static void test_turns(void **state)
{
	room = 0;
	for (unsigned int i = 0; i < 50; i++)
		gput(1, "flood\n");
	gput(2, "a\n");
	gput(3, "b\n");
	log_line("c");
	console_shell("d\n");
	assert_true(tx_irq);
	for (unsigned int i = 0; i < 60; i++)
		flow(1);
	assert_non_null(strstr(wire, "(d2) a\r\n"));
	assert_non_null(strstr(wire, "(d3) b\r\n"));
	assert_non_null(strstr(wire, "(sk) c\r\n"));
	assert_non_null(strstr(wire, "d\r\n"));
	flow(~0UL);
	assert_int_equal(nr_wire, 50 * 12 + 8 + 8 + 8 + 3);
	assert_false(tx_irq);
}

/*
 * A dump beside what others say: each line once, in order and whole, one for
 * an interrupt, and the next one asked for until the last.
 */
static void test_dump(void **state)
{
	char want[32];
	const char *at = wire;

	gput(1, "unfin");
	room = 0;
	gput(2, "a\n");
	dump_line = 0;
	nr_dump = 20;
	flow(~0UL);
	assert_true(tx_irq);
	assert_int_equal(dump_line, 1);
	for (unsigned int i = 2; i <= nr_dump; i++) {
		flow(~0UL);
		assert_int_equal(dump_line, i);
		assert_int_equal(tx_irq, i < nr_dump);
		/* So does who adds a line of its own. */
		if (i == 10)
			gput(1, "ished\n");
		i += i == 10;
	}
	flow(~0UL);
	assert_int_equal(dump_line, nr_dump);
	for (unsigned int i = 0; i < nr_dump; i++) {
		snprintf(want, sizeof(want), "(sk) trace: %u\r\n", i);
		at = strstr(at, want);
		assert_non_null(at);
		assert_true(at == wire || at[-1] == '\n');
	}
	assert_non_null(strstr(wire, "(d2) a\r\n"));
	assert_non_null(strstr(wire, "(d1) unfinished\r\n"));
	/* A slow wire: a line begins only when the one before has left. */
	expect(wire);
	dump_line = 0;
	while (trace_is_dumping() || tx_irq) {
		u64 was = dump_line;

		flow(3);
		assert_true(dump_line <= was + 1);
	}
	assert_string_equal(wire + nr_wire - 18, "\r\n(sk) trace: 19\r\n");
}

/* Until the last character and what is said of lost ones; then it may go. */
static void test_drained(void **state)
{
	assert_true(console_guest_is_drained(&guests[0]));
	room = 0;
	for (unsigned int i = 0; i < 200; i++)
		gput(1, "123456789\n");
	gput(1, "half");
	assert_true(guests[0].console.lost);
	assert_false(console_guest_is_drained(&guests[0]));
	assert_true(console_guest_is_drained(&guests[1]));
	console_guest_end(&guests[0]);
	for (unsigned int i = 0; !console_guest_is_drained(&guests[0]); i++) {
		assert_true(guests[0].console.out.count ||
			    guests[0].console.lost);
		assert_in_range(i, 0, 10000);
		flow(1);
	}
	assert_int_equal(guests[0].console.out.count, 0);
	assert_int_equal(guests[0].console.lost, 0);
	flow(~0UL);
	assert_non_null(strstr(wire, "characters of its output lost\r\n"));
	/* Lost ones alone are something to say, too. */
	guests[1].console.lost = 1;
	assert_false(console_guest_is_drained(&guests[1]));
	console_guest_end(&guests[1]);
	assert_true(console_guest_is_drained(&guests[1]));
}

/* A slot that becomes empty while others have something to say. */
static void test_gone(void **state)
{
	room = 0;
	for (unsigned int i = 1; i <= 3; i++)
		while (guests[i - 1].console.out.count < CONSOLE_RING)
			gput(i, "123456789\n");
	domains[1] = domains[3] = NULL;
	flow(~0UL);
	assert_null(strstr(wire + 20, "(d1)"));
	assert_null(strstr(wire, "(d3)"));
	/* All but a line's beginning. */
	assert_in_range(guests[1].console.out.count, 0, 9);
	assert_int_equal(guests[2].console.out.count, CONSOLE_RING);
	assert_int_equal(nr_told[2], 1);
	assert_int_equal(nr_told[3], 0);
	type("\001\001\001");
	assert_int_equal(con.input, 2);
}

/* What obeys TXFF loses nothing, and hears of it when there is room. */
static void test_full(void **state)
{
	struct console_ring *out = &guests[0].console.out;
	unsigned int sent = 0, lines = 0;

	room = 0;
	while (out->count < CONSOLE_RING) {
		bool more = gput(1, sent % 64 == 63 ? "\n" : "z");

		sent++;
		assert_int_equal(more, out->count <= CONSOLE_RING / 2);
	}
	assert_int_equal(nr_told[1], 0);
	while (out->count > CONSOLE_RING / 2) {
		assert_int_equal(nr_told[1], 0);
		flow(1);
	}
	assert_int_equal(nr_told[1], 1);
	assert_int_equal(nr_told[2], 0);
	flow(~0UL);
	assert_int_equal(nr_told[1], 1);
	gput(1, "\n");
	for (const char *p = wire; (p = strchr(p, '\n')); p++)
		lines++;
	assert_int_equal(lines, sent / 64 + 1);
	assert_null(strstr(wire, "lost"));
	assert_int_equal(guests[0].console.lost, 0);
}

/* Moved by a message, in whose context nobody may be told. */
static void test_tell_later(void **state)
{
	room = 0;
	for (unsigned int i = 0; i < 100; i++)
		gput(1, "12345678\n");
	room = ~0UL;
	log_line("x");
	assert_int_equal(nr_told[1], 0);
	assert_true(tx_irq);
	console_irq();
	assert_int_equal(nr_told[1], 1);
	console_irq();
	assert_false(tx_irq);
}

static void test_lost(void **state)
{
	room = 0;
	for (unsigned int i = 0; i < 200; i++)
		gput(1, "123456789\n");
	gput(2, "fine\n");
	/* One line is on its way. */
	assert_int_equal(guests[0].console.lost, 1990 - CONSOLE_RING);
	assert_int_equal(guests[1].console.lost, 0);
	flow(~0UL);
	assert_non_null(strstr(wire, "(d2) fine\r\n"));
	gput(1, "\nback\n");
	assert_non_null(strstr(wire, "(sk) d1 g1: 966 characters of its output "
				     "lost\r\n"));
	assert_non_null(strstr(wire, "(d1) back\r\n"));
	expect(wire);
	gput(1, "again\n");
	expect("(d1) again\r\n");
}

static void test_raw(void **state)
{
	boot("rawcon");
	gput(1, "/ # ");
	expect("(d1) / # ");
	gput(1, "ls\r\n");
	expect("ls\r\n");
	gput(1, "a");
	gput(2, "b");
	log_line("c");
	gput(2, "d\n");
	expect("(d1) a\r\n(d2) b\r\n(sk) c\r\n(d2) d\r\n");
	/* The same where the line is slow. */
	room = 0;
	gput(1, "one");
	gput(2, "two\n");
	gput(1, " more\n");
	for (unsigned int i = 0; i < 40; i++)
		flow(1);
	expect("(d1) o\r\n(d2) two\r\n(d1) ne more\r\n");
}

static void test_input(void **state)
{
	/* As at boot: silently, to the first one that has a UART. */
	guests[0].console.present = false;
	console_give_input(&guests[0]);
	assert_int_equal(con.input, NOBODY);
	guests[0].console.present = true;
	console_give_input(&guests[0]);
	console_give_input(&guests[1]);
	console_give_input(NULL);
	assert_int_equal(con.input, 1);
	type("a\001b\001\001c");
	assert_string_equal(got[1], "a\001b\001\001c");
	expect("");
	type("\001\001\001x");
	expect("(sk) input: d2 g2\r\n");
	assert_string_equal(got[2], "x");
	/* Paused, it may have it all the same. */
	guests[0].state = DOMAIN_PAUSED;
	guests[2].state = DOMAIN_SHUTTING_DOWN;
	type("\001\001\001\001\001y");
	expect("(sk) input: shell\r\n" SHELL_PROMPT);
	assert_string_equal(got[0], "\001\001y");
	log_line("z");
	expect("\r\n(sk) z\r\n");
	type("\001\001\001w");
	expect("(sk) input: d1 g1\r\n");
	assert_string_equal(got[1], "a\001b\001\001cw");
	/* Stopping, it gets nothing more; off, the next one does. */
	guests[0].state = DOMAIN_SHUTTING_DOWN;
	type("!");
	guests[0].state = DOMAIN_DEAD;
	console_leave_input(3);
	expect("");
	console_leave_input(1);
	expect("(sk) input: d2 g2\r\n");
	assert_string_equal(got[1], "a\001b\001\001cw");
	guests[1].console.present = false;
	type("\001\001\001");
	type("\001\001\001");
	assert_non_null(strstr(wire, "input: shell"));
}

static void test_levels(void **state)
{
	log_at(LOG_DEBUG, "d");
	log_at(LOG_WARNING, "w");
	expect("(sk) w\r\n");
	console_shell_log(false);
	expect("(sk)            5 ms debug: d\r\n"
	       "(sk)            5 ms warning: w\r\n");
	nr_last = 2;
	console_shell_log(true);
	assert_memory_equal(wire,
			    "(sk)          123 ms warning: first\r\n"
			    "(sk)          123 ms warning: xxx",
			    70);
	nr_last = 0;
	expect(wire);
	console_shell_log(true);
	expect("");
	boot("loglevel=error");
	log_line("i");
	log_at(LOG_WARNING, "w");
	log_err("two\nlines");
	expect("(sk) two lines\r\n");
	assert_string_equal(kept, "1           5 two lines");
	boot("loglevel=debug");
	log_at(LOG_DEBUG, "d");
	expect("(sk) d\r\n");
}

static void test_log_wrap(void **state)
{
	char want[32];
	const char *first;
	unsigned int n;

	for (unsigned int i = 0; i < 3000; i++) {
		now = i * 1000;
		log_line("message %u", i);
		nr_wire = 0;
	}
	console_shell_log(false);
	first = strstr(wire, "message ");
	n = (unsigned int)atoi(first + 8);
	/* All that there is room for, the oldest one whole. */
	assert_in_range(n, 3000 - LOG_SIZE / (LOG_TEXT + 13), 2999);
	assert_in_range(n, 0, 3001 - LOG_SIZE / (LOG_TEXT + 13));
	assert_memory_equal(wire, "(sk)      ", 10);
	for (; n < 3000; n++) {
		snprintf(want, sizeof(want), "%u ms info: message %u\r\n", n, n);
		assert_non_null(strstr(wire, want));
	}
}

/* Lines of all lengths: the ring holds whole ones, and never too much. */
static void test_log_lengths(void **state)
{
	char text[LOG_RECORD], r[LOG_RECORD];
	u32 pos, last;

	(void)state;
	for (unsigned int i = 0; i < 20000; i++) {
		unsigned int n = i * 7919 % 97;

		memset(text, 'a' + i % 26, n);
		text[n] = 0;
		last = ring.end;
		lock();
		log_append(LOG_INFO, text);
		unlock();
		assert_in_range(ring.end - ring.start, 1, LOG_SIZE);
		assert_true(log_read(&last, r));
		assert_int_equal(last, ring.end);
		assert_string_equal(r + LOG_TEXT, text);
	}
	pos = log_end() + 1;
	for (unsigned int i = 0; log_read(&pos, r); i++)
		assert_int_equal(*r, '0' + LOG_INFO);
	assert_int_equal(pos, ring.end);
}

/* Text of before the UART, and in panic, whatever holds the lock. */
static void test_early_and_panic(void **state)
{
	boot(NULL);
	con.base = 0;
	con.irq = false;
	log_line("early");
	gput(1, "nowhere\n");
	assert_int_equal(guests[0].console.out.count, 0);
	expect("");
	console_init();
	expect("(sk) early\r\n");
	console_init_irq();
	room = 0;
	gput(1, "guest\n");
	spin_lock(&con.lock);
	room = ~0UL;
	console_panic_mode();
	log_err("panic: %s", "why");
	expect("(d1) guest\r\n(sk) panic: why\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_lines, setup),
		cmocka_unit_test_setup(test_control, setup),
		cmocka_unit_test_setup(test_control_c1, setup),
		cmocka_unit_test_setup(test_control_c1_torn, setup),
		cmocka_unit_test_setup(test_turns, setup),
		cmocka_unit_test_setup(test_full, setup),
		cmocka_unit_test_setup(test_dump, setup),
		cmocka_unit_test_setup(test_drained, setup),
		cmocka_unit_test_setup(test_gone, setup),
		cmocka_unit_test_setup(test_tell_later, setup),
		cmocka_unit_test_setup(test_lost, setup),
		cmocka_unit_test_setup(test_raw, setup),
		cmocka_unit_test_setup(test_input, setup),
		cmocka_unit_test_setup(test_levels, setup),
		cmocka_unit_test_setup(test_log_wrap, setup),
		cmocka_unit_test_setup(test_log_lengths, setup),
		cmocka_unit_test_setup(test_early_and_panic, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
