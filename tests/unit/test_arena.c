/*
 * Goal: arenas hand out zeroed, aligned, disjoint memory that prefers its node and goes back as a
 * whole; segment pools recycle blocks without ever unmapping one. Method: direct calls, with the
 * kernel's own answers (get_mempolicy, move_pages) for every node that exists; threads that take
 * and give against a trimmer.
 */
#include <errno.h>
#include <sys/resource.h>

#include "memory/arena.h"
#include "os/os.h"
#include "unit.h"

static bool all_zero(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static void test_alloc_is_zeroed_aligned_and_disjoint(void **state)
{
    (void)state;
    npi_arena arena;
    npi_arena_init(&arena, NP_NODE_ID_NONE, false);
    enum { PIECES = 2000 };
    static unsigned char *piece[PIECES];
    static size_t size[PIECES];
    uint64_t used = 0;
    for (size_t i = 0; i < PIECES; i++) {
        size[i] = 1 + (i * 37) % 700;
        size_t alignment = (size_t)1 << (i % 10);
        piece[i] = npi_arena_alloc(&arena, size[i], alignment);
        assert_non_null(piece[i]);
        assert_int_equal((uintptr_t)piece[i] % alignment, 0);
        assert_true(all_zero(piece[i], size[i]));
        memset(piece[i], (int)(i % 255) + 1, size[i]);
        used += size[i];
    }
    for (size_t i = 0; i < PIECES; i++)
        for (size_t k = 0; k < size[i]; k++)
            assert_int_equal(piece[i][k], (i % 255) + 1);
    npi_arena_usage usage;
    npi_arena_get_usage(&arena, &usage);
    assert_int_equal(usage.used_bytes, used);
    assert_true(usage.mapped_bytes >= used);
    assert_int_equal(usage.bind_error, 0);
    npi_arena_destroy(&arena);
    npi_arena_get_usage(&arena, &usage);
    assert_int_equal(usage.mapped_bytes, 0);
}

static void test_default_and_large_alignment(void **state)
{
    (void)state;
    npi_arena arena;
    npi_arena_init(&arena, NP_NODE_ID_NONE, false);
    for (int i = 0; i < 3; i++) {
        assert_int_equal((uintptr_t)npi_arena_alloc(&arena, 3, 0) % _Alignof(max_align_t), 0);
        void *huge = npi_arena_alloc(&arena, 100, (size_t)2 << 20);
        assert_non_null(huge);
        assert_int_equal((uintptr_t)huge % ((size_t)2 << 20), 0);
    }
    npi_arena_destroy(&arena);
}

static void test_large_request_keeps_the_rest_of_a_chunk(void **state)
{
    (void)state;
    npi_arena arena;
    npi_arena_init(&arena, NP_NODE_ID_NONE, false);
    char *first = npi_arena_alloc(&arena, 64, 64);
    npi_arena_usage usage;
    npi_arena_get_usage(&arena, &usage);
    uint64_t mapped = usage.mapped_bytes;
    assert_true(mapped >= NPI_ARENA_CHUNK_BYTES);

    /* Fills a chunk of its own to the last byte, so small requests go on behind the first one. */
    assert_non_null(npi_arena_alloc(&arena, 4 * NPI_ARENA_CHUNK_BYTES, npi_os_page_size()));
    npi_arena_get_usage(&arena, &usage);
    assert_true(usage.mapped_bytes >= mapped + 4 * NPI_ARENA_CHUNK_BYTES);
    mapped = usage.mapped_bytes;
    assert_ptr_equal(npi_arena_alloc(&arena, 64, 64), first + 64);
    npi_arena_get_usage(&arena, &usage);
    assert_int_equal(usage.mapped_bytes, mapped);
    npi_arena_destroy(&arena);
}

static void test_absurd_sizes_give_null(void **state)
{
    (void)state;
    npi_arena arena;
    npi_arena_init(&arena, NP_NODE_ID_NONE, false);
    assert_null(npi_arena_alloc(&arena, SIZE_MAX, 1));
    assert_null(npi_arena_alloc(&arena, SIZE_MAX / 2, 1));
    assert_null(npi_arena_alloc(&arena, (size_t)1 << 60, 4096));
    /* A refusal leaves the arena usable. */
    assert_non_null(npi_arena_alloc(&arena, 100, 8));
    npi_arena_destroy(&arena);
}

static void test_a_system_that_maps_no_more_gives_null(void **state)
{
    (void)state;
    if (UNIT_SANITIZED)
        UNIT_SKIP("the sanitizer's shadow is far above any limit on address space");
    if (unit_is_emulated())
        UNIT_SKIP("the emulator does not apply limits on address space");
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    npi_arena arena;
    npi_arena_init(&arena, NP_NODE_ID_NONE, false);
    assert_non_null(npi_arena_alloc(&arena, 64, 64));
    struct rlimit tight = {.rlim_cur = 4096, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &tight), 0);
    void *small = npi_arena_alloc(&arena, 64, 64);
    void *large = npi_arena_alloc(&arena, 2 * NPI_ARENA_CHUNK_BYTES, 64);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_non_null(small); /* still room in the chunk */
    assert_null(large);
    assert_non_null(npi_arena_alloc(&arena, 2 * NPI_ARENA_CHUNK_BYTES, 64));
    npi_arena_destroy(&arena);
}

