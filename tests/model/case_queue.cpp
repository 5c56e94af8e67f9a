/*
 * model/case_queue.cpp - the queue of tasks: one producer, several consumers. Every task is taken
 * once, in order, and its consumer sees what the producer wrote before it put it. A segment has two
 * cells here and the directory eight entries, so that segments change hands all the time.
 */
#include "model/runner.h"
#include "sync/queue.h"

namespace
{

void run(void *) {}

constexpr unsigned tasks = 20;

struct with_queue {
    static constexpr int threads = 2, bound = np_model::FULL;
    static constexpr bool fences = false;
    static constexpr uint64_t first = 0;

    npi_arena *arena;
    npi_segment_pool *pool;
    npi_queue *queue;
    np_plain(uintptr_t) written[tasks];
    unsigned taken[tasks] = {};

    void make(uint64_t first)
    {
        arena = np_model::make<npi_arena>();
        pool = np_model::make<npi_segment_pool>();
        queue = np_model::make<npi_queue>();
        npi_segment_pool_init(pool, arena, NPI_SEGMENT_BYTES);
        npi_queue_init(queue, arena, pool, first);
    }
    void before()
    {
        make(0);
    }
    bool put(uintptr_t number, bool wide = false)
    {
        npi_task task = {};
        task.fn = run;
        task.meta = npi_meta(0, NP_AFFINITY_PREFERRED, wide ? NP_ARGUMENT_COPY_MAX : 0);
        task.argument = (void *)number;
        if (wide)
            for (uintptr_t i = 0; i < NP_ARGUMENT_COPY_MAX / 8; i++)
                task.copy[i] = number + i;
        npi_plain_set(&written[number], number + 100);
        return npi_queue_put_one(queue, &task);
    }
    /* 0: it was empty. */
    uintptr_t take()
    {
        npi_task task = {};
        if (!npi_queue_take(queue, &task))
            return 0;
        bool wide = npi_meta_bytes(task.meta) != 0;
        uintptr_t number = wide ? task.copy[0] : (uintptr_t)task.argument;
        MODEL_CHECK(number >= 1 && number < tasks && task.fn == run);
        for (uintptr_t i = 0; wide && i < NP_ARGUMENT_COPY_MAX / 8; i++)
            MODEL_CHECK(task.copy[i] == number + i);
        MODEL_CHECK(npi_plain_get(&written[number]) == number + 100);
        taken[number]++;
        return number;
    }
    /* The rest is taken, in order. */
    void all_taken(unsigned count)
    {
        uintptr_t last = 0;
        for (uintptr_t number = take(); number != 0; number = take()) {
            MODEL_CHECK(number > last);
            last = number;
        }
        for (unsigned i = 1; i < tasks; i++)
            MODEL_CHECK(taken[i] == (i <= count ? 1 : 0));
        MODEL_CHECK(npi_queue_is_empty(queue) && npi_queue_depth(queue) == 0);
        MODEL_CHECK(npi_queue_accepted(queue) == count);
    }
};

/* One puts, one takes. */
struct put_take : with_queue {
    static constexpr const char *name = "queue.put_take";
    void thread(unsigned index)
    {
        if (index == 0) {
            MODEL_CHECK(put(1) && put(2));
        } else {
            uintptr_t one = take(), two = take();
            MODEL_CHECK(two == 0 ? one != 2 : two > one);
        }
    }
    void after()
    {
        all_taken(2);
    }
};

/* Whoever sees that a task has been taken, and so has ended, sees it accepted: executor/idle.c. */
struct accepted_first : with_queue {
    static constexpr const char *name = "queue.accepted_first";
    np_atomic(uint64_t) ended;
    void thread(unsigned index)
    {
        if (index == 0) {
            MODEL_CHECK(put(1));
            if (take() != 0)
                npi_store_release(&ended, 1);
        } else {
            uint64_t seen = npi_load_acquire(&ended);
            MODEL_CHECK(npi_queue_accepted(queue) >= seen);
        }
    }
    void after()
    {
        all_taken(1);
    }
};

/* Two consumers of two tasks: the second look of each goes past the other one's claim. */
struct two_consumers : with_queue {
    static constexpr const char *name = "queue.two_consumers";
    void before()
    {
        make(0);
        MODEL_CHECK(put(1) && put(2));
    }
    void thread(unsigned)
    {
        if (take() == 1)
            (void)take();
    }
    void after()
    {
        all_taken(2);
    }
};

/* A consumer that has read a cell finds its segment finished, recycled and filled anew. */
struct late_read : with_queue {
    static constexpr const char *name = "queue.late_read";
    static constexpr int bound = 3, soak_bound = 5;
    void before()
    {
        make(0);
        MODEL_CHECK(put(1) && put(2));
    }
    void thread(unsigned index)
    {
        if (index == 1) {
            (void)take();
            return;
        }
        (void)take();
        (void)take();
        MODEL_CHECK(put(3) && put(4));
    }
    void after()
    {
        all_taken(4);
    }
};

/* The same with tasks of two cells, and padding where they do not fit. */
struct late_read_wide : with_queue {
    static constexpr const char *name = "queue.late_read_wide";
    static constexpr int bound = 2, soak_bound = 3;
    void before()
    {
        make(0);
        MODEL_CHECK(put(1) && put(2, true));
    }
    void thread(unsigned index)
    {
        if (index == 1) {
            (void)take();
            (void)take();
            return;
        }
        (void)take();
        MODEL_CHECK(put(3) && put(4, true) && put(5));
    }
    void after()
    {
        all_taken(5);
    }
};

/* Cell numbers and the segments' numbers pass through their largest value. */
struct wrap_around : with_queue {
    static constexpr const char *name = "queue.wrap_around";
    static constexpr int bound = 3, soak_bound = 6;
    void before()
    {
        make((uint64_t)0 - NPI_SEGMENT_CELLS);
        MODEL_CHECK(put(1));
    }
    void thread(unsigned index)
    {
        if (index == 0) {
            MODEL_CHECK(put(2) && put(3));
        } else {
            (void)take();
            (void)take();
            (void)take();
        }
    }
    void after()
    {
        all_taken(3);
    }
};

/* All numbers are in use: a put fails, and nothing that is claimable is overwritten. */
struct out_of_numbers : with_queue {
    static constexpr const char *name = "queue.out_of_numbers";
    static constexpr int bound = 3, soak_bound = 5;
    unsigned accepted = (unsigned)NPI_QUEUE_CELLS_MAX;
    void before()
    {
        make(0);
        for (unsigned i = 1; i <= NPI_QUEUE_CELLS_MAX; i++)
            MODEL_CHECK(put(i));
    }
    void thread(unsigned index)
    {
        if (index == 0) {
            if (put(accepted + 1))
                accepted++;
        } else {
            (void)take();
            (void)take();
            (void)take();
        }
    }
    void after()
    {
        all_taken(accepted);
    }
};

/* A producer and two consumers, over the end of a segment. */
struct three : with_queue {
    static constexpr const char *name = "queue.three";
    static constexpr int threads = 3, bound = 2, soak_bound = 4;
    void before()
    {
        make(0);
        MODEL_CHECK(put(1));
    }
    void thread(unsigned index)
    {
        if (index == 0) {
            MODEL_CHECK(put(2) && put(3));
        } else {
            (void)take();
            (void)take();
        }
    }
    void after()
    {
        all_taken(3);
    }
};

} // namespace

int main(int argc, char **argv)
{
    return np_model::main_of<put_take, accepted_first, two_consumers, late_read, late_read_wide,
                             wrap_around, out_of_numbers, three>(argc, argv);
}
