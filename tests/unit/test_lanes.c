/*
 * Goal: threads come and go and share lanes, and still nothing is lost and each thread keeps its
 * order; the numbers that name lanes stay small; the fences work where the kernel refuses
 * membarrier, from the start or later. Method: an executor with one worker records what it runs.
 */
#include <errno.h>

#include "../support/pool.h"
#include "seccomp.h"

#include "os/fence.h"
#include "os/number.h"

/* --- numbers -----------------------------------------------------------------------------------
 */

typedef struct holder {
    pool_gate *gate; /* NULL: leaves at once */
    uint32_t number;
    bool same;
} holder;

static void hold_number(void *argument)
{
    holder *h = argument;
    h->number = npi_number();
    if (h->gate != NULL)
        pool_gate_pass(h->gate);
    h->same = npi_number() == h->number;
}

static void test_numbers_are_recycled(void **state)
{
    (void)state;
    uint32_t mine = npi_number();
    assert_in_range(mine, 0, NPI_NUMBERS_OWN - 1);
    holder first = {0};
    for (unsigned i = 0; i < 200; i++) {
        holder h = {0};
        npi_os_thread thread;
        assert_int_equal(npi_os_thread_start(&thread, 0, hold_number, &h), 0);
        assert_int_equal(npi_os_thread_join(&thread), 0);
        assert_true(h.same && h.number != mine);
        if (i == 0)
            first = h;
        assert_int_equal(h.number, first.number);
    }
}

static void test_numbers_are_exclusive_or_shared(void **state)
{
    (void)state;
    enum { THREADS = 70 };
    pool_gate gate = {0};
    holder h[THREADS];
    npi_os_thread thread[THREADS];
    uint32_t seen[NPI_NUMBERS] = {0};
    seen[npi_number()]++;
    for (unsigned i = 0; i < THREADS; i++) {
        h[i] = (holder){.gate = &gate};
        assert_int_equal(npi_os_thread_start(&thread[i], 0, hold_number, &h[i]), 0);
    }
    pool_gate_await(&gate, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_in_range(h[i].number, 0, NPI_NUMBERS - 1);
        seen[h[i].number]++;
    }
    pool_gate_open(&gate);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(npi_os_thread_join(&thread[i]), 0);
        assert_true(h[i].same);
    }
    uint32_t shared = 0;
    for (unsigned i = 0; i < NPI_NUMBERS; i++) {
        if (i < NPI_NUMBERS_OWN)
            assert_int_equal(seen[i], 1);
        else
            shared += seen[i];
    }
    assert_int_equal(shared, THREADS + 1 - NPI_NUMBERS_OWN);
}

/* --- order and conservation ----------------------------------------------------------------------
 */

enum { WRITERS = 64, WAVES = 4, EACH = UNIT_SANITIZED ? 50 : 400 };

typedef struct writer {
    np_executor *executor;
    uint32_t next;  /* by the only worker: the number expected next */
    uint32_t wrong; /* by the only worker */
    np_status status;
} writer;

typedef struct line {
    writer *from;
    uint64_t number;
} line;

static void read_line(void *argument)
{
    const line *l = argument;
    if (l->number != l->from->next++)
        l->from->wrong++;
}

static void write_lines(void *argument)
{
    writer *w = argument;
    w->status = NP_OK;
    for (unsigned i = 0; i < EACH && w->status == NP_OK; i++) {
        line l = {w, i};
        w->status = np_submit_copy_to_node(w->executor, 0, read_line, &l, sizeof l);
    }
}

static void test_threads_come_and_go(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_ONE, NULL);
    static writer writers[WAVES][WRITERS];
    for (unsigned wave = 0; wave < WAVES; wave++) {
        npi_os_thread thread[WRITERS];
        for (unsigned i = 0; i < WRITERS; i++) {
            writers[wave][i] = (writer){.executor = executor, .status = NP_ERR_FAILED};
            assert_int_equal(npi_os_thread_start(&thread[i], 0, write_lines, &writers[wave][i]), 0);
        }
        for (unsigned i = 0; i < WRITERS; i++)
            assert_int_equal(npi_os_thread_join(&thread[i]), 0);
        /* No wait: the next wave's lines go into the same lanes behind what is left. */
    }
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    for (unsigned wave = 0; wave < WAVES; wave++) {
        for (unsigned i = 0; i < WRITERS; i++) {
            assert_int_equal(writers[wave][i].status, NP_OK);
            assert_int_equal(writers[wave][i].next, EACH);
            assert_int_equal(writers[wave][i].wrong, 0);
        }
    }
    pool_destroy_exact(executor, (uint64_t)WAVES * WRITERS * EACH, 0);
}

