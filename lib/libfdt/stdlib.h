/* SPDX-License-Identifier: Apache-2.0 */
/* What libfdt finds as <stdlib.h>; it uses none of it outside overlays. */
#pragma once

#include <stddef.h>
