/*
 * progress.c - the progress line. It is redrawn in place and never reaches the terminal's last
 * column, where some terminals would begin a new line.
 */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"
#include "format.h"

#define LARGE_BYTES (UINT64_C(64) << 20)
#define LONG_NS     UINT64_C(1000000000)
#define LINE_MAX    120

static unsigned terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        return 80;
    }
    return size.ws_col < LINE_MAX ? size.ws_col : LINE_MAX;
}

void progress_begin(progress *p, bool wanted, uint64_t total)
{
    memset(p, 0, sizeof *p);
    p->possible = wanted && isatty(STDERR_FILENO);
    p->total = total;
    p->start_ns = clock_now();
}

/* The bar takes what the words leave: "[#####     ] ". */
static void draw_bar(char *line, size_t capacity, unsigned room, double part)
{
    size_t length = 0;
    if (room < 12) {
        line[0] = '\0';
        return;
    }
    unsigned cells = room - 3;
    unsigned full = (unsigned)(part * (double)cells);
    line[length++] = '[';
    for (unsigned i = 0; i < cells && length + 3 < capacity; i++) {
        line[length++] = i < full ? '#' : ' ';
    }
    line[length++] = ']';
    line[length++] = ' ';
    line[length] = '\0';
}

void progress_update(progress *p, uint64_t done)
{
    uint64_t elapsed = clock_now() - p->start_ns;
    if (!p->possible || elapsed < p->next_ns ||
        (!p->shown && p->total <= LARGE_BYTES && elapsed < LONG_NS)) {
        return;
    }
    p->next_ns = elapsed + PROGRESS_PERIOD_NS / 2;
    char words[LINE_MAX];
    char bar[LINE_MAX + 1] = "";
    char amount[FORMAT_CAPACITY];
    char rate[FORMAT_CAPACITY];
    format_bytes(amount, done);
    format_rate(rate, done, elapsed);
    if (p->total == 0) {
        (void)snprintf(words, sizeof words, "%s, %s", amount, rate);
    } else {
        /* A file may grow while it is read. */
        double part = done < p->total ? (double)done / (double)p->total : 1.0;
        char total[FORMAT_CAPACITY];
        (void)snprintf(words, sizeof words, "%3.0f %% %s of %s, %s", 100.0 * part, amount,
                       format_bytes(total, p->total), rate);
        unsigned width = terminal_width() - 1;
        unsigned used = (unsigned)strlen(words);
        draw_bar(bar, sizeof bar, width > used ? width - used : 0, part);
    }
    p->shown = true;
    (void)fprintf(stderr, "\r%s%.*s\033[K", bar, (int)(terminal_width() - 1), words);
    (void)fflush(stderr);
}

void progress_end(progress *p)
{
    if (p->shown) {
        (void)fputs("\r\033[K", stderr);
        (void)fflush(stderr);
        p->shown = false;
    }
}
