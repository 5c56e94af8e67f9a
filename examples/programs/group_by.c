/*
 * group_by: count, least, mean and most of the values of every station in a table of measurements.
 *
 *     ./make_csv 5000000 >rows.csv
 *     ./group_by rows.csv [MACHINE]
 *
 * Prints "station,count,least,sum,most" in the order of the stations' names; the values in tenths,
 * so that they add up exactly. What awk finds in the same file must be the same.
 *
 * The file becomes a partitioned array of bytes: a stretch of it on every node, read and parsed by
 * that node's workers. Each worker adds up what it meets in a table of its own (pre-aggregation,
 * as in Leis, Boncz, Kemper and Neumann: Morsel-Driven Parallelism, SIGMOD 2014). Then the keys are
 * divided by their hash: each node collects its share of them from all tables.
 */
#include "program.h"
#include "table.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct query {
    np_executor *executor;
    np_group *group;
    int file;
    char *text;
    size_t bytes;
    np_sharded *tables; /* a `table` per worker */
    size_t share_count;
};

/* A node's share of the keys. */
struct share {
    const struct query *query;
    size_t number;
    struct table table;
};

/* --- reading ------------------------------------------------------------------------------- */

static void read_stretch(void *context, size_t begin, size_t end)
{
    struct query *query = context;
    while (begin < end) {
        ssize_t got = pread(query->file, query->text + begin, end - begin, (off_t)begin);
        if (got <= 0) { /* the file has become shorter, or cannot be read */
            np_group_fail(query->group, NP_ERR_SYSTEM);
            return;
        }
        begin += (size_t)got;
    }
}

/* --- parsing ------------------------------------------------------------------------------- */

/* "-12.3" to -123; false if it is not a number with one decimal. */
static bool parse_tenths(const char *at, const char *end, int32_t *out)
{
    bool negative = at < end && *at == '-';
    int32_t value = 0;
    const char *digit = at + negative;
    if (end - digit < 3 || end - digit > 7 || end[-2] != '.')
        return false;
    for (; digit < end; digit++) {
        if (digit == end - 2)
            continue;
        if (*digit < '0' || *digit > '9')
            return false;
        value = value * 10 + (*digit - '0');
    }
    *out = negative ? -value : value;
    return true;
}

/* "second,station,value" */
static bool parse_line(const char *line, const char *end, struct row *out)
{
    const char *station = memchr(line, ',', (size_t)(end - line));
    if (station == NULL)
        return false;
    station++;
    const char *value = memchr(station, ',', (size_t)(end - station));
    if (value == NULL || value == station || (size_t)(value - station) > TABLE_KEY_MOST)
        return false;
    size_t length = (size_t)(value - station);
    memset(out->key, 0, sizeof out->key);
    memcpy(out->key, station, length);
    out->hash = table_hash(station, length);
    out->count = 1;
    if (!parse_tenths(value + 1, end, &out->least))
        return false;
    out->most = out->least;
    out->sum = out->least;
    return true;
}

/* The lines that begin in the stretch; the last of them may end behind it. */
static void parse_stretch(void *context, size_t begin, size_t end)
{
    struct query *query = context;
    const char *text = query->text, *text_end = text + query->bytes;
    const char *line = text + begin;
    struct table *table = np_sharded_local(query->tables);
    if (begin > 0 && line[-1] != '\n') { /* the first bytes are of a line that began before */
        line = memchr(line, '\n', (size_t)(text_end - line));
        if (line == NULL)
            return;
        line++;
    }
    while (line < text + end) {
        const char *line_end = memchr(line, '\n', (size_t)(text_end - line));
        if (line_end == NULL)
            line_end = text_end;
        struct row row;
        if (!parse_line(line, line_end, &row) || !table_add(table, &row)) {
            fprintf(stderr, "at byte %zu: not a row, or no memory\n", (size_t)(line - text));
            np_group_fail(query->group, NP_ERR_PARSE);
            return;
        }
        line = line_end + 1;
    }
}

/* --- collecting ---------------------------------------------------------------------------- */

static void collect_from(void *context, void *value, np_node_id node)
{
    struct share *share = context;
    const struct table *from = value;
    (void)node;
    for (size_t place = 0; place < from->places; place++) {
        const struct row *row = &from->rows[place];
        /* The upper bits: the lower ones choose the place in the table. */
        if (row->count != 0 && (row->hash >> 16) % share->query->share_count == share->number &&
            !table_add(&share->table, row))
            np_group_fail(share->query->group, NP_ERR_NO_MEMORY);
    }
}

