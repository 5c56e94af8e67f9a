# Every build option, with its default. tests/build/test_options.sh checks that each one has an effect.
option(NP_BUILD_SHARED "Build and install the shared library" ON)
option(NP_BUILD_STATIC "Install the static library as well" ON)
option(NP_BUILD_TOOL "Build the numaperf command-line tool" ON)
option(NP_BUILD_TESTS "Build the tests (needs cmocka and a C++ compiler)" ${PROJECT_IS_TOP_LEVEL})
option(NP_BUILD_EXAMPLES "Build the examples" ${PROJECT_IS_TOP_LEVEL})
option(NP_BUILD_BENCH "Build the benchmarks" OFF)
option(NP_WERROR "Treat compiler warnings as errors" OFF)
option(NP_WITH_SMARTCOLS "Use libsmartcols for the tool's tables" ON)
option(NP_TEST_GUEST "Run tests inside emulated multi-node machines (needs qemu)" ON)
option(NP_TEST_CAMPAIGNS "Build the model, the simulation, the mutations and the fuzzers" ON)
set(NP_SOAK_PERCENT 100 CACHE STRING "How much of their full amounts the campaigns of the soak do, 1..100")
option(NP_COVERAGE "Count the lines and branches that run, with gcov" OFF)

# A list for -fsanitize=, for instance "address,undefined" or "thread"; empty means none.
set(NP_SANITIZE "" CACHE STRING "Sanitizers to build with (comma-separated, empty for none)")

# How much of the library's own checking is compiled in: 0 nothing, 1 misuse that would corrupt memory,
# 2 invariants as well, 3 expensive walkers as well. Empty picks by the build type.
set(NP_ASSERT_LEVEL "" CACHE STRING "Assertion level 0..3 (empty: 1, or 3 in Debug and sanitizer builds)")
set_property(CACHE NP_ASSERT_LEVEL PROPERTY STRINGS "" 0 1 2 3)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

if(NOT NP_BUILD_SHARED AND NOT NP_BUILD_STATIC)
    message(FATAL_ERROR "NP_BUILD_SHARED and NP_BUILD_STATIC are both OFF: nothing to build")
endif()
if(NOT NP_ASSERT_LEVEL MATCHES "^[0-3]?$")
    message(FATAL_ERROR "NP_ASSERT_LEVEL is '${NP_ASSERT_LEVEL}', expected 0, 1, 2, 3 or empty")
endif()
if(NOT NP_SOAK_PERCENT MATCHES "^([1-9][0-9]?|100)$")
    message(FATAL_ERROR "NP_SOAK_PERCENT is '${NP_SOAK_PERCENT}', expected 1 to 100")
endif()
if(NOT NP_SANITIZE MATCHES "^[a-z,-]*$")
    message(FATAL_ERROR "NP_SANITIZE is '${NP_SANITIZE}', expected a comma-separated list of names")
endif()

if(NOT NP_ASSERT_LEVEL STREQUAL "")
    set(np_assert_level ${NP_ASSERT_LEVEL})
elseif(NP_SANITIZE OR CMAKE_BUILD_TYPE STREQUAL "Debug")
    set(np_assert_level 3)
else()
    set(np_assert_level 1)
endif()
