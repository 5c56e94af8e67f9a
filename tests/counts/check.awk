# Compares what was counted with the limits of record.
#
# usage: awk -v percent=P -v exact=E -v lines=L -v update=COMMAND -v compiler=NAME
#            -v columns="path stretch …" [-v paths="A B"] -f check.awk LIMITS COUNTED
# Both files have these columns. Instructions may be P percent (and two) above their limit, those
# of the statistics a tenth and four, but for an unstolen child, lines L, the others E; instructions of another compiler than that of
# the limits are not compared. With `paths`, only their rows have to be there.

BEGIN {
    last = split(columns, name, " ")
    wanted = split(paths, p, " ")
    for (i in p)
        asked[p[i]] = 1
}
/^# compiler: / {
    sub(/^# compiler: /, "")
    first = $0 == compiler ? 3 : 5
    if (first == 5)
        printf "instructions are not compared: the limits are those of %s, this is %s\n", $0, compiler
    next
}
/^#/ || NF == 0 { next }
FNR == NR {
    limited[$1 " " $2] = 1
    for (i = 3; i <= last; i++)
        limit[$1 " " $2, i] = $i
    next
}
{
    k = $1 " " $2
    counted[k] = 1
    if (first == 0)
        first = 3
    if (!(k in limited)) {
        printf "%s: no limit; add it with: %s\n", k, update
        failed = 1
        next
    }
    for (i = first; i <= last; i++) {
        if (name[i] == "instructions")
            slack = limit[k, i] * percent / 100 + 2
        else if (name[i] == "statistics")
            slack = $1 ~ /^(fast|fork|fib)/ ? 0 : limit[k, i] / 10 + 4
        else
            slack = name[i] ~ /^lines/ ? lines : exact
        if ($i > limit[k, i] + slack) {
            printf "%s: %s per step: %s, the limit is %s\n", k, name[i], $i, limit[k, i]
            failed = 1
        } else if ($i < limit[k, i] - slack) {
            printf "%s: %s per step have fallen from %s to %s; keep it so with: %s\n", k, name[i], \
                limit[k, i], $i, update
        }
    }
}
END {
    for (k in limited) {
        split(k, part, " ")
        if (!(k in counted) && (wanted == 0 || part[1] in asked)) {
            printf "%s: has a limit and was not counted\n", k
            failed = 1
        }
    }
    if (failed)
        printf "A path has become more expensive. If it must be, say why in docs/costs.md and: %s\n", \
            update
    exit failed
}
