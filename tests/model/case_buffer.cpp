/*
 * model/case_buffer.cpp - what a buffer pool stands on: the return list, which anybody pushes to
 * and whoever takes gets whole, and the lock that is biased towards its owner.
 */
#include "model/runner.h"
#include "sync/bias.h"
#include "sync/returns.h"

namespace
{

/* --- the return list ----------------------------------------------------------------------- */

struct with_returns {
    static constexpr bool fences = false;
    struct item {
        npi_block block; /* first: a block is its item */
        np_plain(int) payload;
        int seen = 0;
    };
    npi_returns returns;
    item items[3];

    void before()
    {
        npi_returns_init(&returns);
    }
    void push(unsigned index)
    {
        npi_plain_set(&items[index].payload, (int)index + 7);
        npi_returns_push(&returns, &items[index].block);
    }
    /* Looks at all that come, and says which. */
    unsigned take()
    {
        unsigned mask = 0;
        npi_block *block = npi_returns_take(&returns);
        while (block != NULL) {
            item *i = reinterpret_cast<item *>(block);
            unsigned index = (unsigned)(i - items);
            MODEL_CHECK(index < 3 && (mask >> index & 1) == 0);
            MODEL_CHECK(npi_plain_get(&i->payload) == (int)index + 7);
            block = npi_plain_get(&block->next);
            i->seen++;
            mask |= 1u << index;
        }
        return mask;
    }
};

/* Two push, one takes while they do: each block comes once, whole. */
struct two_pushers : with_returns {
    static constexpr const char *name = "returns.two_pushers";
    static constexpr int threads = 3, bound = 3, soak_bound = np_model::FULL;
    void thread(unsigned index)
    {
        if (index < 2)
            push(index);
        else
            take();
    }
    void after()
    {
        take();
        MODEL_CHECK(items[0].seen == 1 && items[1].seen == 1 && items[2].seen == 0);
    }
};

/* The head that a push has seen is taken and comes back, on top of another one. */
struct head_again : with_returns {
    static constexpr const char *name = "returns.head_again";
    static constexpr int threads = 2, bound = 4, soak_bound = np_model::FULL;
    void before()
    {
        with_returns::before();
        push(0);
    }
    void thread(unsigned index)
    {
        if (index == 1) {
            push(2);
            return;
        }
        unsigned got = take();
        push(1);
        if ((got & 1) != 0)
            push(0);
    }
    void after()
    {
        take();
        MODEL_CHECK(items[0].seen >= 1 && items[1].seen == 1 && items[2].seen == 1);
    }
};

/* --- the biased lock ----------------------------------------------------------------------- */

struct with_bias {
    static constexpr bool fences = true;
    npi_bias bias;
    np_plain(int) counter;
    bool inside = false;

    void before()
    {
        npi_bias_init(&bias);
    }
    void work()
    {
        MODEL_CHECK(!inside);
        inside = true;
        npi_plain_set(&counter, npi_plain_get(&counter) + 1);
        inside = false;
    }
    void own()
    {
        bool quick = npi_bias_enter(&bias);
        work();
        npi_bias_leave(&bias, quick);
    }
    void other()
    {
        npi_bias_take(&bias);
        work();
        npi_bias_give(&bias);
    }
};

struct once_each : with_bias {
    static constexpr const char *name = "bias.once_each";
    static constexpr int threads = 2, bound = 4, soak_bound = np_model::FULL;
    void thread(unsigned index)
    {
        if (index == 0)
            own();
        else
            other();
    }
    void after()
    {
        MODEL_CHECK(npi_plain_get(&counter) == 2);
    }
};

/* The owner before, while and after it is revoked. */
struct owner_twice : with_bias {
    static constexpr const char *name = "bias.owner_twice";
    static constexpr int threads = 2, bound = 3, soak_bound = 5;
    void thread(unsigned index)
    {
        if (index == 0) {
            own();
            own();
        } else {
            other();
        }
    }
    void after()
    {
        MODEL_CHECK(npi_plain_get(&counter) == 3);
    }
};

/* Two others in turn: the second revokes what the first has just given back. */
struct two_others : with_bias {
    static constexpr const char *name = "bias.two_others";
    static constexpr int threads = 3, bound = 2, soak_bound = 3;
    void thread(unsigned index)
    {
        if (index == 0)
            own();
        else
            other();
    }
    void after()
    {
        MODEL_CHECK(npi_plain_get(&counter) == 3);
    }
};

} // namespace

int main(int argc, char **argv)
{
    return np_model::main_of<two_pushers, head_again, once_each, owner_twice, two_others>(argc,
                                                                                          argv);
}
