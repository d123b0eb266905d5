srcs-y += work.c init.c guest.c image.c build.c place.c params.c load.c domain.c cpu.c irq.c time.c log.c trace.c keep.c console.c shell.c shell_sched.c panic.c
srcs-y += fit.c verify.c sha256.c keys.c measure.c machine.c dt.c describe.c guestdt.c page.c pool.c emul.c
srcs-$(CONFIG_DEBUG) += ghost.c lock.c
srcs-$(CONFIG_SELFTEST) += selftest.c
srcs-$(CONFIG_FAULT_INJECTION) += fault.c
srcs-$(CONFIG_STRESS) += stress.c
