/*
 * Goal: whatever the process is doing when it forks, the child gets NP_ERR_FORKED from what it has
 * inherited and never hangs, can free it, make an executor of its own, and exec; the parent loses
 * nothing.
 * Method: threads keep the executor in a state (idle, submits from more threads than there are
 * lanes, a group wait, a shutdown, creations), the main thread forks in the middle of it, again and
 * again, so that some child finds every lock held. A child that hangs is killed by its alarm. Forks
 * inside tasks, hooks and callbacks are in hostile_fork_inside.c.
 * usage: hostile_fork [FORKS-PER-STATE]
 */
#include "fork_child.h"

static const char *self; /* this program, for exec */
static unsigned long forks;

typedef struct inherited {
    np_executor *executor;
    np_group *group;
    bool make_own; /* an executor, in the child: the expensive part */
} inherited;

static int check_everything(void *argument)
{
    inherited *i = argument;
    if (i->executor != NULL) {
        int result = fork_child_refused(i->executor, i->group);
        if (result != CHILD_PASSED)
            return result;
        CHILD_CHECK(np_group_destroy(i->group) == NP_OK);
        CHILD_CHECK(np_executor_destroy(i->executor) == NP_OK);
    }
    return i->make_own && !UNIT_SANITIZED ? fork_child_own_executor() : CHILD_PASSED;
}

static int exec_at_once(void *argument)
{
    (void)argument;
    execl(self, self, "exec", (char *)NULL);
    return CHILD_FAILED;
}

/* Children of all kinds, in turn. */
static void fork_many(inherited *i, const char *state)
{
    for (unsigned long n = 0; n < hostile_amount; n++) {
        i->make_own = n % 8 == 0;
        hostile_in_child(n % 4 == 3 ? exec_at_once : check_everything, i, state);
        forks++;
    }
}

static void test_idle(void **state)
{
    (void)state;
    inherited i = {.executor = pool_create(TWO_BY_TWO, NULL)};
    assert_int_equal(np_group_create(NULL, &i.group), NP_OK);
    fork_many(&i, "idle");
    assert_int_equal(np_group_destroy(i.group), NP_OK);
    pool_destroy_exact(i.executor, 0, 0);
}

/* --- under load ------------------------------------------------------------------------------ */

/* More than there are lanes of their own, so that some share lanes and their locks. */
#define LOADERS 64u

typedef struct load {
    inherited i;
    np_atomic(uint32_t) stop;
    np_atomic(uint64_t) accepted;
    pool_counter executed;
} load;

static void submit_for_ever(void *argument)
{
    load *l = argument;
    while (npi_load_relaxed(&l->stop) == 0) {
        np_group *group = NULL;
        assert_int_equal(np_group_create(NULL, &group), NP_OK);
        for (unsigned n = 0; n < 20; n++) {
            assert_int_equal(np_group_submit_to_node(n % 2 == 0 ? group : l->i.group, l->i.executor,
                                                     (np_node_id)(n % 2), pool_task_count,
                                                     &l->executed),
                             NP_OK);
            npi_fetch_add_relaxed(&l->accepted, (uint64_t)1);
        }
        assert_int_equal(np_group_wait(group), NP_OK);
        assert_int_equal(np_group_destroy(group), NP_OK);
    }
}

static void test_under_load(void **state)
{
    (void)state;
    load l = {.i = {.executor = pool_create(TWO_BY_TWO, NULL)}};
    assert_int_equal(np_group_create(NULL, &l.i.group), NP_OK);
    npi_os_thread thread[LOADERS];
    for (unsigned t = 0; t < LOADERS; t++)
        assert_int_equal(npi_os_thread_start(&thread[t], 0, submit_for_ever, &l), 0);
    fork_many(&l.i, "under load");
    npi_store_relaxed(&l.stop, 1u);
    for (unsigned t = 0; t < LOADERS; t++)
        assert_int_equal(npi_os_thread_join(&thread[t]), 0);
    assert_int_equal(np_group_wait(l.i.group), NP_OK);
    assert_int_equal(np_group_destroy(l.i.group), NP_OK);
    uint64_t accepted = npi_load_relaxed(&l.accepted);
    assert_int_equal(npi_load_acquire(&l.executed.value), accepted);
    pool_destroy_exact(l.i.executor, accepted, 0);
}

/* --- while a group waits --------------------------------------------------------------------- */

static void wait_for_group(void *argument)
{
    assert_int_equal(np_group_wait(argument), NP_OK);
}

static void test_while_a_group_waits(void **state)
{
    (void)state;
    pool_gate gate = {0, 0};
    inherited i = {.executor = pool_create(TWO_BY_TWO, NULL)};
    assert_int_equal(np_group_create(NULL, &i.group), NP_OK);
    assert_int_equal(np_group_submit(i.group, i.executor, pool_task_gate, &gate), NP_OK);
    pool_gate_await(&gate, 1);
    npi_os_thread thread[3];
    for (unsigned t = 0; t < 3; t++)
        assert_int_equal(npi_os_thread_start(&thread[t], 0, wait_for_group, i.group), 0);
    fork_many(&i, "while a group waits");
    pool_gate_open(&gate);
    for (unsigned t = 0; t < 3; t++)
        assert_int_equal(npi_os_thread_join(&thread[t]), 0);
    assert_int_equal(np_group_destroy(i.group), NP_OK);
    pool_destroy_exact(i.executor, 1, 0);
}

