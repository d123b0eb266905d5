srcs-y += string.c fmt.c
