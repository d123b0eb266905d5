/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mutants of signed FITs: none may be accepted, unless as exactly the guest
 * that was signed. fit_mutate COUNT [SEED [FIRST]]: mutant number FIRST and the
 * COUNT - 1 behind it. What is accepted is counted by where the change lay.
 */
#include "../unit/fithost.h"

#define MAX_TAG	  512
#define MAX_CLASS 64

static const struct verify_key keys[] = {
#include "keys.h"
};
static const struct verify_ring ring = {keys, ARRAY_SIZE(keys),
					BIT(ARRAY_SIZE(keys) - 1)};

/* The larger the weight the more mutants; other algorithms take longer. */
static struct base {
	const char *name;
	unsigned int weight, nr_configs;
	u8 *data;
	size_t size;
	struct verdict good[2]; /* of each configuration, or signature */
} bases[] = {
	{"two-in", 20, 2},    {"two-ext", 20, 2},    {"two-pos", 6, 2},
	{"rsa2048-in", 8, 1}, {"rsa2048-ext", 8, 1}, {"both-in", 6, 1},
	{"pss-in", 8, 1},     {"pss-ext", 8, 1},     {"rsa3072-ext", 4, 1},
	{"rsa4096-in", 3, 1}, {"pss4096-ext", 3, 1}, {"p256-in", 3, 1},
	{"p256-ext", 3, 1},
};

static const struct base *base;
static const char *config;
static const char *const configs[] = {"conf-1", "conf-2"};

/* --- chance -------------------------------------------------------------- */

static u64 state;

static u32 any(void)
{
	u64 z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (u32)(z >> 32);
}

static u32 below(size_t n)
{
	return n ? any() % (u32)n : 0;
}

/* --- the signature's arithmetic ------------------------------------------ */

static bool reached;
int __real_verify_digest(const struct verify_key *k, const u8 *digest,
			 const void *sig, size_t size);
int __wrap_verify_digest(const struct verify_key *k, const u8 *digest,
			 const void *sig, size_t size);

int __wrap_verify_digest(const struct verify_key *k, const u8 *digest,
			 const void *sig, size_t size)
{
	reached = true;
	return __real_verify_digest(k, digest, sig, size);
}

/* --- what the file consists of ------------------------------------------- */

static struct tag {
	size_t at, end;
	u32 tag;
	char path[96]; /* of the node that it is in, or that it begins */
} tags[MAX_TAG];
static unsigned int nr_tags;

/* As far as it is in order; 0 tags when the header is not. */
static void find_tags(void)
{
	char path[96] = "";
	int at = 0, next;
	size_t base_at;

	nr_tags = 0;
	if (file_size < 40 || fdt_check_header(file) ||
	    fdt_totalsize(file) > file_size || fdt_off_dt_struct(file) % 4)
		return;
	base_at = fdt_off_dt_struct(file);
	for (; nr_tags < MAX_TAG; at = next) {
		struct tag *t = &tags[nr_tags];
		char *slash;

		t->tag = fdt_next_tag(file, at, &next);
		if (next < 0 || t->tag == FDT_END)
			break;
		t->at = base_at + (size_t)at;
		t->end = base_at + (size_t)next;
		if (t->tag == FDT_BEGIN_NODE) {
			const char *name = (char *)file + t->at + 4;
			size_t len = strlen(path);

			snprintf(path + len, sizeof(path) - len, "%s%s",
				 len > 1 ? "/"
				 : len	 ? ""
					 : "/",
				 name);
		}
		strcpy(t->path, path);
		slash = strrchr(path, '/');
		if (t->tag == FDT_END_NODE && slash)
			slash[slash == path && path[1] ? 1 : 0] = 0;
		nr_tags++;
	}
}

static const struct tag *any_tag(u32 kind)
{
	for (unsigned int i = 0; nr_tags && i < 64; i++) {
		const struct tag *t = &tags[below(nr_tags)];

		if (t->tag == kind)
			return t;
	}
	return NULL;
}

/* Behind the end of the node that t begins. */
static size_t tag_node_end(const struct tag *t)
{
	int depth = 0;

	do
		depth += t->tag == FDT_BEGIN_NODE ? 1
			 : t->tag == FDT_END_NODE ? -1
						  : 0;
	while (depth && ++t < tags + nr_tags);
	return t < tags + nr_tags ? t->end : 0;
}

