/*
 * model/prelude.h - read before each product file that is compiled as C++: C11's words for things
 * that C++ calls otherwise, and the sizes that a model can search.
 */
#ifndef NPT_MODEL_PRELUDE_H
#define NPT_MODEL_PRELUDE_H

#define _Thread_local __thread
#define _Static_assert static_assert
#define _Alignof alignof

#endif
