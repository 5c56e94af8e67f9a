/*
 * table.h - tables on standard output. Cells are added one after the other, row by row; the last
 * column takes the width that is left and is broken into lines at spaces and commas.
 *
 * table.c owns the cells and the line breaks; drawing is table_smartcols.c or table_plain.c,
 * whichever was built.
 */
#ifndef NUMAPERF_TOOL_TABLE_H
#define NUMAPERF_TOOL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include <numaperf/version.h>

#define TABLE_COLUMNS_MAX 80

typedef struct table_column {
    const char *heading; /* borrowed */
    bool right;          /* numbers */
} table_column;

typedef struct table {
    table_column columns[TABLE_COLUMNS_MAX];
    size_t column_count;
    char **cells; /* row by row */
    size_t cell_count;
    size_t cell_capacity;
} table;

void table_begin(table *t);
void table_add_column(table *t, const char *heading, bool right);
void table_add(table *t, const char *format, ...) NP_PRINTF(2, 3);

/* Prints and empties the table. False, with a message, if it could not be drawn. */
bool table_end(table *t);

/* For the two ways of drawing: every row is complete, lines in the last column end with '\n'. */
bool table_draw(const table *t);

#endif
