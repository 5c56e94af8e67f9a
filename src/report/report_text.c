/*
 * report/report_text.c - the report for people: plain ASCII, lines of at most 80 characters.
 *
 * Sections: a summary; a table of the nodes; where tasks ran (home by node, folded beyond 8 nodes);
 * how work moved; the data of tasks and the program's own accesses, if there are any;
 * recommendations.
 */
#include "report/advice.h"
#include "report/figures.h"
#include "report/words.h"

#define WIDTH          80u
#define COUNTS_NODES   4u /* up to here a cell holds a count and a percentage */
#define MATRIX_NODES   8u /* up to here a percentage; beyond, one line per home */
#define FOLDED_TARGETS 3u

static bool is_gone(const np_stats *stats, np_node_index node, const void *context)
{
    (void)context;
    return stats->nodes[node].gone;
}

/* Only if the machine has changed under the executor. */
static void drift(npi_text *text, const npi_figures *f)
{
    uint32_t gone = 0;
    for (uint32_t i = 0; i < f->stats->node_count; i++)
        gone += f->stats->nodes[i].gone ? 1 : 0;
    if (gone == 0 && f->total[NP_COUNTER_REBOUND] + f->total[NP_COUNTER_DISPLACED] == 0)
        return;
    npi_text_add(text, "  binding   drifted: threads bound anew %s, tasks displaced %s\n",
                 npi_short_word(f->total[NP_COUNTER_REBOUND]).text,
                 npi_short_word(f->total[NP_COUNTER_DISPLACED]).text);
    if (gone == 0)
        return;
    npi_text_add(text, "            no usable CPU now: ");
    npi_text_add_nodes(text, f->stats, is_gone, NULL);
    npi_text_add(text, "\n");
}

static void summary(npi_text *text, const npi_figures *f)
{
    npi_text_add(text, "numaperf report\n");
    npi_text_add(text, "  policy    %s\n", np_steal_policy_name(f->stats->policy));
    npi_text_add(text, "  workers   %u on %s, ", f->workers,
                 npi_plural_word(f->nodes, "node").text);
    npi_text_add(text, f->stats->difference ? "watched for %s\n" : "created %s ago\n",
                 npi_duration_word(np_stats_elapsed_ns(f->stats)).text);
    npi_text_add(text, "  tasks     %s executed, %s discarded, %s waiting\n",
                 npi_count_word(f->executed).text,
                 npi_count_word(f->total[NP_COUNTER_DISCARDED]).text,
                 npi_count_word(f->queued).text);
    drift(text, f);
    if (f->executed == 0) {
        npi_text_add(text, "  locality  unknown: no task was executed\n");
        return;
    }
    npi_text_add(text, "  locality  %s at home: %s%s\n",
                 npi_percent_word(f->total[NP_COUNTER_EXECUTED_HOME], f->executed).text,
                 np_health_name(np_stats_health(f->stats)),
                 f->nodes == 1 ? " (there is only one node)" : "");
}

/* --- nodes --------------------------------------------------------------------------------- */

static void node_table(npi_text *text, const npi_figures *f)
{
    npi_text_add(text,
                 "\nNodes: tasks run at home and for others, tasks that left, tasks waiting\n");
    npi_text_add(text, "%6s%10s%9s%11s%8s%11s%9s%8s%8s\n", "node", "active", "at home",
                 "for others", "left", "discarded", "waiting", "parks", "wakes");
    for (uint32_t i = 0; i < f->stats->node_count; i++) {
        if (!npi_figures_shows(f, i))
            continue;
        npi_node_figures node = npi_figures_node(f, i);
        npi_word active;
        npi_text field;
        npi_text_begin(&field, active.text, sizeof active.text);
        npi_text_add(&field, "%u/%u", node.active, node.workers);
        npi_text_add(
            text, "%6d%10s%9s%11s%8s%11s%9s%8s%8s\n", (int)node.id, active.text,
            npi_short_word(node.value[NP_COUNTER_EXECUTED_HOME]).text,
            npi_short_word(node.value[NP_COUNTER_EXECUTED_AWAY]).text,
            npi_short_word(node.left).text, npi_short_word(node.value[NP_COUNTER_DISCARDED]).text,
            npi_short_word(node.queued).text, npi_short_word(node.value[NP_COUNTER_PARKS]).text,
            npi_short_word(node.value[NP_COUNTER_WAKES]).text);
    }
    npi_text_add(text, "  active: workers that ran a task, of the node's regular workers\n");
}

