/*
 * Goal: whatever single thing fails in whatever public function, the caller gets a status with a
 * detail, nothing is left behind, nothing hangs, and an executor works on or is gone.
 * Method: SQLite's. For every case of every function in the library's export list: the k-th call
 * that can fail fails with each errno it may plausibly have, k = 1, 2, ... until a run comes
 * through without; once with only that call failing, and once with all from there on. Then the same
 * with the faults in the other threads, where they take part. A function without a case fails the
 * test; one that is said not to be able to fail must not pass a single point.
 *
 * usage: fault_functions [--table] [--case FUNCTION[:VARIANT]] [--form once]
 *        fault_functions --case FUNCTION[:VARIANT] --k N --variant N
 *                        [--scope inside|elsewhere] [--form once|from]    one run again
 *        fault_functions --coverage [--also FUNCTION]    only asks whether all have a case
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drive.h"
#include "os/os.h"

/* What the library exports, one name in each line: made when the test is built. */
#define FUNCTIONS_MOST 512u
static char functions[FUNCTIONS_MOST][64];
static size_t function_count;

static bool read_functions(void)
{
    FILE *file = fopen(FAULT_FUNCTIONS, "r");
    while (file != NULL && function_count < FUNCTIONS_MOST &&
           fscanf(file, "%63s", functions[function_count]) == 1)
        function_count++;
    bool whole = file != NULL && feof(file) != 0 && function_count > 0;
    if (file != NULL)
        (void)fclose(file);
    if (!whole)
        printf("fault: %s cannot be read\n", FAULT_FUNCTIONS);
    return whole;
}

typedef struct tally {
    uint64_t runs;
    uint64_t fired; /* runs with a fault: (point, errno, form) */
    uint32_t deepest;
    bool pure;
    bool seen;
} tally;
static tally tallies[FUNCTIONS_MOST];
static bool verbose;
static inject_form last_form = INJECT_FROM;

#define POINTS_MOST    100000u
#define ELSEWHERE_MOST 40u

static void sweep(const fault_case *what, inject_scope scope, inject_form form, tally *sum)
{
    /* Other threads do not pass their points in the same order twice. */
    uint32_t most = scope == INJECT_INSIDE ? POINTS_MOST : ELSEWHERE_MOST;
    for (uint32_t k = 1; k <= most; k++) {
        uint32_t variants = 1;
        bool fired = false;
        for (uint32_t variant = 0; variant < variants; variant++) {
            inject_plan plan = {.scope = scope, .form = form, .k = k, .variant = variant};
            inject_outcome outcome = fault_drive(what, &plan);
            sum->runs++;
            if (outcome.fired == 0)
                continue;
            fired = true;
            sum->fired++;
            if (k > sum->deepest)
                sum->deepest = k;
            if (outcome.variants > variants)
                variants = outcome.variants;
        }
        if (!fired)
            return;
    }
    if (scope == INJECT_INSIDE) {
        printf("fault: %s:%s does not come to an end\n", what->function, what->variant);
        exit(1);
    }
}

static void prove_pure(const fault_case *what, tally *sum)
{
    const inject_plan none = {.scope = INJECT_INSIDE, .form = INJECT_ONCE, .k = UINT32_MAX};
    inject_outcome outcome = fault_drive(what, &none);
    sum->runs++;
    if (outcome.points != 0) {
        printf("fault: %s is said not to be able to fail (%s), but passes %u points\n",
               what->function, what->pure, outcome.points);
        exit(1);
    }
}

static tally *tally_of(const char *function)
{
    for (size_t i = 0; i < function_count; i++)
        if (strcmp(functions[i], function) == 0)
            return &tallies[i];
    printf("fault: %s has a case, but is no public function\n", function);
    exit(1);
}

static void drive(const fault_case *what)
{
    tally *sum = tally_of(what->function);
    sum->seen = true;
    if (what->pure != NULL) {
        sum->pure = true;
        prove_pure(what, sum);
        return;
    }
    uint64_t before = sum->fired;
    uint64_t begun = npi_os_now();
    for (inject_form form = INJECT_ONCE; form <= last_form; form++) {
        sweep(what, INJECT_INSIDE, form, sum);
        if (what->elsewhere)
            sweep(what, INJECT_ELSEWHERE, form, sum);
    }
    if (sum->fired == before && !what->perhaps_none) {
        printf("fault: %s:%s passes no point: it needs another case, or the reason why it cannot "
               "fail\n",
               what->function, what->variant);
        exit(1);
    }
    if (verbose)
        printf("%-50s %6llu faults %6llu ms\n", what->function,
               (unsigned long long)(sum->fired - before),
               (unsigned long long)((npi_os_now() - begun) / 1000000));
}

