# Reads a shape file and turns it into the two things a run needs: qemu's arguments and the
# expectations that the programs inside compare the library with. Sourced by run-guest; keeps no
# state but the variables named here. The shape's keys are described in docs/guest-tests.md.

# load_shape NAME: sets the shape's keys, those it leaves out to their defaults.
load_shape() {
    title= smp= node_cpus= node_mib= node_initiator= distances=
    hmat_latency= hmat_bandwidth= allowed_cpus= allowed_nodes= cpu_max= kernel_args=
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
