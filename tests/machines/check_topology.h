/*
 * What holds for every topology, whatever it describes and however wrong its source was. The
 * functions end the process (quiet.h) when something does not hold.
 */
#ifndef NPT_MACHINES_CHECK_TOPOLOGY_H
#define NPT_MACHINES_CHECK_TOPOLOGY_H

#include <numaperf/topology.h>

/* All of what follows. */
void npt_check_topology(const np_topology *topology);

/* Ids, indices, CPUs in at most one node, ranks, answers to questions out of range. */
void npt_check_parts(const np_topology *topology);

/* Every node's list of nodes is a total order: a permutation, itself first, then by tier, distance
 * and id; distances are in range, and symmetric where they are assumed. */
void npt_check_order(const np_topology *topology);

/* What is printed: snprintf's rules at every kind of capacity, and JSON that says what the queries
 * say. */
void npt_check_words(const np_topology *topology);

/* Who would work where, without starting a thread: at least one worker on every node that has CPUs,
 * none elsewhere, on the node's own CPUs. */
void npt_check_plan(const np_topology *topology);

/* A failed call: the status is not NP_OK, the detail says something, `out` is still `before`. */
void npt_check_refusal(np_status status, const void *out, const void *before, const char *what);

/* Fails unless both describe the same nodes, CPUs by node, memory and (if `distances`) distances.
 */
void npt_check_same(const np_topology *a, const np_topology *b, bool distances, const char *what);

#endif
