/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The physical console. Each source of text (the log, the shell, guests) has a
 * ring of its own; whoever adds text, and the UART's transmit interrupt, move
 * lines from the rings to the wire in turn. A trap waits for a slow line only
 * when the log is full; a guest whose ring is full sees that in its UART.
 */
#include <skerry/console.h>

#include <skerry/arch/gic.h>
#include <skerry/arch/init.h>
#include <skerry/arch/mmu.h>
#include <skerry/cpu.h>
#include <skerry/domain.h>
#include <skerry/fmt.h>
#include <skerry/keep.h>
#include <skerry/machine.h>
#include <skerry/pl011.h>
#include <skerry/trace.h>
#include <skerry/watchdog.h>

#define CTRL_A	 1
#define ESCAPES	 3 /* so many move the input */
#define RX_BURST 32

/* Sources of output, and where input goes: guests by their numbers. */
#define NOBODY 0
#define SHELL  (CONFIG_MAX_DOMAINS + 1)
#define LOG    (CONFIG_MAX_DOMAINS + 2)
#define TRACE  (CONFIG_MAX_DOMAINS + 3) /* a dump of it */

/* All that `log` or `lastlog` prints, or most. */
static char shell_text[2 * LOG_SIZE + 4 * KIB];

static struct {
	struct spinlock lock; /* RANK_LOG: all but the input */
	u64 base;	      /* 0: no UART */
	bool panic;
	bool raw;  /* option rawcon: guests' characters at once */
	bool irq;  /* interrupts are set up */
	bool sync; /* only what is no dump, which may be long */
	enum log_level level;
	/* What is being sent: a line, or a part, with what belongs to it. */
	char wire[CONSOLE_LINE + 32];
	u32 pos, len;
	unsigned int turn; /* the source that was served last */
	unsigned int open; /* the source whose line is unfinished */
	u32 shown;	   /* position in the log */
	bool tell;	   /* a guest's `tell` is set */
	bool traced;	   /* a line of a dump was taken by this drain() */
	struct console_ring shell;
	/* Input; CPU 0. */
	unsigned int input;
	unsigned int nr_escapes;
} con = {
	.lock = SPINLOCK_INIT(RANK_LOG),
	.level = LOG_INFO,
	.shell = {.text = shell_text, .size = sizeof(shell_text)},
};

static void ring_put(struct console_ring *r, char c)
{
	r->text[(r->head + r->count++) % r->size] = c;
	r->lines += c == '\n';
}

/* Up to the end of a line, which is left out; true when there was one. */
static bool ring_get_line(struct console_ring *r, char *line)
{
	unsigned int n = 0;
	bool end = false;

	while (r->count && !end) {
		char c = r->text[r->head];

		end = c == '\n';
		if (n == CONSOLE_LINE && !end)
			break;
		if (!end)
			line[n++] = c;
		r->lines -= end;
		r->head = (r->head + 1) % r->size;
		r->count--;
	}
	line[n] = 0;
	return end;
}

/* Text of a source to the wire, after the end of another one's line. */
static void send(unsigned int from, const char *prefix, const char *text,
		 bool end)
{
	bool fresh = con.open != from;

	con.len = (u32)fmt_snprintf(con.wire, sizeof(con.wire), "%s%s%s%s",
				    fresh && con.open ? "\r\n" : "",
				    fresh ? prefix : "", text,
				    end ? "\r\n" : "");
	con.pos = 0;
	con.open = end ? NOBODY : from;
}

static bool send_log(void)
{
	char r[LOG_RECORD];

	while (log_read(&con.shown, r))
		if (*r - '0' <= (int)con.level) {
			send(LOG, "(sk) ", r + LOG_TEXT, true);
			return true;
		}
	return false;
}

static bool send_shell(void)
{
	char line[CONSOLE_LINE + 1];
	bool end;

	if (!con.shell.count)
		return false;
	end = ring_get_line(&con.shell, line);
	send(SHELL, "", line, end);
	return true;
}

