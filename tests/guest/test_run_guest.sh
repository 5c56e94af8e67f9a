#!/bin/sh
# Goal: run-guest never reports success for a run that did not succeed. Method: make guests fail in
# each way there is (a program's status, a program that hangs, a panic, a power-off in the middle,
# a guest that never ends, no qemu, a bad shape) and compare the exit status and the words.
# usage: test_run_guest.sh BUILD-DIR
set -u
guest_dir=$(cd "$(dirname "$0")" && pwd)
build=$1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failures=0

# expect STATUS WORDS ARGUMENT…: runs run-guest and checks its status and that WORDS were printed.
expect() {
    want=$1 words=$2
    shift 2
    "$guest_dir/run-guest" "$@" >"$scratch/output" 2>&1
    got=$?
    if [ "$got" = 77 ] && [ "$want" != 77 ]; then
        cat "$scratch/output"
        exit 77
    fi
    if [ "$got" = "$want" ] && grep -q -- "$words" "$scratch/output"; then
        echo "ok: $words ($got)"
    else
        echo "FAILED: run-guest $*: status $got, expected $want and '$words' in:"
        sed 's/^/  /' "$scratch/output"
        failures=$((failures + 1))
    fi
}

# expect_run STATUS WORDS ARGUMENT…: the same for a run in the smallest guest. Its reports of
# intended failures are of no interest later.
expect_run() {
    want=$1 words=$2
    shift 2
    expect "$want" "$words" one-node --build "$build" --reports "$scratch" "$@"
}

expect 2 usage
expect 2 "unknown option '--nonsense'" one-node --nonsense
expect 1 "no shape 'nowhere'" nowhere
expect 0 four-nodes --list

# Programs that end in every way there is. Each verdict counts, and what failed is named and shown.
program() {
    printf '#!/bin/sh\n%s\n' "$2" >"$scratch/$1"
    chmod +x "$scratch/$1"
}
program passes.sh 'exit 0'
program skips.sh 'echo no reason; exit 77'
program fails.sh 'echo the cause of it; exit 3'
program hangs.sh 'sleep 100'
program dies.sh 'kill -SEGV $$'
expect_run 0 "1 passed, 0 failed, 1 skipped" "$scratch/passes.sh" "$scratch/skips.sh"
expect_run 1 "1 passed, 3 failed, 1 skipped.*failed: fails.sh hangs.sh dies.sh" \
    --program-timeout 2 "$scratch/passes.sh" "$scratch/skips.sh" "$scratch/fails.sh" \
    "$scratch/hangs.sh" "$scratch/dies.sh"
grep -q "the cause of it" "$scratch/output" || {
    echo "FAILED: the output of what failed is not shown"
    failures=$((failures + 1))
}
expect_run 1 "did not finish" -- sh -c 'echo c >/proc/sysrq-trigger'
# A guest that prints what a good run prints, without being one.
expect_run 1 "did not finish" -- \
    sh -c 'echo "DONE 0 1 0 0" >/dev/ttyS1; echo "=== one-node: 1 passed"; poweroff -f'
expect_run 1 "the limit of 2 s" --timeout 2 -- true
[ -n "$(ls "$scratch"/one-node.failed-*.report)" ] || {
    echo "FAILED: no report of a failed run was kept"
    failures=$((failures + 1))
}

# Without qemu in the path the run is skipped, and says so.
mkdir "$scratch/bin"
for tool in sh dirname basename uname tr awk ls cat sed grep; do
    ln -s "$(command -v "$tool")" "$scratch/bin/$tool"
done
PATH=$scratch/bin expect_run 77 "SKIPPED.*qemu" -- true

[ "$failures" = 0 ] || echo "$failures failed"
[ "$failures" = 0 ]
