#!/bin/sh
# Every environment variable that the library reads is known to the fuzzer: it stands in its dictionary and in a seed.
# usage: environment-names.sh ROOT
set -eu
cd "$1"
missing=0
for name in $(grep -rhoE '"NUMAPERF_[A-Z_]+' src --include='*.c' | tr -d '"' | sort -u); do
    for place in tests/fuzz/environment.dict tests/fuzz/corpus/environment; do
        if ! grep -rqE "(^|[^A-Z_])$name([^A-Z_]|$)" "$place"; then
            echo "$name, which src/ reads, is not in $place"
            missing=1
        fi
    done
done
exit $missing
