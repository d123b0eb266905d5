/* SPDX-License-Identifier: Apache-2.0 */
/* Formatted text for the log; see fmt.h for what is understood. */
#include <skerry/fmt.h>

#include <skerry/string.h>

struct out {
	char *buf;
	size_t size, len;
};

struct spec {
	bool left, zero, alt, wide;
	unsigned int width;
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void put_all(struct out *o, const char *s, size_t n)
{
	if (o->len + 1 < o->size)
		memcpy(o->buf + o->len, s, min(n, o->size - o->len - 1));
	o->len += n;
}

static void pad(struct out *o, char c, size_t used, size_t width)
{
	for (; used < width; used++)
		put(o, c);
}

/* Zeros stand behind the prefix, which only numbers have. */
static void put_text(struct out *o, const struct spec *sp, const char *prefix,
		     const char *s, size_t n)
{
	size_t used = strlen(prefix) + n;

	if (!sp->left && !sp->zero)
		pad(o, ' ', used, sp->width);
	while (*prefix)
		put(o, *prefix++);
	if (!sp->left && sp->zero)
		pad(o, '0', used, sp->width);
	put_all(o, s, n);
	if (sp->left)
		pad(o, ' ', used, sp->width);
}

static void put_num(struct out *o, const struct spec *sp, u64 val,
		    unsigned int base, const char *prefix)
{
	char digits[24];
	unsigned int at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[val % base];
		val /= base;
	} while (val);
	put_text(o, sp, prefix, digits + at, sizeof(digits) - at);
}

static const char *parse(const char *f, struct spec *sp)
{
	*sp = (struct spec){0};
	for (; *f == '-' || *f == '0' || *f == '#'; f++) {
		sp->left |= *f == '-';
		sp->zero |= *f == '0';
		sp->alt |= *f == '#';
	}
	for (; *f >= '0' && *f <= '9'; f++)
		sp->width = min(sp->width * 10 + (unsigned int)(*f - '0'),
				1000U);
	for (; *f == 'l' || *f == 'z'; f++)
		sp->wide = true;
	return f;
}

static void convert(struct out *o, char c, const struct spec *sp, va_list *ap)
{
	const char *s;
	s64 val;
	char one;

	switch (c) {
	case 'c':
		one = (char)va_arg(*ap, int);
		put_text(o, sp, "", &one, 1);
		break;
	case 's':
		s = va_arg(*ap, const char *) ?: "(null)";
		put_text(o, sp, "", s, strlen(s));
		break;
	case 'd':
		val = sp->wide ? va_arg(*ap, long) : va_arg(*ap, int);
		put_num(o, sp, val < 0 ? 0 - (u64)val : (u64)val, 10,
			val < 0 ? "-" : "");
		break;
	case 'u':
	case 'x':
		put_num(o, sp,
			sp->wide ? va_arg(*ap, unsigned long)
				 : va_arg(*ap, unsigned int),
			c == 'x' ? 16 : 10, c == 'x' && sp->alt ? "0x" : "");
		break;
	default:
		put(o, c);
	}
}

int fmt_vsnprintf(char *buf, size_t size, const char *f, va_list args)
{
	struct out o = {.buf = buf, .size = size};
	va_list ap;

	va_copy(ap, args);
	for (; *f; f++) {
		const char *text = f;
		struct spec sp;

		while (*f && *f != '%')
			f++;
		put_all(&o, text, (size_t)(f - text));
		if (!*f)
			break;
		f = parse(f + 1, &sp);
		if (!*f)
			break;
		convert(&o, *f, &sp, &ap);
	}
	va_end(ap);
	if (size)
		buf[min(o.len, size - 1)] = 0;
	return (int)o.len;
}

int fmt_snprintf(char *buf, size_t size, const char *f, ...)
{
	return fmt_args(buf, size, f);
}

void fmt_hex(char *buf, const void *data, size_t n)
{
	const u8 *at = data;

	for (; n; n--, at++) {
		*buf++ = "0123456789abcdef"[*at >> 4];
		*buf++ = "0123456789abcdef"[*at & 15];
	}
	*buf = 0;
}
