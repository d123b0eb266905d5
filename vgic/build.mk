srcs-y += vgic.c lr.c regs.c v2.c v3.c
