# Toolchain for the preset `aarch64`: Debian's cross compiler, hwloc and cmocka from a private folder
# that scripts/sysroot-aarch64 fills, and qemu-user to run what was built.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)

set(np_sysroot "${CMAKE_CURRENT_LIST_DIR}/../build/aarch64-sysroot")
cmake_path(NORMAL_PATH np_sysroot)
set(np_sysroot_libraries "${np_sysroot}/usr/lib/aarch64-linux-gnu")

# The compiler has its C library with it; only the added packages lie in the folder.
set(ENV{PKG_CONFIG_SYSROOT_DIR} "${np_sysroot}")
set(ENV{PKG_CONFIG_LIBDIR} "${np_sysroot_libraries}/pkgconfig")
set(CMAKE_C_FLAGS_INIT "-isystem ${np_sysroot}/usr/include/aarch64-linux-gnu")
set(CMAKE_EXE_LINKER_FLAGS_INIT
    "-Wl,-rpath-link,${np_sysroot_libraries} -Wl,-rpath-link,${np_sysroot}/lib/aarch64-linux-gnu")
set(CMAKE_FIND_ROOT_PATH "${np_sysroot}" /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)

set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu
    -E "LD_LIBRARY_PATH=${np_sysroot_libraries}:${np_sysroot}/lib/aarch64-linux-gnu")
