/*
 * model/pool.cpp - see pool.h. What build.c and create.c do, without asking a topology.
 */
#include "model/pool.h"

#include <string.h>

namespace np_model
{

static pool *the_pool;

static npi_node *build_node(np_executor *executor, unsigned index, const shape &how)
{
    npi_node *node = make<npi_node>();
    node->executor = executor;
    node->id = (np_node_id)index;
    node->index = (np_node_index)index;
    node->regular = how.workers;
    node->one_cache = true;
    node->spinners = 1;
    npi_segment_pool_init(&node->pool, &node->arena, NPI_SEGMENT_BYTES);
    npi_inbox_init(&node->inbox, &node->arena, &node->pool, how.inbox_capacity);
    npi_sleepers_init(&node->sleepers, how.workers, how.workers);
    npi_store_relaxed(&node->gate_threshold, how.gate_backlog);
    node->seats = (npi_worker *)allocate(how.workers * sizeof(npi_worker));
    for (unsigned seat = 0; seat < how.workers; seat++) {
        npi_worker *worker = ::new (&node->seats[seat]) npi_worker();
        worker->executor = executor;
        worker->node = node;
        worker->seat = seat;
        worker->kind = NP_WORKER_REGULAR;
        worker->cpu = NP_CPU_NONE;
        worker->cache_end = how.workers;
        worker->random.state = seat + 1;
        worker->counters.ran_from = (np_atomic(uint64_t) *)allocate(how.nodes *
                                                                    sizeof(np_atomic(uint64_t)));
        worker->slots = (npi_child *)allocate(NPI_DEQUE_CAPACITY * sizeof(npi_child));
        npi_deque_init(&worker->deque, worker->slots);
        npi_queue_init(&worker->queue, &node->arena, &node->pool, 0);
        npi_store_relaxed(&worker->activity, (uint32_t)NPI_WORKER_AWAKE);
    }
    return node;
}

void pool::build(const shape &how)
{
    the_pool = this;
    executor = make<np_executor>();
    executor->is_virtual = true;
    executor->process = npi_os_process_generation();
    executor->settings.public_options.steal_policy = how.policy;
    executor->settings.gate_backlog = (uint32_t)how.gate_backlog;
    executor->settings.gate_age_ns = 1000;
    executor->node_count = executor->by_id_count = how.nodes;
    executor->regular_count = executor->seat_count = how.nodes * how.workers;
    executor->nodes = (npi_node **)allocate(how.nodes * sizeof(npi_node *));
    executor->by_id = (np_node_index *)allocate(how.nodes * sizeof(np_node_index));
    executor->seats = (npi_worker **)allocate(executor->seat_count * sizeof(npi_worker *));
    unsigned count = 0;
    for (unsigned i = 0; i < how.nodes; i++) {
        npi_node *built = executor->nodes[i] = build_node(executor, i, how);
        executor->by_id[i] = (np_node_index)i;
        for (unsigned seat = 0; seat < how.workers; seat++) {
            built->seats[seat].index = count;
            executor->seats[count++] = &built->seats[seat];
        }
    }
    for (unsigned i = 0; i < how.nodes; i++) {
        npi_node *from = executor->nodes[i];
        from->order = (npi_node **)allocate(how.nodes * sizeof(npi_node *));
        from->order_tier = (uint8_t *)allocate(how.nodes);
        from->order_count = how.nodes;
        from->reach = how.policy == NP_STEAL_LOCAL_ONLY ? 1 : how.nodes;
        for (unsigned k = 0; k < how.nodes; k++) {
            from->order[k] = executor->nodes[(i + k) % how.nodes];
            from->order_tier[k] = k == 0 ? NP_TIER_NODE : NP_TIER_REMOTE;
        }
    }
    executor->only_node = how.nodes == 1 ? executor->nodes[0] : NULL;
}

void pool::sit(npi_worker *worker)
{
    set_identity(worker, self() % NPI_NUMBERS_OWN);
}

void pool::stand()
{
    set_identity(NULL, self() % NPI_NUMBERS_OWN);
}

void *pool::task(uintptr_t number)
{
    npi_plain_set(&written[number], number + 100);
    return (void *)number;
}

void pool_run(void *argument)
{
    uintptr_t number = (uintptr_t)argument;
    MODEL_CHECK(number >= 1 && number < pool_tasks);
    MODEL_CHECK(npi_plain_get(&the_pool->written[number]) == number + 100);
    the_pool->ran[number]++;
    npi_store_release(&the_pool->ran_any, 1u);
}

void pool::begin_task(npi_worker *worker, npi_frame *frame, npi_level *level)
{
    *frame = npi_frame{NULL, worker->node->index, false};
    *level = npi_level{frame, NULL, worker->deque.slots};
    worker->frame = frame;
    worker->level = level;
}

void pool::end_task(npi_worker *worker)
{
    worker->frame = NULL;
    worker->level = NULL;
}

static bool never(npi_worker *, void *)
{
    return false;
}

static bool stopping(npi_worker *worker, void *)
{
    return npi_load_acquire(&worker->executor->stopping) != 0;
}

void pool::search_once(npi_worker *worker)
{
    npi_work found;
    npi_found what = npi_worker_search(worker, never, NULL, NPI_NO_DEADLINE, false, &found);
    MODEL_CHECK(what != NPI_FOUND_NOTHING);
    npi_worker_run_found(worker, what, &found);
}

void pool::work(npi_worker *worker)
{
    npi_worker_loop(worker, stopping, NULL);
    npi_worker_leave(worker);
}

void pool::ran_once(unsigned count)
{
    for (unsigned i = 1; i < pool_tasks; i++)
        MODEL_CHECK(ran[i] == (i <= count ? 1 : 0));
}

} // namespace np_model
