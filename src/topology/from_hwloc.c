/*
 * topology/from_hwloc.c - from an hwloc topology to an npi_machine, and the exchange of sets with a
 * caller who uses hwloc. Nothing of hwloc's is kept. Objects are identified by hwloc's operating-
 * system numbers; the columns of its distance matrix belong to its objects, never to positions.
 */
#include "topology/from_hwloc.h"

#include <string.h>

#include <numaperf/hwloc.h>

#include "base/status.h"
#include "topology/sources.h"

static bool is_data_cache(hwloc_obj_t object)
{
    return hwloc_obj_type_is_dcache(object->type) != 0;
}

/* Equal for one object, ordered like the machine; objects of different depths never collide. */
static uint32_t object_key(hwloc_obj_t object)
{
    if (object == NULL)
        return NPI_KEY_NONE;
    return ((uint32_t)object->depth << 20) | (object->logical_index & 0xfffffu);
}

static hwloc_obj_t last_cache_of(hwloc_obj_t pu)
{
    hwloc_obj_t last = NULL;
    for (hwloc_obj_t above = pu->parent; above != NULL; above = above->parent) {
        if (is_data_cache(above))
            last = above;
    }
    return last;
}

static hwloc_obj_t socket_of(hwloc_topology_t source, hwloc_obj_t object)
{
    return hwloc_get_ancestor_obj_by_type(source, HWLOC_OBJ_PACKAGE, object);
}

static np_status read_cpus(hwloc_topology_t source, npi_machine *machine)
{
    hwloc_const_bitmap_t allowed = hwloc_topology_get_allowed_cpuset(source);
    hwloc_obj_t pu = NULL;
    while ((pu = hwloc_get_next_obj_by_type(source, HWLOC_OBJ_PU, pu)) != NULL) {
        npi_machine_cpu *cpu = NULL;
        np_status status = npi_machine_add_cpu(machine, pu->os_index, &cpu);
        if (status != NP_OK)
            return status;
        cpu->core = object_key(hwloc_get_ancestor_obj_by_type(source, HWLOC_OBJ_CORE, pu));
        cpu->cache = object_key(last_cache_of(pu));
        cpu->socket = object_key(socket_of(source, pu));
        cpu->usable = allowed == NULL || hwloc_bitmap_isset(allowed, pu->os_index) != 0;
    }
    return NP_OK;
}

/* Memory that is not the machine's ordinary one says so in its subtype ("HBM", "NVM", "GPUMemory").
 */
static bool is_special(hwloc_obj_t node)
{
    return node->subtype != NULL && strcmp(node->subtype, "DRAM") != 0;
}

static np_status read_nodes(hwloc_topology_t source, npi_machine *machine)
{
    hwloc_const_bitmap_t allowed = hwloc_topology_get_allowed_nodeset(source);
    hwloc_obj_t object = NULL;
    while ((object = hwloc_get_next_obj_by_type(source, HWLOC_OBJ_NUMANODE, object)) != NULL) {
        npi_machine_node *node = NULL;
        np_cpu_set cpus;
        np_status status = npi_machine_add_node(machine, object->os_index, &node);
        if (status == NP_OK)
            status = np_cpu_set_from_hwloc(object->cpuset, &cpus);
        if (status != NP_OK)
            return status;
        node->memory_bytes = object->attr->numanode.local_memory;
        node->socket = object_key(socket_of(source, object));
        node->memory_allowed = allowed == NULL ||
                               hwloc_bitmap_isset(allowed, object->os_index) != 0;
        npi_machine_set_kind(node, object->subtype);
        npi_machine_claim(machine, node->id, &cpus, is_special(object));
    }
    return NP_OK;
}

static np_status copy_matrix(const struct hwloc_distances_s *matrix, npi_machine *machine)
{
    unsigned count = matrix->nbobjs;
    np_status status = npi_machine_set_distance_count(machine, count);
    if (status != NP_OK)
        return status;
    machine->distance_source = !machine->is_virtual &&
                                       (matrix->kind & HWLOC_DISTANCES_KIND_FROM_OS) != 0
                                   ? NP_DISTANCE_FIRMWARE
                                   : NP_DISTANCE_GIVEN;
    for (unsigned i = 0; i < count; i++)
        machine->distance_ids[i] = (np_node_id)matrix->objs[i]->os_index;
    for (size_t i = 0; i < (size_t)count * count; i++)
        machine->distances[i] = matrix->values[i] > UINT32_MAX ? UINT32_MAX
                                                               : (uint32_t)matrix->values[i];
    return NP_OK;
}

