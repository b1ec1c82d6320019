/* The part of the CUDA driver API that the test clients use, declared by hand so that no CUDA header is needed.
 *
 * A client includes this file, calls open_driver() once, and then calls cuInit(0) and the others as if it were linked to them: each name
 * is a function pointer that open_driver() fills with dlsym, as libcudart and most applications do.
 *
 * What a client prints is the same in every run on the same driver: no address, process id, time or size of memory in use. So the
 * output with and without cutape can be compared byte by byte.
 */
#ifndef CUTAPE_TEST_DRIVER_H
#define CUTAPE_TEST_DRIVER_H

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int CUresult;
typedef int CUdevice;
typedef uint64_t CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUstream_st *CUstream;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUuuid_st {
    unsigned char bytes[16];
} CUuuid;
typedef struct CUmemAllocationProp_st {
    int type;                 /* 1: pinned, on the device */
    int requested_handle_types;
    struct {
        int type;             /* 1: device */
        int id;
    } location;
    void *win32_handle_meta_data;
    struct {
        unsigned char compression_type;
        unsigned char gpu_direct_rdma_capable;
        unsigned short usage;
        unsigned char reserved[4];
    } alloc_flags;
} CUmemAllocationProp;
typedef void (*CUhostFn)(void *user_data);
typedef void (*CUstreamCallback)(CUstream stream, CUresult status, void *user_data);
typedef size_t (*CUoccupancyB2DSize)(int block_size);

enum {
    CUDA_SUCCESS = 0,
    CU_POINTER_ATTRIBUTE_MEMORY_TYPE = 2,
    CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING = 41,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
    CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH = 95,
    CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED = 102,
};

/* name, parameters */
#define DRIVER_FUNCTIONS(F)                                                                                                     \
    F(cuInit, (unsigned int flags))                                                                                             \
    F(cuDriverGetVersion, (int *version))                                                                                       \
    F(cuGetErrorName, (CUresult error, const char **name))                                                                      \
    F(cuGetErrorString, (CUresult error, const char **text))                                                                    \
    F(cuDeviceGetCount, (int *count))                                                                                           \
    F(cuDeviceGet, (CUdevice * device, int ordinal))                                                                            \
    F(cuDeviceGetName, (char *name, int len, CUdevice device))                                                                  \
    F(cuDeviceGetUuid_v2, (CUuuid * uuid, CUdevice device))                                                                     \
    F(cuDeviceGetPCIBusId, (char *id, int len, CUdevice device))                                                                \
    F(cuDeviceTotalMem_v2, (size_t *bytes, CUdevice device))                                                                    \
    F(cuDeviceGetAttribute, (int *value, int attribute, CUdevice device))                                                       \
    F(cuDevicePrimaryCtxRetain, (CUcontext * context, CUdevice device))                                                         \
    F(cuDevicePrimaryCtxRelease_v2, (CUdevice device))                                                                          \
    F(cuCtxGetCurrent, (CUcontext * context))                                                                                   \
    F(cuCtxSetCurrent, (CUcontext context))                                                                                     \
    F(cuCtxGetDevice, (CUdevice * device))                                                                                      \
    F(cuCtxSynchronize, (void))                                                                                                 \
    F(cuMemGetInfo_v2, (size_t *free_bytes, size_t *total_bytes))                                                               \
    F(cuMemGetAllocationGranularity, (size_t *granularity, const CUmemAllocationProp *prop, int option))                        \
    F(cuMemAlloc_v2, (CUdeviceptr * pointer, size_t bytes))                                                                     \
    F(cuMemFree_v2, (CUdeviceptr pointer))                                                                                      \
    F(cuMemcpyHtoD_v2, (CUdeviceptr to, const void *from, size_t bytes))                                                        \
    F(cuMemcpyDtoH_v2, (void *to, CUdeviceptr from, size_t bytes))                                                              \
    F(cuPointerGetAttribute, (void *data, int attribute, CUdeviceptr pointer))                                                  \
    F(cuModuleLoadData, (CUmodule * module, const void *image))                                                                 \
    F(cuModuleGetFunction, (CUfunction * function, CUmodule module, const char *name))                                          \
    F(cuModuleUnload, (CUmodule module))                                                                                        \
    F(cuStreamCreate, (CUstream * stream, unsigned int flags))                                                                  \
    F(cuStreamSynchronize, (CUstream stream))                                                                                   \
    F(cuStreamDestroy_v2, (CUstream stream))                                                                                    \
    F(cuStreamAddCallback, (CUstream stream, CUstreamCallback callback, void *user_data, unsigned int flags))                   \
    F(cuLaunchHostFunc, (CUstream stream, CUhostFn function, void *user_data))                                                  \
    F(cuOccupancyMaxPotentialBlockSize, (int *min_grid_size, int *block_size, CUfunction function, CUoccupancyB2DSize shared,   \
                                         size_t dynamic_shared, int block_size_limit))

#define DRIVER_POINTER(name, parameters) static CUresult(*name) parameters __attribute__((unused));
DRIVER_FUNCTIONS(DRIVER_POINTER)
#undef DRIVER_POINTER

/* dlopens libcuda.so.1 and fills every pointer above. Ends the program with code 3 and one line on stdout when there is no such library
 * or when it lacks one of the functions. */
__attribute__((unused)) static void *open_driver(void)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        printf("driver: none: %s\n", dlerror());
        exit(3);
    }
    int missing = 0;
#define DRIVER_RESOLVE(name, parameters)                           \
    /* POSIX says that dlsym's answer may be read as a function pointer; ISO C does not. */ \
    *(void **)(&name) = dlsym(library, #name);                     \
    if (name == NULL) {                                            \
        printf("driver: no %s\n", #name);                          \
        missing++;                                                 \
    }
    DRIVER_FUNCTIONS(DRIVER_RESOLVE)
#undef DRIVER_RESOLVE
    if (missing != 0) {
        exit(3);
    }
    return library;
}

/* cuInit, the first device, its primary context retained and current. Returns the first code that is not 0. */
__attribute__((unused)) static CUresult start_device(CUdevice *device, CUcontext *context)
{
    CUresult result = cuInit(0);
    if (result == CUDA_SUCCESS) {
        result = cuDeviceGet(device, 0);
    }
    if (result == CUDA_SUCCESS) {
        result = cuDevicePrimaryCtxRetain(context, *device);
    }
    if (result == CUDA_SUCCESS) {
        result = cuCtxSetCurrent(*context);
    }
    return result;
}

/* How often each code came back; codes above 1023 share the last place. */
typedef struct histogram {
    unsigned long count[1024];
} histogram;

__attribute__((unused)) static void histogram_add(histogram *codes, CUresult code)
{
    unsigned int place = (unsigned int)code;
    codes->count[place < 1023 ? place : 1023]++;
}

/* "0 x 120, 101 x 8" */
__attribute__((unused)) static void histogram_print(const histogram *codes)
{
    const char *separator = "";
    for (int code = 0; code < 1024; code++) {
        if (codes->count[code] != 0) {
            printf("%s%d x %lu", separator, code, codes->count[code]);
            separator = ", ";
        }
    }
    printf("\n");
}

#endif
