#!/bin/bash
# Goal: no hot path becomes more expensive unnoticed.
# Method: it is walked under valgrind; what one step executed is compared with the limit of record.
# usage: guard.sh PROGRAMS DIR LIMITS COMPILER PATH
set -eu
here=$(dirname "$0")
programs=$1 dir=$2 limits=$3 compiler=$4 path=$5
bash "$here/count.sh" measure "$programs" "$dir" "$path"
bash "$here/count.sh" table "$dir" "$path"
if ! bash "$here/count.sh" check "$dir" "$limits" "$compiler" "$path"; then
    bash "$here/count.sh" functions "$dir" "$path"
    exit 1
fi
