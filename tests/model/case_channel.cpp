/*
 * model/case_channel.cpp - channels: senders, receivers and a closer, who meet in a lock, a queue
 * and lists of waiting calls; and a ring that one sender and one receiver use without the lock.
 * Every item arrives once, whoever can go on is woken or readied, nothing follows the end, and
 * neither a waiter's record nor the channel is touched any more by whoever has told the other so.
 */
#include <numaperf/channel.h>

#include "model/runner.h"
#include "parallel/channel.h"

namespace
{

struct with_channel {
    static constexpr bool fences = false;
    np_channel *channel;
    np_plain(int) written[4];
    int received[4] = {};

    void make(size_t capacity, bool ring = false)
    {
        np_channel_options options = {};
        options.single_sender = options.single_receiver = ring;
        options.size = sizeof options;
        options.item_size = sizeof(int);
        options.capacity = capacity;
        options.senders = 1;
        MODEL_CHECK(np_channel_create(&options, &channel) == NP_OK);
    }
    void before()
    {
        make(1);
    }
    np_status send(int number)
    {
        npi_plain_set(&written[number], number + 100);
        return np_channel_send(channel, &number);
    }
    np_status got(int number)
    {
        MODEL_CHECK(number >= 1 && number < 4);
        MODEL_CHECK(npi_plain_get(&written[number]) == number + 100);
        received[number]++;
        return NP_OK;
    }
    np_status receive()
    {
        int number = 0;
        np_status status = np_channel_receive(channel, &number);
        return status == NP_OK ? got(number) : status;
    }
    void all_received(int count)
    {
        for (int i = 1; i < 4; i++)
            MODEL_CHECK(received[i] == (i <= count ? 1 : 0));
    }
};

/* One item; the receiver may destroy the channel, though the send has not returned. */
struct one_item : with_channel {
    static constexpr const char *name = "channel.one_item";
    static constexpr int threads = 2, bound = 5, soak_bound = np_model::FULL;
    void thread(unsigned index)
    {
        np_model::set_identity(NULL, index);
        if (index == 0) {
            MODEL_CHECK(send(1) == NP_OK);
        } else {
            MODEL_CHECK(receive() == NP_OK);
            np_channel_destroy(channel);
        }
    }
    void after()
    {
        all_received(1);
    }
};

/* The second send has to wait for room, and is served by the receiver. */
struct two_items : with_channel {
    static constexpr const char *name = "channel.two_items";
    static constexpr int threads = 2, bound = 3, soak_bound = 5;
    void thread(unsigned index)
    {
        np_model::set_identity(NULL, index);
        for (int i = 1; i <= 2; i++)
            MODEL_CHECK((index == 0 ? send(i) : receive()) == NP_OK);
    }
    void after()
    {
        all_received(2);
    }
};

/* The sender closes behind its item: the receiver gets the item and then the end. */
struct close_behind : with_channel {
    static constexpr const char *name = "channel.close_behind";
    static constexpr int threads = 2, bound = 3, soak_bound = 5;
    void thread(unsigned index)
    {
        np_model::set_identity(NULL, index);
        if (index == 0) {
            MODEL_CHECK(send(1) == NP_OK);
            MODEL_CHECK(np_channel_remove_sender(channel) == NP_OK);
        } else {
            MODEL_CHECK(receive() == NP_OK);
            MODEL_CHECK(receive() == NP_ERR_CLOSED);
        }
    }
    void after()
    {
        all_received(1);
    }
};

/* A receiver's time passes while the item comes: it gets it, or it stays for the next one. */
struct deadline : with_channel {
    static constexpr const char *name = "channel.deadline";
    static constexpr int threads = 2, bound = 3, soak_bound = 5;
    void thread(unsigned index)
    {
        np_model::set_identity(NULL, index);
        if (index == 0) {
            MODEL_CHECK(send(1) == NP_OK);
            return;
        }
        int number = 0;
        np_status status = np_channel_receive_for(channel, &number, 5);
        if (status == NP_OK)
            got(number);
        else
            MODEL_CHECK(status == NP_ERR_TIMEOUT);
    }
    void after()
    {
        int number;
        if (np_channel_try_receive(channel, &number) == NP_OK)
            got(number);
        all_received(1);
    }
};

/* Two receivers, two items, one sender. */
struct two_receivers : with_channel {
    static constexpr const char *name = "channel.two_receivers";
    static constexpr int threads = 3, bound = 2, soak_bound = 3;
    void thread(unsigned index)
    {
        np_model::set_identity(NULL, index);
        if (index == 0) {
            MODEL_CHECK(send(1) == NP_OK);
            MODEL_CHECK(send(2) == NP_OK);
        } else {
            MODEL_CHECK(receive() == NP_OK);
        }
    }
    void after()
    {
        all_received(2);
    }
};

/* Each item readies one who asked for it, whoever comes first. */
struct arm : with_channel {
    static constexpr const char *name = "channel.arm";
    static constexpr int threads = 2, bound = np_model::FULL;
    void before()
    {
        make(1);
        np_model::eventfd_signals = 0;
    }
    void thread(unsigned index)
    {
        np_model::set_identity(NULL, index);
        if (index == 0)
            MODEL_CHECK(send(1) == NP_OK);
        else
            MODEL_CHECK(np_channel_notify_readable(channel, 3) == NP_OK);
    }
    void after()
    {
        MODEL_CHECK(np_model::eventfd_signals == 1);
        MODEL_CHECK(receive() == NP_OK);
    }
};

/* A sender of two in a channel for one: its second item is put by the receiver. */
struct many : with_channel {
    static constexpr const char *name = "channel.many";
    static constexpr int threads = 2, bound = 3, soak_bound = 5;
    void thread(unsigned index)
    {
        np_model::set_identity(NULL, index);
        size_t moved;
        if (index == 0) {
            int numbers[2] = {1, 2};
            for (int number : numbers)
                npi_plain_set(&written[number], number + 100);
            MODEL_CHECK(np_channel_send_many(channel, numbers, 2, &moved) == NP_OK && moved == 2);
            return;
        }
        for (int next = 1; next <= 2;) {
            int numbers[2];
            MODEL_CHECK(np_channel_receive_many(channel, numbers, 2, &moved) == NP_OK);
            for (size_t i = 0; i < moved; i++)
                MODEL_CHECK(numbers[i] == next++ && got(numbers[i]) == NP_OK);
        }
    }
    void after()
    {
        all_received(2);
    }
};

/* --- the ring --------------------------------------------------------------------------------- */

struct with_ring : with_channel {
    static constexpr bool fences = true;
    void make_ring(size_t capacity)
    {
        make(capacity, true);
        /* The positions wrap while the case runs. */
        npi_ring *ring = channel->ring;
        npi_atomic_init(&ring->tail, SIZE_MAX);
        npi_atomic_init(&ring->head, SIZE_MAX);
        npi_plain_set(&ring->seen_tail, SIZE_MAX);
        npi_plain_set(&ring->seen_head, SIZE_MAX);
    }
    void before()
    {
        make_ring(1);
    }
};

/* The receiver knows that this is the last item and destroys, though the send has not returned. */
struct ring_one_item : with_ring {
    static constexpr const char *name = "ring.one_item";
    static constexpr int threads = 2, bound = 3, soak_bound = 5;
    void thread(unsigned index)
    {
        np_model::set_identity(NULL, index);
        if (index == 0) {
            MODEL_CHECK(send(1) == NP_OK);
        } else {
            MODEL_CHECK(receive() == NP_OK);
            np_channel_destroy(channel);
        }
    }
    void after()
    {
        all_received(1);
    }
};

/* Both have to wait for each other. */
struct ring_two_items : with_ring {
    static constexpr const char *name = "ring.two_items";
    static constexpr int threads = 2, bound = 2, soak_bound = 4;
    void thread(unsigned index)
    {
        np_model::set_identity(NULL, index);
        for (int i = 1; i <= 2; i++)
            MODEL_CHECK((index == 0 ? send(i) : receive()) == NP_OK);
    }
    void after()
    {
        all_received(2);
    }
};

/* The last sender leaves behind its item: the receiver gets both and destroys at once. */
struct ring_close_behind : with_ring {
    static constexpr const char *name = "ring.close_behind";
    static constexpr int threads = 2, bound = 2, soak_bound = 4;
    void thread(unsigned index)
    {
        np_model::set_identity(NULL, index);
        if (index == 0) {
            MODEL_CHECK(send(1) == NP_OK);
            MODEL_CHECK(np_channel_remove_sender(channel) == NP_OK);
        } else {
            MODEL_CHECK(receive() == NP_OK);
            MODEL_CHECK(receive() == NP_ERR_CLOSED);
            np_channel_destroy(channel);
        }
    }
    void after()
    {
        all_received(1);
    }
};

/* A close beside a send: the item is inside before the end, or it is refused. */
struct ring_close_beside : with_ring {
    static constexpr const char *name = "ring.close_beside";
    static constexpr int threads = 2, bound = 4, soak_bound = 6;
    np_status outcome;
    void thread(unsigned index)
    {
        np_model::set_identity(NULL, index);
        if (index == 0) {
            outcome = send(1);
            MODEL_CHECK(outcome == NP_OK || outcome == NP_ERR_CLOSED);
            return;
        }
        MODEL_CHECK(np_channel_close(channel) == NP_OK);
        int number = 0;
        np_status status = np_channel_try_receive(channel, &number);
        if (status == NP_OK) {
            got(number);
            status = np_channel_try_receive(channel, &number);
        }
        MODEL_CHECK(status == NP_ERR_CLOSED);
    }
    void after()
    {
        all_received(outcome == NP_OK ? 1 : 0);
    }
};

/* The receiver's time passes while the item comes. */
struct ring_deadline : with_ring {
    static constexpr const char *name = "ring.deadline";
    static constexpr int threads = 2, bound = 3, soak_bound = 5;
    void thread(unsigned index)
    {
        np_model::set_identity(NULL, index);
        if (index == 0) {
            MODEL_CHECK(send(1) == NP_OK);
            return;
        }
        int number = 0;
        np_status status = np_channel_receive_for(channel, &number, 5);
        if (status == NP_OK)
            got(number);
        else
            MODEL_CHECK(status == NP_ERR_TIMEOUT);
    }
    void after()
    {
        int number;
        if (np_channel_try_receive(channel, &number) == NP_OK)
            got(number);
        all_received(1);
    }
};

/* Arming for reading beside the send that makes it ready. */
struct ring_arm : with_ring {
    static constexpr const char *name = "ring.arm";
    static constexpr int threads = 2, bound = 3, soak_bound = 5;
    void before()
    {
        make_ring(2);
        np_model::eventfd_signals = 0;
    }
    void thread(unsigned index)
    {
        np_model::set_identity(NULL, index);
        if (index == 0)
            MODEL_CHECK(send(1) == NP_OK);
        else
            MODEL_CHECK(np_channel_notify_readable(channel, 3) == NP_OK);
    }
    void after()
    {
        MODEL_CHECK(np_model::eventfd_signals == 1);
    }
};

/* Arming for writing, on a full ring, beside the receive. */
struct ring_arm_full : with_ring {
    static constexpr const char *name = "ring.arm_full";
    static constexpr int threads = 2, bound = 3, soak_bound = 5;
    void before()
    {
        make_ring(1);
        np_model::eventfd_signals = 0;
        MODEL_CHECK(send(1) == NP_OK);
    }
    void thread(unsigned index)
    {
        np_model::set_identity(NULL, index);
        if (index == 0)
            MODEL_CHECK(receive() == NP_OK);
        else
            MODEL_CHECK(np_channel_notify_writable(channel, 3) == NP_OK);
    }
    void after()
    {
        MODEL_CHECK(np_model::eventfd_signals == 1);
    }
};

} // namespace

int main(int argc, char **argv)
{
    return np_model::main_of<one_item, two_items, close_behind, deadline, two_receivers, arm, many,
                             ring_one_item, ring_two_items, ring_close_behind, ring_close_beside,
                             ring_deadline, ring_arm, ring_arm_full>(argc, argv);
}
