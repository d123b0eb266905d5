/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Polled console on a PL011 or SBSA UART. One writer at a time; input is
 * polled too, the interrupt is the business of those who want it.
 */
#include "guest.h"

#define UART_DR	       0x00
#define UART_FR	       0x18
#define UART_FR_RXFE   BIT(4)
#define UART_FR_TXFF   BIT(5)
#define UART_CR	       0x30
#define UART_CR_ENABLE 0x301 /* UARTEN, TXE, RXE */

static u32 lock;

void console_init(void)
{
	if (plat.uart)
		write32(plat.uart + UART_CR, UART_CR_ENABLE);
}

int console_getc(void)
{
	if (!plat.uart || read32(plat.uart + UART_FR) & UART_FR_RXFE)
		return -1;
	return (int)(read32(plat.uart + UART_DR) & 0xff);
}

void console_write(const char *s, size_t len)
{
	if (!plat.uart)
		return;
	while (len--) {
		while (read32(plat.uart + UART_FR) & UART_FR_TXFF)
			cpu_relax();
		write32(plat.uart + UART_DR, (u8)*s++);
	}
}

/*
 * Exclusives need cacheable memory: until the MMU is on there is one CPU,
 * and no lock is taken. An interrupt that prints must not wait for its own CPU.
 */
void put_line(const char *s, size_t len)
{
	u64 daif = sysreg_read(daif);
	bool locked = sysreg_read(sctlr_el1) & 1;

	irq_off();
	while (locked && __atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		cpu_relax();
	console_write(s, len);
	if (locked)
		__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	sysreg_write(daif, daif);
}
