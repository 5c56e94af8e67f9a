/*
 * model/case_end.cpp - how work ends: the last task of a group against those who wait for it, all
 * tasks against those who wait for quiet, submits against shutdown, a stolen child against its
 * join.
 */
#include <numaperf/fast.h>

#include "model/pool.h"

namespace
{

using np_model::pool_run;

/* --- groups ------------------------------------------------------------------------------ */

struct with_group {
    static constexpr bool fences = false;
    np_group *group;
    np_plain(int) written[3];

    void before()
    {
        group = np_model::make<np_group>();
        npi_group_init(group, false);
        MODEL_CHECK(npi_group_begin(group, 2));
    }
    void end(unsigned index)
    {
        np_model::set_identity(NULL, index);
        npi_plain_set(&written[index], 1);
        npi_group_end(group);
    }
    /* Whoever has waited sees what the tasks did, and may destroy the group at once. */
    void waited()
    {
        MODEL_CHECK(npi_plain_get(&written[0]) == 1 && npi_plain_get(&written[1]) == 1);
        MODEL_CHECK(np_group_destroy(group) == NP_OK);
    }
    void after() {}
};

struct group_wait : with_group {
    static constexpr const char *name = "group.wait";
    static constexpr int threads = 2, bound = np_model::FULL;
    void before()
    {
        with_group::before();
        npi_plain_set(&written[1], 1);
        npi_group_end(group);
    }
    void thread(unsigned index)
    {
        if (index == 0) {
            end(0);
            return;
        }
        np_model::set_identity(NULL, 1);
        MODEL_CHECK(np_group_wait(group) == NP_OK);
        waited();
    }
};

struct group_two_ends : with_group {
    static constexpr const char *name = "group.two_ends";
    static constexpr int threads = 3, bound = 3, soak_bound = 5;
    void thread(unsigned index)
    {
        if (index != 2) {
            end(index);
            return;
        }
        np_model::set_identity(NULL, 2);
        MODEL_CHECK(np_group_wait(group) == NP_OK);
        waited();
    }
};

/* A deadline that passes while the last task ends: in time or withdrawn, never half of each. */
struct group_deadline : with_group {
    static constexpr const char *name = "group.deadline";
    static constexpr int threads = 2, bound = 3, soak_bound = 5;
    void thread(unsigned index)
    {
        if (index == 0) {
            end(0);
            end(1);
            return;
        }
        np_model::set_identity(NULL, 1);
        np_status status = np_group_wait_for(group, 5);
        MODEL_CHECK(status == NP_OK || status == NP_ERR_TIMEOUT);
        if (status == NP_OK)
            waited();
        else
            MODEL_CHECK(np_group_wait(group) == NP_OK);
    }
    void end(unsigned which)
    {
        np_model::set_identity(NULL, 0);
        npi_plain_set(&written[which], 1);
        npi_group_end(group);
    }
};

/* A notice is called once, by the last task or by whoever comes too late. */
struct group_notice_once : with_group {
    static constexpr const char *name = "group.notice";
    static constexpr int threads = 2, bound = np_model::FULL;
    static inline int called;
    static void call(void *)
    {
        called++;
    }
    void before()
    {
        called = 0;
        with_group::before();
        npi_plain_set(&written[1], 1);
        npi_group_end(group);
    }
    void thread(unsigned index)
    {
        if (index == 0) {
            end(0);
            return;
        }
        np_model::set_identity(NULL, 1);
        MODEL_CHECK(np_group_notify(group, call, NULL) == NP_OK);
    }
    void after()
    {
        MODEL_CHECK(called == 1 && np_group_pending(group) == 0);
    }
};

/* Somebody else observes the group, so that the last task ends under the lock: whoever saw zero
 * meanwhile destroys the group only after that lock was released. */
struct group_observed : with_group {
    static constexpr const char *name = "group.observed";
    static constexpr int threads = 2, bound = 4, soak_bound = np_model::FULL;
    static void call(void *) {}
    void before()
    {
        with_group::before();
        npi_plain_set(&written[1], 1);
        npi_group_end(group);
        np_model::set_identity(NULL, 0);
        MODEL_CHECK(np_group_notify(group, call, NULL) == NP_OK);
    }
    void thread(unsigned index)
    {
        if (index == 0) {
            end(0);
            return;
        }
        np_model::set_identity(NULL, 1);
        MODEL_CHECK(np_group_wait(group) == NP_OK);
        waited();
    }
};

/* --- quiet ------------------------------------------------------------------------------- */

/* A worker runs the last task, which submits another one, and goes to sleep; an outside thread
 * waits until nothing is left. */
struct idle : np_model::pool {
    static constexpr bool fences = true;
    static inline idle *the;

