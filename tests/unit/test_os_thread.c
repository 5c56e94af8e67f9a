/*
 * Goal: threads start with the right signal mask and stack, fail with an errno when they must, keep
 * their name and their own state; a forked child knows that it is one. Method: threads look at
 * themselves with the C library's and the kernel's own answers; failure by limits, in children that
 * may be spoiled.
 */
#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/tls.h"
#include "os/os.h"
#include "unit.h"

typedef struct self_view {
    int argument_seen;
    sigset_t mask;
    size_t stack_bytes;
    uint64_t id;
    uint32_t ordinal;
    uint32_t ordinal_again;
    npi_tls *tls;
    npi_tls tls_at_start;
    struct np_worker *worker_at_start;
    char name[16];
    int name_result;
} self_view;

static void look(void *argument)
{
    self_view *view = argument;
    view->argument_seen = 1;
    view->tls = npi_tls_self();
    view->tls_at_start = *view->tls;
    view->worker_at_start = npi_tls_worker;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &view->mask);
    pthread_attr_t attributes;
    void *base = NULL;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        (void)pthread_attr_getstack(&attributes, &base, &view->stack_bytes);
        (void)pthread_attr_destroy(&attributes);
    }
    view->id = npi_os_thread_id();
    view->ordinal = npi_tls_ordinal();
    view->ordinal_again = npi_tls_ordinal();
    view->name_result = npi_os_thread_set_name("a name that is longer than the kernel keeps");
    (void)pthread_getname_np(pthread_self(), view->name, sizeof view->name);
}

static self_view look_from_a_thread(size_t stack_bytes)
{
    static self_view view;
    view = (self_view){0};
    npi_os_thread thread;
    assert_int_equal(npi_os_thread_start(&thread, stack_bytes, look, &view), 0);
    assert_int_equal(npi_os_thread_join(&thread), 0);
    assert_int_equal(view.argument_seen, 1);
    return view;
}

static void test_asynchronous_signals_are_blocked(void **state)
{
    (void)state;
    sigset_t mine;
    sigset_t before;
    sigset_t after;
    sigemptyset(&mine);
    sigaddset(&mine, SIGUSR2);
    sigaddset(&mine, SIGSEGV); /* even what the creator blocks is open in the thread */
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &mine, &before), 0);
    self_view view = look_from_a_thread(0);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, &after), 0);

    static const int open_signals[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                                       SIGTRAP, SIGABRT, SIGSYS, SIGPROF};
    for (int number = 1; number <= SIGRTMAX; number++) {
        /* The kernel never blocks these two; the C library keeps those below SIGRTMIN. */
        if (number == SIGKILL || number == SIGSTOP || (number >= 32 && number < SIGRTMIN))
            continue;
        if (number >= SIGRTMAX - 1 && unit_is_emulated())
            continue; /* the emulator keeps them for itself */
        bool open = false;
        for (size_t i = 0; i < sizeof open_signals / sizeof open_signals[0]; i++)
            open = open || open_signals[i] == number;
        assert_int_equal(sigismember(&view.mask, number), !open);
        /* The creator has its own mask again. */
        assert_int_equal(sigismember(&after, number), number == SIGUSR2 || number == SIGSEGV);
    }
}

static void test_failed_start_restores_the_mask(void **state)
{
    (void)state;
    sigset_t before;
    sigset_t after;
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
    npi_os_thread thread;
    self_view view;
    errno = ELOOP;
    assert_int_equal(npi_os_thread_start(&thread, 1, look, &view), EINVAL);
    assert_int_equal(npi_os_thread_start(&thread, SIZE_MAX, look, &view), EINVAL);
    assert_int_equal(
        npi_os_thread_start(&thread, npi_os_thread_stack_least() - npi_os_page_size(), look, &view),
        EINVAL);
    assert_int_equal(errno, ELOOP);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
    for (int number = 1; number <= SIGRTMAX; number++)
        assert_int_equal(sigismember(&before, number), sigismember(&after, number));
}

static void test_stack_size(void **state)
{
    (void)state;
    size_t least = npi_os_thread_stack_least();
    assert_true(least >= (size_t)64 * 1024);
    assert_int_equal(least % npi_os_page_size(), 0);
    self_view view = look_from_a_thread(least);
    assert_true(view.stack_bytes >= least);
    const size_t large = (size_t)3 << 20;
    view = look_from_a_thread(large - 1); /* rounded up to whole pages */
    assert_true(view.stack_bytes >= large);
    /* No upper bound: the C library may hand out a larger stack that a finished thread left. */
}

