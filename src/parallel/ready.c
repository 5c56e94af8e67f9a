/*
 * parallel/ready.c - continuations of a channel: armed, readied, forgotten. What always holds:
 * ready.h. Any thread.
 *
 * Arming against a send, on a channel with a lock around its queue: both hold it, so either the
 * arming sees the item or the send sees the record. On a ring the send holds none:
 *
 *      arming (under the lock)          npi_ring_send
 *      -----------------------          -------------
 *      record into the list             item, tail
 *      interest = RECEIVER              FENCE (light)
 *      FENCE (heavy)                    looks at interest
 *      looks at tail
 *
 * Without the fences both may look before the other's write is visible: the item lies there and
 * nobody is told. With them at least one sees the other; if the arming does, it readies itself, and
 * as it has not left the lock nobody else can have done so.
 */
#include "parallel/ready.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/status.h"
#include "executor/submit.h"
#include "os/fence.h"
#include "os/os.h"
#include "parallel/channel.h"

/* --- the lists ------------------------------------------------------------------------------ */

static void append(npi_ready_list *list, npi_ready *ready)
{
    ready->next = NULL;
    if (list->last != NULL)
        list->last->next = ready;
    else
        list->first = ready;
    list->last = ready;
}

static void unlink_after(npi_ready_list *list, npi_ready *before, npi_ready *ready)
{
    if (before != NULL)
        before->next = ready->next;
    else
        list->first = ready->next;
    if (list->last == ready)
        list->last = before;
}

static void keep(np_channel *channel, npi_ready *ready)
{
    ready->next = channel->spare_ready;
    channel->spare_ready = ready;
}

static void free_all(npi_ready *ready)
{
    while (ready != NULL) {
        npi_ready *next = ready->next;
        npi_free(ready, sizeof *ready);
        ready = next;
    }
}

void npi_ready_destroy(np_channel *channel)
{
    free_all(channel->readable.first);
    free_all(channel->writable.first);
    free_all(channel->spare_ready);
}

/* --- readying ------------------------------------------------------------------------------- */

static np_status submit(npi_ready *ready)
{
    if (ready->executor != NULL)
        return npi_submit_beyond(ready->executor, ready->node, ready->fn, ready->argument);
    ready->error = npi_os_eventfd_signal(ready->fd);
    if (ready->error == EAGAIN) /* a full counter is readable all the same */
        ready->error = 0;
    return ready->error == 0 ? NP_OK : NP_ERR_SYSTEM;
}

void npi_ready_fire(np_channel *channel, npi_ready_list *list, size_t count, npi_ready_news *news)
{
    while (count > 0 && list->first != NULL) {
        npi_ready *ready = list->first;
        np_status status = submit(ready);
        if (status == NP_ERR_NO_MEMORY) {
            if (npi_load_relaxed(&channel->starved) == 0) /* told once, until it is over */
                news->starved = status;
            npi_store_relaxed(&channel->starved, 1u);
            return;
        }
        unlink_after(list, NULL, ready);
        if (status == NP_OK) {
            npi_channel_tally(&channel->readied, 1u);
            keep(channel, ready);
            count--;
        } else { /* the next one gets what it cannot use */
            ready->next = news->refused;
            news->refused = ready;
        }
    }
}

void npi_ready_report(npi_ready_news *news)
{
    if (news->starved != NP_OK)
        npi_diagnose(NP_SEVERITY_ERROR,
                     "a channel's continuation could not be submitted: %s; it "
                     "stays armed",
                     np_status_name(news->starved));
    for (npi_ready *ready = news->refused; ready != NULL; ready = ready->next) {
        if (ready->executor != NULL) {
            npi_task task = {.fn = ready->fn, .argument = ready->argument};
            task.meta = npi_meta(0, NP_AFFINITY_PREFERRED, 0);
            npi_discard_task(ready->executor, NULL, &task, NP_DISCARD_SHUTDOWN);
        } else {
            npi_diagnose(NP_SEVERITY_ERROR,
                         "a channel is ready, but eventfd %d cannot be written: errno %d",
                         ready->fd, ready->error);
        }
    }
    free_all(news->refused);
    *news = (npi_ready_news){NULL, NP_OK};
}

/* --- arming --------------------------------------------------------------------------------- */

/* Under the lock. */
static bool is_ready(np_channel *channel, bool for_reading)
{
    if (channel->ring != NULL)
        return npi_ring_is_over(channel->ring, for_reading) ||
               npi_ring_ready(channel->ring, for_reading);
    if (npi_load_relaxed(&channel->closed) != 0)
        return true;
    return for_reading ? channel->queue.length > 0
                       : channel->capacity == 0 || channel->queue.length < channel->capacity;
}

void npi_ready_retry_locked(np_channel *channel, npi_ready_news *news)
{
    npi_ready_list *lists[2] = {&channel->writable, &channel->readable};
    bool starved = false;
    /* Which of those that are armed had been readied is not known: all are. It is a hint. */
    for (int reading = 0; reading < 2; reading++) {
        if (lists[reading]->first == NULL || !is_ready(channel, reading != 0))
            continue;
        npi_ready_fire(channel, lists[reading], SIZE_MAX, news);
        starved = starved || lists[reading]->first != NULL;
    }
    npi_store_relaxed(&channel->starved, starved ? 1u : 0u);
    if (channel->ring != NULL)
        npi_ring_interest(channel);
}

void npi_ready_retry(np_channel *channel)
{
    npi_ready_news news = {NULL, NP_OK};
    npi_lock_acquire(&channel->lock);
    npi_ready_retry_locked(channel, &news);
    npi_lock_release(&channel->lock);
    npi_ready_report(&news);
}