static void collect(void *argument)
{
    struct share *share = argument;
    (void)np_sharded_for_each(share->query->tables, collect_from, share);
}

static int by_key(const void *a, const void *b)
{
    const struct row *const *left = a, *const *right = b;
    return strcmp((*left)->key, (*right)->key);
}

static void print_all(const struct share *shares, size_t count)
{
    size_t total = 0, used = 0;
    for (size_t i = 0; i < count; i++)
        total += shares[i].table.used;
    const struct row **rows = malloc((total + 1) * sizeof *rows);
    EXPECT(rows != NULL);
    for (size_t i = 0; i < count; i++)
        for (size_t place = 0; place < shares[i].table.places; place++)
            if (shares[i].table.rows[place].count != 0)
                rows[used++] = &shares[i].table.rows[place];
    EXPECT(used == total);
    qsort(rows, total, sizeof *rows, by_key);
    for (size_t i = 0; i < total; i++)
        printf("%s,%llu,%d,%lld,%d\n", rows[i]->key, (unsigned long long)rows[i]->count,
               rows[i]->least, (long long)rows[i]->sum, rows[i]->most);
    free(rows);
}

/* --- the query ----------------------------------------------------------------------------- */

static void free_table(void *context, void *value, np_node_id node)
{
    (void)context;
    (void)node;
    table_free(value);
}

static void collect_and_print(struct query *query)
{
    np_node_id nodes[EXAMPLE_MAX_NODES];
    static struct share shares[EXAMPLE_MAX_NODES];
    query->share_count = example_nodes(query->executor, nodes, EXAMPLE_MAX_NODES);
    for (size_t i = 0; i < query->share_count; i++) {
        shares[i] = (struct share){.query = query, .number = i};
        CHECK(
            np_group_submit_to_node(query->group, query->executor, nodes[i], collect, &shares[i]));
    }
    CHECK(np_group_wait(query->group));
    print_all(shares, query->share_count);
    for (size_t i = 0; i < query->share_count; i++)
        table_free(&shares[i].table);
}

static void run(np_executor *executor, const char *path)
{
    struct query query = {.executor = executor, .file = open(path, O_RDONLY | O_CLOEXEC)};
    struct stat about;
    if (query.file < 0 || fstat(query.file, &about) != 0 || !S_ISREG(about.st_mode)) {
        fprintf(stderr, "group_by: %s: not a file that can be read\n", path);
        exit(EXIT_FAILURE);
    }
    query.bytes = (size_t)about.st_size;
    if (query.bytes == 0) {
        close(query.file);
        return;
    }
    np_array *text = NULL;
    CHECK(np_group_create(NULL, &query.group));
    CHECK(np_array_create(np_executor_topology(executor), 1, query.bytes, NULL, &text));
    query.text = np_array_data(text);
    CHECK(np_sharded_create(executor,
                            NP_SHARDED_OPTIONS(.bytes = sizeof(struct table),
                                               .per = NP_SHARD_PER_WORKER, .destroy = free_table),
                            &query.tables));

    const np_loop_options *in_group = NP_LOOP_OPTIONS(.group = query.group);
    CHECK(np_parallel_for_array(executor, text, in_group, read_stretch, &query));
    close(query.file);
    CHECK(np_parallel_for_array(executor, text, in_group, parse_stretch, &query));
    collect_and_print(&query);

    np_sharded_destroy(query.tables);
    np_array_destroy(text);
    CHECK(np_group_destroy(query.group));
}

/* The answer goes to standard output, everything else to standard error. */
static void show_locality(const np_executor *executor)
{
    np_stats *stats = NULL;
    CHECK(np_stats_snapshot(executor, &stats));
    fprintf(stderr, "slices: %llu on their own worker, %llu on a sibling, %llu on another node\n",
            (unsigned long long)np_stats_total(stats, NP_COUNTER_SLICES_KEPT),
            (unsigned long long)np_stats_total(stats, NP_COUNTER_SLICES_MOVED),
            (unsigned long long)np_stats_total(stats, NP_COUNTER_SLICES_AWAY));
    np_stats_destroy(stats);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: group_by FILE [MACHINE]\n");
        return 2;
    }
    np_topology *topology = NULL;
    if (argc > 2)
        CHECK(np_topology_from_synthetic(argv[2], &topology));
    else
        CHECK(np_topology_discover(&topology));
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    run(executor, argv[1]);
    show_locality(executor);
    CHECK(np_executor_destroy(executor));
    np_topology_destroy(topology);
    return EXIT_SUCCESS;
}
