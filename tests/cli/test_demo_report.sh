#!/bin/bash
# Goal: what the demo says beside the counts is true: how many chunks, where they lay and were
# counted, and that accepted options have their effect. Method: the JSON output on made-up machines
# and on this one.
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/library.sh
. "$(dirname "$0")/library.sh"
if ! command -v jq >"$scratch/out"; then
    echo "SKIPPED: jq is not installed"
    exit 77
fi
cd "$scratch" || exit 1
seq 1 30000 >numbers # 168,894 bytes
size=$(wc -c <numbers)

json()
{
    local got
    checks=$((checks + 1))
    got=$(jq -c "$1" out 2>&1)
    [ "$got" = "$2" ] || fail "$1 is '$got', expected '$2'"
}

shape="pack:2 numa:2 core:1 pu:1"
expect 0 "four nodes" "$NUMAPERF" demo --json --chunk 4K --synthetic "$shape" \
    --policy local-only numbers
chunks=$(((size + 4095) / 4096))
json '.total' "{\"lines\":30000,\"words\":30000,\"bytes\":$size}"
json '.run.virtual' true
json '.run.nodes' 4
json '.run.workers' 4
json '.run.policy' '"local-only"'
json '.run.chunks' "$chunks"
json '.run.chunk_bytes' 4096
json '[.chunks[].node]' '[0,1,2,3]'
json '[.chunks[].chunks] | add' "$chunks"
json '[.chunks[].bytes] | add' "$size"
json '[.chunks[].chunks] | max - min <= 1' true
json '[.workers[] | .enforcement] | unique' '["none"]'
json '.report | type' '"object"'

expect 0 "three passes" "$NUMAPERF" demo --json --repeat 3 --workers 2 numbers
json '.total.bytes' "$size"
json '.run.bytes' "$((3 * size))"
json '.run.repeat' 3
json '.run.elapsed_ns > 0' true
json '.run.workers == 2 * .run.nodes' true

# A machine from a file that has sparse node numbers and tells no memory sizes.
expect 0 "sparse nodes" "$NUMAPERF" demo --json --chunk 4K --xml "$here/sparse.xml" numbers
json '.total' "{\"lines\":30000,\"words\":30000,\"bytes\":$size}"
json '[.chunks[] | .node, .memory_node]' '[8,null,252,null]'
expect 0 "sparse nodes" "$NUMAPERF" demo --xml "$here/sparse.xml" numbers
fits

# On this machine: the kernel's own answer says that every page is where it should be.
if [ -e /sys/devices/system/node/node0 ]; then
    expect 0 "this machine" "$NUMAPERF" demo --json --chunk 4K --policy local-only numbers
    json '.run.virtual' false
    json '[.chunks[] | select(.pages != null) | .pages.elsewhere] | add // 0' 0
    json '[.chunks[] | select(.pages != null) | .pages | .home + .unknown == .all] | all' true
    if [ "$(jq '[.workers[].enforcement] | unique == ["strict"]' out)" = true ]; then
        expect 0 "hard mode" "$NUMAPERF" demo --json --hard numbers
        json '.run.hard_mode' '"strict"'
        json '[.chunks[] | select(.bytes > 0) | .enforcement] | unique' '["strict"]'
        expect 0 "one CPU each" "$NUMAPERF" demo --json --hard --binding cpu numbers
        json '[.workers[].cpus | test("^[0-9]+$")] | all' true
    fi
    expect 1 "hard mode without binding" "$NUMAPERF" demo --hard --binding off numbers
    says "numaperf: cannot start the workers: "
    expect 0 "not bound" "$NUMAPERF" demo --json --binding off numbers
    json '[.workers[].enforcement] | unique' '["none"]'
fi

# The text: fits the terminal, holds the counts, the throughput and the report.
expect 0 "text" "$NUMAPERF" demo --synthetic "$shape" numbers
is_silent
fits
prints "numbers"
checks=$((checks + 1))
tr '\n' ' ' <out | grep -qF "4 workers on 4 nodes" || fail "the workers are not named: $(cat out)"
prints "Where the chunks lay"
if grep -q "$(printf '\033')" out; then
    fail "colour, though the output is no terminal"
fi
finish
