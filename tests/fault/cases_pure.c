/*
 * tests/fault/cases_pure.c - the functions that cannot fail for lack of anything: they compute,
 * read what is there, or give memory back. The driver runs each in a complete surrounding and makes
 * sure that it passes no point, so the reason is checked and not only stated.
 */
#include "cases.h"

static np_cpu_set set, other_set;
static np_executor_options executor_options;
static np_region_options region_options;
static np_node_info node_info;
static np_cpu_info cpu_info;
static np_worker_info worker_info;
static np_executor_load load;
static np_stuck_task stuck;
static np_steal_policy policy;
static np_node_id ids[8];
static size_t length;
static uint32_t distance;
static uint64_t figure;
static np_device device;
static char words[20000];

static void silent(void *context, np_severity severity, const char *message)
{
    (void)context;
    (void)severity;
    (void)message;
}

static void ignore(np_status status)
{
    (void)status;
}

static void prepare(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
    FAULT_NEED(np_group_create(NULL, &run->group));
    FAULT_NEED(np_channel_create(NP_CHANNEL_OPTIONS(.item_size = 8, .capacity = 4), &run->channel));
    FAULT_NEED(np_region_create(run->topology, 4096, NULL, &run->region));
    FAULT_NEED(np_collector_create(run->executor, &run->collector));
    FAULT_NEED(np_leave_create(&run->leave));
    FAULT_NEED(np_stats_snapshot(run->executor, &run->stats));
}

/* X(function, the call), by the reason why it cannot fail. r: the run. */
#define COMPUTES(X)                                                                \
    X(np_binding_name, np_binding_name(NP_BINDING_CPU))                            \
    X(np_counter_key, np_counter_key(NP_COUNTER_PARKS))                            \
    X(np_counter_text, np_counter_text(NP_COUNTER_PARKS))                          \
    X(np_cpu_set_add, np_cpu_set_add(&set, 3))                                     \
    X(np_cpu_set_and, np_cpu_set_and(&set, &set, &other_set))                      \
    X(np_cpu_set_and_not, np_cpu_set_and_not(&set, &set, &other_set))              \
    X(np_cpu_set_clear, np_cpu_set_clear(&set))                                    \
    X(np_cpu_set_contains, np_cpu_set_contains(&set, 1))                           \
    X(np_cpu_set_count, np_cpu_set_count(&set))                                    \
    X(np_cpu_set_equal, np_cpu_set_equal(&set, &other_set))                        \
    X(np_cpu_set_first, np_cpu_set_first(&set))                                    \
    X(np_cpu_set_is_empty, np_cpu_set_is_empty(&set))                              \
    X(np_cpu_set_is_subset, np_cpu_set_is_subset(&set, &other_set))                \
    X(np_cpu_set_next, np_cpu_set_next(&set, 1))                                   \
    X(np_cpu_set_or, np_cpu_set_or(&set, &set, &other_set))                        \
    X(np_cpu_set_parse, ignore(np_cpu_set_parse("0-3,9", &set)))                   \
    X(np_cpu_set_print, np_cpu_set_print(&set, words, sizeof words))               \
    X(np_cpu_set_remove, np_cpu_set_remove(&set, 3))                               \
    X(np_discard_reason_name, np_discard_reason_name(NP_DISCARD_CANCELLED))        \
    X(np_enforcement_level_name, np_enforcement_level_name(NP_ENFORCEMENT_STRICT)) \
    X(np_error_detail, np_error_detail())                                          \
    X(np_error_errno, np_error_errno())                                            \
    X(np_executor_options_init, np_executor_options_init(&executor_options))       \
    X(np_hard_mode_name, np_hard_mode_name(NP_HARD_MODE_SOFT))                     \
    X(np_health_name, np_health_name(NP_HEALTH_GOOD))                              \
    X(np_health_of_ratio, np_health_of_ratio(0.9))                                 \
    X(np_inbox_full_name, np_inbox_full_name(NP_INBOX_FULL_RUN))                   \
    X(np_device_kind_name, np_device_kind_name(NP_DEVICE_BLOCK))                   \
    X(np_memory_attribute_name, np_memory_attribute_name(NP_MEMORY_LATENCY))       \
    X(np_memory_attribute_unit, np_memory_attribute_unit(NP_MEMORY_LATENCY))       \
    X(np_memory_source_name, np_memory_source_name(NP_MEMORY_SOURCE_GIVEN))        \
    X(np_memory_policy_name, np_memory_policy_name(NP_MEMORY_BIND))                \
    X(np_reason_text, np_reason_text(NP_REASON_PARTIAL))                           \
    X(np_region_options_init, np_region_options_init(&region_options))             \
    X(np_schedule_name, np_schedule_name(NP_SCHEDULE_STATIC))                      \
    X(np_set_allocator, ignore(np_set_allocator(NULL)))                            \
    X(np_set_diagnostic_handler, np_set_diagnostic_handler(silent, NULL))          \
    X(np_status_name, np_status_name(NP_ERR_BUSY))                                 \
    X(np_status_text, np_status_text(NP_ERR_BUSY))                                 \
    X(np_steal_policy_name, np_steal_policy_name(NP_STEAL_ANY))                    \
    X(np_steal_policy_parse, ignore(np_steal_policy_parse("any", &policy)))        \
    X(np_stuck_state_name, np_stuck_state_name(NP_STUCK_WAITING))                  \
    X(np_tier_name, np_tier_name(NP_TIER_CACHE))                                   \
    X(np_version_number, np_version_number())                                      \
    X(np_version_string, np_version_string())                                      \
    X(np_worker_per_name, np_worker_per_name(NP_WORKER_PER_CORE))

