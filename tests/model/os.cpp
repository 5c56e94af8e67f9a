/*
 * model/os.cpp - the system under the model: the futex and the clock of core.cpp, no affinity, no
 * files; and what the modelled layers need of base and topology, in its simplest form. Threads are
 * the model's own: whoever wants to start one here gets EAGAIN.
 */
#include <errno.h>
#include <string.h>

#include <numaperf/region.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/status.h"
#include "executor/lifecycle.h"
#include "executor/near.h"
#include "memory/arena.h"
#include "model/core.h"
#include "os/number.h"
#include "os/os.h"
#include "topology/topology_internal.h"

namespace np_model
{
bool futex_wait(uint32_t *ticket, uint32_t expected, uint64_t deadline, const site &at);
void futex_wake(uint32_t *ticket, uint32_t count, const site &at);
unsigned eventfd_signals;
} // namespace np_model

int npi_os_futex_wait(np_atomic(uint32_t) *word, uint32_t expected, uint64_t deadline)
{
    return np_model::futex_wait(&word->ticket, expected, deadline, NPT_SITE) ? 0 : ETIMEDOUT;
}

void npi_os_futex_wake(np_atomic(uint32_t) *word, uint32_t count)
{
    np_model::futex_wake(&word->ticket, count, NPT_SITE);
}

uint64_t npi_os_now(void)
{
    return np_model::now();
}

uint64_t npi_os_deadline(uint64_t timeout)
{
    return timeout >= UINT64_MAX - npi_os_now() ? NPI_NO_DEADLINE : npi_os_now() + timeout;
}

uint32_t npi_os_process_generation(void)
{
    return 1;
}

void npi_os_at_fork(void (*)(void)) {}

int npi_os_eventfd_signal(int)
{
    np_model::eventfd_signals++;
    return 0;
}

int npi_os_watch_open(npi_os_watch *)
{
    return ENOSYS;
}

void npi_os_watch_close(npi_os_watch *) {}

int npi_os_watch_cpusets(npi_os_watch *)
{
    return ENOSYS;
}

int npi_os_watch_devices(npi_os_watch *)
{
    return ENOSYS;
}

int npi_os_watch_wait(const npi_os_watch *, uint64_t, npi_os_watch_news *)
{
    return ENOSYS;
}

void npi_os_watch_stop(const npi_os_watch *) {}

int npi_os_thread_start(npi_os_thread *, size_t, npi_os_thread_fn, void *)
{
    return EAGAIN;
}

int npi_os_thread_join(npi_os_thread *)
{
    return 0;
}

uint64_t npi_os_thread_id(void)
{
    return np_model::self() + 1;
}

int npi_os_where(int32_t *, np_node_id *node)
{
    *node = 0;
    return 0;
}

int npi_os_affinity_get(np_cpu_set *)
{
    return ENOSYS;
}

int npi_os_affinity_set(const np_cpu_set *)
{
    return ENOSYS;
}

int npi_os_thread_affinity_get(uint64_t, np_cpu_set *)
{
    return ENOSYS;
}

int npi_os_thread_affinity_set(uint64_t, const np_cpu_set *)
{
    return ENOSYS;
}

int npi_os_allowed_nodes(npi_node_set *)
{
    return ENOSYS;
}

void npi_os_thread_stack(uintptr_t *end, size_t *bytes)
{
    *end = 0;
    *bytes = 0;
}

int npi_os_thread_set_name(const char *)
{
    return 0;
}

size_t npi_os_page_size(void)
{
    return 4096;
}

int npi_os_advise(void *, size_t, npi_os_advice)
{
    return 0;
}

uint32_t npi_number_give(void)
{
    np_model::fail("a thread of the model has no number", NPT_SITE);
}

/* One set of these per thread of the model. */
npi_tls *npi_tls_self(void)
{
    static npi_tls all[4];
    return &all[np_model::self()];
}

/* --- base ------------------------------------------------------------------------------------- */

void npi_assert_failed(const char *condition, const char *file, int line)
{
    np_model::fail(condition, np_model::site{"assertion", file, (unsigned)line});
}

np_status npi_fail(np_status status, const char *, ...)
{
    return status;
}

np_status npi_fail_errno(np_status status, int, const char *, const char *, ...)
{
    return status;
}

np_status npi_fail_more(np_status status, const char *, ...)
{
    return status;
}

np_status npi_fail_memory(size_t, const char *)
{
    return NP_ERR_NO_MEMORY;
}

void npi_diagnose(np_severity, const char *, ...) {}

