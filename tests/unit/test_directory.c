/*
 * Goal: the directory of placed memory answers like a plain list of what was last said of each
 * address, also for those who look while it changes. Method: random changes over a small stretch of
 * addresses (the directory never touches the memory), compared page by page with an array; then
 * readers beside a writer that moves entries which are never absent; then a fork while a writer is
 * at work. The seed is printed; SEED=n repeats it.
 */
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"
#include "memory/directory.h"

enum { PAGES = 512, PAGE = 4096, CHANGES = 3000, ROUNDS = UNIT_SANITIZED ? 2000 : 20000 };

/* Addresses that no mapping of this process can have, so that nothing else is registered there. */
#define BASE ((uintptr_t)1 << 20)

static uintptr_t at(uint32_t page)
{
    return BASE + (uintptr_t)page * PAGE;
}

static void set(uint32_t page, uint32_t pages, np_node_id node, bool is_virtual)
{
    npi_directory_set((void *)at(page), (size_t)pages * PAGE, node, is_virtual);
}

static void forget_everything(void)
{
    set(0, PAGES, NP_NODE_ID_NONE, false);
    assert_int_equal(npi_directory_count(), 0);
}

/* --- against a list ------------------------------------------------------------------------ */

typedef struct fact {
    np_node_id node;
    bool is_virtual;
    uint32_t change; /* that said so: neighbours of different changes are different entries */
} fact;

static void compare(const fact *facts, bool is_virtual)
{
    for (uint32_t page = 0; page < PAGES; page++) {
        bool mine = facts[page].node != NP_NODE_ID_NONE && facts[page].is_virtual == is_virtual;
        npi_stretch got = npi_directory_find(at(page) + 17, at(PAGES), is_virtual);
        assert_int_equal(got.node, mine ? facts[page].node : NP_NODE_ID_NONE);
        uint32_t end = page + 1;
        while (end < PAGES && facts[end].change == facts[page].change &&
               facts[end].node == facts[page].node)
            end++;
        /* What is not known may be told in pieces; what is known holds to its very end. */
        if (facts[page].node != NP_NODE_ID_NONE)
            assert_int_equal(got.end, at(end));
        assert_true(got.end > at(page) + 17);
        assert_true(got.end <= at(PAGES));
    }
    /* Never beyond what was asked for. */
    npi_stretch one = npi_directory_find(at(3), at(3) + 5, is_virtual);
    assert_true(one.end <= at(3) + 5);
}

