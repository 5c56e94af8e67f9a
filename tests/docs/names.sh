#!/bin/sh
# Goal: every public function, status code, counter, capability and environment variable is explained
# in some guide, and no guide speaks of one that does not exist.
# Method: the names in the headers are compared with the names in the pages.
# usage: names.sh CC SOURCE_DIR
set -eu
cc=$1
cd "$2"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
cat README.md docs/*.md >"$work/text"

complain()
{
    if [ -s "$work/list" ]; then
        echo "$1:" >&2
        sed 's/^/    /' "$work/list" >&2
        failed=1
    fi
}

# What the headers have: declared functions by the compiler, everything else by its spelling.
hwloc=$(pkg-config --cflags hwloc)
printf '#include <numaperf.h>\n#include <numaperf/hwloc.h>\n' >"$work/all.c"
# shellcheck disable=SC2086
"$cc" -std=c11 -E -P $hwloc -Iinclude "$work/all.c" |
    grep -oE '\bnp_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u >"$work/functions"
cat include/numaperf/*.h | grep -oE '\b(np|NP|NUMAPERF)_[A-Za-z0-9_]+' | sort -u >"$work/known"
"$cc" -std=c11 -E -P -Iinclude include/numaperf.h |
    grep -oE '\b(np|NP)_[A-Za-z0-9_]+' | sort -u >>"$work/known"
sort -u -o "$work/known" "$work/known"
{
    grep -ohE 'X\(NP_ERR_[A-Z_]+' include/numaperf/*.h | sed 's/^X(//'
    grep -E '^NUMAPERF_[A-Z_]+$' "$work/known" | grep -v '_H$'
} | sort -u >"$work/codes"
sed -n 's/.*X(NP_CO[A-Z_]*, "\([a-z_]*\)".*/\1/p; s/.*X(NP_CAP[A-Z_]*, "\([a-z0-9_]*\)".*/\1/p' \
    include/numaperf/*.h | sort -u >"$work/keys"
for list in functions codes keys; do
    [ -s "$work/$list" ] || {
        echo "no $list were found: the check itself is broken" >&2
        exit 1
    }
done

# What the pages have. A name that ends in "_" or "_…" stands for a family.
grep -oE '\b(np|NP|NUMAPERF)_[A-Za-z0-9_]+' "$work/text" | sort -u >"$work/mentioned"
grep -oE '\b[a-z][a-z0-9_]+' "$work/text" | sort -u >"$work/words"

comm -23 "$work/functions" "$work/mentioned" >"$work/list"
complain "public functions that no guide mentions"
comm -23 "$work/codes" "$work/mentioned" >"$work/list"
complain "status codes and environment variables that no guide mentions"
comm -23 "$work/keys" "$work/words" >"$work/list"
complain "counters and capabilities that no guide mentions"

# Build options, the guests' variables and names for people who work on the inside are of other files.
grep -rohE '\b(np|NP|NUMAPERF)_[A-Za-z0-9_]+' CMakeLists.txt cmake Makefile scripts src tools tests/guest |
    sort -u >"$work/others"
comm -23 "$work/mentioned" "$work/known" | comm -23 - "$work/others" | grep -v '_$' \
    >"$work/list" || true
complain "names in the guides that do not exist"
echo "$(wc -l <"$work/functions") functions, $(wc -l <"$work/codes") codes and variables," \
    "$(wc -l <"$work/keys") keys"
exit $failed
