/*
 * What the topology tests share: making machines, catching what is printed, a JSON checker, and
 * folders of files that stand in for /sys and /proc.
 */
#ifndef NP_TESTS_TOPOLOGY_HELP_H
#define NP_TESTS_TOPOLOGY_HELP_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <numaperf/topology.h>

#include "unit.h"

static inline np_topology *topology_make(const char *description)
{
    np_topology *topology = NULL;
    if (np_topology_from_synthetic(description, &topology) != NP_OK)
        fail_msg("%s: %s", description, np_error_detail());
    assert_non_null(topology);
    assert_true(np_topology_is_virtual(topology));
    return topology;
}

static inline void topology_expect_cpus(const np_topology *topology, np_node_id node,
                                        const char *expected)
{
    np_cpu_set cpus;
    char text[256];
    assert_int_equal(np_topology_node_cpus(topology, node, &cpus), NP_OK);
    (void)np_cpu_set_print(&cpus, text, sizeof text);
    assert_string_equal(text, expected);
}

/* What holds for every topology, whatever it describes. */
static inline void topology_check_sane(const np_topology *topology)
{
    uint32_t nodes = np_topology_node_count(topology);
    uint32_t cpus_in_nodes = 0;
    uint32_t homeless = 0;
    np_cpu_set all;
    assert_true(nodes > 0 && np_topology_cpu_count(topology) > 0);
    assert_int_equal(np_topology_cpus(topology, &all), NP_OK);
    assert_int_equal(np_cpu_set_count(&all), np_topology_cpu_count(topology));
    np_node_id *order = calloc(nodes, sizeof *order);
    assert_non_null(order);
    for (uint32_t i = 0; i < nodes; i++) {
        np_node_id id = np_topology_node_id(topology, i);
        np_node_info info;
        np_cpu_set cpus;
        size_t count = 0;
        uint32_t distance = 0;
        assert_true(i == 0 || id > np_topology_node_id(topology, i - 1));
        assert_int_equal(np_topology_node_index(topology, id), i);
        assert_int_equal(np_topology_node_info(topology, id, &info), NP_OK);
        assert_int_equal(np_topology_node_cpus(topology, id, &cpus), NP_OK);
        assert_int_equal(info.id, id);
        assert_int_equal(info.index, i);
        assert_int_equal(np_cpu_set_count(&cpus), info.cpu_count);
        assert_true(info.core_count <= info.cpu_count);
        assert_true((info.cpu_count == 0) == (info.core_count == 0));
        assert_true(np_cpu_set_is_subset(&cpus, &all));
        assert_true(info.cpu_count > 0 || (info.memory_allowed && info.memory_bytes > 0));
        assert_true(info.socket < (int32_t)np_topology_socket_count(topology));
        if (info.cpu_count > 0)
            assert_int_equal(info.nearest_cpus, id);
        cpus_in_nodes += info.cpu_count;
        assert_int_equal(np_topology_distance(topology, id, id, &distance), NP_OK);
        assert_int_equal(np_topology_node_tier(topology, id, id), NP_TIER_NODE);
        assert_true(distance >= 10);

        assert_int_equal(np_topology_nodes_by_distance(topology, id, order, nodes, &count), NP_OK);
        assert_int_equal(count, nodes);
        assert_int_equal(order[0], id);
        for (uint32_t k = 1; k < nodes; k++) {
            uint32_t near_distance = 0;
            uint32_t far_distance = 0;
            np_tier near = np_topology_node_tier(topology, id, order[k - 1]);
            np_tier far = np_topology_node_tier(topology, id, order[k]);
            assert_int_equal(np_topology_distance(topology, id, order[k - 1], &near_distance),
                             NP_OK);
            assert_int_equal(np_topology_distance(topology, id, order[k], &far_distance), NP_OK);
            bool ascending = near < far || (near == far && near_distance < far_distance) ||
                             (near == far && near_distance == far_distance &&
                              order[k - 1] < order[k]);
            assert_true(ascending);
        }
    }
    free(order);
    int32_t cores_begun = 0;
    for (int32_t cpu = np_cpu_set_first(&all); cpu != NP_CPU_NONE;
         cpu = np_cpu_set_next(&all, cpu)) {
        np_cpu_info info;
        assert_int_equal(np_topology_cpu_info(topology, cpu, &info), NP_OK);
        assert_int_equal(info.cpu, cpu);
        assert_int_equal(info.node, np_topology_cpu_node(topology, cpu));
        assert_in_range(info.core, 0, np_topology_core_count(topology) - 1);
        cores_begun += info.thread == 0;
        homeless += info.node == NP_NODE_ID_NONE;
        assert_int_equal(np_topology_cpu_tier(topology, cpu, cpu), NP_TIER_CACHE);
    }
    assert_int_equal(cores_begun, np_topology_core_count(topology));
    assert_int_equal(cpus_in_nodes + homeless, np_topology_cpu_count(topology));
}

/* --- catching what is printed ------------------------------------------------------------ */

