/*
 * Compressed access logs through four places: read, decompress, parse, add up.
 *
 *     ./pipeline_gzip [MACHINE [FILE.gz...]]
 *
 * A line of a log is "HOST STATUS BYTES". Without files the program makes some itself, in memory
 * and always the same ones. MACHINE "-" is the real machine.
 *
 * Reading is the source, at the first node. Decompressing and parsing are parallel: the first one
 * on every node in turn, the second where the text is, still in that worker's cache. Adding up is
 * ordered, so that the digest of the whole stream does not depend on who was quicker. The same is
 * then computed by one plain loop, and must be equal.
 */
#include "example.h"

#include <stdbool.h>
#include <string.h>
#include <zlib.h>

#define MADE_FILES 24
#define MADE_LINES 4000
#define HOSTS      100

/* What a log comes to. */
struct totals {
    unsigned long long lines, bytes, failures;
    unsigned long long of_host[HOSTS];
};

/* An item: one file on its way. */
struct log_file {
    unsigned char *packed;
    size_t packed_bytes;
    char *text;
    size_t text_bytes;
    struct totals totals;
};

struct input {
    char **names; /* of files; or NULL */
    size_t count; /* of files, named or made */
    size_t next;  /* to be read */
};

struct result {
    struct totals totals;
    unsigned long long digest; /* depends on the order of the files */
};

/* --- the work, the same for the pipeline and for the plain loop ----------------------------------
 */

