wrap = -Wl,--wrap=$1
unit-fdt := $(addprefix third_party/libfdt/,fdt.c fdt_ro.c fdt_rw.c fdt_sw.c \
  fdt_wip.c fdt_addresses.c fdt_check.c fdt_strerror.c)
unit-machine_test := kernel/machine.c kernel/dt.c lib/fmt.c $(unit-fdt)
unit-dt_test := kernel/dt.c $(unit-fdt)
unit-describe_test := kernel/describe.c kernel/dt.c sched/admit.c lib/fmt.c \
  $(unit-fdt)
unit-describe_sched_test := $(unit-describe_test)
# For tests/tools/test_describe.py.
$O/unit/describe_read: tests/tools/describe_read.c $(unit-describe_test) $(hdr) \
  include/skerry/describe.h include/skerry/admit.h include/skerry/sched.h
	$(call run,HCC) $(HOSTCC) $(unit-cflags) -o $@ $(filter %.c,$^)
unit-guestdt_test := kernel/guestdt.c kernel/dt.c lib/fmt.c $(unit-fdt)
unit-cflags-guestdt_test := -I$O/include # for guest_dtb.h
unit-pgtable_test := arch/arm64/pgtable.c
unit-vgic_test := $(addprefix vgic/,vgic.c lr.c regs.c v2.c v3.c)
unit-vgicv2_test := $(unit-vgic_test)
unit-vgic_queue_test := $(unit-vgic_test)
unit-cflags-vgic_queue_test := -O2 -fno-sanitize=all \
  -fsanitize-coverage=trace-pc
# The same with tables that tests/tools/test_register_tables.py changes.
$O/mutant/vgic_test: tests/unit/vgic_test.c tests/unit/mutate_v3.c vgic/v2.c
$O/mutant/vgicv2_test: tests/unit/vgicv2_test.c tests/unit/mutate_v2.c vgic/v3.c
$O/mutant/%: vgic/vgic.c vgic/lr.c vgic/regs.c $(hdr)
	$(call run,HCC) $(HOSTCC) $(filter-out -fsan% -fno-san% -M%,$(unit-cflags)) \
	  -no-pie -o $@ $(filter %.c,$^) -lcmocka
unit-psci_test := pv/psci.c
unit-pvtime_test := $(addprefix pv/,psci.c pvtime.c) kernel/pool.c
unit-page_test := kernel/page.c
unit-sysregs_test := arch/arm64/idregs.c
unit-idregs_test := arch/arm64/idregs.c
unit-page_random_test := kernel/page.c
$O/unit/sysregs_test: arch/arm64/sysregs.c # included for its names
unit-ptimer_test := pv/ptimer.c kernel/time.c lib/heap.c
unit-wdt_test := kernel/emul.c kernel/time.c lib/heap.c
unit-wdt_random_test := $(unit-wdt_test)
$O/unit/wdt_test $O/unit/wdt_random_test: pv/wdt.c # included for its table
unit-cache_test := arch/arm64/cache.c
unit-fmt_test := lib/fmt.c
unit-load_test := kernel/load.c arch/arm64/cache.c lib/fmt.c
unit-cflags-load_test := $(tls-flags)
unit-string_test := lib/string.c
# The functions under test beside the host's, and not made into calls of those.
unit-cflags-string_test := -fno-tree-loop-distribute-patterns \
  $(foreach f,memcpy memmove memset memcmp memchr strlen strnlen strcmp \
    strncmp strchr strrchr,-D$f=skerry_$f)
unit-pool_test := kernel/pool.c
unit-emul_test := kernel/emul.c
unit-vpl011_test := kernel/emul.c
$O/unit/vpl011_test: pv/vpl011.c # included for its table
unit-vgic_smp_test := $(unit-vgic_test)
unit-cflags-vgic_smp_test := -DHOST_THREADS -pthread
unit-pl031_test := kernel/emul.c
$O/unit/pl031_test: pv/pl031.c # included for its table
unit-scrub_test := kernel/pool.c kernel/place.c sched/admit.c lib/fmt.c \
  arch/arm64/cache.c
