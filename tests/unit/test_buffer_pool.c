/*
 * Goal: a block belongs to its node and comes back to it, whoever releases it; no two acquires have
 * the same block; a bounded node gives out every block it has, wherever they are, and not one more;
 * what is no block, or free, is refused; nothing leaks. Method: virtual machines with several
 * nodes, gates that keep workers where the test wants them, blocks that are counted and filled.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "../support/pool.h"
#include "parallel/buffer_pool.h"

#define MAKE(executor, ...) make_pool((executor), NP_BUFFER_POOL_OPTIONS(__VA_ARGS__))

static np_buffer_pool *make_pool(np_executor *executor, const np_buffer_pool_options *options)
{
    np_buffer_pool *pool = NULL;
    np_status status = np_buffer_pool_create(executor, options, &pool);
    if (status != NP_OK)
        fail_msg("%s: %s", np_status_name(status), np_error_detail());
    return pool;
}

static np_buffer_counts counts_of(np_buffer_pool *pool, np_node_id node)
{
    np_buffer_counts counts;
    assert_int_equal(np_buffer_pool_counts(pool, node, &counts), NP_OK);
    assert_int_equal(counts.total, counts.free + counts.in_use);
    assert_true(counts.cached <= counts.free);
    return counts;
}

/* Runs fn on a worker of the node and waits for it. */
static void on_node(np_executor *executor, np_node_id node, np_task_fn fn, void *argument)
{
    np_group *group = NULL;
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    np_submit_options strict = {.size = sizeof strict,
                                .to_node = true,
                                .node = node,
                                .affinity = NP_AFFINITY_STRICT,
                                .group = group};
    assert_int_equal(np_submit_with(executor, &strict, fn, argument), NP_OK);
    assert_int_equal(np_group_wait(group), NP_OK);
    assert_int_equal(np_group_destroy(group), NP_OK);
}

typedef struct lot {
    np_buffer_pool *pool;
    void *block[512];
    uint32_t count;
    np_status status; /* of the last acquire */
    np_node_id node;  /* to acquire from; NP_NODE_ID_NONE: the caller's */
} lot;

/* As many as there are, or as fit; each filled with its own number. */
static void take_all(void *argument)
{
    lot *l = argument;
    while (l->count < 512) {
        void **place = &l->block[l->count];
        l->status = l->node == NP_NODE_ID_NONE ? np_buffer_acquire(l->pool, place)
                                               : np_buffer_acquire_on(l->pool, l->node, place);
        if (l->status != NP_OK)
            break;
        memset(l->block[l->count], (int)(l->count % 251), np_buffer_pool_block_bytes(l->pool));
        l->count++;
    }
}

static void give_all(void *argument)
{
    lot *l = argument;
    while (l->count > 0) {
        unsigned char *block = l->block[--l->count];
        /* Nobody else has written to it. */
        for (size_t i = 0; i < np_buffer_pool_block_bytes(l->pool); i++)
            if (block[i] != l->count % 251)
                l->status = NP_ERR_FAILED;
        if (np_buffer_release(l->pool, block) != NP_OK)
            l->status = NP_ERR_FAILED;
    }
}

static void test_each_once(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 64, 100, 4096, 70000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        np_executor *executor = pool_create(TWO_BY_TWO, NULL);
        np_buffer_pool *pool = MAKE(executor, .block_bytes = sizes[s], .blocks_per_node = 100);
        assert_int_equal(np_buffer_pool_block_bytes(pool), (sizes[s] + 63) / 64 * 64);
        for (unsigned round = 0; round < 3; round++) {
            static lot lots[2];
            for (np_node_id node = 0; node < 2; node++) {
                lot *l = &lots[node];
                *l = (lot){.pool = pool, .node = NP_NODE_ID_NONE};
                on_node(executor, node, take_all, l);
                assert_int_equal(l->status, NP_ERR_LIMIT);
                assert_int_equal(l->count, 100);
                for (uint32_t i = 0; i < l->count; i++) {
                    assert_int_equal((uintptr_t)l->block[i] % 64, 0);
                    assert_int_equal(np_buffer_node(pool, l->block[i]), node);
                }
                assert_int_equal(counts_of(pool, node).in_use, 100);
            }
            /* The other node's workers give them back. */
            for (np_node_id node = 0; node < 2; node++) {
                lots[node].status = NP_OK;
                on_node(executor, 1 - node, give_all, &lots[node]);
                assert_int_equal(lots[node].status, NP_OK);
                np_buffer_counts counts = counts_of(pool, node);
                assert_int_equal(counts.free, 100);
                assert_int_equal(counts.returned, (round + 1) * 100);
            }
        }
        np_buffer_pool_destroy(pool);
        assert_int_equal(np_executor_destroy(executor), NP_OK);
    }
}

