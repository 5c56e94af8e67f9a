#!/bin/sh
# Goal: scripts/check-files finds files that are too long, too wide or untidy, and only those.
# usage: test_check_files.sh SOURCE_DIR
set -eu
check=$1/scripts/check-files
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
failed=0

mkdir -p "$root/src" "$root/build"
good()
{
    rm -rf "$root/src"
    mkdir -p "$root/src"
    awk 'BEGIN { for (i = 0; i < 600; i++) print "int x;" }' >"$root/src/longest.c"
    awk 'BEGIN { printf "/* "; for (i = 0; i < 94; i++) printf "x"; print " */" }' >"$root/src/wide.h"
    printf 'all:\n\techo\n' >"$root/Makefile"
    printf '\tbuilt \n' >"$root/build/ignored.c"
}
must_reject()
{
    if "$check" "$root" >"$root/output"; then
        echo "not rejected: $1"
        failed=1
    elif ! grep -q "^$2" "$root/output"; then
        echo "$1: rejected, but not as '$2':"
        cat "$root/output"
        failed=1
    fi
    good
}

good
"$check" "$root" || {
    echo "good files were rejected"
    failed=1
}
echo 'int x;' >>"$root/src/longest.c"
must_reject "601 lines" 'src/longest.c:601: 601 lines'
awk 'BEGIN { printf "/* "; for (i = 0; i < 95; i++) printf "x"; print " */" }' >"$root/src/wide.h"
must_reject "101 columns" 'src/wide.h:1: 101 columns'
printf 'int y; \n' >"$root/src/blank.c"
must_reject "blank at the end" 'src/blank.c:1: blanks'
printf 'int y;\n\tint z;\n' >"$root/src/tab.c"
must_reject "tab" 'src/tab.c:2: a tab'
printf 'int y;' >"$root/src/cut.c"
must_reject "no newline" 'src/cut.c:1: no newline'
exit $failed
