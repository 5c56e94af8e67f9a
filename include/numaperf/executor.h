/*
 * numaperf/executor.h - a pool of workers on every NUMA node, and submitting work to them.
 *
 * Thread safety: every function may be called from any thread at the same time as any other on the
 * same executor, with two exceptions: np_executor_destroy() must be the last call on the handle,
 * and np_executor_create() is the first. Calls from tasks are fine unless a function says
 * otherwise.
 *
 * Ordering: what a thread did before it submitted a task is visible to that task; what a task did
 * is visible to whoever learns of its completion from the library (a group wait, wait_idle,
 * shutdown).
 *
 * A task runs to completion on its worker's stack. Waiting on a worker (np_group_wait, np_join) may
 * run other tasks on that stack meanwhile: hold no lock across it.
 */
#ifndef NUMAPERF_EXECUTOR_H
#define NUMAPERF_EXECUTOR_H

#include <numaperf/topology.h>

NP_BEGIN_DECLS

typedef struct np_executor np_executor;
typedef struct np_group np_group;

/* A task: a function and its argument. */
typedef void (*np_task_fn)(void *argument);

/* --- policies ---------------------------------------------------------------------------- */

typedef enum np_steal_policy {
    /* By tier: same cache, same node, then, when leaving pays, same socket, then remote. */
    NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE = 0,
    NP_STEAL_LOCAL_ONLY, /* never across nodes: best locality, nodes may idle */
    NP_STEAL_ANY         /* whoever has work: best throughput when data does not matter */
} np_steal_policy;

/* "local-only", "local-then-socket-then-remote", "any"; and back. Static, never NULL. */
NP_API const char *np_steal_policy_name(np_steal_policy policy);
NP_API NP_MUST_USE np_status np_steal_policy_parse(const char *name, np_steal_policy *out);

/* What a worker's thread is bound to. */
typedef enum np_binding {
    NP_BINDING_NODE = 0, /* the node's allowed CPUs: the kernel may move it among them */
    NP_BINDING_CPU,      /* one CPU each (shared when there are more workers than CPUs) */
    NP_BINDING_OFF       /* not bound; the worker still belongs to its node */
} np_binding;
NP_API const char *np_binding_name(np_binding binding);

/* What the default number of workers of a node counts. */
typedef enum np_worker_per { NP_WORKER_PER_THREAD = 0, NP_WORKER_PER_CORE } np_worker_per;
NP_API const char *np_worker_per_name(np_worker_per per);

/* What a submit from outside does when the inbox of the node is full (inbox_capacity). */
typedef enum np_inbox_full {
    NP_INBOX_FULL_BLOCK = 0, /* waits for room */
    NP_INBOX_FULL_FAIL,      /* NP_ERR_WOULD_BLOCK */
    /* The task runs in the call, on the caller's thread: it is over when the submit returns, and
     * not counted among the executor's tasks. Strict tasks, those of an executor with
     * NP_STEAL_LOCAL_ONLY, those that such a task submits itself, and what needs a worker (np_run,
     * np_run_fast, np_parallel_for) wait for room instead. */
    NP_INBOX_FULL_RUN
} np_inbox_full;
NP_API const char *np_inbox_full_name(np_inbox_full full);

/* --- creating ---------------------------------------------------------------------------- */

#define NP_WORKERS_NONE         (UINT32_MAX) /* for np_node_workers: no worker on this node */
#define NP_SPARE_WORKERS_NONE   (UINT32_MAX)
#define NP_SPIN_NONE            (UINT32_MAX)     /* park at once */
#define NP_SPIN_BUSY            (UINT32_MAX - 1) /* never park: burns a CPU per worker */
#define NP_MAX_WORKERS_PER_NODE 1024u

typedef struct np_node_workers {
    np_node_id node;
    uint32_t workers; /* 0: the default for this node; NP_WORKERS_NONE: none */
} np_node_workers;

typedef struct np_worker_info np_worker_info;

/* Called on the worker's own thread, before its first and after its last task. A hook is no task:
 * what it submits counts as coming from outside, and is refused once the executor shuts down. */
typedef void (*np_worker_hook)(void *context, const np_worker_info *worker);

/* Why a task was not run. */
typedef enum np_discard_reason {
    NP_DISCARD_CANCELLED = 0, /* its group was cancelled */
    NP_DISCARD_SHUTDOWN,      /* the deadline of a timed shutdown passed */
    NP_DISCARD_NODE_GONE      /* its node lost its last CPU and it may run nowhere else */
} np_discard_reason;
NP_API const char *np_discard_reason_name(np_discard_reason reason);

