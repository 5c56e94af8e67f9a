#!/bin/sh
# Goal: on a real kernel with several nodes the tool finds the machine as it is, and the demo's
# chunks and workers are, in strict mode, where they should be. Method: the truth about the guest
# from its environment, wc for the counts, and the kernel's answers in the demo's JSON. Run by
# busybox's shell inside the guest.
set -u
[ "${NP_GUEST:-}" = 1 ] || { echo "not inside a guest"; exit 77; }
tool=/np/bin/numaperf
[ -x "$tool" ] || { echo "the tool was not built"; exit 77; }
mkdir -p /tmp/guest_tool && cd /tmp/guest_tool || exit 1
failures=0

fail()
{
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# values KEY FILE: the values of a key in our JSON, which has one key per line, separated by blanks.
values()
{
    sed -n "s/^ *\"$1\": \(.*[^,]\),*\$/\1/p" "$2" | tr '\n' ' ' | sed 's/ $//'
}

# How many of the nodes with CPUs have one that is allowed.
in_list()
{
    echo ",$2," | grep -q ",$1,"
}
nodes=0
for node in $(echo "$NP_GUEST_CPU_NODES" | tr ',' ' '); do
    cpus=$(echo "$NP_GUEST_NODE_CPUS" | cut -d ';' -f $((node + 1)) | tr ',' ' ')
    for cpu in $cpus; do
        if in_list "$cpu" "$NP_GUEST_ALLOWED_CPUS"; then
            nodes=$((nodes + 1))
            break
        fi
    done
done

for part in "" topology capabilities affinity distances memory devices; do
    # shellcheck disable=SC2086
    "$tool" info $part >out 2>err || fail "info $part: $(cat err)"
    # shellcheck disable=SC2086
    "$tool" info $part --json >out 2>err || fail "info $part --json: $(cat err)"
done
"$tool" info
"$tool" info capabilities

seq 1 60000 >numbers
expected=$(wc <numbers | awk '{ print $1, $2, $3 }')
chunks=$((($(wc -c <numbers) + 4095) / 4096))
for policy in local-only local-then-socket-then-remote any; do
    if ! "$tool" demo --hard --json --chunk 4K --policy $policy numbers >out 2>err; then
        fail "demo --hard --policy $policy: $(cat err)"
        continue
    fi
    got=$(awk '/"total"/ { t = 1 } t && /"(lines|words|bytes)"/ { gsub(/[^0-9]/, ""); print }' out |
        head -n 3 | tr '\n' ' ')
    [ "$got" = "$expected " ] || fail "$policy: counted $got, expected $expected"
    [ "$(values nodes out | awk '{ print $1 }')" = "$nodes" ] ||
        fail "$policy: $(values nodes out) nodes, expected $nodes"
    sum=$(awk '/"chunks": \[/ { t = 1 } /"report"/ { t = 0 }
               t && /"chunks": [0-9]/ { gsub(/[^0-9]/, ""); n += $0 } END { print n + 0 }' out)
    [ "$sum" = "$chunks" ] || fail "$policy: $sum chunks, expected $chunks"
    for value in $(values elsewhere out) $(values not_present out); do
        [ "$value" = 0 ] || fail "$policy: pages away from home or missing: $value"
    done
    bad=$(values enforcement out | tr -d '"' | tr ' ' '\n' | grep -vc '^strict$')
    [ "$bad" = 0 ] || fail "$policy: not everything is strict: $(values enforcement out)"
    # Under local-only every counting task ran on the node of its chunk.
    if [ $policy = local-only ]; then
        "$tool" demo --hard --chunk 4K --policy $policy numbers || fail "the text report"
        remote=$(values executed_away out | tr ' ' '\n' | awk '{ n += $1 } END { print n + 0 }')
        [ "$remote" = 0 ] || fail "local-only: $remote tasks ran away from home"
    fi
done
[ "$failures" -eq 0 ]
