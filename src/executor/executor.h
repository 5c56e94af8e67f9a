/*
 * executor/executor.h - the executor from inside: nodes, inboxes, workers, and who may touch what.
 *
 * The way of a task: submit.c puts it into its home's inbox (or, from a worker of that node, into
 * the worker's own queue) and wakes a sleeper if nobody is looking; worker.c takes it (find.c knows
 * every source) and run.c runs it, counts it, and tells its group.
 *
 * Lifetimes: nodes, seats and queues are made by create.c before any worker starts and freed by
 * destroy after every thread has gone; between the two, pointers to them are constant. "Seat" is
 * the place of a worker: regular ones have a thread for as long as the executor lives, spare and
 * guest ones now and then. A seat without a thread is empty-handed, but its own queue may still
 * hold tasks that siblings take.
 */
#ifndef NPI_EXECUTOR_EXECUTOR_H
#define NPI_EXECUTOR_EXECUTOR_H

#include <numaperf/group.h>

#include "base/random.h"
#include "base/tls.h"
#include "executor/inbox.h"
#include "memory/arena.h"
#include "metric/counters.h"
#include "metric/stats.h"
#include "os/lock.h"
#include "os/os.h"
#include "sync/deque.h"
#include "sync/queue.h"
#include "sync/wake.h"
#include "topology/topology_internal.h"

typedef struct np_worker npi_worker;
typedef struct npi_node npi_node;

/* What the last askers saw of a home: gate.c. */
typedef struct npi_gate_memory {
    uint64_t age_taken; /* what its workers had taken when they were last seen to take something */
    uint64_t age_since_ns;
    uint64_t rate_taken; /* the same at the start of the present window */
    uint64_t rate_since_ns;
    uint64_t task_ns; /* estimate of the time a task takes; 0: none yet */
} npi_gate_memory;

/* --- a node -------------------------------------------------------------------------------- */

/*
 * Where the workers of a node are. GONE: the node has no CPU that the process may use; they are on
 * another node's CPUs (`place`), where they run what may leave its home and leave the rest in its
 * queues. ENDING: the same while the executor shuts down; they hand that rest back. refresh.c makes
 * all changes, under change_lock.
 */
enum { NPI_NODE_HERE = 0, NPI_NODE_GONE, NPI_NODE_ENDING, NPI_NODE_STOPPING };

#define NPI_OUTSIDE_DATA 3u

struct npi_node {
    npi_inbox inbox;
    npi_sleepers sleepers;

    /* Constant after create: the line that every way through a node reads. */
    NPI_ALIGNED(NPI_FALSE_SHARING) np_executor *executor;
    npi_worker *seats; /* regular + spares + guests */
    npi_node **order;  /* nodes with workers by closeness, itself first */
    uint32_t order_count;
    uint32_t reach;    /* of them its workers may take from: only itself under LOCAL_ONLY */
    uint32_t regular;  /* regular workers; 0: this node is not used */
    uint32_t spinners; /* no more of its workers than this spin before they sleep */
    np_node_id id;
    np_node_index index;
    bool one_cache; /* all its CPUs share one last-level cache */
    /* Not constant, but changed only when the machine changes. */
    np_atomic(uint32_t) state; /* NPI_NODE_...: workers look at it for each task */
    np_atomic(uint32_t) place; /* the index of the node that its workers are on: its own one */

    /* Constant after create, and rarely needed. */
    uint32_t spares;     /* seats for spare workers, after the regular ones */
    uint32_t guests;     /* seats for guest workers, after the spare ones */
    uint8_t *order_tier; /* np_tier of each */
    npi_arena arena;
    npi_segment_pool pool;

    /* By change_lock, once create has returned. */
    np_cpu_set cpus;      /* what its workers are to use */
    np_cpu_set home_cpus; /* what they may use of the node itself; empty: it is gone */

    /* By seat_lock. */
    npi_lock seat_lock;
    uint32_t blocked; /* workers inside np_blocking_begin .. end */

    /* The gate of this node as a home: gate.c. */
    npi_lock gate_lock;
    npi_gate_memory gate;               /* by gate_lock */
    np_atomic(uint64_t) gate_threshold; /* queued tasks that open it; written under gate_lock */
    np_atomic(uint64_t) taken_away;     /* cells of preferred tasks that other nodes took */

    /* Counted by threads that are not workers (read-modify-write; a slow path). */
    np_atomic(uint64_t) outside_discarded;
    np_atomic(uint64_t) outside_data[NPI_OUTSIDE_DATA]; /* NP_COUNTER_DATA_SPREAD and the next */
    np_atomic(uint64_t) rebound;                        /* its workers' threads by refreshes */
};

