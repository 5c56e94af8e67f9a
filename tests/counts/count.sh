#!/bin/bash
# What one step of each hot path costs, counted: instructions, atomic read-modify-writes, fences,
# system calls, allocations, cache lines fetched from another core. Never a time.
#
# usage: count.sh measure PROGRAMS DIR [PATH…]     counts into DIR/PATH.tsv (join.awk), PATH.lines,
#                                                  and without statistics PATH.bare
#        count.sh table DIR [PATH…]                the sums of each stretch
#        count.sh functions DIR [PATH…]            the same by function, the fattest first
#        count.sh lines DIR [PATH…]                each line: who fetches what whom has written
#        count.sh check DIR LIMITS COMPILER [PATH…]  fails when a count is above its limit
#        count.sh update DIR LIMITS COMPILER PAGE    writes limits and page anew
#        count.sh check-page LIMITS PAGE             fails when the page's table is another
# PROGRAMS is the folder of count_paths and count_lines, COMPILER their maker ("gcc 12"). Exit code
# 77: cannot count here.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

skip()
{
    echo "skipped: $*"
    exit 77
}

# Instructions may wander by this share, as compilers do from one patch to the next; counts of the
# other kinds may not: 0.01 covers what happens once per segment of a queue.
slack_percent=3
slack_exact=0.01
slack_lines=0.15

kinds_of() # OBJECT DIR: the file with its atomic instructions, made once
{
    local file
    file=$2/kinds$(printf "%s" "$1" | tr / _)
    if [ ! -e "$file" ] || [ "$1" -nt "$file" ]; then
        objdump -d --no-show-raw-insn "$1" |
            awk -v object="$1" -f "$here/kinds.awk" >"$file.$$"
        mv "$file.$$" "$file"
    fi
    echo "$file"
}

measure() # PROGRAM DIR PATH RESULT [LIBRARY-FOLDER]
{
    local program=$1 dir=$2 path=$3 result=$4 library=${5:-} work object reason
    work=$(mktemp -d "$dir/$path.XXXXXX")
    if ! LD_LIBRARY_PATH=$library valgrind -q --tool=callgrind --dump-instr=yes \
        --dump-line=yes --compress-pos=no --compress-strings=no --separate-threads=yes \
        --collect-systime=yes --callgrind-out-file="$work/out" "$program" "$path" >"$work/log" 2>&1; then
        cat "$work/log" >&2
        reason=$(sed -n 's/^skipped: //p' "$work/log")
        rm -rf "$work"
        [ -z "$reason" ] || skip "$reason"
        echo "count_paths $path failed under valgrind" >&2
        exit 1
    fi
    : >"$work/kinds"
    grep -l '^desc: Trigger: Client Request: ' "$work"/out.* >"$work/stretches" || {
        echo "valgrind wrote down no stretch of $path" >&2
        exit 1
    }
    xargs grep -h '^ob=/' <"$work/stretches" | sort -u | sed 's/^ob=//' >"$work/objects"
    while read -r object; do
        if [ -r "$object" ]; then
            cat "$(kinds_of "$object" "$dir")" >>"$work/kinds"
        fi
    done <"$work/objects"
    # shellcheck disable=SC2046
    awk -v path="$path" -f "$here/join.awk" "$work/kinds" $(cat "$work/stretches") \
        >"$work/result"
    mv "$work/result" "$dir/$result"
    rm -rf "$work"
}

measure_lines() # PROGRAM DIR PATH: also the path's variant in turns, if it has one
{
    local program=$1 dir=$2 path=$3 variant pc
    : >"$dir/$path.lines.$$"
    for variant in "$path" "$path-turns"; do
        if [ "$variant" = "$path" ] || "$program" list | grep -qx "$variant"; then
            "$program" "$variant" >>"$dir/$path.lines.$$"
        fi
    done
    # Addresses are those after the call; the call is what stands in the source. Of functions
    # that were put in line into each other, the innermost is named.
    awk '$4 != 0 { print $4; print $5 }' "$dir/$path.lines.$$" | sort -u >"$dir/$path.pcs.$$"
    # shellcheck disable=SC2094
    while read -r pc; do
        printf '%#x\n' $((pc - 1))
    done <"$dir/$path.pcs.$$" | xargs -r addr2line -asfi -e "$program" | sed 's/ (disc.*//' |
        awk '/^0x/ { left = 2; next } left == 2 { f = $0 } left == 1 { print f "(" $0 ")" } { left-- }' |
        paste -d' ' "$dir/$path.pcs.$$" - >"$dir/$path.names.$$"
    awk -v path="$path" -f "$here/lines.awk" "$dir/$path.names.$$" "$dir/$path.lines.$$" \
        >"$dir/$path.result.$$"
    mv "$dir/$path.result.$$" "$dir/$path.lines"
    rm "$dir/$path.lines.$$" "$dir/$path.names.$$" "$dir/$path.pcs.$$"
}

