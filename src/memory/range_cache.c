/*
 * memory/range_cache.c - the slots of memory/range_cache.h.
 *
 * A slot: bits 0-10 the node's id plus one (0: nothing is known), 11-31 the serial number, 32-63
 * the chunk's number above the twelve bits that its slot stands for. Linux has at most 1,024 nodes,
 * and addresses of user space at most 57 bits on the machines we know, which leaves 29 for the tag.
 */
#include "memory/range_cache.h"

#include "base/atomic.h"

#define NODE_MASK   UINT64_C(0x7ff)
#define SERIAL_ONE  (NODE_MASK + 1)
#define SERIAL_MASK (UINT64_C(0xffffffff) & ~NODE_MASK)
#define TAG_SHIFT   32

static np_atomic(uint64_t) slots[NPI_CHUNK_SLOTS];

static uint32_t tag_of(uintptr_t chunk)
{
    return (uint32_t)((uint64_t)chunk / NPI_CHUNK_SLOTS);
}

static uint64_t next_serial(uint64_t word)
{
    return (word + SERIAL_ONE) & SERIAL_MASK;
}

npi_chunk_look npi_range_cache_look(uintptr_t address)
{
    npi_chunk_look look = {.chunk = address / NPI_CHUNK_BYTES, .node = NP_NODE_ID_NONE};
    /* Acquire: pairs with the release half in forget. Who finds a slot as forget left it asks the
     * kernel after what made the old answer wrong. */
    look.seen = npi_load_acquire(&slots[look.chunk % NPI_CHUNK_SLOTS]);
    if ((uint32_t)(look.seen >> TAG_SHIFT) == tag_of(look.chunk) && (look.seen & NODE_MASK) != 0)
        look.node = (np_node_id)(look.seen & NODE_MASK) - 1;
    return look;
}

void npi_range_cache_keep(const npi_chunk_look *look, np_node_id node)
{
    if (node < 0 || (uint64_t)node >= NODE_MASK)
        return;
    uint64_t seen = look->seen;
    uint64_t word = (uint64_t)tag_of(look->chunk) << TAG_SHIFT | next_serial(seen) |
                    ((uint64_t)node + 1);
    /* Fails if the slot has changed since the look; the order of one word suffices. Two million
     * changes in between, to the very word, would go unseen, and cost distance. */
    (void)npi_cas_acq_rel(&slots[look->chunk % NPI_CHUNK_SLOTS], &seen, word);
}

/* Of chunks first .. last. What stands for another one stays, but with a new serial. */
static void forget(uint32_t slot, uint64_t first, uint64_t last)
{
    uint64_t word = npi_load_relaxed(&slots[slot]);
    uint64_t after;
    do {
        uint64_t chunk = (word >> TAG_SHIFT) * NPI_CHUNK_SLOTS + slot;
        bool stays = (word & NODE_MASK) != 0 && (chunk < first || chunk > last);
        after = next_serial(word) | (stays ? word & ~SERIAL_MASK : 0);
        /* Release: pairs with the acquire in npi_range_cache_look. */
    } while (!npi_cas_acq_rel(&slots[slot], &word, after));
}

void npi_range_cache_forget(uintptr_t address, size_t bytes)
{
    if (bytes == 0)
        return;
    uint64_t first = (uint64_t)(address / NPI_CHUNK_BYTES);
    uint64_t last = (uint64_t)((address + (bytes - 1)) / NPI_CHUNK_BYTES);
    uint64_t count = last - first < NPI_CHUNK_SLOTS ? last - first + 1 : NPI_CHUNK_SLOTS;
    for (uint64_t i = 0; i < count; i++)
        forget((uint32_t)((first + i) % NPI_CHUNK_SLOTS), first, last);
}

void npi_range_cache_forget_all(void)
{
    for (uint32_t slot = 0; slot < NPI_CHUNK_SLOTS; slot++)
        forget(slot, 0, UINT64_MAX);
}
