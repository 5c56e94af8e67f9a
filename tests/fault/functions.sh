#!/bin/sh
# Writes the functions that a library exports in lines, for the test to read.
# usage: functions.sh LIBRARY FILE
set -eu
nm -D --defined-only "$1" | sed 's/@.*//' | awk '$2 == "T" { print $3 }' |
    LC_ALL=C sort -u >"$2"
[ -s "$2" ] || { echo "$1 exports nothing: the list itself is broken" >&2; exit 1; }
