/* SPDX-License-Identifier: Apache-2.0 */
/*
 * printf for guests and the TAP lines of the tests. A call is formatted on
 * the stack and written in one piece, so lines of several CPUs do not mix;
 * what does not fit its buffer is cut.
 */
#include <string.h>

#include "guest.h"

struct out {
	char buf[320];
	size_t len;
};

static unsigned int tests, failures;

static void put(struct out *o, char c)
{
	if (o->len < sizeof(o->buf))
		o->buf[o->len++] = c;
}

static void put_num(struct out *o, u64 v, unsigned int base, int width,
		    char pad, bool minus)
{
	char d[24];
	int n = 0;

	do {
		d[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	if (minus)
		d[n++] = '-';
	while (width-- > n)
		put(o, pad);
	while (n)
		put(o, d[--n]);
}

/* One conversion; returns the format behind it. */
static const char *convert(struct out *o, const char *f, va_list *ap)
{
	char pad = ' ';
	int width = 0;
	bool wide = false;
	s64 d;

	if (*f == '0')
		pad = *f++;
	for (; *f >= '0' && *f <= '9'; f++)
		width = width * 10 + *f - '0';
	for (; *f == 'l' || *f == 'z'; f++)
		wide = true;
	switch (*f) {
	case 's':
		for (const char *s = va_arg(*ap, const char *); *s; s++, width--)
			put(o, *s);
		while (width-- > 0)
			put(o, ' ');
		break;
	case 'c':
		put(o, (char)va_arg(*ap, int));
		break;
	case 'd':
		d = wide ? va_arg(*ap, s64) : va_arg(*ap, int);
		put_num(o, d < 0 ? -(u64)d : (u64)d, 10, width, pad, d < 0);
		break;
	case 'u':
	case 'x':
		put_num(o, wide ? va_arg(*ap, u64) : va_arg(*ap, u32),
			*f == 'u' ? 10 : 16, width, pad, false);
		break;
	case 'p':
		put_num(o, va_arg(*ap, u64), 16, width, pad, false);
		break;
	default:
		put(o, *f);
	}
	return f + 1;
}

static void format(struct out *o, const char *f, va_list *ap)
{
	while (*f) {
		if (*f != '%')
			put(o, *f++);
		else
			f = convert(o, f + 1, ap);
	}
}

void vprintf(const char *fmt, va_list ap)
{
	struct out o = {.len = 0};
	va_list copy;

	va_copy(copy, ap);
	format(&o, fmt, &copy);
	va_end(copy);
	put_line(o.buf, o.len);
}

void printf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

void ok(bool good, const char *fmt, ...)
{
	struct out o = {.len = 0};
	va_list ap;

	va_start(ap, fmt);
	format(&o, fmt, &ap);
	va_end(ap);
	put(&o, '\0');
	o.buf[sizeof(o.buf) - 1] = '\0';
	failures += !good;
	printf("%sok %u - %s\n", good ? "" : "not ", ++tests, o.buf);
}

void skip(const char *what, const char *why)
{
	printf("ok %u - %s # SKIP %s\n", ++tests, what, why);
}

unsigned int tap_failed(void)
{
	return failures;
}

void tap_plan(void)
{
	printf("1..%u\n", tests);
}
