/*
 * model/case_wake.cpp - a worker on its way to sleep against whoever brings work, for each source
 * of work that src/executor/find.c names (sources.h is made from that file: a source without a case
 * here does not compile).
 *
 * The worker searches once and must find something; when the wake-up is lost it sleeps for ever,
 * which the model reports as a deadlock. Whoever brought the work goes on working at something
 * else, as a busy worker or an outside thread, and takes nothing back.
 */
#include "model/pool.h"
#include "model/sources.h"

namespace
{

using np_model::pool_run;
using np_model::shape;

struct wake : np_model::pool {
    static constexpr int threads = 2, bound = 2, soak_bound = 4;
    static constexpr bool fences = true;
    npi_frame frame;
    npi_level level;

    /* The sleeper is worker 0 of node 0, the other one `busy`. */
    npi_worker *sleeper()
    {
        return worker(0, 0);
    }
    void sleep()
    {
        sit(sleeper());
        search_once(sleeper());
    }
    void after()
    {
        ran_once(1);
    }
    void submit(unsigned node, np_task_affinity affinity)
    {
        stand();
        np_submit_options options = {};
        options.size = sizeof options;
        options.to_node = true;
        options.node = (np_node_id)node;
        options.affinity = affinity;
        MODEL_CHECK(np_submit_with(executor, &options, pool_run, task(1)) == NP_OK);
    }
    /* A task of the busy worker submits to its own node: into the worker's own queue. */
    void submit_inside(npi_worker *busy)
    {
        sit(busy);
        begin_task(busy, &frame, &level);
        MODEL_CHECK(np_submit(executor, pool_run, task(1)) == NP_OK);
        end_task(busy);
    }
    /* ... or forks. It does not join before a thief has come. */
    void fork_inside(npi_worker *busy)
    {
        sit(busy);
        begin_task(busy, &frame, &level);
        np_fork(pool_run, task(1));
        while (npi_load_acquire(&busy->deque.slots[0].state) != NPI_CHILD_DONE)
            npi_cpu_relax();
        np_join();
        end_task(busy);
    }
};

struct wake_lane_preferred : wake {
    static constexpr const char *name = "wake.lane_preferred";
    void before()
    {
        build({});
    }
    void thread(unsigned index)
    {
        index == 0 ? sleep() : submit(0, NP_AFFINITY_PREFERRED);
    }
};

struct wake_lane_strict : wake {
    static constexpr const char *name = "wake.lane_strict";
    void before()
    {
        build({});
    }
    void thread(unsigned index)
    {
        index == 0 ? sleep() : submit(0, NP_AFFINITY_STRICT);
    }
};

struct wake_lane_any : wake {
    static constexpr const char *name = "wake.lane_any";
    void before()
    {
        build({});
    }
    void thread(unsigned index)
    {
        index == 0 ? sleep() : submit(0, NP_AFFINITY_ANY);
    }
};

struct wake_queue : wake {
    static constexpr const char *name = "wake.queue";
    void before()
    {
        build({.workers = 2});
    }
    void thread(unsigned index)
    {
        index == 0 ? sleep() : submit_inside(worker(0, 1));
    }
};

struct wake_children : wake {
    static constexpr const char *name = "wake.children";
    void before()
    {
        build({.workers = 2});
    }
    void thread(unsigned index)
    {
        index == 0 ? sleep() : fork_inside(worker(0, 1));
    }
};

struct wake_away_lane_any : wake {
    static constexpr const char *name = "wake.away_lane_any";
    void before()
    {
        build({.nodes = 2});
    }
    void thread(unsigned index)
    {
        index == 0 ? sleep() : submit(1, NP_AFFINITY_ANY);
    }
};

struct wake_away_children : wake {
    static constexpr const char *name = "wake.away_children";
    void before()
    {
        build({.nodes = 2});
    }
    void thread(unsigned index)
    {
        index == 0 ? sleep() : fork_inside(worker(1, 0));
    }
};

struct wake_away_lane_preferred : wake {
    static constexpr const char *name = "wake.away_lane_preferred";
    void before()
    {
        build({.nodes = 2});
    }
    void thread(unsigned index)
    {
        index == 0 ? sleep() : submit(1, NP_AFFINITY_PREFERRED);
    }
};

struct wake_away_queue : wake {
    static constexpr const char *name = "wake.away_queue";
    void before()
    {
        build({.nodes = 2});
    }
    void thread(unsigned index)
    {
        index == 0 ? sleep() : submit_inside(worker(1, 0));
    }
};

/* --- more than one who brings, searches or sleeps --------------------------------------------- */

/* A searcher finds one task and leaves, while another one is submitted to it: whoever sleeps gets
 * that. The sleeper is in the set from the beginning and need not be run: it was given its token.
 */
struct left_to_searcher : wake {
    static constexpr const char *name = "wake.left_to_searcher";
    void before()
    {
        build({.workers = 2});
        submit(0, NP_AFFINITY_PREFERRED);
        npi_store_relaxed(&sleeper()->activity, (uint32_t)NPI_WORKER_PARKED);
        npi_store_relaxed(&sleeper()->token.state, (uint32_t)NPI_TOKEN_ASLEEP);
        npi_store_relaxed(&executor->sleeping, 1u);
        npi_sleepers_enter(&node(0)->sleepers, 0);
    }
    void thread(unsigned index)
    {
        if (index == 0) {
            sit(worker(0, 1));
            search_once(worker(0, 1));
        } else {
            stand();
            MODEL_CHECK(np_submit(executor, pool_run, task(2)) == NP_OK);
        }
    }
    void after()
    {
        MODEL_CHECK(ran[1] == 1 && ran[2] == 0);
        MODEL_CHECK(!npi_queue_is_empty(&node(0)->inbox.list[0]->queue) ||
                    npi_inbox_lanes(&node(0)->inbox) > 1);
        MODEL_CHECK(npi_token_is_given(&sleeper()->token));
        MODEL_CHECK(npi_sleepers_searchers(&node(0)->sleepers) == 1); /* raised for it */
    }
};

/* Two sleepers, two tasks of one submitter. */
struct two_sleepers : wake {
    static constexpr const char *name = "wake.two_sleepers";
    static constexpr int threads = 3, bound = np_model::RANDOM_ONLY, soak_bound = 1;
    void before()
    {
        build({.workers = 2});
    }
    void thread(unsigned index)
    {
        if (index < 2) {
            sit(worker(0, index));
            search_once(worker(0, index));
            return;
        }
        stand();
        for (uintptr_t i = 1; i <= 2; i++)
            MODEL_CHECK(np_submit(executor, pool_run, task(i)) == NP_OK);
    }
    void after()
    {
        ran_once(2);
    }
};

/* Two submitters, one sleeper, who must find both: the claim in vain of one submitter must not
 * hide its task from the other one's. */
struct two_submitters : wake {
    static constexpr const char *name = "wake.two_submitters";
    static constexpr int threads = 3, bound = 1, soak_bound = 2;
    void before()
    {
        build({});
    }
    void thread(unsigned index)
    {
        if (index == 0) {
            sit(worker(0, 0));
            search_once(worker(0, 0));
            search_once(worker(0, 0));
            return;
        }
        stand();
        MODEL_CHECK(np_submit(executor, pool_run, task(index)) == NP_OK);
    }
    void after()
    {
        ran_once(2);
    }
};

/* The task may leave, its home's only worker is busy, and the gate keeps it for now: the sleeper
 * watches, asks again, and takes it when it has waited long enough. */
struct watcher : wake {
    static constexpr const char *name = "wake.gate_watcher";
    void before()
    {
        build({.nodes = 2, .gate_backlog = 5});
    }
    void thread(unsigned index)
    {
        index == 0 ? sleep() : submit(1, NP_AFFINITY_PREFERRED);
    }
};

} // namespace

int main(int argc, char **argv)
{
#define CASE(source) wake_##source,
    return np_model::main_of<NPT_SOURCE_MAP(CASE) left_to_searcher, two_sleepers, two_submitters,
                             watcher>(argc, argv);
}
