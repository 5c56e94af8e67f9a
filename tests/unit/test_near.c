/*
 * Goal: a task goes to the node that holds its data: regions by the directory, most bytes win,
 * weights count, a node without workers is served by its neighbour, unknown memory leaves the task
 * near its caller, and bad ranges are refused. Method: regions on virtual machines, whose nodes are
 * what the regions say; the range cache by itself, with answers of our own; the kernel's answers
 * for plain memory on the machine this runs on.
 */
#include "../support/pool.h"

#include <pthread.h>
#include <stdio.h>

#include "base/hook.h"
#include "executor/near.h"
#include "memory/directory.h"
#include "memory/range_cache.h"

enum { PAGE = 4096 };

typedef struct machine {
    np_topology *topology;
    np_executor *executor;
    np_region *regions[8];
    uint32_t region_count;
} machine;

static void begin(machine *m, const char *description, const np_executor_options *options)
{
    *m = (machine){.region_count = 0};
    np_status status = description != NULL ? np_topology_from_synthetic(description, &m->topology)
                                           : np_topology_discover(&m->topology);
    assert_int_equal(status, NP_OK);
    status = np_executor_create(m->topology, options, &m->executor);
    if (status != NP_OK)
        fail_msg("%s", np_error_detail());
}

static char *place(machine *m, size_t bytes, np_node_id node)
{
    np_region **region = &m->regions[m->region_count++];
    assert_int_equal(np_region_create_on_node(m->topology, bytes, node, region), NP_OK);
    return np_region_data(*region);
}

static void end(machine *m)
{
    for (uint32_t i = 0; i < m->region_count; i++)
        np_region_destroy(m->regions[i]);
    assert_int_equal(np_executor_destroy(m->executor), NP_OK);
    np_topology_destroy(m->topology);
}

static const np_executor_options local_only = {.size = sizeof(np_executor_options),
                                               .steal_policy = NP_STEAL_LOCAL_ONLY,
                                               .workers_per_node = 1,
                                               .ignore_environment = true};

typedef struct seen {
    np_atomic(uint32_t) ran;
    np_node_id home;
    np_node_id node;
} seen;

static void see(void *argument)
{
    seen *s = argument;
    s->home = np_current_home();
    s->node = np_current_node();
    npi_fetch_add_acq_rel(&s->ran, 1u);
}

static np_node_id node_of_task(machine *m, const void *address, size_t bytes)
{
    seen s = {.ran = 0};
    assert_int_equal(np_submit_near(m->executor, address, bytes, see, &s), NP_OK);
    assert_int_equal(np_executor_wait_idle(m->executor, NP_FOREVER), NP_OK);
    assert_int_equal(npi_load_acquire(&s.ran), 1);
    assert_int_equal(s.home, s.node); /* local-only */
    return s.home;
}

static np_data_place where(machine *m, const np_data_range *ranges, size_t count)
{
    np_data_place out;
    memset(&out, 0xa5, sizeof out);
    assert_int_equal(np_data_locate(m->executor, ranges, count, &out), NP_OK);
    return out;
}

/* --- regions ------------------------------------------------------------------------------- */

static void a_region_draws_its_tasks(void **state)
{
    (void)state;
    machine m;
    begin(&m, FOUR_NODES, &local_only);
    for (np_node_id node = 0; node < 4; node++) {
        char *data = place(&m, 5 * PAGE, node);
        assert_int_equal(node_of_task(&m, data, 5 * PAGE), node);
        assert_int_equal(node_of_task(&m, data + 4 * PAGE + 7, 0), node); /* a pointer */
        assert_int_equal(node_of_task(&m, data + PAGE - 1, 2), node);
    }
    end(&m);
}

static void a_region_that_is_gone_is_not_known(void **state)
{
    (void)state;
    machine m;
    begin(&m, FOUR_NODES, &local_only);
    size_t before = npi_directory_count();
    char *data = place(&m, PAGE, 3);
    assert_int_equal(npi_directory_count(), before + 1);
    np_data_range range = {.address = data, .bytes = PAGE};
    assert_int_equal(where(&m, &range, 1).node, 3);
    np_region_destroy(m.regions[0]);
    m.region_count = 0;
    assert_int_equal(npi_directory_count(), before);
    np_data_place place_now = where(&m, &range, 1);
    assert_int_equal(place_now.node, NP_NODE_ID_NONE);
    assert_int_equal(place_now.unknown, PAGE);
    end(&m);
}