/* --- what the watchdog knows: watchdog.c ---------------------------------------------------- */

/* What a worker is running. Written by it, under the option only but for the label; read by anybody
 * who asks. */
typedef struct npi_watched {
    np_atomic(uint64_t) serial;    /* raised before and after a change: odd while it is made */
    np_atomic(uintptr_t) function; /* of the innermost task; 0: none */
    np_atomic(const char *) label; /* that the task gave itself, or NULL */
} npi_watched;

/* What the watchdog has seen of a worker; by its lock. */
typedef struct npi_watch_entry {
    uint64_t serial; /* of the task at that time */
    uint64_t since_ns;
    bool reported;
} npi_watch_entry;

enum { NPI_WATCHDOG_AWAKE = 0, NPI_WATCHDOG_ASLEEP, NPI_WATCHDOG_LEAVES };

typedef struct npi_watchdog {
    np_atomic(uint32_t) state; /* NPI_WATCHDOG_...; what its thread sleeps on */
    npi_lock lock;
    npi_watch_entry *entries; /* by worker index, by lock; NULL without the option */
    npi_os_thread thread;     /* the creator's, with has_thread */
    bool has_thread;
    np_atomic(uint64_t) thread_id; /* the kernel's; by the thread itself, 0 once it ends */
} npi_watchdog;

/* --- what follows changes of the CPUs by itself: watcher.c ----------------------------------- */

typedef struct npi_watcher {
    npi_os_watch watch; /* with is_open */
    bool is_open;
    bool has_thread;
    npi_os_thread thread; /* the creator's, with has_thread */
    np_cpu_set cpus;      /* what its thread asks for before it looks; its own once it runs */
} npi_watcher;

/* --- a worker ------------------------------------------------------------------------------ */

/* What a running task is to those who ask from inside; on the stack of whoever runs it. Outlives
 * the task's children. */
typedef struct npi_frame {
    np_group *group;
    np_node_index home;
    bool strict;
} npi_frame;

/* One task or stolen child on a worker's stack, and what it runs on top of. Its own children, and
 * those of the children that it runs in place, lie in the deque from `base` on. */
typedef struct npi_level {
    const npi_frame *frame;
    struct npi_level *outer;
    const npi_child *base;
} npi_level;

/* What a worker remembers of the loops it has begun: parallel/loop_memory.h. */
#define NPI_LOOP_COSTS 8u
typedef struct npi_loop_memory {
    uint64_t costs[NPI_LOOP_COSTS];
    uint64_t ended;  /* ticks, when the last one ended */
    uint64_t series; /* ticks, of loops that followed each other closely */
    uint32_t late;   /* ticks that a helper has been behind, of late */
    bool helped;     /* with the last one */
} npi_loop_memory;

/* State of a spare or guest seat, by seat_lock. */
enum { NPI_SEAT_EMPTY = 0, NPI_SEAT_ACTIVE, NPI_SEAT_RETIRING };

/* Where it stole its last task, if there may be more: see npi_find_again. */
typedef struct npi_prey {
    npi_node *node; /* NULL: nowhere */
    uint32_t seat;  /* of its own node; NPI_SLEEPER_NONE: the inbox of another one */
    uint32_t left;  /* so many more before it looks around again */
    np_tier tier;
} npi_prey;

/* How long it looks for work before it sleeps: see worker.c. */
typedef struct npi_spin {
    uint32_t longest_ns; /* the option; 0: never; NP_SPIN_BUSY: always */
    uint32_t now_ns;     /* what it has learned */
    uint32_t asleep;     /* sleeps since it stopped trying */
} npi_spin;

struct np_worker {
    npi_deque deque; /* first: numaperf/detail/fork.h */
    npi_queue queue; /* producer: this worker; first in, first out */

    /* The owner's alone. */
    NPI_ALIGNED(NPI_FALSE_SHARING)
    const npi_frame *frame; /* of the running task; NULL between tasks */
    npi_level *level;       /* the innermost one on its stack */
    uint32_t base_overflow; /* as deque.base, of the children on top of a full deque */
    uint32_t tick;          /* tasks taken; the inbox has its turn every 61 */
    uint32_t lane_cursor;
    uint32_t turn_cursor; /* the same for the inbox's turns */
    bool flowing;         /* the last look at its inbox found something */
    uint32_t seat_cursor;
    npi_prey prey;
    uint32_t blocking_depth;
    np_counter left_because; /* why the task that it last took from another node had left it */
    bool deque_local;        /* the deque's local bit */
    uintptr_t deep;          /* below these addresses its stack is half full, */
    uintptr_t deepest;       /* ... all but full (npi_worker_help) */
    npi_random random;
    npi_loop_memory loops;
    npi_counters counters;
    np_atomic(uint64_t) ended; /* executed + discarded; release, see idle.c */

