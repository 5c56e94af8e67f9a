/*
 * parallel/transfer.h - one call that sends or receives, while it lasts.
 */
#ifndef NPI_PARALLEL_TRANSFER_H
#define NPI_PARALLEL_TRANSFER_H

#include "parallel/item_queue.h"
#include "parallel/ready.h"
#include "parallel/waiter.h"

/* What it wants, what is done of it (both in `self`), and what it has to hand out when it has left
 * the lock. On the calling thread's stack; `self` is shared while it is in a list. */
typedef struct npi_transfer {
    np_channel *channel;
    const char *call; /* its name, for the detail */
    npi_waiter self;
    npi_waiter *served;         /* claimed, to be finished; linked by next */
    npi_item_segment *segments; /* a send's: to be used; a receive's: no longer wanted */
    npi_ready_news news;        /* to be reported */
} npi_transfer;

#endif
