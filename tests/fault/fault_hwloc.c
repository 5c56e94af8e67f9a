/*
 * Goal: discovering the machine survives whatever fails under hwloc, whose allocations and files
 * do not pass our seam: a status or a topology, no message, no hang, and nothing of ours broken.
 * Method: this program defines malloc, open, read and the like itself, in front of the C library's.
 * In a child process for each, the k-th call of the whole discovery fails (ours among them), once
 * or with all that follow. A child that ends inside hwloc for want of memory is counted apart and
 * named: such a place uses what it has not got, and nothing above can help; so the library does not
 * begin a discovery without memory for it, and the third part limits the address space, step by
 * step. Every other crash fails the test.
 *
 * usage: fault_hwloc [--list] [[--memory] --k N --form once|from --variant N] POINTS    (0: all)
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <numaperf.h>
#include <numaperf/hwloc.h>

#define PUBLIC __attribute__((visibility("default")))

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library has no names */

/* --- in front of the C library ---------------------------------------------------------------- */

static struct {
    bool armed;
    bool from;
    uint32_t k;
    uint32_t variant;
    bool memory; /* the points are allocations; otherwise calls about files */
    uint32_t points;
    uint32_t fired;
} plan;

static int answer(bool memory)
{
    static const int file_errors[] = {ENOENT, EACCES, EMFILE, EIO};
    if (!plan.armed || memory != plan.memory)
        return 0;
    plan.points++;
    if (plan.from ? plan.points < plan.k : plan.points != plan.k)
        return 0;
    plan.fired++;
    return memory ? ENOMEM : file_errors[plan.variant % 4];
}

static bool refuse(bool memory)
{
    int error = answer(memory);
    if (error != 0)
        errno = error;
    return error != 0;
}

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);

PUBLIC void *malloc(size_t bytes)
{
    return refuse(true) ? NULL : __libc_malloc(bytes);
}

PUBLIC void *calloc(size_t count, size_t bytes)
{
    return refuse(true) ? NULL : __libc_calloc(count, bytes);
}

PUBLIC void *realloc(void *memory, size_t bytes)
{
    return refuse(true) ? NULL : __libc_realloc(memory, bytes);
}

/* The C library's own, found before anything is armed. */
static struct {
    int (*open)(const char *, int, ...);
    int (*openat)(int, const char *, int, ...);
    ssize_t (*read)(int, void *, size_t);
    DIR *(*opendir)(const char *);
    DIR *(*fdopendir)(int);
    FILE *(*fopen)(const char *, const char *);
    FILE *(*fdopen)(int, const char *);
    int (*access)(const char *, int);
} next;

static void find_next(void)
{
    *(void **)&next.open = dlsym(RTLD_NEXT, "open");
    *(void **)&next.openat = dlsym(RTLD_NEXT, "openat");
    *(void **)&next.read = dlsym(RTLD_NEXT, "read");
    *(void **)&next.opendir = dlsym(RTLD_NEXT, "opendir");
    *(void **)&next.fdopendir = dlsym(RTLD_NEXT, "fdopendir");
    *(void **)&next.fopen = dlsym(RTLD_NEXT, "fopen");
    *(void **)&next.fdopen = dlsym(RTLD_NEXT, "fdopen");
    *(void **)&next.access = dlsym(RTLD_NEXT, "access");
}

/* Both names of a function that has one for large files. */
#define MODE_OF(flags, last)                      \
    mode_t mode = 0;                              \
    if (((flags) & (O_CREAT | O_TMPFILE)) != 0) { \
        va_list arguments;                        \
        va_start(arguments, last);                \
        mode = va_arg(arguments, mode_t);         \
        va_end(arguments);                        \
    }
#define DEFINE_OPEN(name)                                         \
    PUBLIC int name(const char *path, int flags, ...)             \
    {                                                             \
        MODE_OF(flags, flags)                                     \
        return refuse(false) ? -1 : next.open(path, flags, mode); \
    }
