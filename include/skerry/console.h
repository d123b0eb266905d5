/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The physical console and the guests' virtual UARTs on it. Lines of guests
 * get the prefix `(dN) `, the hypervisor's own `(sk) `. RANK_LOG inside.
 */
#pragma once

#include <skerry/emul.h>
#include <skerry/spinlock.h>

struct domain;

#define CONSOLE_LINE 256
#define VPL011_FIFO  64

/* One guest's vpl011 and its unfinished output line; RANK_LOG guards line. */
struct console_domain {
	char line[CONSOLE_LINE];
	unsigned int len;
	bool line_open;	      /* raw mode: part of the line is on the wire */
	struct spinlock lock; /* RANK_VCPU: the vpl011 */
	u8 rx[VPL011_FIFO];
	unsigned int rx_head, rx_count;
	u32 ris;
	u16 reg[30]; /* those below UARTRIS, by offset / 2 */
	bool present;
};

void console_init(void); /* UART of machine; silent without one */
void console_init_irq(void);
void console_irq(void);
/* One guest output byte. */
void console_guest_putc(struct domain *d, u8 c);
/* Unfinished line of a guest that is off. */
void console_guest_flush(struct domain *d);
/* Whole hypervisor text line, no newline at the end. */
void console_line(const char *text);
/* After this, output polls and no lock is taken (panic). */
void console_panic_mode(void);

/* pv/vpl011.c; the domain's emul table must have room. */
int vpl011_init(struct domain *d) __must_check;
/* Input byte for the guest; false when its FIFO is full. */
bool vpl011_input(struct domain *d, u8 c);
