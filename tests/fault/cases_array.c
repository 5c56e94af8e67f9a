/*
 * tests/fault/cases_array.c - partitioned arrays: every distribution, soft and strict, on this
 * machine and on a virtual one; and the questions, which cannot fail.
 */
#include <string.h>

#include "cases.h"

#define POISON  ((np_array *)(uintptr_t)8)
#define ELEMENT ((size_t)24)
#define COUNT   ((size_t)20000)

static void prepare(fault_run *run)
{
    fault_make_topology(run, NULL);
    run->array = POISON;
}

static void prepare_virtual(fault_run *run)
{
    fault_make_topology(run, TWO_NODES);
    run->array = POISON;
}

/* NULL after a failure. After NP_OK all of it can be written, its pieces tile it, and soft says
 * when it fell short. */
static void check(fault_run *run, bool fired)
{
    if (run->status != NP_OK) {
        FAULT_CHECK(run->array == NULL);
        return;
    }
    np_enforcement got = np_array_enforcement(run->array);
    FAULT_CHECK(got.level == NP_ENFORCEMENT_STRICT || got.reason != NP_REASON_NONE);
    FAULT_CHECK(got.level == NP_ENFORCEMENT_STRICT || fired ||
                np_topology_is_virtual(run->topology));
    size_t next = 0;
    np_piece piece;
    for (size_t i = 0; np_array_piece(run->array, i, &piece); i++) {
        FAULT_CHECK(piece.begin == next && piece.end > piece.begin);
        memset(piece.data, 1, piece.bytes);
        next = piece.end;
    }
    FAULT_CHECK(next == COUNT);
}

static size_t own(void *context, size_t begin, size_t end)
{
    const fault_run *run = context;
    return (begin + end) / 7 % np_topology_node_count(run->topology);
}

static void create(fault_run *run, np_distribution distribution, np_hard_mode mode)
{
    static const uint32_t weights[] = {3, 1};
    np_node_id nodes[2];
    np_array_options options;
    np_array_options_init(&options);
    options.distribution = distribution;
    options.hard_mode = mode;
    options.prefault = mode == NP_HARD_MODE_STRICT ? NP_PREFAULT_TOUCH : NP_PREFAULT_NONE;
    if (distribution == NP_DISTRIBUTION_WEIGHTED) {
        for (np_node_index i = 0; i < np_topology_node_count(run->topology) && i < 2; i++)
            nodes[options.node_count++] = np_topology_node_id(run->topology, i);
        options.nodes = nodes;
        options.weights = weights;
    }
    if (distribution == NP_DISTRIBUTION_CUSTOM) {
        options.block = 200;
        options.owner = own;
        options.owner_context = run;
    }
    FAULT_CALL(run, np_array_create(run->topology, ELEMENT, COUNT, &options, &run->array));
}

static void block_soft(fault_run *run)
{
    create(run, NP_DISTRIBUTION_BLOCK, NP_HARD_MODE_SOFT);
}

static void block_strict(fault_run *run)
{
    create(run, NP_DISTRIBUTION_BLOCK, NP_HARD_MODE_STRICT);
}

static void cyclic(fault_run *run)
{
    create(run, NP_DISTRIBUTION_CYCLIC, NP_HARD_MODE_SOFT);
}

static void weighted(fault_run *run)
{
    create(run, NP_DISTRIBUTION_WEIGHTED, NP_HARD_MODE_SOFT);
}

static void custom(fault_run *run)
{
    create(run, NP_DISTRIBUTION_CUSTOM, NP_HARD_MODE_SOFT);
}

/* The pool is usually empty here, and the array then as if there had been none. */
static void huge(fault_run *run)
{
    np_array_options options;
    np_array_options_init(&options);
    options.huge_pages = NP_HUGE_PAGES_2M;
    FAULT_CALL(run, np_array_create(run->topology, ELEMENT, COUNT, &options, &run->array));
}

static void check_huge(fault_run *run, bool fired)
{
    (void)fired;
    check(run, true);
}

static void prepare_array(fault_run *run)
{
    fault_make_topology(run, NULL);
    FAULT_NEED(np_array_create(run->topology, 4096, 600, NULL, &run->array));
}

static void destroy(fault_run *run)
{
    FAULT_DO(run, np_array_destroy(run->array));
    run->array = NULL;
}

static void audit(fault_run *run)
{
    np_region_audit summary;
    np_region_audit untouched;
    memset(&untouched, 0xa5, sizeof untouched);
    summary = untouched;
    FAULT_CALL(run, np_array_audit(run->array, &summary));
    if (run->status != NP_OK)
        FAULT_CHECK(memcmp(&summary, &untouched, sizeof summary) == 0);
    else
        FAULT_CHECK(summary.pages == 600);
}

/* From one piece to as many as there are blocks, where the nodes allow. */
static void redistribute(fault_run *run, np_hard_mode mode)
{
    np_array_options options;
    np_array_options_init(&options);
    options.distribution = NP_DISTRIBUTION_CYCLIC;
    options.block = 50; /* few pieces: the directory of the process keeps what it has grown to */
    options.hard_mode = mode;
    memset(np_array_data(run->array), 5, (size_t)600 * 4096);
    run->expected = np_array_piece_count(run->array);
    FAULT_CALL(run, np_array_redistribute(run->topology, run->array, &options, NULL));
}

