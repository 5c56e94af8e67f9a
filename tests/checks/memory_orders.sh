#!/bin/bash
# Compares docs/memory-orders.md with the sources: every function in src/ that orders memory must be
# named on the page, and every function that the page names in code marks must exist.
#
# usage: memory_orders.sh [SOURCE_ROOT]
set -u
root=${1:-$(cd "$(dirname "$0")/../.." && pwd)}
page=$root/docs/memory-orders.md
failed=0

# "file function" for each use of a named operation that is not relaxed. A function's name stands
# before the bracket of a line that begins in the first column.
ordering_functions()
{
    find "$root/src" -name '*.[ch]' ! -path '*/base/atomic.h' | sort | xargs awk '
        FNR == 1 { fn = "(none)" }
        /^[A-Za-z_].*\(/ && !/;[ ]*$/ && !/^typedef/ {
            line = $0
            gsub(/__attribute__\(\([^()]*(\([^()]*\))?[^()]*\)\) */, "", line)
            sub(/\(.*/, "", line)
            n = split(line, words, /[ *]+/)
            fn = words[n]
            if ($0 ~ /\}[ ]*$/)
                fn = "(none)" # it began and ended here
        }
        /^#/ { next } # the definition of an operation, not a use
        /^[ ]*(\*|\/\*)/ { next }
        /npi_(load_acquire|store_release|exchange_|cas_|fetch_[a-z]+_(acq_rel|release|acquire)|fence_(seq_cst|light|heavy))[a-z_]*\(/ {
            sub(/.*\/src\//, "src/", FILENAME)
            print FILENAME, fn
        }' | sort -u
}

while read -r file fn; do
    if ! grep -q "\`$fn\`" "$page"; then
        echo "$file: $fn orders memory and is not named in docs/memory-orders.md"
        failed=1
    fi
done < <(ordering_functions)

# Names in the page: of functions of the library, or of nothing.
while read -r name; do
    if ! grep -rqE "\b$name\(" "$root/src" "$root/include"; then
        echo "docs/memory-orders.md names $name, which is no function in src/ or include/"
        failed=1
    fi
done < <(grep -o '`[a-z][a-z_]*`' "$page" | tr -d '\140' | grep -E '_' | grep -vxE \
    'known_tail|acq_rel|idle_waiters|guests_inside|inside_accepted' | sort -u)

[ "$(ordering_functions | wc -l)" -gt 40 ] || { echo "the search for functions found too few"; failed=1; }
exit $failed
