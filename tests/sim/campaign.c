/*
 * campaign.c - sim_main: so many seeds of each case, the counts, and what a failure prints. A crash
 * of the library (an access to what is unmapped, a stack that is full) is a failure too.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim_internal.h"

#define SHOWN 60u

static const char *program;
static const sim_case *current;

typedef struct totals {
    uint64_t runs, points, switches;
    uint64_t faults[NPT_FAULTS];
    uint64_t kinds[SIM_EXPLORE + 1], buffered;
} totals;

static uint64_t number_of(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text != NULL && *text != '\0' ? strtoull(text, NULL, 10) : otherwise;
}

static const char *schedule_name(sim_schedule schedule)
{
    switch (schedule) {
    case SIM_RANDOM: return "random";
    case SIM_PCT: return "by priority";
    case SIM_TIMED: return "timed";
    case SIM_EXPLORE: return "in order";
    case SIM_BY_SEED: break;
    }
    return "by seed";
}

static void report_failure(const char *message, uint64_t seed, uint64_t runs, bool in_order)
{
    const npt_machine *m = &npt_sim;
    printf("\nfailed: %s, seed %llu (run %llu): %s\n", current->name, (unsigned long long)seed,
           (unsigned long long)runs, message);
    printf("schedule %s%s; the last events:\n", schedule_name(m->schedule),
           m->buffers ? ", with store buffers" : "");
    sim_print_history((size_t)number_of("EVENTS", SHOWN));
    if (in_order)
        printf("replay: %s %llu '%s'\n", program, (unsigned long long)runs, current->name);
    else
        printf("replay: SEED=%llu %s 1 '%s'\n", (unsigned long long)seed, program, current->name);
    fflush(stdout);
}

/* On a stack of its own: the fibre's may be full. Nothing goes on after it, so that printing from a
 * handler is the least of our worries. */
static void crashed(int number)
{
    signal(number, SIG_DFL);
    char message[64];
    snprintf(message, sizeof message, "crash: signal %d in %s", number,
             npt_sim.running ? npt_sim.self->name : "the simulation itself");
    if (current != NULL)
        report_failure(message, npt_sim.seed, 0, npt_sim.schedule == SIM_EXPLORE);
    raise(number);
    _exit(1);
}

static void catch_crashes(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    static char stack[64 * 1024];
    stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = crashed;
    action.sa_flags = SA_ONSTACK | SA_NODEFER;
    if (sigaltstack(&own, NULL) != 0)
        return;
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        (void)sigaction(signals[i], &action, NULL);
#else
    (void)crashed;
#endif
}

static void add(totals *sum, const sim_result *result)
{
    const npt_machine *m = &npt_sim;
    sum->runs++;
    sum->points += result->points;
    sum->switches += result->switches;
    sum->kinds[m->schedule]++;
    sum->buffered += m->buffers;
    for (int i = 0; i < NPT_FAULTS; i++)
        sum->faults[i] += m->faults_count[i];
}

static void count(const char *what, const char *name, uint64_t number)
{
    if (number != 0)
        printf("counted: sim | %s%s | %llu\n", what, name, (unsigned long long)number);
}

static bool run_seeds(uint64_t amount, totals *sum)
{
    uint64_t from = number_of("SEED_FROM", 1);
    uint64_t runs = 0;
    for (uint64_t seed = from; seed - from < amount; seed++) {
        sim_result result;
        bool good = sim_run(&current->config, current->scenario, current->argument, seed, &result);
        add(sum, &result);
        runs++;
        if (!good) {
            report_failure(result.message, seed, runs, false);
            return false;
        }
    }
    count("schedules of ", current->name, runs);
    return true;
}

static bool run_in_order(uint64_t amount, totals *sum)
{
    sim_result result;
    uint64_t runs;
    bool whole;
    bool good = sim_explore(&current->config, current->scenario, current->argument, amount, &runs,
                            &whole, &result);
    sum->runs += runs;
    if (!good) {
        report_failure(result.message, 0, runs, true);
        return false;
    }
    char what[96];
    snprintf(what, sizeof what, "schedules in order%s of ", whole ? ", all," : "");
    count(what, current->name, runs);
    return true;
}

static bool run_one(uint64_t seed)
{
    sim_result result;
    bool good = sim_run(&current->config, current->scenario, current->argument, seed, &result);
    if (!good) {
        report_failure(result.message, seed, 1, false);
        return false;
    }
    printf("%s, seed %llu: good; %llu points, %llu switches, %llu faults, print %016llx\n",
           current->name, (unsigned long long)seed, (unsigned long long)result.points,
           (unsigned long long)result.switches, (unsigned long long)result.faults,
           (unsigned long long)result.print);
    if (getenv("EVENTS") != NULL)
        sim_print_history((size_t)number_of("EVENTS", SHOWN));
    return true;
}

int sim_main(int argc, char **argv, const sim_case *cases, size_t case_count)
{
    uint64_t amount = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000;
    const char *only = argc > 2 ? argv[2] : NULL;
    const char *seed = getenv("SEED");
    totals sum = {0};
    bool found = false;
    program = argv[0];
    catch_crashes();
    for (size_t i = 0; i < case_count; i++) {
        current = &cases[i];
        if (only != NULL && strcmp(only, current->name) != 0)
            continue;
        found = true;
        uint64_t share = amount * (current->share != 0 ? current->share : 100) / 100;
        share = share != 0 ? share : 1;
        bool in_order = current->config.schedule == SIM_EXPLORE;
        bool good;
        if (seed != NULL && *seed != '\0' && !in_order)
            good = run_one(strtoull(seed, NULL, 10));
        else
            good = in_order ? run_in_order(share, &sum) : run_seeds(share, &sum);
        if (!good)
            return 1;
    }
    if (!found) {
        fprintf(stderr, "%s: there is no case %s\n", program, only);
        return 2;
    }
    count("scheduling points", "", sum.points);
    count("switches of fibres", "", sum.switches);
    count("schedules with store buffers", "", sum.buffered);
    for (int i = SIM_RANDOM; i < SIM_EXPLORE; i++)
        count("schedules ", schedule_name((sim_schedule)i), sum.kinds[i]);
    for (int i = 0; i < NPT_FAULTS; i++)
        count("faults injected: ", npt_fault_name((npt_fault)i), sum.faults[i]);
    return 0;
}
