/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The FIT of a guest (fit.h). Read in this order: is it a device tree of a
 * bounded number of parts; which nodes does the configuration consist of; are
 * those, byte for byte, what one of our keys has signed. The nodes follow from
 * the configuration alone: what the signature's own node says is compared.
 */
#include <skerry/fit.h>

#include <libfdt.h>

#include <skerry/dt.h>
#include <skerry/fmt.h>
#include <skerry/string.h>
#include <skerry/work.h>

#define MAX_DEPTH      8    /* of nodes; a FIT has 4 */
#define MAX_TAGS       4096 /* of nodes, their ends, properties, NOPs */
#define MAX_STRINGS    4096 /* bytes of names of properties */
#define MAX_PROPS      64   /* of a signed node */
#define MAX_SIGNATURES 4
#define MAX_PATH       96
#define MAX_BOOTARGS   1024

/* Root, configuration, and three images with a hash each. */
#define MAX_NODES 8

struct node {
	struct dt_node dt;
	char path[MAX_PATH];
};

struct reader {
	const u8 *fit;
	u64 size;
	struct node nodes[MAX_NODES]; /* all that has to be signed */
	unsigned int nr;
	const struct verify_ring *ring;
	struct fit_guest *out;
	struct fit_error *err;
};

__printf(3, 4) static int refuse(struct reader *r, const char *path,
				 const char *fmt, ...)
{
	char *text = r->err->text;
	size_t room = sizeof(r->err->text);
	size_t len = (size_t)fmt_snprintf(text, room, "%s: ", path);

	len = min(len, room - 1);
	fmt_args(text + len, room - len, fmt);
	return -EINVAL;
}

/* --- properties and nodes ------------------------------------------------ */

/* A text that is safe to compare and to print, or NULL. */
static const char *string_of(const struct dt_prop *p)
{
	const char *s = p->data;

	if (!s || p->len < 2 || strnlen(s, (size_t)p->len) != (size_t)p->len - 1)
		return NULL;
	for (const char *c = s; *c; c++)
		if (*c < ' ' || *c > '~')
			return NULL;
	return s;
}

static const char *find_string(const struct dt_node *n, const char *name)
{
	struct dt_prop p = dt_find(n, name);

	return string_of(&p);
}

static bool has(const struct dt_node *n, const char *name)
{
	return dt_find(n, name).data;
}

/* A number of one cell; false when there is none. */
static bool find_cell(const struct dt_node *n, const char *name, u32 *val)
{
	struct dt_prop p = dt_find(n, name);

	if (!p.data || p.len != 4)
		return false;
	*val = (u32)dt_cells(p.data, 0, 1);
	return true;
}

/* '@' is refused since U-Boot's lookup takes such a name for one without. */
static int check_name(struct reader *r, const char *dir, const char *name)
{
	for (const char *c = name; *c; c++)
		if (*c <= ' ' || *c > '~' || *c == '@')
			return refuse(
				r, dir,
				"a node's name has '@' or what cannot be printed");
	return 0;
}

/* One of the nodes that the signature must cover. */
static int add_node(struct reader *r, const char *dir, struct dt_node dt)
{
	struct node *n = &r->nodes[r->nr];
	const u32 *at = dt.props, *other;
	struct dt_prop p, q;
	unsigned int nr = 0;
	int len;

	if (check_name(r, dir, dt.name))
		return -EINVAL;
	len = fmt_snprintf(n->path, MAX_PATH, "%s/%s", dir, dt.name);
	if (len >= MAX_PATH)
		return refuse(r, dir, "a name is longer than %u characters",
			      MAX_PATH - 1);
	while (dt_next_prop(&dt, &at, &p)) {
		if (++nr > MAX_PROPS)
			return refuse(r, n->path, "more than %u properties",
				      MAX_PROPS);
		for (other = at; dt_next_prop(&dt, &other, &q);)
			if (!strcmp(p.name, q.name))
				return refuse(r, n->path,
					      "two properties of one name");
	}
	n->dt = dt;
	r->nr++;
	return 0;
}

