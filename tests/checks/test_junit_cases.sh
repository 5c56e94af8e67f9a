#!/bin/sh
# Goal: the totals of the test run are right for every way in which a test can end. Method: ctest runs
# a small made-up suite (passing, failing, crashing, hanging, skipped, disabled, missing program), and
# what scripts/junit-cases.awk makes of its report is compared line by line.
# usage: test_junit_cases.sh SOURCE_DIR
set -eu
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cd "$root"

cat >CTestTestfile.cmake <<'SUITE'
add_test(passes sh -c "echo fine")
add_test(fails sh -c "echo '<testcase name=x status=run>'; exit 1")
add_test(crashes sh -c "kill -SEGV $$")
add_test(hangs sh -c "read line <fifo")
set_tests_properties(hangs PROPERTIES TIMEOUT 1)
add_test(skipped sh -c "echo first; echo 'no qemu here'; exit 77")
set_tests_properties(skipped PROPERTIES SKIP_RETURN_CODE 77)
add_test(skipped_silently sh -c "exit 77")
set_tests_properties(skipped_silently PROPERTIES SKIP_RETURN_CODE 77)
add_test(partly sh -c "echo '[  SKIPPED ] needs_root'; echo '[  SKIPPED ] 1 test(s), listed below:'")
add_test(disabled sh -c "exit 0")
set_tests_properties(disabled PROPERTIES DISABLED ON)
add_test(missing "./there-is-no-such-program")
SUITE
mkfifo fifo

ctest --output-junit "$root/junit.xml" >"$root/log" 2>&1 || true
awk -f "$1/scripts/junit-cases.awk" junit.xml >actual
cat >expected <<'LINES'
pass passes
fail fails
fail crashes
fail hangs
skip skipped: no qemu here
skip skipped_silently: no reason given
pass partly
inner partly: needs_root
fail disabled (disabled)
fail missing (notrun)
LINES
diff -u expected actual || {
    cat log junit.xml
    exit 1
}
