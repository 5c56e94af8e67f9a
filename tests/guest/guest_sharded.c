/*
 * Goal: on a real machine every sharded value, every cell of a counter and every block of a pool
 * lies on its node by the kernel's answer (move_pages), whoever made it or releases it; a task
 * finds its own node's value, by getcpu. A node without memory has its things on the nearest one
 * with some. Blocks are still at home after they have been released far away.
 */
#include <numaperf.h>

#include <inttypes.h>
#include <stdlib.h>

#include "guest_check.h"

enum { BLOCKS = 48, BLOCK = 4096, VALUE = 3 * 4096 };

/* By the shape: where memory for a node comes from. */
static int memory_of(const struct guest_shape *shape, int node)
{
    int best = -1;
    for (int other = 0; other < shape->node_count; other++) {
        if (shape->node_mib[other] == 0 || !shape->node_allowed[other]) {
            continue;
        }
        if (other == node) {
            return node;
        }
        if (best < 0 || shape->distance[node][other] < shape->distance[node][best]) {
            best = other;
        }
    }
    return best;
}

struct place {
    const struct guest_shape *shape;
    size_t seen;
};

static void check_value(void *context, void *value, np_node_id node)
{
    struct place *place = context;
    int expected = memory_of(place->shape, node);
    for (size_t at = 0; at < VALUE; at += 4096) {
        int there = guest_node_of_page((char *)value + at);
        GUEST_CHECK(there == expected, "value of node %" PRId32 " at %zu: on node %d, expected %d",
                    node, at, there, expected);
    }
    place->seen++;
}

static np_sharded *of_nodes;
static np_buffer_pool *pool;

struct job {
    np_node_id node;
    int memory;
    void *block[BLOCKS];
    np_status status;
};

static void look(void *argument)
{
    struct job *job = argument;
    int cpu, node;
    guest_getcpu(&cpu, &node);
    GUEST_CHECK(node == job->node, "a strict task of node %" PRId32 " runs on %d", job->node, node);
    GUEST_CHECK(np_sharded_local(of_nodes) == np_sharded_at(of_nodes, node), "node %d", node);
    for (int i = 0; i < BLOCKS; i++) {
        job->status = np_buffer_acquire(pool, &job->block[i]);
        if (!GUEST_CHECK(job->status == NP_OK, "block %d: %s", i, np_error_detail())) {
            return;
        }
        int there = guest_node_of_page(job->block[i]);
        GUEST_CHECK(there == job->memory, "block %d of node %d lies on %d", i, node, there);
        GUEST_CHECK(np_buffer_node(pool, job->block[i]) == node, "block %d of node %d", i, node);
    }
}

static void give_back(void *argument)
{
    struct job *job = argument;
    for (int i = 0; i < BLOCKS; i++) {
        np_status status = np_buffer_release(pool, job->block[i]);
        GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    }
}

static void run_strict(np_executor *executor, np_node_id node, np_task_fn fn, struct job *job)
{
    np_status status = np_submit_with(
        executor, NP_SUBMIT_OPTIONS(.to_node = true, .node = node, .affinity = NP_AFFINITY_STRICT),
        fn, job);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
}

static void check_blocks(const struct guest_shape *shape, np_executor *executor)
{
    np_node_id nodes[GUEST_MAX_NODES];
    static struct job jobs[GUEST_MAX_NODES];
    size_t count = np_executor_nodes(executor, nodes, GUEST_MAX_NODES);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < count; i++) {
            jobs[i].node = nodes[i];
            jobs[i].memory = memory_of(shape, nodes[i]);
            run_strict(executor, nodes[i], look, &jobs[i]);
        }
        GUEST_CHECK(np_executor_wait_idle(executor, NP_FOREVER) == NP_OK, "idle");
        for (size_t i = 0; i < count; i++) { /* the next node's worker releases them */
            run_strict(executor, nodes[(i + 1) % count], give_back, &jobs[i]);
        }
        GUEST_CHECK(np_executor_wait_idle(executor, NP_FOREVER) == NP_OK, "idle");
    }
    for (size_t i = 0; i < count; i++) {
        np_buffer_counts counts;
        np_status status = np_buffer_pool_counts(pool, nodes[i], &counts);
        GUEST_CHECK(status == NP_OK && counts.free == BLOCKS && counts.total == BLOCKS,
                    "node %" PRId32 ": %" PRIu64 " of %" PRIu64 " are free", nodes[i], counts.free,
                    counts.total);
    }
}

/* Also nodes without workers have blocks, from a thread that runs elsewhere. */
static void check_all_nodes(const struct guest_shape *shape, const np_topology *topology)
{
    for (np_node_index i = 0; i < np_topology_node_count(topology); i++) {
        np_node_id node = np_topology_node_id(topology, i);
        void *block = NULL;
        np_status status = np_buffer_acquire_on(pool, node, &block);
        if (GUEST_CHECK(status == NP_OK, "node %" PRId32 ": %s", node, np_error_detail())) {
            int there = guest_node_of_page(block);
            GUEST_CHECK(there == memory_of(shape, node), "node %" PRId32 ": %d", node, there);
            GUEST_CHECK(np_buffer_release(pool, block) == NP_OK, "%s", np_error_detail());
        }
    }
}

int main(void)
{
    const struct guest_shape *shape = guest_shape();
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    np_sharded *of_workers = NULL;
    np_status status = np_topology_discover(&topology);
    if (status == NP_OK) {
        status = np_executor_create(topology, NULL, &executor);
    }
    if (status == NP_OK) {
        status = np_sharded_create(
            executor,
            NP_SHARDED_OPTIONS(.bytes = VALUE, .alignment = 4096, .hard_mode = NP_HARD_MODE_STRICT),
            &of_nodes);
    }
    if (status == NP_OK) {
        status = np_sharded_create(
            executor,
            NP_SHARDED_OPTIONS(.bytes = VALUE, .alignment = 4096, .per = NP_SHARD_PER_WORKER),
            &of_workers);
    }
    if (status == NP_OK) {
        status = np_buffer_pool_create(
            executor,
            NP_BUFFER_POOL_OPTIONS(.block_bytes = BLOCK, .alignment = BLOCK,
                                   .blocks_per_node = BLOCKS, .hard_mode = NP_HARD_MODE_STRICT),
            &pool);
    }
    if (GUEST_CHECK(status == NP_OK, "%s: %s", np_status_name(status), np_error_detail())) {
        struct place place = {.shape = shape};
        status = np_sharded_for_each(of_nodes, check_value, &place);
        GUEST_CHECK(status == NP_OK && place.seen == np_topology_node_count(topology), "%zu",
                    place.seen);
        place.seen = 0;
        status = np_sharded_for_each(of_workers, check_value, &place);
        GUEST_CHECK(status == NP_OK && place.seen >= np_executor_worker_count(executor), "%zu",
                    place.seen);
        check_blocks(shape, executor);
        check_all_nodes(shape, topology);
    }
    np_buffer_pool_destroy(pool);
    np_sharded_destroy(of_workers);
    np_sharded_destroy(of_nodes);
    (void)np_executor_destroy(executor);
    np_topology_destroy(topology);
    return guest_finish();
}
