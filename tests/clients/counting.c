/* Threads that call the driver in a loop and keep count in a shared memory file, so that a test can kill the program at any moment
 * and compare what happened with what the trace says.
 *
 * Usage: counting FILE THREADS MODE [CALLS]
 *     run            loop until killed
 *     return         each thread makes CALLS calls, then main returns; prints the number of completed calls
 *     abort          thread 0 calls abort() after CALLS calls, while the others go on; so in all modes below
 *     segv-driver    ... makes the driver write to address 16 (cuDriverGetVersion)
 *     segv-callback  ... makes the driver run a host function that reads address 0 (cuCtxSetCurrent, cuLaunchHostFunc, cuCtxSynchronize;
 *                    only the second is announced)
 *     _exit          ... calls _exit(7)
 *     exit           ... calls exit(7); as thread 0 is not the main thread, this is exit from another thread
 *
 * FILE is made (or cut to size) by this program. All numbers are little-endian:
 *     offset 0    char magic[8] "COUNTING", u32 version 1, u32 threads, u32 process id, u32 1 once all threads are running
 *     offset 128 * (1 + t), one struct progress for each thread t (see below)
 * Call n (from 1) of thread t is, by n % 4:
 *     0  cuPointerGetAttribute(&value, 2, t << 40 | n)      1  cuDeviceGetAttribute(&value, n, t)
 *     2  cuGetErrorName(n, &name)                           3  cuMemGetInfo_v2(&free, &total)
 * Before it, the thread publishes `function` (0 to 3, or 4 for cuDriverGetVersion and 5 for cuLaunchHostFunc in the segv modes) and
 * `argument` (n, or 16 for function 4), then `started` = n; after it returned, `completed` = n. So started == completed + 1 means that
 * call `started` may be in flight, with that function and argument; when the two are equal, the thread may have been about to announce
 * its next call, and function and argument may already be that call's. `result` is the code of the last completed call.
 */
#define _GNU_SOURCE
#include "driver.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

struct file_header {
    char magic[8];
    uint32_t version;
    uint32_t threads;
    uint32_t process_id;
    _Atomic uint32_t running;
};

struct progress {
    _Atomic uint64_t started;
    _Atomic uint64_t completed;
    _Atomic uint64_t function;
    _Atomic uint64_t argument;
    _Atomic uint32_t thread_id;
    _Atomic uint32_t result;
};

enum { SLOT_BYTES = 128, MAX_THREADS = 1024 };

struct worker {
    pthread_t thread;
    uint64_t index;
    struct progress *progress;
};

static const char *mode;
static uint64_t calls; /* 0: until killed */
static pthread_barrier_t all_running;
static struct file_header *header;
static CUcontext context;

static void publish(struct progress *progress, uint64_t n, uint64_t function, uint64_t argument)
{
    atomic_store(&progress->function, function);
    atomic_store(&progress->argument, argument);
    atomic_store(&progress->started, n);
}

static void complete(struct progress *progress, uint64_t n, CUresult result)
{
    atomic_store(&progress->result, (uint32_t)result);
    atomic_store(&progress->completed, n);
}

static CUresult make_call(uint64_t thread, uint64_t n)
{
    int value = 0;
    const char *name = NULL;
    size_t free_bytes = 0;
    size_t total_bytes = 0;
    switch (n % 4) {
    case 0:
        return cuPointerGetAttribute(&value, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, thread << 40 | n);
    case 1:
        return cuDeviceGetAttribute(&value, (int)n, (CUdevice)thread);
    case 2:
        return cuGetErrorName((CUresult)n, &name);
    default:
        return cuMemGetInfo_v2(&free_bytes, &total_bytes);
    }
}

static void read_address_zero(void *user_data)
{
    *(volatile int *)user_data;
}

static void end_process(struct progress *progress, uint64_t n)
{
    if (strcmp(mode, "abort") == 0) {
        abort();
    } else if (strcmp(mode, "_exit") == 0) {
        _exit(7);
    } else if (strcmp(mode, "exit") == 0) {
        exit(7);
    } else if (strcmp(mode, "segv-driver") == 0) {
        publish(progress, n, 4, 16);
        complete(progress, n, cuDriverGetVersion((int *)16));
    } else if (strcmp(mode, "segv-callback") == 0) {
        cuCtxSetCurrent(context);
        publish(progress, n, 5, n);
        complete(progress, n, cuLaunchHostFunc(NULL, read_address_zero, NULL));
        cuCtxSynchronize();
    }
    /* Only the segv modes come here, and only if the driver did not crash: cuLaunchHostFunc refuses without a GPU. */
    fprintf(stderr, "counting: the driver did not crash\n");
    _exit(4);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct progress *progress = worker->progress;
    atomic_store(&progress->thread_id, (uint32_t)gettid());
    pthread_barrier_wait(&all_running);
    if (worker->index == 0) {
        atomic_store(&header->running, 1);
    }
    int ends_process = worker->index == 0 && strcmp(mode, "run") != 0 && strcmp(mode, "return") != 0;
    int stops = ends_process || strcmp(mode, "return") == 0;
    for (uint64_t n = 1; !stops || n <= calls; n++) {
        publish(progress, n, n % 4, n);
        complete(progress, n, make_call(worker->index, n));
    }
    if (ends_process) {
        end_process(progress, calls + 1);
    }
    return NULL;
}

static char *map_file(const char *path, size_t bytes)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, 0) != 0 || ftruncate(fd, (off_t)bytes) != 0) {
        perror(path);
        exit(2);
    }
    char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        perror(path);
        exit(2);
    }
    close(fd);
    return base;
}

static int known_mode(void)
{
    static const char *const modes[] = {"run", "return", "abort", "segv-driver", "segv-callback", "_exit", "exit"};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(mode, modes[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    long threads = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    mode = argc > 3 ? argv[3] : "";
    calls = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
    if (threads < 1 || threads > MAX_THREADS || !known_mode() || (calls == 0 && strcmp(mode, "run") != 0)) {
        fprintf(stderr, "usage: counting FILE THREADS run|return|abort|segv-driver|segv-callback|_exit|exit [CALLS]\n");
        return 2;
    }
    char *base = map_file(argv[1], (size_t)(threads + 1) * SLOT_BYTES);
    header = (struct file_header *)base;
    header->version = 1;
    header->threads = (uint32_t)threads;
    header->process_id = (uint32_t)getpid();
    memcpy(header->magic, "COUNTING", 8);

    open_driver();
    CUdevice device = 0;
    start_device(&device, &context);
    pthread_barrier_init(&all_running, NULL, (unsigned int)threads);
    static struct worker workers[MAX_THREADS];
    for (long t = 0; t < threads; t++) {
        workers[t].index = (uint64_t)t;
        workers[t].progress = (struct progress *)(base + (t + 1) * SLOT_BYTES);
        if (pthread_create(&workers[t].thread, NULL, work, &workers[t]) != 0) {
            fprintf(stderr, "counting: no thread %ld\n", t);
            return 2;
        }
    }
    uint64_t completed = 0;
    for (long t = 0; t < threads; t++) {
        pthread_join(workers[t].thread, NULL);
        completed += atomic_load(&workers[t].progress->completed);
    }
    printf("threads %ld, completed calls %llu\n", threads, (unsigned long long)completed);
    return 0;
}
