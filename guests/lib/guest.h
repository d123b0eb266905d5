/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime of bare-metal EL1 guests: what the device tree told us, console,
 * MMU, interrupts, timer, PSCI and secondary CPUs, recoverable faults and TAP
 * output. It knows nothing of Skerry: the same image runs without a
 * hypervisor. There is no heap and no scheduler.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n)	      (1ul << (n))
#define MAX_CPUS      8
#define NR_INTIDS     288

/* --- registers and memory ------------------------------------------------ */

#define sysreg_read(reg)                                                       \
	({                                                                     \
		u64 v_;                                                        \
		asm volatile("mrs %0, " #reg : "=r"(v_)::"memory");            \
		v_;                                                            \
	})
#define sysreg_write(reg, v)                                                   \
	asm volatile("msr " #reg ", %0" ::"r"((u64)(v)) : "memory")

/* Fixed instructions, so that a trap always has a valid syndrome (ISV). */
#define MMIO_OPS(bits, insn, reg)                                              \
	static inline u##bits read##bits(u64 a)                                \
	{                                                                      \
		u##bits v;                                                     \
		asm volatile(insn("ldr", reg) : "=r"(v) : "r"(a) : "memory");  \
		return v;                                                      \
	}                                                                      \
	static inline void write##bits(u64 a, u##bits v)                       \
	{                                                                      \
		asm volatile(insn("str", reg)::"r"(v), "r"(a) : "memory");     \
	}
#define INSN8(op, reg)	op "b %w0, [%1]"
#define INSN16(op, reg) op "h %w0, [%1]"
#define INSN32(op, reg) op " %w0, [%1]"
#define INSN64(op, reg) op " %0, [%1]"
MMIO_OPS(8, INSN8, w)
MMIO_OPS(16, INSN16, w)
MMIO_OPS(32, INSN32, w)
MMIO_OPS(64, INSN64, x)

static inline void isb(void)
{
	asm volatile("isb" ::: "memory");
}
static inline void dsb(void)
{
	asm volatile("dsb sy" ::: "memory");
}
static inline void wfi(void)
{
	asm volatile("dsb sy\n\twfi" ::: "memory");
}
/* Spinning loops must yield: QEMU's icount mode runs CPUs in turn. */
static inline void cpu_relax(void)
{
	asm volatile("yield" ::: "memory");
}
static inline void irq_on(void)
{
	asm volatile("msr daifclr, #2" ::: "memory");
}
static inline void irq_off(void)
{
	asm volatile("msr daifset, #2" ::: "memory");
}
static inline u64 now(void)
{
	u64 v;

	asm volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(v)::"memory");
	return v;
}
#define READ_ONCE(x)	 (*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile typeof(x) *)&(x) = (v))

/* --- the machine, from the device tree (plat.c) --------------------------- */

struct range {
	u64 base, size;
};

enum { TIMER_PHYS_S, TIMER_PHYS, TIMER_VIRT };

struct plat {
	const void *fdt;
	const char *bootargs; /* never NULL */
	struct range mem[4];
	unsigned int nr_mem;
	unsigned int nr_cpus;
	u64 mpidr[MAX_CPUS];
	u64 uart; /* PL011 or SBSA UART, 0 when absent */
	u32 uart_intid;
	u64 rtc;	      /* PL031, 0 when absent */
	u64 wdt, wdt_refresh; /* watchdog's frames, 0 when absent */
	u32 wdt_intid;
	unsigned int gic; /* version, 0 when absent */
	u64 gicd, gicc;
	struct range gicr;
	u32 timer_intid[3]; /* by TIMER_x */
	bool psci_smc;
	u64 entry_ticks; /* counter at the first instruction */
};
extern struct plat plat;

void plat_init(const void *fdt);
bool is_ram(u64 addr);
/* Value of `key=` in the bootargs, or NULL; ends at a blank or at the end. */
const char *bootarg(const char *key);
u64 bootarg_num(const char *key, u64 fallback);

/* --- console (console.c) and text (print.c) ------------------------------ */

void console_init(void);
void console_write(const char *s, size_t len);
int console_getc(void); /* -1: nothing there */
void put_line(const char *s, size_t len);

/* %s %c %d %u %x %lu %lx %ld %p %%, width and 0 flag. One call, one write. */
void printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void vprintf(const char *fmt, va_list ap);

/* --- TAP ------------------------------------------------------------------ */

void ok(bool good, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void skip(const char *what, const char *why);
unsigned int tap_failed(void);
void tap_plan(void); /* prints 1..N */

/* --- memory (mmu.c) ------------------------------------------------------- */

void mmu_init(void); /* builds the identity map; boot CPU */
void mmu_on(void);   /* each CPU */
void cache_clean(const void *p, size_t size);
void mmu_allow_exec(u64 addr); /* for the gigabyte around a device address */

/* --- CPUs, PSCI, timer (cpu.c) -------------------------------------------- */

#define PSCI_VERSION	       0x84000000ul
#define PSCI_CPU_SUSPEND       0xc4000001ul
#define PSCI_CPU_OFF	       0x84000002ul
#define PSCI_CPU_ON	       0xc4000003ul
#define PSCI_AFFINITY_INFO     0xc4000004ul
#define PSCI_MIGRATE_INFO_TYPE 0x84000006ul
#define PSCI_SYSTEM_OFF	       0x84000008ul
#define PSCI_SYSTEM_RESET      0x84000009ul
#define PSCI_FEATURES	       0x8400000aul
#define SMCCC_VERSION	       0x80000000ul
#define SMCCC_ARCH_FEATURES    0x80000001ul
#define PV_TIME_FEATURES       0xc5000020ul
#define PV_TIME_ST	       0xc5000021ul

struct cpu {
	unsigned int id;
	u64 redist;	/* GICv3: this CPU's RD frame */
	bool expecting; /* see fault_begin() */
	struct fault *fault;
};
extern struct cpu cpus[MAX_CPUS];

static inline struct cpu *this_cpu(void)
{
	return (struct cpu *)sysreg_read(tpidr_el1);
}
static inline u64 own_mpidr(void)
{
	return sysreg_read(mpidr_el1) & 0xff00fffffful;
}

u64 psci(u64 fn, u64 a1, u64 a2, u64 a3);
u64 hvc_call(u64 fn, u64 a1, u64 a2, u64 a3);
u64 smc_call(u64 fn, u64 a1, u64 a2, u64 a3);
/* Runs fn(arg) on a CPU that is off; returns PSCI's answer. fn may return. */
s64 cpu_start(unsigned int cpu, void (*fn)(void *), void *arg);
/* CPU_ON's context for secondary_entry, for a CPU once started. */
u64 cpu_boot_record(unsigned int cpu);
bool cpu_is_off(unsigned int cpu);
void power_off(void) __attribute__((noreturn));

void timer_set(u64 deadline); /* CNTV, ticks */
void timer_stop(void);
void delay_us(u64 us);
void sleep_ms(u64 ms); /* in WFI, by CNTV; interrupts masked */
u64 ticks_per_us(void);

/* --- interrupts (gic.c) --------------------------------------------------- */

void gic_init(void); /* distributor; boot CPU */
void gic_init_cpu(void);
void gic_enable(u32 intid);
void gic_disable(u32 intid);
void gic_set_priority(u32 intid, u8 prio);
u64 gic_banked(void); /* frame that holds SGI and PPI registers */
u32 gic_ack(void);    /* what IAR says; in GICv2 with the sender of an SGI */
u32 gic_intid(u32 iar);
void gic_eoi(u32 iar);
void gic_send_sgi(unsigned int cpu, u32 intid);

typedef void irq_fn(u32 intid);
void irq_register(u32 intid, irq_fn *fn);
/* Called instead of acknowledge, handler and EOI while it is not NULL. */
extern irq_fn *irq_hook;
u32 irq_count(unsigned int cpu, u32 intid);

/* --- faults (trap.c) ------------------------------------------------------ */

struct frame {
	u64 x[31], elr, spsr, esr, far, pad;
};
struct fault {
	u64 esr, far, elr;
	unsigned int count;
	bool serror;
};
#define ESR_EC(esr)  ((esr) >> 26 & 0x3f)
#define EC_UNKNOWN   0x00
#define EC_FP_TRAP   0x07
#define EC_IABT_CUR  0x21
#define EC_DABT_CUR  0x25
#define EC_SYSREG    0x18
#define FSC(esr)     ((esr)&0x3f)
#define FSC_EXTERNAL 0x10 /* synchronous external abort */

/*
 * Between begin and end a synchronous exception of this CPU is recorded and
 * the instruction skipped (an instruction abort returns to its caller).
 */
void fault_begin(struct fault *f);
bool fault_end(struct fault *f); /* true if there was one */

void guest_main(void); /* the guest's own */
