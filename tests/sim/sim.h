/*
 * sim.h - the simulated machine, for those who write scenarios.
 *
 * The real executor (all of src above src/os, unchanged) runs as fibres on one thread, in virtual
 * time, on a machine that a synthetic description names. One seed is one schedule: which fibre goes
 * on at each atomic operation and system call, how long each store stays in its store buffer, which
 * faults happen. The same seed gives the same run in every process.
 *
 * A scenario is a function. It runs as the fibre "main", creates an executor, starts further fibres
 * as outside threads, and checks. What it does wrong, or what the executor does (a failed check, a
 * broken invariant, a deadlock, no end in sight, a leak, a crash), ends the run; the campaign then
 * prints the seed's history and the command that replays it.
 *
 *     static void scenario(void *argument)
 *     {
 *         np_topology *topology = sim_topology();
 *         ...
 *         sim_check(done == 10, "# of 10 tasks ran", done);
 *     }
 *     static const sim_case cases[] = {{.name = "pool", .scenario = scenario,
 *                                       .config = {.machine = "numa:2 core:2 pu:1"}}};
 *     int main(int argc, char **argv) { return sim_main(argc, argv, cases, 1); }
 *
 * Scenarios share memory with tasks through base/atomic.h, like everybody: a plain variable is
 * safe too (there is one thread), but its accesses are no scheduling points.
 *
 * Texts with numbers: in messages and labels each # stands for the next argument, as a decimal
 * number, and each @ for the next one as the name of an address (sim_name_address).
 */
#ifndef NPT_SIM_H
#define NPT_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numaperf.h>

/* --- what a run is like -------------------------------------------------------------------- */

typedef enum sim_schedule {
    SIM_BY_SEED = 0, /* one of the next four; TIMED only if the configuration allows */
    SIM_RANDOM,      /* at random points somebody at random */
    SIM_PCT,         /* the fibre with the highest priority, which drops at a few random points:
                        Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of
                        Finding Bugs", 2010 */
    SIM_TIMED,       /* each fibre has a processor and a clock of its own; the one that is most
                        behind goes on, so virtual time means something */
    SIM_EXPLORE      /* all schedules with few deviations, see sim_explore(); not by seed */
} sim_schedule;

/* How often a fault happens: once in so many occasions, 0: never. A seed takes each one as given,
 * eight times as rarely, or not at all (sim_config.steady: always as given). */
typedef struct sim_faults {
    uint32_t spurious_wakes;  /* a futex wait returns though nobody woke it */
    uint32_t delayed_wakes;   /* a woken fibre runs late */
    uint32_t preemptions;     /* a running fibre stands still for up to a millisecond; occasions are
                                 the scheduler's turns */
    uint32_t early_deadlines; /* time jumps to the next deadline though others could run; turns */
    uint32_t weak_failures;   /* a weak compare and swap fails for no reason */
    uint32_t threads;         /* a thread cannot be started: EAGAIN */
    uint32_t late_threads;    /* a started thread begins late */
    uint32_t allocations;     /* npi_alloc gets NULL */
    uint32_t mappings;        /* npi_os_map: ENOMEM */
    uint32_t placements;      /* npi_os_bind_memory: EPERM, EINVAL, ENOMEM or EIO */
    uint32_t affinity;        /* npi_os_affinity_set: EPERM or EINVAL */
    uint32_t migrations;      /* a fibre that slept wakes on another CPU it may use */
} sim_faults;

/* The first six and the last need no tolerance of the scenario: they are no errors. */
#define SIM_HARMLESS_FAULTS                                                                \
    {                                                                                      \
        .spurious_wakes = 8, .delayed_wakes = 6, .preemptions = 40, .early_deadlines = 40, \
        .weak_failures = 6, .late_threads = 4, .migrations = 4                             \
    }

typedef struct sim_config {
    const char *machine; /* synthetic description; NULL: "numa:2 core:2 pu:1" */
    sim_schedule schedule;
    bool may_be_timed;      /* SIM_BY_SEED: TIMED too */
    uint32_t switch_one_in; /* RANDOM: a switch every so many points on average; 0: by seed */
    uint32_t change_points; /* PCT: 0: by seed, up to 7 */
    bool no_store_buffers;  /* otherwise half of the seeds have them */
    bool store_buffers;     /* all seeds have them */
    bool distance;          /* TIMED: an access costs what the way of its cache line takes */
    bool steady;            /* faults as given for every seed */
    bool leaks_allowed;     /* memory may be left when the run ends */
    sim_faults faults;
    uint64_t step_limit;    /* scheduling points before it counts as a livelock; 0: 20 million */
    uint64_t time_limit_ns; /* the same in virtual time; 0: an hour */
    size_t stack_bytes;     /* of a fibre; 0: 128 KiB */
    /* Called at scheduling points, every `hook_every` of them (0: 1), and when nobody can run
     * (sim_is_quiet): looks, checks, changes nothing. Atomic operations in it are no scheduling
     * points and see memory as it is. Gets the argument of the scenario. */
    void (*hook)(void *argument);
    uint32_t hook_every;
    uint32_t explore_deviations; /* EXPLORE: at most so many in one schedule; 0: 2 */
} sim_config;

typedef void (*sim_scenario)(void *argument);

