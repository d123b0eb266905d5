/* SPDX-License-Identifier: Apache-2.0 */
/* Symbols of the linker script; addresses, never contents. */
#pragma once

extern char image_start[], image_end[], text_end[], rodata_end[];
extern char boot_stack_guard[], boot_stack_top[];
extern char secondary_entry[], secondary_spin[];
extern char vectors[], vectors_smc[], vectors_bhb[];
