/*
 * memory/array.c - creating, asking and destroying partitioned arrays; checks of what the caller
 * gives.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "memory/array_impl.h"
#include "memory/directory.h"
#include "memory/place.h"
#include "memory/range_cache.h"
#include "os/os.h"

/* What a program built against the first version of the header gives. */
#define OPTIONS_LEAST (offsetof(np_array_options, huge_pages) + sizeof(np_huge_pages))

/* The kernel's default of vm.max_map_count. */
#define USUAL_MAPPINGS ((size_t)65530)

const char *np_distribution_name(np_distribution distribution)
{
    switch (distribution) {
    case NP_DISTRIBUTION_BLOCK: return "block";
    case NP_DISTRIBUTION_CYCLIC: return "cyclic";
    case NP_DISTRIBUTION_WEIGHTED: return "weighted";
    case NP_DISTRIBUTION_CUSTOM: return "custom";
    }
    return "unknown";
}

void np_array_options_init(np_array_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}

/* --- checks ------------------------------------------------------------------------------ */

static np_status check_enums(const np_array_options *options)
{
    if ((unsigned)options->distribution > NP_DISTRIBUTION_CUSTOM)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_array_options.distribution is %d",
                        (int)options->distribution);
    if ((unsigned)options->hard_mode > NP_HARD_MODE_STRICT)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_array_options.hard_mode is %d",
                        (int)options->hard_mode);
    if ((unsigned)options->prefault > NP_PREFAULT_POPULATE)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_array_options.prefault is %d",
                        (int)options->prefault);
    if ((unsigned)options->huge_pages > NP_HUGE_PAGES_1G)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_array_options.huge_pages is %d",
                        (int)options->huge_pages);
    return NP_OK;
}

static np_status check_weights(const np_array_options *options)
{
    if (options->weights == NULL || options->node_count == 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_array_options.%s: the weighted distribution needs nodes and a weight "
                        "for each",
                        options->weights == NULL ? "weights is NULL" : "node_count is 0");
    for (size_t i = 0; i < options->node_count; i++)
        if (options->weights[i] != 0)
            return NP_OK;
    return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_array_options.weights are all 0");
}

/* What a distribution has no use for is not given. */
static np_status check_fields(const np_array_options *options)
{
    np_distribution distribution = options->distribution;
    const char *name = np_distribution_name(distribution);
    bool has_blocks = distribution == NP_DISTRIBUTION_CYCLIC ||
                      distribution == NP_DISTRIBUTION_CUSTOM;
    if (options->block != 0 && !has_blocks)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_array_options.block is %zu, but the %s distribution has no blocks",
                        options->block, name);
    if (options->weights != NULL && distribution != NP_DISTRIBUTION_WEIGHTED)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_array_options.weights is given, but the %s distribution takes none",
                        name);
    if (options->owner != NULL && distribution != NP_DISTRIBUTION_CUSTOM)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_array_options.owner is given, but the %s distribution takes none",
                        name);
    if (options->owner == NULL && distribution == NP_DISTRIBUTION_CUSTOM)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_array_options.owner is NULL: the custom distribution needs one");
    if (options->nodes == NULL && options->node_count != 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_array_options.nodes is NULL but node_count is %zu",
                        options->node_count);
    return distribution == NP_DISTRIBUTION_WEIGHTED ? check_weights(options) : NP_OK;
}

static np_status read_options(const np_topology *topology, const np_array_options *given,
                              np_array_options *known)
{
    np_array_options_init(known);
    if (given != NULL) {
        if (!npi_options_acceptable(given, given->size, OPTIONS_LEAST, sizeof *known,
                                    "np_array_options"))
            return NP_ERR_INVALID_ARGUMENT;
        npi_options_copy(known, sizeof *known, given, given->size);
    }
    np_status status = check_enums(known);
    if (status == NP_OK)
        status = check_fields(known);
    if (status == NP_OK)
        status = npi_memory_nodes_check(topology, "np_array_options.nodes", known->nodes,
                                        known->node_count);
    return status;
}

