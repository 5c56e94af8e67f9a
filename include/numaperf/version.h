/*
 * numaperf/version.h - the version, and the attributes every other header uses.
 *
 * Nothing here depends on anything else in the library. The soname carries NP_VERSION_MAJOR; before
 * 1.0 a new minor version may change the interface.
 */
#ifndef NUMAPERF_VERSION_H
#define NUMAPERF_VERSION_H

#define NP_VERSION_MAJOR  0
#define NP_VERSION_MINOR  1
#define NP_VERSION_PATCH  0
#define NP_VERSION_STRING "0.1.0"

/* One comparable number: 0.1.0 is 0x000100. */
#define NP_VERSION_NUMBER \
    ((unsigned)(NP_VERSION_MAJOR << 16 | NP_VERSION_MINOR << 8 | NP_VERSION_PATCH))

#ifdef __cplusplus
#define NP_BEGIN_DECLS extern "C" {
#define NP_END_DECLS   }
#else
#define NP_BEGIN_DECLS
#define NP_END_DECLS
#endif

#if defined(__GNUC__) || defined(__clang__)
#define NP_API      __attribute__((visibility("default")))
#define NP_MUST_USE __attribute__((warn_unused_result))
#define NP_PRINTF(format_index, first_argument) \
    __attribute__((format(printf, format_index, first_argument)))
#else
#define NP_API
#define NP_MUST_USE
#define NP_PRINTF(format_index, first_argument)
#endif

NP_BEGIN_DECLS

/* The version of the library that is linked, which may be newer than these headers. */
NP_API const char *np_version_string(void);
NP_API unsigned np_version_number(void);

NP_END_DECLS

#endif
