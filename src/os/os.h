/*
 * os/os.h - the one seam to the operating system. Nothing above it makes a system call, reads
 * /proc or /sys, starts a thread, sleeps or asks the time by any other way, so that a fault
 * injector or a simulated machine can stand in its place.
 *
 * Conventions: every function that can fail returns 0 or a positive errno, sets no detail and
 * leaves the C library's errno as it was. Callers turn an errno into words with npi_fail_errno(),
 * naming the call. All functions may be called from any thread.
 */
#ifndef NPI_OS_OS_H
#define NPI_OS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numaperf/affinity.h>

#include "base/atomic.h"
#include "base/tls.h"

/* --- time -------------------------------------------------------------------------------- */

#define NPI_NO_DEADLINE UINT64_MAX

/* Monotonic, nanoseconds. */
uint64_t npi_os_now(void);
/* now + timeout, saturating below NPI_NO_DEADLINE; UINT64_MAX, NP_FOREVER, is no deadline. */
uint64_t npi_os_deadline(uint64_t timeout_ns);

/* --- sleeping and waking ----------------------------------------------------------------- */

/*
 * Sleeps while *word == expected, until woken or until `deadline` (monotonic, NPI_NO_DEADLINE: for
 * ever). 0: woken, interrupted, or the word already differs: look again. ETIMEDOUT: the deadline
 * passed. Gives no memory ordering beyond what the caller's own loads give.
 */
int npi_os_futex_wait(np_atomic(uint32_t) *word, uint32_t expected, uint64_t deadline);
/* Wakes at most `count` sleepers. The address need no longer be a futex, or even mapped. */
void npi_os_futex_wake(np_atomic(uint32_t) *word, uint32_t count);

/* Adds one to an eventfd; returns 0 or errno (EAGAIN when its counter is full). Does not wait, also
 * if the descriptor is a blocking one: the callers hold locks. (It could in one case, that others
 * add the last 2^64 between its look and its write.) */
int npi_os_eventfd_signal(int fd);

/* --- changes of the CPUs that may be used ------------------------------------------------- */

/* What sleeps for them: descriptors of its own; -1: none. */
typedef struct npi_os_watch {
    int stop;
    int cpusets;
    int devices;
} npi_os_watch;

typedef enum npi_os_watch_news {
    NPI_OS_WATCH_NOTHING = 0, /* in this time */
    NPI_OS_WATCH_CHANGED,     /* perhaps: look */
    NPI_OS_WATCH_STOPPED      /* npi_os_watch_stop */
} npi_os_watch_news;

/* Watches nothing yet. Only closing gives the descriptors back; on failure there are none. */
int npi_os_watch_open(npi_os_watch *watch);
void npi_os_watch_close(npi_os_watch *watch);
/* The cpusets of the process's cgroup and of those above it. Again: of the cgroup it is in now, and
 * what has appeared. ENOENT: there is none. After another error some may be watched. */
int npi_os_watch_cpusets(npi_os_watch *watch);
/* CPUs that go offline and come online. Once. */
int npi_os_watch_devices(npi_os_watch *watch);
/* Sleeps until there is news, at most timeout_ns (NPI_NO_DEADLINE: for ever); all changes so far
 * are one. After an error it must not be called again: it might not sleep. One thread. */
int npi_os_watch_wait(const npi_os_watch *watch, uint64_t timeout_ns, npi_os_watch_news *news);
/* From now on every wait returns STOPPED at once. */
void npi_os_watch_stop(const npi_os_watch *watch);

/* --- threads ----------------------------------------------------------------------------- */

typedef void (*npi_os_thread_fn)(void *argument);

typedef struct npi_os_thread {
    uint64_t handle;     /* the creator's: the new thread does not look at it */
    npi_os_thread_fn fn; /* these two are read by the new thread */
    void *argument;
} npi_os_thread;

/*
 * Starts a joinable thread. *thread must stay where it is until the join. `stack_bytes` 0 means the
 * system's default; below npi_os_thread_stack_least() it is EINVAL. The thread begins with every
 * asynchronous signal blocked and the synchronous ones (SEGV, BUS, FPE, ILL, TRAP, ABRT, SYS) and
 * SIGPROF open. What the creator wrote before is visible to the thread, and what the thread wrote
 * is visible after the join.
 */
int npi_os_thread_start(npi_os_thread *thread, size_t stack_bytes, npi_os_thread_fn fn,
                        void *argument);
int npi_os_thread_join(npi_os_thread *thread);
/* Names the calling thread; at most 15 bytes are kept. */
int npi_os_thread_set_name(const char *name);
/* The kernel's id of the calling thread, unique in the system while it lives. */
uint64_t npi_os_thread_id(void);
/* Where the calling thread's stack ends (it grows down to there) and its size. If the system does
 * not say, a guess from the ordinary size, which is good near a thread's beginning; both 0 if even
 * that cannot be had. */
