/*
 * Goal: the store of a channel keeps order and content through wrap-around, growth, reuse and
 * trimming. Method: random puts and takes in phases that drive the length up and down, against a
 * counter that says which item must come next; the whole structure is walked on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "parallel/item_queue.h"
#include "test_channel_help.h"

static uint64_t seed;

static void item_of(uint64_t number, unsigned char *item, size_t size)
{
    for (size_t i = 0; i < size; i++)
        item[i] = (unsigned char)((number >> (8 * (i % 8))) + i / 8);
}

static void put(npi_item_queue *queue, uint64_t number, unsigned char *item)
{
    if (!npi_item_queue_has_room(queue)) {
        npi_item_segment *segment = npi_item_queue_new_segment(queue);
        assert_non_null(segment);
        npi_item_queue_add(queue, segment);
        assert_true(npi_item_queue_has_room(queue));
    }
    item_of(number, item, queue->item_size);
    npi_item_queue_put(queue, item);
}

static void take(npi_item_queue *queue, uint64_t number, unsigned char *item)
{
    static unsigned char expected[4096];
    npi_item_segments_free(npi_item_queue_take(queue, item));
    item_of(number, expected, queue->item_size);
    assert_memory_equal(item, expected, queue->item_size);
}

static void run(npi_random *random, size_t item_size, size_t capacity, size_t steps)
{
    static unsigned char item[4096];
    npi_item_queue queue;
    size_t bytes;
    assert_true(npi_item_queue_init(&queue, item_size, capacity, NULL, &bytes));
    uint64_t in = 0, out = 0;
    uint32_t puts_of_16 = 8;
    for (size_t step = 0; step < steps; step++) {
        if (npi_random_below(random, 500) == 0)
            puts_of_16 = npi_random_below(random, 17);
        bool may_put = capacity == 0 || in - out < capacity;
        assert_int_equal(queue.length, in - out);
        if (capacity != 0)
            assert_int_equal(npi_item_queue_has_room(&queue), may_put);
        if (may_put && npi_random_below(random, 16) < puts_of_16) {
            put(&queue, in, item);
            in++;
        } else if (in > out) {
            take(&queue, out, item);
            out++;
        }
        if (step % 64 == 0)
            assert_true(npi_item_queue_valid(&queue));
    }
    while (out < in) {
        take(&queue, out, item);
        out++;
    }
    assert_true(npi_item_queue_valid(&queue));
    assert_true(queue.segments <= 2);
    npi_item_queue_destroy(&queue);
}

static void test_against_a_counter(void **state)
{
    (void)state;
    print_message("seed %llu (set NP_TEST_SEED to repeat)\n", (unsigned long long)seed);
    npi_random random;
    npi_random_seed(&random, seed);
    static const size_t sizes[] = {1, 8, 24, 100, 1023, 2048, 4096};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        run(&random, sizes[s], 0, 20000);
        run(&random, sizes[s], 1, 1000);
        run(&random, sizes[s], 2 + npi_random_below(&random, 100), 5000);
    }
}

static void test_spare_segments_never_outnumber_the_used(void **state)
{
    (void)state;
    npi_item_queue queue;
    size_t bytes;
    unsigned char item[64];
    assert_true(npi_item_queue_init(&queue, sizeof item, 0, NULL, &bytes));
    size_t per_segment = queue.segment_items;
    uint64_t in = 0, out = 0;
    while (in < 40 * per_segment) {
        put(&queue, in, item);
        in++;
    }
    assert_int_equal(queue.segments, 40);
    while (out < in) {
        take(&queue, out, item);
        out++;
        assert_true(queue.segments <= 2 * queue.used);
        if (queue.used >= 20)
            assert_int_equal(queue.segments, 40);
    }
    assert_int_equal(queue.segments, 2);
    npi_item_queue_destroy(&queue);
}

/* What the forked child of a thread that was in the middle of a change may find. */
static void test_a_cut_circle_can_be_freed(void **state)
{
    (void)state;
    npi_item_queue queue;
    size_t bytes;
    unsigned char item[64];
    assert_true(npi_item_queue_init(&queue, sizeof item, 0, NULL, &bytes));
    for (uint64_t i = 0; i < 3 * queue.segment_items; i++)
        put(&queue, i, item);
    npi_item_segment *rest = queue.head->next->next;
    queue.head->next->next = NULL;
    npi_item_queue_destroy(&queue);
    rest->next = NULL;
    npi_item_segments_free(rest);
}

#define TEST(fn) cmocka_unit_test_teardown(fn, nothing_left)

int main(void)
{
    const char *given = getenv("NP_TEST_SEED");
    seed = given != NULL ? strtoull(given, NULL, 0) : npi_os_now();
    const struct CMUnitTest tests[] = {
        TEST(test_against_a_counter),
        TEST(test_spare_segments_never_outnumber_the_used),
        TEST(test_a_cut_circle_can_be_freed),
    };
    return cmocka_run_group_tests(tests, use_counting_allocator, NULL);
}
