/*
 * Goal: a channel may be destroyed as soon as its end, or its last item, has been received, while
 * the calls that brought it about are still on their way out; and a deadline that passes while a
 * call is served neither loses nor doubles an item, nor touches the channel afterwards. Method:
 * thousands of short-lived channels, each destroyed by the receiver at once, its memory spoiled;
 * helper threads go from channel to channel without any other agreement.
 */
#include "stress_channel_help.h"

enum { HELPERS = 3, ITEMS_MOST = 8 };

/* What a helper does with a channel. */
typedef enum part {
    SEND_AND_REMOVE = 0, /* its items, then removes itself */
    SEND_ONLY,           /* the receiver knows how many items there will be */
    RECEIVE_TO_END,      /* until closed; the last of all receivers destroys */
    PARTS
} part;

typedef struct job {
    np_channel *channel;
    part part;
    uint32_t items;
    bool timed; /* short timeouts again and again instead of a wait */
    uint64_t seed;
    np_atomic(uint32_t) *receivers; /* RECEIVE_TO_END: how many have not seen the end */
    np_atomic(uint32_t) *received;  /* RECEIVE_TO_END: added up by the receivers */
} job;

typedef struct helper {
    npi_os_thread thread;
    job job; /* written by main while `ready` is 0, read by the helper while it is 1 */
    np_atomic(uint32_t)
        ready; /* main: 0 to 1 (release) and to 2 for the end; the helper: 1 to 0 (release) */
} helper;

static np_status send_one(const job *j, npi_random *random, uint32_t item)
{
    np_status status;
    do {
        status = j->timed ? np_channel_send_for(j->channel, &item, some_timeout(random))
                          : np_channel_send(j->channel, &item);
    } while (status == NP_ERR_TIMEOUT);
    return status;
}

static np_status receive_one(const job *j, npi_random *random, uint32_t *item)
{
    np_status status;
    do {
        status = j->timed ? np_channel_receive_for(j->channel, item, some_timeout(random))
                          : np_channel_receive(j->channel, item);
    } while (status == NP_ERR_TIMEOUT);
    return status;
}

/* After its last call in here a part must not touch the channel: somebody else may have destroyed
 * it. */
static void play(const job *j)
{
    npi_random random;
    npi_random_seed(&random, j->seed);
    if (j->part == RECEIVE_TO_END) {
        uint32_t item, received = 0;
        while (receive_one(j, &random, &item) == NP_OK)
            received++;
        npi_fetch_add_relaxed(j->received, received);
        /* Acquire and release: whoever comes last knows that the others have returned. */
        if (npi_fetch_sub_acq_rel(j->receivers, 1u) == 1)
            np_channel_destroy(j->channel);
        return;
    }
    for (uint32_t k = 0; k < j->items; k++)
        CHECK_OK(send_one(j, &random, k));
    if (j->part == SEND_AND_REMOVE)
        CHECK_OK(np_channel_remove_sender(j->channel));
}

static void help(void *argument)
{
    helper *h = argument;
    for (;;) {
        /* Acquire: pairs with the release in give and in main's end; the job is filled in. */
        uint32_t ready = npi_load_acquire(&h->ready);
        if (ready == 2)
            return;
        if (ready == 0) {
            sched_yield();
            continue;
        }
        play(&h->job);
        /* Release: pairs with the acquire in give; the job has been read. */
        npi_store_release(&h->ready, 0u);
    }
}

static void give(helper *h, const job *j)
{
    /* Acquire: pairs with the release in help. */
    while (npi_load_acquire(&h->ready) != 0)
        sched_yield();
    h->job = *j;
    /* Release: pairs with the acquire in help. */
    npi_store_release(&h->ready, 1u);
}

static void until_idle(helper *helpers)
{
    for (int k = 0; k < HELPERS; k++)
        while (npi_load_acquire(&helpers[k].ready) != 0)
            sched_yield();
}

/* Main receives to the end, or the number it knows, and destroys at once. */
static void one_receiver(helper *helpers, npi_random *random, part how)
{
    uint32_t senders = 1 + npi_random_below(random, HELPERS);
    size_t capacity = npi_random_below(random, 4);
    job mine = {.channel = new_channel(sizeof(uint32_t), capacity, senders),
                .timed = npi_random_below(random, 2) != 0};
    uint32_t expected = 0;
    for (uint32_t k = 0; k < senders; k++) {
        job j = mine;
        j.part = how;
        j.timed = npi_random_below(random, 2) != 0;
        j.items = npi_random_below(random, ITEMS_MOST);
        j.seed = npi_random_next(random);
        expected += j.items;
        give(&helpers[k], &j);
    }
    uint32_t received = 0, item;
    if (how == SEND_ONLY) {
        for (; received < expected; received++)
            CHECK_OK(receive_one(&mine, random, &item));
        /* A sender without items never calls: nothing of it can be under way. */
    } else {
        while (receive_one(&mine, random, &item) == NP_OK)
            received++;
    }
    np_channel_destroy(mine.channel);
    CHECK(received == expected, "%u received, %u sent", received, expected);
}

/* Main and one helper send; two helpers receive, and the last of them destroys. */
static void two_receivers(helper *helpers, npi_random *random)
{
    np_atomic(uint32_t) receivers;
    np_atomic(uint32_t) received;
    npi_atomic_init(&receivers, 2u);
    npi_atomic_init(&received, 0u);
    size_t capacity = npi_random_below(random, 3);
    job mine = {.channel = new_channel(sizeof(uint32_t), capacity, 2),
                .items = npi_random_below(random, ITEMS_MOST),
                .timed = npi_random_below(random, 2) != 0,
                .receivers = &receivers,
                .received = &received};
    uint32_t expected = mine.items;
    for (uint32_t k = 0; k < 3; k++) {
        job j = mine;
        j.part = k < 2 ? RECEIVE_TO_END : SEND_AND_REMOVE;
        j.items = k < 2 ? 0 : npi_random_below(random, ITEMS_MOST);
        j.timed = npi_random_below(random, 2) != 0;
        j.seed = npi_random_next(random);
        expected += j.items;
        give(&helpers[k], &j);
    }
    mine.part = SEND_AND_REMOVE;
    mine.seed = npi_random_next(random);
    play(&mine);
    until_idle(helpers);
    CHECK(npi_load_relaxed(&received) == expected, "%u received, %u sent",
          npi_load_relaxed(&received), expected);
}

int main(void)
{
    begin();
    npi_random random;
    npi_random_seed(&random, seed);
    static helper helpers[HELPERS];
    for (int k = 0; k < HELPERS; k++)
        start(&helpers[k].thread, help, &helpers[k]);
    for (int round = 0; round < 3000; round++) {
        one_receiver(helpers, &random, SEND_AND_REMOVE);
        one_receiver(helpers, &random, SEND_ONLY);
        two_receivers(helpers, &random);
    }
    until_idle(helpers);
    for (int k = 0; k < HELPERS; k++) {
        npi_store_release(&helpers[k].ready, 2u);
        join(&helpers[k].thread);
    }
    CHECK(npi_load_relaxed(&live_bytes) == 0, "%llu bytes leaked",
          (unsigned long long)npi_load_relaxed(&live_bytes));
    printf("passed\n");
    return 0;
}
