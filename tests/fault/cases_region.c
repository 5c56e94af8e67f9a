/*
 * tests/fault/cases_region.c - regions: the younger policies, locking and huge pages, files, and
 * what changes a region.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"

#define POISON     ((np_region *)(uintptr_t)8)
#define BYTES      ((size_t)40960)
#define FILE_BYTES ((size_t)20000)

static np_region_options on_first_node(const fault_run *run, np_node_id *node)
{
    np_region_options options;
    np_region_options_init(&options);
    *node = np_topology_node_id(run->topology, 0);
    options.nodes = node;
    options.node_count = 1;
    return options;
}

/* Says what it is, and can be written. */
static void check_made(fault_run *run, bool fired)
{
    (void)fired;
    if (run->status != NP_OK) {
        FAULT_CHECK(run->region == NULL);
        return;
    }
    np_enforcement got = np_region_enforcement(run->region);
    FAULT_CHECK(np_region_size(run->region) >= BYTES);
    memset(np_region_data(run->region), 1, np_region_size(run->region));
    FAULT_CHECK((got.level == NP_ENFORCEMENT_STRICT) == (got.reason == NP_REASON_NONE));
}

static void prepare(fault_run *run)
{
    fault_make_topology(run, NULL);
    run->region = POISON;
}

/* --- creating ------------------------------------------------------------------------------- */

static void create(fault_run *run, np_memory_policy policy, np_hard_mode mode, np_prefault prefault,
                   np_huge_pages huge, bool lock)
{
    np_node_id node;
    np_region_options options = on_first_node(run, &node);
    options.policy = policy;
    options.hard_mode = mode;
    options.prefault = prefault;
    options.huge_pages = huge;
    options.lock = lock;
    FAULT_CALL(run, np_region_create(run->topology, BYTES, &options, &run->region));
}

static void many_soft(fault_run *run)
{
    create(run, NP_MEMORY_PREFERRED_MANY, NP_HARD_MODE_SOFT, NP_PREFAULT_POPULATE,
           NP_HUGE_PAGES_DEFAULT, false);
}

static void weighted_soft(fault_run *run)
{
    create(run, NP_MEMORY_WEIGHTED_INTERLEAVE, NP_HARD_MODE_SOFT, NP_PREFAULT_NONE,
           NP_HUGE_PAGES_DEFAULT, false);
}

static void weighted_strict(fault_run *run)
{
    create(run, NP_MEMORY_WEIGHTED_INTERLEAVE, NP_HARD_MODE_STRICT, NP_PREFAULT_POPULATE,
           NP_HUGE_PAGES_DEFAULT, false);
}

static void locked_soft(fault_run *run)
{
    create(run, NP_MEMORY_BIND, NP_HARD_MODE_SOFT, NP_PREFAULT_NONE, NP_HUGE_PAGES_NEVER, true);
}

static void locked_strict(fault_run *run)
{
    create(run, NP_MEMORY_BIND, NP_HARD_MODE_STRICT, NP_PREFAULT_NONE, NP_HUGE_PAGES_NEVER, true);
}

static void pool_soft(fault_run *run)
{
    create(run, NP_MEMORY_BIND, NP_HARD_MODE_SOFT, NP_PREFAULT_TOUCH, NP_HUGE_PAGES_2M, false);
}

/* --- files ---------------------------------------------------------------------------------- */

static void prepare_file(fault_run *run)
{
    static const char zeros[FILE_BYTES];
    prepare(run);
    char path[] = "/tmp/np_fault_region_XXXXXX";
    run->fd = mkstemp(path);
    FAULT_CHECK(run->fd > 0);
    FAULT_CHECK(write(run->fd, zeros, FILE_BYTES) == (ssize_t)FILE_BYTES);
    FAULT_CHECK(strlen(path) < sizeof run->text);
    memcpy(run->text, path, sizeof path);
}