static const char *prop_name(const struct tag *t)
{
	u32 name = word_at(t->at + 8);

	return name < fdt_size_dt_strings(file)
		       ? (char *)file + fdt_off_dt_strings(file) + name
		       : "";
}

static const struct tag *find_prop(const char *path, const char *name)
{
	for (unsigned int i = 0; i < nr_tags; i++)
		if (tags[i].tag == FDT_PROP && !strcmp(tags[i].path, path) &&
		    !strcmp(prop_name(&tags[i]), name))
			return &tags[i];
	return NULL;
}

static bool is_in(const char *path, const char *node)
{
	size_t len = strlen(node);

	return !strncmp(path, node, len) && (!path[len] || path[len] == '/');
}

static bool is_signed(const char *path)
{
	char sig[96];
	const struct tag *t;

	snprintf(sig, sizeof(sig), "/configurations/%s/signature-1", config);
	t = find_prop(sig, "hashed-nodes");
	for (size_t at = t ? t->at + 12 : 0; t && at < t->end;
	     at += strlen((char *)file + at) + 1)
		if (!strcmp((char *)file + at, path))
			return true;
	return false;
}

static const char *class_of_tag(const struct tag *t)
{
	char sig[96], path[96];

	snprintf(sig, sizeof(sig), "/configurations/%s/signature-", config);
	strcpy(path, t->path);
	/* What stands before a node is its parent's. */
	if (t->tag == FDT_BEGIN_NODE && path[1]) {
		char *slash = strrchr(path, '/');

		slash[slash == path] = 0;
	} else if (t->tag == FDT_BEGIN_NODE) {
		return "before the root";
	}
	if (!strncmp(path, sig, strlen(sig)))
		return "the signature's own node";
	/* Or the digest would differ. */
	if (is_signed(path))
		return "data and its place, in a signed node";
	if (!strcmp(path, "/images") || !strcmp(path, "/configurations"))
		return "in /images or /configurations themselves";
	return is_in(path, "/images")		? "images not used"
	       : is_in(path, "/configurations") ? "configurations not asked for"
						: "other nodes";
}

/* Of the base's byte at `at`, by what the tree says that it is. */
static const char *class_of(size_t at)
{
	static const char *const fields[] = {"magic",
					     "totalsize",
					     "off_dt_struct",
					     "off_dt_strings",
					     "off_mem_rsvmap",
					     "version",
					     "last_comp_version",
					     "boot_cpuid_phys",
					     "size_dt_strings",
					     "size_dt_struct"};

	if (at < 40)
		return fields[at / 4];
	if (!nr_tags)
		return "a damaged tree";
	if (at < fdt_off_dt_struct(file))
		return "reserved memory";
	for (unsigned int i = 0; i < nr_tags; i++)
		if (at < tags[i].end)
			return class_of_tag(&tags[i]);
	if (at < fdt_off_dt_strings(file))
		return "end of the structure";
	if (at < fdt_off_dt_strings(file) + fdt_size_dt_strings(file))
		return "names of properties";
	return at < fdt_totalsize(file) ? "room behind the tree"
	       : at < file_size		? "external data"
					: "behind the file";
}

/* --- mutation ------------------------------------------------------------ */

static size_t where; /* of the change */

static u32 odd_word(u32 old)
{
	static const u32 words[] = {0,		1, 4,	0xffffffff,
				    0xfffffffc, 8, 32,	0x7fffffff,
				    0x80000000, 3, 256, 4096,
				    9,		2, 0x40};

	switch (below(5)) {
	case 0:
		return words[below(ARRAY_SIZE(words))];
	case 1:
		return old + 4 * (below(9) - 4);
	case 2:
		return old + below(9) - 4;
	case 3:
		return old ^ 1u << below(32);
	default:
		return any();
	}
}

static void change_word(size_t at)
{
	if (at + 4 <= file_size && at % 4 == 0) {
		where = at;
		set_word(at, odd_word(word_at(at)));
	}
}

static void flip_bits(size_t at, size_t size)
{
	if (!size || at + size > file_size)
		return;
	where = at + below(size);
	if (below(4))
		file[where] ^= 1u << below(8);
	else
		file[where] = (u8)any();
}

