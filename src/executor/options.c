/*
 * executor/options.c - the option struct: names, defaults, the environment, and every check that
 * needs no topology.
 *
 * Precedence: what the program set, then the environment, then the default. A bad environment value
 * is an error that names variable and value, also when the program is the one that would have used
 * the default.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "executor/options.h"

static const char *const policy_names[] = {"local-then-socket-then-remote", "local-only", "any"};
static const char *const binding_names[] = {"node", "cpu", "off"};
static const char *const per_names[] = {"thread", "core"};
static const char *const hard_names[] = {"soft", "strict"};
static const char *const full_names[] = {"block", "fail", "run"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *name_of(const char *const *names, size_t count, unsigned value)
{
    return value < count ? names[value] : "unknown";
}

static bool value_of(const char *const *names, size_t count, const char *text, unsigned *value)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(names[i], text) == 0) {
            *value = i;
            return true;
        }
    }
    return false;
}

const char *np_steal_policy_name(np_steal_policy policy)
{
    return name_of(policy_names, COUNT(policy_names), (unsigned)policy);
}

const char *np_binding_name(np_binding binding)
{
    return name_of(binding_names, COUNT(binding_names), (unsigned)binding);
}

const char *np_worker_per_name(np_worker_per per)
{
    return name_of(per_names, COUNT(per_names), (unsigned)per);
}

const char *np_inbox_full_name(np_inbox_full full)
{
    return name_of(full_names, COUNT(full_names), (unsigned)full);
}

const char *np_discard_reason_name(np_discard_reason reason)
{
    switch (reason) {
    case NP_DISCARD_CANCELLED: return "cancelled";
    case NP_DISCARD_SHUTDOWN: return "shutdown";
    case NP_DISCARD_NODE_GONE: return "node gone";
    }
    return "unknown";
}

np_status np_steal_policy_parse(const char *name, np_steal_policy *out)
{
    if (name == NULL || out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_steal_policy_parse: %s is NULL",
                        name == NULL ? "name" : "out");
    unsigned value;
    if (!value_of(policy_names, COUNT(policy_names), name, &value))
        return npi_fail(NP_ERR_PARSE,
                        "\"%s\" is no steal policy (local-only, local-then-socket-then-remote, "
                        "any)",
                        name);
    *out = (np_steal_policy)value;
    return NP_OK;
}

void np_executor_options_init(np_executor_options *options)
{
    if (options != NULL)
        *options = (np_executor_options){.size = sizeof *options};
}

/* --- the environment ------------------------------------------------------------------------ */

static np_status bad(const char *variable, const char *value, const char *wanted)
{
    return npi_fail(NP_ERR_ENVIRONMENT, "%s=\"%s\": %s", variable, value, wanted);
}

static np_status read_name(const char *variable, const char *const *names, size_t count,
                           const char *wanted, unsigned *value)
{
    const char *text = npi_os_environment(variable);
    unsigned parsed;
    if (text == NULL)
        return NP_OK;
    if (!value_of(names, count, text, &parsed))
        return bad(variable, text, wanted);
    if (*value == 0)
        *value = parsed;
    return NP_OK;
}

static bool parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || number < least || number > most)
        return false;
    *out = number;
    return true;
}

static np_status read_number(const char *variable, uint64_t least, uint64_t most, bool none,
                             uint64_t *value)
{
    const char *text = npi_os_environment(variable);
    uint64_t parsed;
    if (text == NULL)
        return NP_OK;
    if (none && strcmp(text, "none") == 0)
        parsed = UINT32_MAX;
    else if (!parse_number(text, least, most, &parsed))
        return npi_fail(NP_ERR_ENVIRONMENT, "%s=\"%s\": a number from %llu to %llu%s is wanted",
                        variable, text, (unsigned long long)least, (unsigned long long)most,
                        none ? " or none" : "");
    if (*value == 0)
        *value = parsed;
    return NP_OK;
}

/* A program cannot set a flag to its default, so here the variable can only switch on. */
static np_status read_flag(const char *variable, bool *value)
{
    const char *text = npi_os_environment(variable);
    if (text == NULL || strcmp(text, "0") == 0)
        return NP_OK;
    if (strcmp(text, "1") != 0)
        return bad(variable, text, "0 or 1 is wanted");
    *value = true;
    return NP_OK;
}

static np_status read_number32(const char *variable, uint64_t least, uint64_t most, bool none,
                               uint32_t *value)
{
    uint64_t wide = *value;
    np_status status = read_number(variable, least, most, none, &wide);
    *value = (uint32_t)wide;
    return status;
}

