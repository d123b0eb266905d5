/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guests' PL011: its register table, reset values, what each register
 * keeps, the input FIFO and its overflow, the interrupt line, identification,
 * and random accesses against a naive model. The table is private to
 * pv/vpl011.c, so the source is included here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../pv/vpl011.c"

#include <skerry/cpu.h>
#include <skerry/error.h>

#define RUBBISH 0xdeadbeefcafef00dUL
#define SIZE	0x1000U

static struct domain d;
static struct vcpu vcpu;
static bool line;
static unsigned int nr_out;
static u8 last_out;

void lock_rank_take(struct spinlock *l)
{
	(void)l;
}
void lock_rank_drop(struct spinlock *l)
{
	(void)l;
}
void vgic_set_spi(struct domain *dom, unsigned int intid, bool level)
{
	assert_ptr_equal(dom, &d);
	assert_int_equal(intid, 32);
	/* Two changes reach the vGIC in the order in which they are made. */
	assert_int_not_equal(d.console.lock.tickets, 0);
	line = level;
}
bool console_guest_putc(struct domain *dom, u8 c)
{
	assert_ptr_equal(dom, &d);
	last_out = c;
	nr_out++;
	return d.console.out.count <= CONSOLE_RING / 2;
}
/* Others' interrupts are raised without a lock. */
void console_tell_room(void)
{
	assert_int_equal(d.console.lock.tickets, 0);
}

static const struct describe_guest with = {.vpl011 = true}, without;

static int setup(void **state)
{
	(void)state;
	memset(&d, 0, sizeof(d));
	memset(&vcpu, 0, sizeof(vcpu));
	vcpu.domain = &d;
	line = false;
	nr_out = 0;
	assert_int_equal(vpl011_part.domain_init(&d, &with), 0);
	return 0;
}

/* As the trap does it: through the domain's list of regions. */
static u64 run(u64 offset, u8 size, bool write, u64 val)
{
	const struct emul_region *r = emul_find(&d.emul, 0x22000000 + offset);
	struct emul_access a = {.offset = offset,
				.size = size,
				.write = write,
				.value = val};

	assert_non_null(r);
	r->access(&vcpu, &a);
	assert_int_equal(d.console.lock.tickets, 0);
	assert_true(d.console.rx_count <= VPL011_FIFO);
	assert_int_equal(line,
			 (d.console.ris & d.console.reg[UARTIMSC / 2]) != 0);
	return a.value;
}

static u32 rd(u64 offset)
{
	u64 val = run(offset, 4, false, RUBBISH);

	assert_int_equal(val >> 32, 0);
	return (u32)val;
}

static void wr(u64 offset, u32 val)
{
	run(offset, 4, true, val);
}

static void test_table(void **state)
{
	const unsigned int nr = ARRAY_SIZE(regs);

	(void)state;
	assert_in_range(nr, 1, EMUL_MAX_REGS);
	for (unsigned int i = 0; i < nr; i++) {
		const struct emul_reg *r = &regs[i];

		assert_true(r->size && is_aligned(r->offset | r->size, 4));
		/* No legal access leaves its row, so 32 bits are the most. */
		assert_int_equal(r->widths & ~(W8 | W16 | W32), 0);
		assert_true(r->widths & W32);
		assert_true(r->read || r->write);
		if (i)
			assert_true(r[-1].offset + r[-1].size <= r->offset);
	}
	assert_int_equal(regs[nr - 1].offset + regs[nr - 1].size, SIZE);
}

