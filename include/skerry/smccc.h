/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of SMCCC (DEN 0028) and PSCI (DEN 0022): those that EL2 offers to
 * guests, some of which it calls itself. Numbers only.
 */
#pragma once

/* clang-format off */
#define PSCI_VERSION		0x84000000U
#define PSCI_CPU_SUSPEND	0x84000001U
#define PSCI_CPU_SUSPEND64	0xc4000001U
#define PSCI_CPU_OFF		0x84000002U
#define PSCI_CPU_ON		0x84000003U
#define PSCI_CPU_ON64		0xc4000003U
#define PSCI_AFFINITY_INFO	0x84000004U
#define PSCI_AFFINITY_INFO64	0xc4000004U
#define PSCI_MIGRATE_INFO_TYPE	0x84000006U
#define PSCI_SYSTEM_OFF		0x84000008U
#define PSCI_SYSTEM_RESET	0x84000009U
#define PSCI_FEATURES		0x8400000aU
#define SMCCC_VERSION		0x80000000U
#define SMCCC_ARCH_FEATURES	0x80000001U
#define SMCCC_WORKAROUND_1	0x80008000U
#define SMCCC_WORKAROUND_2	0x80007fffU
#define SMCCC_WORKAROUND_3	0x80003fffU
/* clang-format on */
