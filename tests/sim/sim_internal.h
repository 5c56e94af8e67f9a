/*
 * sim_internal.h - the simulated machine from inside. Names begin with npt_; scenarios use sim.h.
 *
 *   fibre.c     stacks, and the switch between two of them
 *   machine.c   the fibres of a run, its beginning and end
 *   schedule.c  who goes on: every way out of one fibre and into the next
 *   explore.c   schedules in order instead of by seed
 *   buffer.c    store buffers, fences, the cost of distance
 *   history.c   events, their printing, failures
 *   heap.c      npi_alloc
 *   os_*.c      src/os
 *   watch.c     what the library's own functions tell the history
 *   campaign.c  sim_main
 */
#ifndef NPT_SIM_INTERNAL_H
#define NPT_SIM_INTERNAL_H

#include "base/tls.h"
#include "os/os.h"
#include "sim.h"

/* --- fibre.c ------------------------------------------------------------------------------- */

typedef struct npt_stack {
    struct npt_stack *next; /* in the pool */
    char *base;             /* above the guard page */
    size_t bytes;
    void *tsan;
} npt_stack;

typedef struct npt_context {
    void *sp;
    npt_stack *stack; /* NULL: the real thread's */
    void *asan;
    void *tsan;
} npt_context;

npt_stack *npt_stack_take(size_t bytes);
void npt_stack_give(npt_stack *stack);
void npt_context_make(npt_context *context, npt_stack *stack, void (*entry)(void));
/* `last`: `from` never runs again. */
void npt_context_switch(npt_context *from, npt_context *to, bool last);
/* The first thing an entry does. */
void npt_context_begun(void);

/* --- machine.c ----------------------------------------------------------------------------- */

typedef enum npt_state {
    NPT_READY = 0, /* or running */
    NPT_ASLEEP,    /* in a futex wait */
    NPT_DELAYED,   /* until a timer */
    NPT_JOINING,
    NPT_DONE
} npt_state;

#define NPT_BUFFER 16u
typedef struct npt_pending {
    volatile void *address;
    uint64_t value;
    uint32_t size;
} npt_pending;

typedef struct npt_fibre {
    npt_context context;
    npt_state state;
    uint32_t id; /* its place among the run's fibres */
    char name[16];
    void (*fn)(void *argument);
    void *argument;
    uint64_t clock;               /* TIMED: while it does not run */
    uint64_t priority;            /* PCT */
    uint64_t since;               /* it waits */
    uint32_t stamp;               /* of its newest timer; older ones are void */
    int result;                   /* of the wait */
    bool working;                 /* in sim_work */
    const volatile void *address; /* slept on */
    struct npt_fibre *next_asleep, *before_asleep;
    struct npt_fibre *joined_by;
    /* What the real thread-local variables hold while it runs. */
    npi_tls tls;
    struct np_worker *worker;
    uint32_t number;
    /* Its place. */
    np_cpu_set cpus;
    int32_t cpu;
    uint32_t node; /* index */
    /* Its store buffer, oldest first, in a ring. */
    npt_pending pending[NPT_BUFFER];
    uint32_t pending_first, pending_count;
    struct npt_cache *cache;    /* distance: the lines it has */
    const volatile void *token; /* it last parked on */
} npt_fibre;

typedef struct npt_machine {
    const sim_config *config;
    sim_faults faults; /* of this seed */
    uint64_t seed;
    sim_schedule schedule;
    bool running; /* a run is going on */
    bool buffers;
    bool distance;
    bool faults_on;
    bool in_hook;
    bool quiet;            /* in a hook: nobody can run before time passes */
    uint64_t random;       /* of the schedule */
    uint64_t fault_random; /* of the faults */
    uint64_t switch_mean;
    uint64_t drain_one_in;
    int64_t fuel_given;
    uint64_t points, switches, limit, time_limit;
    uint64_t hook_in; /* points until the hook */
    npt_context host;
    npt_fibre **fibres; /* of this run, by id; later ones are kept for reuse */
    uint32_t count, room;
    npt_fibre *self;
    np_topology *topology; /* of the process, by machine text: not of the run */
    int32_t *cpu_node;     /* index by CPU; -1: none */
    uint32_t cpu_slots;
    uint32_t *distances;
    uint32_t node_count;
    np_cpu_set allowed;
    uint64_t numbers_taken; /* os/number.h */
    uint32_t sharers, ordinals;
    uint64_t faults_count[16];
    bool failed;
    char message[256];
} npt_machine;

