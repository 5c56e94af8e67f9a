#!/bin/sh
# Goal: the judge of the coverage passes what is enough, and finds every way in which it is not.
# Method: a made-up measurement of one file with ten lines and four branches, with lists of reasons
# that are right and wrong.
# usage: test_coverage_report.sh SOURCE_DIR
set -eu
command -v python3 >/dev/null || {
    echo "skipped: python3 is not installed"
    exit 77
}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
report=$1/tests/coverage/report.py
cd "$root"

# measurement CALLED LINE_10 BRANCH: lines 1 to 9 are reached, line 10 is the function "second".
measurement()
{
    {
        printf '{"files": [{"file": "src/a.c", "functions": ['
        printf '{"name": "first", "lineno": 1, "execution_count": 3},'
        printf '{"name": "second", "lineno": 10, "execution_count": %d}], "lines": [' "$1"
        for line in 1 2 3 4 5 6 7 8 9 10 11; do
            count=3 branches='' excluded=false
            [ $line != 10 ] || count=$2
            [ $line != 11 ] || count=0 excluded=true
            [ $line != 4 ] || branches='{"count": 1, "gcovr/excluded": false},
                {"count": 1, "gcovr/excluded": false}, {"count": 1, "gcovr/excluded": false},
                {"count": '$3', "gcovr/excluded": false}, {"count": 0, "gcovr/excluded": true}'
            [ $line = 1 ] || printf ','
            printf '{"line_number": %d, "count": %d, "branches": [%s], "gcovr/noncode": false,
                "gcovr/excluded": %s}' "$line" "$count" "$branches" "$excluded"
        done
        printf ']}]}\n'
    } >measured.json
}
# passes TEXT arguments, fails TEXT arguments: the report must contain TEXT.
passes()
{
    text=$1
    shift
    "$report" measured.json reasons.txt "$@" >out || {
        cat out
        exit 1
    }
    grep -qF "$text" out || { cat out; echo "not there: $text"; exit 1; }
}
fails()
{
    text=$1
    shift
    if "$report" measured.json reasons.txt "$@" >out; then
        cat out
        echo "passed: $text"
        exit 1
    fi
    grep -qF "$text" out || { cat out; echo "not there: $text"; exit 1; }
}

: >reasons.txt
measurement 1 1 1
passes 'lines 100.00 %, branches 100.00 %: enough'
passes 'counted: coverage | lines of src that a test reaches | 10'
passes '0 unreached lines are explained, 0 are not'

# One line of ten, one branch of four.
measurement 1 0 1
echo 'src/a.c second | it cannot happen' >reasons.txt
fails '90.00 % of the lines are reached, 95 % are asked for'
passes 'src/a.c second (10): it cannot happen' --line 90
measurement 1 1 0
fails '75.00 % of the branches are taken, 90 % are asked for'
passes 'branches 75.00 %: enough' --branch 75

# A line that nobody reaches, or a function that nobody calls, needs a reason, whatever the shares are.
: >reasons.txt
measurement 1 0 1
fails 'no test reaches 10 in second()' --line 50
fails 'src/a.c second (10): no reason given' --line 50
measurement 0 0 1
fails 'no test calls second()' --line 50
echo 'src/a.c second | it cannot happen' >reasons.txt
passes 'src/a.c second (10): it cannot happen' --line 50
passes '1 unreached lines are explained, 0 are not' --line 50

# The list is held to what exists.
echo 'src/a.c third | it is gone' >>reasons.txt
fails 'src/a.c has no function third' --line 50
echo 'src/a.c second |' >reasons.txt
fails 'reasons.txt:1: no "PATH FUNCTION | REASON"' --line 50
printf 'src/a.c second | once\nsrc/a.c second | twice\n' >reasons.txt
fails 'a second entry for second' --line 50

: >reasons.txt
echo '{"files": []}' >measured.json
fails 'nothing was measured'
