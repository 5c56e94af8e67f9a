/*
 * Goal: a sharded counter loses no add, whoever adds; is exact when nobody does, has everything
 * that was added before a read, and never runs backwards. Method: adds by workers, guests and more
 * outside threads than have numbers of their own, while others read; exact sums at the end.
 */
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/pool.h"
#include "os/number.h"

static np_sharded_counter *make(np_executor *executor)
{
    np_sharded_counter *counter = NULL;
    assert_int_equal(np_sharded_counter_create(executor, &counter), NP_OK);
    assert_int_equal(np_sharded_counter_read(counter), 0);
    return counter;
}

static void add_three(void *argument)
{
    np_sharded_counter_add(argument, 3);
}

/* Everything before the read is in it: the task's own add, and those of tasks it waits for. */
static void test_before_is_seen(void **state)
{
    (void)state;
    np_executor *executor = pool_create(FOUR_NODES, NULL);
    np_sharded_counter *counter = make(executor);
    np_group *group = NULL;
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    uint64_t expected = 0;
    for (unsigned round = 0; round < 200; round++) {
        for (np_node_id node = 0; node < 4; node++)
            assert_int_equal(np_group_submit_to_node(group, executor, node, add_three, counter),
                             NP_OK);
        np_sharded_counter_add(counter, 5);
        assert_int_equal(np_group_wait(group), NP_OK);
        expected += 4 * 3 + 5;
        assert_int_equal(np_sharded_counter_read(counter), expected);
    }
    /* Modulo 2^64. */
    np_sharded_counter_add(counter, UINT64_MAX);
    assert_int_equal(np_sharded_counter_read(counter), expected - 1);
    assert_int_equal(np_group_destroy(group), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    np_sharded_counter_add(counter, 2); /* it outlives the executor */
    assert_int_equal(np_sharded_counter_read(counter), expected + 1);
    np_sharded_counter_destroy(counter);
}

enum { ADDS = 2000, OUTSIDE = NPI_NUMBERS + 8 };

typedef struct crowd {
    np_sharded_counter *counter;
    pool_gate gate;
    np_atomic(uint32_t) stop; /* or how far both have come */
    np_atomic(uint32_t) backwards;
} crowd;

static void add_many(void *argument)
{
    crowd *c = argument;
    pool_gate_pass(&c->gate); /* all of them alive at once: some must share */
    for (unsigned i = 0; i < ADDS; i++)
        np_sharded_counter_add(c->counter, 1);
}

static void watch(void *argument)
{
    crowd *c = argument;
    uint64_t last = 0;
    while (npi_load_acquire(&c->stop) == 0) {
        uint64_t now = np_sharded_counter_read(c->counter);
        if (now < last)
            npi_fetch_add_relaxed(&c->backwards, 1u);
        last = now;
    }
}

static void test_crowd(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    crowd c = {.counter = make(executor)};
    static npi_os_thread threads[OUTSIDE];
    npi_os_thread reader;
    assert_int_equal(npi_os_thread_start(&reader, 0, watch, &c), 0);
    for (unsigned i = 0; i < OUTSIDE; i++)
        assert_int_equal(npi_os_thread_start(&threads[i], 0, add_many, &c), 0);
    for (np_node_id node = 0; node < 2; node++)
        assert_int_equal(np_submit_to_node(executor, node, add_many, &c), NP_OK);
    pool_gate_await(&c.gate, OUTSIDE + 2);
    pool_gate_open(&c.gate);
    for (unsigned i = 0; i < OUTSIDE; i++)
        assert_int_equal(npi_os_thread_join(&threads[i]), 0);
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    npi_store_release(&c.stop, 1u);
    assert_int_equal(npi_os_thread_join(&reader), 0);
    assert_int_equal(npi_load_relaxed(&c.backwards), 0);
    assert_int_equal(np_sharded_counter_read(c.counter), (uint64_t)ADDS * (OUTSIDE + 2));
    np_sharded_counter_destroy(c.counter);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* Two threads with one number, at the same time and for long. */
enum { STRETCHES = 1500 };

static void add_sharing(void *argument)
{
    crowd *c = argument;
    npi_number_self = NPI_NUMBERS_OWN + 1; /* number NPI_NUMBERS_OWN: the first that is shared */
    /* Stretch by stretch together, so that they meet however the threads are scheduled. */
    for (uint32_t stretch = 1; stretch <= STRETCHES; stretch++) {
        npi_fetch_add_acq_rel(&c->stop, 1u);
        while (npi_load_acquire(&c->stop) < 2 * stretch)
            sched_yield();
        for (unsigned i = 0; i < ADDS; i++)
            np_sharded_counter_add(c->counter, 1);
    }
}

static void test_shared_number(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_ONE, NULL);
    crowd c = {.counter = make(executor)};
    npi_os_thread threads[2];
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(npi_os_thread_start(&threads[i], 0, add_sharing, &c), 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(npi_os_thread_join(&threads[i]), 0);
    assert_int_equal(np_sharded_counter_read(c.counter), 2u * STRETCHES * ADDS);
    np_sharded_counter_destroy(c.counter);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* Threads that follow each other have the same number, and go on where the last one stopped. */
static void add_once(void *argument)
{
    np_sharded_counter_add(argument, 1);
}

static void test_numbers_pass_on(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_ONE, NULL);
    np_sharded_counter *counter = make(executor);
    for (uint64_t i = 1; i <= 200; i++) {
        npi_os_thread thread;
        assert_int_equal(npi_os_thread_start(&thread, 0, add_once, counter), 0);
        assert_int_equal(npi_os_thread_join(&thread), 0);
        assert_int_equal(np_sharded_counter_read(counter), i);
    }
    np_sharded_counter_destroy(counter);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void test_misuse_and_fork(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_ONE, NULL);
    np_sharded_counter *counter = NULL;
    unit_expect_failure(np_sharded_counter_create(executor, NULL), NP_ERR_INVALID_ARGUMENT, "out");
    unit_expect_failure(np_sharded_counter_create(NULL, &counter), NP_ERR_INVALID_ARGUMENT,
                        "executor");
    np_sharded_counter_add(NULL, 1);
    assert_int_equal(np_sharded_counter_read(NULL), 0);
    np_sharded_counter_destroy(NULL);
    unit_allocator hook;
    unit_allocator_install(&hook);
    hook.fail_at = 1;
    assert_int_equal(np_sharded_counter_create(executor, &counter), NP_ERR_NO_MEMORY);
    hook.fail_at = hook.calls + 1 + 1;
    assert_int_equal(np_sharded_counter_create(executor, &counter), NP_ERR_NO_MEMORY);
    assert_null(counter);
    assert_int_equal(hook.held_bytes, 0);
    assert_int_equal(np_set_allocator(NULL), NP_OK);

    counter = make(executor);
    np_sharded_counter_add(counter, 7);
    if (!unit_is_emulated()) {
        pid_t child = fork();
        if (child == 0) { /* a copy that goes on for itself */
            np_sharded_counter_add(counter, 1);
            bool right = np_sharded_counter_read(counter) == 8;
            np_sharded_counter_destroy(counter);
            _exit(right ? 0 : 1);
        }
        int status = 0;
        assert_true(child > 0 && waitpid(child, &status, 0) == child);
        assert_int_equal(status, 0);
    }
    assert_int_equal(np_sharded_counter_read(counter), 7);
    np_sharded_counter_destroy(counter);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_is_seen),  cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_shared_number),   cmocka_unit_test(test_numbers_pass_on),
        cmocka_unit_test(test_misuse_and_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
