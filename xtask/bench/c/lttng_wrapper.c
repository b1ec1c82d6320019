/* A driver library as one would write it with LTTng-UST: every call is an event on its way in and one on its way out. DRIVER_PATH is the
 * library that it stands before. */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "lttng_provider.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#define POINTER(name, parameters) static int(*real_##name) parameters;
BENCH_CALLS(POINTER)
#undef POINTER

__attribute__((constructor)) static void find_driver(void)
{
    void *driver = dlopen(DRIVER_PATH, RTLD_NOW | RTLD_LOCAL);
    if (driver == NULL) {
        fprintf(stderr, "lttng wrapper: %s\n", dlerror());
        exit(2);
    }
#define RESOLVE(name, parameters) *(void **)(&real_##name) = dlsym(driver, #name);
    BENCH_CALLS(RESOLVE)
#undef RESOLVE
}

#define ENTER(...) lttng_ust_tracepoint(cutape_bench, __VA_ARGS__)
#define LEAVE(...) lttng_ust_tracepoint(cutape_bench, __VA_ARGS__)

int cuMemsetD8_v2(uint64_t to, unsigned char value, size_t count)
{
    ENTER(memset_enter, to, value, count);
    int result = real_cuMemsetD8_v2(to, value, count);
    LEAVE(leave, result);
    return result;
}

int cuLaunchKernel(void *function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z, unsigned int block_x,
                   unsigned int block_y, unsigned int block_z, unsigned int shared_bytes, void *stream, void **parameters, void **extra)
{
    struct launch launch = {(uint64_t)function,       (uint64_t)stream,           (uint64_t)parameters, (uint64_t)extra,
                            {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared_bytes};
    ENTER(launch_enter, &launch);
    int result = real_cuLaunchKernel(function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, stream, parameters, extra);
    LEAVE(leave, result);
    return result;
}

int cuLaunchKernelEx(const launch_config *config, void *function, void **parameters, void **extra)
{
    ENTER(launch_ex_enter, config, function, parameters, extra);
    int result = real_cuLaunchKernelEx(config, function, parameters, extra);
    LEAVE(leave, result);
    return result;
}

int cuMemGetInfo_v2(size_t *free_bytes, size_t *total_bytes)
{
    ENTER(pointers_enter, 1, free_bytes, total_bytes);
    int result = real_cuMemGetInfo_v2(free_bytes, total_bytes);
    LEAVE(leave_two, result, *free_bytes, *total_bytes);
    return result;
}

int cuMemcpy2D_v2(const copy_2d *copy)
{
    ENTER(copy_2d_enter, copy);
    int result = real_cuMemcpy2D_v2(copy);
    LEAVE(leave, result);
    return result;
}

int cuCtxGetCurrent(void **context)
{
    ENTER(pointers_enter, 2, context, NULL);
    int result = real_cuCtxGetCurrent(context);
    LEAVE(leave_one, result, (uint64_t)*context);
    return result;
}

/* Not timed: no events. */
int cuInit(unsigned int flags)
{
    return real_cuInit(flags);
}

int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *stream)
{
    return real_cuMemcpyHtoDAsync_v2(to, from, bytes, stream);
}

int cuStreamIsCapturing(void *stream, int *status)
{
    return real_cuStreamIsCapturing(stream, status);
}

int cuStreamQuery(void *stream)
{
    return real_cuStreamQuery(stream);
}

int cuEventRecord(void *event, void *stream)
{
    return real_cuEventRecord(event, stream);
}

int cuModuleGetFunction(void **function, void *module, const char *name)
{
    return real_cuModuleGetFunction(function, module, name);
}

int cuMemAlloc_v2(uint64_t *pointer, size_t bytes)
{
    return real_cuMemAlloc_v2(pointer, bytes);
}
