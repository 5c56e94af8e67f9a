/*
 * Goal: the summary is one short line, the description fits 80 columns, the JSON text is JSON and
 * holds everything; all count like snprintf. Method: exact texts for one machine, and the rules for
 * a list of odd ones.
 */
#include "topology_help.h"

#include "topology/machine.h"
#include "topology/snapshot.h"

static const char *const machines[] = {
    "pu:1",
    "core:3 pu:2",
    "pack:2 numa:2 l3:1 core:4 pu:2 | 10 12 32 32 12 10 32 32 32 32 10 12 32 32 12 10",
    "pack:4 numa:4 l3:2 core:16 pu:2",
    "numa:40 l3:1 core:1 pu:5",
    "numa:3(indexes=2147483647,1000000000,7 memory=16384TiB) pu:64(indexes=2*96:1*2)",
    "pack:2 [numa] [numa(memory=3GiB)] l3:2 core:4 pu:1",
    "numa:1 pu:4096(indexes=2*2048:1*2)",
};
#define MACHINES (sizeof machines / sizeof machines[0])

static void the_summary_of_a_known_machine(void **state)
{
    (void)state;
    char text[128];
    np_topology *t = topology_make(machines[2]);
    size_t length = np_topology_summary(t, text, sizeof text);
    assert_int_equal(length, strlen(text));
    assert_string_equal(text, "virtual: 2 sockets, 4 nodes, 16 cores, 32 CPUs, 4.0 GiB, "
                              "distances 10-32 (given)");
    /* Not virtual, with a quota: as a discovered one would be. */
    t->is_virtual = false;
    t->cpu_quota = 2250;
    t->distance_source = NP_DISTANCE_FIRMWARE;
    (void)np_topology_summary(t, text, sizeof text);
    assert_string_equal(text, "2 sockets, 4 nodes, 16 cores, 32 CPUs (quota 2.25), 4.0 GiB, "
                              "distances 10-32 (firmware)");
    np_topology_destroy(t);
    t = topology_make("pu:1");
    (void)np_topology_summary(t, text, sizeof text);
    assert_string_equal(text, "virtual: 1 node, 1 core, 1 CPU, 1.0 GiB");
    np_topology_destroy(t);
}

static void the_description_of_a_known_machine(void **state)
{
    (void)state;
    np_topology *t = topology_make("pack:2 [numa] [numa(memory=3GiB)] l3:1 core:2 pu:2");
    char *text = topology_text(np_topology_describe, t);
    assert_string_equal(
        text, "virtual: 2 sockets, 4 nodes, 4 cores, 8 CPUs, 8.0 GiB, distances 10-20 (assumed)\n"
              "\n"
              "      Node Socket Cores  CPUs    Memory  CPU list\n"
              "         0      0     2     4   1.0 GiB  0-3\n"
              "         1      0     0     0   3.0 GiB  none, nearest are node 0's\n"
              "         2      1     2     4   1.0 GiB  4-7\n"
              "         3      1     0     0   3.0 GiB  none, nearest are node 2's\n"
              "\n"
              "Distances (assumed), from the row's CPUs to the column's memory\n"
              "             0   1   2   3\n"
              "         0  10  12  20  20\n"
              "         1  12  10  20  20\n"
              "         2  20  20  10  12\n"
              "         3  20  20  12  10\n"
              "\n"
              "Closest nodes first\n"
              "         0  socket 1; remote 2, 3\n"
              "         1  socket 0; remote 2, 3\n"
              "         2  socket 3; remote 0, 1\n"
              "         3  socket 2; remote 0, 1\n"
              "\n"
              "Last-level caches\n"
              "         0  CPUs 0-3\n"
              "         1  CPUs 4-7\n"
              "\n"
              "Virtual: this is not the machine we run on, so nothing is pinned to it.\n");
    free(text);
    np_topology_destroy(t);
}

static void lines_keep_within_their_width(void **state)
{
    (void)state;
    for (size_t i = 0; i < MACHINES; i++) {
        char summary[256];
        np_topology *t = topology_make(machines[i]);
        assert_true(np_topology_summary(t, summary, sizeof summary) < 100);
        assert_null(strchr(summary, '\n'));
        char *text = topology_text(np_topology_describe, t);
        size_t length = strlen(text);
        assert_true(length > 0 && text[length - 1] == '\n');
        for (char *line = text; *line != '\0';) {
            size_t width = strcspn(line, "\n");
            if (width > 80 || (width > 0 && line[width - 1] == ' '))
                fail_msg("%s: %zu columns: %.*s", machines[i], width, (int)width, line);
            line += width + 1;
        }
        free(text);
        np_topology_destroy(t);
    }
}

/* strstr() would look at the whole rest of a long text each time under a sanitizer. */
static uint32_t occurrences(const char *text, const char *word)
{
    size_t length = strlen(text);
    size_t wanted = strlen(word);
    uint32_t found = 0;
    for (size_t i = 0; i + wanted <= length; i++)
        found += text[i] == word[0] && memcmp(text + i, word, wanted) == 0;
    return found;
}

