/*
 * Goal: whatever stands in the NUMAPERF_ variables, creating an executor either goes on with
 * options that are in range, or fails with a status that names a variable which is set. Options
 * that were accepted, written back into the environment, read as the same options; what the program
 * set wins; with ignore_environment nothing is looked at. No thread is started: the plan on two
 * machines is made instead.
 *
 * Input: lines "NAME=value". Names that do not begin with NUMAPERF_ get that in front.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/lifecycle.h"
#include "executor/options.h"
#include "fuzz.h"

const char fuzz_name[] = "environment";

#define VARIABLES_MOST 24u

static char set_names[VARIABLES_MOST][64];
static size_t set_count;
static np_topology *machines[2];

static void set_variable(const char *name, const char *value)
{
    NPT_CHECK(setenv(name, value, 1) == 0);
    for (size_t i = 0; i < set_count; i++) {
        if (strcmp(set_names[i], name) == 0)
            return;
    }
    if (set_count < VARIABLES_MOST)
        (void)snprintf(set_names[set_count++], sizeof set_names[0], "%s", name);
}

static void clear_variables(void)
{
    while (set_count > 0)
        NPT_CHECK(unsetenv(set_names[--set_count]) == 0);
}

static void set_number(const char *name, unsigned long long value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%llu", value);
    if (value != 0)
        set_variable(name, text);
}

static void set_lines(const char *text)
{
    char *copy = strdup(text), *rest = NULL;
    NPT_CHECK(copy != NULL);
    for (char *line = strtok_r(copy, "\n", &rest); line != NULL && set_count < VARIABLES_MOST - 4;
         line = strtok_r(NULL, "\n", &rest)) {
        char name[64];
        char *equals = strchr(line, '=');
        if (equals == NULL || equals == line || equals - line > 40)
            continue;
        *equals = '\0';
        (void)snprintf(name, sizeof name, "%s%s",
                       strncmp(line, "NUMAPERF_", 9) == 0 ? "" : "NUMAPERF_", line);
        set_variable(name, equals + 1);
    }
    free(copy);
}

static void check_refused(np_status status)
{
    const char *detail = np_error_detail();
    NPT_CHECK(status == NP_ERR_ENVIRONMENT || status == NP_ERR_INVALID_ARGUMENT);
    NPT_CHECK(detail[0] != '\0');
    if (status == NP_ERR_INVALID_ARGUMENT)
        return; /* each value is right, together they are not */
    for (size_t i = 0; i < set_count; i++) {
        size_t length = strlen(set_names[i]);
        if (strncmp(detail, set_names[i], length) == 0 && detail[length] == '=')
            return;
    }
    NPT_FAIL("the detail names no variable that is set: %s", detail);
}

static void check_values(const np_executor_options *o)
{
    NPT_CHECK((unsigned)o->steal_policy <= NP_STEAL_ANY);
    NPT_CHECK((unsigned)o->hard_mode <= NP_HARD_MODE_STRICT);
    NPT_CHECK((unsigned)o->binding <= NP_BINDING_OFF);
    NPT_CHECK((unsigned)o->worker_per <= NP_WORKER_PER_CORE);
    NPT_CHECK((unsigned)o->inbox_full <= NP_INBOX_FULL_RUN);
    NPT_CHECK(o->workers_per_node <= NP_MAX_WORKERS_PER_NODE);
    NPT_CHECK(o->inbox_capacity <= NPI_INBOX_CAPACITY_MAX);
    NPT_CHECK(o->gate_age_ns <= UINT64_C(3600) * 1000000000u && o->gate_backlog < UINT32_MAX);
    NPT_CHECK(o->stack_size <= (size_t)1 << 40);
    NPT_CHECK(o->guest_workers <= NPI_GUESTS_MAX);
    NPT_CHECK(o->spare_workers <= NPI_SPARES_MAX || o->spare_workers == NP_SPARE_WORKERS_NONE);
    NPT_CHECK(o->spin_ns <= NPI_SPIN_NS_MAX || o->spin_ns == NP_SPIN_NONE ||
              o->spin_ns == NP_SPIN_BUSY);
    NPT_CHECK((o->nodes == NULL) == (o->node_count == 0));
    NPT_CHECK((o->node_workers == NULL) == (o->node_workers_count == 0));
    NPT_CHECK(o->cpus == NULL || !np_cpu_set_is_empty(o->cpus));
    NPT_CHECK(o->thread_name == NULL ||
              (o->thread_name[0] != '\0' && strlen(o->thread_name) <= NPI_THREAD_NAME_MAX));
    for (size_t i = 0; i < o->node_workers_count; i++)
        NPT_CHECK(o->node_workers[i].node >= 0 &&
                  (o->node_workers[i].workers <= NP_MAX_WORKERS_PER_NODE ||
                   o->node_workers[i].workers == NP_WORKERS_NONE));
}

