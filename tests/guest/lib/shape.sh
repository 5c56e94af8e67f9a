# Reads a shape file and turns it into the two things a run needs: qemu's arguments and the
# expectations that the programs inside compare the library with. Sourced by run-guest; keeps no
# state but the variables named here. The shape's keys are described in docs/guest-tests.md.

# load_shape NAME: sets the shape's keys, those it leaves out to their defaults.
load_shape() {
    title= smp= node_cpus= node_mib= node_initiator= distances=
    hmat_latency= hmat_bandwidth= allowed_cpus= allowed_nodes= cpu_max= devices= kernel_args=
    shape_file=$shape_dir/$1.shape
    [ -f "$shape_file" ] || die "no shape '$1' (run-guest --list shows them)"
    . "$shape_file"
    for key in title smp node_cpus node_mib distances; do
        eval "[ -n \"\$$key\" ]" || die "$shape_file: '$key' is missing"
    done
    node_count=$(set -- $node_cpus && echo $#)
    [ "$(set -- $node_mib && echo $#)" = "$node_count" ] ||
        die "$shape_file: node_mib does not name a size for each of the $node_count nodes"
    distance_rows=$(matrix_rows "$distances" "$node_count" "$node_count" distances)
}

# matrix_rows TEXT ROWS COLUMNS KEY: prints one row per line, after checking the matrix's size.
matrix_rows() {
    printf '%s\n' "$1" | tr '\n' ' ' | tr '/' '\n' | awk -v rows="$2" -v columns="$3" -v key="$4" '
        NF != columns { bad = 1 }
        { $1 = $1; print }
        END { if (bad || NR != rows) exit 1 }' ||
        die "$shape_file: $4 is not a matrix of $2 rows and $3 columns"
}

# expand_list LIST: the kernel's list format as plain numbers, "0-2,5" to "0,1,2,5".
expand_list() {
    printf '%s\n' "$1" | awk -F, '{
        for (i = 1; i <= NF; i++) {
            n = split($i, ends, "-"); last = n == 2 ? ends[2] : ends[1]
            for (c = ends[1] + 0; c <= last + 0; c++) { printf "%s%d", sep, c; sep = "," }
        } }'
}

# word N LIST: the N-th blank-separated word, counted from 0; "-" where the list is shorter.
word() {
    word_index=$1
    set -- $2
    [ "$word_index" -lt $# ] || { echo -; return; }
    shift "$word_index"
    echo "$1"
}

# shape_expectations NAME: the NP_GUEST_… assignments, one per line, that /init exports.
shape_expectations() {
    all_cpus= cpu_nodes= node_list= per_node=
    index=0
    while [ "$index" -lt "$node_count" ]; do
        cpus=$(word "$index" "$node_cpus")
        if [ "$cpus" = - ]; then
            cpus=
        else
            cpus=$(expand_list "$cpus")
            all_cpus=$all_cpus${all_cpus:+,}$cpus
            cpu_nodes=$cpu_nodes${cpu_nodes:+,}$index
        fi
        [ "$index" = 0 ] || per_node="$per_node;"
        per_node=$per_node$cpus
        node_list=$node_list${node_list:+,}$index
        index=$((index + 1))
    done
    echo "NP_GUEST='1'"
    echo "NP_GUEST_SHAPE='$1'"
    echo "NP_GUEST_NODES='$node_list'"
    echo "NP_GUEST_CPUS='$all_cpus'"
    echo "NP_GUEST_SOCKETS='$(echo "$smp" | tr ',' '\n' | sed -n 's/^sockets=//p')'"
    echo "NP_GUEST_CPU_NODES='$cpu_nodes'"
    echo "NP_GUEST_NODE_CPUS='$per_node'"
    echo "NP_GUEST_NODE_MIB='$(echo $node_mib | tr ' ' ',')'"
    echo "NP_GUEST_DISTANCES='$(printf '%s\n' "$distance_rows" | tr ' \n' ',;' | sed 's/;$//')'"
    echo "NP_GUEST_ALLOWED_CPUS='$(expand_list "${allowed_cpus:-$all_cpus}")'"
    echo "NP_GUEST_ALLOWED_NODES='$(expand_list "${allowed_nodes:-$node_list}")'"
    if [ -n "$hmat_latency" ]; then
        echo "NP_GUEST_LATENCY='$(printf '%s' "$hmat_latency" | tr '/\n' '; ')'"
        echo "NP_GUEST_BANDWIDTH='$(printf '%s' "$hmat_bandwidth" | tr '/\n' '; ')'"
    fi
    if [ -n "$allowed_cpus$allowed_nodes" ]; then
        echo "NP_GUEST_CPUSET='1'"
    fi
    [ -z "$(shape_devices)" ] || echo "NP_GUEST_DEVICES='$(echo $(shape_devices) | tr ' ' ',')'"
    if [ -n "$cpu_max" ]; then
        echo "NP_GUEST_CPU_MAX='$cpu_max'"
        echo "NP_GUEST_CPU_QUOTA='$(echo "$cpu_max" | awk '{ printf "%d", $1 * 1000 / $2 }')'"
    fi
}

# shape_qemu_args: the machine, one argument per line. Software emulation always: the guest's
# timings mean nothing either way, and hardware acceleration hangs on some hosts.
shape_qemu_args() {
    total=0
    for mib in $node_mib; do total=$((total + mib)); done
    machine=q35
    [ -z "$hmat_latency" ] || machine=$machine,hmat=on
    printf '%s\n' -machine "$machine" -accel tcg,thread=multi -cpu max -smp "$smp" -m "${total}M"
    index=0
    while [ "$index" -lt "$node_count" ]; do
        cpus=$(word "$index" "$node_cpus")
        mib=$(word "$index" "$node_mib")
        initiator=$(word "$index" "$node_initiator")
        node=node,nodeid=$index
        [ "$cpus" = - ] || node=$node,cpus=$(echo "$cpus" | sed 's/,/,cpus=/g')
        if [ "$mib" != 0 ]; then
            printf '%s\n' -object "memory-backend-ram,id=m$index,size=${mib}M"
            node=$node,memdev=m$index
        fi
        [ "$initiator" = - ] || node=$node,initiator=$initiator
        printf '%s\n' -numa "$node"
        index=$((index + 1))
    done
    printf '%s\n' "$distance_rows" | awk '{
        for (c = 1; c <= NF; c++)
            if (c != NR) printf "-numa\ndist,src=%d,dst=%d,val=%d\n", NR - 1, c - 1, $c }'
    [ -z "$hmat_latency" ] || shape_hmat_args
    [ -z "$devices" ] || shape_device_args
}

