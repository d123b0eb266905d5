# SPDX-License-Identifier: Apache-2.0
# `make help` lists what can be asked for.
MAKEFLAGS += -rR --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:

O        ?= build
Q        := $(if $(V),,@)
COMPILER ?= gcc
CROSS    ?= aarch64-linux-gnu-
ifeq ($(COMPILER),clang)
CC       := clang --target=aarch64-linux-gnu
else
CC       := $(CROSS)gcc
endif
HOSTCC   := gcc
PY       := /usr/bin/python3
conf     := $O/.config
hdr      := $O/include/config.h
export KCONFIG_CONFIG := $(conf)
export KCONFIG_SET O

# What a user may say to `make run`; see DESIGN and docs/guests.md.
export CONFIG CPUS MEM GIC CPU BOARD BOOT ICOUNT TIMEOUT QEMU_EXTRA KEY UNSIGNED BOOT_KEY

.PHONY: all setup run test check check-static check-layers check-format \
        check-headers check-tidy unit size bench clean help menuconfig guests \
        coverage tools model
all: $O/skerry.bin $O/tools/placecheck

help:
	@echo 'make                  build/skerry.elf and build/skerry.bin'
	@echo 'make run              boot the demo, or CONFIG=guests.dts, on QEMU'
	@echo '    BOARD=virt|raspi4b CPUS= MEM= GIC=2|3 CPU= BOOT=uboot|direct ICOUNT=0|1'
	@echo '    TIMEOUT= QEMU_EXTRA= KEY=FILE[:pss] UNSIGNED=all|NAME BOOT_KEY='
	@echo 'make test             every test; ends with "N passed, N failed"'
	@echo 'make check            static checks and unit tests only'
	@echo 'make bench            measure, next to the figures without Skerry'
	@echo 'make model            the life cycle and wakes under spin; see docs/model.md'
	@echo 'make mutants          changed FITs: none may be another guest (MUTANTS= SEED=)'
	@echo 'make fuzz             the parsers under libFuzzer (FUZZ_RUNS=)'
	@echo 'make soak             both of these, 100,000 task sets and lives of guests: an hour or more'
	@echo 'make coverage         unit tests, and the lines of EL2 that they run'
	@echo 'make size             text, data, bss and lines against the budget'
	@echo 'make BOARD_defconfig  choose the configuration of a board'
	@echo 'make menuconfig       change the configuration'
	@echo 'make clean'
	@echo 'Variables: O=folder COMPILER=gcc|clang KCONFIG_SET="DEBUG=y" V=1'

# --- configuration ---------------------------------------------------------
%_defconfig:
	$Qmkdir -p $O
	$Q$(PY) -m defconfig --kconfig Kconfig boards/$*/defconfig
menuconfig: $(conf)
	$Q$(PY) -m menuconfig
$(conf):
	$Qmkdir -p $O
	$Q$(PY) -m defconfig --kconfig Kconfig boards/qemu-virt/defconfig >/dev/null
# What was set the last time: another value, other keys for one, counts.
set-file := $O/.kconfig_set
ifneq ($(KCONFIG_SET),)
$(shell mkdir -p $O; echo '$(KCONFIG_SET)' | cmp -s - $(set-file) || \
  echo '$(KCONFIG_SET)' >$(set-file))
endif
# auto.conf is the stamp; config.h keeps its date when its text is unchanged.
$O/auto.conf: $(conf) tools/genconf.py Kconfig $(wildcard $(set-file))
	$Qmkdir -p $(dir $(hdr))
	$Q$(PY) tools/genconf.py $@ $(hdr) && touch $@
$(hdr): $O/auto.conf ;

standalone := clean help setup run test bench model %_defconfig %/placecheck
ifneq ($(filter-out $(standalone),$(or $(MAKECMDGOALS),all)),)
include $O/auto.conf
endif

# --- sources: each folder's build.mk appends to srcs-y ---------------------
comma := ,
board := $(patsubst "%",%,$(CONFIG_BOARD))
dirs  := lib arch/arm64 kernel sched vgic smmu pv drivers boards/$(board)
srcs  :=
define collect
srcs-y :=
-include $1/build.mk
srcs += $$(addprefix $1/,$$(srcs-y))
endef
$(foreach d,$(dirs),$(eval $(call collect,$d)))
# mbedTLS: what lib/mbedtls/config.h needs. sha256.c alone may use SIMD.
tls   := lib/mbedtls/md.c $(addprefix third_party/mbedtls/library/,asn1parse.c \
  asn1write.c bignum.c bignum_core.c constant_time.c ecdsa.c ecp.c \
  ecp_curves.c memory_buffer_alloc.c oid.c platform.c platform_util.c rsa.c \
  rsa_alt_helpers.c sha256.c)
