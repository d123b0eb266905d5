/* SPDX-License-Identifier: Apache-2.0 */
/*
 * String functions for EL2 and libfdt. Large aligned blocks move 16 bytes at a
 * time, and copies 8 where the ends do not agree (data in a FIT is 4-byte
 * aligned); no SIMD, no unaligned accesses.
 */
#include <skerry/string.h>

#include <skerry/util.h>

typedef u64 __attribute__((may_alias)) word_t;
typedef u32 __attribute__((may_alias)) half_t;

#define ONES 0x0101010101010101UL

/* Not 0 if a byte of w is; its lowest bit is in the first one that is. */
static u64 zero_bytes(u64 w)
{
	return (w - ONES) & ~w & ONES << 7;
}

/*
 * To a word's address from none; how much was copied. The first word read
 * begins in front of s, but in its page; none goes on behind.
 */
static size_t copy_shifted(u8 *d, const u8 *s, size_t n)
{
	unsigned int shift = 8 * ((u64)s & 7);
	const word_t *from = (const word_t *)align_down((u64)s, 8);
	u64 low = *from++ >> shift;
	size_t i = 0;

	for (; i + 24 <= n; i += 16) {
		u64 a = *from++, b = *from++;

		*(word_t *)(d + i) = low | a << (64 - shift);
		*(word_t *)(d + i + 8) = a >> shift | b << (64 - shift);
		low = b >> shift;
	}
	if (i + 16 <= n) {
		u64 high = *from++;

		*(word_t *)(d + i) = low | high << (64 - shift);
		i += 8;
	}
	return i;
}

/* Words from one's address to one's; how much was copied. */
static size_t copy_words(u8 *d, const u8 *s, size_t n)
{
	const u8 *start = d;

	for (; n >= 32; n -= 32, d += 32, s += 32) {
		word_t *to = (word_t *)d;
		const word_t *from = (const word_t *)s;
		u64 a = from[0], b = from[1], c = from[2], e = from[3];

		to[0] = a;
		to[1] = b;
		to[2] = c;
		to[3] = e;
	}
	for (; n >= 8; n -= 8, d += 8, s += 8)
		*(word_t *)d = *(const word_t *)s;
	return (size_t)(d - start);
}

void *memcpy(void *dst, const void *src, size_t n)
{
	u8 *d = dst;
	const u8 *s = src;
	size_t done = 0;

	if (n >= 32)
		for (; !is_aligned((u64)d, sizeof(word_t)); n--)
			*d++ = *s++;
	if (is_aligned((u64)d | (u64)s, sizeof(word_t)))
		done = copy_words(d, s, n);
	else if (is_aligned((u64)d, sizeof(word_t)) && n >= 24)
		done = copy_shifted(d, s, n);
	for (d += done, s += done, n -= done; n--;)
		*d++ = *s++;
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	u8 *d = dst;
	const u8 *s = src;

	if (d <= s || d >= s + n)
		return memcpy(dst, src, n);
	/* From the end. Words where the ends agree: no piece is needed again. */
	if (is_aligned((u64)d ^ (u64)s, sizeof(half_t))) {
		for (; n && !is_aligned((u64)(d + n), sizeof(half_t)); n--)
			d[n - 1] = s[n - 1];
		for (; n >= sizeof(half_t); n -= sizeof(half_t))
			*(half_t *)(d + n - sizeof(half_t)) = *(
				const half_t *)(s + n - sizeof(half_t));
	}
	while (n--)
		d[n] = s[n];
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	u8 *d = dst;

	if (is_aligned((u64)d, sizeof(word_t))) {
		word_t w = ONES * (u8)c;

		/* By hand: -O2 keeps a loop. Two words a store, seven in all. */
		for (; n >= 64; n -= 64, d += 64) {
			word_t *to = (word_t *)d;

			to[0] = w;
			to[1] = w;
			to[2] = w;
			to[3] = w;
			to[4] = w;
			to[5] = w;
			to[6] = w;
			to[7] = w;
		}
		for (; n >= 8; n -= 8, d += 8)
			*(word_t *)d = w;
	}
	while (n--)
		*d++ = (u8)c;
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *p = a, *q = b;

	for (; n; n--, p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	const u8 *p = s;

	for (; n; n--, p++) {
		if (is_aligned((u64)p, sizeof(word_t)))
			for (; n >= 8; n -= 8, p += 8)
				if (zero_bytes(*(const word_t *)p ^ ONES * (u8)c))
					break;
		if (!n)
			break;
		if (*p == (u8)c)
			return (void *)(uintptr_t)p;
	}
	return NULL;
}

/* Its last word may go on behind the text, but not into another page. */
__attribute__((no_sanitize("address"))) size_t strlen(const char *s)
{
	const char *p = s;
	u64 zero;

	for (; !is_aligned((u64)p, sizeof(word_t)); p++)
		if (!*p)
			return (size_t)(p - s);
	while (!(zero = zero_bytes(*(const word_t *)p)))
		p += sizeof(word_t);
	return (size_t)(p - s) + (size_t)__builtin_ctzl(zero) / 8;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n && *a && *a == *b; n--, a++, b++)
		;
	return n ? (u8)*a - (u8)*b : 0;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (!*s)
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	for (;; s++) {
		if (*s == (char)c)
			last = s;
		if (!*s)
			return (char *)(uintptr_t)last;
	}
}
