/*
 * demo_json.c - what the demo found, as one JSON object: files, total, run, workers, chunks,
 * report.
 */
#include <stdlib.h>
#include <string.h>

#include "demo.h"
#include "json.h"

static size_t report_json(const void *stats, const void *collector, char *buffer, size_t capacity)
{
    return np_report_json(stats, collector, buffer, capacity);
}

static void write_counts(json_writer *json, const demo_counts *counts)
{
    json_unsigned(json, "lines", counts->lines);
    json_unsigned(json, "words", counts->words);
    json_unsigned(json, "bytes", counts->bytes);
}

static void write_files(json_writer *json, const demo_input *input)
{
    json_open_array(json, "files");
    for (size_t i = 0; i < input->count; i++) {
        const demo_file *file = &input->files[i];
        json_open_object(json, NULL);
        json_string(json, "name", file->path);
        write_counts(json, &file->counts);
        json_string(json, "error", file->error != 0 ? strerror(file->error) : NULL);
        json_close(json);
    }
    json_close(json);
    demo_counts total = demo_total(input);
    json_open_object(json, "total");
    write_counts(json, &total);
    json_close(json);
}

static void write_run(json_writer *json, const demo_outcome *outcome)
{
    const demo_result *result = outcome->result;
    double seconds = (double)result->elapsed_ns / 1e9;
    json_open_object(json, "run");
    json_string(json, "policy", np_steal_policy_name(np_executor_steal_policy(outcome->executor)));
    json_string(json, "hard_mode", np_hard_mode_name(np_executor_hard_mode(outcome->executor)));
    json_bool(json, "virtual", np_topology_is_virtual(np_executor_topology(outcome->executor)));
    json_unsigned(json, "nodes", outcome->slots->node_count);
    json_unsigned(json, "workers", np_executor_worker_count(outcome->executor));
    json_unsigned(json, "repeat", outcome->options->repeat);
    json_unsigned(json, "chunk_bytes", outcome->slots->chunk_bytes);
    json_unsigned(json, "chunks", result->chunks);
    json_unsigned(json, "bytes", result->bytes);
    json_unsigned(json, "elapsed_ns", result->elapsed_ns);
    json_number(json, "bytes_per_second", seconds > 0.0 ? (double)result->bytes / seconds : 0.0);
    json_close(json);
}

static void write_enforcement(json_writer *json, np_enforcement achieved)
{
    json_string(json, "enforcement", np_enforcement_level_name(achieved.level));
    json_string(json, "reason",
                achieved.level == NP_ENFORCEMENT_STRICT ? NULL : np_reason_text(achieved.reason));
}

static void write_workers(json_writer *json, const np_executor *executor)
{
    json_open_array(json, "workers");
    for (uint32_t i = 0; i < np_executor_worker_count(executor); i++) {
        np_worker_info info;
        if (np_executor_worker_info(executor, i, &info) != NP_OK) {
            continue;
        }
        char *cpus = cli_cpu_list(&info.cpus);
        json_open_object(json, NULL);
        json_unsigned(json, "index", info.index);
        json_signed(json, "node", info.node);
        json_string(json, "cpus", cpus);
        write_enforcement(json, info.binding);
        json_close(json);
        free(cpus);
    }
    json_close(json);
}

static void write_chunks(json_writer *json, const demo_slots *slots)
{
    json_open_array(json, "chunks");
    for (size_t n = 0; n < slots->node_count; n++) {
        const demo_node *node = &slots->nodes[n];
        np_region_audit audit;
        if (node->region == NULL) {
            continue;
        }
        json_open_object(json, NULL);
        json_signed(json, "node", node->node);
        if (node->memory != NP_NODE_ID_NONE) {
            json_signed(json, "memory_node", node->memory);
        } else {
            json_string(json, "memory_node", NULL);
        }
        json_unsigned(json, "slots", node->slots);
        json_unsigned(json, "chunks", node->chunks);
        json_unsigned(json, "bytes", node->bytes);
        write_enforcement(json, np_region_enforcement(node->region));
        if (np_region_audit_pages(node->region, &audit, NULL, 0) == NP_OK) {
            json_open_object(json, "pages");
            json_unsigned(json, "all", audit.pages);
            json_unsigned(json, "home", audit.home);
            json_unsigned(json, "elsewhere", audit.elsewhere);
            json_unsigned(json, "not_present", audit.not_present);
            json_unsigned(json, "unknown", audit.unknown);
            json_close(json);
        } else {
            json_string(json, "pages", NULL);
        }
        json_close(json);
    }
    json_close(json);
}

void demo_print_json(const demo_outcome *outcome)
{
    json_writer json;
    char *report = cli_text(report_json, outcome->result->stats, outcome->collector);
    json_begin(&json);
    json_string(&json, "numaperf", np_version_string());
    write_files(&json, outcome->input);
    write_run(&json, outcome);
    write_workers(&json, outcome->executor);
    write_chunks(&json, outcome->slots);
    json_raw(&json, "report", report);
    json_end(&json);
    free(report);
}
