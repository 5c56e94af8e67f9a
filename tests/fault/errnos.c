/*
 * tests/fault/errnos.c - what each call of the seam may plausibly fail with, from the kernel's and
 * the C library's manual pages and from what container filters answer (EPERM, ENOSYS). A call with
 * an empty list is no point, for the reason that stands there.
 */
#include <errno.h>
#include <string.h>

#include "inject.h"

typedef struct call_row {
    npi_call call;
    const char *no_point;
    int errnos[10]; /* ends with 0 */
} call_row;

static const call_row rows[] = {
    {NPI_CALL_ALLOCATE, NULL, {ENOMEM}},
    {NPI_CALL_RELEASE, "giving memory back cannot fail", {0}},
    {NPI_CALL_MMAP, NULL, {ENOMEM, EAGAIN, EPERM}},
    /* Splitting a mapping needs one more, and there may be too many. */
    {NPI_CALL_MUNMAP, NULL, {ENOMEM}},
    {NPI_CALL_MREMAP, NULL, {ENOMEM, EAGAIN, EFAULT, EPERM}},
    {NPI_CALL_MADVISE, NULL, {EINVAL, ENOMEM, EAGAIN, EPERM, EINTR, EFAULT, EIO, ENOSYS}},
    {NPI_CALL_MLOCK, NULL, {ENOMEM, EPERM, EAGAIN}},
    {NPI_CALL_MUNLOCK, NULL, {ENOMEM, EPERM}},
    {NPI_CALL_MBIND, NULL, {EPERM, ENOSYS, ENOMEM, EINVAL, EIO}},
    {NPI_CALL_GET_MEMPOLICY, NULL, {EPERM, ENOSYS, EINVAL, EFAULT}},
    {NPI_CALL_SET_MEMPOLICY, NULL, {EPERM, ENOSYS, ENOMEM, EINVAL}},
    {NPI_CALL_MOVE_PAGES, NULL, {EPERM, ENOSYS, ENOMEM, EACCES, EINVAL, E2BIG}},
    {NPI_CALL_GETAFFINITY, NULL, {EINVAL, EPERM, ENOSYS}},
    {NPI_CALL_SETAFFINITY, NULL, {EINVAL, EPERM, ENOSYS, ENOMEM}},
    {NPI_CALL_GETCPU, NULL, {ENOSYS, EPERM}},
    /* Not ENOMEM: a wait on a private word allocates nothing. Not EFAULT, EINVAL, ENOSYS: these say
     * that the word is not the library's memory or that there is no futex, and then nothing in the
     * process sleeps any more; the library asserts that. */
    {NPI_CALL_FUTEX_WAIT, NULL, {EINTR, EAGAIN}},
    {NPI_CALL_FUTEX_WAIT_UNTIL, NULL, {EINTR, EAGAIN, ETIMEDOUT}},
    {NPI_CALL_FUTEX_WAKE, "waking on a private word only looks it up in a table", {0}},
    {NPI_CALL_MEMBARRIER, NULL, {ENOSYS, EPERM, ENOMEM, EINVAL}},
    {NPI_CALL_OPEN, NULL, {ENOENT, EACCES, EIO, EMFILE, ENFILE, ENOMEM, EPERM, EINTR}},
    {NPI_CALL_FSTAT, NULL, {EIO, ENOMEM, EOVERFLOW, EPERM}},
    {NPI_CALL_FSTATFS, NULL, {EIO, ENOMEM, EPERM, ENOSYS}},
    {NPI_CALL_READ, NULL, {EIO, EINTR, EACCES, EINVAL, ENOMEM, ENODEV}},
    /* Of an eventfd. EAGAIN says that it is full: a case makes one that is. */
    {NPI_CALL_WRITE, NULL, {EBADF, EINTR, EINVAL, EIO}},
    {NPI_CALL_CLOSE, "Linux closes the file whatever close() returns", {0}},
    {NPI_CALL_ACCESS, NULL, {ENOENT, EACCES, ENOMEM}},
    {NPI_CALL_GETDENTS, NULL, {ENOENT, ENOTDIR, EIO, ENOMEM, EPERM}},
    {NPI_CALL_STATX, NULL, {ENOENT, EACCES, ENOTDIR, ELOOP, ENOMEM, ENOSYS, EPERM, EIO}},
    {NPI_CALL_GETRLIMIT, NULL, {EPERM, ENOSYS}},
    {NPI_CALL_CAPGET, NULL, {EPERM, ENOSYS}},
    {NPI_CALL_GETTID, "always succeeds", {0}},
    {NPI_CALL_THREAD_ATTRIBUTES, NULL, {ENOMEM}},
    {NPI_CALL_THREAD_CREATE, NULL, {EAGAIN, EPERM}},
    {NPI_CALL_THREAD_JOIN, "a joinable thread that nobody else joins can be joined", {0}},
    {NPI_CALL_THREAD_NAME, NULL, {EPERM, ENOSYS}},
    {NPI_CALL_THREAD_STACK, NULL, {ENOMEM, ENOENT, EMFILE, EACCES}},
    {NPI_CALL_SIGNAL_MASK, NULL, {EPERM, ENOSYS}},
    {NPI_CALL_KEY_CREATE, NULL, {EAGAIN, ENOMEM}},
    {NPI_CALL_SETSPECIFIC, NULL, {ENOMEM}},
    {NPI_CALL_ATFORK, NULL, {ENOMEM}},
    {NPI_CALL_EVENTFD, NULL, {EMFILE, ENFILE, ENOMEM, ENODEV, EPERM, ENOSYS}},
    {NPI_CALL_EVENTFD_WRITE, "one added to an eventfd of the library's own always has room", {0}},
    {NPI_CALL_INOTIFY_INIT, NULL, {EMFILE, ENFILE, ENOMEM, EPERM, ENOSYS}},
    {NPI_CALL_INOTIFY_ADD, NULL, {ENOENT, EACCES, ENOSPC, ENOMEM, EPERM, ENOSYS}},
    {NPI_CALL_SOCKET, NULL, {EACCES, EAFNOSUPPORT, EMFILE, ENFILE, ENOMEM, EPERM, ENOSYS}},
    {NPI_CALL_BIND, NULL, {EACCES, ENOMEM, EPERM, ENOSYS}},
    {NPI_CALL_RECEIVE, NULL, {EINTR, EAGAIN, ENOBUFS, ENOMEM, EPERM}},
    {NPI_CALL_POLL, NULL, {EINTR, ENOMEM, EPERM, ENOSYS}},
};
_Static_assert(sizeof rows / sizeof rows[0] == NPI_CALL_COUNT, "one row for each call");

static const call_row *row_of(npi_call call)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].call == call)
            return &rows[i];
    return NULL;
}

const char *inject_call_text(npi_call call)
{
    switch (call) {
#define CALL_TEXT(name, text) \
    case name: return text;
        NPI_CALL_MAP(CALL_TEXT)
#undef CALL_TEXT
    case NPI_CALL_COUNT: break;
    }
    return "nothing";
}

size_t inject_errnos(npi_call call, const int **out)
{
    const call_row *row = row_of(call);
    size_t count = 0;
    while (row != NULL && row->errnos[count] != 0)
        count++;
    *out = row != NULL ? row->errnos : NULL;
    return count;
}

const char *inject_no_point(npi_call call)
{
    const call_row *row = row_of(call);
    return row == NULL ? "no such call" : row->no_point;
}

const char *inject_errno_name(int error)
{
    const char *name = strerrorname_np(error);
    return name != NULL ? name : "no error";
}
