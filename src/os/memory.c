/*
 * os/memory.c - mappings, anonymous, of huge pages and of files, and their advice. Nothing here
 * keeps state. Where their pages go is os/policy.c's.
 */
#include <sys/vfs.h>

#include "os/call.h"
#include "os/library.h"
#include "os/os.h"

/* Part of the kernel's ABI that older headers lack. */
#if !defined(MADV_COLD)
#define MADV_COLD 20
#endif
#if !defined(MADV_POPULATE_READ)
#define MADV_POPULATE_READ 22
#endif
#if !defined(MADV_POPULATE_WRITE)
#define MADV_POPULATE_WRITE 23
#endif
#if !defined(MAP_HUGE_SHIFT)
#define MAP_HUGE_SHIFT 26
#endif
enum { HUGETLBFS_FILES = 0x958458f6 };

size_t npi_os_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

size_t npi_os_huge_page_size(void)
{
    char text[32];
    if (npi_os_read_file("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", text, sizeof text,
                         NULL) != 0)
        return 0;
    size_t bytes = 0;
    for (const char *c = text; *c >= '0' && *c <= '9' && bytes <= SIZE_MAX / 16; c++)
        bytes = bytes * 10 + (size_t)(*c - '0');
    /* Alignments must be powers of two; anything else is not a size we can use. */
    bool usable = bytes > npi_os_page_size() && (bytes & (bytes - 1)) == 0;
    return usable ? bytes : 0;
}

int npi_os_map(size_t bytes, size_t alignment, void **out)
{
    size_t page = npi_os_page_size();
    if (bytes == 0 || bytes % page != 0 || (alignment & (alignment - 1)) != 0)
        return EINVAL;
    /* A mapping begins at a page; for more alignment, map more and give back what is too much. */
    size_t slack = alignment > page ? alignment - page : 0;
    if (bytes > SIZE_MAX - slack)
        return ENOMEM;
    void *mapped = NULL;
    int error = npi_library_mmap(bytes + slack, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, &mapped);
    if (error == 0) {
        char *begin = mapped;
        size_t before = slack == 0 ? 0 : (alignment - (uintptr_t)begin % alignment) % alignment;
        if (before != 0)
            (void)npi_library_munmap(begin, before);
        if (slack != before)
            (void)npi_library_munmap(begin + before + bytes, slack - before);
        *out = begin + before;
    }
    return error;
}

int npi_os_map_huge(size_t bytes, size_t huge_bytes, void **out)
{
    if (huge_bytes == 0 || (huge_bytes & (huge_bytes - 1)) != 0 || bytes % huge_bytes != 0)
        return EINVAL;
    /* With a reservation: without one a write would raise SIGBUS as soon as the pool is empty. */
    int size = __builtin_ctzll(huge_bytes) << MAP_HUGE_SHIFT;
    return npi_library_mmap(bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | size, -1, 0, out);
}

/* --- files ------------------------------------------------------------------------------- */

int npi_os_open_file(const char *path, bool writable, int *file)
{
    int error;
    do { /* not blocking: the other end of a pipe is not waited for */
        error = npi_library_open(path, (writable ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_NOCTTY,
                                 file);
    } while (error == EINTR);
    return error;
}

int npi_os_file_look(int file, npi_os_file_info *out)
{
    struct stat status;
    struct statfs system = {0};
    int error = npi_library_fstat(file, &status);
    if (error != 0)
        return error;
    out->bytes = status.st_size > 0 ? (uint64_t)status.st_size : 0;
    out->regular = S_ISREG(status.st_mode);
    error = npi_os_call(NPI_CALL_FSTATFS, SYS_fstatfs, file, npi_os_pointer(&system), 0, 0, 0, 0,
                        NULL);
    /* Who may not ask takes it for an ordinary file system. */
    out->huge_pages = error == 0 && (uint32_t)system.f_type == (uint32_t)HUGETLBFS_FILES;
    return 0;
}

int npi_os_map_file(int file, npi_os_file_access access, uint64_t offset, size_t bytes, void **out)
{
    if (offset > INT64_MAX)
        return EOVERFLOW;
    int protection = access == NPI_OS_FILE_READ ? PROT_READ : PROT_READ | PROT_WRITE;
    return npi_library_mmap(bytes, protection,
                            access == NPI_OS_FILE_PRIVATE ? MAP_PRIVATE : MAP_SHARED, file,
                            (off_t)offset, out);
}

void npi_os_close_file(int file)
{
    npi_library_close(file);
}

/* ----------------------------------------------------------------------------------------- */

int npi_os_resize(void *memory, size_t bytes, size_t new_bytes, void **out)
{
    return npi_library_mremap(memory, bytes, new_bytes, out);
}

int npi_os_unmap(void *memory, size_t bytes)
{
    return npi_library_munmap(memory, bytes);
}

int npi_os_advise(void *memory, size_t bytes, npi_os_advice advice)
{
    int kernel_advice = MADV_NORMAL;
    switch (advice) {
    case NPI_OS_ADVICE_HUGE: kernel_advice = MADV_HUGEPAGE; break;
    case NPI_OS_ADVICE_NO_HUGE: kernel_advice = MADV_NOHUGEPAGE; break;
    case NPI_OS_ADVICE_DISCARD: kernel_advice = MADV_DONTNEED; break;
    /* The kernel splits a huge page that is to be cold only in part. */
    case NPI_OS_ADVICE_SPLIT: kernel_advice = MADV_COLD; break;
    case NPI_OS_ADVICE_POPULATE: kernel_advice = MADV_POPULATE_WRITE; break;
    case NPI_OS_ADVICE_POPULATE_READ: kernel_advice = MADV_POPULATE_READ; break;
    }
    int error;
    do {
        error = npi_library_madvise(memory, bytes, kernel_advice);
    } while (error == EINTR); /* populating is interruptible and resumes where it was */
    return error;
}

/* Raw calls: the sanitizers replace the C library's wrappers by ones that do nothing. */
int npi_os_lock_memory(void *memory, size_t bytes)
{
    return npi_os_call(NPI_CALL_MLOCK, SYS_mlock, npi_os_pointer(memory), (long)bytes, 0, 0, 0, 0,
                       NULL);
}

int npi_os_unlock_memory(void *memory, size_t bytes)
{
    return npi_os_call(NPI_CALL_MUNLOCK, SYS_munlock, npi_os_pointer(memory), (long)bytes, 0, 0, 0,
                       0, NULL);
}