static np_status read_names(np_executor_options *options)
{
    unsigned policy = (unsigned)options->steal_policy, hard = (unsigned)options->hard_mode;
    unsigned binding = (unsigned)options->binding, per = (unsigned)options->worker_per;
    unsigned full = (unsigned)options->inbox_full;
    np_status status = read_name("NUMAPERF_STEAL_POLICY", policy_names, COUNT(policy_names),
                                 "local-only, local-then-socket-then-remote or any is wanted",
                                 &policy);
    if (status == NP_OK)
        status = read_name("NUMAPERF_HARD_MODE", hard_names, COUNT(hard_names),
                           "soft or strict is wanted", &hard);
    if (status == NP_OK)
        status = read_name("NUMAPERF_BINDING", binding_names, COUNT(binding_names),
                           "node, cpu or off is wanted", &binding);
    if (status == NP_OK)
        status = read_name("NUMAPERF_WORKER_PER", per_names, COUNT(per_names),
                           "thread or core is wanted", &per);
    if (status == NP_OK)
        status = read_name("NUMAPERF_INBOX_FULL", full_names, COUNT(full_names),
                           "block, fail or run is wanted", &full);
    options->steal_policy = (np_steal_policy)policy;
    options->hard_mode = (np_hard_mode)hard;
    options->binding = (np_binding)binding;
    options->worker_per = (np_worker_per)per;
    options->inbox_full = (np_inbox_full)full;
    return status;
}

static np_status read_spin(uint32_t *spin_ns)
{
    const char *text = npi_os_environment("NUMAPERF_SPIN_NS");
    uint64_t value = NP_SPIN_BUSY;
    if (text == NULL)
        return NP_OK;
    if (strcmp(text, "none") == 0)
        value = NP_SPIN_NONE;
    else if (strcmp(text, "busy") != 0 && !parse_number(text, 1, NPI_SPIN_NS_MAX, &value))
        return npi_fail(NP_ERR_ENVIRONMENT,
                        "NUMAPERF_SPIN_NS=\"%s\": a number from 1 to %u, none or busy is wanted",
                        text, NPI_SPIN_NS_MAX);
    if (*spin_ns == 0)
        *spin_ns = (uint32_t)value;
    return NP_OK;
}

static np_status read_numbers(np_executor_options *options)
{
    uint64_t stack = options->stack_size;
    np_status status = read_number32("NUMAPERF_WORKERS_PER_NODE", 1, NP_MAX_WORKERS_PER_NODE, false,
                                     &options->workers_per_node);
    if (status == NP_OK)
        status = read_number("NUMAPERF_STACK_SIZE", 1, UINT64_C(1) << 40, false, &stack);
    if (status == NP_OK)
        status = read_number32("NUMAPERF_SPARE_WORKERS", 1, NPI_SPARES_MAX, true,
                               &options->spare_workers);
    if (status == NP_OK)
        status = read_number32("NUMAPERF_GUEST_WORKERS", 1, NPI_GUESTS_MAX, false,
                               &options->guest_workers);
    if (status == NP_OK)
        status = read_spin(&options->spin_ns);
    if (status == NP_OK)
        status = read_number32("NUMAPERF_GATE_BACKLOG", 1, UINT32_MAX - 1, false,
                               &options->gate_backlog);
    if (status == NP_OK)
        status = read_number("NUMAPERF_GATE_AGE_NS", 1, UINT64_C(3600) * 1000000000u, false,
                             &options->gate_age_ns);
    if (status == NP_OK)
        status = read_number("NUMAPERF_WATCHDOG_NS", NPI_WATCHDOG_NS_MIN, NPI_WATCHDOG_NS_MAX,
                             false, &options->watchdog_ns);
    if (status == NP_OK)
        status = read_flag("NUMAPERF_WATCH_CHANGES", &options->watch_changes);
    if (status == NP_OK)
        status = read_number32("NUMAPERF_INBOX_CAPACITY", 1, NPI_INBOX_CAPACITY_MAX, false,
                               &options->inbox_capacity);
    options->stack_size = (size_t)stack;
    return status;
}

