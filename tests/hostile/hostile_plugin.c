/*
 * Goal: a library that owns an executor can be loaded, used and unloaded again and again: ended
 * by a call or only by its destructor inside dlclose, used by threads that live on and end later,
 * in several copies at once, with a fork afterwards. Nothing of it is left to run into: no thread,
 * no key with a destructor, no fork handler, no thread-local block.
 * Method: plugin.so is loaded from its file and from copies of it; threads of the process are
 * counted in /proc.
 * usage: hostile_plugin [ROUNDS] (PLUGIN_PATH names the library)
 */
#include <dirent.h>
#include <dlfcn.h>

#include "hostile.h"

#ifndef PLUGIN_PATH
#error "PLUGIN_PATH names plugin.so"
#endif

typedef struct plugin {
    void *handle;
    int (*begin)(void);
    long (*work)(long tasks);
    int (*end)(void);
} plugin;

static plugin load(const char *path)
{
    plugin p = {.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL)};
    if (p.handle == NULL)
        fail_msg("%s", dlerror());
    *(void **)&p.begin = dlsym(p.handle, "plugin_begin");
    *(void **)&p.work = dlsym(p.handle, "plugin_work");
    *(void **)&p.end = dlsym(p.handle, "plugin_end");
    assert_true(p.begin != NULL && p.work != NULL && p.end != NULL);
    return p;
}

static void unload(plugin *p, const char *path)
{
    assert_int_equal(dlclose(p->handle), 0);
    void *left = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (left != NULL)
        fail_msg("%s is still loaded", path);
}

static unsigned threads_now(void)
{
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks))
        count += entry->d_name[0] != '.';
    (void)closedir(tasks);
    return count;
}

static int nothing(void *argument)
{
    (void)argument;
    return CHILD_PASSED;
}

/* A thread that has used the library, and ends after it is gone. */
typedef struct user {
    plugin *p;
    pool_gate used;
    long done;
} user;

static void use_and_stay(void *argument)
{
    user *u = argument;
    u->done = u->p->work(10);
    pool_gate_pass(&u->used);
}

static void test_again_and_again(void **state)
{
    (void)state;
    unsigned threads = threads_now();
    for (unsigned long round = 0; round < hostile_amount; round++) {
        npi_os_thread thread;
        plugin p = load(PLUGIN_PATH);
        user u = {.p = &p};
        assert_int_equal(p.begin(), 0);
        assert_int_equal(p.work(100), 100);
        assert_int_equal(npi_os_thread_start(&thread, 0, use_and_stay, &u), 0);
        pool_gate_await(&u.used, 1);
        assert_int_equal(u.done, 10);
        if (round % 2 == 0)
            assert_int_equal(p.end(), 0);
        unload(&p, PLUGIN_PATH); /* odd rounds: its destructor ends the executor */
        assert_int_equal(threads_now(), threads + 1);
        hostile_in_child(nothing, NULL, "fork after dlclose");
        pool_gate_open(&u.used);
        assert_int_equal(npi_os_thread_join(&thread), 0);
    }
    assert_int_equal(threads_now(), threads);
    hostile_counted("libraries with an executor loaded and unloaded", hostile_amount);
}

static void copy_file(const char *from, const char *to)
{
    char buffer[65536];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_true(in != NULL && out != NULL);
    for (size_t got = fread(buffer, 1, sizeof buffer, in); got != 0;
         got = fread(buffer, 1, sizeof buffer, in))
        assert_int_equal(fwrite(buffer, 1, got, out), got);
    assert_int_equal(fclose(in) | fclose(out), 0);
}

/* Two of them at a time: their thread-local memory shares what the C library keeps for libraries
 * that come late. The last one goes first: glibc does not take that memory back in another order
 * (docs/executor.md). */
static void test_two_at_once(void **state)
{
    (void)state;
    char path[2][64];
    for (unsigned i = 0; i < 2; i++) {
        (void)snprintf(path[i], sizeof path[i], "/tmp/numaperf-plugin-%d-%u.so", (int)getpid(), i);
        copy_file(PLUGIN_PATH, path[i]);
    }
    for (unsigned long round = 0; round < hostile_amount; round++) {
        plugin p[2] = {load(path[0]), load(path[1])};
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(p[i].begin(), 0);
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(p[i].work(50), 50);
        assert_int_equal(p[1].end(), 0);
        unload(&p[1], path[1]);
        assert_int_equal(p[0].work(50), 50); /* the other one does not notice */
        assert_int_equal(p[0].end(), 0);
        unload(&p[0], path[0]);
    }
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(unlink(path[i]), 0);
}

int main(int argc, char **argv)
{
    hostile_begin(argc, argv, 40);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_again_and_again),
        cmocka_unit_test(test_two_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
