/*
 * memory/segment.c - the segment pool of memory/arena.h.
 *
 * Two lists of free segments: warm ones, newest first, because their lines are likely still in a
 * cache of the node; cold ones, whose pages were given back. Takers prefer warm. The lock is held
 * for a few instructions only, never across a system call.
 */
#include "base/assert.h"
#include "memory/arena.h"
#include "os/os.h"

struct npi_segment_link {
    npi_segment_link *next;
};

_Static_assert(sizeof(npi_segment_link) <= NPI_SEGMENT_HEADER_BYTES, "the link fits the header");

void npi_segment_pool_init(npi_segment_pool *pool, npi_arena *arena, size_t segment_bytes)
{
    NPI_INVARIANT(segment_bytes > NPI_SEGMENT_HEADER_BYTES && segment_bytes % NPI_CACHE_LINE == 0);
    npi_lock_init(&pool->lock);
    pool->arena = arena;
    pool->segment_bytes = segment_bytes;
    pool->warm = NULL;
    pool->cold = NULL;
    pool->warm_count = 0;
    pool->cold_count = 0;
    pool->segment_count = 0;
}

static npi_segment_link *pop_locked(npi_segment_pool *pool)
{
    npi_segment_link *link = pool->warm;
    if (link != NULL) {
        pool->warm = link->next;
        pool->warm_count--;
        return link;
    }
    link = pool->cold;
    if (link != NULL) {
        pool->cold = link->next;
        pool->cold_count--;
    }
    return link;
}

void *npi_segment_take(npi_segment_pool *pool)
{
    npi_lock_acquire(&pool->lock);
    npi_segment_link *link = pop_locked(pool);
    npi_lock_release(&pool->lock);
    if (link != NULL)
        return link;

    /* Whole pages, so that trimming can give them back. */
    size_t page = npi_os_page_size();
    size_t alignment = pool->segment_bytes % page == 0 ? page : NPI_CACHE_LINE;
    void *segment = npi_arena_alloc(pool->arena, pool->segment_bytes, alignment);
    if (segment != NULL) {
        npi_lock_acquire(&pool->lock);
        pool->segment_count++;
        npi_lock_release(&pool->lock);
    }
    return segment;
}

void npi_segment_give(npi_segment_pool *pool, void *segment)
{
    npi_segment_link *link = segment;
    npi_lock_acquire(&pool->lock);
    NPI_CHECK(link != pool->warm && link != pool->cold);
    link->next = pool->warm;
    pool->warm = link;
    pool->warm_count++;
    npi_lock_release(&pool->lock);
}

/* Gives the whole pages behind a segment's first page back. False if there are none. */
static bool discard(void *segment, size_t segment_bytes)
{
    size_t page = npi_os_page_size();
    uintptr_t begin = (uintptr_t)segment;
    /* The link lives in the first page, so that one stays. */
    size_t before = page - begin % page;
    size_t after = (begin + segment_bytes) % page;
    if (segment_bytes < before + after + page)
        return false;
    size_t bytes = segment_bytes - before - after;
    return npi_os_advise((char *)segment + before, bytes, NPI_OS_ADVICE_DISCARD) == 0;
}

/* Cuts everything behind the first `keep` warm segments off and returns it. */
static npi_segment_link *cut_locked(npi_segment_pool *pool, size_t keep)
{
    npi_segment_link **place = &pool->warm;
    size_t kept = 0;
    while (*place != NULL && kept < keep) {
        place = &(*place)->next;
        kept++;
    }
    npi_segment_link *rest = *place;
    *place = NULL;
    pool->warm_count = kept;
    return rest;
}

size_t npi_segment_pool_trim(npi_segment_pool *pool, size_t keep)
{
    npi_lock_acquire(&pool->lock);
    npi_segment_link *rest = cut_locked(pool, keep);
    npi_lock_release(&pool->lock);
    if (rest == NULL)
        return 0;

    size_t count = 0;
    size_t discarded = 0;
    npi_segment_link *last = rest;
    for (npi_segment_link *link = rest; link != NULL; link = link->next) {
        /* What cannot be given back (too small, locked memory) is as good as cold: trying again at
         * every trim would gain nothing. */
        if (discard(link, pool->segment_bytes))
            discarded++;
        last = link;
        count++;
    }
    npi_lock_acquire(&pool->lock);
    last->next = pool->cold;
    pool->cold = rest;
    pool->cold_count += count;
    npi_lock_release(&pool->lock);
    return discarded;
}

void npi_segment_pool_get_usage(npi_segment_pool *pool, npi_segment_usage *out)
{
    npi_lock_acquire(&pool->lock);
    out->segments = pool->segment_count;
    out->free = pool->warm_count + pool->cold_count;
    out->discarded = pool->cold_count;
    out->mapped_bytes = pool->segment_count * pool->segment_bytes;
    npi_lock_release(&pool->lock);
}
