/*
 * Goal: names that anybody may choose (files of the demo, remarks of a topology) never break the
 * JSON that is printed. The tool's writer: bytes that are UTF-8 come back as they were, others as
 * U+FFFD each. The library's own writer is for its own words, which are ASCII: those come back as
 * they were.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The tool's writer itself; one of its names is also jansson's. */
#define json_string tool_json_string
#include "../../tools/numaperf/json.c" // NOLINT(bugprone-suspicious-include)
#undef json_string
#include <jansson.h>

#include "base/text.h"
#include "fuzz.h"

const char fuzz_name[] = "json";

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        NPT_FAIL("JSON: %s at byte %d of %.1000s", error.text, error.position, text);
    return root;
}

/* jansson decides what is UTF-8: a second opinion. */
static bool is_utf8(const char *text)
{
    json_t *string = json_stringn(text,
                                  strlen(text)); /* json_string() is the tool's at link time */
    bool good = string != NULL;
    json_decref(string);
    return good;
}

static void check_tool(const char *name)
{
    char *out = NULL;
    size_t length = 0;
    json_writer json;
    FILE *saved = stdout;
    stdout = open_memstream(&out, &length);
    NPT_CHECK(stdout != NULL);
    json_begin(&json);
    tool_json_string(&json, "name", name);
    json_open_array(&json, "more");
    tool_json_string(&json, NULL, name);
    tool_json_string(&json, NULL, NULL);
    json_close(&json);
    json_raw(&json, "raw", "{\n  \"a\": [1,\n 2]\n}\n");
    json_end(&json);
    (void)fclose(stdout);
    stdout = saved;
    json_t *root = parse(out);
    const char *value = json_string_value(json_object_get(root, "name"));
    NPT_CHECK(value != NULL);
    if (is_utf8(name))
        NPT_CHECK(strcmp(value, name) == 0);
    else
        NPT_CHECK(strstr(value, "\xef\xbf\xbd") != NULL);
    NPT_CHECK(strcmp(json_string_value(json_array_get(json_object_get(root, "more"), 0)), value) ==
              0);
    json_decref(root);
    free(out);
}

static void check_library(char *name)
{
    char small[16];
    npi_text text;
    for (char *at = name; *at != '\0'; at++)
        *at = (char)(*at & 0x7f) != '\0' ? (char)(*at & 0x7f) : ' ';
    size_t room = strlen(name) * 6 + 16;
    char *out = malloc(room);
    NPT_CHECK(out != NULL);
    npi_text_begin(&text, out, room);
    npi_text_add(&text, "[");
    npi_text_add_json_string(&text, name);
    npi_text_add(&text, "]");
    NPT_CHECK(text.length < room && strlen(out) == text.length);
    json_t *root = parse(out);
    NPT_CHECK(strcmp(json_string_value(json_array_get(root, 0)), name) == 0);
    json_decref(root);
    size_t whole = text.length;
    npi_text_begin(&text, small, sizeof small);
    npi_text_add(&text, "[");
    npi_text_add_json_string(&text, name);
    npi_text_add(&text, "]");
    NPT_CHECK(text.length == whole && strncmp(small, out, strlen(small)) == 0);
    free(out);
}

void fuzz_one(const char *text, size_t length)
{
    (void)length;
    char *copy = strdup(text);
    NPT_CHECK(copy != NULL);
    check_tool(text);
    check_library(copy);
    free(copy);
}
