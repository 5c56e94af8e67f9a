#!/bin/sh
# The larger example group_by inside a guest, whose shell is busybox's: it finds what awk finds in a
# file from make_csv, on the guest's real nodes. test_group_by.sh does more of it outside.
set -eu
make_csv 20000 100 >/tmp/rows.csv
group_by /tmp/rows.csv >/tmp/found
awk -F, '{
    v = $3; sub(/\./, "", v); v += 0
    if (!($2 in n) || v < least[$2]) least[$2] = v
    if (!($2 in n) || v > most[$2]) most[$2] = v
    n[$2]++; sum[$2] += v
} END { for (k in n) printf "%s,%d,%d,%d,%d\n", k, n[k], least[k], sum[k], most[k] }' /tmp/rows.csv |
    LC_ALL=C sort -t, -k1,1 >/tmp/expected
[ -s /tmp/found ]
cmp /tmp/expected /tmp/found
echo "group_by and awk agree on $(wc -l </tmp/found) stations"
rm /tmp/rows.csv /tmp/found /tmp/expected
