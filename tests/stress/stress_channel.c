/*
 * Goal: whatever the number of senders and receivers, the capacity and the mixture of waiting,
 * trying and timed calls, each item is received exactly once, each receiver sees each sender's
 * items in the order sent, what the sender wrote before is visible, and a close in the middle loses
 * nothing that was accepted and delivers nothing that was refused. Method: numbered items that
 * point into an array which the sender writes and the receiver reads and writes, both plainly, so
 * that the thread sanitizer judges the ordering.
 */
#include "stress_channel_help.h"

enum { THREADS_MOST = 6, ITEMS = 4000 };

typedef enum mixture { WAITING = 0, TRYING, TIMED, MIXED, MIXTURES } mixture;

typedef struct item {
    uint32_t sender;
    uint32_t number;
    uint32_t *payload; /* accessed plainly by the sender, then by the receiver */
    unsigned char rest[24];
} item;

typedef struct trial {
    np_channel *channel;
    uint32_t senders;
    uint32_t receivers;
    mixture mixture;
    uint32_t close_at; /* the first sender closes it before this item; ITEMS: nobody does */
    uint32_t payload[THREADS_MOST][ITEMS];
    uint32_t accepted[THREADS_MOST]; /* by each sender; written by it, read after the join */
} trial;

typedef struct party {
    npi_os_thread thread;
    trial *trial;
    uint32_t index;
    npi_random random;
} party;

static np_status send_somehow(party *p, const item *i)
{
    np_channel *channel = p->trial->channel;
    mixture how = p->trial->mixture;
    for (;;) {
        mixture now = how == MIXED ? (mixture)npi_random_below(&p->random, MIXED) : how;
        np_status status;
        if (now == WAITING)
            return np_channel_send(channel, i);
        if (now == TRYING)
            status = np_channel_try_send(channel, i);
        else
            status = np_channel_send_for(channel, i, some_timeout(&p->random));
        if (status != NP_ERR_WOULD_BLOCK && status != NP_ERR_TIMEOUT)
            return status;
        if (now == TRYING)
            sched_yield();
    }
}

static np_status receive_somehow(party *p, item *i)
{
    np_channel *channel = p->trial->channel;
    mixture how = p->trial->mixture;
    for (;;) {
        mixture now = how == MIXED ? (mixture)npi_random_below(&p->random, MIXED) : how;
        np_status status;
        if (now == WAITING)
            return np_channel_receive(channel, i);
        if (now == TRYING)
            status = np_channel_try_receive(channel, i);
        else
            status = np_channel_receive_for(channel, i, some_timeout(&p->random));
        if (status != NP_ERR_WOULD_BLOCK && status != NP_ERR_TIMEOUT)
            return status;
        if (now == TRYING)
            sched_yield();
    }
}

static void sender(void *argument)
{
    party *p = argument;
    trial *t = p->trial;
    for (uint32_t number = 0; number < ITEMS; number++) {
        uint32_t *payload = &t->payload[p->index][number];
        item i = {.sender = p->index, .number = number, .payload = payload};
        memset(i.rest, (int)(number % 251), sizeof i.rest);
        *payload = number + 1;
        if (p->index == 0 && number == t->close_at)
            CHECK_OK(np_channel_close(t->channel));
        np_status status = send_somehow(p, &i);
        if (status != NP_OK) {
            CHECK(status == NP_ERR_CLOSED && t->close_at < ITEMS, "%s", np_error_detail());
            break;
        }
        t->accepted[p->index]++;
    }
    CHECK_OK(np_channel_remove_sender(t->channel));
}

static void receiver(void *argument)
{
    party *p = argument;
    trial *t = p->trial;
    int64_t last[THREADS_MOST];
    for (uint32_t s = 0; s < t->senders; s++)
        last[s] = -1;
    item i;
    np_status status;
    while ((status = receive_somehow(p, &i)) == NP_OK) {
        CHECK(i.sender < t->senders && i.number < ITEMS, "sender %u number %u", i.sender, i.number);
        CHECK((int64_t)i.number > last[i.sender], "sender %u: %u after %lld", i.sender, i.number,
              (long long)last[i.sender]);
        last[i.sender] = i.number;
        CHECK(i.payload == &t->payload[i.sender][i.number], "sender %u number %u", i.sender,
              i.number);
        for (size_t k = 0; k < sizeof i.rest; k++)
            CHECK(i.rest[k] == i.number % 251, "sender %u number %u", i.sender, i.number);
        /* Its number plus one before; zero afterwards: received twice it would be found. */
        CHECK(*i.payload == i.number + 1, "sender %u number %u: %u", i.sender, i.number,
              *i.payload);
        *i.payload = 0;
    }
    CHECK(status == NP_ERR_CLOSED, "%s", np_error_detail());
}

static void run_trial(trial *t, npi_random *random, uint32_t senders, uint32_t receivers,
                      size_t capacity, mixture how, uint32_t close_at)
{
    memset(t, 0, sizeof *t);
    t->channel = new_channel(sizeof(item), capacity, senders);
    t->senders = senders;
    t->receivers = receivers;
    t->mixture = how;
    t->close_at = close_at;
    party parties[2 * THREADS_MOST];
    uint32_t count = senders + receivers;
    for (uint32_t k = 0; k < count; k++) {
        parties[k].trial = t;
        parties[k].index = k < senders ? k : k - senders;
        npi_random_seed(&parties[k].random, npi_random_next(random));
        start(&parties[k].thread, k < senders ? sender : receiver, &parties[k]);
    }
    for (uint32_t k = 0; k < count; k++)
        join(&parties[k].thread);
    for (uint32_t s = 0; s < senders; s++) {
        CHECK(close_at < ITEMS || t->accepted[s] == ITEMS, "sender %u: %u", s, t->accepted[s]);
        /* Accepted: received, hence zero. Refused, only the next one: as the sender left it. */
        for (uint32_t k = 0; k < t->accepted[s]; k++)
            CHECK(t->payload[s][k] == 0, "sender %u: item %u was lost", s, k);
        if (t->accepted[s] < ITEMS)
            CHECK(t->payload[s][t->accepted[s]] == t->accepted[s] + 1,
                  "sender %u: item %u was refused and delivered", s, t->accepted[s]);
    }
    CHECK(np_channel_length(t->channel) == 0, "%zu", np_channel_length(t->channel));
    CHECK(np_channel_senders(t->channel) == 0, "%u", np_channel_senders(t->channel));
    np_channel_destroy(t->channel);
    CHECK(npi_load_relaxed(&live_bytes) == 0, "%llu bytes leaked",
          (unsigned long long)npi_load_relaxed(&live_bytes));
}

int main(void)
{
    begin();
    npi_random random;
    npi_random_seed(&random, seed);
    static trial t;
    static const uint32_t crowds[][2] = {{1, 1}, {2, 1}, {1, 2}, {3, 3}, {6, 2}, {2, 6}};
    static const size_t capacities[] = {0, 1, 2, 7, 256};
    for (size_t c = 0; c < sizeof crowds / sizeof *crowds; c++)
        for (size_t k = 0; k < sizeof capacities / sizeof *capacities; k++) {
            /* All mixtures come up over the crowds and capacities; every combination would take
             * minutes. */
            mixture how = (mixture)((c + k) % MIXTURES);
            run_trial(&t, &random, crowds[c][0], crowds[c][1], capacities[k], how, ITEMS);
            run_trial(&t, &random, crowds[c][0], crowds[c][1], capacities[k],
                      (mixture)npi_random_below(&random, MIXTURES),
                      npi_random_below(&random, ITEMS));
        }
    printf("passed\n");
    return 0;
}
