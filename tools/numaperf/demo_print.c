/*
 * demo_print.c - what the demo found: the counts as wc prints them, throughput, where the workers
 * and the chunks were, and the library's locality report.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo.h"
#include "format.h"
#include "table.h"

static size_t report_text(const void *stats, const void *collector, char *buffer, size_t capacity)
{
    return np_report_text(stats, collector, buffer, capacity);
}

bool demo_print_errors(const demo_input *input)
{
    bool fine = true;
    for (size_t i = 0; i < input->count; i++) {
        const demo_file *file = &input->files[i];
        if (file->error != 0) {
            cli_error("cannot %s '%s': %s", file->during, file->path, strerror(file->error));
            fine = false;
        }
    }
    return fine;
}

demo_counts demo_total(const demo_input *input)
{
    demo_counts total = {0, 0, 0};
    for (size_t i = 0; i < input->count; i++) {
        total.lines += input->files[i].counts.lines;
        total.words += input->files[i].counts.words;
        total.bytes += input->files[i].counts.bytes;
    }
    return total;
}

static void print_row(int width, const demo_counts *counts, const char *path)
{
    printf("%*llu %*llu %*llu ", width, (unsigned long long)counts->lines, width,
           (unsigned long long)counts->words, width, (unsigned long long)counts->bytes);
    format_path(path);
    (void)putchar('\n');
}

void demo_print_counts(const demo_input *input, bool heading)
{
    demo_counts total = demo_total(input);
    int width = snprintf(NULL, 0, "%llu", (unsigned long long)total.bytes);
    size_t rows = 0;
    width = heading && width < 7 ? 7 : width;
    if (heading) {
        printf("%s%*s %*s %*s FILE%s\n", cli_bold(), width, "LINES", width, "WORDS", width, "BYTES",
               cli_plain());
    }
    for (size_t i = 0; i < input->count; i++) {
        if (input->files[i].opened) {
            print_row(width, &input->files[i].counts, input->files[i].path);
            rows++;
        }
    }
    if (rows != 1 || input->count != 1) {
        print_row(width, &total, "total");
    }
}

static void print_throughput(const demo_outcome *outcome)
{
    const demo_result *result = outcome->result;
    char amount[FORMAT_CAPACITY];
    char rate[FORMAT_CAPACITY];
    char wall[FORMAT_CAPACITY];
    char chunk[FORMAT_CAPACITY];
    char text[256];
    uint32_t workers = np_executor_worker_count(outcome->executor);
    size_t nodes = outcome->slots->node_count;
    (void)snprintf(
        text, sizeof text, "%s in %s: %s, %llu %s of at most %s, %u %s on %zu %s, policy %s",
        format_bytes(amount, result->bytes), format_time(wall, result->elapsed_ns),
        format_rate(rate, result->bytes, result->elapsed_ns), (unsigned long long)result->chunks,
        result->chunks == 1 ? "chunk" : "chunks", format_bytes(chunk, outcome->slots->chunk_bytes),
        workers, workers == 1 ? "worker" : "workers", nodes, nodes == 1 ? "node" : "nodes",
        np_steal_policy_name(np_executor_steal_policy(outcome->executor)));
    (void)putchar('\n');
    format_paragraph(0, "", text);
}

/* One sentence: all workers bound, or how many are not and why the first of them is not. */
static void print_binding(const np_executor *executor)
{
    uint32_t count = np_executor_worker_count(executor);
    uint32_t strict = 0;
    np_worker_info weaker;
    bool any_weaker = false;
    for (uint32_t i = 0; i < count; i++) {
        np_worker_info info;
        if (np_executor_worker_info(executor, i, &info) != NP_OK) {
            continue;
        }
        if (info.binding.level == NP_ENFORCEMENT_STRICT) {
            strict++;
        } else if (!any_weaker) {
            weaker = info;
            any_weaker = true;
        }
    }
    char text[256];
    if (!any_weaker) {
        (void)snprintf(text, sizeof text,
                       "Every worker is bound to its node's CPUs, read back from the kernel.");
    } else {
        (void)snprintf(text, sizeof text,
                       "%u of %u workers are bound; worker %u of node %d is "
                       "not: %s.",
                       strict, count, weaker.index, (int)weaker.node,
                       np_reason_text(weaker.binding.reason));
    }
    format_paragraph(0, "", text);
}

static bool print_residency(const demo_slots *slots)
{
    table t;
    np_enforcement weakest = {NP_ENFORCEMENT_STRICT, NP_REASON_NONE, 0}; /* the first one that is */
    table_begin(&t);
    table_add_column(&t, "NODE", true);
    table_add_column(&t, "MEMORY", true);
    table_add_column(&t, "CHUNKS", true);
    table_add_column(&t, "BYTES", true);
    table_add_column(&t, "PAGES", true);
    table_add_column(&t, "HOME", true);
    table_add_column(&t, "AWAY", true);
    table_add_column(&t, "UNKNOWN", true);
    table_add_column(&t, "PLACEMENT", false);
    for (size_t n = 0; n < slots->node_count; n++) {
        const demo_node *node = &slots->nodes[n];
        char amount[FORMAT_CAPACITY];
        np_region_audit audit;
        if (node->region == NULL) {
            continue;
        }
        np_status status = np_region_audit_pages(node->region, &audit, NULL, 0);
        table_add(&t, "%d", (int)node->node);
        if (node->memory != NP_NODE_ID_NONE) {
            table_add(&t, "%d", (int)node->memory);
        } else {
            table_add(&t, "-");
        }
        table_add(&t, "%" PRIu64, node->chunks);
        table_add(&t, "%s", format_bytes(amount, node->bytes));
        if (status == NP_OK) {
            table_add(&t, "%" PRIu64, audit.pages);
            table_add(&t, "%" PRIu64, audit.home);
            table_add(&t, "%" PRIu64, audit.elsewhere);
            table_add(&t, "%" PRIu64, audit.not_present + audit.unknown);
        } else {
            for (int i = 0; i < 4; i++) {
                table_add(&t, "-");
            }
        }
        np_enforcement placed = np_region_enforcement(node->region);
        table_add(&t, "%s", np_enforcement_level_name(placed.level));
        if (weakest.level == NP_ENFORCEMENT_STRICT) {
            weakest = placed;
        }
    }
    cli_heading("Where the chunks lay, asked from the kernel page by page", false);
    bool drawn = table_end(&t);
    if (weakest.level != NP_ENFORCEMENT_STRICT) {
        printf("Placed less than strictly: %s.\n", np_reason_text(weakest.reason));
    }
    return drawn;
}

bool demo_print_text(const demo_outcome *outcome)
{
    print_throughput(outcome);
    print_binding(outcome->executor);
    char *report = cli_text(report_text, outcome->result->stats, outcome->collector);
    size_t length = strlen(report);
    printf("\n%s%s", report, length > 0 && report[length - 1] != '\n' ? "\n" : "");
    free(report);
    return print_residency(outcome->slots);
}
