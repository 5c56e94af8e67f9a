/*
 * numaperf/near.h - work goes to its data: to the node that holds a pointer, a range, or most of
 * several ranges.
 *
 * Memory that this library placed on one node (regions bound to it, pieces of partitioned arrays)
 * is known without a system call. For any other memory the kernel is asked for the nodes of at most
 * 16 pages, spread over the range, and its answers are kept per 64 KiB of addresses: the next
 * submit over the same memory costs no system call. Nothing is moved and no page is faulted in.
 * Where no page is present, or the kernel does not say, the task goes near the caller, as with
 * np_submit().
 *
 * On a virtual topology only regions and partitioned arrays are known: the kernel's nodes are not
 * that machine's.
 *
 * Any thread, at any time, also from tasks.
 */
#ifndef NUMAPERF_NEAR_H
#define NUMAPERF_NEAR_H

#include <numaperf/executor.h>

NP_BEGIN_DECLS

/* Data of a task. Borrowed for the call; only the addresses are looked at, never the memory. */
struct np_data_range {
    const void *address;
    size_t bytes;    /* 0: the byte at the address decides, and no bytes are counted */
    uint32_t weight; /* of its bytes against those of other ranges; 0: 1. A range that is written
                        costs about twice what a read one does: give it 2. */
};

/*
 * To the node that holds most bytes of the range, or the pointer (bytes 0); if that has no workers
 * in this executor, to the nearest one that has. The node of the data is remembered with the task
 * and counted (np_stats_data()), and so are the bytes.
 *
 * Among nodes with equal bytes: the one np_submit() would choose, else the nearest to that one,
 * else the lowest id.
 *
 * Errors as np_submit(), and NP_ERR_INVALID_ARGUMENT for NULL and for a range that wraps. May block
 * as np_submit(), and for the system call when it asks the kernel.
 */
NP_API NP_MUST_USE np_status np_submit_near(np_executor *executor, const void *address,
                                            size_t bytes, np_task_fn fn, void *argument);

/* Where some data lies, and where its task would go. */
typedef struct np_data_place {
    np_node_id node;    /* that holds most of it, by weight; NP_NODE_ID_NONE: not known */
    np_node_id home;    /* where np_submit_near() would send the task */
    uint64_t bytes;     /* of the data on `node` */
    uint64_t elsewhere; /* on other nodes */
    uint64_t unknown;   /* not present, or nobody says where */
} np_data_place;

/*
 * Asks without submitting; keeps the kernel's answers like a submit and counts nothing.
 * NP_ERR_INVALID_ARGUMENT (also for count 0), NP_ERR_FORKED.
 */
NP_API NP_MUST_USE np_status np_data_locate(np_executor *executor, const np_data_range *ranges,
                                            size_t count, np_data_place *out);

/*
 * Forgets what the kernel has answered about these addresses (NULL with 0 bytes: about all), so
 * that it is asked anew. Call it after pages have moved by other means than this library's (mbind,
 * move_pages, automatic balancing), or when memory was given back and other memory may have come to
 * the same addresses. Old answers cost distance, never correctness. The library's own regions need
 * no call. No locks, no system call; an answer that is on its way in another thread meanwhile is
 * not kept either.
 */
NP_API void np_near_forget(const void *address, size_t bytes);

NP_END_DECLS

#endif
