/*
 * Goal: figures about memories reach the caller as the source gave them, and the best memory is the
 * one that they name; where there are none the answer says so. Method: a file with every kind of
 * figure, hwloc's own reading of it as an oracle, the kernel's files as a fake folder, machines
 * without figures.
 */
#include <numaperf/attributes.h>
#include <numaperf/hwloc.h>

#include "topology_help.h"

#include "os/os.h"
#include "topology/snapshot.h"
#include "topology/sources.h"

static np_topology *load(void)
{
    char path[1024];
    np_topology *topology = NULL;
    if (getenv("NP_GUEST") != NULL)
        UNIT_SKIP("the fixtures are in the source tree, which a guest does not have");
    snprintf(path, sizeof path, "%s/memory-attributes.xml", NPT_TOPOLOGIES);
    if (np_topology_from_xml(path, &topology) != NP_OK)
        fail_msg("%s", np_error_detail());
    topology_check_sane(topology);
    return topology;
}

static uint64_t figure(const np_topology *t, np_memory_attribute attribute, np_node_id node,
                       np_node_id from)
{
    uint64_t value = 0;
    if (np_topology_memory_attribute(t, attribute, node, from, &value) != NP_OK)
        fail_msg("%s", np_error_detail());
    return value;
}

static void expect_none(const np_topology *t, np_memory_attribute attribute, np_node_id node,
                        np_node_id from)
{
    uint64_t value = 4711;
    assert_int_equal(np_topology_memory_attribute(t, attribute, node, from, &value),
                     NP_ERR_NOT_FOUND);
    assert_int_equal(value, 4711);
}

static void check_file_machine(const np_topology *t)
{
    assert_int_equal(np_topology_memory_source(t), NP_MEMORY_SOURCE_GIVEN);
    assert_int_equal(figure(t, NP_MEMORY_CAPACITY, 4, NP_NODE_ID_NONE), UINT64_C(256) << 30);
    assert_int_equal(figure(t, NP_MEMORY_LATENCY, 0, 0), 90);
    assert_int_equal(figure(t, NP_MEMORY_LATENCY, 2, 0), 120);
    assert_int_equal(figure(t, NP_MEMORY_LATENCY, 0, 1), 150);
    /* Given for all CPUs, so for each node; the set of one CPU is no node's. */
    assert_int_equal(figure(t, NP_MEMORY_LATENCY, 4, 0), 250);
    assert_int_equal(figure(t, NP_MEMORY_LATENCY, 4, 1), 250);
    assert_int_equal(figure(t, NP_MEMORY_LATENCY, 1, 1), 91);
    /* The average of the halves, rounded down. */
    assert_int_equal(figure(t, NP_MEMORY_READ_BANDWIDTH, 0, 0), 100001);
    assert_int_equal(figure(t, NP_MEMORY_BANDWIDTH, 0, 0), 75000);
    assert_int_equal(figure(t, NP_MEMORY_BANDWIDTH, 2, 0), 350000);
    expect_none(t, NP_MEMORY_BANDWIDTH, 1, 1);
    expect_none(t, NP_MEMORY_READ_LATENCY, 0, 0);
    expect_none(t, NP_MEMORY_LATENCY, 2, 1);
    np_node_info info;
    assert_int_equal(np_topology_node_info(t, 2, &info), NP_OK);
    assert_string_equal(info.memory_kind, "HBM");
    assert_int_equal(info.cpu_count, 0);
    assert_int_equal(np_topology_node_info(t, 4, &info), NP_OK);
    assert_string_equal(info.memory_kind, "CXL-DRAM");
}

static void figures_of_a_file(void **state)
{
    (void)state;
    np_topology *t = load();
    check_file_machine(t);
    np_topology_destroy(t);
}

