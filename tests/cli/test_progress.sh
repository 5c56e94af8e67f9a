#!/bin/bash
# Goal: a progress line appears on a terminal when the input is large, stays on one line of it, is
# taken away again, and appears nowhere else. Method: script(1) gives the tool a terminal.
# shellcheck source=tests/cli/library.sh
. "$(dirname "$0")/library.sh"
if ! command -v script >"$scratch/out" || ! script -qec true /dev/null >"$scratch/out" 2>&1; then
    echo "SKIPPED: script(1) is not here or cannot open a terminal"
    exit 77
fi
cd "$scratch" || exit 1
yes "some words on a line" | head -c 70M >large
echo small >small
export TERM=xterm

# on_terminal ARGUMENTS…: what the terminal shows of `numaperf demo ARGUMENTS…`, in `shown`.
on_terminal()
{
    checks=$((checks + 1))
    script -qec "stty cols 80; '$NUMAPERF' demo $*" /dev/null </dev/null >shown 2>err ||
        fail "demo $* on a terminal: $(head -c 500 shown)"
}
erase=$(printf '\r\033[K')

# Small chunks make it last for several periods of the line. What shows it, and what does not, are
# runs of the same length.
long="--chunk 1K --repeat 2 large"
on_terminal "$long"
if grep -qF 'of 140.0 MiB' shown; then
    grep -qF "$erase" shown || fail "the progress line is not taken away"
    # Between carriage returns, without the escape sequences: nothing reaches column 80.
    tr '\r' '\n' <shown | sed 's/\x1b\[[0-9;]*[A-Za-z]//g' | grep -F 'of 140.0 MiB' |
        awk 'length($0) > 79 { exit 1 }' || fail "the progress line is too wide"
else
    fail "no progress line for a large file"
fi
grep -q "$(printf '\033\\[1m')" shown || fail "no emphasis on a terminal"
on_terminal --quiet "$long"
! grep -qF 'of 140.0 MiB' shown || fail "a progress line in spite of --quiet"
on_terminal --no-progress "$long"
! grep -qF 'of 140.0 MiB' shown || fail "a progress line in spite of --no-progress"
on_terminal small
! grep -qF '[#' shown || fail "a progress line for a small file"
NO_COLOR=1 on_terminal small
! grep -q "$(printf '\033\\[')" shown || fail "NO_COLOR is not honoured"
TERM=dumb on_terminal small
! grep -q "$(printf '\033\\[')" shown || fail "escape sequences on a dumb terminal"

# Without a terminal there is none.
# shellcheck disable=SC2086
expect 0 "no terminal" "$NUMAPERF" demo $long
is_silent
finish
