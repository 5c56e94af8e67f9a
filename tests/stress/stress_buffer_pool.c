/*
 * Goal: under everything at once (workers of two nodes, more outside threads than one, acquires of
 * the own and the other node, releases wherever a block ends up, exhaustion all the time) no block
 * is ever in two hands, its contents are its holder's alone, and in the end every block is there.
 * Method: each holder writes plainly into the block and reads it back, so that the thread sanitizer
 * judges the order of release and acquire; blocks pass from thread to thread through a table of
 * exchanges; so few blocks that caches are raided. usage: stress_buffer_pool [ROUNDS]
 */
#include <numaperf.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "os/os.h"

enum { SLOTS = 24, THREADS = 3, TASKS = 64, STEPS = 400 };

#define CHECK(condition)                                                             \
    do {                                                                             \
        if (!(condition)) {                                                          \
            fprintf(stderr, "%s:%d: not: %s (%s)\n", __FILE__, __LINE__, #condition, \
                    np_error_detail());                                              \
            exit(1);                                                                 \
        }                                                                            \
    } while (0)

typedef struct block {
    unsigned char links[64]; /* the pool's while it is free */
    uint64_t holder;         /* plain: 0 while nobody has it */
    uint64_t copies[8];
} block;

static np_buffer_pool *pool;
static np_atomic(block *) slots[SLOTS]; /* handed from one to another */
static np_atomic(uint64_t) acquired, refused, seeds;

static void give(block *b)
{
    for (unsigned i = 0; i < 8; i++)
        CHECK(b->copies[i] == b->holder);
    b->holder = 0;
    CHECK(np_buffer_release(pool, b) == NP_OK);
}

static void step(npi_random *random, uint64_t self)
{
    void *got = NULL;
    uint64_t dice = npi_random_next(random);
    np_status status = dice % 4 == 0 ? np_buffer_acquire_on(pool, (np_node_id)(dice >> 8) & 1, &got)
                                     : np_buffer_acquire(pool, &got);
    block *mine = got;
    if (status == NP_OK) {
        mine->holder = self;
        for (unsigned i = 0; i < 8; i++)
            mine->copies[i] = self;
        npi_fetch_add_relaxed(&acquired, (uint64_t)1);
        if (dice % 8 < 3) {
            give(mine);
            return;
        }
    } else {
        CHECK(status == NP_ERR_LIMIT);
        npi_fetch_add_relaxed(&refused, (uint64_t)1);
    }
    /* Somebody else's block, with its writes, for mine, or for nothing. */
    block *other = npi_exchange_acq_rel(&slots[(dice >> 16) % SLOTS], mine);
    if (other != NULL)
        give(other);
}

static void run(void *argument)
{
    (void)argument;
    npi_random random;
    uint64_t self = npi_fetch_add_relaxed(&seeds, (uint64_t)1) + 1;
    npi_random_seed(&random, self * 77);
    for (unsigned i = 0; i < STEPS; i++)
        step(&random, self);
}

static void round_of(const char *machine, size_t blocks, np_buffer_empty empty)
{
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    CHECK(np_topology_from_synthetic(machine, &topology) == NP_OK);
    CHECK(np_executor_create(topology, NULL, &executor) == NP_OK);
    CHECK(np_buffer_pool_create(executor,
                                NP_BUFFER_POOL_OPTIONS(.block_bytes = sizeof(block),
                                                       .blocks_per_node = blocks, .empty = empty),
                                &pool) == NP_OK);
    npi_os_thread threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        CHECK(npi_os_thread_start(&threads[i], 0, run, NULL) == 0);
    for (unsigned i = 0; i < TASKS; i++)
        CHECK(np_submit_to_node(executor, (np_node_id)(i & 1), run, NULL) == NP_OK);
    for (unsigned i = 0; i < THREADS; i++)
        CHECK(npi_os_thread_join(&threads[i]) == 0);
    CHECK(np_executor_wait_idle(executor, NP_FOREVER) == NP_OK);
    for (unsigned i = 0; i < SLOTS; i++) {
        block *left = npi_exchange_acq_rel(&slots[i], (block *)NULL);
        if (left != NULL)
            give(left);
    }
    for (np_node_id node = 0; node < 2; node++) {
        np_buffer_counts counts;
        CHECK(np_buffer_pool_counts(pool, node, &counts) == NP_OK);
        CHECK(counts.in_use == 0 && counts.free == counts.total);
        CHECK(blocks == 0 || counts.total == blocks);
        /* Every one can be had, once. */
        for (uint64_t i = 0; i < counts.total; i++) {
            void *got = NULL;
            CHECK(np_buffer_acquire_on(pool, node, &got) == NP_OK);
            CHECK(np_buffer_node(pool, got) == node && ((block *)got)->holder != UINT64_MAX);
            ((block *)got)->holder = UINT64_MAX;
        }
        CHECK(np_buffer_pool_counts(pool, node, &counts) == NP_OK);
        CHECK(blocks == 0 || counts.free == 0); /* a growing one leaves the caches alone */
    }
    np_buffer_pool_destroy(pool);
    CHECK(np_executor_destroy(executor) == NP_OK);
    np_topology_destroy(topology);
}

int main(int argc, char **argv)
{
    static const size_t blocks[] = {4, 12, 40, 300, 0};
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 2;
    for (unsigned long i = 0; i < rounds; i++)
        for (size_t k = 0; k < sizeof blocks / sizeof *blocks; k++)
            round_of(k % 2 == 0 ? "numa:2 core:2 pu:1" : "numa:2 core:1 pu:1", blocks[k],
                     i % 2 == 0 ? NP_BUFFER_EMPTY_FAIL : NP_BUFFER_EMPTY_NEAREST);
    CHECK(npi_load_relaxed(&refused) > 0);
    printf("%llu blocks acquired, %llu times there was none\n",
           (unsigned long long)npi_load_relaxed(&acquired),
           (unsigned long long)npi_load_relaxed(&refused));
    return 0;
}