static np_status check_size(size_t element_size, size_t count)
{
    if (element_size == 0 || count == 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_array_create: %s is 0",
                        count == 0 ? "count" : "element_size");
    if (count > SIZE_MAX / 4 / element_size)
        return npi_fail(NP_ERR_NO_MEMORY,
                        "an array of %zu elements of %zu bytes is more than memory can hold", count,
                        element_size);
    return NP_OK;
}

/* --- distributing ------------------------------------------------------------------------ */

/* A third: during a redistribution an array can have the pieces of two, and the process has other
 * mappings. */
static size_t piece_limit(void)
{
    char text[32];
    size_t mappings = 0;
    if (npi_os_read_file("/proc/sys/vm/max_map_count", text, sizeof text, NULL) == 0)
        for (const char *c = text; *c >= '0' && *c <= '9' && mappings <= SIZE_MAX / 16; c++)
            mappings = mappings * 10 + (size_t)(*c - '0');
    if (mappings < 3)
        mappings = USUAL_MAPPINGS;
    return mappings / 3;
}

/* Divides by options that may leave the choice of nodes to us. */
static np_status make_partition(const np_topology *topology, size_t element_size, size_t count,
                                size_t page_bytes, const np_array_options *options,
                                npi_partition **out)
{
    if (options->node_count != 0)
        return npi_partition_make(count, element_size, page_bytes, options, piece_limit(), out);

    size_t room = np_topology_node_count(topology);
    np_node_id *nodes = npi_alloc_array(room, sizeof *nodes, 0);
    if (nodes == NULL)
        return npi_fail_memory(room * sizeof *nodes, "the nodes of an array");
    np_array_options chosen = *options;
    chosen.nodes = nodes;
    chosen.node_count = npi_memory_nodes(topology, nodes);
    np_status status = NP_OK;
    if (chosen.node_count == 0)
        status = npi_fail(NP_ERR_INVALID_NODE, "no node has memory that this process may use");
    else
        status = npi_partition_make(count, element_size, page_bytes, &chosen, piece_limit(), out);
    npi_free_array(nodes, room, sizeof *nodes);
    return status;
}

/* The pages at which parts may begin. */
static size_t part_page_bytes(np_huge_pages huge_pages)
{
    size_t huge = npi_huge_page_bytes(huge_pages);
    if (huge_pages == NP_HUGE_PAGES_TRANSPARENT)
        huge = npi_os_huge_page_size();
    return huge != 0 ? huge : npi_os_page_size();
}

/* --- what others know of it -------------------------------------------------------------- */

static npi_stretch known_part(const void *owner, size_t piece)
{
    const np_array *array = owner;
    const npi_partition *partition = array->partition;
    npi_part part = npi_partition_part(partition, piece);
    size_t end = part.end_page == partition->pages ? array->bytes
                                                   : part.end_page * partition->page_bytes;
    return (npi_stretch){(uintptr_t)array->data + end, partition->nodes[part.owner]};
}

/* The array's pages lie where its partition says: whoever has only an address may rely on it,
 * unless the kernel was too weak for a promise. On a virtual topology the nodes are a convention.
 */
static void make_known(const np_array *array)
{
    const npi_stretches parts = {array->partition->piece_count, known_part, array};
    if (array->virtual_nodes || array->enforcement.level == NP_ENFORCEMENT_STRICT)
        npi_directory_set_parts(array->data, array->bytes, &parts, array->virtual_nodes);
    else /* what was asked and answered while the pages were on their way */
        npi_range_cache_forget((uintptr_t)array->data, array->bytes);
}

static void make_unknown(const np_array *array)
{
    npi_directory_set(array->data, array->bytes, NP_NODE_ID_NONE, array->virtual_nodes);
}

/* --- lifetime ---------------------------------------------------------------------------- */

