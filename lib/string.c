/* SPDX-License-Identifier: Apache-2.0 */
/*
 * String functions for EL2 and libfdt. Large aligned blocks move 16 bytes at a
 * time, and copies 8 where both ends agree modulo 4 only (data in a FIT is
 * 4-byte aligned); no SIMD, no unaligned accesses.
 */
#include <skerry/string.h>

#include <skerry/util.h>

typedef u64 __attribute__((may_alias)) word_t;
typedef u32 __attribute__((may_alias)) half_t;

/* To a word's address from half of one's; how much was copied. */
static size_t copy_halves(u8 *d, const u8 *s, size_t n)
{
	size_t i = 0;

	for (; i + 16 <= n; i += 16) {
		const half_t *from = (const half_t *)(s + i);
		word_t a = from[0] | (u64)from[1] << 32;
		word_t b = from[2] | (u64)from[3] << 32;

		*(word_t *)(d + i) = a;
		*(word_t *)(d + i + 8) = b;
	}
	return i;
}

void *memcpy(void *dst, const void *src, size_t n)
{
	u8 *d = dst;
	const u8 *s = src;

	if (is_aligned((u64)d | (u64)s, sizeof(word_t))) {
		for (; n >= 32; n -= 32, d += 32, s += 32) {
			word_t a = ((const word_t *)s)[0];
			word_t b = ((const word_t *)s)[1];
			word_t c = ((const word_t *)s)[2];
			word_t e = ((const word_t *)s)[3];

			((word_t *)d)[0] = a;
			((word_t *)d)[1] = b;
			((word_t *)d)[2] = c;
			((word_t *)d)[3] = e;
		}
	} else if (n >= 32 && is_aligned((u64)d | (u64)s, sizeof(half_t))) {
		size_t done;

		for (; !is_aligned((u64)d, sizeof(word_t)); n--)
			*d++ = *s++;
		done = copy_halves(d, s, n);
		d += done;
		s += done;
		n -= done;
	}
	while (n--)
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
		word_t w = 0x0101010101010101UL * (u8)c;

		for (; n >= 64; n -= 64, d += 64)
			for (unsigned int i = 0; i < 8; i++)
				((word_t *)d)[i] = w;
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

	for (; n; n--, p++)
		if (*p == (u8)c)
			return (void *)(uintptr_t)p;
	return NULL;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
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
