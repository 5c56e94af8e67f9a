/*
 * parallel/loop_guided.c - loops whose workers take stretches from the front, each a part of what
 * is left (guided self-scheduling: Polychronopoulos and Kuck, IEEE Transactions on Computers, 1987,
 * with half of a fair share instead of a whole one, so that the last worker is not late by much).
 *
 * One task for each worker; all take stretches from one cursor, until nothing is left.
 */
#include "parallel/loop_guided.h"

/* Nobody needs less than this part of a fair share at a time. */
#define GUIDED_PARTS 64u

/* False: nothing is left. */
static bool take_stretch(npi_guided *g, size_t *begin, size_t *end)
{
    /* Relaxed: who takes what is all that it decides; the submits and the group's end order the
     * rest. */
    size_t at = npi_load_relaxed(&g->next);
    size_t left, stretch;
    do {
        left = g->call->end - at;
        if (left == 0)
            return false;
        stretch = left / g->workers / 2;
        stretch = stretch > g->least ? stretch : g->least;
        stretch = stretch < left ? stretch : left;
    } while (!npi_cas_weak_relaxed(&g->next, &at, at + stretch));
    *begin = at;
    *end = at + stretch;
    return true;
}

static void run_guided_stretches(void *argument)
{
    npi_guided *g = argument;
    const npi_loop *loop = &g->call->loop;
    size_t begin, end;
    while (!npi_loop_stopped(loop) && take_stretch(g, &begin, &end))
        loop->body(loop->context, begin, end);
}

static void run_guided(void *argument)
{
    npi_guided *g = argument;
    npi_watch_rename(npi_worker_self(), g->call->loop.name);
    npi_loop_framed(npi_worker_self(), g->call, run_guided_stretches, argument);
}

/* One for each worker. A task that comes late finds nothing left. */
static np_status submit_tasks(npi_guided *g, np_group *group)
{
    const npi_loop_call *c = g->call;
    np_submit_options options = {.size = sizeof options, .to_node = true, .group = group};
    options.affinity = c->node != NULL ? NP_AFFINITY_STRICT : NP_AFFINITY_PREFERRED;
    np_status status = NP_OK;
    for (uint32_t i = 0; i < c->executor->node_count; i++) {
        const npi_node *node = c->executor->nodes[i];
        options.node = node->id;
        if (c->node == NULL || c->node == node)
            for (uint32_t w = 0; status == NP_OK && w < node->regular; w++)
                status = np_submit_with(c->executor, &options, run_guided, g);
    }
    return status;
}

np_status npi_guided_submit(npi_guided *g, const npi_loop_call *c, np_group *group)
{
    size_t workers = npi_loop_workers(c);
    size_t fair = (c->end - c->begin) / workers / GUIDED_PARTS;
    npi_atomic_init(&g->next, c->begin);
    g->call = c;
    g->workers = workers;
    g->least = c->loop.grain != 0 ? c->loop.grain : fair != 0 ? fair : 1;
    return submit_tasks(g, group);
}