/* hwloc reads the same file and hands its topology over. */
static void figures_of_hwloc(void **state)
{
    (void)state;
    char path[1024];
    hwloc_topology_t source;
    np_topology *t = load();
    np_topology_destroy(t);
    snprintf(path, sizeof path, "%s/memory-attributes.xml", NPT_TOPOLOGIES);
    assert_int_equal(hwloc_topology_init(&source), 0);
    assert_int_equal(hwloc_topology_set_xml(source, path), 0);
    assert_int_equal(hwloc_topology_set_io_types_filter(source, HWLOC_TYPE_FILTER_KEEP_ALL), 0);
    assert_int_equal(hwloc_topology_load(source), 0);
    assert_int_equal(np_topology_from_hwloc(source, &t), NP_OK);
    hwloc_topology_destroy(source);
    check_file_machine(t);
    assert_int_equal(np_topology_device_count(t), 2);
    np_topology_destroy(t);
}

static void expect_order(const np_topology *t, np_memory_attribute attribute, const char *cpus,
                         const char *expected)
{
    np_memory_choice choices[8];
    np_cpu_set set;
    char text[128] = "";
    size_t count = 0;
    if (cpus != NULL)
        assert_int_equal(np_cpu_set_parse(cpus, &set), NP_OK);
    np_status status = np_topology_memory_by_attribute(t, attribute, cpus == NULL ? NULL : &set,
                                                       choices, 8, &count);
    if (status == NP_ERR_NOT_FOUND)
        snprintf(text, sizeof text, "none");
    else
        assert_int_equal(status, NP_OK);
    for (size_t i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d:%llu", i == 0 ? "" : " ",
                 choices[i].node, (unsigned long long)choices[i].value);
    assert_string_equal(text, expected);
    np_memory_choice best;
    status = np_topology_best_memory(t, attribute, cpus == NULL ? NULL : &set, &best);
    assert_int_equal(status, count == 0 ? NP_ERR_NOT_FOUND : NP_OK);
    assert_true(count == 0 || best.node == choices[0].node);
    assert_true(count == 0 || best.source == choices[0].source);
}

static void the_best_memory(void **state)
{
    (void)state;
    np_topology *t = load();
    expect_order(t, NP_MEMORY_LATENCY, "0-1", "0:90 2:120 1:150 4:250");
    expect_order(t, NP_MEMORY_LATENCY, "0", "0:90 2:120 1:150 4:250");
    expect_order(t, NP_MEMORY_LATENCY, "2-3", "1:91 0:150 4:250");
    expect_order(t, NP_MEMORY_BANDWIDTH, "0-1", "2:350000 0:75000");
    expect_order(t, NP_MEMORY_BANDWIDTH, "2", "none");
    /* From both nodes: the worse figure counts; equal ones go by id. */
    expect_order(t, NP_MEMORY_LATENCY, NULL, "0:150 1:150 4:250");
    expect_order(t, NP_MEMORY_BANDWIDTH, NULL, "none");
    expect_order(t, NP_MEMORY_CAPACITY, "3",
                 "4:274877906944 1:68719476736 0:68719476736 "
                 "2:17179869184");
    /* No read latency anywhere: distance in its stead, and it says so. */
    np_memory_choice best;
    assert_int_equal(np_topology_best_memory(t, NP_MEMORY_READ_LATENCY, NULL, &best), NP_OK);
    assert_int_equal(best.source, NP_MEMORY_SOURCE_DISTANCE);
    np_topology_destroy(t);
}

static void without_figures(void **state)
{
    (void)state;
    np_topology *t = topology_make("numa:3(memory=1GiB) pu:1 | 10 30 20 30 10 20 20 20 10");
    assert_int_equal(np_topology_memory_source(t), NP_MEMORY_SOURCE_NONE);
    expect_none(t, NP_MEMORY_LATENCY, 0, 0);
    expect_order(t, NP_MEMORY_LATENCY, "0", "0:10 2:20 1:30");
    expect_order(t, NP_MEMORY_LATENCY, "0-1", "2:20 0:30 1:30");
    expect_order(t, NP_MEMORY_BANDWIDTH, "0", "none");
    np_topology_destroy(t);
    t = topology_make("numa:2(memory=0) pu:1");
    expect_order(t, NP_MEMORY_CAPACITY, NULL, "none");
    expect_order(t, NP_MEMORY_LATENCY, "1", "1:10 0:20");
    np_topology_destroy(t);
}

