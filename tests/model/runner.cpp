/*
 * model/runner.cpp - arguments, Relacy's schedulers, reports: runner.h.
 */
#include "model/runner.h"
#include "model/relacy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace np_model
{

namespace
{

const case_info *running_case;

template <int threads> struct suite : rl::test_suite<suite<threads>, threads> {
    scenario *the;
    void before()
    {
        begin();
        the = running_case->build();
        the->before();
        go();
    }
    void thread(unsigned index)
    {
        the->thread(index);
    }
    void after()
    {
        halt();
        the->after();
        the->~scenario();
        end();
    }
};

/* How the schedules of a run are chosen. */
struct plan {
    int bound; /* of a tree; RANDOM_ONLY: random ones */
    unsigned long long first, last;
};

/* One run of Relacy; true: nothing failed. A failure is run again, to print its history. */
template <int threads, typename Scheduler>
bool search(rl::test_params &params, unsigned long long *executions)
{
    rl::ostringstream state, unused;
    std::ostream nowhere(nullptr);
    params.progress_stream = &nowhere;
    params.output_stream = &std::cout;
    params.execution_depth_limit = 3000;
    rl::test_result_e result = rl::run_test<suite<threads>, Scheduler>(params, state, false);
    *executions = params.stop_iteration;
    if (result == rl::test_result_success)
        return true;
    params.initial_state = state.str();
    params.collect_history = true;
    (void)rl::run_test<suite<threads>, Scheduler>(params, unused, true);
    return false;
}

template <int threads> bool run(const plan &how, unsigned long long *executions)
{
    rl::test_params params;
    if (how.bound == FULL) {
        params.search_type = rl::sched_full;
        return search<threads, rl::full_search_scheduler<threads>>(params, executions);
    }
    if (how.bound != RANDOM_ONLY) {
        params.search_type = rl::sched_bound;
        params.context_bound = (unsigned)how.bound;
        return search<threads, rl::context_bound_scheduler<threads>>(params, executions);
    }
    char first[32];
    snprintf(first, sizeof first, "%llu ", how.first);
    params.search_type = rl::sched_random;
    params.initial_state = first;
    params.iteration_count = how.last;
    return search<threads, rl::random_scheduler<threads>>(params, executions);
}

bool run(const plan &how, unsigned long long *executions)
{
    switch (running_case->threads) {
    case 2: return run<2>(how, executions);
    case 3: return run<3>(how, executions);
    default: return run<4>(how, executions);
    }
}

void describe(char *text, size_t bytes, const plan &how, const char *kind)
{
    char schedules[40] = "random";
    if (how.bound == FULL)
        snprintf(schedules, sizeof schedules, "full search");
    else if (how.bound != RANDOM_ONLY)
        snprintf(schedules, sizeof schedules, "at most %d preemptions", how.bound);
    snprintf(text, bytes, "%s, %s%s", running_case->name, schedules, kind);
}

void report_failure(request &r, const plan &how, const char *text, unsigned long long execution)
{
    std::cout.flush();
    printf("FAILED: %s, execution %llu; its history is above\nreplay: ", text, execution);
    if (how.bound == RANDOM_ONLY)
        printf("SEED=%llu ", execution);
    printf("%s %s0 %s\n", r.program, r.soak ? "--soak " : "", running_case->name);
    fflush(stdout);
    r.failed = true;
}

bool search_tree(request &r, const char *kind)
{
    const plan how = {running_case->bound, 0, 0};
    char text[160];
    describe(text, sizeof text, how, kind);
    set_every_access(false);
    set_spurious(1);
    forget_conflicts();
    unsigned long long executions;
    do { /* until the search has met no address that it did not know to be shared */
        if (!run(how, &executions)) {
            report_failure(r, how, text, executions);
            return false;
        }
    } while (learn_conflicts());
    printf("counted: model | schedules of %s | %llu\n", text, executions);
    fflush(stdout);
    return true;
}

bool search_random(request &r, const char *kind)
{
    if (r.random == 0 && !r.alone)
        return true;
    const plan how = {RANDOM_ONLY, r.first, r.alone ? r.first : r.first + r.random - 1};
    char text[160];
    describe(text, sizeof text, how, kind);
    set_every_access(true);
    set_spurious(3);
    unsigned long long last;
    if (!run(how, &last)) {
        report_failure(r, how, text, last);
        return false;
    }
    printf("counted: model | schedules of %s | %llu\n", text, last - how.first + 1);
    fflush(stdout);
    return true;
}

bool wanted(const request &r, const char *name)
{
    for (int i = 0; i < r.names; i++)
        if (strncmp(name, r.name[i], strlen(r.name[i])) == 0)
            return true;
    return r.names == 0;
}

unsigned long long number(const char *text)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text == '\0' || *end != '\0') {
        fprintf(stderr, "'%s' is no number\n", text);
        exit(2);
    }
    return value;
}

} // namespace

request read_request(int argc, char **argv)
{
    request r = {};
    r.program = argv[0];
    r.first = 1;
    if (const char *text = getenv("FIRST"))
        r.first = number(text);
    if (const char *text = getenv("SEED")) {
        r.first = number(text);
        r.alone = true;
    }
    int at = 1;
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        r.soak |= strcmp(argv[at], "--soak") == 0;
        r.list |= strcmp(argv[at], "--list") == 0;
    }
    if (at < argc)
        r.random = number(argv[at++]);
    r.names = argc - at;
    r.name = argv + at;
    return r;
}

void run_case(request &r, const case_info &info)
{
    if (!wanted(r, info.name))
        return;
    if (r.list) {
        puts(info.name);
        return;
    }
    running_case = &info;
    static const struct {
        fences kind;
        const char *name;
    } kinds[] = {{fences::full, ", full fences"}, {fences::asymmetric, ", asymmetric fences"}};
    for (int i = 0; i < (info.fences ? 2 : 1); i++) {
        const char *kind = info.fences ? kinds[i].name : "";
        set_fences(kinds[i].kind);
        if (!r.alone && info.bound != RANDOM_ONLY && !search_tree(r, kind))
            return;
        if (!search_random(r, kind))
            return;
    }
}

} // namespace np_model