/* The only child of this name. */
static int find_child(struct reader *r, const struct dt_node *parent,
		      const char *path, const char *name, struct dt_node *out)
{
	struct dt_node n = dt_next_at(*parent, DT_CHILD);

	*out = (struct dt_node){.name = NULL};
	for (; n.name; n = dt_next_at(n, DT_SIBLING)) {
		if (strcmp(n.name, name))
			continue;
		if (out->name)
			return refuse(r, path, "two nodes %s", name);
		*out = n;
	}
	if (out->name)
		return 0;
	refuse(r, path, "no node %s", name);
	return -EINVAL;
}

/* --- the tree as a whole ------------------------------------------------- */

/*
 * Bounded in depth and count before anything else looks at it, so that what
 * follows takes a time that is at most linear. Of a damaged tree it sees the
 * part before the damage.
 */
static int check_bounds(struct reader *r)
{
	unsigned int tags = 0;
	int at = 0, depth = 0;
	u32 tag;

	if (fdt_size_dt_strings(r->fit) > MAX_STRINGS)
		return refuse(r, "/",
			      "more than %u bytes of names of properties",
			      MAX_STRINGS);
	do {
		tag = fdt_next_tag(r->fit, at, &at);
		depth += tag == FDT_BEGIN_NODE;
		depth -= tag == FDT_END_NODE;
		if (depth > MAX_DEPTH + 1) /* the root */
			return refuse(r, "/", "nodes nested deeper than %u",
				      MAX_DEPTH);
		if (++tags > MAX_TAGS)
			return refuse(r, "/",
				      "more than %u nodes and properties",
				      MAX_TAGS);
	} while (tag != FDT_END);
	return 0;
}

static int check_tree(struct reader *r)
{
	const struct fdt_header *h = (const void *)r->fit;
	int err;

	if (r->size < sizeof(*h) || fdt_magic(h) != FDT_MAGIC)
		return refuse(r, "/", "not a FIT");
	if (fdt_totalsize(h) > r->size)
		return refuse(r, "/", "truncated: %lu bytes of %u", r->size,
			      fdt_totalsize(h));
	err = fdt_version(h) != 17 || fdt_off_dt_struct(h) % 4 ||
	      fdt_off_mem_rsvmap(h) % 8 || fdt_check_header(h);
	if (!err && check_bounds(r))
		return -EINVAL;
	if (err || fdt_check_full(r->fit, fdt_totalsize(h)))
		return refuse(r, "/", "damaged: not a well-formed device tree");
	return 0;
}

/* --- images -------------------------------------------------------------- */

/* Where its data is; `data-*` are not signed, the hash alone binds them. */
static int find_data(struct reader *r, const struct node *n,
		     struct fit_part *part)
{
	u64 end = align_up(fdt_totalsize(r->fit), 4);
	struct dt_prop p = dt_find(&n->dt, "data");
	bool offset = has(&n->dt, "data-offset"),
	     position = has(&n->dt, "data-position");
	u32 at, size;

	if (!!p.data + offset + position != 1)
		return refuse(
			r, n->path,
			"must have one of data, data-offset and data-position");
	if (p.data) {
		if (has(&n->dt, "data-size"))
			return refuse(r, n->path, "data-size beside data");
		part->offset = (u64)((const u8 *)p.data - r->fit);
		part->size = (u32)p.len;
	} else {
		if (!find_cell(&n->dt, offset ? "data-offset" : "data-position",
			       &at) ||
		    !find_cell(&n->dt, "data-size", &size))
			return refuse(
				r, n->path,
				"data-offset, data-position and data-size must be one cell");
		part->offset = at + (offset ? end : 0);
		part->size = size;
		if (part->offset < end || part->offset % 4)
			return refuse(
				r, n->path,
				"its data begins inside the tree, or unaligned");
	}
	if (!part->size)
		return refuse(r, n->path, "no data");
	if (part->offset > r->size || part->size > r->size - part->offset)
		return refuse(r, n->path,
			      "truncated: its data ends at %lu of %lu bytes",
			      part->offset + part->size, r->size);
	return 0;
}

/* Its only child: the hash of the data. */
static int read_hash(struct reader *r, const struct node *image,
		     struct fit_part *part)
{
	struct dt_node hash = dt_next_at(image->dt, DT_CHILD);
	struct dt_prop value;

