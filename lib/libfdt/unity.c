/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of libfdt that EL2 uses, as one translation unit: its walker calls
 * a bounds check for every character of a name, which the compiler then can
 * inline. All checks stay on (FDT_ASSUME_MASK 0): the tree is not trusted.
 */
#include "fdt.c"
#include "fdt_addresses.c"
#include "fdt_check.c"
#include "fdt_ro.c"
#include "fdt_rw.c"
#include "fdt_strerror.c"
#include "fdt_wip.c"
