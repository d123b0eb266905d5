/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/dt.c: every step in a tree with NOPs and odd names, beside libfdt. */
#include "fdtgen.h"

#include <skerry/dt.h>
#include <skerry/util.h>

static void write_tree(void)
{
	gen_start();
	gen_str("model", "board");
	gen_empty("flag");
	gen_begin("soc");
	gen_cells("#size-cells", 2, 3);
	gen_begin("serial@1");
	gen_str("compatible", "a,one\0b,two");
	gen_prop("open", "a\0bc", 4);
	gen_end();
	gen_begin("serial@10");
	gen_end();
	gen_end();
	gen_begin("so");
	gen_begin("deep");
	gen_end();
	gen_end();
	gen_begin("last");
	gen_str("gone", "x");
	gen_str("status", "okay");
	gen_end();
	gen_finish();
	assert_int_equal(fdt_nop_node(gen, fdt_path_offset(gen, "/so/deep")), 0);
	assert_int_equal(fdt_nop_property(gen, fdt_path_offset(gen, "/last"),
					  "gone"),
			 0);
	assert_int_equal(fdt_check_full(gen, sizeof(gen)), 0);
}

static struct dt_node path(const char *s)
{
	return dt_path(gen, s, strlen(s));
}

static void test_path(void **state)
{
	static const char *const good[] = {"/soc", "/soc/serial@1",
					   "/soc/serial@10", "/so", "/last"};
	static const char *const bad[] = {
		"/",	       "soc",	"/soc/",    "//soc",	      "/s",
		"/soc/serial", "/soc@", "/so/deep", "/soc/serial@100"};

	write_tree();
	assert_string_equal(path("").name, "/");
	for (unsigned int i = 0; i < ARRAY_SIZE(good); i++)
		assert_string_equal(path(good[i]).name,
				    strrchr(good[i], '/') + 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		if (path(bad[i]).name)
			fail_msg("found: %s", bad[i]);
	/* Only `len` bytes are the path. */
	assert_string_equal(dt_path(gen, "/socket", 4).name, "soc");
}

/* The same nodes, depths and properties in the same order. */
static void test_walk(void **state)
{
	int depth = 0, other_depth = 0, at = 0, off;
	struct dt_node n;
	unsigned int nodes = 0;

	write_tree();
	n = path("");
	do {
		const u32 *next = n.props;
		struct dt_prop p;

		assert_int_equal(depth, other_depth);
		if (depth)
			assert_ptr_equal(n.name, fdt_get_name(gen, at, NULL));
		fdt_for_each_property_offset(off, gen, at) {
			const char *name;
			int len;

			assert_true(dt_next_prop(&n, &next, &p));
			assert_ptr_equal(p.data,
					 fdt_getprop_by_offset(gen, off, &name,
							       &len));
			assert_ptr_equal(p.name, name);
			assert_int_equal(p.len, len);
		}
		assert_false(dt_next_prop(&n, &next, &p));
		assert_false(dt_next_prop(&n, &next, &p));
		at = fdt_next_node(gen, at, &other_depth);
		nodes++;
	} while (dt_next_node(&n, &depth));
	assert_true(at < 0 || other_depth < 0);
	assert_int_equal(nodes, 6);
}

static void test_near(void **state)
{
	struct dt_node n;

	write_tree();
	n = dt_next_at(path(""), DT_CHILD);
	assert_string_equal(n.name, "soc");
	assert_string_equal(dt_next_at(n, DT_CHILD).name, "serial@1");
	n = dt_next_at(n, DT_SIBLING);
	assert_string_equal(n.name, "so");
	assert_null(dt_next_at(n, DT_CHILD).name);
	n = dt_next_at(n, DT_SIBLING);
	assert_string_equal(n.name, "last");
	assert_null(dt_next_at(n, DT_CHILD).name);
	n = dt_next_at(n, DT_SIBLING);
	assert_null(n.name);
	/* Nothing follows no node. */
	assert_null(dt_next_at(n, DT_SIBLING).name);
	assert_null(dt_next_at(n, DT_CHILD).name);
	assert_null(dt_next_at(path("/soc/serial@10"), DT_SIBLING).name);
}

static void test_values(void **state)
{
	struct dt_node n, none = {NULL};
	struct dt_prop p;
	const char *s;

	write_tree();
	n = path("/soc");
	p = dt_find(&n, "#size-cells");
	assert_int_equal(dt_cells(p.data, 1, 1), 3);
	assert_int_equal(dt_cells(p.data, 0, 2), 0x200000003);
	assert_int_equal(dt_cells(p.data, 0, 0), 0);
	assert_null(dt_find(&n, "#size").data);
	assert_null(dt_find(&none, "#size-cells").data);
	n = path("");
	assert_non_null(dt_find(&n, "flag").data);
	assert_false(dt_is(&n, "flag", ""));
	assert_true(dt_is(&n, "model", "board"));
	assert_false(dt_is(&n, "model", "boar"));
	assert_false(dt_is(&n, "nodel", "board"));
	n = path("/last");
	assert_null(dt_find(&n, "gone").data);
	assert_true(dt_is(&n, "status", "okay"));
	n = path("/soc/serial@1");
	assert_true(dt_is_compatible(&n, "a,one"));
	assert_true(dt_is_compatible(&n, "b,two"));
	assert_false(dt_is_compatible(&n, "b,tw"));
	p = dt_find(&n, "open");
	s = dt_next_string(&p, NULL);
	assert_string_equal(s, "a");
	assert_null(dt_next_string(&p, s));
	p = dt_find(&n, "absent");
	assert_int_equal(p.len, 0);
	assert_null(dt_next_string(&p, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_near),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