	if (!hash.name || strncmp(hash.name, "hash", 4) ||
	    dt_next_at(hash, DT_SIBLING).name || dt_next_at(hash, DT_CHILD).name)
		return refuse(r, image->path, "must have one node, its hash");
	if (add_node(r, image->path, hash))
		return -EINVAL;
	value = dt_find(&hash, "value");
	if (!dt_is(&hash, "algo", "sha256"))
		return refuse(r, image->path, "its hash must be sha256");
	if (value.len != SHA256_SIZE)
		return refuse(r, image->path, "its hash must have %u bytes",
			      SHA256_SIZE);
	if (has(&hash, "uboot-ignore") || has(&image->dt, "uboot-ignore"))
		return refuse(r, image->path, "uboot-ignore is not supported");
	memcpy(part->hash, value.data, SHA256_SIZE);
	return 0;
}

static bool overlap(const struct fit_part *a, const struct fit_part *b)
{
	return a->size && b->size && a->offset < b->offset + b->size &&
	       b->offset < a->offset + a->size;
}

/* The image that the configuration names as its `role`. */
static int read_image(struct reader *r, const struct dt_node *images,
		      const char *role, const char *type, struct fit_part *part)
{
	const struct node *config = &r->nodes[1];
	struct dt_prop p = dt_find(&config->dt, role);
	const char *name = string_of(&p);
	const struct node *n = &r->nodes[r->nr];
	struct dt_node dt;

	if (!p.data)
		return 0;
	if (!name)
		return refuse(r, config->path, "%s: must be one name", role);
	if (find_child(r, images, "/images", name, &dt) ||
	    add_node(r, "/images", dt))
		return -EINVAL;
	if (!dt_is(&dt, "type", type) || !dt_is(&dt, "arch", "arm64"))
		return refuse(r, n->path,
			      "must be of type \"%s\" and arch \"arm64\"", type);
	if (has(&dt, "compression") && !dt_is(&dt, "compression", "none"))
		return refuse(r, n->path,
			      "compression: only \"none\" is supported");
	return find_data(r, n, part) ?: read_hash(r, n, part);
}

static int read_images(struct reader *r, const struct dt_node *images)
{
	static const char others[][12] = {"loadables", "firmware", "standalone",
					  "fpga",      "setup",	   "script"};
	const struct node *config = &r->nodes[1];
	struct fit_guest *g = r->out;

	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++)
		if (has(&config->dt, others[i]))
			return refuse(r, config->path,
				      "%s: not a part of a guest", others[i]);
	if (!has(&config->dt, "kernel"))
		return refuse(r, config->path, "kernel: missing");
	if (read_image(r, images, "kernel", "kernel", &g->kernel) ||
	    read_image(r, images, "ramdisk", "ramdisk", &g->ramdisk) ||
	    read_image(r, images, "fdt", "flat_dt", &g->dtb))
		return -EINVAL;
	if (overlap(&g->kernel, &g->ramdisk) || overlap(&g->kernel, &g->dtb) ||
	    overlap(&g->ramdisk, &g->dtb))
		return refuse(r, config->path, "data of two images overlaps");
	return 0;
}

/* --- configuration ------------------------------------------------------- */

static int find_config(struct reader *r, const struct dt_node *configs,
		       const char *name)
{
	struct dt_node n = dt_next_at(*configs, DT_CHILD);

	if (name) {
		if (find_child(r, configs, "/configurations", name, &n))
			return -EINVAL;
	} else if (!n.name) {
		return refuse(r, "/configurations", "empty");
	} else if (dt_next_at(n, DT_SIBLING).name) {
		return refuse(r, "/configurations",
			      "more than one, and none is asked for");
	}
	return add_node(r, "/configurations", n);
}

static int read_config(struct reader *r, const char *name)
{
	struct dt_node root = dt_path(r->fit, "", 0), images, configs;
	const struct node *config = &r->nodes[1];
	struct dt_prop args;

	root.name = "";
	if (add_node(r, "", root) ||
	    find_child(r, &root, "/", "images", &images) ||
	    find_child(r, &root, "/", "configurations", &configs) ||
	    find_config(r, &configs, name) || read_images(r, &images))
		return -EINVAL;
	args = dt_find(&config->dt, "skerry,bootargs");
	r->out->bootargs = args.data ?: "";
	if (args.len > MAX_BOOTARGS ||
	    (args.data &&
	     strnlen(args.data, (size_t)args.len) != (size_t)args.len - 1))
		return refuse(
			r, config->path,
			"skerry,bootargs: must be one string of at most %u characters",
			MAX_BOOTARGS - 1);
	if (has(&config->dt, "skerry,version") &&
	    !find_cell(&config->dt, "skerry,version", &r->out->version))
		return refuse(r, config->path,
			      "skerry,version: must be one cell");
	return 0;
}

