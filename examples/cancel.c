/*
 * Cancellation and errors.
 *
 * Cancelling a group discards its tasks that have not started and refuses new ones; running tasks
 * are not interrupted, they ask. Independent of it, any task can report an error: the first one
 * comes out of the wait. Here a search stops when it has found something, and a bad input is
 * reported.
 */
#include "example.h"

#include <stdatomic.h>

#define CHUNKS     2000u
#define CHUNK_SIZE 1000u
#define NEEDLE     123456u

struct search {
    np_group *group;
    atomic_uint found;
    atomic_uint discarded;
};

struct chunk {
    struct search *search;
    uint32_t first;
};

static void search_chunk(void *argument)
{
    const struct chunk *chunk = argument;
    for (uint32_t n = chunk->first; n < chunk->first + CHUNK_SIZE; n++) {
        if (n % 100 == 0 && np_group_is_cancelled(chunk->search->group))
            return;
        if (n == NEEDLE) {
            atomic_store(&chunk->search->found, n);
            np_group_cancel(chunk->search->group);
            return;
        }
    }
}

/* Here an argument that owns memory would be freed; ours was copied. */
static void discarded(void *context, np_task_fn fn, void *argument, np_discard_reason reason)
{
    struct search *search = context;
    (void)argument;
    if (fn == search_chunk && reason == NP_DISCARD_CANCELLED)
        atomic_fetch_add(&search->discarded, 1);
}

static void parse_number(void *argument)
{
    const char *text = argument;
    char *end;
    strtoul(text, &end, 10);
    if (*end != '\0')
        np_group_fail(np_current_group(), NP_ERR_PARSE);
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    static struct search search;
    np_executor *executor = NULL;
    CHECK(np_executor_create(
        topology, NP_EXECUTOR_OPTIONS(.on_discard = discarded, .discard_context = &search),
        &executor));
    np_topology_destroy(topology);
    CHECK(np_group_create(NULL, &search.group));

    unsigned accepted = 0;
    for (uint32_t i = 0; i < CHUNKS; i++) {
        struct chunk chunk = {.search = &search, .first = i * CHUNK_SIZE};
        np_status status = np_submit_with(
            executor, NP_SUBMIT_OPTIONS(.group = search.group, .copy_bytes = sizeof chunk),
            search_chunk, &chunk);
        if (status == NP_ERR_CANCELLED)
            break; /* found already */
        CHECK(status);
        accepted++;
    }
    np_status outcome = np_group_wait(search.group);
    printf("found %u; %u of %u chunks were submitted, %u of those discarded; the wait says: %s\n",
           atomic_load(&search.found), accepted, CHUNKS, atomic_load(&search.discarded),
           np_status_text(outcome));
    EXPECT(outcome == NP_ERR_CANCELLED && atomic_load(&search.found) == NEEDLE);

    /* The group is told before the executor has closed its books on the last task. */
    CHECK(np_executor_wait_idle(executor, NP_FOREVER));
    np_executor_load load;
    CHECK(np_executor_load_now(executor, &load));
    EXPECT(load.accepted == accepted && load.discarded == atomic_load(&search.discarded));
    EXPECT(load.executed + load.discarded == load.accepted);

    /* The group can be used again. Each text is a task; one of them is not a number. */
    CHECK(np_group_reset(search.group));
    static char texts[][8] = {"17", "4", "12x", "99"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        CHECK(np_group_submit(search.group, executor, parse_number, texts[i]));
    outcome = np_group_wait(search.group);
    printf("parsing: %s\n", np_status_text(outcome));
    EXPECT(outcome == NP_ERR_PARSE);

    CHECK(np_group_destroy(search.group));
    CHECK(np_executor_destroy(executor));
    return EXIT_SUCCESS;
}
