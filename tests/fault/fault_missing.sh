#!/bin/sh
# Goal: a public function without a fault case fails the test. Method: the program that knows the
# cases is asked about all functions, and about one more than there is.
# usage: fault_missing.sh PROGRAM
set -eu
"$1" --coverage
if said=$("$1" --coverage --also np_forgotten); then
    echo "np_forgotten has no case, and nobody complained"
    exit 1
fi
case $said in
    "fault: np_forgotten has no fault case"*) ;;
    *) echo "complained, but not about np_forgotten: $said"; exit 1 ;;
esac