/*
 * Receives each task that was accepted and will not run. `argument` is what the task would have
 * got (a copied argument is valid during the call). Called on a worker, or on the thread that calls
 * a timed shutdown. The same for a continuation of a channel that came too late (channel.h), on the
 * thread that made it ready.
 */
typedef void (*np_discard_fn)(void *context, np_task_fn fn, void *argument,
                              np_discard_reason reason);

/*
 * Zero, for every field, is the documented default. Each is also read from the environment variable
 * named beside it when the program left it at its default; a bad value there fails the creation
 * with NP_ERR_ENVIRONMENT, naming variable and value; a variable NUMAPERF_... that is none of them
 * is a warning to the diagnostic handler.
 */
typedef struct np_executor_options {
    size_t size; /* sizeof(np_executor_options); NP_EXECUTOR_OPTIONS fills it in */

    /* NUMAPERF_STEAL_POLICY=local-only|local-then-socket-then-remote|any */
    np_steal_policy steal_policy;
    np_hard_mode hard_mode;   /* NUMAPERF_HARD_MODE=soft|strict */
    np_binding binding;       /* NUMAPERF_BINDING=node|cpu|off */
    np_worker_per worker_per; /* NUMAPERF_WORKER_PER=thread|core */

    /* Workers on every node that has CPUs. 0: one per allowed hardware thread (or core), lowered by
     * a CPU quota but at least one. NUMAPERF_WORKERS_PER_NODE=N */
    uint32_t workers_per_node;
    /* Exceptions for single nodes. NUMAPERF_NODE_WORKERS=node:workers,... */
    const np_node_workers *node_workers;
    size_t node_workers_count;

    /* Only these nodes, only these CPUs. NULL: all that are allowed.
     * NUMAPERF_NODES=list, NUMAPERF_CPUS=list (kernel list format) */
    const np_node_id *nodes;
    size_t node_count;
    const np_cpu_set *cpus;

    size_t stack_size;       /* bytes per worker; 0: the system's default. NUMAPERF_STACK_SIZE */
    const char *thread_name; /* prefix, "np" by default: "np-n0w3". NUMAPERF_THREAD_NAME */

    np_worker_hook on_worker_start; /* may be NULL; the context is hook_context */
    np_worker_hook on_worker_stop;
    void *hook_context;

    np_discard_fn on_discard; /* may be NULL */
    void *discard_context;

    /* Threads per node that may step in for workers that block (channels, np_blocking_begin).
     * 0: 16. They are started when first needed. NUMAPERF_SPARE_WORKERS=N|none */
    uint32_t spare_workers;
    /* Seats per node for callers' own threads (np_worker_run). 0: 4. NUMAPERF_GUEST_WORKERS=N */
    uint32_t guest_workers;
    /* How long an idle worker looks for work before it sleeps, at most: a worker that looked in
     * vain looks half as long the next time, down to not at all. 0: 3,000; NP_SPIN_NONE: never;
     * NP_SPIN_BUSY: for ever (busy polling), for latencies below that of a wake-up, on CPUs that
     * nobody else needs. Ignored (none) where only one CPU can be used.
     * NUMAPERF_SPIN_NS=N|none|busy */
    uint32_t spin_ns;

    /*
     * The gate of the default policy. A worker takes a task from another node when that node has
     * more tasks queued per worker than gate_backlog and what a worker does in 20,000 ns, or when
     * its workers have taken none for gate_age_ns. 0: 4 tasks; 0: 1,000,000 ns.
     * NUMAPERF_GATE_BACKLOG, NUMAPERF_GATE_AGE_NS
     */
    uint32_t gate_backlog;
    uint64_t gate_age_ns;

    /* Back-pressure: when so many tasks wait in the inbox of a node, submits to it from outside do
     * what inbox_full says. 0: there is no limit. Tasks of the executor itself are always accepted,
     * even beyond it: they never wait for each other. NUMAPERF_INBOX_CAPACITY=N,
     * NUMAPERF_INBOX_FULL=block|fail|run */
    uint32_t inbox_capacity;
    np_inbox_full inbox_full;

    /* Reports workers that are in one task for longer than this: see np_executor_stuck_tasks().
     * 0: nobody watches, and nothing is spent on it; else from 1,000,000 (a millisecond) to a day.
     * NUMAPERF_WATCHDOG_NS=N */
    uint64_t watchdog_ns;

    /*
     * Follows changes of the CPUs without a call: a thread of the executor sleeps until the kernel
     * tells of a cpuset that was written or of a CPU that went offline or came online, and then
     * does what np_executor_refresh() does. Nothing while nothing changes. What the kernel does not
     * tell here goes to the diagnostic handler once, and in strict hard mode fails the creation
     * (NP_ERR_HARD_MODE). Ignored on a virtual topology and with NP_BINDING_OFF.
     * NUMAPERF_WATCH_CHANGES=0|1
     */
    bool watch_changes;

    bool ignore_environment; /* true: only this struct counts */
} np_executor_options;

