srcs-y += vgic.c lr.c v3.c
