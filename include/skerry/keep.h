/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log in memory that a warm reset leaves as it is: this boot's is written
 * line by line, the last one's can be read. docs/panic.md has the format.
 */
#pragma once

#include <skerry/log.h>

/*
 * Finds the last boot's log in machine.kept, begins this one's with what is
 * logged already, and says how the last one ended. The reason of the reset is
 * what the board tells of it, or NULL. Boot only, once pages have their owners.
 */
void keep_init(const char *reason);
/* Is this the first boot, as far as the region tells? */
bool keep_is_cold(void);
/* A message, as log.h has it. With the console's lock, or in panic. */
void keep_line(const char *text);
/* What follows is the end of this boot. */
void keep_panic(void);
/*
 * The last boot's line from *pos on (0 first), printable; false behind the
 * last one. *panic tells whether it belongs to the end.
 */
bool keep_read(u32 *pos, char r[LOG_RECORD], bool *panic);
