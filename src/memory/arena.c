/*
 * memory/arena.c - see memory/arena.h.
 *
 * A chunk is a mapping whose first page starts with its header; the rest of that page serves small
 * requests and everything after it is a multiple of NPI_ARENA_CHUNK_BYTES, so that segments of a
 * power of two fill a chunk without a gap. Memory that was handed out is never handed out again, so
 * every byte is still the kernel's zero.
 */
#include "memory/arena.h"

#include <errno.h>
#include <stddef.h>

#include "base/assert.h"
#include "os/os.h"

struct npi_arena_chunk {
    npi_arena_chunk *next;
    size_t bytes; /* of the mapping */
};

#define CHUNK_HEADER_BYTES ((size_t)NPI_CACHE_LINE)
_Static_assert(sizeof(npi_arena_chunk) <= CHUNK_HEADER_BYTES, "the header fits its line");

void npi_arena_init(npi_arena *arena, np_node_id node, bool bind)
{
    npi_lock_init(&arena->lock);
    arena->node = node;
    arena->bind = bind && node != NP_NODE_ID_NONE;
    arena->bind_error = 0;
    arena->cursor = NULL;
    arena->end = NULL;
    arena->chunks = NULL;
    arena->mapped_bytes = 0;
    arena->used_bytes = 0;
}

void npi_arena_destroy(npi_arena *arena)
{
    npi_arena_chunk *chunk = arena->chunks;
    while (chunk != NULL) {
        npi_arena_chunk *next = chunk->next;
        (void)npi_os_unmap(chunk, chunk->bytes);
        chunk = next;
    }
    npi_arena_init(arena, arena->node, arena->bind);
}

/* The place for `bytes` in [cursor, end), or NULL. */
static char *carve(char *cursor, const char *end, size_t bytes, size_t alignment)
{
    if (cursor == NULL)
        return NULL;
    size_t gap = (alignment - (uintptr_t)cursor % alignment) % alignment;
    size_t room = (size_t)(end - cursor);
    return gap > room || bytes > room - gap ? NULL : cursor + gap;
}

static npi_arena_chunk *map_chunk_locked(npi_arena *arena, size_t bytes)
{
    void *memory = NULL;
    if (npi_os_map(bytes, 0, &memory) != 0)
        return NULL;
    if (arena->bind) {
        npi_node_set nodes;
        npi_node_set_clear(&nodes);
        /* Before the first touch: the header's own page already has to land on the node. */
        int error = npi_node_set_add(&nodes, arena->node)
                        ? npi_os_bind_memory(memory, bytes, NPI_OS_POLICY_PREFERRED, &nodes, false)
                        : EINVAL;
        if (error != 0 && arena->bind_error == 0)
            arena->bind_error = error;
    }
    npi_arena_chunk *chunk = memory;
    chunk->bytes = bytes;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->mapped_bytes += bytes;
    return chunk;
}

static void *alloc_locked(npi_arena *arena, size_t bytes, size_t alignment)
{
    char *place = carve(arena->cursor, arena->end, bytes, alignment);
    if (place != NULL) {
        arena->cursor = place + bytes;
        return place;
    }

    size_t page = npi_os_page_size();
    size_t slack = alignment > page ? alignment - page : 0;
    if (bytes > SIZE_MAX / 2 || slack > SIZE_MAX / 4)
        return NULL;
    size_t chunks = (bytes + slack + NPI_ARENA_CHUNK_BYTES - 1) / NPI_ARENA_CHUNK_BYTES;
    npi_arena_chunk *chunk = map_chunk_locked(arena, page + chunks * NPI_ARENA_CHUNK_BYTES);
    if (chunk == NULL)
        return NULL;
    char *begin = (char *)chunk + CHUNK_HEADER_BYTES;
    char *end = (char *)chunk + chunk->bytes;
    place = carve(begin, end, bytes, alignment);
    NPI_INVARIANT(place != NULL);
    /* Go on with whichever chunk has more left, so that one large request does not throw away the
     * rest of a fresh chunk. */
    if (arena->cursor == NULL || end - (place + bytes) > arena->end - arena->cursor) {
        arena->cursor = place + bytes;
        arena->end = end;
    }
    return place;
}

void *npi_arena_alloc(npi_arena *arena, size_t bytes, size_t alignment)
{
    NPI_INVARIANT((alignment & (alignment - 1)) == 0);
    if (alignment == 0)
        alignment = _Alignof(max_align_t);
    if (bytes == 0)
        bytes = 1;
    npi_lock_acquire(&arena->lock);
    void *place = alloc_locked(arena, bytes, alignment);
    if (place != NULL)
        arena->used_bytes += bytes;
    npi_lock_release(&arena->lock);
    return place;
}

void npi_arena_get_usage(npi_arena *arena, npi_arena_usage *out)
{
    npi_lock_acquire(&arena->lock);
    out->mapped_bytes = arena->mapped_bytes;
    out->used_bytes = arena->used_bytes;
    out->bind_error = arena->bind_error;
    npi_lock_release(&arena->lock);
}
