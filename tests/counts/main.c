/*
 * Walks one hot path of the library a known number of times, so that what each step costs can be
 * counted. Not a benchmark: it runs under valgrind, which counts instructions and runs one thread
 * at a time, and every hand-over between threads is arranged so that nothing is left to chance.
 *
 * usage: count_paths list|PATH, count_lines list|PATH
 *
 * A thread puts begin() and end() around the stretch it walks; valgrind then writes down what that
 * thread has executed in between, under the stretch's name and its number of steps. Each stretch is
 * walked twice, the second time with twice the steps; the difference of the two, divided by the
 * difference of the steps, is what one step costs: whatever else is in the stretch drops out.
 *
 * Only what is executed inside the library counts, and inside functions of this program that are
 * named counted_*, for code that the public headers put in line. So the walks may wait and look as
 * they like; they read the executor's inside to know when a worker sleeps.
 *
 * The same walks, built with lines.c as count_lines, count the cache lines that travel.
 */
#include "walk.h"

#if defined(NPT_COUNT_LINES)
#include "lines.h"
#endif

static const struct path {
    const char *name;
    path_fn *walk;
} paths[] = {
    {"outside", path_outside},
    {"near", path_near},
    {"batch", path_batch},
    {"copy", path_copy},
    {"group", path_group},
    {"data", path_data},
    {"inside", path_inside},
    {"fast", path_fast},
    {"fast-first", path_fast_first},
    {"fork", path_fork},
    {"fork-first", path_fork_first},
    {"fib", path_fib},
    {"steal", path_steal},
    {"for", path_for},
    {"wake", path_wake},
    {"count", path_count},
    {"buffer", path_buffer},
#if defined(NPT_COUNT_LINES)
    {"outside-turns", path_outside_turns},
    {"near-turns", path_near_turns},
    {"batch-turns", path_batch_turns},
    {"copy-turns", path_copy_turns},
    {"group-turns", path_group_turns},
    {"data-turns", path_data_turns},
#endif
    {"known", path_known}, /* the last one */
};

enum { PATHS = sizeof paths / sizeof paths[0] };

int main(int argc, char **argv)
{
    const char *asked = argc == 2 ? argv[1] : "";
    if (strcmp(asked, "list") == 0) {
        for (unsigned i = 0; i < PATHS - 1; i++)
            puts(paths[i].name);
        return 0;
    }
    for (unsigned i = 0; i < PATHS; i++)
        if (strcmp(asked, paths[i].name) == 0)
            paths[i].walk();
    if (executor == NULL) {
        fprintf(stderr, "usage: count_paths list|PATH\n");
        return 2;
    }
#if defined(NPT_COUNT_LINES)
    count_lines_print(asked);
#endif
    check(np_executor_destroy(executor), "destroy");
    check(np_group_destroy(group), "group");
    return 0;
}
