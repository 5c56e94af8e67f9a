/*
 * stencil: heat in a square plate, by Jacobi's method over two partitioned arrays.
 *
 *     ./stencil [SIDE [STEPS [MACHINE]]]
 *
 * An element of the arrays is a row, so the plate is cut into stripes of whole rows, one on each
 * node. A step reads one array and writes the other. Every loop runs over the array that it writes,
 * so each row is computed on the node where it lies; only the rows above and below a stripe come
 * from a neighbour. The same rows go to the same workers in every step, as long as nobody is idle.
 *
 * The result is compared, bit by bit, with that of a plain loop, and the statistics say where the
 * rows were computed.
 */
#include "program.h"

#include <string.h>

struct plate {
    size_t side;
    const double *from; /* side rows of side cells */
    double *to;
};

static double average(const double *cell, size_t side)
{
    return 0.25 * (cell[-1] + cell[1] + *(cell - side) + cell[side]);
}

/* Rows begin .. end - 1 of one step. The rim keeps its temperature. */
static void compute_rows(void *context, size_t begin, size_t end)
{
    const struct plate *plate = context;
    size_t side = plate->side;
    for (size_t row = begin; row < end; row++) {
        const double *from = plate->from + row * side;
        double *to = plate->to + row * side;
        if (row == 0 || row == side - 1) {
            memcpy(to, from, side * sizeof *to);
            continue;
        }
        to[0] = from[0];
        for (size_t column = 1; column < side - 1; column++)
            to[column] = average(from + column, side);
        to[side - 1] = from[side - 1];
    }
}

/* Cold, but for a hot upper rim. */
static void fill_rows(void *context, size_t begin, size_t end)
{
    const struct plate *plate = context;
    for (size_t row = begin; row < end; row++)
        for (size_t column = 0; column < plate->side; column++)
            plate->to[row * plate->side + column] = row == 0 ? 100 : 0;
}

/* The largest difference between two neighbouring steps; associative, in any order. */
static void largest_change(void *context, size_t begin, size_t end, void *value)
{
    const struct plate *plate = context;
    double *largest = value;
    for (size_t cell = begin * plate->side; cell < end * plate->side; cell++) {
        double change = plate->to[cell] - plate->from[cell];
        change = change < 0 ? -change : change;
        *largest = change > *largest ? change : *largest;
    }
}

static void larger(void *context, void *into, const void *from)
{
    (void)context;
    double *largest = into;
    const double *other = from;
    *largest = *other > *largest ? *other : *largest;
}

static np_array *make_plate(const np_topology *topology, size_t side)
{
    np_array *array = NULL;
    CHECK(np_array_create(topology, side * sizeof(double), side, NULL, &array));
    return array;
}

static void show_stripes(const np_array *array)
{
    for (size_t i = 0; i < np_array_piece_count(array); i++) {
        np_piece piece;
        EXPECT(np_array_piece(array, i, &piece));
        printf("rows %6zu .. %6zu on node %d\n", piece.begin, piece.end - 1, (int)piece.node);
    }
}

/* What a program without any of this does. */
static double *plain_steps(size_t side, size_t steps)
{
    double *cells[2];
    for (int i = 0; i < 2; i++) {
        cells[i] = malloc(side * side * sizeof(double));
        EXPECT(cells[i] != NULL);
        struct plate plate = {.side = side, .to = cells[i]};
        fill_rows(&plate, 0, side);
    }
    for (size_t step = 0; step < steps; step++) {
        struct plate plate = {.side = side, .from = cells[step % 2], .to = cells[(step + 1) % 2]};
        compute_rows(&plate, 0, side);
    }
    free(cells[(steps + 1) % 2]);
    return cells[steps % 2];
}

static void run(np_executor *executor, size_t side, size_t steps)
{
    const np_topology *topology = np_executor_topology(executor);
    np_array *arrays[2] = {make_plate(topology, side), make_plate(topology, side)};
    double *cells[2] = {np_array_data(arrays[0]), np_array_data(arrays[1])};
    show_stripes(arrays[0]);
    for (int i = 0; i < 2; i++) {
        struct plate plate = {.side = side, .to = cells[i]};
        CHECK(np_parallel_for_array(executor, arrays[i], NULL, fill_rows, &plate));
    }
    struct plate plate = {.side = side};
    for (size_t step = 0; step < steps; step++) {
        plate.from = cells[step % 2];
        plate.to = cells[(step + 1) % 2];
        CHECK(np_parallel_for_array(executor, arrays[(step + 1) % 2], NULL, compute_rows, &plate));
    }
    double change = 0;
    if (steps > 0)
        CHECK(np_parallel_reduce_array(executor, arrays[steps % 2], NULL,
                                       NP_REDUCTION(.bytes = sizeof change, .body = largest_change,
                                                    .combine = larger, .context = &plate),
                                       &change));
    printf("%zu steps; the last one changed no cell by more than %g\n", steps, change);

    double *plain = plain_steps(side, steps);
    EXPECT(memcmp(plain, cells[steps % 2], side * side * sizeof *plain) == 0);
    free(plain);
    np_array_destroy(arrays[1]);
    np_array_destroy(arrays[0]);
}

int main(int argc, char **argv)
{
    size_t side = program_number(argc, argv, 1, "SIDE", 3, 100000, 1000);
    size_t steps = program_number(argc, argv, 2, "STEPS", 0, 1000000, 20);
    np_topology *topology = program_topology(argc, argv, 3);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    run(executor, side, steps);
    program_show_slices(executor);
    CHECK(np_executor_destroy(executor));
    np_topology_destroy(topology);
    return EXIT_SUCCESS;
}