static void it_answers_like_a_list(void **state)
{
    (void)state;
    const char *given = getenv("SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : 20261128;
    print_message("SEED=%llu\n", (unsigned long long)seed);
    npi_random random;
    npi_random_seed(&random, seed);
    fact facts[PAGES];
    for (uint32_t page = 0; page < PAGES; page++)
        facts[page] = (fact){NP_NODE_ID_NONE, false, 0};
    uint32_t longest = 0;
    for (uint32_t change = 1; change <= CHANGES; change++) {
        /* Mostly short ones, so that there are more entries than the first tables hold. */
        uint32_t begin = npi_random_below(&random, PAGES);
        uint32_t pages = 1 + npi_random_below(&random, change % 512 == 0 ? PAGES : 3);
        if (pages > PAGES - begin)
            pages = PAGES - begin;
        np_node_id node = (np_node_id)npi_random_below(&random, 9) - 1;
        bool is_virtual = npi_random_below(&random, 2) != 0;
        set(begin, pages, node, is_virtual);
        for (uint32_t page = begin; page < begin + pages; page++)
            facts[page] = (fact){node, is_virtual, change};
        uint32_t count = (uint32_t)npi_directory_count();
        longest = count > longest ? count : longest;
        if (change % 16 == 0) {
            compare(facts, false);
            compare(facts, true);
        }
    }
    assert_true(longest > 128);
    print_message("up to %u entries\n", longest);
    forget_everything();
}

static void edges(void **state)
{
    (void)state;
    npi_directory_set((void *)at(1), 0, 3, false); /* nothing */
    assert_int_equal(npi_directory_count(), 0);
    set(10, 10, 3, false);
    set(13, 2, 4, false); /* cuts it in two */
    assert_int_equal(npi_directory_count(), 3);
    assert_int_equal(npi_directory_find(at(12), at(40), false).node, 3);
    assert_int_equal(npi_directory_find(at(12), at(40), false).end, at(13));
    assert_int_equal(npi_directory_find(at(14), at(40), false).node, 4);
    assert_int_equal(npi_directory_find(at(15), at(40), false).end, at(20));
    assert_int_equal(npi_directory_find(at(20), at(40), false).node, NP_NODE_ID_NONE);
    assert_int_equal(npi_directory_find(at(20), at(40), false).end, at(40));
    assert_int_equal(npi_directory_find(at(2), at(40), false).end, at(10));
    set(0, 30, NP_NODE_ID_NONE, false);
    assert_int_equal(npi_directory_count(), 0);
}

/* --- beside a writer ----------------------------------------------------------------------- */

typedef struct race {
    np_atomic(uint32_t) stop;
    np_atomic(uint64_t) looks;
    np_atomic(uint32_t) wrong;
} race;

/* Page 100 is always on node 5 and page 300 on node 6 or 7; the rest comes and goes. */
static void *look(void *argument)
{
    race *r = argument;
    uint64_t looks = 0;
    while (npi_load_relaxed(&r->stop) == 0 || looks == 0) {
        npi_stretch kept = npi_directory_find(at(100), at(101), false);
        npi_stretch moved = npi_directory_find(at(300), at(301), false);
        if (kept.node != 5 || kept.end != at(101) || moved.node < 6 || moved.node > 7)
            npi_store_relaxed(&r->wrong, 1u);
        looks++;
    }
    npi_fetch_add_relaxed(&r->looks, looks);
    return NULL;
}

static void readers_never_see_a_table_in_the_making(void **state)
{
    (void)state;
    enum { READERS = 3 };
    race r = {.stop = 0, .looks = 0, .wrong = 0};
    pthread_t readers[READERS];
    set(100, 1, 5, false);
    set(300, 1, 6, false);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, look, &r), 0);
    npi_random random;
    npi_random_seed(&random, 7);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t page = npi_random_below(&random, 99);
        uint32_t pages = 1 + npi_random_below(&random, 100 - page);
        bool is_gone = npi_random_below(&random, 4) == 0;
        set(page, pages, is_gone ? NP_NODE_ID_NONE : (np_node_id)(round % 4), false);
        set(300, 1, 6 + (np_node_id)(round % 2), false);
        set(310 + round % 200, 1, round % 3 == 0 ? NP_NODE_ID_NONE : 1, round % 5 == 0);
    }
    npi_store_relaxed(&r.stop, 1u);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    assert_int_equal(npi_load_relaxed(&r.wrong), 0);
    assert_true(npi_load_relaxed(&r.looks) >= READERS);
    forget_everything();
}

static void *write_on(void *argument)
{
    race *r = argument;
    for (uint32_t round = 0; npi_load_relaxed(&r->stop) == 0; round++)
        set(200 + round % 8, 1, (np_node_id)(round % 3), false);
    return NULL;
}

/* Two writers, so that the lock is contended and somebody sleeps on it. */
static void a_child_forked_beside_writers_reads_and_writes(void **state)
{
    (void)state;
    if (UNIT_SANITIZED || unit_is_emulated())
        UNIT_SKIP("a forked child of a threaded process under this instrument");
    race r = {.stop = 0, .looks = 0, .wrong = 0};
    pthread_t writers[2];
    set(100, 1, 5, false);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, write_on, &r), 0);
    for (int round = 0; round < 200; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(20); /* hanging is the failure looked for */
            bool good = npi_directory_find(at(100), at(101), false).node == 5;
            set(101, 1, 2, false);
            good = good && npi_directory_find(at(101), at(102), false).node == 2 &&
                   npi_directory_find(at(100), at(101), false).node == 5;
            _exit(good ? 0 : 1);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    npi_store_relaxed(&r.stop, 1u);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(writers[i], NULL), 0);
    forget_everything();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_answers_like_a_list),
        cmocka_unit_test(edges),
        cmocka_unit_test(readers_never_see_a_table_in_the_making),
        cmocka_unit_test(a_child_forked_beside_writers_reads_and_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
