/*
 * executor/options.h - the options of one create call after the environment was read and every
 * value checked.
 */
#ifndef NPI_EXECUTOR_OPTIONS_H
#define NPI_EXECUTOR_OPTIONS_H

#include <numaperf/executor.h>

#include "os/os.h"

#define NPI_SPARES_MAX         32u
#define NPI_GUESTS_MAX         32u
#define NPI_SPIN_NS_MAX        1000000000u
#define NPI_WATCHDOG_NS_MIN    UINT64_C(1000000)
#define NPI_WATCHDOG_NS_MAX    (UINT64_C(86400) * 1000000000u)
#define NPI_THREAD_NAME_MAX    8u
#define NPI_INBOX_CAPACITY_MAX (UINT32_C(1) << 30)

/* `values` points into the caller's memory, the environment, or the lists below. */
typedef struct npi_options {
    np_executor_options values;
    np_node_workers *node_workers; /* from the environment; owned */
    size_t node_workers_room;
    np_node_id *nodes; /* from the environment; owned */
    size_t nodes_room;
    np_cpu_set cpus; /* from the environment */
    /* The variable's text if its list counts, NULL if the program's own does, or none: whether this
     * machine has what a list names is found out later (plan.c), and who named it is then told. */
    const char *node_workers_text, *nodes_text, *cpus_text;
} npi_options;

/* `given` may be NULL. On failure nothing needs to be released. */
np_status npi_options_read(const np_executor_options *given, npi_options *out);
void npi_options_release(npi_options *options);

/* Tells the diagnostic handler of each NUMAPERF_ variable that is set and that nobody reads. */
void npi_environment_check(void);

#endif
