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

#include <memory>
#include <new>

namespace
{
using pool_type = boost::asio::thread_pool;
std::unique_ptr<pool_type> pool;
bool with_malloc;

/* One block per queued task: 64 bytes hold an operation of Asio with an empty handler. */
struct block {
    alignas(64) unsigned char bytes[64];
};

/* Written by its submitter only: the memory of one round, taken in order. The blocks of a round are
 * free again when all of its tasks have ended. */
struct alignas(128) slab {
    block *blocks;
    std::uint64_t taken;
};
slab slabs[BENCH_SUBMITTERS_MAX];

template <typename T> struct slab_allocator {
    using value_type = T;
    slab *from;
    explicit slab_allocator(slab *s) noexcept : from(s) {}
    template <typename U> slab_allocator(const slab_allocator<U> &other) noexcept : from(other.from)
    {
    }
    T *allocate(std::size_t count) const
    {
        static_assert(sizeof(T) <= sizeof(block) && alignof(T) <= alignof(block), "too large");
        if (count != 1)
            throw std::bad_alloc();
        return reinterpret_cast<T *>(from->blocks[from->taken++].bytes);
    }
    void deallocate(T *, std::size_t) const noexcept {}
    template <typename U> bool operator==(const slab_allocator<U> &other) const noexcept
    {
        return from == other.from;
    }
    template <typename U> bool operator!=(const slab_allocator<U> &other) const noexcept
    {
        return from != other.from;
    }
};

struct empty_task {
    slab *from;
    using allocator_type = slab_allocator<void>;
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
    if (posix_memalign(&memory, alignof(block), tasks * sizeof(block)) != 0)
        bench_unavailable("no memory for %llu tasks", static_cast<unsigned long long>(tasks));
    if (touch)
        std::memset(memory, 0, tasks * sizeof(block));
    slabs[s].blocks = static_cast<block *>(memory);
}

void submit(unsigned s, std::uint64_t count)
{
    if (with_malloc) {
        for (std::uint64_t i = 0; i < count; i++)
            boost::asio::post(*pool, [] { bench_count_one(); });
        return;
    }
    slabs[s].taken = 0;
    for (std::uint64_t i = 0; i < count; i++)
        boost::asio::post(*pool, empty_task{&slabs[s]});
}

void destroy()
{
    pool->join();
    pool.reset();
    for (slab &s : slabs) {
        std::free(s.blocks);
        s.blocks = nullptr;
    }
}

void run_submit(bench_args *args)
{
    with_malloc = bench_is(args, "memory", "malloc", "slab", "slab") != 0;
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
