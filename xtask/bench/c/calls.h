/* The driver functions that the benchmark calls, declared by hand so that no CUDA header is needed. X(result, name, parameters). */
#ifndef CUTAPE_BENCH_CALLS_H
#define CUTAPE_BENCH_CALLS_H

#include <stddef.h>
#include <stdint.h>

/* Two-dimensional copy; 128 bytes, as cuda.h has it. */
typedef struct copy_2d {
    size_t from_x_bytes, from_y;
    int from_type;
    const void *from_host;
    uint64_t from_device;
    void *from_array;
    size_t from_pitch;
    size_t to_x_bytes, to_y;
    int to_type;
    void *to_host;
    uint64_t to_device;
    void *to_array;
    size_t to_pitch;
    size_t width_bytes, height;
} copy_2d;

/* Launch configuration; 56 bytes, as cuda.h has it. */
typedef struct launch_config {
    unsigned int grid[3];
    unsigned int block[3];
    unsigned int shared_bytes;
    void *stream;
    void *attributes;
    unsigned int attribute_count;
} launch_config;

#define BENCH_CALLS(X)                                                                                                          \
    X(cuInit, (unsigned int flags))                                                                                             \
    X(cuMemsetD8_v2, (uint64_t to, unsigned char value, size_t count))                                                          \
    X(cuLaunchKernel, (void *function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z, unsigned int block_x,     \
                       unsigned int block_y, unsigned int block_z, unsigned int shared_bytes, void *stream, void **parameters, \
                       void **extra))                                                                                           \
    X(cuLaunchKernelEx, (const launch_config *config, void *function, void **parameters, void **extra))                         \
    X(cuMemGetInfo_v2, (size_t * free_bytes, size_t * total_bytes))                                                             \
    X(cuMemcpy2D_v2, (const copy_2d *copy))                                                                                     \
    X(cuMemcpyHtoDAsync_v2, (uint64_t to, const void *from, size_t bytes, void *stream))                                        \
    X(cuCtxGetCurrent, (void **context))                                                                                        \
    X(cuStreamIsCapturing, (void *stream, int *status))                                                                         \
    X(cuStreamQuery, (void *stream))                                                                                            \
    X(cuEventRecord, (void *event, void *stream))                                                                               \
    X(cuModuleGetFunction, (void **function, void *module, const char *name))                                                   \
    X(cuMemAlloc_v2, (uint64_t * pointer, size_t bytes))

#endif
