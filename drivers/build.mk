srcs-y += pl011.c watchdog.c sbsa_wdt.c imx_wdt.c bcm2835_wdt.c
