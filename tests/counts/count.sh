#!/bin/bash
# What one step of each hot path costs, counted: instructions, atomic read-modify-writes, fences,
# system calls, allocations. Never a time.
#
# usage: count.sh measure PROGRAM DIR [PATH…]      counts into DIR/PATH.tsv (see join.awk)
#        count.sh table DIR [PATH…]                the sums of each stretch
#        count.sh functions DIR [PATH…]            the same by function, the fattest first
#        count.sh check DIR LIMITS COMPILER [PATH…]  fails when a count is above its limit
#        count.sh update DIR LIMITS COMPILER PAGE    writes limits and page anew
#        count.sh check-page LIMITS PAGE             fails when the page's table is another
# PROGRAM is count_paths, COMPILER its maker ("gcc 12"); exit code 77: cannot count here.
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

measure() # PROGRAM DIR PATH
{
    local program=$1 dir=$2 path=$3 work object
    work=$(mktemp -d "$dir/$path.XXXXXX")
    if ! valgrind -q --tool=callgrind --dump-instr=yes --dump-line=yes --compress-pos=no \
        --compress-strings=no --separate-threads=yes --collect-systime=yes \
        --callgrind-out-file="$work/out" "$program" "$path" >"$work/log" 2>&1; then
        cat "$work/log" >&2
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
    mv "$work/result" "$dir/$path.tsv"
    rm -rf "$work"
}

measured_files() # DIR [PATH…]
{
    local dir=$1
    shift
    if [ $# -eq 0 ]; then
        ls "$dir"/*.tsv
    else
        printf "$dir/%s.tsv\n" "$@"
    fi
}

# The order of rows everywhere.
paths="outside near batch copy group inside fork-fast fork fork-first steal wake known"
stretches="submit run fork+join fork steal join worker"

# "path stretch instructions rmw fences syscalls allocations"
sums() # FILE…
{
    awk -F'\t' -v paths="$paths" -v stretches="$stretches" '
        function plain(x) { return x > -0.005 && x < 0.005 ? "0" : sprintf("%.2f", x) + 0 }
        {
            k = $1 " " $2
            if (!(k in seen)) { seen[k] = 1; order[++n] = k }
            for (i = 7; i <= 11; i++) sum[k, i] += $i
        }
        END {
            m = split(paths, path, " ")
            for (j = 1; j <= m; j++) path_rank[path[j]] = j
            m = split(stretches, stretch, " ")
            for (j = 1; j <= m; j++) stretch_rank[stretch[j]] = j
            for (j = 1; j <= n; j++) {
                k = order[j]
                split(k, part, " ")
                printf "%02d%02d %s %.0f", path_rank[part[1]], stretch_rank[part[2]], k, sum[k, 7]
                for (i = 8; i <= 11; i++) printf " %s", plain(sum[k, i])
                print ""
            }
        }' "$@" | sort | sed 's/^[0-9]* //'
}

command=${1:-}
[ $# -gt 0 ] && shift
case $command in
measure)
    program=$1 dir=$2
    shift 2
    [ "$(uname -m)" = x86_64 ] || skip "this is $(uname -m); the counts are those of x86-64"
    for tool in valgrind objdump; do
        command -v $tool >/dev/null || skip "$tool is not installed"
    done
    mkdir -p "$dir"
    # shellcheck disable=SC2046
    [ $# -gt 0 ] || set -- $("$program" list)
    for path in "$@"; do
        measure "$program" "$dir" "$path"
    done
    ;;
table)
    # shellcheck disable=SC2046
    { echo "path stretch instructions rmw fences syscalls allocations" &&
        sums $(measured_files "$@"); } | column -t
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
        }' $(measured_files "$@") | sort -k1,1 -k2,2 -k4,4nr |
        { echo "path stretch function instructions rmw fences syscalls" && cat; } | column -t
    ;;
check)
    dir=$1 limits=$2 compiler=$3
    shift 3
    # shellcheck disable=SC2046
    sums $(measured_files "$dir" "$@") |
        awk -v percent=$slack_percent -v exact=$slack_exact -v update="make counts-update" \
            -v compiler="$compiler" -v paths="$*" -f "$here/check.awk" "$limits" -
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
