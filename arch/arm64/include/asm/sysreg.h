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
#define HCR_TID1	BIT(16)
#define HCR_TID3	BIT(18)
#define HCR_TSC		BIT(19)
#define HCR_TIDCP	BIT(20)
#define HCR_TACR	BIT(21)
#define HCR_TSW		BIT(22)
#define HCR_TVM		BIT(26)
#define HCR_HCD		BIT(29)
#define HCR_RW		BIT(31)
#define HCR_TLOR	BIT(35)
#define HCR_TERR	BIT(36)
#define HCR_APK		BIT(40)
#define HCR_API		BIT(41)

#define ESR_EC		BITS(31, 26)
#define ESR_IL		BIT(25)
#define ESR_ISS		BITS(24, 0)
#define EC_UNKNOWN	0x00
#define EC_WFX		0x01
#define EC_FP		0x07
#define EC_SVE		0x19
#define EC_HVC64	0x16
#define EC_SMC64	0x17
#define EC_SYSREG	0x18
#define EC_IABT_LOW	0x20
#define EC_IABT_CUR	0x21
#define EC_PC_ALIGN	0x22
#define EC_DABT_LOW	0x24
#define EC_DABT_CUR	0x25
#define EC_SP_ALIGN	0x26
#define EC_SERROR	0x2f
#define EC_BRK		0x3c

#define ESR_DABT_ISV	BIT(24)
#define ESR_DABT_SAS	BITS(23, 22)
#define ESR_DABT_SSE	BIT(21)
#define ESR_DABT_SRT	BITS(20, 16)
#define ESR_DABT_SF	BIT(15)
#define ESR_DABT_S1PTW	BIT(7)
#define ESR_DABT_WNR	BIT(6)
#define ESR_ABT_FNV	BIT(10)
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

#define SCTLR_EL2_RES1	0x30c50830UL
#define SCTLR_M		BIT(0)
#define SCTLR_A		BIT(1)
#define SCTLR_C		BIT(2)
#define SCTLR_SA	BIT(3)
#define SCTLR_I		BIT(12)
#define SCTLR_WXN	BIT(19)
#define SCTLR_EL1_RESET	0x30c50838UL
#define SCTLR_EL1_GUEST	0x00c50078UL

#define TCR_EPD0	BIT(7)
#define TCR_EPD1	BIT(23)

#define CPTR_RES1	0x32ffUL
#define CPTR_TFP	BIT(10)
#define CPTR_TZ		BIT(8)
#define CPTR_TTA	BIT(20)
#define CPTR_TCPAC	BIT(31)
#define CPTR_TAM	BIT(30)

#define MDCR_HPMN	BITS(4, 0)
#define MDCR_TPMCR	BIT(5)
#define MDCR_TPM	BIT(6)
#define MDCR_TDE	BIT(8)
#define MDCR_TDA	BIT(9)
#define MDCR_TDOSA	BIT(10)
#define MDCR_TDRA	BIT(11)
#define MDCR_TPMS	BIT(14)
#define MDCR_TTRF	BIT(19)

#define CNTHCTL_EL1PCTEN BIT(0)
#define CNTHCTL_EL1PCEN	BIT(1)
#define CNT_CTL_ENABLE	BIT(0)
#define CNT_CTL_IMASK	BIT(1)
#define CNT_CTL_ISTATUS	BIT(2)

/* GICv3 CPU interface and hypervisor control by encoding (IHI 0069 12.2) */
#define ICC_IAR1_EL1	S3_0_C12_C12_0
#define ICC_EOIR1_EL1	S3_0_C12_C12_1
#define ICC_DIR_EL1	S3_0_C12_C11_1
#define ICC_PMR_EL1	S3_0_C4_C6_0
#define ICC_BPR1_EL1	S3_0_C12_C12_3
#define ICC_CTLR_EL1	S3_0_C12_C12_4
#define ICC_SRE_EL1	S3_0_C12_C12_5
#define ICC_SRE_EL2	S3_4_C12_C9_5
#define ICC_IGRPEN1_EL1	S3_0_C12_C12_7
#define ICC_SGI1R_EL1	S3_0_C12_C11_5
#define ICH_HCR_EL2	S3_4_C12_C11_0
#define ICH_VTR_EL2	S3_4_C12_C11_1
#define ICH_MISR_EL2	S3_4_C12_C11_2
#define ICH_ELRSR_EL2	S3_4_C12_C11_5
#define ICH_VMCR_EL2	S3_4_C12_C11_7
/* clang-format on */
