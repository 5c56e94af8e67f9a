/*
 * numaperf.h - the whole interface in one include.
 */
#ifndef NUMAPERF_H
#define NUMAPERF_H

#include <numaperf/affinity.h>
#include <numaperf/error.h>
#include <numaperf/region.h>
#include <numaperf/topology.h>
#include <numaperf/types.h>
#include <numaperf/version.h>

#endif