static void test_batch_larger_than_a_segment(void **state)
{
    (void)state;
    enum { TASKS = 5000 };
    static np_task batch[TASKS];
    pool_counter count = {0};
    size_t accepted = 0;
    np_group *group = NULL;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    for (unsigned i = 0; i < TASKS; i++)
        batch[i] = (np_task){pool_task_count, &count};
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    assert_int_equal(np_group_submit_batch(group, executor, 1, batch, TASKS, &accepted), NP_OK);
    assert_int_equal(accepted, TASKS);
    assert_int_equal(np_group_wait(group), NP_OK);
    assert_int_equal(npi_load_acquire(&count.value), TASKS);
    /* Stops before a bad one, and takes the rest out of the group again. */
    batch[3000].fn = NULL;
    assert_int_equal(np_group_submit_batch(group, executor, 0, batch, TASKS, &accepted),
                     NP_ERR_INVALID_ARGUMENT);
    assert_int_equal(accepted, 3000);
    assert_int_equal(np_group_wait(group), NP_OK);
    assert_int_equal(npi_load_acquire(&count.value), TASKS + 3000);
    np_group_cancel(group);
    assert_int_equal(np_group_submit_batch(group, executor, 0, batch, 10, &accepted),
                     NP_ERR_CANCELLED);
    assert_int_equal(np_group_submit_batch(NULL, executor, 0, batch, 10, &accepted),
                     NP_ERR_INVALID_ARGUMENT);
    assert_int_equal(accepted, 0);
    assert_int_equal(np_group_destroy(group), NP_OK);
    pool_destroy_exact(executor, TASKS + 3000, 0);
}

/* --- a kernel without membarrier
 * ------------------------------------------------------------------ */

static int sleep_and_wake(const char *machine)
{
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    pool_counter count = {0};
    CHILD_CHECK(np_topology_from_synthetic(machine, &topology) == NP_OK);
    CHILD_CHECK(np_executor_create(topology, NP_EXECUTOR_OPTIONS(.spin_ns = NP_SPIN_NONE),
                                   &executor) == NP_OK);
    np_topology_destroy(topology);
    for (unsigned i = 0; i < 200; i++) {
        CHILD_CHECK(np_submit(executor, pool_task_count, &count) == NP_OK);
        CHILD_CHECK(np_executor_wait_idle(executor, NP_FOREVER) == NP_OK);
    }
    CHILD_CHECK(npi_load_acquire(&count.value) == 200);
    CHILD_CHECK(np_executor_destroy(executor) == NP_OK);
    return CHILD_PASSED;
}

static bool fences_are_full(void)
{
#if defined(NPI_TSAN)
    return true;
#else
    uint32_t state = npi_load_relaxed(&npi_fences);
    return state == NPI_FENCES_FULL || state == NPI_FENCES_REFUSED;
#endif
}

static int refused_from_the_start(int error)
{
    (void)error;
    if (!fences_are_full())
        return CHILD_SKIPPED; /* inherited from this program */
    int result = sleep_and_wake(TWO_BY_TWO);
    CHILD_CHECK(fences_are_full());
    return result;
}

static int refused_later(int error)
{
    int result = sleep_and_wake(TWO_BY_TWO);
    if (result != CHILD_PASSED || !unit_refuse(SYS_membarrier, error))
        return result != CHILD_PASSED ? result : CHILD_SKIPPED;
    result = sleep_and_wake(TWO_BY_TWO); /* its workers are under the filter */
    CHILD_CHECK(fences_are_full());
    return result;
}

/* First of all tests: the child must not inherit what an executor of this process has set up. */
static void test_membarrier_refused(void **state)
{
    (void)state;
    unit_in_refusing_child(SYS_membarrier, EPERM, refused_from_the_start);
    unit_in_refusing_child(SYS_membarrier, ENOSYS, refused_from_the_start);
}

static void test_membarrier_refused_later(void **state)
{
    (void)state;
    unit_in_refusing_child(SYS_acct, EPERM,
                           refused_later); /* a filter that refuses nothing we use */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_membarrier_refused),
        cmocka_unit_test(test_membarrier_refused_later),
        cmocka_unit_test(test_numbers_are_recycled),
        cmocka_unit_test(test_numbers_are_exclusive_or_shared),
        cmocka_unit_test(test_threads_come_and_go),
        cmocka_unit_test(test_batch_larger_than_a_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
