/*
 * Goal: what the kernel says about nodes and about what may be used reaches the machine, and what
 * it does not say does no harm. Method: folders that look like /sys and /proc; a child process
 * under seccomp for a kernel that refuses to answer.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "topology_help.h"

#include "os/os.h"
#include "topology/sources.h"

static char root[32];
static npi_machine machine;

static void add_cpus(int32_t count)
{
    for (int32_t cpu = 0; cpu < count; cpu++) {
        npi_machine_cpu *added = NULL;
        assert_int_equal(npi_machine_add_cpu(&machine, (uint64_t)cpu, &added), NP_OK);
        added->node = 0;
    }
}

static void add_node(np_node_id id)
{
    npi_machine_node *added = NULL;
    assert_int_equal(npi_machine_add_node(&machine, (uint64_t)id, &added), NP_OK);
    added->memory_bytes = 1;
}

static void node_file(np_node_id id, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "/sys/devices/system/node/node%d/%s", id, name);
    fake_file(root, path, text);
}

static void online(const char *list)
{
    fake_file(root, "/sys/devices/system/node/online", list);
}

static int begin(void **state)
{
    (void)state;
    npi_machine_init(&machine);
    fake_root(root);
    return npi_os_set_root(root);
}

static int end(void **state)
{
    (void)state;
    npi_machine_release(&machine);
    fake_remove(root);
    return npi_os_set_root(NULL);
}

static void without_files_nothing_changes(void **state)
{
    (void)state;
    add_cpus(2);
    add_node(0);
    assert_int_equal(npi_kernel_nodes_apply(&machine, "", true), NP_OK);
    online("\n");
    assert_int_equal(npi_kernel_nodes_apply(&machine, "", true), NP_OK);
    online("zero\n");
    assert_int_equal(npi_kernel_nodes_apply(&machine, "", true), NP_OK);
    online("0\n"); /* the folder of the node is missing */
    assert_int_equal(npi_kernel_nodes_apply(&machine, "", true), NP_OK);
    assert_int_equal(machine.node_count, 1);
    assert_int_equal(machine.cpus[1].node, 0);
    assert_int_equal(machine.distance_count, 0);
}

static void the_kernel_decides_which_node_a_cpu_is_in(void **state)
{
    (void)state;
    add_cpus(5);
    add_node(0);
    add_node(2);
    online("0,2\n");
    node_file(0, "cpulist", "0,3\n");
    node_file(2, "cpulist", "1-2\n");
    assert_int_equal(npi_kernel_nodes_apply(&machine, "", true), NP_OK);
    const np_node_id expected[] = {0, 2, 2, 0, NP_NODE_ID_NONE};
    for (int i = 0; i < 5; i++)
        assert_int_equal(machine.cpus[i].node, expected[i]);
}

/* Kernels before 2.6.29 have the masks alone, and before 2.6.24 no list of nodes. */
static void an_old_kernel_says_it_in_masks(void **state)
{
    (void)state;
    add_cpus(40);
    add_node(0);
    add_node(3);
    node_file(0, "cpumap", "00000000,00000000,ffff000f\n");
    node_file(3, "cpumap", "00000000,00000080,00000000\n");
    assert_int_equal(npi_kernel_nodes_apply(&machine, "", true), NP_OK);
    assert_int_equal(machine.cpus[3].node, 0);
    assert_int_equal(machine.cpus[4].node, NP_NODE_ID_NONE);
    assert_int_equal(machine.cpus[31].node, 0);
    assert_int_equal(machine.cpus[32].node, NP_NODE_ID_NONE);
    assert_int_equal(machine.cpus[39].node, 3);
    /* A mask that is not understood says nothing. */
    node_file(3, "cpumap", "00000000,0000g080,00000000\n");
    assert_int_equal(npi_kernel_nodes_apply(&machine, "", true), NP_OK);
    assert_int_equal(machine.cpus[39].node, 3);
    assert_int_equal(machine.cpus[31].node, 0);
}

/* One unreadable list does not take the CPUs away from its node. */
static void an_unreadable_list_changes_nothing_for_its_node(void **state)
{
    (void)state;
    add_cpus(4);
    add_node(0);
    add_node(1);
    machine.cpus[1].node = 1;
    machine.cpus[2].node = 1;
    online("0-1\n");
    node_file(0, "cpulist", "0,2\n");
    assert_int_equal(npi_kernel_nodes_apply(&machine, "", true), NP_OK);
    const np_node_id expected[] = {0, 1, 0, NP_NODE_ID_NONE};
    for (int i = 0; i < 4; i++)
        assert_int_equal(machine.cpus[i].node, expected[i]);
}

static void missing_nodes_are_added(void **state)
{
    (void)state;
    add_cpus(2);
    add_node(0);
    online("0-1,7\n");
    node_file(0, "cpulist", "0\n");
    node_file(1, "cpulist", "1\n");
    node_file(1, "meminfo", "Node 1 MemTotal:       0 kB\nNode 1 MemFree: 0 kB\n");
    node_file(7, "cpulist", "\n");
    node_file(7, "meminfo", "Node 7 MemTotal:        2048 kB\nNode 7 MemFree: 7 kB\n");
    assert_int_equal(npi_kernel_nodes_apply(&machine, "", true), NP_OK);
    assert_int_equal(machine.node_count, 3);
    assert_int_equal(npi_machine_find_node(&machine, 1)->memory_bytes, 0);
    assert_int_equal(npi_machine_find_node(&machine, 7)->memory_bytes, 2048 * 1024);
    assert_int_equal(machine.cpus[1].node, 1);
}

