/*
 * fibre.c - stacks, and the switch between two of them. No scheduling here, and no state but the
 * pool of stacks. The sanitizers are told of every switch.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim_internal.h"

#if defined(__SANITIZE_ADDRESS__)
#define NPT_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define NPT_TSAN 1
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NPT_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define NPT_TSAN 1
#endif
#endif

#if defined(NPT_ASAN)
void __sanitizer_start_switch_fiber(void **fake, const void *bottom, size_t bytes);
void __sanitizer_finish_switch_fiber(void *fake, const void **bottom, size_t *bytes);
void __asan_unpoison_memory_region(const volatile void *begin, size_t bytes);
#endif
#if defined(NPT_TSAN)
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
#endif

#define GUARD ((size_t)4096)

static npt_stack *pool;

npt_stack *npt_stack_take(size_t bytes)
{
    for (npt_stack **link = &pool; *link != NULL; link = &(*link)->next) {
        npt_stack *stack = *link;
        if (stack->bytes != bytes)
            continue;
        *link = stack->next;
#if defined(NPT_ASAN)
        /* Frames of a fibre that was abandoned in their midst. */
        __asan_unpoison_memory_region(stack->base, bytes);
#endif
        return stack;
    }
    npt_stack *stack = calloc(1, sizeof *stack);
    char *memory = mmap(NULL, bytes + GUARD, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == NULL || memory == MAP_FAILED || mprotect(memory, GUARD, PROT_NONE) != 0)
        abort(); /* the simulation itself is out of memory */
    stack->base = memory + GUARD;
    stack->bytes = bytes;
#if defined(NPT_TSAN)
    stack->tsan = __tsan_create_fiber(0);
#endif
    return stack;
}

void npt_stack_give(npt_stack *stack)
{
    stack->next = pool;
    pool = stack;
}

#if defined(__x86_64__)
/* Keeps what a call must keep on the stack, changes the stack, brings the other's back. */
void npt_swap(void **keep, void *to);
__asm__(".text\n"
        ".globl npt_swap\n"
        ".type npt_swap, @function\n"
        "npt_swap:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size npt_swap, . - npt_swap\n");

static void make(npt_context *context, void (*entry)(void))
{
    /* Six registers, where to go, and a frame without a caller; aligned as after a call. */
    void **top = (void **)(void *)(context->stack->base + context->stack->bytes);
    memset(top - 8, 0, 8 * sizeof *top);
    memcpy(top - 2, &entry, sizeof entry);
    context->sp = top - 8;
}

static void swap(npt_context *from, npt_context *to)
{
    npt_swap(&from->sp, to->sp);
}
#else
#include <ucontext.h>

static void make(npt_context *context, void (*entry)(void))
{
    /* Kept at the end of the stack that it describes. */
    char *top = context->stack->base + context->stack->bytes;
    ucontext_t *saved = (ucontext_t *)(void *)(top - (sizeof *saved + 63) / 64 * 64);
    if (getcontext(saved) != 0)
        abort();
    saved->uc_stack.ss_sp = context->stack->base;
    saved->uc_stack.ss_size = (size_t)((char *)saved - context->stack->base);
    saved->uc_link = NULL;
    makecontext(saved, entry, 0);
    context->sp = saved;
}

static void swap(npt_context *from, npt_context *to)
{
    static ucontext_t host;
    if (from->stack == NULL)
        from->sp = &host;
    (void)swapcontext(from->sp, to->sp);
}
#endif

void npt_context_make(npt_context *context, npt_stack *stack, void (*entry)(void))
{
    context->stack = stack;
    context->asan = NULL;
    context->tsan = stack->tsan;
    make(context, entry);
}

#if defined(NPT_ASAN)
static const void *host_bottom;
static size_t host_bytes;
#endif

void npt_context_begun(void)
{
#if defined(NPT_ASAN)
    const void *bottom;
    size_t bytes;
    __sanitizer_finish_switch_fiber(NULL, &bottom, &bytes);
    if (host_bottom == NULL) { /* the first fibre ever comes from the real thread */
        host_bottom = bottom;
        host_bytes = bytes;
    }
#endif
}

void npt_context_switch(npt_context *from, npt_context *to, bool last)
{
    (void)last;
#if defined(NPT_ASAN)
    const void *bottom = to->stack != NULL ? to->stack->base : host_bottom;
    size_t bytes = to->stack != NULL ? to->stack->bytes : host_bytes;
    __sanitizer_start_switch_fiber(last ? NULL : &from->asan, bottom, bytes);
#endif
#if defined(NPT_TSAN)
    if (from->stack == NULL)
        from->tsan = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to->tsan, 0);
#endif
    swap(from, to);
#if defined(NPT_ASAN)
    __sanitizer_finish_switch_fiber(from->asan, NULL, NULL);
#endif
}
