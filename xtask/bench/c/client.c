/* Measures calls through a library that stands before the driver, and prints one sample a line: NAME NUMBER.
 *
 * Usage: client LIBRARY DRIVER burst REPEATS CALLS        nanoseconds a call: floor, bare and wrapped, for each kind
 *        client LIBRARY DRIVER arguments REPEATS CALLS         the same for a launch of a kernel whose arguments can be known
 *        client LIBRARY DRIVER threads REPEATS CALLS THREADS   nanoseconds of CPU time a call, alone and with others
 *        client LIBRARY DRIVER sustained MIX THREADS CALLS     nanoseconds from first call to last, all threads
 *        client LIBRARY DRIVER stream CALLS                    makes CALLS calls like a PyTorch training loop
 *        client LIBRARY DRIVER known CALLS                     makes CALLS calls on objects that the driver has answered before
 *
 * LIBRARY and DRIVER are paths; a call is bare when it goes straight to DRIVER. All modes print `calls N`: the calls made through LIBRARY.
 */
#define _GNU_SOURCE
#include "calls.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

typedef struct functions {
#define POINTER(name, parameters) int(*name) parameters;
    BENCH_CALLS(POINTER)
#undef POINTER
} functions;

static functions wrapped, bare;
static uint64_t calls_made;

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "client: %s: %s\n", what, why);
    exit(2);
}

