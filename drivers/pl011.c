/* SPDX-License-Identifier: Apache-2.0 */
/* PL011 console driver: polled output, received bytes by interrupt. */
#include <skerry/pl011.h>

#include <asm/io.h>
#include <skerry/pl011_regs.h>

bool pl011_try_putc(u64 base, char c)
{
	if (mmio_read32(base + UARTFR) & UARTFR_TXFF)
		return false;
	mmio_write32(base + UARTDR, (u8)c);
	return true;
}

void pl011_putc_wait(u64 base, char c)
{
	while (!pl011_try_putc(base, c))
		;
}

int pl011_getc(u64 base)
{
	if (mmio_read32(base + UARTFR) & UARTFR_RXFE)
		return -1;
	return mmio_read32(base + UARTDR) & 0xff;
}

void pl011_init(u64 base)
{
	mmio_write32(base + UARTIMSC, 0);
	mmio_write32(base + UARTICR, UARTINT_ALL);
	/* FIFOs on; the baud rate latch is rewritten with LCR_H unchanged. */
	mmio_write32(base + UARTLCR_H, UARTLCR_FEN | UARTLCR_WLEN8);
	mmio_write32(base + UARTCR, UARTCR_EN_TX_RX);
}

void pl011_irq_mask(u64 base, bool tx)
{
	mmio_write32(base + UARTIMSC,
		     UARTINT_RX | UARTINT_RT | (tx ? UARTINT_TX : 0));
}
