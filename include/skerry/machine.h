/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board, as one pass over the host device tree found it
 * (kernel/machine.c). Written once at boot, read-only afterwards.
 */
#pragma once

#include <skerry/page.h>

#define MACHINE_MAX_BANKS    16
#define MACHINE_MAX_RESERVED 32

enum cpu_method { CPU_METHOD_NONE, CPU_METHOD_PSCI, CPU_METHOD_SPIN };

struct machine_cpu {
	u64 mpidr; /* affinity fields only */
	enum cpu_method method;
	u64 release; /* spin table */
	char compatible[32];
};

struct machine_gic {
	u8 version; /* 2 or 3; 0 none found */
	u64 dist, dist_size;
	/* v3: redistributor regions; v2: GICC, GICH, GICV in that order */
	u64 redist[4], redist_size[4];
	u8 nr_redist;
	u64 redist_stride; /* 0: from GICR_TYPER */
	u32 maint_intid;
};

enum uart_kind { UART_NONE, UART_PL011 };

enum wdt_kind { WDT_NONE, WDT_SBSA, WDT_IMX, WDT_BCM2835 };

struct machine_wdt {
	enum wdt_kind kind;
	u64 reg[2];	/* frames, in the binding's order; 0 where it has one */
	bool ext_reset; /* i.MX: the reset has to leave the chip */
};

struct machine {
	const void *fdt;
	u64 fdt_size; /* really used, not totalsize */
	struct page_bank banks[MACHINE_MAX_BANKS];
	unsigned int nr_banks;
	struct page_bank reserved[MACHINE_MAX_RESERVED];
	unsigned int nr_reserved;
	struct machine_cpu cpus[CONFIG_NR_CPUS];
	unsigned int nr_cpus;
	unsigned int nr_cpus_ignored; /* beyond CONFIG_NR_CPUS */
	struct machine_gic gic;
	bool has_psci;	/* with conduit SMC */
	u32 timer_freq; /* 0: CNTFRQ_EL0 */
	u32 vtimer_intid, ptimer_intid, htimer_intid;
	enum uart_kind uart;
	u64 uart_base;
	u32 uart_intid;
	u64 rtc_base; /* PL031, or 0 */
	struct machine_wdt wdt;
	struct page_bank kept; /* what a reset leaves (ramoops), or 0 */
	char model[64];
	char cmdline[256]; /* xen,xen-bootargs, else bootargs: words, each with a NUL */
};

extern struct machine machine;

/* dies on what no board can do without (memory, CPUs, GIC, timer). */
void machine_parse(const void *fdt, u64 max_size);
/* Is `word` one of the words of the hypervisor's command line? */
bool machine_has_option(const char *word);
/*
 * Number of the option `name`, which ends with `=`; -1 without it, and with a
 * warning when it is not from min to max.
 */
int machine_get_number(const char *name, u32 min, u32 max);