static functions open_library(const char *path)
{
    functions found;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        fail(path, dlerror());
#define RESOLVE(name, parameters)                          \
    *(void **)(&found.name) = dlsym(library, #name);       \
    if (found.name == NULL)                                \
        fail(path, "has no " #name);
    BENCH_CALLS(RESOLVE)
#undef RESOLVE
    return found;
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (*text == 0 || *end != 0 || value == 0)
        fail(text, "expected a number above 0");
    return value;
}

static uint64_t nanoseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* What a loop does. Each makes `calls` calls; the sum of their codes keeps the compiler from leaving any out. */
typedef int loop(const functions *driver, uint64_t calls);

static volatile uint64_t kept_ticks;

static int floor_loop(const functions *driver, uint64_t calls)
{
    (void)driver;
    uint64_t sum = 0;
    for (uint64_t n = 0; n < calls; n++) {
        uint64_t begin = __rdtsc();
        __asm__ volatile("" ::: "memory");
        sum += __rdtsc() - begin;
    }
    kept_ticks = sum;
    return 0;
}

static int scalars3_loop(const functions *driver, uint64_t calls)
{
    int sum = 0;
    for (uint64_t n = 0; n < calls; n++)
        sum += driver->cuMemsetD8_v2(0x7f0000000000 + n * 256, (unsigned char)n, 256);
    return sum;
}

static int scalars11_loop(const functions *driver, uint64_t calls)
{
    int sum = 0;
    void *parameters[4] = {0};
    for (uint64_t n = 0; n < calls; n++)
        sum += driver->cuLaunchKernel((void *)(0x55bb00000000 + n % 37 * 64), (unsigned int)n, 1, 1, 256, 1, 1, 1024, (void *)0x55aa10002000,
                                      parameters, NULL);
    return sum;
}

static int outs_loop(const functions *driver, uint64_t calls)
{
    int sum = 0;
    for (uint64_t n = 0; n < calls; n++) {
        size_t free_bytes, total_bytes;
        sum += driver->cuMemGetInfo_v2(&free_bytes, &total_bytes);
    }
    return sum;
}

static int out1_loop(const functions *driver, uint64_t calls)
{
    int sum = 0;
    for (uint64_t n = 0; n < calls; n++) {
        void *context;
        sum += driver->cuCtxGetCurrent(&context);
    }
    return sum;
}

static int struct_loop(const functions *driver, uint64_t calls)
{
    int sum = 0;
    copy_2d copy = {.from_type = 2, .to_type = 2, .width_bytes = 4096, .height = 16};
    for (uint64_t n = 0; n < calls; n++) {
        copy.to_device = 0x7f0000000000 + n * 4096;
        __asm__ volatile("" ::"r"(&copy) : "memory");
        sum += driver->cuMemcpy2D_v2(&copy);
    }
    return sum;
}

static int config_loop(const functions *driver, uint64_t calls)
{
    int sum = 0;
    void *parameters[4] = {0};
    launch_config config = {.grid = {1, 1, 1}, .block = {256, 1, 1}, .stream = (void *)0x55aa10002000};
    for (uint64_t n = 0; n < calls; n++) {
        config.grid[0] = (unsigned int)n;
        __asm__ volatile("" ::"r"(&config) : "memory");
        sum += driver->cuLaunchKernelEx(&config, (void *)(0x55bb00000000 + n % 37 * 64), parameters, NULL);
    }
    return sum;
}

/* A kernel whose arguments a recorder can know. */
static void *known_kernel(void)
{
    static void *kernel;
    if (kernel == NULL) {
        if (wrapped.cuModuleGetFunction(&kernel, NULL, "kernel") != 0)
            fail("cuModuleGetFunction", "returned an error");
        calls_made++;
    }
    return kernel;
}

static int arguments_loop(const functions *driver, uint64_t calls)
{
    int sum = 0;
    void *kernel = known_kernel();
    uint64_t from = 0x7f0000000000, to = 0x7f1000000000;
    unsigned int count = 1;
    float factor = 0.5f;
    void *parameters[] = {&from, &to, &count, &factor};
    for (uint64_t n = 0; n < calls; n++) {
        from += 256;
        count = (unsigned int)n;
        __asm__ volatile("" ::"r"(parameters) : "memory");
        sum += driver->cuLaunchKernel(kernel, (unsigned int)n, 1, 1, 256, 1, 1, 1024, (void *)0x55aa10002000, parameters, NULL);
    }
    return sum;
}

/* Calls that training and inference loops make, of all shapes that the other loops have, in turn. */
static int mix_loop(const functions *driver, uint64_t calls)
{
    int sum = 0;
    void *parameters[4] = {0};
    for (uint64_t n = 0; n < calls; n++) {
        void *context;
        switch (n % 4) {
        case 0:
            sum += driver->cuCtxGetCurrent(&context);
            break;
        case 1:
            sum += driver->cuLaunchKernel((void *)(0x55bb00000000 + n % 37 * 64), (unsigned int)n, 1, 1, 256, 1, 1, 1024,
                                          (void *)0x55aa10002000, parameters, NULL);
            break;
        case 2:
            sum += driver->cuMemsetD8_v2(0x7f0000000000 + n * 256, (unsigned char)n, 256);
            break;
        default:
            sum += driver->cuStreamQuery((void *)0x55aa10002000);
        }
    }
    return sum;
}

static const struct kind {
    const char *name;
    loop *loop;
} kinds[] = {
    {"scalars3", scalars3_loop}, {"scalars11", scalars11_loop}, {"out1", out1_loop},
    {"outs2", outs_loop},        {"struct128", struct_loop},    {"struct56", config_loop},
};

/* Nanoseconds that a call takes: of the thread's CPU time, which other programs on the machine disturb least, and of the wall clock,
 * which has waiting in it, too. */
struct cost {
    double cpu_ns, wall_ns;
};

static struct cost time_loop(loop *loop, const functions *driver, uint64_t calls)
{
    uint64_t wall = nanoseconds(CLOCK_MONOTONIC), cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    int sum = loop(driver, calls);
    cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
    wall = nanoseconds(CLOCK_MONOTONIC) - wall;
    if (sum != 0)
        fail("the driver", "returned an error, expected 0 from every call");
    return (struct cost){(double)cpu / (double)calls, (double)wall / (double)calls};
}

static struct cost time_wrapped(loop *loop, uint64_t calls)
{
    __atomic_fetch_add(&calls_made, calls, __ATOMIC_RELAXED);
    return time_loop(loop, &wrapped, calls);
}

static void print_cost(const char *kind, const char *way, struct cost cost)
{
    printf("%s.%s.cpu %.3f\n%s.%s.wall %.3f\n", kind, way, cost.cpu_ns, kind, way, cost.wall_ns);
}

/* Between bursts a recorder catches up, as it does between a program's. */
static void catch_up(void)
{
    usleep(30000);
}

/* As many calls as make a recorder give the thread all the memory that it will. */
static void warm_up(void)
{
    for (int n = 0; n < 4; n++) {
        time_wrapped(scalars11_loop, 100000);
        catch_up();
    }
}

static void time_kind(const struct kind *kind, uint64_t calls)
{
    print_cost(kind->name, "floor", time_loop(floor_loop, &bare, calls));
    print_cost(kind->name, "bare", time_loop(kind->loop, &bare, calls));
    print_cost(kind->name, "wrapped", time_wrapped(kind->loop, calls));
    catch_up();
}

static void burst(uint64_t repeats, uint64_t calls)
{
    warm_up();
    for (uint64_t n = 0; n < repeats; n++)
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            time_kind(&kinds[k], calls);
}

static void arguments(uint64_t repeats, uint64_t calls)
{
    static const struct kind launch = {"arguments4", arguments_loop};
    known_kernel();
    warm_up();
    for (uint64_t n = 0; n < repeats; n++)
        time_kind(&launch, calls);
}

/* A thread that does as it is told between two barriers. */
struct worker {
    pthread_t thread;
    pthread_barrier_t *start;
    loop *loop;
    uint64_t calls;
    int is_wrapped;
    double ns;
};

static void *work(void *argument)
{
    struct worker *worker = argument;
    if (worker->is_wrapped)
        time_wrapped(worker->loop, 1000);
    pthread_barrier_wait(worker->start);
    struct cost cost = worker->is_wrapped ? time_wrapped(worker->loop, worker->calls) : time_loop(worker->loop, &bare, worker->calls);
    worker->ns = cost.cpu_ns;
    return NULL;
}

/* The mean of the threads' CPU times a call. */
static double with_threads(loop *loop, int is_wrapped, uint64_t threads, uint64_t calls)
{
    struct worker workers[64];
    pthread_barrier_t start;
    if (threads > 64)
        fail("threads", "expected at most 64");
    pthread_barrier_init(&start, NULL, (unsigned int)threads);
    for (uint64_t t = 0; t < threads; t++) {
        workers[t] = (struct worker){.start = &start, .loop = loop, .calls = calls, .is_wrapped = is_wrapped};
        if (pthread_create(&workers[t].thread, NULL, work, &workers[t]) != 0)
            fail("pthread_create", "no thread");
    }
    double sum = 0;
    for (uint64_t t = 0; t < threads; t++) {
        pthread_join(workers[t].thread, NULL);
        sum += workers[t].ns;
    }
    pthread_barrier_destroy(&start);
    return sum / (double)threads;
}

static void threads_mode(uint64_t repeats, uint64_t calls, uint64_t threads)
{
    /* Rings of ended threads go to new ones: after these, every thread gets one that has its final size. */
    for (int n = 0; n < 3; n++) {
        with_threads(scalars11_loop, 1, threads, 200000);
        catch_up();
    }
    for (uint64_t n = 0; n < repeats; n++) {
        printf("floor.alone %.3f\n", with_threads(floor_loop, 0, 1, calls));
        printf("floor.together %.3f\n", with_threads(floor_loop, 0, threads, calls));
        printf("wrapped.alone %.3f\n", with_threads(scalars3_loop, 1, 1, calls));
        catch_up();
        printf("wrapped.together %.3f\n", with_threads(scalars3_loop, 1, threads, calls));
        catch_up();
        catch_up();
    }
}

static void sustained(const char *mix, uint64_t threads, uint64_t calls)
{
    loop *loop = strcmp(mix, "mix") == 0 ? mix_loop : scalars3_loop;
    with_threads(loop, 1, threads, 200000);
    catch_up();
    uint64_t begin = nanoseconds(CLOCK_MONOTONIC), cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
    double caller_ns = with_threads(loop, 1, threads, calls);
    uint64_t end = nanoseconds(CLOCK_MONOTONIC);
    double process_ns = (double)(nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)(threads * calls);
    printf("wall_ns %.3f\nrecorder_ns %.3f\nrate_calls %lu\n", (double)(end - begin), process_ns - caller_ns, threads * (calls + 1000));
}

static uint64_t chance_state = 1;

static uint64_t chance(uint64_t limit)
{
    uint64_t mixed = chance_state += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return (mixed ^ (mixed >> 31)) % limit;
}

/* What the program does between two calls takes a while, and now and then much longer. */
static void compute(void)
{
    uint64_t until = __rdtsc() + 500 + chance(1500) + chance(1500) + (chance(50) == 0 ? chance(30000) : 0);
    while (__rdtsc() < until)
        ;
}

/* One layer of a model: about ten calls, kernels with their own grids and parameters. */
static uint64_t layer(uint64_t n)
{
    static void *const stream = (void *)0x55aa10002000;
    void *context, *parameters[8] = {0};
    int capturing;
    uint64_t made = 0, pointer;
#define CALL(call) (compute(), wrapped.call, made++)
    CALL(cuCtxGetCurrent(&context));
    CALL(cuCtxGetCurrent(&context));
    for (uint64_t k = 0; k < 3; k++) {
        uint64_t kernel = (n * 3 + k) % 37;
        void *function = (void *)(0x55bb00000000 + kernel * 0x1c0);
        unsigned int grid = 1 + (unsigned int)(kernel * 7919 % 512), block = 128u << kernel % 3;
        if (kernel % 4 == 0) {
            launch_config config = {.grid = {grid, 1, 1}, .block = {block, 1, 1}, .stream = stream};
            CALL(cuLaunchKernelEx(&config, function, parameters, NULL));
        } else {
            CALL(cuLaunchKernel(function, grid, 1, 1, block, 1, 1, (unsigned int)(kernel % 3) * 1024, stream, parameters + kernel % 5, NULL));
        }
        if (k == 0)
            CALL(cuStreamIsCapturing(stream, &capturing));
    }
    if (n % 3 == 0) {
        static uint64_t device_pointer = 0x7f5540000000;
        device_pointer += 512 * (1 + chance(64));
        CALL(cuMemcpyHtoDAsync_v2(device_pointer, (void *)(0x7f5500000000 + n * 4096 % (1 << 24)), 4096, stream));
    }
    CALL(cuEventRecord((void *)(0x55cc0000 + n % 16 * 0x80), stream));
    CALL(cuStreamQuery(stream));
    if (n % 16 == 0)
        CALL(cuMemAlloc_v2(&pointer, 2 << 20));
#undef CALL
    return made;
}

static void stream_mode(uint64_t calls)
{
    for (uint64_t n = 0; calls_made < calls; n++)
        calls_made += layer(n);
    /* A recorder may take a second to write what it has. */
    sleep(3);
}

/* For replays, which pass on no handle and no device pointer that they have not seen answered. */
static void known_mode(uint64_t calls)
{
    static char data[4096];
    uint64_t pointer = 0;
    wrapped.cuInit(0);
    wrapped.cuMemAlloc_v2(&pointer, 1 << 20);
    calls_made = 2;
    for (uint64_t n = 0; calls_made < calls; n++) {
        size_t free_bytes, total_bytes;
        void *context;
        int capturing;
        uint64_t place = pointer + n % 256 * 4096;
        wrapped.cuMemsetD8_v2(place, (unsigned char)n, 4096);
        wrapped.cuMemcpyHtoDAsync_v2(place, data, sizeof data, NULL);
        wrapped.cuCtxGetCurrent(&context);
        wrapped.cuStreamIsCapturing(NULL, &capturing);
        wrapped.cuStreamQuery(NULL);
        if (n % 16 == 0) {
            wrapped.cuMemGetInfo_v2(&free_bytes, &total_bytes);
            calls_made++;
        }
        calls_made += 5;
    }
}

int main(int count, char **words)
{
    if (count < 5)
        fail("arguments", "expected LIBRARY DRIVER MODE and the mode's numbers");
    wrapped = open_library(words[1]);
    bare = open_library(words[2]);
    const char *mode = words[3];
    if (strcmp(mode, "burst") == 0 && count == 6)
        burst(number(words[4]), number(words[5]));
    else if (strcmp(mode, "arguments") == 0 && count == 6)
        arguments(number(words[4]), number(words[5]));
    else if (strcmp(mode, "threads") == 0 && count == 7)
        threads_mode(number(words[4]), number(words[5]), number(words[6]));
    else if (strcmp(mode, "sustained") == 0 && count == 7)
        sustained(words[4], number(words[5]), number(words[6]));
    else if (strcmp(mode, "stream") == 0 && count == 5)
        stream_mode(number(words[4]));
    else if (strcmp(mode, "known") == 0 && count == 5)
        known_mode(number(words[4]));
    else
        fail(mode, "expected burst, arguments, threads, sustained, stream or known, with its numbers");
    printf("calls %lu\n", calls_made);
    return 0;
}
