# Mutants of the FITs of tests/unit/fitgen.py; libFuzzer, which needs clang.
$O/fuzz/fit_mutate: tests/fuzz/fit_mutate.c $(unit-fit_forge_test) $(fit-made) \
  $(hdr) $(unit-headers) Makefile tests/unit/build.mk tests/fuzz/build.mk
	$(call run,HCC) $(HOSTCC) $(unit-cflags) $(fit-cflags) \
	  -Wno-missing-field-initializers $(call wrap,verify_digest) -o $@ $< \
	  $(unit-fit_forge_test)
fuzz-keys := $(patsubst %,tests/fuzz/keys/%.pem,rsa2048 other rsa3072 rsa4096 p256)
$O/fuzz/fuzz_keys.h: tools/genkeys.py $(fuzz-keys) tests/fuzz/keys/pss.pem
	$(call run,GEN) $(PY) tools/genkeys.py --header $@ $(fuzz-keys) \
	  tests/fuzz/keys/pss.pem:pss
# mbedTLS without the fuzzer's counters, or the arithmetic takes all the time.
$O/fuzz/mbedtls/%.o: third_party/mbedtls/%.c lib/mbedtls/config.h $(hdr) Makefile
	$(call run,HCC) $(HOSTCC) -std=gnu11 -O2 -D__HOST__ $(host-tls) -c -o $@ $<
fuzz-srcs := tests/fuzz/fit_fuzz.c $(fit-srcs) $(unit-fdt) \
  $(patsubst third_party/%.c,$O/fuzz/%.o,$(tls))
$O/fuzz/fit_fuzz $O/fuzz/fit_fuzz_any: $(fuzz-srcs) $O/fuzz/fuzz_keys.h $(hdr) \
  $(unit-headers) Makefile tests/unit/build.mk tests/fuzz/build.mk
	$(call run,FUZ) clang -std=gnu11 -g -O1 -fno-omit-frame-pointer -Wall \
	  -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
	  -D__HOST__ -Iinclude -Itests/host/include -Ithird_party/libfdt \
	  -I$O/fuzz $(host-tls) -include $(hdr) -o $@ $(fuzz-srcs) \
	  $(if $(filter %_any,$@),-DANY_SIGNATURE $(call wrap,verify_digest))
# A bounded number of inputs, a quarter of them with the arithmetic.
FUZZ_RUNS ?= 200000
MUTANTS   ?= 100000
fuzz-run   = mkdir -p $1.found && $1 -runs=$2 -seed=1 -max_len=5000 \
  -dict=tests/fuzz/fit.dict -verbosity=0 -print_final_stats=1 \
  -artifact_prefix=$1.crash- $1.found tests/fuzz/corpus/fit 2>&1
fuzz: $O/fuzz/fit_fuzz $O/fuzz/fit_fuzz_any
	$Q$(call fuzz-run,$<,$$(($(FUZZ_RUNS) / 4)))
	$Q$(call fuzz-run,$<_any,$(FUZZ_RUNS))
mutants: $O/fuzz/fit_mutate
	$Q$< $(MUTANTS) $(SEED)
soak:
	$Q$(MAKE) mutants MUTANTS=2000000 SEED=$(or $(SEED),2)
	$Q$(MAKE) fuzz FUZZ_RUNS=5000000
	$Q$(MAKE) $O/unit/sched_sim_test
	$QSIM_SETS=100000 SIM_SEED=$(or $(SIM_SEED),100001) $O/unit/sched_sim_test
	$Q$(MAKE) all guests
	$QSTRESS_SEEDS=40 $(PY) -m pytest tests/system/test_lifecycle.py -k stress
.PHONY: fuzz mutants soak