/* --- a matrix ------------------------------------------------------------------------------ */

/* What a matrix is made of: tasks by home and node, accesses by thread's node and data's node,
 * bytes of tasks' data by the node that ran them and the data's node. */
typedef enum matrix_kind { OF_TASKS, OF_ACCESSES, OF_DATA } matrix_kind;

typedef struct matrix {
    const npi_figures *figures;
    matrix_kind kind;
} matrix;

static const char *const row_words[] = {"home", "thread", "ran"};
static const char *const sum_words[] = {"tasks", "all", "bytes"};

/* Columns and rows are the snapshot's nodes; accesses have one more, for unknown nodes. */
static uint32_t matrix_size(const matrix *m)
{
    return m->kind == OF_ACCESSES ? m->figures->collector->node_count + 1
                                  : m->figures->stats->node_count;
}

static uint64_t cell(const matrix *m, uint32_t row, uint32_t column)
{
    if (m->kind == OF_ACCESSES)
        return npi_collector_sum(m->figures->collector, row, column).accesses;
    if (m->kind == OF_DATA)
        return npi_data_cube_sum(&m->figures->stats->data, NP_NODE_INDEX_NONE, row, column).bytes;
    return npi_stats_matrix(m->figures->stats, row, column);
}

static npi_word label(const matrix *m, uint32_t index)
{
    npi_word word;
    npi_text text;
    npi_text_begin(&text, word.text, sizeof word.text);
    if (m->kind != OF_ACCESSES)
        npi_text_add(&text, "%d", (int)m->figures->stats->nodes[index].id);
    else if (index < m->figures->collector->node_count)
        npi_text_add(&text, "%d", (int)m->figures->collector->ids[index]);
    else
        npi_text_add(&text, "other");
    return word;
}

static uint64_t row_sum(const matrix *m, uint32_t row)
{
    uint64_t sum = 0;
    for (uint32_t column = 0; column < matrix_size(m); column++)
        sum += cell(m, row, column);
    return sum;
}

static bool index_shown(const matrix *m, uint32_t index)
{
    if (m->kind == OF_TASKS && npi_figures_shows(m->figures, index))
        return true;
    uint64_t sum = row_sum(m, index);
    for (uint32_t row = 0; row < matrix_size(m) && sum == 0; row++)
        sum += cell(m, row, index);
    return sum > 0;
}

static void matrix_table(npi_text *text, const matrix *m, uint32_t shown)
{
    bool counts = shown <= COUNTS_NODES;
    npi_text_add(text, "%8s%8s", row_words[m->kind], sum_words[m->kind]);
    for (uint32_t column = 0; column < matrix_size(m); column++)
        if (index_shown(m, column))
            npi_text_add(text, "%*s", counts ? 16 : 8, label(m, column).text);
    npi_text_add(text, "\n");
    for (uint32_t row = 0; row < matrix_size(m); row++) {
        if (!index_shown(m, row))
            continue;
        uint64_t sum = row_sum(m, row);
        npi_text_add(text, "%8s%8s", label(m, row).text, npi_short_word(sum).text);
        for (uint32_t column = 0; column < matrix_size(m); column++) {
            if (!index_shown(m, column))
                continue;
            uint64_t value = cell(m, row, column);
            if (value == 0)
                npi_text_add(text, "%*s", counts ? 16 : 8, ".");
            else if (counts)
                npi_text_add(text, "%8s%8s", npi_short_word(value).text,
                             npi_percent_word(value, sum).text);
            else
                npi_text_add(text, "%8s", npi_percent_word(value, sum).text);
        }
        npi_text_add(text, "\n");
    }
}

