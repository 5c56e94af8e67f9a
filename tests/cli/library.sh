#!/bin/bash
# shellcheck disable=SC2034
# library.sh - what the command-line tests share; sourced, not run. NUMAPERF names the tool.
#
#   expect STATUS WHAT COMMAND…   runs a command, compares its exit code; stdout and stderr are left
#                                 in $scratch/out and $scratch/err
#   says WORDS / prints WORDS     the last command wrote WORDS to stderr / stdout
#   fail WORDS                    counts a failure
#   finish                        exits with 1 if anything failed
#
# Settings of the caller must not reach the tool.
set -u
: "${NUMAPERF:?names the numaperf program to test}"
for name in $(env | sed -n 's/^\(NUMAPERF_[A-Z_]*\)=.*/\1/p'); do
    unset "$name"
done
unset NO_COLOR
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failures=0
checks=0

fail()
{
    echo "FAILED: $*"
    failures=$((failures + 1))
}

expect()
{
    local want=$1 what=$2 got
    shift 2
    checks=$((checks + 1))
    "$@" >"$scratch/out" 2>"$scratch/err"
    got=$?
    if [ "$got" != "$want" ]; then
        fail "$what: exit code $got, expected $want; it said:"
        head -c 2000 "$scratch/err"
        return 1
    fi
}

says()
{
    checks=$((checks + 1))
    grep -qF -- "$1" "$scratch/err" || fail "'$1' is not in: $(head -c 1000 "$scratch/err")"
}

prints()
{
    checks=$((checks + 1))
    grep -qF -- "$1" "$scratch/out" || fail "'$1' is not in: $(head -c 2000 "$scratch/out")"
}

prints_nothing()
{
    checks=$((checks + 1))
    [ ! -s "$scratch/out" ] || fail "unexpected output: $(head -c 1000 "$scratch/out")"
}

is_silent()
{
    checks=$((checks + 1))
    [ ! -s "$scratch/err" ] || fail "unexpected message: $(head -c 1000 "$scratch/err")"
}

# Every line of the output fits 80 columns. Only for output without colour and file names.
fits()
{
    checks=$((checks + 1))
    awk 'length($0) > 80 { print "FAILED: wider than 80: " $0; bad = 1 } END { exit bad }' \
        "$scratch/out" || failures=$((failures + 1))
}

finish()
{
    echo "$checks checks, $failures failures"
    [ "$checks" -gt 0 ] && [ "$failures" -eq 0 ]
    exit
}