/* What sleeping workers hold in their caches is not lost to others. */
static void test_nothing_stranded(void **state)
{
    (void)state;
    np_executor *executor = pool_create(
        ONE_BY_FOUR, NP_EXECUTOR_OPTIONS(.guest_workers = 0, .spare_workers = 1));
    for (size_t blocks = 1; blocks <= 256; blocks = blocks * 2 + 1) {
        np_buffer_pool *pool = MAKE(executor, .block_bytes = 64, .blocks_per_node = blocks);
        static lot l;
        /* Fill the caches of all workers: tasks that meet, so that each runs on another one. */
        for (unsigned round = 0; round < 4; round++) {
            l = (lot){.pool = pool, .node = NP_NODE_ID_NONE};
            on_node(executor, 0, take_all, &l);
            assert_int_equal(l.count, blocks);
            assert_int_equal(l.status, NP_ERR_LIMIT);
            l.status = NP_OK;
            on_node(executor, 0, give_all, &l);
            assert_int_equal(l.status, NP_OK);
        }
        assert_int_equal(counts_of(pool, 0).free, blocks);
        assert_true(counts_of(pool, 0).cached > 0);
        /* A thread that is no worker takes every one of them. */
        l = (lot){.pool = pool, .node = 0};
        take_all(&l);
        assert_int_equal(l.count, blocks);
        assert_int_equal(l.status, NP_ERR_LIMIT);
        assert_int_equal(counts_of(pool, 0).free, 0);
        give_all(&l);
        /* And so does a worker what outside threads gave back. */
        on_node(executor, 0, take_all, &l);
        assert_int_equal(l.count, blocks);
        give_all(&l);
        np_buffer_pool_destroy(pool);
    }
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

typedef struct held {
    pool_gate *gate;
    np_buffer_pool *pool;
    void *block;
} held;

static void cache_one(void *argument)
{
    held *h = argument;
    if (np_buffer_acquire(h->pool, &h->block) == NP_OK)
        (void)np_buffer_release(h->pool, h->block);
    pool_gate_pass(h->gate);
}

/* Two workers with a block each in their caches, kept busy: a third party finds both. */
static void test_raid_of_busy_workers(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_TWO, NULL);
    np_buffer_pool *pool = MAKE(executor, .block_bytes = 64, .blocks_per_node = 2);
    pool_gate gate = {0};
    held h[2];
    for (unsigned i = 0; i < 2; i++) {
        h[i] = (held){.gate = &gate, .pool = pool};
        assert_int_equal(np_submit(executor, cache_one, &h[i]), NP_OK);
    }
    pool_gate_await(&gate, 2);
    static lot l;
    l = (lot){.pool = pool, .node = 0};
    take_all(&l);
    assert_int_equal(l.count, 2);
    give_all(&l);
    pool_gate_open(&gate);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    /* The pool outlives the executor, caches included. */
    take_all(&l);
    assert_int_equal(l.count, 2);
    give_all(&l);
    np_buffer_pool_destroy(pool);
}

/* Blocks lie in caches and the stock; several threads want exactly as many as there are, at once:
 * none is told that there is none, though others carry blocks about meanwhile. */
enum { TAKERS = 4 };

typedef struct taker {
    pool_gate *gate;
    lot lot;
    uint32_t want;
} taker;

static void take_wanted(void *argument)
{
    taker *t = argument;
    pool_gate_pass(t->gate);
    for (t->lot.count = 0; t->lot.count < t->want; t->lot.count++) {
        t->lot.status = np_buffer_acquire_on(t->lot.pool, 0, &t->lot.block[t->lot.count]);
        if (t->lot.status != NP_OK)
            break;
    }
}

