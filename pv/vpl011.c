/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guests' UART: PL011 registers (Arm DDI 0183) at Xen's vpl011 address,
 * enough for Linux's amba-pl011 and sbsa-uart drivers. The console's ring is
 * the transmit FIFO, with its trigger level at one half; input comes from the
 * console.
 */
#include <skerry/console.h>

#include <skerry/domain.h>
#include <skerry/layout.h>
#include <skerry/pl011_regs.h>

#define UART_ID 0xfe0

static struct console_domain *con_of(struct vcpu *v)
{
	return &v->domain->console;
}

/* With c->lock, so that two changes reach the vGIC in their order. */
static void set_line(struct domain *d)
{
	vgic_set_spi(d, GUEST_PL011_INTID,
		     d->console.ris & d->console.reg[UARTIMSC / 2]);
}

static void read_dr(struct vcpu *v, struct emul_access *a)
{
	struct console_domain *c = con_of(v);

	spin_lock(&c->lock);
	if (c->rx_count) {
		a->value = c->rx[c->rx_head];
		c->rx_head = (c->rx_head + 1) % VPL011_FIFO;
		c->rx_count--;
	}
	if (!c->rx_count)
		c->ris &= ~(u32)(UARTINT_RX | UARTINT_RT);
	set_line(v->domain);
	spin_unlock(&c->lock);
}

static void write_dr(struct vcpu *v, struct emul_access *a)
{
	struct console_domain *c = con_of(v);

	spin_lock(&c->lock);
	/* With the lock, so that vpl011_room() comes before this or after. */
	if (console_guest_putc(v->domain, (u8)a->value) !=
	    !!(c->ris & UARTINT_TX)) {
		c->ris ^= UARTINT_TX;
		set_line(v->domain);
	}
	spin_unlock(&c->lock);
	console_tell_room();
}

static void read_fr(struct vcpu *v, struct emul_access *a)
{
	struct console_domain *c = con_of(v);
	unsigned int n = READ_ONCE(c->rx_count), out = READ_ONCE(c->out.count);

	/* The start of a line stays: empty is what has room for a FIFO more. */
	a->value = (out <= CONSOLE_RING / 2 ? UARTFR_TXFE : 0) |
		   (out == CONSOLE_RING ? UARTFR_TXFF : 0) |
		   (n ? 0 : UARTFR_RXFE) | (n == VPL011_FIFO ? UARTFR_RXFF : 0);
}

/*
 * What the registers that only keep a value keep of it. By half-words, as
 * guests may access them: the upper ones are none.
 */
static const u16 kept[] = {
	[UARTIBRD / 2] = 0xffff, [UARTFBRD / 2] = 0x3f,
	[UARTLCR_H / 2] = 0xff,	 [UARTCR / 2] = 0xffff,
	[UARTIFLS / 2] = 0x3f,	 [UARTIMSC / 2] = UARTINT_ALL,
	[UARTRIS / 2 - 1] = 0,
};
static_assert(sizeof(kept) == sizeof(((struct console_domain *)0)->reg),
	      "registers below UARTRIS");

static void read_reg(struct vcpu *v, struct emul_access *a)
{
	a->value = con_of(v)->reg[a->offset / 2];
}

static void read_status(struct vcpu *v, struct emul_access *a)
{
	const struct console_domain *c = con_of(v);

	if (a->offset == UARTRIS)
		a->value = READ_ONCE(c->ris);
	else if (a->offset == UARTMIS)
		a->value = READ_ONCE(c->ris) & c->reg[UARTIMSC / 2];
}

static void write_reg(struct vcpu *v, struct emul_access *a)
{
	struct console_domain *c = con_of(v);

	spin_lock(&c->lock);
	if (a->offset < UARTRIS)
		c->reg[a->offset / 2] = a->value & kept[a->offset / 2];
	else if (a->offset == UARTICR)
		c->ris &= ~(u32)a->value;
	set_line(v->domain);
	spin_unlock(&c->lock);
}

static void read_id(struct vcpu *v __unused, struct emul_access *a)
{
	static const u8 id[] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

	a->value = id[(a->offset - UART_ID) / 4];
}

#define W_ANY (W8 | W16 | W32)
static const struct emul_reg regs[] = {
	{UARTDR, 4, W_ANY, read_dr, write_dr},
	{UARTFR, 4, W_ANY, read_fr, NULL},
	{UARTIBRD, UARTRIS - UARTIBRD, W16 | W32, read_reg, write_reg},
	{UARTRIS, 8, W16 | W32, read_status, NULL},
	{UARTICR, 4, W16 | W32, NULL, write_reg},
	{UART_ID, 0x20, W_ANY, read_id, NULL},
};

static void access(struct vcpu *v, struct emul_access *a)
{
	emul_table_access(regs, ARRAY_SIZE(regs), v, a);
}

bool vpl011_input(struct domain *d, u8 ch)
{
	struct console_domain *c = &d->console;
	bool room;

	spin_lock(&c->lock);
	room = c->rx_count < VPL011_FIFO;
	if (room) {
		c->rx[(c->rx_head + c->rx_count) % VPL011_FIFO] = ch;
		c->rx_count++;
		c->ris |= UARTINT_RX | UARTINT_RT;
	}
	set_line(d);
	spin_unlock(&c->lock);
	return room;
}

void vpl011_room(struct domain *d)
{
	struct console_domain *c = &d->console;

	spin_lock(&c->lock);
	if (READ_ONCE(c->out.count) <= CONSOLE_RING / 2) {
		c->ris |= UARTINT_TX;
		set_line(d);
	}
	spin_unlock(&c->lock);
}

int vpl011_init(struct domain *d)
{
	static const struct emul_region region = {
		.base = GUEST_PL011_BASE,
		.size = GUEST_PL011_SIZE,
		.access = access,
	};
	struct console_domain *c = &d->console;

	spin_init(&c->lock, RANK_VCPU);
	c->out.text = c->text;
	c->out.size = sizeof(c->text);
	c->ris = UARTINT_TX;
	c->reg[UARTIFLS / 2] = 0x12;
	c->reg[UARTCR / 2] = 0x300;
	c->present = true;
	return emul_add(&d->emul, &region);
}

static int domain_init(struct domain *d, const struct describe_guest *g)
{
	return g->vpl011 ? vpl011_init(d) : 0;
}

static void domain_exit(struct domain *d)
{
	d->console.present = false;
}

const struct domain_part vpl011_part = {
	.domain_init = domain_init,
	.domain_exit = domain_exit,
};