unit-cflags-scrub_test := $(tls-flags)
$O/unit/scrub_test: kernel/build.c # included for its state
unit-build_test := kernel/fault.c sched/admit.c lib/fmt.c
unit-cflags-build_test := $(tls-flags)
$O/unit/build_test: kernel/build.c kernel/place.c # included for its state
unit-place_test := sched/admit.c lib/fmt.c
$O/unit/place_test: kernel/place.c # included for its state
unit-image_test := lib/fmt.c
unit-cflags-image_test := $(tls-flags)
$O/unit/image_test: kernel/image.c # included for its state
unit-trace_test := lib/fmt.c kernel/cpu.c
unit-cflags-trace_test := $(tls-flags)
$O/unit/trace_test: kernel/trace.c # included for its rings
unit-guest_test := lib/fmt.c
unit-cflags-guest_test := $(tls-flags)
unit-guest_order_test := $(unit-guest_test)
unit-guest_boot_test := $(unit-guest_test)
unit-params_test := sched/admit.c lib/fmt.c
unit-cflags-params_test := $(tls-flags)
$O/unit/params_test: kernel/guest.c kernel/params.c # included for their state
unit-cflags-guest_order_test := $(tls-flags)
unit-cflags-guest_boot_test := $(tls-flags)
$O/unit/guest_test $O/unit/guest_order_test $O/unit/guest_boot_test: \
  kernel/guest.c # included for its state
unit-stage2_test := arch/arm64/pgtable.c arch/arm64/cache.c kernel/pool.c
$O/unit/stage2_test: arch/arm64/stage2.c # included for its instructions
unit-decode_test := arch/arm64/inject.c kernel/emul.c tests/host/trace.c
$O/unit/decode_test: arch/arm64/trap.c # included for its functions
unit-heap_test := lib/heap.c
sched-srcs := $(addprefix sched/,sched.c rr.c deadline.c) lib/heap.c \
  tests/host/trace.c
unit-sched_test := $(sched-srcs) kernel/time.c kernel/cpu.c
unit-admit_test := sched/admit.c lib/fmt.c
unit-sched_life_test := $(unit-sched_test)
unit-pvtime_life_test := $(unit-sched_test) $(unit-pvtime_test)
unit-sched_random_test := $(unit-sched_test)
unit-deadline_test := $(unit-sched_test)
unit-deadline_life_test := $(unit-sched_test)
unit-deadline_toll_test := $(unit-sched_test)
unit-deadline_jitter_test := $(unit-sched_test)
unit-deadline_random_test := $(unit-sched_test)
unit-deadline_books_test := $(unit-sched_test)
unit-sched_smp_test := $(unit-sched_test)
unit-cflags-sched_smp_test := -DHOST_THREADS -pthread
unit-sched_sim_test := $(unit-sched_test) sched/admit.c lib/fmt.c
# Many sets, so fast; some of them once more with the sanitizers.
sim-wrap := $(foreach f,wake resume credit,$(call wrap,server_$f))
unit-cflags-sched_sim_test := -O2 -fno-sanitize=all $(sim-wrap)
unit-sched_sim_san_test := $(unit-sched_sim_test)
unit-cflags-sched_sim_san_test := $(sim-wrap)
$O/unit/sched_sim_san_test: tests/unit/sched_sim_test.c
# For tests/tools/test_sched_rules.py: tests without the scheduler, and flags.
sched-mutants := $(addsuffix _test,deadline_life deadline_toll deadline_jitter \
  deadline_books deadline sched_life deadline_random sched sched_random sched_sim)
sched-mutant-flags = $(filter-out -fsan% -fno-san% -M%,$(unit-cflags)) -O2 -w
$O/mutant/sched/%.o: tests/unit/%.c $(filter-out $(addprefix sched/,sched.c rr.c \
  deadline.c),$(unit-sched_test)) $(hdr) sched-mutant-always
	$Qmkdir -p $(@D)
	$Q$(HOSTCC) $(sched-mutant-flags) -r -nostdlib -o $@ $(filter %.c,$^)
$O/mutant/sched/sched_sim_test.o: sched/admit.c lib/fmt.c
sched-mutant: $(sched-mutants:%=$O/mutant/sched/%.o)
	$Qprintf '%s\n' $(sched-mutant-flags) >$O/mutant/sched/flags
	$Qprintf '%s\n' $(sim-wrap) >$O/mutant/sched/sched_sim_test.flags
