/* A driver that does nothing: what remains when a call goes through it is the cost of the call, and of whatever stands before it.
 *
 * Compiled with -DWORKING each call takes a while instead, as a real driver's does, and out-parameters get changing values: for
 * recordings whose size on disk means something.
 */
#include "calls.h"

#ifdef WORKING
#include <x86intrin.h>

static __thread uint64_t chance_state;

/* SplitMix64. */
static uint64_t chance(void)
{
    uint64_t mixed = chance_state += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
}

/* Latencies have a floor and a long tail. */
static void work(uint64_t ticks)
{
    uint64_t tail = chance() % 50 == 0 ? chance() % (20 * ticks) : 0;
    uint64_t until = __rdtsc() + ticks / 2 + chance() % ticks + tail;
    while (__rdtsc() < until)
        ;
}
#define WORK(ticks) work(ticks)
#else
#define WORK(ticks) ((void)0)
#endif

/* Unused parameters are what a driver that does nothing has. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

int cuInit(unsigned int flags)
{
    return 0;
}

int cuMemsetD8_v2(uint64_t to, unsigned char value, size_t count)
{
    WORK(3000);
    return 0;
}

int cuLaunchKernel(void *function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z, unsigned int block_x,
                   unsigned int block_y, unsigned int block_z, unsigned int shared_bytes, void *stream, void **parameters, void **extra)
{
    WORK(5000);
    return 0;
}

int cuLaunchKernelEx(const launch_config *config, void *function, void **parameters, void **extra)
{
    WORK(5000);
    return 0;
}

int cuMemGetInfo_v2(size_t *free_bytes, size_t *total_bytes)
{
    *free_bytes = 78;
    *total_bytes = 80;
    WORK(20000);
    return 0;
}

int cuMemcpy2D_v2(const copy_2d *copy)
{
    WORK(5000);
    return 0;
}

int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *stream)
{
    WORK(8000);
    return 0;
}

int cuCtxGetCurrent(void **context)
{
    WORK(300);
    *context = (void *)0x55aa10001000;
    return 0;
}

int cuStreamIsCapturing(void *stream, int *status)
{
    WORK(300);
    *status = 0;
    return 0;
}

int cuStreamQuery(void *stream)
{
    WORK(600);
#ifdef WORKING
    return chance() % 3 == 0 ? 0 : 600; /* CUDA_ERROR_NOT_READY */
#else
    return 0;
#endif
}

int cuEventRecord(void *event, void *stream)
{
    WORK(1500);
    return 0;
}

int cuModuleGetFunction(void **function, void *module, const char *name)
{
    *function = (void *)0x55bd00000000;
    return 0;
}

/* Its kernels have four parameters: two addresses, a count and a factor. */
int cuFuncGetParamInfo(void *function, size_t index, size_t *offset, size_t *size)
{
    static const size_t offsets[] = {0, 8, 16, 20}, sizes[] = {8, 8, 4, 4};
    if (index >= sizeof offsets / sizeof *offsets)
        return 1; /* CUDA_ERROR_INVALID_VALUE */
    *offset = offsets[index];
    *size = sizes[index];
    return 0;
}

int cuMemAlloc_v2(uint64_t *pointer, size_t bytes)
{
    static uint64_t next = 0x7f5580000000;
    WORK(50000);
    *pointer = next += bytes;
    return 0;
}
