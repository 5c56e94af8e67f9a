# The fuzzers themselves. They need clang and its libFuzzer whatever the preset's compiler is, so every source
# is compiled here once more by a command of its own; nothing of it is linked with anything else.
find_program(NP_FUZZ_CLANG clang)
set(np_fuzzers_missing "")
if(NOT NP_FUZZ_CLANG)
    set(np_fuzzers_missing "clang is not installed")
else()
    file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/probe.c"
        "#include <stddef.h>\nint LLVMFuzzerTestOneInput(const unsigned char *b, size_t n);\n"
        "int LLVMFuzzerTestOneInput(const unsigned char *b, size_t n) { return n > 9 && b[0] == 7; }\n")
    execute_process(COMMAND ${NP_FUZZ_CLANG} -fsanitize=fuzzer,address,undefined
        -o "${CMAKE_CURRENT_BINARY_DIR}/probe" "${CMAKE_CURRENT_BINARY_DIR}/probe.c"
        RESULT_VARIABLE np_fuzz_result OUTPUT_QUIET ERROR_QUIET)
    if(np_fuzz_result)
        set(np_fuzzers_missing "clang cannot link libFuzzer (Debian's package libclang-rt-dev)")
    endif()
endif()

if(NOT np_fuzzers_missing)
    get_target_property(np_library_sources numaperf_objects SOURCES)
    find_program(NP_FUZZ_CCACHE ccache)
    set(np_fuzz_flags -O1 -g -std=c11 -fno-omit-frame-pointer -fno-sanitize-recover=all
        -fsanitize=fuzzer-no-link,address,undefined -fvisibility=hidden
        -D_GNU_SOURCE -DNPI_ASSERT_LEVEL=3 -DFUZZ_WITH_LIBFUZZER
        "-I${PROJECT_SOURCE_DIR}/src" "-I${PROJECT_SOURCE_DIR}/include" ${HWLOC_CFLAGS}
        ${JANSSON_CFLAGS})

    # np_fuzz_compile(out source…): the object files of the sources.
    function(np_fuzz_compile out)
        set(objects "")
        foreach(source IN LISTS ARGN)
            cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" NORMALIZE)
            file(RELATIVE_PATH relative "${PROJECT_SOURCE_DIR}" "${source}")
            set(object "${CMAKE_CURRENT_BINARY_DIR}/fuzzers/${relative}.o")
            cmake_path(GET object PARENT_PATH folder)
            file(MAKE_DIRECTORY "${folder}")
            add_custom_command(OUTPUT "${object}"
                COMMAND ${NP_FUZZ_CCACHE} ${NP_FUZZ_CLANG} ${np_fuzz_flags} -MMD -MF "${object}.d"
                    -c "${source}" -o "${object}"
                DEPENDS "${source}" DEPFILE "${object}.d" VERBATIM
                COMMENT "Instrumenting ${relative}")
            list(APPEND objects "${object}")
        endforeach()
        set(${out} "${objects}" PARENT_SCOPE)
    endfunction()

    if(NOT NP_FUZZ_CCACHE)
        set(NP_FUZZ_CCACHE "")
    endif()
    np_fuzz_compile(np_fuzz_objects ${np_library_sources} ${np_tool_sources} ${np_fuzz_shared})
    set(np_fuzz_library "${CMAKE_CURRENT_BINARY_DIR}/fuzzers/libnumaperf.a")
    add_custom_command(OUTPUT "${np_fuzz_library}"
        COMMAND ${CMAKE_COMMAND} -E rm -f "${np_fuzz_library}"
        COMMAND ${CMAKE_AR} rcs "${np_fuzz_library}" ${np_fuzz_objects}
        DEPENDS ${np_fuzz_objects} VERBATIM)
    set(np_fuzz_programs "")
    foreach(name IN LISTS np_fuzz_names)
        np_fuzz_compile(np_fuzz_object fuzz_${name}.c)
        set(program "${CMAKE_CURRENT_BINARY_DIR}/fuzzers/${name}")
        add_custom_command(OUTPUT "${program}"
            COMMAND ${NP_FUZZ_CLANG} -g -fsanitize=fuzzer,address,undefined -o "${program}"
                ${np_fuzz_object} "${np_fuzz_library}" ${HWLOC_LINK_LIBRARIES}
                ${JANSSON_LINK_LIBRARIES} -pthread
            DEPENDS ${np_fuzz_object} "${np_fuzz_library}" VERBATIM
            COMMENT "Linking the fuzzer ${name}")
        list(APPEND np_fuzz_programs "${program}")
    endforeach()
    add_custom_target(fuzzers ALL DEPENDS ${np_fuzz_programs})
endif()

# Inputs in `make test`, about two seconds each, and in the soak, some minutes each.
set(np_fuzz_runs_cpu_list 20000)
set(np_fuzz_runs_environment 12000)
set(np_fuzz_runs_synthetic 1000)
set(np_fuzz_runs_xml 10000)
set(np_fuzz_runs_command_line 5000)
set(np_fuzz_runs_system_files 700)
set(np_fuzz_runs_json 20000)
set(np_fuzz_runs_report 400)
foreach(name IN LISTS np_fuzz_names)
    math(EXPR np_fuzz_soak "${np_fuzz_runs_${name}} * 200")
    np_soak_amount(np_fuzz_soak ${np_fuzz_soak})
    set(np_fuzz_command bash "${CMAKE_CURRENT_SOURCE_DIR}/run-fuzzer" ${name}
        "${CMAKE_CURRENT_BINARY_DIR}/fuzzers/${name}" "${CMAKE_CURRENT_SOURCE_DIR}"
        "${CMAKE_CURRENT_BINARY_DIR}/found")
    np_test(NAME fuzz.${name} LABELS fuzz TIMEOUT 300
        COMMAND ${np_fuzz_command} ${np_fuzz_runs_${name}}
        ENVIRONMENT "NP_FUZZERS_MISSING=${np_fuzzers_missing}")
    np_test(NAME soak.fuzz.${name} LABELS "soak;fuzz" TIMEOUT 7200
        COMMAND ${np_fuzz_command} ${np_fuzz_soak}
        ENVIRONMENT "NP_FUZZERS_MISSING=${np_fuzzers_missing}")
endforeach()