static void wrong_arguments(void **state)
{
    (void)state;
    np_topology *t = topology_make("numa:2 pu:1");
    np_memory_choice best;
    np_cpu_set none;
    uint64_t value = 0;
    size_t count = 0;
    np_cpu_set_clear(&none);
    assert_int_equal(np_topology_memory_attribute(NULL, NP_MEMORY_LATENCY, 0, 0, &value),
                     NP_ERR_INVALID_ARGUMENT);
    assert_int_equal(np_topology_memory_attribute(t, NP_MEMORY_LATENCY, 0, 0, NULL),
                     NP_ERR_INVALID_ARGUMENT);
    assert_int_equal(np_topology_memory_attribute(t, NP_MEMORY_ATTRIBUTE_COUNT, 0, 0, &value),
                     NP_ERR_INVALID_ARGUMENT);
    assert_int_equal(np_topology_memory_attribute(t, NP_MEMORY_LATENCY, 2, 0, &value),
                     NP_ERR_INVALID_NODE);
    assert_int_equal(np_topology_memory_attribute(t, NP_MEMORY_LATENCY, 0, 2, &value),
                     NP_ERR_INVALID_NODE);
    assert_int_equal(np_topology_best_memory(t, NP_MEMORY_LATENCY, &none, &best), NP_ERR_NOT_FOUND);
    assert_int_equal(np_topology_best_memory(t, NP_MEMORY_LATENCY, NULL, NULL),
                     NP_ERR_INVALID_ARGUMENT);
    assert_int_equal(np_topology_memory_by_attribute(t, NP_MEMORY_LATENCY, NULL, NULL, 1, &count),
                     NP_ERR_INVALID_ARGUMENT);
    assert_int_equal(
        np_topology_memory_by_attribute(t, NP_MEMORY_ATTRIBUTE_COUNT, NULL, NULL, 0, &count),
        NP_ERR_INVALID_ARGUMENT);
    assert_int_equal(np_topology_memory_by_attribute(t, NP_MEMORY_LATENCY, NULL, NULL, 0, &count),
                     NP_OK);
    assert_int_equal(count, 2);
    assert_string_equal(np_memory_attribute_name(NP_MEMORY_WRITE_BANDWIDTH), "write_bandwidth");
    assert_string_equal(np_memory_attribute_unit(NP_MEMORY_LATENCY), "ns");
    assert_string_equal(np_memory_attribute_name((np_memory_attribute)-1), "unknown");
    assert_string_equal(np_memory_source_name(NP_MEMORY_SOURCE_DISTANCE), "distance");
    assert_string_equal(np_memory_source_name(NP_MEMORY_SOURCE_FIRMWARE), "firmware");
    assert_string_equal(np_memory_source_name(NP_MEMORY_SOURCE_SIZE), "size");
    assert_string_equal(np_memory_source_name((np_memory_source)-1), "unknown");
    np_topology_destroy(t);
}

/* --- the kernel's files ------------------------------------------------------------------- */

static void figure_file(const char *root, np_node_id node, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "/sys/devices/system/node/node%d/access%s", node, name);
    fake_file(root, path, text);
}

