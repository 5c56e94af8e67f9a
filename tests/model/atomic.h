/*
 * model/atomic.h - what an atomic is under the model checker: the header that NP_ATOMIC_MODEL
 * names.
 *
 * The product's own .c files are compiled as C++ against it. An atomic is as large as its value,
 * but holds a ticket: its number among Relacy's objects (core.cpp), given at the first access. So
 * zeroed memory is full of zeros, as in the product, and a ticket that is not its owner's betrays
 * an access to an object that is gone. Nothing here needs Relacy: product files compile in half a
 * second.
 *
 * Each operation passes on where it stands, and so a history names lines of the product.
 */
#ifndef NPT_MODEL_ATOMIC_H
#define NPT_MODEL_ATOMIC_H

#include <stdint.h>

namespace np_model
{

struct site {
    const char *function;
    const char *file;
    unsigned line;
};

enum order { relaxed, acquire, release, acq_rel, seq_cst };
enum change { change_set, change_add, change_sub, change_join, change_meet };

uint64_t load(uint32_t *ticket, unsigned bytes, order how, const site &at);
void store(uint32_t *ticket, unsigned bytes, uint64_t value, order how, const site &at);
uint64_t modify(uint32_t *ticket, unsigned bytes, change what, uint64_t operand, order how,
                const site &at);
bool swap(uint32_t *ticket, unsigned bytes, uint64_t *expected, uint64_t desired, order how,
          order on_failure, bool weak, const site &at);
void fence_seq_cst(const site &at);
void fence_light(const site &at);
void fence_heavy(const site &at);
void relax(const site &at);
uint64_t plain_get(const uint32_t *ticket, const site &at);
void plain_set(uint32_t *ticket, uint64_t value, const site &at);
void ended(uint32_t *ticket);

constexpr unsigned at_least_4(unsigned bytes)
{
    return bytes < 4 ? 4 : bytes;
}

/* Any scalar or pointer, to and from the 64 bits that the model keeps. */
template <typename T> uint64_t widen(T value)
{
    uint64_t wide = 0;
    __builtin_memcpy(&wide, &value, sizeof value);
    return wide;
}
template <typename T> T narrow(uint64_t wide)
{
    T value;
    __builtin_memcpy(&value, &wide, sizeof value);
    return value;
}

template <typename T> struct alignas(at_least_4(sizeof(T))) atomic {
    typedef T value;
    uint32_t ticket = 0;
    ~atomic()
    {
        ended(&ticket);
    }
};

template <typename T> uint32_t *ticket_of(const atomic<T> *p)
{
    return const_cast<uint32_t *>(&p->ticket);
}

template <typename T> T load(const atomic<T> *p, order how, const site &at)
{
    return narrow<T>(load(ticket_of(p), sizeof(T), how, at));
}
template <typename T, typename V> void store(atomic<T> *p, V v, order how, const site &at)
{
    store(ticket_of(p), sizeof(T), widen((T)v), how, at);
}
template <typename T, typename V>
T modify(atomic<T> *p, change what, V v, order how, const site &at)
{
    return narrow<T>(modify(ticket_of(p), sizeof(T), what, widen((T)v), how, at));
}
template <typename T, typename E, typename V>
bool swap(atomic<T> *p, E *expected, V v, order how, order on_failure, bool weak, const site &at)
{
    uint64_t wide = widen((T)*expected);
    bool done = swap(ticket_of(p), sizeof(T), &wide, widen((T)v), how, on_failure, weak, at);
    *expected = (E)narrow<T>(wide);
    return done;
}

/* A field that one thread writes and others read after an ordering edge: the model checks that. */
template <typename T> struct alignas(at_least_4(sizeof(T))) plain {
    uint32_t ticket = 0;
    plain() = default;
    plain(T v)
    {
        set(v, {"", "", 0});
    }
    plain(const plain &other)
    {
        set(other.get({"", "", 0}), {"", "", 0});
    }
    ~plain()
    {
        ended(&ticket);
    }
    T get(const site &at) const
    {
        return narrow<T>(plain_get(&ticket, at));
    }
    void set(T v, const site &at)
    {
        plain_set(&ticket, widen(v), at);
    }
    operator T() const
    {
        return get({"", "", 0});
    }
    T operator->() const
    {
        return get({"", "", 0});
    }
    plain &operator=(T v)
    {
        set(v, {"", "", 0});
        return *this;
    }
    plain &operator=(const plain &other)
    {
        return *this = (T)other;
    }
};

} // namespace np_model