static void test_init(void **state)
{
	struct emul_region other[EMUL_MAX_REGIONS];

	(void)state;
	assert_true(d.console.present);
	assert_int_equal(d.emul.nr, 1);
	assert_int_equal(d.emul.regions[0]->base, 0x22000000);
	assert_int_equal(d.emul.regions[0]->size, SIZE);
	assert_null(emul_find(&d.emul, 0x22000000 + SIZE));
	assert_null(emul_find(&d.emul, 0x22000000 - 1));
	assert_int_equal(rd(UARTFR), 0x90);
	assert_int_equal(rd(UARTIBRD), 0);
	assert_int_equal(rd(UARTFBRD), 0);
	assert_int_equal(rd(UARTLCR_H), 0);
	assert_int_equal(rd(UARTCR), 0x300);
	assert_int_equal(rd(UARTIFLS), 0x12);
	assert_int_equal(rd(UARTIMSC), 0);
	/* Room to send, from the start. */
	assert_int_equal(rd(UARTRIS), 0x20);
	assert_int_equal(rd(UARTMIS), 0);
	assert_false(line);
	/* No place in the domain's list. */
	assert_int_equal(vpl011_init(&d), -EEXIST);
	memset(&d, 0, sizeof(d));
	for (unsigned int i = 0; i < EMUL_MAX_REGIONS; i++) {
		other[i] = (struct emul_region){.base = i * PAGE_SIZE,
						.size = PAGE_SIZE};
		assert_int_equal(emul_add(&d.emul, &other[i]), 0);
	}
	assert_int_equal(vpl011_init(&d), -ENOSPC);
}

/* A guest without one has nothing there, and never the console's input. */
static void test_part(void **state)
{
	(void)state;
	assert_true(d.console.present);
	vpl011_part.domain_exit(&d);
	assert_false(d.console.present);
	vpl011_part.domain_exit(&d);
	memset(&d, 0, sizeof(d));
	assert_int_equal(vpl011_part.domain_init(&d, &without), 0);
	assert_int_equal(d.emul.nr, 0);
	assert_false(d.console.present);
}

/* What a register keeps of all ones, and that it is the only one to change. */
static void test_registers(void **state)
{
	static const struct {
		u32 offset, mask;
	} kept[] = {
		{0x24, 0xffff}, {0x28, 0x3f}, {0x2c, 0xff},
		{0x30, 0xffff}, {0x34, 0x3f}, {0x38, 0x7ff},
	};
	static const u32 vals[] = {0xffffffff, 0, 0x5a5a5a5a, 0xa5a5a5a5};
	u32 model[ARRAY_SIZE(kept)];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(kept); i++)
		model[i] = rd(kept[i].offset);
	for (unsigned int n = 0; n < ARRAY_SIZE(vals) * ARRAY_SIZE(kept); n++) {
		unsigned int i = n % ARRAY_SIZE(kept);

		wr(kept[i].offset, vals[n / ARRAY_SIZE(kept)]);
		model[i] = vals[n / ARRAY_SIZE(kept)] & kept[i].mask;
		for (unsigned int k = 0; k < ARRAY_SIZE(kept); k++) {
			assert_int_equal(rd(kept[k].offset), model[k]);
			assert_int_equal(run(kept[k].offset, 2, false, RUBBISH),
					 model[k]);
		}
		assert_int_equal(rd(UARTRIS), 0x20);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(kept); i++) {
		run(kept[i].offset, 2, true, 0x1234);
		assert_int_equal(rd(kept[i].offset), 0x1234 & kept[i].mask);
		/* Bytes are for data, flags and identification only. */
		run(kept[i].offset, 1, true, 0xff);
		run(kept[i].offset, 8, true, 0xff);
		assert_int_equal(rd(kept[i].offset), 0x1234 & kept[i].mask);
		assert_int_equal(run(kept[i].offset, 1, false, RUBBISH), 0);
		assert_int_equal(run(kept[i].offset, 8, false, RUBBISH), 0);
	}
}

static void test_nothing_there(void **state)
{
	struct console_domain before;

	(void)state;
	assert_true(vpl011_input(&d, 'x'));
	before = d.console;
	for (u32 at = 4; at < SIZE; at += 4) {
		if (at == UARTFR || (at >= UARTIBRD && at <= UARTICR) ||
		    at >= UART_ID)
			continue;
		for (u8 size = 1; size <= 4; size *= 2) {
			assert_int_equal(run(at, size, false, RUBBISH), 0);
			run(at, size, true, 0xffffffff);
		}
	}
	for (u32 at = 0; at < SIZE; at += 8) {
		/* No register is 64 bits wide, and two are not read at once. */
		assert_int_equal(run(at, 8, false, RUBBISH), 0);
		run(at, 8, true, ~0UL);
	}
	/* To those that can be read only; from the one that cannot. */
	wr(UARTFR, 0xffffffff);
	wr(UARTRIS, 0xffffffff);
	wr(UARTMIS, 0xffffffff);
	for (u32 at = UART_ID; at < SIZE; at += 4)
		wr(at, 0xffffffff);
	assert_int_equal(rd(UARTICR), 0);
	assert_memory_equal(&d.console, &before, sizeof(before));
	assert_int_equal(nr_out, 0);
	assert_int_equal(rd(UARTDR), 'x');
}

