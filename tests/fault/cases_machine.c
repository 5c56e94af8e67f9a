/*
 * tests/fault/cases_machine.c - topologies, capabilities and the calling thread's affinity.
 */
#include <string.h>

#include "cases.h"

#define POISON ((np_topology *)(uintptr_t)8)

/* --- making topologies ----------------------------------------------------------------------- */

static void poison(fault_run *run)
{
    run->made = POISON;
}

/* Untouched after a failure, a whole topology after none. */
static void check_made(fault_run *run, bool fired)
{
    (void)fired;
    if (run->status != NP_OK) {
        FAULT_CHECK(run->made == POISON || run->made == NULL);
        run->made = NULL;
        return;
    }
    char words[8192];
    np_cpu_set cpus;
    FAULT_CHECK(np_topology_node_count(run->made) >= 1);
    FAULT_CHECK(np_topology_describe(run->made, words, sizeof words) > 0);
    FAULT_NEED(np_topology_cpus(run->made, &cpus));
    FAULT_CHECK(np_cpu_set_count(&cpus) >= 1);
}

static void discover(fault_run *run)
{
    FAULT_CALL(run, np_topology_discover(&run->made));
}

static void from_synthetic(fault_run *run)
{
    FAULT_CALL(run, np_topology_from_synthetic(
                        "pack:2 numa:2(memory=4GiB indexes=0,8,16,24) core:4 pu:2 | 10 12 21 21 "
                        "12 10 21 21 21 21 10 12 21 21 12 10",
                        &run->made));
}

static void from_xml(fault_run *run)
{
    FAULT_CALL(run, np_topology_from_xml(FAULT_XML, &run->made));
}

static void from_hwloc(fault_run *run)
{
    hwloc_topology_t source;
    FAULT_CHECK(hwloc_topology_init(&source) == 0);
    FAULT_CHECK(hwloc_topology_set_synthetic(source, "pack:2 numa:2 pu:2") == 0);
    FAULT_CHECK(hwloc_topology_load(source) == 0);
    FAULT_CALL(run, np_topology_from_hwloc(source, &run->made));
    hwloc_topology_destroy(source);
}

static void bitmap_to(fault_run *run)
{
    hwloc_bitmap_t bitmap = hwloc_bitmap_alloc();
    np_cpu_set_clear(&run->cpus);
    FAULT_CHECK(np_cpu_set_add(&run->cpus, 70));
    FAULT_CALL(run, np_cpu_set_to_hwloc(&run->cpus, bitmap));
    hwloc_bitmap_free(bitmap);
}

static void bitmap_from(fault_run *run)
{
    hwloc_bitmap_t bitmap = hwloc_bitmap_alloc();
    FAULT_CHECK(hwloc_bitmap_set(bitmap, 70) == 0);
    FAULT_CALL(run, np_cpu_set_from_hwloc(bitmap, &run->cpus));
    hwloc_bitmap_free(bitmap);
}

static void prepare_real(fault_run *run)
{
    fault_make_topology(run, NULL);
}

static void free_memory(fault_run *run)
{
    run->expected = UINT64_MAX;
    FAULT_CALL(run, np_topology_node_free_memory(
                        run->topology, np_topology_node_id(run->topology, 0), &run->expected));
}

static void check_free_memory(fault_run *run, bool fired)
{
    (void)fired;
    FAULT_CHECK((run->status == NP_OK) == (run->expected != UINT64_MAX));
}

/* --- capabilities: a probe that cannot find out says so, and is no failure of the call ------- */

static void capability(fault_run *run, np_capability which)
{
    np_capability_info info;
    memset(&info, 0, sizeof info);
    FAULT_CALL(run, np_capability_get(run->topology, which, &info));
    FAULT_CHECK(run->status != NP_OK || (info.key != NULL && info.detail[0] != '\0'));
}

#define DEFINE_PROBE(name, key)              \
    static void probe_##name(fault_run *run) \
    {                                        \
        capability(run, name);               \
    }
NP_CAPABILITY_MAP(DEFINE_PROBE)

/* --- affinity -------------------------------------------------------------------------------- */

static void affinity_get(fault_run *run)
{
    memset(&run->cpus, 0xa5, sizeof run->cpus);
    FAULT_CALL(run, np_affinity_get(&run->cpus));
}

static void check_affinity_get(fault_run *run, bool fired)
{
    (void)fired;
    np_cpu_set untouched;
    memset(&untouched, 0xa5, sizeof untouched);
    FAULT_CHECK((run->status != NP_OK) == np_cpu_set_equal(&run->cpus, &untouched));
}

