/*
 * What the channel stress tests share: a seed that is printed, a check that ends the program from
 * any thread, and an allocator that spoils memory when it is freed, so that a late access shows in
 * every build.
 */
#ifndef NP_TESTS_STRESS_CHANNEL_HELP_H
#define NP_TESTS_STRESS_CHANNEL_HELP_H

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <numaperf/channel.h>
#include <numaperf/executor.h>

#include "base/atomic.h"
#include "base/random.h"
#include "os/os.h"

static uint64_t seed;

#define CHECK(condition, ...)                                                          \
    do {                                                                               \
        if (!(condition)) {                                                            \
            fprintf(stderr, "%s:%d: %s (seed %llu): ", __FILE__, __LINE__, #condition, \
                    (unsigned long long)seed);                                         \
            fprintf(stderr, __VA_ARGS__);                                              \
            fputc('\n', stderr);                                                       \
            abort();                                                                   \
        }                                                                              \
    } while (0)

#define CHECK_OK(expression)                                                     \
    do {                                                                         \
        np_status got_ = (expression);                                           \
        CHECK(got_ == NP_OK, "%s: %s", np_status_name(got_), np_error_detail()); \
    } while (0)

static np_atomic(uint64_t) live_bytes; /* any thread */

static inline void *spoiling_allocate(void *context, size_t bytes, size_t alignment)
{
    (void)context;
    size_t rounded = (bytes + alignment - 1) & ~(alignment - 1);
    void *memory = aligned_alloc(alignment, rounded);
    if (memory != NULL) {
        memset(memory, 0xa5, bytes);
        npi_fetch_add_relaxed(&live_bytes, bytes);
    }
    return memory;
}

static inline void spoiling_release(void *context, void *memory, size_t bytes)
{
    (void)context;
    memset(memory, 0x5a, bytes);
    npi_fetch_add_relaxed(&live_bytes, (uint64_t)0 - bytes);
    free(memory);
}

/* First thing in main. */
static inline void begin(void)
{
    const char *given = getenv("NP_TEST_SEED");
    seed = given != NULL ? strtoull(given, NULL, 0) : npi_os_now();
    printf("seed %llu (set NP_TEST_SEED to repeat)\n", (unsigned long long)seed);
    np_allocator allocator = {sizeof allocator, spoiling_allocate, spoiling_release, NULL};
    CHECK_OK(np_set_allocator(&allocator));
}

static inline void start(npi_os_thread *thread, npi_os_thread_fn fn, void *argument)
{
    int error = npi_os_thread_start(thread, 0, fn, argument);
    CHECK(error == 0, "%s", strerror(error));
}

static inline void join(npi_os_thread *thread)
{
    int error = npi_os_thread_join(thread);
    CHECK(error == 0, "%s", strerror(error));
}

/* A random timeout: mostly so short that it passes while somebody serves the call. */
static inline uint64_t some_timeout(npi_random *random)
{
    return npi_random_below(random, 8) == 0 ? npi_random_below(random, 200000)
                                            : npi_random_below(random, 6000);
}

static inline np_channel *new_channel(size_t item_size, size_t capacity, uint32_t senders)
{
    np_channel *channel = NULL;
    CHECK_OK(np_channel_create(
        NP_CHANNEL_OPTIONS(.item_size = item_size, .capacity = capacity, .senders = senders),
        &channel));
    return channel;
}

#endif