NP_API void np_executor_options_init(np_executor_options *options);

#ifndef __cplusplus
/* NP_EXECUTOR_OPTIONS(.workers_per_node = 2, .hard_mode = NP_HARD_MODE_STRICT) */
#define NP_EXECUTOR_OPTIONS(...) \
    (&(np_executor_options){.size = sizeof(np_executor_options), __VA_ARGS__})
#endif

/*
 * Starts the workers; when it returns each one is placed and ready. `topology` is copied. `options`
 * may be NULL. Strict hard mode: every worker pins itself and reads its mask back first; one
 * failure undoes everything and the detail names worker, node, CPU, call and errno
 * (NP_ERR_HARD_MODE). Strict on a virtual topology or with NP_BINDING_OFF is refused. Soft: a
 * worker that cannot be pinned works all the same and np_executor_worker_info() says why. Other
 * errors, nothing left behind: NP_ERR_INVALID_ARGUMENT, NP_ERR_INVALID_NODE,
 * NP_ERR_NODE_HAS_NO_WORKER (a node without CPUs was given workers), NP_ERR_LIMIT,
 * NP_ERR_ENVIRONMENT, NP_ERR_NO_MEMORY, NP_ERR_SYSTEM (a thread could not be started).
 */
NP_API NP_MUST_USE np_status np_executor_create(const np_topology *topology,
                                                const np_executor_options *options,
                                                np_executor **out);

/* --- submitting -------------------------------------------------------------------------- */

/*
 * Every submit: NP_OK means accepted; the task will run exactly once, or be handed to on_discard
 * exactly once. Any other status means not accepted, and nothing was kept.
 * Common errors: NP_ERR_INVALID_ARGUMENT (fn is NULL), NP_ERR_SHUT_DOWN (too late; tasks may go on
 * submitting to their own executor while it shuts down), NP_ERR_NO_MEMORY (the queue could not
 * grow), NP_ERR_FORKED. No submit blocks beyond a lock held for a few instructions, unless
 * inbox_capacity is set; then also NP_ERR_WOULD_BLOCK (NP_INBOX_FULL_FAIL), and on a worker of
 * another executor, for which a spare one steps in while it waits, NP_ERR_NO_SPARE. None allocates
 * below the high-water mark of its queue. What one thread sends to one node leaves that node's
 * inbox in the order sent (per np_task_affinity).
 */

/* Near the caller: from a worker its own node, from elsewhere the node the calling thread runs on
 * (or the nearest one with workers). */
NP_API NP_MUST_USE np_status np_submit(np_executor *executor, np_task_fn fn, void *argument);

/* To one node, its home. NP_ERR_INVALID_NODE, NP_ERR_NODE_HAS_NO_WORKER. */
NP_API NP_MUST_USE np_status np_submit_to_node(np_executor *executor, np_node_id node,
                                               np_task_fn fn, void *argument);

/* The same with a copy of up to NP_ARGUMENT_COPY_MAX bytes of argument; the task gets a pointer to
 * the copy (8-byte aligned), valid while it runs. */
#define NP_ARGUMENT_COPY_MAX 40u
NP_API NP_MUST_USE np_status np_submit_copy_to_node(np_executor *executor, np_node_id node,
                                                    np_task_fn fn, const void *argument,
                                                    size_t bytes);

typedef struct np_task {
    np_task_fn fn;
    void *argument;
} np_task;

/*
 * Many at once to one node, with one decision about waking. Stops at the first that cannot be
 * accepted; *accepted (may be NULL) says how many were. `tasks` may be reused at once.
 */
NP_API NP_MUST_USE np_status np_submit_batch(np_executor *executor, np_node_id node,
                                             const np_task *tasks, size_t count, size_t *accepted);

