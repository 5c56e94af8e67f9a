# Sums the lines "counted: TOOL | WHAT | NUMBER" that test programs print, over all files given, and
# prints "TOOL | WHAT | SUM" for each pair. A line that begins like one and cannot be read is an error,
# because a count that silently falls out makes the total a lie: it is named on stderr, and the exit
# status is 1.

function trimmed(text)
{
    gsub(/^[ \t]+|[ \t]+$/, "", text)
    return text
}

/^counted:/ {
    line = $0
    sub(/\r$/, "", line) # a guest's serial console
    parts = split(substr(line, length("counted:") + 1), part, "|")
    tool = trimmed(part[1])
    what = trimmed(part[2])
    number = trimmed(part[3])
    if (parts != 3 || tool == "" || what == "" || number !~ /^[0-9]+$/) {
        print FILENAME ": no \"counted: TOOL | WHAT | NUMBER\": " line >"/dev/stderr"
        bad = 1
        next
    }
    sum[tool " | " what] += number
}
END {
    for (key in sum)
        printf "%s | %.0f\n", key, sum[key]
    exit bad
}
