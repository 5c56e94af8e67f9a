# Compiler flags. Two interface targets carry them:
#   np_flags     for everything we compile: warnings, sanitizers
#   np_internal  for code that may see the library's inside: include path src/, _GNU_SOURCE, asserts
include(CheckCCompilerFlag)

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)

# Our asserts have levels of their own (NP_ASSERT_LEVEL), so the build type must not define NDEBUG:
# one source of truth decides what is checked.
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g" CACHE STRING "" FORCE)
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g" CACHE STRING "" FORCE)
set(CMAKE_C_FLAGS_RELEASE "-O2" CACHE STRING "" FORCE)
set(CMAKE_CXX_FLAGS_RELEASE "-O2" CACHE STRING "" FORCE)

add_library(np_flags INTERFACE)

# Not -Wnull-dereference: it guesses across inlined functions without knowing what functions of other
# files return. The analyser of `make lint` knows (base/status.h) and looks for the same.
set(np_warnings
    -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wundef -Wcast-qual -Wcast-align -Wvla
    -Wformat=2 -Wpointer-arith -Wwrite-strings -Wimplicit-fallthrough
    -Wswitch-enum -Wdouble-promotion)
set(np_warnings_c -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition)
set(np_warnings_gcc -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wrestrict -Walloca
    -Wtrampolines)
set(np_warnings_clang -Wthread-safety -Wcomma -Wunreachable-code)

target_compile_options(np_flags INTERFACE
    ${np_warnings}
    "$<$<COMPILE_LANGUAGE:C>:${np_warnings_c}>"
    "$<$<AND:$<COMPILE_LANGUAGE:C>,$<C_COMPILER_ID:GNU>>:${np_warnings_gcc}>"
    "$<$<AND:$<COMPILE_LANGUAGE:C>,$<C_COMPILER_ID:Clang>>:${np_warnings_clang}>")
if(NP_WERROR)
    target_compile_options(np_flags INTERFACE -Werror)
endif()

if(NP_SANITIZE)
    set(np_sanitize_flags "-fsanitize=${NP_SANITIZE}" -fno-omit-frame-pointer
        -fno-sanitize-recover=all)
    set(CMAKE_REQUIRED_LINK_OPTIONS "-fsanitize=${NP_SANITIZE}")
    string(MAKE_C_IDENTIFIER "NP_HAS_SANITIZE_${NP_SANITIZE}" np_has_sanitize)
    check_c_compiler_flag("-fsanitize=${NP_SANITIZE}" ${np_has_sanitize})
    unset(CMAKE_REQUIRED_LINK_OPTIONS)
    if(NOT ${np_has_sanitize})
        message(FATAL_ERROR "${CMAKE_C_COMPILER} cannot build with -fsanitize=${NP_SANITIZE}")
    endif()
    target_compile_options(np_flags INTERFACE ${np_sanitize_flags})
    target_link_options(np_flags INTERFACE "-fsanitize=${NP_SANITIZE}")
endif()

add_library(np_internal INTERFACE)
if(NP_COVERAGE)
    # Counted atomically: threads that lose each other's counts would make lines look unreached.
    target_compile_options(np_internal INTERFACE --coverage -fprofile-update=atomic)
    target_link_options(np_flags INTERFACE --coverage)
endif()
target_compile_definitions(np_internal INTERFACE _GNU_SOURCE NPI_ASSERT_LEVEL=${np_assert_level})
target_include_directories(np_internal INTERFACE
    "${CMAKE_CURRENT_SOURCE_DIR}/src" "${CMAKE_CURRENT_SOURCE_DIR}/include")
target_link_libraries(np_internal INTERFACE np_flags)