/* "node 12: 1,234 tasks, 93.1 % here; 14: 4.0 %, 13: 1.2 %, 9 others: 1.7 %" */
static void folded_row(npi_text *text, const matrix *m, uint32_t row)
{
    uint64_t sum = row_sum(m, row);
    if (sum == 0)
        return;
    npi_text_add(text, "%8s%8s%9s here", label(m, row).text, npi_short_word(sum).text,
                 cell(m, row, row) == 0 ? "none" : npi_percent_word(cell(m, row, row), sum).text);
    uint64_t named = cell(m, row, row);
    uint32_t chosen[FOLDED_TARGETS];
    uint32_t count = 0;
    while (count < FOLDED_TARGETS) {
        uint32_t best = row;
        for (uint32_t column = 0; column < matrix_size(m); column++) {
            bool taken = column == row || cell(m, row, column) == 0;
            for (uint32_t i = 0; i < count; i++)
                taken = taken || chosen[i] == column;
            if (!taken && (best == row || cell(m, row, column) > cell(m, row, best)))
                best = column;
        }
        if (best == row)
            break;
        chosen[count++] = best;
        named += cell(m, row, best);
        npi_text_add(text, "%s %s: %s", count == 1 ? ";" : ",", label(m, best).text,
                     npi_percent_word(cell(m, row, best), sum).text);
    }
    if (named < sum)
        npi_text_add(text, ", rest: %s", npi_percent_word(sum - named, sum).text);
    npi_text_add(text, "\n");
}

static void matrix_section(npi_text *text, const matrix *m)
{
    uint32_t shown = 0;
    for (uint32_t i = 0; i < matrix_size(m); i++)
        shown += index_shown(m, i) ? 1 : 0;
    if (shown <= MATRIX_NODES) {
        matrix_table(text, m, shown);
        return;
    }
    npi_text_add(text, "%8s%8s\n", row_words[m->kind], sum_words[m->kind]);
    for (uint32_t row = 0; row < matrix_size(m); row++)
        folded_row(text, m, row);
}

/* --- movement ------------------------------------------------------------------------------ */

static void tier_line(npi_text *text, const npi_figures *f, const char *name, np_counter tasks,
                      np_counter children)
{
    npi_text_add(text, "  %-14s%10s%12s\n", name, npi_short_word(f->total[tasks]).text,
                 npi_short_word(f->total[children]).text);
}

/* The regular workers that ran most and fewest tasks: uneven figures inside a node show here. */
static void spread(npi_text *text, const npi_figures *f)
{
    uint32_t most = UINT32_MAX;
    uint32_t least = UINT32_MAX;
    for (uint32_t w = 0; w < f->stats->worker_count; w++) {
        if (f->stats->workers[w].kind != NP_WORKER_REGULAR)
            continue;
        uint64_t ran = npi_figures_worker_executed(f, w);
        if (most == UINT32_MAX || ran > npi_figures_worker_executed(f, most))
            most = w;
        if (least == UINT32_MAX || ran < npi_figures_worker_executed(f, least))
            least = w;
    }
    if (f->workers < 2 || most == UINT32_MAX)
        return;
    npi_text_add(text, "  tasks per worker: %s (worker %u, node %d) to %s (worker %u, node %d)\n",
                 npi_short_word(npi_figures_worker_executed(f, least)).text, least,
                 (int)np_stats_worker_node(f->stats, least),
                 npi_short_word(npi_figures_worker_executed(f, most)).text, most,
                 (int)np_stats_worker_node(f->stats, most));
}

/* Spare and guest workers that have run something. */
static uint64_t helpers(const npi_figures *f, np_worker_kind kind)
{
    uint64_t count = 0;
    for (uint32_t w = 0; w < f->stats->worker_count; w++)
        if (f->stats->workers[w].kind == kind && npi_figures_worker_executed(f, w) > 0)
            count++;
    return count;
}

/* At most 7 characters: with few tasks and many sleeps the decimal says nothing. */
static npi_word per_hundred(uint64_t count, uint64_t tasks)
{
    double share = (double)count * 100.0 / (double)tasks;
    return share < 99999.0 ? npi_decimal_word(share) : npi_short_word(npi_whole(share));
}

