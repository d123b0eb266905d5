/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FITs on the host, for tests/unit/fit_*test.c and tests/fuzz/: those that
 * fitgen.py has made, what kernel/fit.c says to them, and ways to change them
 * that keep everything else in its place.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include <skerry/arch/simd.h>
#include <skerry/error.h>
#include <skerry/fit.h>
#include <skerry/util.h>
#include <skerry/work.h>

#define FILE_ROOM (256 * KIB)

static u8 file[FILE_ROOM] __attribute__((aligned(8)));
static size_t file_size;

/* --- what the code under test calls -------------------------------------- */

bool work_preempt(bool on)
{
	return false;
}

void arch_simd_take(void)
{
}

/* --- the judgement ------------------------------------------------------- */

/* What a guest would be: two FITs mean the same when this is the same. */
struct verdict {
	char text[sizeof(((struct fit_error *)0)->text)]; /* "": accepted */
	int err;
	struct fit_guest guest; /* no pointers into the FIT */
	char bootargs[1024];
	u8 parts[3][SHA256_SIZE]; /* digests of the contents */
};

static inline void check_part(struct verdict *v, const u8 *fit, const char *name,
			      const struct fit_part *p, u8 *digest)
{
	struct sha256 s;

	memset(digest, 0, SHA256_SIZE);
	if (!p->size || v->text[0])
		return;
	sha256_init(&s);
	sha256_update(&s, fit + p->offset, p->size);
	sha256_final(&s, digest);
	if (memcmp(digest, p->hash, SHA256_SIZE))
		snprintf(v->text, sizeof(v->text),
			 "%s: its data does not have the signed hash", name);
}

static inline bool is_printable(const char *s, size_t room)
{
	size_t len = strnlen(s, room);

	for (size_t i = 0; i < len; i++)
		if (s[i] < ' ' || s[i] > '~')
			return false;
	return len && len < room;
}

/* Of `size` bytes that end where the sanitizer sees it. */
static inline void judge(struct verdict *v, const void *data, size_t size,
			 const char *config, u32 min_version,
			 const struct verify_ring *ring)
{
	struct fit_guest zero = {0}, *g = &v->guest;
	struct fit_error err = {"no reason given"};
	u8 *copy = malloc(size ?: 1);

	memset(v, 0, sizeof(*v));
	memcpy(copy, data, size);
	v->err = fit_open(copy, size, config, min_version, ring, g, &err);
	if (v->err) {
		memcpy(v->text, err.text, sizeof(v->text));
		if (!is_printable(err.text, sizeof(err.text)))
			strcpy(v->text, "a refusal that must not be printed");
		if (memcmp(g, &zero, sizeof(zero)))
			strcpy(v->text, "a refusal with a result");
	} else {
		check_part(v, copy, "kernel", &g->kernel, v->parts[0]);
		check_part(v, copy, "ramdisk", &g->ramdisk, v->parts[1]);
		check_part(v, copy, "fdt", &g->dtb, v->parts[2]);
		snprintf(v->bootargs, sizeof(v->bootargs), "%s", g->bootargs);
		g->bootargs = NULL;
	}
	free(copy);
}

/* What would be started; where in the file it was does not matter. */
static inline bool same_guest(const struct verdict *a, const struct verdict *b)
{
	const struct fit_guest *g = &a->guest, *h = &b->guest;

	return !a->text[0] && !b->text[0] && g->key == h->key &&
	       g->version == h->version && g->kernel.size == h->kernel.size &&
	       g->ramdisk.size == h->ramdisk.size &&
	       g->dtb.size == h->dtb.size &&
	       !memcmp(g->digest, h->digest, SHA256_SIZE) &&
	       !strcmp(a->bootargs, b->bootargs) &&
	       !memcmp(a->parts, b->parts, sizeof(a->parts));
}

/* --- files --------------------------------------------------------------- */

static inline void fit_load(const char *name)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), FITS "%s.itb", name);
	f = fopen(path, "rb");
	if (!f) {
		perror(path);
		exit(2);
	}
	memset(file, 0, sizeof(file));
	file_size = fread(file, 1, sizeof(file) / 2, f);
	fclose(f);
}

static inline u32 word_at(size_t at)
{
	return fdt32_to_cpu(*(const u32 *)(file + at));
}

static inline void set_word(size_t at, u32 val)
{
	*(u32 *)(file + at) = cpu_to_fdt32(val);
}

/* The header's fields, as offsets in the file. */
#define H(field) offsetof(struct fdt_header, field)

