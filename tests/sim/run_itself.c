/*
 * run_itself.c - the simulated machine is judged before its verdicts are believed.
 *
 * Goal: it finds what it must find, finds nothing where nothing is, and gives the same run for the
 * same seed. Method: small scenarios with planted faults, each expected to fail with its message
 * within so many seeds, beside the same scenarios without the fault.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/atomic.h"
#include "os/fence.h"
#include "os/lock.h"
#include "os/os.h"
#include "sim.h"

/* --- two threads that each write one thing and look at the other's ------------------------------
 */

typedef enum fences { NO_FENCES, TWO_LIGHT, LIGHT_AND_HEAVY, TWO_FULL } fences;

static struct {
    np_atomic(uint32_t) a, b;
    uint32_t saw_a, saw_b;
    fences kind;
} handshake;

static void fence_of(bool rare_side)
{
    switch (handshake.kind) {
    case NO_FENCES: break;
    case TWO_LIGHT: npi_fence_light(); break;
    case LIGHT_AND_HEAVY:
        if (rare_side)
            npi_fence_heavy();
        else
            npi_fence_light();
        break;
    case TWO_FULL: npi_fence_seq_cst(); break;
    }
}

static void left(void *argument)
{
    (void)argument;
    npi_store_relaxed(&handshake.a, 1u);
    fence_of(false);
    handshake.saw_b = npi_load_relaxed(&handshake.b);
}

static void right(void *argument)
{
    (void)argument;
    npi_store_relaxed(&handshake.b, 1u);
    fence_of(true);
    handshake.saw_a = npi_load_relaxed(&handshake.a);
}

static void do_handshake(void *argument)
{
    memset(&handshake, 0, sizeof handshake);
    handshake.kind = *(const fences *)argument;
    sim_explore_from();
    sim_thread *l = sim_thread_start("left", left, NULL);
    sim_thread *r = sim_thread_start("right", right, NULL);
    sim_thread_join(l);
    sim_thread_join(r);
    sim_explore_to();
    sim_check(handshake.saw_a != 0 || handshake.saw_b != 0, "neither saw the other");
}

/* --- locks
 * ----------------------------------------------------------------------------------------
 */

static npi_lock first_lock, second_lock;
static uint32_t guarded;

static void take_both(void *argument)
{
    bool other_way = argument != NULL;
    npi_lock_acquire(other_way ? &second_lock : &first_lock);
    npi_lock_acquire(other_way ? &first_lock : &second_lock);
    uint32_t seen = guarded;
    sim_yield();
    guarded = seen + 1;
    npi_lock_release(&first_lock);
    npi_lock_release(&second_lock);
}

/* argument: the second thread takes them the other way round, or NULL. */
static void two_locks(void *argument)
{
    npi_lock_init(&first_lock);
    npi_lock_init(&second_lock);
    guarded = 0;
    sim_name_address(&first_lock.state, "the first lock");
    sim_name_address(&second_lock.state, "the second lock");
    sim_explore_from();
    sim_thread *l = sim_thread_start("one way", take_both, NULL);
    sim_thread *r = sim_thread_start("other way", take_both, argument);
    sim_thread_join(l);
    sim_thread_join(r);
    sim_explore_to();
    sim_check(guarded == 2, "# of 2 were counted", guarded);
}

/* --- sleeping without a second look ------------------------------------------------------------
 */

static struct {
    np_atomic(uint32_t) ready, asleep;
    bool looks_twice;
} bed;

static void sleeper(void *argument)
{
    (void)argument;
    while (npi_load_acquire(&bed.ready) == 0) {
        npi_store_relaxed(&bed.asleep, 1u);
        npi_fence_seq_cst();
        if (bed.looks_twice && npi_load_acquire(&bed.ready) != 0)
            break;
        (void)npi_os_futex_wait(&bed.asleep, 1, NPI_NO_DEADLINE);
    }
}

