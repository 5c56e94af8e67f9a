/*
 * history.c - what happened: a ring of the last events, its printing, and the end of a run that
 * fails. Events are numbers and texts that stay where they are; words are made when they are shown.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "sim_internal.h"

#define EVENTS 4096u
#define NAMES  256u

typedef struct event {
    uint64_t time;
    const char *text;
    uint64_t numbers[3];
    uint32_t fibre;
} event;

static event events[EVENTS];
static uint64_t event_count;
static uint64_t print;

typedef struct named {
    uintptr_t address;
    const char *name;
} named;
static named names[NAMES];
static uint32_t name_count;

void npt_history_begin(void)
{
    event_count = 0;
    name_count = 0;
    print = UINT64_C(0xcbf29ce484222325);
}

uint64_t npt_history_print(void)
{
    return print;
}

void npt_event(const char *text, uint64_t a, uint64_t b, uint64_t c)
{
    npt_machine *m = &npt_sim;
    if (!m->running)
        return;
    event *at = &events[event_count++ % EVENTS];
    *at = (event){npt_beat.now, text, {a, b, c}, m->self->id};
    print = (print ^ at->time) * UINT64_C(0x100000001b3);
    print = (print ^ at->fibre) * UINT64_C(0x100000001b3);
    print = (print ^ strlen(text)) * UINT64_C(0x100000001b3);
}

void sim_label_at(const char *text, const uint64_t *numbers)
{
    npt_event(text, numbers[0], numbers[1], numbers[2]);
}

void sim_name_address(const volatile void *address, const char *name)
{
    if (name_count < NAMES)
        names[name_count++] = (named){(uintptr_t)address, name};
}

static void format_address(char *out, size_t bytes, uintptr_t address)
{
    const npt_machine *m = &npt_sim;
    for (uint32_t i = name_count; i-- > 0;) {
        if (names[i].address == address) {
            snprintf(out, bytes, "%s", names[i].name);
            return;
        }
    }
    for (uint32_t i = 0; i < m->count; i++) {
        if ((uintptr_t)m->fibres[i]->token == address) {
            snprintf(out, bytes, "the token of %s", m->fibres[i]->name);
            return;
        }
    }
    for (uint32_t i = 0; i < m->count; i++) {
        const npt_stack *stack = m->fibres[i]->context.stack;
        uintptr_t base = (uintptr_t)stack->base;
        if (address >= base && address < base + stack->bytes) {
            snprintf(out, bytes, "a word of %s", m->fibres[i]->name);
            return;
        }
    }
    snprintf(out, bytes, "word %llx", (unsigned long long)(address & 0xffffffffu));
}

void npt_format(char *out, size_t bytes, const char *text, const uint64_t *numbers)
{
    size_t used = 0;
    unsigned next = 0;
    for (; *text != '\0' && used + 1 < bytes; text++) {
        if ((*text != '#' && *text != '@' && *text != '~') || next == 3) {
            out[used++] = *text;
            continue;
        }
        if (*text == '#')
            snprintf(out + used, bytes - used, "%llu", (unsigned long long)numbers[next++]);
        else if (*text == '~')
            snprintf(out + used, bytes - used, "%s", npt_sim.fibres[numbers[next++]]->name);
        else
            format_address(out + used, bytes - used, (uintptr_t)numbers[next++]);
        used += strlen(out + used);
    }
    out[used] = '\0';
}

void sim_print_history(size_t count)
{
    uint64_t kept = event_count < EVENTS ? event_count : EVENTS;
    if (count == 0 || count > kept)
        count = (size_t)kept;
    if (event_count > count)
        printf("  (%llu earlier events)\n", (unsigned long long)(event_count - count));
    printf("  %12s  %-15s  %s\n", "time us", "who", "what");
    uint32_t before = UINT32_MAX;
    for (uint64_t i = event_count - count; i < event_count; i++) {
        const event *at = &events[i % EVENTS];
        char text[128];
        npt_format(text, sizeof text, at->text, at->numbers);
        printf("  %12.3f  %-15.15s  %.47s\n", (double)at->time / 1000.0,
               at->fibre == before ? "" : npt_sim.fibres[at->fibre]->name, text);
        before = at->fibre;
    }
}

/* --- failures ------------------------------------------------------------------------------------
 */

void npt_fail(const char *text, uint64_t a, uint64_t b, uint64_t c)
{
    npt_machine *m = &npt_sim;
    const uint64_t numbers[3] = {a, b, c};
    npt_format(m->message, sizeof m->message, text, numbers);
    if (!m->running) {
        fprintf(stderr, "sim: outside of a run: %s\n", m->message);
        abort();
    }
    npt_event("FAILS", 0, 0, 0);
    npt_abandon();
}

