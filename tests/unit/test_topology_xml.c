/*
 * Goal: a topology file becomes the machine it describes; a damaged one becomes an error that names
 * file and line, prints nothing and leaks nothing. Method: fixtures with known properties, hwloc's
 * own reading of them as an oracle, a table of malformed documents, truncations and random changes
 * of a good file.
 */
#include <numaperf/device.h>
#include <numaperf/hwloc.h>

#include "topology_help.h"

/* A file of tests/topology. */
static const char *fixture(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", NPT_TOPOLOGIES, name);
    return path;
}

static np_topology *load(const char *name)
{
    np_topology *topology = NULL;
    if (getenv("NP_GUEST") != NULL)
        UNIT_SKIP("the fixtures are in the source tree, which a guest does not have");
    if (np_topology_from_xml(fixture(name), &topology) != NP_OK)
        fail_msg("%s", np_error_detail());
    topology_check_sane(topology);
    assert_true(np_topology_is_virtual(topology));
    return topology;
}

/* --- fixtures ---------------------------------------------------------------------------- */

static void sparse_ids(void **state)
{
    (void)state;
    np_topology *t = load("sparse-ids.xml");
    np_node_info info;
    uint32_t distance = 0;
    assert_int_equal(np_topology_node_count(t), 3);
    topology_expect_cpus(t, 8, "4-7");
    topology_expect_cpus(t, 0, "36-43");
    topology_expect_cpus(t, 252, "");
    assert_int_equal(np_topology_node_info(t, 252, &info), NP_OK);
    assert_int_equal(info.memory_bytes, UINT64_C(256) << 30);
    assert_int_equal(info.nearest_cpus, 0);
    assert_int_equal(info.socket, -1);
    /* Not the bandwidth table that stands first, and by id, not by position. */
    assert_int_equal(np_topology_distance_source(t), NP_DISTANCE_GIVEN);
    assert_int_equal(np_topology_distance(t, 252, 0, &distance), NP_OK);
    assert_int_equal(distance, 17);
    assert_int_equal(np_topology_distance(t, 0, 252, &distance), NP_OK);
    assert_int_equal(distance, 18);
    assert_int_equal(np_topology_distance(t, 8, 0, &distance), NP_OK);
    assert_int_equal(distance, 22);
    assert_int_equal(np_topology_core_count(t), 4);
    assert_int_equal(np_topology_cpu_tier(t, 4, 7), NP_TIER_CACHE);
    np_topology_destroy(t);
}

static void memory_kinds(void **state)
{
    (void)state;
    np_topology *t = load("memory-kinds.xml");
    np_node_info info;
    topology_expect_cpus(t, 0, "0-1");
    topology_expect_cpus(t, 3, "2-3");
    /* High-bandwidth memory does not take the CPUs, though its id may be smaller. */
    assert_int_equal(np_topology_node_info(t, 1, &info), NP_OK);
    assert_int_equal(info.cpu_count, 0);
    assert_int_equal(info.nearest_cpus, 3);
    assert_int_equal(info.socket, 1);
    np_topology_destroy(t);
}

static void restricted(void **state)
{
    (void)state;
    np_topology *t = load("restricted.xml");
    assert_int_equal(np_topology_node_count(t), 2);
    topology_expect_cpus(t, 1, "2-3");
    topology_expect_cpus(t, 3, "6-7");
    np_topology_destroy(t);
}

static void cache_over_nodes(void **state)
{
    (void)state;
    np_topology *t = load("cache-over-nodes.xml");
    np_node_info info;
    assert_int_equal(np_topology_cpu_tier(t, 0, 1), NP_TIER_CACHE);
    assert_int_equal(np_topology_cpu_tier(t, 1, 2), NP_TIER_SOCKET);
    assert_int_equal(np_topology_cpu_node(t, 4), NP_NODE_ID_NONE);
    assert_int_equal(np_topology_node_info(t, 1, &info), NP_OK);
    assert_int_equal(info.memory_bytes, 0);
    assert_int_equal(info.cpu_count, 2);
    np_topology_destroy(t);
}

