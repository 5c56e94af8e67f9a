/*
 * table.c - the cells of a table, and where the text of its last column is broken.
 */
#include "table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define NARROWEST_TEXT 20u

void table_begin(table *t)
{
    memset(t, 0, sizeof *t);
}

void table_add_column(table *t, const char *heading, bool right)
{
    if (t->column_count < TABLE_COLUMNS_MAX) {
        t->columns[t->column_count].heading = heading;
        t->columns[t->column_count].right = right;
        t->column_count++;
    }
}

void table_add(table *t, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        cli_error("out of memory");
        exit(CLI_FAILURE);
    }
    if (t->cell_count == t->cell_capacity) {
        t->cell_capacity = t->cell_capacity > 0 ? 2 * t->cell_capacity : 64;
        t->cells = cli_grow(t->cells, t->cell_capacity, sizeof *t->cells);
    }
    t->cells[t->cell_count++] = text;
}

/* Columns left for the last one, beside the widest cells of the others and one space after each. */
static size_t room_for_text(const table *t)
{
    size_t used = 0;
    for (size_t c = 0; c + 1 < t->column_count; c++) {
        size_t widest = strlen(t->columns[c].heading);
        for (size_t i = c; i < t->cell_count; i += t->column_count) {
            size_t length = strlen(t->cells[i]);
            widest = length > widest ? length : widest;
        }
        used += widest + 1;
    }
    size_t width = cli_width();
    return width > used + NARROWEST_TEXT ? width - used : NARROWEST_TEXT;
}

/* Breaks after the last comma or at the last space that fits; a longer word stays whole. */
static char *broken(const char *text, size_t room)
{
    size_t length = strlen(text);
    char *out = cli_allocate(2 * length + 1, 1);
    char *end = out;
    while (length > room) {
        size_t cut = 0;
        for (size_t i = 0; i < length && (i <= room || cut == 0); i++) {
            if (text[i] == ' ' && i > 0) {
                cut = i;
            } else if (text[i] == ',' && (i + 1 <= room || cut == 0)) {
                cut = i + 1;
            }
        }
        if (cut == 0 || cut >= length) {
            break;
        }
        memcpy(end, text, cut);
        end += cut;
        *end++ = '\n';
        cut += text[cut] == ' ' ? 1 : 0;
        text += cut;
        length -= cut;
    }
    memcpy(end, text, length);
    end[length] = '\0';
    return out;
}

bool table_end(table *t)
{
    size_t room = room_for_text(t);
    size_t last = t->column_count - 1;
    if (!t->columns[last].right) {
        for (size_t i = last; i < t->cell_count; i += t->column_count) {
            char *text = broken(t->cells[i], room);
            free(t->cells[i]);
            t->cells[i] = text;
        }
    }
    bool drawn = table_draw(t);
    for (size_t i = 0; i < t->cell_count; i++) {
        free(t->cells[i]);
    }
    free(t->cells);
    memset(t, 0, sizeof *t);
    if (!drawn) {
        cli_error("cannot draw a table: out of memory");
    }
    return drawn;
}
