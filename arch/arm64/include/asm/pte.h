/* SPDX-License-Identifier: Apache-2.0 */
/* VMSAv8-64 descriptors, 4 KiB granule (Arm ARM D8.3). */
#pragma once

#include <skerry/util.h>

/* clang-format off */
#define PTE_VALID	BIT(0)
#define PTE_TABLE	BIT(1)	/* table, or page at level 3; 0: block */
#define PTE_AF		BIT(10)
#define PTE_SH_INNER	BITS(9, 8)
#define PTE_ADDR	BITS(47, 12)
#define PTE_XN		BIT(54)	/* in both stages */

/* Stage 1 of EL2 without VHE; AP[1] is RES1 (D8.4.1) */
#define PTE_S1_RES1	BIT(6)
#define PTE_S1_RO	BIT(7)
#define PTE_S1_ATTR	BITS(4, 2)	/* index into MAIR_EL2, boot.S */
#define PTE_S1_NORMAL	0
#define PTE_S1_DEVICE	1

/* Stage 2 */
#define PTE_S2_ATTR	BITS(5, 2)
#define PTE_S2_NORMAL	0xf
#define PTE_S2_DEVICE	0x1		/* Device-nGnRE */
#define PTE_S2_R	BIT(6)
#define PTE_S2_W	BIT(7)
/* clang-format on */
