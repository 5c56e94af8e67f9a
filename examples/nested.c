/*
 * Submission from inside tasks: the work is discovered while it is done.
 *
 * Counts the ways to place ten queens. A task places one queen and submits a task for each place of
 * the next one, into the same group, near itself: np_submit_with() from a worker goes to the
 * worker's own node. Deeper down the rest is counted at once, because a task should be worth at
 * least some microseconds.
 */
#include "example.h"

#include <stdatomic.h>

#define QUEENS        10
#define PARALLEL_ROWS 4

struct board {
    np_executor *executor;
    atomic_ulong *solutions;
    uint32_t row;
    uint32_t columns, rising, falling; /* attacked squares of this row, one bit each */
};

static struct board after_queen(const struct board *board, uint32_t queen)
{
    struct board next = *board;
    next.row++;
    next.columns |= queen;
    next.rising = (board->rising | queen) << 1;
    next.falling = (board->falling | queen) >> 1;
    return next;
}

static uint32_t free_squares(const struct board *board)
{
    return ~(board->columns | board->rising | board->falling) & ((1u << QUEENS) - 1);
}

static unsigned long count(const struct board *board)
{
    if (board->row == QUEENS)
        return 1;
    unsigned long solutions = 0;
    for (uint32_t squares = free_squares(board); squares != 0; squares &= squares - 1) {
        struct board next = after_queen(board, squares & -squares);
        solutions += count(&next);
    }
    return solutions;
}

static void place(void *argument)
{
    const struct board *board = argument;
    if (board->row >= PARALLEL_ROWS) {
        atomic_fetch_add_explicit(board->solutions, count(board), memory_order_relaxed);
        return;
    }
    np_group *group = np_current_group();
    for (uint32_t squares = free_squares(board); squares != 0; squares &= squares - 1) {
        struct board next = after_queen(board, squares & -squares);
        np_status status = np_submit_with(
            board->executor, NP_SUBMIT_OPTIONS(.group = group, .copy_bytes = sizeof next), place,
            &next);
        if (status != NP_OK) {
            np_group_fail(group, status); /* comes out of the wait in main() */
            return;
        }
    }
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    np_topology_destroy(topology);
    np_group *group = NULL;
    CHECK(np_group_create(NULL, &group));

    atomic_ulong solutions = 0;
    struct board empty = {.executor = executor, .solutions = &solutions};
    CHECK(np_submit_with(executor, NP_SUBMIT_OPTIONS(.group = group, .copy_bytes = sizeof empty),
                         place, &empty));

    /* The group is done only when no task of it is left, however many it became. */
    CHECK(np_group_wait(group));
    np_executor_load load;
    CHECK(np_executor_load_now(executor, &load));
    printf("%lu ways to place %d queens, found by %llu tasks\n", atomic_load(&solutions), QUEENS,
           (unsigned long long)load.accepted);
    EXPECT(atomic_load(&solutions) == 724);

    CHECK(np_group_destroy(group));
    CHECK(np_executor_destroy(executor));
    return EXIT_SUCCESS;
}
