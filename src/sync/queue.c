/*
 * sync/queue.c - see queue.h for the idea, the roles and the argument.
 */
#include "sync/queue.h"

void npi_queue_init(npi_queue *queue, npi_arena *arena, npi_segment_pool *pool, uint64_t first)
{
    NPI_INVARIANT(first % NPI_SEGMENT_CELLS == 0);
    npi_atomic_init(&queue->head, first);
    npi_atomic_init(&queue->seen, first);
    npi_atomic_init(&queue->tail, first);
    npi_atomic_init(&queue->extra_taken, (uint64_t)0);
    npi_atomic_init(&queue->extra_put, (uint64_t)0);
    npi_atomic_init(&queue->accepted, (uint64_t)0);
    npi_atomic_init(&queue->busy, 0u);
    queue->cells = NULL;
    queue->opened = first;
    queue->known_head = first;
    npi_atomic_init(&queue->directory, (npi_directory_entry *)NULL);
    queue->arena = arena;
    queue->pool = pool;
}

static npi_directory_entry *entry_of(npi_directory_entry *directory, uint64_t cell)
{
    return &directory[(cell / NPI_SEGMENT_CELLS) % NPI_DIRECTORY_ENTRIES];
}

static npi_cell *cells_of(void *segment)
{
    void *cells = (char *)segment + NPI_SEGMENT_HEADER;
    return (npi_cell *)cells;
}

/* Producer: may the numbers go up to `end`? An old head makes the queue look fuller than it is, so
 * it is looked at only then: its line belongs to the consumers. */
static bool has_numbers(npi_queue *queue, uint64_t end)
{
    /* As differences: numbers wrap around. */
    if (end - queue->known_head <= NPI_QUEUE_CELLS_MAX)
        return true;
    /* Acquire: pairs with the claims in npi_queue_take, whose reads of the directory's entry come
     * before we overwrite it. */
    queue->known_head = npi_load_acquire(&queue->head);
    return end - queue->known_head <= NPI_QUEUE_CELLS_MAX;
}

bool npi_queue_open(npi_queue *queue)
{
    npi_directory_entry *directory = npi_load_relaxed(&queue->directory);
    if (directory == NULL) {
        directory = npi_arena_alloc(queue->arena,
                                    NPI_DIRECTORY_ENTRIES * sizeof(npi_directory_entry), 0);
        if (directory == NULL)
            return false;
        /* Relaxed: consumers look at it only after they saw a tail that was released later. */
        npi_store_relaxed(&queue->directory, directory);
    }
    if (!has_numbers(queue, queue->opened + NPI_SEGMENT_CELLS))
        return false;
    void *segment = npi_segment_take(queue->pool);
    if (segment == NULL)
        return false;
    npi_store_relaxed(entry_of(directory, queue->opened), segment); /* published by the tail */
    queue->cells = cells_of(segment);
    queue->opened += NPI_SEGMENT_CELLS;
    return true;
}

/* Cells for one task, or NULL. */
static inline npi_cell *reserve_one(npi_queue *queue, uint32_t cells)
{
    uint32_t room;
    npi_cell *cell = npi_queue_reserve(queue, &room);
    if (cell != NULL && room < cells) {
        /* Two cells must not straddle segments: the last one is filled with nothing. */
        npi_store_relaxed(&cell->word[3], NPI_META_PADDING);
        npi_queue_publish(queue, 1, 0);
        cell = npi_queue_reserve(queue, &room);
    }
    return cell;
}

bool npi_queue_put_one(npi_queue *queue, const npi_task *task)
{
    uint32_t cells = npi_task_cells(task);
    npi_cell *cell = reserve_one(queue, cells);
    if (cell == NULL)
        return false;
    npi_task_store(task, cell);
    npi_queue_publish(queue, cells, 1);
    return true;
}

bool npi_queue_put_again(npi_queue *queue, const npi_task *task)
{
    uint32_t cells = npi_task_cells(task);
    npi_cell *cell = reserve_one(queue, cells);
    if (cell == NULL)
        return false;
    npi_task_store(task, cell);
    npi_queue_publish_again(queue, cells, 1);
    return true;
}