/* A topology that its owner has restricted stays restricted. */
static void an_incomplete_machine_stays_so(void **state)
{
    (void)state;
    add_cpus(1);
    add_node(1);
    online("0-1\n");
    node_file(0, "cpulist", "0\n");
    node_file(1, "cpulist", "1\n");
    assert_int_equal(npi_kernel_nodes_apply(&machine, "", false), NP_OK);
    assert_int_equal(machine.node_count, 1);
    assert_int_equal(machine.cpus[0].node, NP_NODE_ID_NONE);
}

static void columns_stand_for_the_online_nodes(void **state)
{
    (void)state;
    add_cpus(1);
    add_node(0);
    online("0,8,252\n");
    node_file(0, "distance", "10 21 31\n");
    node_file(8, "distance", "22 10 32\n");
    node_file(252, "distance", "23 33 10\n");
    assert_int_equal(npi_kernel_nodes_apply(&machine, "", true), NP_OK);
    assert_int_equal(machine.distance_count, 3);
    assert_int_equal(machine.distance_source, NP_DISTANCE_FIRMWARE);
    assert_int_equal(machine.distance_ids[2], 252);
    assert_int_equal(machine.distances[0 * 3 + 2], 31);
    assert_int_equal(machine.distances[2 * 3 + 1], 33);
}

static void a_damaged_row_means_no_table(void **state)
{
    (void)state;
    add_cpus(1);
    add_node(0);
    online("0-1\n");
    node_file(0, "distance", "10 21\n");
    static const char *const rows[] = {"21\n", "", "21 ten\n"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        node_file(1, "distance", rows[i]);
        assert_int_equal(npi_kernel_nodes_apply(&machine, "", true), NP_OK);
        assert_int_equal(machine.distance_count, 0);
        assert_int_equal(machine.distance_source, NP_DISTANCE_ASSUMED);
    }
}

static void recorded_files_are_read_from_their_folder(void **state)
{
    (void)state;
    add_cpus(2);
    add_node(0);
    online("0,4\n");
    node_file(4, "cpulist", "1\n");
    assert_int_equal(npi_os_set_root(NULL), 0);
    assert_int_equal(npi_kernel_nodes_apply(&machine, root, true), NP_OK);
    assert_int_equal(machine.cpus[1].node, 4);
}

/* --- what may be used -------------------------------------------------------------------- */

static void the_affinity_mask_restricts(void **state)
{
    (void)state;
    np_cpu_set mask;
    assert_int_equal(npi_os_affinity_get(&mask), 0);
    npi_machine_cpu *absent = NULL;
    assert_int_equal(npi_machine_add_cpu(&machine, 8191, &absent), NP_OK);
    assert_int_equal(npi_kernel_cpu_limits_apply(&machine, false), NP_OK);
    assert_int_equal(machine.cpu_count, 1);
    assert_false(machine.cpus[0].usable);
    /* What the kernel would run us on exists, also if the source does not know it. */
    assert_int_equal(npi_kernel_cpu_limits_apply(&machine, true), NP_OK);
    assert_int_equal(machine.cpu_count, 1 + np_cpu_set_count(&mask));
    npi_machine_cpu *first = npi_machine_find_cpu(&machine, np_cpu_set_first(&mask));
    assert_non_null(first);
    assert_true(first->usable);
}

static bool deny(long call)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* The system calls are refused; the same facts stand in the thread's status file. */
static int refused_child(void)
{
    if (!deny(SYS_sched_getaffinity) || !deny(SYS_get_mempolicy))
        return 77;
    bool good = npi_kernel_cpu_limits_apply(&machine, true) == NP_OK && !machine.cpus[0].usable &&
                machine.cpus[1].usable;
    npi_kernel_memory_limits_apply(&machine);
    good = good && !machine.nodes[0].memory_allowed && machine.nodes[1].memory_allowed;
    /* Without the file everything stays as the source said. */
    good = good && npi_os_set_root("/nowhere") == 0;
    machine.cpus[0].usable = true;
    machine.nodes[0].memory_allowed = true;
    good = good && npi_kernel_cpu_limits_apply(&machine, true) == NP_OK && machine.cpus[0].usable;
    npi_kernel_memory_limits_apply(&machine);
    return good && machine.nodes[0].memory_allowed ? 0 : 1;
}

static void a_refusing_kernel_is_asked_another_way(void **state)
{
    (void)state;
    add_cpus(2);
    add_node(0);
    add_node(1);
    fake_file(root, "/proc/thread-self/status",
              "Name:\tx\nCpus_allowed:\t2\nCpus_allowed_list:\t1\n"
              "Mems_allowed:\t2\nMems_allowed_list:\t1\nvoluntary_ctxt_switches:\t1\n");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(refused_child());
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        UNIT_SKIP("this kernel has no seccomp filters");
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define WITH_ROOT(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ROOT(without_files_nothing_changes),
        WITH_ROOT(the_kernel_decides_which_node_a_cpu_is_in),
        WITH_ROOT(an_old_kernel_says_it_in_masks),
        WITH_ROOT(an_unreadable_list_changes_nothing_for_its_node),
        WITH_ROOT(missing_nodes_are_added),
        WITH_ROOT(an_incomplete_machine_stays_so),
        WITH_ROOT(columns_stand_for_the_online_nodes),
        WITH_ROOT(a_damaged_row_means_no_table),
        WITH_ROOT(recorded_files_are_read_from_their_folder),
        WITH_ROOT(the_affinity_mask_restricts),
        WITH_ROOT(a_refusing_kernel_is_asked_another_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
