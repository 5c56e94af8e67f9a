/*
 * topology/xml_value.c - attribute values of hwloc's XML format: numbers and bitmaps.
 */
#include "topology/xml_value.h"

#include <string.h>

#include "topology/excerpt.h"

np_status npi_xml_bad_value(const npi_xml *xml, const char *name, const char *value)
{
    return npi_xml_fail(xml, NP_ERR_PARSE, "attribute %s has the bad value \"%s\"", name,
                        npi_excerpt_of(value).text);
}

np_status npi_xml_number(const npi_xml *xml, const char *name, uint64_t *out, bool *found)
{
    const char *value = npi_xml_value(xml, name);
    *found = value != NULL;
    if (value == NULL)
        return NP_OK;
    uint64_t number = 0;
    const char *digit = value;
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        if (number > (UINT64_MAX - 9u) / 10u)
            return npi_xml_bad_value(xml, name, value);
        number = number * 10u + (uint64_t)(*digit - '0');
    }
    if (digit == value || *digit != '\0')
        return npi_xml_bad_value(xml, name, value);
    *out = number;
    return NP_OK;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One 32-bit word "0x0000ffff" of a bitmap; an empty one is zero. */
static bool read_word(const char **at, uint32_t *out)
{
    uint32_t word = 0;
    uint32_t digits = 0;
    if (**at == ',' || **at == '\0') {
        *out = 0;
        return true;
    }
    if ((*at)[0] == '0' && (*at)[1] == 'x')
        *at += 2;
    for (; hex_digit(**at) >= 0 && digits < 9; (*at)++, digits++)
        word = word << 4 | (uint32_t)hex_digit(**at);
    *out = word;
    return digits >= 1 && digits <= 8;
}

np_status npi_xml_bitmap(const npi_xml *xml, const char *name, np_cpu_set *out, bool *found)
{
    const char *value = npi_xml_value(xml, name);
    *found = value != NULL;
    np_cpu_set_clear(out);
    return value == NULL ? NP_OK : npi_xml_bitmap_of(xml, name, value, out);
}

np_status npi_xml_bitmap_of(const npi_xml *xml, const char *name, const char *value,
                            np_cpu_set *out)
{
    np_cpu_set_clear(out);
    if (strncmp(value, "0xf...f", 7) == 0)
        return npi_xml_fail(xml, NP_ERR_LIMIT, "attribute %s is an infinite set", name);
    uint32_t words = 1;
    for (const char *c = value; *c != '\0'; c++)
        words += *c == ',' ? 1u : 0u;
    const char *at = value;
    for (uint32_t place = words; place-- > 0;) {
        uint32_t word = 0;
        if (!read_word(&at, &word) || *at != (place > 0 ? ',' : '\0'))
            return npi_xml_bad_value(xml, name, value);
        at += place > 0 ? 1 : 0;
        if (word != 0 && place >= NP_CPU_SET_CAPACITY / 32u)
            return npi_xml_fail(xml, NP_ERR_LIMIT, "attribute %s has a number above %u", name,
                                NP_CPU_SET_CAPACITY - 1u);
        if (word != 0)
            out->bits[place / 2u] |= (uint64_t)word << (place % 2u * 32u);
    }
    return NP_OK;
}
