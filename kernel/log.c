/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's messages: format one line, keep it in a ring of text, from
 * which the console and the shell's `log` read.
 */
#include <skerry/log.h>

#include <skerry/console.h>
#include <skerry/fmt.h>
#include <skerry/keep.h>
#include <skerry/time.h>

const char *const log_levels[] = {"error", "warning", "info", "debug"};

static struct {
	char text[LOG_SIZE];
	u32 start, end;
} ring;
static_assert(!(LOG_SIZE & (LOG_SIZE - 1)), "positions wrap");

u32 log_end(void)
{
	return ring.end;
}

static void put(char c)
{
	if (ring.end - ring.start == LOG_SIZE)
		while (ring.text[ring.start++ % LOG_SIZE] != '\n')
			;
	ring.text[ring.end++ % LOG_SIZE] = c;
}

void log_append(enum log_level level, const char *text)
{
	char r[LOG_RECORD];

	fmt_snprintf(r, sizeof(r), "%u%12lu %s", level,
		     time_now() / max(time_freq() / 1000, 1UL), text);
	for (char *p = r; *p; p++) {
		*p = *p == '\n' ? ' ' : *p;
		put(*p);
	}
	put('\n');
	keep_line(r);
}

bool log_read(u32 *pos, char r[LOG_RECORD])
{
	size_t n = 0;

	if (*pos - ring.start > ring.end - ring.start)
		*pos = ring.start;
	while (*pos != ring.end) {
		char c = ring.text[(*pos)++ % LOG_SIZE];

		if (c == '\n')
			break;
		if (n < LOG_RECORD - 1)
			r[n++] = c;
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