objs  := $(patsubst %,$O/%.o,$(basename $(srcs))) $O/lib/libfdt/unity.o \
  $(patsubst third_party/%,$O/lib/%.o,$(patsubst lib/%,$O/lib/%.o,$(basename $(tls))))

# --- hypervisor image ------------------------------------------------------
tls-flags := -Ithird_party/mbedtls/include \
            '-DMBEDTLS_CONFIG_FILE="$(CURDIR)/lib/mbedtls/config.h"'
warn     := -Wall -Wextra -Werror -Wshadow -Wundef -Wvla -Wmissing-prototypes \
            -Wstrict-prototypes
CPPFLAGS := -nostdinc -isystem $(shell $(CC) -print-file-name=include) \
            -Iinclude -Iarch/arm64/include -Ilib/libc -Ithird_party/libfdt \
            $(tls-flags) -I$O/include -include $(hdr) -MMD -MP
CFLAGS   := -std=gnu11 -O2 -g -march=armv8-a -ffreestanding -fno-common \
            -mgeneral-regs-only -mstrict-align -mno-outline-atomics -ffixed-x18 \
            -fno-pic -fno-stack-protector -fno-strict-aliasing \
            -fno-omit-frame-pointer -fno-asynchronous-unwind-tables \
            -ffile-prefix-map=$(CURDIR)/=
LDFLAGS  := --fatal-warnings --build-id=none -z noexecstack -static \
            --no-warn-rwx-segments
ifeq ($(COMPILER),gcc)
CFLAGS   += -flto -flto-partition=one -fno-tree-loop-distribute-patterns \
            -mfix-cortex-a53-835769 -mfix-cortex-a53-843419
LDFLAGS  += --fix-cortex-a53-835769 --fix-cortex-a53-843419
else
CFLAGS   += -mfix-cortex-a53-835769
LDFLAGS  += --fix-cortex-a53-843419
endif
LINK      = $(CC) $(CFLAGS) -nostdlib $(LDFLAGS:%=-Wl,%)
run       = @echo '  $1 $@'; mkdir -p $(@D);
cflags-lib/string.c := -fno-builtin -fno-lto
cflags-lib/mbedtls/md.c := -Wno-undef # of mbedTLS's headers

$O/lib/libfdt/unity.o: lib/libfdt/unity.c $(hdr) Makefile
	$(call run,CC ) $(CC) $(CPPFLAGS) $(CFLAGS) -O3 -c -o $@ $<
# SIMD for sha256.c alone, and none of it inlined elsewhere. What it reads is
# normal memory: by bytes, hashing would take twice the instructions.
$O/lib/mbedtls/%.o: third_party/mbedtls/%.c lib/mbedtls/config.h $(hdr) Makefile
	$(call run,CC ) $(CC) $(CPPFLAGS) \
	  $(filter-out $(tls-not-$(*F)),$(CFLAGS)) -c -o $@ $<
tls-not-sha256 := -mgeneral-regs-only -mstrict-align -flto%
$O/%.o: %.c $(hdr) Makefile
	$(call run,CC ) $(CC) $(CPPFLAGS) $(CFLAGS) $(warn) $(cflags-$<) -c -o $@ $<
$O/%.o: %.S $(hdr) $O/include/offsets.h Makefile
	$(call run,AS ) $(CC) $(CPPFLAGS) -D__ASSEMBLER__ -c -o $@ $<
$O/%.lds: %.lds.S $(hdr) Makefile
	$(call run,LDS) $(CC) $(CPPFLAGS) -D__ASSEMBLER__ -E -P -MT $@ -o $@ $<
$O/include/offsets.h: arch/arm64/offsets.c $(hdr) Makefile
	$(call run,GEN) $(CC) $(CPPFLAGS) $(filter-out -flto%,$(CFLAGS)) -MF $@.d -MT $@ \
	  -S -o - $< | \
	  sed -n 's/.*@DEF \([A-Z0-9_]*\) [#$$]*\(-*[0-9]*\).*/#define \1 \2/p' >$@
