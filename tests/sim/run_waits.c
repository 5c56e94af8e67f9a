/*
 * Goal: waiting in all its forms ends, at the right time, and leaves nothing behind: groups with
 * timeouts, cancelling, completion callbacks, isolation; channels whose senders and receivers are
 * tasks and outside threads; blocking calls for which spares step in; two executors that wait for
 * each other. Method: as in run_mixed.c. Items through a channel are numbered: none may be lost,
 * doubled or overtaken by a later one of the same sender.
 */
#include <numaperf/channel.h>

#include "pool.h"

static sim_pool the, other;

static void short_one(sim_job *job)
{
    (void)job;
    pool_work(sim_random(1500));
}

/* --- groups ------------------------------------------------------------------------------------
 */

/* One for each callback and eventfd asked for. They may come after a wait has returned, but an idle
 * executor has called them all, once. */
enum { NOTICES = 64 };
static uint32_t noticed[NOTICES], notices;
static int events[NOTICES];
static uint32_t event_count;

static void notice(void *argument)
{
    ++*(uint32_t *)argument;
    pool_saw(SEEN_NOTICES, 1);
}

static void check_notices(void)
{
    for (uint32_t i = 0; i < notices; i++)
        sim_check(noticed[i] == 1, "callback # was called # times", i, noticed[i]);
    for (uint32_t i = 0; i < event_count; i++)
        sim_check(sim_eventfd_value(events[i]) == 1, "eventfd # was signalled # times", i,
                  sim_eventfd_value(events[i]));
}

static void group_round(np_group *group)
{
    sim_job *jobs[5];
    unsigned count = 1 + (unsigned)sim_random(5);
    unsigned sent = 0;
    bool cancel = sim_random(4) == 0;
    for (unsigned i = 0; i < count; i++) {
        jobs[sent] = job_new(&the, short_one);
        jobs[sent]->group = group;
        jobs[sent]->affinity = (np_task_affinity)sim_random(3);
        jobs[sent]->home = pool_some_node(&the);
        sent += job_send(jobs[sent]);
        if (cancel && i == count / 2)
            np_group_cancel(group);
    }
    if (sim_random(2) == 0 && notices < NOTICES) {
        noticed[notices] = 0;
        sim_check_ok(np_group_notify(group, notice, &noticed[notices++]));
    }
    if (sim_random(4) == 0 && event_count < NOTICES) {
        events[event_count] = sim_eventfd();
        sim_check_ok(np_group_notify_eventfd(group, events[event_count++]));
    }
    np_status status = NP_ERR_TIMEOUT;
    while (status == NP_ERR_TIMEOUT) {
        status = sim_random(3) == 0 ? np_group_wait_for(group, sim_random(3000))
                                    : np_group_wait(group);
        if (status == NP_ERR_TIMEOUT)
            pool_saw(SEEN_TIMEOUTS, 1);
    }
    sim_check(status == (cancel ? NP_ERR_CANCELLED : NP_OK), "a wait returned #, cancelled #",
              (uint64_t)status, cancel);
    sim_check(np_group_pending(group) == 0, "# tasks are left after the wait",
              np_group_pending(group));
    for (unsigned i = 0; i < sent; i++)
        sim_check(jobs[i]->state == JOB_RAN || (cancel && jobs[i]->state == JOB_DISCARDED),
                  "after the wait job # is in state #", jobs[i]->number, (uint64_t)jobs[i]->state);
    sim_check_ok(np_group_reset(group));
}

static void group_task(sim_job *job)
{
    (void)job;
    np_group *group = NULL;
    sim_check_ok(np_group_create(NULL, &group));
    group_round(group);
    sim_check_ok(np_group_destroy(group));
}

static void group_thread(void *argument)
{
    (void)argument;
    np_group *group = NULL;
    sim_check_ok(np_group_create(NULL, &group));
    for (unsigned i = 0; i < 3; i++)
        group_round(group);
    sim_check_ok(np_group_destroy(group));
}

static void groups(void *argument)
{
    (void)argument;
    pool_begin();
    notices = event_count = 0;
    np_executor_options options = {0};
    pool_random_options(&options);
    pool_open(&the, &options, false);
    the.may_discard = true;
    sim_thread *watch = pool_watch(&the, 15);
    sim_thread *threads[2];
    for (unsigned i = 0; i < 2; i++)
        threads[i] = sim_thread_start("grouper", group_thread, NULL);
    for (unsigned i = 0; i < 3; i++)
        (void)job_send(job_new(&the, group_task));
    for (unsigned i = 0; i < 2; i++)
        pool_join(threads[i]);
    pool_join(watch);
    sim_check_ok(np_executor_wait_idle(the.executor, NP_FOREVER));
    check_notices();
    pool_close(&the);
}

