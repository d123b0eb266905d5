/* SPDX-License-Identifier: Apache-2.0 */
/* Host tests: the descriptors are the target's. */
#pragma once

#include "../../../../arch/arm64/include/asm/pte.h"
