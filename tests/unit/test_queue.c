/*
 * Goal: the task queue keeps every task, in order, once; across segments, with one- and two-cell
 * tasks, with numbers near the end of their range, and when memory runs out. Method: one thread for
 * the exact cases, one producer with several consumers for the races.
 */
#include "sync/queue.h"

#include "os/os.h"
#include "unit.h"

typedef struct fixture {
    npi_arena arena;
    npi_segment_pool pool;
    npi_queue queue;
} fixture;

static fixture *make(uint64_t first)
{
    fixture *f = aligned_alloc(NPI_FALSE_SHARING, sizeof *f);
    assert_non_null(f);
    memset(f, 0, sizeof *f);
    npi_arena_init(&f->arena, NP_NODE_ID_NONE, false);
    npi_segment_pool_init(&f->pool, &f->arena, NPI_SEGMENT_BYTES);
    npi_queue_init(&f->queue, &f->arena, &f->pool, first);
    return f;
}

static void drop(fixture *f)
{
    npi_arena_destroy(&f->arena);
    free(f);
}

static void nothing(void *argument)
{
    (void)argument;
}

/* Every third task carries a copied argument. */
static npi_task numbered(uint64_t number)
{
    npi_task task = {.fn = nothing, .argument = (void *)(uintptr_t)number};
    size_t bytes = number % 3 == 2 ? sizeof task.copy : 0;
    task.meta = npi_meta((np_node_index)(number % 7), NP_AFFINITY_PREFERRED, bytes);
    for (unsigned i = 0; i < 5; i++)
        task.copy[i] = number * 5 + i;
    return task;
}

static void expect(const npi_task *task, uint64_t number)
{
    assert_ptr_equal(task->fn, nothing);
    assert_int_equal(npi_meta_home(task->meta), number % 7);
    if (number % 3 == 2) {
        assert_int_equal(npi_meta_bytes(task->meta), 40);
        for (unsigned i = 0; i < 5; i++)
            assert_int_equal(task->copy[i], number * 5 + i);
    } else {
        assert_int_equal((uintptr_t)task->argument, number);
    }
}

static void test_empty(void **state)
{
    (void)state;
    fixture *f = make(0);
    npi_task task;
    assert_true(npi_queue_is_empty(&f->queue));
    assert_false(npi_queue_take(&f->queue, &task));
    assert_int_equal(npi_queue_depth(&f->queue), 0);
    assert_int_equal(npi_queue_accepted(&f->queue), 0);
    drop(f);
}

/* `before`: so many plain tasks go through it first. Two cells of a copied argument meet the end of
 * a segment or not depending on that: four cells for three tasks divide one evenly. */
static void fill_and_drain(uint64_t first, unsigned before)
{
    enum { TASKS = 20000 };
    fixture *f = make(first);
    npi_task task;
    for (unsigned i = 0; i < before; i++) {
        npi_task plain = numbered(0);
        assert_int_equal(npi_queue_put(&f->queue, &plain, 1), 1);
        assert_true(npi_queue_take(&f->queue, &task));
        expect(&task, 0);
    }
    for (unsigned round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < TASKS; i++) {
            npi_task next = numbered(i);
            assert_int_equal(npi_queue_put(&f->queue, &next, 1), 1);
            assert_int_equal(npi_queue_depth(&f->queue), i + 1);
        }
        for (uint64_t i = 0; i < TASKS; i++) {
            assert_true(npi_queue_take(&f->queue, &task));
            expect(&task, i);
        }
        assert_false(npi_queue_take(&f->queue, &task));
        assert_int_equal(npi_queue_depth(&f->queue), 0);
        assert_int_equal(npi_queue_accepted(&f->queue), before + (round + 1) * TASKS);
    }
    npi_segment_usage usage;
    npi_segment_pool_get_usage(&f->pool, &usage);
    /* 20,000 tasks of 4/3 cells are 13.02 segments: later rounds reuse the first round's. */
    assert_in_range(usage.segments, 14, 15);
    drop(f);
}

static void test_order_across_segments(void **state)
{
    (void)state;
    fill_and_drain(0, 0);
}

static void test_numbers_near_the_end(void **state)
{
    (void)state;
    /* The numbers pass 2^64 in the middle of the first round. */
    fill_and_drain((uint64_t)0 - 4 * NPI_SEGMENT_CELLS, 0);
}

static void test_copies_do_not_straddle_segments(void **state)
{
    (void)state;
    for (unsigned before = 1; before < 4; before++)
        fill_and_drain(0, before);
}