static void from_file(fault_run *run, np_hard_mode mode, np_file_access access)
{
    char path[64];
    np_node_id node;
    np_region_options options = on_first_node(run, &node);
    options.hard_mode = mode;
    options.file_access = access;
    options.prefault = NP_PREFAULT_TOUCH;
    memcpy(path, run->text, sizeof path);
    path[sizeof path - 1] = '\0';
    FAULT_CALL(run, np_region_create_from_file(run->topology, path, 0, 0, &options, &run->region));
    (void)unlink(path);
}

static void read_soft(fault_run *run)
{
    from_file(run, NP_HARD_MODE_SOFT, NP_FILE_READ_ONLY);
}

static void shared_strict(fault_run *run)
{
    from_file(run, NP_HARD_MODE_STRICT, NP_FILE_SHARED);
}

static void private_soft(fault_run *run)
{
    from_file(run, NP_HARD_MODE_SOFT, NP_FILE_PRIVATE);
}

static void check_file(fault_run *run, bool fired)
{
    (void)fired;
    if (run->status != NP_OK) {
        FAULT_CHECK(run->region == NULL);
        return;
    }
    const char *data = np_region_data(run->region);
    FAULT_CHECK(np_region_size(run->region) == FILE_BYTES);
    for (size_t at = 0; at < FILE_BYTES; at++)
        FAULT_CHECK(data[at] == 0);
}

/* --- changing ------------------------------------------------------------------------------- */

static void prepare_written(fault_run *run, np_hard_mode mode)
{
    np_node_id node;
    fault_make_topology(run, NULL);
    np_region_options options = on_first_node(run, &node);
    options.hard_mode = mode;
    options.prefault = NP_PREFAULT_TOUCH;
    FAULT_NEED(np_region_create(run->topology, BYTES, &options, &run->region));
    memset(np_region_data(run->region), 7, BYTES);
}

static void prepare_soft(fault_run *run)
{
    prepare_written(run, NP_HARD_MODE_SOFT);
}

static void prepare_strict(fault_run *run)
{
    prepare_written(run, NP_HARD_MODE_STRICT);
}

static void check_contents(const fault_run *run, size_t bytes)
{
    const char *data = np_region_data(run->region);
    for (size_t at = 0; at < bytes; at++)
        FAULT_CHECK(data[at] == 7);
}

static void grow(fault_run *run)
{
    FAULT_CALL(run, np_region_resize(run->region, 3 * BYTES));
}

static void check_grown(fault_run *run, bool fired)
{
    (void)fired;
    FAULT_CHECK(np_region_size(run->region) == (run->status == NP_OK ? 3 * BYTES : BYTES));
    check_contents(run, BYTES);
    memset(np_region_data(run->region), 1, np_region_size(run->region));
}

static void shrink(fault_run *run)
{
    FAULT_CALL(run, np_region_resize(run->region, BYTES / 2));
}

static void check_shrunk(fault_run *run, bool fired)
{
    (void)fired;
    FAULT_CHECK(np_region_size(run->region) == (run->status == NP_OK ? BYTES / 2 : BYTES));
    check_contents(run, np_region_size(run->region));
}

static void migrate(fault_run *run, np_hard_mode mode)
{
    np_node_id node;
    np_region_options to = on_first_node(run, &node);
    np_migration result;
    to.policy = NP_MEMORY_INTERLEAVE;
    to.hard_mode = mode;
    FAULT_CALL(run, np_region_migrate(run->topology, run->region, &to, &result));
    if (run->status == NP_OK)
        FAULT_CHECK(result.pages ==
                    result.home + result.stayed + result.not_present + result.unknown);
}

static void migrate_soft(fault_run *run)
{
    migrate(run, NP_HARD_MODE_SOFT);
}

static void migrate_strict(fault_run *run)
{
    migrate(run, NP_HARD_MODE_STRICT);
}

