/*
 * schedule.c - who goes on: every way out of one fibre and into the next, the timers, and what
 * happens at a scheduling point. One real thread; the fibre that runs is npt_sim.self and is not
 * among the ready ones.
 *
 * In TIMED runs every fibre has a clock and `now` is that of the running one; otherwise there is
 * one clock, which each operation moves on, and which jumps when everybody waits.
 */
#include <errno.h>
#include <stdlib.h>

#include "sim_internal.h"

#define ENDLESS   INT64_MAX
#define NEVER     UINT64_MAX
#define A_STRETCH 4096u                 /* points without a look at the limits */
#define FARTHEST  UINT64_C(60000000000) /* that time jumps by a fault */
#define QUANTUM   40u                   /* TIMED: ns that one may be ahead of the others */
#define WAKE_NS   2000u                 /* TIMED: from a wake to the first step */

npt_pulse npt_beat = {.now = 0, .horizon = NEVER, .fuel = ENDLESS};

typedef struct timer {
    uint64_t when;
    npt_fibre *fibre;
    uint32_t stamp;
    int result;
} timer;

static npt_fibre **ready;
static uint32_t ready_count, ready_room;
static timer *timers; /* a heap, the earliest first; stale ones stay until they come up */
static uint32_t timer_count, timer_room;
static uint64_t choice_at, hook_at; /* points */
static uint64_t change_at[8];       /* PCT */
static uint32_t changes;
static uint64_t lowest; /* PCT: the next priority below all others */

/* --- ready fibres: a heap by clock in TIMED runs, else a bag ---------------------------------- */

static bool timed(void)
{
    return npt_sim.schedule == SIM_TIMED;
}

static void *grown(void *array, uint32_t *room, size_t size)
{
    *room = *room != 0 ? *room * 2 : 64;
    void *larger = realloc(array, *room * size);
    if (larger == NULL)
        abort();
    return larger;
}

static void add_ready(npt_fibre *fibre)
{
    if (ready_count == ready_room)
        ready = grown(ready, &ready_room, sizeof *ready);
    uint32_t at = ready_count++;
    if (timed()) {
        for (; at > 0 && ready[(at - 1) / 2]->clock > fibre->clock; at = (at - 1) / 2)
            ready[at] = ready[(at - 1) / 2];
    }
    ready[at] = fibre;
}

static npt_fibre *take_ready(uint32_t at)
{
    npt_fibre *taken = ready[at];
    npt_fibre *last = ready[--ready_count];
    if (!timed()) {
        ready[at] = last;
        return taken;
    }
    for (;;) { /* at is 0 here */
        uint32_t child = at * 2 + 1;
        if (child >= ready_count)
            break;
        if (child + 1 < ready_count && ready[child + 1]->clock < ready[child]->clock)
            child++;
        if (ready[child]->clock >= last->clock)
            break;
        ready[at] = ready[child];
        at = child;
    }
    ready[at] = last;
    return taken;
}

/* --- timers ------------------------------------------------------------------------------------
 */

void npt_timer(npt_fibre *fibre, uint64_t when, int result)
{
    if (timer_count == timer_room)
        timers = grown(timers, &timer_room, sizeof *timers);
    uint32_t at = timer_count++;
    for (; at > 0 && timers[(at - 1) / 2].when > when; at = (at - 1) / 2)
        timers[at] = timers[(at - 1) / 2];
    timers[at] = (timer){when, fibre, fibre->stamp, result};
    if (when < npt_beat.horizon)
        npt_beat.horizon = when;
}

static void drop_first_timer(void)
{
    timer last = timers[--timer_count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = at * 2 + 1;
        if (child >= timer_count)
            break;
        if (child + 1 < timer_count && timers[child + 1].when < timers[child].when)
            child++;
        if (timers[child].when >= last.when)
            break;
        timers[at] = timers[child];
        at = child;
    }
    timers[at] = last;
}

static uint64_t first_timer(void)
{
    while (timer_count > 0 && timers[0].stamp != timers[0].fibre->stamp)
        drop_first_timer();
    return timer_count > 0 ? timers[0].when : NEVER;
}