/* PL011 revision 1, and "PrimeCell". */
static const u8 id_want[] = {0x11, 0x10, 0x14, 0, 0x0d, 0xf0, 0x05, 0xb1};

static void test_id(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 8; i++)
		for (u8 size = 1; size <= 4; size *= 2)
			assert_int_equal(run(0xfe0 + 4 * i, size, false, RUBBISH),
					 id_want[i]);
}

static void test_output(void **state)
{
	static const u64 vals[] = {'a', 0, '\n', 0x80, 0xff, 0x141, ~0UL};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(vals); i++)
		for (u8 size = 1; size <= 4; size *= 2) {
			nr_out = 0;
			run(UARTDR, size, true, vals[i]);
			assert_int_equal(nr_out, 1);
			assert_int_equal(last_out, (u8)vals[i]);
			/* Sent already. */
			assert_int_equal(rd(UARTFR), 0x90);
			assert_int_equal(rd(UARTRIS), 0x20);
		}
}

static void test_transmit_interrupt(void **state)
{
	(void)state;
	wr(UARTIMSC, UARTINT_TX);
	assert_true(line);
	assert_int_equal(rd(UARTMIS), UARTINT_TX);
	wr(UARTICR, UARTINT_TX);
	assert_false(line);
	assert_int_equal(rd(UARTRIS), 0);
	/* It comes back with what is sent, not otherwise. */
	rd(UARTDR);
	rd(UARTFR);
	wr(UARTIMSC, 0x7ff);
	assert_false(line);
	wr(UARTDR, 'a');
	assert_true(line);
	assert_int_equal(rd(UARTMIS), UARTINT_TX);
	wr(UARTIMSC, 0x7ff & ~UARTINT_TX);
	assert_false(line);
	assert_int_equal(rd(UARTRIS), UARTINT_TX);
	assert_int_equal(rd(UARTMIS), 0);
	/* Sent while masked. */
	wr(UARTICR, 0x7ff);
	wr(UARTDR, 'c');
	assert_false(line);
	wr(UARTIMSC, UARTINT_TX);
	assert_true(line);
}

/* The console's ring is the FIFO: flags, and the interrupt at one half. */
static void test_full(void **state)
{
	struct console_ring *out = &d.console.out;

	(void)state;
	assert_int_equal(out->size, CONSOLE_RING);
	wr(UARTIMSC, UARTINT_TX);
	out->count = CONSOLE_RING / 2;
	assert_int_equal(rd(UARTFR), 0x90);
	wr(UARTDR, 'a');
	assert_true(line);
	out->count = CONSOLE_RING / 2 + 1;
	assert_int_equal(rd(UARTFR), 0x10);
	wr(UARTDR, 'b');
	assert_false(line);
	assert_int_equal(rd(UARTRIS), 0);
	out->count = CONSOLE_RING;
	assert_int_equal(rd(UARTFR), 0x30);
	wr(UARTDR, 'c');
	assert_false(line);
	/* Told too early, as it was filled again; then told rightly. */
	out->count = CONSOLE_RING / 2 + 1;
	vpl011_room(&d);
	assert_false(line);
	out->count--;
	vpl011_room(&d);
	assert_true(line);
	assert_int_equal(rd(UARTFR), 0x90);
	/* Once, if it is not sent on. */
	wr(UARTICR, UARTINT_TX);
	assert_false(line);
}