static void flip_anywhere(void)
{
	flip_bits(0, file_size);
}

static void change_header(void)
{
	change_word(4 * below(10));
}

static void change_struct(void)
{
	if (nr_tags)
		change_word(fdt_off_dt_struct(file) +
			    4 * below(fdt_size_dt_struct(file) / 4));
}

static void change_strings(void)
{
	if (nr_tags)
		flip_bits(fdt_off_dt_strings(file), fdt_size_dt_strings(file));
}

static void change_reserved(void)
{
	if (nr_tags)
		flip_bits(40, fdt_off_dt_struct(file) - 40);
}

/* Nothing but the signature can tell: what is signed, and its value. */
static void change_signed(void)
{
	for (unsigned int i = 0; i < 64; i++) {
		static const char *const names[] = {
			"description",	   "timestamp",	     "load", "entry",
			"skerry,bootargs", "skerry,version", "os",   "value"};
		const struct tag *t = any_tag(FDT_PROP);
		const char *name = t ? prop_name(t) : "";

		if (!t || (!is_signed(t->path) && strcmp(name, "value")))
			continue;
		for (unsigned int j = 0; j < ARRAY_SIZE(names); j++)
			if (!strcmp(name, names[j]) && word_at(t->at + 4)) {
				flip_bits(t->at + 12, word_at(t->at + 4));
				/* Text has to remain text. */
				if (j != 1 && j < 5)
					file[where] &= 0x7f;
				return;
			}
	}
}

static void change_value(void)
{
	const struct tag *t = any_tag(FDT_PROP);

	if (t)
		flip_bits(t->at + 12, t->end - t->at - 12);
}

static void change_prop_head(void)
{
	const struct tag *t = any_tag(FDT_PROP);

	if (t)
		change_word(t->at + 4 + 4 * below(2));
}

/* The name of any other property. */
static void change_prop_name(void)
{
	const struct tag *t = any_tag(FDT_PROP), *u = any_tag(FDT_PROP);

	if (t && u) {
		where = t->at;
		set_word(t->at + 8, word_at(u->at + 8));
	}
}

static void delete_prop(void)
{
	const struct tag *t = any_tag(FDT_PROP);

	if (t) {
		where = t->at;
		splice(t->at, t->end - t->at, NULL, 0);
	}
}

/* Of any length: nothing, unterminated text, much. */
static void resize_prop(void)
{
	const struct tag *t = any_tag(FDT_PROP);
	u8 value[256];
	size_t len;

	if (!t || t->end - t->at - 12 > sizeof(value))
		return;
	memset(value, 'a', sizeof(value));
	memcpy(value, file + t->at + 12, t->end - t->at - 12);
	len = below(8) ? min((size_t)word_at(t->at + 4) + below(5) - 2,
			     sizeof(value))
		       : below(sizeof(value));
	where = t->at;
	put_prop(t->at, t->end - t->at, word_at(t->at + 8), value, len);
}

/* Before another tag; with or without the original removed. */
static void move_piece(const struct tag *t, size_t end)
{
	static u8 buf[8 * KIB];
	size_t size = end - t->at, to;

	if (!end || size > sizeof(buf))
		return;
	to = tags[below(nr_tags)].at;
	memcpy(buf, file + t->at, size);
	where = to;
	if (below(2) && (to <= t->at || to >= end)) {
		splice(t->at, size, NULL, 0);
		if (to > t->at)
			to -= size;
	}
	splice(to, 0, buf, size);
}

static void move_prop(void)
{
	const struct tag *t = any_tag(FDT_PROP);

	if (t)
		move_piece(t, t->end);
}

static void move_node(void)
{
	const struct tag *t = any_tag(FDT_BEGIN_NODE);

	if (t)
		move_piece(t, tag_node_end(t));
}

static void delete_node(void)
{
	const struct tag *t = any_tag(FDT_BEGIN_NODE);
	size_t end = t ? tag_node_end(t) : 0;

	if (end) {
		where = t->at;
		splice(t->at, end - t->at, NULL, 0);
	}
}

