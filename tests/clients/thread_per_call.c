/* A thread for each call: half of them one after another, half in groups of eight at once.
 *
 * Hazard: what a tracer keeps for a thread must be given back when the thread ends, or memory grows with every call.
 *
 * Usage: thread_per_call [THREADS], 10,000 by default. Thread i makes one call, cuPointerGetAttribute(&value, 2, i) with i from 1.
 * Prints the number of calls and how often each code came back.
 */
#include "driver.h"

#include <pthread.h>

enum { GROUP = 8 };

static histogram codes;

struct single_call {
    uint64_t number;
    CUresult result;
};

static void *work(void *argument)
{
    struct single_call *call = argument;
    int value = 0;
    call->result = cuPointerGetAttribute(&value, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, call->number);
    return NULL;
}

static void run_group(uint64_t first, int size)
{
    pthread_t threads[GROUP];
    struct single_call calls[GROUP];
    for (int i = 0; i < size; i++) {
        calls[i].number = first + (uint64_t)i;
        if (pthread_create(&threads[i], NULL, work, &calls[i]) != 0) {
            fprintf(stderr, "thread_per_call: no thread for call %llu\n", (unsigned long long)calls[i].number);
            exit(2);
        }
    }
    for (int i = 0; i < size; i++) {
        pthread_join(threads[i], NULL);
        histogram_add(&codes, calls[i].result);
    }
}

int main(int argc, char **argv)
{
    long threads = argc > 1 ? strtol(argv[1], NULL, 10) : 10000;
    if (threads < 1) {
        fprintf(stderr, "usage: thread_per_call [THREADS]\n");
        return 2;
    }
    open_driver();
    printf("cuInit = %d\n", cuInit(0));
    long next = 1;
    while (next <= threads / 2) {
        run_group((uint64_t)next, 1);
        next++;
    }
    while (next <= threads) {
        long left = threads - next + 1;
        int size = left < GROUP ? (int)left : GROUP;
        run_group((uint64_t)next, size);
        next += size;
    }
    printf("threads %ld, codes: ", threads);
    histogram_print(&codes);
    return 0;
}