.PHONY: sched-mutant sched-mutant-always
unit-sched_scale_test := $(unit-sched_test)
unit-cflags-sched_scale_test := -O2 -fno-sanitize=all \
  -fsanitize-coverage=trace-pc
unit-console_test := lib/fmt.c
$O/unit/console_test: kernel/console.c kernel/log.c # included for their state
unit-keep_test := arch/arm64/cache.c lib/fmt.c
$O/unit/keep_test: kernel/keep.c kernel/log.c # included for their state
unit-sbsa_wdt_test := kernel/time.c lib/heap.c $(addprefix drivers/,sbsa_wdt.c imx_wdt.c \
  bcm2835_wdt.c)
unit-imx_wdt_test := $(unit-sbsa_wdt_test)
unit-bcm2835_wdt_test := $(unit-sbsa_wdt_test)
# included for its state
$O/unit/sbsa_wdt_test $O/unit/imx_wdt_test $O/unit/bcm2835_wdt_test: \
  drivers/watchdog.c drivers/wdt_priv.h
unit-shell_test := kernel/shell_sched.c kernel/measure.c sched/admit.c lib/fmt.c
unit-cflags-shell_test := $(tls-flags)
unit-shell_sched_test := $(unit-shell_test)
unit-cflags-shell_sched_test := $(tls-flags)
# included for its table
$O/unit/shell_test $O/unit/shell_sched_test: kernel/shell.c kernel/shell_priv.h
unit-switch_test := tests/host/trace.c
$O/unit/switch_test: arch/arm64/switch.c # included for its instructions
$O/unit/simd_test: arch/arm64/simd.c # included for its registers
unit-mmu_test := arch/arm64/pgtable.c
$O/unit/mmu_test: arch/arm64/mmu.c # included for its instructions
$O/unit/smccc_test: arch/arm64/smccc.c # included for its instruction
unit-timer_test := arch/arm64/timer.c
$O/unit/smp_test: arch/arm64/smp.c # included for its arguments
unit-dump_test := lib/fmt.c
$O/unit/dump_test: arch/arm64/dump.c # included for its instruction
unit-early_test := $(unit-fdt)
$O/unit/early_test: arch/arm64/early.c # included for its tables
unit-trap_test := arch/arm64/inject.c tests/host/trace.c
$O/unit/trap_test: arch/arm64/trap.c # included as in decode_test
unit-pl011_test := drivers/pl011.c
unit-irq_test := kernel/irq.c tests/host/trace.c
$O/unit/work_test: kernel/work.c # included for its worker
unit-cflags-work_test := -DHOST_THREADS -pthread
unit-domain_test := kernel/domain.c lib/fmt.c
unit-cflags-domain_test := $(tls-flags) -DHOST_THREADS -pthread
unit-panic_test := lib/fmt.c
$O/unit/panic_test: kernel/panic.c # included for its symbols
# Frame records as the target has them.
unit-cflags-panic_test := -fno-omit-frame-pointer
unit-init_test := kernel/page.c
unit-cflags-init_test := $(tls-flags)
unit-cflags-init_memory_test := $(tls-flags)
$O/unit/init_test: kernel/init.c # included for its configuration
unit-init_memory_test := $(unit-init_test)
$O/unit/init_memory_test: kernel/init.c
unit-gicv2_test := $(addprefix arch/arm64/,gic.c gicv2.c gicv3.c)
unit-gicv3_test := $(unit-gicv2_test)
unit-branch_test := arch/arm64/branch.c
# FITs and keys are made at build: fit/made is the stamp. mbedTLS once for all.
fit-made := $O/unit/fit/made
$(fit-made): tests/unit/fitgen.py tests/unit/sigvectors.py tools/genkeys.py
	$(call run,FIT) $(PY) tests/unit/fitgen.py $(@D) && \
	  $(PY) tests/unit/sigvectors.py $(@D)/keys $(@D) && touch $@
tls-host := $O/host/libtls.a
tls-host-flags := -std=gnu11 -g -O2 -D__HOST__ $(host-tls) \
  $(if $(COVERAGE),,-fsanitize=address)
$O/host/mbedtls/%.o: third_party/mbedtls/%.c lib/mbedtls/config.h $(hdr) Makefile
	$(call run,HCC) $(HOSTCC) $(tls-host-flags) -c -o $@ $<
