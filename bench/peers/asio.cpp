/*
 * peers/asio.cpp - Boost.Asio's thread_pool and post(). Asio allocates an operation per handler
 * through the handler's allocator; the default one is malloc when the poster is not one of the
 * pool's threads, so the handlers here bring their own memory as Asio's documentation recommends
 * for speed: a slab per submitter, touched before (memory=malloc measures the default). Asio has
 * neither fork and join nor parallel loops nor a batch call.
 */
#include "pool.h"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <memory>
#include <new>

namespace
{
using pool_type = boost::asio::thread_pool;
std::unique_ptr<pool_type> pool;
bool with_malloc;
std::uint64_t ring_size; /* blocks; ring=N, 0: as many as there are tasks */

/* Holds one queued task: an operation of Asio with an empty handler. */
struct block {
    alignas(64) unsigned char bytes[56];
    std::atomic<bool> taken; /* set by the submitter, cleared (release) by the worker that ran it */
};

/* The memory of one submitter's tasks, used round and round; touched by its submitter only, but for
 * the blocks. A block that is not free yet when its turn comes is left to its task, and malloc
 * serves. */
struct alignas(128) ring {
    block *blocks;
    std::uint64_t size;
    std::uint64_t next;
};
ring rings[BENCH_SUBMITTERS_MAX];

template <typename T> struct ring_allocator {
    using value_type = T;
    ring *from;
    explicit ring_allocator(ring *r) noexcept : from(r) {}
    template <typename U> ring_allocator(const ring_allocator<U> &other) noexcept : from(other.from)
    {
    }
    T *allocate(std::size_t count) const
    {
        static_assert(sizeof(T) <= sizeof(block::bytes) && alignof(T) <= alignof(block), "large");
        block *b = &from->blocks[from->next];
        if (count != 1 || b->taken.load(std::memory_order_acquire)) /* pairs with deallocate() */
            return static_cast<T *>(std::malloc(count * sizeof(T)));
        b->taken.store(true, std::memory_order_relaxed); /* posting publishes it */
        from->next = from->next + 1 == from->size ? 0 : from->next + 1;
        return reinterpret_cast<T *>(b->bytes);
    }
    void deallocate(T *memory, std::size_t) const noexcept
    {
        block *b = reinterpret_cast<block *>(memory);
        if (b >= from->blocks && b < from->blocks + from->size)
            b->taken.store(false, std::memory_order_release);
        else
            std::free(memory);
    }
    template <typename U> bool operator==(const ring_allocator<U> &other) const noexcept
    {
        return from == other.from;
    }
    template <typename U> bool operator!=(const ring_allocator<U> &other) const noexcept
    {
        return from != other.from;
    }
};

struct empty_task {
    ring *from;
    using allocator_type = ring_allocator<void>;
    allocator_type get_allocator() const noexcept
    {
        return allocator_type(from);
    }
    void operator()() const
    {
        bench_count_one();
    }
};

void submit_one(void (*function)(void *), void *argument)
{
    boost::asio::post(*pool, [function, argument] { function(argument); });
}

void create(unsigned workers, enum peer_binding binding)
{
    pool.reset(new pool_type(workers));
    if (binding != PEER_FREE)
        peer_meet_all(submit_one, workers, binding);
}

void prepare(unsigned s, std::uint64_t tasks, int touch)
{
    void *memory = nullptr;
    std::uint64_t size = ring_size > 0 ? ring_size : tasks;
    if (posix_memalign(&memory, alignof(block), size * sizeof(block)) != 0)
        bench_unavailable("no memory for %llu tasks", static_cast<unsigned long long>(size));
    if (touch)
        std::memset(memory, 0, size * sizeof(block));
    rings[s] = ring{static_cast<block *>(memory), size, 0};
}

void submit(unsigned s, std::uint64_t count)
{
    if (with_malloc) {
        for (std::uint64_t i = 0; i < count; i++)
            boost::asio::post(*pool, [] { bench_count_one(); });
        return;
    }
    for (std::uint64_t i = 0; i < count; i++)
        boost::asio::post(*pool, empty_task{&rings[s]});
}

void destroy()
{
    pool->join();
    pool.reset();
    for (ring &r : rings) {
        std::free(r.blocks);
        r.blocks = nullptr;
    }
}

void run_submit(bench_args *args)
{
    with_malloc = bench_is(args, "memory", "malloc", "ring", "ring") != 0;
    ring_size = bench_number(args, "ring", ring_size);
    peer_run_submit(args);
}
} // namespace

int main(int argc, char **argv)
{
    static const peer_pool peer = {create,     prepare, submit,  nullptr,
                                   submit_one, nullptr, destroy, 0};
    static const bench_workload list[] = {{"submit", run_submit},      {"wake", peer_run_wake},
                                          {"idle", peer_run_idle},     {"memory", peer_run_memory},
                                          {"growth", peer_run_growth}, {"create", peer_run_create}};
    peer_chosen = &peer;
    return bench_main(argc, argv, list, sizeof list / sizeof list[0]);
}
