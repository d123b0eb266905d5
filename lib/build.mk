srcs-y += string.c fmt.c heap.c
