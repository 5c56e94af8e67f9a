/*
 * What the pieces of code in the guides take for granted: the library, a CHECK() that stands for
 * the reader's own treatment of errors, and the objects a page talks about without creating them.
 */
#include <numaperf.h>
#include <numaperf/hwloc.h>

#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

void check(np_status status);
#define CHECK(call) check(call)

extern np_topology *topology;
extern np_executor *executor;
extern np_group *group;
extern np_channel *channel;
extern np_pipeline *pipeline;
extern np_region *region;
extern np_stats *stats;
extern np_collector *collector;
extern np_node_id node;
extern np_status status;

void work(void *argument);
extern void *argument;
void body(void *context, size_t begin, size_t end);
extern void *pointer;
extern size_t bytes;