static void fire_first_timer(void)
{
    timer due = timers[0];
    drop_first_timer();
    if (due.fibre->state == NPT_ASLEEP) {
        npt_futex_forget(due.fibre);
        due.fibre->result = due.result;
    }
    npt_ready(due.fibre, due.when);
}

static uint64_t least_clock(bool with_self)
{
    uint64_t least = with_self ? npt_beat.now : NEVER;
    if (ready_count > 0 && ready[0]->clock < least)
        least = ready[0]->clock;
    return least;
}

static void fire_due_timers(bool with_self)
{
    for (;;) {
        uint64_t when = first_timer();
        if (when == NEVER || when > (timed() ? least_clock(with_self) : npt_beat.now))
            return;
        fire_first_timer();
    }
}

/* --- choosing ------------------------------------------------------------------------------------
 */

static npt_fibre *choose_random(bool may_stay)
{
    uint64_t at = npt_below(&npt_sim.random, ready_count + (may_stay ? 1u : 0u));
    return at == ready_count ? npt_sim.self : take_ready((uint32_t)at);
}

static npt_fibre *choose_priority(bool may_stay)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < ready_count; i++)
        if (ready[i]->priority > ready[best]->priority)
            best = i;
    if (may_stay && (ready_count == 0 || npt_sim.self->priority > ready[best]->priority))
        return npt_sim.self;
    return take_ready(best);
}

static npt_fibre *choose_behind(bool may_stay)
{
    if (may_stay && (ready_count == 0 || npt_beat.now <= ready[0]->clock))
        return npt_sim.self;
    return take_ready(0);
}

/* The running one first, then in turn. */
static npt_fibre *choose_in_order(bool may_stay)
{
    uint32_t count = ready_count + (may_stay ? 1u : 0u);
    uint32_t choice = npt_explore_choose(count);
    if (may_stay && choice-- == 0)
        return npt_sim.self;
    uint32_t after = npt_sim.self->id;
    for (;;) { /* the `choice`-th of the others, by id from the running one's on */
        uint32_t best = UINT32_MAX, best_gap = UINT32_MAX;
        for (uint32_t i = 0; i < ready_count; i++) {
            uint32_t gap = (ready[i]->id + npt_sim.count - after - 1) % npt_sim.count;
            if (gap < best_gap) {
                best = i;
                best_gap = gap;
            }
        }
        if (choice-- == 0)
            return take_ready(best);
        after = ready[best]->id;
    }
}

static npt_fibre *choose(bool may_stay)
{
    switch (npt_sim.schedule) {
    case SIM_PCT: return choose_priority(may_stay);
    case SIM_TIMED: return choose_behind(may_stay);
    case SIM_EXPLORE: return choose_in_order(may_stay);
    case SIM_BY_SEED:
    case SIM_RANDOM: break;
    }
    return choose_random(may_stay);
}

static void plan_choice(void)
{
    const npt_machine *m = &npt_sim;
    choice_at = m->points + A_STRETCH;
    if (m->schedule == SIM_RANDOM)
        choice_at = m->points + 1 + npt_below(&npt_sim.random, 2 * m->switch_mean);
    else if (m->schedule == SIM_PCT && changes > 0 && change_at[changes - 1] < choice_at)
        choice_at = change_at[changes - 1];
    else if (m->schedule == SIM_EXPLORE && npt_explore_open())
        choice_at = m->points + 1;
}

/* Until when the running fibre need not ask. */
static void refuel(void)
{
    npt_machine *m = &npt_sim;
    uint64_t next = choice_at;
    if (m->config->hook != NULL && hook_at < next)
        next = hook_at;
    m->fuel_given = npt_beat.fuel = next > m->points ? (int64_t)(next - m->points) : 1;
    npt_beat.horizon = first_timer();
    if (timed() && ready_count > 0 && ready[0]->clock + QUANTUM < npt_beat.horizon)
        npt_beat.horizon = ready[0]->clock + QUANTUM;
}

