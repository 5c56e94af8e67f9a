#!/bin/bash
# Runs a test program under memcheck; fails if it fails, or if valgrind has anything to say about it or
# about one of its child processes, whose exit codes the program need not pass on.
# usage: run.sh VALGRIND SUPPRESSIONS PROGRAM [argument…]
set -u
valgrind=$1 suppressions=$2
shift 2
if [ ! -x "$valgrind" ]; then
    echo "skipped: valgrind is not installed"
    exit 77
fi
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

"$valgrind" --tool=memcheck --quiet --fair-sched=try --suppressions="$suppressions" \
    --leak-check=full --show-leak-kinds=definite,indirect \
    --errors-for-leak-kinds=definite,indirect --track-fds=no --num-callers=20 \
    --log-file="$logs/%p" "$@" 2>&1 | tee "$logs/output"
status=${PIPESTATUS[0]}

# cmocka's own count of what ran.
cases=$(sed -n 's/^\[==========\] \([0-9]*\) test(s) run\.$/\1/p' "$logs/output" | tail -n 1)
rm "$logs/output"
if [ -n "$(find "$logs" -type f -size +0)" ]; then
    cat "$logs"/*
    echo "memcheck: errors (replay: $valgrind --suppressions=$suppressions --leak-check=full $*)"
    exit 1
fi
[ "$status" = 0 ] || exit "$status"
[ -z "$cases" ] || echo "counted: memcheck | unit tests without a memory error | $cases"
