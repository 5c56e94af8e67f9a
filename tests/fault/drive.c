/*
 * tests/fault/drive.c - see drive.h. Each run has a thread of its own, so that everything the
 * library keeps per thread (its number, its failure detail) begins anew.
 */
#include "drive.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"
#include "os/fence.h"

#define MARK "nothing has failed"

static const char *program_name;
static const fault_case *current;
static inject_plan current_plan;
static char replay[512];
static unsigned watchdog_seconds = 60;

void fault_drive_begin(const char *program)
{
    program_name = program;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    inject_install();
}

static const char *const scope_names[] = {"inside", "elsewhere", "everywhere"};
static const char *const form_names[] = {"once", "from", "random"};

static void write_replay(void)
{
    const inject_plan *plan = &current_plan;
    if (plan->form == INJECT_RANDOM)
        snprintf(replay, sizeof replay, "SEED=%llu %s --rate %u 1", (unsigned long long)plan->seed,
                 program_name, plan->per_thousand);
    else
        snprintf(replay, sizeof replay,
                 "%s --case '%s:%s' --scope %s --form %s --k %u --variant %u", program_name,
                 current->function, current->variant, scope_names[plan->scope],
                 form_names[plan->form], plan->k, plan->variant);
}

void fault_failed(const char *file, int line, const char *format, ...)
{
    inject_outcome outcome = inject_disarm();
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    printf("fault: %s:%s: %s:%d: %s\n", current->function, current->variant, file, line, message);
    printf("    %u of %u points failed, the first %s with %s (errno %d)\n", outcome.fired,
           outcome.points, inject_call_text(outcome.call), inject_errno_name(outcome.error),
           outcome.error);
    printf("    replay: %s\n", replay);
    fflush(stdout);
    _exit(1);
}

/* The run hangs: only what may be called in a handler. */
static void too_long(int number)
{
    (void)number;
    static const char text[] = "fault: hangs; replay: ";
    (void)!write(STDOUT_FILENO, text, sizeof text - 1);
    (void)!write(STDOUT_FILENO, replay, strlen(replay));
    (void)!write(STDOUT_FILENO, "\n", 1);
    abort();
}

void fault_begin(fault_run *run)
{
    (void)npi_fail(NP_OK, MARK);
    npi_store_release(&run->calling, 1u);
    inject_enter();
}

void fault_end(fault_run *run)
{
    inject_leave();
    /* Of several calls the last one's that failed. */
    if (run->text[0] == '\0' || strcmp(np_error_detail(), MARK) != 0)
        snprintf(run->text, sizeof run->text, "%s", np_error_detail());
}

/* --- what holds for every call --------------------------------------------------------------- */

static bool names_a_call(const char *text)
{
    for (int call = 0; call < NPI_CALL_COUNT; call++)
        if (strstr(text, inject_call_text((npi_call)call)) != NULL)
            return true;
    return false;
}

static void judge_status(const fault_run *run, const inject_outcome *outcome)
{
    if (run->status == NP_OK && current->natural == NP_OK)
        return;
    if (run->status != current->natural) {
        bool allowed = false;
        if (outcome->fired == 0)
            fault_failed(__FILE__, __LINE__, "%s without any fault: %s",
                         np_status_name(run->status), run->text);
        for (size_t i = 0; i < 5 && current->allowed[i] != NP_OK; i++)
            allowed = allowed || current->allowed[i] == run->status;
        if (!allowed)
            fault_failed(__FILE__, __LINE__, "%s is not among its errors (%s)",
                         np_status_name(run->status), run->text);
    }
    bool named = names_a_call(run->text) || strstr(run->text, "memory") != NULL ||
                 strstr(run->text, "cannot grow") != NULL ||
                 (current->thing != NULL && strstr(run->text, current->thing) != NULL);
    if (run->status != NP_OK && (!named || strcmp(run->text, MARK) == 0))
        fault_failed(__FILE__, __LINE__, "%s: the detail \"%s\" names neither call nor thing",
                     np_status_name(run->status), run->text);
}

static size_t open_files(void)
{
    size_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL)
        return 0;
    while (readdir(directory) != NULL)
        count++;
    (void)closedir(directory);
    return count;
}

static void judge_leaks(const inject_ledger *before, size_t files_before)
{
    inject_ledger after = inject_held();
    if (!inject_same(before, &after))
        fault_failed(
            __FILE__, __LINE__,
            "left behind: %lld blocks of %lld bytes, %lld bytes mapped, %lld threads, "
            "%lld files",
            (long long)(after.blocks - before->blocks), (long long)(after.bytes - before->bytes),
            (long long)(after.mapped - before->mapped),
            (long long)(after.threads - before->threads), (long long)(after.files - before->files));
    size_t files_after = open_files();
    if (files_after != files_before)
        fault_failed(__FILE__, __LINE__, "%zu file descriptors were open, now %zu", files_before,
                     files_after);
}

/* --- one run --------------------------------------------------------------------------------- */

static void *run_main(void *argument)
{
    inject_outcome *outcome = argument;
    fault_run *run = calloc(1, sizeof *run);
    if (run == NULL)
        abort();
    if (current->prepare != NULL)
        current->prepare(run);
    npi_store_release(&run->calling, 0u);
    inject_arm(&current_plan);
    current->call(run);
    *outcome = inject_disarm();
    judge_status(run, outcome);
    if (current->check != NULL)
        current->check(run, outcome->fired != 0);
    fault_release(run);
    free(run);
    return NULL;
}

void fault_watchdog(unsigned seconds)
{
    watchdog_seconds = seconds;
}

void fault_drive_note(const fault_case *what, const inject_plan *plan)
{
    current = what;
    current_plan = *plan;
    write_replay();
}

inject_outcome fault_drive(const fault_case *what, const inject_plan *plan)
{
    inject_outcome outcome = {0};
    pthread_t thread;
    fault_drive_note(what, plan);
    (void)signal(SIGALRM, too_long);
    (void)alarm(watchdog_seconds);
    inject_ledger before = inject_held();
    size_t files = open_files();
    if (pthread_create(&thread, NULL, run_main, &outcome) != 0)
        abort();
    (void)pthread_join(thread, NULL);
    judge_leaks(&before, files);
    (void)alarm(0);
#if !defined(NPI_TSAN)
    /* A membarrier that failed is never asked for again; the next run shall be asked anew. No
     * executor is alive that could see the change. */
    npi_store_relaxed(&npi_fences, (uint32_t)NPI_FENCES_FULL);
#endif
    return outcome;
}

const fault_case *fault_case_at(size_t index)
{
    const fault_list *const lists[] = {
        &fault_machine_cases, &fault_memory_cases, &fault_array_cases,   &fault_executor_cases,
        &fault_submit_cases,  &fault_group_cases,  &fault_channel_cases, &fault_pipeline_cases,
        &fault_stats_cases,   &fault_near_cases,   &fault_region_cases,  &fault_sharded_cases,
        &fault_buffer_cases,  &fault_ready_cases,  &fault_loop_cases,    &fault_device_cases,
        &fault_pure_cases};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        if (index < lists[i]->count)
            return &lists[i]->cases[index];
        index -= lists[i]->count;
    }
    return NULL;
}
