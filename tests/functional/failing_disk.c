/* A disk that refuses every write to a database with the error number that stands in $FAULT, while that file is there: loaded before the C library by
   test_bad_state. 30 is a read-only file system, 5 an unreadable sector, 28 a full one. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int refused(int file) {
    char text[16] = "", link[64], path[512] = "";
    const char *fault = getenv("FAULT");
    if (fault == NULL || access(fault, F_OK) != 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    if (readlink(link, path, sizeof path - 1) <= 0 || strstr(path, ".db") == NULL) return 0;
    int told = (int)syscall(SYS_openat, AT_FDCWD, fault, O_RDONLY | O_CLOEXEC);
    if (told < 0) return 0;
    if (syscall(SYS_read, told, text, sizeof text - 1) < 0) text[0] = 0;
    syscall(SYS_close, told);
    errno = atoi(text);
    return errno != 0;
}

ssize_t write(int file, const void *octets, size_t size) { return refused(file) ? -1 : syscall(SYS_write, file, octets, size); }
ssize_t pwrite(int file, const void *octets, size_t size, off_t at) { return refused(file) ? -1 : syscall(SYS_pwrite64, file, octets, size, at); }
ssize_t pwrite64(int file, const void *octets, size_t size, off64_t at) { return refused(file) ? -1 : syscall(SYS_pwrite64, file, octets, size, at); }
int ftruncate(int file, off_t size) { return refused(file) ? -1 : (int)syscall(SYS_ftruncate, file, size); }
int ftruncate64(int file, off64_t size) { return refused(file) ? -1 : (int)syscall(SYS_ftruncate, file, size); }
