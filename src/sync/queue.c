/*
 * sync/queue.c - see queue.h for the idea, the roles and the argument.
 */
#include "sync/queue.h"

void npi_queue_init(npi_queue *queue, npi_arena *arena, npi_segment_pool *pool, uint64_t first)
{
    NPI_INVARIANT(first % NPI_SEGMENT_CELLS == 0);
    npi_atomic_init(&queue->head, first);
    npi_atomic_init(&queue->tail, first);
    npi_atomic_init(&queue->extra_taken, (uint64_t)0);
    npi_atomic_init(&queue->extra_put, (uint64_t)0);
    queue->known_head = first;
    npi_atomic_init(&queue->accepted, (uint64_t)0);
    npi_atomic_init(&queue->directory, (npi_directory_entry *)NULL);
    queue->arena = arena;
    queue->pool = pool;
}

static npi_directory_entry *entry_of(npi_directory_entry *directory, uint64_t cell)
{
    return &directory[(cell / NPI_SEGMENT_CELLS) % NPI_DIRECTORY_ENTRIES];
}

static npi_cell *cell_in(void *segment, uint64_t cell)
{
    void *cells = (char *)segment + NPI_SEGMENT_HEADER;
    return (npi_cell *)cells + cell % NPI_SEGMENT_CELLS;
}

/* Producer: the segment that cell `number` lies in, taken from the pool if it is a new one. */
static void *producer_segment(npi_queue *queue, uint64_t number)
{
    npi_directory_entry *directory = npi_load_relaxed(&queue->directory);
    if (directory == NULL) {
        directory = npi_arena_alloc(queue->arena,
                                    NPI_DIRECTORY_ENTRIES * sizeof(npi_directory_entry), 0);
        if (directory == NULL)
            return NULL;
        /* Relaxed: consumers look at it only after they saw a tail that was released later. */
        npi_store_relaxed(&queue->directory, directory);
    }
    npi_directory_entry *entry = entry_of(directory, number);
    if (number % NPI_SEGMENT_CELLS != 0)
        return npi_load_relaxed(entry);
    void *segment = npi_segment_take(queue->pool);
    if (segment != NULL)
        npi_store_relaxed(entry, segment); /* published by the tail, as above */
    return segment;
}

/* Producer: may the numbers go up to `end`? An old head makes the queue look fuller than it is, so
 * it is looked at only then: its line belongs to the consumers. */
static bool has_room(npi_queue *queue, uint64_t end)
{
    /* As differences: numbers wrap around. */
    if (end - queue->known_head <= NPI_QUEUE_CELLS_MAX)
        return true;
    /* Acquire: pairs with the claims in npi_queue_take, whose reads of the directory's entry come
     * before we overwrite it. */
    queue->known_head = npi_load_acquire(&queue->head);
    return end - queue->known_head <= NPI_QUEUE_CELLS_MAX;
}

size_t npi_queue_put(npi_queue *queue, const npi_task *tasks, size_t count)
{
    uint64_t start = npi_load_relaxed(&queue->tail);
    uint64_t number = start;
    uint64_t extra = 0;
    size_t done = 0;

    for (; done < count; done++) {
        uint32_t cells = npi_task_cells(&tasks[done]);
        bool pad = cells == 2 && number % NPI_SEGMENT_CELLS == NPI_SEGMENT_CELLS - 1;
        if (!has_room(queue, number + cells + (pad ? 1u : 0u)))
            break;
        if (pad) {
            /* Two cells must not straddle segments: fill the last one with nothing. The segment
             * exists, for its first cell was published before or in this call. */
            void *segment = producer_segment(queue, number);
            npi_store_relaxed(&cell_in(segment, number)->word[3], NPI_META_PADDING);
            number++;
            extra++;
        }
        void *segment = producer_segment(queue, number);
        if (segment == NULL)
            break; /* padding written above stays: it is a legal cell */
        npi_task_store(&tasks[done], cell_in(segment, number));
        number += cells;
        extra += cells - 1u;
    }
    if (number != start) {
        if (extra != 0)
            npi_owner_add(&queue->extra_put, extra);
        /* accepted before tail: whoever can see the task end can see it accepted (idle.c). */
        npi_store_release(&queue->accepted, npi_load_relaxed(&queue->accepted) + done);
        /* Release: cells, directory and the producer's past; pairs with the acquire in
         * npi_queue_take. */
        npi_store_release(&queue->tail, number);
    }
    return done;
}

bool npi_queue_take(npi_queue *queue, npi_task *out)
{
    for (;;) {
        /* Acquire: pairs with the claim below. The consumer that moved head here had seen a tail
         * at least as far, so the tail read next cannot lie behind this head. */
        uint64_t head = npi_load_acquire(&queue->head);
        /* Acquire: pairs with the release of tail in npi_queue_put; cell `head` is filled. */
        uint64_t tail = npi_load_acquire(&queue->tail);
        NPI_CHECK((int64_t)(tail - head) >= 0);
        if (head == tail)
            return false;
        npi_directory_entry *directory = npi_load_relaxed(&queue->directory);
        void *segment = npi_load_relaxed(entry_of(directory, head));
        npi_cell *cell = cell_in(segment, head);
        npi_task_load(out, cell);
        bool padding = (out->meta & NPI_META_PADDING) != 0;
        bool wide = !padding && npi_meta_bytes(out->meta) != 0;
        if (wide && head % NPI_SEGMENT_CELLS != NPI_SEGMENT_CELLS - 1)
            npi_task_load_copy(out, cell);
        uint64_t next = head + (wide ? 2u : 1u);
        /*
         * Release: my reads of the cells come before it, so that whoever overwrites them after
         * the last claim of this segment (acquire, through the same word) comes after my reads.
         * Acquire: for the consumer that finishes the segment, the other end of that edge.
         */
        if (!npi_cas_acq_rel(&queue->head, &head, next))
            continue;
        if (next % NPI_SEGMENT_CELLS == 0)
            npi_segment_give(queue->pool, segment);
        if (wide || padding)
            npi_fetch_add_relaxed(&queue->extra_taken, (uint64_t)1); /* statistics only */
        if (!padding)
            return true;
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
