/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Register tables with two handlers swapped, for tests/tools/
 * test_register_tables.py: MUTATE=list prints the rows, MUTATE=table:column:i:j
 * swaps before the tests run. Included after a table that is not const.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MUTANT_TIMEOUT 20 /* s */

typedef void (*mutate_fn)(struct vcpu *v, struct emul_access *a);

static void mutate_list(const char *name, struct emul_reg *table,
			unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		printf("%s %u %#x %p %p\n", name, i, table[i].offset,
		       (void *)(size_t)table[i].read,
		       (void *)(size_t)table[i].write);
}

static void mutate(const char *name, struct emul_reg *table, unsigned int nr)
{
	const char *what = getenv("MUTATE");
	char want[32], column[8];
	unsigned int i, j;
	mutate_fn *a, *b, fn;

	if (!what)
		return;
	if (!strcmp(what, "list")) {
		mutate_list(name, table, nr);
		return;
	}
	alarm(MUTANT_TIMEOUT);
	/* The mutants are to fail by what the tests say, and soon. */
	cmocka_set_skip_filter("test_random");
	if (sscanf(what, "%31[^:]:%7[^:]:%u:%u", want, column, &i, &j) != 4 ||
	    strcmp(want, name))
		return;
	if (i >= nr || j >= nr)
		abort();
	a = strcmp(column, "read") ? &table[i].write : &table[i].read;
	b = strcmp(column, "read") ? &table[j].write : &table[j].read;
	fn = *a;
	*a = *b;
	*b = fn;
}

/* After listing nothing else is wanted. */
static void mutate_end(void)
{
	const char *what = getenv("MUTATE");

	if (what && !strcmp(what, "list"))
		exit(0);
}