#define np_atomic(T) np_model::atomic<T>
#define np_plain(T)  np_model::plain<T>

#define NPT_SITE                               \
    np_model::site                             \
    {                                          \
        __func__, __FILE__, (unsigned)__LINE__ \
    }

#define NP_ATOMIC_LOAD_RELAXED(p) np_model::load((p), np_model::relaxed, NPT_SITE)

#define npi_load_relaxed(p)     np_model::load((p), np_model::relaxed, NPT_SITE)
#define npi_load_acquire(p)     np_model::load((p), np_model::acquire, NPT_SITE)
#define npi_store_relaxed(p, v) np_model::store((p), (v), np_model::relaxed, NPT_SITE)
#define npi_store_release(p, v) np_model::store((p), (v), np_model::release, NPT_SITE)

#define NPT_MODIFY(p, v, what, how) \
    np_model::modify((p), np_model::change_##what, (v), np_model::how, NPT_SITE)
#define npi_exchange_acquire(p, v)  NPT_MODIFY(p, v, set, acquire)
#define npi_exchange_release(p, v)  NPT_MODIFY(p, v, set, release)
#define npi_exchange_acq_rel(p, v)  NPT_MODIFY(p, v, set, acq_rel)
#define npi_exchange_relaxed(p, v)  NPT_MODIFY(p, v, set, relaxed)
#define npi_fetch_add_relaxed(p, v) NPT_MODIFY(p, v, add, relaxed)
#define npi_fetch_add_acq_rel(p, v) NPT_MODIFY(p, v, add, acq_rel)
#define npi_fetch_sub_relaxed(p, v) NPT_MODIFY(p, v, sub, relaxed)
#define npi_fetch_sub_release(p, v) NPT_MODIFY(p, v, sub, release)
#define npi_fetch_sub_acq_rel(p, v) NPT_MODIFY(p, v, sub, acq_rel)
#define npi_fetch_or_relaxed(p, v)  NPT_MODIFY(p, v, join, relaxed)
#define npi_fetch_or_acq_rel(p, v)  NPT_MODIFY(p, v, join, acq_rel)
#define npi_fetch_and_relaxed(p, v) NPT_MODIFY(p, v, meet, relaxed)
#define npi_fetch_and_acq_rel(p, v) NPT_MODIFY(p, v, meet, acq_rel)

#define NPT_SWAP(p, expected, v, how, on_failure, weak) \
    np_model::swap((p), (expected), (v), np_model::how, np_model::on_failure, weak, NPT_SITE)
#define npi_cas_weak_relaxed(p, e, v) NPT_SWAP(p, e, v, relaxed, relaxed, true)
#define npi_cas_relaxed(p, e, v)      NPT_SWAP(p, e, v, relaxed, relaxed, false)
#define npi_cas_acquire(p, e, v)      NPT_SWAP(p, e, v, acquire, acquire, false)
#define npi_cas_release(p, e, v)      NPT_SWAP(p, e, v, release, relaxed, false)
#define npi_cas_acq_rel(p, e, v)      NPT_SWAP(p, e, v, acq_rel, acquire, false)

#define npi_fence_seq_cst()   np_model::fence_seq_cst(NPT_SITE)
#define npi_fence_compiler()  ((void)0)
#define npi_atomic_init(p, v) npi_store_relaxed((p), (v))

#define npi_plain_get(p)    ((p)->get(NPT_SITE))
#define npi_plain_set(p, v) ((p)->set((v), NPT_SITE))

/* os/fence.h: the model has an asymmetric pair of its own. */
#define NPI_MODEL_FENCES      1
#define npi_fence_light()     np_model::fence_light(NPT_SITE)
#define npi_fence_heavy()     np_model::fence_heavy(NPT_SITE)
#define NPI_MODEL_CPU_RELAX() np_model::relax(NPT_SITE)

#endif