static void where(fault_run *run)
{
    int32_t cpu = -7;
    np_node_id node = -7;
    FAULT_CALL(run, np_affinity_where(&cpu, &node));
    FAULT_CHECK((run->status != NP_OK) == (cpu == -7 && node == -7));
}

static void first_cpu(fault_run *run)
{
    np_cpu_set all;
    FAULT_NEED(np_affinity_get(&all));
    np_cpu_set_clear(&run->cpus);
    FAULT_CHECK(np_cpu_set_add(&run->cpus, np_cpu_set_first(&all)));
}

static void prepare_affinity(fault_run *run)
{
    prepare_real(run);
    first_cpu(run);
}

static void set_soft(fault_run *run)
{
    FAULT_CALL(run, np_affinity_set(&run->cpus, NP_HARD_MODE_SOFT, &run->achieved));
}

/* Soft never fails, and what it says is true where it can be known. */
static void check_soft(fault_run *run, bool fired)
{
    np_cpu_set now;
    FAULT_NEED(np_affinity_get(&now));
    FAULT_CHECK(fired || run->achieved.level == NP_ENFORCEMENT_STRICT);
    FAULT_CHECK(run->achieved.level != NP_ENFORCEMENT_STRICT ||
                np_cpu_set_equal(&now, &run->cpus) || run->topology == NULL);
    FAULT_CHECK(run->achieved.level == NP_ENFORCEMENT_STRICT ||
                run->achieved.reason != NP_REASON_NONE);
}

static np_cpu_set before_strict;

static void prepare_strict(fault_run *run)
{
    prepare_affinity(run);
    FAULT_NEED(np_affinity_get(&before_strict));
}

static void set_strict(fault_run *run)
{
    FAULT_CALL(run, np_affinity_set(&run->cpus, NP_HARD_MODE_STRICT, &run->achieved));
}

/* Exactly what was asked for, or as it was before: unless that fails as well, and is told. */
static void check_strict(fault_run *run, bool fired)
{
    (void)fired;
    np_cpu_set now;
    FAULT_NEED(np_affinity_get(&now));
    if (run->status == NP_OK)
        FAULT_CHECK(np_cpu_set_equal(&now, &run->cpus));
    else
        FAULT_CHECK(np_cpu_set_equal(&now, &before_strict) ||
                    strstr(run->text, "could not be restored") != NULL);
}

static void set_node_strict(fault_run *run)
{
    np_node_id node = np_topology_node_id(run->topology, 0);
    FAULT_NEED(np_topology_node_cpus(run->topology, node, &run->cpus));
    FAULT_CALL(run, np_affinity_set_node(run->topology, node, NP_HARD_MODE_STRICT, &run->achieved));
}

static void set_node_soft(fault_run *run)
{
    np_node_id node = np_topology_node_id(run->topology, 0);
    FAULT_NEED(np_topology_node_cpus(run->topology, node, &run->cpus));
    FAULT_CALL(run, np_affinity_set_node(run->topology, node, NP_HARD_MODE_SOFT, &run->achieved));
}

static void scope_open(fault_run *run)
{
    FAULT_CALL(
        run, np_affinity_scope_open(&run->scope, &run->cpus, NP_HARD_MODE_STRICT, &run->achieved));
}

static void scope_open_node(fault_run *run)
{
    np_node_id node = np_topology_node_id(run->topology, 0);
    FAULT_NEED(np_topology_node_cpus(run->topology, node, &run->cpus));
    FAULT_CALL(run, np_affinity_scope_open_node(&run->scope, run->topology, node,
                                                NP_HARD_MODE_STRICT, &run->achieved));
}

/* Open after NP_OK only, and then closing brings the old set back. */
static void check_scope(fault_run *run, bool fired)
{
    np_cpu_set now;
    check_strict(run, fired);
    if (run->status != NP_OK) {
        FAULT_CHECK(np_affinity_scope_close(&run->scope) == NP_ERR_INVALID_ARGUMENT);
        return;
    }
    FAULT_NEED(np_affinity_scope_close(&run->scope));
    FAULT_NEED(np_affinity_get(&now));
    FAULT_CHECK(np_cpu_set_equal(&now, &before_strict));
}

static void prepare_close(fault_run *run)
{
    prepare_strict(run);
    FAULT_NEED(np_affinity_scope_open(&run->scope, &run->cpus, NP_HARD_MODE_STRICT, NULL));
}

static void scope_close(fault_run *run)
{
    FAULT_CALL(run, np_affinity_scope_close(&run->scope));
}

