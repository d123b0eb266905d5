/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver of the PL011 on a model of one: nothing is written into a full
 * FIFO or read from an empty one, and a byte arrives as it was sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <asm/io.h>
#include <skerry/pl011.h>
#include <skerry/pl011_regs.h>

#define BASE  0x900000001000UL
#define DEPTH 4

/* Bits of UARTFR that have nothing to do with it are set and change. */
#define NOISE (BIT(0) | BIT(3) | BIT(8))

static u32 reg[0x48 / 4];
static u32 sent[32];
static unsigned int nr_sent, in_fifo, nr_looks, nr_stalls;
static const u32 *got; /* as DR gives it: the error bits too */
static unsigned int nr_got;
static char order[8]; /* of init's writes */

static u32 flags(void)
{
	u32 fr = nr_looks++ & 1 ? NOISE : 0;

	/* The line takes a byte now and then. */
	if (in_fifo == DEPTH && nr_looks % 5 == 0)
		in_fifo--;
	fr |= in_fifo == DEPTH ? UARTFR_TXFF : 0;
	nr_stalls += in_fifo == DEPTH;
	fr |= in_fifo ? 0 : UARTFR_TXFE;
	return fr | (nr_got ? UARTFR_RXFF : UARTFR_RXFE);
}

u32 host_mmio_read32(u64 addr)
{
	switch (addr - BASE) {
	case UARTFR:
		return flags();
	case UARTDR:
		assert_int_not_equal(nr_got, 0);
		nr_got--;
		return *got++;
	}
	fail_msg("%#lx is read", addr);
	return 0;
}

void host_mmio_write32(u64 addr, u32 val)
{
	u64 at = addr - BASE;

	if (at == UARTDR) {
		assert_in_range(in_fifo, 0, DEPTH - 1);
		assert_in_range(nr_sent, 0, ARRAY_SIZE(sent) - 1);
		in_fifo++;
		sent[nr_sent++] = val;
		return;
	}
	assert_in_range(at, UARTLCR_H, UARTICR);
	assert_true(is_aligned(at, 4));
	reg[at / 4] = val;
	if (strlen(order) < sizeof(order) - 1)
		order[strlen(order)] = at == UARTIMSC	 ? 'm'
				       : at == UARTICR	 ? 'i'
				       : at == UARTLCR_H ? 'l'
				       : at == UARTCR	 ? 'c'
							 : '?';
}

static int setup(void **state)
{
	(void)state;
	memset(reg, 0xff, sizeof(reg));
	memset(order, 0, sizeof(order));
	nr_sent = in_fifo = nr_looks = nr_got = nr_stalls = 0;
	return 0;
}

/* Silent before it is set up, and set up before it is switched on. */
static void test_init(void **state)
{
	(void)state;
	pl011_init(BASE);
	assert_string_equal(order, "milc");
	assert_int_equal(reg[UARTIMSC / 4], 0);
	assert_int_equal(reg[UARTICR / 4], 0x7ff);
	assert_int_equal(reg[UARTLCR_H / 4], 0x70);
	assert_int_equal(reg[UARTCR / 4], 0x301);
	assert_int_equal(nr_sent, 0);
}

/* Room for each byte is asked for, and without it nothing happens. */
static void test_try(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < DEPTH; i++) {
		assert_true(pl011_try_putc(BASE, (char)('a' + i)));
		assert_int_equal(sent[i], 'a' + i);
		assert_int_equal(nr_looks, i + 1);
	}
	nr_looks = 0;
	assert_false(pl011_try_putc(BASE, 'x'));
	assert_false(pl011_try_putc(BASE, 'x'));
	assert_int_equal(nr_sent, DEPTH);
	in_fifo--;
	/* Eight bits of data: a sign must not reach what is above them. */
	assert_true(pl011_try_putc(BASE, (char)0xe9));
	assert_int_equal(sent[DEPTH], 0xe9);
}

static void test_wait(void **state)
{
	static const char text[] = "more than a FIFO of it";

	(void)state;
	for (unsigned int i = 0; i < sizeof(text); i++)
		pl011_putc_wait(BASE, text[i]);
	assert_int_equal(nr_sent, sizeof(text));
	for (unsigned int i = 0; i < sizeof(text); i++)
		assert_int_equal(sent[i], (u8)text[i]);
	assert_int_not_equal(nr_stalls, 0);
}

/* Every byte, 0xff too, is told from "nothing"; error bits are not data. */
static void test_get(void **state)
{
	static const u32 bytes[] = {'q', 0xff, 0, 0xf00 | 0x80};

	(void)state;
	assert_int_equal(pl011_getc(BASE), -1);
	got = bytes;
	nr_got = ARRAY_SIZE(bytes);
	for (unsigned int i = 0; i < ARRAY_SIZE(bytes); i++)
		assert_int_equal(pl011_getc(BASE), bytes[i] & 0xff);
	assert_int_equal(pl011_getc(BASE), -1);
	/* What is sent has nothing to do with it. */
	in_fifo = DEPTH;
	nr_looks = 0;
	nr_got = 1;
	got = bytes;
	assert_int_equal(pl011_getc(BASE), 'q');
}

/* Bytes that wait for more are told of as well (receive timeout). */
static void test_mask(void **state)
{
	(void)state;
	pl011_irq_mask(BASE, false);
	assert_int_equal(reg[UARTIMSC / 4], BIT(4) | BIT(6));
	pl011_irq_mask(BASE, true);
	assert_int_equal(reg[UARTIMSC / 4], BIT(4) | BIT(5) | BIT(6));
	pl011_irq_mask(BASE, false);
	assert_int_equal(reg[UARTIMSC / 4], BIT(4) | BIT(6));
	assert_string_equal(order, "mmm");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_init, setup),
		cmocka_unit_test_setup(test_try, setup),
		cmocka_unit_test_setup(test_wait, setup),
		cmocka_unit_test_setup(test_get, setup),
		cmocka_unit_test_setup(test_mask, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