/* What happened in one run. */
typedef struct sim_result {
    bool failed;
    char message[256];
    uint64_t points; /* scheduling points */
    uint64_t switches;
    uint64_t end_ns; /* virtual time at the end, from 0 */
    uint64_t print;  /* of the whole history: equal runs have equal prints */
    uint64_t faults; /* injected */
} sim_result;

/* One run. Returns false if it failed; then the history is still there. Not from inside a run. */
bool sim_run(const sim_config *config, sim_scenario scenario, void *argument, uint64_t seed,
             sim_result *result);

/*
 * All schedules that deviate from going on as long as one can, then in turn, at most
 * config->explore_deviations times between sim_explore_from() and sim_explore_to(), by depth first;
 * at most `most` runs (0: no limit). Store buffers, if asked for, hold stores as long as they may.
 * Returns false at the first that fails. *runs is their number, *whole whether the search ended.
 */
bool sim_explore(const sim_config *config, sim_scenario scenario, void *argument, uint64_t most,
                 uint64_t *runs, bool *whole, sim_result *result);

/* The last run's history, on standard output: its last `count` events (0: all that are kept). */
void sim_print_history(size_t count);

/* --- inside a run -------------------------------------------------------------------------- */

/* The machine of the run as a topology that counts as real, not virtual: workers are bound and
 * memory is placed. The caller destroys it. */
np_topology *sim_topology(void);

typedef struct sim_thread sim_thread;
/* A fibre that is no worker. Up to 15 bytes of the name are shown. */
sim_thread *sim_thread_start(const char *name, void (*fn)(void *argument), void *argument);
void sim_thread_join(sim_thread *thread);

/* Ends the run as failed unless the condition holds. Up to three numbers (or addresses, cast). */
#define sim_check(condition, text, ...) \
    ((condition)                        \
         ? (void)0                      \
         : sim_fail_at(#condition, __FILE__, __LINE__, (text), (const uint64_t[3]){__VA_ARGS__}))
#define sim_check_ok(status) sim_check_status((status), #status, __FILE__, __LINE__)

/* An event of the scenario's own in the history. The text must stay where it is. */
#define sim_label(text, ...) sim_label_at((text), (const uint64_t[3]){__VA_ARGS__})
/* How an address (a futex, a group) is called in the history. */
void sim_name_address(const volatile void *address, const char *name);

/* Virtual time, and the time a task takes: other fibres run meanwhile. */
uint64_t sim_now(void);
void sim_work(uint64_t ns);
/* The time it takes to read so much of a node's memory: more from farther away. */
void sim_read_memory(np_node_id home, size_t bytes);
/* A scheduling point. */
void sim_yield(void);
/* A number below `bound`, by the seed. */
uint64_t sim_random(uint64_t bound);

/* Faults that are errors happen only while they are on; they are at the beginning of a run. */
void sim_faults_on(bool on);
/* Faults that happened so far in this run, by the name of their field; NULL: all. */
uint64_t sim_faults_seen(const char *name);

/* EXPLORE: where schedules may deviate. */
void sim_explore_from(void);
void sim_explore_to(void);

/*
 * The CPUs that the machine allows: as when a cpuset changes or a CPU goes offline. Threads move at
 * once: to those of their CPUs that are allowed, or to any if none of them is.
 */
void sim_allow_cpus(const np_cpu_set *cpus);

/* A file under /proc or /sys, or a variable of the environment, for the rest of the run. The texts
 * must stay where they are. NULL: there is none, as for everything that was not named. */
void sim_set_file(const char *path, const char *text);
void sim_set_environment(const char *name, const char *value);

/* An eventfd of the simulated system: its number, and how often it was signalled. */
int sim_eventfd(void);
uint64_t sim_eventfd_value(int fd);

/* What the machine knows of the fibres, for hooks. */
typedef struct sim_fibre_info {
    const char *name;
    bool asleep; /* in a futex wait */
    bool ended;
    bool runnable; /* running, or could */
    bool delayed;  /* a fault: preempted, woken or started late */
    bool working;  /* in sim_work */
    int32_t cpu;
    np_node_id node;
    struct np_worker *worker; /* that it is, or NULL */
} sim_fibre_info;
uint32_t sim_fibre_count(void);
void sim_fibre(uint32_t index, sim_fibre_info *out);
/* In a hook: nobody can run before time passes, or ever. The hook is called at each such moment
 * too; whoever sleeps beside work then, with nobody delayed or working who would see to it, does so
 * wrongly. */
bool sim_is_quiet(void);

/* Details of the macros above. */
void sim_fail_at(const char *condition, const char *file, int line, const char *text,
                 const uint64_t *numbers) __attribute__((noreturn, cold));
void sim_check_status(np_status status, const char *call, const char *file, int line);
void sim_label_at(const char *text, const uint64_t *numbers);

/* --- campaigns ----------------------------------------------------------------------------- */

typedef struct sim_case {
    const char *name;
    sim_scenario scenario;
    void *argument;
    uint32_t share; /* of the amount, in percent; 0: 100 */
    sim_config config;
} sim_case;

/*
 * PROGRAM [AMOUNT [CASE]]: so many seeds of each case (1000), from SEED_FROM (1) on; EXPLORE cases
 * make at most so many runs. With SEED=n that seed alone, and its history. Prints counted: lines;
 * returns 0, or 1 after the first failure. EVENTS=n: so many events of a history (60).
 */
int sim_main(int argc, char **argv, const sim_case *cases, size_t count);

#endif