/* Two nodes with a CPU each and one of memory, as kernels since 5.10 have them. */
static void figures_of_the_kernel(void **state)
{
    (void)state;
    char root[32];
    npi_machine machine;
    np_topology *t = NULL;
    npi_machine_init(&machine);
    machine.is_virtual = true;
    for (uint64_t i = 0; i < 3; i++) {
        npi_machine_node *node = NULL;
        npi_machine_cpu *cpu = NULL;
        assert_int_equal(npi_machine_add_node(&machine, i, &node), NP_OK);
        node->memory_bytes = 1;
        if (i < 2) {
            assert_int_equal(npi_machine_add_cpu(&machine, i, &cpu), NP_OK);
            cpu->node = (np_node_id)i;
        }
    }
    fake_root(root);
    /* What the source said before gives way. */
    npi_machine_value old = {5, 0, 1, NP_MEMORY_LATENCY};
    assert_int_equal(npi_machine_add_value(&machine, &old), NP_OK);
    figure_file(root, 0, "1/initiators/read_latency", "80\n");
    figure_file(root, 0, "1/initiators/write_latency", "90\n");
    figure_file(root, 0, "1/initiators/node0/uevent", "");
    figure_file(root, 0, "0/initiators/read_latency", "1\n"); /* class 1 comes first */
    figure_file(root, 1, "0/initiators/read_latency", "85\n");
    figure_file(root, 1, "0/initiators/write_bandwidth", "nonsense\n");
    figure_file(root, 1, "0/initiators/read_bandwidth", "0\n"); /* not known */
    figure_file(root, 1, "0/initiators/node1/uevent", "");
    figure_file(root, 2, "1/initiators/read_bandwidth", "8192\n");
    figure_file(root, 2, "1/initiators/node0/uevent", "");
    figure_file(root, 2, "1/initiators/node1/uevent", "");
    figure_file(root, 2, "1/initiators/node2/uevent", ""); /* has no CPUs */
    assert_int_equal(npi_kernel_attributes_apply(&machine, root), NP_OK);
    assert_int_equal(npi_snapshot_build(&machine, &t), NP_OK);
    npi_machine_release(&machine);
    fake_remove(root);

    assert_int_equal(np_topology_memory_source(t), NP_MEMORY_SOURCE_FIRMWARE);
    assert_int_equal(figure(t, NP_MEMORY_READ_LATENCY, 0, 0), 80);
    assert_int_equal(figure(t, NP_MEMORY_LATENCY, 0, 0), 85);
    assert_int_equal(figure(t, NP_MEMORY_READ_LATENCY, 1, 1), 85);
    assert_int_equal(figure(t, NP_MEMORY_READ_BANDWIDTH, 2, 0), 8192);
    assert_int_equal(figure(t, NP_MEMORY_READ_BANDWIDTH, 2, 1), 8192);
    expect_none(t, NP_MEMORY_LATENCY, 1, 1);
    expect_none(t, NP_MEMORY_WRITE_BANDWIDTH, 1, 1);
    expect_none(t, NP_MEMORY_READ_BANDWIDTH, 1, 1);
    expect_none(t, NP_MEMORY_READ_BANDWIDTH, 2, 2);
    expect_none(t, NP_MEMORY_LATENCY, 0, 1);
    np_topology_destroy(t);
}

/* Each writer names the kinds, figures and devices, and the JSON is JSON. */
static void in_words(void **state)
{
    (void)state;
    np_topology *t = load();
    char *text = topology_text(np_topology_describe, t);
    assert_non_null(strstr(text, "memory: HBM"));
    assert_non_null(strstr(text, "350000"));
    assert_non_null(strstr(text, "enp129s0"));
    free(text);
    text = topology_text(np_topology_to_json, t);
    assert_true(json_is_valid(text));
    assert_non_null(strstr(text, "\"memory_kind\": \"CXL-DRAM\""));
    assert_non_null(strstr(text, "{\"attribute\": \"read_bandwidth\", \"unit\": \"MiB/s\", "
                                 "\"from\": 0, \"node\": 2, \"value\": 400000}"));
    assert_non_null(strstr(text, "{\"kind\": \"network\", \"name\": \"enp129s0\", \"node\": 1, "
                                 "\"pci_address\": \"0000:81:00.0\"}"));
    free(text);
    np_topology_destroy(t);
}

