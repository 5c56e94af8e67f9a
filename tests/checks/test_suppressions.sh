#!/bin/sh
# Goal: the check of suppressions finds each kind that nobody has explained. Method: a small tree that
# is right, and one fault planted at a time.
# usage: test_suppressions.sh SOURCE_DIR
set -eu
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
check=$1/tests/checks/suppressions.sh

clean_tree()
{
    rm -rf "$root/tree"
    mkdir -p "$root/tree/src" "$root/tree/cmake" "$root/tree/tests/checks" "$root/tree/tests/memcheck"
    cd "$root/tree"
    echo 'int f(void); // NOLINT(some-check)' >src/a.c
    printf '# A list.\n\nsrc/a.c | NOLINT(some-check) | it is like that\n' >tests/checks/suppressions.txt
    printf '# Nothing of ours.\n' >cmake/tsan.supp
    printf '# Theirs.\n{\n   name\n   Memcheck:Leak\n   fun:f\n}\n' >tests/memcheck/memcheck.supp
}
finds()
{
    if sh "$check" "$root/tree" >"$root/out"; then
        echo "not found: $1"
        exit 1
    fi
    grep -qF "$1" "$root/out" || {
        cat "$root/out"
        echo "complains of something else than: $1"
        exit 1
    }
}

clean_tree
sh "$check" "$root/tree"

while IFS= read -r line; do
    clean_tree
    printf '%s\n' "$line" >src/b.c
    finds "src/b.c:1:"
done <<'LINES'
__attribute__((no_sanitize("thread"))) static int g(void);
int g(void); // NOLINT
/* cppcheck-suppress nullPointer */
const char *__tsan_default_suppressions(void);
void __lsan_ignore_object(const void *p);
VALGRIND_DISABLE_ERROR_REPORTING();
#pragma GCC diagnostic ignored "-Wconversion"
/* GCOVR_EXCL_LINE */
set(options "ASAN_OPTIONS=detect_leaks=0")
add_compile_options(-Wno-conversion)
add_compile_options(-fno-sanitize=vptr)
LINES

clean_tree
echo 'int f(void); // NOLINT(another)' >>src/a.c
finds "src/a.c:2:"
clean_tree
echo 'int f(void);' >src/a.c
finds "src/a.c does not contain"
clean_tree
echo 'src/a.c | NOLINT(some-check) |' >tests/checks/suppressions.txt
finds 'no "FILE | TEXT | REASON"'
clean_tree
echo 'race:somebody' >cmake/tsan.supp
finds "cmake/tsan.supp:1: no reason above"
clean_tree
printf '# Theirs.\n{\n   name\n}\n\n{\n   other\n}\n' >tests/memcheck/memcheck.supp
finds "tests/memcheck/memcheck.supp:6: no reason above"
