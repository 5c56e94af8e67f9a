/*
 * Goal: a loop whose body forks, while another worker has a part of it, ends in the child with
 * NP_ERR_FORKED, since that part is not run there, and never hangs; the parent's loop is unharmed.
 * Method: two workers; the one that was called waits inside the body until the other one is in it
 * as well, and forks, so that in the child a part is certain to be missing.
 */
#include "../support/pool.h"

#include <sys/wait.h>
#include <unistd.h>

enum { INDICES = 1000, LONGEST_S = 60 };

typedef struct scene {
    np_executor *executor;
    np_group *group; /* or NULL */
    bool reduces;
    uint32_t owner; /* worker index */
    pid_t parent;
    np_atomic(uint32_t) forked;
    np_atomic(uint64_t) done; /* indices, in the parent */
    pool_gate others;         /* they wait here until the child has ended */
    np_status status;
    int ended; /* the child, as waitpid said */
} scene;

static scene *the;

static void fork_once(void)
{
    if (np_current_worker_index() != the->owner) {
        pool_gate_pass(&the->others);
        return;
    }
    if (npi_load_relaxed(&the->forked) != 0)
        return;
    npi_store_relaxed(&the->forked, 1u);
    pool_gate_await(&the->others, 1);
    pid_t child = fork();
    if (child == 0) {
        alarm(LONGEST_S);
        return;
    }
    assert_int_equal(waitpid(child, &the->ended, 0), child);
    pool_gate_open(&the->others);
}

static void body(void *context, size_t begin, size_t end)
{
    (void)context;
    fork_once();
    npi_fetch_add_relaxed(&the->done, (uint64_t)(end - begin));
}

static void add_body(void *context, size_t begin, size_t end, void *value)
{
    body(context, begin, end);
    *(uint64_t *)value += end - begin;
}

static void add_values(void *context, void *into, const void *from)
{
    (void)context;
    *(uint64_t *)into += *(const uint64_t *)from;
}

static void run_loop(void *argument)
{
    uint64_t sum = 0;
    np_loop_options options = {.size = sizeof options, .grain = 10, .group = the->group};
    (void)argument;
    the->owner = np_current_worker_index();
    if (!the->reduces)
        the->status = np_parallel_for(the->executor, 0, INDICES, &options, body, NULL);
    else
        the->status = np_parallel_reduce(
            the->executor, 0, INDICES, &options,
            NP_REDUCTION(.bytes = sizeof sum, .body = add_body, .combine = add_values), &sum);
    if (getpid() != the->parent)
        _exit(the->status == NP_ERR_FORKED ? 0 : 1);
    if (the->reduces)
        assert_int_equal(sum, INDICES);
}

static void test_body_forks(void **state)
{
    (void)state;
    if (unit_is_emulated() || UNIT_SANITIZED)
        UNIT_SKIP("a child of a process with threads, under a sanitizer or an emulator");
    np_executor *executor = pool_create(ONE_BY_TWO, NULL);
    for (int kind = 0; kind < 4; kind++) {
        np_group *group = NULL;
        if (kind % 2 != 0)
            assert_int_equal(np_group_create(NULL, &group), NP_OK);
        scene s = {
            .executor = executor, .group = group, .reduces = kind / 2 != 0, .parent = getpid()};
        the = &s;
        assert_int_equal(np_run(executor, NP_NODE_ID_NONE, run_loop, NULL), NP_OK);
        assert_int_equal(s.status, NP_OK);
        assert_int_equal(npi_load_relaxed(&s.done), INDICES);
        assert_true(WIFEXITED(s.ended));
        assert_int_equal(WEXITSTATUS(s.ended), 0);
        assert_int_equal(np_group_destroy(group), NP_OK);
    }
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_body_forks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
