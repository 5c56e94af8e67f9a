/*
 * model/case_sleep.cpp - the lock, a worker's token, and the places of a bounded inbox: who sleeps
 * is woken, and sees what its waker did before.
 */
#include "executor/inbox.h"
#include "model/runner.h"
#include "os/lock.h"
#include "sync/wake.h"

namespace
{

/* --- the lock ---------------------------------------------------------------------------- */

struct with_lock {
    static constexpr bool fences = false;
    npi_lock lock;
    np_plain(int) counter;
    bool inside = false;

    void before() {}
    void step()
    {
        npi_lock_acquire(&lock);
        MODEL_CHECK(!inside);
        inside = true;
        npi_plain_set(&counter, npi_plain_get(&counter) + 1);
        inside = false;
        npi_lock_release(&lock);
    }
};

struct lock_two : with_lock {
    static constexpr const char *name = "lock.two";
    static constexpr int threads = 2, bound = np_model::FULL;
    void thread(unsigned)
    {
        step();
        step();
    }
    void after()
    {
        MODEL_CHECK(npi_plain_get(&counter) == 4);
    }
};

struct lock_three : with_lock {
    static constexpr const char *name = "lock.three";
    static constexpr int threads = 3, bound = 4, soak_bound = np_model::FULL;
    void thread(unsigned)
    {
        step();
    }
    void after()
    {
        MODEL_CHECK(npi_plain_get(&counter) == 3);
    }
};

struct lock_try : with_lock {
    static constexpr const char *name = "lock.try";
    static constexpr int threads = 2, bound = np_model::FULL;
    int done = 0;
    void thread(unsigned index)
    {
        if (index == 0) {
            step();
            done++;
        } else if (npi_lock_try(&lock)) {
            npi_plain_set(&counter, npi_plain_get(&counter) + 1);
            npi_lock_release(&lock);
            done++;
        }
    }
    void after()
    {
        MODEL_CHECK(npi_plain_get(&counter) == done);
    }
};

/* --- a token ----------------------------------------------------------------------------- */

struct token_given {
    static constexpr const char *name = "token.given";
    static constexpr int threads = 2, bound = np_model::FULL;
    static constexpr bool fences = false;
    npi_token token;
    np_plain(int) written;
    void before() {}
    void thread(unsigned index)
    {
        if (index == 0) {
            npi_plain_set(&written, 1);
            npi_token_give(&token);
        } else {
            MODEL_CHECK(npi_token_wait(&token, NPI_NO_DEADLINE));
            MODEL_CHECK(npi_plain_get(&written) == 1);
        }
    }
    void after()
    {
        MODEL_CHECK(npi_load_relaxed(&token.state) == NPI_TOKEN_NONE);
    }
};

/* Taken or timed out: in both cases nothing is left over but what the waiter was not told. */
struct token_deadline {
    static constexpr const char *name = "token.deadline";
    static constexpr int threads = 2, bound = np_model::FULL;
    static constexpr bool fences = false;
    npi_token token;
    np_plain(int) written;
    bool told = false;
    void before() {}
    void thread(unsigned index)
    {
        if (index == 0) {
            npi_plain_set(&written, 1);
            npi_token_give(&token);
        } else {
            told = npi_token_wait(&token, npi_os_deadline(5));
            if (told)
                MODEL_CHECK(npi_plain_get(&written) == 1);
        }
    }
    void after()
    {
        MODEL_CHECK((npi_load_relaxed(&token.state) == NPI_TOKEN_GIVEN) == !told);
    }
};

/* Two givers, one after the other's sleep or before: each wait ends, and the last one sees both. */
struct token_twice {
    static constexpr const char *name = "token.twice";
    static constexpr int threads = 3, bound = 4, soak_bound = np_model::FULL;
    static constexpr bool fences = false;
    npi_token token;
    np_atomic(uint32_t) flags;
    void before() {}
    void thread(unsigned index)
    {
        if (index != 2) {
            npi_fetch_or_relaxed(&flags, 1u << index);
            npi_token_give(&token);
            return;
        }
        while (npi_load_relaxed(&flags) != 3)
            (void)npi_token_wait(&token, NPI_NO_DEADLINE);
    }
    void after() {}
};

/* The giver's last access is the mark: the token may be gone when the wake comes. */
struct token_vanishes {
    static constexpr const char *name = "token.vanishes";
    static constexpr int threads = 2, bound = np_model::FULL;
    static constexpr bool fences = false;
    np_atomic(npi_token *) shown;
    void before() {}
    void thread(unsigned index)
    {
        if (index == 0) {
            npi_token token;
            npi_store_release(&shown, &token);
            (void)npi_token_wait(&token, NPI_NO_DEADLINE);
            npi_store_release(&shown, (npi_token *)NULL);
        } else {
            npi_token *token;
            while ((token = npi_load_acquire(&shown)) == NULL)
                npi_cpu_relax();
            npi_token_give(token);
        }
    }
    void after() {}
};

/* --- a bounded inbox --------------------------------------------------------------------- */

struct with_room {
    static constexpr bool fences = false;
    npi_inbox *inbox;
    np_atomic(uint32_t) closed;
    void before()
    {
        inbox = np_model::make<npi_inbox>();
        npi_inbox_init(inbox, NULL, NULL, 1);
        MODEL_CHECK(npi_room_try(inbox, 5) == 1);
    }
    uint32_t queued()
    {
        return npi_load_relaxed(&inbox->room.queued);
    }
};

/* A place becomes free while somebody sets out to wait for it. */
struct room_leave : with_room {
    static constexpr const char *name = "room.leave";
    static constexpr int threads = 2, bound = np_model::FULL;
    void thread(unsigned index)
    {
        if (index == 0)
            npi_room_leave(inbox, 1);
        else
            MODEL_CHECK(npi_room_wait(inbox, 1, &closed) == 1);
    }
    void after()
    {
        MODEL_CHECK(queued() == 1 && npi_load_relaxed(&inbox->room.waiting) == 0);
    }
};

/* Two wait; each gets the place once the other has left it. */
struct room_two : with_room {
    static constexpr const char *name = "room.two";
    static constexpr int threads = 3, bound = 2, soak_bound = 3;
    void thread(unsigned index)
    {
        if (index != 0)
            MODEL_CHECK(npi_room_wait(inbox, 1, &closed) == 1);
        npi_room_leave(inbox, 1);
    }
    void after()
    {
        MODEL_CHECK(queued() == 0);
    }
};

/* Shutdown while somebody waits. */
struct room_close : with_room {
    static constexpr const char *name = "room.close";
    static constexpr int threads = 2, bound = np_model::FULL;
    void thread(unsigned index)
    {
        if (index == 0) {
            npi_store_release(&closed, 1u);
            npi_room_close(inbox);
        } else {
            MODEL_CHECK(npi_room_wait(inbox, 1, &closed) == 0);
        }
    }
    void after()
    {
        MODEL_CHECK(queued() == 1);
    }
};

} // namespace

int main(int argc, char **argv)
{
    return np_model::main_of<lock_two, lock_three, lock_try, token_given, token_deadline,
                             token_twice, token_vanishes, room_leave, room_two, room_close>(argc,
                                                                                            argv);
}