# The part of the guests' device trees that they share, as bytes for C.
guest-dtb := $O/include/guest_dtb.h
$(guest-dtb): kernel/guest.dts include/skerry/layout.h
	$(call run,DTC) $(HOSTCC) -E -P -nostdinc -Iinclude -x assembler-with-cpp $< | \
	  dtc -q -O dtb -o $(@:.h=.dtb) - && \
	  od -An -v -tu1 $(@:.h=.dtb) | sed 's/[0-9]\+/&,/g' >$@
$O/kernel/guestdt.o $O/unit/guestdt_test check-tidy: $(guest-dtb)
# The keys that guests are checked against. Without any, a pair is made once
# for all output folders: what one build signs, another one starts.
keys     := $(subst $(comma), ,$(patsubst "%",%,$(CONFIG_GUEST_KEYS)))
dev-key  := build/keys/dev.key
key-file  = $(foreach k,$1,$(firstword $(subst :, ,$(lastword $(subst =, ,$k)))))
$(dev-key):
	$(call run,KEY) flock $(@D) sh -c '[ -e $@ ] || { openssl genpkey -quiet \
	  -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out $@.new && \
	  mv $@.new $@; }'
%.pem:
	$Qecho 'CONFIG_GUEST_KEYS: $@: no such file' >&2; exit 1
guest-keys := $O/include/guest_keys.h
$(guest-keys): tools/genkeys.py tools/skerry_pack/sign.py $(hdr) $(call key-file,$(or $(keys),$(dev-key)))
	$(call run,GEN) $(PY) tools/genkeys.py --header $@ \
	  --development $(dev-key) $(or $(keys),$(dev-key))
