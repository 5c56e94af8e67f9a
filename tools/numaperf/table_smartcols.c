/*
 * table_smartcols.c - draws a table with libsmartcols. The width is not the library's business: the
 * last column's text is already broken into lines, and nothing is ever cut off.
 */
#include "table.h"

#include <libsmartcols.h>
#include <stdio.h>

#include "cli.h"

static bool add_columns(const table *t, struct libscols_table *drawn)
{
    for (size_t c = 0; c < t->column_count; c++) {
        bool last = c + 1 == t->column_count;
        int flags = t->columns[c].right ? SCOLS_FL_RIGHT : last ? SCOLS_FL_WRAP : 0;
        struct libscols_column *column = scols_table_new_column(drawn, t->columns[c].heading, 0,
                                                                flags);
        if (column == NULL) {
            return false;
        }
        if (last && !t->columns[c].right &&
            (scols_column_set_safechars(column, "\n") != 0 ||
             scols_column_set_wrapfunc(column, scols_wrapnl_chunksize, scols_wrapnl_nextchunk,
                                       NULL) != 0)) {
            return false;
        }
        struct libscols_cell *heading = scols_column_get_header(column);
        if (cli_bold()[0] != '\0' && scols_cell_set_color(heading, "bold") != 0) {
            return false;
        }
    }
    return true;
}

static bool add_rows(const table *t, struct libscols_table *drawn)
{
    for (size_t i = 0; i + t->column_count <= t->cell_count; i += t->column_count) {
        struct libscols_line *line = scols_table_new_line(drawn, NULL);
        if (line == NULL) {
            return false;
        }
        for (size_t c = 0; c < t->column_count; c++) {
            if (scols_line_set_data(line, c, t->cells[i + c]) != 0) {
                return false;
            }
        }
    }
    return true;
}

bool table_draw(const table *t)
{
    struct libscols_table *drawn = scols_new_table();
    if (drawn == NULL) {
        return false;
    }
    bool done = scols_table_enable_colors(drawn, cli_bold()[0] != '\0') == 0 &&
                scols_table_set_termforce(drawn, SCOLS_TERMFORCE_NEVER) == 0 &&
                add_columns(t, drawn) && add_rows(t, drawn) && scols_print_table(drawn) == 0;
    scols_unref_table(drawn);
    return done;
}