static bool send_guest(unsigned int id)
{
	struct domain *d = load_acquire(&domains[id]);
	char line[CONSOLE_LINE + 1], prefix[16];
	struct console_domain *c;
	bool end;
	u32 had;

	if (!d)
		return false;
	c = &d->console;
	had = c->out.count;
	if (!had || !(con.raw || c->out.lines || c->off || had > CONSOLE_LINE)) {
		if (!c->lost)
			return false;
		fmt_snprintf(line, sizeof(line),
			     "d%u %s: %u characters of its output lost", id,
			     d->name, c->lost);
		c->lost = 0;
		send(LOG, "(sk) ", line, true);
		return true;
	}
	end = ring_get_line(&c->out, line);
	if (had > CONSOLE_RING / 2 && c->out.count <= CONSOLE_RING / 2)
		c->tell = con.tell = true;
	fmt_snprintf(prefix, sizeof(prefix), "(d%u) ", id);
	/* Its last line ends with it. */
	send(id, prefix, line, end || !con.raw || (c->off && !c->out.count));
	return true;
}

/*
 * One line each time, the transmit interrupt asks for the next: a UART that
 * takes all at once would else be fed until the end.
 */
static bool send_trace(void)
{
	char line[CONSOLE_LINE + 1];

	if (con.traced || con.sync || !trace_dump_line(line, sizeof(line)))
		return false;
	con.traced = true;
	send(TRACE, "(sk) ", line, true);
	return true;
}

static bool send_next(void)
{
	if (con.panic)
		return send_log();
	for (unsigned int i = 0; i < TRACE; i++) {
		unsigned int id = con.turn = con.turn % TRACE + 1;

		if (id == LOG	  ? send_log()
		    : id == SHELL ? send_shell()
		    : id == TRACE ? send_trace()
				  : send_guest(id))
			return true;
	}
	return false;
}

static void drain(void)
{
	con.traced = false;
	do {
		while (con.pos < con.len &&
		       pl011_try_putc(con.base, con.wire[con.pos]))
			con.pos++;
	} while (con.pos >= con.len && send_next());
	if (con.irq)
		pl011_irq_mask(con.base, con.pos < con.len || con.tell ||
						 trace_is_dumping());
}

static void finish(void)
{
	if (!con.base)
		return;
	drain();
	/* Until the interrupt works, and in panic, nobody else would. */
	while ((!con.irq || con.panic) && con.pos < con.len)
		drain();
}

static void lock(void)
{
	if (!con.panic)
		spin_lock(&con.lock);
}

static void unlock(void)
{
	if (!con.panic)
		spin_unlock(&con.lock);
}

void console_line(enum log_level level, const char *text)
{
	lock();
	/* Text of before the UART is known waits in the log. */
	while (con.base && log_end() + LOG_RECORD - con.shown > LOG_SIZE)
		drain();
	log_append(level, text);
	finish();
	unlock();
}

void console_sync(void)
{
	lock();
	con.sync = true;
	while (con.base && con.pos < con.len) {
		drain();
		watchdog_refresh();
	}
	con.sync = false;
	unlock();
}

bool console_is_behind(void)
{
	bool behind;

	lock();
	behind = con.base && con.irq && log_end() - con.shown > LOG_SIZE / 2;
	unlock();
	return behind;
}

/*
 * What may move the cursor: each line is whose it says. U+0080 to U+009F are a
 * C2 and one of those bytes, which elsewhere are parts of other characters; so
 * it is what the ring has last that counts, not what the guest wrote last.
 */
static bool is_control(const struct console_ring *r, u8 c)
{
	u8 last = (u8)r->text[(r->head + r->count + r->size - 1) % r->size];

	return (c < ' ' && c != '\n' && c != '\t') || c == 0x7f ||
	       (last == 0xc2 && c >= 0x80 && c <= 0x9f);
}

bool console_guest_putc(struct domain *d, u8 c)
{
	struct console_ring *r = &d->console.out;
	bool room;

	lock();
	if (c && c != '\r' && con.base) {
		if (!con.raw && is_control(r, c))
			c = '?';
		if (r->count == CONSOLE_RING)
			d->console.lost++;
		else
			ring_put(r, (char)c);
		if (con.raw || c == '\n' || r->count > CONSOLE_LINE)
			finish();
	}
	room = r->count <= CONSOLE_RING / 2;
	unlock();
	return room;
}

void console_guest_end(struct domain *d)
{
	lock();
	d->console.off = true;
	finish();
	unlock();
}