static void check_plans(const npi_options *options)
{
    const np_executor_options *o = &options->values;
    for (size_t m = 0; m < 2; m++) {
        npi_plan plan;
        np_status status = npi_plan_make(machines[m], options, &plan);
        if (status != NP_OK) {
            NPT_CHECK(np_error_detail()[0] != '\0');
            continue;
        }
        uint32_t workers = 0;
        for (uint32_t i = 0; i < plan.node_count; i++) {
            workers += plan.nodes[i].workers;
            NPT_CHECK(plan.nodes[i].workers <= NP_MAX_WORKERS_PER_NODE);
            bool asked = o->node_count == 0;
            for (size_t n = 0; n < o->node_count; n++)
                asked = asked || o->nodes[n] == np_topology_node_id(machines[m], i);
            NPT_CHECK(asked || plan.nodes[i].workers == 0);
            NPT_CHECK(plan.nodes[i].workers == 0 || o->cpus == NULL ||
                      np_cpu_set_is_subset(&plan.nodes[i].cpus, o->cpus));
        }
        NPT_CHECK(workers > 0);
        npi_plan_destroy(&plan);
    }
}

/* --- back into the environment ------------------------------------------------------------ */

static void set_lists(const np_executor_options *o)
{
    static char text[65536];
    if (o->node_workers_count > 0) {
        size_t used = 0;
        for (size_t i = 0; i < o->node_workers_count && used < sizeof text - 64; i++) {
            const np_node_workers *entry = &o->node_workers[i];
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%d:", i > 0 ? "," : "",
                                     entry->node);
            used += (size_t)(entry->workers == NP_WORKERS_NONE
                                 ? snprintf(text + used, sizeof text - used, "none")
                                 : snprintf(text + used, sizeof text - used, "%u", entry->workers));
        }
        set_variable("NUMAPERF_NODE_WORKERS", text);
    }
    if (o->node_count > 0) {
        np_cpu_set nodes;
        np_cpu_set_clear(&nodes);
        for (size_t i = 0; i < o->node_count; i++)
            NPT_CHECK(np_cpu_set_add(&nodes, o->nodes[i]));
        (void)np_cpu_set_print(&nodes, text, sizeof text);
        set_variable("NUMAPERF_NODES", text);
    }
    if (o->cpus != NULL) {
        (void)np_cpu_set_print(o->cpus, text, sizeof text);
        set_variable("NUMAPERF_CPUS", text);
    }
}