static void waker(void *argument)
{
    (void)argument;
    npi_store_release(&bed.ready, 1u);
    npi_fence_seq_cst();
    if (npi_exchange_acq_rel(&bed.asleep, 0u) != 0)
        npi_os_futex_wake(&bed.asleep, 1);
}

static void do_sleep(void *argument)
{
    memset(&bed, 0, sizeof bed);
    bed.looks_twice = argument != NULL;
    sim_thread *s = sim_thread_start("sleeper", sleeper, NULL);
    sim_thread *w = sim_thread_start("waker", waker, NULL);
    sim_thread_join(s);
    sim_thread_join(w);
}

/* --- no end, crumbs in memory --------------------------------------------------------------------
 */

static void spins(void *argument)
{
    np_atomic(uint32_t) never = 0;
    (void)argument;
    while (npi_load_relaxed(&never) == 0)
        npi_cpu_relax();
}

static void leaks(void *argument)
{
    (void)argument;
    sim_check(npi_alloc(100, 0) != NULL, "no memory");
}

static void leaks_a_mapping(void *argument)
{
    void *memory;
    (void)argument;
    sim_check(npi_os_map(8192, 0, &memory) == 0, "no mapping");
}

static void writes_behind(void *argument)
{
    (void)argument;
    volatile char *memory = npi_alloc(100, 0);
    memory[100] = 1;
    npi_free((void *)(uintptr_t)memory, 100);
}

static void writes_late(void *argument)
{
    (void)argument;
    volatile char *memory = npi_alloc(100, 0);
    npi_free((void *)(uintptr_t)memory, 100);
    memory[50] = 1;
}

static void frees_twice(void *argument)
{
    (void)argument;
    void *memory = npi_alloc(100, 0);
    npi_free(memory, 100);
    npi_free(memory, 100);
}

static void writes_unmapped(void *argument)
{
    void *memory;
    (void)argument;
    sim_check(npi_os_map(8192, 0, &memory) == 0, "no mapping");
    volatile char *byte = memory;
    byte[5000] = 1;
    /* Only pages that are known to be there are filled; asking for a page makes them known. */
    (void)npi_os_advise(memory, 4096, NPI_OS_ADVICE_DISCARD);
    (void)npi_os_unmap(memory, 8192);
    byte[5000] = 2;
}

/* --- hooks
 * ----------------------------------------------------------------------------------------
 */

static struct {
    uint64_t calls, quiet;
} hook;

/* The argument is the scenario's: whether to complain. Looks at what others hold meanwhile. */
static void looks(void *argument)
{
    hook.calls++;
    hook.quiet += sim_is_quiet();
    bool both_held = npi_load_relaxed(&first_lock.state) != 0 &&
                     npi_load_relaxed(&second_lock.state) != 0;
    sim_check(argument == NULL || !both_held, "the hook saw both held");
}

static void is_watched(void *argument)
{
    hook.calls = hook.quiet = 0;
    two_locks(NULL);
    sim_work(1000);
    sim_check(argument != NULL || hook.calls > 12, "only # calls of the hook", hook.calls);
    sim_check(argument != NULL || hook.quiet > 0, "no quiet moment");
}

/* --- a bug that needs three steps in the right order --------------------------------------------
 */

static np_atomic(uint32_t) steps[3];

static void does_steps(void *argument)
{
    (void)argument;
    for (uint32_t i = 0; i < 3; i++)
        npi_store_release(&steps[i], 1u);
}

static void sees_steps(void *argument)
{
    (void)argument;
    bool before = npi_load_acquire(&steps[0]) == 0;
    for (int i = 0; i < 20; i++)
        sim_yield();
    bool between = npi_load_acquire(&steps[0]) == 1 && npi_load_acquire(&steps[2]) == 0;
    for (int i = 0; i < 20; i++)
        sim_yield();
    sim_check(!(before && between && npi_load_acquire(&steps[2]) == 1), "all three were seen");
}

