/* Many threads at once, each with a name of its own.
 *
 * Hazard: per-thread state that is shared by mistake, calls attributed to another thread, more threads than a table was made for.
 *
 * Usage: threads [THREADS [CALLS]], 64 and 1000 by default. Thread t is named "caller-T" and makes call i as
 * cuPointerGetAttribute(&value, 2, t << 40 | i) for i from 1. Prints the number of calls and how often each code came back.
 */
#define _GNU_SOURCE
#include "driver.h"

#include <pthread.h>

struct caller {
    pthread_t thread;
    uint64_t index;
    uint64_t calls;
    histogram codes;
};

static pthread_barrier_t all_running;

static void *work(void *argument)
{
    struct caller *caller = argument;
    char name[16];
    snprintf(name, sizeof name, "caller-%u", (unsigned int)caller->index % 10000);
    pthread_setname_np(pthread_self(), name);
    pthread_barrier_wait(&all_running);
    for (uint64_t i = 1; i <= caller->calls; i++) {
        int value = 0;
        CUdeviceptr pointer = caller->index << 40 | i;
        histogram_add(&caller->codes, cuPointerGetAttribute(&value, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, pointer));
    }
    return NULL;
}

int main(int argc, char **argv)
{
    long threads = argc > 1 ? strtol(argv[1], NULL, 10) : 64;
    long calls = argc > 2 ? strtol(argv[2], NULL, 10) : 1000;
    if (threads < 1 || threads > 4096 || calls < 0) {
        fprintf(stderr, "usage: threads [THREADS (1 to 4096) [CALLS]]\n");
        return 2;
    }
    open_driver();
    printf("cuInit = %d\n", cuInit(0));
    pthread_barrier_init(&all_running, NULL, (unsigned int)threads);
    struct caller *callers = calloc((size_t)threads, sizeof *callers);
    for (long t = 0; t < threads; t++) {
        callers[t].index = (uint64_t)t;
        callers[t].calls = (uint64_t)calls;
        if (pthread_create(&callers[t].thread, NULL, work, &callers[t]) != 0) {
            fprintf(stderr, "threads: no thread %ld\n", t);
            return 2;
        }
    }
    static histogram all;
    for (long t = 0; t < threads; t++) {
        pthread_join(callers[t].thread, NULL);
        for (int code = 0; code < 1024; code++) {
            all.count[code] += callers[t].codes.count[code];
        }
    }
    printf("threads %ld, calls %ld, codes: ", threads, threads * calls);
    histogram_print(&all);
    free(callers);
    return 0;
}
