/*
 * Goal: when memory runs out while a topology is made, the call says so and nothing is lost.
 * Method: every allocation of every way to a topology fails once, in turn; what is held afterwards
 * must be nothing.
 */
#include "topology_help.h"

#include "os/os.h"
#include "topology/sources.h"

typedef np_status (*maker)(np_topology **out);

static np_status make_synthetic(np_topology **out)
{
    return np_topology_from_synthetic("pack:2 numa:2 l3:1 core:2 pu:8 | "
                                      "10 12 32 32 12 10 32 32 32 32 10 12 32 32 12 10",
                                      out);
}

static char scratch[] = "/tmp/np-xml-XXXXXX";

static np_status make_xml(np_topology **out)
{
    return np_topology_from_xml(scratch, out);
}

static np_status make_discovered(np_topology **out)
{
    return np_topology_discover(out);
}

static void write_machine(void)
{
    int file = mkstemp(scratch);
    assert_true(file >= 0);
    FILE *out = fdopen(file, "w");
    assert_non_null(out);
    fprintf(out, "<topology version='2.0'><object type='Machine'>");
    for (int i = 0; i < 12; i++)
        fprintf(out,
                "<object type='NUMANode' os_index='%d' cpuset='0x%x' local_memory='1'/>"
                "<object type='PU' os_index='%d'/>",
                i, 1u << i, i);
    fprintf(out, "</object><distances2 type='NUMANode' nbobjs='1' kind='5'><indexes>0</indexes>"
                 "<u64values>10</u64values></distances2></topology>\n");
    assert_int_equal(fclose(out), 0);
}

/* `may_succeed`: discovery goes on without what it could not read. */
static void fail_each_allocation(maker make, bool may_succeed)
{
    unit_allocator allocator;
    unit_allocator_install(&allocator);
    np_topology *topology = NULL;
    assert_int_equal(make(&topology), NP_OK);
    size_t calls = allocator.calls;
    np_topology_destroy(topology);
    assert_int_equal(allocator.held_blocks, 0);
    assert_true(calls >= 3);
    for (size_t i = 1; i <= calls; i++) {
        topology = NULL;
        allocator.calls = 0;
        allocator.fail_at = i;
        np_status status = make(&topology);
        if (status != NP_OK || !may_succeed) {
            assert_int_equal(status, NP_ERR_NO_MEMORY);
            assert_true(np_error_detail()[0] != '\0');
            assert_null(topology);
        }
        np_topology_destroy(topology);
        assert_int_equal(allocator.held_blocks, 0);
    }
    assert_int_equal(allocator.wrong_sizes, 0);
    assert_int_equal(np_set_allocator(NULL), NP_OK);
}

static void synthetic(void **state)
{
    (void)state;
    fail_each_allocation(make_synthetic, false);
}

static void xml(void **state)
{
    (void)state;
    write_machine();
    fail_each_allocation(make_xml, false);
    assert_int_equal(unlink(scratch), 0);
}

static void discovery(void **state)
{
    (void)state;
    fail_each_allocation(make_discovered, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synthetic),
        cmocka_unit_test(xml),
        cmocka_unit_test(discovery),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
