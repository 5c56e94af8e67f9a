/*
 * executor/near_device.c - a task to the node of a device, which the executor's own copy of the
 * topology knows. Any thread.
 */
#include <numaperf/device.h>

#include "base/status.h"
#include "executor/executor.h"
#include "topology/topology_internal.h"

np_status np_submit_near_device(np_executor *executor, const char *device, np_task_fn fn,
                                void *argument)
{
    np_node_index index = 0;
    if (executor == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_submit_near_device: the executor is NULL");
    np_status status = npi_topology_device_index(executor->topology, device, &index);
    if (status != NP_OK)
        return status;
    const npi_node *node = executor->nodes[index];
    return np_submit_to_node(executor, node->regular != 0 ? node->id : node->order[0]->id, fn,
                             argument);
}