static void redistribute_soft(fault_run *run)
{
    redistribute(run, NP_HARD_MODE_SOFT);
}

static void redistribute_strict(fault_run *run)
{
    redistribute(run, NP_HARD_MODE_STRICT);
}

static void check_redistributed(fault_run *run, bool fired)
{
    bool done = run->status == NP_OK;
    FAULT_CHECK(np_array_distribution(run->array) ==
                (done ? NP_DISTRIBUTION_CYCLIC : NP_DISTRIBUTION_BLOCK));
    FAULT_CHECK(done || np_array_piece_count(run->array) == run->expected);
    np_enforcement got = np_array_enforcement(run->array);
    FAULT_CHECK(got.level == NP_ENFORCEMENT_STRICT || got.reason != NP_REASON_NONE);
    FAULT_CHECK(got.level == NP_ENFORCEMENT_STRICT || fired ||
                np_topology_is_virtual(run->topology));
    const char *bytes = np_array_data(run->array);
    for (size_t i = 0; i < (size_t)600 * 4096; i += 1000)
        FAULT_CHECK(bytes[i] == 5);
}

static void prepare_virtual_array(fault_run *run)
{
    fault_make_topology(run, TWO_NODES);
    FAULT_NEED(np_array_create(run->topology, 4096, 600, NULL, &run->array));
}

/* --- what cannot fail -------------------------------------------------------------------- */

static np_array_options options_made;
static np_node_id ids[8];
static np_piece a_piece;

static void prepare_questions(fault_run *run)
{
    fault_make_topology(run, TWO_NODES);
    FAULT_NEED(np_array_create(run->topology, ELEMENT, COUNT,
                               NP_ARRAY_OPTIONS(.distribution = NP_DISTRIBUTION_CYCLIC),
                               &run->array));
}

#define QUESTIONS(X)                                                      \
    X(np_distribution_name, np_distribution_name(NP_DISTRIBUTION_CYCLIC)) \
    X(np_array_options_init, np_array_options_init(&options_made))        \
    X(np_array_data, np_array_data(r->array))                             \
    X(np_array_count, np_array_count(r->array))                           \
    X(np_array_element_size, np_array_element_size(r->array))             \
    X(np_array_distribution, np_array_distribution(r->array))             \
    X(np_array_nodes, np_array_nodes(r->array, ids, 8))                   \
    X(np_array_block, np_array_block(r->array))                           \
    X(np_array_page_size, np_array_page_size(r->array))                   \
    X(np_array_enforcement, np_array_enforcement(r->array))               \
    X(np_array_piece_count, np_array_piece_count(r->array))               \
    X(np_array_piece, np_array_piece(r->array, 1, &a_piece))              \
    X(np_array_piece_of, np_array_piece_of(r->array, 300))                \
    X(np_array_node_of, np_array_node_of(r->array, 300))                  \
    X(np_array_node_of_address, np_array_node_of_address(r->array, ids))  \
    X(np_array_node_elements, np_array_node_elements(r->array, 1))

#define DEFINE(name, expression)          \
    static void call_##name(fault_run *r) \
    {                                     \
        FAULT_DO(r, (void)(expression));  \
    }
QUESTIONS(DEFINE)

#define QUESTION_ROW(name, expression)        \
    {.function = #name,                       \
     .variant = "",                           \
     .pure = "reads or writes what is there", \
     .prepare = prepare_questions,            \
     .call = call_##name},

#define CREATE(name, before)                                                            \
    {                                                                                   \
        .function = "np_array_create", .variant = #name "_" #before, .prepare = before, \
        .call = name, .check = check, .allowed = {NP_ERR_NO_MEMORY, NP_ERR_HARD_MODE},  \
        .thing = "free memory"                                                          \
    }

#define REDISTRIBUTE(name, before)                                                            \
    {                                                                                         \
        .function = "np_array_redistribute", .variant = #name "_" #before, .prepare = before, \
        .call = redistribute_##name, .check = check_redistributed,                            \
        .allowed = {NP_ERR_NO_MEMORY, NP_ERR_HARD_MODE}, .thing = "free memory"               \
    }

static const fault_case cases[] = {
    CREATE(block_soft, prepare),
    CREATE(block_strict, prepare),
    CREATE(cyclic, prepare),
    CREATE(weighted, prepare),
    CREATE(custom, prepare),
    CREATE(block_soft, prepare_virtual),
    CREATE(cyclic, prepare_virtual),
    CREATE(weighted, prepare_virtual),
    CREATE(custom, prepare_virtual),
    {.function = "np_array_create",
     .variant = "huge",
     .prepare = prepare,
     .call = huge,
     .check = check_huge,
     .allowed = {NP_ERR_NO_MEMORY}},
    REDISTRIBUTE(soft, prepare_array),
    REDISTRIBUTE(strict, prepare_array),
    REDISTRIBUTE(soft, prepare_virtual_array),
    {.function = "np_array_destroy", .variant = "", .prepare = prepare_array, .call = destroy},
    {.function = "np_array_audit",
     .variant = "",
     .prepare = prepare_array,
     .call = audit,
     .allowed = {NP_ERR_NOT_SUPPORTED, NP_ERR_NOT_PERMITTED, NP_ERR_SYSTEM}},
    QUESTIONS(QUESTION_ROW)};
FAULT_LIST(fault_array_cases, cases);
