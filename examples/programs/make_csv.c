/*
 * make_csv: writes a table of measurements to standard output, the input of group_by.
 *
 *     ./make_csv ROWS [STATIONS [SEED]]
 *
 * A row is "second,station,value": 1700000042,station-00317,-12.3. Few stations have most of the
 * rows (the k-th about 1/k as many as the first, Zipf's law), as keys of real tables do. The same
 * arguments give the same bytes everywhere.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define STATIONS_MOST 1000000u

/* splitmix64 (Steele, Lea, Flood 2014): any state will do, every output is well mixed. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t number(const char *text, const char *what, uint64_t most)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || value > most) {
        fprintf(stderr, "make_csv: %s is '%s', expected 0 to %llu\n", what, text,
                (unsigned long long)most);
        exit(2);
    }
    return value;
}

/* sums[k]: the weights 1, 1/2, 1/3 ... of the first k + 1 stations, added up, in fixed point. */
static uint64_t *zipf_sums(uint64_t stations)
{
    uint64_t *sums = malloc(stations * sizeof *sums);
    if (sums == NULL) {
        fprintf(stderr, "make_csv: no memory for %llu stations\n", (unsigned long long)stations);
        exit(1);
    }
    uint64_t sum = 0;
    for (uint64_t k = 0; k < stations; k++)
        sums[k] = sum += (UINT64_C(1) << 32) / (k + 1);
    return sums;
}

static uint64_t pick(const uint64_t *sums, uint64_t stations, uint64_t random)
{
    uint64_t wanted = random % sums[stations - 1];
    uint64_t low = 0, high = stations - 1;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (sums[middle] > wanted)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: make_csv ROWS [STATIONS [SEED]]\n");
        return 2;
    }
    uint64_t rows = number(argv[1], "ROWS", UINT64_C(10000000000));
    uint64_t stations = argc > 2 ? number(argv[2], "STATIONS", STATIONS_MOST) : 10000;
    uint64_t state = argc > 3 ? number(argv[3], "SEED", UINT64_MAX) : 1;
    if (stations == 0) {
        fprintf(stderr, "make_csv: STATIONS is 0\n");
        return 2;
    }
    uint64_t *sums = zipf_sums(stations);
    for (uint64_t row = 0; row < rows; row++) {
        uint64_t station = pick(sums, stations, next_random(&state));
        int tenths = (int)(next_random(&state) % 1000) - 300; /* -30.0 .. 69.9 */
        printf("%llu,station-%05llu,%s%d.%d\n", 1700000000ull + (unsigned long long)row,
               (unsigned long long)station, tenths < 0 ? "-" : "", abs(tenths) / 10,
               abs(tenths) % 10);
    }
    free(sums);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("make_csv: standard output");
        return 1;
    }
    return 0;
}
