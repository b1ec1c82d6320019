/* What each call leaves in errno.
 *
 * Hazard: a tracer's own system calls (open, mmap, futex) change errno behind the program's back.
 *
 * Prints, for each call, its code and what became of an errno of 77: the driver may change it, so the output is compared with that of a
 * run without cutape. The calls are made twice, as the first call of a process or thread is where a tracer sets itself up.
 */
#include "driver.h"

#include <errno.h>
#include <pthread.h>

enum { BEFORE = 77 };

static void print_line(const char *round, const char *call, CUresult code, int after)
{
    printf("%s: %s = %d, errno %s", round, call, code, after == BEFORE ? "kept\n" : "");
    if (after != BEFORE) {
        printf("%d\n", after);
    }
}

#define SHOW(round, call)                        \
    do {                                         \
        errno = BEFORE;                          \
        CUresult code = call;                    \
        int after = errno;                       \
        print_line(round, #call, code, after);   \
    } while (0)

static void make_calls(const char *round)
{
    int number = 0;
    size_t free_bytes = 0;
    size_t total_bytes = 0;
    const char *text = NULL;
    SHOW(round, cuGetErrorString(3, &text));
    SHOW(round, cuDriverGetVersion(&number));
    SHOW(round, cuInit(0));
    SHOW(round, cuDeviceGetCount(&number));
    SHOW(round, cuDeviceGetAttribute(&number, 75, 0));
    SHOW(round, cuMemGetInfo_v2(&free_bytes, &total_bytes));
    SHOW(round, cuMemFree_v2(16));
    SHOW(round, cuCtxSynchronize());
}

static void *make_calls_on_thread(void *unused)
{
    (void)unused;
    make_calls("thread");
    return NULL;
}

int main(void)
{
    open_driver();
    make_calls("first");
    make_calls("again");
    pthread_t thread;
    if (pthread_create(&thread, NULL, make_calls_on_thread, NULL) != 0) {
        fprintf(stderr, "errno_kept: no thread\n");
        return 2;
    }
    pthread_join(thread, NULL);
    return 0;
}
