#!/bin/bash
# Goal: a bad value in the environment is an error that names variable and value, an option of the
# command line wins over the environment, and good values have their effect. Method: the demo.
# shellcheck source=tests/cli/library.sh
. "$(dirname "$0")/library.sh"
echo "some words" >"$scratch/file"

bad()
{
    expect 1 "$1=$2" env "$1=$2" "$NUMAPERF" demo "$scratch/file"
    says "numaperf: cannot start the workers: "
    says "$1"
    says "$2"
    prints_nothing
}

bad NUMAPERF_STEAL_POLICY nearest
bad NUMAPERF_HARD_MODE hard
bad NUMAPERF_BINDING socket
bad NUMAPERF_WORKER_PER die
bad NUMAPERF_WORKERS_PER_NODE many
bad NUMAPERF_WORKERS_PER_NODE -1
bad NUMAPERF_WORKERS_PER_NODE 99999999999999999999
bad NUMAPERF_NODE_WORKERS 0:x
bad NUMAPERF_NODES 0-
bad NUMAPERF_NODES 0,8000
bad NUMAPERF_NODE_WORKERS 8000:1
bad NUMAPERF_CPUS 0,,x
bad NUMAPERF_CPUS 8000
bad NUMAPERF_STACK_SIZE big
bad NUMAPERF_SPARE_WORKERS some
bad NUMAPERF_GUEST_WORKERS some
bad NUMAPERF_SPIN_NS fast
bad NUMAPERF_GATE_BACKLOG x
bad NUMAPERF_GATE_AGE_NS x
bad NUMAPERF_INBOX_CAPACITY 0
bad NUMAPERF_INBOX_FULL drop
bad NUMAPERF_WATCH_CHANGES yes

# A misspelt name changes nothing, which is said; the shell's own of another spelling are not ours.
expect 0 "a variable that nobody reads" env NUMAPERF_STEAL_POLCY=any NUMAPERF=x "$NUMAPERF" demo "$scratch/file"
says "NUMAPERF_STEAL_POLCY is set, and there is no option of that name"

expect 0 "policy from the environment" env NUMAPERF_STEAL_POLICY=local-only \
    "$NUMAPERF" demo --json "$scratch/file"
prints '"policy": "local-only"'
expect 0 "the option wins" env NUMAPERF_STEAL_POLICY=local-only \
    "$NUMAPERF" demo --json --policy any "$scratch/file"
prints '"policy": "any"'
expect 0 "workers from the environment" env NUMAPERF_WORKERS_PER_NODE=3 \
    "$NUMAPERF" demo --json --synthetic "numa:2 core:2 pu:1" "$scratch/file"
prints '"workers": 6'
expect 0 "the option wins" env NUMAPERF_WORKERS_PER_NODE=3 \
    "$NUMAPERF" demo --json --workers 1 --synthetic "numa:2 core:2 pu:1" "$scratch/file"
prints '"workers": 2'
finish
