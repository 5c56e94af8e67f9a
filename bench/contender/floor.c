/* The floor's workloads; see floor.h. */
#include "floor.h"

int main(int argc, char **argv)
{
    static const bench_workload list[] = {
        {"submit", floor_submit}, {"wake", floor_wake},       {"idle", floor_idle},
        {"for-tiny", floor_loop}, {"for-medium", floor_loop}, {"triad", floor_triad},
        {"reduce", floor_reduce}, {"create", floor_create},   {"channel", floor_channel},
    };
    return bench_main(argc, argv, list, sizeof list / sizeof list[0]);
}