extern npt_machine npt_sim;

npt_fibre *npt_fibre_start(const char *name, void (*fn)(void *), void *argument, size_t stack);
/* Outside of fibres' control flow: keeps or brings back what belongs to one real thread. */
void npt_enter_fibre(npt_fibre *fibre);
void npt_leave_fibre(npt_fibre *fibre);
/* The run ends here and now, as failed. */
void npt_abandon(void) __attribute__((noreturn));

/* --- schedule.c ---------------------------------------------------------------------------- */

void npt_schedule_begin(void);
void npt_ready(npt_fibre *fibre, uint64_t not_before);
/* The running fibre waits, in the given state, until npt_ready() or the deadline. */
void npt_wait(npt_state state, uint64_t deadline);
/* The running fibre is over. */
void npt_exit(void) __attribute__((noreturn));
/* A timer for a fibre that is not ready; its wait's result is then `result`. */
void npt_timer(npt_fibre *fibre, uint64_t when, int result);
/* The next scheduling point asks. */
void npt_hurry(void);
/* A scheduling point that asks now, with a price. */
void npt_call(uint64_t cost);

static inline uint64_t npt_next(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(0x2545f4914f6cdd1d);
}

static inline uint64_t npt_below(uint64_t *state, uint64_t bound)
{
    return bound < 2 ? 0 : (npt_next(state) >> 11) % bound;
}

uint64_t npt_seeded(uint64_t seed, uint64_t stream);

/* --- explore.c ----------------------------------------------------------------------------- */

/* Which of `count` (0: the default one). */
uint32_t npt_explore_choose(uint32_t count);
bool npt_explore_open(void);
void npt_explore_begin_run(void);

/* --- faults (history.c counts them) --------------------------------------------------------- */

typedef enum npt_fault {
    NPT_SPURIOUS = 0,
    NPT_DELAYED_WAKE,
    NPT_PREEMPTION,
    NPT_EARLY,
    NPT_WEAK,
    NPT_THREAD,
    NPT_LATE_THREAD,
    NPT_ALLOCATION,
    NPT_MAPPING,
    NPT_PLACEMENT,
    NPT_AFFINITY,
    NPT_MIGRATION,
    NPT_FAULTS
} npt_fault;

/* True: it happens now. Counted. */
bool npt_fault_happens(npt_fault fault);
const char *npt_fault_name(npt_fault fault);

/* --- buffer.c ------------------------------------------------------------------------------ */

void npt_settle_fibre(npt_fibre *fibre);
void npt_drain_some(void);
void npt_lines_begin(void);
void npt_lines_fibre(npt_fibre *fibre);

/* --- history.c ----------------------------------------------------------------------------- */

void npt_history_begin(void);
void npt_event(const char *text, uint64_t a, uint64_t b, uint64_t c);
void npt_fail(const char *text, uint64_t a, uint64_t b, uint64_t c) __attribute__((noreturn, cold));
uint64_t npt_history_print(void);
void npt_format(char *out, size_t bytes, const char *text, const uint64_t *numbers);
void npt_report_waits(void);

/* --- heap.c, os_*.c ------------------------------------------------------------------------ */

void npt_heap_install(void);
void npt_heap_begin(void);
/* How many blocks are left; checks and releases all. */
uint64_t npt_heap_end(bool failed);
void npt_memory_begin(void);
/* Mappings left; *spoilt: somebody wrote to one after it was unmapped. */
uint64_t npt_memory_end(bool *spoilt);
void npt_futex_begin(void);
void npt_futex_forget(npt_fibre *fibre);
void npt_place_begin(void);
void npt_place_fibre(npt_fibre *fibre);
void npt_place_migrate(npt_fibre *fibre);
void npt_numbers_end(npt_fibre *fibre);
void npt_files_begin(void);
void npt_product_reset(void);

#endif
