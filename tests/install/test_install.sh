#!/bin/sh
# Goal: what is installed is complete, relocatable, and usable in every way the manual offers.
# Method: install into temporary prefixes, then build and run one small program with pkg-config
# (shared and static), with CMake's find_package, as C99, C11 and C++, and start the installed tool.
# usage: test_install.sh HERE BUILD_DIR CMAKE CC CXX
set -eu
here=$1 build=$2 cmake=$3 cc=$4 cxx=$5
source=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
unset LD_LIBRARY_PATH PKG_CONFIG_PATH CMAKE_PREFIX_PATH DESTDIR || true

complain()
{
    echo "$*" >&2
    failed=1
}

# attempt WHAT command…: a command that must succeed.
attempt()
{
    what=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        echo "$what: good"
    else
        cat "$work/log"
        complain "$what: failed: $*"
    fi
}

# needs PROGRAM LIBRARY: does the program load the library at start?
needs()
{
    readelf -d "$1" | grep -q "(NEEDED).*\[$2"
}

# Staged: everything lands below DESTDIR, at the configured prefix.
prefix=$(sed -n 's/^CMAKE_INSTALL_PREFIX:PATH=//p' "$build/CMakeCache.txt")
attempt "staged install" env DESTDIR="$work/stage" "$cmake" --install "$build"
[ -f "$work/stage$prefix/include/numaperf.h" ] || complain "DESTDIR is not honoured"

# For real, then moved: nothing may remember where it was installed.
attempt "install" "$cmake" --install "$build" --prefix "$work/first"
mv "$work/first" "$work/prefix"
prefix=$work/prefix
pc=$(dirname "$(find "$prefix" -name numaperf.pc)")
libdir=$(dirname "$pc")
if grep -rlI "$work/first" "$prefix" "$build/numaperf.pc" 2>/dev/null; then
    complain "installed files name the place of installation"
fi

(cd "$source/include" && find . -type f -name '*.h' | sort) >"$work/wanted"
(cd "$prefix/include" && find . -type f | sort) >"$work/installed"
attempt "all headers and only headers" diff "$work/wanted" "$work/installed"
[ -L "$libdir/libnumaperf.so" ] || complain "libnumaperf.so is missing"
[ -L "$libdir/libnumaperf.so.0" ] || complain "libnumaperf.so.0 is missing"
[ -f "$libdir/libnumaperf.a" ] || complain "libnumaperf.a is missing"

# compile OUTPUT "compiler and standard" "pkg-config options": one program; flags are split on purpose.
compile()
{
    # shellcheck disable=SC2046,SC2086
    $2 -pedantic -Wall -Wextra -Werror -o "$1" "$work/$source_file" \
        $(PKG_CONFIG_PATH=$pc pkg-config $3 numaperf)
}

cp "$here/user/user.c" "$work/user.c"
cp "$here/user/user.c" "$work/user.cpp"
for standard in c99 c11; do
    source_file=user.c
    attempt "$standard, shared" compile "$work/$standard" "$cc -std=$standard" "--cflags --libs"
    attempt "$standard, shared, runs" env LD_LIBRARY_PATH="$libdir" "$work/$standard"
done
for standard in c++11 c++17; do
    source_file=user.cpp
    attempt "$standard, shared" compile "$work/$standard" "$cxx -std=$standard" "--cflags --libs"
    attempt "$standard, shared, runs" env LD_LIBRARY_PATH="$libdir" "$work/$standard"
done
needs "$work/c11" libnumaperf.so.0 || complain "the shared program does not use libnumaperf.so.0"
! needs "$work/c11" libhwloc || complain "hwloc is not private: the shared program needs it"
PKG_CONFIG_PATH=$pc pkg-config --exists "numaperf >= 0.1" || complain "pkg-config: wrong version"

# shellcheck disable=SC2086
attempt "plug-in host" $cc -o "$work/plugin_host" "$here/user/plugin_host.c" -ldl -pthread
attempt "plug-in: loads, works, unloads" "$work/plugin_host" "$libdir/libnumaperf.so.0"

# Static: where only the archive is installed, --static must name all that it needs.
cp -R "$prefix" "$work/archive_only"
find "$work/archive_only" -name 'libnumaperf.so*' -exec rm {} +
pc=$(dirname "$(find "$work/archive_only" -name numaperf.pc)")
source_file=user.c
attempt "static" compile "$work/static" "$cc -std=c11" "--static --cflags --libs"
attempt "static, runs" "$work/static"
! needs "$work/static" libnumaperf || complain "the static program needs the shared library"

attempt "find_package" "$cmake" -S "$here/user" -B "$work/cmake" -G Ninja \
    -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx"
attempt "find_package, builds" "$cmake" --build "$work/cmake"
for program in user_shared user_static user_cxx; do
    attempt "find_package, $program runs" "$work/cmake/$program"
done
! needs "$work/cmake/user_static" libnumaperf || complain "user_static needs the shared library"

# A folder the build was configured for, as for a package: the tool finds the library beside it.
if [ -e "$prefix/bin/numaperf" ]; then
    attempt "the installed tool starts" "$prefix/bin/numaperf" --version
fi
exit $failed
