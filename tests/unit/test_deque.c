/*
 * Goal: the fork deque gives each child to exactly one taker: its owner, youngest first, or a
 * thief, oldest first. Method: exact sequences on one thread, then an owner against several thieves
 * on one child (the last-element race) and on many.
 */
#include "sync/deque.h"

#include "os/os.h"
#include "unit.h"

static void nothing(void *argument)
{
    (void)argument;
}

static npi_deque *make(npi_child **slots)
{
    npi_deque *deque = aligned_alloc(NPI_FALSE_SHARING, sizeof *deque);
    assert_non_null(deque);
    memset(deque, 0, sizeof *deque);
    *slots = aligned_alloc(NPI_CACHE_LINE, NPI_DEQUE_CAPACITY * sizeof **slots);
    assert_non_null(*slots);
    memset((void *)*slots, 0, NPI_DEQUE_CAPACITY * sizeof **slots);
    npi_deque_init(deque, *slots);
    return deque;
}

static void push(npi_deque *deque, uintptr_t number)
{
    assert_true(npi_deque_push(deque, NULL, nothing, number));
}

static uintptr_t number_of(npi_child *child)
{
    return npi_plain_get(&child->argument);
}

static void test_private_is_a_stack(void **state)
{
    (void)state;
    npi_child *slots;
    npi_deque *deque = make(&slots);
    bool again;
    for (uintptr_t i = 0; i < NPI_DEQUE_CAPACITY; i++)
        push(deque, i);
    assert_false(npi_deque_push(deque, NULL, nothing, 0)); /* full */
    assert_false(npi_deque_has_shared(deque, true));
    assert_null(npi_deque_steal(deque, true, &again));
    assert_false(again);
    for (uintptr_t i = NPI_DEQUE_CAPACITY; i-- > 0;)
        assert_int_equal(number_of(npi_deque_pop(deque)), i);
    assert_true(npi_deque_is_empty(deque));
    free((void *)slots);
    free(deque);
}

static void test_thieves_take_the_oldest(void **state)
{
    (void)state;
    npi_child *slots;
    npi_deque *deque = make(&slots);
    bool again;
    for (uintptr_t i = 0; i < 5; i++)
        push(deque, i);
    assert_int_equal(npi_deque_publish(deque, 3), 3);
    assert_int_equal(number_of(npi_deque_steal(deque, true, &again)), 0);
    assert_int_equal(number_of(npi_deque_steal(deque, true, &again)), 1);
    assert_int_equal(number_of(npi_deque_pop(deque)), 4);
    assert_int_equal(number_of(npi_deque_pop(deque)), 3);
    assert_int_equal(number_of(npi_deque_pop(deque)), 2); /* reclaimed */
    assert_null(npi_deque_steal(deque, true, &again));
    assert_null(npi_deque_pop(deque)); /* child 1 is stolen */
    npi_deque_forget(deque);
    assert_null(npi_deque_pop(deque));
    npi_deque_forget(deque);
    assert_true(npi_deque_is_empty(deque));
    /* The same slots again. */
    push(deque, 77);
    assert_int_equal(npi_deque_publish(deque, UINT32_MAX), 1);
    assert_int_equal(npi_load_relaxed(&deque->hungry), 0);
    assert_int_equal(number_of(npi_deque_steal(deque, true, &again)), 77);
    assert_int_equal(npi_load_relaxed(&deque->hungry), 1); /* it was the last one in sight */
    assert_null(npi_deque_pop(deque));
    npi_deque_forget(deque);
    free((void *)slots);
    free(deque);
}

static void test_local_bit(void **state)
{
    (void)state;
    npi_child *slots;
    npi_deque *deque = make(&slots);
    bool again;
    push(deque, 1);
    push(deque, 2);
    assert_int_equal(npi_deque_publish(deque, UINT32_MAX), 2);
    assert_false(npi_deque_set_local(deque, true));
    assert_false(npi_deque_has_shared(deque, false));
    assert_true(npi_deque_has_shared(deque, true));
    assert_null(npi_deque_steal(deque, false, &again));
    assert_int_equal(number_of(npi_deque_steal(deque, true, &again)), 1);
    assert_int_equal(number_of(npi_deque_pop(deque)), 2);
    assert_true(npi_deque_set_local(deque, false));
    free((void *)slots);
    free(deque);
}

/* --- the owner against thieves ----------------------------------------------------------- */

enum { THIEVES = 2 };
static const uintptr_t ROUNDS = UNIT_SANITIZED ? 3000 : 40000;

typedef struct contest {
    npi_deque *deque;
    np_atomic(uint32_t) over;
    np_atomic(uint64_t) stolen;
    np_atomic(uint64_t) sum;
} contest;

static void thief(void *argument)
{
    contest *c = argument;
    bool again;
    while (npi_load_acquire(&c->over) == 0) {
        npi_child *child = npi_deque_steal(c->deque, true, &again);
        if (child == NULL)
            continue;
        npi_fetch_add_relaxed(&c->sum, (uint64_t)number_of(child));
        npi_fetch_add_relaxed(&c->stolen, (uint64_t)1);
        /* As npi_run_stolen_child: the owner may reuse the slot after this. */
        npi_store_release(&child->state, (uint32_t)NPI_CHILD_DONE);
    }
}

static void play(uint32_t depth)
{
    npi_child *slots;
    contest c = {.deque = make(&slots)};
    npi_os_thread thread[THIEVES];
    for (unsigned i = 0; i < THIEVES; i++)
        assert_int_equal(npi_os_thread_start(&thread[i], 0, thief, &c), 0);
    uint64_t pushed = 0, expected = 0, own = 0, own_sum = 0, taken = 0;
    for (uintptr_t round = 1; round <= ROUNDS; round++) {
        for (uint32_t i = 0; i < depth; i++) {
            push(c.deque, round * depth + i);
            expected += round * depth + i;
            pushed++;
            if (i % 3 == 0)
                (void)npi_deque_publish(c.deque, 1 + i % 2);
        }
        while (!npi_deque_is_empty(c.deque)) {
            npi_child *child = npi_deque_pop(c.deque);
            if (child != NULL) {
                own++;
                own_sum += number_of(child);
                continue;
            }
            child = c.deque->head - 1;
            while (npi_load_acquire(&child->state) != NPI_CHILD_DONE)
                npi_cpu_relax();
            taken++;
            npi_deque_forget(c.deque);
        }
    }
    npi_store_release(&c.over, 1u);
    for (unsigned i = 0; i < THIEVES; i++)
        assert_int_equal(npi_os_thread_join(&thread[i]), 0);
    assert_int_equal(npi_load_relaxed(&c.stolen), taken);
    assert_int_equal(own + taken, pushed);
    assert_int_equal(own_sum + npi_load_relaxed(&c.sum), expected);
    free((void *)slots);
    free(c.deque);
}

static void test_last_child_race(void **state)
{
    (void)state;
    play(1);
}

static void test_many_children_race(void **state)
{
    (void)state;
    play(2);
    play(9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_private_is_a_stack), cmocka_unit_test(test_thieves_take_the_oldest),
        cmocka_unit_test(test_local_bit),          cmocka_unit_test(test_last_child_race),
        cmocka_unit_test(test_many_children_race),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
