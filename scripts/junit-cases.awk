# Reads the JUnit file that ctest writes and prints one line per test case:
#   pass NAME | fail NAME | skip NAME: REASON
# and "inner NAME: …" for each test that a cmocka program reports as skipped inside a passing case.

function attribute(line, name,    start, rest)
{
    start = index(line, " " name "=\"")
    if (start == 0)
        return ""
    rest = substr(line, start + length(name) + 3)
    return substr(rest, 1, index(rest, "\"") - 1)
}

function finish()
{
    if (case_name == "")
        return
    if (status == "run")
        print "pass " case_name
    else if (status == "notrun" && was_skipped)
        print "skip " case_name ": " (reason == "" ? "no reason given" : reason)
    else
        print "fail " case_name (status == "fail" ? "" : " (" status ")")
    for (i = 1; i <= inner_count; i++)
        print "inner " case_name ": " inner[i]
    case_name = ""
}

/<testcase / {
    finish()
    case_name = attribute($0, "name")
    status = attribute($0, "status")
    was_skipped = 0
    reason = ""
    inner_count = 0
    in_output = 0
}
/<skipped / { if (attribute($0, "message") ~ /SKIP/) was_skipped = 1 }
/<system-out>/ { in_output = 1; sub(/.*<system-out>/, "") }
in_output && /\[  SKIPPED \] [A-Za-z_]/ && !/test\(s\)/ {
    sub(/.*\[  SKIPPED \] /, "")
    if (!($0 in seen_inner)) {
        seen_inner[$0] = 1
        inner[++inner_count] = $0
    }
}
# The last line a skipped test wrote is its reason.
in_output && !/^[ \t]*(<\/system-out>)?[ \t]*$/ {
    text = $0
    sub(/<\/system-out>.*/, "", text)
    if (text != "")
        reason = text
}
/<\/system-out>/ { in_output = 0 }
/<\/testcase>/ { finish() }
END { finish() }