static void test_memory_prefers_each_node(void **state)
{
    (void)state;
    npi_node_set allowed;
    if (npi_os_allowed_nodes(&allowed) != 0)
        UNIT_SKIP("get_mempolicy is not available here");
    for (np_node_id node = 0; node < (np_node_id)NPI_NODE_SET_CAPACITY; node++) {
        if (!npi_node_set_contains(&allowed, node))
            continue;
        npi_arena arena;
        npi_arena_init(&arena, node, true);
        size_t page = npi_os_page_size();
        char *memory = npi_arena_alloc(&arena, 16 * page, page);
        assert_non_null(memory);
        npi_arena_usage usage;
        npi_arena_get_usage(&arena, &usage);
        assert_int_equal(usage.bind_error, 0);
        npi_os_policy policy;
        npi_node_set nodes;
        assert_int_equal(npi_os_memory_policy(memory, &policy, &nodes), 0);
        assert_int_equal(policy, NPI_OS_POLICY_PREFERRED);
        assert_int_equal(npi_node_set_count(&nodes), 1);
        assert_true(npi_node_set_contains(&nodes, node));
        for (size_t i = 0; i < 16; i++) {
            memory[i * page] = 1;
            void *address = memory + i * page;
            int where = -1;
            assert_int_equal(npi_os_page_nodes(&address, 1, &where), 0);
            assert_int_equal(where, node);
        }
        print_message("node %d: 16 of 16 pages there\n", (int)node);
        npi_arena_destroy(&arena);
    }
}

static void test_an_impossible_node_degrades(void **state)
{
    (void)state;
    npi_node_set allowed;
    if (npi_os_allowed_nodes(&allowed) != 0)
        UNIT_SKIP("get_mempolicy is not available here");
    static const np_node_id impossible[] = {1023, 5000};
    for (size_t i = 0; i < 2; i++) {
        npi_arena arena;
        npi_arena_init(&arena, impossible[i], true);
        unsigned char *memory = npi_arena_alloc(&arena, 4096, 64);
        assert_non_null(memory);
        assert_true(all_zero(memory, 4096));
        npi_arena_usage usage;
        npi_arena_get_usage(&arena, &usage);
        assert_int_equal(usage.bind_error, EINVAL);
        npi_arena_destroy(&arena);
    }
}

static void test_unplaced_memory_has_no_policy(void **state)
{
    (void)state;
    npi_node_set nodes;
    npi_os_policy policy;
    npi_arena arena;
    npi_arena_init(&arena, 0, false);
    void *memory = npi_arena_alloc(&arena, 4096, 64);
    assert_non_null(memory);
    if (npi_os_memory_policy(memory, &policy, &nodes) == 0)
        assert_int_equal(policy, NPI_OS_POLICY_DEFAULT);
    npi_arena_destroy(&arena);
}

/* What a forked child finds when another thread of its parent was in the middle of something. */
static void test_destroy_does_not_need_the_lock(void **state)
{
    (void)state;
    npi_arena arena;
    npi_arena_init(&arena, NP_NODE_ID_NONE, false);
    assert_non_null(npi_arena_alloc(&arena, 100, 8));
    npi_lock_acquire(&arena.lock);
    npi_arena_destroy(&arena);
    assert_non_null(npi_arena_alloc(&arena, 100, 8)); /* as good as new */
    npi_arena_destroy(&arena);
    npi_arena_destroy(&arena);
}

