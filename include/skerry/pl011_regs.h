/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of the PL011 (Arm DDI 0183), EL2's console and the guests' UART. */
#pragma once

#include <skerry/util.h>

/* clang-format off */
#define UARTDR		0x00
#define UARTFR		0x18
#define UARTFR_RXFE	BIT(4)
#define UARTFR_TXFF	BIT(5)
#define UARTFR_RXFF	BIT(6)
#define UARTFR_TXFE	BIT(7)
#define UARTIBRD	0x24
#define UARTFBRD	0x28
#define UARTLCR_H	0x2c
#define UARTLCR_FEN	BIT(4)
#define UARTLCR_WLEN8	BITS(6, 5)
#define UARTCR		0x30
#define UARTCR_EN_TX_RX	0x301
#define UARTIFLS	0x34
#define UARTIMSC	0x38
#define UARTRIS		0x3c
#define UARTMIS		0x40
#define UARTICR		0x44
#define UARTINT_RX	BIT(4)
#define UARTINT_TX	BIT(5)
#define UARTINT_RT	BIT(6)
#define UARTINT_ALL	0x7ff
/* clang-format on */