static void check_migrated(fault_run *run, bool fired)
{
    (void)fired;
    FAULT_CHECK(np_region_policy(run->region) ==
                (run->status == NP_OK ? NP_MEMORY_INTERLEAVE : NP_MEMORY_BIND));
    FAULT_CHECK(np_region_nodes(run->region, NULL, 0) == 1);
    check_contents(run, BYTES);
}

static void sample(fault_run *run)
{
    np_region_audit summary;
    np_region_audit untouched;
    memset(&untouched, 0xa5, sizeof untouched);
    summary = untouched;
    FAULT_CALL(run, np_region_audit_sample(run->region, 4, 1, &summary));
    if (run->status != NP_OK)
        FAULT_CHECK(memcmp(&summary, &untouched, sizeof summary) == 0);
    else
        FAULT_CHECK(summary.pages == 4);
}

/* --- prefault by workers -------------------------------------------------------------------- */

static void prepare_pool(fault_run *run)
{
    np_region_options options;
    np_region_options_init(&options);
    fault_make_executor(run, TWO_NODES);
    FAULT_NEED(np_region_create(run->topology, (size_t)9 << 20, &options, &run->region));
}

static void prefault(fault_run *run)
{
    FAULT_CALL(run, np_region_prefault(run->executor, run->region));
}

static void check_prefaulted(fault_run *run, bool fired)
{
    (void)fired;
    np_region_audit audit;
    FAULT_NEED(np_region_audit_pages(run->region, &audit, NULL, 0));
    FAULT_CHECK(run->status != NP_OK || audit.not_present == 0);
    fault_probe(run->executor);
}

#define CREATE(name)                                                                        \
    {                                                                                       \
        .function = "np_region_create", .variant = #name, .prepare = prepare, .call = name, \
        .check = check_made, .allowed = {NP_ERR_NO_MEMORY, NP_ERR_HARD_MODE},               \
        .thing = "free memory"                                                              \
    }
#define FROM_FILE(name)                                                                      \
    {                                                                                        \
        .function = "np_region_create_from_file", .variant = #name, .prepare = prepare_file, \
        .call = name, .check = check_file,                                                   \
        .allowed = {NP_ERR_NO_MEMORY, NP_ERR_HARD_MODE, NP_ERR_SYSTEM, NP_ERR_NOT_PERMITTED, \
                    NP_ERR_NOT_FOUND},                                                       \
        .thing = "free memory"                                                               \
    }
#define CHANGE(name, function_name, made, verify)                                        \
    {                                                                                    \
        .function = function_name, .variant = #name, .prepare = made, .call = name,      \
        .check = verify, .allowed = {NP_ERR_NO_MEMORY, NP_ERR_HARD_MODE, NP_ERR_SYSTEM}, \
        .thing = "free memory"                                                           \
    }

static const fault_case cases[] = {
    CREATE(many_soft),
    CREATE(weighted_soft),
    CREATE(weighted_strict),
    CREATE(locked_soft),
    CREATE(locked_strict),
    CREATE(pool_soft),
    FROM_FILE(read_soft),
    FROM_FILE(shared_strict),
    FROM_FILE(private_soft),
    CHANGE(grow, "np_region_resize", prepare_strict, check_grown),
    CHANGE(shrink, "np_region_resize", prepare_soft, check_shrunk),
    CHANGE(migrate_soft, "np_region_migrate", prepare_soft, check_migrated),
    CHANGE(migrate_strict, "np_region_migrate", prepare_strict, check_migrated),
    {.function = "np_region_audit_sample",
     .variant = "",
     .prepare = prepare_soft,
     .call = sample,
     .allowed = {NP_ERR_NOT_SUPPORTED, NP_ERR_NOT_PERMITTED, NP_ERR_SYSTEM}},
    {.function = "np_region_prefault",
     .variant = "",
     .prepare = prepare_pool,
     .call = prefault,
     .check = check_prefaulted,
     .allowed = {NP_ERR_NO_MEMORY, NP_ERR_SYSTEM},
     .elsewhere = true},
};
FAULT_LIST(fault_region_cases, cases);