/* --- signature ----------------------------------------------------------- */

static bool is_signed_node(const struct reader *r, const u32 *props)
{
	for (unsigned int i = 0; i < r->nr; i++)
		if (r->nodes[i].dt.props == props)
			return true;
	return false;
}

/* Moved by `mkimage -E` after signing. */
static bool is_data(const char *name)
{
	return !strcmp(name, "data") || !strcmp(name, "data-size") ||
	       !strcmp(name, "data-offset") || !strcmp(name, "data-position");
}

/*
 * The digest of the signed nodes as mkimage makes it: their tags, names and
 * properties in the order of the tree; of their other children tags and names.
 */
static int hash_nodes(struct reader *r, struct sha256 *s, u32 nr_strings)
{
	const u32 *at = (const u32 *)(r->fit + fdt_off_dt_struct(r->fit));
	const char *strings = (const char *)r->fit + fdt_off_dt_strings(r->fit);
	/* 2: all of the node, 1: its tags, 0: nothing. */
	u8 want[MAX_DEPTH + 3] = {0};
	unsigned int depth = 0;

	for (const u32 *next;; at = next) {
		u32 tag = fdt32_to_cpu(*at), name;
		bool include = want[depth] == 2;

		next = at + 1;
		switch (tag) {
		case FDT_BEGIN_NODE:
			next += strlen((const char *)next) / 4 + 1;
			want[depth + 1] = is_signed_node(r, next) ? 2
					  : want[depth] == 2	  ? 1
								  : 0;
			include = want[++depth];
			break;
		case FDT_END_NODE:
			include = want[depth--];
			break;
		case FDT_PROP:
			name = fdt32_to_cpu(at[2]);
			next += 2 + align_up(fdt32_to_cpu(at[1]), 4) / 4;
			if (!include || is_data(strings + name)) {
				include = false;
				break;
			}
			if (name + strlen(strings + name) >= nr_strings)
				return refuse(
					r, "/",
					"the name of a signed property is not signed");
			break;
		case FDT_END:
			include = true;
			break;
		default: /* FDT_NOP */
			break;
		}
		if (include)
			sha256_update(s, at,
				      (size_t)((const u8 *)next -
					       (const u8 *)at));
		if (tag == FDT_END)
			return 0;
	}
}

static int hash_signed(struct reader *r, const char *path,
		       const struct dt_node *sig)
{
	struct dt_prop p = dt_find(sig, "hashed-strings");
	struct sha256 s;
	u64 offset, size;

	if (p.len != 8)
		return refuse(r, path, "hashed-strings: must be two cells");
	offset = dt_cells(p.data, 0, 1);
	size = dt_cells(p.data, 1, 1);
	if (offset || size > fdt_size_dt_strings(r->fit))
		return refuse(r, path, "hashed-strings: outside the strings");
	sha256_init(&s);
	if (hash_nodes(r, &s, (u32)size))
		return -EINVAL;
	sha256_update(&s, r->fit + fdt_off_dt_strings(r->fit), size);
	sha256_final(&s, r->out->digest);
	return 0;
}

/* What mkimage says that it signed must be what we want to be signed. */
static int compare_nodes(struct reader *r, const char *path,
			 const struct dt_node *sig)
{
	struct dt_prop p = dt_find(sig, "hashed-nodes");
	u64 seen = 0;

	if (!p.len || ((const char *)p.data)[p.len - 1])
		return refuse(r, path, "hashed-nodes: must be a list of names");
	for (const char *s = dt_next_string(&p, NULL); s;
	     s = dt_next_string(&p, s)) {
		unsigned int i = 0;

		while (i < r->nr && strcmp(r->nodes[i].path, s))
			i++;
		if (i == r->nr || (seen & BIT(i)))
			return refuse(
				r, path,
				"hashed-nodes: has a node that does not belong there");
		seen |= BIT(i);
	}
	for (unsigned int i = 0; i < r->nr; i++)
		if (!(seen & BIT(i)))
			return refuse(r, path, "hashed-nodes: leaves out %s",
				      r->nodes[i].path);
	return 0;
}

