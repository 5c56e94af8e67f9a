/*
 * parallel/channel.h - what the rest of the library and the tests may see of a channel beyond the
 * public header.
 */
#ifndef NPI_PARALLEL_CHANNEL_H
#define NPI_PARALLEL_CHANNEL_H

#include <numaperf/channel.h>

/* How many calls wait in the channel at this moment. Takes the channel's lock and walks its lists.
 */
void npi_channel_waiting(np_channel *channel, size_t *senders, size_t *receivers);

#endif
