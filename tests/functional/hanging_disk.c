/* A disk that takes no write to an end while $HANG is there: loaded before the C library by test_bad_state. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static long when_it_answers(long call, int file) {
    const char *hang = getenv("HANG");
    while (hang != NULL && access(hang, F_OK) == 0) usleep(20000);
    return syscall(call, file);
}

int fsync(int file) { return (int)when_it_answers(SYS_fsync, file); }
int fdatasync(int file) { return (int)when_it_answers(SYS_fdatasync, file); }