static void version_1(void **state)
{
    (void)state;
    np_topology *t = load("version-1.xml");
    assert_int_equal(np_topology_node_count(t), 2);
    assert_int_equal(np_topology_socket_count(t), 2);
    topology_expect_cpus(t, 1, "4-7");
    assert_int_equal(np_topology_cpu_tier(t, 0, 1), NP_TIER_CACHE);
    assert_int_equal(np_topology_cpu_tier(t, 2, 3), NP_TIER_NODE); /* only an instruction cache */
    char *text = topology_text(np_topology_describe, t);
    assert_non_null(strstr(text, "hwloc 1 are not read"));
    free(text);
    np_topology_destroy(t);
}

static void hwloc_reads_the_same(void **state)
{
    (void)state;
    static const char *const names[] = {"sparse-ids.xml", "memory-kinds.xml", "restricted.xml",
                                        "cache-over-nodes.xml"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        hwloc_topology_t source = NULL;
        np_topology *theirs = NULL;
        np_topology *ours = load(names[i]);
        assert_int_equal(hwloc_topology_init(&source), 0);
        assert_int_equal(hwloc_topology_set_xml(source, fixture(names[i])), 0);
        assert_int_equal(hwloc_topology_load(source), 0);
        assert_int_equal(np_topology_from_hwloc(source, &theirs), NP_OK);
        hwloc_topology_destroy(source);
        char *left = topology_text(np_topology_to_json, ours);
        char *right = topology_text(np_topology_to_json, theirs);
        assert_string_equal(left, right);
        free(left);
        free(right);
        np_topology_destroy(ours);
        np_topology_destroy(theirs);
    }
}

/* What hwloc exports of its own machines is read as hwloc reads it. */
static void reads_what_hwloc_writes(void **state)
{
    (void)state;
    static const char *const machines[] = {
        "pack:2 numa:2 l3:2 core:2 pu:2", "numa:4(indexes=8,0,252,16) l2:3 core:2 pu:1",
        "pack:2 [numa] [numa(memory=8GiB)] core:3 pu:2", "group:40 numa:1 pu:20"};
    char path[] = "/tmp/np-xml-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    (void)close(file);
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        hwloc_topology_t source = NULL;
        np_topology *theirs = NULL;
        np_topology *ours = NULL;
        assert_int_equal(hwloc_topology_init(&source), 0);
        assert_int_equal(hwloc_topology_set_synthetic(source, machines[i]), 0);
        assert_int_equal(hwloc_topology_load(source), 0);
        assert_int_equal(hwloc_topology_export_xml(source, path, 0), 0);
        assert_int_equal(np_topology_from_hwloc(source, &theirs), NP_OK);
        hwloc_topology_destroy(source);
        assert_int_equal(np_topology_from_xml(path, &ours), NP_OK);
        char *left = topology_text(np_topology_to_json, ours);
        char *right = topology_text(np_topology_to_json, theirs);
        assert_string_equal(left, right);
        free(left);
        free(right);
        np_topology_destroy(ours);
        np_topology_destroy(theirs);
    }
    assert_int_equal(unlink(path), 0);
}

/* --- bad documents ----------------------------------------------------------------------- */

#define PU(index) "<object type='PU' os_index='" index "'/>"
#define NODE      "<object type='NUMANode' os_index='0' cpuset='0x1' local_memory='1'/>"
#define WHOLE(inside) \
    "<topology version='2.0'><object type='Machine'>" inside "</object></topology>"
#define TABLE(attributes, inside)                                  \
    "<topology version='2.0'><object type='Machine'>" PU("0") NODE \
        "</object>\n<distances2 "                                  \
        "type='NUMANode' " attributes ">" inside "</distances2></topology>"

