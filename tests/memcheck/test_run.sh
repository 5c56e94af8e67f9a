#!/bin/bash
# Goal: run.sh lets no memory error pass. Method: a program that makes one on demand.
# usage: test_run.sh COMMAND… PROGRAM
set -u
program=${!#}
runner=("${@:1:$#-1}")
failed=0

"${runner[@]}" "$program" nothing
status=$?
[ $status != 77 ] || exit 77
[ $status = 0 ] || {
    echo "a program without errors: status $status"
    failed=1
}
for kind in leak unset beyond after-free child status; do
    if output=$("${runner[@]}" "$program" $kind 2>&1); then
        echo "not found: $kind"
        failed=1
    elif [ $kind != status ] && ! grep -q '^memcheck: errors' <<<"$output"; then
        printf 'failed for another reason: %s\n%s\n' $kind "$output"
        failed=1
    fi
done
exit $failed
