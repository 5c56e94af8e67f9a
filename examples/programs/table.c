/* table.c - see table.h. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#define PLACES_FIRST 1024u

/* FNV-1a, and a finish that lets every bit of the key reach the low ones. */
uint32_t table_hash(const char *key, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)key[i]) * UINT64_C(0x100000001b3);
    return (uint32_t)(hash ^ hash >> 32);
}

/* The place of the key, or the empty one where it would go. */
static struct row *find(const struct table *table, const struct row *wanted)
{
    size_t mask = table->places - 1;
    for (size_t place = wanted->hash & mask;; place = (place + 1) & mask) {
        struct row *row = &table->rows[place];
        if (row->count == 0 || (row->hash == wanted->hash && strcmp(row->key, wanted->key) == 0))
            return row;
    }
}

static bool grow(struct table *old)
{
    struct table bigger = {.places = old->places == 0 ? PLACES_FIRST : old->places * 2,
                           .used = old->used};
    bigger.rows = calloc(bigger.places, sizeof *bigger.rows);
    if (bigger.rows == NULL)
        return false;
    for (size_t place = 0; place < old->places; place++)
        if (old->rows[place].count != 0)
            *find(&bigger, &old->rows[place]) = old->rows[place];
    free(old->rows);
    *old = bigger;
    return true;
}

bool table_add(struct table *table, const struct row *more)
{
    if (3 * (table->used + 1) > 2 * table->places && !grow(table))
        return false;
    struct row *known = find(table, more);
    if (known->count == 0) {
        *known = *more;
        table->used++;
        return true;
    }
    known->count += more->count;
    known->sum += more->sum;
    known->least = more->least < known->least ? more->least : known->least;
    known->most = more->most > known->most ? more->most : known->most;
    return true;
}

void table_free(struct table *table)
{
    free(table->rows);
    *table = (struct table){0};
}
