#!/bin/bash
# Goal: info says what the machine is, in text of 80 columns and in JSON that parses, for this machine
# and for made-up ones; what cannot be used is an error that names it. Method: compare with the
# system's own files and with the description of the made-up machine.
# shellcheck source=tests/cli/library.sh
. "$(dirname "$0")/library.sh"
here=$(cd "$(dirname "$0")" && pwd)

# json FILTER EXPECTED: the last output as JSON.
json()
{
    local got
    checks=$((checks + 1))
    got=$(jq -c "$1" "$scratch/out" 2>&1)
    [ "$got" = "$2" ] || fail "$1 is '$got', expected '$2'"
}

have_jq=true
if ! command -v jq >"$scratch/out"; then
    echo "SKIPPED: jq is not installed, so JSON is not looked at"
    have_jq=false
fi

# --- this machine
for part in "" topology capabilities affinity distances memory devices; do
    # shellcheck disable=SC2086
    expect 0 "info $part" "$NUMAPERF" info $part
    is_silent
    fits
    checks=$((checks + 1))
    [ -s "$scratch/out" ] || fail "info $part prints nothing"
    if grep -q "$(printf '\033')" "$scratch/out"; then
        fail "info $part: colour, though the output is no terminal"
    fi
done
mine=$(awk '/^Cpus_allowed_list:/ { print $2 }' /proc/self/status)
expect 0 "info affinity" "$NUMAPERF" info affinity
prints "$mine"
one=${mine%%[-,]*}
if command -v taskset >"$scratch/out"; then
    expect 0 "info affinity on one CPU" taskset -c "$one" "$NUMAPERF" info affinity --json
    prints "\"allowed_cpus\": \"$one\""
    prints '"allowed_count": 1'
fi
for node in /sys/devices/system/node/node[0-9]*; do
    [ -e "$node" ] || continue
    expect 0 "info" "$NUMAPERF" info
    checks=$((checks + 1))
    grep -Eq "^ *${node##*/node} " "$scratch/out" || fail "info does not list ${node##*/}"
done

# --- made-up machines
shape="pack:2 numa:2 core:4 pu:2"
for part in "" topology capabilities affinity distances memory devices; do
    # shellcheck disable=SC2086
    expect 0 "info $part, made-up" "$NUMAPERF" info $part --synthetic "$shape"
    is_silent
    fits
done
expect 0 "info topology" "$NUMAPERF" info topology --synthetic "$shape"
prints "24-31"
# Wide matrices come in blocks; the order of the words does not matter.
expect 0 "info distances, 40 nodes" "$NUMAPERF" info --synthetic "pack:40 numa:1 core:1 pu:1" \
    distances
fits
checks=$((checks + 1))
[ "$(grep -c 'FROM' "$scratch/out")" -gt 1 ] || fail "40 nodes in one block"

if $have_jq; then
    for part in "" topology capabilities affinity distances memory devices; do
        # shellcheck disable=SC2086
        expect 0 "info $part --json" "$NUMAPERF" info $part --json
        is_silent
        json 'type' '"object"'
        json '.virtual' false
        # shellcheck disable=SC2086
        expect 0 "info $part --json, made-up" "$NUMAPERF" info $part --json --synthetic "$shape"
        json '.virtual' true
        [ -z "$part" ] || json "keys - [\"numaperf\", \"virtual\"]" "[\"$part\"]"
    done
    expect 0 "info --json" "$NUMAPERF" info --json --synthetic "$shape"
    json 'keys' '["affinity","capabilities","devices","distances","memory","numaperf","topology","virtual"]'
    json '.distances.nodes' '[0,1,2,3]'
    json '.distances.matrix[0][0]' 10
    json '[.capabilities[] | select(.available | not) | (.cost, .remedy) | length > 0] | all' true
    expect 0 "given distances" "$NUMAPERF" info distances --json \
        --synthetic "pack:2 numa:1 core:1 pu:1 | 10 21 21 10"
    json '.distances.matrix' '[[10,21],[21,10]]'
    json '.distances.source' '"given"'
fi

# --- a machine from a file: sparse node numbers, no memory sizes
sparse=$here/sparse.xml
for part in "" topology capabilities affinity distances memory devices; do
    # shellcheck disable=SC2086
    expect 0 "info $part --xml" "$NUMAPERF" info $part --xml "$sparse"
    is_silent
    fits
done
expect 0 "info topology --xml" "$NUMAPERF" info topology --xml "$sparse"
checks=$((checks + 1))
grep -Eq '^ *252 +1 +1 +1 +none' "$scratch/out" || fail "node 252 is not there: $(cat "$scratch/out")"
if $have_jq; then
    expect 0 "info distances --xml" "$NUMAPERF" info distances --json --xml "$sparse"
    json '.distances | [.nodes, .matrix]' '[[8,252],[[10,21],[21,10]]]'
fi
sed 's/10 21 21 10/10 5 5 10  /' "$sparse" >"$scratch/odd.xml"
expect 0 "distances that make no sense" "$NUMAPERF" info distances --xml "$scratch/odd.xml"
says "numaperf: the distance table says 5 from node 8 to node 252"
prints "assumed"

# --- memories and devices of a file
rich=$here/../topology/memory-attributes.xml
for part in "" memory devices; do
    # shellcheck disable=SC2086
    expect 0 "info $part --xml, with figures" "$NUMAPERF" info $part --xml "$rich"
    is_silent
    fits
done
prints "0000:81:00.0"
expect 0 "info memory --xml" "$NUMAPERF" info memory --xml "$rich"
prints "350000"
prints "HBM"
if $have_jq; then
    expect 0 "info memory --json" "$NUMAPERF" info memory --json --xml "$rich"
    json '.memory.source' '"given"'
    json '[.memory.figures[] | select(.from == 0 and .to == 2) | .latency, .bandwidth]' '[120,350000]'
    expect 0 "info devices --json" "$NUMAPERF" info devices --json --xml "$rich"
    json '[.devices[] | [.kind, .name, .node]]' \
        '[["network","enp129s0",1],["block","nvme0n1",null]]'
fi

expect 0 "info memory without figures" "$NUMAPERF" info memory --synthetic "numa:2 core:1 pu:1"
prints "numaperf info distances"
fits

# --- what cannot be used
for nonsense in nonsense "" "numa" "numa:0" "numa:-1" "numa:2 |" "numa:2 core:1 pu:1 | 10" \
    "numa:99999999999999999999" "numa:100000 core:100000" "$(printf 'numa:2\001')"; do
    expect 1 "info --synthetic '$nonsense'" "$NUMAPERF" info --synthetic "$nonsense"
    says "numaperf: cannot use the synthetic machine '$nonsense': "
    prints_nothing
done
expect 1 "an XML file that is not there" "$NUMAPERF" info --xml "$scratch/not-there"
says "$scratch/not-there"
: >"$scratch/empty.xml"
expect 1 "an empty XML file" "$NUMAPERF" info --xml "$scratch/empty.xml"
says "$scratch/empty.xml"
head -c 4096 /dev/urandom >"$scratch/noise.xml"
expect 1 "noise for an XML file" "$NUMAPERF" info --xml "$scratch/noise.xml"
says "$scratch/noise.xml"
expect 1 "a directory for an XML file" "$NUMAPERF" info --xml "$scratch"
says "$scratch"
finish
