#!/bin/sh
# Goal: what a reader copies from a guide compiles without a warning, and a whole program runs.
# Method: extract.awk turns each page into C files; pieces are compiled behind prelude.h, programs are
# linked with the library and started.
# usage: code.sh CC CXX SOURCE_DIR LIBRARY
set -eu
cc=$1 cxx=$2 root=$3 library=$4
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 pieces=0 programs=0
warnings="-Wall -Wextra -Werror"
hwloc=$(pkg-config --cflags hwloc)

for page in "$root"/*.md "$root"/docs/*.md "$root"/examples/*.md; do
    name=${page#"$root"/}
    out=$work/$(printf '%s' "$name" | tr '/.' '__')
    awk -v out="$out" -v page="$name" -f "$here/extract.awk" "$page" || failed=1

    # shellcheck disable=SC2086
    if [ -f "$out.c" ]; then
        pieces=$((pieces + 1))
        "$cc" -std=c11 -D_GNU_SOURCE $warnings -Wno-unused $hwloc -Wunused-result \
            -I"$root/include" -include "$here/prelude.h" -c "$out.c" -o "$work/piece.o" || failed=1
    fi
    for file in "$out"-*.cpp; do
        [ -f "$file" ] || continue
        # shellcheck disable=SC2086
        "$cxx" -std=c++17 $warnings -I"$root/include" -fsyntax-only "$file" || failed=1
    done
    for file in "$out"-program-*.c; do
        [ -f "$file" ] || continue
        programs=$((programs + 1))
        # shellcheck disable=SC2086
        if "$cc" -std=c11 -D_GNU_SOURCE $warnings -I"$root/include" "$file" -o "$file.out" \
            "$library" -Wl,-rpath,"$(dirname "$library")" -pthread; then
            (cd "$work" && "$file.out") || {
                echo "a program in $name failed" >&2
                failed=1
            }
        else
            failed=1
        fi
    done
done
echo "$pieces pages with pieces of C, $programs programs"
[ "$pieces" -gt 0 ] && [ "$programs" -gt 0 ] || {
    echo "nothing was found: the check itself is broken" >&2
    exit 1
}
exit $failed
