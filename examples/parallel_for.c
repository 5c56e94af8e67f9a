/*
 * Parallel loops: a picture of the Mandelbrot set, whose rows cost very different times.
 *
 * np_parallel_for() divides the rows among the workers as they become free. The body is an ordinary
 * loop over part of the range. A static loop before it writes the picture for the first time, so
 * that on a machine with several nodes its memory is spread over them.
 */
#include "example.h"

#define WIDTH  256u
#define HEIGHT 192u
#define DEPTH  500u

struct picture {
    uint16_t *pixels;
    uint32_t rows_by_worker[1024];
};

static void blank(void *context, size_t begin, size_t end)
{
    struct picture *picture = context;
    for (size_t i = begin * WIDTH; i < end * WIDTH; i++)
        picture->pixels[i] = UINT16_MAX;
}

static uint16_t escape(double re, double im)
{
    double x = 0, y = 0;
    uint16_t step = 0;
    for (; step < DEPTH && x * x + y * y < 4; step++) {
        double next = x * x - y * y + re;
        y = 2 * x * y + im;
        x = next;
    }
    return step;
}

static void draw(void *context, size_t begin, size_t end)
{
    struct picture *picture = context;
    for (size_t row = begin; row < end; row++)
        for (size_t column = 0; column < WIDTH; column++)
            picture->pixels[row * WIDTH + column] = escape(-2.2 + 3.0 * (double)column / WIDTH,
                                                           -1.2 + 2.4 * (double)row / HEIGHT);
    uint32_t worker = np_current_worker_index();
    if (worker < 1024)
        picture->rows_by_worker[worker] += (uint32_t)(end - begin); /* only this worker writes it */
}

/* The set is its own mirror image; one body per row, so the macro writes the loop. */
struct comparison {
    const struct picture *picture;
    np_group *group;
};

NP_INDEX_BODY(compare_row, struct comparison, c, row)
{
    const uint16_t *above = &c->picture->pixels[row * WIDTH];
    const uint16_t *below = &c->picture->pixels[(HEIGHT - row) * WIDTH];
    for (size_t column = 0; column < WIDTH; column++)
        if (above[column] != below[column])
            np_group_fail(c->group, NP_ERR_FAILED);
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    np_topology_destroy(topology);

    static struct picture picture;
    picture.pixels = malloc(WIDTH * HEIGHT * sizeof *picture.pixels);
    if (picture.pixels == NULL)
        return EXIT_FAILURE;

    CHECK(np_parallel_for(executor, 0, HEIGHT, NP_LOOP_OPTIONS(.schedule = NP_SCHEDULE_STATIC),
                          blank, &picture));
    /* A row takes up to a millisecond: worth another worker, so the grain is one. */
    CHECK(np_parallel_for(executor, 0, HEIGHT, NP_LOOP_OPTIONS(.grain = 1), draw, &picture));

    /* An error that a body reports is what the loop returns. */
    np_group *group = NULL;
    CHECK(np_group_create(NULL, &group));
    struct comparison comparison = {&picture, group};
    CHECK(np_parallel_for(executor, 1, HEIGHT / 2, NP_LOOP_OPTIONS(.group = group), compare_row,
                          &comparison));
    CHECK(np_group_destroy(group));

    uint32_t rows = 0;
    for (uint32_t worker = 0; worker < 1024; worker++)
        if (picture.rows_by_worker[worker] != 0) {
            printf("worker %u drew %u rows\n", worker, picture.rows_by_worker[worker]);
            rows += picture.rows_by_worker[worker];
        }
    EXPECT(rows == HEIGHT);
    EXPECT(picture.pixels[HEIGHT / 2 * WIDTH + 2 * WIDTH / 3] == DEPTH); /* within the set */
    free(picture.pixels);
    CHECK(np_executor_destroy(executor));
    return EXIT_SUCCESS;
}
