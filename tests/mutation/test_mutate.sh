#!/usr/bin/env bash
# Tests the runner of planted bugs on a toy of one function: it must tell caught from not caught, by
# exit code, crash and hang, notice an entry that has become stale, a program that fails without any
# mutation, and a reason for surviving that is no longer true; and it must leave the tree alone.
#
# usage: test_mutate.sh PYTHON
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=$1
toy=$(mktemp -d)
trap 'rm -rf "$toy"' EXIT
mkdir "$toy/source"
cat >"$toy/source/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(toy C)
add_executable(toy toy.c)
END
cat >"$toy/source/toy.c" <<'END'
#include <stdio.h>
#include <string.h>
static int twice(int x)
{
    return 2 * x;
}
int main(int argc, char **argv)
{
    for (int seed = 0; seed < 10; seed++)
        if (argc > 1 && strcmp(argv[1], "strict") == 0 && twice(seed) != seed + seed) {
            printf("failed after %d seeds\n", seed + 1);
            return 1;
        }
    return argc > 1 && strcmp(argv[1], "broken") == 0;
}
END
cp -r "$toy/source" "$toy/before"

# mutate NAME: runs the entry that stands on stdin, output to $toy/NAME.out, prints the exit code
mutate()
{
    local code=0
    { echo "mutation $1"; echo "why a test"; cat; } >"$toy/$1.list"
    "$python" "$here/mutate.py" --source "$toy/source" --work "$toy/work" --list "$toy/$1.list" \
        --results "$toy/$1.md" >"$toy/$1.out" 2>&1 || code=$?
    echo "$code"
}

# expect NAME CODE TEXT
expect()
{
    local code
    code=$(mutate "$1")
    if [ "$code" != "$2" ] || ! grep -qF -- "$3" "$toy/$1.out"; then
        echo "$1: exit $code, expected $2 and \"$3\" in:"
        cat "$toy/$1.out"
        exit 1
    fi
}

change()
{
    printf 'file toy.c\nold\n|%s\nnew\n|%s\n' "$1" "$2"
}

{ change '2 * x' '3 * x'; echo "by unit toy strict"; } | expect caught 0 "exit 1           after 2"
grep -qF 'counted: mutation | caught | 1' "$toy/caught.out"
grep -qF '| caught | toy.c | unit toy | exit 1 | 2 |' "$toy/caught.md"
{ change '2 * x' '3 * x'; echo "by unit toy"; } | expect missed 1 "NOT CAUGHT by unit toy"
grep -qF 'counted: mutation | caught | 0' "$toy/missed.out"
{ change '2 * x' '*(volatile int *)0 * x'; echo "by unit toy strict"; } | expect crash 0 "SIGSEGV"
{
    change 'return 2' 'for (volatile int i = 0; i == 0;) {} return 2'
    echo "by unit toy strict"
    echo "timeout 1"
} | expect hang 0 "hangs (1 s)"
{ change 'no such text' 'x'; echo "by unit toy strict"; } | expect stale 1 "occurs 0 times"
{ change 'seed' 'grain'; echo "by unit toy strict"; } | expect twice 1 "times in toy.c"
{ change '2 * x' '3 * '; echo "by unit toy strict"; } | expect unbuilt 1 "build fails"
{ change '2 * x' '3 * x'; echo "by unit toy broken"; } | expect baseline 1 "fails without any mutation"
{ change '2 * x' 'x * 2'; echo "survives it is the same"; } | expect survivor 0 \
    'counted: mutation | survive for a stated reason | 1'
{ change '2 * x' '3 * x'; echo "survives no longer"; echo "by unit toy strict"; } |
    expect found 1 "is said to survive, but toy finds it"
{ change '2 * x' '3 * x'; echo "by unit other"; } | expect absent 77 "SKIPPED: there is no program unit other"
{ change '2 * x' '3 * x'; } | expect nobody 1 "nobody has to catch it"

diff -r "$toy/source" "$toy/before"
echo "the runner tells caught, missed, stale, broken and surviving apart"