static void test_receive_interrupt(void **state)
{
	(void)state;
	wr(UARTICR, 0x7ff);
	wr(UARTIMSC, UARTINT_RX);
	assert_true(vpl011_input(&d, 'a'));
	assert_true(line);
	assert_int_equal(rd(UARTRIS), UARTINT_RX | UARTINT_RT);
	assert_int_equal(rd(UARTMIS), UARTINT_RX);
	assert_int_equal(rd(UARTFR), 0x80);
	assert_true(vpl011_input(&d, 'b'));
	/* The line stays while there is something to read. */
	assert_int_equal(rd(UARTDR), 'a');
	assert_true(line);
	assert_int_equal(rd(UARTDR), 'b');
	assert_false(line);
	assert_int_equal(rd(UARTRIS), 0);
	assert_int_equal(rd(UARTFR), 0x90);
	/* Nothing to read reads as zero. */
	assert_int_equal(rd(UARTDR), 0);
	/* The timeout alone; cleared, it waits for the next character. */
	wr(UARTIMSC, UARTINT_RT);
	assert_true(vpl011_input(&d, 'c'));
	assert_int_equal(rd(UARTMIS), UARTINT_RT);
	wr(UARTICR, UARTINT_RX);
	assert_true(line);
	wr(UARTICR, UARTINT_RT);
	assert_false(line);
	assert_int_equal(rd(UARTFR), 0x80);
	assert_true(vpl011_input(&d, 'd'));
	assert_true(line);
	assert_int_equal(rd(UARTDR), 'c');
	assert_int_equal(rd(UARTDR), 'd');
	/* Input while all is masked is told when it is not. */
	wr(UARTIMSC, 0);
	assert_true(vpl011_input(&d, 'e'));
	assert_false(line);
	wr(UARTIMSC, UARTINT_RX | UARTINT_RT);
	assert_true(line);
	assert_int_equal(rd(UARTDR), 'e');
	assert_false(line);
	/* Reading does not take the transmit interrupt away. */
	wr(UARTDR, 'x');
	assert_true(vpl011_input(&d, 'f'));
	rd(UARTDR);
	assert_int_equal(rd(UARTRIS), UARTINT_TX);
}

static void test_overflow(void **state)
{
	(void)state;
	wr(UARTIMSC, UARTINT_RX);
	/* At every place in the ring where the first one can be. */
	for (unsigned int round = 0; round < VPL011_FIFO + 3; round++) {
		for (unsigned int i = 0; i < VPL011_FIFO; i++) {
			assert_int_equal(rd(UARTFR), i ? 0x80 : 0x90);
			assert_true(vpl011_input(&d, (u8)(round + i)));
		}
		assert_int_equal(rd(UARTFR), 0xc0);
		/* What does not fit is lost, not what is there. */
		assert_false(vpl011_input(&d, 0xee));
		assert_false(vpl011_input(&d, 0xef));
		assert_true(line);
		assert_int_equal(rd(UARTFR), 0xc0);
		assert_int_equal(rd(UARTDR), (u8)round);
		assert_int_equal(rd(UARTFR), 0x80);
		assert_true(vpl011_input(&d, 0x77));
		assert_int_equal(rd(UARTFR), 0xc0);
		for (unsigned int i = 1; i < VPL011_FIFO; i++)
			assert_int_equal(rd(UARTDR), (u8)(round + i));
		assert_true(line);
		assert_int_equal(rd(UARTDR), 0x77);
		assert_false(line);
		/* One on: the next round starts elsewhere. */
		assert_true(vpl011_input(&d, 1));
		assert_int_equal(rd(UARTDR), 1);
	}
}

/* --- random accesses ----------------------------------------------------- */

static struct {
	u32 reg[SIZE / 4]; /* those that are only kept */
	u32 ris;
	u8 fifo[VPL011_FIFO];
	unsigned int count, out;
	u8 last;
} m;

static const u32 masks[SIZE / 4] = {
	[0x24 / 4] = 0xffff, [0x28 / 4] = 0x3f, [0x2c / 4] = 0xff,
	[0x30 / 4] = 0xffff, [0x34 / 4] = 0x3f, [0x38 / 4] = 0x7ff,
};

static u32 model_read(u32 at)
{
	u32 val = 0;

	switch (at) {
	case UARTDR:
		if (m.count) {
			val = m.fifo[0];
			memmove(m.fifo, m.fifo + 1, --m.count);
		}
		if (!m.count)
			m.ris &= ~0x50U;
		return val;
	case UARTFR:
		return 0x80U | (m.count ? 0 : 0x10U) |
		       (m.count == VPL011_FIFO ? 0x40U : 0);
	case UARTRIS:
		return m.ris;
	case UARTMIS:
		return m.ris & m.reg[UARTIMSC / 4];
	default:
		return at >= UART_ID ? id_want[(at - UART_ID) / 4]
				     : m.reg[at / 4];
	}
}

