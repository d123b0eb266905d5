srcs-y += sched.c
