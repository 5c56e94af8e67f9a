/*
 * tests/fault/cases_group.c - groups: making, waiting outside and on workers, notices; fork and
 * join of both forms.
 */
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cases.h"

static void create(fault_run *run)
{
    run->group = (np_group *)(uintptr_t)8;
    FAULT_CALL(run, np_group_create(NULL, &run->group));
    FAULT_CHECK(run->status == NP_OK || run->group == NULL);
}

static void prepare(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
    FAULT_NEED(np_group_create(NULL, &run->group));
    for (int i = 0; i < 10; i++)
        FAULT_NEED(np_group_submit_to_node(run->group, run->executor, i % 2, fault_gate_task, run));
    run->expected = 10;
}

static void prepare_opened(fault_run *run)
{
    prepare(run);
    fault_helper(run, fault_open_gate_later);
}

static void check(fault_run *run, bool fired)
{
    (void)fired;
    npi_store_release(&run->gate, 1u);
    fault_account(run);
}

static void wait_forever(fault_run *run)
{
    FAULT_CALL(run, np_group_wait(run->group));
    FAULT_CHECK(run->status != NP_OK || npi_load_acquire(&run->ran) == run->expected);
}

static void wait_long(fault_run *run)
{
    FAULT_CALL(run, np_group_wait_for(run->group, UINT64_C(60000000000)));
    FAULT_CHECK(run->status != NP_OK || npi_load_acquire(&run->ran) == run->expected);
}

static void wait_short(fault_run *run)
{
    FAULT_CALL(run, np_group_wait_for(run->group, 100000));
}

/* On a worker: node 0's other tasks would wait for ever behind this one, so these are on node 1. */
static void prepare_worker(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
    FAULT_NEED(np_group_create(NULL, &run->group));
    for (int i = 0; i < 10; i++)
        FAULT_NEED(
            np_submit_with(run->executor,
                           NP_SUBMIT_OPTIONS(.to_node = true, .node = 1,
                                             .affinity = NP_AFFINITY_STRICT, .group = run->group),
                           fault_gate_task, run));
    run->expected = 10;
    fault_helper(run, fault_open_gate_later);
}

static void wait_task(void *run)
{
    wait_forever(run);
}

static void wait_long_task(void *run)
{
    wait_long(run);
}

static void wait_on_worker(fault_run *run)
{
    fault_in_task(run, wait_task);
}

static void wait_long_on_worker(fault_run *run)
{
    fault_in_task(run, wait_long_task);
}

static void prepare_isolated(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
    FAULT_NEED(np_group_create(NP_GROUP_OPTIONS(.isolated = true), &run->group));
    for (int i = 0; i < 3; i++)
        FAULT_NEED(
            np_submit_with(run->executor,
                           NP_SUBMIT_OPTIONS(.to_node = true, .node = 1,
                                             .affinity = NP_AFFINITY_STRICT, .group = run->group),
                           fault_gate_task, run));
    run->expected = 3;
    fault_helper(run, fault_open_gate_later);
}

/* --- notices --------------------------------------------------------------------------------- */

static void notify(fault_run *run)
{
    FAULT_CALL(run, np_group_notify(run->group, fault_task, run));
    run->expected += run->status == NP_OK ? 1 : 0;
}

static np_atomic(uint32_t) told;

static void hear(void *context, np_severity severity, const char *message)
{
    (void)context;
    if (severity == NP_SEVERITY_ERROR && strstr(message, "eventfd") != NULL)
        npi_fetch_add_acq_rel(&told, 1u);
}

static void listen_first(void)
{
    npi_store_release(&told, 0u);
    np_set_diagnostic_handler(hear, NULL);
}

static void prepare_quiet(fault_run *run)
{
    listen_first();
    fault_make_executor(run, TWO_NODES);
    FAULT_NEED(np_group_create(NULL, &run->group));
    run->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    FAULT_CHECK(run->fd > 0);
}

static void prepare_noisy(fault_run *run)
{
    listen_first();
    prepare(run);
    run->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    FAULT_CHECK(run->fd > 0);
}

static void notify_eventfd(fault_run *run)
{
    FAULT_CALL(run, np_group_notify_eventfd(run->group, run->fd));
}

/* The tasks end, and the last one writes, while things still fail. */
static void notify_and_end(fault_run *run)
{
    notify_eventfd(run);
    npi_store_release(&run->gate, 1u);
    inject_exempt(true);
    FAULT_NEED(np_executor_wait_idle(run->executor, NP_FOREVER));
    inject_exempt(false);
}

/* Full: a wake-up is in it already. */
static void prepare_full(fault_run *run)
{
    const uint64_t most = UINT64_MAX - 1;
    prepare_quiet(run);
    FAULT_CHECK(write(run->fd, &most, sizeof most) == (ssize_t)sizeof most);
}

static void check_full(fault_run *run, bool fired)
{
    uint64_t value = 0;
    check(run, fired);
    FAULT_CHECK(read(run->fd, &value, sizeof value) == (ssize_t)sizeof value);
    FAULT_CHECK(npi_load_acquire(&told) == 0 || fired);
}

/* Readable once all tasks have ended. If writing failed, the call said so, or the handler. */
static void check_eventfd(fault_run *run, bool fired)
{
    uint64_t value = 0;
    check(run, fired);
    bool readable = read(run->fd, &value, sizeof value) == (ssize_t)sizeof value;
    FAULT_CHECK(readable ? value == 1 && run->status == NP_OK : fired);
    FAULT_CHECK(readable || run->status != NP_OK || npi_load_acquire(&told) != 0);
}

/* --- fork and join --------------------------------------------------------------------------- */