static np_status map_and_place(np_array *array, const np_array_options *options)
{
    const npi_partition *partition = array->partition;
    array->enforcement = (np_enforcement){NP_ENFORCEMENT_STRICT, NP_REASON_NONE, 0};
    if (npi_huge_page_bytes(options->huge_pages) != 0) {
        bool done = false;
        np_status status = npi_array_make_huge(array, options->hard_mode, &done);
        if (status != NP_OK || done)
            return status;
    }
    /* After too few huge pages the partition stays: the parts begin where they would have. */
    array->from_pool = false;
    array->page_bytes = npi_os_page_size();
    size_t bytes = partition->count * partition->element_bytes;
    array->bytes = (bytes + array->page_bytes - 1) / array->page_bytes * array->page_bytes;
    void *memory = NULL;
    int error = npi_os_map(array->bytes, partition->page_bytes, &memory);
    if (error != 0)
        return npi_fail_errno(NP_ERR_NO_MEMORY, error, "mmap", "array of %zu elements of %zu bytes",
                              partition->count, partition->element_bytes);
    array->data = memory;
    np_status status = npi_array_place(array, options);
    if (status != NP_OK)
        (void)npi_os_unmap(array->data, array->bytes);
    return status;
}

static void free_struct(np_array *array)
{
    npi_partition_free(array->partition);
    npi_free(array, sizeof *array);
}

np_status np_array_create(const np_topology *topology, size_t element_size, size_t count,
                          const np_array_options *options, np_array **out)
{
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_array_create: out is NULL");
    *out = NULL;
    if (topology == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_array_create: topology is NULL");
    np_array_options known;
    np_status status = check_size(element_size, count);
    if (status == NP_OK)
        status = read_options(topology, options, &known);
    if (status != NP_OK)
        return status;

    np_array *array = npi_alloc(sizeof *array, 0);
    if (array == NULL)
        return npi_fail_memory(sizeof *array, "an array");
    array->virtual_nodes = np_topology_is_virtual(topology);
    status = make_partition(topology, element_size, count, part_page_bytes(known.huge_pages),
                            &known, &array->partition);
    if (status == NP_OK)
        status = map_and_place(array, &known);
    if (status != NP_OK) {
        free_struct(array);
        return status;
    }
    make_known(array);
    *out = array;
    return NP_OK;
}

static np_status check_redistribution(const np_topology *topology, const np_array *array,
                                      const np_array_options *options)
{
    if (np_topology_is_virtual(topology) != array->virtual_nodes)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_array_redistribute: the topology is %s, the array was not created on "
                        "one that is",
                        array->virtual_nodes ? "of this machine" : "virtual");
    if (options->prefault != NP_PREFAULT_NONE || options->huge_pages != NP_HUGE_PAGES_DEFAULT)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_array_redistribute: np_array_options.%s must be 0",
                        options->prefault != NP_PREFAULT_NONE ? "prefault" : "huge_pages");
    return NP_OK;
}

np_status np_array_redistribute(const np_topology *topology, np_array *array,
                                const np_array_options *options, np_migration *result)
{
    if (topology == NULL || array == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_array_redistribute: %s is NULL",
                        topology == NULL ? "topology" : "array");
    np_array_options known;
    np_status status = read_options(topology, options, &known);
    if (status == NP_OK)
        status = check_redistribution(topology, array, &known);
    if (status != NP_OK)
        return status;

    const npi_partition *old = array->partition;
    npi_partition *partition = NULL;
    status = make_partition(topology, old->element_bytes, old->count, old->page_bytes, &known,
                            &partition);
    if (status != NP_OK)
        return status;
    np_migration ignored;
    make_unknown(array); /* before the first page moves */
    status = npi_array_move(array, partition, known.hard_mode, result != NULL ? result : &ignored);
    if (status != NP_OK)
        npi_partition_free(partition);
    make_known(array);
    return status;
}

void np_array_destroy(np_array *array)
{
    if (array == NULL)
        return;
    make_unknown(array);
    (void)npi_os_unmap(array->data, array->bytes);
    free_struct(array);
}
