/* SPDX-License-Identifier: Apache-2.0 */
/* mbedTLS formats numbers in one function, which nobody calls. */
#pragma once
#include <skerry/fmt.h>