static void three_steps(void *argument)
{
    (void)argument;
    memset(steps, 0, sizeof steps);
    sim_thread *l = sim_thread_start("does", does_steps, NULL);
    sim_thread *r = sim_thread_start("sees", sees_steps, NULL);
    sim_thread_join(l);
    sim_thread_join(r);
}

/* --- virtual time, identity, places
 * ---------------------------------------------------------------- */

static void fails_with_detail(void *argument)
{
    np_topology *topology = NULL;
    sim_check(np_topology_from_synthetic(argument, &topology) != NP_OK, "a good topology");
    char before[256];
    snprintf(before, sizeof before, "%s", np_error_detail());
    sim_work(1000000);
    sim_check(strcmp(before, np_error_detail()) == 0, "another thread's detail");
}

static void tells_time(void *argument)
{
    (void)argument;
    uint64_t begin = sim_now();
    sim_thread *l = sim_thread_start("left", fails_with_detail, (void *)(uintptr_t) "nonsense:2");
    sim_thread *r = sim_thread_start("right", fails_with_detail, (void *)(uintptr_t) "core:0");
    np_atomic(uint32_t) word = 0;
    uint64_t deadline = npi_os_deadline(5000000);
    int error = 0;
    while (error == 0)
        error = npi_os_futex_wait(&word, 0, deadline);
    sim_check(error == ETIMEDOUT && sim_now() >= deadline, "woken at #, not at #", sim_now(),
              deadline);
    sim_thread_join(l);
    sim_thread_join(r);
    sim_check(sim_now() - begin >= 5000000, "only # ns have passed", sim_now() - begin);
}

static void has_places(void *argument)
{
    (void)argument;
    np_cpu_set two = {{0}}, all, got;
    int32_t cpu;
    np_node_id node;
    (void)np_cpu_set_add(&two, 2);
    sim_check(npi_os_affinity_get(&all) == 0 && np_cpu_set_count(&all) == 4, "not all CPUs");
    sim_check(npi_os_affinity_set(&two) == 0, "not bound");
    sim_check(npi_os_where(&cpu, &node) == 0 && cpu == 2 && node == 1, "at CPU #, node #",
              (uint64_t)cpu, (uint64_t)node);
    np_cpu_set rest = all;
    (void)np_cpu_set_remove(&rest, 2);
    sim_allow_cpus(&rest);
    sim_check(npi_os_where(&cpu, NULL) == 0 && cpu != 2, "still on CPU #", (uint64_t)cpu);
    sim_check(npi_os_affinity_set(&two) == EINVAL, "bound to what is not allowed");
    sim_check(npi_os_affinity_get(&got) == 0 && np_cpu_set_equal(&got, &rest), "other CPUs");
}

/* Parts of one mapping on different nodes, and on others later. */
static void has_parts(void *argument)
{
    (void)argument;
    np_topology *topology = sim_topology();
    np_array *array = NULL;
    np_region_audit audit;
    sim_check_ok(np_array_create(topology, 8, 6000, NULL, &array));
    sim_check(np_array_enforcement(array).level == NP_ENFORCEMENT_STRICT, "not placed");
    sim_check_ok(np_array_audit(array, &audit));
    sim_check(audit.home == 12, "# pages at home", audit.home);
    sim_check_ok(np_array_redistribute(
        topology, array, NP_ARRAY_OPTIONS(.distribution = NP_DISTRIBUTION_CYCLIC, .block = 512),
        NULL));
    sim_check_ok(np_array_audit(array, &audit));
    sim_check(audit.home == 12, "# pages at home after moving", audit.home);
    for (size_t i = 0; i < 6000; i += 512) {
        np_node_id node;
        sim_check_ok(np_address_node((char *)np_array_data(array) + i * 8, &node));
        sim_check(node == np_array_node_of(array, i), "page # lies on node #", i / 512,
                  (uint64_t)node);
    }
    np_array_destroy(array);
    np_topology_destroy(topology);
}

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER true
#else
#define ADDRESS_SANITIZER false
#endif