/* Under the lock: a record for `what`, or NULL. */
static npi_ready *record(np_channel *channel, const npi_ready *what)
{
    npi_ready *ready = channel->spare_ready;
    if (ready != NULL) {
        channel->spare_ready = ready->next;
    } else {
        npi_lock_release(&channel->lock);
        ready = npi_alloc(sizeof *ready, 0);
        npi_lock_acquire(&channel->lock);
    }
    if (ready != NULL)
        *ready = *what;
    return ready;
}

/* Under the lock: in the list, with nothing to be ready for. False: it is ready, and not in. */
static bool enlist(np_channel *channel, npi_ready_list *list, npi_ready *ready, bool for_reading)
{
    if (is_ready(channel, for_reading))
        return false;
    npi_ready *before = list->last;
    append(list, ready);
    if (channel->ring == NULL)
        return true;
    npi_ring_interest(channel);
    npi_fence_heavy(); /* see the top of this file */
    if (!npi_ring_ready(channel->ring, for_reading))
        return true;
    unlink_after(list, before, ready);
    npi_ring_interest(channel);
    return false;
}

static np_status arm(np_channel *channel, const char *call, bool for_reading, const npi_ready *what)
{
    np_status status = NP_OK;
    npi_lock_acquire(&channel->lock);
    npi_ready *ready = record(channel, what);
    if (ready == NULL) {
        status = NP_ERR_NO_MEMORY;
    } else if (!enlist(channel, for_reading ? &channel->readable : &channel->writable, ready,
                       for_reading)) {
        status = submit(ready);
        if (status == NP_OK)
            npi_channel_tally(&channel->readied, 1u);
        keep(channel, ready);
    }
    int error = ready != NULL ? ready->error : 0;
    npi_lock_release(&channel->lock);
    if (ready == NULL)
        return npi_fail_memory(sizeof *ready, "a continuation of a channel");
    if (status == NP_ERR_SYSTEM)
        return npi_fail(status, "%s: eventfd %d cannot be written: errno %d", call, what->fd,
                        error);
    return status == NP_OK ? NP_OK : npi_fail_more(status, "%s", call);
}

static np_status arm_task(np_channel *channel, const char *call, bool for_reading,
                          const npi_ready *what)
{
    np_status status = npi_channel_check(channel, call);
    if (status == NP_OK)
        status = npi_submit_check(what->executor, what->node, what->fn);
    return status == NP_OK ? arm(channel, call, for_reading, what) : status;
}

static np_status arm_eventfd(np_channel *channel, const char *call, bool for_reading, int fd)
{
    np_status status = npi_channel_check(channel, call);
    if (status != NP_OK)
        return status;
    if (fd < 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "%s: the eventfd is %d", call, fd);
    const npi_ready what = {.fd = fd};
    return arm(channel, call, for_reading, &what);
}

np_status np_channel_when_readable(np_channel *channel, np_executor *executor, np_node_id node,
                                   np_task_fn fn, void *argument)
{
    const npi_ready what = {
        .executor = executor, .node = node, .fn = fn, .argument = argument, .fd = -1};
    return arm_task(channel, "np_channel_when_readable", true, &what);
}

np_status np_channel_when_writable(np_channel *channel, np_executor *executor, np_node_id node,
                                   np_task_fn fn, void *argument)
{
    const npi_ready what = {
        .executor = executor, .node = node, .fn = fn, .argument = argument, .fd = -1};
    return arm_task(channel, "np_channel_when_writable", false, &what);
}

np_status np_channel_notify_readable(np_channel *channel, int fd)
{
    return arm_eventfd(channel, "np_channel_notify_readable", true, fd);
}

np_status np_channel_notify_writable(np_channel *channel, int fd)
{
    return arm_eventfd(channel, "np_channel_notify_writable", false, fd);
}

/* --- forgetting ----------------------------------------------------------------------------- */

static bool matches(const npi_ready *ready, const npi_ready *what)
{
    if (what->fd >= 0)
        return ready->executor == NULL && ready->fd == what->fd;
    return what->fn == NULL || (ready->fn == what->fn && ready->argument == what->argument);
}

static size_t forget_in(np_channel *channel, npi_ready_list *list, const npi_ready *what)
{
    size_t count = 0;
    npi_ready *before = NULL;
    for (npi_ready *ready = list->first, *next; ready != NULL; ready = next) {
        next = ready->next;
        if (matches(ready, what)) {
            unlink_after(list, before, ready);
            keep(channel, ready);
            count++;
        } else {
            before = ready;
        }
    }
    return count;
}

static np_status forget(np_channel *channel, const char *call, const npi_ready *what,
                        size_t *forgotten)
{
    if (forgotten != NULL)
        *forgotten = 0;
    np_status status = npi_channel_check(channel, call);
    if (status != NP_OK)
        return status;
    npi_lock_acquire(&channel->lock);
    size_t count = forget_in(channel, &channel->readable, what);
    count += forget_in(channel, &channel->writable, what);
    if (channel->ring != NULL)
        npi_ring_interest(channel);
    npi_lock_release(&channel->lock);
    if (forgotten != NULL)
        *forgotten = count;
    return NP_OK;
}

np_status np_channel_forget(np_channel *channel, np_task_fn fn, void *argument, size_t *forgotten)
{
    const npi_ready what = {.fn = fn, .argument = argument, .fd = -1};
    return forget(channel, "np_channel_forget", &what, forgotten);
}

np_status np_channel_forget_eventfd(np_channel *channel, int fd, size_t *forgotten)
{
    if (fd < 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_channel_forget_eventfd: the eventfd is %d",
                        fd);
    const npi_ready what = {.fd = fd};
    return forget(channel, "np_channel_forget_eventfd", &what, forgotten);
}
