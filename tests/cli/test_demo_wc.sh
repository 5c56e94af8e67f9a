#!/bin/bash
# Goal: the demo counts what wc counts, whatever the input, the chunk size and the machine. Method:
# many inputs, among them hostile ones; each compared with wc in the C locale. The seed of the random
# inputs is printed and can be given as SEED.
# shellcheck source=tests/cli/library.sh
. "$(dirname "$0")/library.sh"
export LC_ALL=C
seed=${SEED:-$$}
RANDOM=$seed
echo "seed $seed"
mkdir "$scratch/in"
cd "$scratch/in" || exit 1

# Which bytes make up a word has changed between versions of wc: there, bytes that are not printable
# have begun to count. The demo does as Debian 12's does; with another one only text is compared.
binary=true
if [ "$(printf '\001' | wc -w)" -ne 0 ]; then
    binary=false
    echo "SKIPPED: this wc counts unprintable bytes as words, so binary input is not compared"
fi

# same_output WHAT: what the demo printed is what wc printed, but for the width of columns.
same_output()
{
    checks=$((checks + 1))
    sed -i 's/^ *//; s/  */ /g' "$scratch/wc" "$scratch/demo"
    if ! cmp -s "$scratch/wc" "$scratch/demo"; then
        fail "$1:"
        diff "$scratch/wc" "$scratch/demo" | head -n 6
        head -n 6 "$scratch/err"
    fi
}

# same FILE…: `demo --quiet $options [--synthetic $shape] FILE…` says what wc says.
same()
{
    local machine=()
    [ -z "$shape" ] || machine=(--synthetic "$shape")
    wc -- "$@" >"$scratch/wc"
    # shellcheck disable=SC2086
    "$NUMAPERF" demo --quiet $options "${machine[@]}" -- "$@" >"$scratch/demo" 2>"$scratch/err" ||
        fail "demo $options ${machine[*]}: exit code $?"
    same_output "demo $options ${machine[*]} $(printf '%.60s' "$*")"
}

: >empty
printf '\n' >newline
printf 'word' >no-newline
printf 'two words\nlast line without end' >no-newline-at-end
printf '%5000s' '' >only-spaces
printf ' \t\v\f\r\n \n\n\t' >all-white
head -c 100000 /dev/zero | tr '\0' 'w' >one-long-word
{ head -c 70000 /dev/zero | tr '\0' 'a' && printf ' ' && head -c 70001 /dev/zero | tr '\0' 'b'; } \
    >two-long-words
printf 'carriage\r\nreturns\r\nand\ftabs\tand\vmore\r' >other-white
for n in 1 2 3 4 5 6 7 8 9; do printf 'w%.0s' $(seq $n) && printf ' '; done >growing
seq 1 20000 >numbers
touch -- '-dash' 'with space' "$(printf 'tab\tname')"
text=(empty newline no-newline no-newline-at-end only-spaces all-white one-long-word
    two-long-words other-white growing numbers -dash 'with space')
if $binary; then
    head -c 100000 /dev/zero >zeros
    printf 'a\0b \0 c\0\n\0\0d' >nul-in-words
    printf '\0\0\001 \177 \200\377\n\240x\240' >unprintable
    # every byte next to every other
    for a in $(seq 0 255); do
        # shellcheck disable=SC2059
        printf "$(printf '\\%03o' "$a")"
    done >bytes
    for _ in $(seq 16); do cat bytes; tr '\0-\377' '\200-\377\0-\177' <bytes; done >all-bytes
    head -c 300000 /dev/urandom >noise
    text+=(zeros nul-in-words unprintable bytes all-bytes noise)
fi

options=""
shape=""
same "${text[@]}"
for file in "${text[@]}"; do
    same "$file"
done

# Chunks from one byte up: every border falls somewhere. Large inputs would take long with 1.
small=(empty newline no-newline no-newline-at-end all-white other-white growing)
if $binary; then small+=(nul-in-words unprintable bytes); fi
for chunk in 1 2 3 5 7 127 128 129; do
    options="--chunk $chunk"
    same "${small[@]}"
done
for chunk in 100 4095 4096 4097 64K; do
    options="--chunk $chunk"
    same "${text[@]}"
done

# Random text of random lengths with random chunks on random machines.
shapes=("" "numa:1 core:1 pu:1" "numa:2 core:1 pu:1" "pack:2 numa:2 core:2 pu:1"
    "pack:3 numa:1 core:1 pu:2")
policies=("" "--policy local-only" "--policy any" "--policy local-then-socket-then-remote")
alphabets=('ab \n' 'a\t\n\r\f\v ' 'abcdefghijklmnopqrstuvwxyz \n')
if $binary; then alphabets+=('\0-\377' 'a\0\200 \n'); fi
for round in $(seq 30); do
    alphabet=${alphabets[RANDOM % ${#alphabets[@]}]}
    head -c $((RANDOM * 4)) /dev/urandom | LC_ALL=C tr -dc "$alphabet" >"random$round"
    shape=${shapes[RANDOM % ${#shapes[@]}]}
    options="--chunk $((1 + RANDOM % 3000)) --workers $((1 + RANDOM % 3))"
    options="$options ${policies[RANDOM % ${#policies[@]}]}"
    same "random$round"
done
shape=""

# Many small files, and a big one that goes round the ring of chunks many times.
mkdir many
for n in $(seq 1000); do echo "file number $n" >"many/$n"; done
options=""
same many/*
for _ in $(seq 60); do cat numbers no-newline one-long-word; done >big
for options in "" "--chunk 1000" "--workers 8 --chunk 10000" "--binding cpu" "--binding off" \
    "--policy any --chunk 64K" "--repeat 3"; do
    same big
done

# Standard input, pipes, files that claim to be empty, what is named twice.
wc - <big >"$scratch/wc"
"$NUMAPERF" demo --quiet - <big >"$scratch/demo" || fail "standard input: exit code"
same_output "standard input"
"$NUMAPERF" demo --quiet --chunk 3K - < <(cat big) >"$scratch/demo" || fail "a pipe: exit code"
same_output "a pipe"
"$NUMAPERF" demo --quiet /dev/stdin < <(cat big) >"$scratch/demo" || fail "/dev/stdin: exit code"
sed -i 's,/dev/stdin,-,' "$scratch/demo"
same_output "/dev/stdin"
options=""
same numbers numbers
same /proc/filesystems /dev/null
finish
