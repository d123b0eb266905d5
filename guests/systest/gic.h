/* SPDX-License-Identifier: Apache-2.0 */
/* Between gic.c, gicsmp.c and gicv2.c. Interrupts are masked and taken by hand. */
#pragma once

#include "systest.h"

#define GICD_CTLR      0x0000
#define IGROUPR	       0x0080
#define ISENABLER      0x0100
#define ICENABLER      0x0180
#define ISPENDR	       0x0200
#define ICPENDR	       0x0280
#define ISACTIVER      0x0300
#define ICACTIVER      0x0380
#define IPRIORITYR     0x0400
#define ITARGETSR      0x0800
#define ICFGR	       0x0c00
#define GICD_SGIR      0x0f00
#define GICD_CPENDSGIR 0x0f10
#define GICD_SPENDSGIR 0x0f20
#define SGIR_OTHERS    (1u << 24)
#define SGIR_SELF      (2u << 24)

#define GICC_CTLR	  0x0000
#define GICC_CTLR_ACKCTL  4
#define GICC_CTLR_EOIMODE 0x200
#define GICC_PMR	  0x0004
#define GICC_RPR	  0x0014
#define GICC_HPPIR	  0x0018
#define GICC_DIR	  0x1000

#define NONE	  1023
#define FIRST_SPI 40 /* free on every machine this runs on */

void set_bit(u32 reg, u32 intid);
bool get_bit(u32 reg, u32 intid);
void edge(u32 intid);
/* An SPI to a CPU, or with -1 to none. */
void route(u32 id, int cpu);
/* What the CPU interface offers within the settling time, acknowledged. */
u32 take_iar(void);
u32 take(void);
bool take_and_end(u32 want);

void test_gicv2(void);
void test_gicv2_smp(void);
