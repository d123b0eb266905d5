/* SPDX-License-Identifier: Apache-2.0 */
/* Checked readers over libfdt. */
#include <skerry/fdt.h>

#include <skerry/string.h>

bool fdt_read_u32(const void *fdt, int node, const char *name, u32 *out)
{
	int len;
	const fdt32_t *p = fdt_getprop(fdt, node, name, &len);

	if (!p || len != 4)
		return false;
	*out = fdt32_to_cpu(*p);
	return true;
}

bool fdt_read_cells(const void *fdt, int node, struct fdt_cells *out)
{
	u32 a = 2, s = 1;

	if (fdt_getprop(fdt, node, "#address-cells", NULL) &&
	    !fdt_read_u32(fdt, node, "#address-cells", &a))
		return false;
	if (fdt_getprop(fdt, node, "#size-cells", NULL) &&
	    !fdt_read_u32(fdt, node, "#size-cells", &s))
		return false;
	if (a > 2 || s > 2)
		return false;
	*out = (struct fdt_cells){(u8)a, (u8)s};
	return true;
}

u64 fdt_number(const fdt32_t *p, unsigned int n)
{
	u64 val = 0;

	while (n--)
		val = val << 32 | fdt32_to_cpu(*p++);
	return val;
}

bool fdt_read_reg(const void *fdt, int node, struct fdt_cells c, unsigned int i,
		  u64 *base, u64 *size)
{
	int len;
	const fdt32_t *p = fdt_getprop(fdt, node, "reg", &len);
	unsigned int step = c.address + c.size;

	if (!p || !step || len < 0 || (u64)len / 4 < (u64)step * (i + 1UL))
		return false;
	p += step * i;
	*base = fdt_number(p, c.address);
	*size = fdt_number(p + c.address, c.size);
	return *base + *size >= *base;
}

const char *fdt_read_string(const void *fdt, int node, const char *name)
{
	int len;
	const char *s = fdt_getprop(fdt, node, name, &len);

	if (!s || len <= 0 || strnlen(s, (size_t)len) != (size_t)len - 1)
		return NULL;
	return s;
}

bool fdt_is_compatible(const void *fdt, int node, const char *what)
{
	return fdt_node_check_compatible(fdt, node, what) == 0;
}

void fdt_copy_name(const void *fdt, int node, char *buf, size_t size)
{
	int len;
	const char *name = fdt_get_name(fdt, node, &len);
	size_t n = 0;

	while (name && n < (size_t)len && n < size - 1 && name[n] != '@') {
		buf[n] = name[n];
		n++;
	}
	buf[n] = 0;
}

bool fdt_is_enabled(const void *fdt, int node)
{
	const char *status = fdt_read_string(fdt, node, "status");

	return !status || !strcmp(status, "okay") || !strcmp(status, "ok");
}
