/*
 * os/process.c - which process this is, what it may do, and its environment.
 *
 * The generation is a counter that a forked child finds changed. It is kept by a pthread_atfork
 * handler, which is registered when the library is loaded, before any handle can exist. A child
 * made by a bare clone system call, or by vfork, keeps its parent's generation: the first is beyond
 * what any library with threads can support, and in the second nothing but exec is allowed.
 */
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/call.h"
#include "os/library.h"
#include "os/os.h"

/* Written only in a child while it has one thread; read by any thread. */
static np_atomic(uint32_t) generation = 1;

/* npi_os_at_fork; written by any thread, always with the same function. */
typedef void (*fork_fn)(void);
static np_atomic(fork_fn) at_fork;

static void renumber_child(void)
{
    /* Relaxed: the child has no other thread yet. */
    uint32_t next = npi_load_relaxed(&generation) + 1u;
    npi_store_relaxed(&generation, next != 0 ? next : 1u);
    fork_fn then = npi_load_relaxed(&at_fork);
    if (then != NULL)
        then();
}

void npi_os_at_fork(void (*in_child)(void))
{
    /* Relaxed: a thread that forks an executor's process has learned of the executor. */
    npi_store_relaxed(&at_fork, in_child);
}

__attribute__((constructor)) static void watch_forks(void)
{
    /* Fails only when there is no memory at load time; then forked children go unnoticed. */
    (void)npi_library_atfork(renumber_child);
}

uint32_t npi_os_process_generation(void)
{
    /* Relaxed: the value changes only by fork, which orders everything. */
    return npi_load_relaxed(&generation);
}

const char *npi_os_environment(const char *name)
{
    return secure_getenv(name);
}

const char *npi_os_environment_next(const char *prefix, size_t *at)
{
    for (size_t i = 0; environ != NULL && environ[i] != NULL; i++) {
        char name[256] = "";
        size_t length = strcspn(environ[i], "=");
        if (i < *at || length >= sizeof name || strncmp(environ[i], prefix, strlen(prefix)) != 0)
            continue;
        memcpy(name, environ[i], length);
        *at = i + 1;
        if (secure_getenv(name) != NULL) /* not in a set-user-id program */
            return environ[i];
    }
    return NULL;
}

int npi_os_locked_memory_limit(uint64_t *bytes)
{
    struct rlimit limit;
    int error = npi_library_getrlimit(RLIMIT_MEMLOCK, &limit);
    if (error == 0)
        *bytes = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : (uint64_t)limit.rlim_cur;
    return error;
}

bool npi_os_has_capability(int capability)
{
    if (capability < 0 || capability >= 32 * _LINUX_CAPABILITY_U32S_3)
        return false;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (npi_os_call(NPI_CALL_CAPGET, SYS_capget, npi_os_pointer(&header), npi_os_pointer(data), 0,
                    0, 0, 0, NULL) != 0)
        return false;
    return (data[capability / 32].effective >> (capability % 32)) & 1u;
}
