/*
 * parallel/sharded.c - values per node or per worker: making them, finding one's own, ending them.
 *
 * A region per node holds the values that belong there, one behind the other at a distance that
 * keeps them from disturbing each other; values[] has their addresses, by node index or by worker
 * index. All of it is constant once create has returned, so looking needs no order; what is inside
 * the values is the caller's.
 */
#include "parallel/sharded.h"

#include "base/alloc.h"
#include "base/status.h"

/* A distance beyond which alignments of values could not grow with a page. */
#define BYTES_MOST (SIZE_MAX / 4)

static np_status read_options(const np_sharded_options *given, np_sharded_options *options)
{
    if (given == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_sharded_create: options is NULL");
    if (!npi_options_acceptable(given, given->size, sizeof *options, sizeof *options,
                                "np_sharded_options"))
        return NP_ERR_INVALID_ARGUMENT;
    npi_options_copy(options, sizeof *options, given, given->size);
    if (options->bytes == 0 || options->bytes > BYTES_MOST)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_sharded_options.bytes is %zu", options->bytes);
    size_t alignment = options->alignment;
    if ((alignment & (alignment - 1)) != 0 || alignment > npi_os_page_size())
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_sharded_options.alignment is %zu, expected a power of two up to a page "
                        "(%zu)",
                        alignment, npi_os_page_size());
    if ((unsigned)options->per > NP_SHARD_PER_WORKER)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_sharded_options.per is %d", (int)options->per);
    if ((unsigned)options->hard_mode > NP_HARD_MODE_STRICT)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_sharded_options.hard_mode is %d",
                        (int)options->hard_mode);
    if (alignment < NPI_FALSE_SHARING)
        options->alignment = NPI_FALSE_SHARING;
    return NP_OK;
}

/* --- making ------------------------------------------------------------------------------- */

static np_status make_tables(np_sharded *sharded, const np_executor *executor)
{
    sharded->count = sharded->per_worker ? executor->seat_count : executor->node_count;
    sharded->values = npi_alloc_array(sharded->count, sizeof *sharded->values, 0);
    sharded->nodes = npi_alloc_array(sharded->count, sizeof *sharded->nodes, 0);
    sharded->regions = npi_alloc_array(executor->node_count, sizeof(np_region *), 0);
    if (sharded->values == NULL || sharded->nodes == NULL || sharded->regions == NULL)
        return npi_fail_memory(sharded->count * (sizeof *sharded->values + sizeof *sharded->nodes),
                               "the table of sharded values");
    return NP_OK;
}

static uint32_t values_of_node(const np_sharded *sharded, const npi_node *node)
{
    return sharded->per_worker ? node->regular + node->spares + node->guests : 1;
}

static np_status map_node(np_sharded *sharded, const np_executor *executor, npi_node *node)
{
    const np_sharded_options *options = &sharded->options;
    size_t stride = (options->bytes + options->alignment - 1) & ~(options->alignment - 1);
    uint32_t count = values_of_node(sharded, node);
    if (count == 0)
        return NP_OK;
    if (stride > BYTES_MOST / count)
        return npi_fail_memory(stride, "a sharded value for each worker");
    np_status status = npi_places_map(&sharded->places, executor->topology, node->index,
                                      stride * count, options->hard_mode, NP_HUGE_PAGES_DEFAULT,
                                      &sharded->regions[node->index]);
    if (status != NP_OK)
        return status;
    char *memory = np_region_data(sharded->regions[node->index]);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = sharded->per_worker ? npi_node_seat(node, i)->index : node->index;
        sharded->values[at] = memory + i * stride;
        sharded->nodes[at] = node->id;
    }
    return NP_OK;
}

static np_status construct_all(np_sharded *sharded)
{
    const np_sharded_options *options = &sharded->options;
    for (uint32_t i = 0; i < sharded->count; i++) {
        if (options->construct != NULL) {
            np_node_id node = sharded->nodes[i];
            np_status status = options->construct(options->context, sharded->values[i], node);
            if (status != NP_OK)
                return npi_fail(status, "the constructor of value %u, of node %d, returned %s", i,
                                (int)node, np_status_name(status));
        }
        sharded->constructed = i + 1;
    }
    return NP_OK;
}

