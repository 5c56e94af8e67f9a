#!/bin/bash
# Goal: which files the demo reads, and what it does about those it cannot. Method: directories with
# links, devices and unreadable files; the exit code and the files that were counted.
# shellcheck source=tests/cli/library.sh
. "$(dirname "$0")/library.sh"
cd "$scratch" || exit 1
unset LC_ALL
export LC_ALL=C

names()
{
    awk '$4 != "total" { print $4 }' out
}

# Without arguments: the licences that every Debian system carries, links not counted again.
if [ -d /usr/share/common-licenses ]; then
    expect 0 "without arguments" "$NUMAPERF" demo --quiet
    checks=$((checks + 1))
    find /usr/share/common-licenses -type f | sort >want
    names | sort | cmp - want || fail "not the regular files of /usr/share/common-licenses"
    # shellcheck disable=SC2046
    [ "$(tail -n 1 out | tr -s ' ' | sed 's/^ //')" = \
        "$(wc $(cat want) | tail -n 1 | tr -s ' ' | sed 's/^ //')" ] || fail "the total differs"
fi

mkdir -p tree/b tree/a/deep
echo one >tree/b/1
echo two >tree/a/2
echo three >tree/a/deep/3
echo four >tree/zz
ln -s ../zz tree/a/link
ln -s .. tree/b/loop
ln -s nowhere tree/dangling
mkfifo tree/pipe
expect 0 "a directory" "$NUMAPERF" demo --quiet tree
names >got
printf '%s\n' tree/a/2 tree/a/deep/3 tree/b/1 tree/zz | cmp - got || fail "the walk: $(cat got)"
ln -s tree way
expect 0 "a link to a directory" "$NUMAPERF" demo --quiet way
checks=$((checks + 1))
[ "$(names | wc -l)" = 4 ] || fail "a link that was named is not followed: $(cat out)"
expect 0 "a link to a file" "$NUMAPERF" demo --quiet tree/a/link
prints "tree/a/link"
mkdir nothing
expect 0 "an empty directory" "$NUMAPERF" demo nothing
prints "0 total"

# What cannot be read is said, the rest is counted, the exit code is 1.
expect 1 "a file that is not there" "$NUMAPERF" demo --quiet tree/zz not-there tree/b/1
says "numaperf: cannot read 'not-there': No such file or directory"
prints "tree/zz"
prints "tree/b/1"
prints "total"
expect 1 "only a file that is not there" "$NUMAPERF" demo not-there
[ ! -s out ] || fail "a report about nothing: $(cat out)"
expect 1 "an empty name" "$NUMAPERF" demo ""
says "cannot read ''"
expect 1 "a name that is too long" "$NUMAPERF" demo "$(printf 'x%.0s' $(seq 5000))"
says "File name too long"
# A regular file whose reading fails: the tool's own memory from address 0.
if [ -r /proc/self/mem ]; then
    expect 1 "a file that cannot be read through" "$NUMAPERF" demo --quiet /proc/self/mem tree/zz
    says "numaperf: cannot read '/proc/self/mem': Input/output error"
    prints "tree/zz"
fi
expect 1 "closed standard input" "$NUMAPERF" demo --quiet - <&-
says "cannot read '-': Bad file descriptor"
if [ "$(id -u)" != 0 ] || command -v setpriv >got; then
    as_nobody=()
    [ "$(id -u)" != 0 ] || as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    echo secret >tree/secret
    mkdir tree/closed
    chmod 0 tree/secret tree/closed
    chmod 755 "$scratch"
    cp "$NUMAPERF" "$scratch/tool"
    if "${as_nobody[@]}" "$NUMAPERF" --version >got 2>&1; then
        expect 1 "no permission" "${as_nobody[@]}" "$NUMAPERF" demo --quiet tree
        says "cannot open 'tree/secret': Permission denied"
        says "cannot read 'tree/closed': Permission denied"
        prints "tree/zz"
    else
        echo "SKIPPED: another user cannot start $NUMAPERF, so permissions are not looked at"
    fi
    chmod 755 tree/closed
fi

# Names that would upset a terminal, or JSON.
odd=$(printf 'odd\033[31m\n"\\\377name')
echo x >"$odd"
expect 0 "an odd name" "$NUMAPERF" demo --quiet "$odd"
# shellcheck disable=SC1003
prints 'odd?[31m?"\'
if command -v jq >got; then
    expect 0 "an odd name in JSON" "$NUMAPERF" demo --json "$odd"
    checks=$((checks + 1))
    jq -e '.files[0].name | startswith("odd\u001b[31m\n\"\\")' out >got 2>&1 ||
        fail "the name in JSON: $(head -n 5 out)"
else
    echo "SKIPPED: jq is not installed, so JSON is not looked at"
fi

# A slow pipe: what has arrived is counted, nothing waits for ever.
mkfifo slow
{ echo "first words"; echo "then more"; } >slow &
expect 0 "a named pipe" "$NUMAPERF" demo --quiet slow
wait
prints "2 "
finish