static void damaged_figures(void **state)
{
    (void)state;
    static const struct {
        const char *element;
        np_status expected;
    } rows[] = {
        {"value=\"x\" target_obj_gp_index=\"4\" initiator_cpuset=\"0x1\"", NP_ERR_PARSE},
        {"target_obj_gp_index=\"4\" initiator_cpuset=\"0x1\"", NP_ERR_PARSE},
        {"value=\"1\" initiator_cpuset=\"0x1\"", NP_ERR_PARSE},
        {"value=\"1\" target_obj_gp_index=\"4\" initiator_cpuset=\"0xy\"", NP_ERR_PARSE},
        {"value=\"1\" target_obj_gp_index=\"4\" initiator_cpuset=\"0xf...f\"", NP_ERR_LIMIT},
        {"value=\"1\" target_obj_gp_index=\"9\" initiator_cpuset=\"0x1\"", NP_OK},
        {"value=\"1\" target_obj_gp_index=\"4\"", NP_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char root[32];
        char path[64];
        char text[1024];
        np_topology *t = NULL;
        fake_root(root);
        snprintf(text, sizeof text,
                 "<topology version=\"2.0\"><object type=\"Machine\" cpuset=\"0x1\">"
                 "<object type=\"NUMANode\" os_index=\"0\" cpuset=\"0x1\" gp_index=\"4\"/>"
                 "<object type=\"PU\" os_index=\"0\"/></object>\n<memattr name=\"Latency\">"
                 "<memattr_value target_obj_type=\"NUMANode\" %s/></memattr></topology>",
                 rows[i].element);
        fake_file(root, "/machine.xml", text);
        snprintf(path, sizeof path, "%s/machine.xml", root);
        assert_int_equal(np_topology_from_xml(path, &t), rows[i].expected);
        if (rows[i].expected != NP_OK)
            assert_non_null(strstr(np_error_detail(), "line 2"));
        np_topology_destroy(t);
        fake_remove(root);
    }
}

/* A file may say two things of one place: then the worse one counts. */
static void the_less_favourable_of_two(void **state)
{
    (void)state;
    static const char *const names[] = {"Latency", "Bandwidth"};
    static const np_memory_attribute attributes[] = {NP_MEMORY_LATENCY, NP_MEMORY_BANDWIDTH};
    static const uint64_t worse[] = {9, 5};
    for (size_t i = 0; i < 2; i++) {
        char root[32];
        char path[64];
        char text[1024];
        np_topology *t = NULL;
#define FIGURE(value)                                                        \
    "<memattr_value target_obj_type=\"NUMANode\" target_obj_gp_index=\"4\" " \
    "initiator_cpuset=\"0x1\" value=\"" value "\"/>"
        snprintf(text, sizeof text,
                 "<topology version=\"2.0\"><object type=\"Machine\" cpuset=\"0x1\">"
                 "<object type=\"NUMANode\" os_index=\"0\" cpuset=\"0x1\" gp_index=\"4\"/>"
                 "<object type=\"PU\" os_index=\"0\"/></object><memattr name=\"%s\">" FIGURE("5")
                     FIGURE("9") "</memattr></topology>",
                 names[i]);
        fake_root(root);
        fake_file(root, "/machine.xml", text);
        snprintf(path, sizeof path, "%s/machine.xml", root);
        assert_int_equal(np_topology_from_xml(path, &t), NP_OK);
        assert_int_equal(figure(t, attributes[i], 0, 0), worse[i]);
        np_topology_destroy(t);
        fake_remove(root);
    }
}

/* Memory that the process may not use is no choice. */
static void memory_that_may_not_be_used(void **state)
{
    (void)state;
    np_topology *t = topology_make("numa:2 pu:1");
    t->nodes[0].memory_allowed = false;
    expect_order(t, NP_MEMORY_LATENCY, "0", "1:20");
    np_topology_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_of_a_file),
        cmocka_unit_test(figures_of_hwloc),
        cmocka_unit_test(the_best_memory),
        cmocka_unit_test(without_figures),
        cmocka_unit_test(wrong_arguments),
        cmocka_unit_test(figures_of_the_kernel),
        cmocka_unit_test(in_words),
        cmocka_unit_test(damaged_figures),
        cmocka_unit_test(the_less_favourable_of_two),
        cmocka_unit_test(memory_that_may_not_be_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