    /* What it reads first when it wakes, in one line. Others write the token, and only when it
     * sleeps or waits. */
    NPI_ALIGNED(NPI_FALSE_SHARING) npi_token token;
    np_atomic(uint32_t) activity; /* npi_worker_state: the owner writes */
    np_executor *executor;        /* constant, as the next three */
    npi_node *node;
    uint32_t seat;  /* within the node */
    uint32_t index; /* within the executor */
    npi_spin spin;  /* the owner's; worker.c */
    bool armed;     /* the owner's: it is the watcher of the gate */
    uint8_t watch;  /* the owner's: so many more times it will be, though nothing is refused */

    /* Constant. */
    NPI_ALIGNED(NPI_FALSE_SHARING) npi_child *slots;
    np_worker_kind kind;
    int32_t cpu;                     /* chosen at first; NP_CPU_NONE: the node's set */
    uint32_t cache_begin, cache_end; /* seats whose CPU shares its last-level cache */

    /* Now and then. */
    np_atomic(uint32_t) seat_state; /* by the node's seat_lock, read by the owner without it */
    np_atomic(uint32_t) placed;     /* spare: 1 once its thread has taken the seat */
    np_atomic(uint64_t) thread_id;
    bool away; /* inside np_blocking_begin .. end; by the node's seat_lock */

    npi_watched watched;
    npi_data_rows data; /* what it ran, by where the data lay */

    /* By the thread at start, and then by change_lock. */
    np_enforcement binding;
    np_cpu_set cpus;
    int32_t cpu_now; /* the one it is to be bound to; NP_CPU_NONE: to a set */

    /* By the thread at start, read after it reported. */
    bool has_thread;
    npi_os_thread thread;
    np_status start_status;
    int start_errno;
    char start_detail[NPI_DETAIL_CAPACITY];
    char name[16];
};

/* --- the executor -------------------------------------------------------------------------- */

/* The options as they stand after defaults and environment; see options.h. */
typedef struct npi_settings {
    np_executor_options public_options; /* pointers in it are not used after create */
    char thread_name[16];
    uint32_t spare_workers;
    uint32_t guest_workers;
    uint32_t spin_ns;
    uint32_t gate_backlog;
    uint64_t gate_age_ns;
    uint64_t watchdog_ns; /* 0: none */
    bool watch_changes;
    bool chosen_cpus; /* only these: */
    np_cpu_set cpus;
} npi_settings;

/* What a worker must not run the next task without asking about: bits of `attention`. */
enum {
    NPI_ATTENTION_DISCARD = 1, /* a timed shutdown's deadline passed: tasks are handed back */
    NPI_ATTENTION_WATCHED = 2, /* there is a watchdog; constant after create */
    NPI_ATTENTION_GONE = 4     /* some node has no CPU */
};

enum { NPI_PHASE_STARTING = 0, NPI_PHASE_GO, NPI_PHASE_ABORT };

struct np_executor {
    /* Read by every submit, written at the ends of its life, and when a node goes. */
    NPI_ALIGNED(NPI_FALSE_SHARING) np_atomic(uint32_t) closed; /* no more tasks from outside */
    np_atomic(uint32_t) attention; /* NPI_ATTENTION_...: one look for all that is rare */
    np_atomic(uint32_t) stopping;  /* nothing is left: workers leave */
    /* Changed when workers go to sleep or wake. */
    NPI_ALIGNED(NPI_FALSE_SHARING) np_atomic(uint32_t) sleeping; /* workers in any node's set */
    np_atomic(uint32_t) armed;        /* 1: a sleeper watches what the gate refused */
    np_atomic(uint32_t) idle_waiters; /* threads in wait_idle or shutdown */

