/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a device tree that fdt_check_full() has passed (kernel/dt.c).
 * libfdt's own walk checks each step, and each byte of a name, again and
 * again; this one only steps. What a property holds is still the reader's to
 * check: its length, and that its text is terminated.
 */
#pragma once

#include <skerry/util.h>

struct dt_node {
	const char *name;    /* NULL: no such node */
	const u32 *props;    /* where its properties begin, big-endian */
	const char *strings; /* the tree's names of properties */
};

struct dt_prop {
	const char *name;
	const void *data; /* NULL: absent, and len is 0 */
	int len;
};

/* The node that whole names lead to, as in "/soc/serial@1000". */
struct dt_node dt_path(const void *fdt, const char *path, size_t len);
/* Node after node in the order of the tree, from dt_path(fdt, "", 0) on. */
bool dt_next_node(struct dt_node *n, int *depth);
/* The first child, or the next node beside n; without a name when none. */
enum dt_step { DT_SIBLING, DT_CHILD };
struct dt_node dt_next_at(struct dt_node n, enum dt_step to);

/* Property after property, from *at == n->props on. */
bool dt_next_prop(const struct dt_node *n, const u32 **at, struct dt_prop *p);
struct dt_prop dt_find(const struct dt_node *n, const char *name);
/* Is it there, and exactly this string? */
bool dt_is(const struct dt_node *n, const char *name, const char *value);
bool dt_is_compatible(const struct dt_node *n, const char *value);

/* A number of `nr` cells, the first being the data's cell `first`. */
u64 dt_cells(const void *data, u32 first, u32 nr);
/* String after string, from NULL on; NULL behind the last terminated one. */
const char *dt_next_string(const struct dt_prop *p, const char *s);
