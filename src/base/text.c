/*
 * base/text.c - text built into a caller's buffer, counted like snprintf.
 */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

void npi_text_begin(npi_text *text, char *buffer, size_t capacity)
{
    text->buffer = buffer;
    text->capacity = buffer == NULL ? 0 : capacity;
    text->length = 0;
    if (text->capacity > 0)
        buffer[0] = '\0';
}

void npi_text_add(npi_text *text, const char *format, ...)
{
    size_t used = text->length < text->capacity ? text->length : text->capacity;
    char *place = text->buffer == NULL ? NULL : text->buffer + used;
    va_list arguments;
    va_start(arguments, format);
    int added = vsnprintf(place, text->capacity - used, format, arguments);
    va_end(arguments);
    if (added > 0)
        text->length += (size_t)added;
}

void npi_text_add_json_string(npi_text *text, const char *value)
{
    npi_text_add(text, "\"");
    for (const char *c = value; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte == '"' || byte == '\\')
            npi_text_add(text, "\\%c", byte);
        else if (byte < 0x20)
            npi_text_add(text, "\\u%04x", (unsigned)byte);
        else
            npi_text_add(text, "%c", byte);
    }
    npi_text_add(text, "\"");
}

void npi_text_add_bytes(npi_text *text, unsigned long long bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes;
    unsigned unit = 0;
    while (value >= 1024.0 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024.0;
        unit++;
    }
    if (unit == 0 || value >= 100.0)
        npi_text_add(text, "%.0f %s", value, units[unit]);
    else
        npi_text_add(text, "%.1f %s", value, units[unit]);
}
