srcs-y += pl011.c