static const struct {
    const char *text;
    np_status status;
    const char *detail;
} bad[] = {
    {"", NP_ERR_PARSE, "line 1: expected an element, where the file ends"},
    {"hello", NP_ERR_PARSE, "line 1: text outside of all elements"},
    {"\n\nhello<a/>", NP_ERR_PARSE, "line 3: text outside of all elements, found \"hello<a/>\""},
    {"<", NP_ERR_PARSE, "expected the name of an element"},
    {"<topology", NP_ERR_PARSE, "line 1: expected a space or the tag's end, where the file ends"},
    {"<topology version>", NP_ERR_PARSE, "expected '='"},
    {"<topology version=2>", NP_ERR_PARSE, "expected a quoted value, found \"2>\""},
    {"<topology version=\"2>", NP_ERR_PARSE, "a quoted value does not end"},
    {"<topology a=''b=''>", NP_ERR_PARSE, "expected a space or the tag's end"},
    {"<topology>", NP_ERR_PARSE, "an element is not closed"},
    {"<topology></object>", NP_ERR_PARSE, "closes no open element, found \"object>\""},
    {"<topology/><topology/>", NP_ERR_PARSE, "only one outermost element"},
    {"</topology>", NP_ERR_PARSE, "closes no open element"},
    {"<!-- a comment", NP_ERR_PARSE, "a comment does not end"},
    {"<?xml", NP_ERR_PARSE, "an instruction does not end"},
    {"<!DOCTYPE topology [ <!ENTITY a 'b'> <topology/>", NP_ERR_PARSE, "declaration does not end"},
    {"<html><body/></html>", NP_ERR_PARSE,
     "expected an hwloc topology, found the element \"html\""},
    {"<topologydiff/>", NP_ERR_PARSE, "found the element \"topologydiff\""},
    {"<topology version='7.1'/>", NP_ERR_PARSE, "attribute version has the bad value \"7.1\""},
    {"<topology/>", NP_ERR_PARSE, "describes no CPU"},
    {WHOLE(NODE), NP_ERR_PARSE, "describes no CPU"},
    {WHOLE(PU("0")), NP_ERR_PARSE, "describes no NUMA node"},
    {WHOLE("<object os_index='1'/>"), NP_ERR_PARSE, "an object has no type"},
    {WHOLE("\n<object type='PU'/>"), NP_ERR_PARSE, "line 2: a PU has no os_index"},
    {WHOLE("<object type='NUMANode'/>"), NP_ERR_PARSE, "a NUMANode has no os_index"},
    {WHOLE(PU("x")), NP_ERR_PARSE, "attribute os_index has the bad value \"x\""},
    {WHOLE(PU("-1")), NP_ERR_PARSE, "bad value \"-1\""},
    {WHOLE(PU("")), NP_ERR_PARSE, "bad value \"\""},
    {WHOLE(PU("99999999999999999999999")), NP_ERR_PARSE, "os_index"},
    {WHOLE(PU("8192")), NP_ERR_LIMIT, "line 1: CPU 8192 is above the limit"},
    {WHOLE(PU("0") PU("0") NODE), NP_ERR_PARSE, "CPU 0 appears twice"},
    {WHOLE(PU("0") NODE NODE), NP_ERR_PARSE, "node 0 appears twice"},
    {WHOLE("<object type='NUMANode' os_index='4294967295'/>"), NP_ERR_LIMIT, "node id 4294967295"},
    {WHOLE("<object type='NUMANode' os_index='0' cpuset='1x'/>"), NP_ERR_PARSE,
     "cpuset has the bad value \"1x\""},
    {WHOLE("<object type='NUMANode' os_index='0' cpuset='0x123456789'/>"), NP_ERR_PARSE, "cpuset"},
    {WHOLE("<object type='NUMANode' os_index='0' cpuset='0xf...f'/>"), NP_ERR_LIMIT, "infinite"},
    {TABLE("kind='5'", ""), NP_ERR_PARSE, "line 2: a distance table needs 1 to 1024 nodes"},
    {TABLE("kind='5' nbobjs='0'", ""), NP_ERR_PARSE, "needs 1 to 1024 nodes"},
    {TABLE("kind='5' nbobjs='4000000'", ""), NP_ERR_PARSE, "needs 1 to 1024 nodes"},
    {TABLE("kind='5' nbobjs='1'", ""), NP_ERR_PARSE, "of 1 nodes has 0 indexes and 0 values"},
    {TABLE("kind='5' nbobjs='1'", "<indexes>0 0</indexes>"), NP_ERR_PARSE, "more than 1 indexes"},
    {TABLE("kind='5' nbobjs='1'", "<indexes>0x</indexes>"), NP_ERR_PARSE, "bad number \"x\""},
    {TABLE("kind='5' nbobjs='1'", "<u64values>-1</u64values>"), NP_ERR_PARSE, "bad number \"-1\""},
    {TABLE("kind='5' nbobjs='1'", "<u64values>99999999999999999999999</u64values>"), NP_ERR_PARSE,
     "bad number"},
    {TABLE("kind='5' nbobjs='1'", "<u64values>1 2</u64values>"), NP_ERR_PARSE,
     "more than 1 values"},
    {TABLE("kind='five'", ""), NP_ERR_PARSE, "attribute kind has the bad value \"five\""},
};

