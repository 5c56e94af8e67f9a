/*
 * Goal: the clock goes forward, deadlines saturate, a futex sleeps until its word changes, its
 * deadline passes or a signal comes, and nothing here touches errno. Method: direct calls; threads
 * that report through words, so that no test depends on timing.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/hook.h"
#include "os/os.h"
#include "unit.h"

static const uint64_t millisecond = UINT64_C(1000000);

static void test_clock_goes_forward(void **state)
{
    (void)state;
    uint64_t before = npi_os_now();
    for (int i = 0; i < 1000; i++) {
        uint64_t now = npi_os_now();
        assert_true(now >= before);
        before = now;
    }
    uint64_t deadline = npi_os_deadline(5 * millisecond);
    assert_true(deadline >= before + 5 * millisecond);
    assert_true(deadline <= npi_os_now() + 5 * millisecond);
}

static void test_deadlines_saturate(void **state)
{
    (void)state;
    assert_true(npi_os_deadline(UINT64_MAX) == NPI_NO_DEADLINE);
    assert_true(npi_os_deadline(UINT64_MAX - 1) == NPI_NO_DEADLINE - 1);
    assert_true(npi_os_deadline(0) <= npi_os_now());
}

static void test_another_value_returns_at_once(void **state)
{
    (void)state;
    np_atomic(uint32_t) word;
    npi_atomic_init(&word, 1u);
    assert_int_equal(npi_os_futex_wait(&word, 0, NPI_NO_DEADLINE), 0);
    assert_int_equal(npi_os_futex_wait(&word, 2, 0), 0);
}

static void test_deadline_ends_the_sleep(void **state)
{
    (void)state;
    np_atomic(uint32_t) word;
    npi_atomic_init(&word, 1u);
    errno = ELOOP;
    assert_int_equal(npi_os_futex_wait(&word, 1, 0), ETIMEDOUT);
    uint64_t deadline = npi_os_deadline(3 * millisecond);
    while (npi_os_futex_wait(&word, 1, deadline) != ETIMEDOUT)
        assert_int_equal(npi_load_relaxed(&word), 1);
    assert_true(npi_os_now() >= deadline);
    assert_int_equal(errno, ELOOP);
}

typedef struct sleeper {
    np_atomic(uint32_t) *word;
    npi_os_thread thread;
    int result;
} sleeper;

static void sleep_until_changed(void *argument)
{
    sleeper *self = argument;
    /* Acquire: pairs with the release of the waking test. */
    while (self->result == 0 && npi_load_acquire(self->word) == 0)
        self->result = npi_os_futex_wait(self->word, 0, npi_os_deadline(UINT64_MAX));
}

static void test_wakes_reach_all_sleepers(void **state)
{
    (void)state;
    enum { SLEEPERS = 8 };
    for (unsigned round = 0; round < 50; round++) {
        np_atomic(uint32_t) word;
        npi_atomic_init(&word, 0u);
        sleeper sleepers[SLEEPERS];
        for (unsigned i = 0; i < SLEEPERS; i++) {
            sleepers[i] = (sleeper){.word = &word};
            assert_int_equal(
                npi_os_thread_start(&sleepers[i].thread, 0, sleep_until_changed, &sleepers[i]), 0);
        }
        npi_store_release(&word, 1u);
        npi_os_futex_wake(&word, UINT32_MAX);
        for (unsigned i = 0; i < SLEEPERS; i++) {
            assert_int_equal(npi_os_thread_join(&sleepers[i].thread), 0);
            assert_int_equal(sleepers[i].result, 0);
        }
    }
}

static void test_waking_vanished_memory_is_harmless(void **state)
{
    (void)state;
    void *memory = NULL;
    assert_int_equal(npi_os_map(npi_os_page_size(), 0, &memory), 0);
    np_atomic(uint32_t) *word = memory;
    npi_atomic_init(word, 0u);
    assert_int_equal(npi_os_unmap(memory, npi_os_page_size()), 0);
    errno = ELOOP;
    npi_os_futex_wake(word, 1);
    assert_int_equal(errno, ELOOP);
}

/* A signal ends the sleep with 0, as if woken. */

typedef struct disturbed {
    np_atomic(uint32_t) word;
    np_atomic(uint32_t) has_thread;
    np_atomic(uint32_t) returned;
    pthread_t self;
    int result;
} disturbed;