/* --- judging
 * ---------------------------------------------------------------------------------------
 */

static int bad;
static uint64_t planted, clean;

static void must_fail(const char *name, sim_scenario scenario, void *argument, sim_config config,
                      uint64_t seeds, const char *message)
{
    sim_result result;
    planted++;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        if (sim_run(&config, scenario, argument, seed, &result))
            continue;
        bool right = strstr(result.message, message) != NULL;
        printf("%-44s found by seed %llu%s%s\n", name, (unsigned long long)seed,
               right ? "" : ", but as: ", right ? "" : result.message);
        bad += !right;
        return;
    }
    printf("%-44s NOT FOUND in %llu seeds\n", name, (unsigned long long)seeds);
    bad++;
}

static void must_pass(const char *name, sim_scenario scenario, void *argument, sim_config config,
                      uint64_t seeds)
{
    sim_result result;
    clean++;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        if (sim_run(&config, scenario, argument, seed, &result))
            continue;
        printf("%-44s seed %llu FAILED: %s\n", name, (unsigned long long)seed, result.message);
        sim_print_history(40);
        bad++;
        return;
    }
    printf("%-44s clean in %llu seeds\n", name, (unsigned long long)seeds);
}

static void explore(const char *name, sim_scenario scenario, void *argument, sim_config config,
                    const char *message)
{
    sim_result result;
    uint64_t runs;
    bool whole;
    bool good = sim_explore(&config, scenario, argument, 200000, &runs, &whole, &result);
    bool right = message == NULL ? good && whole : !good && strstr(result.message, message) != NULL;
    printf("%-44s %s after %llu schedules%s%s\n", name, good ? "clean" : "found",
           (unsigned long long)runs, whole ? ", all there are" : "", right ? "" : ": WRONG");
    bad += !right;
}

static void must_repeat(sim_scenario scenario, void *argument, sim_config config)
{
    uint64_t prints[50];
    sim_result result;
    uint32_t different = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        (void)sim_run(&config, scenario, argument, seed, &result);
        prints[seed] = result.print;
        different += seed > 0 && prints[seed] != prints[seed - 1];
    }
    uint32_t same = 0;
    for (uint64_t seed = 50; seed-- > 0;) {
        (void)sim_run(&config, scenario, argument, seed, &result);
        same += prints[seed] == result.print;
    }
    printf("%-44s %u of 50 seeds repeat, %u differ from the one before\n", "the same seed", same,
           different);
    bad += same != 50 || different < 45;
}

/* --- a crash: in a process of its own ------------------------------------------------------------
 */

static void digs(void *argument)
{
    volatile char earth[4096];
    earth[0] = 1;
    sim_yield();
    if (sim_now() != 0) /* always */
        digs(argument);
    earth[1] = earth[0];
}

static int crash(int argc, char **argv)
{
    static const sim_case cases[] = {{.name = "digs", .scenario = digs}};
    (void)argc;
    char *arguments[] = {argv[0], NULL};
    return sim_main(1, arguments, cases, 1);
}

