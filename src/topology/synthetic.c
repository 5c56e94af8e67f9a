/*
 * topology/synthetic.c - reads a synthetic description into levels. See synthetic.h.
 *
 *   description := [ attributes ] level { level } [ "|" matrix ]
 *   level       := [ type ":" ] number [ attributes ] | "[" node type [ attributes ] "]"
 *   attributes  := "(" { "memory=" size | "size=" size | "indexes=" list or loops } ")"
 *
 * Every number is checked before anything is allocated for it.
 */
#include "topology/synthetic.h"

#include <string.h>

#include "base/status.h"
#include "topology/excerpt.h"

np_status npi_synthetic_fail(const npi_synthetic *synthetic, np_status status, const char *at,
                             const char *message)
{
    size_t offset = (size_t)(at - synthetic->text);
    if (*at == '\0')
        return npi_fail(status, "synthetic topology \"%s\": %s at byte %zu, where it ends",
                        npi_excerpt_of(synthetic->text).text, message, offset);
    return npi_fail(status, "synthetic topology \"%s\": %s at byte %zu: \"%s\"",
                    npi_excerpt_of(synthetic->text).text, message, offset, npi_excerpt_of(at).text);
}

bool npi_synthetic_number(const char **at, uint32_t *out)
{
    const char *digit = *at;
    uint64_t value = 0;
    while (*digit >= '0' && *digit <= '9') {
        value = value * 10u + (uint64_t)(*digit - '0');
        if (value > UINT32_MAX)
            return false;
        digit++;
    }
    if (digit == *at)
        return false;
    *at = digit;
    *out = (uint32_t)value;
    return true;
}

static void skip_space(const char **at)
{
    while (**at == ' ' || **at == '\n' || **at == '\t')
        (*at)++;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* True if the first `length` bytes are those of `word`, which is in lower case, in any case. */
static bool same_letters(const char *text, const char *word, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (lower(text[i]) != word[i] || word[i] == '\0')
            return false;
    }
    return true;
}

/* --- names of levels --------------------------------------------------------------------- */

/* Names may be cut to `least` letters, as in hwloc. */
static const struct {
    const char *name;
    size_t least;
    npi_level_type type;
} type_names[] = {
    {"numanode", 2, NPI_LEVEL_NODE},  {"node", 2, NPI_LEVEL_NODE},
    {"package", 2, NPI_LEVEL_SOCKET}, {"socket", 2, NPI_LEVEL_SOCKET},
    {"die", 2, NPI_LEVEL_DIE},        {"group", 2, NPI_LEVEL_GROUP},
    {"tile", 4, NPI_LEVEL_GROUP},     {"module", 4, NPI_LEVEL_GROUP},
    {"cluster", 4, NPI_LEVEL_GROUP},  {"core", 2, NPI_LEVEL_CORE},
    {"pu", 2, NPI_LEVEL_CPU},
};

/* "L3", "l2cache", "L1d", "L1iCache", "L2u". */
static bool cache_name(const char *name, size_t length, npi_level_type *out)
{
    if (length < 2 || (name[0] != 'l' && name[0] != 'L') || name[1] < '1' || name[1] > '5')
        return false;
    size_t used = 2;
    *out = NPI_LEVEL_CACHE;
    if (used < length && strchr("dDuUiI", name[used]) != NULL) {
        if (name[used] == 'i' || name[used] == 'I')
            *out = NPI_LEVEL_CACHE_INSTRUCTIONS;
        used++;
    }
    return used == length || (length - used == 5 && same_letters(name + used, "cache", 5));
}

/* Reads a type's name; *at moves behind it. */
static bool read_type(const char **at, npi_level_type *out)
{
    const char *start = *at;
    const char *end = start;
    while (is_letter(*end) || (is_digit(*end) && end != start))
        end++;
    size_t length = (size_t)(end - start);
    *at = end;
    if (cache_name(start, length, out))
        return true;
    size_t letters = 0;
    while (letters < length && is_letter(start[letters]))
        letters++;
    for (size_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++) {
        bool numbered = type_names[i].type == NPI_LEVEL_GROUP; /* "group1" */
        if ((letters == length || numbered) && letters >= type_names[i].least &&
            letters <= strlen(type_names[i].name) &&
            same_letters(start, type_names[i].name, letters)) {
            *out = type_names[i].type;
            return true;
        }
    }
    return false;
}

/* --- attributes -------------------------------------------------------------------------- */