/* Regions whose pages' nodes the kernel decides are not in the directory. */
static void the_directory_holds_only_what_is_certain(void **state)
{
    (void)state;
    machine m;
    begin(&m, FOUR_NODES, &local_only);
    size_t before = npi_directory_count();
    np_node_id nodes[] = {1, 2};
    np_region *interleaved = NULL, *bound = NULL, *local = NULL;
    assert_int_equal(np_region_create(m.topology, PAGE,
                                      NP_REGION_OPTIONS(.policy = NP_MEMORY_INTERLEAVE,
                                                        .nodes = nodes, .node_count = 2),
                                      &interleaved),
                     NP_OK);
    assert_int_equal(np_region_create(m.topology, PAGE,
                                      NP_REGION_OPTIONS(.nodes = nodes, .node_count = 2), &bound),
                     NP_OK);
    assert_int_equal(
        np_region_create(m.topology, PAGE, NP_REGION_OPTIONS(.policy = NP_MEMORY_LOCAL), &local),
        NP_OK);
    assert_int_equal(npi_directory_count(), before);
    np_region_destroy(interleaved);
    np_region_destroy(bound);
    np_region_destroy(local);
    end(&m);
}

static void most_bytes_win(void **state)
{
    (void)state;
    machine m;
    begin(&m, FOUR_NODES, &local_only);
    char *on1 = place(&m, 4 * PAGE, 1);
    char *on2 = place(&m, 4 * PAGE, 2);
    char *on3 = place(&m, 4 * PAGE, 3);
    np_data_range ranges[] = {
        {.address = on1, .bytes = 3 * PAGE},
        {.address = on2, .bytes = 2 * PAGE},
        {.address = on3, .bytes = 2 * PAGE},
        {.address = on2, .bytes = 2 * PAGE},
    };
    np_data_place got = where(&m, ranges, 4);
    assert_int_equal(got.node, 2);
    assert_int_equal(got.home, 2);
    assert_int_equal(got.bytes, 4 * PAGE);
    assert_int_equal(got.elsewhere, 5 * PAGE);
    assert_int_equal(got.unknown, 0);
    /* What is written weighs more; bytes are told as they are. */
    ranges[2].weight = 3;
    got = where(&m, ranges, 4);
    assert_int_equal(got.node, 3);
    assert_int_equal(got.bytes, 2 * PAGE);
    assert_int_equal(got.elsewhere, 7 * PAGE);

    seen s = {.ran = 0};
    assert_int_equal(
        np_submit_with(m.executor, NP_SUBMIT_OPTIONS(.data = ranges, .data_count = 4), see, &s),
        NP_OK);
    assert_int_equal(np_executor_wait_idle(m.executor, NP_FOREVER), NP_OK);
    assert_int_equal(s.home, 3);
    /* The caller has the last word. */
    assert_int_equal(np_submit_with(m.executor,
                                    NP_SUBMIT_OPTIONS(.to_node = true, .node = 0, .data = ranges,
                                                      .data_count = 4),
                                    see, &s),
                     NP_OK);
    assert_int_equal(np_executor_wait_idle(m.executor, NP_FOREVER), NP_OK);
    assert_int_equal(s.home, 0);
    end(&m);
}

/* One range over two regions that happen to touch. */
static void a_range_across_entries_is_added_up(void **state)
{
    (void)state;
    machine m;
    begin(&m, FOUR_NODES, &local_only);
    char *whole = place(&m, 10 * PAGE, 0);
    npi_directory_set(whole + 2 * PAGE, 5 * PAGE, 3, true);
    npi_directory_set(whole + 9 * PAGE, PAGE, NP_NODE_ID_NONE, true);
    np_data_range range = {.address = whole + 100, .bytes = 10 * PAGE - 100};
    np_data_place got = where(&m, &range, 1);
    assert_int_equal(got.node, 3);
    assert_int_equal(got.bytes, 5 * PAGE);
    assert_int_equal(got.elsewhere, 4 * PAGE - 100);
    assert_int_equal(got.unknown, PAGE);
    end(&m);
}