static unsigned random_number(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static np_status make_file(size_t number, struct log_file *file)
{
    unsigned seed = (unsigned)number + 1;
    size_t room = MADE_LINES * 32, length = 0;
    char *text = malloc(room);
    uLongf packed_bytes = compressBound(room);
    file->packed = malloc(packed_bytes + 64);
    if (text == NULL || file->packed == NULL) {
        free(text);
        return NP_ERR_NO_MEMORY;
    }
    for (unsigned i = 0; i < MADE_LINES; i++) {
        unsigned host = random_number(&seed) % HOSTS;
        unsigned status = random_number(&seed) % 20 == 0 ? 500 : 200;
        length += (size_t)snprintf(text + length, room - length, "host%u %u %u\n", host, status,
                                   random_number(&seed) % 100000);
    }
    z_stream stream = {.next_in = (Bytef *)text, .avail_in = (uInt)length};
    stream.next_out = file->packed;
    stream.avail_out = (uInt)packed_bytes + 64;
    /* 16: with the header of a gzip file. */
    int made = deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    if (made == Z_OK)
        made = deflate(&stream, Z_FINISH);
    file->packed_bytes = stream.total_out;
    (void)deflateEnd(&stream);
    free(text);
    return made == Z_STREAM_END ? NP_OK : NP_ERR_FAILED;
}

static np_status read_file(const char *name, struct log_file *file)
{
    long length = -1;
    FILE *stream = fopen(name, "rb");
    if (stream == NULL)
        return NP_ERR_NOT_FOUND;
    if (fseek(stream, 0, SEEK_END) == 0)
        length = ftell(stream);
    rewind(stream);
    if (length >= 0) {
        file->packed_bytes = (size_t)length;
        file->packed = malloc(file->packed_bytes + 1);
    }
    bool read = file->packed != NULL &&
                fread(file->packed, 1, file->packed_bytes, stream) == file->packed_bytes;
    fclose(stream);
    return read ? NP_OK : NP_ERR_SYSTEM;
}

static void release(void *context, void *item)
{
    struct log_file *file = item;
    (void)context;
    free(file->packed);
    free(file->text);
}

static np_status next_file(void *context, void *item)
{
    struct input *input = context;
    struct log_file *file = item;
    if (input->next == input->count)
        return NP_ERR_CLOSED;
    memset(file, 0, sizeof *file);
    size_t number = input->next++;
    np_status status = input->names != NULL ? read_file(input->names[number], file)
                                            : make_file(number, file);
    if (status != NP_OK)
        release(NULL, file); /* what the source does not hand over stays its own */
    return status;
}

static np_status decompress(void *context, void *item)
{
    struct log_file *file = item;
    (void)context;
    size_t room = file->packed_bytes * 4 + 4096;
    z_stream stream = {.next_in = file->packed, .avail_in = (uInt)file->packed_bytes};
    int got = inflateInit2(&stream, 15 + 32);
    if (got != Z_OK)
        return NP_ERR_NO_MEMORY;
    while (got == Z_OK) {
        char *larger = realloc(file->text, room + 1);
        if (larger == NULL)
            break;
        file->text = larger;
        stream.next_out = (Bytef *)file->text + stream.total_out;
        stream.avail_out = (uInt)(room - stream.total_out);
        got = inflate(&stream, Z_NO_FLUSH);
        room *= 2;
    }
    file->text_bytes = stream.total_out;
    (void)inflateEnd(&stream);
    if (got != Z_STREAM_END)
        return NP_ERR_PARSE;
    file->text[file->text_bytes] = '\0';
    return NP_OK;
}

static np_status parse(void *context, void *item)
{
    struct log_file *file = item;
    (void)context;
    for (char *line = file->text; *line != '\0';) {
        char *end;
        if (strncmp(line, "host", 4) != 0)
            return NP_ERR_PARSE;
        unsigned long host = strtoul(line + 4, &end, 10);
        unsigned long status = strtoul(end, &end, 10);
        unsigned long bytes = strtoul(end, &end, 10);
        if (*end != '\n')
            return NP_ERR_PARSE;
        file->totals.lines++;
        file->totals.bytes += bytes;
        file->totals.failures += status >= 500;
        file->totals.of_host[host % HOSTS] += bytes;
        line = end + 1;
    }
    return NP_OK;
}

/* The last stage: what the item holds ends here. */
static np_status add_up(void *context, void *item)
{
    struct result *result = context;
    struct log_file *file = item;
    result->totals.lines += file->totals.lines;
    result->totals.bytes += file->totals.bytes;
    result->totals.failures += file->totals.failures;
    for (size_t i = 0; i < HOSTS; i++)
        result->totals.of_host[i] += file->totals.of_host[i];
    result->digest = result->digest * 31 + file->totals.bytes;
    release(NULL, file);
    return NP_OK;
}

static size_t packed_size(void *context, const void *item)
{
    (void)context;
    return ((const struct log_file *)item)->packed_bytes;
}

static size_t text_size(void *context, const void *item)
{
    (void)context;
    return ((const struct log_file *)item)->text_bytes;
}

/* --- both ways -----------------------------------------------------------------------------------
 */

static void run_plain(struct input input, struct result *result)
{
    struct log_file file;
    np_status status;
    input.next = 0;
    while ((status = next_file(&input, &file)) == NP_OK) {
        CHECK(decompress(NULL, &file));
        CHECK(parse(NULL, &file));
        CHECK(add_up(result, &file));
    }
    EXPECT(status == NP_ERR_CLOSED);
}

static void print_edges(const np_pipeline *pipeline)
{
    printf("%-12s %6s %9s %9s %12s %10s %10s\n", "stage", "files", "KiB", "remote", "remote KiB",
           "waited us", "busy us");
    for (size_t i = 0; i < np_pipeline_edge_count(pipeline); i++) {
        np_edge_counts edge;
        CHECK(np_pipeline_edge(pipeline, i, &edge));
        printf("%-12s %6llu %9llu %9llu %12llu %10llu %10llu\n", edge.stage,
               (unsigned long long)edge.items, (unsigned long long)edge.bytes / 1024,
               (unsigned long long)edge.remote, (unsigned long long)edge.remote_bytes / 1024,
               (unsigned long long)edge.waited_ns / 1000, (unsigned long long)edge.busy_ns / 1000);
        EXPECT(edge.local + edge.remote == edge.items);
    }
}

static void run_pipeline(np_executor *executor, struct input *input, struct result *result)
{
    np_node_id nodes[EXAMPLE_MAX_NODES];
    size_t node_count = example_nodes(executor, nodes, EXAMPLE_MAX_NODES);
    const np_stage stages[] = {
        {.name = "decompress",
         .fn = decompress,
         .nodes = nodes,
         .node_count = node_count,
         .bytes = packed_size},
        {.name = "parse", .fn = parse, .bytes = text_size},
        {.name = "add up", .kind = NP_STAGE_ORDERED, .fn = add_up, .context = result},
    };
    np_pipeline *pipeline = NULL;
    CHECK(np_pipeline_create(executor,
                             NP_PIPELINE_OPTIONS(.item_bytes = sizeof(struct log_file),
                                                 .stages = stages, .stage_count = 3,
                                                 .source = next_file, .source_context = input,
                                                 .source_at_node = true, .source_node = nodes[0],
                                                 .destroy_item = release),
                             &pipeline));
    CHECK(np_pipeline_run(pipeline)); /* says which stage failed at which file */
    print_edges(pipeline);
    CHECK(np_pipeline_destroy(pipeline));
}

int main(int argc, char **argv)
{
    bool real = argc > 1 && strcmp(argv[1], "-") == 0;
    np_topology *topology = example_topology(real ? 1 : argc, argv);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    np_topology_destroy(topology);

    struct input input = {.count = MADE_FILES};
    if (argc > 2)
        input = (struct input){.names = argv + 2, .count = (size_t)argc - 2};
    static struct result result, expected;
    run_pipeline(executor, &input, &result);
    run_plain(input, &expected);

    size_t busiest = 0;
    for (size_t i = 1; i < HOSTS; i++)
        if (result.totals.of_host[i] > result.totals.of_host[busiest])
            busiest = i;
    printf("%llu lines, %llu bytes, %llu failures; most to host%zu: %llu bytes\n",
           result.totals.lines, result.totals.bytes, result.totals.failures, busiest,
           result.totals.of_host[busiest]);
    EXPECT(memcmp(&result, &expected, sizeof result) == 0);
    EXPECT(argc > 2 || result.totals.lines == MADE_FILES * MADE_LINES);
    CHECK(np_executor_destroy(executor));
    return EXIT_SUCCESS;
}