/* Nobody waits for the group, only for the executor: then the callback has been called. */
static void notified(void *argument)
{
    (void)argument;
    pool_begin();
    np_executor_options options = {0};
    pool_random_options(&options);
    pool_open(&the, &options, false);
    for (unsigned round = 0; round < 3; round++) {
        notices = event_count = 0;
        noticed[notices++] = 0;
        events[event_count++] = sim_eventfd();
        np_group *group = NULL;
        sim_check_ok(np_group_create(NULL, &group));
        for (uint64_t left = 1 + sim_random(3); left > 0; left--) {
            sim_job *job = job_new(&the, short_one);
            job->group = group;
            job->home = pool_some_node(&the);
            (void)job_send(job);
        }
        sim_check_ok(np_group_notify(group, notice, &noticed[0]));
        sim_check_ok(np_group_notify_eventfd(group, events[0]));
        sim_check_ok(np_executor_wait_idle(the.executor, NP_FOREVER));
        check_notices();
        sim_check_ok(np_group_destroy(group));
    }
    pool_close(&the);
}

/* Several wait for one group whose tasks end while they come. */
static np_group *shared_group;

static void shared_waiter(void *argument)
{
    (void)argument;
    pool_work(sim_random(3000));
    sim_check_ok(np_group_wait(shared_group));
    sim_check(np_group_pending(shared_group) == 0, "the wait is early: # left",
              np_group_pending(shared_group));
}

static void shared_wait_task(sim_job *job)
{
    shared_waiter(job);
}

static void many_waiters(void *argument)
{
    (void)argument;
    pool_begin();
    np_executor_options options = {0};
    pool_random_options(&options);
    pool_open(&the, &options, false);
    np_group_options how = {.size = sizeof how, .isolated = false};
    sim_check_ok(np_group_create(&how, &shared_group));
    for (unsigned i = 0; i < 4; i++) {
        sim_job *job = job_new(&the, short_one);
        job->group = shared_group;
        job->home = pool_some_node(&the);
        (void)job_send(job);
    }
    sim_thread *threads[3];
    for (unsigned i = 0; i < 3; i++) {
        threads[i] = sim_thread_start("waiter", shared_waiter, NULL);
        (void)job_send(job_new(&the, shared_wait_task));
    }
    for (unsigned i = 0; i < 3; i++)
        pool_join(threads[i]);
    sim_check_ok(np_executor_wait_idle(the.executor, NP_FOREVER));
    sim_check_ok(np_group_destroy(shared_group));
    pool_close(&the);
}

/* --- channels ------------------------------------------------------------------------------------
 */

enum { SENDERS = 4, ITEMS = 6 };
static np_channel *pipe_ends;
static uint32_t last_of[SENDERS];
static uint64_t sent_items, got_items;

typedef struct item {
    uint32_t sender, number;
} item;

static void send_items(uint32_t sender)
{
    for (uint32_t i = 1; i <= ITEMS; i++) {
        item next = {sender, i};
        np_status status = NP_ERR_TIMEOUT;
        while (status == NP_ERR_TIMEOUT || status == NP_ERR_NO_SPARE) {
            status = sim_random(3) == 0 ? np_channel_send_for(pipe_ends, &next, sim_random(2000))
                                        : np_channel_send(pipe_ends, &next);
            if (status == NP_ERR_TIMEOUT)
                pool_saw(SEEN_TIMEOUTS, 1);
            if (status == NP_ERR_NO_SPARE) {
                pool_saw(SEEN_NO_SPARE, 1);
                pool_work(1000);
            }
        }
        sim_check_ok(status);
        sent_items++;
        if (sim_random(4) == 0)
            pool_work(sim_random(2000));
    }
    sim_check_ok(np_channel_remove_sender(pipe_ends));
}

