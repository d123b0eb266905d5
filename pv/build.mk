srcs-y += psci.c vpl011.c pl031.c ptimer.c pvtime.c wdt.c
