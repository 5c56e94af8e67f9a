/*
 * tests/fault/cases_memory.c - regions: every policy, soft and strict, prefaulted and huge.
 */
#include <string.h>

#include "cases.h"

#define POISON ((np_region *)(uintptr_t)8)
#define BYTES  ((size_t)40000)

static void prepare(fault_run *run)
{
    fault_make_topology(run, NULL);
    run->region = POISON;
}

/* NULL after a failure. After NP_OK all of it can be written; strict then kept its promise, and
 * soft says when it fell short. */
static void check(fault_run *run, bool fired)
{
    if (run->status != NP_OK) {
        FAULT_CHECK(run->region == NULL);
        return;
    }
    np_enforcement got = np_region_enforcement(run->region);
    FAULT_CHECK(np_region_size(run->region) >= BYTES);
    memset(np_region_data(run->region), 1, np_region_size(run->region));
    FAULT_CHECK(got.level == NP_ENFORCEMENT_STRICT || got.reason != NP_REASON_NONE);
    FAULT_CHECK(got.level == NP_ENFORCEMENT_STRICT || fired);
}

/* Huge pages may be missing here without any fault. */
static void check_huge(fault_run *run, bool fired)
{
    if (run->status == NP_OK && np_region_enforcement(run->region).level != NP_ENFORCEMENT_STRICT)
        fired = true;
    check(run, fired);
}

static void create(fault_run *run, np_memory_policy policy, np_hard_mode mode, np_prefault prefault,
                   np_huge_pages huge)
{
    np_node_id node = np_topology_node_id(run->topology, 0);
    np_region_options options;
    np_region_options_init(&options);
    options.policy = policy;
    options.hard_mode = mode;
    options.prefault = prefault;
    options.huge_pages = huge;
    if (policy != NP_MEMORY_LOCAL) {
        options.nodes = &node;
        options.node_count = 1;
    }
    FAULT_CALL(run, np_region_create(run->topology, BYTES, &options, &run->region));
}

static void bind_soft(fault_run *run)
{
    create(run, NP_MEMORY_BIND, NP_HARD_MODE_SOFT, NP_PREFAULT_TOUCH, NP_HUGE_PAGES_DEFAULT);
}

static void bind_strict(fault_run *run)
{
    create(run, NP_MEMORY_BIND, NP_HARD_MODE_STRICT, NP_PREFAULT_TOUCH, NP_HUGE_PAGES_DEFAULT);
}

static void preferred_strict(fault_run *run)
{
    create(run, NP_MEMORY_PREFERRED, NP_HARD_MODE_STRICT, NP_PREFAULT_NONE, NP_HUGE_PAGES_NEVER);
}

static void interleave_strict(fault_run *run)
{
    create(run, NP_MEMORY_INTERLEAVE, NP_HARD_MODE_STRICT, NP_PREFAULT_TOUCH,
           NP_HUGE_PAGES_DEFAULT);
}

static void local_soft(fault_run *run)
{
    create(run, NP_MEMORY_LOCAL, NP_HARD_MODE_SOFT, NP_PREFAULT_NONE, NP_HUGE_PAGES_NEVER);
}

static void huge_soft(fault_run *run)
{
    create(run, NP_MEMORY_BIND, NP_HARD_MODE_SOFT, NP_PREFAULT_NONE, NP_HUGE_PAGES_TRANSPARENT);
}

static void huge_strict(fault_run *run)
{
    create(run, NP_MEMORY_BIND, NP_HARD_MODE_STRICT, NP_PREFAULT_NONE, NP_HUGE_PAGES_TRANSPARENT);
}

static void on_node(fault_run *run)
{
    FAULT_CALL(run, np_region_create_on_node(run->topology, BYTES,
                                             np_topology_node_id(run->topology, 0), &run->region));
}

static void prepare_region(fault_run *run)
{
    fault_make_topology(run, NULL);
    FAULT_NEED(np_region_create_on_node(run->topology, BYTES, np_topology_node_id(run->topology, 0),
                                        &run->region));
}

static void destroy(fault_run *run)
{
    FAULT_DO(run, np_region_destroy(run->region));
    run->region = NULL;
}

/* More pages than one query takes. */
static void prepare_large(fault_run *run)
{
    fault_make_topology(run, NULL);
    FAULT_NEED(np_region_create(run->topology, (size_t)600 * 4096, NULL, &run->region));
}

static void audit(fault_run *run)
{
    np_region_audit summary;
    np_region_audit untouched;
    memset(&untouched, 0xa5, sizeof untouched);
    summary = untouched;
    FAULT_CALL(run, np_region_audit_pages(run->region, &summary, NULL, 0));
    if (run->status != NP_OK)
        FAULT_CHECK(memcmp(&summary, &untouched, sizeof summary) == 0);
    else
        FAULT_CHECK(summary.pages ==
                    np_region_size(run->region) / np_region_page_size(run->region));
}

static void address(fault_run *run)
{
    np_node_id node = -7;
    FAULT_CALL(run, np_address_node(np_region_data(run->region), &node));
    FAULT_CHECK(run->status == NP_OK ? node >= 0 : node == NP_NODE_ID_NONE);
}

#define CREATE(name, verify)                                                                     \
    {                                                                                            \
        .function = "np_region_create", .variant = #name, .prepare = prepare, .call = name,      \
        .check = verify, .allowed = {NP_ERR_NO_MEMORY, NP_ERR_HARD_MODE}, .thing = "free memory" \
    }

static const fault_case cases[] = {
    CREATE(bind_soft, check),
    CREATE(bind_strict, check),
    CREATE(preferred_strict, check),
    CREATE(interleave_strict, check),
    CREATE(local_soft, check),
    CREATE(huge_soft, check_huge),
    CREATE(huge_strict, check_huge),
    {.function = "np_region_create_on_node",
     .variant = "",
     .prepare = prepare,
     .call = on_node,
     .check = check,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_region_destroy", .variant = "", .prepare = prepare_region, .call = destroy},
    {.function = "np_region_audit_pages",
     .variant = "",
     .prepare = prepare_large,
     .call = audit,
     .allowed = {NP_ERR_NOT_SUPPORTED, NP_ERR_NOT_PERMITTED, NP_ERR_SYSTEM}},
    {.function = "np_address_node",
     .variant = "",
     .prepare = prepare_region,
     .call = address,
     .allowed = {NP_ERR_NOT_SUPPORTED, NP_ERR_NOT_PERMITTED, NP_ERR_SYSTEM}},
};
FAULT_LIST(fault_memory_cases, cases);
