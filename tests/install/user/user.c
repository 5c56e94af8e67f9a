/*
 * A user of the installed library, C and C++ alike: asks for the version, describes a virtual
 * machine and counts its nodes, so that both our code and hwloc behind it must really be linked;
 * and computes a number by fork and join in the fast form, whose inline half is compiled here.
 */
#include <numaperf.h>
#include <stdio.h>
#include <string.h>

static uintptr_t fib(np_worker *self, uintptr_t n)
{
    uintptr_t right;
    if (n < 2)
        return n;
    np_fast_fork(self, fib, n - 1);
    right = fib(self, n - 2);
    return right + np_fast_join(self, fib, n - 1);
}

int main(void)
{
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    uintptr_t result = 0;
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
    status = np_executor_create(topology, NULL, &executor);
    np_topology_destroy(topology);
    if (status == NP_OK)
        status = np_run_fast(executor, NP_NODE_ID_NONE, fib, 20, &result);
    if (status != NP_OK || result != 6765) {
        fprintf(stderr, "fib(20) is %lu? %s\n", (unsigned long)result, np_error_detail());
        return 1;
    }
    np_executor_destroy(executor);
    printf("numaperf %s works here\n", np_version_string());
    return 0;
}