static inline void move_word(size_t at, size_t by)
{
	set_word(at, word_at(at) + (u32)by);
}

/* Replace `old` bytes at `at`; both sizes are whole words. */
static inline void splice(size_t at, size_t old, const void *with, size_t size)
{
	size_t strings = word_at(H(off_dt_strings)), by = size - old;

	if (at > file_size || old > file_size - at ||
	    file_size + by > sizeof(file))
		return;
	memmove(file + at + size, file + at + old, file_size - at - old);
	if (size)
		memcpy(file + at, with, size);
	file_size += by;
	move_word(H(totalsize), by);
	if (at < strings) {
		move_word(H(off_dt_strings), by);
		move_word(H(size_dt_struct), by);
	} else {
		move_word(H(size_dt_strings), by);
	}
}

/* The name's offset in the strings, appended even if there is one already. */
static inline u32 add_string(const char *name)
{
	u8 text[512] = {0};
	size_t end = word_at(H(off_dt_strings)) + word_at(H(size_dt_strings));
	u32 at = word_at(H(size_dt_strings));

	memcpy(text, name, strlen(name));
	splice(end, 0, text, align_up(strlen(name) + 1, 4));
	return at;
}

static inline u32 string_at(const char *name)
{
	const char *s = (char *)file + word_at(H(off_dt_strings));
	u32 end = word_at(H(size_dt_strings)), at = 0;

	while (at < end && strcmp(s + at, name))
		at += (u32)strlen(s + at) + 1;
	return at < end ? at : add_string(name);
}

/* --- nodes and properties, by where they begin in the file --------------- */

static inline size_t node_at(const char *path)
{
	int at = fdt_path_offset(file, path);

	if (at < 0) {
		fprintf(stderr, "no node %s: %s\n", path, fdt_strerror(at));
		exit(2);
	}
	return word_at(H(off_dt_struct)) + (size_t)at;
}

static inline size_t props_at(size_t node)
{
	return node + 4 + align_up(strlen((char *)file + node + 4) + 1, 4);
}

static inline size_t prop_size(size_t prop)
{
	return 12 + align_up(word_at(prop + 4), 4);
}

/* Behind the last property: of the first child, or of the node's end. */
static inline size_t props_end(size_t node)
{
	size_t at = props_at(node);

	while (word_at(at) == FDT_PROP || word_at(at) == FDT_NOP)
		at += word_at(at) == FDT_PROP ? prop_size(at) : 4;
	return at;
}

/* 0 when there is none. */
static inline size_t prop_at(size_t node, const char *name)
{
	const char *s = (char *)file + word_at(H(off_dt_strings));

	for (size_t at = props_at(node), end = props_end(node); at < end;)
		if (word_at(at) == FDT_NOP)
			at += 4;
		else if (!strcmp(s + word_at(at + 8), name))
			return at;
		else
			at += prop_size(at);
	return 0;
}

static inline void put_prop(size_t at, size_t old, u32 name, const void *val,
			    size_t len)
{
	u8 buf[2048] = {0};
	u32 head[] = {cpu_to_fdt32(FDT_PROP), cpu_to_fdt32((u32)len),
		      cpu_to_fdt32(name)};

	memcpy(buf, head, sizeof(head));
	if (len)
		memcpy(buf + sizeof(head), val, len);
	splice(at, old, buf, sizeof(head) + align_up(len, 4));
}

/* Behind the node's end. */
static inline size_t node_end(size_t node)
{
	int depth = 0, at = (int)(node - word_at(H(off_dt_struct))), next;

	do {
		u32 tag = fdt_next_tag(file, at, &next);

		depth += tag == FDT_BEGIN_NODE ? 1
			 : tag == FDT_END_NODE ? -1
					       : 0;
		at = next;
	} while (depth > 0 && next > 0);
	return at > 0 ? word_at(H(off_dt_struct)) + (size_t)at : node;
}

/* A name instead of the one that the node at `node` has. */
static inline void rename_node(size_t node, const char *name)
{
	u8 text[256] = {0};

	memcpy(text, name, strlen(name));
	splice(node + 4, props_at(node) - node - 4, text,
	       align_up(strlen(name) + 1, 4));
}

/* Copies the node at `from` to `to`; false when it is too large. */
static inline bool copy_node(size_t from, size_t to)
{
	static u8 buf[16 * KIB];
	size_t size = node_end(from) - from;

	if (size > sizeof(buf))
		return false;
	memcpy(buf, file + from, size);
	splice(to, 0, buf, size);
	return true;
}
