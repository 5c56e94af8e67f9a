/*
 * Goal: np_topology_from_synthetic() turns any text into a topology for which everything in
 * machines/check_topology.h holds, or into a status with the place; the same text gives the same
 * topology.
 */
#include <stdlib.h>
#include <string.h>

#include <numaperf/error.h>

#include "../machines/check_topology.h"
#include "fuzz.h"

const char fuzz_name[] = "synthetic";

/* Quadratic checks of the largest machines would leave no time for other inputs. */
#define CPUS_MOST  512u
#define NODES_MOST 64u

static void check_twin(const char *text, size_t length, const np_topology *topology)
{
    np_topology *twin = NULL;
    char *longer = malloc(length + 3);
    NPT_CHECK(longer != NULL);
    memcpy(longer, text, length);
    memcpy(longer + length, " \n", 3);
    if (np_topology_from_synthetic(longer, &twin) != NP_OK)
        NPT_FAIL("white space at the end: %s", np_error_detail());
    npt_check_same(topology, twin, true, "the same text twice");
    np_topology_destroy(twin);
    free(longer);
}

void fuzz_one(const char *text, size_t length)
{
    np_topology *const untouched = (np_topology *)(void *)&text;
    np_topology *topology = untouched;
    np_status status = np_topology_from_synthetic(text, &topology);
    if (status != NP_OK) {
        NPT_CHECK(status == NP_ERR_PARSE || status == NP_ERR_LIMIT);
        npt_check_refusal(status, topology, untouched, "a synthetic description");
        const char *detail = np_error_detail();
        for (; *detail != '\0'; detail++)
            NPT_CHECK(*detail >= ' ' && *detail <= '~');
        return;
    }
    NPT_CHECK(topology != untouched && np_topology_is_virtual(topology));
    NPT_CHECK(np_topology_cpu_count(topology) <= NP_CPU_SET_CAPACITY);
    if (np_topology_cpu_count(topology) <= CPUS_MOST &&
        np_topology_node_count(topology) <= NODES_MOST)
        npt_check_topology(topology);
    else
        npt_check_parts(topology);
    check_twin(text, strlen(text), topology);
    (void)length;
    np_topology_destroy(topology);
}
