/*
 * Goal: the library can be used although something failed while it was loaded: the key of the
 * threads' numbers, the handlers for fork. Method: a constructor that runs before the library's
 * (the static one; programs choose the order by priority) installs the hook. The program runs
 * itself once for each point and errno, once and from there on; each child then uses a pool from
 * many threads at the same time.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"

#define THREADS 70u /* more than there are own numbers */
#define TASKS   50u

static inject_outcome at_load;
static fault_run run;

/* Before the library's own constructors, which have no priority. */
__attribute__((constructor(101))) static void install(void)
{
    const char *k = getenv("FAULT_LOAD_K");
    const char *form = getenv("FAULT_LOAD_FORM");
    const char *variant = getenv("FAULT_LOAD_VARIANT");
    inject_install();
    if (k == NULL || form == NULL || variant == NULL)
        return;
    inject_arm(&(inject_plan){.scope = INJECT_EVERYWHERE,
                              .form = strcmp(form, "from") == 0 ? INJECT_FROM : INJECT_ONCE,
                              .k = (uint32_t)strtoul(k, NULL, 10),
                              .variant = (uint32_t)strtoul(variant, NULL, 10)});
}

static void *submit(void *nothing)
{
    (void)nothing;
    for (unsigned i = 0; i < TASKS; i++)
        FAULT_NEED(np_submit_to_node(run.executor, (np_node_id)(i % 2), fault_task, &run));
    return NULL;
}

static int use(void)
{
    static const fault_case what = {.function = "loading the library", .variant = ""};
    pthread_t threads[THREADS];
    const inject_plan none = {.form = INJECT_ONCE, .k = UINT32_MAX};
    fault_drive_note(&what, &none);
    fault_make_executor(&run, TWO_NODES);
    for (unsigned i = 0; i < THREADS; i++)
        FAULT_CHECK(pthread_create(&threads[i], NULL, submit, NULL) == 0);
    for (unsigned i = 0; i < THREADS; i++)
        FAULT_CHECK(pthread_join(threads[i], NULL) == 0);
    run.expected = THREADS * TASKS;
    fault_account(&run);
    const inject_ledger nothing = {0};
    fault_release(&run);
    inject_ledger held = inject_held();
    FAULT_CHECK(inject_same(&held, &nothing));
    return at_load.fired != 0 ? 0 : 10 + (int)(at_load.points == 0);
}

/* 0: a fault fired and all was well; 10: none did. */
static int run_itself(const char *program, uint32_t k, const char *form, uint32_t variant)
{
    char k_text[16], variant_text[16];
    snprintf(k_text, sizeof k_text, "%u", k);
    snprintf(variant_text, sizeof variant_text, "%u", variant);
    (void)setenv("FAULT_LOAD_K", k_text, 1);
    (void)setenv("FAULT_LOAD_FORM", form, 1);
    (void)setenv("FAULT_LOAD_VARIANT", variant_text, 1);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl("/proc/self/exe", program, (char *)NULL);
        _exit(100);
    }
    int status = 0;
    (void)waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 101;
}

int main(int count, char **arguments)
{
    static const char *const forms[] = {"once", "from"};
    (void)count;
    at_load = inject_disarm();
    fault_drive_begin(arguments[0]);
    if (getenv("FAULT_LOAD_K") != NULL)
        return use();
    uint64_t faults = 0;
    for (int form = 0; form < 2; form++) {
        for (uint32_t k = 1;; k++) {
            bool fired = false;
            for (uint32_t variant = 0; variant < 2; variant++) {
                int outcome = run_itself(arguments[0], k, forms[form], variant);
                if (outcome != 0 && outcome != 10) {
                    printf("fault: replay: FAULT_LOAD_K=%u FAULT_LOAD_FORM=%s "
                           "FAULT_LOAD_VARIANT=%u %s\n",
                           k, forms[form], variant, arguments[0]);
                    return 1;
                }
                fired = fired || outcome == 0;
                faults += outcome == 0 ? 1 : 0;
            }
            if (!fired)
                break;
        }
    }
    printf("counted: fault | points while the library is loaded | %llu\n",
           (unsigned long long)faults);
    return faults > 0 ? 0 : 1;
}