/* --- segments ---------------------------------------------------------------------------- */

#define SEGMENT_BYTES ((size_t)64 * 1024)

static size_t present_pages(void *memory, size_t bytes)
{
    size_t page = npi_os_page_size();
    size_t present = 0;
    for (size_t offset = 0; offset < bytes; offset += page) {
        void *address = (char *)memory + offset;
        int where = -1;
        assert_int_equal(npi_os_page_nodes(&address, 1, &where), 0);
        if (where >= 0)
            present++;
    }
    return present;
}

static void test_segments_fill_a_chunk(void **state)
{
    (void)state;
    npi_arena arena;
    npi_segment_pool pool;
    npi_arena_init(&arena, NP_NODE_ID_NONE, false);
    npi_segment_pool_init(&pool, &arena, SEGMENT_BYTES);
    for (size_t i = 0; i < NPI_ARENA_CHUNK_BYTES / SEGMENT_BYTES; i++) {
        unsigned char *segment = npi_segment_take(&pool);
        assert_non_null(segment);
        assert_int_equal((uintptr_t)segment % npi_os_page_size(), 0);
        assert_true(all_zero(segment, SEGMENT_BYTES));
    }
    npi_arena_usage usage;
    npi_arena_get_usage(&arena, &usage);
    assert_int_equal(usage.mapped_bytes, NPI_ARENA_CHUNK_BYTES + npi_os_page_size());
    npi_arena_destroy(&arena);
}

static void test_the_last_given_segment_comes_first(void **state)
{
    (void)state;
    npi_arena arena;
    npi_segment_pool pool;
    npi_arena_init(&arena, NP_NODE_ID_NONE, false);
    npi_segment_pool_init(&pool, &arena, 192);
    char *a = npi_segment_take(&pool);
    char *b = npi_segment_take(&pool);
    assert_int_equal((uintptr_t)a % 64, 0);
    a[NPI_SEGMENT_HEADER_BYTES] = 'a';
    npi_segment_give(&pool, a);
    npi_segment_give(&pool, b);
    assert_ptr_equal(npi_segment_take(&pool), b);
    assert_ptr_equal(npi_segment_take(&pool), a);
    assert_int_equal(a[NPI_SEGMENT_HEADER_BYTES], 'a');
    npi_segment_usage usage;
    npi_segment_pool_get_usage(&pool, &usage);
    assert_int_equal(usage.segments, 2);
    assert_int_equal(usage.free, 0);
    assert_int_equal(usage.mapped_bytes, 384);
    /* Too small to hold a whole page: nothing to give back, nothing lost. */
    npi_segment_give(&pool, a);
    npi_segment_give(&pool, b);
    assert_int_equal(npi_segment_pool_trim(&pool, 0), 0);
    char *c = npi_segment_take(&pool);
    char *d = npi_segment_take(&pool);
    assert_true((c == a && d == b) || (c == b && d == a));
    npi_arena_destroy(&arena);
}

static void test_trim_gives_pages_back_and_keeps_addresses(void **state)
{
    (void)state;
    if (unit_is_emulated())
        UNIT_SKIP("the emulator does not know move_pages");
    enum { COUNT = 10, KEEP = 3 };
    npi_arena arena;
    npi_segment_pool pool;
    npi_arena_init(&arena, NP_NODE_ID_NONE, false);
    npi_segment_pool_init(&pool, &arena, SEGMENT_BYTES);
    unsigned char *segment[COUNT];
    for (int i = 0; i < COUNT; i++) {
        segment[i] = npi_segment_take(&pool);
        memset(segment[i], 0xaa, SEGMENT_BYTES);
    }
    assert_int_equal(npi_segment_pool_trim(&pool, 0), 0); /* none is free */
    for (int i = 0; i < COUNT; i++)
        npi_segment_give(&pool, segment[i]);

    assert_int_equal(npi_segment_pool_trim(&pool, KEEP), COUNT - KEEP);
    npi_segment_usage usage;
    npi_segment_pool_get_usage(&pool, &usage);
    assert_int_equal(usage.segments, COUNT);
    assert_int_equal(usage.free, COUNT);
    assert_int_equal(usage.discarded, COUNT - KEEP);
    assert_int_equal(npi_segment_pool_trim(&pool, KEEP), 0);

    size_t page = npi_os_page_size();
    for (int i = 0; i < COUNT; i++) {
        /* A late reader finds stale bytes or zeros, no fault. */
        unsigned char expected = i < COUNT - KEEP ? 0 : 0xaa;
        size_t pages = i < COUNT - KEEP ? 1 : SEGMENT_BYTES / page;
        assert_int_equal(present_pages(segment[i], SEGMENT_BYTES), pages);
        assert_int_equal(segment[i][SEGMENT_BYTES - 1], expected);
        assert_int_equal(segment[i][page - 1], 0xaa);
    }

    /* All of them come back, the kept ones first, and nothing new is mapped. */
    bool seen[COUNT] = {false};
    for (int i = 0; i < COUNT; i++) {
        unsigned char *taken = npi_segment_take(&pool);
        int which = 0;
        while (which < COUNT && segment[which] != taken)
            which++;
        assert_true(which < COUNT && !seen[which]);
        seen[which] = true;
        if (i < KEEP)
            assert_true(which >= COUNT - KEEP);
    }
    npi_segment_pool_get_usage(&pool, &usage);
    assert_int_equal(usage.segments, COUNT);
    assert_int_equal(usage.free, 0);
    assert_int_equal(usage.discarded, 0);
    npi_arena_destroy(&arena);
}