/* Those that there are so far. */
static void destroy_values(np_sharded *sharded)
{
    const np_sharded_options *options = &sharded->options;
    while (sharded->constructed > 0) {
        uint32_t i = --sharded->constructed;
        if (options->destroy != NULL)
            options->destroy(options->context, sharded->values[i], sharded->nodes[i]);
    }
}

static void free_sharded(np_sharded *sharded)
{
    if (sharded->regions != NULL)
        for (uint32_t i = 0; i < sharded->places.count; i++)
            np_region_destroy(sharded->regions[i]);
    npi_free_array(sharded->regions, sharded->places.count, sizeof(np_region *));
    npi_free_array(sharded->nodes, sharded->count, sizeof *sharded->nodes);
    npi_free_array(sharded->values, sharded->count, sizeof *sharded->values);
    npi_places_free(&sharded->places);
    npi_free(sharded, sizeof *sharded);
}

static np_status make_values(np_sharded *sharded, const np_executor *executor)
{
    np_status status = make_tables(sharded, executor);
    for (uint32_t i = 0; i < executor->node_count && status == NP_OK; i++)
        status = map_node(sharded, executor, executor->nodes[i]);
    return status == NP_OK ? construct_all(sharded) : status;
}

np_status np_sharded_create(np_executor *executor, const np_sharded_options *given,
                            np_sharded **out)
{
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_sharded_create: out is NULL");
    *out = NULL;
    np_status status = npi_executor_check(executor);
    if (status != NP_OK)
        return status;
    np_sharded_options options;
    status = read_options(given, &options);
    if (status != NP_OK)
        return status;
    np_sharded *sharded = npi_alloc(sizeof *sharded, 0);
    if (sharded == NULL)
        return npi_fail_memory(sizeof *sharded, "sharded values");
    status = npi_places_init(&sharded->places, executor);
    if (status != NP_OK) {
        npi_free(sharded, sizeof *sharded);
        return status;
    }
    sharded->generation = npi_os_process_generation();
    sharded->options = options;
    sharded->per_worker = options.per == NP_SHARD_PER_WORKER;
    status = make_values(sharded, executor);
    if (status != NP_OK) {
        destroy_values(sharded);
        free_sharded(sharded);
        return status;
    }
    *out = sharded;
    return NP_OK;
}

void np_sharded_destroy(np_sharded *sharded)
{
    if (sharded == NULL)
        return;
    if (sharded->generation == npi_os_process_generation())
        destroy_values(sharded);
    free_sharded(sharded);
}

/* --- finding ------------------------------------------------------------------------------ */

void *np_sharded_local(const np_sharded *sharded)
{
    if (sharded == NULL)
        return NULL;
    void *own = npi_sharded_own(sharded);
    if (own != NULL || sharded->per_worker)
        return own;
    return sharded->values[npi_places_outside(&sharded->places)];
}

void *np_sharded_at(const np_sharded *sharded, np_node_id node)
{
    if (sharded == NULL || sharded->per_worker)
        return NULL;
    np_node_index index = npi_places_index(&sharded->places, node);
    return index != NP_NODE_INDEX_NONE ? sharded->values[index] : NULL;
}

void *np_sharded_at_worker(const np_sharded *sharded, uint32_t worker)
{
    return sharded != NULL && sharded->per_worker && worker < sharded->count
               ? sharded->values[worker]
               : NULL;
}

size_t np_sharded_count(const np_sharded *sharded)
{
    return sharded == NULL ? 0 : sharded->count;
}

np_status np_sharded_for_each(const np_sharded *sharded, np_shard_fn fn, void *context)
{
    if (sharded == NULL || fn == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_sharded_for_each: %s is NULL",
                        sharded == NULL ? "sharded" : "fn");
    for (uint32_t i = 0; i < sharded->count; i++)
        fn(context, sharded->values[i], sharded->nodes[i]);
    return NP_OK;
}
