/*
 * model/core.h - what the runner, the pool and the cases use of the model: the memory of one
 * execution, who runs, checks, and the futex of the modelled system.
 *
 * One execution: begin() empties the memory; the case builds its objects in it; go() says that from
 * here on several threads run; halt() that they have all finished; end() gives the objects back.
 */
#ifndef NPT_MODEL_CORE_H
#define NPT_MODEL_CORE_H

#include <stddef.h>
#include <stdint.h>

#include <new>

#include "model/atomic.h"

namespace np_model
{

enum class fences { full, asymmetric };

/* --- the run ----------------------------------------------------------------------------- */

/* Forgets what earlier executions have shown about who touches what. */
void forget_conflicts();
/* Between two searches: from now on each address that two threads have touched, one of them
 * writing, has scheduling points. True if there are more of them than before: the search must be
 * repeated. */
bool learn_conflicts();
/* Every access is a scheduling point (random schedules), or only those to shared addresses. */
void set_every_access(bool every);
void set_fences(fences which);
/* At most so many sleeps of a thread in one execution end for no reason. */
void set_spurious(unsigned most);

void begin();
void go();
void halt();
void end();

/* --- for cases --------------------------------------------------------------------------- */

/* Zeroed memory of this execution, aligned to 128 bytes. Freed memory is never used again in the
 * execution, and an access to an atomic in it fails. */
void *allocate(size_t bytes);
void give_back(void *memory, size_t bytes);

[[noreturn]] void fail(const char *what, const site &at);
unsigned self(); /* the running thread of the model */
/* One of `limit` ways to go on; all of them are searched. */
unsigned choose(unsigned limit);

/* The calling thread's worker and number, as npi_tls_worker and npi_number() give them. */
void set_identity(void *worker, uint32_t number);

uint64_t now();

/* How often an eventfd has been signalled; a case sets it to 0. */
extern unsigned eventfd_signals;

template <typename T> T *make()
{
    return ::new (allocate(sizeof(T))) T();
}

} // namespace np_model

/* What a case asserts. */
#define MODEL_CHECK(condition) \
    ((condition) ? (void)0 : np_model::fail("does not hold: " #condition, NPT_SITE))

#endif