/* Threads take, mark, check and give; another trims. A segment in two hands would lose a mark. */
enum { TAKERS = 4, ROUNDS = 3000 };

typedef struct taker {
    npi_segment_pool *pool;
    npi_os_thread thread;
    uint64_t mark;
    unsigned failures;
} taker;

static void take_and_give(void *argument)
{
    taker *self = argument;
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t *held[3];
        unsigned count = 1 + i % 3;
        for (unsigned k = 0; k < count; k++) {
            held[k] = npi_segment_take(self->pool);
            if (held[k] == NULL) {
                self->failures++;
                return;
            }
            held[k][4] = self->mark + k;
            held[k][SEGMENT_BYTES / 8 - 1] = self->mark + k;
        }
        for (unsigned k = 0; k < count; k++) {
            if (held[k][4] != self->mark + k || held[k][SEGMENT_BYTES / 8 - 1] != self->mark + k)
                self->failures++;
            npi_segment_give(self->pool, held[k]);
        }
    }
}

static void test_threads_share_a_pool(void **state)
{
    (void)state;
    npi_arena arena;
    npi_segment_pool pool;
    npi_arena_init(&arena, NP_NODE_ID_NONE, false);
    npi_segment_pool_init(&pool, &arena, SEGMENT_BYTES);
    taker takers[TAKERS];
    for (unsigned i = 0; i < TAKERS; i++) {
        takers[i] = (taker){.pool = &pool, .mark = (uint64_t)(i + 1) << 32};
        assert_int_equal(npi_os_thread_start(&takers[i].thread, 0, take_and_give, &takers[i]), 0);
    }
    for (unsigned i = 0; i < 200; i++)
        (void)npi_segment_pool_trim(&pool, i % 4);
    for (unsigned i = 0; i < TAKERS; i++) {
        assert_int_equal(npi_os_thread_join(&takers[i].thread), 0);
        assert_int_equal(takers[i].failures, 0);
    }
    npi_segment_usage usage;
    npi_segment_pool_get_usage(&pool, &usage);
    assert_int_equal(usage.free, usage.segments);
    assert_true(usage.segments >= 3);
    npi_arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc_is_zeroed_aligned_and_disjoint),
        cmocka_unit_test(test_default_and_large_alignment),
        cmocka_unit_test(test_large_request_keeps_the_rest_of_a_chunk),
        cmocka_unit_test(test_absurd_sizes_give_null),
        cmocka_unit_test(test_a_system_that_maps_no_more_gives_null),
        cmocka_unit_test(test_memory_prefers_each_node),
        cmocka_unit_test(test_an_impossible_node_degrades),
        cmocka_unit_test(test_unplaced_memory_has_no_policy),
        cmocka_unit_test(test_destroy_does_not_need_the_lock),
        cmocka_unit_test(test_segments_fill_a_chunk),
        cmocka_unit_test(test_the_last_given_segment_comes_first),
        cmocka_unit_test(test_trim_gives_pages_back_and_keeps_addresses),
        cmocka_unit_test(test_threads_share_a_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