/* --- during shutdown ------------------------------------------------------------------------- */

static void shut_down(void *argument)
{
    assert_int_equal(np_executor_shutdown(argument), NP_OK);
}

static void test_during_shutdown(void **state)
{
    (void)state;
    for (unsigned long n = 0; n < hostile_amount; n++) {
        pool_counter count = {0};
        inherited i = {.executor = pool_create(TWO_BY_TWO, NULL), .make_own = n % 8 == 0};
        assert_int_equal(np_group_create(NULL, &i.group), NP_OK);
        for (unsigned t = 0; t < 200; t++)
            assert_int_equal(np_group_submit(i.group, i.executor, pool_task_count, &count), NP_OK);
        npi_os_thread thread;
        assert_int_equal(npi_os_thread_start(&thread, 0, shut_down, i.executor), 0);
        hostile_in_child(check_everything, &i, "during shutdown");
        forks++;
        assert_int_equal(npi_os_thread_join(&thread), 0);
        assert_int_equal(npi_load_acquire(&count.value), 200);
        assert_int_equal(np_group_destroy(i.group), NP_OK);
        pool_destroy_exact(i.executor, 200, 0);
    }
}

/* --- during create --------------------------------------------------------------------------- */

typedef struct creation {
    np_atomic(uint32_t) stop;
    np_atomic(uint64_t) rounds;
} creation;

static void create_for_ever(void *argument)
{
    creation *c = argument;
    while (npi_load_relaxed(&c->stop) == 0) {
        pool_counter count = {0};
        np_executor *executor = pool_create(TWO_BY_TWO, NULL);
        assert_int_equal(np_submit(executor, pool_task_count, &count), NP_OK);
        pool_destroy_exact(executor, 1, 0);
        npi_fetch_add_relaxed(&c->rounds, (uint64_t)1);
    }
}

static void test_during_create(void **state)
{
    (void)state;
    creation c = {0, 0};
    npi_os_thread thread[2];
    for (unsigned t = 0; t < 2; t++)
        assert_int_equal(npi_os_thread_start(&thread[t], 0, create_for_ever, &c), 0);
    inherited none = {.executor = NULL};
    fork_many(&none, "during create");
    npi_store_relaxed(&c.stop, 1u);
    for (unsigned t = 0; t < 2; t++)
        assert_int_equal(npi_os_thread_join(&thread[t]), 0);
    assert_true(npi_load_relaxed(&c.rounds) != 0);
}

/* --- while other threads are inside hwloc ------------------------------------------------------
 */

static void discover_for_ever(void *argument)
{
    creation *c = argument;
    while (npi_load_relaxed(&c->stop) == 0) {
        np_topology *topology = NULL;
        assert_int_equal(np_topology_discover(&topology), NP_OK);
        np_topology_destroy(topology);
        npi_fetch_add_relaxed(&c->rounds, (uint64_t)1);
    }
}

/* The child may go in if nobody was, and is told if somebody was; it never waits for a lock whose
 * holder is gone. */
static int discover_in_child(void *argument)
{
    (void)argument;
    np_topology *topology = NULL;
    np_status status = np_topology_discover(&topology);
    CHILD_CHECK(status == NP_OK || status == NP_ERR_FORKED);
    CHILD_CHECK((topology != NULL) == (status == NP_OK));
    np_topology_destroy(topology);
    return CHILD_PASSED;
}

static void test_during_discovery(void **state)
{
    (void)state;
    creation c = {0, 0};
    npi_os_thread thread[2];
    for (unsigned t = 0; t < 2; t++)
        assert_int_equal(npi_os_thread_start(&thread[t], 0, discover_for_ever, &c), 0);
    for (unsigned long n = 0; n < hostile_amount; n++, forks++)
        hostile_in_child(discover_in_child, NULL, "during discovery");
    npi_store_relaxed(&c.stop, 1u);
    for (unsigned t = 0; t < 2; t++)
        assert_int_equal(npi_os_thread_join(&thread[t]), 0);
    assert_true(npi_load_relaxed(&c.rounds) != 0);
    /* Nobody is inside: children may again, and so may their children. */
    hostile_in_child(discover_in_child, NULL, "after discovery");
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "exec") == 0)
        return CHILD_PASSED;
    self = argv[0];
    hostile_begin(argc, argv, 40);
    if (hostile_forks_confuse())
        return CHILD_SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_under_load),
        cmocka_unit_test(test_while_a_group_waits),
        cmocka_unit_test(test_during_shutdown),
        cmocka_unit_test(test_during_create),
        cmocka_unit_test(test_during_discovery),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    hostile_counted("forks from outside, in six states", forks);
    return failed;
}
