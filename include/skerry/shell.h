/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's shell on the console: a line is edited, then run in the
 * UART's interrupt.
 */
#pragma once

#include <skerry/util.h>

#define SHELL_PROMPT "skerry> "

/* A character for the shell; CPU 0, no lock held. */
void shell_input(char c);
