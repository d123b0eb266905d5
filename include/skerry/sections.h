/* SPDX-License-Identifier: Apache-2.0 */
/* Symbols of the linker script; addresses, never contents. */
#pragma once

extern char image_start[], image_end[], text_end[], rodata_end[], file_end[];
extern char bss_start[], boot_stack_guard[], boot_stack_top[];
extern char image_head[], boot_trampoline_end[], secondary_entry[];
extern char secondary_spin[];
extern char vectors[], vectors_smc[], vectors_bhb[];
