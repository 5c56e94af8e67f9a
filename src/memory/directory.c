/*
 * memory/directory.c - the sorted table behind memory/directory.h, and how readers and writers
 * meet.
 *
 * There are two tables. `version` says which is valid: the one with its parity. A writer copies the
 * valid table into the other one, with its change, and then raises `version`. A reader takes the
 * version, searches that table, and takes the version again: if it is the same, nobody has written
 * into what it searched, since the table of version v is next written for version v + 2, and that
 * only begins once v + 1 stands in `version`. So a reader repeats its search only if a change was
 * completed meanwhile; a writer that stops half way, or dies with its thread in a fork, disturbs
 * nobody, and the next writer begins again from the valid table.
 *
 * A change copies the whole table: some ten nanoseconds per entry beside the mmap, mbind and munmap
 * of what is placed. In exchange a search is one binary search in one array.
 *
 * Tables are replaced by ones twice as large and never unmapped, because a late reader may still
 * look into a small one. All of them together are smaller than twice the largest, and there is room
 * for the first entries without any mapping. How many entries there are is written in the table
 * itself, so that a reader with an old table never looks beyond its end.
 */
#include "memory/directory.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "memory/range_cache.h"
#include "os/os.h"

#if !defined(FIRST_ENTRIES) /* a model chooses a small one */
#define FIRST_ENTRIES 128u
#endif

typedef struct entry {
    np_atomic(uint64_t) begin;
    np_atomic(uint64_t) end;
    np_atomic(uint64_t) place; /* node * 2 + is_virtual */
} entry;

typedef struct table {
    size_t room; /* constant */
    np_atomic(size_t) count;
    entry *entries; /* constant; by address, none overlap */
} table;

static entry first_entries[2][FIRST_ENTRIES];
static table first_tables[2] = {{.room = FIRST_ENTRIES, .entries = first_entries[0]},
                                {.room = FIRST_ENTRIES, .entries = first_entries[1]}};
static np_atomic(uint64_t) version;
/* By the lock; the one that `version` does not name may be replaced. NULL: still the first one. */
static np_atomic(table *) tables[2];

/* --- the writers' lock --------------------------------------------------------------------- */

/*
 * 0: free; else the generation of the process that holds it, and whether somebody may sleep. A
 * forked child finds its parent's generation there if another thread was writing at that moment.
 * That thread does not exist in the child, and the valid table is whole: the child takes the lock
 * over.
 */
#define SLEEPERS 0x80000000u
static np_atomic(uint32_t) writer;

static void lock(void)
{
    uint32_t own = npi_os_process_generation() & ~SLEEPERS;
    uint32_t held = own;
    for (;;) {
        uint32_t expected = 0;
        /* Acquire: pairs with the release in unlock. */
        if (npi_cas_acquire(&writer, &expected, held))
            return;
        if ((expected & ~SLEEPERS) != own) {
            /* Relaxed would do for what a dead thread wrote: fork has copied it. */
            if (npi_cas_acquire(&writer, &expected, held))
                return;
            continue;
        }
        /* Whoever has slept takes the lock with the mark, for others may sleep still. */
        held = own | SLEEPERS;
        if (expected == held || npi_cas_acquire(&writer, &expected, held))
            (void)npi_os_futex_wait(&writer, held, NPI_NO_DEADLINE);
    }
}

static void unlock(void)
{
    /* Release: the tables' pointers and contents to the next writer. */
    if ((npi_exchange_release(&writer, 0u) & SLEEPERS) != 0)
        npi_os_futex_wake(&writer, 1);
}

/* --- writing ------------------------------------------------------------------------------- */

static table *table_of(uint64_t number)
{
    /* Acquire: pairs with the release in grown; the table behind the pointer is set up. */
    table *larger = npi_load_acquire(&tables[number & 1]);
    return larger != NULL ? larger : &first_tables[number & 1];
}

/* The table to be written, with room for `wanted` entries if that can be had. */
static table *grown(uint64_t number, size_t wanted)
{
    table *old = table_of(number);
    if (old->room >= wanted)
        return old;
    size_t room = old->room;
    while (room < wanted)
        room *= 2;
    size_t page = npi_os_page_size();
    size_t bytes = (sizeof(table) + room * sizeof(entry) + page - 1) / page * page;
    void *memory = NULL;
    if (npi_os_map(bytes, 0, &memory) != 0)
        return old;
    table *larger = memory;
    larger->room = room;
    larger->entries = (entry *)(void *)(larger + 1);
    /* Release: pairs with the acquire in table_of. */
    npi_store_release(&tables[number & 1], larger);
    return larger;
}

typedef struct plain_entry {
    uint64_t begin;
    uint64_t end;
    uint64_t place;
} plain_entry;

