/*
 * The fault injector: answers for the system through the table of base/hook.h, as a plan says, and
 * keeps the ledger of what the library holds (memory, mappings, threads, files).
 *
 * A call is asked about in a scope: `inside` is the stretch of the thread that runs the function
 * under test (inject_enter, inject_leave), `elsewhere` are all other threads. Only calls that have
 * errnos in the table below are points; the k-th point of the scope is where the plan begins.
 */
#ifndef NP_TESTS_FAULT_INJECT_H
#define NP_TESTS_FAULT_INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hook.h"

typedef enum inject_scope { INJECT_INSIDE = 0, INJECT_ELSEWHERE, INJECT_EVERYWHERE } inject_scope;

typedef enum inject_form {
    INJECT_ONCE = 0, /* only the k-th point fails */
    INJECT_FROM,     /* all from the k-th on */
    INJECT_RANDOM    /* each with the probability per_thousand, drawn from the seed */
} inject_form;

typedef struct inject_plan {
    inject_scope scope;
    inject_form form;
    uint32_t k;       /* 1, 2, ... */
    uint32_t variant; /* which errno of the point's list; beyond its end: from the front again */
    uint64_t seed;
    uint32_t per_thousand;
    bool memory_only; /* no other points than allocations and mappings */
} inject_plan;

typedef struct inject_outcome {
    uint32_t points;   /* that were passed in the scope */
    uint32_t fired;    /* of them answered with an errno */
    npi_call call;     /* the first that was */
    int error;         /* and its errno */
    uint32_t variants; /* errnos in its list */
} inject_outcome;

/* What the library holds; signed, so that giving back too much shows as well. */
typedef struct inject_ledger {
    int64_t blocks;
    int64_t bytes;
    int64_t mapped;
    int64_t threads;
    int64_t files;
} inject_ledger;

/* For ever: the ledger has to see both ends of everything. */
void inject_install(void);
/* Between the two the plan is in force. */
void inject_arm(const inject_plan *next);
inject_outcome inject_disarm(void);
/* Around the function under test, on its thread; nestable across threads, not within one. */
void inject_enter(void);
void inject_leave(void);

/* The calling thread is the test's own: nothing fails on it. */
void inject_exempt(bool on);

inject_ledger inject_held(void);
bool inject_same(const inject_ledger *a, const inject_ledger *b);
/* Points asked about since the process began, and answered with an errno. */
uint64_t inject_total_points(void);
uint64_t inject_total_fired(void);
/* Calls of any kind, points or not, that this thread has made inside. */
uint64_t inject_calls_inside(void);

const char *inject_call_text(npi_call call);
/* The errnos that the call may plausibly fail with; their number, 0 if it is no point. */
size_t inject_errnos(npi_call call, const int **out);
/* Why a call is no point, NULL if it is one. */
const char *inject_no_point(npi_call call);
const char *inject_errno_name(int error);

#endif
