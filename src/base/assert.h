/*
 * base/assert.h - three grades of assertion. They state what cannot happen; what a caller can do
 * wrong gets a status instead.
 *
 *   NPI_INVARIANT  cheap, on from level 1 (every build but an explicit level 0)
 *   NPI_CHECK      costs something on a warm path, on from level 2
 *   NPI_WALK       walks a whole structure, on from level 3 (debug and sanitizer builds)
 *
 * A failed assertion means memory is no longer trustworthy: it names its place and aborts, the only
 * place in the library that does.
 */
#ifndef NPI_BASE_ASSERT_H
#define NPI_BASE_ASSERT_H

#if !defined(NPI_ASSERT_LEVEL)
#define NPI_ASSERT_LEVEL 1
#endif

#if defined(__cplusplus)
extern "C" {
#endif
__attribute__((noreturn, cold)) void npi_assert_failed(const char *condition, const char *file,
                                                       int line);
#if defined(__cplusplus)
}
#endif

#define NPI_ASSERT_ALWAYS(condition)              \
    (__builtin_expect(!!(condition), 1) ? (void)0 \
                                        : npi_assert_failed(#condition, __FILE__, __LINE__))
#define NPI_ASSERT_NEVER(condition) ((void)sizeof((condition) ? 1 : 0))

#if NPI_ASSERT_LEVEL >= 1
#define NPI_INVARIANT(condition) NPI_ASSERT_ALWAYS(condition)
#else
#define NPI_INVARIANT(condition) NPI_ASSERT_NEVER(condition)
#endif
#if NPI_ASSERT_LEVEL >= 2
#define NPI_CHECK(condition) NPI_ASSERT_ALWAYS(condition)
#else
#define NPI_CHECK(condition) NPI_ASSERT_NEVER(condition)
#endif
#if NPI_ASSERT_LEVEL >= 3
#define NPI_WALK(condition) NPI_ASSERT_ALWAYS(condition)
#else
#define NPI_WALK(condition) NPI_ASSERT_NEVER(condition)
#endif

#endif
