/*
 * Completion with atomics: the tasks count themselves down, and the last one finishes the job.
 *
 * Nobody has to wait for that: a server would send its answer from finish(). Here main() wants the
 * result and sleeps on a semaphore that the last task posts.
 */
#include "example.h"

#include <semaphore.h>
#include <stdatomic.h>

#define PART_COUNT  64
#define PART_LENGTH 4096

struct job {
    uint32_t values[PART_COUNT][PART_LENGTH];
    uint64_t sums[PART_COUNT];
    uint64_t total;
    atomic_size_t remaining;
    sem_t done;
};

struct part {
    struct job *job;
    size_t index;
};

static void finish(struct job *job)
{
    for (size_t i = 0; i < PART_COUNT; i++)
        job->total += job->sums[i];
    sem_post(&job->done);
}

static void add_part(void *argument)
{
    struct part *part = argument;
    struct job *job = part->job;

    uint64_t sum = 0;
    for (size_t i = 0; i < PART_LENGTH; i++)
        sum += job->values[part->index][i];
    job->sums[part->index] = sum;

    /* Release: this part's sum is published. Acquire: the last one sees the sums of all others. */
    if (atomic_fetch_sub_explicit(&job->remaining, 1, memory_order_acq_rel) == 1)
        finish(job);
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    np_topology_destroy(topology);

    static struct job job;
    uint64_t expected = 0;
    for (uint32_t i = 0; i < PART_COUNT * PART_LENGTH; i++) {
        job.values[i / PART_LENGTH][i % PART_LENGTH] = i;
        expected += i;
    }
    EXPECT(sem_init(&job.done, 0, 0) == 0);

    /* Set before the first submit: a task may end before the next one is sent. */
    atomic_init(&job.remaining, PART_COUNT);
    for (size_t i = 0; i < PART_COUNT; i++) {
        struct part part = {.job = &job, .index = i};
        CHECK(np_submit_with(executor, NP_SUBMIT_OPTIONS(.copy_bytes = sizeof part), add_part,
                             &part));
    }

    while (sem_wait(&job.done) != 0)
        ; /* interrupted by a signal */
    printf("%d parts, total %llu\n", PART_COUNT, (unsigned long long)job.total);
    EXPECT(job.total == expected);

    /* The last task may still be on its way out of sem_post(); after this it is not. */
    CHECK(np_executor_destroy(executor));
    sem_destroy(&job.done);
    return EXIT_SUCCESS;
}
