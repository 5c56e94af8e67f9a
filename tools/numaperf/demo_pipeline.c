/*
 * demo_pipeline.c - the run itself: the reader task, the counting tasks, and the main thread that
 * waits for both.
 *
 * No task ever waits for another. When the ring is full the reader ends, and the counting task that
 * finishes the oldest chunk submits it again; `reader_active` says, under the lock, which of the
 * two it is, so the hand-over cannot be missed. The reader's own state needs no lock: there is one
 * reader at a time, and each is submitted by a task that took the lock after the one before.
 */
#include "demo.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "progress.h"

struct demo_pipeline {
    np_executor *executor;
    np_collector *collector;
    np_group *group; /* every task of a pass */
    demo_slots *slots;
    demo_input *input;

    /* the reader's */
    size_t file_index;
    int descriptor; /* of the open file, -1 if none */
    uint64_t head;  /* chunks taken from the ring so far; the next slot is head % count */

    pthread_mutex_t lock;
    uint64_t tail; /* chunks merged so far; by the reader, read by counting tasks */
    bool reader_active;
    bool broken; /* a submit failed; nothing more is begun */
    np_status failure;
    char detail[256]; /* the library's words for it */
    uint64_t bytes_done;
};

/* --- submitting from tasks ------------------------------------------------------------------ */

/* The words for a failure belong to the thread that met it, so they are kept for the main thread.
 */
static void break_off(demo_pipeline *p, np_status status)
{
    (void)pthread_mutex_lock(&p->lock);
    if (!p->broken) {
        const char *words = np_error_detail();
        p->broken = true;
        p->failure = status;
        (void)snprintf(p->detail, sizeof p->detail, "%s",
                       words[0] != '\0' ? words : np_status_text(status));
    }
    (void)pthread_mutex_unlock(&p->lock);
}

static void read_task(void *argument);

/* Only on its node: the library's policies move counting tasks, not the reader. */
static np_status submit_reader(demo_pipeline *p)
{
    np_submit_options options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.to_node = true;
    options.node = p->slots->nodes[0].node;
    options.affinity = NP_AFFINITY_STRICT;
    options.group = p->group;
    return np_submit_with(p->executor, &options, read_task, p);
}

/* --- counting --------------------------------------------------------------------------------- */

