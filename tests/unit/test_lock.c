/*
 * Goal: npi_lock excludes, publishes what its holder wrote, and wakes every sleeper. Method: plain
 * data under the lock, counted by several threads; a holder that lets go only once a waiter is
 * known to have announced its sleep; many sleepers released one by one.
 */
#include <sched.h>

#include "os/lock.h"
#include "unit.h"

static void test_try_and_release(void **state)
{
    (void)state;
    npi_lock lock;
    npi_lock_init(&lock);
    assert_true(npi_lock_try(&lock));
    assert_false(npi_lock_try(&lock));
    npi_lock_release(&lock);
    assert_true(npi_lock_try(&lock));
    npi_lock_release(&lock);
    npi_lock_acquire(&lock);
    assert_int_equal(npi_load_relaxed(&lock.state), 1);
    npi_lock_release(&lock);
    assert_int_equal(npi_load_relaxed(&lock.state), 0);
    assert_int_equal(sizeof lock, 4);
}

enum { THREADS = 6, ROUNDS = 20000 };

typedef struct shared {
    npi_lock lock;
    uint64_t counter; /* protected by lock */
    uint64_t mirror;  /* protected by lock, equal to counter outside */
    uint64_t torn;    /* protected by lock */
} shared;

static void count(void *argument)
{
    shared *data = argument;
    for (unsigned i = 0; i < ROUNDS; i++) {
        npi_lock_acquire(&data->lock);
        if (data->counter != data->mirror)
            data->torn++;
        data->counter++;
        /* Now and then lose the processor while holding it, so that others must sleep. */
        if (i % 1024 == 0)
            (void)sched_yield();
        data->mirror++;
        npi_lock_release(&data->lock);
    }
}

static void test_counting_under_the_lock(void **state)
{
    (void)state;
    shared data = {0};
    npi_lock_init(&data.lock);
    npi_os_thread thread[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(npi_os_thread_start(&thread[i], 0, count, &data), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(npi_os_thread_join(&thread[i]), 0);
    assert_int_equal(data.counter, (uint64_t)THREADS * ROUNDS);
    assert_int_equal(data.mirror, data.counter);
    assert_int_equal(data.torn, 0);
    assert_int_equal(npi_load_relaxed(&data.lock.state), 0);
}

static void test_counting_with_try(void **state)
{
    (void)state;
    shared data = {0};
    npi_lock_init(&data.lock);
    npi_os_thread thread;
    assert_int_equal(npi_os_thread_start(&thread, 0, count, &data), 0);
    uint64_t mine = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (!npi_lock_try(&data.lock))
            continue;
        data.counter++;
        data.mirror++;
        mine++;
        npi_lock_release(&data.lock);
    }
    assert_int_equal(npi_os_thread_join(&thread), 0);
    assert_int_equal(data.counter, ROUNDS + mine);
    assert_int_equal(data.torn, 0);
}

static void pass_through(void *argument)
{
    shared *data = argument;
    npi_lock_acquire(&data->lock);
    data->counter++;
    npi_lock_release(&data->lock);
}

static void test_every_sleeper_is_woken(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        shared data = {0};
        npi_lock_init(&data.lock);
        npi_os_thread thread[THREADS];
        npi_lock_acquire(&data.lock);
        for (unsigned i = 0; i < THREADS; i++)
            assert_int_equal(npi_os_thread_start(&thread[i], 0, pass_through, &data), 0);
        /* Until somebody has announced that it will sleep; it sees the release or is woken by it,
         * whichever comes first. */
        while (npi_load_relaxed(&data.lock.state) != 2)
            (void)sched_yield();
        assert_int_equal(data.counter, 0);
        npi_lock_release(&data.lock);
        for (unsigned i = 0; i < THREADS; i++)
            assert_int_equal(npi_os_thread_join(&thread[i]), 0);
        assert_int_equal(data.counter, THREADS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_try_and_release),
        cmocka_unit_test(test_counting_under_the_lock),
        cmocka_unit_test(test_counting_with_try),
        cmocka_unit_test(test_every_sleeper_is_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