static void json_is_json_and_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < MACHINES; i++) {
        np_topology *t = topology_make(machines[i]);
        char *text = topology_text(np_topology_to_json, t);
        if (!json_is_valid(text))
            fail_msg("%s: %s", machines[i], text);
        assert_int_equal(occurrences(text, "{\"cpu\": "), np_topology_cpu_count(t));
        assert_int_equal(occurrences(text, "{\"id\": "), np_topology_node_count(t));
        free(text);
        np_topology_destroy(t);
    }
}

static void json_of_a_known_machine(void **state)
{
    (void)state;
    np_topology *t = topology_make("pack:1 numa:1 l3:1 pu:2");
    t->cpu_quota = 1005;
    snprintf(t->note, sizeof t->note, "a \"quoted\" \\ note\n");
    char *text = topology_text(np_topology_to_json, t);
    assert_string_equal(
        text,
        "{\n"
        "  \"virtual\": true,\n"
        "  \"socket_count\": 1,\n"
        "  \"node_count\": 1,\n"
        "  \"core_count\": 2,\n"
        "  \"cpu_count\": 2,\n"
        "  \"last_cache_count\": 1,\n"
        "  \"cpu_quota\": 1.005,\n"
        "  \"distance_source\": \"assumed\",\n"
        "  \"note\": \"a \\\"quoted\\\" \\\\ note\\u000a\",\n"
        "  \"nodes\": [\n"
        "    {\"id\": 0, \"index\": 0, \"socket\": 0, \"cores\": 2, \"cpu_count\": 2, "
        "\"cpus\": \"0-1\", \"memory_bytes\": 1073741824, \"memory_allowed\": true, "
        "\"memory_kind\": null, \"nearest_cpus\": 0, \"distances\": [10], \"tiers\": [\"node\"], "
        "\"closest_first\": [0]}\n"
        "  ],\n"
        "  \"cpus\": [\n"
        "    {\"cpu\": 0, \"node\": 0, \"core\": 0, \"thread\": 0, \"last_cache\": 0, "
        "\"socket\": 0},\n"
        "    {\"cpu\": 1, \"node\": 0, \"core\": 1, \"thread\": 0, \"last_cache\": 0, "
        "\"socket\": 0}\n"
        "  ],\n"
        "  \"memory_source\": \"none\",\n"
        "  \"memory_attributes\": [\n"
        "  ],\n"
        "  \"devices\": [\n"
        "  ]\n"
        "}\n");
    free(text);
    np_topology_destroy(t);
}

static void remarks_are_shown(void **state)
{
    (void)state;
    np_topology *t = topology_make("numa:2 pu:2");
    t->is_virtual = false;
    t->cpu_quota = 1500;
    t->nodes[0].memory_allowed = false;
    t->cpus[3].node = NP_NODE_ID_NONE;
    snprintf(t->note, sizeof t->note,
             "the distance table says 7 from node 0 to node 1 (local: 10), which makes no sense; "
             "distances are assumed");
    char *text = topology_text(np_topology_describe, t);
    assert_non_null(strstr(text, "CPU quota: the control group allows the time of 1.5 CPUs.\n"));
    assert_non_null(strstr(text, "In no node: CPUs 3\n"));
    assert_non_null(strstr(text, "its memory may not be used (cpuset)\n"));
    assert_non_null(strstr(text, "\nNote: the distance table says 7 from node 0 to node 1"));
    assert_non_null(strstr(text, "distances are assumed.\n"));
    assert_null(strstr(text, "Virtual"));
    free(text);
    np_topology_destroy(t);
}

static void all_writers_count_like_snprintf(void **state)
{
    (void)state;
    const topology_writer writers[] = {np_topology_summary, np_topology_describe,
                                       np_topology_to_json};
    np_topology *t = topology_make(machines[2]);
    for (size_t w = 0; w < 3; w++) {
        char *whole = topology_text(writers[w], t);
        size_t length = strlen(whole);
        char *part = malloc(length + 2);
        assert_non_null(part);
        for (size_t capacity = 1; capacity <= length + 1; capacity += capacity < 90 ? 1 : 37) {
            memset(part, '#', length + 2);
            assert_int_equal(writers[w](t, part, capacity), length);
            assert_memory_equal(part, whole, capacity - 1);
            assert_int_equal(part[capacity - 1], '\0');
            assert_int_equal(part[capacity], '#');
        }
        free(part);
        free(whole);
        char none[4] = "###";
        assert_int_equal(writers[w](NULL, none, sizeof none), 0);
        assert_string_equal(none, "");
        assert_int_equal(writers[w](NULL, NULL, 0), 0);
    }
    np_topology_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_summary_of_a_known_machine),
        cmocka_unit_test(the_description_of_a_known_machine),
        cmocka_unit_test(lines_keep_within_their_width),
        cmocka_unit_test(json_is_json_and_complete),
        cmocka_unit_test(json_of_a_known_machine),
        cmocka_unit_test(remarks_are_shown),
        cmocka_unit_test(all_writers_count_like_snprintf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
