/* Opens the driver, calls it, closes it, and does so again.
 *
 * Hazard: a tracer with a flusher thread or thread-specific data must not be unmapped while they may still run, and a second dlopen must
 * find it in working order.
 *
 * Prints one line a round: the codes of the calls made in it, one of them from a thread that lives on until after dlclose.
 */
#include "driver.h"

#include <pthread.h>

enum { ROUNDS = 4 };

static pthread_barrier_t called;
static pthread_barrier_t closed;

static void *call_and_outlive(void *argument)
{
    const char *name = NULL;
    *(CUresult *)argument = cuGetErrorName(100, &name);
    pthread_barrier_wait(&called);
    pthread_barrier_wait(&closed);
    return NULL;
}

int main(void)
{
    for (int round = 1; round <= ROUNDS; round++) {
        void *library = open_driver();
        int version = 0;
        size_t free_bytes = 0;
        size_t total_bytes = 0;
        CUresult from_thread = -1;
        pthread_t thread;
        pthread_barrier_init(&called, NULL, 2);
        pthread_barrier_init(&closed, NULL, 2);
        printf("round %d: cuInit = %d", round, cuInit(0));
        CUresult got_version = cuDriverGetVersion(&version);
        printf(", cuDriverGetVersion = %d (%d)", got_version, version);
        printf(", cuMemGetInfo_v2 = %d", cuMemGetInfo_v2(&free_bytes, &total_bytes));
        if (pthread_create(&thread, NULL, call_and_outlive, &from_thread) != 0) {
            fprintf(stderr, "reopen: no thread\n");
            return 2;
        }
        pthread_barrier_wait(&called);
        int close_result = dlclose(library);
        pthread_barrier_wait(&closed);
        pthread_join(thread, NULL);
        printf(", from a thread %d, dlclose = %d\n", from_thread, close_result);
        fflush(stdout);
    }
    return 0;
}
