/*
 * format.c - sizes, rates, times, wrapped paragraphs and safe paths, as format.h says.
 */
#include "format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const char *nothing(char *buffer)
{
    (void)snprintf(buffer, FORMAT_CAPACITY, "-");
    return buffer;
}

const char *format_bytes(char *buffer, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1023.95 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024.0;
        unit++;
    }
    (void)snprintf(buffer, FORMAT_CAPACITY, "%.*f %s", unit == 0 ? 0 : 1, value, units[unit]);
    return buffer;
}

const char *format_rate(char *buffer, uint64_t bytes, uint64_t elapsed_ns)
{
    if (elapsed_ns == 0) {
        return nothing(buffer);
    }
    /* bytes per nanosecond are GB per second */
    double megabytes = (double)bytes / (double)elapsed_ns * 1e3;
    if (megabytes >= 9999.5) {
        (void)snprintf(buffer, FORMAT_CAPACITY, "%.1f GB/s", megabytes / 1e3);
    } else {
        (void)snprintf(buffer, FORMAT_CAPACITY, "%.*f MB/s", megabytes < 99.95 ? 1 : 0, megabytes);
    }
    return buffer;
}

const char *format_time(char *buffer, uint64_t elapsed_ns)
{
    double ns = (double)elapsed_ns;
    if (ns >= 60e9) {
        uint64_t seconds = elapsed_ns / 1000000000u;
        (void)snprintf(buffer, FORMAT_CAPACITY, "%" PRIu64 " min %" PRIu64 " s", seconds / 60u,
                       seconds % 60u);
    } else if (ns >= 1e9) {
        (void)snprintf(buffer, FORMAT_CAPACITY, "%.2f s", ns / 1e9);
    } else if (ns >= 1e6) {
        (void)snprintf(buffer, FORMAT_CAPACITY, "%.1f ms", ns / 1e6);
    } else {
        (void)snprintf(buffer, FORMAT_CAPACITY, "%.1f us", ns / 1e3);
    }
    return buffer;
}

void format_paragraph(unsigned indent, const char *label, const char *text)
{
    unsigned width = cli_width();
    unsigned column = (unsigned)printf("%-*s", (int)indent, label);
    bool line_is_empty = true;
    while (*text != '\0') {
        size_t length = strcspn(text, " \n");
        if (!line_is_empty && column + 1 + length > width) {
            printf("\n%*s", (int)indent, "");
            column = indent;
            line_is_empty = true;
        }
        if (length > 0) {
            column += (unsigned)printf("%s%.*s", line_is_empty ? "" : " ", (int)length, text);
            line_is_empty = false;
        }
        text += length;
        text += *text != '\0' ? 1 : 0;
    }
    (void)putchar('\n');
}

void format_path(const char *path)
{
    for (; *path != '\0'; path++) {
        unsigned char byte = (unsigned char)*path;
        (void)putchar(byte < 0x20 || byte == 0x7f ? '?' : byte);
    }
}
