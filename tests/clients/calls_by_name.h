/* Calls of functions that driver.h doesn't declare: each is found by its name, made, and its code printed.
 *
 * A client sets `library` to what open_driver() returns.
 */
#ifndef CUTAPE_TEST_CALLS_BY_NAME_H
#define CUTAPE_TEST_CALLS_BY_NAME_H

#include "driver.h"

/* CUDA_MEMCPY2D of cuda.h. */
typedef struct {
    size_t src_x, src_y;
    int src_type;
    const void *src_host;
    CUdeviceptr src_device;
    void *src_array;
    size_t src_pitch, dst_x, dst_y;
    int dst_type;
    void *dst_host;
    CUdeviceptr dst_device;
    void *dst_array;
    size_t dst_pitch, width, height;
} copy_2d;

static void *library;

static void *find(const char *name)
{
    void *function = dlsym(library, name);
    if (function == NULL) {
        printf("%s: missing\n", name);
        exit(3);
    }
    return function;
}

#define CALL(name, parameters, ...)                                                  \
    do {                                                                             \
        CUresult(*call) parameters;                                                  \
        *(void **)(&call) = find(#name);                                             \
        printf("%s: %d\n", #name, (int)call(__VA_ARGS__));                           \
    } while (0)

/* Parameters of cuLaunchKernel. */
#define LAUNCH (void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **)

#endif
