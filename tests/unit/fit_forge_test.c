/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forged FITs: each begins as one that is accepted, is changed in a way that
 * has a name, and must be refused for the reason that belongs to it; or be
 * accepted as exactly the same guest, where what has changed means nothing.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "fithost.h"

#include <cmocka.h>

static const struct verify_key keys[] = {
#include "keys.h"
};
static const struct verify_ring ring = {keys, ARRAY_SIZE(keys),
					BIT(ARRAY_SIZE(keys) - 1)};

enum op {
	DONE,
	SET,	  /* a property's value; a new one is the node's first */
	DOUBLE,	  /* another property of that name, before the first */
	DELETE,	  /* a property */
	FLIP,	  /* the lowest bit of a value's byte `num` */
	NAME,	  /* a property's name becomes `val`, appended to the strings */
	SHIFT,	  /* a property's name begins `num` bytes later */
	NOPS,	  /* `num` NOPs before a property, or before the first one */
	LAST,	  /* a property behind all others */
	LEAD,	  /* copied to the tree's begin, before the root */
	ADD_NODE, /* `name`, the node's first child */
	END_NODE, /* `name`, the node's last child */
	DEL_NODE, /* the node */
	RENAME,	  /* the node, to `name` */
	COPY,	  /* the node: `name`, the child of `val`; before the others */
	WORD,	  /* of the file, at `len`, becomes `num` */
	MOVE,	  /* of the file, at `len`: `num` is added */
	BYTE,	  /* of the file, at `len` from the strings' end, flipped */
	SKEW,	  /* what is behind the reserved memory: `num` bytes later */
	CUT,	  /* `num` bytes of the end */
	GROW,	  /* `num` bytes more */
	MANY,	  /* `num` properties */
	CLAIM_ALL, /* the node says that all strings are signed */
	STRINGS,   /* `num` bytes more in the block of strings */
	DEPTH,	   /* `num` nodes in one another */
};

struct step {
	enum op op;
	const char *node, *name;
	const void *val;
	size_t len;
	u32 num;
};

struct forgery {
	const char *name;
	const char *base; /* NULL: two-in */
	struct step steps[6];
	const char *refusal; /* NULL: accepted, as the base is */
	u32 min;
	const char *config; /* NULL: conf-1 */
};

#define ROOT   "/"
#define CONFS  "/configurations"
#define CONF   "/configurations/conf-1"
#define CONF2  "/configurations/conf-2"
#define SIG    "/configurations/conf-1/signature-1"
#define SIG2   "/configurations/conf-2/signature-1"
#define IMAGES "/images"
#define KERNEL "/images/kernel-1"
#define INITRD "/images/ramdisk-1"
#define DTB    "/images/fdt-1"
#define HASH   "/images/kernel-1/hash-1"

#define BYTES(s) (s), sizeof(s) - 1
#define TEXT(s)	 (s), sizeof(s)
#define CELL(n)                                                                \
	(const u8[]){(n) >> 24, (n) >> 16 & 255, (n) >> 8 & 255, (n)&255}, 4
#define HDR(field) NULL, NULL, NULL, offsetof(struct fdt_header, field)

static const char NOT_KEY[] = SIG ": not a signature of key \"rsa2048\"";
static const char DAMAGED[] = "/: damaged: not a well-formed device tree";
static const char CLAIM[] = SIG
	": hashed-nodes: has a node that does not belong there";
static const char ONE_DATA[] = KERNEL
	": must have one of data, data-offset and data-position";
static const char CELLS[] = KERNEL
	": data-offset, data-position and data-size must be one cell";
static const char INSIDE[] = KERNEL
	": its data begins inside the tree, or unaligned";
static const char KERNEL_HASH[] =
	"kernel: its data does not have the signed hash";
static const char NAME_UNSIGNED[] =
	"/: the name of a signed property is not signed";
static const char ONE_HASH[] = KERNEL ": must have one node, its hash";
static const char BAD_STRINGS[] = SIG ": hashed-strings: outside the strings";
#define BAD_NAME ": a node's name has '@' or what cannot be printed"
static const char BAD_ARGS[] = CONF
	": skerry,bootargs: must be one string of at most 1023 characters";
static const char BAD_SIGS[] = CONF ": its nodes must be at most 4 signatures";

#define NODES                                                                  \
	"/\0/configurations/conf-1\0/images/kernel-1\0/images/kernel-1/hash-1\0"

static const struct forgery forgeries[] = {
#include "forgeries.h"
};

static void do_prop(const struct step *s)
{
	size_t node = node_at(s->node), at = prop_at(node, s->name), first;
	u32 len = at ? word_at(at + 4) : 0;

	first = at ?: props_at(node);
	if (!at && s->op != SET && s->op != LAST && s->op != NOPS &&
	    s->op != DOUBLE)
		fail_msg("no %s in %s", s->name, s->node);
	if (s->op == SET)
		put_prop(first, at ? prop_size(at) : 0, string_at(s->name),
			 s->val, s->len);
	else if (s->op == DOUBLE)
		put_prop(first, 0, string_at(s->name), s->val, s->len);
	else if (s->op == LAST)
		put_prop(node_end(node) - 4, 0, string_at(s->name), s->val,
			 s->len);
	else if (s->op == DELETE)
		splice(at, prop_size(at), NULL, 0);
	else if (s->op == LEAD)
		put_prop(word_at(H(off_dt_struct)), 0, word_at(at + 8), "x", 2);
	else if (s->op == NAME)
		set_word(at + 8, add_string(s->val));
	else if (s->op == SHIFT)
		move_word(at + 8, s->num);
	else if (s->num < len)
		file[at + 12 + s->num] ^= 1;
	else
		fail_msg("%s has %u bytes", s->name, len);
}

