/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System register access and the fields that EL2 uses. Names and bits are
 * those of the Arm ARM (DDI 0487) section D19 and of IHI 0069 section 12.
 */
#pragma once

#include <skerry/util.h>

#define sysreg_read(reg)                                                       \
	({                                                                     \
		u64 sysreg_val;                                                \
		__asm__ volatile("mrs %0, " #reg                               \
				 : "=r"(sysreg_val)::"memory");                \
		sysreg_val;                                                    \
	})
#define sysreg_write(reg, val)                                                 \
	__asm__ volatile("msr " #reg ", %x0" ::"rZ"((u64)(val)) : "memory")

/* clang-format off */
#define HCR_VM		BIT(0)
#define HCR_SWIO	BIT(1)
#define HCR_FMO		BIT(3)
#define HCR_IMO		BIT(4)
#define HCR_AMO		BIT(5)
#define HCR_VSE		BIT(8)
#define HCR_FB		BIT(9)
#define HCR_BSU_IS	BIT(10)
#define HCR_TWI		BIT(13)
#define HCR_TWE		BIT(14)
#define HCR_TID3	BIT(18)
#define HCR_TSC		BIT(19)
#define HCR_TIDCP	BIT(20)
#define HCR_TACR	BIT(21)
#define HCR_TSW		BIT(22)
#define HCR_TVM		BIT(26)
#define HCR_RW		BIT(31)
#define HCR_TLOR	BIT(35)
#define HCR_TERR	BIT(36)

#define ESR_EC		BITS(31, 26)
#define ESR_IL		BIT(25)
#define ESR_ISS		BITS(24, 0)
#define EC_WFX		0x01
#define EC_FP		0x07
#define EC_SYSREG	0x18
#define EC_IABT_LOW	0x20
#define EC_IABT_CUR	0x21
#define EC_DABT_LOW	0x24
#define EC_DABT_CUR	0x25

#define ESR_DABT_ISV	BIT(24)
#define ESR_DABT_SAS	BITS(23, 22)
#define ESR_DABT_SSE	BIT(21)
#define ESR_DABT_SRT	BITS(20, 16)
#define ESR_DABT_SF	BIT(15)
#define ESR_DABT_S1PTW	BIT(7)
#define ESR_DABT_WNR	BIT(6)
#define ESR_DABT_CM	BIT(8)
#define ESR_ABT_FSC	BITS(5, 0)
#define FSC_TYPE	BITS(5, 2)
#define FSC_TRANSLATION	1
#define FSC_ACCESS	2
#define FSC_PERMISSION	3
#define FSC_EXTERNAL	0x10

/* ISS of a trapped MRS/MSR (D19.2.37) */
#define ESR_SYS_OP0	BITS(21, 20)
#define ESR_SYS_OP2	BITS(19, 17)
#define ESR_SYS_OP1	BITS(16, 14)
#define ESR_SYS_CRN	BITS(13, 10)
#define ESR_SYS_RT	BITS(9, 5)
#define ESR_SYS_CRM	BITS(4, 1)
#define ESR_SYS_READ	BIT(0)

#define SPSR_D		BIT(9)
#define SPSR_A		BIT(8)
#define SPSR_I		BIT(7)
#define SPSR_F		BIT(6)
#define SPSR_M		BITS(3, 0)
#define SPSR_NRW	BIT(4)
#define SPSR_EL0T	0
#define SPSR_EL1T	4
#define SPSR_EL1H	5
#define SPSR_EL2H	9

#define SCTLR_M		BIT(0)
#define SCTLR_C		BIT(2)
#define SCTLR_EL1_RESET	0x30c50838UL
#define SCTLR_EL1_GUEST	0x00c50078UL

#define TCR_EPD0	BIT(7)
#define TCR_EPD1	BIT(23)

#define CPTR_RES1	0x32ffUL
#define CPTR_TFP	BIT(10)
#define CPTR_TZ		BIT(8)
#define CPTR_TTA	BIT(20)

#define CNT_CTL_ENABLE	BIT(0)
#define CNT_CTL_IMASK	BIT(1)
#define CNT_CTL_ISTATUS	BIT(2)
/* clang-format on */
