/*
 * tests/fuzz/fuzz_main.c - the two ways into a harness: libFuzzer's (FUZZ_WITH_LIBFUZZER), and a
 * main() that replays files and folders and counts them.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static void run_one(const void *bytes, size_t length)
{
    char *text = malloc(length + 1);
    if (text == NULL)
        return;
    if (length > 0)
        memcpy(text, bytes, length);
    text[length] = '\0';
    fuzz_one(text, length);
    free(text);
    npt_quiet_check();
}

#ifdef FUZZ_WITH_LIBFUZZER

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* Before libFuzzer closes the outputs for the rest of the program (-close_fd_mask=3). */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    npt_quiet_save();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    npt_quiet_begin();
    run_one(bytes, length);
    return 0;
}

#else

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        NPT_FAIL("cannot open %s", path);
    static char bytes[1 << 20];
    size_t length = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    npt_case("%s: %s", fuzz_name, path);
    npt_case_limit(60);
    run_one(bytes, length);
}

static unsigned long replay_folder(const char *path)
{
    struct dirent **entries = NULL;
    unsigned long count = 0;
    int found = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < found; i++) {
        char name[4096];
        (void)snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') {
            replay_file(name);
            count++;
        }
        free(entries[i]);
    }
    free(entries);
    if (found < 0) {
        replay_file(path);
        count++;
    }
    return count;
}

int main(int argc, char **argv)
{
    unsigned long count = 0;
    npt_quiet_begin();
    for (int i = 1; i < argc; i++) { /* a harness may go to another folder */
        char *path = realpath(argv[i], NULL);
        if (path == NULL)
            NPT_FAIL("there is no %s", argv[i]);
        argv[i] = path;
    }
    for (int i = 1; i < argc; i++) {
        count += replay_folder(argv[i]);
        free(argv[i]);
    }
    if (count == 0)
        NPT_FAIL("no input for %s", fuzz_name);
    npt_say("counted: fuzz | seeds replayed for %s | %lu\n", fuzz_name, count);
    return 0;
}

#endif
