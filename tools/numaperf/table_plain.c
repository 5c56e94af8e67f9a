/*
 * table_plain.c - draws a table without any other library: columns as wide as their widest cell,
 * one space between them, no blanks at the end of a line.
 */
#include "table.h"

#include <stdio.h>
#include <string.h>

#include "cli.h"

static size_t longest_line(const char *text)
{
    size_t longest = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        longest = length > longest ? length : longest;
        text += length;
        text += *text != '\0' ? 1 : 0;
    }
    return longest;
}

/* One row. `indent` is where the last column begins, for the second and later lines of its text. */
static void draw_row(const table *t, const size_t *widths, size_t indent, char *const *cells)
{
    for (size_t c = 0; c < t->column_count; c++) {
        const char *cell = cells != NULL ? cells[c] : t->columns[c].heading;
        bool last = c + 1 == t->column_count;
        if (!last || t->columns[c].right) {
            printf(t->columns[c].right ? "%*s" : "%-*s", (int)widths[c], cell);
            (void)putchar(last ? '\n' : ' ');
            continue;
        }
        for (const char *line = cell;;) {
            size_t length = strcspn(line, "\n");
            printf("%.*s\n", (int)length, line);
            if (line[length] == '\0') {
                break;
            }
            printf("%*s", (int)indent, "");
            line += length + 1;
        }
    }
}

bool table_draw(const table *t)
{
    size_t widths[TABLE_COLUMNS_MAX];
    size_t indent = 0;
    for (size_t c = 0; c < t->column_count; c++) {
        widths[c] = strlen(t->columns[c].heading);
        for (size_t i = c; i < t->cell_count; i += t->column_count) {
            size_t length = longest_line(t->cells[i]);
            widths[c] = length > widths[c] ? length : widths[c];
        }
        indent += c + 1 < t->column_count ? widths[c] + 1 : 0;
    }
    (void)fputs(cli_bold(), stdout);
    draw_row(t, widths, indent, NULL);
    (void)fputs(cli_plain(), stdout);
    for (size_t i = 0; i + t->column_count <= t->cell_count; i += t->column_count) {
        draw_row(t, widths, indent, t->cells + i);
    }
    return true;
}