static void account(void)
{
    npt_machine *m = &npt_sim;
    m->points += (uint64_t)(m->fuel_given - npt_beat.fuel);
    m->fuel_given = npt_beat.fuel = 1;
    if (m->points > m->limit)
        npt_fail("no end: # scheduling points, livelock or too small a limit", m->points, 0, 0);
    if (npt_beat.now > m->time_limit)
        npt_fail("no end: # us of virtual time", npt_beat.now / 1000, 0, 0);
}

/* `ready_again`: the running fibre could go on. (Or it waits, or is among the ready ones again.) */
static void switch_to(npt_fibre *next, bool ready_again)
{
    npt_machine *m = &npt_sim;
    npt_fibre *before = m->self;
    m->switches++;
    npt_leave_fibre(before);
    before->clock = npt_beat.now;
    if (ready_again)
        add_ready(before);
    m->self = next;
    if (timed())
        npt_beat.now = next->clock;
    npt_enter_fibre(next);
    npt_context_switch(&before->context, &next->context, before->state == NPT_DONE);
}

static void run_hook(bool quiet)
{
    npt_machine *m = &npt_sim;
    uint32_t every = m->config->hook_every != 0 ? m->config->hook_every : 1;
    hook_at = m->points + every;
    uint64_t now = npt_beat.now;
    bool special = npt_beat.special;
    npt_beat.special = false;
    npt_beat.fuel = ENDLESS;
    npt_beat.horizon = NEVER;
    m->in_hook = true;
    m->quiet = quiet;
    m->config->hook(m->fibres[0]->argument);
    m->in_hook = false;
    m->quiet = false;
    m->fuel_given = npt_beat.fuel = 1;
    npt_beat.special = special;
    npt_beat.now = now;
}

/* Somebody else, with time jumping to the next timer when nobody can run. */
static void go_elsewhere(void)
{
    npt_machine *m = &npt_sim;
    account();
    for (;;) {
        fire_due_timers(false);
        if (ready_count > 0)
            break;
        if (m->config->hook != NULL)
            run_hook(true);
        uint64_t when = first_timer();
        if (when == NEVER) {
            npt_report_waits();
            npt_fail("deadlock: everybody waits, and nothing is going to happen", 0, 0, 0);
        }
        if (when > npt_beat.now)
            npt_beat.now = when;
        if (npt_beat.now > m->time_limit)
            npt_fail("no end: # us of virtual time", npt_beat.now / 1000, 0, 0);
        fire_first_timer();
    }
    npt_fibre *next = choose(false);
    if (next != m->self) {
        switch_to(next, false);
    } else if (timed()) { /* what is the thread's own has not been put by */
        npt_beat.now = next->clock;
    }
    plan_choice();
    refuel();
}

void npt_wait(npt_state state, uint64_t deadline)
{
    npt_fibre *self = npt_sim.self;
    self->state = state;
    self->since = npt_beat.now;
    self->clock = npt_beat.now;
    self->stamp++;
    if (deadline != NPI_NO_DEADLINE)
        npt_timer(self, deadline, ETIMEDOUT);
    go_elsewhere();
}

void npt_ready(npt_fibre *fibre, uint64_t not_before)
{
    fibre->state = NPT_READY;
    fibre->stamp++;
    if (fibre->clock < not_before)
        fibre->clock = not_before;
    add_ready(fibre);
    /* Right after a wake is where things go wrong. */
    if (npt_sim.schedule == SIM_PCT ||
        (npt_sim.schedule == SIM_RANDOM && npt_below(&npt_sim.random, 2) == 0))
        npt_hurry();
    else if (timed() && fibre->clock + QUANTUM < npt_beat.horizon)
        npt_beat.horizon = fibre->clock + QUANTUM;
}

void npt_hurry(void)
{
    npt_sim.points += (uint64_t)(npt_sim.fuel_given - npt_beat.fuel);
    npt_sim.fuel_given = npt_beat.fuel = 1;
    choice_at = npt_sim.points + 1;
}

