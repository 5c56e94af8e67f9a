/*
 * numaperf.h - the whole interface in one include.
 */
#ifndef NUMAPERF_H
#define NUMAPERF_H

#include <numaperf/affinity.h>
#include <numaperf/array.h>
#include <numaperf/attributes.h>
#include <numaperf/buffer_pool.h>
#include <numaperf/channel.h>
#include <numaperf/device.h>
#include <numaperf/error.h>
#include <numaperf/executor.h>
#include <numaperf/fast.h>
#include <numaperf/group.h>
#include <numaperf/near.h>
#include <numaperf/parallel.h>
#include <numaperf/pipeline.h>
#include <numaperf/region.h>
#include <numaperf/sharded.h>
#include <numaperf/stats.h>
#include <numaperf/topology.h>
#include <numaperf/types.h>
#include <numaperf/version.h>

#endif
