/* SPDX-License-Identifier: Apache-2.0 */
/* Steps through a checked device tree; it judges nothing that it finds. */
#include <skerry/dt.h>

#include <libfdt.h>

#include <skerry/string.h>

static const struct dt_node none;

bool dt_next_prop(const struct dt_node *n, const u32 **at, struct dt_prop *p)
{
	const u32 *tag = *at;

	while (fdt32_to_cpu(*tag) == FDT_NOP)
		tag++;
	*at = tag;
	if (fdt32_to_cpu(*tag) != FDT_PROP)
		return false;
	p->len = (int)fdt32_to_cpu(tag[1]);
	p->name = n->strings + fdt32_to_cpu(tag[2]);
	p->data = tag + 3;
	*at += 3 + (p->len + 3) / 4;
	return true;
}

bool dt_next_node(struct dt_node *n, int *depth)
{
	const u32 *at = n->props;
	struct dt_prop p;

	for (;;) {
		while (dt_next_prop(n, &at, &p))
			;
		switch (fdt32_to_cpu(*at++)) {
		case FDT_BEGIN_NODE:
			n->name = (const char *)at;
			n->props = at + strlen(n->name) / 4 + 1;
			(*depth)++;
			return true;
		case FDT_END_NODE:
			(*depth)--;
			break;
		default:
			return false;
		}
	}
}

struct dt_node dt_next_at(struct dt_node n, enum dt_step to)
{
	int depth = 0;

	while (n.name && dt_next_node(&n, &depth) && depth >= (int)to)
		if (depth == (int)to)
			return n;
	return none;
}

struct dt_node dt_path(const void *fdt, const char *path, size_t len)
{
	const char *tree = fdt, *end = path + len;
	struct dt_node n = {
		.props = (const u32 *)(tree + fdt_off_dt_struct(fdt)),
		.strings = tree + fdt_off_dt_strings(fdt),
	};
	int depth = 0;

	dt_next_node(&n, &depth);
	n.name = "/";
	while (path < end && n.name) {
		const char *name = path + 1;

		if (*path != '/')
			return none;
		path = memchr(name, '/', (size_t)(end - name)) ?: end;
		len = (size_t)(path - name);
		n = dt_next_at(n, DT_CHILD);
		while (n.name && (strncmp(n.name, name, len) || n.name[len]))
			n = dt_next_at(n, DT_SIBLING);
	}
	return n;
}

struct dt_prop dt_find(const struct dt_node *n, const char *name)
{
	const u32 *at = n->props;
	struct dt_prop p;

	while (at && dt_next_prop(n, &at, &p))
		if (!strcmp(p.name, name))
			return p;
	return (struct dt_prop){NULL, NULL, 0};
}

bool dt_is(const struct dt_node *n, const char *name, const char *value)
{
	struct dt_prop p = dt_find(n, name);

	return p.data && p.len == (int)strlen(value) + 1 &&
	       !memcmp(p.data, value, (size_t)p.len);
}

bool dt_is_compatible(const struct dt_node *n, const char *value)
{
	struct dt_prop p = dt_find(n, "compatible");

	return fdt_stringlist_contains(p.data, p.len, value);
}

u64 dt_cells(const void *data, u32 first, u32 nr)
{
	const u32 *cell = (const u32 *)data + first;
	u64 val = 0;

	while (nr--)
		val = val << 32 | fdt32_to_cpu(*cell++);
	return val;
}

const char *dt_next_string(const struct dt_prop *p, const char *s)
{
	const char *end = (const char *)p->data + p->len;

	s = s ? s + strlen(s) + 1 : p->data;
	return s < end && memchr(s, 0, (size_t)(end - s)) ? s : NULL;
}
