/*
 * json.h - writes JSON to standard output: indented, with commas where they belong, strings escaped
 * and always valid UTF-8. Inside an object every call takes a key, inside an array the key is NULL.
 */
#ifndef NUMAPERF_TOOL_JSON_H
#define NUMAPERF_TOOL_JSON_H

#include <stdbool.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 16

typedef struct json_writer {
    unsigned depth;
    bool has_members[JSON_DEPTH_MAX]; /* of the object or array at each depth */
    char closing[JSON_DEPTH_MAX];
} json_writer;

void json_begin(json_writer *json); /* the outermost object */
void json_end(json_writer *json);   /* and its end, with a newline */

void json_open_object(json_writer *json, const char *key);
void json_open_array(json_writer *json, const char *key);
void json_close(json_writer *json);

void json_string(json_writer *json, const char *key, const char *value); /* NULL: null */
void json_unsigned(json_writer *json, const char *key, uint64_t value);
void json_signed(json_writer *json, const char *key, int64_t value);
void json_number(json_writer *json, const char *key, double value);
void json_bool(json_writer *json, const char *key, bool value);

/* A value that is JSON already, for instance a report of the library. */
void json_raw(json_writer *json, const char *key, const char *value);

#endif
