# Builds the guest's root file system: a busybox initramfs with the test programs and every shared
# library they need. One image serves all shapes (what differs between runs travels in a second,
# tiny archive), and its name is the hash of what went in, so that an unchanged build reuses it.
# Sourced by run-guest.

# build_image FILE…: sets $image for these programs; find_busybox and find_kernel must have been called.
build_image() {
    image_libraries "$@"
    key=$({ cat "$guest_dir/init" "$guest_dir/lib/image.sh" "$busybox" "$@" $libraries $modules &&
        printf '%s\n' "$@"; } | sha256sum | cut -c1-16)
    image=$work_dir/image-$key.cpio
    [ ! -f "$image" ] || return 0
    exec 8>"$work_dir/image.lock"
    flock 8
    if [ ! -f "$image" ]; then
        staging=$(mktemp -d "$work_dir/staging.XXXXXX") || die "cannot write to $work_dir"
        stage_image "$staging" "$@"
        # Uncompressed on purpose: the emulated machine would decompress it far slower than it reads it.
        (cd "$staging" && find . -mindepth 1 | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) >"$image.new" ||
            die "cpio could not write $image"
        rm -rf "$staging"
        find "$work_dir" -maxdepth 1 -name 'image-*.cpio' -mmin +60 -delete
        mv "$image.new" "$image"
    fi
    exec 8>&-
}

# stage_image DIR FILE…: lays the image's tree out under DIR.
stage_image() {
    root=$1
    shift
    (cd "$root" && mkdir -p bin dev etc lib lib64 np/bin np/lib np/modules np/run proc root run sys tmp usr/share)
    cp "$busybox" "$root/bin/busybox"
    for applet in $("$busybox" --list); do
        [ -e "$root/bin/$applet" ] || ln -s busybox "$root/bin/$applet"
    done
    install -m 755 "$guest_dir/init" "$root/init"
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
    # What the tool's demonstration reads when it is given no file.
    [ ! -d /usr/share/common-licenses ] || cp -rL /usr/share/common-licenses "$root/usr/share/"
    for program in "$@"; do
        copy_stripped "$program" "$root/np/bin/$(basename "$program")"
    done
    for library in $libraries; do
        copy_stripped "$library" "$root/np/lib/$(basename "$library")"
    done
    [ -z "$modules" ] || cp $modules "$root/np/modules/"
    # The loader's path is written into every program.
    loader=$(ls "$root"/np/lib/ld-linux-x86-64.so.2 2>/dev/null) && mv "$loader" "$root/lib64/"
    return 0
}

# image_libraries FILE…: sets $libraries, the shared libraries of these programs, one path per line.
# libgcc_s is loaded by the C library at run time, when a thread exits or is cancelled, so ldd cannot
# see it.
image_libraries() {
    libraries=$(ldconfig_path libgcc_s.so.1)
    for program in "$@"; do
        # Of a script ldd says that it is no dynamic executable, which is no failure.
        found=$(ldd "$program" 2>/dev/null) || found=
        case $found in *'not found'*)
            die "a shared library of $program is missing: $(echo "$found" | grep 'not found' | head -n 1)" ;;
        esac
        libraries="$libraries
$(printf '%s\n' "$found" | awk '$2 == "=>" { print $3 } $1 ~ /^\// { print $1 }')"
    done
    libraries=$(printf '%s\n' "$libraries" | sort -u | awk -F/ '$0 != "" && !seen[$NF]++')
}

# ldconfig_path NAME: where the system keeps this library.
ldconfig_path() {
    PATH=$PATH:/sbin:/usr/sbin ldconfig -p | awk -v name="$1" '$1 == name && /x86-64/ { print $NF; exit }'
}

# find_busybox: sets $busybox. It must be the static one: the image has no place for another.
find_busybox() {
    busybox=$(command -v busybox) || skip "busybox is not installed (Debian package busybox-static)"
    if ldd "$busybox" >/dev/null 2>&1; then
        skip "busybox is linked dynamically (install Debian's busybox-static)"
    fi
}

# copy_stripped FROM TO: without debug information where strip can take it away. Symbol names stay,
# so that a backtrace still reads.
copy_stripped() {
    cp -L "$1" "$2"
    chmod 755 "$2"
    strip --strip-debug "$2" 2>/dev/null || true
}