static void receive_items(void)
{
    for (;;) {
        item got;
        np_status status = sim_random(3) == 0
                               ? np_channel_receive_for(pipe_ends, &got, sim_random(2000))
                               : np_channel_receive(pipe_ends, &got);
        if (status == NP_ERR_TIMEOUT) {
            pool_saw(SEEN_TIMEOUTS, 1);
            continue;
        }
        if (status == NP_ERR_NO_SPARE) {
            pool_saw(SEEN_NO_SPARE, 1);
            pool_work(1000);
            continue;
        }
        if (status == NP_ERR_CLOSED)
            return;
        sim_check_ok(status);
        sim_check(got.sender < SENDERS && got.number >= 1 && got.number <= ITEMS,
                  "an item of sender #, number #, was never sent", got.sender, got.number);
        got_items++;
        last_of[got.sender] |= UINT32_C(1) << got.number;
        pool_saw(SEEN_ITEMS, 1);
    }
}

static void send_task(sim_job *job)
{
    send_items((uint32_t)job->value);
}

static void receive_task(sim_job *job)
{
    (void)job;
    receive_items();
}

static void send_thread(void *argument)
{
    send_items((uint32_t)(uintptr_t)argument);
}

static void receive_thread(void *argument)
{
    (void)argument;
    receive_items();
}

/* Every worker may wait in the channel: spares go on with the others. */
static void channels(void *argument)
{
    (void)argument;
    pool_begin();
    sent_items = got_items = 0;
    for (unsigned i = 0; i < SENDERS; i++)
        last_of[i] = 0;
    np_executor_options options = {0};
    pool_random_options(&options);
    options.workers_per_node = 1 + (uint32_t)sim_random(2);
    pool_open(&the, &options, false);
    np_channel_options how = {.size = sizeof how, .item_size = sizeof(item), .senders = SENDERS};
    how.capacity = sim_random(4);
    sim_check_ok(np_channel_create(&how, &pipe_ends));
    sim_thread *watch = pool_watch(&the, 10);
    sim_thread *threads[4];
    unsigned count = 0;
    for (uint32_t i = 0; i < SENDERS; i++)
        if (sim_random(3) == 0) {
            threads[count++] = sim_thread_start("sender", send_thread, (void *)(uintptr_t)i);
        } else {
            sim_job *job = job_new(&the, send_task);
            job->value = i;
            (void)job_send(job);
        }
    for (uint32_t i = 0; i < 2; i++)
        (void)job_send(job_new(&the, receive_task));
    for (unsigned i = 0; i < count; i++)
        pool_join(threads[i]);
    if (sim_random(2) == 0)
        pool_join(sim_thread_start("receiver", receive_thread, NULL));
    sim_check_ok(np_executor_wait_idle(the.executor, NP_FOREVER));
    sim_check(sent_items == SENDERS * ITEMS && got_items == sent_items, "# items sent, # received",
              sent_items, got_items);
    for (unsigned i = 0; i < SENDERS; i++)
        sim_check(last_of[i] == ((UINT32_C(1) << (ITEMS + 1)) - 2), "of sender # items # came", i,
                  last_of[i]);
    np_channel_destroy(pipe_ends);
    pool_join(watch);
    pool_close(&the);
}

/* Closing wakes whoever waits, on both sides. */
static void close_waiter(sim_job *job)
{
    item one = {0, 1};
    np_status status = job->value == 0 ? np_channel_receive(pipe_ends, &one)
                                       : np_channel_send(pipe_ends, &one);
    sim_check(status == NP_OK || status == NP_ERR_CLOSED || status == NP_ERR_NO_SPARE,
              "a call in a closing channel returned #", (uint64_t)status);
}

static void closing(void *argument)
{
    (void)argument;
    pool_begin();
    np_executor_options options = {.workers_per_node = 2};
    pool_open(&the, &options, false);
    np_channel_options how = {.size = sizeof how, .item_size = sizeof(item), .capacity = 1};
    sim_check_ok(np_channel_create(&how, &pipe_ends));
    bool receivers = sim_random(2) == 0;
    for (unsigned i = 0; i < 5; i++) {
        sim_job *job = job_new(&the, close_waiter);
        job->value = !receivers;
        (void)job_send(job);
    }
    pool_work(sim_random(30000));
    sim_check_ok(np_channel_close(pipe_ends));
    sim_check_ok(np_executor_wait_idle(the.executor, NP_FOREVER));
    np_channel_destroy(pipe_ends);
    pool_close(&the);
}

/* --- blocking calls and two executors ------------------------------------------------------------
 */

static void child(void *argument)
{
    pool_work(sim_random(1500));
    ++*(uint64_t *)argument;
}

