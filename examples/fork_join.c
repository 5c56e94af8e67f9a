/*
 * Fork and join: a task splits itself, and idle workers help.
 *
 * A merge sort. np_fork() offers one half to whoever is idle, the task itself sorts the other, and
 * np_join() takes the first half back if nobody took it. Children live on the worker's own stack of
 * children and cost no allocation, so small halves are worth forking too; below a few hundred
 * elements sorting them at once is cheaper still.
 */
#include "example.h"

#include <string.h>

#define LENGTH (1u << 18)
#define SMALL  512

struct sort {
    uint32_t *values;
    uint32_t *scratch;
    size_t count;
};

static void insertion_sort(uint32_t *values, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint32_t value = values[i];
        size_t hole = i;
        for (; hole > 0 && values[hole - 1] > value; hole--)
            values[hole] = values[hole - 1];
        values[hole] = value;
    }
}

static void merge(const struct sort *sort, size_t middle)
{
    size_t left = 0, right = middle;
    for (size_t i = 0; i < sort->count; i++) {
        bool from_left = right == sort->count ||
                         (left < middle && sort->values[left] <= sort->values[right]);
        sort->scratch[i] = sort->values[from_left ? left++ : right++];
    }
    memcpy(sort->values, sort->scratch, sort->count * sizeof *sort->values);
}

static void merge_sort(void *argument)
{
    const struct sort *sort = argument;
    if (sort->count <= SMALL) {
        insertion_sort(sort->values, sort->count);
        return;
    }

    size_t middle = sort->count / 2;
    struct sort left = {sort->values, sort->scratch, middle};
    struct sort right = {sort->values + middle, sort->scratch + middle, sort->count - middle};
    np_fork(merge_sort, &left); /* `left` may live on the stack: the join comes before the return */
    merge_sort(&right);
    np_join();
    merge(sort, middle);
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    np_topology_destroy(topology);

    static uint32_t values[LENGTH], scratch[LENGTH];
    uint64_t sum_before = 0, sum_after = 0;
    uint32_t x = 12345;
    for (size_t i = 0; i < LENGTH; i++) {
        x = x * 1664525u + 1013904223u;
        values[i] = x;
        sum_before += x;
    }

    /* np_run() enters from outside and waits for this one task. */
    struct sort sort = {values, scratch, LENGTH};
    CHECK(np_run(executor, NP_NODE_ID_NONE, merge_sort, &sort));

    for (size_t i = 0; i < LENGTH; i++) {
        EXPECT(i == 0 || values[i - 1] <= values[i]);
        sum_after += values[i];
    }
    EXPECT(sum_before == sum_after);

    np_stats *stats = NULL;
    CHECK(np_stats_snapshot(executor, &stats));
    uint64_t stolen = np_stats_total(stats, NP_COUNTER_FORKS_STOLEN_CACHE) +
                      np_stats_total(stats, NP_COUNTER_FORKS_STOLEN_NODE) +
                      np_stats_total(stats, NP_COUNTER_FORKS_STOLEN_SOCKET) +
                      np_stats_total(stats, NP_COUNTER_FORKS_STOLEN_REMOTE);
    printf("%u values sorted; other workers took %llu of the %u halves\n", LENGTH,
           (unsigned long long)stolen, LENGTH / SMALL - 1);
    np_stats_destroy(stats);
    CHECK(np_executor_destroy(executor));
    return EXIT_SUCCESS;
}