void npi_os_thread_stack(uintptr_t *end, size_t *bytes);

/* About where the caller is on it. */
#define npi_os_stack_here() ((uintptr_t)__builtin_frame_address(0))

/* The smallest stack a thread may be given. */
size_t npi_os_thread_stack_least(void);

/* Which process this is: changes in a forked child. 0 is never returned. Cheap (no system call). */
uint32_t npi_os_process_generation(void);

/* What a forked child does first, on its only thread, after its generation has changed. One
 * function for the process, for good; later calls replace it. */
void npi_os_at_fork(void (*in_child)(void));

/* --- the calling thread's place ---------------------------------------------------------- */

int npi_os_affinity_get(np_cpu_set *out);
int npi_os_affinity_set(const np_cpu_set *cpus);
/* The same for a thread of this process by the kernel's id (npi_os_thread_id), which must be alive:
 * an id is given to another thread some time after its own has ended. 0: the calling thread. */
int npi_os_thread_affinity_get(uint64_t thread, np_cpu_set *out);
int npi_os_thread_affinity_set(uint64_t thread, const np_cpu_set *cpus);
/* Where the calling thread runs at this moment, by the kernel's numbers. */
int npi_os_where(int32_t *cpu, np_node_id *node);

/* --- memory ------------------------------------------------------------------------------ */

#define NPI_NODE_SET_CAPACITY 1024u

typedef struct npi_node_set {
    unsigned long bits[NPI_NODE_SET_CAPACITY / (8u * sizeof(unsigned long))];
} npi_node_set;

void npi_node_set_clear(npi_node_set *set);
bool npi_node_set_add(npi_node_set *set, np_node_id node);
bool npi_node_set_contains(const npi_node_set *set, np_node_id node);
uint32_t npi_node_set_count(const npi_node_set *set);
bool npi_node_set_equal(const npi_node_set *a, const npi_node_set *b);
bool npi_node_set_is_subset(const npi_node_set *inner, const npi_node_set *outer);

typedef enum npi_os_policy {
    NPI_OS_POLICY_DEFAULT = 0,
    NPI_OS_POLICY_BIND,
    NPI_OS_POLICY_PREFERRED,
    NPI_OS_POLICY_INTERLEAVE,
    NPI_OS_POLICY_LOCAL,
    NPI_OS_POLICY_PREFERRED_MANY,      /* since Linux 5.15 */
    NPI_OS_POLICY_WEIGHTED_INTERLEAVE, /* since Linux 6.9 */
    NPI_OS_POLICY_OTHER                /* only as an answer: one this library does not set */
} npi_os_policy;

typedef enum npi_os_advice {
    NPI_OS_ADVICE_HUGE = 0,     /* transparent huge pages wanted */
    NPI_OS_ADVICE_NO_HUGE,      /* not wanted */
    NPI_OS_ADVICE_DISCARD,      /* give the pages back, keep the addresses; they read as zero */
    NPI_OS_ADVICE_SPLIT,        /* a huge page of which this is a part becomes ordinary ones (since
                                   Linux 5.4, and by the way, so look whether it worked) */
    NPI_OS_ADVICE_POPULATE,     /* fault every page in for writing; EINVAL before Linux 5.14 */
    NPI_OS_ADVICE_POPULATE_READ /* for reading: a file's pages come, but are not copied */
} npi_os_advice;

size_t npi_os_page_size(void);
size_t npi_os_huge_page_size(void); /* the transparent one; 0 if unknown */
/* Anonymous private zeroed pages; `bytes` a multiple of the page size, `alignment` a power of two
 * (0: page). Not counted against overcommit until touched. */
int npi_os_map(size_t bytes, size_t alignment, void **out);
/* From the pool of huge pages of that size, reserved for the mapping. ENOMEM: the pool, or what the
 * process may have of it, is too small; EINVAL: there are none of that size. */
int npi_os_map_huge(size_t bytes, size_t huge_bytes, void **out);
int npi_os_unmap(void *memory, size_t bytes);
/* Makes one mapping longer or shorter (mremap), perhaps at another address; pages, policy and
 * advice go with it. Mappings of huge pages can only be made shorter. EAGAIN: the limit of locked
 * memory. */
int npi_os_resize(void *memory, size_t bytes, size_t new_bytes, void **out);

/* --- files as memory --------------------------------------------------------------------- */

typedef enum npi_os_file_access {
    NPI_OS_FILE_READ = 0, /* the file's own pages, not to be written */
    NPI_OS_FILE_SHARED,   /* the same, and what is written goes into the file */
    NPI_OS_FILE_PRIVATE   /* what is written becomes a copy of this mapping's own */
} npi_os_file_access;

