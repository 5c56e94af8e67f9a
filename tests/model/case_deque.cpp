/*
 * model/case_deque.cpp - the fork deque: the owner against thieves. Each child is taken exactly
 * once, with what its owner wrote into it, and the owner gets what its thief left there.
 */
#include "model/runner.h"
#include "sync/deque.h"

namespace
{

void nothing(void *) {}

constexpr unsigned children = 8;

/* Children have their number, from 1 on, as argument; their thief adds 100. */
struct with_deque {
    static constexpr int threads = 2, bound = np_model::FULL;
    static constexpr bool fences = false;

    npi_deque *deque;
    unsigned taken[children] = {};

    void before()
    {
        deque = np_model::make<npi_deque>();
        auto *slots = (npi_child *)np_model::allocate(NPI_DEQUE_CAPACITY * sizeof(npi_child));
        npi_deque_init(deque, slots);
    }
    void push(uintptr_t number)
    {
        MODEL_CHECK(npi_deque_push(deque, NULL, nothing, number));
    }
    void publish(unsigned count)
    {
        MODEL_CHECK(npi_deque_publish(deque, count) == count);
    }
    void wait_for_thief(uintptr_t number)
    {
        npi_child *slot = deque->head - 1;
        while (npi_load_acquire(&slot->state) != NPI_CHILD_DONE)
            npi_cpu_relax();
        MODEL_CHECK(npi_plain_get(&slot->argument) == number + 100);
        npi_deque_forget(deque);
    }
    /* The owner joins its youngest child. */
    void pop(uintptr_t number)
    {
        npi_child *child = npi_deque_pop(deque);
        if (child == NULL) {
            wait_for_thief(number);
            return;
        }
        MODEL_CHECK(npi_plain_get(&child->argument) == number);
        taken[number]++;
    }
    uintptr_t steal(bool home = true)
    {
        bool again;
        npi_child *child = npi_deque_steal(deque, home, &again);
        if (child == NULL)
            return 0;
        uintptr_t number = npi_plain_get(&child->argument);
        MODEL_CHECK(number >= 1 && number < children);
        MODEL_CHECK(npi_plain_get(&child->plain) == nothing);
        taken[number]++;
        npi_plain_set(&child->argument, number + 100);
        npi_store_release(&child->state, (uint32_t)NPI_CHILD_DONE);
        return number;
    }
    void all_taken(unsigned count)
    {
        for (unsigned i = 1; i < children; i++)
            MODEL_CHECK(taken[i] == (i <= count ? 1 : 0));
        MODEL_CHECK(npi_deque_is_empty(deque));
        uint64_t shared = npi_load_relaxed(&deque->shared);
        MODEL_CHECK(npi_shared_tail(shared) == 0 && npi_shared_split(shared) == 0);
    }
};

/* Owner and thief both want the only child. */
struct last_one : with_deque {
    static constexpr const char *name = "deque.last_one";
    void thread(unsigned index)
    {
        if (index == 0) {
            push(1);
            publish(1);
            pop(1);
        } else {
            (void)steal();
        }
    }
    void after()
    {
        all_taken(1);
    }
};

/* Two shared, two thefts: the owner takes one back (split moves), or none, or both. */
struct take_back : with_deque {
    static constexpr const char *name = "deque.take_back";
    void thread(unsigned index)
    {
        if (index == 0) {
            push(1);
            push(2);
            publish(2);
            pop(2);
            pop(1);
        } else {
            (void)steal();
            (void)steal();
        }
    }
    void after()
    {
        all_taken(2);
    }
};

/* The owner shares more while a thief takes what is there: the swap in publish meets the thief's.
 */
struct share_more : with_deque {
    static constexpr const char *name = "deque.share_more";
    void thread(unsigned index)
    {
        if (index == 0) {
            push(1);
            publish(1);
            push(2);
            publish(1);
            pop(2);
            pop(1);
        } else {
            (void)steal();
            (void)steal();
        }
    }
    void after()
    {
        all_taken(2);
    }
};

/* A slot is used twice: a thief with the word of the first use must not take the second one's past
 * for granted. */
struct use_again : with_deque {
    static constexpr const char *name = "deque.use_again";
    void thread(unsigned index)
    {
        if (index == 0) {
            push(1);
            publish(1);
            pop(1);
            push(2);
            publish(1);
            pop(2);
        } else {
            (void)steal();
            (void)steal();
        }
    }
    void after()
    {
        all_taken(2);
    }
};

/* The deque is full: a further child lies on top of it, and goes first, while a thief takes the
 * oldest one. */
struct full : with_deque {
    static constexpr const char *name = "deque.full";
    void thread(unsigned index)
    {
        if (index == 0) {
            for (uintptr_t i = 1; i <= NPI_DEQUE_CAPACITY; i++)
                push(i);
            publish(2);
            MODEL_CHECK(!npi_deque_push(deque, NULL, nothing, 99));
            npi_deque_set_overflow(deque, 1);
            MODEL_CHECK(deque->head <=
                        deque->floor); /* no join inline: it would miss the top one */
            npi_deque_set_overflow(deque, 0);
            for (uintptr_t i = NPI_DEQUE_CAPACITY; i >= 1; i--)
                pop(i);
        } else {
            (void)steal();
            (void)steal();
        }
    }
    void after()
    {
        all_taken(NPI_DEQUE_CAPACITY);
    }
};

/* A body begins on top of others' children, shared and private ones: its own joins never reach
 * below its base, not even when shared children are taken back. */
struct nested : with_deque {
    static constexpr const char *name = "deque.nested";
    void thread(unsigned index)
    {
        if (index == 0) {
            push(1);
            publish(1);
            push(2);
            npi_child *before = npi_deque_begin(deque);
            MODEL_CHECK(deque->floor >= deque->base);
            push(3);
            publish(2);
            pop(3);
            MODEL_CHECK(deque->head == deque->base && deque->floor >= deque->base);
            MODEL_CHECK(deque->split >= npi_deque_index(deque, deque->base));
            npi_deque_end(deque, before);
            pop(2);
            pop(1);
        } else {
            (void)steal();
        }
    }
    void after()
    {
        all_taken(3);
    }
};

/* A strict task's child is shared for its own node only; another node's thief may take the one from
 * before, but not while the strict task runs. */
struct strict_child : with_deque {
    static constexpr const char *name = "deque.strict_child";
    void thread(unsigned index)
    {
        if (index == 0) {
            push(1);
            publish(1);
            MODEL_CHECK(!npi_deque_set_local(deque, true));
            npi_child *before = npi_deque_begin(deque);
            push(2);
            publish(1);
            pop(2);
            MODEL_CHECK(taken[2] == 1);
            npi_deque_end(deque, before);
            MODEL_CHECK(npi_deque_set_local(deque, false));
            pop(1);
        } else {
            MODEL_CHECK(steal(false) != 2);
            MODEL_CHECK(steal(false) != 2);
        }
    }
    void after()
    {
        all_taken(2);
    }
};

/* The same with a thief of the same node, who may have both. */
struct strict_home : with_deque {
    static constexpr const char *name = "deque.strict_home";
    void thread(unsigned index)
    {
        if (index == 0) {
            (void)npi_deque_set_local(deque, true);
            push(1);
            publish(1);
            pop(1);
            (void)npi_deque_set_local(deque, false);
        } else {
            (void)steal();
        }
    }
    void after()
    {
        all_taken(1);
    }
};

/* Two thieves, of whom one asks again after it lost. */
struct two_thieves : with_deque {
    static constexpr const char *name = "deque.two_thieves";
    static constexpr int threads = 3, bound = 3;
    void thread(unsigned index)
    {
        if (index == 0) {
            push(1);
            publish(1);
            push(2);
            publish(1);
            pop(2);
            pop(1);
        } else if (steal() == 0) {
            (void)steal();
        }
    }
    void after()
    {
        all_taken(2);
    }
};

} // namespace

int main(int argc, char **argv)
{
    return np_model::main_of<last_one, take_back, share_more, use_again, full, nested, strict_child,
                             strict_home, two_thieves>(argc, argv);
}
