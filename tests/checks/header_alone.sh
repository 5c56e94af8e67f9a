#!/bin/sh
# Goal: every public header can be included first and alone, in every language a user may compile it
# with, without a warning. Method: a file of one #include (twice, for the guard) is compiled with
# pedantic warnings as errors.
# usage: header_alone.sh CC CXX INCLUDE_DIR HEADER
set -eu
cc=$1 cxx=$2 include=$3 header=$4

common="-fsyntax-only -pedantic -Werror -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wundef
    -Wcast-qual -Wpointer-arith -Wformat=2 -Wvla"
c_only="-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition"
cxx_only="-Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual"

source=$(mktemp)
trap 'rm -f "$source"' EXIT
printf '#include <%s>\n#include <%s>\nint np_header_check_dummy;\n' "$header" "$header" >"$source"
failed=0
for standard in c99 c11 c17 gnu11 c++11 c++14 c++17 c++20; do
    case $standard in
    c++*) command="$cxx -x c++ $cxx_only" ;;
    *) command="$cc -x c $c_only" ;;
    esac
    # shellcheck disable=SC2086
    if ! $command -std=$standard $common -I"$include" "$source"; then
        echo "<$header> does not compile alone as $standard" >&2
        failed=1
    fi
done
exit $failed
