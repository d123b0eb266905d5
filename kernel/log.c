/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's messages: format one line, keep it in a ring of text, from
 * which the console and the shell's `log` read.
 */
#include <skerry/log.h>

#include <skerry/console.h>
#include <skerry/fmt.h>
#include <skerry/keep.h>
#include <skerry/string.h>
#include <skerry/time.h>

const char *const log_levels[] = {"notice", "error", "warning", "info", "debug"};

static struct {
	char text[LOG_SIZE];
	u32 start, end;
} ring;
static_assert(!(LOG_SIZE & (LOG_SIZE - 1)), "positions wrap");

u32 log_end(void)
{
	return ring.end;
}

/* Oldest lines go until there is room for n characters. */
static void make_room(u32 n)
{
	while (ring.end + n - ring.start > LOG_SIZE)
		while (ring.text[ring.start++ % LOG_SIZE] != '\n')
			;
}

void log_append(enum log_level level, const char *text)
{
	char r[LOG_RECORD];
	u32 n, room;

	fmt_snprintf(r, sizeof(r), "%u%12lu %s", level,
		     time_now() / max(time_freq() / 1000, 1UL), text);
	n = (u32)strlen(r);
	for (char *p = r; (p = memchr(p, '\n', (size_t)(r + n - p)));)
		*p = ' ';
	keep_line(r);
	r[n++] = '\n';
	make_room(n);
	room = min(n, LOG_SIZE - ring.end % LOG_SIZE);
	memcpy(ring.text + ring.end % LOG_SIZE, r, room);
	memcpy(ring.text, r + room, n - room);
	ring.end += n;
}

bool log_read(u32 *pos, char r[LOG_RECORD])
{
	const char *end = NULL;
	size_t n = 0;

	if (*pos - ring.start > ring.end - ring.start)
		*pos = ring.start;
	/* A line is shorter than a record; some are in two parts. */
	while (*pos != ring.end && !end) {
		u32 at = *pos % LOG_SIZE;
		u32 len = min(ring.end - *pos, LOG_SIZE - at);

		end = memchr(ring.text + at, '\n', len);
		if (end)
			len = (u32)(end - ring.text) - at;
		*pos += len + !!end;
		len = min(len, (u32)(LOG_RECORD - 1 - n));
		memcpy(r + n, ring.text + at, len);
		n += len;
	}
	r[n] = 0;
	return n;
}

void log_at(enum log_level level, const char *fmt, ...)
{
	char line[CONSOLE_LINE];

	fmt_args(line, sizeof(line), fmt);
	console_line(level, line);
}

void log_line(const char *fmt, ...)
{
	char line[CONSOLE_LINE];

	fmt_args(line, sizeof(line), fmt);
	console_line(LOG_INFO, line);
}