/* "0:2,8:4,252:none" */
static np_status parse_node_workers(const char *text, npi_options *out)
{
    static const char variable[] = "NUMAPERF_NODE_WORKERS";
    static const char wanted[] = "node:workers,node:workers,... is wanted";
    size_t room = 1;
    for (const char *c = text; *c != '\0'; c++)
        room += *c == ',';
    np_node_workers *list = npi_alloc_array(room, sizeof *list, 0);
    if (list == NULL)
        return npi_fail_memory(room * sizeof *list, "a list of workers per node");
    out->node_workers = list;
    out->node_workers_room = room;
    const char *c = text;
    for (size_t i = 0; i < room; i++) {
        char *end;
        errno = 0;
        unsigned long node = strtoul(c, &end, 10);
        if (*c < '0' || *c > '9' || *end != ':' || errno != 0 || node > INT32_MAX)
            return bad(variable, text, wanted);
        c = end + 1;
        list[i].node = (np_node_id)node;
        if (strncmp(c, "none", 4) == 0) {
            list[i].workers = NP_WORKERS_NONE;
            end = (char *)(uintptr_t)c + 4;
        } else {
            unsigned long workers = strtoul(c, &end, 10);
            if (*c < '0' || *c > '9' || errno != 0 || workers == 0 ||
                workers > NP_MAX_WORKERS_PER_NODE)
                return bad(variable, text, wanted);
            list[i].workers = (uint32_t)workers;
        }
        if (*end != (i + 1 < room ? ',' : '\0'))
            return bad(variable, text, wanted);
        c = end + 1;
    }
    return NP_OK;
}

static np_status parse_nodes(const char *text, npi_options *out)
{
    np_cpu_set set; /* the same list format; node numbers fit easily */
    if (np_cpu_set_parse(text, &set) != NP_OK || np_cpu_set_is_empty(&set))
        return bad("NUMAPERF_NODES", text, "a list of NUMA nodes such as 0-1,8 is wanted");
    size_t count = np_cpu_set_count(&set);
    out->nodes = npi_alloc_array(count, sizeof *out->nodes, 0);
    if (out->nodes == NULL)
        return npi_fail_memory(count * sizeof *out->nodes, "a list of nodes");
    out->nodes_room = count;
    size_t i = 0;
    for (int32_t node = np_cpu_set_first(&set); node != NP_CPU_NONE;
         node = np_cpu_set_next(&set, node))
        out->nodes[i++] = (np_node_id)node;
    return NP_OK;
}

static np_status read_lists(npi_options *out)
{
    np_executor_options *options = &out->values;
    const char *text = npi_os_environment("NUMAPERF_NODE_WORKERS");
    if (text != NULL) {
        np_status status = parse_node_workers(text, out);
        if (status != NP_OK)
            return status;
        if (options->node_workers_count == 0) {
            options->node_workers = out->node_workers;
            options->node_workers_count = out->node_workers_room;
            out->node_workers_text = text;
        }
    }
    text = npi_os_environment("NUMAPERF_NODES");
    if (text != NULL) {
        np_status status = parse_nodes(text, out);
        if (status != NP_OK)
            return status;
        if (options->node_count == 0) {
            options->nodes = out->nodes;
            options->node_count = out->nodes_room;
            out->nodes_text = text;
        }
    }
    text = npi_os_environment("NUMAPERF_CPUS");
    if (text != NULL) {
        if (np_cpu_set_parse(text, &out->cpus) != NP_OK || np_cpu_set_is_empty(&out->cpus))
            return bad("NUMAPERF_CPUS", text, "a list of CPUs such as 0-3,8 is wanted");
        if (options->cpus == NULL) {
            options->cpus = &out->cpus;
            out->cpus_text = text;
        }
    }
    text = npi_os_environment("NUMAPERF_THREAD_NAME");
    if (text != NULL) {
        if (*text == '\0' || strlen(text) > NPI_THREAD_NAME_MAX)
            return bad("NUMAPERF_THREAD_NAME", text, "1 to 8 bytes are wanted");
        if (options->thread_name == NULL)
            options->thread_name = text;
    }
    return NP_OK;
}

/* --- checks ------------------------------------------------------------------------------------
 */

static np_status check_enum(const char *name, unsigned value, unsigned last)
{
    return value <= last ? NP_OK
                         : npi_fail(NP_ERR_INVALID_ARGUMENT,
                                    "np_executor_options.%s is %u, at most %u", name, value, last);
}

static np_status check_list(const char *name, const void *list, size_t count)
{
    return (list == NULL) == (count == 0)
               ? NP_OK
               : npi_fail(NP_ERR_INVALID_ARGUMENT,
                          "np_executor_options.%s is %s but its count is %zu", name,
                          list == NULL ? "NULL" : "not NULL", count);
}

