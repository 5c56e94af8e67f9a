/*
 * Goal: the pages of a file come to lie where a region from that file says, also when they were
 * cached on another node before; a private one is a copy there; and where another process maps the
 * pages too, so that they cannot move, the enforcement says so. Method: a file written by a thread
 * of each node in turn, mapped for each node with memory; the kernel's answer for each page.
 */
#include <numaperf/region.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest_check.h"

enum { PAGES = 301, PAGE = 4096 };

static const char path[] = "/tmp/guest_region_file";

static bool has_memory(const struct guest_shape *shape, int node)
{
    return shape->node_allowed[node] && shape->node_mib[node] > 0;
}

/* Anew, so that its pages come to lie on the node of the thread that writes. */
static bool write_file(const np_topology *topology, int node)
{
    np_affinity_scope scope;
    np_status status = np_affinity_scope_open_node(&scope, topology, node, NP_HARD_MODE_STRICT,
                                                   NULL);
    if (!GUEST_CHECK(status == NP_OK, "node %d: %s", node, np_error_detail())) {
        return false;
    }
    (void)unlink(path);
    int file = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    bool written = file >= 0;
    char page[PAGE];
    for (int i = 0; written && i < PAGES; i++) {
        memset(page, i % 251 + 1, sizeof page);
        written = write(file, page, sizeof page) == (ssize_t)sizeof page;
    }
    if (file >= 0) {
        (void)close(file);
    }
    status = np_affinity_scope_close(&scope);
    return GUEST_CHECK(written && status == NP_OK, "writing on node %d", node);
}

static int pages_on(const np_region *region, int node)
{
    const char *data = np_region_data(region);
    int count = 0;
    for (int i = 0; i < PAGES; i++) {
        count += guest_node_of_page(data + (size_t)i * PAGE) == node;
    }
    return count;
}

static void check_contents(const np_region *region)
{
    const unsigned char *data = np_region_data(region);
    for (int i = 0; i < PAGES; i++) {
        int byte = data[(size_t)i * PAGE];
        GUEST_CHECK(byte == i % 251 + 1, "page %d holds %d", i, byte);
    }
}

static void check_target(const np_topology *topology, int from, int node, np_file_access access)
{
    np_region *region = NULL;
    np_node_id id = node;
    np_status status = np_region_create_from_file(
        topology, path, 0, 0,
        NP_REGION_OPTIONS(.hard_mode = NP_HARD_MODE_STRICT, .prefault = NP_PREFAULT_TOUCH,
                          .nodes = &id, .node_count = 1, .file_access = access),
        &region);
    if (!GUEST_CHECK(status == NP_OK, "from node %d to %d, access %d: %s", from, node, (int)access,
                     np_error_detail())) {
        return;
    }
    int there = pages_on(region, node);
    GUEST_CHECK(there == PAGES, "from node %d: %d of %d pages on node %d", from, there, PAGES,
                node);
    check_contents(region);
    np_region_destroy(region);
}

/* Another process has the pages mapped: the kernel leaves them where they are. */
static void check_shared_with_another(const np_topology *topology, int from, int node)
{
    int ready[2], done[2];
    if (!write_file(topology, from) || pipe(ready) != 0 || pipe(done) != 0) {
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        int file = open(path, O_RDONLY);
        volatile char *data = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ, MAP_SHARED, file, 0);
        for (int i = 0; i < PAGES; i++) {
            (void)data[(size_t)i * PAGE];
        }
        char byte = 0;
        (void)!write(ready[1], &byte, 1);
        (void)!read(done[0], &byte, 1);
        _exit(0);
    }
    char byte = 0;
    (void)!read(ready[0], &byte, 1);
    np_region *region = NULL;
    np_node_id id = node;
    np_status status = np_region_create_from_file(
        topology, path, 0, 0,
        NP_REGION_OPTIONS(.prefault = NP_PREFAULT_TOUCH, .nodes = &id, .node_count = 1), &region);
    if (GUEST_CHECK(status == NP_OK, "%s", np_error_detail())) {
        np_enforcement reached = np_region_enforcement(region);
        int there = pages_on(region, node);
        GUEST_CHECK((reached.level == NP_ENFORCEMENT_STRICT) == (there == PAGES),
                    "%d of %d pages moved, but: %s", there, PAGES, np_reason_text(reached.reason));
        GUEST_CHECK(there == PAGES || reached.reason == NP_REASON_PARTIAL, "%s",
                    np_reason_text(reached.reason));
        printf(">>> a file that another process maps: %d of %d pages moved, %s\n", there, PAGES,
               np_enforcement_level_name(reached.level));
        np_region_destroy(region);
    }
    (void)!write(done[1], &byte, 1);
    (void)waitpid(child, NULL, 0);
}

int main(void)
{
    const struct guest_shape *shape = guest_shape();
    np_topology *topology = NULL;
    np_status status = np_topology_discover(&topology);
    if (!GUEST_CHECK(status == NP_OK, "%s: %s", np_status_name(status), np_error_detail())) {
        return guest_finish();
    }
    int first = -1, last = -1;
    for (int from = 0; from < shape->node_count; from++) {
        if (guest_allowed_cpus_of_node(shape, from) == 0 || !has_memory(shape, from)) {
            continue;
        }
        first = first < 0 ? from : first;
        last = from;
        for (int node = 0; node < shape->node_count; node++) {
            if (!has_memory(shape, node) || !write_file(topology, from)) {
                continue;
            }
            check_target(topology, from, node, NP_FILE_PRIVATE);
            check_target(topology, from, node, NP_FILE_READ_ONLY);
            check_target(topology, node, from, NP_FILE_SHARED); /* and back */
        }
    }
    if (first >= 0 && first != last) {
        check_shared_with_another(topology, last, first);
    }
    (void)unlink(path);
    np_topology_destroy(topology);
    return guest_finish();
}
