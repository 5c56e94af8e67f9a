/*
 * topology/cpu_set_parse.c - reads the kernel's list format. The text may come from a user, the
 * environment or a file, so every byte is distrusted; the result is written only on success.
 *
 *   list  := "" | item { "," item }
 *   item  := number | number "-" number | number "-" number ":" number [ "/" number ]
 *
 * "a-b:s" is every s-th CPU of the range; "a-b:u/g" is the kernel's form, the first u CPUs of
 * every g.
 */
#include <numaperf/affinity.h>

#include "base/status.h"
#include "topology/excerpt.h"

typedef struct cursor {
    const char *text; /* the whole text, for the place in messages */
    const char *at;
} cursor;

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

static np_status fail_at(const cursor *c, const char *expected)
{
    if (*c->at == '\0')
        return npi_fail(NP_ERR_PARSE, "CPU list \"%s\": expected %s at byte %zu, where it ends",
                        npi_excerpt_of(c->text).text, expected, (size_t)(c->at - c->text));
    return npi_fail(NP_ERR_PARSE, "CPU list \"%s\": expected %s at byte %zu, found \"%s\"",
                    npi_excerpt_of(c->text).text, expected, (size_t)(c->at - c->text),
                    npi_excerpt_of(c->at).text);
}

/* Reads a number of at most NP_CPU_SET_CAPACITY - 1; `what` names it in messages. */
static np_status read_number(cursor *c, const char *what, uint32_t *out)
{
    const char *start = c->at;
    uint32_t value = 0;
    bool large = false;
    while (*c->at >= '0' && *c->at <= '9') {
        value = value * 10u + (uint32_t)(*c->at - '0');
        large = large || value >= NP_CPU_SET_CAPACITY;
        value = large ? NP_CPU_SET_CAPACITY : value;
        c->at++;
    }
    if (c->at == start)
        return fail_at(c, what);
    if (large)
        return npi_fail(NP_ERR_LIMIT,
                        "CPU list \"%s\": \"%s\" at byte %zu is above the limit of %u",
                        npi_excerpt_of(c->text).text, npi_excerpt_of(start).text,
                        (size_t)(start - c->text), NP_CPU_SET_CAPACITY - 1u);
    *out = value;
    return NP_OK;
}

/* The ":s" or ":u/g" behind a range. */
static np_status read_pattern(cursor *c, uint32_t *used, uint32_t *group)
{
    const char *start = c->at;
    np_status status = read_number(c, "a number after ':'", group);
    if (status != NP_OK)
        return status;
    *used = 1;
    if (*c->at == '/') {
        c->at++;
        *used = *group;
        status = read_number(c, "a number after '/'", group);
        if (status != NP_OK)
            return status;
    }
    if (*group == 0 || *used == 0 || *used > *group) {
        c->at = start;
        return fail_at(c, *group == 0 || *used == 0 ? "a number above 0"
                                                    : "at most as many CPUs as the group has");
    }
    return NP_OK;
}

static np_status read_item(cursor *c, np_cpu_set *set)
{
    uint32_t first = 0;
    uint32_t used = 1;
    uint32_t group = 1;
    np_status status = read_number(c, "a CPU number", &first);
    if (status != NP_OK)
        return status;
    uint32_t last = first;
    if (*c->at == '-') {
        const char *start = ++c->at;
        status = read_number(c, "the range's last CPU", &last);
        if (status != NP_OK)
            return status;
        if (last < first) {
            c->at = start;
            return fail_at(c, "a number not below the range's first");
        }
        if (*c->at == ':') {
            c->at++;
            status = read_pattern(c, &used, &group);
            if (status != NP_OK)
                return status;
        }
    }
    for (uint32_t cpu = first; cpu <= last; cpu++) {
        if ((cpu - first) % group < used)
            (void)np_cpu_set_add(set, (int32_t)cpu);
    }
    return NP_OK;
}

np_status np_cpu_set_parse(const char *text, np_cpu_set *out)
{
    if (text == NULL || out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_cpu_set_parse: %s is NULL",
                        text == NULL ? "text" : "out");
    cursor c = {text, text};
    np_cpu_set set;
    np_cpu_set_clear(&set);
    while (is_space(*c.at))
        c.at++;
    if (*c.at != '\0') {
        for (;;) {
            np_status status = read_item(&c, &set);
            if (status != NP_OK)
                return status;
            if (*c.at != ',')
                break;
            c.at++;
        }
        while (is_space(*c.at))
            c.at++;
        if (*c.at != '\0')
            return fail_at(&c, "',' or the end");
    }
    *out = set;
    return NP_OK;
}