#define READS(X)                                                                              \
    X(np_channel_capacity, np_channel_capacity(r->channel))                                   \
    X(np_channel_is_closed, np_channel_is_closed(r->channel))                                 \
    X(np_channel_length, np_channel_length(r->channel))                                       \
    X(np_channel_senders, np_channel_senders(r->channel))                                     \
    X(np_collector_between, np_collector_between(r->collector, 0, 1))                         \
    X(np_collector_totals, np_collector_totals(r->collector))                                 \
    X(np_current_executor, np_current_executor())                                             \
    X(np_current_group, np_current_group())                                                   \
    X(np_current_home, np_current_home())                                                     \
    X(np_current_worker_index, np_current_worker_index())                                     \
    X(np_executor_describe, np_executor_describe(r->executor, words, sizeof words))           \
    X(np_executor_hard_mode, np_executor_hard_mode(r->executor))                              \
    X(np_executor_load_now, ignore(np_executor_load_now(r->executor, &load)))                 \
    X(np_executor_node_count, np_executor_node_count(r->executor))                            \
    X(np_executor_node_worker_count, np_executor_node_worker_count(r->executor, 0))           \
    X(np_executor_nodes, np_executor_nodes(r->executor, ids, 8))                              \
    X(np_executor_pending, np_executor_pending(r->executor))                                  \
    X(np_executor_steal_policy, np_executor_steal_policy(r->executor))                        \
    X(np_executor_topology, np_executor_topology(r->executor))                                \
    X(np_executor_worker_count, np_executor_worker_count(r->executor))                        \
    X(np_executor_worker_info, ignore(np_executor_worker_info(r->executor, 0, &worker_info))) \
    X(np_executor_stuck_tasks, np_executor_stuck_tasks(r->executor, &stuck, 1))               \
    X(np_task_label, np_task_label("a label"))                                                \
    X(np_fast_self, np_fast_self())                                                           \
    X(np_group_cancel, np_group_cancel(r->group))                                             \
    X(np_group_fail, np_group_fail(r->group, NP_ERR_FAILED))                                  \
    X(np_group_is_cancelled, np_group_is_cancelled(r->group))                                 \
    X(np_group_outcome, np_group_outcome(r->group))                                           \
    X(np_group_pending, np_group_pending(r->group))                                           \
    X(np_group_reset, ignore(np_group_reset(r->group)))                                       \
    X(np_region_data, np_region_data(r->region))                                              \
    X(np_region_enforcement, np_region_enforcement(r->region))                                \
    X(np_region_nodes, np_region_nodes(r->region, ids, 8))                                    \
    X(np_region_page_size, np_region_page_size(r->region))                                    \
    X(np_region_policy, np_region_policy(r->region))                                          \
    X(np_region_size, np_region_size(r->region))                                              \
    X(np_report_json, np_report_json(r->stats, r->collector, words, sizeof words))            \
    X(np_report_text, np_report_text(r->stats, r->collector, words, sizeof words))            \
    X(np_stats_elapsed_ns, np_stats_elapsed_ns(r->stats))                                     \
    X(np_stats_health, np_stats_health(r->stats))                                             \
    X(np_stats_inbox_depth, np_stats_inbox_depth(r->stats, 0))                                \
    X(np_stats_locality, np_stats_locality(r->stats))                                         \
    X(np_stats_matrix, np_stats_matrix(r->stats, 0, 1))                                       \
    X(np_stats_node, np_stats_node(r->stats, 0, NP_COUNTER_PARKS))                            \
    X(np_stats_nodes, np_stats_nodes(r->stats, ids, 8))                                       \
    X(np_stats_total, np_stats_total(r->stats, NP_COUNTER_PARKS))                             \
    X(np_stats_worker, np_stats_worker(r->stats, 0, NP_COUNTER_PARKS))                        \
    X(np_stats_worker_count, np_stats_worker_count(r->stats))                                 \
    X(np_stats_worker_node, np_stats_worker_node(r->stats, 0))                                \
    X(np_device_find, ignore(np_device_find(r->topology, "nothing", &device)))                \
    X(np_topology_device, ignore(np_topology_device(r->topology, 0, &device)))                \
    X(np_topology_device_count, np_topology_device_count(r->topology))                        \
    X(np_topology_device_node, ignore(np_topology_device_node(r->topology, "nothing", ids)))  \
    X(np_topology_memory_attribute,                                                           \
      ignore(np_topology_memory_attribute(r->topology, NP_MEMORY_CAPACITY, 0, 0, &figure)))   \
    X(np_topology_memory_source, np_topology_memory_source(r->topology))                      \
    X(np_topology_core_count, np_topology_core_count(r->topology))                            \
    X(np_topology_cpu_count, np_topology_cpu_count(r->topology))                              \
    X(np_topology_cpu_info, ignore(np_topology_cpu_info(r->topology, 0, &cpu_info)))          \
    X(np_topology_cpu_node, np_topology_cpu_node(r->topology, 0))                             \
    X(np_topology_cpu_quota, np_topology_cpu_quota(r->topology))                              \
    X(np_topology_cpu_tier, np_topology_cpu_tier(r->topology, 0, 1))                          \
    X(np_topology_cpus, ignore(np_topology_cpus(r->topology, &set)))                          \
    X(np_topology_describe, np_topology_describe(r->topology, words, sizeof words))           \
    X(np_topology_distance, ignore(np_topology_distance(r->topology, 0, 1, &distance)))       \
    X(np_topology_distance_source, np_topology_distance_source(r->topology))                  \
    X(np_topology_is_virtual, np_topology_is_virtual(r->topology))                            \
    X(np_topology_node_count, np_topology_node_count(r->topology))                            \
    X(np_topology_node_cpus, ignore(np_topology_node_cpus(r->topology, 0, &set)))             \
    X(np_topology_node_id, np_topology_node_id(r->topology, 0))                               \
    X(np_topology_node_index, np_topology_node_index(r->topology, 0))                         \
    X(np_topology_node_info, ignore(np_topology_node_info(r->topology, 0, &node_info)))       \
    X(np_topology_node_tier, np_topology_node_tier(r->topology, 0, 1))                        \
    X(np_topology_nodes_by_distance,                                                          \
      ignore(np_topology_nodes_by_distance(r->topology, 0, ids, 8, &length)))                 \
    X(np_topology_socket_count, np_topology_socket_count(r->topology))                        \
    X(np_topology_summary, np_topology_summary(r->topology, words, sizeof words))             \
    X(np_topology_to_json, np_topology_to_json(r->topology, words, sizeof words))