static void do_nops(const struct step *s)
{
	size_t node = node_at(s->node);
	size_t at = s->name ? prop_at(node, s->name) : props_at(node);
	u32 nop = cpu_to_fdt32(FDT_NOP);

	for (u32 i = 0; i < s->num; i++)
		splice(at, 0, &nop, 4);
}

static void add_node(size_t at, const char *name)
{
	u8 buf[256] = {0, 0, 0, FDT_BEGIN_NODE};
	size_t size = 4 + align_up(strlen(name) + 1, 4);

	memcpy(buf + 4, name, strlen(name));
	buf[size + 3] = FDT_END_NODE;
	splice(at, 0, buf, size + 4);
}

static void do_node(const struct step *s)
{
	size_t node = node_at(s->node);

	if (s->op == ADD_NODE)
		add_node(props_end(node), s->name);
	else if (s->op == END_NODE)
		add_node(node_end(node) - 4, s->name);
	else if (s->op == DEL_NODE)
		splice(node, node_end(node) - node, NULL, 0);
	else if (s->op == RENAME)
		rename_node(node, s->name);
	else if (s->op == DEPTH)
		for (u32 i = 0; i < s->num; i++)
			add_node(node = props_end(node), s->name);
	else {
		size_t to = props_end(node_at(s->val)), from = node;

		assert_true(copy_node(from, to));
		rename_node(to, s->name);
	}
}

static void skew(u32 by)
{
	size_t at = word_at(H(off_dt_struct));

	memmove(file + at + by, file + at, file_size - at);
	file_size += by;
	move_word(H(off_dt_struct), by);
	move_word(H(off_dt_strings), by);
	move_word(H(totalsize), by);
}

static void do_file(const struct step *s)
{
	static const u8 zero[64 * KIB];
	size_t end = word_at(H(off_dt_strings)) + word_at(H(size_dt_strings));

	if (s->op == WORD)
		set_word(s->len, s->num);
	else if (s->op == CLAIM_ALL)
		set_word(prop_at(node_at(s->node), "hashed-strings") + 16,
			 word_at(H(size_dt_strings)));
	else if (s->op == MOVE)
		move_word(s->len, s->num);
	else if (s->op == BYTE)
		file[end - s->len] ^= 1;
	else if (s->op == SKEW)
		skew(s->num);
	else if (s->op == CUT)
		file_size -= s->num;
	else if (s->op == GROW)
		file_size += s->num;
	else
		splice(end, 0, zero, s->num);
}

static void do_many(const struct step *s)
{
	for (u32 i = 0; i < s->num; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%u", i);
		put_prop(props_at(node_at(s->node)), 0, add_string(name), "", 0);
	}
}

/* Whether the FIT is malformed or nobody's: told by what is complained of. */
static int error_of(const char *text)
{
	static const char *const nobodys[] = {SIG,
					      SIG2,
					      NAME_UNSIGNED,
					      CONF ": not signed",
					      CONF ": skerry,version: 5 is",
					      CONF ": skerry,version: 0 is",
					      CONF "/signature-0123"};

	if (!text[0])
		return 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(nobodys); i++)
		if (!strncmp(text, nobodys[i], strlen(nobodys[i])))
			return -EACCES;
	return strstr(text, "does not have the signed hash") ? 0 : -EINVAL;
}

static void forge(const struct forgery *f)
{
	for (const struct step *s = f->steps; s->op != DONE; s++)
		if (s->op <= LEAD && s->op != NOPS)
			do_prop(s);
		else if (s->op == NOPS)
			do_nops(s);
		else if (s->op == MANY)
			do_many(s);
		else if (s->op <= COPY || s->op == DEPTH)
			do_node(s);
		else
			do_file(s);
}

static bool is_text(const char *text, const char *wanted)
{
	size_t len = strlen(wanted) - 1;

	return wanted[len] == '*' ? !strncmp(text, wanted, len)
				  : !strcmp(text, wanted);
}

static void test_forgeries(void **state)
{
	const char *only = getenv("FORGERY");
	unsigned int bad = 0, accepted = 0;
	struct verdict good, v;

	for (unsigned int i = 0; i < ARRAY_SIZE(forgeries); i++) {
		const struct forgery *f = &forgeries[i];
		const char *config = f->config ?: "conf-1";
		bool expected;

		for (unsigned int j = 0; j < i; j++)
			if (!strcmp(f->name, forgeries[j].name))
				fail_msg("two cases %s", f->name);
		if (only && strcmp(only, f->name))
			continue;
		fit_load(f->base ?: "two-in");
		judge(&good, file, file_size, config, 0, &ring);
		if (good.text[0])
			fail_msg("%s: before: %s", f->name, good.text);
		forge(f);
		judge(&v, file, file_size, config, f->min, &ring);
		expected = f->refusal ? is_text(v.text, f->refusal)
				      : same_guest(&v, &good);
		accepted += !f->refusal;
		if (!expected || v.err != error_of(v.text)) {
			printf("%s:\n\t%s (%d)\n\t%s wanted\n", f->name,
			       v.text[0] ? v.text : "accepted", v.err,
			       f->refusal ?: "accepted");
			bad++;
		}
	}
	printf("%zu forged FITs, %u of them the same guest\n",
	       ARRAY_SIZE(forgeries), accepted);
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forgeries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
