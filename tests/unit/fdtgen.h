/* SPDX-License-Identifier: Apache-2.0 */
/* Writing device trees in tests: libfdt's sequential calls, made short. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

static _Alignas(8) char gen[65536];

static inline void gen_ok(int err)
{
	if (err)
		fail_msg("%s", fdt_strerror(err));
}

static inline void gen_begin(const char *name)
{
	gen_ok(fdt_begin_node(gen, name));
}

static inline void gen_end(void)
{
	gen_ok(fdt_end_node(gen));
}

static inline void gen_prop(const char *name, const void *val, int len)
{
	gen_ok(fdt_property(gen, name, val, len));
}

static inline void gen_cells_n(const char *name, const uint32_t *val, size_t nr)
{
	fdt32_t be[64];

	for (size_t i = 0; i < nr; i++)
		be[i] = cpu_to_fdt32(val[i]);
	gen_prop(name, be, (int)(4 * nr));
}

#define gen_cells(name, ...)                                                   \
	gen_cells_n(name, (const uint32_t[]){__VA_ARGS__},                     \
		    sizeof((const uint32_t[]){__VA_ARGS__}) / 4)
#define gen_str(name, val) gen_prop(name, val, (int)sizeof(val))
#define gen_empty(name)	   gen_prop(name, "", 0)

static inline void gen_start(void)
{
	memset(gen, 0, sizeof(gen));
	gen_ok(fdt_create(gen, sizeof(gen)));
	gen_ok(fdt_finish_reservemap(gen));
	gen_begin("");
}

static inline void gen_finish(void)
{
	gen_end();
	gen_ok(fdt_finish(gen));
}
