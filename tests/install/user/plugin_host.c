/*
 * Loads the library at run time, uses it from a thread of its own and unloads it, several times: as
 * a plug-in would. Nothing of the library may be left behind that a later thread or fork runs into.
 * usage: plugin_host PATH_OF_LIBRARY
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef const char *(*text_fn)(void);

static void *use_library(void *library)
{
    text_fn version;
    text_fn detail;

    *(void **)&version = dlsym(library, "np_version_string");
    *(void **)&detail = dlsym(library, "np_error_detail");
    if (version == NULL || detail == NULL || version()[0] == '\0' || detail()[0] != '\0')
        return "the library's functions do not work";
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    for (int round = 0; round < 20; round++) {
        pthread_t thread;
        void *complaint = NULL;
        int status = 0;
        pid_t child;
        void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);

        if (library == NULL) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        if (pthread_create(&thread, NULL, use_library, library) != 0 ||
            pthread_join(thread, &complaint) != 0)
            complaint = "no thread";
        if (complaint != NULL) {
            fprintf(stderr, "%s\n", (const char *)complaint);
            return 1;
        }
        if (dlclose(library) != 0)
            return 1;
        child = fork();
        if (child == 0)
            _exit(0);
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
            fprintf(stderr, "fork after dlclose: status %d\n", status);
            return 1;
        }
    }
    return 0;
}
