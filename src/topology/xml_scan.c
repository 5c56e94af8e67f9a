/*
 * topology/xml_scan.c - the scanner behind topology files. See xml_scan.h.
 */
#include "topology/xml_scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "topology/excerpt.h"

void npi_xml_begin(npi_xml *xml, char *text)
{
    memset(xml, 0, sizeof *xml);
    xml->at = text;
    xml->line = 1;
}

np_status npi_xml_fail(const npi_xml *xml, np_status status, const char *format, ...)
{
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return npi_fail(status, "line %u: %s", xml->line, message);
}

static npi_xml_event broken(npi_xml *xml, const char *message)
{
    if (*xml->at == '\0')
        xml->status = npi_xml_fail(xml, NP_ERR_PARSE, "%s, where the file ends", message);
    else
        xml->status = npi_xml_fail(xml, NP_ERR_PARSE, "%s, found \"%s\"", message,
                                   npi_excerpt_of(xml->at).text);
    return NPI_XML_BROKEN;
}

const char *npi_xml_value(const npi_xml *xml, const char *name)
{
    for (uint32_t i = 0; i < xml->attribute_count; i++) {
        if (strcmp(xml->attributes[i].name, name) == 0)
            return xml->attributes[i].value;
    }
    return NULL;
}

/* --- moving forward ---------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name_byte(char c)
{
    return c != '\0' && !is_space(c) && strchr("<>/=\"'&", c) == NULL;
}

static void step(npi_xml *xml)
{
    xml->line += *xml->at == '\n' ? 1u : 0u;
    xml->at++;
}

static void skip_space(npi_xml *xml)
{
    while (is_space(*xml->at))
        step(xml);
}

static bool looking_at(const npi_xml *xml, const char *text)
{
    return strncmp(xml->at, text, strlen(text)) == 0;
}

/* Passes over everything up to and with `end`; false when the file ends first. */
static bool skip_past(npi_xml *xml, const char *end)
{
    while (*xml->at != '\0') {
        if (looking_at(xml, end)) {
            xml->at += strlen(end);
            return true;
        }
        step(xml);
    }
    return false;
}

/* "<!DOCTYPE ...>", with brackets inside. */
static bool skip_declaration(npi_xml *xml)
{
    uint32_t brackets = 0;
    for (; *xml->at != '\0'; step(xml)) {
        if (*xml->at == '[')
            brackets++;
        else if (*xml->at == ']' && brackets > 0)
            brackets--;
        else if (*xml->at == '>' && brackets == 0) {
            step(xml);
            return true;
        }
    }
    return false;
}

/* --- tags -------------------------------------------------------------------------------- */

/* Passes over a name, which is not closed yet; NULL if there is none. */
static char *read_name(npi_xml *xml)
{
    char *name = xml->at;
    while (is_name_byte(*xml->at))
        xml->at++;
    return xml->at == name ? NULL : name;
}

static bool read_attribute(npi_xml *xml)
{
    char *name = read_name(xml);
    if (name == NULL) {
        (void)broken(xml, "expected an attribute or the tag's end");
        return false;
    }
    char *end_of_name = xml->at;
    skip_space(xml);
    if (*xml->at != '=') {
        (void)broken(xml, "expected '='");
        return false;
    }
    step(xml);
    skip_space(xml);
    char quote = *xml->at;
    if (quote != '"' && quote != '\'') {
        (void)broken(xml, "expected a quoted value");
        return false;
    }
    step(xml);
    char *value = xml->at;
    while (*xml->at != '\0' && *xml->at != quote && *xml->at != '<')
        step(xml);
    if (*xml->at != quote) {
        (void)broken(xml, "a quoted value does not end");
        return false;
    }
    *end_of_name = '\0';
    *xml->at++ = '\0';
    if (xml->attribute_count == NPI_XML_ATTRIBUTES) {
        (void)broken(xml, "too many attributes");
        return false;
    }
    xml->attributes[xml->attribute_count].name = name;
    xml->attributes[xml->attribute_count++].value = value;
    return true;
}

