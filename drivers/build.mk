srcs-y += pl011.c sbsa_wdt.c
