srcs-y += sched.c rr.c deadline.c admit.c