typedef struct npi_os_file_info {
    uint64_t bytes;
    bool regular;
    bool huge_pages; /* of a hugetlbfs */
} npi_os_file_info;

/* `path` as the caller gave it: npi_os_set_root() is not for it. Never waits. */
int npi_os_open_file(const char *path, bool writable, int *file);
int npi_os_file_look(int file, npi_os_file_info *out); /* the call is fstat */
/* Whole pages from an offset that is a multiple of the page size; the mapping outlives the file's
 * descriptor. */
int npi_os_map_file(int file, npi_os_file_access access, uint64_t offset, size_t bytes, void **out);
void npi_os_close_file(int file);

/* --- the place of memory ----------------------------------------------------------------- */

int npi_os_advise(void *memory, size_t bytes, npi_os_advice advice);
int npi_os_lock_memory(void *memory, size_t bytes);
int npi_os_unlock_memory(void *memory, size_t bytes);
/*
 * Sets the policy of a mapping (mbind). Node numbers are physical: a later change of the cpuset
 * does not renumber them. `nodes` is not looked at for the default and the local policy. `move`
 * also moves pages that are present; EIO then means that the policy is set but some pages could not
 * be moved, several attempts notwithstanding. Nodes that are all outside the cpuset, or without
 * memory: EINVAL. If only some are, the kernel silently uses the others: compare with
 * npi_os_allowed_nodes().
 */
int npi_os_bind_memory(void *memory, size_t bytes, npi_os_policy policy, const npi_node_set *nodes,
                       bool move);
/* The policy of the mapping that holds `address` (get_mempolicy), with the nodes it was given. */
int npi_os_memory_policy(const void *address, npi_os_policy *policy, npi_node_set *nodes);
/* Asks for the node of each page (move_pages as a query). status[i]: node, or a negative errno.
 * Not present, not mapped, or only read so far (when the kernel's shared page of zeros stands in
 * for it): -ENOENT or -EFAULT; which of them differs between kernels. */
int npi_os_page_nodes(void *const *pages, size_t count, int *status);
/* Moves each page to the node given for it (move_pages). status[i]: where it is now, or a negative
 * errno: -ENOENT: not present; -EACCES: other processes have it mapped too; -EBUSY: in use. A page
 * that stayed where it was may be reported as if it had been moved: ask afterwards. */
int npi_os_move_pages(void *const *pages, size_t count, const int *nodes, int *status);
/* The memory nodes this process may allocate on (get_mempolicy, MPOL_F_MEMS_ALLOWED). */
int npi_os_allowed_nodes(npi_node_set *out);

/* The policy of the calling thread, by which the kernel places what has none of its own: also a
 * file's pages, when this thread is the first to read them. */
typedef struct npi_os_thread_policy {
    int mode; /* the kernel's own */
    npi_node_set nodes;
} npi_os_thread_policy;

int npi_os_thread_policy_set(npi_os_policy policy, const npi_node_set *nodes,
                             npi_os_thread_policy *before);
int npi_os_thread_policy_restore(const npi_os_thread_policy *before);

/* --- files and the environment ----------------------------------------------------------- */

/*
 * Reads a small file whole, at most capacity - 1 bytes, closed with a NUL; EFBIG, and an empty
 * text, when it is longer. `length` may be NULL. Paths under /sys and /proc go through the root set
 * with npi_os_set_root() (NULL: the real one; for tests, before other threads run), so that
 * recorded machines can be read.
 */
int npi_os_read_file(const char *path, char *buffer, size_t capacity, size_t *length);
int npi_os_set_root(const char *given);
bool npi_os_path_exists(const char *path);

/* The names in a folder, each closed with a NUL, "." and ".." left out, in the system's order.
 * EFBIG, and no names, when they do not fit. */
int npi_os_list_folder(const char *path, char *names, size_t capacity, size_t *length);
/* The numbers of the device that holds the file's file system. */
int npi_os_path_device(const char *path, uint32_t *major, uint32_t *minor);

/* The value of an environment variable, or NULL. In a set-user-id program always NULL. */
const char *npi_os_environment(const char *name);
/* The next "NAME=value" whose name begins so, from *at (0 at first) on, or NULL. Like the above not
 * to be called while another thread changes the environment. */
const char *npi_os_environment_next(const char *prefix, size_t *at);

/* A resource limit in bytes (UINT64_MAX: unlimited). */
int npi_os_locked_memory_limit(uint64_t *bytes);
/* True if the calling thread has this capability now (effective), by the kernel's CAP_ number. */
bool npi_os_has_capability(int capability);

#endif