static void count_task(void *argument)
{
    demo_slot *slot = argument;
    demo_pipeline *p = slot->pipeline;
    const demo_node *node = &p->slots->nodes[slot->node];
    size_t bytes = slot->bytes;

    demo_count(slot->data, bytes, &slot->piece);
    np_collector_record(p->collector, node->memory != NP_NODE_ID_NONE ? node->memory : node->node,
                        1, bytes);

    (void)pthread_mutex_lock(&p->lock);
    slot->done = true;
    p->bytes_done += bytes;
    bool wake = !p->reader_active && p->slots->slots[p->tail % p->slots->count].done;
    p->reader_active = p->reader_active || wake;
    (void)pthread_mutex_unlock(&p->lock);

    if (wake) {
        np_status status = submit_reader(p);
        if (status != NP_OK) {
            break_off(p, status);
        }
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Merges what is counted, oldest first. Under the lock. */
static void merge_done(demo_pipeline *p)
{
    while (p->tail < p->head) {
        demo_slot *slot = &p->slots->slots[p->tail % p->slots->count];
        if (!slot->done) {
            break;
        }
        demo_merge(slot->file, &slot->piece);
        p->tail++;
    }
}

/* A free slot, or NULL when there is none, and then this reader is the active one no more. */
static demo_slot *take_slot(demo_pipeline *p)
{
    demo_slot *slot = NULL;
    (void)pthread_mutex_lock(&p->lock);
    merge_done(p);
    if (p->broken) {
        /* Still active, so that nobody submits another one. */
    } else if (p->head - p->tail < p->slots->count) {
        slot = &p->slots->slots[p->head % p->slots->count];
        slot->done = false;
    } else {
        p->reader_active = false;
    }
    (void)pthread_mutex_unlock(&p->lock);
    return slot;
}

static void open_file(demo_pipeline *p, demo_file *file)
{
    if (strcmp(file->path, "-") == 0) {
        p->descriptor = STDIN_FILENO;
    } else {
        p->descriptor = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    }
    if (p->descriptor < 0) {
        file->error = errno;
        file->during = "open";
        p->file_index++;
        return;
    }
    file->opened = true;
    /* Advice only: a file that cannot be read ahead is read all the same. */
    (void)posix_fadvise(p->descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
}

static void close_file(demo_pipeline *p)
{
    if (p->descriptor > STDERR_FILENO) {
        (void)close(p->descriptor);
    }
    p->descriptor = -1;
    p->file_index++;
}

/* Reads until the slot is full or the file ends; at its end, or when it fails, closes it. */
static size_t read_chunk(demo_pipeline *p, demo_file *file, unsigned char *data)
{
    size_t bytes = 0;
    while (bytes < p->slots->chunk_bytes) {
        ssize_t got = read(p->descriptor, data + bytes, p->slots->chunk_bytes - bytes);
        if (got > 0) {
            bytes += (size_t)got;
        } else if (got == 0 || errno != EINTR) {
            if (got < 0) {
                file->error = errno;
                file->during = "read";
            }
            close_file(p);
            break;
        }
    }
    return bytes;
}

/* Fills the slot with the next chunk of the input; false at its end. Opening and reading a pipe may
 * take for ever, so another worker is let in meanwhile; without one it is only slower. */
static bool fill_slot(demo_pipeline *p, demo_slot *slot)
{
    while (p->file_index < p->input->count) {
        demo_file *file = &p->input->files[p->file_index];
        bool stepped_back = !file->regular && np_blocking_begin() == NP_OK;
        size_t bytes = 0;
        if (p->descriptor < 0) {
            open_file(p, file);
        }
        if (p->descriptor >= 0) {
            bytes = read_chunk(p, file, slot->data);
        }
        if (stepped_back) {
            np_blocking_end();
        }
        if (bytes > 0) {
            slot->file = file;
            slot->bytes = bytes;
            return true;
        }
    }
    return false;
}

static void read_task(void *argument)
{
    demo_pipeline *p = argument;
    demo_slot *slot;
    while ((slot = take_slot(p)) != NULL) {
        if (!fill_slot(p, slot)) {
            return; /* the end; still active, so that nobody submits another reader */
        }
        demo_node *node = &p->slots->nodes[slot->node];
        node->chunks++;
        node->bytes += slot->bytes;
        p->head++;
        np_status status = np_group_submit_to_node(p->group, p->executor, node->node, count_task,
                                                   slot);
        if (status != NP_OK) {
            break_off(p, status);
            return;
        }
    }
}

/* --- the main thread -------------------------------------------------------------------------- */

/* Waits for every task of the pass. With a progress line it looks up now and then. */
static np_status wait_for_tasks(demo_pipeline *p, progress *line)
{
    if (!line->possible) {
        return np_group_wait(p->group);
    }
    for (;;) {
        np_status status = np_group_wait_for(p->group, PROGRESS_PERIOD_NS);
        if (status != NP_ERR_TIMEOUT) {
            return status;
        }
        (void)pthread_mutex_lock(&p->lock);
        uint64_t done = p->bytes_done;
        (void)pthread_mutex_unlock(&p->lock);
        progress_update(line, done);
    }
}

static void begin_pass(demo_pipeline *p)
{
    p->file_index = 0;
    p->descriptor = -1;
    p->head = 0;
    p->tail = 0;
    p->reader_active = true;
    for (size_t i = 0; i < p->input->count; i++) {
        demo_file *file = &p->input->files[i];
        memset(&file->counts, 0, sizeof file->counts);
        file->in_word = false;
        file->opened = false;
        file->error = 0;
    }
}

static bool run_pass(demo_pipeline *p, progress *line)
{
    begin_pass(p);
    np_status status = submit_reader(p);
    if (status != NP_OK) {
        cli_library_error(status, "cannot start reading");
        return false;
    }
    status = wait_for_tasks(p, line);
    if (p->broken) {
        progress_end(line);
        cli_error("a task could not be submitted: %s", p->detail);
        return false;
    }
    if (status != NP_OK) {
        progress_end(line);
        cli_library_error(status, "the tasks did not complete");
        return false;
    }
    merge_done(p);
    return true;
}

/* Adds up the pass that has ended; the first one leaves its counts for comparison. */
static void account(const demo_input *input, demo_counts *first, uint32_t pass, demo_result *result)
{
    for (size_t i = 0; i < input->count; i++) {
        const demo_counts *counts = &input->files[i].counts;
        result->bytes += counts->bytes;
        if (pass == 0) {
            first[i] = *counts;
        } else if (counts->bytes != first[i].bytes || counts->lines != first[i].lines ||
                   counts->words != first[i].words) {
            result->changed = true;
        }
    }
}

static bool run_passes(demo_pipeline *p, const demo_options *options, demo_result *result)
{
    progress line;
    bool done = true;
    uint64_t total = p->input->has_streams ? 0 : p->input->known_bytes * options->repeat;
    demo_counts *first = cli_allocate(p->input->count, sizeof *first);
    uint64_t start = clock_now();
    progress_begin(&line, !options->no_progress && !options->quiet, total);
    for (uint32_t pass = 0; pass < options->repeat && done; pass++) {
        done = run_pass(p, &line);
        if (done) {
            account(p->input, first, pass, result);
            progress_update(&line, result->bytes);
        }
    }
    progress_end(&line);
    result->elapsed_ns = clock_now() - start;
    free(first);
    return done;
}

bool demo_run(np_executor *executor, demo_slots *slots, np_collector *collector, demo_input *input,
              const demo_options *options, demo_result *result)
{
    demo_pipeline p;
    np_stats *before = NULL;
    np_stats *after = NULL;
    memset(&p, 0, sizeof p);
    memset(result, 0, sizeof *result);
    p.executor = executor;
    p.collector = collector;
    p.slots = slots;
    p.input = input;
    for (size_t i = 0; i < slots->count; i++) {
        slots->slots[i].pipeline = &p;
    }
    if (pthread_mutex_init(&p.lock, NULL) != 0) {
        cli_error("cannot make a lock");
        return false;
    }
    np_status status = np_group_create(NULL, &p.group);
    if (status == NP_OK) {
        status = np_stats_snapshot(executor, &before);
    }
    bool done = status == NP_OK && run_passes(&p, options, result);
    if (done) {
        status = np_stats_snapshot(executor, &after);
        if (status == NP_OK) {
            status = np_stats_difference(after, before, &result->stats);
        }
    }
    if (status != NP_OK) {
        cli_library_error(status, "cannot count the tasks");
        done = false;
    }
    for (size_t n = 0; n < slots->node_count; n++) {
        result->chunks += slots->nodes[n].chunks;
    }
    np_stats_destroy(after);
    np_stats_destroy(before);
    (void)np_group_destroy(p.group);
    (void)pthread_mutex_destroy(&p.lock);
    return done;
}
