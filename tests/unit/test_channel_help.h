/*
 * What the channel tests share: an allocator that counts and can fail, threads, and waiting for a
 * condition. Included after cmocka.h.
 */
#ifndef NP_TESTS_TEST_CHANNEL_HELP_H
#define NP_TESTS_TEST_CHANNEL_HELP_H

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <numaperf/channel.h>
#include <numaperf/executor.h>

#include "base/atomic.h"
#include "os/os.h"
#include "parallel/channel.h"

#define assert_status(expression, expected)                                              \
    do {                                                                                 \
        np_status got_ = (expression);                                                   \
        if (got_ != (expected)) {                                                        \
            print_error("%s: %s (%s), expected %s\n", #expression, np_status_name(got_), \
                        np_error_detail(), np_status_name(expected));                    \
            fail();                                                                      \
        }                                                                                \
    } while (0)

#define assert_ok(expression) assert_status(expression, NP_OK)

/* --- allocator ---------------------------------------------------------------------------- */

/* Any thread. Every block is filled with rubbish before it is handed out and before it is freed. */
static np_atomic(uint64_t) live_bytes;
static np_atomic(uint64_t) allocations;
static np_atomic(uint64_t) fail_after; /* so many more succeed; UINT64_MAX: all */

static inline void *counting_allocate(void *context, size_t bytes, size_t alignment)
{
    (void)context;
    uint64_t left = npi_load_relaxed(&fail_after);
    if (left == 0)
        return NULL;
    if (left != UINT64_MAX)
        npi_store_relaxed(&fail_after, left - 1);
    size_t rounded = (bytes + alignment - 1) & ~(alignment - 1);
    void *memory = aligned_alloc(alignment, rounded);
    if (memory == NULL)
        return NULL;
    memset(memory, 0xa5, bytes);
    npi_fetch_add_relaxed(&live_bytes, bytes);
    npi_fetch_add_relaxed(&allocations, 1u);
    return memory;
}

static inline void counting_release(void *context, void *memory, size_t bytes)
{
    (void)context;
    memset(memory, 0x5a, bytes);
    npi_fetch_add_relaxed(&live_bytes, (uint64_t)0 - bytes);
    free(memory);
}

static inline int use_counting_allocator(void **state)
{
    (void)state;
    npi_store_relaxed(&fail_after, UINT64_MAX);
    np_allocator allocator = {sizeof allocator, counting_allocate, counting_release, NULL};
    return np_set_allocator(&allocator);
}

/* As a teardown: nothing is left. */
static inline int nothing_left(void **state)
{
    (void)state;
    npi_store_relaxed(&fail_after, UINT64_MAX);
    return npi_load_relaxed(&live_bytes) == 0 ? 0 : -1;
}

static inline np_channel *new_channel(size_t item_size, size_t capacity, uint32_t senders)
{
    np_channel *channel = NULL;
    assert_ok(np_channel_create(
        NP_CHANNEL_OPTIONS(.item_size = item_size, .capacity = capacity, .senders = senders),
        &channel));
    assert_non_null(channel);
    return channel;
}

/* --- threads ------------------------------------------------------------------------------ */

static inline void start(npi_os_thread *thread, npi_os_thread_fn fn, void *argument)
{
    assert_int_equal(npi_os_thread_start(thread, 0, fn, argument), 0);
}

static inline void join(npi_os_thread *thread)
{
    assert_int_equal(npi_os_thread_join(thread), 0);
}

/* Returns once so many calls wait in the channel. */
static inline void until_waiting(np_channel *channel, size_t senders, size_t receivers)
{
    for (;;) {
        size_t s, r;
        npi_channel_waiting(channel, &s, &r);
        if (s == senders && r == receivers)
            return;
        sched_yield();
    }
}

#endif
