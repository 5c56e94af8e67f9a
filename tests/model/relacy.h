/*
 * model/relacy.h - Relacy without the words it takes away from C and C++.
 */
#ifndef NPT_MODEL_RELACY_H
#define NPT_MODEL_RELACY_H

#pragma GCC system_header
#include <relacy/relacy.hpp>
#undef $
#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef assert
#undef errno

#endif
