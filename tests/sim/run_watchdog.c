/*
 * run_watchdog.c - the watchdog beside tasks that end, wait, and do not come back.
 *
 * Goal: on every schedule a task that stays is reported, once, with its own label and no longer
 * than it has run; nobody else is; and an executor ends whatever its watchdog is doing then.
 * Method: some tasks stay until the handler has been told of them; a watchdog that sleeps beside
 * one is a run without an end. Another thread asks who is stuck all the time.
 */
#include <stdio.h>
#include <string.h>

#include "sim.h"

#define LIMIT_NS 1000000u
#define TASKS    8u
#define WORKERS  4u
#define ASKS     20u

typedef struct job {
    struct world *w;
    const char *label;
    uint64_t sent_ns;
    uint64_t begun_ns; /* not before; 0: not running */
    uint32_t reports;
    bool stays; /* until it is reported */
    bool waits; /* for a task in a group of its own first */
} job;

typedef struct world {
    np_executor *executor;
    uint64_t free_ns[WORKERS]; /* when its last task ended */
    job jobs[TASKS];
} world;

static const char *const labels[TASKS] = {"0", "1", "2", "3", "4", "5", "6", "7"};

static void small(void *argument)
{
    (void)argument;
    np_task_label("small");
    sim_work(sim_random(LIMIT_NS / 2));
}

static void wait_for_another(world *w)
{
    np_group *group = NULL;
    sim_check_ok(np_group_create(NULL, &group));
    sim_check_ok(np_group_submit(group, w->executor, small, NULL));
    np_status status = np_group_wait(group);
    sim_check(status == NP_OK || status == NP_ERR_CANCELLED, "a wait gives #", (uint64_t)status);
    sim_check_ok(np_group_destroy(group));
}

/* Or so they say: a report may have come before it had its label. */
static bool is_stuck(const job *j)
{
    np_stuck_task stuck[8];
    size_t count = np_executor_stuck_tasks(j->w->executor, stuck, 8);
    for (size_t i = 0; i < count; i++)
        if (stuck[i].label == j->label)
            return true;
    return false;
}

static void task(void *argument)
{
    job *j = argument;
    uint64_t *free_ns = &j->w->free_ns[np_current_worker_index()];
    /* The worker may have stood still since it began. */
    j->begun_ns = *free_ns > j->sent_ns ? *free_ns : j->sent_ns;
    np_task_label(j->label);
    sim_work(sim_random(LIMIT_NS / 4));
    if (j->waits)
        wait_for_another(j->w);
    while (j->stays && j->reports == 0 && !is_stuck(j))
        sim_work(LIMIT_NS / 10);
    np_task_label(NULL);
    j->begun_ns = 0;
    *free_ns = sim_now();
}

static void check_time(const job *j, uint64_t ns)
{
    uint64_t now = sim_now();
    sim_check(j->begun_ns == 0 || ns <= now - j->begun_ns, "task @: stuck for # ns of #",
              (uint64_t)(uintptr_t)j, ns, now - j->begun_ns);
}

/* The message was made when the task was seen: it may have ended since. */
static void on_report(void *context, np_severity severity, const char *message)
{
    world *w = context;
    double seconds = 0;
    const char *label = strstr(message, "label \"");
    const char *time = strstr(message, "in one task for ");
    if (severity != NP_SEVERITY_WARNING || time == NULL || label == NULL ||
        sscanf(time, "in one task for %lf", &seconds) != 1 || label[7] < '0' || label[7] > '7')
        return;
    job *j = &w->jobs[label[7] - '0'];
    j->reports++;
    sim_check(j->waits || j->reports == 1, "# reports of one task", j->reports);
    check_time(j, (uint64_t)(seconds * 1e9 + 0.5) / 1000000 * 1000000 - 1000000);
}

static void ask(void *argument)
{
    world *w = argument;
    for (uint32_t i = 0; i < ASKS; i++) {
        np_stuck_task stuck[8];
        size_t count = np_executor_stuck_tasks(w->executor, stuck, 8);
        sim_check(count <= WORKERS, "# workers of # are stuck", count, (uint64_t)WORKERS);
        for (size_t k = 0; k < count; k++) {
            sim_check(stuck[k].stuck_ns < UINT64_C(3600000000000), "stuck for # ns",
                      stuck[k].stuck_ns);
            for (uint32_t n = 0; n < TASKS; n++)
                if (stuck[k].label == labels[n])
                    check_time(&w->jobs[n], stuck[k].stuck_ns);
        }
        sim_work(sim_random(LIMIT_NS / 2));
    }
}

static void scenario(void *argument)
{
    const np_executor_options *options = argument;
    static world w;
    memset(&w, 0, sizeof w);
    np_topology *topology = sim_topology();
    np_set_diagnostic_handler(on_report, &w);
    sim_check_ok(np_executor_create(topology, options, &w.executor));
    np_topology_destroy(topology);
    sim_thread *asker = sim_thread_start("asks", ask, &w);
    for (uint32_t i = 0; i < TASKS; i++) {
        job *j = &w.jobs[i];
        *j = (job){.w = &w, .label = labels[i], .sent_ns = sim_now()};
        j->stays = sim_random(2) == 0;
        j->waits = sim_random(4) == 0;
        sim_check_ok(np_submit(w.executor, task, j));
        if (sim_random(2) == 0) /* let it sleep now and then */
            sim_work(sim_random(2 * LIMIT_NS));
    }
    sim_thread_join(asker);
    np_status status = np_executor_shutdown_within(w.executor, sim_random(LIMIT_NS), NULL);
    sim_check(status == NP_OK || status == NP_ERR_TIMEOUT, "a timed shutdown gives #",
              (uint64_t)status);
    sim_check_ok(np_executor_destroy(w.executor));
    np_set_diagnostic_handler(NULL, NULL);
}

int main(int argc, char **argv)
{
    static np_executor_options plain = {.size = sizeof plain, .watchdog_ns = LIMIT_NS};
    static np_executor_options asleep = {
        .size = sizeof asleep, .watchdog_ns = LIMIT_NS, .spin_ns = NP_SPIN_NONE};
    const sim_config config = {.faults = SIM_HARMLESS_FAULTS, .time_limit_ns = 2000000000};
    const sim_case cases[] = {
        {.name = "stay", .scenario = scenario, .argument = &plain, .config = config},
        {.name = "stay, no spinning", .scenario = scenario, .argument = &asleep, .config = config},
    };
    return sim_main(argc, argv, cases, sizeof cases / sizeof cases[0]);
}