/* Where a single task may run, whatever the policy. */
typedef enum np_task_affinity {
    NP_AFFINITY_PREFERRED = 0, /* on its home; elsewhere as the steal policy allows */
    NP_AFFINITY_STRICT,        /* only on its home, with everything it forks */
    NP_AFFINITY_ANY            /* anywhere (under NP_STEAL_LOCAL_ONLY still only on its home) */
} np_task_affinity;

typedef struct np_data_range np_data_range; /* numaperf/near.h */

typedef struct np_submit_options {
    size_t size;  /* sizeof(np_submit_options); NP_SUBMIT_OPTIONS fills it in */
    bool to_node; /* true: to `node`; false: near the caller */
    np_node_id node;
    np_task_affinity affinity;
    np_group *group;   /* may be NULL; counts the task until it ends */
    size_t copy_bytes; /* 0: pass the pointer; else copy that many bytes of the argument */
    /* The task's data (numaperf/near.h), borrowed for the call: sends the task to the node that
     * holds most of it, as np_submit_near(). With to_node it goes to `node` all the same, and its
     * data is only remembered and counted. NULL with 0: none. */
    const np_data_range *data;
    size_t data_count;
} np_submit_options;

#ifndef __cplusplus
#define NP_SUBMIT_OPTIONS(...) \
    (&(np_submit_options){.size = sizeof(np_submit_options), __VA_ARGS__})
#endif

/* The general form. `options` NULL: as np_submit(). Errors also: NP_ERR_CANCELLED when the group is
 * already cancelled (not accepted), NP_ERR_INVALID_ARGUMENT for a data range that is NULL or wraps.
 */
NP_API NP_MUST_USE np_status np_submit_with(np_executor *executor, const np_submit_options *options,
                                            np_task_fn fn, void *argument);

/* --- waiting and ending ------------------------------------------------------------------ */

#define NP_FOREVER UINT64_MAX

/*
 * Returns when at some moment during the call no accepted task was queued or running.
 * NP_ERR_FROM_WORKER from a task of this executor; NP_ERR_TIMEOUT. Timeouts in nanoseconds,
 * NP_FOREVER for none.
 */
NP_API NP_MUST_USE np_status np_executor_wait_idle(np_executor *executor, uint64_t timeout_ns);

/*
 * Refuses further tasks from outside, waits for every accepted task and for what those submit, then
 * stops the workers. A second call waits for the first to finish. NP_ERR_FROM_WORKER from a task of
 * this executor, nothing changed.
 */
NP_API NP_MUST_USE np_status np_executor_shutdown(np_executor *executor);

typedef struct np_shutdown_result {
    uint64_t discarded; /* tasks handed to on_discard because of the deadline */
    uint64_t running;   /* tasks still running when the call returned */
} np_shutdown_result;

/*
 * The same with a deadline: when it passes, every task that has not started is discarded, and so is
 * what the running ones still submit. NP_ERR_TIMEOUT if tasks were still running;
 * np_executor_destroy() (or another shutdown) waits for those. `result` may be NULL.
 */
NP_API NP_MUST_USE np_status np_executor_shutdown_within(np_executor *executor, uint64_t timeout_ns,
                                                         np_shutdown_result *result);

/*
 * Shuts down (without a deadline) if that has not been done, and frees everything; threads inside
 * np_worker_run() come back first. Every other call on the executor must have returned, a submit
 * whose task has already run included. NULL is accepted. In a forked child it only frees.
 * NP_ERR_FROM_WORKER, nothing changed, from a task of this executor, forked or not.
 */
NP_API np_status np_executor_destroy(np_executor *executor);

/* --- when the machine changes --------------------------------------------------------------- */

/* What a refresh found and did. */
typedef struct np_refresh_result {
    bool changed;                  /* anything of what follows is new */
    uint32_t workers_rebound;      /* threads whose CPUs were not what they should be: bound anew */
    uint32_t workers_weaker;       /* now bound to less than was asked for */
    uint32_t nodes_gone;           /* nodes with workers that have no usable CPU now */
    uint32_t nodes_lost;           /* of these, since the refresh before */
    uint32_t nodes_restored;       /* that have CPUs again since then */
    uint32_t nodes_without_memory; /* nodes with workers whose memory may not be used now */
} np_refresh_result;

