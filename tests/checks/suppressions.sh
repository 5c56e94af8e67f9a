#!/bin/sh
# No checker is told to look away without a reason that is written down: every such place in the tree
# is listed in tests/checks/suppressions.txt, every entry there still exists, and every suppression in
# a file of suppressions has a comment above it. The benchmark's peers are not ours.
# usage: suppressions.sh SOURCE_DIR
set -eu
cd "$1"
list=tests/checks/suppressions.txt
found=$(mktemp)
trap 'rm -f "$found"' EXIT
failed=0

pattern='no_sanitize|NOLINT|cppcheck-suppress|--suppress=|detect_leaks=0|report_bugs=0'
pattern="$pattern|suppressions=|ignorelist|_default_suppressions|__lsan_(ignore|disable)|VALGRIND_[A-Z_]+\\("
pattern="$pattern|(GCOVR|LCOV)_EXCL|(GCC|clang) diagnostic ignored|-Wno-|-fno-sanitize=|exitcode=0"

# What configures the files of suppressions, and what checks this, is no suppression itself.
grep -rnE -e "$pattern" --exclude-dir=.git --exclude-dir=build --exclude-dir='build-*' \
    --exclude-dir=peers --exclude-dir=results . | sed 's,^\./,,' |
    grep -vE '^(tests/checks/(test_)?suppressions\.|tests/memcheck/(memcheck.supp|run.sh|CMake)|cmake/NpTests\.cmake:[0-9]+:    "TSAN)|\.md:' \
        >"$found" || true

while IFS= read -r line; do
    file=${line%%:*}
    if ! awk -F ' [|] ' -v file="$file" -v line="$line" '
        !/^#/ && $1 == file && index(line, $2) && $3 != "" { found = 1 } END { exit !found }' "$list"
    then
        echo "not in $list: $line"
        failed=1
    fi
done <"$found"

grep -vE '^(#|$)' "$list" | while IFS= read -r entry; do
    file=$(printf '%s\n' "$entry" | awk -F ' [|] ' '{ print $1 }')
    text=$(printf '%s\n' "$entry" | awk -F ' [|] ' '{ print $2 }')
    reason=$(printf '%s\n' "$entry" | awk -F ' [|] ' '{ print $3 }')
    if [ -z "$reason" ]; then
        echo "$list: no \"FILE | TEXT | REASON\": $entry"
    elif ! grep -qF -e "$text" "$file" 2>/dev/null; then
        echo "$list: $file does not contain: $text"
    fi
done >"$found.stale"
if [ -s "$found.stale" ]; then
    cat "$found.stale"
    failed=1
fi
rm -f "$found.stale"

# A suppression, or a block of one, follows a comment with no blank line between.
for file in cmake/tsan.supp tests/memcheck/memcheck.supp; do
    [ -e "$file" ] || continue
    awk -v file="$file" '
        /^#/ { commented = 1; next }
        /^[ \t]*$/ { commented = 0; next }
        /^[ \t]/ || /^}/ { next }
        !commented { print file ":" FNR ": no reason above: " $0; bad = 1 }
        END { exit bad }' "$file" || failed=1
done
exit $failed
