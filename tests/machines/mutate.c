/*
 * tests/machines/mutate.c - see mutate.h.
 */
#include "mutate.h"

#include <stdbool.h>

#include <stdlib.h>
#include <string.h>

#include "quiet.h"

static const char *const strange[] = {
    "-1",
    "0",
    "1",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "99999999999999999999999",
    "-2147483648",
    "",
    " ",
    ",",
    "0x",
    "ffffffff",
    "00000000,00000000,00000001",
    "0-",
    "-0",
    "1-0",
    "0-8191",
    "8192",
    "0-1000000",
    "254",
    "255",
    "256",
    "10",
    "9",
    "nan",
    "\n",
    "\n\n",
    "kB",
    "max",
    "0,0,0",
    "1023",
    "1024",
    "0-1023:2/1",
    "\x80\xff",
    "%s%n",
};

static bool is_number_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* text[0, at) + middle + text[from, length) */
static char *splice(const char *text, size_t length, size_t at, size_t from, const char *middle,
                    size_t middle_length, size_t *out_length)
{
    *out_length = at + middle_length + (length - from);
    char *out = malloc(*out_length + 1);
    NPT_CHECK(out != NULL);
    memcpy(out, text, at);
    memcpy(out + at, middle, middle_length);
    memcpy(out + at + middle_length, text + from, length - from);
    out[*out_length] = '\0';
    return out;
}

/* Puts a strange word in place of a number. */
static char *replace_number(npi_random *random, const char *text, size_t length, size_t *out_length)
{
    const char *word = strange[npi_random_below(random, sizeof strange / sizeof strange[0])];
    size_t at = length == 0 ? 0 : npi_random_below(random, (uint32_t)length);
    while (at < length && !is_number_byte(text[at]))
        at++;
    while (at > 0 && is_number_byte(text[at - 1]))
        at--;
    size_t end = at;
    while (end < length && is_number_byte(text[end]))
        end++;
    return splice(text, length, at, end, word, strlen(word), out_length);
}

/* Another digit in place of one: still well-formed, and wrong. */
static char *change_digit(npi_random *random, const char *text, size_t length, size_t *out_length)
{
    char *out = splice(text, length, length, length, "", 0, out_length);
    size_t at = length == 0 ? 0 : npi_random_below(random, (uint32_t)length);
    for (size_t i = 0; i < length; i++, at = (at + 1) % length) {
        if (out[at] < '0' || out[at] > '9')
            continue;
        out[at] = (char)('0' + npi_random_below(random, 10));
        break;
    }
    return out;
}

char *mutate_text(npi_random *random, const char *text, size_t length, const char *other,
                  size_t *out_length)
{
    char bytes[64];
    uint32_t limit = (uint32_t)length + 1u;
    size_t at = npi_random_below(random, limit);
    size_t from = at + npi_random_below(random, limit - (uint32_t)at);
    switch (npi_random_below(random, 9)) {
    case 0: return splice(text, length, at, length, "", 0, out_length);     /* truncated */
    case 1: return splice(text, length, length, length, "", 0, out_length); /* as it was */
    case 2: return replace_number(random, text, length, out_length);
    case 3:
    case 4: return change_digit(random, text, length, out_length);
    case 5: return splice(other, strlen(other), 0, 0, "", 0, out_length);          /* another's */
    case 6: return splice(text, length, at, at, text + at, from - at, out_length); /* twice */
    case 7: return splice(text, length, at, from, "", 0, out_length);              /* a gap */
    default:
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)npi_random_next(random);
        return splice(text, length, at, from, bytes, 1 + npi_random_below(random, sizeof bytes),
                      out_length);
    }
}
