# The library's targets. All sources are compiled once, as position-independent objects, and both
# libraries are made of those objects: what the tests see is what is shipped.
add_library(numaperf_objects OBJECT)
set_target_properties(numaperf_objects PROPERTIES POSITION_INDEPENDENT_CODE ON)
target_link_libraries(numaperf_objects PRIVATE np_internal PkgConfig::HWLOC Threads::Threads)
target_compile_options(numaperf_objects PRIVATE
    "$<$<C_COMPILER_ID:GNU>:-fno-semantic-interposition>")

# np_layer_sources(a.c b.c …): called in src/<layer>/CMakeLists.txt with that layer's files.
function(np_layer_sources)
    target_sources(numaperf_objects PRIVATE ${ARGN})
endfunction()

function(np_set_public_interface target)
    target_include_directories(${target} INTERFACE
        "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
        "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
    target_link_libraries(${target} PRIVATE
        "$<BUILD_INTERFACE:np_flags>" PkgConfig::HWLOC Threads::Threads)
    # A child project inherits the sanitizer through the link, whatever it links with first.
    if(NP_SANITIZE)
        target_link_options(${target} INTERFACE
            "$<BUILD_INTERFACE:-fsanitize=${NP_SANITIZE}>")
    endif()
endfunction()

# Called once every layer has added its files.
function(np_finish_library)
    get_target_property(sources numaperf_objects SOURCES)
    if(NOT sources)
        message(WARNING "no layer has any source yet: the library is empty")
        set(empty "${PROJECT_BINARY_DIR}/empty.c")
        file(WRITE "${empty}" "typedef int npi_empty;\n")
        target_sources(numaperf_objects PRIVATE "${empty}")
    endif()

    if(NP_BUILD_SHARED)
        set(map "${PROJECT_SOURCE_DIR}/cmake/libnumaperf.map")
        add_library(numaperf SHARED "$<TARGET_OBJECTS:numaperf_objects>")
        set_target_properties(numaperf PROPERTIES
            VERSION ${PROJECT_VERSION}
            SOVERSION ${PROJECT_VERSION_MAJOR}
            LINKER_LANGUAGE C
            LINK_DEPENDS "${map}")
        target_link_options(numaperf PRIVATE "LINKER:--version-script=${map}")
        if(NOT NP_SANITIZE)
            # A sanitizer's runtime is found by the program, not by the library.
            target_link_options(numaperf PRIVATE "LINKER:--no-undefined")
        endif()
        np_set_public_interface(numaperf)
        add_library(numaperf::numaperf ALIAS numaperf)
    endif()

    # The tests reach internal functions through the static library, so it always exists.
    add_library(numaperf_static STATIC "$<TARGET_OBJECTS:numaperf_objects>")
    set_target_properties(numaperf_static PROPERTIES OUTPUT_NAME numaperf LINKER_LANGUAGE C)
    np_set_public_interface(numaperf_static)
    add_library(numaperf::numaperf_static ALIAS numaperf_static)
    if(NOT NP_BUILD_STATIC)
        set_target_properties(numaperf_static PROPERTIES EXCLUDE_FROM_ALL ON)
    endif()

    # What the tool and the examples link with: the library as a user gets it.
    add_library(np_public INTERFACE)
    if(NP_BUILD_SHARED)
        target_link_libraries(np_public INTERFACE numaperf)
    else()
        target_link_libraries(np_public INTERFACE numaperf_static)
    endif()
endfunction()
