/*
 * Goal: a description of a machine that is too large, or whose numbers are, is refused with the
 * word for it; so are arguments beyond what there is. Method: descriptions one past each limit, and
 * the largest that is still taken.
 */
#include <stdio.h>

#include <numaperf.h>

#include "topology/synthetic.h"
#include "topology_help.h"

static void refused(const char *description, np_status status, const char *part)
{
    np_topology *topology = NULL;
    unit_expect_failure(np_topology_from_synthetic(description, &topology), status, part);
    assert_null(topology);
}

/* "first", then `count` times "again", then "last". */
static void repeat(char *text, size_t room, const char *first, const char *again, unsigned count,
                   const char *last)
{
    size_t used = (size_t)snprintf(text, room, "%s", first);
    for (unsigned i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, room - used, "%s", again);
    used += (size_t)snprintf(text + used, room - used, "%s", last);
    assert_true(used < room);
}

static void test_levels(void **state)
{
    (void)state;
    char text[4096];
    repeat(text, sizeof text, "numa:1", " group:1", NPI_SYNTHETIC_LEVELS, "");
    refused(text, NP_ERR_LIMIT, "too many levels");
}

static void test_nodes(void **state)
{
    (void)state;
    char text[8192];
    refused("numa:1025 pu:1", NP_ERR_LIMIT, "1024");
    repeat(text, sizeof text, "pack:1 ", "[numa] ", NPI_SYNTHETIC_ATTACHED + 1, "pu:1");
    refused(text, NP_ERR_LIMIT, "too many attached nodes");
}

static void test_sizes(void **state)
{
    (void)state;
    refused("numa:1(memory=99999999999999999999) pu:1", NP_ERR_PARSE, "memory");
    refused("numa:1 l3:1(size=99999999999999999999) pu:1", NP_ERR_PARSE, "bad cache size");
    refused("numa:1 l3:1(size=x) pu:1", NP_ERR_PARSE, "bad cache size");
}

static void test_words(void **state)
{
    (void)state;
    unit_expect_failure(np_group_submit_to_node(NULL, NULL, 0, NULL, NULL), NP_ERR_INVALID_ARGUMENT,
                        "is NULL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