void sim_fail_at(const char *condition, const char *file, int line, const char *text,
                 const uint64_t *numbers)
{
    char words[160];
    npt_format(words, sizeof words, text, numbers);
    const char *name = strrchr(file, '/');
    snprintf(npt_sim.message, sizeof npt_sim.message, "%s:%d: %s (%s)",
             name != NULL ? name + 1 : file, line, words, condition);
    if (!npt_sim.running) {
        fprintf(stderr, "sim: outside of a run: %s\n", npt_sim.message);
        abort();
    }
    npt_event("FAILS", 0, 0, 0);
    npt_abandon();
}

void sim_check_status(np_status status, const char *call, const char *file, int line)
{
    static const uint64_t none[3];
    if (status == NP_OK)
        return;
    char text[224];
    snprintf(text, sizeof text, "%s: %s", np_status_name(status), np_error_detail());
    for (char *c = text; *c != '\0'; c++)
        if (*c == '#' || *c == '@')
            *c = ' ';
    sim_fail_at(call, file, line, text, none);
}

/* Who waits for what, as events. */
void npt_report_waits(void)
{
    npt_machine *m = &npt_sim;
    npt_fibre *self = m->self;
    for (uint32_t i = 0; i < m->count; i++) {
        npt_fibre *fibre = m->fibres[i];
        m->self = fibre;
        if (fibre->state == NPT_ASLEEP)
            npt_event("still waits on @, since # us", (uintptr_t)fibre->address,
                      fibre->since / 1000, 0);
        else if (fibre->state == NPT_JOINING)
            npt_event("still waits for a thread to end", 0, 0, 0);
    }
    m->self = self;
}

/* --- faults -------------------------------------------------------------------------------------
 */

static const char *const fault_names[NPT_FAULTS] = {
    [NPT_SPURIOUS] = "spurious_wakes",  [NPT_DELAYED_WAKE] = "delayed_wakes",
    [NPT_PREEMPTION] = "preemptions",   [NPT_EARLY] = "early_deadlines",
    [NPT_WEAK] = "weak_failures",       [NPT_THREAD] = "threads",
    [NPT_LATE_THREAD] = "late_threads", [NPT_ALLOCATION] = "allocations",
    [NPT_MAPPING] = "mappings",         [NPT_PLACEMENT] = "placements",
    [NPT_AFFINITY] = "affinity",        [NPT_MIGRATION] = "migrations"};

const char *npt_fault_name(npt_fault fault)
{
    return fault_names[fault];
}

static uint32_t rate_of(const sim_faults *f, npt_fault fault)
{
    switch (fault) {
    case NPT_SPURIOUS: return f->spurious_wakes;
    case NPT_DELAYED_WAKE: return f->delayed_wakes;
    case NPT_PREEMPTION: return f->preemptions;
    case NPT_EARLY: return f->early_deadlines;
    case NPT_WEAK: return f->weak_failures;
    case NPT_THREAD: return f->threads;
    case NPT_LATE_THREAD: return f->late_threads;
    case NPT_ALLOCATION: return f->allocations;
    case NPT_MAPPING: return f->mappings;
    case NPT_PLACEMENT: return f->placements;
    case NPT_AFFINITY: return f->affinity;
    case NPT_MIGRATION: return f->migrations;
    case NPT_FAULTS: break;
    }
    return 0;
}

static bool is_error(npt_fault fault)
{
    return fault == NPT_THREAD || (fault >= NPT_ALLOCATION && fault <= NPT_AFFINITY);
}

bool npt_fault_happens(npt_fault fault)
{
    npt_machine *m = &npt_sim;
    uint32_t rate = rate_of(&m->faults, fault);
    if (rate == 0 || !m->running || m->in_hook || (is_error(fault) && !m->faults_on) ||
        npt_below(&m->fault_random, rate) != 0)
        return false;
    static const char *const texts[NPT_FAULTS] = {
        [NPT_SPURIOUS] = "fault: a spurious wake",
        [NPT_DELAYED_WAKE] = "fault: the woken one will be late",
        [NPT_PREEMPTION] = "fault: preempted",
        [NPT_EARLY] = "fault: time jumps to the next deadline",
        [NPT_WEAK] = "fault: a weak swap fails",
        [NPT_THREAD] = "fault: no thread",
        [NPT_LATE_THREAD] = "fault: the thread begins late",
        [NPT_ALLOCATION] = "fault: no memory",
        [NPT_MAPPING] = "fault: no mapping",
        [NPT_PLACEMENT] = "fault: memory is not placed",
        [NPT_AFFINITY] = "fault: not bound",
        [NPT_MIGRATION] = "fault: moved to another CPU"};
    m->faults_count[fault]++;
    npt_event(texts[fault], 0, 0, 0);
    return true;
}

uint64_t sim_faults_seen(const char *name)
{
    uint64_t sum = 0;
    for (int i = 0; i < NPT_FAULTS; i++)
        if (name == NULL || strcmp(name, fault_names[i]) == 0)
            sum += npt_sim.faults_count[i];
    return sum;
}
