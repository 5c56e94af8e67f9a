/*
 * base/alloc.c - the process-wide allocator hook and the helpers that zero and count.
 */
#include "base/alloc.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hook.h"
#include "base/status.h"

static void *default_allocate(void *context, size_t bytes, size_t alignment)
{
    (void)context;
    if (alignment <= _Alignof(max_align_t))
        return malloc(bytes);
    size_t rounded = (bytes + alignment - 1) & ~(alignment - 1);
    return rounded < bytes ? NULL : aligned_alloc(alignment, rounded);
}

static void default_release(void *context, void *memory, size_t bytes)
{
    (void)context;
    (void)bytes;
    free(memory);
}

/* Written only by np_set_allocator, which must come before every other call. */
static np_allocator allocator = {sizeof(np_allocator), default_allocate, default_release, NULL};

np_status np_set_allocator(const np_allocator *given)
{
    if (given == NULL) {
        allocator.allocate = default_allocate;
        allocator.release = default_release;
        allocator.context = NULL;
        return NP_OK;
    }
    if (!npi_options_acceptable(given, given->size, sizeof(np_allocator), sizeof(np_allocator),
                                "np_allocator"))
        return NP_ERR_INVALID_ARGUMENT;
    if (given->allocate == NULL || given->release == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_allocator.%s is NULL",
                        given->allocate == NULL ? "allocate" : "release");
    allocator = *given;
    return NP_OK;
}

void *npi_alloc(size_t bytes, size_t alignment)
{
    if (bytes == 0)
        bytes = 1;
    if (alignment == 0)
        alignment = _Alignof(max_align_t);
    if (npi_hook_ask(NPI_CALL_ALLOCATE, 0, bytes) != 0)
        return NULL;
    void *memory = allocator.allocate(allocator.context, bytes, alignment);
    npi_hook_tell(NPI_CALL_ALLOCATE, (uintptr_t)memory, bytes, memory == NULL ? ENOMEM : 0);
    if (memory != NULL)
        memset(memory, 0, bytes);
    return memory;
}

void *npi_alloc_array(size_t count, size_t size, size_t alignment)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    return npi_alloc(count * size, alignment);
}

void npi_free(void *memory, size_t bytes)
{
    if (memory == NULL)
        return;
    if (bytes == 0)
        bytes = 1;
    npi_hook_tell(NPI_CALL_RELEASE, (uintptr_t)memory, bytes, 0);
    allocator.release(allocator.context, memory, bytes);
}

void npi_free_array(void *memory, size_t count, size_t size)
{
    npi_free(memory, count * size);
}

char *npi_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = npi_alloc(bytes, 0);
    if (copy != NULL)
        memcpy(copy, text, bytes);
    return copy;
}

void npi_strfree(char *text)
{
    if (text != NULL)
        npi_free(text, strlen(text) + 1);
}