static void check_closed(fault_run *run, bool fired)
{
    (void)fired;
    np_cpu_set now;
    FAULT_NEED(np_affinity_get(&now));
    FAULT_CHECK(np_cpu_set_equal(&now, run->status == NP_OK ? &before_strict : &run->cpus));
    FAULT_CHECK(np_affinity_scope_close(&run->scope) == NP_ERR_INVALID_ARGUMENT);
}

static void current_node(fault_run *run)
{
    FAULT_DO(run, run->item = (uint64_t)(int64_t)np_current_node());
}

static void check_current_node(fault_run *run, bool fired)
{
    FAULT_CHECK(((np_node_id)(int64_t)run->item == NP_NODE_ID_NONE) == fired);
}

#define NO_MEMORY        \
    {                    \
        NP_ERR_NO_MEMORY \
    }

static const fault_case cases[] = {
    {.function = "np_topology_discover",
     .variant = "",
     .prepare = poison,
     .call = discover,
     .check = check_made,
     .thing = "/sys/devices",
     .allowed = {NP_ERR_NO_MEMORY, NP_ERR_SYSTEM, NP_ERR_LIMIT}},
    {.function = "np_topology_from_synthetic",
     .variant = "",
     .prepare = poison,
     .call = from_synthetic,
     .check = check_made,
     .allowed = NO_MEMORY},
    {.function = "np_topology_from_xml",
     .variant = "",
     .prepare = poison,
     .call = from_xml,
     .check = check_made,
     .thing = "file",
     .allowed = {NP_ERR_NO_MEMORY, NP_ERR_NOT_FOUND, NP_ERR_NOT_PERMITTED, NP_ERR_SYSTEM}},
    {.function = "np_topology_from_hwloc",
     .variant = "",
     .prepare = poison,
     .call = from_hwloc,
     .check = check_made,
     .allowed = NO_MEMORY},
    {.function = "np_cpu_set_to_hwloc",
     .variant = "",
     .call = bitmap_to,
     .pure = "only hwloc allocates: the program fault_hwloc"},
    {.function = "np_cpu_set_from_hwloc", .variant = "", .call = bitmap_from, .pure = "computes"},
    {.function = "np_topology_node_free_memory",
     .variant = "",
     .prepare = prepare_real,
     .call = free_memory,
     .check = check_free_memory,
     .thing = "node",
     .allowed = {NP_ERR_SYSTEM, NP_ERR_NOT_SUPPORTED, NP_ERR_NOT_PERMITTED}},
#define PROBE_ROW(name, key)          \
    {.function = "np_capability_get", \
     .variant = key,                  \
     .prepare = prepare_real,         \
     .perhaps_none = true,            \
     .call = probe_##name,            \
     .allowed = {NP_ERR_NO_MEMORY, NP_ERR_SYSTEM}},
    NP_CAPABILITY_MAP(PROBE_ROW)
#undef PROBE_ROW
        {.function = "np_affinity_get",
         .variant = "",
         .call = affinity_get,
         .check = check_affinity_get,
         .allowed = {NP_ERR_SYSTEM}},
    {.function = "np_affinity_where", .variant = "", .call = where, .allowed = {NP_ERR_SYSTEM}},
    {.function = "np_affinity_set",
     .variant = "soft",
     .prepare = prepare_affinity,
     .call = set_soft,
     .check = check_soft},
    {.function = "np_affinity_set",
     .variant = "strict",
     .prepare = prepare_strict,
     .call = set_strict,
     .check = check_strict,
     .allowed = {NP_ERR_HARD_MODE}},
    {.function = "np_affinity_set_node",
     .variant = "soft",
     .prepare = prepare_affinity,
     .call = set_node_soft,
     .check = check_soft},
    {.function = "np_affinity_set_node",
     .variant = "strict",
     .prepare = prepare_strict,
     .call = set_node_strict,
     .check = check_strict,
     .allowed = {NP_ERR_HARD_MODE}},
    {.function = "np_affinity_scope_open",
     .variant = "strict",
     .prepare = prepare_strict,
     .call = scope_open,
     .check = check_scope,
     .allowed = {NP_ERR_HARD_MODE}},
    {.function = "np_affinity_scope_open_node",
     .variant = "strict",
     .prepare = prepare_strict,
     .call = scope_open_node,
     .check = check_scope,
     .allowed = {NP_ERR_HARD_MODE}},
    {.function = "np_affinity_scope_close",
     .variant = "",
     .prepare = prepare_close,
     .call = scope_close,
     .check = check_closed,
     .allowed = {NP_ERR_SYSTEM}},
    {.function = "np_current_node",
     .variant = "outside",
     .call = current_node,
     .check = check_current_node},
};
FAULT_LIST(fault_machine_cases, cases);
