/* Replaces itself by exec, several times, with calls in each program.
 *
 * Hazard: process id *and* start time stay the same over exec, so what identifies a process must tell the programs apart; and an exec
 * in the middle of a recording ends the threads, mappings and descriptors of the tracer without a word.
 *
 * Usage: exec_chain [LINKS], 5 by default. Link k makes k * 100 calls, cuPointerGetAttribute(&value, 2, k << 40 | i). A second thread
 * is in the middle of its own loop of cuGetErrorName calls at each exec. Prints one line a link.
 */
#include "driver.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static atomic_int bystander_calls;

static void *call_forever(void *unused)
{
    (void)unused;
    for (;;) {
        const char *name = NULL;
        cuGetErrorName(100, &name);
        atomic_store(&bystander_calls, 1);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    long links = argc > 1 ? strtol(argv[1], NULL, 10) : 5;
    long link = argc > 2 ? strtol(argv[2], NULL, 10) : 1;
    open_driver();
    CUresult init = cuInit(0);
    static histogram codes;
    for (long i = 1; i <= link * 100; i++) {
        int value = 0;
        CUdeviceptr pointer = (uint64_t)link << 40 | (uint64_t)i;
        histogram_add(&codes, cuPointerGetAttribute(&value, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, pointer));
    }
    printf("link %ld: cuInit = %d, codes: ", link, init);
    histogram_print(&codes);
    fflush(stdout);
    if (link >= links) {
        return 0;
    }

    pthread_t bystander;
    if (pthread_create(&bystander, NULL, call_forever, NULL) != 0) {
        fprintf(stderr, "exec_chain: no thread\n");
        return 2;
    }
    while (!atomic_load(&bystander_calls)) {
        sched_yield();
    }
    char total[24];
    char next[24];
    snprintf(total, sizeof total, "%ld", links);
    snprintf(next, sizeof next, "%ld", link + 1);
    execl("/proc/self/exe", argv[0], total, next, (char *)NULL);
    perror("exec_chain");
    return 2;
}
