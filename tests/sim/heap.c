/*
 * heap.c - the library's allocator in a run: counts what is left, finds writes past a block's end
 * and after its release, and fails when the seed says so.
 *
 * Released blocks are filled and kept until the run ends, so that who still reads one finds rubbish
 * and who writes one is found. With AddressSanitizer they are released at once: it sees more.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "sim_internal.h"

#define LIVE  UINT32_C(0x6c697665)
#define DEAD  UINT32_C(0x64656164)
#define FILL  0xdb
#define FENCE 16u /* bytes behind a block */

typedef struct block {
    struct block *next, *before;
    void *raw;
    size_t bytes;
    uint32_t mark;
    bool of_run;
} block;

static block *live, *dead;

static block *block_of(void *memory)
{
    return (block *)(void *)((char *)memory - sizeof(block));
}

static char *memory_of(block *b)
{
    return (char *)b + sizeof *b;
}

static void *allocate(void *context, size_t bytes, size_t alignment)
{
    (void)context;
    if (npt_sim.running)
        npt_settle(); /* the caller will write it with plain stores */
    if (npt_fault_happens(NPT_ALLOCATION))
        return NULL;
    if (alignment < 64)
        alignment = 64;
    size_t ahead = (sizeof(block) + alignment - 1) / alignment * alignment;
    size_t all = (ahead + bytes + FENCE + alignment - 1) / alignment * alignment;
    char *raw = aligned_alloc(alignment, all);
    if (raw == NULL)
        return NULL;
    block *b = block_of(raw + ahead);
    *b = (block){NULL, NULL, raw, bytes, LIVE, npt_sim.running};
    memset(memory_of(b) + bytes, FILL, FENCE);
    if (b->of_run) {
        b->next = live;
        if (live != NULL)
            live->before = b;
        live = b;
    }
    return memory_of(b);
}

static bool is_filled(const char *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)at[i] != FILL)
            return false;
    return true;
}

static void release(void *context, void *memory, size_t bytes)
{
    (void)context;
    block *b = block_of(memory);
    if (npt_sim.running)
        npt_settle();
    if (b->mark != LIVE)
        npt_fail("memory is released that is not allocated (# bytes)", bytes, 0, 0);
    if (b->bytes != bytes)
        npt_fail("# bytes are released of a block of #", bytes, b->bytes, 0);
    if (!is_filled(memory_of(b) + bytes, FENCE))
        npt_fail("somebody wrote behind a block of # bytes", bytes, 0, 0);
    b->mark = DEAD;
    if (b->of_run) {
        if (b->before != NULL)
            b->before->next = b->next;
        else
            live = b->next;
        if (b->next != NULL)
            b->next->before = b->before;
    }
#if !defined(__SANITIZE_ADDRESS__)
    if (npt_sim.running && b->of_run) {
        memset(memory_of(b), FILL, bytes);
        b->next = dead;
        dead = b;
        return;
    }
#endif
    free(b->raw);
}

void npt_heap_install(void)
{
    static const np_allocator ours = {sizeof ours, allocate, release, NULL};
    static bool installed;
    if (!installed) { /* memory is kept from run to run */
        (void)mallopt(M_MMAP_THRESHOLD, 256 * 1024 * 1024);
        (void)mallopt(M_TRIM_THRESHOLD, 1024 * 1024 * 1024);
    }
    if (!installed && np_set_allocator(&ours) != NP_OK)
        abort();
    installed = true;
}

void npt_heap_begin(void)
{
    live = dead = NULL;
}

uint64_t npt_heap_end(bool failed)
{
    uint64_t left = 0;
    bool spoilt = false;
    for (block *b = dead, *next; b != NULL; b = next) {
        next = b->next;
        spoilt |= !is_filled(memory_of(b), b->bytes);
        free(b->raw);
    }
    for (block *b = live, *next; b != NULL; b = next) {
        next = b->next;
        left++;
        free(b->raw);
    }
    live = dead = NULL;
    if (spoilt && !failed) {
        npt_sim.failed = true;
        memcpy(npt_sim.message, "somebody wrote to released memory", 34);
    }
    return left;
}
