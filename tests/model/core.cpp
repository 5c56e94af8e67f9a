/*
 * model/core.cpp - the model's atomics, race-checked fields, fences, futex and memory, on Relacy's
 * engine: it keeps the old values that a load may still see, and decides who runs.
 *
 * Relacy's own rl::atomic is not used: a ticket (atomic.h) leads to a record here, so that zeroed
 * memory works and the product's names and sizes stay. Records live for one execution.
 *
 * Scheduling points. In a search of a tree there is one before each access to an address that two
 * threads touch and one of them writes, in any execution so far; the others commute with all that
 * other threads do, so that a switch before them reaches no new state. When an address turns out to
 * be shared the search begins anew. Random schedules may switch before every access.
 *
 * Fences. Sequentially consistent fences are Relacy's: each also carries the past of the earlier
 * ones, which is more than C11 gives to fields that are no atomics, so a race that only such a pair
 * of fences hides is not found. The asymmetric pair: light is nothing, heavy makes every thread
 * execute a fence.
 *
 * The futex compares with the newest value, in one step, and gives no ordering.
 */
#include "model/relacy.h"

#include "model/core.h"

#include <string.h>

namespace np_model
{

namespace
{

constexpr size_t memory_bytes = 1u << 20;
constexpr unsigned records_most = 8192;
constexpr unsigned threads_most = 4;
constexpr unsigned history = rl::atomic_history_size;

alignas(128) unsigned char memory[memory_bytes];
size_t used, used_most;

struct record {
    uint32_t *owner; /* NULL: ended */
    bool is_plain;
    unsigned bytes;
    rl::atomic_data *atomic;
    rl::var_data *var;
    uint64_t value; /* the newest */
    uint64_t values[history];
    unsigned newest;
    bool failed_once; /* a weak swap, for no reason */
};

record records[records_most];
unsigned record_count = 1;

/* Who has touched, and who has written, each word of the memory, in all executions. */
struct touch {
    uint8_t readers, writers;
    bool shared; /* as it was when the search began: within one, nothing may change */
};
touch touches[memory_bytes / 4];

bool running, every_access;
fences fence_kind;
unsigned spurious_most, spurious_left[threads_most];
void *worker_of[threads_most];
uint32_t number_of[threads_most];
uint64_t clock_ns;

struct sleeper {
    const void *word;
    unsigned thread;
};
sleeper sleepers[threads_most];
unsigned sleeper_count;

rl::debug_info where(const site &at)
{
    return rl::debug_info(at.function, at.file, at.line);
}

/* What one access looks like in the history. */
struct event {
    const char *what;
    const void *address;
    uint64_t before, after;
    const char *note;
    void output(std::ostream &out) const
    {
        out << "<" << std::hex << address << "> " << what << " " << before;
        if (after != before)
            out << " -> " << after;
        out << std::dec << note;
    }
};

void log(const site &at, const char *what, const void *address, uint64_t before, uint64_t after,
         const char *note)
{
    rl::context &c = rl::ctx();
    if (c.collecting_history())
        c.exec_log(where(at), event{what, address, before, after, note});
}

bool conflicting(const touch &t)
{
    uint8_t all = t.readers | t.writers;
    return t.writers != 0 && (all & (all - 1)) != 0;
}

bool is_scheduling_point(const uint32_t *ticket, bool writes)
{
    if (!running)
        return true;
    size_t offset = (size_t)((const unsigned char *)ticket - memory);
    if (offset >= memory_bytes)
        return true; /* on a stack, or static: taken for shared */
    touch &t = touches[offset / 4];
    uint8_t bit = (uint8_t)(1u << rl::ctx().current_thread());
    (writes ? t.writers : t.readers) |= bit;
    return t.shared || every_access;
}

/* The running fibre is again that of this thread: its thread-local state. */
void restore_identity();

void maybe_switch(const uint32_t *ticket, bool writes)
{
    if (!is_scheduling_point(ticket, writes))
        return;
    rl::ctx().sched();
    restore_identity();
}

/* An initial value has been seen by nobody and is known to all. */
template <rl::thread_id_t threads> void settle(rl::atomic_data *atomic, unsigned index)
{
    auto *impl = static_cast<rl::atomic_data_impl<threads> *>(atomic);
    for (rl::timestamp_t &seen : impl->history_[index].first_seen_order_)
        seen = (rl::timestamp_t)-1;
}

record &open_record(uint32_t *ticket, bool is_plain, unsigned bytes)
{
    rl::context &c = rl::ctx();
    if (record_count == records_most)
        fail("the model has too few records", {"", "", 0});
    record &r = records[record_count];
    r = record{};
    r.owner = ticket;
    r.is_plain = is_plain;
    r.bytes = bytes;
    if (is_plain) {
        r.var = c.var_ctor();
    } else {
        r.atomic = c.atomic_ctor(&r);
        r.newest = c.threadx_->atomic_init(r.atomic);
        switch (c.get_thread_count()) {
        case 1: settle<1>(r.atomic, r.newest); break;
        case 2: settle<2>(r.atomic, r.newest); break;
        case 3: settle<3>(r.atomic, r.newest); break;
        default: settle<4>(r.atomic, r.newest); break;
        }
    }
    *ticket = record_count++;
    return r;
}

record &find(const uint32_t *ticket, bool is_plain, unsigned bytes, const site &at)
{
    if (*ticket == 0)
        return open_record(const_cast<uint32_t *>(ticket), is_plain, bytes);
    if (*ticket >= record_count || records[*ticket].owner != ticket ||
        records[*ticket].is_plain != is_plain || records[*ticket].bytes != bytes)
        fail("access to an object that is gone", at);
    return records[*ticket];
}

void close_record(record &r)
{
    if (r.owner == nullptr)
        return;
    r.owner = nullptr;
    if (r.is_plain)
        rl::ctx().var_dtor(r.var);
    else
        rl::ctx().atomic_dtor(r.atomic);
}

} // namespace

/* --- atomics -----------------------------------------------------------------------------------
 */

uint64_t load(uint32_t *ticket, unsigned bytes, order how, const site &at)
{
    maybe_switch(ticket, false);
    record &r = find(ticket, false, bytes, at);
    rl::thread_info_base *self = rl::ctx().threadx_;
    unsigned index = how == acquire   ? self->atomic_load_acquire(r.atomic)
                     : how == seq_cst ? self->atomic_load_seq_cst(r.atomic)
                                      : self->atomic_load_relaxed(r.atomic);
    uint64_t value = r.values[index];
    log(at, how == acquire ? "load acquire" : "load relaxed", ticket, value, value,
        index != r.newest ? " (not the newest)" : "");
    return value;
}

void store(uint32_t *ticket, unsigned bytes, uint64_t value, order how, const site &at)
{
    maybe_switch(ticket, true);
    record &r = find(ticket, false, bytes, at);
    rl::thread_info_base *self = rl::ctx().threadx_;
    r.newest = how == release   ? self->atomic_store_release(r.atomic)
               : how == seq_cst ? self->atomic_store_seq_cst(r.atomic)
                                : self->atomic_store_relaxed(r.atomic);
    log(at, how == release ? "store release" : "store relaxed", ticket, r.value, value, "");
    r.value = r.values[r.newest] = value;
}

static unsigned read_modify_write(record &r, order how)
{
    rl::thread_info_base *self = rl::ctx().threadx_;
    bool aba;
    switch (how) {
    case relaxed: return self->atomic_rmw_relaxed(r.atomic, aba);
    case acquire: return self->atomic_rmw_acquire(r.atomic, aba);
    case release: return self->atomic_rmw_release(r.atomic, aba);
    case acq_rel: return self->atomic_rmw_acq_rel(r.atomic, aba);
    default: return self->atomic_rmw_seq_cst(r.atomic, aba);
    }
}

static const char *name_of(order how)
{
    static const char *const names[] = {" relaxed", " acquire", " release", " acq_rel", " seq_cst"};
    return names[how];
}

uint64_t modify(uint32_t *ticket, unsigned bytes, change what, uint64_t operand, order how,
                const site &at)
{
    maybe_switch(ticket, true);
    record &r = find(ticket, false, bytes, at);
    uint64_t before = r.value;
    uint64_t after = what == change_set    ? operand
                     : what == change_add  ? before + operand
                     : what == change_sub  ? before - operand
                     : what == change_join ? before | operand
                                           : before & operand;
    if (bytes < 8)
        after &= (UINT64_C(1) << 8 * bytes) - 1;
    r.newest = read_modify_write(r, how);
    r.value = r.values[r.newest] = after;
    log(at, "modify", ticket, before, after, name_of(how));
    return before;
}

bool swap(uint32_t *ticket, unsigned bytes, uint64_t *expected, uint64_t desired, order how,
          order on_failure, bool weak, const site &at)
{
    maybe_switch(ticket, true);
    record &r = find(ticket, false, bytes, at);
    rl::context &c = rl::ctx();
    uint64_t before = r.value;
    bool done = before == *expected;
    if (done && weak && running && !r.failed_once && c.rand(2, rl::sched_type_cas_fail) == 0) {
        r.failed_once = true;
        done = false;
    }
    if (done) {
        r.newest = read_modify_write(r, how);
        r.value = r.values[r.newest] = desired;
        log(at, "swap", ticket, before, desired, name_of(how));
        return true;
    }
    if (on_failure == acquire)
        (void)c.threadx_->atomic_load_acquire_rmw(r.atomic);
    else
        (void)c.threadx_->atomic_load_relaxed_rmw(r.atomic);
    *expected = before;
    log(at, "swap fails", ticket, before, before, name_of(how));
    return false;
}

/* --- fields that are no atomics ----------------------------------------------------------------
 */

uint64_t plain_get(const uint32_t *ticket, const site &at)
{
    record &r = find(ticket, true, 8, at);
    if (!r.var->load(*rl::ctx().threadx_))
        fail("data race: this read is not ordered after the last write", at);
    log(at, "read", ticket, r.value, r.value, "");
    return r.value;
}

void plain_set(uint32_t *ticket, uint64_t value, const site &at)
{
    record &r = find(ticket, true, 8, at);
    if (!r.var->store(*rl::ctx().threadx_))
        fail("data race: this write is not ordered after the last access", at);
    log(at, "write", ticket, r.value, value, "");
    r.value = value;
}

void ended(uint32_t *ticket)
{
    if (*ticket != 0 && rl::is_ctx() && *ticket < record_count && records[*ticket].owner == ticket)
        close_record(records[*ticket]);
    *ticket = UINT32_MAX; /* until the place is used for another one */
}

/* --- fences ------------------------------------------------------------------------------------
 */

void fence_seq_cst(const site &at)
{
    rl::ctx().atomic_thread_fence_seq_cst(); /* a scheduling point of its own */
    restore_identity();
    log(at, "fence", nullptr, 0, 0, " seq_cst");
}

void fence_light(const site &at)
{
    if (fence_kind == fences::full)
        fence_seq_cst(at);
}

void fence_heavy(const site &at)
{
    if (fence_kind == fences::full) {
        fence_seq_cst(at);
        return;
    }
    rl::ctx().sched();
    restore_identity();
    rl::ctx().rl_global_fence();
    log(at, "fence", nullptr, 0, 0, " heavy");
}

void relax(const site &at)
{
    rl::ctx().yield(1, where(at));
    restore_identity();
}

/* --- sleeping and waking -----------------------------------------------------------------------
 */

/* False: the deadline passed. (No errno here: Relacy has its own numbers.) */
bool futex_wait(uint32_t *ticket, uint32_t expected, uint64_t deadline, const site &at)
{
    rl::context &c = rl::ctx();
    c.sched();
    restore_identity();
    unsigned thread = self();
    record &r = find(ticket, false, 4, at);
    if (r.value != expected) {
        log(at, "no sleep", ticket, r.value, r.value, "");
        relax(at); /* the caller looks again: it shall not see the same old value for ever */
        return true;
    }
    if (spurious_left[thread] != 0 && c.rand(2, rl::sched_type_user) == 1) {
        spurious_left[thread]--;
        log(at, "sleep interrupted", ticket, expected, expected, "");
        relax(at);
        return true;
    }
    log(at, "sleep", ticket, expected, expected, "");
    sleepers[sleeper_count++] = sleeper{ticket, thread};
    rl::unpark_reason reason = c.park_current_thread(deadline != UINT64_MAX, false, false,
                                                     where(at));
    restore_identity();
    if (reason == rl::unpark_reason_normal)
        return true;
    unsigned kept = 0;
    for (unsigned i = 0; i < sleeper_count; i++)
        if (sleepers[i].thread != thread)
            sleepers[kept++] = sleepers[i];
    sleeper_count = kept;
    if (clock_ns < deadline)
        clock_ns = deadline;
    log(at, "time is over", ticket, expected, expected, "");
    return false;
}

void futex_wake(uint32_t *ticket, uint32_t count, const site &at)
{
    rl::context &c = rl::ctx();
    c.sched();
    restore_identity();
    for (unsigned i = 0; i < sleeper_count && count != 0;) {
        if (sleepers[i].word != ticket) {
            i++;
            continue;
        }
        unsigned thread = sleepers[i].thread;
        sleeper_count--;
        memmove(&sleepers[i], &sleepers[i + 1], (sleeper_count - i) * sizeof sleepers[0]);
        count--;
        log(at, "wakes thread", ticket, thread, thread, "");
        c.unpark_thread((rl::thread_id_t)thread, false, where(at));
    }
}

/* --- one execution ------------------------------------------------------------------------------
 */

void forget_conflicts()
{
    memset(touches, 0, sizeof touches);
}

bool learn_conflicts()
{
    bool more = false;
    for (touch &t : touches) {
        bool shared = conflicting(t);
        more |= shared != t.shared;
        t.shared = shared;
    }
    return more;
}

void set_every_access(bool every)
{
    every_access = every;
}

void set_fences(fences which)
{
    fence_kind = which;
}

void set_spurious(unsigned most)
{
    spurious_most = most;
}

extern "C" char __data_start, _end;

void begin()
{
    /* After a failure objects are left over: static ones begin anew, memory is cleared. */
    for (unsigned i = 1; i < record_count; i++) {
        char *owner = (char *)records[i].owner;
        if (owner >= &__data_start && owner < &_end)
            *records[i].owner = 0;
        records[i].owner = nullptr;
    }
    record_count = 1;
    memset(memory, 0, used_most);
    used = 0;
    sleeper_count = 0;
    clock_ns = 1000;
    for (unsigned i = 0; i < threads_most; i++) {
        spurious_left[i] = spurious_most;
        worker_of[i] = nullptr;
        number_of[i] = 0;
    }
    running = false;
}

void go()
{
    running = true;
}

void halt()
{
    running = false;
}

void end()
{
    for (unsigned i = 1; i < record_count; i++) {
        if (records[i].owner != nullptr)
            *records[i].owner = 0;
        close_record(records[i]);
    }
    record_count = 1;
}

void *allocate(size_t bytes)
{
    size_t begin = (used + 127) / 128 * 128;
    if (begin + bytes > memory_bytes)
        fail("the model has too little memory", {"", "", 0});
    used = begin + bytes;
    if (used > used_most)
        used_most = used;
    return memory + begin;
}

void give_back(void *place, size_t bytes)
{
    for (unsigned i = 1; i < record_count; i++) {
        char *owner = (char *)records[i].owner;
        if (owner >= (char *)place && owner < (char *)place + bytes)
            close_record(records[i]);
    }
    memset(place, 0xff, bytes);
}

void fail(const char *what, const site &at)
{
    rl::ctx().fail_test(what, rl::test_result_user_assert_failed, where(at));
    for (;;)
        abort(); /* the failing fibre is never resumed */
}

unsigned self()
{
    return (unsigned)rl::ctx().current_thread();
}

unsigned choose(unsigned limit)
{
    return rl::ctx().rand(limit, rl::sched_type_user);
}

uint64_t now()
{
    return clock_ns;
}

} // namespace np_model

/* The product's thread-local variables, of which all fibres share one. */
struct np_worker;
extern __thread np_worker *npi_tls_worker;
extern __thread uint32_t npi_number_self;
__thread np_worker *npi_tls_worker;
__thread uint32_t npi_number_self;

namespace np_model
{

namespace
{
void restore_identity()
{
    unsigned thread = self();
    npi_tls_worker = (np_worker *)worker_of[thread];
    npi_number_self = number_of[thread];
}
} // namespace

void set_identity(void *worker, uint32_t number)
{
    worker_of[self()] = worker;
    number_of[self()] = number + 1;
    restore_identity();
}

} // namespace np_model