static bool read_size(const char **at, uint64_t *out)
{
    static const struct {
        const char *suffix;
        uint64_t factor;
    } units[] = {
        {"tib", UINT64_C(1) << 40},   {"tb", UINT64_C(1000000000000)}, {"gib", UINT64_C(1) << 30},
        {"gb", UINT64_C(1000000000)}, {"mib", UINT64_C(1) << 20},      {"mb", UINT64_C(1000000)},
        {"kib", UINT64_C(1) << 10},   {"kb", UINT64_C(1000)},
    };
    uint64_t value = 0;
    const char *start = *at;
    while (is_digit(**at)) {
        if (value > (UINT64_MAX - 9u) / 10u)
            return false;
        value = value * 10u + (uint64_t)(**at - '0');
        (*at)++;
    }
    if (*at == start)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t length = strlen(units[i].suffix);
        if (!same_letters(*at, units[i].suffix, length))
            continue;
        if (value > UINT64_MAX / units[i].factor)
            return false;
        value *= units[i].factor;
        *at += length;
        break;
    }
    *out = value;
    return true;
}

/* Reads "(...)"; *at stands on the bracket. The index list is only located here. */
static np_status read_attributes(npi_synthetic *s, const char **at, npi_level_attributes *out)
{
    (*at)++;
    while (**at != ')') {
        const char *start = *at;
        uint64_t ignored = 0;
        if (strncmp(start, "memory=", 7) == 0) {
            *at += 7;
            if (!read_size(at, &out->memory))
                return npi_synthetic_fail(s, NP_ERR_PARSE, start, "bad memory size");
            out->memory_given = true;
        } else if (strncmp(start, "size=", 5) == 0) {
            *at += 5;
            if (!read_size(at, &ignored))
                return npi_synthetic_fail(s, NP_ERR_PARSE, start, "bad cache size");
        } else if (strncmp(start, "indexes=", 8) == 0) {
            *at += 8;
            out->indexes = *at;
            *at += strcspn(*at, " )|");
            if (*at == out->indexes)
                return npi_synthetic_fail(s, NP_ERR_PARSE, start, "empty index list");
        } else {
            return npi_synthetic_fail(s, NP_ERR_PARSE, start,
                                      "expected memory=, size=, indexes= or ')'");
        }
        if (**at != ')' && **at != ' ')
            return npi_synthetic_fail(s, NP_ERR_PARSE, *at, "expected ' ' or ')'");
        skip_space(at);
    }
    (*at)++;
    return NP_OK;
}

/* --- levels ------------------------------------------------------------------------------ */

static np_status read_attached(npi_synthetic *s, const char **at)
{
    const char *start = *at;
    npi_level_type type = NPI_LEVEL_UNTYPED;
    (*at)++;
    if (s->attached_count == NPI_SYNTHETIC_ATTACHED)
        return npi_synthetic_fail(s, NP_ERR_LIMIT, start, "too many attached nodes");
    if (!read_type(at, &type) || type != NPI_LEVEL_NODE)
        return npi_synthetic_fail(s, NP_ERR_PARSE, start, "only a node can be attached in []");
    npi_attached *added = &s->attached[s->attached_count++];
    added->level = s->level_count - 1u;
    if (**at == '(') {
        np_status status = read_attributes(s, at, &added->attributes);
        if (status != NP_OK)
            return status;
    }
    if (**at != ']')
        return npi_synthetic_fail(s, NP_ERR_PARSE, *at, "expected ']'");
    (*at)++;
    s->node_count += s->levels[added->level].width;
    if (s->node_count > NPI_NODE_LIMIT)
        return npi_synthetic_fail(s, NP_ERR_LIMIT, start, "more than 1024 nodes");
    return NP_OK;
}

static np_status read_level(npi_synthetic *s, const char **at)
{
    npi_level level;
    memset(&level, 0, sizeof level);
    level.at = *at;
    if (!is_digit(**at)) {
        if (!read_type(at, &level.type))
            return npi_synthetic_fail(s, NP_ERR_PARSE, level.at, "unknown level");
        if (**at != ':')
            return npi_synthetic_fail(s, NP_ERR_PARSE, *at, "expected ':' and a number");
        (*at)++;
    }
    const char *number = *at;
    if (!npi_synthetic_number(at, &level.arity))
        return npi_synthetic_fail(s, is_digit(*number) ? NP_ERR_LIMIT : NP_ERR_PARSE, number,
                                  "expected a number of objects");
    if (level.arity == 0)
        return npi_synthetic_fail(s, NP_ERR_PARSE, number, "a level needs at least one object");
    uint64_t width = (uint64_t)s->levels[s->level_count - 1u].width * level.arity;
    if (width > NP_CPU_SET_CAPACITY)
        return npi_synthetic_fail(s, NP_ERR_LIMIT, number, "more than 8192 objects in a level");
    level.width = (uint32_t)width;
    if (**at == '(') {
        np_status status = read_attributes(s, at, &level.attributes);
        if (status != NP_OK)
            return status;
    }
    if (**at != '\0' && strchr(" \n\t|[", **at) == NULL)
        return npi_synthetic_fail(s, NP_ERR_PARSE, *at, "expected a space, '[' or '|'");
    if (s->level_count == NPI_SYNTHETIC_LEVELS)
        return npi_synthetic_fail(s, NP_ERR_LIMIT, level.at, "too many levels");
    s->levels[s->level_count++] = level;
    return NP_OK;
}

