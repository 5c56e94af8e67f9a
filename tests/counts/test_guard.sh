#!/bin/bash
# Goal: the guard counts what is there, and fails when a count is above its limit.
# Method: a stretch of known counts; then limits that are too low, one kind at a time, too high,
# absent, and for what is not counted.
# usage: test_guard.sh PROGRAMS COMPILER
set -eu
here=$(dirname "$0")
programs=$1 compiler=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

bash "$here/count.sh" measure "$programs" "$dir" known || exit $?
known=$(bash "$here/count.sh" table "$dir" known | awk '$2 == "known" { print $5, $6, $7, $8 }')
if [ "$known" != "2 2 1 1" ]; then
    echo "two read-modify-writes, two fences, a system call and an allocation: counted as $known"
    failed=1
fi
# The same step in turns fetches what outside-turns does, and the known lines beside it.
bash "$here/count.sh" lines "$dir" known | awk '
    $5 ~ /known_inside/ || $5 ~ /known_outside/ { lines[$2] += $4 }
    END {
        if (lines["run"] < 1.9 || lines["run"] > 2.1 || lines["submit"] < 0.9 || lines["submit"] > 1.1) {
            print "two lines for the worker, one for the submitter: counted as", lines["run"], lines["submit"]
            exit 1
        }
    }' || failed=1

bash "$here/count.sh" measure "$programs" "$dir" wake
rm "$dir/known.tsv"

# must "what was done to the limits" "what the guard says" pass|fail [COMPILER]
must()
{
    local done=$1 expected=$2 wanted=$3 outcome=pass
    bash "$here/count.sh" check "$dir" "$dir/limits" "${4:-$compiler}" wake >"$dir/output" 2>&1 ||
        outcome=fail
    if [ "$outcome" != "$wanted" ]; then
        echo "$done: the guard says $outcome"
        cat "$dir/output"
        failed=1
    elif [ "$(cat "$dir/output")" != "$expected" ] &&
        ! grep -qF -e "${expected:-.}" "$dir/output"; then
        echo "$done: without '$expected':"
        cat "$dir/output"
        failed=1
    fi
}

# The limits with the field of "wake submit" changed by an awk expression of its old value x.
with()
{
    awk -v field="$1" '$1 == "wake" && $2 == "submit" { x = $field; $field = '"$2"' } { print }' \
        "$dir/measured" >"$dir/limits"
}

{
    echo "# compiler: $compiler"
    bash "$here/count.sh" table "$dir" wake | sed 1d
} >"$dir/measured"
with 3 x
must "nothing" "" pass # and nothing is said
with 3 'int(x * 0.95)'
must "5 % fewer instructions" "wake submit: instructions per step" fail
must "the same, by another compiler" "instructions are not compared" pass "another 1"
with 4 'x - 5'
must "five instructions of statistics fewer" "wake submit: statistics per step" fail
with 3 'int(x * 1.05)'
must "5 % more instructions" "wake submit: instructions per step have fallen" pass
with 5 'x - 1'
must "one read-modify-write fewer" "wake submit: rmw per step" fail
with 5 'x + 1'
must "one read-modify-write more" "wake submit: rmw per step have fallen" pass
with 6 'x - 1'
must "one fence fewer" "wake submit: fences per step" fail
with 7 'x - 1'
must "one system call fewer" "wake submit: syscalls per step: 1, the limit is 0" fail
with 8 'x - 1'
must "one allocation fewer" "wake submit: allocations per step" fail
with 9 'x - 1'
must "one line fewer" "wake submit: lines per step" fail
with 2 '"other"'
must "no limit" "wake submit: no limit" fail
must "a limit of nothing" "wake other: has a limit and was not counted" fail
exit $failed
