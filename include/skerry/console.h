/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The physical console: guests' virtual UARTs, the hypervisor's messages and
 * its shell share it by lines. Lines of guests get the prefix `(dN) `, the
 * hypervisor's own `(sk) `. What is typed goes to one of the guests or to the
 * shell; Ctrl-A three times moves on. RANK_LOG inside.
 */
#pragma once

#include <skerry/emul.h>
#include <skerry/log.h>
#include <skerry/spinlock.h>

struct domain;

#define CONSOLE_LINE 256  /* a longer one is broken */
#define CONSOLE_RING 1024 /* of a guest: half of it is its trigger level */
#define VPL011_FIFO  64

/* Text that waits for the console. */
struct console_ring {
	char *text;
	u32 size;
	u32 head, count;
	u32 lines; /* newlines in it */
};

/* One guest's output and its vpl011. */
struct console_domain {
	char text[CONSOLE_RING];
	struct console_ring out; /* RANK_LOG, and what follows */
	u32 lost;		 /* characters for which there was no room */
	bool tell;		 /* it is to get UARTINT_TX */
	bool off;		 /* an unfinished line will stay so */
	struct spinlock lock;	 /* RANK_VCPU: the vpl011 */
	u8 rx[VPL011_FIFO];
	unsigned int rx_head, rx_count;
	u32 ris;
	u16 reg[30]; /* those below UARTRIS, by offset / 2 */
	bool present;
};

void console_init(void); /* UART of machine; silent without one */
void console_init_irq(void);
void console_irq(void);
/* One guest output byte. True when the guest may send half a ring more. */
bool console_guest_putc(struct domain *d, u8 c);
/* d's vCPUs have left: an unfinished line of theirs is sent as it is. */
void console_guest_end(struct domain *d);
/* All that d had to say is on its way. */
bool console_guest_is_drained(struct domain *d);
/* UARTINT_TX for guests whose rings have room again. No lock is held. */
void console_tell_room(void);
/* Whole hypervisor text line, no newline at the end. */
void console_line(enum log_level level, const char *text);
/* Half of the log waits: who has time waits too, before that is all of it. */
bool console_is_behind(void);
/* Wait until all is on the wire. */
void console_sync(void);
/* After this, output polls and no lock is taken (panic). */
void console_panic_mode(void);
/*
 * Input goes to the next guest that runs, then to the shell. CPU 0 only: it has
 * the UART's interrupt and the worker.
 */
void console_switch_input(void);
/*
 * Boot: what is typed goes to d, which is about to start, if it has a UART and
 * no guest before it had; with NULL, all being started, to the shell then.
 */
void console_give_input(const struct domain *d);
/* The guest is down: if it had the input, the next one has it. CPU 0. */
void console_leave_input(unsigned int id);

/* kernel/shell.c: a character that was typed; CPU 0, no lock held. */
#define SHELL_PROMPT "skerry> "
void shell_input(char c);
/* Text of the shell's, and all of the log, or of the last boot's. */
__printf(1, 2) void console_shell(const char *fmt, ...);
void console_shell_log(bool last_boot);

/* pv/vpl011.c; the domain's emul table must have room. */
int vpl011_init(struct domain *d) __must_check;
struct domain_part;
extern const struct domain_part vpl011_part;
/* Input byte for the guest; false when its FIFO is full. */
bool vpl011_input(struct domain *d, u8 c);
/* There is room for output again. */
void vpl011_room(struct domain *d);
