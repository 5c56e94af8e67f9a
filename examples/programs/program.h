/*
 * program.h - what the larger examples share besides ../example.h: numbers on the command line, and
 * the machine as the last argument.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "example.h"

#include <errno.h>

/* The argument number `which`, or `otherwise` if there is none. Ends the program when it is not a
 * number from `least` to `most`. */
static inline size_t program_number(int argc, char **argv, int which, const char *what,
                                    size_t least, size_t most, size_t otherwise)
{
    if (which >= argc)
        return otherwise;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(argv[which], &end, 10);
    if (errno != 0 || end == argv[which] || *end != '\0' || argv[which][0] == '-' ||
        value < least || value > most) {
        fprintf(stderr, "%s: %s is '%s', expected %zu to %zu\n", argv[0], what, argv[which], least,
                most);
        exit(2);
    }
    return (size_t)value;
}

/* The real machine, or the one that the argument number `which` describes. */
static inline np_topology *program_topology(int argc, char **argv, int which)
{
    return example_topology(argc > which ? 2 : 1, argv + which - 1);
}

/* Where the slices of loops over arrays ran, and whether they stayed with their workers. */
static inline void program_show_slices(const np_executor *executor)
{
    np_stats *stats = NULL;
    CHECK(np_stats_snapshot(executor, &stats));
    printf("slices of loops: %llu on their own worker, %llu on a sibling, %llu on another node\n",
           (unsigned long long)np_stats_total(stats, NP_COUNTER_SLICES_KEPT),
           (unsigned long long)np_stats_total(stats, NP_COUNTER_SLICES_MOVED),
           (unsigned long long)np_stats_total(stats, NP_COUNTER_SLICES_AWAY));
    np_stats_destroy(stats);
}

#endif