static char scratch[] = "/tmp/np-xml-XXXXXX";

static void write_scratch(const char *text, size_t length)
{
    int file = open(scratch, O_WRONLY | O_TRUNC);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, length), length);
    assert_int_equal(close(file), 0);
}

static void names_the_line_of_every_mistake(void **state)
{
    (void)state;
    topology_catch caught;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        np_topology *topology = NULL;
        write_scratch(bad[i].text, strlen(bad[i].text));
        topology_catch_begin(&caught);
        np_status status = np_topology_from_xml(scratch, &topology);
        topology_catch_end_empty(&caught);
        if (status == NP_OK)
            fail_msg("accepted: %s", bad[i].text);
        unit_expect_failure(status, bad[i].status, bad[i].detail);
        assert_non_null(strstr(np_error_detail(), scratch));
        assert_null(topology);
    }
}

static void refuses_what_is_not_a_readable_file(void **state)
{
    (void)state;
    np_topology *topology = NULL;
    unit_expect_failure(np_topology_from_xml(NULL, &topology), NP_ERR_INVALID_ARGUMENT, "path");
    unit_expect_failure(np_topology_from_xml("/x", NULL), NP_ERR_INVALID_ARGUMENT, "out");
    unit_expect_failure(np_topology_from_xml("/nowhere/at.all", &topology), NP_ERR_NOT_FOUND,
                        "topology file \"/nowhere/at.all\": read: No such file or directory");
    unit_expect_failure(np_topology_from_xml("", &topology), NP_ERR_NOT_FOUND, "\"\"");
    unit_expect_failure(np_topology_from_xml("/tmp", &topology), NP_ERR_SYSTEM, "directory");
    write_scratch("<topology\0/>", 12);
    unit_expect_failure(np_topology_from_xml(scratch, &topology), NP_ERR_PARSE, "NUL byte");
    /* One byte more than is read; a hole, which takes no space. */
    assert_int_equal(truncate(scratch, (off_t)64 * 1024 * 1024 + 1), 0);
    unit_expect_failure(np_topology_from_xml(scratch, &topology), NP_ERR_LIMIT, "File too large");
}

/* A first version's machine may have no node: then it is one. */
static void one_node_for_a_machine_without_any(void **state)
{
    (void)state;
    static const char text[] = "<topology><object type='Machine' local_memory='4096'>" PU("0")
        PU("3") "</object></topology>";
    np_topology *topology = NULL;
    np_node_info info;
    write_scratch(text, strlen(text));
    assert_int_equal(np_topology_from_xml(scratch, &topology), NP_OK);
    assert_int_equal(np_topology_node_count(topology), 1);
    assert_int_equal(np_topology_node_info(topology, 0, &info), NP_OK);
    assert_int_equal(info.cpu_count, 2);
    assert_int_equal(info.memory_bytes, 4096);
    np_topology_destroy(topology);
}

