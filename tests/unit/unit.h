/*
 * What the unit tests share: cmocka with what it needs before it, skipping with a reason, and an
 * allocator that counts and fails on demand.
 */
#ifndef NP_TESTS_UNIT_H
#define NP_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <numaperf/error.h>

#include "base/atomic.h" /* NPI_TSAN */

#define UNIT_SKIP(...)                          \
    do {                                        \
        print_message("skipped: " __VA_ARGS__); \
        print_message("\n");                    \
        skip();                                 \
    } while (0)

/* qemu-user, which runs programs for another processor, and valgrind answer many system calls by
 * themselves, and not always as the kernel does. */
static inline bool unit_is_emulated(void)
{
    return getenv("NP_TEST_EMULATED") != NULL;
}

#if defined(__SANITIZE_ADDRESS__) || defined(NPI_TSAN)
#define UNIT_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNIT_SANITIZED 1
#endif
#endif
#if !defined(UNIT_SANITIZED)
#define UNIT_SANITIZED 0
#endif

/* Fails the calling test unless the call returned `status` and its detail contains `part`. */
static inline void unit_expect_failure(np_status got, np_status status, const char *part)
{
    assert_string_equal(np_status_name(got), np_status_name(status));
    if (strstr(np_error_detail(), part) == NULL)
        fail_msg("the detail is \"%s\", expected to contain \"%s\"", np_error_detail(), part);
}

/* An allocator hook for one thread: counts what is held, checks the sizes that come back, and fails
 * the allocation with number `fail_at` (1, 2, ...; 0: none). */
typedef struct unit_allocator {
    size_t calls;
    size_t fail_at;
    size_t held_blocks;
    size_t held_bytes;
    size_t wrong_sizes;
} unit_allocator;

typedef struct unit_block {
    size_t bytes;
    size_t offset;
} unit_block;

static inline void *unit_allocate(void *context, size_t bytes, size_t alignment)
{
    unit_allocator *self = context;
    self->calls++;
    if (self->calls == self->fail_at)
        return NULL;
    size_t offset = (sizeof(unit_block) + alignment - 1) & ~(alignment - 1);
    size_t whole = (offset + bytes + alignment - 1) & ~(alignment - 1);
    char *base = alignment > _Alignof(max_align_t) ? aligned_alloc(alignment, whole)
                                                   : malloc(whole);
    if (base == NULL)
        return NULL;
    /* Dirty, so that a caller who relies on zeros without asking for them is found out. */
    memset(base, 0xee, whole);
    unit_block block = {bytes, offset};
    memcpy(base + offset - sizeof block, &block, sizeof block);
    self->held_blocks++;
    self->held_bytes += bytes;
    return base + offset;
}

static inline void unit_release(void *context, void *memory, size_t bytes)
{
    unit_allocator *self = context;
    unit_block block;
    memcpy(&block, (char *)memory - sizeof block, sizeof block);
    if (block.bytes != bytes)
        self->wrong_sizes++;
    self->held_blocks--;
    self->held_bytes -= block.bytes;
    free((char *)memory - block.offset);
}

static inline void unit_allocator_install(unit_allocator *self)
{
    *self = (unit_allocator){0};
    np_allocator hook = {sizeof hook, unit_allocate, unit_release, self};
    assert_int_equal(np_set_allocator(&hook), NP_OK);
}

#endif