measured_files() # DIR [PATH…]
{
    local dir=$1 path
    shift
    if [ $# -eq 0 ]; then
        ls "$dir"/*.tsv "$dir"/*.bare "$dir"/*.lines
    else
        for path in "$@"; do
            echo "$dir/$path.tsv" "$dir/$path.bare" "$dir/$path.lines"
        done
    fi
}

# The order of rows everywhere.
paths="outside near batch copy group data inside fast fast-first fork fork-first fib steal for wake count buffer known"
stretches="submit run fork+join serial fast plain fork steal join whole pieces worker outside own"
columns="path stretch instructions statistics rmw fences syscalls allocations lines lines-turns"

# The columns, for each stretch of each path.
sums() # FILE…
{
    awk -F'\t' -v paths="$paths" -v stretches="$stretches" '
        function plain(x) { return x > -0.005 && x < 0.005 ? "0" : sprintf("%.2f", x) + 0 }
        # Lines come in halves (a task) and wholes; now and then a thread looks between two stores.
        function near_half(x,    half)
        {
            half = int(x * 2 + 0.5) / 2
            return x > half - 0.15 && x < half + 0.15 ? half : x
        }
        {
            k = $1 " " $2
            if (!(k in seen)) { seen[k] = 1; order[++n] = k }
        }
        FILENAME ~ /\.bare$/ { sum[k, 3] += $7 }
        FILENAME ~ /\.tsv$/ { for (i = 7; i <= 11; i++) sum[k, i] += $i }
        FILENAME ~ /\.lines$/ { sum[k, $3 == "turns" ? 13 : 12] += $4; walked[k, $3] = 1 }
        END {
            m = split(paths, path, " ")
            for (j = 1; j <= m; j++) path_rank[path[j]] = j
            m = split(stretches, stretch, " ")
            for (j = 1; j <= m; j++) stretch_rank[stretch[j]] = j
            for (j = 1; j <= n; j++) {
                k = order[j]
                split(k, part, " ")
                printf "%02d%02d %s %.0f %d", path_rank[part[1]], stretch_rank[part[2]], k, \
                    sum[k, 7], sum[k, 7] < sum[k, 3] ? 0 : sprintf("%.0f", sum[k, 7] - sum[k, 3])
                if (!((k, "turns") in walked)) sum[k, 13] = sum[k, 12]
                for (i = 8; i <= 11; i++) printf " %s", plain(sum[k, i])
                for (i = 12; i <= 13; i++) printf " %.1f", near_half(sum[k, i])
                print ""
            }
        }' "$@" | sort | sed 's/^[0-9]* //'
}

command=${1:-}
[ $# -gt 0 ] && shift
case $command in
measure)
    programs=$1 dir=$2
    shift 2
    [ "$(uname -m)" = x86_64 ] || skip "this is $(uname -m); the counts are those of x86-64"
    for tool in valgrind objdump addr2line; do
        command -v $tool >/dev/null || skip "$tool is not installed"
    done
    mkdir -p "$dir"
    # shellcheck disable=SC2046
    [ $# -gt 0 ] || set -- $("$programs/count_paths" list)
    for path in "$@"; do
        measure "$programs/count_paths" "$dir" "$path" "$path.tsv"
        measure "$programs/count_paths" "$dir" "$path" "$path.bare" "$programs/bare"
        measure_lines "$programs/count_lines" "$dir" "$path"
    done
    ;;
table)
    # shellcheck disable=SC2046
    { echo "$columns" && sums $(measured_files "$@"); } | column -t
    ;;
functions)
    # shellcheck disable=SC2046
    awk -F'\t' '{
            n = split($3, o, "/"); sub(/\.so.*/, "", o[n])
            k = $1 " " $2 " " o[n] ":" $4
            instructions[k] += $7; rmw[k] += $8; fences[k] += $9; syscalls[k] += $10
        }
        END {
            for (k in instructions)
                if (instructions[k] >= 0.5)
                    printf "%s %.1f %.2f %.2f %.2f\n", k, instructions[k], rmw[k], fences[k], \
                        syscalls[k]
        }' $(measured_files "$@" | grep -o '[^ ]*tsv') | sort -k1,1 -k2,2 -k4,4nr |
        { echo "path stretch function instructions rmw fences syscalls" && cat; } | column -t
    ;;
lines)
    # shellcheck disable=SC2046
    awk -F'\t' '$4 >= 0.02 {
            printf "%s %s %s %.2f %s <- %s\n", $1, $2, $3, $4, $5, $6
        }' $(measured_files "$@" | grep -o '[^ ]*lines$') | sort -k1,3 -k4,4nr |
        { echo "path stretch walk lines fetched-in . written-in" && cat; } | column -t
    ;;
check)
    dir=$1 limits=$2 compiler=$3
    shift 3
    # shellcheck disable=SC2046
    sums $(measured_files "$dir" "$@") |
        awk -v percent=$slack_percent -v exact=$slack_exact -v lines=$slack_lines \
            -v update="make counts-update" -v compiler="$compiler" -v paths="$*" \
            -v columns="$columns" -f "$here/check.awk" "$limits" -
    ;;
update)
    dir=$1 limits=$2 compiler=$3 page=$4
    # shellcheck disable=SC2046
    sums $(measured_files "$dir") | column -t >"$limits.sums"
    {
        sed -n '/^#/p' "$limits" | sed "s/^# compiler: .*/# compiler: $compiler/"
        cat "$limits.sums"
    } >"$limits.new"
    mv "$limits.new" "$limits"
    rm "$limits.sums"
    awk -f "$here/page.awk" "$limits" >"$page.table"
    awk -v table="$page.table" '
        /<!-- counts: begin/ { print; while ((getline line <table) > 0) print line; inside = 1 }
        /<!-- counts: end/ { inside = 0 }
        !inside || /<!-- counts: end/ { if (!/<!-- counts: begin/) print }' "$page" >"$page.new"
    mv "$page.new" "$page"
    rm "$page.table"
    ;;
check-page)
    limits=$1 page=$2
    if ! diff <(awk -f "$here/page.awk" "$limits") \
        <(sed -n '/<!-- counts: begin/,/<!-- counts: end/p' "$page" | sed '1d;$d'); then
        echo "the table of $page is not that of $limits: make counts-update" >&2
        exit 1
    fi
    ;;
*)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0" >&2
    exit 2
    ;;
esac
