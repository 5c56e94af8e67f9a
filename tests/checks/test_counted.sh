#!/bin/sh
# Goal: the table of counts holds what the tests printed, all of it and nothing else. Method: ctest
# runs a small made-up suite whose outputs are long, split over programs, failing, skipped and wrong;
# what scripts/collect-counts makes of its log is compared line by line.
# usage: test_counted.sh SOURCE_DIR
set -eu
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cd "$root"

cat >CTestTestfile.cmake <<'SUITE'
add_test(first sh -c "echo 'counted: model | executions of a & <b> | 18234'; seq 1 30000")
add_test(second sh -c "seq 1 30000; echo 'counted: model | executions of a & <b> | 6'")
add_test(same_word sh -c "echo 'counted:  sim |executions of a & <b>| 7'")
add_test(large sh -c "echo 'counted: sim | steps | 9007199254740990'")
add_test(failing sh -c "echo 'counted: fault | calls failed | 3'; exit 1")
add_test(skipped sh -c "echo 'counted: fault | calls failed | 4'; exit 77")
set_tests_properties(skipped PROPERTIES SKIP_RETURN_CODE 77)
add_test(console sh -c "printf 'counted: guest | offline | 10\r\n'")
add_test(not_at_the_start sh -c "echo '    counted: model | indented | 1'")
add_test(nothing sh -c "echo 'counted: model | zero | 0'")
SUITE
ctest --output-junit "$root/junit.xml" >log 2>&1 || true
"$1/scripts/collect-counts" counts.txt Testing/Temporary/LastTest.log >table || {
    echo "collect-counts failed"
    exit 1
}
cat >expected <<'LINES'
fault | calls failed | 7
guest | offline | 10
model | executions of a & <b> | 18240
model | zero | 0
sim | executions of a & <b> | 7
sim | steps | 9007199254740990
LINES
diff -u expected counts.txt
cat >expected <<'LINES'
COUNTED by the tools in this run:
    fault  calls failed                          7
    guest  offline                              10
    model  executions of a & <b>             18240
           zero                                  0
    sim    executions of a & <b>                 7
           steps                  9007199254740990
LINES
diff -u expected table

# Several logs are one run; none, or one without counts, is an empty table and no error.
printf 'counted: a | b | 1\n' >one.log
printf 'counted: a | b | 2\n' >two.log
"$1/scripts/collect-counts" counts.txt one.log two.log >table
grep -qx 'a | b | 3' counts.txt
: >empty.log
"$1/scripts/collect-counts" counts.txt empty.log >table
[ ! -s table ] && [ ! -s counts.txt ]
"$1/scripts/collect-counts" counts.txt >table
[ ! -s table ]

# Each of these is a count that would be lost; it is reported, and the good line is still counted.
while IFS= read -r line; do
    printf '%s\ncounted: good | line | 5\n' "$line" >bad.log
    if "$1/scripts/collect-counts" counts.txt bad.log >table 2>complaint; then
        echo "accepted: $line"
        exit 1
    fi
    grep -qF "bad.log: no \"counted: TOOL | WHAT | NUMBER\": $line" complaint
    grep -qx 'good | line | 5' counts.txt
    [ "$(wc -l <counts.txt)" = 1 ]
done <<'LINES'
counted: model | executions
counted: model | executions | 12 | 13
counted: model | executions | twelve
counted: model | executions | -1
counted: model | executions | 1.5
counted: model | executions |
counted: | executions | 1
counted: model | | 1
counted:
LINES