#define DEFINE_OPENAT(name)                                                    \
    PUBLIC int name(int directory, const char *path, int flags, ...)           \
    {                                                                          \
        MODE_OF(flags, flags)                                                  \
        return refuse(false) ? -1 : next.openat(directory, path, flags, mode); \
    }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

PUBLIC ssize_t read(int file, void *buffer, size_t bytes)
{
    return refuse(false) ? -1 : next.read(file, buffer, bytes);
}

PUBLIC DIR *opendir(const char *path)
{
    return refuse(false) ? NULL : next.opendir(path);
}

PUBLIC DIR *fdopendir(int file)
{
    return refuse(false) ? NULL : next.fdopendir(file);
}

PUBLIC FILE *fopen(const char *path, const char *mode)
{
    return refuse(false) ? NULL : next.fopen(path, mode);
}

PUBLIC FILE *fopen64(const char *path, const char *mode)
{
    return refuse(false) ? NULL : next.fopen(path, mode);
}

PUBLIC FILE *fdopen(int file, const char *mode)
{
    return refuse(false) ? NULL : next.fdopen(file, mode);
}

PUBLIC int access(const char *path, int mode)
{
    return refuse(false) ? -1 : next.access(path, mode);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

/* --- one child -------------------------------------------------------------------------------- */

enum { GOOD = 0, REFUSED = 1, NOT_FIRED = 2, WRONG = 3, HWLOC_CRASHED = 4, CRASHED = 5 };

typedef struct report {
    int outcome;
    uint32_t points;
    char text[600];
} report;

static int report_pipe;
static size_t limit_bytes; /* of address space that is left, plus one; 0: no limit */
static size_t address_space(void);

/* NOLINTBEGIN(bugprone-signal-handler,cert-sig30-c): the process is lost; this is its last word */
static void tell(int outcome, const char *text)
{
    report result = {.outcome = outcome, .points = plan.points};
    snprintf(result.text, sizeof result.text, "%s", text);
    if (write(report_pipe, &result, sizeof result) != (ssize_t)sizeof result)
        _exit(100);
    _exit(0);
}

/* The first frame that is either hwloc's or ours tells whose crash it is. */
static void crashed(int number)
{
    void *frames[40];
    char text[512] = "nobody's";
    plan.armed = false;
    int count = backtrace(frames, 40);
    int outcome = CRASHED;
    for (int i = 2; i < count; i++) { /* behind this handler and the signal's frame */
        Dl_info info;
        if (dladdr(frames[i], &info) == 0 || info.dli_fname == NULL)
            continue;
        if (strstr(info.dli_fname, "libhwloc") != NULL) {
            outcome = HWLOC_CRASHED;
            snprintf(text, sizeof text, "%s+0x%zx",
                     info.dli_sname != NULL ? info.dli_sname : "static",
                     (size_t)((char *)frames[i] -
                              (char *)(info.dli_saddr != NULL ? info.dli_saddr : info.dli_fbase)));
            break;
        }
        if (strstr(info.dli_fname, "fault_hwloc") != NULL) {
            snprintf(text, sizeof text, "signal %d in our code, %s", number,
                     info.dli_sname != NULL ? info.dli_sname : "?");
            break;
        }
    }
    tell(outcome, text);
}

static void hung(int number)
{
    (void)number;
    tell(WRONG, "hangs");
}

/* NOLINTEND(bugprone-signal-handler,cert-sig30-c) */

/* The heap is full and cannot grow, but for so many bytes in one piece. */
static void leave_room(const struct rlimit *before, size_t bytes)
{
    struct rlimit tight = *before;
    void *room = bytes != 0 ? malloc(bytes) : NULL;
    tight.rlim_cur = address_space();
    (void)setrlimit(RLIMIT_AS, &tight);
    for (size_t size = (size_t)64 << 10; size >= 16; size /= 2) {
        void *volatile block = malloc(size);
        while (block != NULL)
            block = malloc(size); /* never given back: the child is short-lived */
    }
    free(room);
}

static void child(int to)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    report_pipe = to;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        (void)signal(signals[i], crashed);
    (void)signal(SIGALRM, hung);
    (void)alarm(30);
    np_topology *topology = NULL;
    struct rlimit before;
    (void)getrlimit(RLIMIT_AS, &before);
    if (limit_bytes != 0)
        leave_room(&before, limit_bytes - 1);
    plan.armed = true;
    np_status status = np_topology_discover(&topology);
    plan.armed = false;
    (void)setrlimit(RLIMIT_AS, &before);
    if (status != NP_OK) {
        if (topology != NULL || np_error_detail()[0] == '\0')
            tell(WRONG, "a failure with an output, or without a detail");
        tell(plan.fired == 0 && limit_bytes == 0 ? WRONG : REFUSED, np_error_detail());
    }
    if (np_topology_node_count(topology) == 0 || np_topology_cpu_count(topology) == 0)
        tell(WRONG, "a topology with nothing in it");
    /* And it serves: a pool on it runs a task. */
    np_executor *executor = NULL;
    if (np_executor_create(topology, NULL, &executor) != NP_OK)
        tell(WRONG, np_error_detail());
    (void)np_executor_destroy(executor);
    np_topology_destroy(topology);
    tell(plan.fired == 0 ? NOT_FIRED : GOOD, "");
}

