/*
 * topology/excerpt.h - showing a place in hostile input inside an error message: short, on one
 * line, without control characters.
 */
#ifndef NPI_TOPOLOGY_EXCERPT_H
#define NPI_TOPOLOGY_EXCERPT_H

#include <stddef.h>

typedef struct npi_excerpt {
    char text[32];
} npi_excerpt;

/* The first bytes at `place` (closed with a NUL); "..." marks a cut, '?' stands for a byte that
 * is not printable ASCII. The result lives as long as the full expression that called this. */
static inline npi_excerpt npi_excerpt_of(const char *place)
{
    npi_excerpt result = {{0}};
    size_t room = sizeof result.text - sizeof "...";
    size_t i = 0;
    for (; i < room && place[i] != '\0'; i++)
        result.text[i] = place[i] >= ' ' && place[i] <= '~' ? place[i] : '?';
    if (place[i] != '\0') {
        for (size_t dot = 0; dot < 3; dot++)
            result.text[i++] = '.';
    }
    result.text[i] = '\0';
    return result;
}

#endif
