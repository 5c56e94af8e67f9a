/*
 * model/case_directory.cpp - the directory of placed memory: readers beside a writer, who reuses
 * the table that a slow reader still searches; writers beside each other. What a reader is told was
 * true at some moment of its look.
 *
 * The directory is one for the process, so it is compiled in here and made empty for each
 * execution.
 */
#define FIRST_ENTRIES 4u
#include "memory/directory.c"

#include <string.h>

#include "model/runner.h"

void npi_range_cache_forget(uintptr_t, size_t) {}

int npi_os_map(size_t bytes, size_t, void **out)
{
    *out = np_model::allocate(bytes);
    return 0;
}

namespace
{

constexpr uintptr_t unit = 16;

struct with_directory {
    static constexpr int threads = 2;
    static constexpr bool fences = false;

    static void begin()
    {
        memset((void *)first_entries, 0, sizeof first_entries);
        memset((void *)&first_tables[0].count, 0, sizeof first_tables[0].count);
        memset((void *)&first_tables[1].count, 0, sizeof first_tables[1].count);
        memset((void *)tables, 0, sizeof tables);
        memset((void *)&version, 0, sizeof version);
        memset((void *)&writer, 0, sizeof writer);
    }
    static void set(uintptr_t at, np_node_id node)
    {
        npi_directory_set((void *)(at * unit), unit, node, false);
    }
    static np_node_id find(uintptr_t at)
    {
        npi_stretch found = npi_directory_find(at * unit, (at + 1) * unit, false);
        MODEL_CHECK(found.end == (at + 1) * unit);
        return found.node;
    }
};

/* What is looked for stays, and its place in the table changes twice, for entries come in before
 * it. The second change writes into the table that the reader may be in. */
struct reused : with_directory {
    static constexpr const char *name = "directory.reused";
    static constexpr int bound = 3, soak_bound = 4;
    void before()
    {
        begin();
        set(8, 5);
    }
    void thread(unsigned index)
    {
        if (index == 0) {
            set(2, 1);
            set(3, 1);
        } else {
            MODEL_CHECK(find(8) == 5);
        }
    }
    void after()
    {
        MODEL_CHECK(find(8) == 5 && find(3) == 1 && npi_directory_count() == 3);
    }
};

/* The second and third entry need a larger table. */
struct grows : with_directory {
    static constexpr const char *name = "directory.grows";
    static constexpr int bound = 2, soak_bound = 3;
    void before()
    {
        begin();
        set(8, 5);
        set(9, 6);
        set(10, 7);
    }
    void thread(unsigned index)
    {
        if (index == 0) {
            set(2, 1);
        } else {
            np_node_id two = find(2);
            MODEL_CHECK(two == 1 || two == NP_NODE_ID_NONE);
            MODEL_CHECK(find(10) == 7);
        }
    }
    void after()
    {
        MODEL_CHECK(find(8) == 5 && find(9) == 6 && find(10) == 7 && find(2) == 1);
    }
};

/* What one thread has been told is not taken back: later looks see it or what came after. */
struct in_order : with_directory {
    static constexpr const char *name = "directory.in_order";
    static constexpr int bound = 2, soak_bound = 3;
    void before()
    {
        begin();
        set(8, 1);
    }
    void thread(unsigned index)
    {
        if (index == 0) {
            set(8, 2);
            set(8, 3);
        } else {
            np_node_id first = find(8), second = find(8);
            MODEL_CHECK(first >= 1 && second >= first && second <= 3);
        }
    }
    void after()
    {
        MODEL_CHECK(find(8) == 3);
    }
};

/* Neither change is lost. */
struct two_writers : with_directory {
    static constexpr const char *name = "directory.two_writers";
    static constexpr int bound = 2, soak_bound = 3;
    void before()
    {
        begin();
    }
    void thread(unsigned index)
    {
        set(4 + index, 1 + (np_node_id)index);
    }
    void after()
    {
        MODEL_CHECK(find(4) == 1 && find(5) == 2 && npi_directory_count() == 2);
        MODEL_CHECK(npi_load_relaxed(&writer) == 0);
    }
};

} // namespace

int main(int argc, char **argv)
{
    return np_model::main_of<reused, grows, in_order, two_writers>(argc, argv);
}
