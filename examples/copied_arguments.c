/*
 * Copied arguments: up to 40 bytes travel with the task, by value.
 *
 * The struct below lives in the loop and is gone when the task runs; the task has a copy of its
 * own. No malloc, no free, nothing to keep alive. A larger argument is passed by pointer, and then
 * the program decides how long it lives.
 */
#include "example.h"

#include <stdatomic.h>

#define WIDTH  320
#define HEIGHT 240
#define TILE   16

struct tile {
    uint8_t *pixels;
    atomic_uint *done;
    uint16_t x, y, width, height;
};
_Static_assert(sizeof(struct tile) <= NP_ARGUMENT_COPY_MAX, "a tile is copied with its task");

static void fill(void *argument)
{
    const struct tile *tile = argument; /* the task's own copy, valid while it runs */
    for (unsigned y = tile->y; y < (unsigned)tile->y + tile->height; y++)
        for (unsigned x = tile->x; x < (unsigned)tile->x + tile->width; x++)
            tile->pixels[y * WIDTH + x] = (uint8_t)(x ^ y);
    atomic_fetch_add_explicit(tile->done, 1, memory_order_relaxed);
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    np_topology_destroy(topology);

    np_node_id nodes[EXAMPLE_MAX_NODES];
    size_t node_count = example_nodes(executor, nodes, EXAMPLE_MAX_NODES);
    static uint8_t pixels[WIDTH * HEIGHT];
    static atomic_uint done;
    unsigned tiles = 0;

    for (uint16_t y = 0; y < HEIGHT; y += TILE) {
        for (uint16_t x = 0; x < WIDTH; x += TILE) {
            struct tile tile = {
                .pixels = pixels, .done = &done, .x = x, .y = y, .width = TILE, .height = TILE};
            CHECK(np_submit_copy_to_node(executor, nodes[tiles % node_count], fill, &tile,
                                         sizeof tile));
            tiles++;
        }
    }
    CHECK(np_executor_wait_idle(executor, NP_FOREVER));

    printf("%u tiles of %zu bytes of argument, %u filled\n", tiles, sizeof(struct tile),
           atomic_load(&done));
    EXPECT(atomic_load(&done) == tiles);
    for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
        EXPECT(pixels[i] == (uint8_t)(i % WIDTH ^ i / WIDTH));

    /* More than fits is refused; nothing was kept. */
    static const char large[NP_ARGUMENT_COPY_MAX + 1];
    np_status status = np_submit_copy_to_node(executor, nodes[0], fill, large, sizeof large);
    printf("%zu bytes: %s (%s)\n", sizeof large, np_status_name(status), np_error_detail());
    EXPECT(status == NP_ERR_INVALID_ARGUMENT);

    CHECK(np_executor_destroy(executor));
    return EXIT_SUCCESS;
}