    /* Constant after create. */
    NPI_ALIGNED(NPI_FALSE_SHARING)
    npi_node *only_node; /* with workers, if there is one; else NULL */
    bool is_virtual;     /* its topology is */
    uint64_t identity;   /* unique among all executors of the process */
    uint64_t created_ns;
    uint32_t process; /* npi_os_process_generation() of its maker */
    np_topology *topology;
    npi_settings settings;
    uint32_t node_count;  /* of the topology */
    npi_node **nodes;     /* by node index */
    np_node_index *by_id; /* node index by id, NP_NODE_INDEX_NONE; by_id_count entries */
    uint32_t by_id_count;
    uint32_t regular_count;
    uint32_t seat_count;
    npi_worker **seats; /* by worker index: regular, spare, guest */

    /* Start-up. */
    np_atomic(uint32_t) phase;
    np_atomic(uint32_t) reports;        /* workers that have reported, in both phases */
    np_atomic(uint32_t) reports_wanted; /* the creator waits for so many; 0: it does not wait yet */

    /* Waiting and shutdown. */
    npi_lock idle_lock;
    struct npi_idle_waiter *idle_list; /* by idle_lock */
    npi_lock shutdown_lock;            /* one ends the threads */
    bool stopped;                      /* by shutdown_lock */
    np_atomic(uint32_t) guests_inside; /* threads in np_worker_run */

    npi_watchdog watchdog;
    npi_watcher watcher;
    npi_lock change_lock; /* bindings, and the states of the nodes; never held while waiting */
};

static inline npi_worker *npi_worker_self(void)
{
    return npi_tls_worker;
}

/* The calling thread's worker if it belongs to this executor. */
static inline npi_worker *npi_worker_of(const np_executor *executor)
{
    npi_worker *worker = npi_worker_self();
    return worker != NULL && worker->executor == executor ? worker : NULL;
}

static inline npi_worker *npi_node_seat(npi_node *node, uint32_t seat)
{
    return &node->seats[seat];
}

static inline uint32_t npi_node_state(npi_node *node)
{
    /* Acquire: pairs with the releases in refresh.c and shutdown.c. */
    return npi_load_acquire(&node->state);
}

/* The kinds of tasks that its workers take from its queues now. */
static inline unsigned npi_node_kinds(npi_node *node)
{
    if (__builtin_expect(npi_node_state(node) != NPI_NODE_GONE, 1))
        return NPI_MASK_ALL;
    return node->executor->settings.public_options.steal_policy == NP_STEAL_LOCAL_ONLY
               ? 0
               : NPI_MASK_PREFERRED | NPI_MASK_ANY;
}

/* NP_ERR_INVALID_ARGUMENT for NULL, NP_ERR_FORKED in a forked child. */
np_status npi_executor_check(const np_executor *executor);

/* --- forked.c: a worker that forks ---------------------------------------------------------- */

/* The executor was made before this process was forked. */
bool npi_executor_is_forked(const np_executor *executor);
/* Before there are workers: orphans will be known as such. */
void npi_orphans_watch(void);

/* Inside a task, or in a wait inside one: is this the copy of a worker in a forked child, where
 * nobody else is left? Such a one runs what it has begun to its end, waits for nothing, takes
 * nothing, and touches no lock that others had. */
static inline bool npi_worker_is_orphan(const npi_worker *worker)
{
    /* Relaxed: while one of its tasks runs an executor does not stop, so it was this thread that
     * raised it, in the child (forked.c). */
    return npi_load_relaxed(&worker->executor->stopping) != 0;
}

/* All seats: the bound of np_current_worker_index(). */
uint32_t npi_executor_seat_count(const np_executor *executor);

/* --- submit.c ------------------------------------------------------------------------------- */

/* Puts a task that the worker has taken, and that must wait for its node, into its inbox again, at
 * the end. False: there is no memory for that. */
bool npi_submit_again(npi_worker *worker, const npi_task *task);

/* --- find.c: every source of work ----------------------------------------------------------- */

typedef enum npi_found { NPI_FOUND_NOTHING = 0, NPI_FOUND_TASK, NPI_FOUND_CHILD } npi_found;

typedef struct npi_work {
    npi_task task;     /* NPI_FOUND_TASK */
    npi_child *child;  /* NPI_FOUND_CHILD */
    npi_worker *owner; /* of the child */
} npi_work;

