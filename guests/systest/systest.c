/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chooses the groups of sub-tests by the boot argument tests=a,b,...; without
 * it, all that end well. Powers off at the end whatever failed.
 */
#include <string.h>

#include "systest.h"

static const struct {
	const char *name;
	void (*fn)(void);
	bool normal;
} groups[] = {
	{"psci", test_psci, true},
	{"smccc", test_smccc, true},
	{"gic", test_gic, true},
	{"smp", test_gic_smp, true},
	{"timer", test_timer, true},
	{"idregs", test_idregs, true},
	{"sysregs", test_sysregs, true},
	{"memory", test_memory, true},
	{"fp", test_fp, true},
	{"rtc", test_rtc, true},
	{"pvtime", test_pvtime, true},
	{"stolen", test_stolen, false},
	{"fplong", test_fp_long, false},
	{"sweep", hostile_sweep, false},
	{"input", test_input, false},
	{"jump", hostile_jump, false},
	{"vectors", hostile_vectors, false},
	{"storm", hostile_storm, false},
	{"reset", hostile_reset, false},
	{"watchdog", test_watchdog, true},
	{"pause", test_pause, false},
	{"pausesmp", test_pause_smp, false},
	{"clock", test_clock, false},
	{"undriven", hostile_undriven, false},
	{"unfed", hostile_unfed, false},
	{"flood", hostile_flood, false},
	{"life", test_life, false},
	{"churn", test_churn, false},
	{"remains", test_remains, false},
	{"heir", test_heir, false},
	{"wake", test_wake, false},
};

bool wait_for(const u32 *word, u32 want, u64 us)
{
	u64 end = now() + us * ticks_per_us();

	while (READ_ONCE(*word) != want && now() < end)
		cpu_relax();
	return READ_ONCE(*word) == want;
}

/* True if the comma-separated list has the word; NULL stands for `normal`. */
static bool chosen(const char *list, const char *word, bool normal)
{
	size_t len = strlen(word);

	if (!list)
		return normal;
	while (*list && *list != ' ') {
		if (!strncmp(list, word, len) &&
		    (!list[len] || list[len] == ',' || list[len] == ' '))
			return true;
		while (*list && *list != ' ' && *list++ != ',')
			;
	}
	return false;
}

void guest_main(void)
{
	const char *list = bootarg("tests");

	printf("# systest: %u CPUs, GICv%u, \"%s\"\n", plat.nr_cpus, plat.gic,
	       plat.bootargs);
	irq_on();
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (chosen(list, groups[i].name, groups[i].normal)) {
			printf("# %s\n", groups[i].name);
			groups[i].fn();
		}
	tap_plan();
	printf("# %u failed\n", tap_failed());
}
