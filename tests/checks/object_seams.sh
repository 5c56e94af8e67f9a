#!/bin/sh
# Goal: nothing goes round the seams, whatever it includes. Method: the undefined symbols of every
# object tell what a layer calls. Above src/base and src/os that may only be the library itself,
# functions of the C library that neither allocate nor enter the kernel, and in src/topology hwloc.
# Nowhere may it print, exit or change the process's environment.
# usage: object_seams.sh OBJECT…      (…/src/<layer>/<file>.o)
set -eu
pure='mem(cpy|move|set|cmp|chr|rchr)|str(len|nlen|cpy|ncpy|cmp|ncmp|casecmp|ncasecmp|chr|rchr|str|spn|cspn|
tol|toul|toll|toull|tod|pbrk)|snprintf|vsnprintf|qsort|bsearch|f?(floor|ceil|round|fabs|log|log2|
sqrt|pow|exp)|l?l?round|isnan|sscanf|strerror_r|strtok_r'
pure=$(printf '%s' "$pure" | tr -d '\n')
# What compilers call by themselves.
runtime='__stack_chk_fail|__tls_get_addr|_GLOBAL_OFFSET_TABLE_|__errno_location|__(mem|str|v?snprintf)
[a-z]*_chk|__ctype_b_loc|__isoc(99|23)_(sscanf|strto[a-z]*)|_Unwind_Resume|__gcov_[a-z_]*|__[a-z]*[td]i[0-9]'
runtime=$(printf '%s' "$runtime" | tr -d '\n')
heap='malloc|calloc|realloc|free|aligned_alloc|posix_memalign'
never='(v|f|vf|d|vd)?printf|f?puts|f?putc|putchar|fwrite|perror|psignal|_?_?exit|_Exit|quick_exit|
setenv|unsetenv|putenv|clearenv|system|popen|s?rand|s?random|sleep|usleep|sched_yield|signal|atexit|
setlocale|strtok|strerror|localtime|gmtime'
never=$(printf '%s' "$never" | tr -d '\n')

nm -A -u "$@" | awk -v pure="^($pure)\$" -v runtime="^($runtime)\$" -v heap="^($heap)\$" \
    -v never="^($never)\$" '
function wrong(why)
{
    printf "src/%s/%s calls %s: %s\n", layer, file, symbol, why
    violations++
}
{
    # …/src/<layer>/<file>.o:      U symbol
    symbol = $NF
    file = $0
    sub(/\.o:.*/, "", file)
    if (!match(file, /\/src\/[a-z]+\/[^\/]*$/))
        { print "not below src/<layer>: " file; violations++; next }
    file = substr(file, RSTART + 5)
    layer = file
    sub(/\/.*/, "", layer)
    sub(/.*\//, "", file)
    seen++
    sub(/@.*/, "", symbol)
    if (symbol ~ never)
        wrong("the library does not print, exit, sleep or change the process")
    else if (symbol == "abort") {
        if (layer "/" file != "base/assert.c")
            wrong("only a failed assertion aborts")
    } else if (symbol ~ /^(np|npi)_/ || symbol ~ pure || symbol ~ runtime || layer == "os")
        next
    else if (layer == "base" && symbol ~ heap)
        next
    else if (layer == "topology" && symbol ~ /^hwloc_/)
        next
    else if (symbol ~ heap)
        wrong("memory comes from base/alloc.h")
    else
        wrong("system calls go through os/os.h (a pure function belongs into the list of this test)")
}
END {
    if (!seen) { print "no undefined symbol at all: the check itself is broken"; exit 1 }
    exit violations > 0
}'