/* The key that the signature's node names, or NULL: it is not for this. */
static const struct verify_key *find_key(struct reader *r, const char *path,
					 const struct dt_node *sig)
{
	const char *hint = find_string(sig, "key-name-hint");
	const char *padding = has(sig, "padding") ? find_string(sig, "padding")
						  : "pkcs-1.5";
	const struct verify_key *key = r->ring->keys;
	unsigned int i = 0;

	for (; hint && i < r->ring->nr && strcmp(key->name, hint); i++)
		key++;
	/* What else the node says must agree. */
	if (!hint)
		refuse(r, path, "key-name-hint: must be one name");
	else if (i == r->ring->nr)
		refuse(r, path, "key \"%s\" is not one of this build", hint);
	else if (r->ring->revoked & BIT(i))
		refuse(r, path, "key \"%s\" is revoked", hint);
	else if (!dt_is(sig, "algo", verify_algo_name(key)))
		refuse(r, path, "algo: key \"%s\" is for \"%s\" only", hint,
		       verify_algo_name(key));
	else if (!padding)
		refuse(r, path, "padding: must be one name");
	else if (key->algo != VERIFY_ECDSA_P256 &&
		 strcmp(padding, verify_padding_name(key)))
		refuse(r, path, "padding: key \"%s\" is for \"%s\" only", hint,
		       verify_padding_name(key));
	else
		return key;
	return NULL;
}

static int check_signature(struct reader *r, const struct dt_node *sig)
{
	struct dt_prop value = dt_find(sig, "value");
	const struct verify_key *key;
	char path[MAX_PATH + 32];
	int err;

	fmt_snprintf(path, sizeof(path), "%s/%s", r->nodes[1].path, sig->name);
	if (!value.len)
		return refuse(r, path, "value: missing");
	key = find_key(r, path, sig);
	if (!key || compare_nodes(r, path, sig) || hash_signed(r, path, sig))
		return -EINVAL;
	err = verify_digest(key, r->out->digest, value.data, (size_t)value.len);
	if (err == -ENOMEM)
		refuse(r, path, "no memory to verify it");
	else if (err)
		refuse(r, path, "not a signature of key \"%s\"", key->name);
	else
		r->out->key = key;
	return err;
}

/* One good signature is enough: the last refusal counts otherwise. */
static int check_signatures(struct reader *r)
{
	const struct node *config = &r->nodes[1];
	struct dt_node n = dt_next_at(config->dt, DT_CHILD);
	unsigned int nr = 0;
	int err = 0;

	if (!n.name) {
		refuse(r, config->path, "not signed");
		return -EACCES;
	}
	for (struct dt_node m = n; m.name; m = dt_next_at(m, DT_SIBLING)) {
		if (strncmp(m.name, "signature", 9) || ++nr > MAX_SIGNATURES ||
		    strlen(m.name) > 31)
			return refuse(r, config->path,
				      "its nodes must be at most %u signatures",
				      MAX_SIGNATURES);
		if (check_name(r, config->path, m.name))
			return -EINVAL;
	}
	for (; n.name; n = dt_next_at(n, DT_SIBLING)) {
		err = check_signature(r, &n);
		if (!err || err == -ENOMEM)
			break;
	}
	return err == -EINVAL ? -EACCES : err;
}

static int check_version(struct reader *r, u32 at_least)
{
	if (r->out->version >= at_least)
		return 0;
	refuse(r, r->nodes[1].path,
	       "skerry,version: %u is older than %u, the least allowed",
	       r->out->version, at_least);
	return -EACCES;
}

int fit_open(const void *fit, u64 size, const char *config, u32 min_version,
	     const struct verify_ring *ring, struct fit_guest *out,
	     struct fit_error *err)
{
	struct reader r = {
		.fit = fit, .size = size, .ring = ring, .out = out, .err = err};
	int ret;

	memset(out, 0, sizeof(*out));
	work_preempt(true);
	ret = check_tree(&r) ?: read_config(&r, config) ?:
	      check_signatures(&r) ?: check_version(&r, min_version);
	work_preempt(false);
	if (ret)
		memset(out, 0, sizeof(*out));
	return ret;
}