static np_status check_most(const char *name, uint64_t value, uint64_t most)
{
    return value <= most
               ? NP_OK
               : npi_fail(NP_ERR_INVALID_ARGUMENT, "np_executor_options.%s is %llu, at most %llu",
                          name, (unsigned long long)value, (unsigned long long)most);
}

static uint32_t or_zero(uint32_t value)
{
    return value == UINT32_MAX ? 0 : value; /* the ..._NONE constants */
}

static np_status check(const np_executor_options *o)
{
    np_status status = check_enum("steal_policy", (unsigned)o->steal_policy, NP_STEAL_ANY);
    if (status == NP_OK)
        status = check_enum("hard_mode", (unsigned)o->hard_mode, NP_HARD_MODE_STRICT);
    if (status == NP_OK)
        status = check_enum("binding", (unsigned)o->binding, NP_BINDING_OFF);
    if (status == NP_OK)
        status = check_enum("worker_per", (unsigned)o->worker_per, NP_WORKER_PER_CORE);
    if (status == NP_OK)
        status = check_enum("inbox_full", (unsigned)o->inbox_full, NP_INBOX_FULL_RUN);
    if (status == NP_OK)
        status = check_most("inbox_capacity", o->inbox_capacity, NPI_INBOX_CAPACITY_MAX);
    if (status == NP_OK)
        status = check_list("nodes", o->nodes, o->node_count);
    if (status == NP_OK)
        status = check_list("node_workers", o->node_workers, o->node_workers_count);
    if (status == NP_OK)
        status = check_most("workers_per_node", o->workers_per_node, NP_MAX_WORKERS_PER_NODE);
    if (status == NP_OK)
        status = check_most("spare_workers", or_zero(o->spare_workers), NPI_SPARES_MAX);
    if (status == NP_OK)
        status = check_most("guest_workers", o->guest_workers, NPI_GUESTS_MAX);
    if (status == NP_OK)
        status = check_most("watchdog_ns", o->watchdog_ns, NPI_WATCHDOG_NS_MAX);
    if (status == NP_OK)
        status = check_most("spin_ns", o->spin_ns == NP_SPIN_BUSY ? 0 : or_zero(o->spin_ns),
                            NPI_SPIN_NS_MAX);
    if (status != NP_OK)
        return status;
    if (o->watchdog_ns != 0 && o->watchdog_ns < NPI_WATCHDOG_NS_MIN)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_executor_options.watchdog_ns is %llu, at least %llu is needed",
                        (unsigned long long)o->watchdog_ns,
                        (unsigned long long)NPI_WATCHDOG_NS_MIN);
    if (o->cpus != NULL && np_cpu_set_is_empty(o->cpus))
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_executor_options.cpus is the empty set");
    if (o->stack_size != 0 && o->stack_size < npi_os_thread_stack_least())
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_executor_options.stack_size is %zu, at least %zu is needed",
                        o->stack_size, npi_os_thread_stack_least());
    if (o->thread_name != NULL &&
        (o->thread_name[0] == '\0' || strlen(o->thread_name) > NPI_THREAD_NAME_MAX))
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_executor_options.thread_name is \"%s\", 1 to %u bytes are wanted",
                        o->thread_name, NPI_THREAD_NAME_MAX);
    if (o->hard_mode == NP_HARD_MODE_STRICT && o->binding == NP_BINDING_OFF)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "strict hard mode and binding \"off\" contradict each other");
    return NP_OK;
}

np_status npi_options_read(const np_executor_options *given, npi_options *out)
{
    memset(out, 0, sizeof *out);
    out->values.size = sizeof out->values;
    if (given != NULL) {
        if (!npi_options_acceptable(given, given->size, sizeof given->size, sizeof out->values,
                                    "np_executor_options"))
            return NP_ERR_INVALID_ARGUMENT;
        npi_options_copy(&out->values, sizeof out->values, given, given->size);
    }
    np_status status = check(&out->values);
    if (status == NP_OK && !out->values.ignore_environment) {
        status = read_names(&out->values);
        if (status == NP_OK)
            status = read_numbers(&out->values);
        if (status == NP_OK)
            status = read_lists(out);
        if (status == NP_OK)
            status = check(&out->values);
        if (status == NP_OK)
            npi_environment_check();
    }
    if (status != NP_OK)
        npi_options_release(out);
    return status;
}

void npi_options_release(npi_options *options)
{
    npi_free_array(options->node_workers, options->node_workers_room,
                   sizeof *options->node_workers);
    npi_free_array(options->nodes, options->nodes_room, sizeof *options->nodes);
    options->node_workers = NULL;
    options->nodes = NULL;
}
