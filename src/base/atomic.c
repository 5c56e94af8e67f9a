/*
 * base/atomic.c - the word on which fences meet in a ThreadSanitizer build; see base/atomic.h.
 */
#include "base/atomic.h"

#if defined(NPI_TSAN)
np_atomic(uint32_t) npi_tsan_fence_word;
#endif
