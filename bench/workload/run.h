/*
 * workload/run.h - the command line and the result line that every contender shares.
 *
 * A contender is one program: `bench_NAME list` prints the workloads it has a natural call for;
 * `bench_NAME WORKLOAD WORKERS [KEY=VALUE ...]` sets up, warms up, runs one measured round, checks
 * its result and prints "VALUE UNIT [key=value ...]". Exit 0: measured and right; 1: wrong or
 * failed; 2: bad usage; 3: not available for these parameters. README.md here is the contract.
 *
 * The headers of this folder are clean for C99 and C++11 with _GNU_SOURCE, for gcc and clang.
 */
#ifndef NP_BENCH_WORKLOAD_RUN_H
#define NP_BENCH_WORKLOAD_RUN_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BENCH_KEYS_MAX 32

typedef struct bench_args {
    const char *workload;
    unsigned workers;
    int pair_count;
    char **pairs; /* the KEY=VALUE arguments */
    uint32_t
        pairs_asked; /* bit i: somebody asked for pair i; a pair that nobody knows is an error */
} bench_args;

typedef struct bench_workload {
    const char *name;
    void (*run)(bench_args *args); /* ends with bench_report() */
} bench_workload;

/* Wrong result or failed call: a message, exit 1. */
__attribute__((noreturn, format(printf, 1, 2))) static inline void bench_fail(const char *format,
                                                                              ...)
{
    va_list list;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    exit(1);
}

/* This machine or these parameters do not allow the measurement: the reason, exit 3. */
__attribute__((noreturn, format(printf, 1, 2))) static inline void bench_unavailable(
    const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    exit(3);
}

__attribute__((noreturn, format(printf, 1, 2))) static inline void bench_usage(const char *format,
                                                                               ...)
{
    va_list list;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    exit(2);
}

/* The text of KEY=text, or `otherwise`. */
static inline const char *bench_word(bench_args *args, const char *key, const char *otherwise)
{
    size_t length = strlen(key);
    for (int i = 0; i < args->pair_count; i++) {
        if (strncmp(args->pairs[i], key, length) == 0 && args->pairs[i][length] == '=') {
            args->pairs_asked |= (uint32_t)1 << i;
            return args->pairs[i] + length + 1;
        }
    }
    return otherwise;
}

static inline uint64_t bench_number(bench_args *args, const char *key, uint64_t otherwise)
{
    const char *text = bench_word(args, key, NULL);
    char *end = NULL;
    if (text == NULL)
        return otherwise;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0')
        bench_usage("%s=%s is not a number", key, text);
    return (uint64_t)value;
}

/* True if KEY is `word`; any word but `word` and `other` is an error. `first` is the default. */
static inline int bench_is(bench_args *args, const char *key, const char *word, const char *other,
                           const char *otherwise)
{
    const char *text = bench_word(args, key, otherwise);
    if (strcmp(text, word) != 0 && strcmp(text, other) != 0)
        bench_usage("%s=%s: %s or %s is expected", key, text, word, other);
    return strcmp(text, word) == 0;
}

/*
 * What is added to every result before it is checked: 0, or 1 with BENCH_CORRUPT=1 in the
 * environment, so that a test can see every check fail.
 */
static inline uint64_t bench_corruption(void)
{
    const char *text = getenv("BENCH_CORRUPT");
    return text != NULL && text[0] == '1' ? 1 : 0;
}

static inline void bench_check_equal(const char *what, uint64_t got, uint64_t expected)
{
    got += bench_corruption();
    if (got != expected)
        bench_fail("WRONG: %s is %llu, expected %llu", what, (unsigned long long)got,
                   (unsigned long long)expected);
}

/* The result line, with `extra` ("key=value key=value") behind it unless NULL. Called last. */
static inline void bench_report(const bench_args *args, double value, const char *unit,
                                const char *extra)
{
    for (int i = 0; i < args->pair_count; i++) {
        if ((args->pairs_asked >> i & 1) == 0)
            bench_usage("%s: workload %s knows no such key", args->pairs[i], args->workload);
    }
    printf("%.6g %s%s%s\n", value, unit, extra != NULL ? " " : "", extra != NULL ? extra : "");
    if (fflush(stdout) != 0)
        exit(1);
}

/* Nanoseconds of the monotonic clock. */
static inline uint64_t bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The whole of a contender's main(). */
static inline int bench_main(int argc, char **argv, const bench_workload *list, size_t count)
{
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        for (size_t i = 0; i < count; i++)
            puts(list[i].name);
        return 0;
    }
    if (argc < 3)
        bench_usage("usage: %s list\n       %s WORKLOAD WORKERS [KEY=VALUE ...]", argv[0], argv[0]);
    bench_args args;
    memset(&args, 0, sizeof args);
    args.workload = argv[1];
    char *end = NULL;
    unsigned long workers = strtoul(argv[2], &end, 10);
    if (*end != '\0' || workers < 1 || workers > 4096)
        bench_usage("%s: 1 to 4096 workers are expected", argv[2]);
    args.workers = (unsigned)workers;
    args.pair_count = argc - 3;
    args.pairs = argv + 3;
    if (args.pair_count > BENCH_KEYS_MAX)
        bench_usage("at most %d keys", BENCH_KEYS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].name, args.workload) == 0) {
            list[i].run(&args);
            return 0;
        }
    }
    bench_unavailable("no workload %s here", args.workload);
}

#endif