#define GIVES_BACK(X)                                                                  \
    X(np_channel_destroy, (np_channel_destroy(r->channel), r->channel = NULL))         \
    X(np_collector_destroy, (np_collector_destroy(r->collector), r->collector = NULL)) \
    X(np_group_destroy, (np_group_destroy(r->group), r->group = NULL))                 \
    X(np_leave_destroy, (np_leave_destroy(r->leave), r->leave = NULL))                 \
    X(np_leave_now, np_leave_now(r->leave))                                            \
    X(np_stats_destroy, (np_stats_destroy(r->stats), r->stats = NULL))                 \
    X(np_topology_destroy, (np_topology_destroy(r->topology), r->topology = NULL))

#define DEFINE(name, expression)          \
    static void call_##name(fault_run *r) \
    {                                     \
        FAULT_DO(r, (void)(expression));  \
    }
COMPUTES(DEFINE)
READS(DEFINE)
GIVES_BACK(DEFINE)

#define ROW(name, why) \
    {.function = #name, .variant = "", .pure = why, .prepare = prepare, .call = call_##name},
#define COMPUTES_ROW(name, expression)   ROW(name, "computes")
#define READS_ROW(name, expression)      ROW(name, "reads or writes what is there")
#define GIVES_BACK_ROW(name, expression) ROW(name, "gives memory back, at most waking somebody")

static const fault_case cases[] = {COMPUTES(COMPUTES_ROW) READS(READS_ROW)
                                       GIVES_BACK(GIVES_BACK_ROW)};
FAULT_LIST(fault_pure_cases, cases);
