#!/bin/sh
# Goal: every build option reaches what it is for. Method: the project is configured once per option,
# and what the compiler would be told, or which targets exist, is compared with the default. Nothing
# is compiled, except where only the result can tell.
# usage: test_build_options.sh SOURCE_DIR WORK_DIR CMAKE CC
set -eu
source=$1 work=$2 cmake=$3 cc=$4
failed=0
rm -rf "$work"
mkdir -p "$work"

# configure NAME arguments: into $work/NAME; the log beside it. Tests and examples off unless asked.
configure()
{
    name=$1
    shift
    "$cmake" -S "$source" -B "$work/$name" -G Ninja -DCMAKE_C_COMPILER="$cc" \
        -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DNP_BUILD_TESTS=OFF -DNP_BUILD_EXAMPLES=OFF "$@" \
        >"$work/$name.log" 2>&1
}

complain()
{
    echo "$*"
    failed=1
}
compiled_with()
{
    grep -q -e "$2" "$work/$1/compile_commands.json" || complain "$1: no file is compiled with $2"
}
compiled_without()
{
    ! grep -q -e "$2" "$work/$1/compile_commands.json" || complain "$1: a file is compiled with $2"
}
targets()
{
    "$cmake" --build "$work/$1" --target help
}
has_target()
{
    targets "$1" | grep -q "^$2:" || complain "$1: there is no target $2"
}
has_no_target()
{
    ! targets "$1" | grep -q "^$2:" || complain "$1: there is a target $2"
}
links()
{
    grep -q "^build $2" "$work/$1/build.ninja" || complain "$1: $2 is not built"
}
links_not()
{
    ! grep -q "^build $2" "$work/$1/build.ninja" || complain "$1: $2 is built"
}
rejected()
{
    name=$1 text=$2
    shift 2
    if configure "$name" "$@"; then
        complain "$name: accepted: $*"
    elif ! grep -q "$text" "$work/$name.log"; then
        complain "$name: the message does not say '$text'"
    fi
}
must_configure()
{
    configure "$@" || {
        cat "$work/$1.log"
        exit 1
    }
}

must_configure default
compiled_with default '-D_GNU_SOURCE'
compiled_with default '-DNPI_ASSERT_LEVEL=1'
compiled_with default '-O2'
compiled_with default '-fvisibility=hidden'
compiled_with default '-Wconversion'
compiled_without default '-Werror'
compiled_without default '-DNDEBUG'
compiled_without default '-fsanitize'
links default libnumaperf.so
links default libnumaperf.a

must_configure werror -DNP_WERROR=ON
compiled_with werror '-Werror'

for level in 0 2; do
    must_configure assert$level -DNP_ASSERT_LEVEL=$level
    compiled_with assert$level "-DNPI_ASSERT_LEVEL=$level"
done
must_configure debug -DCMAKE_BUILD_TYPE=Debug
compiled_with debug '-DNPI_ASSERT_LEVEL=3'
rejected assert9 "NP_ASSERT_LEVEL is '9'" -DNP_ASSERT_LEVEL=9

must_configure sanitize -DNP_SANITIZE=address,undefined
compiled_with sanitize '-fsanitize=address,undefined'
compiled_with sanitize '-DNPI_ASSERT_LEVEL=3'
rejected nonsense 'cannot build with -fsanitize=nonsense' -DNP_SANITIZE=nonsense
must_configure soak -DNP_BUILD_TESTS=ON -DNP_SOAK_PERCENT=7
grep -q 'soak.hostile.hostile_life.*hostile_life" "70000"' "$work/soak/tests/hostile/CTestTestfile.cmake" ||
    complain "soak: 7 % of a million lives is not what it would run"
rejected soak0 "NP_SOAK_PERCENT is '0'" -DNP_SOAK_PERCENT=0
must_configure coverage -DNP_COVERAGE=ON
compiled_with coverage '--coverage'
compiled_without default '--coverage'

must_configure static_only -DNP_BUILD_SHARED=OFF
links_not static_only libnumaperf.so
links static_only libnumaperf.a
must_configure shared_only -DNP_BUILD_STATIC=OFF
links shared_only libnumaperf.so
rejected no_library 'nothing to build' -DNP_BUILD_SHARED=OFF -DNP_BUILD_STATIC=OFF
grep -q 'libnumaperf.a' "$work/default/cmake_install.cmake" ||
    complain "default: libnumaperf.a is not installed"
! grep -q 'libnumaperf.a' "$work/shared_only/cmake_install.cmake" ||
    complain "shared_only: libnumaperf.a is installed"

must_configure tests -DNP_BUILD_TESTS=ON
has_target tests test
has_no_target default test
guests=$(cd "$work/tests" && ctest -N -L guest | sed -n 's/^Total Tests: //p')
[ "$guests" -gt 0 ] || complain "tests: no guest tests"
must_configure no_guest -DNP_BUILD_TESTS=ON -DNP_TEST_GUEST=OFF
guests=$(cd "$work/no_guest" && ctest -N -L guest | sed -n 's/^Total Tests: //p')
[ "$guests" = 0 ] || complain "no_guest: $guests guest tests"

# Folders with instruments of their own: their tests are there, or none is.
tests_of()
{
    ctest --test-dir "$work/$1" -N -L "^$2\$" | sed -n 's/^Total Tests: //p'
}
must_configure no_campaigns -DNP_BUILD_TESTS=ON -DNP_TEST_CAMPAIGNS=OFF
for folder in model sim mutation fuzz machines; do
    [ "$(tests_of tests $folder)" != 0 ] || complain "tests: no test of tests/$folder"
    [ "$(tests_of no_campaigns $folder)" = 0 ] || complain "no_campaigns: tests of tests/$folder"
done

if ls "$source"/examples/*.c >/dev/null 2>&1; then
    must_configure examples -DNP_BUILD_EXAMPLES=ON
    compiled_with examples '/examples/'
    compiled_without default '/examples/'
fi
if [ -e "$source/tools/numaperf/CMakeLists.txt" ]; then
    compiled_with default '/tools/numaperf/'
    must_configure no_tool -DNP_BUILD_TOOL=OFF
    compiled_without no_tool '/tools/numaperf/'
    must_configure plain -DNP_WITH_SMARTCOLS=OFF
    ! grep -q smartcols "$work/plain/build.ninja" || complain "plain: libsmartcols is still used"
    grep -q smartcols "$work/default/build.ninja" || complain "default: libsmartcols is not used"
fi
if [ -e "$source/bench/CMakeLists.txt" ]; then
    must_configure bench -DNP_BUILD_BENCH=ON
    compiled_with bench '/bench/contender/'
    compiled_without default '/bench/contender/'
fi

# Every option that the project defines is named in this test.
for option in $(sed -n 's/^option(\(NP_[A-Z_]*\) .*/\1/p; s/^set(\(NP_[A-Z_]*\) .* CACHE .*/\1/p' \
    "$source/cmake/NpOptions.cmake"); do
    grep -q "D$option=" "$0" || complain "the option $option is not tested here"
done
exit $failed
