/*
 * os/number.h - small numbers for threads: each names the queues that a thread has for itself.
 *
 * A thread gets the lowest free number at first use and gives it back when it exits, so that they
 * stay dense however many threads come and go. What a thread wrote before it exited is visible to
 * the next one with its number. Below NPI_NUMBERS_OWN a number belongs to one living thread at a
 * time; when these are given out the others share numbers from there on.
 */
#ifndef NPI_OS_NUMBER_H
#define NPI_OS_NUMBER_H

#include <stdint.h>

#if !defined(NPI_NUMBERS) /* a model chooses small ones */
#define NPI_NUMBERS     64u
#define NPI_NUMBERS_OWN 56u
#endif

/* The calling thread's number plus one; 0: not given yet. */
extern _Thread_local uint32_t npi_number_self
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

uint32_t npi_number_give(void);

/* The calling thread's number, below NPI_NUMBERS. */
static inline uint32_t npi_number(void)
{
    uint32_t number = npi_number_self;
    return (__builtin_expect(number != 0, 1) ? number : npi_number_give()) - 1;
}

#endif
