/*
 * Goal: the judges of the fault tests find what they exist for. Method: cases with one planted
 * mistake each run in a child process, which must fail and say why. One without a mistake passes.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/status.h"
#include "drive.h"
#include "os/os.h"

static void good(fault_run *run)
{
    FAULT_CALL(run, np_group_create(NULL, &run->group));
}

static np_status leak_block(void)
{
    (void)npi_alloc(100, 0);
    return NP_OK;
}

static np_status leak_mapping(void)
{
    void *memory = NULL;
    return npi_os_map(4096, 0, &memory) == 0 ? NP_OK : npi_fail_memory(4096, "a planted leak");
}

static np_status leak_file(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0 ? NP_OK : NP_ERR_SYSTEM;
}

/* Gives back twice what it took, by the ledger. */
static np_status give_too_much(void)
{
    npi_free(calloc(1, 100), 100);
    return NP_OK;
}

static void idle_thread(void *nothing)
{
    (void)nothing;
}

static np_status leak_thread(void)
{
    static npi_os_thread thread;
    return npi_os_thread_start(&thread, 0, idle_thread, NULL) == 0
               ? NP_OK
               : npi_fail(NP_ERR_SYSTEM, "mmap");
}

/* What a call does that forgets the detail, or returns what its header does not name. */
static np_status silent_failure(void)
{
    void *memory = npi_alloc(100, 0);
    npi_free(memory, 100);
    return memory == NULL ? NP_ERR_NO_MEMORY : NP_OK;
}

static np_status vague_failure(void)
{
    void *memory = npi_alloc(100, 0);
    npi_free(memory, 100);
    return memory == NULL ? npi_fail(NP_ERR_NO_MEMORY, "something went wrong") : NP_OK;
}

static np_status other_status(void)
{
    void *memory = npi_alloc(100, 0);
    npi_free(memory, 100);
    return memory == NULL ? npi_fail(NP_ERR_BUSY, "no memory") : NP_OK;
}

static np_status always_fails(void)
{
    return npi_fail(NP_ERR_NO_MEMORY, "no memory");
}

static np_status hang(void)
{
    np_atomic(uint32_t) nobody = 0;
    while (npi_load_acquire(&nobody) == 0)
        (void)npi_os_futex_wait(&nobody, 0, NPI_NO_DEADLINE);
    return NP_OK;
}

#define DEFINE(name)                        \
    static void call_##name(fault_run *run) \
    {                                       \
        FAULT_CALL(run, name());            \
    }
DEFINE(leak_block)
DEFINE(leak_mapping)
DEFINE(leak_file)
DEFINE(give_too_much)
DEFINE(leak_thread)
DEFINE(silent_failure)
DEFINE(vague_failure)
DEFINE(other_status)
DEFINE(always_fails)
DEFINE(hang)

static void make_pool(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
}

/* A submit whose task is lost, and one whose task runs twice, as the account sees them. */
static void lose(fault_run *run)
{
    FAULT_CALL(run, np_submit(run->executor, fault_task, run));
    run->expected = 2;
}

static void twice(fault_run *run)
{
    FAULT_CALL(run, np_submit(run->executor, fault_task, run));
    FAULT_CALL(run, np_submit(run->executor, fault_task, run));
    run->expected = 1;
}

static void account(fault_run *run, bool fired)
{
    (void)fired;
    fault_account(run);
}

typedef struct planted {
    fault_case what;
    const char *says; /* NULL: nothing is wrong */
} planted;

#define PLANT(name, text)                                                                       \
    {                                                                                           \
        {.function = #name, .variant = "", .call = call_##name, .allowed = {NP_ERR_NO_MEMORY}}, \
            text                                                                                \
    }

static const planted list[] = {
    {{.function = "good", .variant = "", .call = good, .allowed = {NP_ERR_NO_MEMORY}}, NULL},
    PLANT(leak_block, "left behind: 1 blocks of 100 bytes"),
    PLANT(leak_mapping, "4096 bytes mapped"),
    PLANT(leak_file, "file descriptors were open"),
    PLANT(give_too_much, "left behind: -1 blocks"),
    PLANT(leak_thread, "1 threads"),
    PLANT(silent_failure, "names neither call nor thing"),
    PLANT(vague_failure, "names neither call nor thing"),
    PLANT(other_status, "NP_ERR_BUSY is not among its errors"),
    PLANT(always_fails, "without any fault"),
    PLANT(hang, "hangs"),
    {{.function = "lose", .variant = "", .prepare = make_pool, .call = lose, .check = account},
     "1 tasks have run, not 2"},
    {{.function = "twice", .variant = "", .prepare = make_pool, .call = twice, .check = account},
     "2 tasks have run, not 1"},
};

/* Without a fault, and with the first point failing. */
static void child(const fault_case *what, int to)
{
    (void)dup2(to, STDOUT_FILENO);
    (void)close(to);
    fault_drive_begin("fault_itself");
    fault_watchdog(3);
    fault_drive(what, &(inject_plan){.form = INJECT_ONCE, .k = UINT32_MAX});
    fault_drive(what, &(inject_plan){.form = INJECT_ONCE, .k = 1});
    _exit(0);
}

static bool judge(const planted *p)
{
    char text[4000];
    size_t length = 0;
    int ends[2], status = 0;
    if (pipe(ends) != 0)
        abort();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(ends[0]);
        child(&p->what, ends[1]);
    }
    (void)close(ends[1]);
    for (ssize_t got = 1; got > 0 && length < sizeof text - 1; length += (size_t)got) {
        got = read(ends[0], text + length, sizeof text - 1 - length);
        if (got < 0)
            got = 0;
    }
    text[length] = '\0';
    (void)close(ends[0]);
    (void)waitpid(pid, &status, 0);
    bool passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    bool right = p->says == NULL ? passed : !passed && strstr(text, p->says) != NULL;
    if (!right)
        printf("planted %s: %s, saying: %s\n", p->what.function, passed ? "accepted" : "found",
               text);
    return right;
}

int main(void)
{
    unsigned found = 0, wrong = 0;
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        if (!judge(&list[i]))
            wrong++;
        else if (list[i].says != NULL)
            found++;
    }
    printf("counted: fault | planted mistakes found by its own judges | %u\n", found);
    return wrong != 0;
}
