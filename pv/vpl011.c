/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guests' UART: PL011 registers (Arm DDI 0183) at Xen's vpl011 address,
 * enough for Linux's amba-pl011 and sbsa-uart drivers. Output leaves at once,
 * so the transmit FIFO is always empty; input comes from the console.
 */
#include <skerry/console.h>

#include <skerry/domain.h>
#include <skerry/layout.h>

/* clang-format off */
#define UARTDR		0x00
#define UARTRSR		0x04
#define UARTFR		0x18
#define FR_RXFE		BIT(4)
#define FR_RXFF		BIT(6)
#define FR_TXFE		BIT(7)
#define UARTIBRD	0x24
#define UARTFBRD	0x28
#define UARTLCR_H	0x2c
#define UARTCR		0x30
#define UARTIFLS	0x34
#define UARTIMSC	0x38
#define UARTRIS		0x3c
#define UARTMIS		0x40
#define UARTICR		0x44
#define UARTDMACR	0x48
#define UART_ID		0xfe0
#define INT_RX		BIT(4)
#define INT_TX		BIT(5)
#define INT_RT		BIT(6)
#define INT_ALL		BITS(10, 0)
/* clang-format on */

static struct console_domain *con_of(struct vcpu *v)
{
	return &v->domain->console;
}

/* With c->lock, so that two changes reach the vGIC in their order. */
static void set_line(struct domain *d)
{
	vgic_set_spi(d, GUEST_PL011_INTID, d->console.ris & d->console.imsc);
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
		c->ris &= ~(u32)(INT_RX | INT_RT);
	set_line(v->domain);
	spin_unlock(&c->lock);
}

static void write_dr(struct vcpu *v, struct emul_access *a)
{
	struct console_domain *c = con_of(v);

	console_guest_putc(v->domain, (u8)a->value);
	spin_lock(&c->lock);
	if (!(c->ris & INT_TX)) {
		c->ris |= INT_TX;
		set_line(v->domain);
	}
	spin_unlock(&c->lock);
}

static void read_fr(struct vcpu *v, struct emul_access *a)
{
	struct console_domain *c = con_of(v);
	unsigned int n = READ_ONCE(c->rx_count);

	a->value = FR_TXFE | (n ? 0 : FR_RXFE) |
		   (n == VPL011_FIFO ? FR_RXFF : 0);
}

static void read_reg(struct vcpu *v, struct emul_access *a)
{
	const struct console_domain *c = con_of(v);

	switch (a->offset) {
	case UARTIBRD:
		a->value = c->ibrd;
		break;
	case UARTFBRD:
		a->value = c->fbrd;
		break;
	case UARTLCR_H:
		a->value = c->lcr;
		break;
	case UARTCR:
		a->value = c->cr;
		break;
	case UARTIFLS:
		a->value = c->ifls;
		break;
	case UARTIMSC:
		a->value = c->imsc;
		break;
	case UARTRIS:
		a->value = READ_ONCE(c->ris);
		break;
	case UARTMIS:
		a->value = READ_ONCE(c->ris) & c->imsc;
		break;
	}
}

static void write_reg(struct vcpu *v, struct emul_access *a)
{
	struct console_domain *c = con_of(v);
	u32 val = (u32)a->value;

	spin_lock(&c->lock);
	switch (a->offset) {
	case UARTIBRD:
		c->ibrd = val & 0xffff;
		break;
	case UARTFBRD:
		c->fbrd = val & 0x3f;
		break;
	case UARTLCR_H:
		c->lcr = val & 0xff;
		break;
	case UARTCR:
		c->cr = val & 0xffff;
		break;
	case UARTIFLS:
		c->ifls = val & 0x3f;
		break;
	case UARTIMSC:
		c->imsc = val & INT_ALL;
		break;
	case UARTICR:
		c->ris &= ~val;
		break;
	}
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
	{UARTRIS, 8, W16 | W32, read_reg, NULL},
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
		c->ris |= INT_RX | INT_RT;
	}
	set_line(d);
	spin_unlock(&c->lock);
	return room;
}

int vpl011_init(struct domain *d)
{
	struct console_domain *c = &d->console;

	spin_init(&c->lock, RANK_VCPU);
	c->region = (struct emul_region){
		.base = GUEST_PL011_BASE,
		.size = GUEST_PL011_SIZE,
		.access = access,
	};
	c->ris = INT_TX;
	c->ifls = 0x12;
	c->cr = 0x300;
	c->present = true;
	return emul_add(&d->emul, &c->region);
}