/*
 * Follows a change of what the process may use: an affinity mask or cpuset that was rewritten, CPUs
 * that went offline or came online. The kernel moves threads in such cases, and does not move them
 * back. Call it after the change: the library does not watch for one.
 *
 * What may be used is what the calling thread may run on, as in np_topology_discover(): call it
 * from a thread that has not been pinned. Every worker is bound anew to the CPUs of its node that
 * may be used now, which can be more than at creation; tasks that run meanwhile are not disturbed.
 * Workers and nodes stay those of creation.
 *
 * A node that has no such CPU is gone: its workers are bound to the nearest node that has some
 * (one with workers of this executor if there is one), and run there what may leave its home, the
 * tasks of NP_AFFINITY_PREFERRED and NP_AFFINITY_ANY; they are counted as NP_COUNTER_DISPLACED.
 * Strict tasks, and all under NP_STEAL_LOCAL_ONLY, wait in the node's queues; submits to it go on
 * being accepted. One that a worker had just taken is put back, behind the others. When CPUs come
 * back, a refresh restores the node. A shutdown does not wait for that: it hands such tasks back
 * with NP_DISCARD_NODE_GONE. A task that had begun when the node went runs to its end.
 *
 * Hard mode is a guarantee at creation. Afterwards np_executor_worker_info() says how each worker
 * is bound since the last refresh, and `result` (may be NULL) counts those bound to less than
 * asked.
 *
 * Any thread that is no worker; does not wait for tasks. NP_OK also when nothing has changed, or
 * nothing can (a virtual topology, NP_BINDING_OFF). Errors: NP_ERR_FROM_WORKER (a worker's own mask
 * says nothing), NP_ERR_SHUT_DOWN (the workers have stopped), NP_ERR_SYSTEM (the kernel does not
 * tell what may be used: nothing was changed), NP_ERR_INVALID_ARGUMENT, NP_ERR_FORKED.
 */
NP_API NP_MUST_USE np_status np_executor_refresh(np_executor *executor, np_refresh_result *result);

/* --- the caller's thread as a worker ------------------------------------------------------ */

typedef struct np_leave np_leave;

/* A token that tells a thread inside np_worker_run() to come back. It may be pulled before, during
 * or after, any number of times, from any thread; it stays pulled. One thread uses it at a time.
 * Destroy it after np_worker_run() has returned. */
NP_API NP_MUST_USE np_status np_leave_create(np_leave **out);
NP_API void np_leave_now(np_leave *leave);
NP_API void np_leave_destroy(np_leave *leave);

/*
 * The calling thread works as one more worker of `node` until `leave` is pulled (after the task at
 * hand) or the executor shuts down; then NP_OK. Its affinity is left alone. `leave` may be NULL.
 * Errors: NP_ERR_FROM_WORKER (already a worker), NP_ERR_LIMIT (every guest seat taken),
 * NP_ERR_SHUT_DOWN, NP_ERR_INVALID_NODE, NP_ERR_NODE_HAS_NO_WORKER, NP_ERR_BUSY (another thread is
 * inside with the same `leave`).
 */
NP_API NP_MUST_USE np_status np_worker_run(np_executor *executor, np_node_id node, np_leave *leave);

/*
 * Around a call that may block, in a task: a spare worker of the node steps in so that its CPU is
 * not lost, and steps back afterwards. Nestable; outside a worker it does nothing. NP_ERR_NO_SPARE
 * when none is left or could be started: nothing begun, do not call end.
 */
NP_API NP_MUST_USE np_status np_blocking_begin(void);
NP_API void np_blocking_end(void);

/* --- inspection -------------------------------------------------------------------------- */

typedef enum np_worker_kind {
    NP_WORKER_REGULAR = 0,
    NP_WORKER_SPARE,
    NP_WORKER_GUEST
} np_worker_kind;

struct np_worker_info {
    uint32_t index; /* regular workers: 0 .. np_executor_worker_count() - 1, node by node */
    uint32_t rank;  /* within its node */
    np_worker_kind kind;
    np_node_id node;
    int32_t cpu;            /* with NP_BINDING_CPU; else NP_CPU_NONE */
    uint64_t thread;        /* the kernel's thread id, 0 while not running */
    np_enforcement binding; /* what was achieved */
    np_cpu_set cpus;        /* the mask read back; what was asked for if that failed */
    char name[16];
};

/* Regular workers; spare and guest workers are not counted. */
NP_API uint32_t np_executor_worker_count(const np_executor *executor);
NP_API uint32_t np_executor_node_worker_count(const np_executor *executor, np_node_id node);
/* Nodes that have workers, in ascending id order. Writes at most `capacity`, returns their number.
 */
