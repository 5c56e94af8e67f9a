#!/bin/bash
# Goal: output that could not be written is a failure, never a silent success. Method: a full disk
# (/dev/full), a closed standard output, a pipe whose reader is gone.
# shellcheck source=tests/cli/library.sh
. "$(dirname "$0")/library.sh"

commands=("--help" "--version" "help demo" "info" "info --json" "info topology" "info capabilities"
    "info affinity" "info distances" "demo" "demo --json" "demo --quiet")
for command in "${commands[@]}"; do
    # shellcheck disable=SC2086
    {
        "$NUMAPERF" $command >/dev/full 2>"$scratch/err"
        status=$?
        checks=$((checks + 1))
        [ "$status" = 1 ] || fail "numaperf $command >/dev/full: exit code $status"
        says "cannot write to standard output: No space left on device"

        "$NUMAPERF" $command >&- 2>"$scratch/err"
        status=$?
        checks=$((checks + 1))
        [ "$status" = 1 ] || fail "numaperf $command >&-: exit code $status"
        says "cannot write to standard output: Bad file descriptor"

        # The reader is gone before the tool starts: the pipe's read end is closed first.
        mkfifo "$scratch/pipe"
        exec 8<>"$scratch/pipe" 9>"$scratch/pipe" 8<&-
        "$NUMAPERF" $command >&9 2>"$scratch/err"
        status=$?
        exec 9>&-
        rm "$scratch/pipe"
        checks=$((checks + 1))
        [ "$status" = 1 ] || fail "numaperf $command into a closed pipe: exit code $status"
        is_silent
    }
done
finish
