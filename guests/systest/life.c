/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lives of a guest: each start tells why it came about, finds memory as at the
 * first, and ends by the next word of lives=a:b:...; and one that is never at
 * rest, for what may come at any moment.
 */
#include <libfdt.h>
#include <string.h>

#include "systest.h"

extern char secondary_entry[];

static u32 nr_starts(void)
{
	int node = fdt_path_offset(plat.fdt, "/chosen"), len;
	const fdt32_t *p = fdt_getprop(plat.fdt, node, "skerry,nr-starts", &len);

	return p && len == 4 ? fdt32_to_cpu(*p) : 0;
}

static const char *reason(void)
{
	int node = fdt_path_offset(plat.fdt, "/chosen"), len;
	const char *s = fdt_getprop(plat.fdt, node, "skerry,reset-reason", &len);

	return s ? s : "unknown";
}

/* The n-th word of the list, from 1; "" behind the end. */
static void word_of(const char *list, u32 n, char *out, size_t size)
{
	size_t len = 0;

	while (--n && list && *list && *list != ' ')
		for (; *list && *list != ' ' && *list++ != ':';)
			;
	for (; list && *list && *list != ' ' && *list != ':' && len < size - 1;
	     list++)
		out[len++] = *list;
	out[len] = 0;
}

/*
 * The third quarter of memory has nothing of ours and not the tree, which is at
 * the end of a small one. It is filled: a successor that finds some of it has
 * not got fresh memory.
 */
static void check_memory(void)
{
	const struct range *r = &plat.mem[plat.nr_mem - 1];
	u64 *at = (u64 *)(r->base + r->size / 4 * 2);
	u64 *end = (u64 *)(r->base + r->size / 4 * 3);
	u64 dirty = 0;

	for (; at < end; at += 64) {
		dirty += *at != 0;
		*at = 0x600df00d;
	}
	ok(!dirty, "memory is as before the first start");
}

/* A fault whose vectors are nowhere, so that it never gets anywhere. */
static void crash(void)
{
	mmu_allow_exec(0x30000000ul);
	sysreg_write(vbar_el1, 0x30000000ul);
	asm volatile("isb\n\tbrk #0");
}

static void end_life(const char *how)
{
	/* Some time, of which it is not to have less for having lived. */
	u64 until = now() + bootarg_num("live_ms", 0) * 1000 * ticks_per_us();

	while (now() < until)
		cpu_relax();
	if (!strcmp(how, "reset"))
		psci(PSCI_SYSTEM_RESET, 0, 0, 0);
	if (!strcmp(how, "crash"))
		crash();
	if (!strcmp(how, "hang")) {
		irq_off();
		for (;;)
			cpu_relax();
	}
	while (!strcmp(how, "sleep"))
		asm volatile("wfi");
}

void test_life(void)
{
	char how[16];

	word_of(bootarg("lives"), nr_starts(), how, sizeof(how));
	printf("# start %u after %s, ends by %s\n", nr_starts(), reason(), how);
	ok(nr_starts() != 0, "the tree counts starts");
	check_memory();
	end_life(how);
}

/* --- never at rest -------------------------------------------------------- */

static u64 next(u64 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* All caches by set and way, as firmware does before it goes off. */
static void flush_set_way(u64 *seed)
{
	for (unsigned int i = 0; i < next(seed) % 8; i++)
		asm volatile("dc cisw, %0" ::"r"((next(seed) & 0x3f) << 6));
}

static void toggle_caches(void)
{
	u64 sctlr = sysreg_read(sctlr_el1);

	sysreg_write(sctlr_el1, sctlr & ~(1ul << 2));
	asm volatile("isb");
	sysreg_write(sctlr_el1, sctlr);
	asm volatile("isb");
}

static void short_sleep(u64 *seed)
{
	sysreg_write(cntv_tval_el0, next(seed) % 20000);
	sysreg_write(cntv_ctl_el0, 1ul);
	asm volatile("isb\n\twfi");
	sysreg_write(cntv_ctl_el0, 0ul);
}

static void one_of(u64 *seed)
{
	unsigned int to = next(seed) % plat.nr_cpus;

	switch (next(seed) % 8) {
	case 0:
		flush_set_way(seed);
		break;
	case 1:
		toggle_caches();
		flush_set_way(seed);
		break;
	case 2:
	case 3:
		gic_send_sgi(to, 1);
		break;
	case 4:
		short_sleep(seed);
		break;
	default:
		for (u64 n = next(seed) % 2000; n; n--)
			cpu_relax();
	}
}

/* Comes and goes: PSCI's CPU_ON meets CPU_OFF, and the end of it all. */
static void be_busy(void *arg)
{
	u64 seed = (u64)arg + sysreg_read(cntvct_el0);

	for (u64 n = next(&seed) % 40; n; n--)
		one_of(&seed);
	psci(PSCI_CPU_OFF, 0, 0, 0);
}

void test_churn(void)
{
	u64 seed = bootarg_num("seed", 1) * 2654435761ul + nr_starts();
	u64 ends = bootarg_num("ends", 0); /* one in so many rounds */

	printf("# churn, start %u after %s\n", nr_starts(), reason());
	for (;;) {
		for (unsigned int i = 1; i < plat.nr_cpus; i++) {
			if (cpu_is_off(i))
				cpu_start(i, be_busy, (void *)next(&seed));
			else
				psci(PSCI_CPU_ON, plat.mpidr[i],
				     (u64)secondary_entry, cpu_boot_record(i));
		}
		one_of(&seed);
		if (!ends || next(&seed) % ends)
			continue;
		switch (next(&seed) % 3) {
		case 0:
			psci(PSCI_SYSTEM_RESET, 0, 0, 0);
			break;
		case 1:
			crash();
			break;
		default:
			psci(PSCI_SYSTEM_OFF, 0, 0, 0);
		}
	}
}