static report run_child(void)
{
    int ends[2];
    report result = {.outcome = CRASHED};
    snprintf(result.text, sizeof result.text, "died without a word");
    if (pipe(ends) != 0)
        abort();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        child(ends[1]);
    (void)close(ends[1]);
    if (next.read(ends[0], &result, sizeof result) != (ssize_t)sizeof result)
        snprintf(result.text, sizeof result.text, "died without a word");
    (void)close(ends[0]);
    int status = 0;
    (void)waitpid(pid, &status, 0);
    if (result.outcome == CRASHED && WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        result.outcome = HWLOC_CRASHED;
        snprintf(result.text, sizeof result.text, "the dynamic linker gave up (hwloc's plugins)");
    }
    return result;
}

/* --- all of them ------------------------------------------------------------------------------ */

#define PLACES_MOST 200u
static struct {
    char text[600];
    uint32_t count;
} places[PLACES_MOST];
static uint32_t place_count, outcomes[6];

static void add_place(const char *text)
{
    for (uint32_t i = 0; i < place_count; i++) {
        if (strcmp(places[i].text, text) == 0) {
            places[i].count++;
            return;
        }
    }
    if (place_count < PLACES_MOST) {
        snprintf(places[place_count].text, sizeof places[0].text, "%s", text);
        places[place_count++].count = 1;
    }
}

static bool try(uint32_t k, bool from, uint32_t variant, const char *program)
{
    plan.k = k;
    plan.from = from;
    plan.variant = variant;
    report result = run_child();
    outcomes[result.outcome]++;
    if (result.outcome == HWLOC_CRASHED)
        add_place(result.text);
    if (result.outcome != WRONG && result.outcome != CRASHED)
        return true;
    printf("fault: np_topology_discover: %s\n    replay: %s%s --form %s --k %u --variant %u 1\n",
           result.text, program, plan.memory ? " --memory" : "", from ? "from" : "once", k,
           variant);
    return false;
}

