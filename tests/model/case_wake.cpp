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

} // namespace

int main(int argc, char **argv)
{
    return np_model::main_of<wake_lane_preferred, wake_lane_strict, wake_lane_any, wake_queue,
                             wake_children, wake_away_lane_any, wake_away_children,
                             wake_away_lane_preferred, wake_away_queue>(argc, argv);
}