$O/host/mbedtls/md.o: lib/mbedtls/md.c lib/mbedtls/config.h $(hdr) Makefile
	$(call run,HCC) $(HOSTCC) $(tls-host-flags) -c -o $@ $<
$(tls-host): $(patsubst third_party/%.c,$O/host/%.o,$(tls:lib/%=third_party/%))
	$(call run,AR ) ar rcs $@ $^
fit-cflags := $(host-tls) -I$O/unit/fit '-DFITS="$O/unit/fit/"'
unit-verify_test := kernel/verify.c kernel/sha256.c $(tls-host)
unit-cflags-verify_test := $(fit-cflags) \
  $(foreach f,memory_buffer_alloc_init sha256_init sha256_free sha256_starts \
    sha256_update sha256_finish,$(call wrap,mbedtls_$f))
$O/unit/verify_test: $(fit-made)
unit-fit_forge_test := $(fit-srcs) $(unit-fdt) $(tls-host)
unit-cflags-fit_forge_test := $(fit-cflags) -Wno-missing-field-initializers
$O/unit/fit_forge_test: $(fit-made) tests/unit/forgeries.h
unit-fit_test := $(unit-fit_forge_test)
unit-cflags-fit_test := $(fit-cflags) \
  $(call wrap,mbedtls_memory_buffer_alloc_init)
$O/unit/fit_test: $(fit-made)
# For tests/tools/test_fit_checks.py: all but kernel/fit.c, without sanitizers,
# and the flags that it needs.
fit-mutant-flags = $(filter-out -fsan% -fno-san% -M%,$(unit-cflags)) -w
fit-mutant: $(hdr) $(fit-made)
	$Qmkdir -p $O/mutant/fit
	$Qset -e; for t in tests/unit/fit_test tests/unit/fit_forge_test \
	    kernel/verify; do $(HOSTCC) $(fit-mutant-flags) $(fit-cflags) -c \
	  -o $O/mutant/fit/$${t##*/}.o $$t.c; done
	$Q$(HOSTCC) $(fit-mutant-flags) -O2 $(host-tls) -r -nostdlib \
	  -o $O/mutant/fit/rest.o $(unit-fdt) $(tls) \
	  $(filter-out kernel/fit.c kernel/verify.c,$(fit-srcs))
	$Qprintf '%s\n' $(fit-mutant-flags) -O0 $(host-tls) >$O/mutant/fit/flags
.PHONY: fit-mutant
# Whole lives. Their configuration has all that makes allocations fail.
unit-life := $(addprefix kernel/,guest.c domain.c image.c page.c pool.c ghost.c \
  measure.c fault.c time.c work.c irq.c lock.c emul.c) $(sched-srcs) lib/fmt.c \
  sched/admit.c arch/arm64/pgtable.c \
  $(addprefix vgic/,vgic.c lr.c regs.c v2.c v3.c) \
  $(addprefix pv/,ptimer.c pvtime.c vpl011.c pl031.c wdt.c)
unit-cflags-life := $(tls-flags) -include tests/unit/lifeconf.h
unit-life_test := $(unit-life)
unit-cflags-life_test := $(unit-cflags-life)
unit-life_order_test := $(unit-life)
unit-cflags-life_order_test := $(unit-cflags-life)
# Included for its state, and for its instructions.
$O/unit/life_test $O/unit/life_order_test: kernel/build.c kernel/place.c \
  arch/arm64/stage2.c
unit-life_smp_test := $(unit-life) kernel/build.c kernel/place.c
unit-cflags-life_smp_test := $(unit-cflags-life) -DHOST_THREADS -pthread
$O/unit/life_smp_test: arch/arm64/stage2.c
# The same under ThreadSanitizer, for which READ_ONCE() is no race.
life-tsan: $(hdr)
	$Qmkdir -p $O/tsan
	$(HOSTCC) $(filter-out -fsan% -fno-san%,$(unit-cflags)) \
	  $(unit-cflags-life_smp_test) -fsanitize=thread \
	  --param=tsan-distinguish-volatile=1 -o $O/tsan/life_smp_test \
	  tests/unit/life_smp_test.c $(unit-life_smp_test) -lcmocka
	$O/tsan/life_smp_test
.PHONY: life-tsan
