/*
 * table.h - a hash table from short texts to what is known of them: open addressing, linear
 * probing, doubled when it is two thirds full. For one thread at a time.
 */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_KEY_MOST 31u

struct row {
    char key[TABLE_KEY_MOST + 1];
    uint32_t hash;
    int32_t least; /* the values in tenths */
    int32_t most;
    uint64_t count; /* 0: an empty place */
    int64_t sum;
};

struct table {
    struct row *rows;
    size_t places; /* a power of two; 0: nothing yet */
    size_t used;
};

uint32_t table_hash(const char *key, size_t length);

/* Adds what `more` knows of its key. False: no memory, nothing changed. */
bool table_add(struct table *table, const struct row *more);

void table_free(struct table *table);

#endif