static void check_round_trip(const npi_options *first)
{
    const np_executor_options *o = &first->values;
    npi_options again;
    char *name = o->thread_name == NULL ? NULL : strdup(o->thread_name);
    clear_variables();
    set_variable("NUMAPERF_STEAL_POLICY", np_steal_policy_name(o->steal_policy));
    set_variable("NUMAPERF_HARD_MODE", np_hard_mode_name(o->hard_mode));
    set_variable("NUMAPERF_BINDING", np_binding_name(o->binding));
    set_variable("NUMAPERF_WORKER_PER", np_worker_per_name(o->worker_per));
    set_variable("NUMAPERF_INBOX_FULL", np_inbox_full_name(o->inbox_full));
    set_number("NUMAPERF_WORKERS_PER_NODE", o->workers_per_node);
    set_number("NUMAPERF_STACK_SIZE", o->stack_size);
    set_number("NUMAPERF_GUEST_WORKERS", o->guest_workers);
    set_number("NUMAPERF_GATE_BACKLOG", o->gate_backlog);
    set_number("NUMAPERF_GATE_AGE_NS", o->gate_age_ns);
    set_number("NUMAPERF_INBOX_CAPACITY", o->inbox_capacity);
    if (o->spare_workers == NP_SPARE_WORKERS_NONE)
        set_variable("NUMAPERF_SPARE_WORKERS", "none");
    else
        set_number("NUMAPERF_SPARE_WORKERS", o->spare_workers);
    if (o->spin_ns == NP_SPIN_NONE || o->spin_ns == NP_SPIN_BUSY)
        set_variable("NUMAPERF_SPIN_NS", o->spin_ns == NP_SPIN_BUSY ? "busy" : "none");
    else
        set_number("NUMAPERF_SPIN_NS", o->spin_ns);
    set_variable("NUMAPERF_WATCH_CHANGES", o->watch_changes ? "1" : "0");
    if (name != NULL)
        set_variable("NUMAPERF_THREAD_NAME", name);
    set_lists(o);
    np_status status = npi_options_read(NULL, &again);
    if (status != NP_OK)
        NPT_FAIL("accepted options are refused when written back: %s", np_error_detail());
    const np_executor_options *p = &again.values;
    NPT_CHECK(p->watch_changes == o->watch_changes);
    NPT_CHECK(p->steal_policy == o->steal_policy && p->hard_mode == o->hard_mode &&
              p->binding == o->binding && p->worker_per == o->worker_per &&
              p->inbox_full == o->inbox_full && p->workers_per_node == o->workers_per_node &&
              p->stack_size == o->stack_size && p->guest_workers == o->guest_workers &&
              p->gate_backlog == o->gate_backlog && p->gate_age_ns == o->gate_age_ns &&
              p->inbox_capacity == o->inbox_capacity && p->spare_workers == o->spare_workers &&
              p->spin_ns == o->spin_ns);
    NPT_CHECK((p->thread_name == NULL) == (name == NULL));
    NPT_CHECK(name == NULL || strcmp(p->thread_name, name) == 0);
    NPT_CHECK(p->node_count == o->node_count && p->node_workers_count == o->node_workers_count);
    NPT_CHECK(o->node_count == 0 ||
              memcmp(p->nodes, o->nodes, o->node_count * sizeof *o->nodes) == 0);
    for (size_t i = 0; i < o->node_workers_count; i++)
        NPT_CHECK(p->node_workers[i].node == o->node_workers[i].node &&
                  p->node_workers[i].workers == o->node_workers[i].workers);
    NPT_CHECK((p->cpus == NULL) == (o->cpus == NULL));
    NPT_CHECK(o->cpus == NULL || np_cpu_set_equal(p->cpus, o->cpus));
    npi_options_release(&again);
    free(name);
}

/* --- one input ---------------------------------------------------------------------------- */

static void check_precedence(void)
{
    np_executor_options given;
    npi_options options;
    np_executor_options_init(&given);
    given.ignore_environment = true;
    NPT_CHECK(npi_options_read(&given, &options) == NP_OK);
    NPT_CHECK(options.values.workers_per_node == 0 && options.values.nodes == NULL &&
              options.values.cpus == NULL && options.values.thread_name == NULL);
    npi_options_release(&options);
    given.ignore_environment = false;
    given.workers_per_node = 3;
    given.steal_policy = NP_STEAL_ANY;
    given.thread_name = "mine";
    np_status status = npi_options_read(&given, &options);
    if (status != NP_OK) {
        check_refused(status);
        return;
    }
    NPT_CHECK(options.values.workers_per_node == 3 && options.values.steal_policy == NP_STEAL_ANY &&
              strcmp(options.values.thread_name, "mine") == 0);
    npi_options_release(&options);
}

static void check_policy_names(const char *text)
{
    np_steal_policy policy = (np_steal_policy)77;
    if (np_steal_policy_parse(text, &policy) == NP_OK)
        NPT_CHECK(strcmp(np_steal_policy_name(policy), text) == 0);
    else
        NPT_CHECK((int)policy == 77 && np_error_detail()[0] != '\0');
}

void fuzz_one(const char *text, size_t length)
{
    npi_options options;
    (void)length;
    if (machines[0] == NULL)
        NPT_CHECK(np_topology_from_synthetic("pack:2 numa:2 core:2 pu:2", &machines[0]) == NP_OK &&
                  np_topology_from_synthetic("pack:2 numa:1(indexes=8,252) pu:2(indexes=1,3,5,7)",
                                             &machines[1]) == NP_OK);
    check_policy_names(text);
    set_lines(text);
    np_status status = npi_options_read(NULL, &options);
    if (status != NP_OK) {
        check_refused(status);
    } else {
        check_values(&options.values);
        check_plans(&options);
    }
    check_precedence();
    if (status == NP_OK) {
        check_round_trip(&options);
        npi_options_release(&options);
    }
    clear_variables();
}