/* Adds to the table in the making; what does not fit any more is forgotten. */
static void append(table *to, size_t *count, plain_entry what)
{
    if (what.begin >= what.end || *count == to->room)
        return;
    entry *e = &to->entries[(*count)++];
    /* Release: a reader of the version before last that sees one of these finds `version` changed:
     * the raise comes before them in this thread, or in that of an earlier holder of the lock. */
    npi_store_release(&e->begin, what.begin);
    npi_store_release(&e->end, what.end);
    npi_store_release(&e->place, what.place);
}

static void append_parts(table *to, size_t *count, uintptr_t begin, const npi_stretches *parts,
                         bool is_virtual)
{
    for (size_t i = 0; i < parts->count; i++) {
        npi_stretch part = parts->part(parts->owner, i);
        plain_entry what = {.begin = begin, .end = part.end};
        what.place = (uint64_t)part.node * 2 + (is_virtual ? 1 : 0);
        append(to, count, what);
        begin = part.end;
    }
}

void npi_directory_set_parts(const void *address, size_t bytes, const npi_stretches *parts,
                             bool is_virtual)
{
    const plain_entry change = {.begin = (uintptr_t)address, .end = (uintptr_t)address + bytes};
    NPI_INVARIANT(change.end >= change.begin);
    if (bytes == 0)
        return;
    lock();
    /* Relaxed: only writers change it, and the lock has ordered them. */
    uint64_t number = npi_load_relaxed(&version);
    table *from = table_of(number);
    size_t before = npi_load_relaxed(&from->count);
    /* One may be cut in two, and the parts come in. */
    table *to = grown(number + 1, before + 1 + parts->count);
    size_t count = 0;
    bool is_placed = false;
    for (size_t i = 0; i < before; i++) {
        entry *e = &from->entries[i];
        plain_entry old = {npi_load_relaxed(&e->begin), npi_load_relaxed(&e->end),
                           npi_load_relaxed(&e->place)};
        plain_entry left = old;
        if (left.end > change.begin)
            left.end = change.begin;
        append(to, &count, left);
        if (!is_placed && old.end > change.begin) {
            append_parts(to, &count, (uintptr_t)address, parts, is_virtual);
            is_placed = true;
        }
        if (old.begin < change.end)
            old.begin = change.end;
        append(to, &count, old);
    }
    if (!is_placed)
        append_parts(to, &count, (uintptr_t)address, parts, is_virtual);
    npi_store_release(&to->count, count); /* as in append */
    /* Release: pairs with the acquire in npi_directory_find; the table is whole. */
    npi_store_release(&version, number + 1);
    unlock();
    npi_range_cache_forget((uintptr_t)address, bytes);
}

static npi_stretch the_only_part(const void *owner, size_t which)
{
    (void)which;
    return *(const npi_stretch *)owner;
}

void npi_directory_set(const void *address, size_t bytes, np_node_id node, bool is_virtual)
{
    const npi_stretch whole = {(uintptr_t)address + bytes, node};
    const npi_stretches parts = {node != NP_NODE_ID_NONE ? 1 : 0, the_only_part, &whole};
    npi_directory_set_parts(address, bytes, &parts, is_virtual);
}

/* --- reading ------------------------------------------------------------------------------- */

/* The first entry that ends above `address`, or `count`. */
static size_t search(const table *in, size_t count, uint64_t address)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        /* Acquire: as in npi_directory_find. */
        if (npi_load_acquire(&in->entries[middle].end) > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

npi_stretch npi_directory_find(uintptr_t address, uintptr_t end, bool is_virtual)
{
    for (;;) {
        /* Acquire: pairs with the release in npi_directory_set_parts; the table of that version. */
        uint64_t number = npi_load_acquire(&version);
        table *in = table_of(number);
        /* Acquire, for all that is read of a table: pairs with the releases in append. Who reads
         * what was written for the version after next sees below that the next one has come. */
        size_t count = npi_load_acquire(&in->count);
        size_t at = search(in, count, address);
        npi_stretch found = {end, NP_NODE_ID_NONE};
        if (at < count) {
            uint64_t begins = npi_load_acquire(&in->entries[at].begin);
            uint64_t ends = npi_load_acquire(&in->entries[at].end);
            uint64_t place = npi_load_acquire(&in->entries[at].place);
            uint64_t until = begins > address ? begins : ends;
            if (until < end)
                found.end = (uintptr_t)until;
            if (begins <= address && (place & 1) == (is_virtual ? 1 : 0))
                found.node = (np_node_id)(place / 2);
        }
        /* Relaxed: the acquires above order it. */
        if (npi_load_relaxed(&version) == number)
            return found;
    }
}

size_t npi_directory_count(void)
{
    for (;;) {
        uint64_t number = npi_load_acquire(&version); /* as in npi_directory_find */
        size_t count = npi_load_acquire(&table_of(number)->count);
        if (npi_load_relaxed(&version) == number)
            return count;
    }
}
