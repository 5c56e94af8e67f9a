/*
 * base/placement.h - where code lies.
 *
 * A worker that wakes after some idle time finds hardly anything of the library in the caches, so
 * the number of lines and pages between a submit and its task decides how long the wake-up takes.
 * The functions on that way are marked NPI_HOT: the linker puts them side by side, and what they do
 * only when something is wrong (everything that leads to npi_fail, which is cold) elsewhere.
 */
#ifndef NPI_BASE_PLACEMENT_H
#define NPI_BASE_PLACEMENT_H

#define NPI_HOT  __attribute__((hot))
#define NPI_COLD __attribute__((cold))

/* Asks for the line of `address`, for reading (the processor may ignore it; any address will do).
 */
#define NPI_PREFETCH(address) __builtin_prefetch((address), 0, 3)

#endif