static void change_node_name(void)
{
	const struct tag *t = any_tag(FDT_BEGIN_NODE);
	const struct tag *u = any_tag(FDT_BEGIN_NODE);
	u8 name[256];

	if (!t || !u)
		return;
	where = t->at;
	if (below(2) || u->end - u->at > sizeof(name)) {
		flip_bits(t->at + 4, t->end - t->at - 4);
	} else {
		memcpy(name, file + u->at, u->end - u->at);
		splice(t->at, t->end - t->at, name, u->end - u->at);
	}
}

static void add_nops(void)
{
	u32 nop = cpu_to_fdt32(FDT_NOP);

	if (!nr_tags)
		return;
	where = tags[below(nr_tags)].at;
	for (u32 n = 1 + below(3); n; n--)
		splice(where, 0, &nop, 4);
}

static void change_data(void)
{
	static const char *const names[] = {"data-offset", "data-size",
					    "data-position", "data"};

	for (unsigned int i = 0; i < 64; i++) {
		const struct tag *t = any_tag(FDT_PROP);
		const char *name = t ? prop_name(t) : "";

		for (unsigned int j = 0; j < ARRAY_SIZE(names); j++)
			if (!strcmp(name, names[j])) {
				if (below(4))
					change_word(t->at + 12);
				else
					set_word(t->at + 8,
						 string_at(names[below(4)]));
				where = t->at;
				return;
			}
	}
}

/* A value, or any piece, of another FIT. */
static void splice_other(void)
{
	const struct base *other = &bases[below(ARRAY_SIZE(bases))];
	size_t at, size;

	if (below(2)) {
		at = 4 * below(min(file_size, other->size) / 4);
		size = below(4 * KIB);
		size = min(size, min(file_size, other->size) - at);
		where = at;
		memcpy(file + at, other->data + at, size);
		return;
	}
	for (unsigned int i = 0; i < 16; i++) {
		const struct tag *t = any_tag(FDT_PROP), *u;

		u = t ? find_prop(t->path, prop_name(t)) : NULL;
		if (!t || word_at(t->at + 4) < 20 || u != t)
			continue;
		/* The same one of the other file, if it is where this is. */
		if (t->end <= other->size) {
			where = t->at;
			memcpy(file + t->at + 12, other->data + t->at + 12,
			       t->end - t->at - 12);
		}
		return;
	}
}

static void change_size(void)
{
	where = file_size;
	if (below(2))
		file_size -= below(min(file_size, (size_t)64));
	else
		file_size += below(64);
}

/* (r, n - s), which is as good a signature. */
static void negate_s(void)
{
	static const u8 n[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00,
				 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
				 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2,
				 0xfc, 0x63, 0x25, 0x51};
	const struct tag *t = find_prop("/configurations/conf-1/signature-1",
					"value");
	int borrow = 0;

	if (!t || word_at(t->at + 4) != 64)
		return;
	where = t->at;
	for (unsigned int i = 32; i--;) {
		int digit = n[i] - file[t->at + 44 + i] - borrow;

		file[t->at + 44 + i] = (u8)digit;
		borrow = digit < 0;
	}
}

static const struct {
	void (*fn)(void);
	unsigned int weight;
} ops[] = {
	{flip_anywhere, 10}, {change_header, 4},    {change_struct, 6},
	{change_strings, 3}, {change_reserved, 1},  {change_signed, 40},
	{change_value, 6},   {change_prop_head, 4}, {change_prop_name, 4},
	{delete_prop, 3},    {resize_prop, 3},	    {move_prop, 5},
	{move_node, 5},	     {delete_node, 2},	    {change_node_name, 3},
	{add_nops, 2},	     {change_data, 6},	    {splice_other, 5},
	{change_size, 3},    {negate_s, 1},
};

/* --- */

static struct class
{
	char name[96];
	unsigned long nr;
} classes[MAX_CLASS];

static void count(const char *name)
{
	struct class *c = classes;

	while (c->nr && strcmp(c->name, name) && c < classes + MAX_CLASS - 1)
		c++;
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->nr++;
}

static void load_bases(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(bases); i++) {
		struct base *b = &bases[i];

		fit_load(b->name);
		b->size = file_size;
		b->data = malloc(b->size);
		memcpy(b->data, file, b->size);
		for (unsigned int j = 0; j < 2; j++) {
			struct verify_ring r = ring;

			/* The other signature, or once more the only one. */
			if (j && b->nr_configs == 1 &&
			    !strncmp(b->name, "both", 4))
				r.revoked |= BIT(1);
			judge(&b->good[j], file, file_size,
			      configs[j % b->nr_configs], 0, &r);
			if (b->good[j].text[0]) {
				printf("%s: %s\n", b->name, b->good[j].text);
				exit(1);
			}
		}
	}
}