# shape_devices: the shape's devices, less the network cards where the kernel came without modules.
shape_devices() {
    for device in $devices; do
        case $device in net:*) [ -n "$modules" ] || continue ;; esac
        echo "$device"
    done
}

# shape_device_args: an expander bridge for each node that a device hangs on, whose node the firmware
# tells (_PXM), and the devices on it. "-" for a node: the root bus, of which it tells none. Device i
# has the serial number npI, or the last byte I of its MAC address: their names are the kernel's choice.
shape_device_args() {
    bridges= number=0
    for device in $(shape_devices); do
        node=${device#*:} bus=pcie.0
        if [ "$node" != - ]; then
            bus=bridge$node
            case $bridges in
                *" $node "*) ;;
                *) printf '%s\n' -device "pxb-pcie,id=$bus,bus=pcie.0,bus_nr=$((32 * (node + 1))),numa_node=$node" ;;
            esac
            bridges="$bridges $node "
        fi
        printf '%s\n' -device "pcie-root-port,id=port$number,bus=$bus,chassis=$((number + 1))"
        case $device in
            nvme:*)
                disk_image "$run_dir/disk$number" || return 1
                printf '%s\n' -drive "if=none,id=disk$number,format=raw,file=$run_dir/disk$number" \
                    -device "nvme,bus=port$number,drive=disk$number,serial=np$number"
                ;;
            net:*)
                printf '%s\n' -netdev "hubport,id=net$number,hubid=0" \
                    -device "virtio-net-pci,bus=port$number,netdev=net$number,romfile=,mac=$(
                        printf '52:54:00:00:00:%02x' "$number")"
                ;;
            *) die "$shape_file: no kind of device '$device'" ;;
        esac
        number=$((number + 1))
    done
}

# disk_image FILE: 8 MiB with one partition from sector 2048 on, in the format of a PC's boot sector.
disk_image() {
    truncate -s 8M "$1" || die "cannot create $1"
    {
        head -c 446 /dev/zero
        printf '\0\0\0\0\203\0\0\0\0\010\0\0\0\070\0\0'
        head -c 48 /dev/zero
        printf '\125\252'
    } | dd of="$1" conv=notrunc status=none
}

# shape_hmat_args: the HMAT's latency and bandwidth entries, for the nodes that have CPUs.
shape_hmat_args() {
    cpu_node_count=$(echo "$node_cpus" | tr ' ' '\n' | grep -c '[0-9]')
    matrix_rows "$hmat_latency" "$cpu_node_count" "$node_count" hmat_latency | awk '{
        for (c = 1; c <= NF; c++)
            printf "%s=%d,target=%d,hierarchy=memory,data-type=access-latency,latency=%d\n",
                "-numa\nhmat-lb,initiator", NR - 1, c - 1, $c }'
    matrix_rows "$hmat_bandwidth" "$cpu_node_count" "$node_count" hmat_bandwidth | awk '{
        for (c = 1; c <= NF; c++)
            printf "%s=%d,target=%d,hierarchy=memory,data-type=access-bandwidth,bandwidth=%dM\n",
                "-numa\nhmat-lb,initiator", NR - 1, c - 1, $c }'
}
