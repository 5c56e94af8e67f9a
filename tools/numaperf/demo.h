/*
 * demo.h - the parts of `numaperf demo`.
 *
 * The input is a list of files. One task at a time, the reader, runs on the first node: it fills
 * slots, pieces of placed memory that lie on the nodes in turn, and submits each filled slot to
 * its node, where a counting task turns it into a piece. The reader merges the pieces in the order
 * of the input and uses their slots again; so memory is bounded whatever the input's size.
 *
 *   main thread  collects the input, starts the executor and the reader, waits, prints
 *   reader task  opens and reads files, submits, merges             (demo_pipeline.c)
 *   count task   demo_count() over one slot, on the slot's node     (demo_count.c)
 */
#ifndef NUMAPERF_TOOL_DEMO_H
#define NUMAPERF_TOOL_DEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numaperf.h>

#include "cli.h"

#define DEMO_DEFAULT_INPUT    "/usr/share/common-licenses"
#define DEMO_DEFAULT_CHUNK    (UINT64_C(1) << 20)
#define DEMO_LARGEST_CHUNK    (UINT64_C(1) << 30)
#define DEMO_SLOTS_PER_WORKER 4u
#define DEMO_SLOT_BYTES_MAX   (UINT64_C(512) << 20) /* of all slots, unless one per node is more */

/* --- options (demo_options.c) -------------------------------------------------------------- */

typedef struct demo_options {
    cli_machine machine;
    np_executor_options executor;
    uint64_t chunk_bytes;
    uint32_t repeat;
    bool as_json;
    bool quiet;
    bool no_progress;
    char **files; /* borrowed from argv */
    size_t file_count;
} demo_options;

/* False when the command is over already (help, version, usage); *code is then the exit code. */
bool demo_options_read(demo_options *options, int argc, char **argv, int *code);

/* --- input (demo_input.c) ------------------------------------------------------------------ */

typedef struct demo_counts {
    uint64_t lines;
    uint64_t words;
    uint64_t bytes;
} demo_counts;

/* One file. Written by the main thread before the run, by the reader alone during it. */
typedef struct demo_file {
    char *path; /* "-" is standard input */
    bool regular;
    uint64_t size; /* of a regular file */
    demo_counts counts;
    bool in_word; /* the last merged byte that matters is part of a word */
    bool opened;
    int error;          /* errno, 0 if all went well */
    const char *during; /* what failed: "open", "read" */
} demo_file;

typedef struct demo_input {
    demo_file *files;
    size_t count;
    size_t capacity;
    uint64_t known_bytes; /* of the regular files */
    bool has_streams;     /* pipes, devices, standard input: no size, and only once */
    bool failed;          /* something could not be looked at; said already */
} demo_input;

/* Directories are replaced by the regular files below them in the order of their names. */
void demo_input_collect(demo_input *input, char *const *paths, size_t count);
void demo_input_release(demo_input *input);

/* --- counting (demo_count.c) --------------------------------------------------------------- */

/* What one chunk holds, such that neighbours can be merged: a word over the border counts once. */
typedef struct demo_piece {
    demo_counts counts;
    bool matters;       /* it has a byte that begins, continues or ends a word */
    bool begins_inside; /* the first such byte is part of a word */
    bool ends_inside;   /* the last one is */
} demo_piece;

void demo_count(const unsigned char *data, size_t bytes, demo_piece *out);
void demo_merge(demo_file *file, const demo_piece *piece);

/* --- slots (demo_slots.c) ------------------------------------------------------------------ */

typedef struct demo_pipeline demo_pipeline;

/* Belongs to the reader while free or being filled, to its counting task from the submit until
 * `done` is set under the pipeline's lock. */
typedef struct demo_slot {
    demo_pipeline *pipeline;
    unsigned char *data;
    size_t node; /* index into demo_slots.nodes */
    demo_file *file;
    size_t bytes;
    demo_piece piece;
    bool done;
} demo_slot;

typedef struct demo_node {
    np_node_id node;   /* where the tasks go: it has workers */
    np_node_id memory; /* where the chunks lie: the same, or the nearest with memory, or none (a
                          file that tells no sizes): then wherever they are touched first */
    uint32_t workers;
    size_t slots;
    np_region *region;
    uint64_t chunks; /* chunks that were submitted; the reader's */
    uint64_t bytes;
} demo_node;

typedef struct demo_slots {
    demo_node *nodes;
    size_t node_count;
    demo_slot *slots; /* a ring */
    size_t count;
    size_t chunk_bytes;
} demo_slots;

/* `chunks_expected`: no more slots than that are of use; 0 if unknown. Says what failed. */
bool demo_slots_create(demo_slots *slots, const np_executor *executor, const demo_options *options,
                       uint64_t chunks_expected);
void demo_slots_destroy(demo_slots *slots);

/* --- the pipeline (demo_pipeline.c) -------------------------------------------------------- */

typedef struct demo_result {
    uint64_t elapsed_ns;
    uint64_t bytes; /* counted, over all repeats */
    uint64_t chunks;
    bool changed;    /* a repeat counted something else than the first pass */
    np_stats *stats; /* of the run */
} demo_result;

/* Runs the input through; the counts are in its files afterwards. False, said, if it cannot. */
bool demo_run(np_executor *executor, demo_slots *slots, np_collector *collector, demo_input *input,
              const demo_options *options, demo_result *result);

/* --- output (demo_print.c, demo_json.c) ---------------------------------------------------- */

/* Everything that is printed after a run. `topology` is the executor's. */
typedef struct demo_outcome {
    const demo_options *options;
    const demo_input *input;
    const demo_slots *slots;
    const np_executor *executor;
    const np_collector *collector;
    const demo_result *result;
} demo_outcome;

/* Messages about single files; false if there was any. */
bool demo_print_errors(const demo_input *input);
demo_counts demo_total(const demo_input *input);

/* As wc prints them, under a heading if wanted. */
void demo_print_counts(const demo_input *input, bool heading);
bool demo_print_text(const demo_outcome *outcome);
void demo_print_json(const demo_outcome *outcome);

#endif
