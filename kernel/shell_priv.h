/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the shell have of each other. In the UART's interrupt. */
#pragma once

#include <skerry/console.h>

struct guest;
struct vcpu;

#define SHELL_LINE 128 /* bytes of a command, with its end */

#define print(fmt, ...) console_shell("(sk) " fmt "\n", ##__VA_ARGS__)

const char *shell_state(const struct guest *g);
/* Lines of how it fared. */
void shell_record(const struct vcpu *v);
/* What an order came to, at once; the log has the rest. */
void shell_tell(struct guest *g, int err);
/* If the worker, which carries out what was ordered, has no time of its own. */
void shell_tell_wait(void);

/* A decimal number at *s, which moves behind it; ~0: none. */
#define SHELL_MANY 1000000000U /* that or more */
u32 shell_read_number(const char **s);
/* The guest of a number at *s, which moves behind it, or NULL. */
struct guest *shell_read_guest(const char **s);

/* The command, of what is behind its name. */
void shell_sched(const char *s);