/* Bare numbers: outermost groups, then socket, node, caches, core; nodes and sockets have priority.
 */
static void name_levels(npi_synthetic *s)
{
    uint32_t left = s->level_count - 2u;
    uint32_t node = left > 0 && s->attached_count == 0 ? 1u : 0u;
    left -= node;
    uint32_t socket = left > 0 ? 1u : 0u;
    left -= socket;
    uint32_t core = left > 0 ? 1u : 0u;
    left -= core;
    uint32_t caches = left > 4u ? 4u : left;
    uint32_t groups = left - caches;

    npi_level *level = &s->levels[1];
    for (uint32_t i = 0; i < groups; i++)
        (level++)->type = NPI_LEVEL_GROUP;
    for (uint32_t i = 0; i < socket; i++)
        (level++)->type = NPI_LEVEL_SOCKET;
    for (uint32_t i = 0; i < node; i++)
        (level++)->type = NPI_LEVEL_NODE;
    for (uint32_t i = 0; i < caches; i++)
        (level++)->type = i == 3 ? NPI_LEVEL_CACHE_INSTRUCTIONS : NPI_LEVEL_CACHE;
    for (uint32_t i = 0; i < core; i++)
        (level++)->type = NPI_LEVEL_CORE;
    level->type = NPI_LEVEL_CPU;
}

static np_status check_levels(npi_synthetic *s, const char *end)
{
    if (s->level_count < 2)
        return npi_synthetic_fail(s, NP_ERR_PARSE, end, "expected a level");
    npi_level *last = &s->levels[s->level_count - 1u];
    uint32_t untyped = 0;
    uint32_t seen[NPI_LEVEL_CPU + 1] = {0};
    for (uint32_t i = 1; i < s->level_count; i++) {
        npi_level *level = &s->levels[i];
        untyped += level->type == NPI_LEVEL_UNTYPED && level != last ? 1u : 0u;
        bool once = level->type == NPI_LEVEL_SOCKET || level->type == NPI_LEVEL_DIE ||
                    level->type == NPI_LEVEL_NODE || level->type == NPI_LEVEL_CORE ||
                    level->type == NPI_LEVEL_CPU;
        if (++seen[level->type] > 1 && once)
            return npi_synthetic_fail(s, NP_ERR_PARSE, level->at, "this level appears twice");
    }
    if (last->type != NPI_LEVEL_CPU && last->type != NPI_LEVEL_UNTYPED)
        return npi_synthetic_fail(s, NP_ERR_PARSE, last->at, "the last level must be pu, not");
    if (seen[NPI_LEVEL_CPU] > 0 && last->type != NPI_LEVEL_CPU)
        return npi_synthetic_fail(s, NP_ERR_PARSE, last->at, "nothing may stand below pu, such as");
    if (untyped > 0 && untyped != s->level_count - 2u)
        return npi_synthetic_fail(s, NP_ERR_PARSE, s->text,
                                  "levels with and without a type cannot be mixed");
    if (untyped > 0)
        name_levels(s);
    last->type = NPI_LEVEL_CPU;
    return NP_OK;
}

static np_status count_nodes(npi_synthetic *s)
{
    for (uint32_t i = 1; i < s->level_count; i++) {
        if (s->levels[i].type != NPI_LEVEL_NODE)
            continue;
        if (s->attached_count > 0)
            return npi_synthetic_fail(s, NP_ERR_PARSE, s->levels[i].at,
                                      "nodes cannot be both a level and attached");
        s->node_count = s->levels[i].width;
        if (s->node_count > NPI_NODE_LIMIT)
            return npi_synthetic_fail(s, NP_ERR_LIMIT, s->levels[i].at, "more than 1024 nodes");
    }
    if (s->node_count == 0) { /* one node for the whole machine */
        s->attached_count = 1;
        s->node_count = 1;
    }
    return NP_OK;
}

np_status npi_synthetic_parse(const char *text, npi_synthetic *out)
{
    npi_synthetic *s = out;
    memset(s, 0, sizeof *s);
    s->text = text;
    s->levels[0].type = NPI_LEVEL_ROOT;
    s->levels[0].width = 1;
    s->level_count = 1;
    const char *at = text;
    skip_space(&at);
    if (*at == '(') {
        np_status status = read_attributes(s, &at, &s->levels[0].attributes);
        if (status != NP_OK)
            return status;
    }
    for (skip_space(&at); *at != '\0' && *at != '|'; skip_space(&at)) {
        np_status status = *at == '[' ? read_attached(s, &at) : read_level(s, &at);
        if (status != NP_OK)
            return status;
    }
    if (*at == '|')
        s->matrix = at + 1;
    np_status status = check_levels(s, at);
    return status == NP_OK ? count_nodes(s) : status;
}
