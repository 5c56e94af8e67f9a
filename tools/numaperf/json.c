/*
 * json.c - the JSON writer. File names may hold any bytes; those that are not UTF-8 become U+FFFD,
 * one each, so that the output can always be parsed.
 */
#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void indent(const json_writer *json)
{
    printf("\n%*s", (int)(2u * json->depth), "");
}

/* The length of the well-formed UTF-8 sequence at `text`, 0 if there is none. */
static unsigned sequence_length(const unsigned char *text)
{
    unsigned char first = text[0];
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    unsigned length = 0;
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        length = 2;
    } else if (first >= 0xe0 && first <= 0xef) {
        length = 3;
        low = first == 0xe0 ? 0xa0 : 0x80;  /* shorter forms exist below */
        high = first == 0xed ? 0x9f : 0xbf; /* surrogates */
    } else if (first >= 0xf0 && first <= 0xf4) {
        length = 4;
        low = first == 0xf0 ? 0x90 : 0x80;
        high = first == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }
    if (text[1] < low || text[1] > high) {
        return 0;
    }
    for (unsigned i = 2; i < length; i++) {
        if (text[i] < 0x80 || text[i] > 0xbf) {
            return 0;
        }
    }
    return length;
}

static void write_string(const char *value)
{
    const unsigned char *at = (const unsigned char *)value;
    (void)putchar('"');
    while (*at != '\0') {
        unsigned length = sequence_length(at);
        if (length == 0) {
            (void)fputs("\\ufffd", stdout);
            length = 1;
        } else if (*at == '"' || *at == '\\') {
            printf("\\%c", *at);
        } else if (*at < 0x20 || *at == 0x7f) {
            printf("\\u%04x", (unsigned)*at);
        } else {
            printf("%.*s", (int)length, (const char *)at);
        }
        at += length;
    }
    (void)putchar('"');
}

static void begin_member(json_writer *json, const char *key)
{
    if (json->has_members[json->depth]) {
        (void)putchar(',');
    }
    json->has_members[json->depth] = true;
    indent(json);
    if (key != NULL) {
        write_string(key);
        (void)fputs(": ", stdout);
    }
}

static void open_level(json_writer *json, char opening, char closing)
{
    (void)putchar(opening);
    json->depth++;
    json->has_members[json->depth] = false;
    json->closing[json->depth] = closing;
}

void json_begin(json_writer *json)
{
    memset(json, 0, sizeof *json);
    open_level(json, '{', '}');
}

void json_end(json_writer *json)
{
    json_close(json);
    (void)putchar('\n');
}

void json_open_object(json_writer *json, const char *key)
{
    begin_member(json, key);
    open_level(json, '{', '}');
}

void json_open_array(json_writer *json, const char *key)
{
    begin_member(json, key);
    open_level(json, '[', ']');
}

void json_close(json_writer *json)
{
    char closing = json->closing[json->depth];
    bool has_members = json->has_members[json->depth];
    json->depth--;
    if (has_members) {
        indent(json);
    }
    (void)putchar(closing);
}

void json_string(json_writer *json, const char *key, const char *value)
{
    begin_member(json, key);
    if (value == NULL) {
        (void)fputs("null", stdout);
    } else {
        write_string(value);
    }
}

void json_unsigned(json_writer *json, const char *key, uint64_t value)
{
    begin_member(json, key);
    printf("%" PRIu64, value);
}

void json_signed(json_writer *json, const char *key, int64_t value)
{
    begin_member(json, key);
    printf("%" PRId64, value);
}

void json_number(json_writer *json, const char *key, double value)
{
    begin_member(json, key);
    if (isfinite(value)) {
        printf("%.10g", value);
    } else {
        (void)fputs("null", stdout);
    }
}

void json_bool(json_writer *json, const char *key, bool value)
{
    begin_member(json, key);
    (void)fputs(value ? "true" : "false", stdout);
}

void json_raw(json_writer *json, const char *key, const char *value)
{
    size_t length = strlen(value);
    while (length > 0 && strchr(" \n\r\t", value[length - 1]) != NULL) {
        length--;
    }
    begin_member(json, key);
    /* The value's own lines are moved in to where it stands. */
    for (size_t i = 0; i < length; i++) {
        if (value[i] == '\n') {
            indent(json);
        } else {
            (void)putchar(value[i]);
        }
    }
}
