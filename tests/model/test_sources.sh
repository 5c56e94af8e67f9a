#!/bin/sh
# sources.sh itself: it finds a look at a source that was added without its name, and one whose name
# was taken away, and lists a new name.
# usage: test_sources.sh FIND_C
set -eu
here=$(cd "$(dirname "$0")" && pwd)
find=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sh "$here/sources.sh" "$find" "$work/good.h"
grep -q 'X(lane_strict)' "$work/good.h"

sed 's,^npi_look npi_sources_look(,static bool look_elsewhere(npi_node *node)\
{\
    return !npi_queue_is_empty(\&node->elsewhere);\
}\
\
&,' "$find" >"$work/unmarked.c"
cmp -s "$find" "$work/unmarked.c" && { echo "the fault was not planted"; exit 1; }
if sh "$here/sources.sh" "$work/unmarked.c" "$work/bad.h" >"$work/said"; then
    echo "a look without a name was not found"
    exit 1
fi
grep -q 'without its name' "$work/said"

sed 's, /\* source: lane_strict \*/,,' "$find" >"$work/nameless.c"
if sh "$here/sources.sh" "$work/nameless.c" "$work/bad.h" >/dev/null; then
    echo "a name that was taken away was not missed"
    exit 1
fi

sed 's,source: lane_strict,source: brand_new,' "$find" >"$work/new.c"
sh "$here/sources.sh" "$work/new.c" "$work/new.h"
grep -q 'X(brand_new)' "$work/new.h"
echo "sources.sh finds what it must find"
