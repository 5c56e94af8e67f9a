# Joins what valgrind's callgrind executed with what the instructions are.
#
# usage: awk -v path=NAME -f join.awk KINDS CALLGRIND-FILE…
#   KINDS  lines "object address kind", kind rmw or fence (made by kinds.awk)
# Prints one line per stretch, function and source line, counts per step, tab separated:
#   path stretch object function file line instructions rmw fences syscalls allocations
# An instruction counts if it is not the walking program's own (paths.c), unless in a counted_*
# function. Every stretch is there twice, with two numbers of steps (paths.c): differences are taken.

FNR == 1 && FILENAME != kinds_file {
    if (NR == 1) {
        kinds_file = FILENAME
    } else {
        stretch = ""
        object = fn = file = "?"
        skip = 0
    }
}
FILENAME == kinds_file { kind[$1 " " $2] = $3; next }

/^desc: Trigger: Client Request: / {
    stretch = $(NF - 1)
    steps = $NF
    if (!(stretch in low) || steps < low[stretch])
        low[stretch] = steps
    if (steps > high[stretch])
        high[stretch] = steps
    next
}
stretch == "" { next }
/^ob=/ { object = substr($0, 4); next }
/^fn=/ {
    fn = substr($0, 4)
    own = object ~ /\/count_paths$/
    counts = !own || fn ~ /^counted_/
    next
}
/^f[lie]=/ { file = substr($0, 4); next }
/^cfn=/ { callee = substr($0, 5); next }
/^calls=/ {
    skip = 1 # the next line is what the callee took; it is counted there
    # One call of an allocator from another object than its own.
    split($1, calls, "=")
    if (counts && object !~ /\/libc[.-]/ && callee ~ /^(malloc|calloc|realloc|aligned_alloc|memalign|posix_memalign|mmap(64)?)('[0-9]+)?$/)
        add("?", "allocation", calls[2])
    next
}
/^0x/ {
    if (skip) {
        skip = 0
        next
    }
    if (!counts)
        next
    add($2, "instruction", $3)
    if ((object " " $1) in kind)
        add($2, kind[object " " $1], $3)
    if ($4 > 0)
        add($2, "syscall", $4)
}

function add(line, what, amount,    place)
{
    sub(/.*\/src\//, "src/", file)
    sub(/.*\/include\/numaperf/, "include/numaperf", file)
    place = stretch "\t" object "\t" fn "\t" file "\t" line
    places[place] = 1
    count[place, what, steps] += amount
}

function per_step(place, what,    s, part)
{
    split(place, part, "\t")
    s = part[1]
    return (count[place, what, high[s]] - count[place, what, low[s]]) / (high[s] - low[s])
}

END {
    for (s in low)
        if (low[s] == high[s]) {
            printf "join.awk: %s: %s was walked with one number of steps only\n", path, s >"/dev/stderr"
            exit 1
        }
    for (place in places) {
        instructions = per_step(place, "instruction")
        allocations = per_step(place, "allocation")
        if (instructions != 0 || allocations != 0)
            printf "%s\t%s\t%.5f\t%.5f\t%.5f\t%.5f\t%.5f\n", path, place, instructions,
                per_step(place, "rmw"), per_step(place, "fence"), per_step(place, "syscall"),
                allocations
    }
}
