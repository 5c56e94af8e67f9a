/*
 * Goal: small files are read whole or not at all, /proc and /sys can be redirected and nothing
 * else, and the process's environment, limits and capabilities are told truly. Method: files
 * written for the test around the size limit; the kernel's own text in /proc/self/status.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os.h"
#include "unit.h"

typedef struct folder {
    char path[64];
    char file[128];
} folder;

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int make_folder(void **state)
{
    static folder made;
    snprintf(made.path, sizeof made.path, "/tmp/np_test_os_files_XXXXXX");
    if (mkdtemp(made.path) == NULL)
        return -1;
    snprintf(made.file, sizeof made.file, "%s/file", made.path);
    *state = &made;
    return 0;
}

static int remove_folder(void **state)
{
    folder *made = *state;
    char path[160];
    static const char *const parts[] = {"/sys/kernel/answer", "/sys/kernel", "/sys", "/file"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        snprintf(path, sizeof path, "%s%s", made->path, parts[i]);
        (void)remove(path);
    }
    return npi_os_set_root(NULL) == 0 ? rmdir(made->path) : -1;
}

static void test_a_file_fits_or_is_refused(void **state)
{
    const folder *made = *state;
    write_file(made->file, "0123456789");
    char buffer[16];
    size_t length = 99;
    assert_int_equal(npi_os_read_file(made->file, buffer, sizeof buffer, &length), 0);
    assert_string_equal(buffer, "0123456789");
    assert_int_equal(length, 10);
    assert_int_equal(npi_os_read_file(made->file, buffer, 11, NULL), 0);
    assert_string_equal(buffer, "0123456789");
    errno = ELOOP;
    assert_int_equal(npi_os_read_file(made->file, buffer, 10, &length), EFBIG);
    assert_string_equal(buffer, "");
    assert_int_equal(length, 0);
    assert_int_equal(npi_os_read_file(made->file, buffer, 1, NULL), EFBIG);
    assert_int_equal(npi_os_read_file(made->file, buffer, 0, NULL), EINVAL);
    assert_int_equal(errno, ELOOP);

    write_file(made->file, "");
    length = 99;
    assert_int_equal(npi_os_read_file(made->file, buffer, 1, &length), 0);
    assert_int_equal(length, 0);
}

static void test_what_cannot_be_read(void **state)
{
    const folder *made = *state;
    char buffer[16] = "stale";
    errno = ELOOP;
    assert_int_equal(npi_os_read_file("/no/such/file", buffer, sizeof buffer, NULL), ENOENT);
    assert_string_equal(buffer, "");
    assert_int_equal(npi_os_read_file(made->path, buffer, sizeof buffer, NULL), EISDIR);
    char long_path[5000];
    memset(long_path, 'a', sizeof long_path - 1);
    long_path[0] = '/';
    long_path[sizeof long_path - 1] = '\0';
    assert_int_equal(npi_os_read_file(long_path, buffer, sizeof buffer, NULL), ENAMETOOLONG);
    assert_false(npi_os_path_exists(long_path));
    assert_int_equal(npi_os_set_root(long_path), ENAMETOOLONG);
    assert_int_equal(errno, ELOOP);
}

static void test_names_of_a_folder(void **state)
{
    const folder *made = *state;
    char names[16];
    size_t length = 99;
    write_file(made->file, "");
    assert_int_equal(npi_os_list_folder(made->path, names, sizeof names, &length), 0);
    assert_int_equal(length, sizeof "file");
    assert_string_equal(names, "file");
    assert_int_equal(npi_os_list_folder(made->path, names, sizeof "file" - 1, &length), EFBIG);
    assert_int_equal(npi_os_list_folder(made->file, names, sizeof names, &length), ENOTDIR);
}

static void test_only_proc_and_sys_are_redirected(void **state)
{
    const folder *made = *state;
    char path[160];
    snprintf(path, sizeof path, "%s/sys", made->path);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/sys/kernel", made->path);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/sys/kernel/answer", made->path);
    write_file(path, "42\n");
    write_file(made->file, "outside");

    char buffer[32];
    assert_int_equal(npi_os_read_file("/sys/kernel/answer", buffer, sizeof buffer, NULL), ENOENT);
    assert_int_equal(npi_os_set_root(made->path), 0);
    assert_int_equal(npi_os_read_file("/sys/kernel/answer", buffer, sizeof buffer, NULL), 0);
    assert_string_equal(buffer, "42\n");
    assert_true(npi_os_path_exists("/sys/kernel/answer"));
    assert_false(npi_os_path_exists("/proc/self/status"));
    /* Names that only begin alike, and everything else, are what they are. */
    assert_int_equal(npi_os_read_file(made->file, buffer, sizeof buffer, NULL), 0);
    assert_string_equal(buffer, "outside");
    assert_int_equal(npi_os_set_root(NULL), 0);
    assert_true(npi_os_path_exists("/proc/self/status"));
    assert_false(npi_os_path_exists("/sys/kernel/answer"));
}

static void test_environment(void **state)
{
    (void)state;
    assert_int_equal(setenv("NUMAPERF_TEST_VALUE", "seven", 1), 0);
    assert_string_equal(npi_os_environment("NUMAPERF_TEST_VALUE"), "seven");
    assert_int_equal(unsetenv("NUMAPERF_TEST_VALUE"), 0);
    assert_null(npi_os_environment("NUMAPERF_TEST_VALUE"));
}

static void test_locked_memory_limit(void **state)
{
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &before), 0);
    uint64_t bytes = 0;
    assert_int_equal(npi_os_locked_memory_limit(&bytes), 0);
    if (before.rlim_cur == RLIM_INFINITY)
        assert_true(bytes == UINT64_MAX);
    else
        assert_int_equal(bytes, before.rlim_cur);
    struct rlimit small = {.rlim_cur = 12288, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &small), 0);
    assert_int_equal(npi_os_locked_memory_limit(&bytes), 0);
    assert_int_equal(bytes, 12288);
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &before), 0);
}

static void test_capabilities(void **state)
{
    (void)state;
    char text[8192];
    assert_int_equal(npi_os_read_file("/proc/self/status", text, sizeof text, NULL), 0);
    const char *line = strstr(text, "CapEff:");
    assert_non_null(line);
    uint64_t effective = strtoull(line + strlen("CapEff:"), NULL, 16);
    for (int capability = 0; capability < 64; capability++)
        assert_int_equal(npi_os_has_capability(capability), (effective >> capability) & 1u);
    assert_false(npi_os_has_capability(-1));
    assert_false(npi_os_has_capability(64));
    assert_false(npi_os_has_capability(INT32_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_file_fits_or_is_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_read, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_names_of_a_folder, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_only_proc_and_sys_are_redirected, make_folder,
                                        remove_folder),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_locked_memory_limit),
        cmocka_unit_test(test_capabilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
