# Lines fetched per step, from what count_lines prints (path stretch steps accessor writer transfers).
#
# usage: awk -v path=PATH -f lines.awk NAMES COUNTED
#   NAMES  "address function(file:line)" of each address
# Prints, tab separated: path stretch walk lines accessor writer; walk is "turns" for the variant in
# turns, else "queue". Every stretch is there twice: differences are taken, as in join.awk.

FNR == NR { name[$1] = $2; next }
{
    walk = $1 == path ? "queue" : "turns"
    k = $2 "\t" walk
    # Where one step was a batch, a step of all others is a task.
    tasks = $1 == "batch-turns" ? 64 : 1
    if (!(k in low) || $3 < low[k])
        low[k] = $3
    if ($3 > high[k])
        high[k] = $3
    per[k] = tasks
    cause = k "\t" ($4 == 0 ? "-" : name[$4]) "\t" ($4 == 0 ? "-" : name[$5])
    causes[cause] = k
    count[cause, $3] += $6
}
END {
    for (cause in causes) {
        k = causes[cause]
        split(cause, part, "\t")
        printf "%s\t%s\t%s\t%.5f\t%s\t%s\n", path, part[1], part[2],
            (count[cause, high[k]] - count[cause, low[k]]) / (high[k] - low[k]) / per[k],
            part[3], part[4]
    }
}
