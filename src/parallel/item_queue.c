/*
 * parallel/item_queue.c - items in a circle of segments. What it owns and its invariants:
 * item_queue.h.
 */
#include "parallel/item_queue.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

/* A segment of an unbounded queue: about this many bytes, and never so few items that allocating
 * would be felt per item. */
#define SEGMENT_BYTES       ((size_t)16 * 1024)
#define SEGMENT_ITEMS_LEAST ((size_t)8)

/* SIZE_MAX: too large. */
static size_t segment_bytes(size_t items, size_t item_size)
{
    if (items > (PTRDIFF_MAX - sizeof(npi_item_segment)) / item_size)
        return SIZE_MAX;
    return sizeof(npi_item_segment) + items * item_size;
}

static npi_item_segment *new_segment(size_t items, size_t item_size, size_t *bytes)
{
    *bytes = segment_bytes(items, item_size);
    if (*bytes == SIZE_MAX)
        return NULL;
    npi_item_segment *segment = npi_alloc(*bytes, 0);
    if (segment != NULL)
        segment->bytes = *bytes;
    return segment;
}

size_t npi_item_queue_bytes(size_t item_size, size_t capacity)
{
    return segment_bytes(capacity, item_size);
}

bool npi_item_queue_init(npi_item_queue *queue, size_t item_size, size_t capacity, void *storage,
                         size_t *bytes)
{
    NPI_CHECK(storage == NULL || capacity != 0);
    size_t items = capacity;
    if (capacity == 0) {
        items = SEGMENT_BYTES / item_size;
        if (items < SEGMENT_ITEMS_LEAST)
            items = SEGMENT_ITEMS_LEAST;
    }
    npi_item_segment *segment = storage;
    if (segment != NULL)
        segment->bytes = 0;
    else
        segment = new_segment(items, item_size, bytes);
    if (segment == NULL)
        return false;
    segment->next = segment;
    *queue = (npi_item_queue){.item_size = item_size,
                              .capacity = capacity,
                              .segment_items = items,
                              .head = segment,
                              .tail = segment,
                              .segments = 1,
                              .used = 1};
    return true;
}

void npi_item_queue_destroy(npi_item_queue *queue)
{
    /* The circle ends where it began; one that a fork cut in two ends at NULL. */
    npi_item_segment *segment = queue->head->next;
    while (segment != queue->head && segment != NULL) {
        npi_item_segment *next = segment->next;
        npi_free(segment, segment->bytes);
        segment = next;
    }
    if (queue->head->bytes != 0)
        npi_free(queue->head, queue->head->bytes);
    queue->head = queue->tail = NULL;
}

bool npi_item_queue_has_room(const npi_item_queue *queue)
{
    if (queue->capacity != 0)
        return queue->length < queue->capacity;
    return queue->tail_index < queue->segment_items || queue->tail->next != queue->head;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t npi_item_queue_put_many(npi_item_queue *queue, const void *items, size_t count)
{
    const unsigned char *from = items;
    size_t put = 0;
    while (put < count && npi_item_queue_has_room(queue)) {
        if (queue->tail_index == queue->segment_items) {
            queue->tail = queue->tail->next;
            queue->tail_index = 0;
            if (queue->capacity == 0)
                queue->used++;
        }
        size_t run = least(count - put, queue->segment_items - queue->tail_index);
        if (queue->capacity != 0)
            run = least(run, queue->capacity - queue->length);
        memcpy(queue->tail->items + queue->tail_index * queue->item_size,
               from + put * queue->item_size, run * queue->item_size);
        queue->tail_index += run;
        queue->length += run;
        put += run;
    }
    return put;
}

void npi_item_queue_put(npi_item_queue *queue, const void *item)
{
    size_t put = npi_item_queue_put_many(queue, item, 1);
    NPI_CHECK(put == 1);
    (void)put;
}

/* Unlinks the spare segments that are more than there are used ones, in front of `list`. */
static npi_item_segment *trim(npi_item_queue *queue, npi_item_segment *list)
{
    while (queue->segments > 2 * queue->used) {
        npi_item_segment *spare = queue->tail->next;
        queue->tail->next = spare->next;
        spare->next = list;
        list = spare;
        queue->segments--;
    }
    return list;
}

/* `run` items were taken from the head segment. */
static void drained(npi_item_queue *queue, size_t run, npi_item_segment **segments)
{
    queue->head_index += run;
    queue->length -= run;
    if (queue->length == 0) {
        /* Empty: head and tail have met in one segment. Begin at its start again, in warm cache
         * lines. */
        NPI_CHECK(queue->head == queue->tail && queue->head_index == queue->tail_index);
        queue->head_index = 0;
        queue->tail_index = 0;
        return;
    }
    if (queue->head_index < queue->segment_items)
        return;
    queue->head = queue->head->next;
    queue->head_index = 0;
    if (queue->capacity != 0)
        return;
    queue->used--;
    *segments = trim(queue, *segments);
}

size_t npi_item_queue_take_many(npi_item_queue *queue, void *items, size_t count,
                                npi_item_segment **segments)
{
    unsigned char *to = items;
    size_t taken = 0;
    while (taken < count && queue->length > 0) {
        size_t run = least(count - taken, queue->segment_items - queue->head_index);
        run = least(run, queue->length);
        memcpy(to + taken * queue->item_size,
               queue->head->items + queue->head_index * queue->item_size, run * queue->item_size);
        taken += run;
        drained(queue, run, segments);
    }
    return taken;
}

npi_item_segment *npi_item_queue_take(npi_item_queue *queue, void *item)
{
    npi_item_segment *segments = NULL;
    size_t taken = npi_item_queue_take_many(queue, item, 1, &segments);
    NPI_CHECK(taken == 1);
    (void)taken;
    return segments;
}

npi_item_segment *npi_item_queue_new_segment(const npi_item_queue *queue)
{
    size_t bytes;
    return new_segment(queue->segment_items, queue->item_size, &bytes);
}

void npi_item_queue_add(npi_item_queue *queue, npi_item_segment *segment)
{
    NPI_CHECK(queue->capacity == 0);
    segment->next = queue->tail->next;
    queue->tail->next = segment;
    queue->segments++;
}

void npi_item_segments_free(npi_item_segment *list)
{
    while (list != NULL) {
        npi_item_segment *next = list->next;
        npi_free(list, list->bytes);
        list = next;
    }
}

bool npi_item_queue_valid(const npi_item_queue *queue)
{
    size_t segments = 1;
    size_t used = queue->head == queue->tail ? 1 : 0;
    for (const npi_item_segment *s = queue->head->next; s != queue->head; s = s->next) {
        segments++;
        if (s == queue->tail)
            used = segments;
    }
    if (segments != queue->segments || queue->head_index >= queue->segment_items ||
        queue->tail_index > queue->segment_items)
        return false;
    if (queue->capacity != 0)
        return segments == 1 && queue->length <= queue->capacity;
    size_t items = (used - 1) * queue->segment_items + queue->tail_index - queue->head_index;
    return used == queue->used && segments <= 2 * used && items == queue->length;
}