/* Own queue and own inbox: what a busy worker takes next, without looking at anybody else. */
NPI_HOT bool npi_find_local(npi_worker *worker, npi_task *out);
/* More from where it stole last, without a search. */
NPI_HOT bool npi_find_again(npi_worker *worker, npi_task *out);
/* The inbox of its node alone: what a worker that has slept was most likely woken for. */
NPI_HOT bool npi_find_inbox(npi_worker *worker, npi_task *out);
/* Before it: asks for the cache lines that it will touch, all at once. */
NPI_HOT void npi_find_prefetch(npi_worker *worker);
/* Everything the worker may take, nearest first. */
NPI_HOT npi_found npi_find_anywhere(npi_worker *worker, npi_work *out);
/* The oldest of its own shared children: while it waits inside a task. */
bool npi_find_own_child(npi_worker *worker, npi_work *out);
/* The children of one victim. */
bool npi_find_child_of(npi_worker *worker, npi_worker *victim, npi_work *out);

typedef enum npi_look_kind {
    NPI_LOOK_NOTHING = 0,
    NPI_LOOK_REFUSED, /* only tasks that the gate keeps at home for now */
    NPI_LOOK_WORK
} npi_look_kind;

typedef struct npi_look {
    npi_look_kind kind;
    npi_node *at;   /* where it lies */
    bool may_leave; /* workers of other nodes may take it */
    bool gated;     /* ... if the gate lets them */
} npi_look;

/*
 * Loads only: is there anything a worker of `node` may take? The one list of sources.
 * Owners whose children are all private are told (hungry) that somebody would take one. Seats that
 * sleep are passed over, and so is `bare`, a worker whose own queue and deque the caller knows to
 * be empty (NULL: none).
 */
npi_look npi_sources_look(npi_node *node, const npi_worker *bare);
/* The same for one place of the node's order (0: itself), below node->reach. */
NPI_HOT npi_look npi_sources_look_at(npi_node *node, uint32_t place, const npi_worker *bare);

/* --- depth.c: how much is queued --------------------------------------------------------- */

/* Tasks queued for the node, stealable or not. */
uint64_t npi_node_queued(npi_node *node);
/* Only those that other nodes may take through the gate. */
uint64_t npi_node_queued_gated(npi_node *node);
/* Changes whenever one of these is taken. */
uint64_t npi_node_signature(npi_node *node);

/* --- gate.c: may a task leave its home for this node ---------------------------------------- */

typedef enum npi_gate { NPI_GATE_SHUT = 0, NPI_GATE_BACKLOG, NPI_GATE_AGE, NPI_GATE_OPEN } npi_gate;
npi_gate npi_gate_ask(npi_node *home);
bool npi_gate_backlog(npi_node *home);
/* The last task that had waited too long was taken by another node: what comes next has not waited,
 * though the home has taken nothing in between. */
void npi_gate_emptied(npi_node *home);
void npi_gate_init(npi_node *home);

/* --- wakeup.c: who is woken ------------------------------------------------------------------ */

/* After a task was made findable at `home`; fences itself. */
NPI_HOT void npi_wake_for_task(npi_node *home, np_task_affinity affinity, npi_worker *self);
/* After children were shared by a worker of `home`. */
void npi_wake_for_child(npi_node *home, npi_worker *self);
/* The duty of whoever leaves `searching` last: fences, looks from `node`, wakes the next. `bare`:
 * self has nothing queued or shared itself. */
NPI_HOT void npi_wake_next(npi_node *node, npi_worker *self, bool bare);

/* --- trim.c: memory of queues that were long ------------------------------------------------ */

/* On the way to sleep, inside the set. */
void npi_trim(npi_worker *worker);

/* --- idle.c ----------------------------------------------------------------------------------- */

/* True if at some moment during the call no accepted task was queued or running. */
bool npi_executor_is_quiescent(np_executor *executor);
/* Called by whoever may have brought quiescence about. */
void npi_idle_check(np_executor *executor);
np_status npi_idle_wait(np_executor *executor, uint64_t deadline);
uint64_t npi_executor_accepted(np_executor *executor);
uint64_t npi_executor_ended(np_executor *executor);

/* --- fork.c ------------------------------------------------------------------------------------
 */

/* Shares this many of the worker's private children, the oldest first, with the frames of the tasks
 * that forked them. Returns how many; the caller wakes somebody. */
uint32_t npi_share_children(npi_worker *worker, uint32_t count);

/* --- run.c ------------------------------------------------------------------------------------ */

void npi_run_task(npi_worker *worker, npi_task *task);
void npi_run_stolen_child(npi_worker *worker, npi_child *child, npi_worker *owner);
/* Hands a task back instead of running it; `worker` NULL: an outside thread. Does not count it as
 * ended. */
void npi_discard_task(np_executor *executor, npi_worker *worker, npi_task *task,
                      np_discard_reason reason);

/* --- worker.c: searching and sleeping ----------------------------------------------------------
 */

