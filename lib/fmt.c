/* SPDX-License-Identifier: Apache-2.0 */
/* Formatted text for the log; see fmt.h for what is understood. */
#include <skerry/fmt.h>

#include <skerry/string.h>

struct out {
	char *buf;
	size_t size, len;
};

struct spec {
	bool left, zero, alt;
	unsigned int width;
	int precision; /* -1: none */
	unsigned int longs;
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void pad(struct out *o, char c, unsigned int used, unsigned int width)
{
	for (; used < width; used++)
		put(o, c);
}

/* `prefix` is that of a number, which zeros may stand behind; else NULL. */
static void put_text(struct out *o, const struct spec *sp, const char *prefix,
		     const char *s, unsigned int n)
{
	unsigned int used = n + (prefix ? (unsigned int)strlen(prefix) : 0);
	bool zero = prefix && sp->zero;

	if (!sp->left && !zero)
		pad(o, ' ', used, sp->width);
	while (prefix && *prefix)
		put(o, *prefix++);
	if (!sp->left && zero)
		pad(o, '0', used, sp->width);
	for (unsigned int i = 0; i < n; i++)
		put(o, s[i]);
	if (sp->left)
		pad(o, ' ', used, sp->width);
}

static void put_str(struct out *o, const struct spec *sp, const char *s)
{
	if (!s)
		s = "(null)";
	put_text(o, sp, NULL, s,
		 (unsigned int)(sp->precision < 0
					? strlen(s)
					: strnlen(s, (size_t)sp->precision)));
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

static const char *parse(const char *f, struct spec *sp, va_list *ap)
{
	*sp = (struct spec){.precision = -1};
	for (;; f++) {
		if (*f == '-')
			sp->left = true;
		else if (*f == '0')
			sp->zero = true;
		else if (*f == '#')
			sp->alt = true;
		else
			break;
	}
	for (; *f >= '0' && *f <= '9'; f++)
		sp->width = min(sp->width * 10 + (unsigned int)(*f - '0'),
				1000U);
	if (*f == '.') {
		f++;
		sp->precision = 0;
		if (*f == '*') {
			sp->precision = va_arg(*ap, int);
			f++;
		}
		for (; *f >= '0' && *f <= '9'; f++)
			sp->precision = min(sp->precision * 10 + (*f - '0'),
					    1000);
	}
	for (; *f == 'l' || *f == 'z'; f++)
		sp->longs++;
	return f;
}

static void convert(struct out *o, char c, const struct spec *sp, va_list *ap)
{
	s64 val;
	char one;

	switch (c) {
	case 'c':
		one = (char)va_arg(*ap, int);
		put_text(o, sp, NULL, &one, 1);
		break;
	case 's':
		put_str(o, sp, va_arg(*ap, const char *));
		break;
	case 'd':
	case 'i':
		val = sp->longs ? va_arg(*ap, long) : va_arg(*ap, int);
		put_num(o, sp, val < 0 ? 0 - (u64)val : (u64)val, 10,
			val < 0 ? "-" : "");
		break;
	case 'u':
	case 'x':
		put_num(o, sp,
			sp->longs ? va_arg(*ap, unsigned long)
				  : va_arg(*ap, unsigned int),
			c == 'x' ? 16 : 10, c == 'x' && sp->alt ? "0x" : "");
		break;
	case 'p':
		put_num(o, sp, (u64)va_arg(*ap, void *), 16, "0x");
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
		struct spec sp;

		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		f = parse(f + 1, &sp, &ap);
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
	va_list ap;
	int n;

	va_start(ap, f);
	n = fmt_vsnprintf(buf, size, f, ap);
	va_end(ap);
	return n;
}