typedef struct asking {
    machine *m;
    const np_data_range *ranges;
    np_data_place place;
} asking;

static void ask_inside(void *argument)
{
    asking *a = argument;
    if (np_data_locate(a->m->executor, a->ranges, 2, &a->place) != NP_OK)
        abort();
}

static void ties_go_to_the_caller_then_to_the_nearest(void **state)
{
    (void)state;
    machine m;
    begin(&m, FOUR_NODES, &local_only);
    char *on[4];
    for (np_node_id node = 0; node < 4; node++)
        on[node] = place(&m, PAGE, node);
    /* FOUR_NODES: 0 and 1 are neighbours, and 2 and 3. */
    static const struct {
        np_node_id a, b, caller, expected;
    } cases[] = {
        {0, 3, 3, 3}, {3, 0, 3, 3}, {0, 3, 0, 0}, {0, 3, 2, 3},
        {3, 0, 2, 3}, {0, 3, 1, 0}, {2, 3, 0, 2}, {3, 2, 0, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        np_data_range ranges[] = {{.address = on[cases[i].a], .bytes = PAGE},
                                  {.address = on[cases[i].b], .bytes = PAGE}};
        asking a = {.m = &m, .ranges = ranges};
        assert_int_equal(np_submit_to_node(m.executor, cases[i].caller, ask_inside, &a), NP_OK);
        assert_int_equal(np_executor_wait_idle(m.executor, NP_FOREVER), NP_OK);
        assert_int_equal(a.place.node, cases[i].expected);
    }
    end(&m);
}

static void a_node_without_workers_is_served_by_its_neighbour(void **state)
{
    (void)state;
    const np_node_workers none = {.node = 2, .workers = NP_WORKERS_NONE};
    np_executor_options options = local_only;
    options.node_workers = &none;
    options.node_workers_count = 1;
    machine m;
    begin(&m, FOUR_NODES, &options);
    char *data = place(&m, 2 * PAGE, 2);
    np_data_range range = {.address = data, .bytes = 2 * PAGE};
    np_data_place got = where(&m, &range, 1);
    assert_int_equal(got.node, 2);
    assert_int_equal(got.home, 3);
    assert_int_equal(node_of_task(&m, data, PAGE), 3);
    end(&m);
}

/* --- what nobody placed -------------------------------------------------------------------- */

static void unknown_memory_stays_near_the_caller(void **state)
{
    (void)state;
    machine m;
    begin(&m, FOUR_NODES, &local_only);
    char *data = calloc(8, PAGE);
    assert_non_null(data);
    np_data_range ranges[] = {{.address = data, .bytes = 8 * PAGE},
                              {.address = data, .bytes = PAGE}};
    for (np_node_id node = 0; node < 4; node++) {
        asking a = {.m = &m, .ranges = ranges};
        assert_int_equal(np_submit_to_node(m.executor, node, ask_inside, &a), NP_OK);
        assert_int_equal(np_executor_wait_idle(m.executor, NP_FOREVER), NP_OK);
        assert_int_equal(a.place.node, NP_NODE_ID_NONE);
        assert_int_equal(a.place.home, node);
        assert_int_equal(a.place.unknown, 9 * PAGE);
    }
    free(data);
    end(&m);
}

/* The kernel's own answer, and the same from the cache. */
static void the_kernel_is_asked_once(void **state)
{
    (void)state;
    enum { BYTES = 64 * PAGE };
    machine m;
    begin(&m, NULL, &local_only);
    char *data = NULL;
    assert_int_equal(posix_memalign((void **)&data, PAGE, BYTES), 0);
    memset(data, 1, BYTES);
    np_near_forget(NULL, 0);
    np_node_id truth = NP_NODE_ID_NONE;
    np_status told = np_address_node(data, &truth);
    np_data_range range = {.address = data + 9, .bytes = BYTES - 9};
    npi_choice first, second, third;
    assert_int_equal(npi_near_choose(m.executor, NULL, &range, 1, &first), NP_OK);
    assert_int_equal(npi_near_choose(m.executor, NULL, &range, 1, &second), NP_OK);
    assert_int_equal(first.asked, 1);
    if (told != NP_OK) {
        assert_null(first.data);
        assert_int_equal(first.unknown, BYTES - 9);
    } else if (np_topology_node_count(m.topology) == 1) {
        assert_int_equal(first.data->id, truth);
        assert_int_equal(first.bytes, BYTES - 9);
        assert_int_equal(second.asked, 0);
        assert_int_equal(second.bytes, first.bytes);
        /* Invalidated: asked again, all or only some of it. */
        np_near_forget(data + BYTES / 2, 1);
        assert_int_equal(npi_near_choose(m.executor, NULL, &range, 1, &third), NP_OK);
        assert_int_equal(third.asked, 1);
    }
    free(data);
    end(&m);
}

static void pages_that_are_not_there_are_asked_for_again(void **state)
{
    (void)state;
    machine m;
    begin(&m, NULL, &local_only);
    np_region *region = NULL; /* unplaced and untouched */
    assert_int_equal(np_region_create(m.topology, 4 * PAGE,
                                      NP_REGION_OPTIONS(.policy = NP_MEMORY_LOCAL), &region),
                     NP_OK);
    char *data = np_region_data(region);
    np_data_range range = {.address = data, .bytes = 4 * PAGE};
    np_node_id truth = NP_NODE_ID_NONE;
    npi_choice choice;
    assert_int_equal(npi_near_choose(m.executor, NULL, &range, 1, &choice), NP_OK);
    assert_null(choice.data);
    assert_non_null(choice.home);
    memset(data, 1, 4 * PAGE);
    if (np_address_node(data, &truth) == NP_OK) {
        assert_int_equal(npi_near_choose(m.executor, NULL, &range, 1, &choice), NP_OK);
        assert_non_null(choice.data);
        assert_int_equal(choice.data->id, truth);
        assert_int_equal(choice.asked, 1);
    }
    np_region_destroy(region);
    end(&m);
}

/* --- the range cache ----------------------------------------------------------------------- */

static void the_cache_keeps_and_forgets(void **state)
{
    (void)state;
    uintptr_t base = (uintptr_t)1 << 40;
    np_near_forget(NULL, 0);
    for (uint32_t i = 0; i < 100; i++) {
        npi_chunk_look look = npi_range_cache_look(base + i * NPI_CHUNK_BYTES + i);
        assert_int_equal(look.node, NP_NODE_ID_NONE);
        npi_range_cache_keep(&look, (np_node_id)i);
    }
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(npi_range_cache_look(base + i * NPI_CHUNK_BYTES + 99).node, i);
    /* Another chunk of the same slot is another chunk. */
    uintptr_t twin = base + (uintptr_t)NPI_CHUNK_SLOTS * NPI_CHUNK_BYTES;
    assert_int_equal(npi_range_cache_look(twin).node, NP_NODE_ID_NONE);
    /* Forgetting it does not take the other one's answer. */
    np_near_forget((void *)twin, 1);
    assert_int_equal(npi_range_cache_look(base).node, 0);
    /* Bytes 9 * chunk - 1 .. 12 * chunk are of chunks 8 to 12. */
    np_near_forget((void *)(base + 9 * NPI_CHUNK_BYTES - 1), 3 * NPI_CHUNK_BYTES + 2);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(npi_range_cache_look(base + i * NPI_CHUNK_BYTES).node,
                         i >= 8 && i <= 12 ? NP_NODE_ID_NONE : (int)i);
    np_near_forget((void *)base, SIZE_MAX); /* more than there are slots, and it would wrap */
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(npi_range_cache_look(base + i * NPI_CHUNK_BYTES).node, NP_NODE_ID_NONE);
}

/* An answer that was asked for before the pages moved. */
static void an_answer_on_its_way_is_not_kept(void **state)
{
    (void)state;
    uintptr_t address = (uintptr_t)3 << 40;
    np_near_forget(NULL, 0);
    npi_chunk_look early = npi_range_cache_look(address);
    np_near_forget((void *)address, 1);
    npi_range_cache_keep(&early, 1);
    assert_int_equal(npi_range_cache_look(address).node, NP_NODE_ID_NONE);
    /* Also while the slot holds another chunk's answer, which stays. */
    uintptr_t twin = address + (uintptr_t)NPI_CHUNK_SLOTS * NPI_CHUNK_BYTES;
    npi_chunk_look of_twin = npi_range_cache_look(twin);
    npi_range_cache_keep(&of_twin, 4);
    early = npi_range_cache_look(address);
    np_near_forget((void *)address, 1);
    npi_range_cache_keep(&early, 1);
    assert_int_equal(npi_range_cache_look(address).node, NP_NODE_ID_NONE);
    assert_int_equal(npi_range_cache_look(twin).node, 4);
    np_near_forget(NULL, 0);
}

/* Pages that move all the time, and threads that ask where they are. Only the mover changes the
 * truth, so what it finds kept after it has forgotten must be the truth. */
typedef struct moving {
    np_atomic(uint32_t) truth; /* of all chunks */
    np_atomic(uint32_t) stop;
    np_atomic(uint32_t) kept;
} moving;

enum { MOVED_CHUNKS = 3, MOVES = UNIT_SANITIZED ? 3000 : 30000 };

static uintptr_t moved_chunk(uint32_t which)
{
    /* The third one shares the first one's slot. */
    return ((uintptr_t)5 << 40) +
           (which < 2 ? which : (uintptr_t)NPI_CHUNK_SLOTS) * NPI_CHUNK_BYTES;
}

static void *ask_on(void *argument)
{
    moving *m = argument;
    for (uint32_t i = 0; npi_load_relaxed(&m->stop) == 0; i++) {
        npi_chunk_look look = npi_range_cache_look(moved_chunk(i % MOVED_CHUNKS));
        if (look.node != NP_NODE_ID_NONE) {
            npi_fetch_add_relaxed(&m->kept, 1u);
            continue;
        }
        /* Acquire: what the kernel does; the truth of a moment after the look. */
        npi_range_cache_keep(&look, (np_node_id)npi_load_acquire(&m->truth));
    }
    return NULL;
}

static void no_old_answer_outlives_forgetting(void **state)
{
    (void)state;
    enum { ASKERS = 2 };
    moving m = {.truth = 0, .stop = 0, .kept = 0};
    pthread_t askers[ASKERS];
    np_near_forget(NULL, 0);
    for (int i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_create(&askers[i], NULL, ask_on, &m), 0);
    uint32_t wrong = 0;
    for (uint32_t move = 1; move <= MOVES; move++) {
        npi_store_release(&m.truth, move % 1000);
        for (uint32_t which = 0; which < MOVED_CHUNKS; which++)
            np_near_forget((void *)moved_chunk(which), NPI_CHUNK_BYTES);
        for (uint32_t look = 0; look < 9; look++) {
            np_node_id kept = npi_range_cache_look(moved_chunk(look % MOVED_CHUNKS)).node;
            wrong += kept != NP_NODE_ID_NONE && kept != (np_node_id)(move % 1000) ? 1 : 0;
        }
    }
    npi_store_relaxed(&m.stop, 1u);
    for (int i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_join(askers[i], NULL), 0);
    print_message("%u answers were used\n", npi_load_relaxed(&m.kept));
    assert_int_equal(wrong, 0);
    np_near_forget(NULL, 0);
}

/* --- pages on their way ---------------------------------------------------------------------- */

static uintptr_t watched_address;
static uint32_t answers_meanwhile;

static int let_pass(npi_call call, uintptr_t first, uintptr_t second)
{
    (void)call, (void)first, (void)second;
    return 0;
}

/* Somebody asks right after a step of the migration, and keeps what is no longer true at its end.
 */
static void ask_meanwhile(npi_call call, uintptr_t first, uintptr_t second, int error)
{
    (void)first, (void)second, (void)error;
    if (call != NPI_CALL_MBIND && call != NPI_CALL_MOVE_PAGES)
        return;
    npi_chunk_look look = npi_range_cache_look(watched_address);
    npi_range_cache_keep(&look, 77);
    answers_meanwhile++;
}

static void what_is_asked_during_a_migration_is_forgotten(void **state)
{
    (void)state;
    static const npi_hook hook = {let_pass, ask_meanwhile};
    machine m;
    begin(&m, NULL, &local_only);
    np_region *region = NULL;
    np_status status = np_region_create(
        m.topology, 4 * PAGE,
        NP_REGION_OPTIONS(.policy = NP_MEMORY_INTERLEAVE, .prefault = NP_PREFAULT_TOUCH), &region);
    assert_int_equal(status, NP_OK);
    watched_address = (uintptr_t)np_region_data(region);
    answers_meanwhile = 0;
    npi_hook_set(&hook);
    status = np_region_migrate(m.topology, region,
                               NP_REGION_OPTIONS(.policy = NP_MEMORY_INTERLEAVE), NULL);
    npi_hook_set(NULL);
    assert_int_equal(status, NP_OK);
    assert_true(answers_meanwhile > 0);
    assert_int_equal(npi_range_cache_look(watched_address).node, NP_NODE_ID_NONE);
    np_region_destroy(region);
    end(&m);
}

/* --- refusals ------------------------------------------------------------------------------ */

static void nothing(void *argument)
{
    (void)argument;
}

static void bad_ranges_are_refused(void **state)
{
    (void)state;
    machine m;
    begin(&m, TWO_BY_TWO, &local_only);
    int here = 0;
    np_data_place out;
    np_data_range range = {.address = &here, .bytes = SIZE_MAX};
    unit_expect_failure(np_submit_near(m.executor, NULL, 1, nothing, NULL), NP_ERR_INVALID_ARGUMENT,
                        "data range 0: address is NULL");
    unit_expect_failure(np_submit_near(m.executor, &here, SIZE_MAX, nothing, NULL),
                        NP_ERR_INVALID_ARGUMENT, "beyond the last address");
    unit_expect_failure(np_submit_near(m.executor, &here, 1, NULL, NULL), NP_ERR_INVALID_ARGUMENT,
                        "function is NULL");
    unit_expect_failure(np_submit_near(NULL, &here, 1, nothing, NULL), NP_ERR_INVALID_ARGUMENT,
                        "executor");
    unit_expect_failure(np_data_locate(NULL, &range, 1, &out), NP_ERR_INVALID_ARGUMENT, "executor");
    unit_expect_failure(np_data_locate(m.executor, &range, 1, &out), NP_ERR_INVALID_ARGUMENT,
                        "data range 0");
    unit_expect_failure(np_data_locate(m.executor, NULL, 1, &out), NP_ERR_INVALID_ARGUMENT,
                        "no ranges");
    unit_expect_failure(np_data_locate(m.executor, &range, 0, &out), NP_ERR_INVALID_ARGUMENT,
                        "no ranges");
    unit_expect_failure(np_data_locate(m.executor, &range, 1, NULL), NP_ERR_INVALID_ARGUMENT,
                        "out is NULL");
    unit_expect_failure(
        np_submit_with(m.executor, NP_SUBMIT_OPTIONS(.data_count = 1), nothing, NULL),
        NP_ERR_INVALID_ARGUMENT, "data_count is 1");
    unit_expect_failure(np_submit_with(m.executor,
                                       NP_SUBMIT_OPTIONS(.data = &range, .data_count = 1), nothing,
                                       NULL),
                        NP_ERR_INVALID_ARGUMENT, "data range 0");
    np_executor_load load;
    assert_int_equal(np_executor_load_now(m.executor, &load), NP_OK);
    assert_int_equal(load.accepted, 0);
    end(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_region_draws_its_tasks),
        cmocka_unit_test(a_region_that_is_gone_is_not_known),
        cmocka_unit_test(the_directory_holds_only_what_is_certain),
        cmocka_unit_test(most_bytes_win),
        cmocka_unit_test(a_range_across_entries_is_added_up),
        cmocka_unit_test(ties_go_to_the_caller_then_to_the_nearest),
        cmocka_unit_test(a_node_without_workers_is_served_by_its_neighbour),
        cmocka_unit_test(unknown_memory_stays_near_the_caller),
        cmocka_unit_test(the_kernel_is_asked_once),
        cmocka_unit_test(pages_that_are_not_there_are_asked_for_again),
        cmocka_unit_test(the_cache_keeps_and_forgets),
        cmocka_unit_test(an_answer_on_its_way_is_not_kept),
        cmocka_unit_test(no_old_answer_outlives_forgetting),
        cmocka_unit_test(what_is_asked_during_a_migration_is_forgotten),
        cmocka_unit_test(bad_ranges_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
