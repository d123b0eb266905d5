/* SPDX-License-Identifier: Apache-2.0 */
/* Of the C library's header of this name: nothing, see config.h. */
#pragma once
#include <skerry/types.h>
/* mbedTLS's allocator has found its arena damaged. */
void __attribute__((noreturn)) verify_heap_broken(int status);
#define EXIT_SUCCESS 0
#define EXIT_FAILURE 1
