/*
 * Completion with a group: a set of tasks somebody waits for.
 *
 * Unlike np_executor_wait_idle() a group does not care what else the executor is doing. It can be
 * waited for with a time limit, asked how much is left, and used again.
 */
#include "example.h"

#define ROUNDS 3
#define CELLS  512

struct cell {
    const double *left, *middle, *right;
    double *out;
};

/* One step of heat flowing along a rod. */
static void step(void *argument)
{
    const struct cell *cell = argument;
    *cell->out = (*cell->left + 2 * *cell->middle + *cell->right) / 4;
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    np_topology_destroy(topology);

    np_group *group = NULL;
    CHECK(np_group_create(NULL, &group));

    static double rod[2][CELLS];
    static struct cell cells[CELLS];
    for (size_t i = 0; i < CELLS; i++)
        rod[0][i] = i == CELLS / 2 ? 1000.0 : 0.0;

    for (int round = 0; round < ROUNDS; round++) {
        const double *now = rod[round % 2];
        double *next = rod[(round + 1) % 2];
        for (size_t i = 0; i < CELLS; i++) {
            cells[i] = (struct cell){.left = &now[(i + CELLS - 1) % CELLS],
                                     .middle = &now[i],
                                     .right = &now[(i + 1) % CELLS],
                                     .out = &next[i]};
            CHECK(np_group_submit(group, executor, step, &cells[i]));
        }

        /* The next round reads what this one wrote, so this one has to be over. */
        uint64_t left = np_group_pending(group);
        np_status status = np_group_wait_for(group, 1000000);
        if (status == NP_ERR_TIMEOUT) {
            printf("round %d takes longer than a millisecond\n", round);
            status = np_group_wait(group);
        }
        CHECK(status);
        printf("round %d: %llu of %d tasks were unfinished after submitting, now %llu\n", round,
               (unsigned long long)left, CELLS, (unsigned long long)np_group_pending(group));
        EXPECT(np_group_pending(group) == 0);
    }

    double heat = 0;
    for (size_t i = 0; i < CELLS; i++)
        heat += rod[ROUNDS % 2][i];
    printf("heat in the rod: %.3f, in the middle: %.3f\n", heat, rod[ROUNDS % 2][CELLS / 2]);
    EXPECT(heat > 999.999 && heat < 1000.001);
    EXPECT(rod[ROUNDS % 2][CELLS / 2] == 312.5);

    CHECK(np_group_destroy(group));
    CHECK(np_executor_destroy(executor));
    return EXIT_SUCCESS;
}
