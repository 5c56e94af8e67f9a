# How tests are declared: labels, time limits, sanitizer settings, and the way a program is started.
find_package(PkgConfig REQUIRED)
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
# Parses the JSON that we write; the library itself does not use it.
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)

# ThreadSanitizer's runtime cannot map its shadow when the kernel randomises addresses too widely
# (vm.mmap_rnd_bits above 28 with older compilers). Find out now whether a plain program starts, and
# otherwise whether it starts with randomisation off.
set(NP_TEST_LAUNCHER ${CMAKE_CROSSCOMPILING_EMULATOR})
if(NP_SANITIZE)
    set(np_probe "${PROJECT_BINARY_DIR}/sanitizer_probe")
    file(WRITE "${np_probe}.c" "int main(void) { return 0; }\n")
    separate_arguments(np_probe_flags UNIX_COMMAND "${CMAKE_C_FLAGS}")
    execute_process(COMMAND ${CMAKE_C_COMPILER} ${np_probe_flags} -fsanitize=${NP_SANITIZE}
        -o "${np_probe}" "${np_probe}.c" RESULT_VARIABLE np_probe_result)
    if(np_probe_result)
        message(FATAL_ERROR "a trivial program does not build with -fsanitize=${NP_SANITIZE}")
    endif()
    # Where it fails at all, it fails now and then: the addresses are random.
    set(np_probe_failed FALSE)
    foreach(attempt RANGE 1 20)
        execute_process(COMMAND "${np_probe}" RESULT_VARIABLE np_probe_result
            OUTPUT_QUIET ERROR_QUIET)
        if(np_probe_result)
            set(np_probe_failed TRUE)
        endif()
    endforeach()
    if(np_probe_failed)
        execute_process(COMMAND setarch -R "${np_probe}" RESULT_VARIABLE np_probe_result)
        if(np_probe_result)
            message(FATAL_ERROR "a trivial program built with -fsanitize=${NP_SANITIZE} does not "
                "start here, not even without address randomisation")
        endif()
        set(NP_TEST_LAUNCHER setarch -R)
        message(STATUS "sanitizer: programs are started without address randomisation")
    endif()
endif()

set(NP_TEST_ENVIRONMENT
    "ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:check_initialization_order=1:detect_stack_use_after_return=1:abort_on_error=0"
    "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1"
    "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=${PROJECT_SOURCE_DIR}/cmake/tsan.supp")
if(CMAKE_CROSSCOMPILING)
    list(APPEND NP_TEST_ENVIRONMENT "NP_TEST_EMULATED=1")
endif()

# Children of tests leave by _exit(), which forgets what was counted. Where every system call is
# forbidden, so is writing that down.
set(NP_COVERAGE_NOT_IN test_no_system_call)
if(NP_COVERAGE)
    add_library(np_coverage_leave OBJECT "${PROJECT_SOURCE_DIR}/tests/coverage/leave.c")
endif()

# np_test(NAME name COMMAND … LABELS … [TIMEOUT s] [SERIAL] [ENVIRONMENT …])
# Exit code 77 means skipped; the reason is the test's output.
function(np_test)
    cmake_parse_arguments(PARSE_ARGV 0 arg "SERIAL" "NAME;TIMEOUT" "COMMAND;LABELS;ENVIRONMENT")
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 120)
    endif()
    # "a;b" in quotes would become one label of that name, which no -L or -LE finds.
    string(REPLACE "\\;" ";" arg_LABELS "${arg_LABELS}")
    add_test(NAME ${arg_NAME} COMMAND ${arg_COMMAND})
    set_tests_properties(${arg_NAME} PROPERTIES
        LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT} SKIP_RETURN_CODE 77
        ENVIRONMENT "${NP_TEST_ENVIRONMENT};${arg_ENVIRONMENT}")
    if(arg_SERIAL)
        set_tests_properties(${arg_NAME} PROPERTIES RUN_SERIAL ON)
    endif()
    # They take longest, so they begin first, and the short ones fill the gaps.
    if("guest" IN_LIST arg_LABELS)
        set_tests_properties(${arg_NAME} PROPERTIES COST 1000)
    endif()
endfunction()

# np_soak_amount(out full): what the soak does of a campaign's full amount; at least 1.
function(np_soak_amount out full)
    math(EXPR amount "(${full} * ${NP_SOAK_PERCENT} + 99) / 100")
    set(${out} ${amount} PARENT_SCOPE)
endfunction()

# np_program_test(kind file [TIMEOUT s] [SERIAL]): one program from one C file that sees the inside of
# the library, built as <kind>_<file name> and run as a test with the label <kind>.
function(np_program_test kind file)
    cmake_path(GET file STEM stem)
    add_executable(${stem} "${file}")
    target_link_libraries(${stem} PRIVATE
        np_internal numaperf_static PkgConfig::CMOCKA PkgConfig::HWLOC Threads::Threads)
    if(TARGET np_coverage_leave AND NOT stem IN_LIST NP_COVERAGE_NOT_IN)
        target_link_libraries(${stem} PRIVATE np_coverage_leave)
        target_link_options(${stem} PRIVATE LINKER:--wrap=_exit)
    endif()
    np_test(NAME ${kind}.${stem} COMMAND ${NP_TEST_LAUNCHER} "$<TARGET_FILE:${stem}>" LABELS ${kind}
        ${ARGN})
endfunction()
