# SPDX-License-Identifier: Apache-2.0
# Guests that the tests, the benchmark and the demo boot: bare-metal images
# from guests/<name>/, each linked with guests/lib, and Linux's initramfs.
# Included by the Makefile; needs nothing of the hypervisor's configuration.
O          ?= build
CROSS      ?= aarch64-linux-gnu-
guest-o    := $O/guests
guest-cc   := $(CROSS)gcc
guest-names := hello bench systest rt hostile
guest-fdt  := fdt fdt_ro fdt_addresses

# The kernel's flags for code that runs with the MMU off; no jump tables and
# no strings in registers, as a trapped access must have a valid syndrome.
guest-cflags := -std=gnu11 -O2 -g -ffreestanding -fpie -fvisibility=hidden \
  -mgeneral-regs-only -mstrict-align -mno-outline-atomics -fno-common \
  -ffunction-sections \
  -fno-stack-protector -fno-asynchronous-unwind-tables \
  -fno-tree-loop-distribute-patterns -ffile-prefix-map=$(CURDIR)/= \
  -nostdinc -isystem $(shell $(guest-cc) -print-file-name=include) \
  -Iguests/lib/include -Iguests/lib -Ithird_party/libfdt -MMD -MP
guest-warn := -Wall -Wextra -Werror -Wshadow -Wundef -Wvla -Wstrict-prototypes
guest-ldflags := -pie --gc-sections --no-dynamic-linker --build-id=none -z noexecstack \
  --no-warn-rwx-segments --fatal-warnings -T guests/lib/guest.lds

guest-lib := $(patsubst %,$(guest-o)/%.o,$(basename \
  $(patsubst guests/%,%,$(wildcard guests/lib/*.[cS]))) $(guest-fdt:%=fdt/%))
guest-bins := $(foreach n,$(guest-names),$(guest-o)/$n/$n.bin)
guest-initramfs := $(guest-o)/linux/initramfs.cpio.gz

.PHONY: guests
guests: $(guest-bins) $(guest-initramfs)

$(guest-o)/fdt/%.o: third_party/libfdt/%.c guests/guests.mk
	@echo '  GCC $@'; mkdir -p $(@D)
	$Q$(guest-cc) $(guest-cflags) -c -o $@ $<
$(guest-o)/%.o: guests/%.c guests/guests.mk
	@echo '  GCC $@'; mkdir -p $(@D)
	$Q$(guest-cc) $(guest-cflags) $(guest-warn) -c -o $@ $<
$(guest-o)/%.o: guests/%.S guests/guests.mk
	@echo '  GAS $@'; mkdir -p $(@D)
	$Q$(guest-cc) -MMD -MP -c -o $@ $<

define guest-rules
guest-$1-objs := $$(patsubst guests/%,$$(guest-o)/%.o,$$(basename \
  $$(wildcard guests/$1/*.[cS])))
$$(guest-o)/$1/$1.elf: $$(guest-$1-objs) $$(guest-lib) guests/lib/guest.lds
	@echo '  GLD $$@'
	$$Q$$(CROSS)ld $$(guest-ldflags) -o $$@ $$(guest-$1-objs) $$(guest-lib)
$$(guest-o)/$1/$1.bin: $$(guest-o)/$1/$1.elf
	$$Q$$(CROSS)objcopy -O binary $$< $$@
-include $$(guest-$1-objs:.o=.d)
endef
$(foreach n,$(guest-names),$(eval $(call guest-rules,$n)))
-include $(guest-lib:.o=.d)

guest-modules := $(foreach v,6.1 6.12,third_party/guest/linux-$v/sbsa_gwdt.ko)
$(guest-initramfs): guests/linux/mkinitramfs guests/linux/init \
  third_party/guest/busybox $(guest-modules)
	@echo '  CPIO $@'; mkdir -p $(@D)
	$Qguests/linux/mkinitramfs third_party/guest/busybox guests/linux/init $@ \
	  $(guest-modules)
