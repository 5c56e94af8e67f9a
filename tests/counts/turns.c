/*
 * Submitter and worker in turns, for counting lines only: one step is a submit and what it leads
 * to. The worker is awake and searching, which can be waited for but not counted in instructions.
 */
#include "lines.h"
#include "walk.h"

enum { TURNS = 40 };

static np_atomic(uint32_t) turns_run;
static uint32_t turns_begin, turns_end, turns_steps;

static void turn(void *argument)
{
    (void)argument;
    uint32_t ran = npi_load_relaxed(&turns_run) + 1;
    if (ran == turns_begin)
        begin("run", turns_steps - 1);
    if (ran == turns_end)
        end();
    npi_store_release(&turns_run, ran);
}

/* The worker is awake and searching; one step is a submit and what it leads to. So each line that
 * both use travels in each step, which is the most that it can. */
static void in_turns(submit_fn *submit, unsigned tasks)
{
    create_spinning(1, 1000000000u);
    body = turn;
    uint32_t submitted = 0;
    for (uint32_t walk = 1; walk <= 2; walk++) {
        turns_steps = walk * TURNS;
        turns_begin = submitted + 1;
        turns_end = submitted + 1 + (turns_steps - 1) * tasks;
        begin("submit", turns_steps);
        for (uint32_t i = 0; i < turns_steps; i++) {
            count_lines_step();
            submit(tasks);
            submitted += tasks;
            while (npi_load_acquire(&turns_run) != submitted ||
                   !npi_sleepers_searching(&executor->nodes[0]->sleepers))
                let_others_run();
        }
        end();
    }
}

void path_outside_turns(void)
{
    in_turns(submit_one_by_one, 1);
}

void path_near_turns(void)
{
    in_turns(submit_near, 1);
}

void path_batch_turns(void)
{
    in_turns(submit_batches, BATCH);
}

void path_copy_turns(void)
{
    in_turns(submit_copies, 1);
}

void path_group_turns(void)
{
    in_turns(submit_into_group, 1);
}

static void data_in_turns(void)
{
    in_turns(submit_to_data, 1);
}

void path_data_turns(void)
{
    with_region(data_in_turns);
}

/* --- the counting itself --- */

/* As the compiler would announce accesses to two lines. */
void __tsan_read8(void *address);
void __tsan_write8(void *address);
static NPI_ALIGNED(NPI_CACHE_LINE) uint64_t known_lines[2][NPI_CACHE_LINE / 8];

static void known_inside(void *argument)
{
    __tsan_read8(&known_lines[0][0]);
    __tsan_read8(&known_lines[0][7]);
    __tsan_write8(&known_lines[1][3]);
    turn(argument);
}

/* The worker fetches both lines, and the submitter the second one. */
static void known_outside(unsigned tasks)
{
    body = known_inside;
    __tsan_write8(&known_lines[0][1]);
    __tsan_write8(&known_lines[1][1]);
    submit_one_by_one(tasks);
}

void path_known(void)
{
    in_turns(known_outside, 1);
}