static void test_takers_at_once(void **state)
{
    (void)state;
    enum { EACH = 16, ROUNDS = 100 };
    np_executor *executor = pool_create(ONE_BY_FOUR, NULL);
    np_buffer_pool *pool = MAKE(executor, .block_bytes = 64, .blocks_per_node = TAKERS * EACH);
    static taker takers[TAKERS];
    for (unsigned round = 0; round < ROUNDS; round++) {
        pool_gate gate = {0};
        npi_os_thread threads[TAKERS];
        held h[4];
        for (unsigned i = 0; i < 4; i++) { /* each worker has some in its cache */
            h[i] = (held){.gate = &gate, .pool = pool};
            assert_int_equal(np_submit(executor, cache_one, &h[i]), NP_OK);
        }
        pool_gate_await(&gate, 4);
        pool_gate_open(&gate);
        assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
        pool_gate start = {0};
        for (unsigned i = 0; i < TAKERS; i++) {
            takers[i] = (taker){.gate = &start, .lot = {.pool = pool}, .want = EACH};
            assert_int_equal(npi_os_thread_start(&threads[i], 0, take_wanted, &takers[i]), 0);
        }
        pool_gate_await(&start, TAKERS);
        pool_gate_open(&start);
        for (unsigned i = 0; i < TAKERS; i++)
            assert_int_equal(npi_os_thread_join(&threads[i]), 0);
        for (unsigned i = 0; i < TAKERS; i++) {
            assert_int_equal(takers[i].lot.status, NP_OK);
            for (uint32_t k = 0; k < takers[i].lot.count; k++)
                assert_int_equal(np_buffer_release(pool, takers[i].lot.block[k]), NP_OK);
        }
    }
    np_buffer_pool_destroy(pool);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void test_grows(void **state)
{
    (void)state;
    np_executor *executor = pool_create(FOUR_NODES, NULL);
    np_buffer_pool *pool = MAKE(executor, .block_bytes = 40000, .alignment = 4096);
    assert_int_equal(counts_of(pool, 2).total, 0);
    static lot l[4];
    for (unsigned round = 0; round < 2; round++) {
        for (np_node_id node = 0; node < 4; node++) { /* 32 slabs each: the table grows too */
            l[node] = (lot){.pool = pool, .node = node};
            take_all(&l[node]);
            assert_int_equal(l[node].count, 512);
            assert_int_equal(counts_of(pool, node).in_use, 512);
            assert_int_equal(counts_of(pool, node).total, 512);
        }
        for (np_node_id node = 0; node < 4; node++)
            for (uint32_t i = 0; i < 512; i++) {
                assert_int_equal((uintptr_t)l[node].block[i] % 4096, 0);
                assert_int_equal(np_buffer_node(pool, l[node].block[i]), node);
                assert_int_equal(np_buffer_node(pool, (char *)l[node].block[i] + 40000), node);
            }
        for (np_node_id node = 0; node < 4; node++) {
            l[node].status = NP_OK;
            give_all(&l[node]);
            assert_int_equal(l[node].status, NP_OK);
            assert_int_equal(counts_of(pool, node).free, 512);
        }
    }
    np_buffer_pool_destroy(pool);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void test_nearest(void **state)
{
    (void)state;
    np_executor *executor = pool_create(FOUR_NODES, NULL);
    np_buffer_pool *pool = MAKE(executor, .block_bytes = 64, .blocks_per_node = 10,
                                .empty = NP_BUFFER_EMPTY_NEAREST);
    static const np_node_id by_distance[] = {2, 3, 0, 1}; /* from node 2 */
    static lot l;
    l = (lot){.pool = pool, .node = 2};
    take_all(&l);
    assert_int_equal(l.count, 40);
    assert_int_equal(l.status, NP_ERR_LIMIT);
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(np_buffer_node(pool, l.block[i]), by_distance[i / 10]);
    give_all(&l);
    for (np_node_id node = 0; node < 4; node++)
        assert_int_equal(counts_of(pool, node).free, 10);
    np_buffer_pool_destroy(pool);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void refuse_freed(void *argument)
{
    held *h = argument;
    void *block = NULL;
    np_status first = np_buffer_acquire(h->pool, &block);
    np_status second = np_buffer_release(h->pool, block);
    np_status third = np_buffer_release(h->pool, block);
    if (first == NP_OK && second == NP_OK && third == NP_ERR_INVALID_ARGUMENT)
        h->block = block;
}

static void test_foreign_and_free(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    np_buffer_pool *pool = MAKE(executor, .block_bytes = 200, .blocks_per_node = 5);
    np_buffer_pool *other = MAKE(executor, .block_bytes = 200);
    np_status bad = NP_ERR_INVALID_ARGUMENT;
    char *block = NULL;
    void *foreign = NULL;
    assert_int_equal(np_buffer_acquire(pool, (void **)&block), NP_OK);
    assert_int_equal(np_buffer_acquire(other, &foreign), NP_OK);
    memset(block, 0xff, 256);
    unit_expect_failure(np_buffer_release(pool, &bad), bad, "not a block");
    unit_expect_failure(np_buffer_release(pool, foreign), bad, "not a block");
    unit_expect_failure(np_buffer_release(pool, block + 1), bad, "not a block");
    unit_expect_failure(np_buffer_release(pool, block + 64), bad, "not a block");
    unit_expect_failure(np_buffer_release(pool, (void *)(uintptr_t)64), bad, "not a block");
    unit_expect_failure(np_buffer_release(pool, (void *)UINTPTR_MAX), bad, "not a block");
    assert_int_equal(np_buffer_node(pool, foreign), NP_NODE_ID_NONE);
    assert_int_equal(np_buffer_node(pool, block + 64), np_buffer_node(pool, block));
    np_node_id node = np_buffer_node(pool, block);
    assert_int_equal(counts_of(pool, node).in_use, 1);
    assert_int_equal(np_buffer_release(pool, block), NP_OK);
    unit_expect_failure(np_buffer_release(pool, block), bad, "free already");
    assert_int_equal(np_buffer_release(pool, NULL), NP_OK);
    assert_int_equal(counts_of(pool, node).in_use, 0);
    held h = {.pool = pool};
    on_node(executor, 1, refuse_freed, &h);
    assert_non_null(h.block);
    static lot l;
    l = (lot){.pool = pool, .node = 1};
    take_all(&l);
    assert_int_equal(l.count, 5);
    np_buffer_pool_destroy(pool); /* with blocks in use */
    np_buffer_pool_destroy(other);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* Free is also what nobody has had yet: between the blocks that were handed out and the end. */
static void test_release_of_a_new_block(void **state)
{
    (void)state;
    enum { BLOCKS = 1000 };
    np_executor *executor = pool_create(ONE_BY_TWO, NULL);
    np_buffer_pool *pool = MAKE(executor, .block_bytes = 64, .blocks_per_node = BLOCKS);
    char *block = NULL;
    assert_int_equal(np_buffer_acquire(pool, (void **)&block), NP_OK);
    for (size_t i = 1; i < BLOCKS; i++)
        unit_expect_failure(np_buffer_release(pool, block + 64 * i), NP_ERR_INVALID_ARGUMENT,
                            "free already");
    assert_int_equal(counts_of(pool, 0).in_use, 1);
    size_t count = 1;
    for (void *next; np_buffer_acquire(pool, &next) == NP_OK; count++)
        assert_ptr_not_equal(next, block);
    assert_int_equal(count, BLOCKS);
    np_buffer_pool_destroy(pool);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void test_no_memory(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    unit_allocator hook;
    unit_allocator_install(&hook);
    size_t failures = 0;
    for (size_t fail_at = 1;; fail_at++) {
        np_buffer_pool *pool = NULL;
        hook.calls = 0;
        hook.fail_at = fail_at;
        np_status status = np_buffer_pool_create(
            executor, NP_BUFFER_POOL_OPTIONS(.block_bytes = 64, .blocks_per_node = 10), &pool);
        if (status != NP_OK) {
            assert_int_equal(status, NP_ERR_NO_MEMORY);
            assert_null(pool);
            failures++;
        }
        np_buffer_pool_destroy(pool);
        assert_int_equal(hook.held_bytes, 0);
        assert_int_equal(hook.wrong_sizes, 0);
        if (status == NP_OK)
            break;
    }
    assert_true(failures >= 8);
    /* A stock that cannot grow says so, and can later. */
    hook.fail_at = 0;
    np_buffer_pool *pool = MAKE(executor, .block_bytes = 64);
    void *block = &hook;
    hook.fail_at = hook.calls + 1;
    unit_expect_failure(np_buffer_acquire_on(pool, 1, &block), NP_ERR_NO_MEMORY, "slab");
    assert_null(block);
    assert_int_equal(np_buffer_acquire_on(pool, 1, &block), NP_OK);
    np_buffer_pool_destroy(pool);
    assert_int_equal(hook.held_bytes, 0);
    assert_int_equal(np_set_allocator(NULL), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void test_misuse(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    np_buffer_pool *pool = NULL;
    np_buffer_counts counts;
    void *block = &pool;
    np_status bad = NP_ERR_INVALID_ARGUMENT;
#define CREATE(...) np_buffer_pool_create(executor, NP_BUFFER_POOL_OPTIONS(__VA_ARGS__), &pool)
    unit_expect_failure(np_buffer_pool_create(executor, NULL, &pool), bad, "options");
    const np_buffer_pool_options unsized = {.block_bytes = 1};
    unit_expect_failure(np_buffer_pool_create(executor, &unsized, &pool), bad,
                        "np_buffer_pool_options");
    unit_expect_failure(
        np_buffer_pool_create(NULL, NP_BUFFER_POOL_OPTIONS(.block_bytes = 1), &pool), bad,
        "executor");
    unit_expect_failure(
        np_buffer_pool_create(executor, NP_BUFFER_POOL_OPTIONS(.block_bytes = 1), NULL), bad,
        "out");
    unit_expect_failure(CREATE(.block_bytes = 0), bad, "block_bytes");
    unit_expect_failure(CREATE(.block_bytes = SIZE_MAX / 2), bad, "block_bytes");
    unit_expect_failure(CREATE(.block_bytes = 64, .alignment = 32), bad, "alignment");
    unit_expect_failure(CREATE(.block_bytes = 64, .alignment = 96), bad, "alignment");
    unit_expect_failure(CREATE(.block_bytes = 64, .alignment = 1u << 30), bad, "alignment");
    unit_expect_failure(CREATE(.block_bytes = 64, .blocks_per_node = SIZE_MAX / 64), bad, "memory");
    unit_expect_failure(CREATE(.block_bytes = 64, .empty = (np_buffer_empty)9), bad, "empty");
    unit_expect_failure(CREATE(.block_bytes = 64, .hard_mode = (np_hard_mode)9), bad, "hard_mode");
    unit_expect_failure(CREATE(.block_bytes = 64, .huge_pages = (np_huge_pages)9), bad, "huge");
    unit_expect_failure(
        CREATE(.block_bytes = 64, .blocks_per_node = 1, .hard_mode = NP_HARD_MODE_STRICT),
        NP_ERR_HARD_MODE, "");
    assert_null(pool);
    unit_expect_failure(np_buffer_acquire(NULL, &block), bad, "pool");
    assert_null(block);
    unit_expect_failure(np_buffer_acquire_on(NULL, 0, &block), bad, "pool");
    unit_expect_failure(np_buffer_release(NULL, &block), bad, "pool");
    unit_expect_failure(np_buffer_pool_counts(NULL, 0, &counts), bad, "pool");
    assert_int_equal(np_buffer_node(NULL, &block), NP_NODE_ID_NONE);
    assert_int_equal(np_buffer_pool_block_bytes(NULL), 0);
    np_buffer_pool_destroy(NULL);

    assert_int_equal(CREATE(.block_bytes = 64), NP_OK);
    unit_expect_failure(np_buffer_acquire(pool, NULL), bad, "out");
    unit_expect_failure(np_buffer_acquire_on(pool, 0, NULL), bad, "out");
    unit_expect_failure(np_buffer_acquire_on(pool, 7, &block), NP_ERR_INVALID_NODE, "node 7");
    unit_expect_failure(np_buffer_pool_counts(pool, 7, &counts), NP_ERR_INVALID_NODE, "node 7");
    unit_expect_failure(np_buffer_pool_counts(pool, 0, NULL), bad, "out");
    if (!unit_is_emulated()) {
        pid_t child = fork();
        if (child == 0) {
            bool right = np_buffer_acquire(pool, &block) == NP_ERR_FORKED &&
                         np_buffer_release(pool, &block) == NP_ERR_FORKED &&
                         np_buffer_pool_counts(pool, 0, &counts) == NP_ERR_FORKED;
            np_buffer_pool_destroy(pool);
            _exit(right ? 0 : 1);
        }
        int status = 0;
        assert_true(child > 0 && waitpid(child, &status, 0) == child);
        assert_int_equal(status, 0);
    }
    np_buffer_pool_destroy(pool);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_once),
        cmocka_unit_test(test_nothing_stranded),
        cmocka_unit_test(test_raid_of_busy_workers),
        cmocka_unit_test(test_takers_at_once),
        cmocka_unit_test(test_grows),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_foreign_and_free),
        cmocka_unit_test(test_release_of_a_new_block),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