static void prepare_two(fault_run *run)
{
    fault_make_pool(run, ONE_NODE,
                    NP_EXECUTOR_OPTIONS(.workers_per_node = 2, .ignore_environment = true));
}

static void fork_task(void *argument)
{
    fault_run *run = argument;
    FAULT_DO(run, np_fork(fault_task, run));
    run->expected++;
    np_join();
}

static void do_fork(fault_run *run)
{
    fault_in_task(run, fork_task);
}

static void stolen_child(void *argument)
{
    fault_run *run = argument;
    npi_store_release(&run->item, (uint64_t)1);
    fault_gate_task(run);
}

/* The child is on the other worker when it is joined. */
static void join_task(void *argument)
{
    fault_run *run = argument;
    np_fork(stolen_child, run);
    while (npi_load_acquire(&run->item) == 0)
        sched_yield();
    run->expected = 1;
    FAULT_DO(run, np_join());
    FAULT_CHECK(npi_load_acquire(&run->ran) == 1);
}

static void prepare_join(fault_run *run)
{
    prepare_two(run);
    fault_helper(run, fault_open_gate_later);
}

static void do_join(fault_run *run)
{
    fault_in_task(run, join_task);
}

static uintptr_t fast_child(np_worker *self, uintptr_t argument)
{
    (void)self;
    stolen_child((void *)argument);
    return 7;
}

static uintptr_t quick_child(np_worker *self, uintptr_t argument)
{
    (void)self;
    fault_task((void *)argument);
    return 7;
}

static void fast_fork_task(void *argument)
{
    fault_run *run = argument;
    np_worker *self = np_fast_self();
    FAULT_DO(run, np_fast_fork_slow_1(self, quick_child, (uintptr_t)run));
    run->expected++;
    FAULT_CHECK(np_fast_join(self, quick_child, (uintptr_t)run) == 7);
}

static void fast_fork(fault_run *run)
{
    fault_in_task(run, fast_fork_task);
}

static void fast_join_task(void *argument)
{
    fault_run *run = argument;
    np_worker *self = np_fast_self();
    uintptr_t result = 0;
    np_fast_fork_slow_1(self, fast_child, (uintptr_t)run);
    while (npi_load_acquire(&run->item) == 0)
        sched_yield();
    run->expected = 1;
    FAULT_DO(run, result = np_fast_join_slow_1(self, fast_child, (uintptr_t)run));
    FAULT_CHECK(result == 7);
}

static void fast_join(fault_run *run)
{
    fault_in_task(run, fast_join_task);
}

static const fault_case cases[] = {
    {.function = "np_group_create", .variant = "", .call = create, .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_group_wait",
     .variant = "outside",
     .prepare = prepare_opened,
     .call = wait_forever,
     .check = check,
     .elsewhere = true},
    {.function = "np_group_wait",
     .variant = "worker",
     .prepare = prepare_worker,
     .call = wait_on_worker,
     .check = check,
     .elsewhere = true},
    {.function = "np_group_wait",
     .variant = "isolated",
     .prepare = prepare_isolated,
     .call = wait_on_worker,
     .check = check,
     .elsewhere = true,
     .thing = "spare",
     .allowed = {NP_ERR_NO_SPARE}},
    {.function = "np_group_wait_for",
     .variant = "long",
     .prepare = prepare_opened,
     .call = wait_long,
     .check = check,
     .elsewhere = true,
     .thing = "tasks",
     .allowed = {NP_ERR_TIMEOUT}},
    {.function = "np_group_wait_for",
     .variant = "short",
     .prepare = prepare,
     .call = wait_short,
     .check = check,
     .thing = "tasks",
     .natural = NP_ERR_TIMEOUT},
    {.function = "np_group_wait_for",
     .variant = "worker",
     .prepare = prepare_worker,
     .call = wait_long_on_worker,
     .check = check,
     .elsewhere = true,
     .thing = "tasks",
     .allowed = {NP_ERR_TIMEOUT}},
    {.function = "np_group_notify",
     .variant = "",
     .prepare = prepare,
     .call = notify,
     .check = check,
     .allowed = {NP_ERR_NO_MEMORY},
     .elsewhere = true},
    {.function = "np_group_notify_eventfd",
     .variant = "pending",
     .prepare = prepare_noisy,
     .call = notify_and_end,
     .check = check_eventfd,
     .elsewhere = true,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_group_notify_eventfd",
     .variant = "full",
     .prepare = prepare_full,
     .call = notify_eventfd,
     .check = check_full,
     .thing = "eventfd",
     .allowed = {NP_ERR_NO_MEMORY, NP_ERR_SYSTEM}},
    {.function = "np_group_notify_eventfd",
     .variant = "at once",
     .prepare = prepare_quiet,
     .call = notify_eventfd,
     .check = check_eventfd,
     .thing = "eventfd",
     .allowed = {NP_ERR_NO_MEMORY, NP_ERR_SYSTEM}},
    {.function = "np_fork",
     .variant = "",
     .prepare = prepare_two,
     .call = do_fork,
     .check = check,
     .pure = "allocates nothing; what is forked is called where it cannot be kept"},
    {.function = "np_join",
     .variant = "stolen",
     .prepare = prepare_join,
     .call = do_join,
     .check = check,
     .elsewhere = true},
    {.function = "np_fast_fork_slow_1",
     .variant = "",
     .prepare = prepare_two,
     .call = fast_fork,
     .check = check,
     .pure = "as np_fork"},
    {.function = "np_fast_join_slow_1",
     .variant = "stolen",
     .prepare = prepare_join,
     .call = fast_join,
     .check = check,
     .elsewhere = true},
};
FAULT_LIST(fault_group_cases, cases);
