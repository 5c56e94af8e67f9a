/*
 * Makes one memory error, named on the command line, so that the way memcheck is run can be tested.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* Volatile, so that the compiler can neither see the errors nor leave them out. */
static char *volatile memory;

/* NOLINTBEGIN(clang-analyzer-*): the errors are the purpose */
static int make(const char *kind)
{
    memory = malloc(16);
    int result = strcmp(kind, "unset") == 0 && memory[3] == 'x';
    if (strcmp(kind, "leak") == 0) {
        memory = NULL;
        return 0;
    }
    if (strcmp(kind, "beyond") == 0)
        memory[16] = 1;
    free(memory);
    if (strcmp(kind, "after-free") == 0)
        memory[0] = 1;
    return result & 0;
}
/* NOLINTEND(clang-analyzer-*) */

int main(int count, char **arguments)
{
    const char *kind = count > 1 ? arguments[1] : "nothing";
    if (strcmp(kind, "status") == 0)
        return 3;
    if (strcmp(kind, "child") != 0)
        return make(kind);
    pid_t child = fork();
    if (child == 0)
        _exit(make("beyond"));
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child ? 0 : 2;
}
