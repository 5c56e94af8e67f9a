#!/bin/sh
# Goal: scripts/check-layers finds each kind of violation and lets good code pass. Method: a small
# tree of good files; each fault is planted alone, must be reported at its place, and is removed.
# usage: test_check_layers.sh SOURCE_DIR
set -eu
check=$1/scripts/check-layers
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
failed=0

mkdir -p "$root/include/numaperf/detail" "$root/tools/numaperf" "$root/examples"
for layer in base os topology sync; do mkdir -p "$root/src/$layer"; done
echo 'set(NP_LAYERS base os topology sync)' >"$root/src/CMakeLists.txt"
echo '#include <stdatomic.h>' >"$root/include/numaperf/detail/atomic.h"
printf '#include <numaperf/detail/atomic.h>\nmemory_order_acquire\n' >"$root/src/base/atomic.h"
printf '#include "base/atomic.h"\n#include <sched.h>\n' >"$root/src/os/os.h"
printf '/* atomic_load(x) and\n#include "sync/deque.h"\n in a comment */\n#include <stdint.h>\n' \
    >"$root/src/base/text.h"
printf '#include <hwloc.h>\n#include "os/os.h"\n' >"$root/src/topology/probe.c"
printf 'const char *s = "atomic_load(p) // asm";\n#include "topology/tier.h"\n' \
    >"$root/src/sync/deque.c"
printf '#include <numaperf.h>\n#include <unistd.h>\n#include "command.h"\n' \
    >"$root/tools/numaperf/main.c"
printf '#include <numaperf.h>\n#include <stdatomic.h>\n' >"$root/examples/basic.c"

"$check" "$root" || {
    echo "good code was rejected"
    failed=1
}

# must_reject FILE TEXT: TEXT in FILE, alone, is a violation reported with the file's name.
must_reject()
{
    saved=$root/saved
    existed=no
    [ ! -e "$root/$1" ] || { existed=yes && cp "$root/$1" "$saved"; }
    printf '%b\n' "$2" >>"$root/$1"
    if output=$("$check" "$root"); then
        echo "not rejected in $1: $2"
        failed=1
    elif ! printf '%s\n' "$output" | grep -q "^$1:[0-9]*: "; then
        echo "rejected, but not at $1: $output"
        failed=1
    fi
    if [ $existed = yes ]; then mv "$saved" "$root/$1"; else rm "$root/$1"; fi
}

must_reject src/base/down.c '#include "os/os.h"'
must_reject src/os/down.c '  #  include "sync/deque.h"'
must_reject src/sync/loose.c '#include "deque.h"'
must_reject src/sync/other.c '#include "../base/atomic.h"'
must_reject src/sync/system.c '#include <pthread.h>'
must_reject src/base/system.c '#include <sys/mman.h>'
must_reject src/base/own_asserts.c '#include <assert.h>'
must_reject src/sync/hw.c '#include <hwloc.h>'
must_reject src/sync/hw2.c '#include <numaperf/hwloc.h>'
must_reject src/sync/raw1.c '#include <stdatomic.h>'
must_reject src/sync/raw2.c 'static _Atomic int x;'
must_reject src/sync/raw3.c 'y = atomic_fetch_add_explicit(&x, 1, 0);'
must_reject src/sync/raw4.c '/* a */ z = __atomic_load_n(&x, 0); /* b */'
must_reject src/sync/raw5.c 'a = b; /* multi\nline */ atomic_thread_fence(c);'
must_reject src/sync/assembler.c '__asm__ volatile("pause");'
must_reject src/sync/macro.c '#include SOMETHING'
must_reject include/numaperf/quoted.h '#include "types.h"'
must_reject include/numaperf/system.h '#include <pthread.h>'
must_reject include/numaperf/hw.h '#include <hwloc.h>'
must_reject include/numaperf/raw.h '_Atomic int x;'
must_reject include/numaperf/prefix.h '#define MAX_NODES 3'
must_reject tools/numaperf/inside.c '#include "base/atomic.h"'
must_reject tools/numaperf/detail.c '#include <numaperf/detail/atomic.h>'
must_reject examples/inside.c '#include "../src/os/os.h"'

mkdir -p "$root/src/stray"
must_reject src/stray/file.c 'int x;'
exit $failed
