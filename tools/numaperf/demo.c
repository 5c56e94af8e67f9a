/*
 * demo.c - `numaperf demo`: from the command line to the exit code. The parts are in demo_*.c.
 */
#include "demo.h"

#include <stdlib.h>
#include <string.h>

/* How many chunks the input has; 0 if that is not known. */
static uint64_t expected_chunks(const demo_input *input, uint64_t chunk_bytes)
{
    uint64_t chunks = 0;
    if (input->has_streams) {
        return 0;
    }
    for (size_t i = 0; i < input->count; i++) {
        uint64_t size = input->files[i].size;
        /* Files below /proc claim to be empty and are not. */
        chunks += size > 0 ? size / chunk_bytes + (size % chunk_bytes != 0 ? 1 : 0) : 1;
    }
    return chunks;
}

static bool print_outcome(const demo_outcome *outcome)
{
    bool read_all = demo_print_errors(outcome->input);
    bool printed = true;
    if (outcome->options->as_json) {
        demo_print_json(outcome);
    } else {
        demo_print_counts(outcome->input, !outcome->options->quiet);
        printed = outcome->options->quiet || demo_print_text(outcome);
    }
    if (outcome->result->changed) {
        cli_error("the input changed while it was read again");
    }
    return read_all && printed && !outcome->result->changed;
}

static bool run_on(np_executor *executor, demo_input *input, const demo_options *options)
{
    demo_slots slots;
    np_collector *collector = NULL;
    np_status status = np_collector_create(executor, &collector);
    if (status != NP_OK) {
        cli_library_error(status, "cannot count accesses");
        return false;
    }
    bool done = demo_slots_create(&slots, executor, options,
                                  expected_chunks(input, options->chunk_bytes));
    if (done) {
        demo_result result;
        done = demo_run(executor, &slots, collector, input, options, &result);
        if (done) {
            demo_outcome outcome = {options, input, &slots, executor, collector, &result};
            done = print_outcome(&outcome);
        }
        np_stats_destroy(result.stats);
        demo_slots_destroy(&slots);
    }
    np_collector_destroy(collector);
    return done;
}

static bool run(const np_topology *topology, demo_input *input, const demo_options *options)
{
    np_executor *executor = NULL;
    np_status status = cli_create_executor(topology, &options->executor, &executor);
    if (status != NP_OK) {
        cli_library_error(status, "cannot start the workers");
        return false;
    }
    bool done = run_on(executor, input, options);
    status = np_executor_shutdown(executor);
    if (status != NP_OK) {
        cli_library_error(status, "cannot stop the workers");
        done = false;
    }
    (void)np_executor_destroy(executor);
    return done;
}

int demo_command(int argc, char **argv)
{
    static char default_input[] = DEMO_DEFAULT_INPUT;
    char *default_inputs[] = {default_input};
    demo_options options;
    demo_input input;
    np_topology *topology = NULL;
    int code = 0;
    if (!demo_options_read(&options, argc, argv, &code)) {
        return code;
    }
    bool given = options.file_count > 0;
    demo_input_collect(&input, given ? options.files : default_inputs,
                       given ? options.file_count : 1);
    bool done = false;
    if (input.has_streams && options.repeat > 1) {
        code = cli_usage_error("demo", "--repeat needs files that can be read again");
    } else if (input.failed && input.count == 0) {
        code = CLI_FAILURE; /* said; a report about nothing would bury it */
    } else {
        done = cli_open_topology(&options.machine, &topology) && run(topology, &input, &options);
        code = done && !input.failed ? CLI_OK : CLI_FAILURE;
    }
    np_topology_destroy(topology);
    demo_input_release(&input);
    return code;
}
