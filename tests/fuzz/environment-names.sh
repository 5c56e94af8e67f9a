#!/bin/sh
# Every environment variable that the library reads is known to the fuzzer: it stands in its dictionary and in a seed.
# And where it warns of a name that it does not read, it knows them all.
# usage: environment-names.sh ROOT
set -eu
cd "$1"
missing=0
names()
{
    grep -hoE '"NUMAPERF_[A-Z_]+"' "$@" | tr -d '"' | sort -u
}
list=src/executor/environment.c
for name in $(names $(find src -name '*.c' ! -path $list)); do
    for place in tests/fuzz/environment.dict tests/fuzz/corpus/environment $list; do
        if ! grep -rqE "(^|[^A-Z_])$name([^A-Z_]|$)" "$place"; then
            echo "$name, which src/ reads, is not in $place"
            missing=1
        fi
    done
done
for name in $(names $list); do
    if ! names $(find src -name '*.c' ! -path $list) | grep -qx "$name"; then
        echo "$name is in $list, and nobody reads it"
        missing=1
    fi
done
exit $missing
