#!/bin/sh
# Makes the list of the sources of work from the marks in src/executor/find.c: one line
# X(name) each, as a macro NPT_SOURCE_MAP. Fails when a look at a source has no mark.
#
# usage: sources.sh FIND_C OUTPUT
set -eu
find=$1
output=$2
awk '
/looking without taking/ { section = 1 }
/^static bool tasks_behind_gate/ { inside = 1 }
(section || inside) && /npi_(inbox_holds|queue_is_empty|queue_has|deque_has_shared|room_try)\(|_has_work\(/ {
    looks++
    if ($0 !~ /\/\* source: [a-z_]+ \*\//) {
        printf "%s:%d: a look at a source of work without its name: %s\n", FILENAME, FNR, $0
        bad = 1
    }
}
/\/\* source: [a-z_]+ \*\// {
    name = $0
    sub(/.*\/\* source: /, "", name)
    sub(/ \*\/.*/, "", name)
    if (!(name in seen))
        order[++count] = name
    seen[name] = 1
}
/^}/ { inside = 0 }
END {
    if (looks < 8 || count < 5) {
        printf "%s: only %d looks and %d sources were found; has the file changed its shape?\n",
            FILENAME, looks, count
        bad = 1
    }
    if (bad)
        exit 1
    print "/* Made by tests/model/sources.sh from src/executor/find.c. */"
    printf "#define NPT_SOURCE_MAP(X)"
    for (i = 1; i <= count; i++)
        printf " \\\n    X(%s)", order[i]
    print ""
}' "$find" >"$output.new" || {
    cat "$output.new"
    rm -f "$output.new"
    exit 1
}
mv "$output.new" "$output"