static void test_lock_step(void **state)
{
    (void)state;
    fixture *f = make(0);
    npi_task task;
    for (uint64_t i = 0; i < 100000; i++) {
        npi_task next = numbered(i);
        assert_int_equal(npi_queue_put(&f->queue, &next, 1), 1);
        assert_true(npi_queue_take(&f->queue, &task));
        expect(&task, i);
        assert_true(npi_queue_is_empty(&f->queue));
    }
    npi_segment_usage usage;
    npi_segment_pool_get_usage(&f->pool, &usage);
    assert_in_range(usage.segments, 1, 2);
    drop(f);
}

static void test_batches(void **state)
{
    (void)state;
    fixture *f = make(0);
    enum { BATCH = 5000 };
    npi_task *tasks = calloc(BATCH, sizeof *tasks);
    assert_non_null(tasks);
    npi_task task;
    for (uint64_t i = 0; i < BATCH; i++)
        tasks[i] = numbered(i);
    for (unsigned round = 0; round < 4; round++)
        assert_int_equal(npi_queue_put(&f->queue, tasks, BATCH), BATCH);
    for (unsigned round = 0; round < 4; round++) {
        for (uint64_t i = 0; i < BATCH; i++) {
            assert_true(npi_queue_take(&f->queue, &task));
            expect(&task, i);
        }
    }
    free(tasks);
    drop(f);
}

/* --- one producer, several consumers ----------------------------------------------------- */

enum { CONSUMERS = 3 };
static const uint64_t RACE_TASKS = UNIT_SANITIZED ? 60000 : 600000;

typedef struct race {
    fixture *f;
    struct {
        np_atomic(uint8_t) times;
    } * seen;
    np_atomic(uint64_t) taken;
    np_atomic(uint64_t) wrong;
} race;

static void consume(void *argument)
{
    race *r = argument;
    npi_task task;
    uint64_t last = 0;
    while (npi_load_relaxed(&r->taken) < RACE_TASKS) {
        if (!npi_queue_take(&r->f->queue, &task)) {
            npi_cpu_relax();
            continue;
        }
        uint64_t number = npi_meta_bytes(task.meta) != 0 ? task.copy[0] / 5
                                                         : (uint64_t)(uintptr_t)task.argument;
        bool intact = number < RACE_TASKS && number + 1 > last;
        if (intact && npi_meta_bytes(task.meta) != 0)
            for (unsigned i = 0; i < 5; i++)
                intact = intact && task.copy[i] == number * 5 + i;
        if (!intact || npi_fetch_add_relaxed(&r->seen[number].times, (uint8_t)1) != 0)
            npi_fetch_add_relaxed(&r->wrong, (uint64_t)1);
        last = number + 1; /* each consumer sees the order of the producer */
        npi_fetch_add_relaxed(&r->taken, (uint64_t)1);
    }
}

static void test_one_producer_many_consumers(void **state)
{
    (void)state;
    race r = {.f = make((uint64_t)0 - 16 * NPI_SEGMENT_CELLS)};
    r.seen = calloc(RACE_TASKS, sizeof *r.seen);
    assert_non_null(r.seen);
    npi_os_thread thread[CONSUMERS];
    for (unsigned i = 0; i < CONSUMERS; i++)
        assert_int_equal(npi_os_thread_start(&thread[i], 0, consume, &r), 0);
    for (uint64_t i = 0; i < RACE_TASKS;) {
        npi_task batch[7];
        size_t count = 1 + i % 7;
        for (size_t j = 0; j < count; j++)
            batch[j] = numbered(i + j);
        if (i + count > RACE_TASKS)
            count = (size_t)(RACE_TASKS - i);
        assert_int_equal(npi_queue_put(&r.f->queue, batch, count), count);
        i += count;
    }
    for (unsigned i = 0; i < CONSUMERS; i++)
        assert_int_equal(npi_os_thread_join(&thread[i]), 0);
    assert_int_equal(npi_load_relaxed(&r.wrong), 0);
    assert_int_equal(npi_load_relaxed(&r.taken), RACE_TASKS);
    for (uint64_t i = 0; i < RACE_TASKS; i++)
        assert_int_equal(npi_load_relaxed(&r.seen[i].times), 1);
    free(r.seen);
    drop(r.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_order_across_segments),
        cmocka_unit_test(test_numbers_near_the_end),
        cmocka_unit_test(test_copies_do_not_straddle_segments),
        cmocka_unit_test(test_lock_step),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_one_producer_many_consumers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
