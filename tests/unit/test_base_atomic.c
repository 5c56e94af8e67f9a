/*
 * Goal: each named operation of base/atomic.h does what its name says, and the sequentially
 * consistent fence forbids what only it forbids. Method: results of every operation in one thread;
 * counters under contention; publication through release and acquire; the store-buffer litmus test,
 * whose forbidden outcome must never be seen.
 */
#include <pthread.h>

#include "base/atomic.h"
#include "os/os.h"
#include "unit.h"

static void test_load_store_exchange(void **state)
{
    (void)state;
    np_atomic(uint64_t) word;
    npi_atomic_init(&word, 1u);
    assert_int_equal(npi_load_relaxed(&word), 1);
    npi_store_relaxed(&word, 2u);
    assert_int_equal(npi_load_acquire(&word), 2);
    npi_store_release(&word, UINT64_MAX);
    assert_true(npi_load_relaxed(&word) == UINT64_MAX);
    assert_true(npi_exchange_acquire(&word, 4u) == UINT64_MAX);
    assert_int_equal(npi_exchange_release(&word, 5u), 4);
    assert_int_equal(npi_exchange_acq_rel(&word, 6u), 5);
    assert_int_equal(npi_load_relaxed(&word), 6);
}

static void test_compare_and_swap(void **state)
{
    (void)state;
    np_atomic(uint32_t) word;
    npi_atomic_init(&word, 10u);
    uint32_t expected = 9;
    assert_false(npi_cas_acquire(&word, &expected, 1u));
    assert_int_equal(expected, 10);
    assert_true(npi_cas_acquire(&word, &expected, 11u));
    assert_false(npi_cas_release(&word, &expected, 1u));
    assert_int_equal(expected, 11);
    assert_true(npi_cas_release(&word, &expected, 12u));
    expected = 0;
    assert_false(npi_cas_acq_rel(&word, &expected, 1u));
    assert_int_equal(expected, 12);
    assert_true(npi_cas_acq_rel(&word, &expected, 13u));
    expected = 0;
    assert_false(npi_cas_weak_relaxed(&word, &expected, 1u));
    assert_int_equal(expected, 13);
    while (!npi_cas_weak_relaxed(&word, &expected, 14u))
        assert_int_equal(expected, 13);
    assert_int_equal(npi_load_relaxed(&word), 14);
}

static void test_fetch_operations_return_the_old_value(void **state)
{
    (void)state;
    np_atomic(uint32_t) word;
    npi_atomic_init(&word, 100u);
    assert_int_equal(npi_fetch_add_relaxed(&word, 1u), 100);
    assert_int_equal(npi_fetch_add_acq_rel(&word, 2u), 101);
    assert_int_equal(npi_fetch_sub_release(&word, 3u), 103);
    assert_int_equal(npi_fetch_sub_acq_rel(&word, 100u), 100);
    assert_int_equal(npi_fetch_or_relaxed(&word, 0x0fu), 0);
    assert_int_equal(npi_fetch_or_acq_rel(&word, 0xf0u), 0x0f);
    assert_int_equal(npi_fetch_and_acq_rel(&word, 0x3cu), 0xff);
    assert_int_equal(npi_load_relaxed(&word), 0x3c);
    npi_owner_add(&word, 4u);
    assert_int_equal(npi_load_relaxed(&word), 0x40);
}

static void test_pointers_and_plain_fields(void **state)
{
    (void)state;
    int target = 0;
    np_atomic(int *) pointer;
    npi_atomic_init(&pointer, NULL);
    assert_null(npi_load_acquire(&pointer));
    npi_store_release(&pointer, &target);
    assert_ptr_equal(npi_exchange_acq_rel(&pointer, NULL), &target);

    np_plain(uint64_t) field = 0;
    npi_plain_set(&field, 77u);
    assert_int_equal(npi_plain_get(&field), 77);
}

enum { THREADS = 4, ROUNDS = 20000 };

static np_atomic(uint64_t) added;
static np_atomic(uint64_t) swapped;
static np_atomic(uint64_t) bits;