$O/kernel/keys.o check-tidy: $(guest-keys)
# `tools/mkboot verify`: the same judgement on the host.
host-tls := -Ithird_party/mbedtls/library $(tls-flags)
fit-srcs := kernel/fit.c kernel/verify.c kernel/sha256.c kernel/dt.c lib/fmt.c
$O/tools/fitcheck: tools/fitcheck.c $(fit-srcs) $(tls) lib/mbedtls/config.h \
  $(wildcard include/skerry/*.h) $(hdr) Makefile
	$(call run,HCC) $(HOSTCC) -std=gnu11 -O2 -Wall -Wextra -D__HOST__ -Iinclude \
	  -Itests/host/include -Ithird_party/libfdt $(host-tls) -include $(hdr) \
	  -o $@ $(filter %.c,$^) $(unit-fdt)
# For all of them: whether vCPUs fit on CPUs. No configuration has more of each.
$O/tools/placecheck: tools/placecheck.c kernel/place.c sched/admit.c lib/fmt.c \
  $(wildcard include/skerry/*.h) Makefile
	$(call run,HCC) $(HOSTCC) -std=gnu11 -O2 -Wall -Wextra -D__HOST__ -Iinclude \
	  -Itests/host/include -DCONFIG_NR_CPUS=64 -DCONFIG_MAX_DOMAINS=255 \
	  -DCONFIG_MAX_VCPUS=64 -DCONFIG_DEBUG=0 -o $@ $(filter %.c,$^)
tools: $O/tools/fitcheck $O/tools/placecheck
# Two links: the second one has the symbols of the first (panic backtraces).
ldscript := $O/arch/arm64/skerry.lds
$O/skerry.elf: $(ldscript) $(objs) tools/gensyms.py
	$(call run,LD ) $(PY) tools/gensyms.py --empty $O/symtab.S && \
	$(CC) -c -o $O/symtab.o $O/symtab.S && \
	$(LINK) -T $< -o $O/skerry.1 $(objs) $O/symtab.o && \
	$(CROSS)nm -n $O/skerry.1 >$O/skerry.syms1 && \
	$(PY) tools/gensyms.py $O/skerry.syms1 $O/symtab.S && \
	$(CC) -c -o $O/symtab.o $O/symtab.S && \
	$(LINK) -T $< -Wl,-Map=$O/skerry.map -o $@ $(objs) $O/symtab.o && \
	$(CROSS)nm -n $@ >$O/skerry.syms && \
	$(PY) tools/gensyms.py --check $O/skerry.syms1 $O/skerry.syms && rm $O/skerry.1
$O/skerry.bin: $O/skerry.elf
	$(call run,BIN) $(CROSS)objcopy -O binary $< $@

# --- guests, for the demo and the tests ------------------------------------
-include guests/guests.mk

# --- host checks: tests/unit/build.mk names the sources of each test -------
-include tests/unit/build.mk
units := $(patsubst tests/unit/%.c,$O/unit/%,$(wildcard tests/unit/*_test.c))
# One compilation of several files tells the headers of the last one only.
unit-headers := $(wildcard tests/unit/*.h tests/host/include/*/*.h \
  include/skerry/*.h include/skerry/*/*.h arch/arm64/*.h vgic/*.h)
unit-cflags := -std=gnu11 -g -O1 -fsanitize=address,undefined \
  -fno-sanitize-recover=undefined -Wall -Wextra -Wno-unused-parameter -D__HOST__ \
  -Iinclude -Itests/host/include -Ithird_party/libfdt -include $(hdr)
define unit-rule
$O/unit/$1: tests/unit/$1.c $$(unit-$1) $$(hdr) $$(unit-headers) Makefile \
  tests/unit/build.mk
	$$(call run,HCC) $$(HOSTCC) $$(unit-cflags) $$(unit-cflags-$1) \
	  -o $$@ $$< $$(unit-$1) -lcmocka
endef
$(foreach u,$(notdir $(units)),$(eval $(call unit-rule,$u)))
unit: $(units)
	$Qbad=0; for t in $(units); do echo "  RUN $$t"; \
	  $$t || { echo "  FAIL $$t: status $$?"; bad=1; }; done; exit $$bad
-include tests/fuzz/build.mk
# The tests once more, with gcov's counters; lines without a test by notes of
# the target's compiler.
ifneq ($(COVERAGE),)
unit-cflags += -fno-sanitize=all --coverage -fprofile-update=atomic
notes: $(hdr) $O/include/offsets.h
	$Qset -e; for s in $(filter %.c,$(srcs)); do \
	  n=$O/notes/$${s%.c}; mkdir -p $$(dirname $$n); \
	  $(CC) $(filter-out -MMD -MP,$(CPPFLAGS)) \
	    $(filter-out -flto% -ffile-prefix-map%,$(CFLAGS)) -O1 \
	    -ftest-coverage -c -o $$n.o $$s; done
endif
coverage:
	$Qrm -rf $O/coverage/unit $O/coverage/notes
	$Q$(MAKE) O=$O/coverage COVERAGE=1 unit notes \
	  >$O/coverage.log 2>&1 || { cat $O/coverage.log; exit 1; }
	$Q$(PY) tools/coverage.py $O/coverage/unit $O/coverage/notes
check-layers:
	$Q$(PY) tools/check_layers.py
# The layout is that of one clang-format; another version would differ.
check-format:
	$Qif clang-format --version | grep -q 'version 14\.'; then \
	  git ls-files '*.c' '*.h' | grep -v libfdt/ | \
	    xargs clang-format --dry-run -Werror; \
	else echo 'SKIPPED format: needs clang-format 14'; fi
# Each public header compiles alone; then the analyser on each source.
headers := $(wildcard include/skerry/*.h include/skerry/arch/*.h)
check-headers: $(hdr)
	$Qset -e; for h in $(headers); do echo "#include \"$$h\"" | \
	  $(CC) $(filter-out -MMD -MP,$(CPPFLAGS)) -I. $(CFLAGS) $(warn) \
	    -fsyntax-only -x c -; done
tidy-flags := --target=aarch64-linux-gnu -nostdinc \
  -isystem $(shell clang -print-file-name=include) -std=gnu11 -ffreestanding \
  $(filter-out -nostdinc -MMD -MP '-DMBED%,$(CPPFLAGS)) \
  -DMBEDTLS_CONFIG_FILE=\"$(CURDIR)/lib/mbedtls/config.h\"
check-tidy: $(hdr)
	$Qecho $(filter %.c,$(srcs)) | xargs -n 6 -P 2 sh -c \
	  'clang-tidy --quiet "$$@" -- $(tidy-flags) 2>/dev/null' tidy
check-static: check-layers check-format check-headers check-tidy
check: check-static unit
model:
	$Q$(PY) -m pytest -q -rP -p no:cacheprovider tests/model

size: $O/skerry.elf
	$Q$(PY) tools/size.py $O/skerry.elf $(CROSS)size

# --- what a newcomer types -------------------------------------------------
setup:
	$Qscripts/setup
run: setup
	$Q$(MAKE) all guests tools
	$Qtools/run
test: setup
	$Qscripts/run-tests
bench: setup
	$Q$(MAKE) all guests
	$Qtools/bench

clean: ; $Qrm -rf $O
-include $(objs:.o=.d) $O/include/offsets.h.d