static void movement(npi_text *text, const npi_figures *f)
{
    npi_text_add(text, "\n%-16s%10s%12s\n", "Stolen from the", "tasks", "children");
    tier_line(text, f, "same cache", NP_COUNTER_STOLEN_CACHE, NP_COUNTER_FORKS_STOLEN_CACHE);
    tier_line(text, f, "same node", NP_COUNTER_STOLEN_NODE, NP_COUNTER_FORKS_STOLEN_NODE);
    tier_line(text, f, "same socket", NP_COUNTER_STOLEN_SOCKET, NP_COUNTER_FORKS_STOLEN_SOCKET);
    tier_line(text, f, "other sockets", NP_COUNTER_STOLEN_REMOTE, NP_COUNTER_FORKS_STOLEN_REMOTE);
    spread(text, f);
    npi_text_add(text, "  left home: backlog %s, queue stood still %s, free to go %s\n",
                 npi_short_word(f->total[NP_COUNTER_AWAY_BACKLOG]).text,
                 npi_short_word(f->total[NP_COUNTER_AWAY_AGE]).text,
                 npi_short_word(f->total[NP_COUNTER_AWAY_ANY]).text);
    npi_text_add(text, "  searches for work: %s; looks that the gate sent back: %s\n",
                 npi_short_word(f->total[NP_COUNTER_SEARCHES]).text,
                 npi_short_word(f->total[NP_COUNTER_GATE_REFUSED]).text);
    npi_text_add(text, "  sleeps: %s; wake-ups sent: %s",
                 npi_short_word(f->total[NP_COUNTER_PARKS]).text,
                 npi_short_word(f->total[NP_COUNTER_WAKES]).text);
    if (f->executed > 0)
        npi_text_add(text, "; per 100 tasks: %s and %s",
                     per_hundred(f->total[NP_COUNTER_PARKS], f->executed).text,
                     per_hundred(f->total[NP_COUNTER_WAKES], f->executed).text);
    npi_text_add(text, "\n");
    uint64_t spares = helpers(f, NP_WORKER_SPARE);
    uint64_t guests = helpers(f, NP_WORKER_GUEST);
    if (spares + guests + f->total[NP_COUNTER_BLOCKED] > 0)
        npi_text_add(text, "  tasks blocked %s times; helping: %s, %s\n",
                     npi_short_word(f->total[NP_COUNTER_BLOCKED]).text,
                     npi_plural_word(spares, "spare worker").text,
                     npi_plural_word(guests, "guest worker").text);
}

/* "backlog 1.2 GiB, queue stood still 3.0 MiB"; or one of them */
static void bytes_pair(npi_text *text, const npi_figures *f, const char *begin,
                       const char *const words[2], const np_counter counters[2])
{
    for (int i = 0; i < 2 && words[i] != NULL; i++) {
        npi_text_add(text, "%s%s ", i == 0 ? begin : ", ", words[i]);
        npi_text_add_bytes(text, f->total[counters[i]]);
    }
    npi_text_add(text, "\n");
}

static void afar(npi_text *text, const npi_figures *f)
{
    static const char *const words[][2] = {{"backlog", "queue stood still"},
                                           {"free to go", "node gone"},
                                           {"no worker there", "sent elsewhere"},
                                           {"idle helpers of loops", NULL}};
    static const np_counter counters[][2] = {{NP_COUNTER_DATA_BACKLOG, NP_COUNTER_DATA_AGE},
                                             {NP_COUNTER_DATA_ANY, NP_COUNTER_DATA_DISPLACED},
                                             {NP_COUNTER_DATA_NO_WORKER, NP_COUNTER_DATA_SENT},
                                             {NP_COUNTER_DATA_HELPED, NP_COUNTER_DATA_HELPED}};
    for (int i = 0; i < 4; i++)
        if (f->total[counters[i][0]] + f->total[counters[i][1]] != 0)
            bytes_pair(text, f, "  from afar: ", words[i], counters[i]);
}

