#!/bin/sh
# Goal: object_seams.sh, hooked_calls.sh and exported_symbols.sh find what they exist for. Method: small sources are
# compiled into a made-up library, once good, then with one fault each.
# usage: test_symbol_checks.sh SOURCE_DIR CC
set -eu
checks=$1/tests/checks cc=$2
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
failed=0
cd "$root"

complain()
{
    echo "$*"
    failed=1
}

# object LAYER TEXT: compiles TEXT as src/LAYER/file.c
object()
{
    mkdir -p "src/$1"
    printf '%b\n' "$2" >"src/$1/file.c"
    "$cc" -O1 -w -fPIC -c -o "src/$1/file.o" "src/$1/file.c"
}
seams_accept()
{
    object "$1" "$2"
    sh "$checks/object_seams.sh" "$root/src/$1/file.o" || complain "rejected in $1: $2"
}
seams_reject()
{
    object "$1" "$2"
    if sh "$checks/object_seams.sh" "$root/src/$1/file.o" >output; then
        complain "accepted in $1: $2"
    elif ! grep -q "^src/$1/file calls $3:" output; then
        complain "rejected in $1, but not for $3: $(cat output)"
    fi
}

seams_accept sync 'void npi_a(void); int strlen(); int f(char *s) { npi_a(); return strlen(s); }'
seams_accept os 'int sched_getcpu(void); int f(void) { return sched_getcpu(); }'
seams_accept base 'void *malloc(unsigned long); void *f(void) { return malloc(8); }'
seams_accept topology 'int hwloc_x(void); int f(void) { return hwloc_x(); }'
seams_reject sync 'int sched_getcpu(void); int f(void) { return sched_getcpu(); }' sched_getcpu
seams_reject executor 'void *malloc(unsigned long); void *f(void) { return malloc(8); }' malloc
seams_reject memory 'int hwloc_x(void); int f(void) { return hwloc_x(); }' hwloc_x
seams_reject os 'int usleep(int); int f(void) { return usleep(1); }' usleep
seams_reject base '#include <stdio.h>\nint f(int i) { return fprintf(stderr, "%d", i); }' fprintf
seams_reject base 'void abort(void); void f(void) { abort(); }' abort

# The table of base/hook.h must be read wherever something enters the kernel.
table='extern void *npi_hook_table; int munmap();'
hooked_accept()
{
    object "$1" "$table $2"
    sh "$checks/hooked_calls.sh" "$root/src/$1/file.o" || complain "rejected in $1: $2"
}
hooked_reject()
{
    object "$1" "$table $2"
    if sh "$checks/hooked_calls.sh" "$root/src/$1/file.o" >output; then
        complain "accepted in $1: $2"
    elif ! grep -q "^src/$1/file: $3" output; then
        complain "rejected in $1, but not for '$3': $(cat output)"
    fi
}
case $(uname -m) in
    aarch64) enter='__asm__ volatile("svc 0")' ;;
    *) enter='__asm__ volatile("syscall")' ;;
esac
hooked_accept os 'int f(void *p) { return npi_hook_table != 0 ? 1 : munmap(p, 8); }'
hooked_accept os "int f(void) { if (npi_hook_table == 0) $enter; return 0; }"
hooked_reject os 'int f(void *p) { return munmap(p, 8); }' 'f calls munmap without asking'
hooked_reject os "int f(void) { $enter; return 0; }" 'f executes a system call without asking'
hooked_reject os 'int a(void) { return npi_hook_table != 0; } int f(void *p) { return munmap(p, 8); }' \
    'f calls munmap without asking'
hooked_reject base 'void *malloc(unsigned long); void *f(void) { return malloc(8); }' \
    'f calls malloc without asking'
hooked_reject os 'int shm_open(); int f(void) { return npi_hook_table ? 1 : shm_open(); }' \
    'calls shm_open, which is in no list'

# library TEXT MAP: links TEXT as a library whose public header declares np_one and np_two.
mkdir -p include
printf 'int np_one(void);\nint np_two(int a, int b);\nstatic inline int np_in(void) { return 1; }\n' \
    >include/numaperf.h
library()
{
    printf '%b\n' "$1" >library.c
    printf 'NUMAPERF_0 { global: %s local: *; };\n' "$2" >map
    "$cc" -w -shared -fPIC -Wl,-soname,"$3" -Wl,--version-script=map -o library.so library.c
}
exports()
{
    sh "$checks/exported_symbols.sh" "$cc" "$root/library.so" "$root/include" libnumaperf.so.0 \
        >output 2>&1
}
exports_reject()
{
    library "$2" "$3" "${4:-libnumaperf.so.0}"
    if exports; then
        complain "accepted: $1"
    elif ! grep -q "$1" output; then
        complain "rejected, but not because of '$1': $(cat output)"
    fi
}
both='int np_one(void) { return 1; }\nint np_two(int a, int b) { return a; }'
library "$both" 'np_*;' libnumaperf.so.0
exports || complain "good exports were rejected: $(cat output)"
exports_reject 'but not exported' 'int np_one(void) { return 1; }' 'np_*;'
exports_reject 'declared in no public header' "$both\nint np_three(void) { return 3; }" 'np_*;'
exports_reject 'without the prefix' "$both\nint other(void) { return 3; }" 'np_*; other;'
exports_reject 'exported data' "$both\nint np_data = 3;" 'np_*;'
exports_reject 'SONAME is' "$both" 'np_*;' libnumaperf.so.7
exit $failed