static void contend(void *argument)
{
    uint64_t mine = UINT64_C(1) << *(const unsigned *)argument;
    for (unsigned i = 0; i < ROUNDS; i++) {
        (void)npi_fetch_add_relaxed(&added, 1u);
        uint64_t seen = npi_load_relaxed(&swapped);
        while (!npi_cas_weak_relaxed(&swapped, &seen, seen + 1))
            npi_cpu_relax();
        (void)npi_fetch_or_acq_rel(&bits, mine);
        (void)npi_fetch_and_acq_rel(&bits, ~mine);
    }
}

static void test_read_modify_writes_lose_nothing(void **state)
{
    (void)state;
    unsigned number[THREADS];
    npi_os_thread thread[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        number[i] = i;
        assert_int_equal(npi_os_thread_start(&thread[i], 0, contend, &number[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(npi_os_thread_join(&thread[i]), 0);
    assert_int_equal(npi_load_relaxed(&added), THREADS * ROUNDS);
    assert_int_equal(npi_load_relaxed(&swapped), THREADS * ROUNDS);
    assert_int_equal(npi_load_relaxed(&bits), 0);
}

/* Message passing over a plain field; ThreadSanitizer would call a missing edge a race. */
typedef struct mailbox {
    np_atomic(uint32_t) full;
    np_plain(uint64_t) letter;
    uint64_t sum;
} mailbox;

static void receive(void *argument)
{
    mailbox *box = argument;
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        /* Pairs with the release in test_release_publishes. */
        while (npi_load_acquire(&box->full) == 0)
            (void)npi_os_futex_wait(&box->full, 0, NPI_NO_DEADLINE);
        box->sum += npi_plain_get(&box->letter);
        /* Pairs with the acquire in test_release_publishes: the letter may be overwritten. */
        npi_store_release(&box->full, 0u);
        npi_os_futex_wake(&box->full, 1);
    }
}

static void test_release_publishes(void **state)
{
    (void)state;
    static mailbox box;
    npi_os_thread thread;
    assert_int_equal(npi_os_thread_start(&thread, 0, receive, &box), 0);
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        while (npi_load_acquire(&box.full) != 0)
            (void)npi_os_futex_wait(&box.full, 1, NPI_NO_DEADLINE);
        npi_plain_set(&box.letter, i);
        npi_store_release(&box.full, 1u);
        npi_os_futex_wake(&box.full, 1);
    }
    assert_int_equal(npi_os_thread_join(&thread), 0);
    assert_int_equal(box.sum, (uint64_t)ROUNDS * (ROUNDS + 1) / 2);
}

/*
 *   thread 0         thread 1
 *   x = 1            y = 1
 *   fence            fence
 *   r0 = y           r1 = x        forbidden: r0 == 0 and r1 == 0
 */
enum { LITMUS_ROUNDS = 5000 };

static np_atomic(uint32_t) x;
static np_atomic(uint32_t) y;
static uint32_t read_by[2][LITMUS_ROUNDS];
static pthread_barrier_t barrier;

static void litmus(void *argument)
{
    unsigned me = *(const unsigned *)argument;
    for (unsigned i = 0; i < LITMUS_ROUNDS; i++) {
        (void)pthread_barrier_wait(&barrier);
        npi_store_relaxed(me == 0 ? &x : &y, i + 1);
        npi_fence_seq_cst();
        read_by[me][i] = npi_load_relaxed(me == 0 ? &y : &x);
    }
}

static void test_fence_orders_store_before_load(void **state)
{
    (void)state;
    unsigned number[2] = {0, 1};
    npi_os_thread thread[2];
    assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(npi_os_thread_start(&thread[i], 0, litmus, &number[i]), 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(npi_os_thread_join(&thread[i]), 0);
    (void)pthread_barrier_destroy(&barrier);
    for (unsigned i = 0; i < LITMUS_ROUNDS; i++)
        assert_true(read_by[0][i] == i + 1 || read_by[1][i] == i + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_store_exchange),
        cmocka_unit_test(test_compare_and_swap),
        cmocka_unit_test(test_fetch_operations_return_the_old_value),
        cmocka_unit_test(test_pointers_and_plain_fields),
        cmocka_unit_test(test_read_modify_writes_lose_nothing),
        cmocka_unit_test(test_release_publishes),
        cmocka_unit_test(test_fence_orders_store_before_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
