/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The physical console. Text goes through a ring that the UART's transmit
 * interrupt drains, so that no trap waits for a slow line; when the ring is
 * full a guest's text is dropped, the hypervisor's own waits.
 */
#include <skerry/console.h>

#include <skerry/arch/gic.h>
#include <skerry/arch/init.h>
#include <skerry/arch/mmu.h>
#include <skerry/cpu.h>
#include <skerry/domain.h>
#include <skerry/fmt.h>
#include <skerry/machine.h>
#include <skerry/pl011.h>
#include <skerry/string.h>

#define RING_SIZE 8192

static struct {
	struct spinlock lock; /* RANK_LOG: all of this */
	u64 base;	      /* 0: no UART */
	u32 head, count;
	bool panic;
	bool raw;	     /* option rawcon: characters at once */
	bool irq;	     /* interrupts are set up */
	struct domain *open; /* its unfinished line is on the wire */
	char ring[RING_SIZE];
} con = {.lock = SPINLOCK_INIT(RANK_LOG)};

static void drain(void)
{
	while (con.count && pl011_try_putc(con.base, con.ring[con.head])) {
		con.head = (con.head + 1) % RING_SIZE;
		con.count--;
	}
	if (con.irq)
		pl011_irq_mask(con.base, con.count != 0);
}

static void put(char c, bool may_drop)
{
	/* Text of before the UART is known waits in the ring. */
	if (con.count == RING_SIZE) {
		if (!con.base)
			return;
		drain();
		if (con.count == RING_SIZE && may_drop)
			return;
		while (con.count == RING_SIZE)
			drain();
	}
	con.ring[(con.head + con.count) % RING_SIZE] = c;
	con.count++;
}

static void put_str(const char *s, size_t n, bool may_drop)
{
	for (size_t i = 0; i < n; i++)
		put(s[i], may_drop);
}

static void finish(void)
{
	if (!con.base)
		return;
	drain();
	/* Until the interrupt works, and in panic, nobody else would. */
	while ((!con.irq || con.panic) && con.count)
		drain();
}

/* End a guest's unfinished line before other text. */
static void close_line(void)
{
	if (!con.open)
		return;
	con.open->console.line_open = false;
	con.open = NULL;
	put_str("\r\n", 2, false);
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

void console_line(const char *text)
{
	lock();
	close_line();
	put_str("(sk) ", 5, false);
	put_str(text, strlen(text), false);
	put_str("\r\n", 2, false);
	finish();
	unlock();
}

static void put_prefix(const struct domain *d)
{
	char prefix[16];

	put_str(prefix,
		(size_t)fmt_snprintf(prefix, sizeof(prefix), "(d%u) ", d->id),
		true);
}

static void flush_line(struct domain *d)
{
	struct console_domain *c = &d->console;

	close_line();
	put_prefix(d);
	put_str(c->line, c->len, true);
	put_str("\r\n", 2, true);
	c->len = 0;
	finish();
}

static void put_raw(struct domain *d, char ch)
{
	struct console_domain *c = &d->console;

	if (!c->line_open) {
		close_line();
		put_prefix(d);
	}
	c->line_open = ch != '\n';
	con.open = c->line_open ? d : NULL;
	if (c->line_open)
		put(ch, true);
	else
		put_str("\r\n", 2, true);
	finish();
}

void console_guest_putc(struct domain *d, u8 c)
{
	lock();
	if (con.raw && c != '\r') {
		put_raw(d, (char)c);
	} else if (c == '\n') {
		flush_line(d);
	} else if (c != '\r' && c) {
		if (d->console.len == CONSOLE_LINE)
			flush_line(d);
		d->console.line[d->console.len++] = (char)c;
	}
	unlock();
}

void console_guest_flush(struct domain *d)
{
	lock();
	if (d->console.len)
		flush_line(d);
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
	if (machine.uart != UART_PL011 || con.base)
		return;
	con.base = (u64)mmu_map_device(PADDR(machine.uart_base), PAGE_SIZE);
	con.raw = machine_has_option("rawcon");
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

/* Who gets what is typed: the first guest with a vpl011 that still runs. */
static struct domain *input_domain(void)
{
	for (unsigned int i = 1; i <= CONFIG_MAX_DOMAINS; i++)
		if (domains[i] && domains[i]->console.present &&
		    !domain_is_stopping(domains[i]))
			return domains[i];
	return NULL;
}

void console_irq(void)
{
	struct domain *d = input_domain();

	/* At most a FIFO's worth per interrupt; the rest comes again. */
	for (unsigned int i = 0; i < 32; i++) {
		int c = pl011_getc(con.base);

		if (c < 0)
			break;
		if (d)
			vpl011_input(d, (u8)c);
	}
	lock();
	drain();
	unlock();
}