static bool matches(const fault_case *what, const char *wanted)
{
    size_t length = strlen(what->function);
    return strncmp(what->function, wanted, length) == 0 &&
           (wanted[length] == '\0' ||
            (wanted[length] == ':' && strcmp(wanted + length + 1, what->variant) == 0));
}

static bool has_case(const char *function)
{
    for (size_t i = 0; fault_case_at(i) != NULL; i++)
        if (strcmp(fault_case_at(i)->function, function) == 0)
            return true;
    printf("fault: %s has no fault case, nor a reason why it cannot fail\n", function);
    return false;
}

/* Every public function, and one more if the test of this test gives it. */
static bool all_have_cases(const char *also)
{
    bool all = also == NULL || has_case(also);
    for (size_t i = 0; i < function_count; i++)
        all = has_case(functions[i]) && all;
    return all;
}

static void print_table(void)
{
    printf("%-34s %8s %8s %8s\n", "function", "faults", "runs", "points");
    for (size_t i = 0; i < function_count; i++) {
        const tally *t = &tallies[i];
        if (!t->seen)
            continue;
        if (t->pure && t->fired == 0)
            printf("%-34s %8s %8llu %8s\n", functions[i], "none", (unsigned long long)t->runs, "0");
        else
            printf("%-34s %8llu %8llu %8u\n", functions[i], (unsigned long long)t->fired,
                   (unsigned long long)t->runs, t->deepest);
    }
}

static void print_counts(void)
{
    uint64_t fired = 0, runs = 0, failing = 0, pure = 0;
    for (size_t i = 0; i < function_count; i++) {
        fired += tallies[i].fired;
        runs += tallies[i].runs;
        failing += tallies[i].fired != 0 ? 1 : 0;
        pure += tallies[i].seen && tallies[i].fired == 0 ? 1 : 0;
    }
    printf("counted: fault | points | %llu\n", (unsigned long long)fired);
    printf("counted: fault | runs of public functions | %llu\n", (unsigned long long)runs);
    printf("counted: fault | public functions made to fail | %llu\n", (unsigned long long)failing);
    printf("counted: fault | public functions shown not to depend on any call | %llu\n",
           (unsigned long long)pure);
}

int main(int count, char **arguments)
{
    const char *wanted = NULL, *also = NULL;
    bool table = false, replay = false, coverage = false;
    inject_plan plan = {.scope = INJECT_INSIDE, .form = INJECT_ONCE};
    for (int i = 1; i < count; i++) {
        const char *value = i + 1 < count ? arguments[i + 1] : "";
        if (strcmp(arguments[i], "--table") == 0) {
            table = true;
            verbose = true;
            continue;
        }
        if (strcmp(arguments[i], "--coverage") == 0) {
            coverage = true;
            continue;
        }
        if (strcmp(arguments[i], "--case") == 0) {
            wanted = value;
        } else if (strcmp(arguments[i], "--also") == 0) {
            also = value;
        } else if (strcmp(arguments[i], "--scope") == 0) {
            plan.scope = strcmp(value, "elsewhere") == 0 ? INJECT_ELSEWHERE : INJECT_INSIDE;
        } else if (strcmp(arguments[i], "--form") == 0) {
            plan.form = strcmp(value, "from") == 0 ? INJECT_FROM : INJECT_ONCE;
            last_form = plan.form;
        } else if (strcmp(arguments[i], "--k") == 0) {
            plan.k = (uint32_t)strtoul(value, NULL, 10);
            replay = true;
        } else if (strcmp(arguments[i], "--variant") == 0) {
            plan.variant = (uint32_t)strtoul(value, NULL, 10);
        } else {
            printf("unknown: %s\n", arguments[i]);
            return 2;
        }
        i++;
    }
    if (!read_functions() || !all_have_cases(also))
        return 1;
    if (coverage)
        return 0;
    fault_drive_begin(arguments[0]);
    for (size_t i = 0; fault_case_at(i) != NULL; i++) {
        const fault_case *what = fault_case_at(i);
        if (wanted != NULL && !matches(what, wanted))
            continue;
        if (replay) {
            inject_outcome outcome = fault_drive(what, &plan);
            printf("%s:%s: %u of %u points failed, first %s with %s\n", what->function,
                   what->variant, outcome.fired, outcome.points, inject_call_text(outcome.call),
                   inject_errno_name(outcome.error));
        } else {
            drive(what);
        }
    }
    if (replay)
        return 0;
    if (table)
        print_table();
    print_counts();
    return 0;
}