/* As many attributes as an element may have, then one more; and a bitmap up to the last CPU that
 * can be, then of the one behind it. */
static void long_elements_have_limits(void **state)
{
    (void)state;
    enum { ATTRIBUTES = 64, WORDS = NP_CPU_SET_CAPACITY / 32 };
    static char text[8192];
    np_topology *topology = NULL;
    for (int more = 0; more < 2; more++) {
        size_t length = (size_t)snprintf(text, sizeof text, "<topology");
        for (int i = 0; i < ATTRIBUTES + more; i++)
            length += (size_t)snprintf(text + length, sizeof text - length, " a%d=''", i);
        snprintf(text + length, sizeof text - length, "/>");
        write_scratch(text, strlen(text));
        unit_expect_failure(np_topology_from_xml(scratch, &topology), NP_ERR_PARSE,
                            more ? "too many attributes" : "describes no CPU");
    }
    for (int more = 0; more < 2; more++) {
        size_t length = (size_t)snprintf(text, sizeof text,
                                         "<topology version='2.0'><object type='Machine'>" PU(
                                             "0") "<object type='NUMANode' os_index='0' cpuset='"
                                                  "0x1");
        for (int i = 1; i < WORDS + more; i++)
            length += (size_t)snprintf(text + length, sizeof text - length, ",0x%d",
                                       i + 1 == WORDS);
        snprintf(text + length, sizeof text - length, "'/></object></topology>");
        write_scratch(text, strlen(text));
        np_status status = np_topology_from_xml(scratch, &topology);
        if (more == 0) {
            assert_int_equal(status, NP_OK);
            np_topology_destroy(topology);
        } else {
            unit_expect_failure(status, NP_ERR_LIMIT, "cpuset has a number above 8191");
        }
    }
}

/* A device without a name is none; one whose place is nonsense is a mistake. */
static void devices_of_a_file(void **state)
{
    (void)state;
    np_topology *topology = NULL;
    static const char nameless[] = WHOLE(PU("0") NODE "<object type='OSDev' osdev_type='2'/>");
    write_scratch(nameless, strlen(nameless));
    assert_int_equal(np_topology_from_xml(scratch, &topology), NP_OK);
    assert_int_equal(np_topology_device_count(topology), 0);
    np_topology_destroy(topology);
    static const char nonsense[] = WHOLE(
        PU("0") NODE "<object type='Package' cpuset='0xy'>"
                     "<object type='OSDev' name='eth0' osdev_type='2'/></object>");
    write_scratch(nonsense, strlen(nonsense));
    unit_expect_failure(np_topology_from_xml(scratch, &topology), NP_ERR_PARSE, "\"0xy\"");
}

static void deep_nesting_is_an_error(void **state)
{
    (void)state;
    char text[512] = "<topology>";
    np_topology *topology = NULL;
    for (size_t length = strlen(text); length + 4 < sizeof text; length += 3)
        snprintf(text + length, sizeof text - length, "<a>");
    write_scratch(text, strlen(text));
    unit_expect_failure(np_topology_from_xml(scratch, &topology), NP_ERR_PARSE,
                        "line 1: elements are nested too deeply");
}

/* Comments, instructions, entities, quotes of both kinds and unknown elements do no harm. */
static void ornaments_are_passed_over(void **state)
{
    (void)state;
    static const char text[] =
        "\xef\xbb\xbf"
        "<?xml version='1.0'?>\n<!-- <topology> -->\n<!DOCTYPE topology [ <!ELEMENT a (b)> ]>\n"
        "<topology version = \"2.0\" >\n <new thing='&amp;&#x20;>'>text &lt; <sub/></new>\n"
        "<object type=\"Machine\"><info name='\"' value=''/>" PU("0") NODE
        "<!-- > --></object></topology>\n<!-- end -->\n";
    np_topology *topology = NULL;
    /* A byte-order mark is text before the first element. */
    write_scratch(text, sizeof text - 1);
    assert_int_equal(np_topology_from_xml(scratch, &topology), NP_ERR_PARSE);
    write_scratch(text + 3, sizeof text - 4);
    if (np_topology_from_xml(scratch, &topology) != NP_OK)
        fail_msg("%s", np_error_detail());
    topology_check_sane(topology);
    np_topology_destroy(topology);
}