/* What ends a search besides work. Asked on the worker's thread, often; must be cheap. */
typedef bool (*npi_until_fn)(npi_worker *worker, void *context);

/*
 * Looks for work, then sleeps, until there is some or until(context). Returns NPI_FOUND_NOTHING
 * only because of `until` or of the deadline. Whoever makes `until` true must give the worker's
 * token afterwards. Alone: looks for no work at all.
 */
npi_found npi_worker_search(npi_worker *worker, npi_until_fn until, void *context,
                            uint64_t deadline, bool alone, npi_work *out);
/* Runs what a search found. */
void npi_worker_run_found(npi_worker *worker, npi_found found, npi_work *work);
/* Works until the executor stops, or until(context) if it is not NULL; the body of every worker
 * thread, wherever its node's workers are. */
void npi_worker_loop(npi_worker *worker, npi_until_fn until, void *context);
/* Helps until `until` or the deadline; false: the deadline, or it is an orphan. For waits inside
 * tasks. */
bool npi_worker_help(npi_worker *worker, npi_until_fn until, void *context, uint64_t deadline,
                     bool alone);
/* The seat's thread goes: what its queue still holds must not be stranded. */
void npi_worker_leave(npi_worker *worker);

/* --- seat.c: threads on seats --------------------------------------------------------------------
 */

/* Places the calling thread on its seat: name, pin, verify. Fills the start_ and binding fields. */
void npi_seat_place(npi_worker *worker);
/* By change_lock: pins a worker's thread (0: the calling one) to what its node's workers are to
 * use, unless it is, and reads it back. True if its mask was another one and is changed. */
bool npi_seat_bind(npi_worker *worker, uint64_t thread);
np_status npi_seat_start_thread(npi_worker *worker, npi_os_thread_fn body);
void npi_seat_info(npi_worker *worker, np_worker_info *out);
/* Calls the start or stop hook, if any, on the calling thread. */
void npi_seat_hook(npi_worker *worker, bool start);
/* Wakes every seat, so that it sees a flag. */
void npi_seats_notice(np_executor *executor);

/* --- watchdog.c: who is stuck --------------------------------------------------------------------
 */

static inline bool npi_is_watched(const npi_worker *worker)
{
    /* Relaxed: constant after create. */
    return (npi_load_relaxed(&worker->executor->attention) & NPI_ATTENTION_WATCHED) != 0;
}

typedef struct npi_watch_outer {
    uintptr_t function;
    const char *label;
} npi_watch_outer;

/* Around a task of a watched executor; `outer` keeps what it runs on top of. */
void npi_watch_enter(npi_worker *worker, uintptr_t function, npi_watch_outer *outer);
void npi_watch_leave(npi_worker *worker, const npi_watch_outer *outer);
/* A task of the library's own says for whose function it runs. */
void npi_watch_rename(npi_worker *worker, uintptr_t function);

/* NP_OK without the option. */
np_status npi_watchdog_start(np_executor *executor);
/* Does the diagnostic handler ask, called by the watchdog's thread? */
bool npi_watchdog_is_self(np_executor *executor);
/* After the last worker has gone. */
void npi_watchdog_stop(np_executor *executor);

/* --- watcher.c: refreshes by itself --------------------------------------------------------------
 */

/* NP_OK without the option. When the workers have reported. */
np_status npi_watcher_start(np_executor *executor);
/* Before the first worker leaves, or after npi_refresh_stop. */
void npi_watcher_stop(np_executor *executor);
/* Its descriptors, also in a forked child. There is no thread any more. */
void npi_watcher_free(np_executor *executor);

/* --- refresh.c -----------------------------------------------------------------------------------
 */

/* True: its workers have no CPU of their own. */
static inline bool npi_node_is_gone(npi_node *node)
{
    uint32_t state = npi_node_state(node);
    return state == NPI_NODE_GONE || state == NPI_NODE_ENDING;
}

/* np_executor_refresh with the CPUs that may be used given; no system call on a virtual machine. */
np_status npi_refresh_within(np_executor *executor, const np_cpu_set *allowed,
                             np_refresh_result *result);
/* Shutdown has closed the door: what waits for nodes that are gone is handed back. */
void npi_refresh_closed(np_executor *executor);
/* Nothing is left: no more refreshes, every worker leaves. */
void npi_refresh_stop(np_executor *executor);

/* --- spare.c -------------------------------------------------------------------------------------
 */

void npi_spares_join(np_executor *executor);

#endif
