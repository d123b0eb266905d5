srcs-y += boot.S vectors.S early.c mmu.c pgtable.c stage2.c cache.c branch.c gic.c gicv2.c gicv3.c
srcs-y += switch.c trap.c inject.c dump.c sysregs.c idregs.c smccc.c smp.c timer.c simd.c
