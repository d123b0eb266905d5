/* SPDX-License-Identifier: Apache-2.0 */
/* The log of what was started (measure.h). */
#include <skerry/measure.h>

/* Every guest of the boot, and some that come later. */
#define MAX_ENTRIES (CONFIG_MAX_DOMAINS + 48)

static struct measurement entries[MAX_ENTRIES];
static unsigned int nr_entries;

void measure_add(const struct measurement *m)
{
	unsigned int n = nr_entries;

	if (n == MAX_ENTRIES)
		return;
	entries[n] = *m;
	/* Partner: measure_get(). */
	store_release(&nr_entries, n + 1);
}

const struct measurement *measure_get(unsigned int n)
{
	return n < load_acquire(&nr_entries) ? &entries[n] : NULL;
}
