/* SPDX-License-Identifier: Apache-2.0 */
/* Barriers and waits of the architecture (Arm ARM B2.3, D1.7). */
#pragma once

#define dsb(scope) __asm__ volatile("dsb " #scope ::: "memory")
#define isb()	   __asm__ volatile("isb" ::: "memory")
#define wfi()	   __asm__ volatile("dsb sy\n\twfi" ::: "memory")
#define sev()	   __asm__ volatile("dsb ishst\n\tsev" ::: "memory")

/* In every spin: lets a sibling, or an emulator's other CPU, have its turn. */
#define cpu_relax() __asm__ volatile("yield" ::: "memory")
