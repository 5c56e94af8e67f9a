/*
 * A user of the installed library, C and C++ alike: asks for the version, describes a virtual
 * machine and counts its nodes, so that both our code and hwloc behind it must really be linked.
 */
#include <numaperf.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    np_topology *topology = NULL;
    np_status status;

    if (strcmp(np_version_string(), NP_VERSION_STRING) != 0) {
        fprintf(stderr, "headers %s, library %s\n", NP_VERSION_STRING, np_version_string());
        return 1;
    }
    status = np_topology_from_synthetic("pack:2 numa:2 core:1 pu:2", &topology);
    if (status != NP_OK) {
        fprintf(stderr, "%s: %s\n", np_status_name(status), np_error_detail());
        return 1;
    }
    if (np_topology_node_count(topology) != 4) {
        fprintf(stderr, "%u nodes, expected 4\n", (unsigned)np_topology_node_count(topology));
        return 1;
    }
    np_topology_destroy(topology);
    printf("numaperf %s works here\n", np_version_string());
    return 0;
}