/* The history of what crashed is printed, and how to repeat it. */
static void must_report_a_crash(const char *program)
{
    char command[512], line[256];
    snprintf(command, sizeof command, "%s crash 2>&1", program);
    FILE *output = popen(command, "r"); /* NOLINT(cert-env33-c): our own name, from the test */
    bool failed = false, replay = false;
    while (output != NULL && fgets(line, sizeof line, output) != NULL) {
        failed |= strstr(line, "failed: digs, seed 1 (run 0): crash: signal 11 in main") != NULL;
        replay |= strstr(line, "replay: SEED=1 ") != NULL;
    }
    bool ended_well = output == NULL || pclose(output) == 0;
    printf("%-44s %s\n", "a stack that is full",
           failed && replay && !ended_well ? "reported" : "NOT REPORTED");
    bad += !failed || !replay || ended_well;
    planted++;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "crash") == 0)
        return crash(argc, argv);

    static fences kinds[] = {NO_FENCES, TWO_LIGHT, LIGHT_AND_HEAVY, TWO_FULL};
    static int yes;
    const char *neither = "neither saw";
    sim_config plain = {.no_store_buffers = true};
    sim_config buffers = {.store_buffers = true};
    sim_config in_order = {.store_buffers = true, .explore_deviations = 2};
    sim_config harmless = {.may_be_timed = true, .faults = SIM_HARMLESS_FAULTS, .steady = true};
    sim_config short_one = {.step_limit = 100000};

    must_pass("handshake, no fences, no store buffers", do_handshake, &kinds[0], plain, 2000);
    must_fail("handshake, no fences", do_handshake, &kinds[0], buffers, 1000, neither);
    must_fail("handshake, two light fences", do_handshake, &kinds[1], buffers, 1000, neither);
    must_pass("handshake, a light and a heavy fence", do_handshake, &kinds[2], buffers, 5000);
    must_pass("handshake, two full fences", do_handshake, &kinds[3], buffers, 5000);
    explore("handshake, two light fences, in order", do_handshake, &kinds[1], in_order, neither);
    explore("handshake, light and heavy, in order", do_handshake, &kinds[2], in_order, NULL);
    explore("handshake, two full fences, in order", do_handshake, &kinds[3], in_order, NULL);

    must_fail("two locks in two orders", two_locks, &yes, plain, 1000, "deadlock");
    must_pass("two locks in one order", two_locks, NULL, harmless, 3000);
    explore("two locks in two orders, in order", two_locks, &yes, in_order, "deadlock");
    explore("two locks in one order, in order", two_locks, NULL, in_order, NULL);
    must_fail("sleep without a second look", do_sleep, NULL, plain, 1000, "deadlock");
    must_pass("sleep with a second look", do_sleep, &yes, harmless, 3000);
    sim_config by_priority = {.schedule = SIM_PCT};
    must_fail("three steps, random", three_steps, NULL, plain, 2000, "all three");
    must_fail("three steps, by priority", three_steps, NULL, by_priority, 20000, "all three");
    must_fail("a spin without end", spins, NULL, short_one, 1, "no end");

    must_fail("a leak", leaks, NULL, plain, 1, "1 blocks of memory");
    must_fail("a mapping that is left", leaks_a_mapping, NULL, plain, 1, "1 mappings");
    must_fail("a write after unmapping", writes_unmapped, NULL, plain, 1, "unmapped memory");
    if (!ADDRESS_SANITIZER) { /* which finds them first, and ends the process */
        must_report_a_crash(argv[0]);
        must_fail("a write behind a block", writes_behind, NULL, plain, 1, "behind a block");
        must_fail("a write after release", writes_late, NULL, plain, 1, "released memory");
        must_fail("a second release", frees_twice, NULL, plain, 1, "not allocated");
    }

    sim_config watched = {.hook = looks};
    must_pass("a hook at every point", is_watched, NULL, watched, 300);
    must_fail("a hook that complains", is_watched, &yes, watched, 10, "the hook saw");
    must_pass("time and details of each thread", tells_time, NULL, harmless, 500);
    must_pass("places", has_places, NULL, plain, 100);
    must_pass("parts of a mapping on several nodes", has_parts, NULL, plain, 100);
    must_repeat(two_locks, NULL, harmless);

    printf("counted: sim | faults planted in the machine's own test, all found | %llu\n",
           (unsigned long long)planted);
    printf("counted: sim | counterparts without the fault, all clean | %llu\n",
           (unsigned long long)clean);
    return bad != 0;
}