typedef struct topology_catch {
    int saved[2];
    int file;
} topology_catch;

/* From now on what anybody writes to the standard output or error goes into a file. */
static inline void topology_catch_begin(topology_catch *self)
{
    char name[] = "/tmp/np-caught-XXXXXX";
    fflush(NULL);
    self->file = mkstemp(name);
    assert_true(self->file >= 0);
    assert_int_equal(unlink(name), 0);
    for (int i = 0; i < 2; i++) {
        self->saved[i] = dup(i + 1);
        assert_true(self->saved[i] >= 0 && dup2(self->file, i + 1) >= 0);
    }
}

/* Back to normal; fails the test if anything was printed. */
static inline void topology_catch_end_empty(topology_catch *self)
{
    char text[512] = "";
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        (void)dup2(self->saved[i], i + 1);
        (void)close(self->saved[i]);
    }
    ssize_t length = pread(self->file, text, sizeof text - 1, 0);
    (void)close(self->file);
    if (length != 0)
        fail_msg("this was printed: %s", text);
}

/* --- JSON -------------------------------------------------------------------------------- */

/* By hand: under a sanitizer the C library's functions look at the whole rest of a long text each
 * time. */
static inline const char *json_space(const char *at)
{
    while (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')
        at++;
    return at;
}

static inline bool json_is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static inline const char *json_string(const char *at)
{
    if (*at++ != '"')
        return NULL;
    for (; *at != '"'; at++) {
        if ((unsigned char)*at < 0x20)
            return NULL;
        if (*at != '\\')
            continue;
        at++;
        if (*at == 'u') {
            for (int i = 0; i < 4; i++) {
                if (!json_is_hex(*++at))
                    return NULL;
            }
        } else if (*at == '\0' || strchr("\"\\/bfnrt", *at) == NULL) {
            return NULL;
        }
    }
    return at + 1;
}

static inline const char *json_digits(const char *at)
{
    const char *start = at;
    while (*at >= '0' && *at <= '9')
        at++;
    return at == start ? NULL : at;
}

static inline const char *json_number(const char *at)
{
    at += *at == '-';
    const char *end = json_digits(at);
    if (end == NULL || (*at == '0' && end != at + 1))
        return NULL;
    return *end == '.' ? json_digits(end + 1) : end;
}

static inline const char *json_word(const char *at, const char *word)
{
    while (*word != '\0' && *at == *word) {
        at++;
        word++;
    }
    return *word == '\0' ? at : NULL;
}

/* Passes over one JSON value; NULL if there is none. */
static inline const char *json_value(const char *at)
{
    at = json_space(at);
    if (*at == '"')
        return json_string(at);
    if (*at == 't' || *at == 'f' || *at == 'n')
        return json_word(at, *at == 't' ? "true" : *at == 'f' ? "false" : "null");
    if (*at != '{' && *at != '[')
        return json_number(at);
    char close = *at == '{' ? '}' : ']';
    bool object = *at == '{';
    at = json_space(at + 1);
    if (*at == close)
        return at + 1;
    for (;;) {
        if (object) {
            at = json_string(json_space(at));
            if (at == NULL || *(at = json_space(at)) != ':')
                return NULL;
            at++;
        }
        at = json_value(at);
        if (at == NULL)
            return NULL;
        at = json_space(at);
        if (*at == close)
            return at + 1;
        if (*at++ != ',')
            return NULL;
    }
}

static inline bool json_is_valid(const char *text)
{
    const char *end = json_value(text);
    return end != NULL && *json_space(end) == '\0';
}

/* The whole text of one of the np_topology_… writers; the caller frees it. */
typedef size_t (*topology_writer)(const np_topology *, char *, size_t);

static inline char *topology_text(topology_writer write, const np_topology *topology)
{
    size_t length = write(topology, NULL, 0);
    char *text = malloc(length + 1);
    assert_non_null(text);
    assert_int_equal(write(topology, text, length + 1), length);
    assert_int_equal(strlen(text), length);
    return text;
}

/* --- files that stand in for the system's ------------------------------------------------ */

static inline void fake_make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
        *slash = '/';
    }
}

/* Writes root + path, making the folders on the way. */
static inline void fake_file(const char *root, const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    fake_make_folders(full);
    int file = open(full, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    assert_int_equal(close(file), 0);
}

/* A fresh empty folder; `root` has room for its name. */
static inline void fake_root(char root[32])
{
    snprintf(root, 32, "/tmp/np-fake-XXXXXX");
    assert_non_null(mkdtemp(root));
}

static inline int fake_remove_one(const char *path, const struct stat *about, int kind,
                                  struct FTW *place)
{
    (void)about;
    (void)kind;
    (void)place;
    return remove(path);
}

/* Removes the folder and what is in it. */
static inline void fake_remove(const char *root)
{
    assert_int_equal(strncmp(root, "/tmp/np-fake-", 13), 0);
    assert_int_equal(nftw(root, fake_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

#endif
