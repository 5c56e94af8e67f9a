#!/bin/bash
# Goal: group_by finds what awk finds. Method: files from make_csv, of several sizes and numbers of
# stations, on this machine and on a virtual one; the answers are compared byte by byte. And what is
# not such a file is refused.
# usage: test_group_by.sh MAKE_CSV GROUP_BY [LAUNCHER …]
set -eu
make_csv=$1 program=$2
shift 2
launcher=("$@")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
machine='pack:2 numa:2 core:2 pu:1'

group_by()
{
    "${launcher[@]}" "$program" "$@"
}

awk_group_by()
{
    LC_ALL=C awk -F, '{
        v = $3; sub(/\./, "", v); v += 0
        if (!($2 in n) || v < least[$2]) least[$2] = v
        if (!($2 in n) || v > most[$2]) most[$2] = v
        n[$2]++; sum[$2] += v
    } END { for (k in n) printf "%s,%d,%d,%d,%d\n", k, n[k], least[k], sum[k], most[k] }' "$1" |
        LC_ALL=C sort -t, -k1,1
}

compare()
{
    awk_group_by "$work/rows.csv" >"$work/expected"
    group_by "$work/rows.csv" >"$work/real" 2>"$work/slices"
    group_by "$work/rows.csv" "$machine" >"$work/virtual" 2>/dev/null
    cmp "$work/expected" "$work/real"
    cmp "$work/expected" "$work/virtual"
    [ "$(cut -d, -f2 "$work/rows.csv" | sort | uniq -c | wc -l)" = "$(wc -l <"$work/real")" ]
}

for shape in "1 1" "10 3" "5000 100" "200000 10000"; do
    # shellcheck disable=SC2086
    "$make_csv" $shape >"$work/rows.csv"
    compare
done
printf '1,a,0.5' >"$work/rows.csv" # no newline at the end
compare

for bad in 'no commas' '1,a,x' '1,,0.1' '1,a-key-that-is-longer-than-any-key-may-be,0.1' '1,a,12345678.9'; do
    echo "$bad" >"$work/rows.csv"
    if group_by "$work/rows.csv" >/dev/null 2>&1; then
        echo "accepted: $bad"
        exit 1
    fi
done
: >"$work/rows.csv"
[ -z "$(group_by "$work/rows.csv" 2>/dev/null)" ]
if group_by "$work/missing" 2>/dev/null || "$make_csv" x 2>/dev/null; then
    echo "a missing file or a number that is none was accepted"
    exit 1
fi