/* The operating system's table, or any other over nodes that means latency. */
static np_status read_distances(hwloc_topology_t source, npi_machine *machine)
{
    struct hwloc_distances_s *matrix = NULL;
    unsigned count = 1;
    if (hwloc_distances_get_by_name(source, "NUMALatency", &count, &matrix, 0) != 0 || count == 0) {
        count = 1;
        if (hwloc_distances_get_by_type(source, HWLOC_OBJ_NUMANODE, &count, &matrix,
                                        HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0) != 0 ||
            count == 0)
            return NP_OK;
    }
    np_status status = copy_matrix(matrix, machine);
    hwloc_distances_release(source, matrix);
    return status;
}

np_status npi_machine_from_hwloc(hwloc_topology_t source, npi_machine *machine)
{
    np_status status = read_cpus(source, machine);
    if (status == NP_OK)
        status = read_nodes(source, machine);
    if (status == NP_OK)
        status = read_distances(source, machine);
    return status == NP_OK ? npi_machine_extras_from_hwloc(source, machine) : status;
}

/* --- the public side --------------------------------------------------------------------- */

/* The source describes the running machine, perhaps only a part of it, which it may stay. Where
 * its groups are filtered out, hwloc lets a node claim all CPUs of the object above; the kernel
 * knows. */
static np_status ask_the_kernel(npi_machine *machine)
{
    np_status status = npi_kernel_cpu_limits_apply(machine, false);
    if (status == NP_OK)
        status = npi_kernel_nodes_apply(machine, "", false);
    if (status == NP_OK)
        status = npi_kernel_extras_apply(machine, "");
    npi_kernel_memory_limits_apply(machine);
    machine->cpu_quota = npi_cgroup_cpu_quota();
    return status;
}

np_status np_topology_from_hwloc(hwloc_topology_t source, np_topology **out)
{
    if (source == NULL || out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_topology_from_hwloc: %s is NULL",
                        source == NULL ? "the hwloc topology" : "out");
    npi_machine machine;
    npi_machine_init(&machine);
    machine.malformed = NP_ERR_INVALID_ARGUMENT;
    machine.is_virtual = hwloc_topology_is_thissystem(source) == 0;
    np_status status = npi_machine_from_hwloc(source, &machine);
    if (status == NP_OK && !machine.is_virtual)
        status = ask_the_kernel(&machine);
    if (status == NP_OK)
        status = npi_snapshot_build(&machine, out);
    npi_machine_release(&machine);
    return status;
}

np_status np_cpu_set_to_hwloc(const np_cpu_set *set, hwloc_bitmap_t bitmap)
{
    if (set == NULL || bitmap == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_cpu_set_to_hwloc: %s is NULL",
                        set == NULL ? "set" : "bitmap");
    hwloc_bitmap_zero(bitmap);
    for (int32_t cpu = np_cpu_set_first(set); cpu != NP_CPU_NONE; cpu = np_cpu_set_next(set, cpu)) {
        if (hwloc_bitmap_set(bitmap, (unsigned)cpu) != 0)
            return npi_fail(NP_ERR_NO_MEMORY, "hwloc_bitmap_set has no memory for CPU %d", cpu);
    }
    return NP_OK;
}

np_status np_cpu_set_from_hwloc(hwloc_const_bitmap_t bitmap, np_cpu_set *out)
{
    if (bitmap == NULL || out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_cpu_set_from_hwloc: %s is NULL",
                        bitmap == NULL ? "bitmap" : "out");
    int last = hwloc_bitmap_last(bitmap); /* -1: empty or infinite */
    if (hwloc_bitmap_weight(bitmap) < 0)
        return npi_fail(NP_ERR_LIMIT, "the hwloc bitmap is infinite");
    if (last >= (int)NP_CPU_SET_CAPACITY)
        return npi_fail(NP_ERR_LIMIT, "the hwloc bitmap has CPU %d, the limit is %u", last,
                        NP_CPU_SET_CAPACITY - 1u);
    np_cpu_set_clear(out);
    for (int cpu = hwloc_bitmap_first(bitmap); cpu >= 0; cpu = hwloc_bitmap_next(bitmap, cpu))
        (void)np_cpu_set_add(out, cpu);
    return NP_OK;
}
