/* SPDX-License-Identifier: Apache-2.0 */
/* The log of what was started (measure.h). */
#include <skerry/measure.h>

#include <skerry/log.h>
#include <skerry/string.h>

/* Every guest of the boot, and some that come later. */
#define MAX_ENTRIES (CONFIG_MAX_DOMAINS + 48)

static struct measurement entries[MAX_ENTRIES];
static unsigned int nr_entries;

static bool is_same(const struct measurement *a, const struct measurement *b)
{
	return a->key == b->key && a->version == b->version &&
	       a->domain == b->domain && !strcmp(a->name, b->name) &&
	       !memcmp(a->digest, b->digest, SHA256_SIZE);
}

void measure_add(const struct measurement *m)
{
	unsigned int n = nr_entries;

	/* Started again from the same image, it is the same entry. */
	for (unsigned int i = 0; i < n; i++)
		if (is_same(&entries[i], m))
			return;
	if (n == MAX_ENTRIES) {
		log_warn("d%u %s: the log of measurements is full", m->domain,
			 m->name);
		return;
	}
	entries[n] = *m;
	/* Partner: measure_get(). */
	store_release(&nr_entries, n + 1);
}

const struct measurement *measure_get(unsigned int n)
{
	return n < load_acquire(&nr_entries) ? &entries[n] : NULL;
}
