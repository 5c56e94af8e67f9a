/*
 * parallel/prefault.c - np_region_prefault: the pages of a region are made present by workers of
 * the nodes where they go.
 *
 * Clearing pages is bound by one CPU's memory path, and from another node by the link between them;
 * so each node's part is cleared by all of the node's workers at once. A part is a stretch of the
 * region, cut into pieces; each worker takes the next piece until there is none.
 */
#include <errno.h>

#include <numaperf/parallel.h>

#include "base/alloc.h"
#include "base/status.h"
#include "executor/executor.h"
#include "executor/group_internal.h"
#include "executor/near.h"
#include "memory/region_impl.h"

/* Enough to hide the cost of taking it, and two transparent huge pages. */
#define PIECE_BYTES ((size_t)4 << 20)

/* The pieces of one node. */
typedef struct part {
    const np_region *region;
    size_t piece; /* bytes */
    size_t end;   /* number of the piece behind the last */
    /* Written by the workers that take pieces; nothing else is shared. */
    NPI_ALIGNED(NPI_FALSE_SHARING) np_atomic(size_t) next;
    np_atomic(int) error; /* of the last piece that failed, 0 if none */
} part;

/* What one call works with. */
typedef struct work {
    np_executor *executor;
    const np_region *region;
    size_t piece;
    size_t pieces;
    part *parts;
    size_t part_count;
} work;

/* --- on the workers ------------------------------------------------------------------------- */

static void populate_pieces(void *argument)
{
    part *self = argument;
    for (;;) {
        /* Relaxed: whoever draws a number has the piece for itself; nothing is published with it.
         * What was there before is visible by the submit, what is done by the wait. */
        size_t piece = npi_fetch_add_relaxed(&self->next, (size_t)1);
        if (piece >= self->end || npi_load_relaxed(&self->error) != 0)
            return;
        size_t offset = piece * self->piece;
        size_t rest = self->region->bytes - offset;
        int error = npi_region_populate(self->region, offset,
                                        rest < self->piece ? rest : self->piece);
        /* Relaxed: read for good after the wait. */
        if (error != 0)
            npi_store_relaxed(&self->error, error);
    }
}

/* --- who does what -------------------------------------------------------------------------- */

/* Whether the region's node ids mean the executor's nodes. */
static bool speaks_of_nodes(const work *self)
{
    return self->region->node_count != 0 &&
           self->region->virtual_nodes == self->executor->is_virtual;
}

/* The node whose workers do part `number`. */
static npi_node *node_of_part(const work *self, size_t number)
{
    const np_executor *executor = self->executor;
    if (!speaks_of_nodes(self))
        return npi_nearest_with_workers(executor->nodes[number]);
    np_node_index index = np_topology_node_index(executor->topology, self->region->nodes[number]);
    return npi_nearest_with_workers(
        executor->nodes[index != NP_NODE_INDEX_NONE ? index : number % executor->node_count]);
}

/*
 * A preferred region has one home. Under the local policy whoever touches decides, and each node
 * gets as much as it has workers, in their order: what a static loop gives them. Else each of the
 * region's nodes gets an equal part; where the kernel alternates, any division is as good.
 */
static size_t weight_of_part(const work *self, size_t number)
{
    if (speaks_of_nodes(self))
        return self->region->policy == NP_MEMORY_PREFERRED && number != 0 ? 0 : 1;
    return self->executor->nodes[number]->regular;
}

static void divide(work *self)
{
    size_t weights = 0;
    size_t before = 0;
    for (size_t i = 0; i < self->part_count; i++)
        weights += weight_of_part(self, i);
    for (size_t i = 0; i < self->part_count; i++) {
        part *p = &self->parts[i];
        p->region = self->region;
        p->piece = self->piece;
        npi_atomic_init(&p->next, self->pieces * before / weights);
        before += weight_of_part(self, i);
        p->end = self->pieces * before / weights;
        npi_atomic_init(&p->error, 0);
    }
}

static np_status submit_part(work *self, size_t number, np_group *group)
{
    part *p = &self->parts[number];
    /* Relaxed: nobody else has it yet. */
    size_t pieces = p->end - npi_load_relaxed(&p->next);
    const npi_node *node = node_of_part(self, number);
    np_submit_options options = {.size = sizeof options, .to_node = true, .node = node->id};
    options.affinity = NP_AFFINITY_STRICT;
    options.group = group;
    np_status status = NP_OK;
    for (size_t i = 0; status == NP_OK && i < pieces && i < node->regular; i++)
        status = np_submit_with(self->executor, &options, populate_pieces, p);
    return status;
}

static np_status run_parts(work *self)
{
    np_group group;
    npi_group_init(&group, false);
    group.quiet = true; /* the caller is told by the status */
    group.on_workers = true;
    np_status submitted = NP_OK;
    for (size_t i = 0; submitted == NP_OK && i < self->part_count; i++)
        submitted = submit_part(self, i, &group);
    np_status status = np_group_wait(&group); /* also for what was accepted before a failure */
    (void)npi_group_last_look(&group);
    return submitted != NP_OK ? submitted : status;
}

/* --- the call ------------------------------------------------------------------------------- */

static np_status populate_failed(const np_region *region, int error)
{
    np_status status = NP_ERR_SYSTEM;
    switch (error) {
    case 0: return NP_OK;
    case EINVAL:
    case ENOSYS: status = NP_ERR_NOT_SUPPORTED; break;
    case EPERM: status = NP_ERR_NOT_PERMITTED; break;
    case ENOMEM: status = NP_ERR_NO_MEMORY; break;
    case EFAULT: status = region->from_file ? NP_ERR_SYSTEM : NP_ERR_NO_MEMORY; break;
    default: break;
    }
    return npi_fail_errno(status, error, "madvise",
                          "region of %zu bytes: not every page could be made present",
                          region->bytes);
}

static np_status run_with_parts(work *self)
{
    self->part_count = speaks_of_nodes(self) ? self->region->node_count
                                             : self->executor->node_count;
    size_t bytes = self->part_count * sizeof *self->parts;
    self->parts = npi_alloc(bytes, NPI_FALSE_SHARING);
    if (self->parts == NULL)
        return npi_fail_memory(bytes, "the parts of a region");
    divide(self);
    np_status status = run_parts(self);
    int error = 0;
    /* Relaxed: the wait made them visible. */
    for (size_t i = 0; i < self->part_count && error == 0; i++)
        error = npi_load_relaxed(&self->parts[i].error);
    npi_free(self->parts, bytes);
    return status == NP_OK ? populate_failed(self->region, error) : status;
}

np_status np_region_prefault(np_executor *executor, const np_region *region)
{
    np_status status = npi_executor_check(executor);
    if (status != NP_OK)
        return status;
    if (region == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_region_prefault: region is NULL");
    const npi_worker *worker = npi_worker_of(executor);
    if (worker != NULL && worker->frame == NULL) /* in a hook, where nobody can help */
        return populate_failed(region, npi_region_populate(region, 0, region->bytes));
    work self = {.executor = executor, .region = region};
    self.piece = region->page_bytes > PIECE_BYTES ? region->page_bytes : PIECE_BYTES;
    self.pieces = (region->bytes + self.piece - 1) / self.piece;
    return run_with_parts(&self);
}