static void model_write(u32 at, u32 val)
{
	if (at == UARTDR) {
		m.out++;
		m.last = (u8)val;
		m.ris |= 0x20;
	} else if (at == UARTICR) {
		m.ris &= ~val;
	} else if (masks[at / 4]) {
		m.reg[at / 4] = val & masks[at / 4];
	}
}

static void model_input(u8 c)
{
	bool room = m.count < VPL011_FIFO;

	if (room) {
		m.fifo[m.count++] = c;
		m.ris |= 0x50;
	}
	assert_int_equal(vpl011_input(&d, c), room);
}

static void test_random(void **state)
{
	unsigned int seed = 47;

	(void)state;
	memset(&m, 0, sizeof(m));
	m.ris = 0x20;
	m.reg[UARTCR / 4] = 0x300;
	m.reg[UARTIFLS / 4] = 0x12;
	for (unsigned int i = 0; i < 400000; i++) {
		u32 at = (u32)rand_r(&seed) % 20 * 4, val = (u32)rand_r(&seed);
		u8 size = (u8)(1 << rand_r(&seed) % 3);
		/* Spells in which the FIFO fills, and others. */
		bool typing = i / 1000 % 2 && rand_r(&seed) % 4;
		bool legal;

		if (rand_r(&seed) % 8 == 0)
			at = (u32)rand_r(&seed) % (SIZE / 4) * 4;
		legal = size > 1 || at == UARTDR || at == UARTFR ||
			at >= UART_ID;
		if (size < 4)
			val &= (1U << 8 * size) - 1;
		if (typing || rand_r(&seed) % 8 == 0) {
			model_input((u8)val);
		} else if (rand_r(&seed) & 1) {
			run(at, size, true, val);
			if (legal)
				model_write(at, val);
		} else {
			assert_int_equal(run(at, size, false, RUBBISH),
					 legal ? model_read(at) : 0);
		}
		assert_int_equal(d.console.rx_count, m.count);
		assert_int_equal(nr_out, m.out);
		assert_true(!m.out || last_out == m.last);
		assert_int_equal(line, (m.ris & m.reg[UARTIMSC / 4]) != 0);
	}
}

/* All offsets, unaligned too, and sizes: no fault, and the state stays sane. */
static void test_hostile(void **state)
{
	unsigned int seed = 53;

	(void)state;
	for (unsigned int i = 0; i < 400000; i++) {
		u64 at = (u64)rand_r(&seed) % (i & 1 ? 0x60 : SIZE);
		u64 val = (u64)rand_r(&seed) << 33 ^ (u64)rand_r(&seed);
		u8 size = (u8)(1 << rand_r(&seed) % 4);
		u64 got = run(at, size, rand_r(&seed) & 1, val);

		if (rand_r(&seed) % 4 == 0)
			vpl011_input(&d, (u8)val);
		assert_true(d.console.rx_head < VPL011_FIFO);
		assert_int_equal(d.console.ris & ~0x70U, 0);
		assert_int_equal(d.console.reg[UARTIMSC / 2] & ~0x7ffU, 0);
		assert_true(got == val || got <= 0xffff);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_table, setup),
		cmocka_unit_test_setup(test_init, setup),
		cmocka_unit_test_setup(test_part, setup),
		cmocka_unit_test_setup(test_registers, setup),
		cmocka_unit_test_setup(test_nothing_there, setup),
		cmocka_unit_test_setup(test_id, setup),
		cmocka_unit_test_setup(test_output, setup),
		cmocka_unit_test_setup(test_transmit_interrupt, setup),
		cmocka_unit_test_setup(test_full, setup),
		cmocka_unit_test_setup(test_receive_interrupt, setup),
		cmocka_unit_test_setup(test_overflow, setup),
		cmocka_unit_test_setup(test_random, setup),
		cmocka_unit_test_setup(test_hostile, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
