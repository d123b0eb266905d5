/* SPDX-License-Identifier: Apache-2.0 */
/* Small readers over libfdt that check every length. */
#pragma once

#include <libfdt.h>
#include <skerry/util.h>

struct fdt_cells {
	u8 address, size;
};

/* #address-cells and #size-cells for the children of a node; 2 and 1 when
 * absent; false when present and impossible. */
bool fdt_read_cells(const void *fdt, int node, struct fdt_cells *out);
/* n (at most 2) cells as a number. */
u64 fdt_number(const fdt32_t *p, unsigned int n);
/*
 * The i-th (address, size) pair of `reg` in its parent's cells; false when
 * there is none, or its end is beyond 64 bits.
 */
bool fdt_read_reg(const void *fdt, int node, struct fdt_cells c, unsigned int i,
		  u64 *base, u64 *size);
/* A property of exactly one or two cells; false when absent or of other size */
bool fdt_read_u32(const void *fdt, int node, const char *name, u32 *out);
/* A terminated string without a terminator inside; NULL otherwise. */
const char *fdt_read_string(const void *fdt, int node, const char *name);
bool fdt_is_compatible(const void *fdt, int node, const char *what);
/* Name without unit address, cut to size. */
void fdt_copy_name(const void *fdt, int node, char *buf, size_t size);
bool fdt_is_enabled(const void *fdt, int node);
