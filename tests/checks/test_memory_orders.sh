#!/bin/sh
# Goal: memory_orders.sh finds a function that the page does not name, and a name without a function.
# Method: a copy of the real sources and page; each fault is planted alone and must be reported.
# usage: test_memory_orders.sh SOURCE_DIR
set -eu
check=$1/tests/checks/memory_orders.sh
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir "$root/docs"
cp -r "$1/src" "$1/include" "$root/"
cp "$1/docs/memory-orders.md" "$root/docs/"
failed=0

bash "$check" "$root" || {
    echo "the real sources were rejected"
    failed=1
}

# must_say TEXT FILE LINES: LINES appended to FILE, alone, make the check fail and say TEXT.
must_say()
{
    cp "$root/$2" "$root/saved"
    printf '%b\n' "$3" >>"$root/$2"
    if output=$(bash "$check" "$root"); then
        echo "not found: $3"
        failed=1
    elif ! printf '%s\n' "$output" | grep -qF "$1"; then
        echo "found, but not said ($1): $output"
        failed=1
    fi
    mv "$root/saved" "$root/$2"
}

must_say 'src/sync/queue.c: npi_new_edge orders' src/sync/queue.c \
    'void npi_new_edge(void)\n{\n    npi_fence_seq_cst();\n}'
must_say 'src/sync/wake.h: npi_new_look orders' src/sync/wake.h \
    'static inline bool npi_new_look(void)\n{\n    return npi_load_acquire(&word) != 0;\n}'
must_say 'src/os/lock.h: new_swap orders' src/os/lock.h \
    'static __attribute__((noinline)) int new_swap(int a,\n   int b)\n{\n    npi_cas_weak_relaxed(p, e, d);\n}'
must_say 'names npi_gone' docs/memory-orders.md '`npi_gone`'
exit $failed
