/*
 * What the walks share; see walk.h. Waiting enters no shared object and calls the kernel in line,
 * because what is executed in the library or on its behalf is counted.
 */
#include "walk.h"

#include <linux/futex.h>
#include <sys/syscall.h>

#if defined(NPT_COUNT_LINES)
#include "lines.h"
#else
#include <valgrind/callgrind.h>
#endif

np_executor *executor;
np_node_id node;
np_group *group;

#if defined(NPT_COUNT_LINES)

void begin(const char *name, unsigned steps)
{
    count_lines_begin(name, steps);
}

void end(void)
{
    count_lines_end();
}

#else

static _Thread_local char stretch[32];

void begin(const char *name, unsigned steps)
{
    (void)snprintf(stretch, sizeof stretch, "%s %u", name, steps);
    CALLGRIND_DUMP_STATS; /* of the calling thread; counts start afresh */
}

void end(void)
{
    CALLGRIND_DUMP_STATS_AT(stretch);
}

#endif

void check(np_status status, const char *what)
{
    if (status == NP_OK)
        return;
    fprintf(stderr, "%s: %s: %s\n", what, np_status_name(status), np_error_detail());
    exit(1);
}

static inline void futex(np_atomic(uint32_t) *word, int operation, uint32_t value)
{
    register long r10 __asm__("r10") = 0;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)SYS_futex), "D"(word), "S"((long)operation), "d"((long)value),
                       "r"(r10)
                     : "rcx", "r11", "memory");
    (void)result;
}

void raise_to(np_atomic(uint32_t) *word, uint32_t value)
{
    npi_store_release(word, value);
    futex(word, FUTEX_WAKE_PRIVATE, INT32_MAX);
}

void await(np_atomic(uint32_t) *word, uint32_t value)
{
    for (;;) {
        uint32_t now = npi_load_acquire(word);
        if ((int32_t)(now - value) >= 0)
            return;
        futex(word, FUTEX_WAIT_PRIVATE, now);
    }
}

void let_others_run(void)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)SYS_sched_yield)
                     : "rcx", "r11", "memory");
    (void)result;
}

void await_asleep(uint32_t workers)
{
    uint32_t asleep = 0;
    while (asleep != workers) {
        let_others_run();
        asleep = 0;
        for (uint32_t i = 0; i < executor->regular_count; i++)
            if (npi_load_acquire(&executor->seats[i]->token.state) == NPI_TOKEN_ASLEEP)
                asleep++;
    }
}

void nothing(void *argument)
{
    (void)argument;
}

/* Where the kernel makes no other thread pass a fence, each side has one of its own (os/fence.h).
 */
static void need_membarrier(void)
{
    enum { QUERY = 0, PRIVATE_EXPEDITED = 1 << 3 };
    long offered;
    __asm__ volatile("syscall"
                     : "=a"(offered)
                     : "0"((long)SYS_membarrier), "D"((long)QUERY), "S"(0l), "d"(0l)
                     : "rcx", "r11", "memory");
    if (offered < 0 || (offered & PRIVATE_EXPEDITED) == 0) {
        puts("skipped: without membarrier the fences are others");
        exit(77);
    }
}

void create_spinning(uint32_t workers, uint32_t spin_ns)
{
    np_topology *topology = NULL;
    need_membarrier();
    check(np_topology_from_synthetic("numa:1 core:4 pu:1", &topology), "topology");
    check(np_executor_create(topology,
                             NP_EXECUTOR_OPTIONS(.workers_per_node = workers,
                                                 .binding = NP_BINDING_OFF, .spin_ns = spin_ns,
                                                 .ignore_environment = true),
                             &executor),
          "executor");
    np_topology_destroy(topology);
    check(np_group_create(NULL, &group), "group");
    node = executor->nodes[0]->id;
}

void create(uint32_t workers)
{
    create_spinning(workers, NP_SPIN_NONE);
    await_asleep(workers);
    /* What only the first submit does is done. */
    check(np_submit_to_node(executor, node, nothing, NULL), "submit");
    await_asleep(workers);
}
