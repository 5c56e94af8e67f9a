#!/bin/sh
# Goal: the shared library offers exactly what its headers declare, under its version node, with the
# promised SONAME, and it cannot print, exit or change the process. Method: the compiler lists the
# functions the public headers declare, nm lists what the library exports and what it needs.
# usage: exported_symbols.sh CC LIBRARY INCLUDE_DIR SONAME
set -eu
cc=$1 library=$2 include=$3 soname=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

(cd "$include" && find . -name '*.h' | sed 's,^\./\(.*\),#include <\1>,' | LC_ALL=C sort) \
    >"$work/all.c"
"$cc" -std=c11 -fsyntax-only -I"$include" -aux-info "$work/functions" "$work/all.c"
sed -n "s,^/\* $include/[^*]*\*/ extern .*[ *(]\(np_[A-Za-z0-9_]*\) (.*,\1,p" "$work/functions" |
    sort -u >"$work/declared"
nm -D --defined-only "$library" | sed 's/@.*//' | awk '$2 != "A" { print $3 }' |
    sort -u >"$work/exported"
[ -s "$work/declared" ] || {
    echo "no declared function was found: the check itself is broken" >&2
    exit 1
}

complain()
{
    if [ -s "$work/list" ]; then
        echo "$1:" >&2
        sed 's/^/    /' "$work/list" >&2
        failed=1
    fi
}

comm -23 "$work/declared" "$work/exported" >"$work/list"
complain "declared in a public header, but not exported"
comm -13 "$work/declared" "$work/exported" >"$work/list"
complain "exported, but declared in no public header"
grep -v '^np_' "$work/exported" >"$work/list" || true
complain "exported without the prefix"
nm -D --defined-only "$library" | awk '$2 ~ /[BDRVGSC]/ { print $3 }' >"$work/list"
complain "exported data (only functions may be)"
nm -D --defined-only "$library" | awk '$2 != "A" && $3 !~ /@@NUMAPERF_0$/ { print $3 }' \
    >"$work/list"
complain "exported outside the version node NUMAPERF_0"

actual=$(readelf -d "$library" | sed -n 's/.*(SONAME).*\[\(.*\)\].*/\1/p')
[ "$actual" = "$soname" ] || {
    echo "SONAME is $actual, expected $soname" >&2
    failed=1
}
if readelf -d "$library" | grep -q TEXTREL; then
    echo "the library has text relocations" >&2
    failed=1
fi
exit $failed
