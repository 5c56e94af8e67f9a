/*
 * executor/watcher.c - the thread that calls refresh when the CPUs may have changed.
 *
 * It sleeps without a limit until the kernel tells of a change (os/watch.c), refreshes, and then
 * looks once more when nothing has been told for a while: a kernel may settle its cpusets just
 * after it has told.
 *
 * A refresh goes by the mask of the thread that calls it, so this thread asks for what the process
 * may use before each. That is every CPU there is, of which the kernel gives those of the cpuset;
 * but where the executor's creator had a mask narrower than its cpuset, it is the creator's mask.
 */
#include <errno.h>
#include <stdio.h>

#include "base/status.h"
#include "executor/lifecycle.h"

#define SETTLE_NS UINT64_C(50000000)

/* By its own thread, which has its creator's mask until then. */
static void choose_cpus(npi_watcher *watcher)
{
    np_cpu_set inherited, whole, granted;
    np_cpu_set_clear(&watcher->cpus);
    np_cpu_set_clear(&whole);
    for (int32_t cpu = 0; cpu < (int32_t)NP_CPU_SET_CAPACITY; cpu++)
        (void)np_cpu_set_add(&whole, cpu);
    if (npi_os_thread_affinity_get(0, &inherited) != 0)
        return; /* a refresh will fail by the same and say so */
    watcher->cpus = inherited;
    if (npi_os_thread_affinity_set(0, &whole) != 0)
        return;
    if (npi_os_thread_affinity_get(0, &granted) == 0 && np_cpu_set_equal(&granted, &inherited))
        watcher->cpus = whole;
}

static void follow(np_executor *executor)
{
    npi_watcher *watcher = &executor->watcher;
    /* EINVAL: none of them can be used now; then what the kernel lets us have counts. */
    if (!np_cpu_set_is_empty(&watcher->cpus))
        (void)npi_os_thread_affinity_set(0, &watcher->cpus);
    np_status status = np_executor_refresh(executor, NULL);
    if (status != NP_OK && status != NP_ERR_SHUT_DOWN)
        npi_diagnose(NP_SEVERITY_WARNING, "a change of the CPUs could not be followed: %s",
                     np_error_detail());
}

static void watcher_main(void *argument)
{
    np_executor *executor = argument;
    npi_watcher *watcher = &executor->watcher;
    npi_os_watch_news news = NPI_OS_WATCH_NOTHING;
    char name[32];
    (void)snprintf(name, sizeof name, "%s-change", executor->settings.thread_name);
    (void)npi_os_thread_set_name(name); /* a nicety */
    choose_cpus(watcher);
    /* It begins as if something had changed: since the topology was read it may have. */
    uint64_t timeout = SETTLE_NS;
    for (;;) {
        int error = npi_os_watch_wait(&watcher->watch, timeout, &news);
        if (error != 0) {
            npi_diagnose(NP_SEVERITY_WARNING,
                         "changes of the CPUs are not followed any more: waiting for them failed "
                         "with errno %d",
                         error);
            return;
        }
        if (news == NPI_OS_WATCH_STOPPED)
            return;
        if (news == NPI_OS_WATCH_CHANGED) /* files may have appeared, or the process has moved */
            (void)npi_os_watch_cpusets(&watcher->watch);
        follow(executor);
        timeout = news == NPI_OS_WATCH_CHANGED ? SETTLE_NS : NPI_NO_DEADLINE;
    }
}

/* Strict hard mode does not go on without something that was asked for. */
static np_status missing(np_executor *executor, int error, const char *calls, const char *what)
{
    if (error == 0)
        return NP_OK;
    if (executor->settings.public_options.hard_mode == NP_HARD_MODE_STRICT)
        return npi_fail_errno(NP_ERR_HARD_MODE, error, calls, "watch_changes: %s cannot be watched",
                              what);
    npi_diagnose(NP_SEVERITY_WARNING, "watch_changes: %s cannot be watched (%s: errno %d%s)", what,
                 calls, error, error == ENOENT ? ": there is nothing to watch" : "");
    return NP_OK;
}

np_status npi_watcher_start(np_executor *executor)
{
    npi_watcher *watcher = &executor->watcher;
    const npi_settings *settings = &executor->settings;
    if (!settings->watch_changes || executor->is_virtual ||
        settings->public_options.binding == NP_BINDING_OFF)
        return NP_OK;
    int error = npi_os_watch_open(&watcher->watch);
    if (error != 0)
        return missing(executor, error, "eventfd2", "the machine");
    watcher->is_open = true;
    int cpusets = npi_os_watch_cpusets(&watcher->watch);
    np_status status = missing(executor, cpusets, "inotify_init1, inotify_add_watch, open or read",
                               "the cpuset");
    int devices = npi_os_watch_devices(&watcher->watch);
    if (status == NP_OK)
        status = missing(executor, devices, "socket or bind", "what goes offline and comes online");
    if (status != NP_OK)
        return status;
    error = npi_os_thread_start(&watcher->thread, 0, watcher_main, executor);
    if (error != 0)
        return npi_fail_errno(NP_ERR_SYSTEM, error, "pthread_create",
                              "the watcher's thread cannot be started");
    watcher->has_thread = true;
    return NP_OK;
}

void npi_watcher_stop(np_executor *executor)
{
    npi_watcher *watcher = &executor->watcher;
    if (!watcher->has_thread)
        return;
    npi_os_watch_stop(&watcher->watch);
    (void)npi_os_thread_join(&watcher->thread);
    watcher->has_thread = false;
}

void npi_watcher_free(np_executor *executor)
{
    if (executor->watcher.is_open)
        npi_os_watch_close(&executor->watcher.watch);
    executor->watcher.is_open = false;
}