bool npi_options_acceptable(const void *, size_t, size_t, size_t, const char *)
{
    return true;
}

void npi_options_copy(void *to, size_t known, const void *from, size_t given)
{
    memcpy(to, from, known < given ? known : given);
}

const char *np_status_name(np_status)
{
    return "";
}

const char *np_error_detail(void)
{
    return "";
}

void *npi_alloc(size_t bytes, size_t)
{
    return np_model::allocate(bytes);
}

void npi_free(void *memory, size_t bytes)
{
    if (memory != NULL)
        np_model::give_back(memory, bytes);
}

/* --- regions: none of a channel's lies in one ------------------------------------------------- */

np_status np_region_create(const np_topology *, size_t, const np_region_options *, np_region **)
{
    return NP_ERR_NOT_SUPPORTED;
}

void np_region_destroy(np_region *) {}

void *np_region_data(const np_region *)
{
    return NULL;
}

np_enforcement np_region_enforcement(const np_region *)
{
    return {};
}

/* --- memory: segments come from the real pool, pieces from the model ---------------------------
 */

void npi_arena_init(npi_arena *, np_node_id, bool) {}

void *npi_arena_alloc(npi_arena *, size_t bytes, size_t)
{
    return np_model::allocate(bytes);
}

/* --- data: no case says where its data lies ----------------------------------------------- */

np_status npi_near_choose(np_executor *, npi_worker *, const np_data_range *, size_t, npi_choice *)
{
    return NP_ERR_NOT_SUPPORTED;
}

void npi_near_count_sent(npi_node *, npi_worker *, const npi_choice *) {}

void npi_near_ran(npi_worker *, uint64_t, np_node_index) {}

/* --- what only workers with threads of their own come to ---------------------------------------
 */

size_t np_cpu_set_print(const np_cpu_set *, char *, size_t)
{
    return 0;
}

void np_cpu_set_clear(np_cpu_set *) {}

bool np_cpu_set_add(np_cpu_set *, int32_t)
{
    return true;
}

bool np_cpu_set_equal(const np_cpu_set *, const np_cpu_set *)
{
    return true;
}

/* --- sets of CPUs: nodes go and come by bits of the first word -----------------------------------
 */

void np_cpu_set_and(np_cpu_set *out, const np_cpu_set *a, const np_cpu_set *b)
{
    out->bits[0] = a->bits[0] & b->bits[0];
}

bool np_cpu_set_is_empty(const np_cpu_set *set)
{
    return set->bits[0] == 0;
}

uint32_t np_cpu_set_count(const np_cpu_set *set)
{
    return (uint32_t)__builtin_popcountll(set->bits[0]);
}

bool np_cpu_set_contains(const np_cpu_set *set, int32_t cpu)
{
    return cpu >= 0 && (set->bits[0] >> cpu & 1) != 0;
}

int32_t np_cpu_set_first(const np_cpu_set *set)
{
    return set->bits[0] == 0 ? NP_CPU_NONE : __builtin_ctzll(set->bits[0]);
}

int32_t np_cpu_set_next(const np_cpu_set *set, int32_t cpu)
{
    uint64_t above = set->bits[0] & ~((UINT64_C(2) << cpu) - 1);
    return above == 0 ? NP_CPU_NONE : __builtin_ctzll(above);
}

/* CPU n belongs to node n. */
void npi_topology_node_cpus_now(const np_topology *, np_node_index index, np_cpu_set *out)
{
    out->bits[0] = UINT64_C(1) << index;
}

const np_node_info *npi_topology_node(const np_topology *, np_node_index)
{
    return NULL; /* the executor is virtual: nobody asks for memory */
}

uint32_t npi_topology_node_distance(const np_topology *, np_node_index, np_node_index)
{
    return 10;
}

bool npi_node_set_contains(const npi_node_set *, np_node_id)
{
    return false;
}

const char *np_reason_text(np_reason)
{
    return "";
}

np_status npi_executor_check(const np_executor *)
{
    return NP_OK;
}

void npi_executor_free(np_executor *) {}

/* --- topology: every node is as far from every other one -------------------------------------- */

np_tier npi_topology_node_tier_at(const np_topology *, np_node_index a, np_node_index b)
{
    return a == b ? NP_TIER_NODE : NP_TIER_REMOTE;
}

bool npi_topology_is_virtual(const np_topology *)
{
    return true;
}

/* No case asks for the words. */
void npi_topology_say_no_node(const np_topology *, const char *, np_node_id) {}