NP_API size_t np_executor_nodes(const np_executor *executor, np_node_id *out, size_t capacity);
NP_API uint32_t np_executor_node_count(const np_executor *executor);
NP_API np_steal_policy np_executor_steal_policy(const np_executor *executor);
NP_API np_hard_mode np_executor_hard_mode(const np_executor *executor);
/* Lives as long as the executor. */
NP_API const np_topology *np_executor_topology(const np_executor *executor);
NP_API NP_MUST_USE np_status np_executor_worker_info(const np_executor *executor, uint32_t index,
                                                     np_worker_info *out);

/* Accepted = executed + discarded + queued + running; `queued` and `running` are momentary. */
typedef struct np_executor_load {
    uint64_t accepted;
    uint64_t executed;
    uint64_t discarded;
    uint64_t queued;
    uint64_t running;
} np_executor_load;
NP_API NP_MUST_USE np_status np_executor_load_now(const np_executor *executor,
                                                  np_executor_load *out);

/* Tasks accepted and not ended, at this moment. */
NP_API uint64_t np_executor_pending(const np_executor *executor);

/* What a worker that does not come out of its task is doing. */
typedef enum np_stuck_state {
    NP_STUCK_RUNNING = 0, /* computing, or in a call that the library does not know of */
    NP_STUCK_WAITING, /* in a wait of the library, asleep: it takes other tasks if there are any */
    NP_STUCK_BLOCKED  /* inside np_blocking_begin(), or in a wait that runs nothing else */
} np_stuck_state;
NP_API const char *np_stuck_state_name(np_stuck_state state);

typedef struct np_stuck_task {
    uint32_t worker; /* index, as np_current_worker_index() */
    np_worker_kind kind;
    np_node_id node; /* of the worker */
    uint64_t thread; /* the kernel's id, for a debugger */
    np_stuck_state state;
    uintptr_t function; /* address of the task's function, for dladdr() or addr2line */
    const char *label;  /* what the task gave np_task_label(), or NULL */
    uint64_t stuck_ns;  /* that it has been watched in this task, at the least */
} np_stuck_task;

/*
 * The watchdog (watchdog_ns in the options) is a thread of the executor that looks at every worker
 * four times in watchdog_ns while tasks run, and sleeps while none does. A worker that it has seen
 * in one and the same task for that long, waits and blocking calls included, it reports once, as a
 * warning to the diagnostic handler: worker, node, thread, state, label, function. A task that
 * another one runs on top of while it waits is a task of its own, and what waits beneath is counted
 * anew afterwards. The children that a task runs in its own joins are part of it; completion
 * callbacks and on_discard on a worker count as tasks. The handler runs on the watchdog's thread,
 * where the executor cannot be shut down or destroyed: NP_ERR_FROM_WORKER.
 *
 * Writes the tasks that have been reported and are still running, at most `capacity`, in the order
 * of worker indices; returns how many there are. Any thread, also while the handler is called or a
 * shutdown waits; blocks for a few instructions. 0 without a watchdog, for NULL and in a forked
 * child.
 */
NP_API size_t np_executor_stuck_tasks(const np_executor *executor, np_stuck_task *out,
                                      size_t capacity);

/* Nodes, workers, policy, binding of every worker, in words; like snprintf. */
NP_API size_t np_executor_describe(const np_executor *executor, char *buffer, size_t capacity);

/* --- from inside a task ------------------------------------------------------------------- */

/* The executor whose worker the calling thread is; NULL elsewhere. */
NP_API np_executor *np_current_executor(void);
/* The node of that worker; elsewhere the node the thread runs on, or NP_NODE_ID_NONE. */
NP_API np_node_id np_current_node(void);
/* The node the running task was submitted to; NP_NODE_ID_NONE outside a task. */
NP_API np_node_id np_current_home(void);
/* Index of the worker; UINT32_MAX elsewhere. Spare and guest workers have indices above the regular
 * ones. */
NP_API uint32_t np_current_worker_index(void);
/* The group of the running task, or NULL. */
NP_API np_group *np_current_group(void);

/* Names what the running task does, for the watchdog's reports, until the task ends or names
 * something else. The text is not copied: a literal, or memory that outlives the executor. NULL
 * takes the name away. Costs a store; without a watchdog and outside tasks it changes nothing. */
NP_API void np_task_label(const char *label);

NP_END_DECLS

#endif
