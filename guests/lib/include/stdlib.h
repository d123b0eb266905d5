/* SPDX-License-Identifier: Apache-2.0 */
/* libfdt includes <stdlib.h>; the parts of it used here need nothing of it. */
#pragma once
