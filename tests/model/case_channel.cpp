/*
 * model/case_channel.cpp - channels: senders, receivers and a closer, who meet in a lock, a queue
 * and lists of waiting calls. Every item arrives once, whoever can go on is woken, and a waiter's
 * record is left alone once it has been told.
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

    void make(size_t capacity)
    {
        np_channel_options options = {};
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

} // namespace

int main(int argc, char **argv)
{
    return np_model::main_of<one_item, two_items, close_behind, deadline, two_receivers>(argc,
                                                                                         argv);
}
