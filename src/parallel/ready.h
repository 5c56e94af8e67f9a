/*
 * parallel/ready.h - continuations: tasks to be submitted, and eventfds to be signalled, as soon as
 * a channel can be read or written. Two lists of records, oldest first, under the channel's lock.
 *
 * A continuation is submitted under that lock. So there is none that has left its list and is not
 * yet accepted: npi_ready_forget tells exactly what will still come, and one that the executor has
 * no memory for simply stays where it is. The submit never waits and calls nobody's code; what must
 * be told to somebody (npi_ready_news) is told by npi_ready_report after the lock.
 *
 * Nobody else would come to submit what starved if all who could are waiting in the channel
 * themselves. So a call that waits while `starved` is set interrupts its wait from time to time and
 * tries again (transfer.c). In a closed channel nobody waits: there every call that finds it closed
 * tries again, and closing says that it has left one.
 *
 * A record that was used is kept in the channel for the next arming: after the first few, arming
 * allocates nothing.
 *
 * Who may call what: _arm and _forget any thread; _fire and what ends in _locked under the lock;
 * _report its caller, after the lock, when the channel may be gone; _destroy alone.
 */
#ifndef NPI_PARALLEL_READY_H
#define NPI_PARALLEL_READY_H

#include <stddef.h>

#include <numaperf/channel.h>

/* Written by the arming call before it is in a list; then under the lock. */
typedef struct npi_ready {
    struct npi_ready *next;
    np_executor *executor; /* NULL: the eventfd */
    np_node_id node;
    np_task_fn fn;
    void *argument;
    int fd;
    int error; /* errno of the signal that failed */
} npi_ready;

typedef struct npi_ready_list {
    npi_ready *first; /* armed the longest */
    npi_ready *last;
} npi_ready_list;

typedef struct npi_ready_news {
    npi_ready *refused; /* will never be submitted, or signalled; out of the channel */
    np_status starved;  /* not NP_OK: one stays armed because of it */
} npi_ready_news;

/* Readies at most `count` of the list. */
void npi_ready_fire(np_channel *channel, npi_ready_list *list, size_t count, npi_ready_news *news);
void npi_ready_report(npi_ready_news *news);
/* Tries again what had no memory. The first takes the lock. */
void npi_ready_retry(np_channel *channel);
void npi_ready_retry_locked(np_channel *channel, npi_ready_news *news);
/* Frees all records, armed or kept. */
void npi_ready_destroy(np_channel *channel);

#endif