static void blocking_parent(sim_job *job)
{
    uint64_t done = 0;
    for (unsigned i = 0; i < 3; i++)
        np_fork(child, &done);
    if (np_blocking_begin() == NP_OK) {
        pool_work(sim_random(20000));
        np_blocking_end();
    } else {
        pool_saw(SEEN_NO_SPARE, 1);
    }
    for (unsigned i = 0; i < 3; i++)
        np_join();
    sim_check(done == 3, "job #: # of 3 children ran", job->number, done);
}

static void blocking(void *argument)
{
    (void)argument;
    pool_begin();
    np_executor_options options = {0};
    pool_random_options(&options);
    options.workers_per_node = 1 + (uint32_t)sim_random(2);
    options.spare_workers = 1 + (uint32_t)sim_random(3);
    pool_open(&the, &options, false);
    sim_thread *watch = pool_watch(&the, 30);
    for (unsigned i = 0; i < 10; i++) {
        sim_job *job = job_new(&the, sim_random(2) == 0 ? blocking_parent : short_one);
        job->home = pool_some_node(&the);
        job->affinity = (np_task_affinity)sim_random(3);
        (void)job_send(job);
        if (sim_random(3) == 0)
            pool_work(sim_random(8000));
    }
    pool_join(watch);
    pool_close(&the);
}

/* A task of one executor sends to the other one and waits, and the other way round. */
static void ping(sim_job *job)
{
    if (job->depth == 0) {
        pool_work(sim_random(500));
        return;
    }
    sim_pool *away = job->pool == &the ? &other : &the;
    np_group *group = NULL;
    sim_check_ok(np_group_create(NULL, &group));
    sim_job *next = job_new(away, ping);
    next->depth = job->depth - 1;
    next->group = group;
    if (job_send(next))
        sim_check_ok(np_group_wait(group));
    sim_check(next->state == JOB_RAN, "the wait is over before job #", next->number);
    sim_check_ok(np_group_destroy(group));
}

static void two_pools(void *argument)
{
    (void)argument;
    pool_begin();
    np_executor_options options = {0};
    pool_random_options(&options);
    options.workers_per_node = 1;
    pool_open(&the, &options, false);
    pool_random_options(&options);
    options.workers_per_node = 1;
    options.inbox_capacity = (uint32_t)sim_random(2);
    pool_open(&other, &options, false);
    other.may_refuse = true; /* no spare for a worker that must wait for room */
    for (unsigned i = 0; i < 3; i++) {
        sim_job *job = job_new(&the, ping);
        job->depth = 3;
        (void)job_send(job);
    }
    sim_check_ok(np_executor_wait_idle(the.executor, NP_FOREVER));
    /* Whose tasks waited may go first: the other's workers are done with its workers' tokens. */
    bool waited_first = sim_random(2) == 0;
    pool_close(waited_first ? &the : &other);
    pool_close(waited_first ? &other : &the);
}

#define TWO_BY_TWO                                                     \
    {                                                                  \
        .machine = "numa:2 core:2 pu:1", .faults = SIM_HARMLESS_FAULTS \
    }

static const sim_case cases[] = {
    {.name = "groups", .scenario = groups, .config = TWO_BY_TWO},
    {.name = "notified", .scenario = notified, .config = TWO_BY_TWO},
    {.name = "many wait", .scenario = many_waiters, .config = TWO_BY_TWO},
    {.name = "channels", .scenario = channels, .config = TWO_BY_TWO},
    {.name = "channels one",
     .scenario = channels,
     .share = 50,
     .config = {.machine = "numa:1 core:1 pu:1", .faults = SIM_HARMLESS_FAULTS}},
    {.name = "closing", .scenario = closing, .config = TWO_BY_TWO},
    {.name = "blocking", .scenario = blocking, .config = TWO_BY_TWO},
    {.name = "two pools", .scenario = two_pools, .config = TWO_BY_TWO},
};

int main(int argc, char **argv)
{
    static const pool_seen needed[] = {SEEN_DISCARDED, SEEN_CANCELLED,  SEEN_NOTICES,
                                       SEEN_TIMEOUTS,  SEEN_ITEMS,      SEEN_BLOCKED,
                                       SEEN_NO_SPARE,  SEEN_FORKS_HERE, SEEN_COUNT};
    int failed = sim_main(argc, argv, cases, sizeof cases / sizeof *cases);
    return failed != 0 ? failed : pool_report(argc, argv, needed);
}