static void ignore_signal(int number)
{
    (void)number;
}

static void sleep_once(void *argument)
{
    disturbed *data = argument;
    data->self = pthread_self();
    npi_store_release(&data->has_thread, 1u);
    data->result = npi_os_futex_wait(&data->word, 0, NPI_NO_DEADLINE);
    npi_store_release(&data->returned, 1u);
}

static void test_signal_ends_the_sleep(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = ignore_signal};
    struct sigaction before;
    assert_int_equal(sigaction(SIGPROF, &action, &before), 0);
    disturbed data = {.result = -1};
    npi_os_thread thread;
    assert_int_equal(npi_os_thread_start(&thread, 0, sleep_once, &data), 0);
    while (npi_load_acquire(&data.has_thread) == 0)
        (void)sched_yield();
    /* The first signals may come before the sleep; one of them will find the thread in it. */
    while (npi_load_acquire(&data.returned) == 0) {
        (void)pthread_kill(data.self, SIGPROF);
        (void)sched_yield();
    }
    assert_int_equal(npi_os_thread_join(&thread), 0);
    assert_int_equal(data.result, 0);
    assert_int_equal(sigaction(SIGPROF, &before, NULL), 0);
}

static void test_eventfd(void **state)
{
    (void)state;
    int file = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(npi_os_eventfd_signal(file), 0);
    assert_int_equal(npi_os_eventfd_signal(file), 0);
    uint64_t value = 0;
    assert_int_equal(read(file, &value, sizeof value), sizeof value);
    assert_int_equal(value, 2);
    value = UINT64_MAX - 1;
    assert_int_equal(write(file, &value, sizeof value), sizeof value);
    errno = ELOOP;
    assert_int_equal(npi_os_eventfd_signal(file), EAGAIN);
    assert_int_equal(close(file), 0);
    assert_int_equal(npi_os_eventfd_signal(file), EBADF);
    assert_int_equal(npi_os_eventfd_signal(-1), EBADF);
    assert_int_equal(errno, ELOOP);
}

static int refuses_poll(npi_call call, uintptr_t first, uintptr_t second)
{
    (void)first;
    (void)second;
    return call == NPI_CALL_POLL ? ENOSYS : 0;
}

static void is_told(npi_call call, uintptr_t first, uintptr_t second, int error)
{
    (void)call;
    (void)first;
    (void)second;
    (void)error;
}

/* A blocking descriptor whose counter is full: the signal does not wait for a reader (if it did,
 * this test would never end). With room it is written, also where poll is forbidden; what is no
 * eventfd is told. */
static void test_blocking_eventfd(void **state)
{
    (void)state;
    static const npi_hook hook = {refuses_poll, is_told};
    int file = eventfd(0, EFD_CLOEXEC);
    assert_true(file >= 0);
    uint64_t value = UINT64_MAX - 2; /* room for one */
    assert_int_equal(write(file, &value, sizeof value), sizeof value);
    assert_int_equal(npi_os_eventfd_signal(file), 0);
    assert_int_equal(npi_os_eventfd_signal(file), EAGAIN);
    assert_int_equal(read(file, &value, sizeof value), sizeof value);
    assert_true(value == UINT64_MAX - 1);
    npi_hook_set(&hook);
    assert_int_equal(npi_os_eventfd_signal(file), 0);
    npi_hook_set(NULL);
    assert_int_equal(read(file, &value, sizeof value), sizeof value);
    assert_int_equal(value, 1);
    assert_int_equal(close(file), 0);
    file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(npi_os_eventfd_signal(file), EBADF); /* not for writing */
    assert_int_equal(close(file), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock_goes_forward),
        cmocka_unit_test(test_deadlines_saturate),
        cmocka_unit_test(test_another_value_returns_at_once),
        cmocka_unit_test(test_deadline_ends_the_sleep),
        cmocka_unit_test(test_wakes_reach_all_sleepers),
        cmocka_unit_test(test_waking_vanished_memory_is_harmless),
        cmocka_unit_test(test_signal_ends_the_sleep),
        cmocka_unit_test(test_eventfd),
        cmocka_unit_test(test_blocking_eventfd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