/* One kind of points, `wanted` of them (0: all). */
static bool sweep(bool memory, uint32_t wanted, const char *program)
{
    bool good = true;
    plan.memory = memory;
    plan.k = UINT32_MAX;
    report whole = run_child();
    if (whole.outcome != NOT_FIRED) {
        printf("fault: without any fault: %s\n", whole.text);
        return false;
    }
    memset(outcomes, 0, sizeof outcomes);
    uint32_t stride = wanted == 0 || wanted >= whole.points ? 1 : whole.points / wanted;
    for (uint32_t k = 1; k <= whole.points; k += stride) {
        good = try(k, false, k / stride, program) && good;
        good = try(k, true, k / stride, program) && good;
    }
    const char *what = memory ? "allocations" : "calls about files";
    printf("%u %s in a discovery, one in %u tried: a topology %u times, a status %u, hwloc crashed "
           "%u\n",
           whole.points, what, stride, outcomes[GOOD], outcomes[REFUSED], outcomes[HWLOC_CRASHED]);
    printf("counted: fault | failing %s under hwloc | %u\n", what,
           outcomes[GOOD] + outcomes[REFUSED] + outcomes[HWLOC_CRASHED]);
    if (memory)
        printf("counted: fault | of them ended inside hwloc | %u\n", outcomes[HWLOC_CRASHED]);
    else if (outcomes[HWLOC_CRASHED] != 0)
        good = false;
    return good;
}

/* --- the real thing: less and less address space -----------------------------------------------
 */

static size_t address_space(void)
{
    char text[64];
    int file = next.open("/proc/self/statm", O_RDONLY);
    ssize_t got = file < 0 ? 0 : next.read(file, text, sizeof text - 1);
    text[got > 0 ? got : 0] = '\0';
    if (file >= 0)
        (void)close(file);
    return (size_t)strtoull(text, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

/* What is left to a discovery, in steps, from nothing to plenty: never a crash, and in the end it
 * works. */
static bool squeeze(size_t step)
{
    const size_t few = (size_t)256 << 10, most = (size_t)20 << 20;
    uint32_t tried = 0;
    bool good = true;
    memset(outcomes, 0, sizeof outcomes);
    plan.k = UINT32_MAX;
    for (size_t room = 0; room <= most; room += room < few ? few / 32 : step) {
        limit_bytes = room + 1;
        report result = run_child();
        outcomes[result.outcome]++;
        tried++;
        if (result.outcome != REFUSED && result.outcome != NOT_FIRED) {
            printf("fault: np_topology_discover with %zu KiB of address space: %s\n", room >> 10,
                   result.text);
            good = false;
        }
    }
    limit_bytes = 0;
    printf("%u limits of address space: a topology %u times, a status %u\n", tried,
           outcomes[NOT_FIRED], outcomes[REFUSED]);
    printf("counted: fault | limits of address space around a discovery | %u\n", tried);
    return good && outcomes[NOT_FIRED] != 0 && outcomes[REFUSED] != 0;
}

int main(int count, char **arguments)
{
    bool list = false, from = false;
    uint32_t wanted = 0, only = 0, variant = 0;
    for (int i = 1; i < count; i++) {
        const char *value = i + 1 < count ? arguments[i + 1] : "";
        if (strcmp(arguments[i], "--list") == 0)
            list = true;
        else if (strcmp(arguments[i], "--memory") == 0)
            plan.memory = true;
        else if (strcmp(arguments[i], "--k") == 0 && ++i > 0)
            only = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(arguments[i], "--variant") == 0 && ++i > 0)
            variant = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(arguments[i], "--form") == 0 && ++i > 0)
            from = strcmp(value, "from") == 0;
        else
            wanted = (uint32_t)strtoul(arguments[i], NULL, 10);
    }
    void *frames[4];
    find_next();
    (void)backtrace(frames, 4); /* loads what it needs now */
    if (only != 0)
        return try(only, from, variant, arguments[0]) ? 0 : 1;
    bool good = sweep(false, wanted, arguments[0]);
    good = sweep(true, wanted, arguments[0]) && good;
    for (uint32_t i = 0; list && i < place_count; i++)
        printf("    hwloc: %s, %u times\n", places[i].text, places[i].count);
    good = squeeze((size_t)(wanted == 0 ? 16 : 1024) << 10) && good;
    return good ? 0 : 1;
}