/* Only if tasks were submitted with data. */
static void data(npi_text *text, const npi_figures *f)
{
    static const char *const words[2] = {"on further nodes", "unknown where"};
    static const np_counter counters[2] = {NP_COUNTER_DATA_SPREAD, NP_COUNTER_DATA_UNKNOWN};
    uint64_t rest = f->total[NP_COUNTER_DATA_SPREAD] + f->total[NP_COUNTER_DATA_UNKNOWN];
    if (f->total[NP_COUNTER_DATA_TASKS] + rest == 0)
        return;
    uint64_t bytes = npi_figures_data_bytes(f);
    npi_text_add(text, "\nData of tasks: ");
    npi_text_add_bytes(text, bytes);
    npi_text_add(text, " of %s\n", npi_plural_word(f->total[NP_COUNTER_DATA_TASKS], "task").text);
    if (bytes != 0) {
        double locality = np_stats_data_locality(f->stats);
        npi_text_add(text, "  %s of the bytes touched at home: %s\n",
                     npi_percent_word(f->total[NP_COUNTER_DATA_LOCAL], bytes).text,
                     np_health_name(np_health_of_ratio(locality)));
        afar(text, f);
    }
    if (rest != 0)
        bytes_pair(text, f, "  besides: ", words, counters);
    if (f->total[NP_COUNTER_DATA_CALLS] != 0)
        npi_text_add(text, "  the kernel was asked %s\n",
                     npi_plural_word(f->total[NP_COUNTER_DATA_CALLS], "time").text);
    if (bytes == 0 || f->stats->node_count == 1)
        return;
    npi_text_add(text, "  bytes by node that ran the task (row) and node of the data (column)\n");
    matrix of_data = {f, OF_DATA};
    matrix_section(text, &of_data);
}

static void accesses(npi_text *text, const npi_figures *f)
{
    uint64_t all = f->access.local + f->access.remote;
    npi_text_add(text, "\nData accesses recorded by the program: %s\n", npi_count_word(all).text);
    if (all == 0)
        return;
    npi_text_add(text, "  local %s (", npi_percent_word(f->access.local, all).text);
    npi_text_add_bytes(text, f->access.local_bytes);
    npi_text_add(text, "), remote %s (", npi_percent_word(f->access.remote, all).text);
    npi_text_add_bytes(text, f->access.remote_bytes);
    npi_text_add(text, "): %s\n",
                 np_health_name(np_health_of_ratio(npi_figures_access_locality(f))));
    npi_text_add(text, "  by node of the thread (row) and node of the data (column)\n");
    matrix of_accesses = {f, OF_ACCESSES};
    matrix_section(text, &of_accesses);
}

static void recommendations(npi_text *text, const npi_figures *f)
{
    npi_text_add(text, "\nRecommendations\n");
    unsigned number = 0;
    for (uint32_t i = 0; i < npi_advice_rule_count(); i++) {
        npi_advice advice;
        if (!npi_advice_get(f, i, &advice))
            continue;
        char first[16];
        npi_text prefix;
        npi_text_begin(&prefix, first, sizeof first);
        npi_text_add(&prefix, "  %u. ", ++number);
        npi_text_add_wrapped(text, first, advice.text, WIDTH);
    }
    if (number == 0)
        npi_text_add(text, "  none: these figures give no reason to change anything\n");
}

size_t np_report_text(const np_stats *stats, const np_collector *collector, char *buffer,
                      size_t capacity)
{
    npi_text text;
    npi_text_begin(&text, buffer, capacity);
    if (stats == NULL)
        return 0;
    npi_figures figures;
    npi_figures_take(&figures, stats, collector);
    summary(&text, &figures);
    node_table(&text, &figures);
    if (figures.executed > 0 && figures.nodes > 1) {
        npi_text_add(&text, "\nWhere tasks ran: row = home, column = node that ran them\n");
        matrix of_tasks = {&figures, OF_TASKS};
        matrix_section(&text, &of_tasks);
    }
    movement(&text, &figures);
    data(&text, &figures);
    if (collector != NULL)
        accesses(&text, &figures);
    recommendations(&text, &figures);
    return text.length;
}
