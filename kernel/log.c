/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor's messages: format one line, hand it to the console. */
#include <skerry/log.h>

#include <skerry/console.h>
#include <skerry/fmt.h>

void log_line(const char *fmt, ...)
{
	char line[CONSOLE_LINE];
	va_list ap;

	va_start(ap, fmt);
	fmt_vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	console_line(line);
}