bool console_guest_is_drained(struct domain *d)
{
	bool drained;

	lock();
	drained = !d->console.out.count && !d->console.lost;
	unlock();
	return drained;
}

void console_tell_room(void)
{
	if (likely(!READ_ONCE(con.tell)))
		return;
	lock();
	con.tell = false;
	unlock();
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++) {
		struct domain *d = load_acquire(&domains[i]);

		if (d && __atomic_exchange_n(&d->console.tell, false,
					     __ATOMIC_RELAXED))
			vpl011_room(d);
	}
}

static void shell_put(const char *s)
{
	for (; con.base && *s; s++)
		if (con.shell.count < con.shell.size)
			ring_put(&con.shell, *s);
}

void console_shell(const char *fmt, ...)
{
	char text[CONSOLE_LINE];

	fmt_args(text, sizeof(text), fmt);
	lock();
	shell_put(text);
	finish();
	unlock();
}

static void shell_put_record(char r[LOG_RECORD])
{
	char text[LOG_RECORD + 32];

	r[1 + LOG_TIME] = 0;
	fmt_snprintf(text, sizeof(text), "(sk) %s ms %s: %s\n", r + 1,
		     log_levels[*r - '0'], r + LOG_TEXT);
	shell_put(text);
}

void console_shell_log(bool last_boot)
{
	u32 pos = last_boot ? 0 : log_end() + 1;
	char r[LOG_RECORD];
	bool panic;

	lock();
	while (last_boot ? keep_read(&pos, r, &panic) : log_read(&pos, r))
		shell_put_record(r);
	finish();
	unlock();
}

void console_panic_mode(void)
{
	con.panic = true;
	/* Before the tree is read: the one UART that it names, if it does. */
	if (!con.base && machine.fdt && arch_find_console(machine.fdt))
		console_init();
}

void console_init(void)
{
	char option[24];

	if (machine.uart != UART_PL011 || con.base)
		return;
	con.base = (u64)mmu_map_device(PADDR(machine.uart_base), PAGE_SIZE);
	con.raw = machine_has_option("rawcon");
	for (unsigned int i = 0; i < NR_LOG_LEVELS; i++) {
		fmt_snprintf(option, sizeof(option), "loglevel=%s",
			     log_levels[i]);
		if (machine_has_option(option))
			con.level = (enum log_level)i;
	}
	pl011_init(con.base);
	finish();
}

void console_init_irq(void)
{
	if (!con.base || !machine.uart_intid)
		return;
	con.irq = true;
	gic_enable(machine.uart_intid, 0, true);
	pl011_irq_mask(con.base, false);
}

/* On CPU 0, as the worker: domains[] does not change meanwhile. */
static bool takes_input(unsigned int id)
{
	if (id == NOBODY || id == SHELL)
		return id;
	return domains[id] && domains[id]->console.present &&
	       !domain_is_stopping(domains[id]);
}

void console_switch_input(void)
{
	do
		con.input = con.input % SHELL + 1;
	while (!takes_input(con.input));
	if (con.input == SHELL) {
		log_line("input: shell");
		console_shell(SHELL_PROMPT);
	} else {
		log_line("input: d%u %s", con.input, domains[con.input]->name);
	}
}

void console_give_input(const struct domain *d)
{
	unsigned int id = d ? d->id : SHELL;

	if (con.input == NOBODY && takes_input(id))
		con.input = id;
}

void console_leave_input(unsigned int id)
{
	if (con.input == id)
		console_switch_input();
}

static void input(char c)
{
	if (con.input == SHELL)
		shell_input(c);
	else if (takes_input(con.input))
		vpl011_input(domains[con.input], (u8)c);
}

void console_irq(void)
{
	/* At most a FIFO's worth per interrupt; the rest comes again. */
	for (unsigned int i = 0; i < RX_BURST; i++) {
		int c = pl011_getc(con.base);

		if (c < 0)
			break;
		if (c == CTRL_A && ++con.nr_escapes < ESCAPES)
			continue;
		if (c == CTRL_A) {
			con.nr_escapes = 0;
			console_switch_input();
			continue;
		}
		for (; con.nr_escapes; con.nr_escapes--)
			input(CTRL_A);
		input((char)c);
	}
	lock();
	drain();
	unlock();
	console_tell_room();
}
