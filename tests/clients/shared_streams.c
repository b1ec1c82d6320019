/* Threads that share a context and threads with their own, and events by which streams of one wait for another.
 *
 * Hazard: a replay that mixes up whose context is current, plays a call before what it needs, or waits in a circle.
 *
 * Usage: shared_streams [THREADS [ROUNDS]], 8 and 20 by default. Even threads use the primary context, odd ones create their own. In each
 * round a thread allocates, sets memory on its stream, records its event, waits on its stream for the event of the next thread that uses
 * the same context, synchronizes and frees. Prints the number of calls and how often each code came back.
 */
#define _GNU_SOURCE
#include "driver.h"

#include <pthread.h>

typedef struct CUevent_st *CUevent;

#define MORE_FUNCTIONS(F)                                                                  \
    F(cuCtxCreate_v2, (CUcontext * context, unsigned int flags, CUdevice device))          \
    F(cuCtxDestroy_v2, (CUcontext context))                                                \
    F(cuEventCreate, (CUevent * event, unsigned int flags))                                \
    F(cuEventRecord, (CUevent event, CUstream stream))                                     \
    F(cuEventDestroy_v2, (CUevent event))                                                  \
    F(cuStreamWaitEvent, (CUstream stream, CUevent event, unsigned int flags))             \
    F(cuMemsetD8Async, (CUdeviceptr pointer, unsigned char value, size_t count, CUstream stream))

#define MORE_POINTER(name, parameters) static CUresult(*name) parameters;
MORE_FUNCTIONS(MORE_POINTER)
#undef MORE_POINTER

struct worker {
    pthread_t thread;
    unsigned int index;
    unsigned int threads;
    unsigned int rounds;
    CUdevice device;
    CUcontext shared;
    CUevent event;
    histogram codes;
    unsigned long calls;
};

static pthread_barrier_t together;
static struct worker *workers;

static void note(struct worker *own, CUresult code)
{
    histogram_add(&own->codes, code);
    own->calls++;
}

static void round_of(struct worker *own, CUstream stream)
{
    CUdeviceptr pointer = 0;
    note(own, cuMemAlloc_v2(&pointer, 4096 * (own->index + 1)));
    note(own, cuMemsetD8Async(pointer + own->index, 7, 64, stream));
    note(own, cuEventRecord(own->event, stream));
    pthread_barrier_wait(&together);
    /* The next thread with the same context: the second next, and for own contexts the thread itself. */
    struct worker *other = own->index % 2 == 0 ? &workers[(own->index + 2) % own->threads] : own;
    note(own, cuStreamWaitEvent(stream, other->event, 0));
    note(own, cuStreamSynchronize(stream));
    note(own, cuMemFree_v2(pointer));
    pthread_barrier_wait(&together);
}

static void *work(void *argument)
{
    struct worker *own = argument;
    CUcontext context = own->shared;
    CUstream stream = NULL;
    if (own->index % 2 == 1) {
        note(own, cuCtxCreate_v2(&context, 0, own->device));
    }
    note(own, cuCtxSetCurrent(context));
    note(own, cuStreamCreate(&stream, 1));
    note(own, cuEventCreate(&own->event, 2));
    pthread_barrier_wait(&together);
    for (unsigned int i = 0; i < own->rounds; i++) {
        round_of(own, stream);
    }
    note(own, cuEventDestroy_v2(own->event));
    note(own, cuStreamDestroy_v2(stream));
    if (own->index % 2 == 1) {
        note(own, cuCtxDestroy_v2(context));
    }
    return NULL;
}

int main(int argc, char **argv)
{
    long threads = argc > 1 ? strtol(argv[1], NULL, 10) : 8;
    long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 20;
    if (threads < 2 || threads > 256 || threads % 2 != 0 || rounds < 0) {
        fprintf(stderr, "usage: shared_streams [THREADS (2 to 256, even) [ROUNDS]]\n");
        return 2;
    }
    void *library = open_driver();
#define MORE_RESOLVE(name, parameters) *(void **)(&name) = dlsym(library, #name);
    MORE_FUNCTIONS(MORE_RESOLVE)
#undef MORE_RESOLVE
    CUdevice device = 0;
    CUcontext shared = NULL;
    CUresult started = start_device(&device, &shared);
    printf("start = %d\n", started);
    if (started != CUDA_SUCCESS) {
        return 0;
    }
    pthread_barrier_init(&together, NULL, (unsigned int)threads);
    workers = calloc((size_t)threads, sizeof *workers);
    for (long t = 0; t < threads; t++) {
        workers[t].index = (unsigned int)t;
        workers[t].threads = (unsigned int)threads;
        workers[t].rounds = (unsigned int)rounds;
        workers[t].device = device;
        workers[t].shared = shared;
    }
    for (long t = 0; t < threads; t++) {
        if (pthread_create(&workers[t].thread, NULL, work, &workers[t]) != 0) {
            fprintf(stderr, "shared_streams: no thread %ld\n", t);
            return 2;
        }
    }
    static histogram all;
    unsigned long calls = 0;
    for (long t = 0; t < threads; t++) {
        pthread_join(workers[t].thread, NULL);
        calls += workers[t].calls;
        for (int code = 0; code < 1024; code++) {
            all.count[code] += workers[t].codes.count[code];
        }
    }
    printf("threads %ld, calls %lu, codes: ", threads, calls);
    histogram_print(&all);
    free(workers);
    return 0;
}