size_t npi_queue_put(npi_queue *queue, const npi_task *tasks, size_t count)
{
    size_t done = 0;
    while (done < count && npi_queue_put_one(queue, &tasks[done]))
        done++;
    return done;
}

/* What is not a plain task. Returns how many more cells there are. */
static __attribute__((noinline)) uint64_t load_extra(npi_task *out, npi_cell *cell, uint64_t head)
{
    if ((out->meta & NPI_META_PADDING) != 0)
        return 0;
    /* In the last cell of a segment there is no such task: it is rubbish from a recycled one. */
    if (head % NPI_SEGMENT_CELLS != NPI_SEGMENT_CELLS - 1)
        npi_task_load_copy(out, cell);
    return 1;
}

/* The lines of some of the cells first .. last - 1, which are filled: never one that the producer
 * may still be writing. All misses together cost little more than one. */
static void prefetch(npi_cell *cell, uint64_t first, uint64_t last)
{
    uint64_t count = last - first < NPI_QUEUE_AHEAD ? last - first : NPI_QUEUE_AHEAD;
    for (uint64_t i = 0; i < count; i += NPI_CACHE_LINE / sizeof(npi_cell))
        __builtin_prefetch(cell + i);
}

bool npi_queue_take(npi_queue *queue, npi_task *out)
{
    /* Acquire: pairs with the claim below. The consumer that moved head here had seen a tail at
     * least as far, so a tail read after it cannot lie behind this head. */
    uint64_t head = npi_load_acquire(&queue->head);
    for (;;) {
        /* Acquire: pairs with the release below; cells before it are filled. */
        uint64_t seen = npi_load_acquire(&queue->seen);
        bool fresh = (int64_t)(seen - head) <= 0;
        if (fresh) {
            /* Acquire: pairs with the release of tail in npi_queue_publish. */
            seen = npi_load_acquire(&queue->tail);
            NPI_CHECK((int64_t)(seen - head) >= 0);
            if (seen == head)
                return false;
            npi_store_release(&queue->seen, seen);
        }
        npi_directory_entry *directory = npi_load_relaxed(&queue->directory);
        void *segment = npi_load_relaxed(entry_of(directory, head));
        npi_cell *cell = cells_of(segment) + head % NPI_SEGMENT_CELLS;
        if (fresh)
            prefetch(cell, head, seen);
        else if (seen - head > NPI_QUEUE_AHEAD)
            __builtin_prefetch(cell + NPI_QUEUE_AHEAD);
        npi_task_load(out, cell);
        uint64_t next = head + 1;
        bool extra = (out->meta & NPI_META_EXTRA) != 0;
        if (__builtin_expect(extra, 0))
            next += load_extra(out, cell, head);
        /*
         * Release: my reads of the cells come before it, so that whoever overwrites them after
         * the last claim of this segment (acquire, through the same word) comes after my reads.
         * Acquire: for the consumer that finishes the segment, the other end of that edge; on
         * failure for the head that is tried next.
         */
        if (!npi_cas_acq_rel(&queue->head, &head, next))
            continue;
        if (__builtin_expect(next % NPI_SEGMENT_CELLS == 0, 0))
            npi_segment_give(queue->pool, segment);
        if (__builtin_expect(!extra, 1))
            return true;
        npi_fetch_add_relaxed(&queue->extra_taken, (uint64_t)1); /* statistics only */
        if ((out->meta & NPI_META_PADDING) == 0)
            return true;
        head = next;
    }
}

uint64_t npi_queue_depth(npi_queue *queue)
{
    uint64_t head = npi_load_relaxed(&queue->head);
    uint64_t tail = npi_load_relaxed(&queue->tail);
    uint64_t taken = npi_load_relaxed(&queue->extra_taken);
    uint64_t put = npi_load_relaxed(&queue->extra_put);
    int64_t depth = (int64_t)(tail - head) - (int64_t)(put - taken);
    return depth > 0 ? (uint64_t)depth : 0;
}
