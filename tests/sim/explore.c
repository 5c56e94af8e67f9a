/*
 * explore.c - schedules in order: depth first through all that deviate from the default at most so
 * many times. A deviation is a choice other than going on as long as one can, then in turn; so this
 * bounds preemptions (Musuvathi and Qadeer, "Iterative Context Bounding", 2007) and, at waits, the
 * departures from the order (Emmi et al., "Delay-Bounded Scheduling", 2011).
 */
#include <stdio.h>
#include <stdlib.h>

#include "sim_internal.h"

typedef struct decision {
    uint32_t choice, count;
} decision;

static decision *path; /* of this run; the first `given` are replayed */
static uint32_t length, given, room;
static uint32_t deviations, most_deviations;
static bool window;

void npt_explore_begin_run(void)
{
    length = 0;
    deviations = 0;
    window = false;
}

void sim_explore_from(void)
{
    window = true;
    npt_hurry();
}

void sim_explore_to(void)
{
    window = false;
}

bool npt_explore_open(void)
{
    return window && (deviations < most_deviations || length < given);
}

uint32_t npt_explore_choose(uint32_t count)
{
    if (count < 2 || !npt_explore_open())
        return 0;
    if (length == room) {
        room = room != 0 ? room * 2 : 1024;
        path = realloc(path, room * sizeof *path);
        if (path == NULL)
            abort();
    }
    if (length >= given)
        path[length] = (decision){0, count};
    uint32_t choice = path[length++].choice;
    if (choice != 0)
        deviations++;
    return choice < count ? choice : 0;
}

/* The next path in order; false: that was the last. */
static bool advance(void)
{
    uint32_t used = deviations;
    while (length > 0) {
        decision *last = &path[length - 1];
        bool was = last->choice != 0;
        if (last->choice + 1 < last->count && (was || used < most_deviations)) {
            last->choice++;
            given = length;
            return true;
        }
        used -= was;
        length--;
    }
    return false;
}

bool sim_explore(const sim_config *config, sim_scenario scenario, void *argument, uint64_t most,
                 uint64_t *runs, bool *whole, sim_result *result)
{
    sim_config ours = *config;
    ours.schedule = SIM_EXPLORE;
    most_deviations = config->explore_deviations != 0 ? config->explore_deviations : 2;
    given = 0;
    *whole = false;
    for (*runs = 1;; (*runs)++) {
        if (!sim_run(&ours, scenario, argument, 1, result)) /* the rest of a run must not differ */
            return false;
        if (!advance()) {
            *whole = true;
            return true;
        }
        if (most != 0 && *runs == most)
            return true;
    }
}
