/* Conformance client: makes calls with good and bad arguments and prints what came back, one line a call: codes, and values that are
 * the same on every run (no addresses, no times). Run it on two drivers and compare.
 *
 *   conformance [LIBRARY [SECTION]]
 *
 * LIBRARY is what is given to dlopen (libcuda.so.1). SECTION:
 *   no-device   what a driver library answers on a machine without a GPU: before cuInit, after cuInit has failed, and look-ups.
 *   device      everything else: needs a GPU, or the simulated one. (default)
 *
 * No headers are needed: all functions are called through pointers without prototypes, so each argument has the width that the
 * driver expects: (size_t) and pointers for 64 bits, plain numbers for 32.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*function)();
typedef unsigned long long u64;

static void *library;

static function find(const char *name)
{
    function found;
    *(void **)&found = dlsym(library, name);
    if (!found) {
        printf("%s is absent\n", name);
        exit(2);
    }
    return found;
}

/* Calls and prints the code. */
#define CALL(name, ...) printf("%s(%s) = %d\n", #name, #__VA_ARGS__, find(#name)(__VA_ARGS__))
/* Calls, and prints the code and a number that the call wrote. */
#define SHOW(value, name, ...)                                                          \
    do {                                                                                \
        int code_ = find(#name)(__VA_ARGS__);                                           \
        printf("%s(%s) = %d, %s %lld\n", #name, #__VA_ARGS__, code_, #value, (long long)(value)); \
    } while (0)
/* Calls something that only prepares what follows. */
#define MUST(name, ...)                                                       \
    do {                                                                      \
        int code_ = find(#name)(__VA_ARGS__);                                 \
        if (code_) printf("%s(%s) = %d, but it had to work\n", #name, #__VA_ARGS__, code_); \
    } while (0)

#define SIZE(n) ((size_t)(n))

static void *const NOWHERE = (void *)0x123450;

/* ---------------------------------------------------------------- without a device */

static void refused_calls(void)
{
    char text[64] = "";
    unsigned char bytes[64];
    int number = 7, other = 7;
    size_t size = 7, size2 = 7;
    u64 pointer = 7, handle = 7;
    unsigned flags = 7;
    void *host = &number;

    CALL(cuDeviceGetCount, &number);
    CALL(cuDeviceGetCount, NULL);
    CALL(cuDeviceGet, &number, 0);
    CALL(cuDeviceGet, NULL, 0);
    CALL(cuDeviceGetName, text, 64, 0);
    CALL(cuDeviceGetName, NULL, 64, 0);
    CALL(cuDeviceGetUuid, bytes, 0);
    CALL(cuDeviceGetUuid_v2, bytes, 0);
    SHOW(size, cuDeviceTotalMem_v2, &size, 0);
    CALL(cuDeviceGetAttribute, &number, 75, 0);
    CALL(cuDeviceGetAttribute, NULL, 75, 0);
    CALL(cuDeviceGetPCIBusId, text, 64, 0);
    CALL(cuDeviceGetByPCIBusId, &number, "0000:01:00.0");
    CALL(cuDeviceComputeCapability, &number, &other, 0);
    CALL(cuDeviceGetProperties, bytes, 0);
    CALL(cuDeviceGetDefaultMemPool, &handle, 0);
    CALL(cuDeviceCanAccessPeer, &number, 0, 1);
    CALL(cuDevicePrimaryCtxRetain, &handle, 0);
    CALL(cuDevicePrimaryCtxRelease_v2, 0);
    CALL(cuDevicePrimaryCtxReset_v2, 0);
    CALL(cuDevicePrimaryCtxSetFlags_v2, 0, 0);
    CALL(cuDevicePrimaryCtxGetState, 0, &flags, &number);
    CALL(cuDevicePrimaryCtxGetState, 0, NULL, NULL);
    CALL(cuCtxCreate_v2, &handle, 0, 0);
    CALL(cuCtxCreate_v2, NULL, 0, 0);
    CALL(cuCtxCreate_v3, &handle, NULL, 0, 0, 0);
    CALL(cuCtxDestroy_v2, NULL);
    CALL(cuCtxDestroy_v2, NOWHERE);
    CALL(cuCtxSetCurrent, NULL);
    CALL(cuCtxGetCurrent, &handle);
    CALL(cuCtxGetCurrent, NULL);
    CALL(cuCtxPushCurrent_v2, NULL);
    CALL(cuCtxPopCurrent_v2, &handle);
    CALL(cuCtxGetDevice, &number);
    CALL(cuCtxGetFlags, &flags);
    CALL(cuCtxGetFlags, NULL);
    CALL(cuCtxGetId, NULL, &handle);
    CALL(cuCtxGetId, NULL, NULL);
    CALL(cuCtxGetApiVersion, NULL, &flags);
    CALL(cuCtxSynchronize);
    CALL(cuCtxGetLimit, &size, 0);
    CALL(cuCtxSetLimit, 0, SIZE(1024));
    CALL(cuCtxGetStreamPriorityRange, &number, &other);
    CALL(cuCtxEnablePeerAccess, NULL, 0);
    SHOW(size, cuMemGetInfo_v2, &size, &size2);
    CALL(cuMemGetInfo_v2, NULL, NULL);
    SHOW(pointer, cuMemAlloc_v2, &pointer, SIZE(1024));
    CALL(cuMemAlloc_v2, NULL, SIZE(1024));
    pointer = size = 7;
    SHOW(pointer, cuMemAllocPitch_v2, &pointer, &size, SIZE(64), SIZE(4), 4);
    pointer = 7;
    SHOW(pointer, cuMemAllocManaged, &pointer, SIZE(1024), 1);
    pointer = 7;
    SHOW(pointer, cuMemAllocManaged, &pointer, SIZE(1024), 9);
    CALL(cuMemAllocManaged, NULL, SIZE(1024), 1);
    CALL(cuMemFree_v2, (u64)0);
    pointer = size = 7;
    SHOW(size, cuMemGetAddressRange_v2, &pointer, &size, (u64)0x1000);
    CALL(cuMemGetAddressRange_v2, NULL, NULL, (u64)0x1000);
    SHOW(host != NULL, cuMemHostAlloc, &host, SIZE(64), 0);
    host = &number;
    SHOW(host != NULL, cuMemAllocHost_v2, &host, SIZE(64));
    CALL(cuMemFreeHost, NULL);
    CALL(cuMemHostRegister_v2, &number, SIZE(4), 0);
    CALL(cuMemHostUnregister, &number);
    CALL(cuMemHostGetDevicePointer_v2, &pointer, &number, 0);
    CALL(cuMemHostGetFlags, &flags, &number);
    CALL(cuMemHostGetFlags, NULL, &number);
    CALL(cuPointerGetAttribute, &number, 2, (u64)0x1000);
    CALL(cuMemcpy, (u64)0, (u64)0, SIZE(0));
    CALL(cuMemcpyHtoD_v2, (u64)0, NULL, SIZE(4));
    CALL(cuMemcpyDtoH_v2, NULL, (u64)0, SIZE(4));
    CALL(cuMemcpyDtoD_v2, (u64)0, (u64)0, SIZE(4));
    CALL(cuMemcpy2D_v2, NULL);
    CALL(cuMemcpy3D_v2, NULL);
    CALL(cuMemsetD8_v2, (u64)0, 0, SIZE(4));
    CALL(cuMemsetD32_v2, (u64)0, 0, SIZE(4));
    CALL(cuMemGetAllocationGranularity, &size, bytes, 0);
    CALL(cuMemAddressReserve, &pointer, SIZE(2 << 20), SIZE(0), (u64)0, (u64)0);
    CALL(cuMemCreate, &handle, SIZE(2 << 20), bytes, (u64)0);
    CALL(cuMemMap, (u64)0, SIZE(2 << 20), SIZE(0), (u64)0, (u64)0);
    CALL(cuMemUnmap, (u64)0, SIZE(2 << 20));
    CALL(cuMemRelease, (u64)0);
    CALL(cuStreamCreate, &handle, 0);
    CALL(cuStreamCreate, &handle, 99);
    CALL(cuStreamCreate, NULL, 0);
    CALL(cuStreamCreateWithPriority, &handle, 1, -1);
    CALL(cuStreamDestroy_v2, NULL);
    CALL(cuStreamQuery, NULL);
    CALL(cuStreamSynchronize, NULL);
    CALL(cuStreamGetFlags, NULL, &flags);
    CALL(cuStreamGetFlags, NULL, NULL);
    CALL(cuStreamGetPriority, NULL, NULL);
    CALL(cuStreamGetCtx, NULL, NULL);
    CALL(cuStreamGetId, NULL, NULL);
    CALL(cuStreamWaitEvent, NULL, NULL, 0);
    CALL(cuStreamIsCapturing, NULL, NULL);
    CALL(cuLaunchHostFunc, NULL, NULL, NULL);
    CALL(cuStreamAddCallback, NULL, NULL, NULL, 0);
    CALL(cuEventCreate, &handle, 0);
    CALL(cuEventCreate, NULL, 0);
    CALL(cuEventRecord, NULL, NULL);
    CALL(cuEventQuery, NULL);
    CALL(cuEventSynchronize, NULL);
    CALL(cuEventDestroy_v2, NULL);
    CALL(cuEventElapsedTime, &number, NULL, NULL);
    CALL(cuModuleLoad, &handle, "absent.cubin");
    CALL(cuModuleLoadData, &handle, "garbage");
    CALL(cuModuleLoadData, &handle, NULL);
    CALL(cuModuleUnload, NULL);
    CALL(cuModuleGetFunction, &handle, NULL, "kernel");
    pointer = size = 7;
    SHOW(size, cuModuleGetGlobal_v2, &pointer, &size, NULL, "global");
    CALL(cuModuleGetLoadingMode, &number);
    CALL(cuLibraryLoadData, &handle, NULL, NULL, NULL, 0, NULL, NULL, 0);
    CALL(cuLibraryLoadData, &handle, "garbage", NULL, NULL, 0, NULL, NULL, 0);
    CALL(cuLibraryUnload, NULL);
    CALL(cuLibraryGetKernel, NULL, NULL, NULL);
    CALL(cuLibraryGetKernel, &handle, NULL, "kernel");
    CALL(cuKernelGetFunction, NULL, NULL);
    CALL(cuFuncGetAttribute, &number, 0, NULL);
    CALL(cuFuncSetAttribute, NULL, 8, 0);
    CALL(cuFuncSetCacheConfig, NULL, 0);
    CALL(cuLaunchKernel, NULL, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL);
    CALL(cuLaunchKernelEx, NULL, NULL, NULL, NULL);
    CALL(cuLaunchCooperativeKernel, NULL, 1, 1, 1, 1, 1, 1, 0, NULL, NULL);
    CALL(cuOccupancyMaxActiveBlocksPerMultiprocessor, &number, NULL, 128, SIZE(0));
    CALL(cuOccupancyMaxPotentialBlockSize, &number, &other, NULL, NULL, SIZE(0), 0);
    CALL(cuProfilerStart);
    CALL(cuMemPoolTrimTo, NULL, SIZE(0));
    pointer = 7;
    SHOW(pointer, cuMemAllocAsync, &pointer, SIZE(64), NULL);
    CALL(cuMemFreeAsync, (u64)0, NULL);
}

static void error_texts(void)
{
    static const int codes[] = {0, 1, 2, 3, 4, 5, 34, 46, 100, 101, 200, 201, 202, 205, 209, 214, 215, 217, 218, 222, 300, 301, 302,
                                303, 304, 400, 401, 500, 600, 700, 701, 702, 704, 705, 708, 709, 712, 713, 716, 719, 720, 800, 801,
                                802, 803, 804, 900, 901, 906, 908, 910, 999, 6, 7, 50, 1000, -1, 12345};
    for (size_t at = 0; at < sizeof codes / sizeof *codes; at++) {
        const char *name = "untouched", *text = "untouched";
        int named = find("cuGetErrorName")(codes[at], &name);
        int told = find("cuGetErrorString")(codes[at], &text);
        printf("error %d: %d %s, %d %s\n", codes[at], named, name ? name : "NULL", told, text ? text : "NULL");
    }
}

static void look_ups(void)
{
    static const char *const names[] = {"", "nonsense", "cuInit", "cuCtxCreate", "cuMemAlloc", "cuMemGetInfo_v2", "cuMemGetInfo", "cuMemcpyHtoD",
                                        "cuMemcpyAsync", "cuStreamBeginCapture", "cuGetProcAddress", "cuLaunchKernel", "cuDeviceGetUuid",
                                        "cuGraphExecUpdate", "cuDevicePrimaryCtxRelease", "cuMemsetD8", "cuEventRecord", "cuCtxDestroy"};
    static const int versions[] = {0, 1000, 2000, 3020, 4000, 7000, 10010, 11030, 12000, 12020};
    for (size_t name = 0; name < sizeof names / sizeof *names; name++)
        for (size_t version = 0; version < sizeof versions / sizeof *versions; version++)
            for (u64 flags = 0; flags <= 4; flags++) {
                void *old = NOWHERE, *new = NOWHERE;
                int status = 77;
                Dl_info where;
                int code = find("cuGetProcAddress_v2")(names[name], &new, versions[version], flags, &status);
                int code1 = find("cuGetProcAddress")(names[name], &old, versions[version], flags);
                const char *symbol = new == NOWHERE ? "untouched" : "NULL";
                if (new && new != NOWHERE) symbol = dladdr(new, &where) && where.dli_sname ? where.dli_sname : "no symbol";
                printf("look up \"%s\" %d %llu: v2 %d %d %s, v1 %d %s\n", names[name], versions[version], flags, code, status, symbol,
                       code1, old == NOWHERE ? "untouched" : old == new ? "the same" : "another");
            }
    static const unsigned char no_table[16] = {1, 2, 3};
    const void *table = NOWHERE;
    SHOW(table == NULL, cuGetExportTable, &table, no_table);
    CALL(cuGetExportTable, NULL, no_table);
    CALL(cuGetExportTable, &table, NULL);
}

static void without_device(void)
{
    int version = 0;
    printf("# before cuInit\n");
    SHOW(version >= 12000, cuDriverGetVersion, &version);
    CALL(cuDriverGetVersion, NULL);
    refused_calls();
    printf("# cuInit\n");
    CALL(cuInit, 1);
    CALL(cuInit, 0);
    CALL(cuInit, 0);
    printf("# after cuInit has failed\n");
    refused_calls();
    printf("# texts\n");
    error_texts();
    printf("# look-ups\n");
    look_ups();
}

/* ---------------------------------------------------------------- with a device */

static void devices(void)
{
    char text[64] = "";
    unsigned char uuid[16] = {0}, uuid2[16] = {0};
    int number = -7, other = -7;
    size_t size = 0;
    SHOW(number, cuDeviceGetCount, &number);
    CALL(cuDeviceGetCount, NULL);
    SHOW(number, cuDeviceGet, &number, 0);
    CALL(cuDeviceGet, &number, -1);
    CALL(cuDeviceGet, &number, 99);
    CALL(cuDeviceGetName, text, 64, 0);
    printf("name \"%s\"\n", text);
    CALL(cuDeviceGetName, text, 5, 0);
    printf("name in 5 bytes \"%s\"\n", text);
    CALL(cuDeviceGetName, text, 0, 0);
    CALL(cuDeviceGetName, NULL, 64, 0);
    CALL(cuDeviceGetName, text, 64, 99);
    CALL(cuDeviceGetUuid, uuid, 0);
    CALL(cuDeviceGetUuid_v2, uuid2, 0);
    printf("both uuids equal %d\n", !memcmp(uuid, uuid2, 16));
    SHOW(size, cuDeviceTotalMem_v2, &size, 0);
    CALL(cuDeviceTotalMem_v2, &size, 99);
    static const int attributes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 16, 18, 19, 31, 39, 41, 75, 76, 78, 81, 82, 83, 95, 97, 102, 106, 115, 119, 120};
    for (size_t at = 0; at < sizeof attributes / sizeof *attributes; at++) {
        int code = find("cuDeviceGetAttribute")(&number, attributes[at], 0);
        printf("attribute %d = %d, %d\n", attributes[at], code, number);
    }
    CALL(cuDeviceGetAttribute, &number, 0, 0);
    CALL(cuDeviceGetAttribute, &number, 9999, 0);
    CALL(cuDeviceGetAttribute, &number, 75, 99);
    CALL(cuDeviceGetAttribute, NULL, 75, 0);
    CALL(cuDeviceComputeCapability, &number, &other, 0);
    printf("compute capability %d.%d\n", number, other);
    CALL(cuDeviceGetPCIBusId, text, 64, 0);
    SHOW(number, cuDeviceGetByPCIBusId, &number, text);
    CALL(cuDeviceGetByPCIBusId, &number, "0000:ff:1f.0");
    CALL(cuDeviceGetByPCIBusId, &number, "nonsense");
    CALL(cuDeviceGetByPCIBusId, &number, NULL);
    SHOW(number, cuDeviceCanAccessPeer, &number, 0, 0);
    CALL(cuModuleGetLoadingMode, NULL);
}

static void contexts(void)
{
    void *first = NULL, *second = NULL, *seen = NOWHERE, *primary = NULL, *again = NULL;
    int number = -7, least = 7, greatest = 7, active = 7;
    unsigned flags = 77;
    size_t size = 0;
    printf("# without a context\n");
    CALL(cuCtxGetCurrent, &seen);
    printf("current is NULL %d\n", seen == NULL);
    CALL(cuCtxGetDevice, &number);
    CALL(cuCtxSynchronize);
    CALL(cuMemGetInfo_v2, &size, &size);
    CALL(cuMemAlloc_v2, &size, SIZE(64));
    CALL(cuStreamCreate, &seen, 0);
    CALL(cuEventCreate, &seen, 0);
    CALL(cuModuleLoadData, &seen, "garbage");
    CALL(cuCtxPopCurrent_v2, &seen);
    CALL(cuLaunchKernel, NULL, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL);
    printf("# create, push, pop\n");
    CALL(cuCtxCreate_v2, NULL, 0, 0);
    CALL(cuCtxCreate_v2, &first, 0, 99);
    CALL(cuCtxCreate_v2, &first, 0x7, 0);
    CALL(cuCtxCreate_v2, &first, 0x10000, 0);
    CALL(cuCtxCreate_v2, &first, 0, 0);
    CALL(cuCtxCreate_v2, &second, 4, 0);
    CALL(cuCtxGetCurrent, &seen);
    printf("current is the second %d\n", seen == second);
    SHOW(flags & 7, cuCtxGetFlags, &flags);
    CALL(cuCtxPopCurrent_v2, &seen);
    printf("popped the second %d\n", seen == second);
    CALL(cuCtxGetCurrent, &seen);
    printf("current is the first %d\n", seen == first);
    CALL(cuCtxPushCurrent_v2, second);
    CALL(cuCtxPushCurrent_v2, NULL);
    CALL(cuCtxDestroy_v2, second);
    CALL(cuCtxGetCurrent, &seen);
    printf("current is the first %d\n", seen == first);
    SHOW(number, cuCtxGetDevice, &number);
    CALL(cuCtxGetStreamPriorityRange, &least, &greatest);
    printf("priorities %d to %d\n", least, greatest);
    SHOW(size, cuCtxGetLimit, &size, 0);
    CALL(cuCtxSetLimit, 0, SIZE(4096));
    SHOW(size, cuCtxGetLimit, &size, 0);
    CALL(cuCtxGetLimit, &size, 99);
    CALL(cuCtxGetLimit, NULL, 0);
    CALL(cuCtxSetCacheConfig, 1);
    SHOW(number, cuCtxGetCacheConfig, &number);
    CALL(cuCtxSynchronize);
    CALL(cuCtxDestroy_v2, first);
    CALL(cuCtxGetCurrent, &seen);
    printf("current is NULL %d\n", seen == NULL);
    printf("# primary context\n");
    CALL(cuDevicePrimaryCtxGetState, 0, &flags, &active);
    printf("flags %u active %d\n", flags, active);
    CALL(cuDevicePrimaryCtxRelease_v2, 0);
    CALL(cuDevicePrimaryCtxRetain, NULL, 0);
    CALL(cuDevicePrimaryCtxRetain, &primary, 99);
    CALL(cuDevicePrimaryCtxSetFlags_v2, 0, 4);
    CALL(cuDevicePrimaryCtxSetFlags_v2, 0, 0x10000);
    CALL(cuDevicePrimaryCtxRetain, &primary, 0);
    CALL(cuDevicePrimaryCtxRetain, &again, 0);
    printf("retained twice, the same %d\n", primary == again);
    CALL(cuDevicePrimaryCtxGetState, 0, &flags, &active);
    printf("flags %u active %d\n", flags, active);
    CALL(cuCtxSetCurrent, primary);
    CALL(cuCtxDestroy_v2, primary);
    CALL(cuDevicePrimaryCtxRelease_v2, 0);
    CALL(cuDevicePrimaryCtxRelease_v2, 0);
    CALL(cuDevicePrimaryCtxGetState, 0, &flags, &active);
    printf("active %d\n", active);
    CALL(cuMemAlloc_v2, &size, SIZE(64));
    CALL(cuDevicePrimaryCtxSetFlags_v2, 0, 0);
    CALL(cuDevicePrimaryCtxRetain, &again, 0);
    CALL(cuCtxSetCurrent, again);
}

static void memory(void)
{
    u64 pointer = 0, second = 0, base = 0;
    size_t size = 0, pitch = 0, free1 = 0, free2 = 0, total = 0;
    unsigned flags = 7, kind = 7;
    void *host = NULL;
    static unsigned char from[4096], to[4096];
    printf("# memory\n");
    MUST(cuMemGetInfo_v2, &free1, &total);
    printf("total %zu, free is at most that %d\n", total, free1 <= total && free1 > 0);
    CALL(cuMemGetInfo_v2, NULL, &total);
    CALL(cuMemAlloc_v2, NULL, SIZE(64));
    CALL(cuMemAlloc_v2, &pointer, SIZE(0));
    SHOW(pointer, cuMemAlloc_v2, &pointer, SIZE(1) << 50);
    CALL(cuMemAlloc_v2, &pointer, SIZE(4) << 20);
    printf("a multiple of 256 %d\n", pointer % 256 == 0);
    MUST(cuMemGetInfo_v2, &free2, &total);
    printf("less is free %d\n", free1 - free2 >= SIZE(4) << 20);
    CALL(cuMemGetAddressRange_v2, &base, &size, pointer + 1000);
    printf("base found %d, %zu bytes\n", base == pointer, size);
    CALL(cuMemGetAddressRange_v2, &base, &size, (u64)0x1000);
    for (int at = 0; at < 4096; at++) from[at] = (unsigned char)(at * 7);
    CALL(cuMemcpyHtoD_v2, pointer, from, SIZE(4096));
    CALL(cuMemcpyDtoD_v2, pointer + 8192, pointer, SIZE(4096));
    CALL(cuMemcpyDtoH_v2, to, pointer + 8192, SIZE(4096));
    printf("came back %d\n", !memcmp(from, to, 4096));
    CALL(cuMemcpyHtoD_v2, (u64)0, from, SIZE(16));
    CALL(cuMemcpyHtoD_v2, pointer + (SIZE(4) << 20) - 8, from, SIZE(16));
    CALL(cuMemcpyHtoD_v2, pointer, from, SIZE(0));
    CALL(cuMemcpyDtoH_v2, to, (u64)(uintptr_t)from, SIZE(16));
    CALL(cuMemsetD8_v2, pointer, 0x5a, SIZE(100));
    CALL(cuMemsetD16_v2, pointer + 100, 0x1234, SIZE(10));
    CALL(cuMemsetD32_v2, pointer + 120, 0x89abcdef, SIZE(10));
    CALL(cuMemsetD16_v2, pointer + 1, 0, SIZE(10));
    CALL(cuMemsetD32_v2, pointer + 2, 0, SIZE(10));
    CALL(cuMemsetD8_v2, (u64)0, 0, SIZE(10));
    CALL(cuMemcpyDtoH_v2, to, pointer, SIZE(160));
    printf("set %02x %02x %02x %02x %02x\n", to[99], to[100], to[101], to[120], to[123]);
    CALL(cuMemsetD2D8_v2, pointer, SIZE(512), 0x77, SIZE(16), SIZE(3));
    CALL(cuMemcpyDtoH_v2, to, pointer, SIZE(2048));
    printf("rectangle %02x %02x %02x\n", to[1024 + 15], to[1024 + 16], to[1536]);
    SHOW(kind, cuPointerGetAttribute, &kind, 2, pointer + 5);
    SHOW(kind, cuPointerGetAttribute, &kind, 9, pointer);
    SHOW(size, cuPointerGetAttribute, &size, 12, pointer);
    CALL(cuPointerGetAttribute, &kind, 2, (u64)0x1000);
    CALL(cuPointerGetAttribute, &kind, 999, pointer);
    CALL(cuPointerGetAttribute, NULL, 2, pointer);
    CALL(cuMemFree_v2, pointer + 512);
    CALL(cuMemFree_v2, pointer);
    CALL(cuMemFree_v2, pointer);
    CALL(cuMemcpyHtoD_v2, pointer, from, SIZE(16));
    MUST(cuMemGetInfo_v2, &free2, &total);
    printf("all is free again %d\n", free1 == free2);
    CALL(cuMemAllocPitch_v2, &pointer, &pitch, SIZE(100), SIZE(8), 4);
    printf("the pitch is enough %d\n", pitch >= 100);
    CALL(cuMemAllocPitch_v2, &second, &pitch, SIZE(100), SIZE(8), 3);
    MUST(cuMemFree_v2, pointer);
    CALL(cuMemAllocManaged, &pointer, SIZE(4096), 1);
    CALL(cuMemAllocManaged, &second, SIZE(4096), 3);
    *(int *)(uintptr_t)pointer = 5;
    CALL(cuMemFree_v2, pointer);
    CALL(cuMemHostAlloc, &host, SIZE(4096), 0);
    memset(host, 3, 4096);
    CALL(cuMemHostGetDevicePointer_v2, &pointer, host, 0);
    CALL(cuMemHostGetDevicePointer_v2, &pointer, host, 1);
    CALL(cuMemHostGetDevicePointer_v2, &pointer, from, 0);
    CALL(cuMemHostGetFlags, &flags, from);
    CALL(cuMemFreeHost, host);
    CALL(cuMemFreeHost, host);
    CALL(cuMemHostAlloc, &host, SIZE(0), 0);
    CALL(cuMemHostAlloc, &host, SIZE(64), 0x100);
    CALL(cuMemHostRegister_v2, from, sizeof from, 0);
    CALL(cuMemHostRegister_v2, from, sizeof from, 0);
    CALL(cuMemHostUnregister, from);
    CALL(cuMemHostUnregister, from);
    CALL(cuMemHostRegister_v2, NULL, SIZE(64), 0);
}

/* The layout of CUmemAllocationProp and CUmemAccessDesc. */
struct prop { int type, handles, location, id; void *nothing; u64 flags; };
struct access { int location, id, flags; };

static void virtual_memory(void)
{
    struct prop prop = {1, 0, 1, 0, NULL, 0};
    struct access access = {1, 0, 3};
    size_t granularity = 0;
    u64 pointer = 0, handle = 0, flags = 7;
    int word = 0x1234567, back = 0;
    printf("# virtual memory\n");
    CALL(cuMemGetAllocationGranularity, &granularity, &prop, 0);
    printf("granularity is 2 MiB %d\n", granularity == SIZE(2) << 20);
    CALL(cuMemGetAllocationGranularity, NULL, &prop, 0);
    CALL(cuMemAddressReserve, &pointer, granularity + 1, SIZE(0), (u64)0, (u64)0);
    CALL(cuMemAddressReserve, &pointer, 4 * granularity, SIZE(0), (u64)0, (u64)0);
    CALL(cuMemCreate, &handle, granularity, &prop, (u64)0);
    CALL(cuMemCreate, &handle, SIZE(1), &prop, (u64)0);
    CALL(cuMemMap, pointer, granularity, SIZE(0), handle, (u64)0);
    CALL(cuMemMap, pointer, granularity, SIZE(0), handle, (u64)0);
    CALL(cuMemcpyHtoD_v2, pointer, &word, SIZE(4));
    CALL(cuMemSetAccess, pointer, granularity, &access, SIZE(1));
    SHOW(flags, cuMemGetAccess, &flags, &access, pointer);
    CALL(cuMemMap, pointer + granularity, granularity, SIZE(0), handle, (u64)0);
    CALL(cuMemSetAccess, pointer + granularity, granularity, &access, SIZE(1));
    CALL(cuMemcpyHtoD_v2, pointer + 64, &word, SIZE(4));
    CALL(cuMemcpyDtoH_v2, &back, pointer + granularity + 64, SIZE(4));
    printf("seen at the other address %d\n", word == back);
    CALL(cuMemRelease, handle);
    CALL(cuMemcpyDtoH_v2, &back, pointer + 64, SIZE(4));
    CALL(cuMemAddressFree, pointer, 4 * granularity);
    CALL(cuMemUnmap, pointer, granularity);
    CALL(cuMemUnmap, pointer, granularity);
    CALL(cuMemcpyDtoH_v2, &back, pointer + 64, SIZE(4));
    CALL(cuMemUnmap, pointer + granularity, granularity);
    CALL(cuMemAddressFree, pointer, granularity);
    CALL(cuMemAddressFree, pointer, 4 * granularity);
}

static void streams_and_events(void)
{
    void *stream = NULL, *start = NULL, *end = NULL, *plain = NULL, *context = NULL, *current = NULL;
    int number = 7;
    unsigned flags = 7;
    float milliseconds = -1;
    printf("# streams and events\n");
    CALL(cuStreamCreate, NULL, 0);
    CALL(cuStreamCreate, &stream, 99);
    CALL(cuStreamCreateWithPriority, &stream, 1, -100);
    SHOW(flags, cuStreamGetFlags, stream, &flags);
    CALL(cuStreamGetPriority, stream, &number);
    printf("priority is in the range %d\n", number <= 0 && number >= -5);
    MUST(cuCtxGetCurrent, &current);
    CALL(cuStreamGetCtx, stream, &context);
    printf("the context is the current one %d\n", context == current);
    CALL(cuStreamQuery, stream);
    CALL(cuStreamQuery, NULL);
    CALL(cuStreamSynchronize, (void *)1);
    CALL(cuStreamSynchronize, (void *)2);
    CALL(cuEventCreate, &start, 0);
    CALL(cuEventCreate, &end, 0);
    CALL(cuEventCreate, &plain, 2);
    CALL(cuEventCreate, &plain, 0x100);
    CALL(cuEventCreate, &plain, 4);
    CALL(cuEventElapsedTime, &milliseconds, start, end);
    CALL(cuEventQuery, start);
    CALL(cuEventRecord, start, stream);
    CALL(cuEventRecord, end, stream);
    CALL(cuEventSynchronize, end);
    CALL(cuEventElapsedTime, &milliseconds, start, end);
    printf("time is not negative %d\n", milliseconds >= 0);
    CALL(cuEventRecord, plain, stream);
    CALL(cuEventElapsedTime, &milliseconds, start, plain);
    CALL(cuStreamWaitEvent, stream, end, 0);
    CALL(cuEventDestroy_v2, start);
    CALL(cuEventDestroy_v2, end);
    CALL(cuEventDestroy_v2, plain);
    CALL(cuStreamDestroy_v2, stream);
    CALL(cuStreamDestroy_v2, NULL);
}

static void modules(void)
{
    static const char ptx[] = ".version 7.0\n.target sm_70\n.address_size 64\n.visible .global .align 4 .b8 table[256];\n"
                              ".visible .entry add(.param .u64 a, .param .u64 b, .param .u32 n)\n{\n  ret;\n}\n"
                              ".visible .entry none()\n.maxntid 64, 1, 1\n{\n  ret;\n}\n";
    void *module = NULL, *library_handle = NULL, *add = NULL, *none = NULL, *kernel = NULL, *found = NULL;
    u64 pointer = 0, a = 0, b = 0;
    size_t size = 0, offset = 0;
    unsigned n = 4;
    int number = -7, other = -7;
    void *params[] = {&a, &b, &n};
    printf("# modules\n");
    CALL(cuModuleLoadData, &module, NULL);
    CALL(cuModuleLoadData, &module, "garbage");
    CALL(cuModuleLoadData, &module, "\x7f" "ELF, but not really one, only its first letters and then something");
    CALL(cuModuleLoad, &module, "/nonexistent.cubin");
    CALL(cuModuleLoadData, &module, ptx);
    CALL(cuModuleGetFunction, &add, module, "absent");
    CALL(cuModuleGetFunction, &add, module, NULL);
    CALL(cuModuleGetFunction, &add, module, "add");
    CALL(cuModuleGetFunction, &none, module, "none");
    CALL(cuModuleGetGlobal_v2, &pointer, &size, module, "table");
    printf("global of %zu bytes\n", size);
    CALL(cuModuleGetGlobal_v2, &pointer, &size, module, "absent");
    CALL(cuFuncGetAttribute, &number, 999, add);
    CALL(cuFuncGetAttribute, NULL, 0, add);
    SHOW(number, cuFuncGetAttribute, &number, 0, none);
    SHOW(number, cuFuncGetAttribute, &number, 1, add);
    CALL(cuFuncSetAttribute, add, 8, 65536);
    CALL(cuFuncSetAttribute, add, 8, 1 << 30);
    CALL(cuFuncSetAttribute, add, 4, 10);
    SHOW(number, cuFuncGetAttribute, &number, 8, add);
    CALL(cuFuncGetParamInfo, add, SIZE(2), &offset, &size);
    printf("third parameter at %zu, %zu bytes\n", offset, size);
    CALL(cuFuncGetParamInfo, add, SIZE(3), &offset, &size);
    CALL(cuLaunchKernel, NULL, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL);
    CALL(cuLaunchKernel, add, 1, 1, 1, 128, 1, 1, 0, NULL, params, NULL);
    CALL(cuLaunchKernel, add, 0, 1, 1, 128, 1, 1, 0, NULL, params, NULL);
    CALL(cuLaunchKernel, add, 1, 1, 1, 0, 1, 1, 0, NULL, params, NULL);
    CALL(cuLaunchKernel, add, 1, 1, 1, 2048, 1, 1, 0, NULL, params, NULL);
    CALL(cuLaunchKernel, add, 1, 70000, 1, 1, 1, 1, 0, NULL, params, NULL);
    CALL(cuLaunchKernel, add, 1, 1, 1, 32, 1, 1, 1 << 20, NULL, params, NULL);
    CALL(cuLaunchKernel, none, 1, 1, 1, 128, 1, 1, 0, NULL, NULL, NULL);
    CALL(cuLaunchKernel, none, 1, 1, 1, 64, 1, 1, 0, NULL, NULL, NULL);
    CALL(cuOccupancyMaxActiveBlocksPerMultiprocessor, &number, none, 0, SIZE(0));
    CALL(cuOccupancyMaxActiveBlocksPerMultiprocessor, &number, add, 128, SIZE(0));
    printf("some blocks fit %d\n", number > 0);
    CALL(cuOccupancyMaxPotentialBlockSize, &number, &other, add, NULL, SIZE(0), 0);
    printf("a whole number of warps %d\n", other > 0 && other % 32 == 0);
    CALL(cuModuleUnload, module);
    printf("# libraries\n");
    CALL(cuLibraryLoadData, &library_handle, "garbage", NULL, NULL, 0, NULL, NULL, 0);
    CALL(cuLibraryLoadData, &library_handle, ptx, NULL, NULL, 0, NULL, NULL, 0);
    SHOW(n, cuLibraryGetKernelCount, &n, library_handle);
    CALL(cuLibraryGetKernel, &kernel, library_handle, "absent");
    CALL(cuLibraryGetKernel, &kernel, library_handle, "none");
    CALL(cuKernelGetFunction, &found, kernel);
    CALL(cuLaunchKernel, found, 1, 1, 1, 32, 1, 1, 0, NULL, NULL, NULL);
    CALL(cuLaunchKernel, kernel, 1, 1, 1, 32, 1, 1, 0, NULL, NULL, NULL);
    CALL(cuLibraryGetGlobal, &pointer, &size, library_handle, "table");
    CALL(cuLibraryUnload, library_handle);
    CALL(cuCtxSynchronize);
}

static void with_device(void)
{
    printf("# devices\n");
    CALL(cuInit, 1);
    CALL(cuInit, 0);
    CALL(cuInit, 0);
    devices();
    contexts();
    memory();
    virtual_memory();
    streams_and_events();
    modules();
    printf("# the end\n");
    CALL(cuDevicePrimaryCtxRelease_v2, 0);
    CALL(cuCtxSynchronize);
}

int main(int count, char **arguments)
{
    const char *path = count > 1 ? arguments[1] : "libcuda.so.1";
    const char *section = count > 2 ? arguments[2] : "device";
    setvbuf(stdout, NULL, _IOLBF, 0);
    library = dlopen(path, RTLD_NOW);
    if (!library) {
        fprintf(stderr, "conformance: %s\n", dlerror());
        return 2;
    }
    if (!strcmp(section, "no-device"))
        without_device();
    else if (!strcmp(section, "device"))
        with_device();
    else {
        fprintf(stderr, "conformance: expected section no-device or device, found %s\n", section);
        return 2;
    }
    return 0;
}
