#!/bin/sh
# Goal: nothing in src/os enters the kernel, and nothing allocates, without asking the fault
# injector's table first (base/hook.h). Method: in the machine code, every function that executes a
# system call or calls the C library for one must also read npi_hook_table; and no object may name a
# function that is in neither list below. Parts that the compiler splits off a function count as
# that function.
# usage: hooked_calls.sh OBJECT…      (…/src/<layer>/<file>.o; looks at base and os)
set -eu
# Enter the kernel, or may allocate: must be asked.
hooked='mmap(64)?|munmap|mremap|fstat(64)?|madvise|open(64)?|openat(64)?|read|pread(64)?|write|close|access|getrlimit(64)?|
getcpu|syscall|malloc|calloc|realloc|aligned_alloc|posix_memalign|pthread_(create|join|sigmask|
attr_init|setname_np|getattr_np|key_create|setspecific|atfork|mutex_[a-z]+|cond_[a-z]+)|poll|ppoll|
epoll_[a-z0-9]+|eventfd|inotify_[a-z0-9]+|pipe2?|mlock|munlock|mremap|mprotect|sched_[a-z]+|
fopen(64)?|fread|fgets|opendir|readdir(64)?|stat(64)?|fstat(64)?|readlink|fcntl(64)?|ioctl|prctl|
sigaction|timer_[a-z]+|dl_iterate_phdr|dlopen|getauxval'
hooked=$(printf '%s' "$hooked" | tr -d '\n')
# Need not be. The clock is read from the vDSO, on paths that must stay free of a load; the others
# do not enter the kernel, or cannot fail: free, the destructor of a key at unload.
free='mem[a-z]+|str[a-z_]+|v?snprintf|__errno_location|__stack_chk_fail|__tls_get_addr|
_GLOBAL_OFFSET_TABLE_|__(mem|str|v?snprintf)[a-z]*_chk|__gcov_[a-z_]*|__[a-z]*[td]i[0-9]|clock_gettime|sysconf|
secure_getenv|environ|free|abort|pthread_(self|attr_destroy|attr_getstack|attr_getstacksize|attr_setstacksize|key_delete)|
sigfillset|sigdelset|sigemptyset|sigaddset|np_.*|npi_.*'
free=$(printf '%s' "$free" | tr -d '\n')

for object in "$@"; do
    case $object in
        */src/os/* | */src/base/*) ;;
        *) continue ;;
    esac
    echo "object $object"
    nm -u "$object" | awk '{ sub(/@.*/, "", $NF); print "needs", $NF }'
    objdump -dr --no-show-raw-insn "$object"
done | awk -v hooked="^($hooked)\$" -v free="^($free)\$" '
function wrong(what)
{
    printf "src/%s: %s\n", file, what
    violations++
}
function close_object(  i)
{
    for (i in enters)
        if (!(i in asks) && i !~ exempt)
            wrong(i " " enters[i] " without asking npi_hook_table")
    delete enters
    delete asks
}
# The allocator behind the seam: npi_alloc, which asks, is its one caller.
BEGIN { exempt = "^default_allocate$" }
$1 == "object" {
    close_object()
    file = $2
    sub(/.*\/src\//, "", file)
    sub(/\.o$/, "", file)
    seen++
    next
}
$1 == "needs" {
    if ($2 !~ hooked && $2 !~ free)
        wrong("calls " $2 ", which is in no list of this test: does it enter the kernel?")
    next
}
/^[0-9a-f]+ <.*>:$/ {
    name = $2
    gsub(/[<>:]/, "", name)
    sub(/\.(cold|part|isra|constprop)(\..*)?$/, "", name)
    next
}
/R_(X86_64|AARCH64)_/ {
    symbol = $NF
    sub(/[-+]0x[0-9a-f]+$/, "", symbol)
    if (symbol == "npi_hook_table")
        asks[name] = 1
    else if (symbol ~ hooked)
        enters[name] = "calls " symbol
    next
}
$2 == "syscall" || $2 == "svc" { enters[name] = "executes a system call" }
END {
    close_object()
    if (!seen) { print "no object of src/os or src/base: the check itself is broken"; exit 1 }
    exit violations > 0
}'
