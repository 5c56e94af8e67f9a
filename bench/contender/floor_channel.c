/*
 * The floor of passing items: one sender, one receiver, a ring whose indices are published item by
 * item and of which each side keeps the other's last index. Who finds it full or empty spins.
 */
#include "channel.h"
#include "floor.h"

typedef struct ring {
    uint64_t mask, *items;                       /* no written line beside them */
    uint64_t tail __attribute__((aligned(128))); /* written by the sender */
    uint64_t head_seen;                          /* the sender's own */
    uint64_t head __attribute__((aligned(128))); /* written by the receiver */
    uint64_t tail_seen;                          /* the receiver's own */
    char end[112];
} ring;

static void send_all(void *context, uint64_t first, uint64_t count)
{
    ring *r = context;
    uint64_t tail = r->tail;
    for (uint64_t end = first + count; first < end; first++) {
        while (tail - r->head_seen > r->mask) {
            r->head_seen = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);
            bench_relax();
        }
        r->items[tail & r->mask] = first;
        __atomic_store_n(&r->tail, ++tail, __ATOMIC_RELEASE);
    }
}

static uint64_t receive_all(void *context, uint64_t count)
{
    ring *r = context;
    uint64_t head = r->head, sum = 0;
    while (count-- > 0) {
        while (head == r->tail_seen) {
            r->tail_seen = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
            bench_relax();
        }
        sum += r->items[head & r->mask];
        __atomic_store_n(&r->head, ++head, __ATOMIC_RELEASE);
    }
    return sum;
}

void floor_channel(bench_args *args)
{
    static ring r;
    bench_channel b;
    bench_channel_choose(&b, args);
    if (b.pairs > 1 || b.batch > 1 || bench_cpu_count() < 2)
        bench_unavailable("this ring has one sender and one receiver, one item per call, two CPUs");
    if ((b.capacity & (b.capacity - 1)) != 0)
        bench_unavailable("this ring holds a power of two");
    r.mask = b.capacity - 1;
    r.items = aligned_alloc(128, (b.capacity * sizeof(uint64_t) + 127) / 128 * 128);
    if (r.items == NULL)
        bench_fail("no memory");
    b.send = send_all;
    b.receive = receive_all;
    b.context = &r;
    bench_channel_run(&b, args);
    free(r.items);
}