static void choose_base(void)
{
	unsigned int sum = 0, n;

	for (unsigned int i = 0; i < ARRAY_SIZE(bases); i++)
		sum += bases[i].weight;
	n = below(sum);
	for (base = bases; n >= base->weight; base++)
		n -= base->weight;
	memset(file, 0, min(sizeof(file), 4 * base->size + 64 * KIB));
	memcpy(file, base->data, base->size);
	file_size = base->size;
	config = configs[below(base->nr_configs)];
}

/* How many changes there were. */
static unsigned int mutate(void)
{
	unsigned int sum = 0, n, done = 0, nr = below(4) ? 1 : 2 + below(2);

	for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++)
		sum += ops[i].weight;
	for (; nr; nr--) {
		unsigned int i = 0;

		for (n = below(sum); n >= ops[i].weight; i++)
			n -= ops[i].weight;
		find_tags();
		where = ~0UL;
		ops[i].fn();
		done += where != ~0UL;
	}
	return done;
}

static size_t first_difference(const u8 *a, const u8 *b, size_t from, size_t to)
{
	while (from < to && a[from] == b[from])
		from++;
	return from;
}

/* Where an accepted mutant differs from its base, by the base's parts. */
static const char *class_of_mutant(unsigned int nr)
{
	static u8 mutant[FILE_ROOM];
	size_t size = file_size, end = min(size, base->size), at;

	memcpy(mutant, file, size);
	memcpy(file, base->data, base->size);
	file_size = base->size;
	find_tags();
	at = first_difference(mutant, file, 40, end);
	if (at == end && size != base->size)
		return "size of the file";
	if (at == end)
		at = first_difference(mutant, file, 0, 40);
	if (at == 40)
		return "nothing changed";
	return nr > 1 ? "several places" : class_of(at);
}

/* The guest that has been signed, if there is one of this digest. */
static bool is_known(const struct verdict *v)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(bases); i++)
		for (unsigned int j = 0; j < 2; j++)
			if (same_guest(v, &bases[i].good[j]))
				return true;
	return false;
}

static void save(unsigned long nr)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), FITS "mutant-%lu.itb", nr);
	f = fopen(path, "wb");
	if (f) {
		fwrite(file, 1, file_size, f);
		fclose(f);
		printf("    is in %s\n", path);
	}
}

int main(int argc, char **argv)
{
	unsigned long nr = argc > 1 ? strtoul(argv[1], NULL, 0) : 100000;
	unsigned long seed = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
	unsigned long first = argc > 3 ? strtoul(argv[3], NULL, 0) : 0;
	unsigned long deep = 0, accepted = 0, bad = 0, hashes = 0;
	static struct verdict v;

	printf("seed %lu\n", seed);
	load_bases();
	for (unsigned long i = first; i < first + nr; i++) {
		unsigned int changes;

		state = seed << 40 ^ i;
		choose_base();
		changes = mutate();
		reached = false;
		judge(&v, file, file_size, config, 0, &ring);
		deep += reached;
		if (!strncmp(v.text, "a refusal", 9)) {
			printf("mutant %lu of %s: %s\n", i, base->name, v.text);
			save(i);
			bad++;
		}
		hashes += !v.err && v.text[0];
		if (v.text[0])
			continue;
		accepted++;
		if (!is_known(&v)) {
			printf("mutant %lu of %s: accepted, and another guest\n",
			       i, base->name);
			save(i);
			bad++;
		}
		count(class_of_mutant(changes));
	}
	for (struct class *c = classes; c < classes + MAX_CLASS && c->nr; c++)
		printf("%9lu accepted unchanged: %s\n", c->nr, c->name);
	printf("%9lu with a good signature, refused for the hash of a part\n",
	       hashes);
	printf("%lu mutants, %lu %% reached signature arithmetic, %lu accepted unchanged, %lu wrong\n",
	       nr, nr ? 100 * deep / nr : 0, accepted, bad);
	return bad || (nr >= 1000 && 100 * deep < 20 * nr);
}