static void test_impossible_stack(void **state)
{
    (void)state;
    npi_os_thread thread;
    self_view view;
    int error = npi_os_thread_start(&thread, (size_t)1 << 52, look, &view);
    assert_true(error == EAGAIN || error == ENOMEM || error == EINVAL);
}

/* Runs `body` in a child and returns its exit status. */
static int in_child(int (*body)(void))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(body());
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int start_without_room_for_a_task(void)
{
    /* Root is not bound by this limit, so become nobody. */
    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0))
        return 77;
    struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};
    if (setrlimit(RLIMIT_NPROC, &none) != 0)
        return 77;
    npi_os_thread thread;
    self_view view;
    return npi_os_thread_start(&thread, 0, look, &view) == EAGAIN ? 0 : 1;
}

static void test_process_limit(void **state)
{
    (void)state;
    int result = in_child(start_without_room_for_a_task);
    if (result == 77)
        UNIT_SKIP("this process may not lower its limits");
    assert_int_equal(result, 0);
}

static void test_name_is_cut(void **state)
{
    (void)state;
    self_view view = look_from_a_thread(0);
    assert_int_equal(view.name_result, 0);
    assert_string_equal(view.name, "a name that is ");
}

static void test_identity(void **state)
{
    (void)state;
    self_view view = look_from_a_thread(0);
    assert_int_equal(npi_os_thread_id(), getpid());
    assert_true(view.id != 0 && view.id != npi_os_thread_id());
    assert_ptr_not_equal(view.tls, npi_tls_self());
    assert_null(view.worker_at_start);
    assert_null(view.tls_at_start.scope);
    assert_int_equal(view.tls_at_start.ordinal, 0);
    assert_int_equal(view.tls_at_start.detail[0], '\0');
    uint32_t mine = npi_tls_ordinal();
    assert_int_equal(mine, npi_tls_ordinal());
    assert_int_equal(view.ordinal, view.ordinal_again);
    assert_true(view.ordinal != 0 && view.ordinal != mine);
    self_view next = look_from_a_thread(0);
    assert_true(next.ordinal > view.ordinal);
}

static void pass_value(void *argument)
{
    int *value = argument;
    *value += 1;
}

static void test_start_and_join_publish(void **state)
{
    (void)state;
    int value = 41;
    npi_os_thread thread;
    assert_int_equal(npi_os_thread_start(&thread, 0, pass_value, &value), 0);
    assert_int_equal(npi_os_thread_join(&thread), 0);
    assert_int_equal(value, 42);
}

/* --- fork -------------------------------------------------------------------------------- */

static uint32_t generation_of_parent;

static int differs_from_parent(void)
{
    return npi_os_process_generation() != generation_of_parent && npi_os_process_generation() != 0
               ? 0
               : 1;
}

static int grandchild_differs_too(void)
{
    if (differs_from_parent() != 0)
        return 1;
    generation_of_parent = npi_os_process_generation();
    pid_t child = fork();
    if (child < 0)
        return 2;
    if (child == 0)
        _exit(differs_from_parent());
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return 3;
    return WEXITSTATUS(status) == 0 && generation_of_parent == npi_os_process_generation() ? 0 : 4;
}

static void test_a_forked_child_has_another_generation(void **state)
{
    (void)state;
    generation_of_parent = npi_os_process_generation();
    assert_int_not_equal(generation_of_parent, 0);
    assert_int_equal(in_child(differs_from_parent), 0);
    assert_int_equal(in_child(grandchild_differs_too), 0);
    assert_int_equal(npi_os_process_generation(), generation_of_parent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asynchronous_signals_are_blocked),
        cmocka_unit_test(test_failed_start_restores_the_mask),
        cmocka_unit_test(test_stack_size),
        cmocka_unit_test(test_impossible_stack),
        cmocka_unit_test(test_process_limit),
        cmocka_unit_test(test_name_is_cut),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_start_and_join_publish),
        cmocka_unit_test(test_a_forked_child_has_another_generation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