static char *read_fixture(const char *name, size_t *length)
{
    char *text = malloc(65536);
    FILE *file = fopen(fixture(name), "r");
    assert_non_null(text);
    assert_non_null(file);
    *length = fread(text, 1, 65535, file);
    assert_int_equal(fclose(file), 0);
    return text;
}

static void truncations_are_errors(void **state)
{
    (void)state;
    if (getenv("NP_GUEST") != NULL)
        UNIT_SKIP("the fixtures are in the source tree, which a guest does not have");
    size_t length = 0;
    char *text = read_fixture("version-1.xml", &length);
    while (length > 0 && text[length - 1] == '\n')
        length--;
    for (size_t cut = 0; cut < length; cut += 1 + cut % 7) {
        np_topology *topology = NULL;
        write_scratch(text, cut);
        assert_int_equal(np_topology_from_xml(scratch, &topology), NP_ERR_PARSE);
        assert_null(topology);
    }
    free(text);
}

static void survives_random_changes(void **state)
{
    (void)state;
    if (getenv("NP_GUEST") != NULL)
        UNIT_SKIP("the fixtures are in the source tree, which a guest does not have");
    static const char bytes[] = "<>/='\"! x0f,9-&\n\xff";
    size_t length = 0;
    char *text = read_fixture("sparse-ids.xml", &length);
    char *changed = malloc(length);
    assert_non_null(changed);
    uint64_t seed = UINT64_C(0x853c49e6748fea9b);
    print_message("seed %llx\n", (unsigned long long)seed);
    topology_catch caught;
    topology_catch_begin(&caught);
    uint32_t accepted = 0;
    bool sound = true;
    for (int round = 0; round < 400; round++) {
        memcpy(changed, text, length);
        for (int change = 0; change <= round % 4; change++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            changed[seed % length] = bytes[(seed >> 40) % (sizeof bytes - 1)];
        }
        np_topology *topology = NULL;
        write_scratch(changed, length);
        np_status status = np_topology_from_xml(scratch, &topology);
        sound = sound && (status == NP_OK) == (topology != NULL);
        accepted += status == NP_OK;
        np_topology_destroy(topology);
    }
    topology_catch_end_empty(&caught);
    assert_true(sound);
    /* Some changes hit names and values that do not matter. */
    assert_in_range(accepted, 1, 399);
    free(changed);
    free(text);
}

static int make_scratch(void **state)
{
    (void)state;
    int file = mkstemp(scratch);
    return file < 0 || close(file) != 0 ? -1 : 0;
}

static int remove_scratch(void **state)
{
    (void)state;
    return unlink(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sparse_ids),
        cmocka_unit_test(memory_kinds),
        cmocka_unit_test(restricted),
        cmocka_unit_test(cache_over_nodes),
        cmocka_unit_test(version_1),
        cmocka_unit_test(hwloc_reads_the_same),
        cmocka_unit_test(reads_what_hwloc_writes),
        cmocka_unit_test(names_the_line_of_every_mistake),
        cmocka_unit_test(refuses_what_is_not_a_readable_file),
        cmocka_unit_test(one_node_for_a_machine_without_any),
        cmocka_unit_test(long_elements_have_limits),
        cmocka_unit_test(devices_of_a_file),
        cmocka_unit_test(deep_nesting_is_an_error),
        cmocka_unit_test(ornaments_are_passed_over),
        cmocka_unit_test(truncations_are_errors),
        cmocka_unit_test(survives_random_changes),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
