/* A disk with faults of its own, loaded before the C library (test_bad_state, test_storage). While $HANG is there it takes no write to an end. Of a database that was opened to
   be read alone, as whoever checks the whole file opens it, no read ends while $HANG_READ is there, and each fails while $FAIL_READ is there. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_there(const char *variable) {
    const char *file = getenv(variable);
    return file != NULL && access(file, F_OK) == 0;
}

static long when_it_answers(long call, int file) {
    while (is_there("HANG")) usleep(20000);
    return syscall(call, file);
}

int fsync(int file) { return (int)when_it_answers(SYS_fsync, file); }
int fdatasync(int file) { return (int)when_it_answers(SYS_fdatasync, file); }

static int is_looked_at(int file) {
    static const char end[] = "/connector.db";
    char link[64], name[4096];
    if ((fcntl(file, F_GETFL) & O_ACCMODE) != O_RDONLY) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    const ssize_t size = readlink(link, name, sizeof name - 1);
    if (size < (ssize_t)(sizeof end - 1)) return 0;
    name[size] = 0;
    return strcmp(name + size - (sizeof end - 1), end) == 0;
}

ssize_t pread64(int file, void *into, size_t size, off64_t from) {
    if ((is_there("HANG_READ") || is_there("FAIL_READ")) && is_looked_at(file)) {
        while (is_there("HANG_READ")) usleep(20000);
        if (is_there("FAIL_READ")) {
            errno = EIO;
            return -1;
        }
    }
    return syscall(SYS_pread64, file, into, size, from);
}

ssize_t pread(int file, void *into, size_t size, off_t from) { return pread64(file, into, size, from); }