void npt_exit(void)
{
    npt_machine *m = &npt_sim;
    npt_fibre *self = m->self;
    self->state = NPT_DONE;
    self->stamp++;
    if (self->joined_by != NULL)
        npt_ready(self->joined_by, npt_beat.now + WAKE_NS);
    npt_stack_give(self->context.stack); /* nobody takes it before the switch */
    uint32_t done = 0;
    for (uint32_t i = 0; i < m->count; i++)
        done += m->fibres[i]->state == NPT_DONE;
    if (done == m->count) {
        account();
        npt_leave_fibre(self);
        npt_context_switch(&self->context, &m->host, true);
    }
    go_elsewhere();
    abort(); /* it never runs again */
}

/* --- a scheduling point ------------------------------------------------------------------------
 */

/* PCT: the running fibre falls below all others. */
static void change_priority(void)
{
    while (changes > 0 && change_at[changes - 1] <= npt_sim.points) {
        npt_sim.self->priority = --lowest;
        changes--;
    }
}

static bool jump(void)
{
    uint64_t when = first_timer();
    if (timed() || when > npt_beat.now + FARTHEST || !npt_fault_happens(NPT_EARLY))
        return false;
    if (when > npt_beat.now)
        npt_beat.now = when;
    fire_due_timers(true);
    return true;
}

void npt_turn(void)
{
    npt_machine *m = &npt_sim;
    if (!m->running || m->in_hook) {
        npt_beat.fuel = ENDLESS;
        npt_beat.horizon = NEVER;
        return;
    }
    account();
    if (m->config->hook != NULL && m->points >= hook_at)
        run_hook(false);
    fire_due_timers(true);
    bool due = m->points >= choice_at || (timed() && least_clock(true) < npt_beat.now);
    if (!due) {
        refuel();
        return;
    }
    if (m->buffers)
        npt_drain_some();
    if (npt_fault_happens(NPT_PREEMPTION)) {
        uint64_t ns = UINT64_C(1) << npt_below(&m->fault_random, 21);
        npt_wait(NPT_DELAYED, npt_beat.now + ns);
        return;
    }
    (void)jump();
    if (m->schedule == SIM_PCT)
        change_priority();
    npt_fibre *next = choose(true);
    if (next != m->self)
        switch_to(next, true);
    plan_choice();
    refuel();
}

void npt_call(uint64_t cost)
{
    npt_machine *m = &npt_sim;
    if (!m->running || m->in_hook)
        return;
    if (m->schedule == SIM_RANDOM && npt_below(&m->random, 2) == 0)
        npt_hurry();
    npt_point(cost);
    npt_settle(); /* the kernel's own locked operations empty the buffer, not the way to them */
}

void npt_relax(void)
{
    npt_machine *m = &npt_sim;
    if (m->running && !m->in_hook && !timed()) {
        if (m->schedule == SIM_PCT)
            m->self->priority = --lowest;
        if (m->schedule == SIM_EXPLORE) {
            npt_fence_everybody();
            npt_beat.now += 40;
            if (ready_count > 0)
                switch_to(choose(false), true);
            return;
        }
        npt_hurry();
    }
    npt_point(40);
}

void npt_schedule_begin(void)
{
    npt_machine *m = &npt_sim;
    ready_count = 0;
    timer_count = 0;
    hook_at = 0;
    choice_at = 0;
    lowest = UINT64_C(1) << 32;
    changes = 0;
    if (m->schedule == SIM_PCT) {
        changes = m->config->change_points != 0 ? m->config->change_points
                                                : (uint32_t)npt_below(&m->random, 8);
        if (changes > 8)
            changes = 8;
        uint64_t length = UINT64_C(1) << (5 + npt_below(&m->random, 11));
        for (uint32_t i = 0; i < changes; i++) { /* kept with the first one last */
            uint64_t at = 1 + npt_below(&m->random, length);
            uint32_t place = i;
            for (; place > 0 && change_at[place - 1] < at; place--)
                change_at[place] = change_at[place - 1];
            change_at[place] = at;
        }
    }
    npt_beat = (npt_pulse){.now = 1, .horizon = NEVER, .fuel = 1};
    m->fuel_given = 1;
}
