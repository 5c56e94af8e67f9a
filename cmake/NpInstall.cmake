# Installation: libraries, headers, pkg-config file, CMake package. Everything is relocatable: the
# installed files name each other by relative paths, so that DESTDIR and a moved prefix both work.
include(CMakePackageConfigHelpers)

# From the folder "from" to the folder "to", both below the prefix; an absolute "to" stays as it is.
function(np_relative_install_path from to out)
    if(IS_ABSOLUTE "${from}" OR IS_ABSOLUTE "${to}")
        cmake_path(ABSOLUTE_PATH to BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}" NORMALIZE)
        set(${out} "${to}" PARENT_SCOPE)
        return()
    endif()
    file(RELATIVE_PATH relative "/prefix/${from}" "/prefix/${to}")
    string(REGEX REPLACE "/$" "" relative "${relative}")
    set(${out} "${ARGN}${relative}" PARENT_SCOPE)
endfunction()

set(np_cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/numaperf")
set(np_pc_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING PATTERN "*.h")

# Two export sets: a user of the shared library need not have hwloc's development files.
if(NP_BUILD_SHARED)
    install(TARGETS numaperf EXPORT numaperf-shared
        LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
    install(EXPORT numaperf-shared NAMESPACE numaperf:: DESTINATION "${np_cmake_dir}"
        FILE numaperf-shared-targets.cmake)
endif()
if(NP_BUILD_STATIC)
    install(TARGETS numaperf_static EXPORT numaperf-static
        ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
    install(EXPORT numaperf-static NAMESPACE numaperf:: DESTINATION "${np_cmake_dir}"
        FILE numaperf-static-targets.cmake)
endif()

np_relative_install_path("${np_pc_dir}" "" np_pc_prefix "\${pcfiledir}/")
np_relative_install_path("" "${CMAKE_INSTALL_LIBDIR}" np_pc_libdir "\${prefix}/")
np_relative_install_path("" "${CMAKE_INSTALL_INCLUDEDIR}" np_pc_includedir "\${prefix}/")
# Without a shared library every link is a static one, so the private requirements become public.
if(NP_BUILD_SHARED)
    set(np_pc_private ".private")
else()
    set(np_pc_private "")
endif()
configure_file("${PROJECT_SOURCE_DIR}/cmake/numaperf.pc.in"
    "${PROJECT_BINARY_DIR}/numaperf.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/numaperf.pc" DESTINATION "${np_pc_dir}")

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/numaperf-config.cmake.in"
    "${PROJECT_BINARY_DIR}/numaperf-config.cmake"
    INSTALL_DESTINATION "${np_cmake_dir}" NO_SET_AND_CHECK_MACRO)
# Until 1.0 a minor version may change the interface.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/numaperf-config-version.cmake"
    COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/numaperf-config.cmake"
    "${PROJECT_BINARY_DIR}/numaperf-config-version.cmake" DESTINATION "${np_cmake_dir}")

# Where an installed program finds the library; the system's own folders need no help.
if(NOT CMAKE_INSTALL_PREFIX MATCHES "^/usr/?$")
    np_relative_install_path("${CMAKE_INSTALL_BINDIR}" "${CMAKE_INSTALL_LIBDIR}"
        np_install_rpath "$ORIGIN/")
    set(CMAKE_INSTALL_RPATH "${np_install_rpath}")
endif()
