/*
 * Our bounded channel between plain threads, with the calls that wait. The promises of a single
 * sender and a single receiver are made where they hold, unless ring=no.
 */
#include "channel.h"
#include "numaperf.h"

#include <numaperf/channel.h>

typedef struct measured {
    bench_channel b;
    np_channel *channel;
} measured;

static void send_each(void *context, uint64_t first, uint64_t count)
{
    measured *self = context;
    for (uint64_t end = first + count; first < end; first++)
        expect_ok(np_channel_send(self->channel, &first), "np_channel_send");
}

static uint64_t receive_each(void *context, uint64_t count)
{
    measured *self = context;
    uint64_t sum = 0, item = 0;
    while (count-- > 0) {
        expect_ok(np_channel_receive(self->channel, &item), "np_channel_receive");
        sum += item;
    }
    return sum;
}

static void send_batches(void *context, uint64_t first, uint64_t count)
{
    measured *self = context;
    uint64_t items[BENCH_CHANNEL_BATCH_MAX];
    for (size_t some, sent; count > 0; count -= some) {
        some = count < self->b.batch ? (size_t)count : self->b.batch;
        for (size_t i = 0; i < some; i++)
            items[i] = first++;
        expect_ok(np_channel_send_many(self->channel, items, some, &sent), "np_channel_send_many");
    }
}

static uint64_t receive_batches(void *context, uint64_t count)
{
    measured *self = context;
    uint64_t items[BENCH_CHANNEL_BATCH_MAX], sum = 0;
    for (size_t some, got; count > 0; count -= got) {
        some = count < self->b.batch ? (size_t)count : self->b.batch;
        expect_ok(np_channel_receive_many(self->channel, items, some, &got),
                  "np_channel_receive_many");
        for (size_t i = 0; i < got; i++)
            sum += items[i];
    }
    return sum;
}

void numaperf_channel(bench_args *args)
{
    static measured self;
    bench_channel_choose(&self.b, args);
    np_channel_options options = {.size = sizeof options};
    options.item_size = sizeof(uint64_t);
    options.capacity = self.b.capacity;
    options.senders = self.b.pairs;
    options.single_sender = options.single_receiver = bench_is(args, "ring", "yes", "no", "yes") &&
                                                      self.b.pairs == 1;
    expect_ok(np_channel_create(&options, &self.channel), "np_channel_create");
    self.b.send = self.b.batch > 1 ? send_batches : send_each;
    self.b.receive = self.b.batch > 1 ? receive_batches : receive_each;
    self.b.context = &self;
    bench_channel_run(&self.b, args);
    np_channel_destroy(self.channel);
}
