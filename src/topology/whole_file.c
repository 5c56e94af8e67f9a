/*
 * topology/whole_file.c - reading a file of unknown length: try, and try again with more room.
 */
#include "topology/whole_file.h"

#include <errno.h>

#include "base/alloc.h"
#include "os/os.h"

#define FIRST_CAPACITY 4096u

int npi_whole_file_read(const char *path, size_t most, npi_whole_file *out)
{
    for (size_t capacity = FIRST_CAPACITY;; capacity *= 4u) {
        npi_whole_file file = {npi_alloc(capacity, 0), 0, capacity};
        if (file.text == NULL)
            return ENOMEM;
        int error = npi_os_read_file(path, file.text, capacity, &file.length);
        if (error == 0 && file.length <= most) {
            *out = file;
            return 0;
        }
        npi_whole_file_release(&file);
        if (error != EFBIG || capacity > most)
            return error == 0 ? EFBIG : error;
    }
}

void npi_whole_file_release(npi_whole_file *file)
{
    npi_free(file->text, file->capacity);
    file->text = NULL;
}
