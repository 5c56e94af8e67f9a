#!/bin/bash
# Goal: every wrong command line gives exit code 2, names what is wrong and says where help is, and
# prints nothing on standard output; every command has help and a version. Method: run them all.
# shellcheck source=tests/cli/library.sh
. "$(dirname "$0")/library.sh"

usage_error()
{
    local words=$1
    shift
    expect 2 "numaperf $*" "$NUMAPERF" "$@" || return
    says "numaperf: "
    says "$words"
    says "Try 'numaperf"
    prints_nothing
}

usage_error "no command given"
usage_error "unknown command ''" ""
usage_error "unknown command 'bogus'" bogus
usage_error "unknown option '--bogus'" --bogus
usage_error "unknown option '-x'" -x
usage_error "option '--bogus'" info --bogus
usage_error "unknown option '-x'" info -x
usage_error "'--json' takes no value" info --json=1
usage_error "'--synthetic' needs a value" info --synthetic
usage_error "'bogus'" info bogus
usage_error "''" info ""
usage_error "'extra' follows 'topology'" info topology extra
usage_error "exclude each other" info --synthetic numa:2 --xml x
usage_error "no help for the unknown command 'bogus'" help bogus
usage_error "one command at most" help info demo
usage_error "option '--bogus'" help --bogus
usage_error "option '--bogus'" demo --bogus
usage_error "no such policy 'nearest'" demo --policy nearest
usage_error "no such policy ''" demo --policy=
usage_error "no such binding 'socket'" demo --binding socket
for value in 0 -1 1025 4294967297 99999999999999999999 two 2x "" " 2"; do
    usage_error "--workers takes a number from 1 to 1024, not '$value'" demo --workers "$value"
done
for value in 0 -1 2G 18446744073709551617 99999999999999999G 1T 1KK K "" "1 K"; do
    usage_error "--chunk takes a size from 1 to 1G, such as 64K, not '$value'" \
        demo --chunk "$value"
done
for value in 0 -1 x ""; do
    usage_error "--repeat takes a number from 1, not '$value'" demo --repeat "$value"
done
usage_error "exclude each other" demo --synthetic numa:2 --xml x
usage_error "exclude each other" demo --json --quiet
usage_error "--hard needs the real machine" demo --hard --synthetic numa:2
usage_error "--repeat needs files" demo --repeat 2 -

for command in "" info demo help "info topology" "info capabilities" "info affinity" \
    "info distances"; do
    for option in --help -h; do
        # shellcheck disable=SC2086
        expect 0 "numaperf $command $option" "$NUMAPERF" $command $option
        prints "usage: numaperf"
        prints "--version"
        is_silent
        fits
    done
    for option in --version -V; do
        # shellcheck disable=SC2086
        expect 0 "numaperf $command $option" "$NUMAPERF" $command $option
        is_silent
        checks=$((checks + 1))
        grep -Eqx 'numaperf [0-9]+\.[0-9]+\.[0-9]+' "$scratch/out" ||
            fail "numaperf $command $option printed: $(cat "$scratch/out")"
    done
done
expect 0 "help" "$NUMAPERF" help
cp "$scratch/out" "$scratch/overview"
expect 0 "--help" "$NUMAPERF" --help
cmp "$scratch/out" "$scratch/overview" || fail "help and --help differ"
for command in info demo help; do
    expect 0 "help $command" "$NUMAPERF" help "$command"
    cp "$scratch/out" "$scratch/page"
    expect 0 "$command --help" "$NUMAPERF" "$command" --help
    cmp "$scratch/out" "$scratch/page" || fail "help $command and $command --help differ"
done
# Every option of the pages is one that the command knows: it must not be called unknown.
for command in info demo; do
    "$NUMAPERF" help "$command" | grep -o -e '--[a-z-]*' | sort -u >"$scratch/options"
    while read -r option; do
        "$NUMAPERF" "$command" "$option" --bogus >"$scratch/out" 2>"$scratch/err"
        ! grep -qF "ambiguous option '$option'" "$scratch/err" ||
            fail "$command does not know $option, which its page lists"
        checks=$((checks + 1))
    done <"$scratch/options"
done
finish
