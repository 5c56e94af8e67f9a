# Finds or fetches the guest's kernel. Debian's cloud kernel is downloaded as a package and
# unpacked under the build folder; nothing is installed. Nearly everything a guest needs is built
# into that kernel (NUMA, HMAT, cgroup v2 cpusets, CPU hotplug, page migration, the serial console,
# NVMe, ext4); only the network card needs modules, kept beside it. Sourced by run-guest.

# The network card's modules, each after those it needs.
net_modules="virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci failover
    net_failover virtio_net"

# find_kernel: sets $kernel and $modules (their files, in order; empty for a kernel of the caller's),
# downloading them on first use; ends the run as skipped when it cannot.
find_kernel() {
    modules=
    if [ -n "${NP_GUEST_KERNEL:-}" ]; then
        [ -r "$NP_GUEST_KERNEL" ] || die "NP_GUEST_KERNEL names '$NP_GUEST_KERNEL', which cannot be read"
        kernel=$NP_GUEST_KERNEL
        return
    fi
    mkdir -p "$kernel_cache" || die "cannot create $kernel_cache"
    if ! cached_kernel; then
        exec 8>"$kernel_cache/lock"
        flock 8
        cached_kernel || fetch_kernel
        exec 8>&-
    fi
    for module in $net_modules; do
        modules="$modules $kernel_cache/boot/modules/$module.ko"
    done
}

# cached_kernel: sets $kernel if a whole one was kept.
cached_kernel() {
    kernel=$(ls "$kernel_cache"/boot/vmlinuz-*-cloud-amd64 2>/dev/null | tail -n 1)
    [ -n "$kernel" ] && [ -d "$kernel_cache/boot/modules" ]
}

# fetch_kernel: resolves the meta package, downloads, unpacks, and keeps only /boot and the modules
# in it. The last step is a rename, so that an interrupted fetch never looks like a kernel. The system's package lists may
# be missing or too old to download from; then it tries once more with fresh lists of its own, which
# needs no privilege and leaves the system's alone.
fetch_kernel() {
    command -v apt-cache >/dev/null && command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
        skip "the kernel package needs apt-get, apt-cache and dpkg-deb (or set NP_GUEST_KERNEL)"
    fresh=$(mktemp -d "$kernel_cache/fetch.XXXXXX") || die "cannot write to $kernel_cache"
    if ! download_kernel; then
        say "fetching package lists of its own, the system's do not serve"
        mkdir -p "$fresh/lists/partial" "$fresh/cache/archives/partial"
        apt-get -o Dir::State::Lists="$fresh/lists" -o Dir::Cache="$fresh/cache" \
            -o APT::Sandbox::User=root -q update >"$fresh/log" 2>&1
        if ! download_kernel -o Dir::State::Lists="$fresh/lists" -o Dir::Cache="$fresh/cache"; then
            sed 's/^/  /' "$fresh/log" >&2
            rm -rf "$fresh"
            skip "linux-image-cloud-amd64 could not be downloaded (or set NP_GUEST_KERNEL)"
        fi
    fi
    if ! dpkg-deb -x "$fresh"/*.deb "$fresh/root" || ! [ -d "$fresh/root/boot" ]; then
        rm -rf "$fresh"
        skip "the kernel package $package could not be unpacked"
    fi
    mkdir "$fresh/root/boot/modules"
    for module in $net_modules; do
        find "$fresh/root/lib/modules" -name "$module.ko" -exec cp {} "$fresh/root/boot/modules/" \;
    done
    rm -rf "$kernel_cache/boot"
    mv "$fresh/root/boot" "$kernel_cache/boot"
    rm -rf "$fresh"
    kernel=$(ls "$kernel_cache"/boot/vmlinuz-* | tail -n 1)
    [ -n "$kernel" ] || skip "the package $package holds no kernel"
}

# download_kernel [apt options]: the package file into $fresh; false when apt does not know the
# package or cannot get it.
download_kernel() {
    package=$(apt-cache "$@" depends linux-image-cloud-amd64 2>/dev/null |
        awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }')
    [ -n "$package" ] || return 1
    say "downloading $package to $kernel_cache (not installed)"
    (cd "$fresh" && apt-get "$@" -o APT::Sandbox::User=root -q download "$package") >>"$fresh/log" 2>&1
}