    static void first(void *argument)
    {
        pool_run(argument);
        MODEL_CHECK(np_submit(the->executor, pool_run, the->task(2)) == NP_OK);
    }
    void before()
    {
        the = this;
        build({});
        stand();
        MODEL_CHECK(np_submit(executor, first, task(1)) == NP_OK);
    }
    void wait()
    {
        stand();
        MODEL_CHECK(np_executor_wait_idle(executor, NP_FOREVER) == NP_OK);
        ran_once(2);
    }
    void stop()
    {
        npi_store_release(&executor->stopping, 1u);
        npi_seats_notice(executor);
    }
    void after()
    {
        ran_once(2);
    }
};

struct idle_wait : idle {
    static constexpr const char *name = "idle.wait";
    static constexpr int threads = 2, bound = 2, soak_bound = 4;
    void thread(unsigned index)
    {
        if (index == 0) {
            sit(worker(0, 0));
            work(worker(0, 0));
        } else {
            wait();
            stop();
        }
    }
};

/* --- shutdown ---------------------------------------------------------------------------- */

/* A submit against shutdown: refused, or run before shutdown returns. */
struct shutdown_submit : np_model::pool {
    static constexpr const char *name = "shutdown.submit";
    static constexpr int threads = 3, bound = 1, soak_bound = 2;
    static constexpr bool fences = true;
    np_status status = NP_OK;
    void before()
    {
        build({});
    }
    void thread(unsigned index)
    {
        if (index == 0) {
            sit(worker(0, 0));
            work(worker(0, 0));
        } else if (index == 1) {
            stand();
            status = np_submit(executor, pool_run, task(1));
            MODEL_CHECK(status == NP_OK || status == NP_ERR_SHUT_DOWN);
        } else {
            stand();
            MODEL_CHECK(np_executor_shutdown(executor) == NP_OK);
            MODEL_CHECK(npi_executor_is_quiescent(executor));
        }
    }
    void after()
    {
        ran_once(status == NP_OK ? 1 : 0);
    }
};

/* Only the door: after it is shut, and those inside have left, nothing is accepted any more. */
struct shutdown_door : np_model::pool {
    static constexpr const char *name = "shutdown.door";
    static constexpr int threads = 2, bound = np_model::FULL;
    static constexpr bool fences = true;
    npi_lane *lane;
    np_plain(int) put;
    bool inside = false;
    void before()
    {
        build({});
        lane = npi_inbox_open(&node(0)->inbox, NP_AFFINITY_PREFERRED, 1);
        npi_plain_set(&put, 0);
    }
    void thread(unsigned index)
    {
        if (index == 0) {
            npi_store_release(&executor->closed, 1u);
            npi_fence_heavy();
            npi_inbox_close(&node(0)->inbox);
            MODEL_CHECK(npi_plain_get(&put) == (inside ? 1 : 0));
        } else if (npi_lane_begin(lane, &executor->closed)) {
            inside = true;
            npi_plain_set(&put, 1);
            npi_lane_end(lane, &executor->closed);
        }
    }
    void after() {}
};

/* --- fork and join ----------------------------------------------------------------------- */

/* Two children, a thief: shared, stolen, joined. The thief's result and writes are there. */
struct fork_join : np_model::pool {
    static constexpr int bound = 2, soak_bound = 4;
    static constexpr bool fences = true;
    npi_frame frame;
    npi_level level;
    np_atomic(uint32_t) over;
    np_plain(int) results[2];

    static bool is_over(npi_worker *, void *context)
    {
        return npi_load_acquire(&((fork_join *)context)->over) != 0;
    }
    static void child(void *argument)
    {
        auto *result = (np_plain(int) *)argument;
        npi_plain_set(result, npi_plain_get(result) + 1);
    }
    void before()
    {
        build({.workers = 2});
    }
    void own()
    {
        npi_worker *self = worker(0, 0);
        sit(self);
        begin_task(self, &frame, &level);
        np_fork(child, &results[0]);
        np_fork(child, &results[1]);
        np_join();
        np_join();
        end_task(self);
        MODEL_CHECK(npi_plain_get(&results[0]) == 1 && npi_plain_get(&results[1]) == 1);
        npi_store_release(&over, 1u);
        npi_token_give(&worker(0, 1)->token);
    }
    void steal()
    {
        npi_worker *self = worker(0, 1);
        sit(self);
        npi_worker_loop(self, is_over, this);
        npi_worker_leave(self);
    }
    void after()
    {
        MODEL_CHECK(npi_deque_is_empty(&worker(0, 0)->deque));
    }
};

struct fork_two : fork_join {
    static constexpr const char *name = "fork.stolen";
    static constexpr int threads = 2;
    void thread(unsigned index)
    {
        index == 0 ? own() : steal();
    }
};

/* Children on top of a full deque are the forking body's own. A part of the task in a frame of its
 * own, which joins too much, must not end them; the thief has the oldest one meanwhile. */
struct fork_overflow : fork_join {
    static constexpr const char *name = "fork.overflow";
    static constexpr int threads = 2, bound = 1, soak_bound = 2;
    static inline unsigned calls;
    static uintptr_t fast_child(np_worker *, uintptr_t argument)
    {
        calls++;
        return argument;
    }
    static void part(void *)
    {
        unsigned before = calls;
        np_join(); /* nothing of its own is left */
        MODEL_CHECK(calls == before);
    }
    void before()
    {
        calls = 0;
        build({.workers = 2});
    }
    void thread(unsigned index)
    {
        if (index == 1) {
            steal();
            return;
        }
        npi_worker *self = worker(0, 0);
        sit(self);
        begin_task(self, &frame, &level);
        for (uintptr_t i = 1; i <= NPI_DEQUE_CAPACITY + 1; i++)
            np_fast_fork_slow_1(self, fast_child, i);
        MODEL_CHECK(self->deque.overflow == 1);
        npi_frame inner = {NULL, 0, false};
        npi_run_framed(self, &inner, part, NULL);
        for (uintptr_t i = NPI_DEQUE_CAPACITY + 1; i >= 1; i--)
            MODEL_CHECK(np_fast_join_slow_1(self, fast_child, i) == i);
        end_task(self);
        MODEL_CHECK(calls == NPI_DEQUE_CAPACITY + 1);
        npi_store_release(&over, 1u);
        npi_token_give(&worker(0, 1)->token);
    }
};

} // namespace

int main(int argc, char **argv)
{
    return np_model::main_of<group_wait, group_two_ends, group_deadline, group_notice_once,
                             group_observed, idle_wait, shutdown_door, shutdown_submit, fork_two,
                             fork_overflow>(argc, argv);
}