static npi_xml_event read_open(npi_xml *xml)
{
    if (xml->depth == 0 && xml->seen_root)
        return broken(xml, "only one outermost element is allowed");
    if (xml->depth == NPI_XML_DEPTH)
        return broken(xml, "elements are nested too deeply");
    char *name = read_name(xml);
    if (name == NULL)
        return broken(xml, "expected the name of an element");
    char *end_of_name = xml->at;
    xml->attribute_count = 0;
    for (;;) {
        bool spaced = is_space(*xml->at);
        skip_space(xml);
        if (*xml->at == '>' || looking_at(xml, "/>"))
            break;
        if (!spaced)
            return broken(xml, "expected a space or the tag's end");
        if (!read_attribute(xml))
            return NPI_XML_BROKEN;
    }
    xml->close_next = *xml->at == '/';
    xml->at += xml->close_next ? 2 : 1;
    *end_of_name = '\0';
    xml->open[xml->depth++] = name;
    xml->name = name;
    xml->seen_root = true;
    return NPI_XML_OPEN;
}

static npi_xml_event close_innermost(npi_xml *xml)
{
    xml->name = xml->open[--xml->depth];
    return NPI_XML_CLOSE;
}

static npi_xml_event read_close(npi_xml *xml)
{
    char *start = xml->at;
    char *name = read_name(xml);
    size_t length = (size_t)(xml->at - start);
    skip_space(xml);
    if (name == NULL || *xml->at != '>')
        return broken(xml, "expected the end of a closing tag");
    if (xml->depth == 0 || strlen(xml->open[xml->depth - 1]) != length ||
        strncmp(xml->open[xml->depth - 1], name, length) != 0) {
        xml->at = start;
        return broken(xml, "this closes no open element");
    }
    xml->at++;
    return close_innermost(xml);
}

/* --- events ------------------------------------------------------------------------------ */

static npi_xml_event read_markup(npi_xml *xml, bool *again)
{
    *again = false;
    if (looking_at(xml, "!--")) {
        xml->at += 3;
        *again = true;
        return skip_past(xml, "-->") ? NPI_XML_TEXT : broken(xml, "a comment does not end");
    }
    if (*xml->at == '?') {
        *again = true;
        return skip_past(xml, "?>") ? NPI_XML_TEXT : broken(xml, "an instruction does not end");
    }
    if (*xml->at == '!') {
        *again = true;
        return skip_declaration(xml) ? NPI_XML_TEXT : broken(xml, "a declaration does not end");
    }
    if (*xml->at == '/') {
        xml->at++;
        return read_close(xml);
    }
    return read_open(xml);
}

/* Text inside an element, up to the next markup. */
static npi_xml_event read_text(npi_xml *xml)
{
    xml->text = xml->at;
    while (*xml->at != '\0' && *xml->at != '<')
        step(xml);
    if (*xml->at == '\0')
        return broken(xml, "an element is not closed");
    xml->cut = xml->at;
    *xml->at = '\0';
    return NPI_XML_TEXT;
}

npi_xml_event npi_xml_next(npi_xml *xml)
{
    if (xml->close_next) {
        xml->close_next = false;
        return close_innermost(xml);
    }
    for (;;) {
        if (xml->cut != NULL) {
            *xml->cut = '<';
            xml->cut = NULL;
        }
        skip_space(xml);
        if (*xml->at == '<') {
            bool again = false;
            xml->at++;
            npi_xml_event event = read_markup(xml, &again);
            if (!again || event == NPI_XML_BROKEN)
                return event;
            continue;
        }
        if (*xml->at == '\0' && xml->depth == 0 && xml->seen_root)
            return NPI_XML_END;
        if (xml->depth == 0)
            return broken(xml, *xml->at == '\0' ? "expected an element"
                                                : "text outside of all elements");
        return read_text(xml);
    }
}
