/* Copies with gaps between rows and planes, copies whose side is told by the address alone, and copies to the host that are not over when
 * their call returns: waited for by stream, by event, through another stream, by context, by a query, written over, and never.
 *
 * Hazard: what a copy reads or brings lies between bytes that are not its own, and comes at a time that no single call tells. Prints the code of
 * each call and whether the bytes came back. Ends with code 0. Without a GPU it prints the code of the start alone. */
#include <stdint.h>
#include <string.h>

#include "calls_by_name.h"

enum { HOST = 1, DEVICE = 2, ARRAY = 3, UNIFIED = 4, BYTES = 4096 };

typedef struct {
    size_t src_x, src_y, src_z, src_lod;
    int src_type;
    const void *src_host;
    CUdeviceptr src_device;
    void *src_array, *reserved0;
    size_t src_pitch, src_height, dst_x, dst_y, dst_z, dst_lod;
    int dst_type;
    void *dst_host;
    CUdeviceptr dst_device;
    void *dst_array, *reserved1;
    size_t dst_pitch, dst_height, width, height, depth;
} copy_3d;

typedef struct {
    size_t width, height;
    int format;
    unsigned channels;
} array_descriptor;

static void fill(char *bytes, int seed)
{
    for (int index = 0; index < BYTES; index++) {
        bytes[index] = (char)(index * 7 + seed);
    }
}

/* Rows of 24 bytes, 64 apart, from the third row on: there, and back with other gaps. */
static void rectangles(CUdeviceptr memory, char *from, char *to)
{
    copy_2d there = {.src_x = 8, .src_y = 2, .src_type = HOST, .src_host = from, .src_pitch = 64,
                     .dst_type = DEVICE, .dst_device = memory, .dst_pitch = 32, .width = 24, .height = 5};
    copy_2d back = {.src_type = DEVICE, .src_device = memory, .src_pitch = 32,
                    .dst_x = 4, .dst_y = 1, .dst_type = HOST, .dst_host = to, .dst_pitch = 48, .width = 24, .height = 5};
    fill(from, 1);
    CALL(cuMemcpy2D_v2, (const void *), &there);
    CALL(cuMemcpy2D_v2, (const void *), &back);
    printf("rectangle: %d\n", memcmp(from + 2 * 64 + 8, to + 48 + 4, 24) | memcmp(from + 6 * 64 + 8, to + 5 * 48 + 4, 24));
    CALL(cuMemcpy2DUnaligned_v2, (const void *), &there);
    there.src_type = UNIFIED;
    there.src_host = NULL;
    there.src_device = (CUdeviceptr)(uintptr_t)from;
    back.dst_type = UNIFIED;
    back.dst_host = NULL;
    back.dst_device = (CUdeviceptr)(uintptr_t)to;
    CALL(cuMemcpy2DAsync_v2, (const void *, CUstream), &there, NULL);
    CALL(cuMemcpy2DAsync_v2, (const void *, CUstream), &back, NULL);
    CALL(cuStreamSynchronize, (CUstream), NULL);
}

/* Two planes of three rows, through an array. */
static void boxes(CUdeviceptr memory, char *from, char *to)
{
    copy_3d there = {.src_x = 1, .src_y = 1, .src_z = 1, .src_type = HOST, .src_host = from, .src_pitch = 32, .src_height = 5,
                     .dst_type = DEVICE, .dst_device = memory, .dst_pitch = 16, .dst_height = 4, .width = 12, .height = 3, .depth = 2};
    copy_3d back = {.src_type = DEVICE, .src_device = memory, .src_pitch = 16, .src_height = 4,
                    .dst_x = 3, .dst_type = HOST, .dst_host = to, .dst_pitch = 20, .dst_height = 3, .width = 12, .height = 3, .depth = 2};
    array_descriptor descriptor = {16, 4, 1, 1};
    void *array = NULL;
    fill(from, 2);
    CALL(cuMemcpy3D_v2, (const void *), &there);
    CALL(cuMemcpy3D_v2, (const void *), &back);
    printf("box: %d\n", memcmp(from + 160 + 32 + 1, to + 3, 12) | memcmp(from + 320 + 96 + 1, to + 60 + 40 + 3, 12));
    CALL(cuArrayCreate_v2, (void **, const array_descriptor *), &array, &descriptor);
    copy_2d in = {.src_type = HOST, .src_host = from, .src_pitch = 40, .dst_type = ARRAY, .dst_array = array, .width = 16, .height = 4};
    copy_2d out = {.src_type = ARRAY, .src_array = array, .dst_type = HOST, .dst_host = to, .dst_pitch = 50, .width = 16, .height = 4};
    CALL(cuMemcpy2D_v2, (const void *), &in);
    CALL(cuMemcpy2D_v2, (const void *), &out);
    printf("array: %d\n", memcmp(from + 120, to + 150, 16));
}

static void by_address(CUdeviceptr memory, char *from, char *to)
{
    fill(from, 3);
    CALL(cuMemcpy, (CUdeviceptr, CUdeviceptr, size_t), memory, (CUdeviceptr)(uintptr_t)from, 100);
    CALL(cuMemcpy, (CUdeviceptr, CUdeviceptr, size_t), (CUdeviceptr)(uintptr_t)to, memory, 100);
    printf("by address: %d\n", memcmp(from, to, 100));
    CALL(cuMemcpyAsync, (CUdeviceptr, CUdeviceptr, size_t, CUstream), (CUdeviceptr)(uintptr_t)to, memory, 50, NULL);
    CALL(cuCtxSynchronize, (void), );
}

#define BACK(to, bytes, stream) CALL(cuMemcpyDtoHAsync_v2, (void *, CUdeviceptr, size_t, CUstream), to, memory, bytes, stream)

static void later(CUdeviceptr memory, char *from, char *to)
{
    CUstream one = NULL, other = NULL;
    void *event = NULL;
    char *pinned = NULL;
    fill(from, 4);
    CALL(cuStreamCreate, (CUstream *, unsigned), &one, 1);
    CALL(cuStreamCreate, (CUstream *, unsigned), &other, 1);
    CALL(cuEventCreate, (void **, unsigned), &event, 0);
    CALL(cuMemAllocHost_v2, (void **, size_t), (void **)&pinned, BYTES);
    CALL(cuMemcpyHtoD_v2, (CUdeviceptr, const void *, size_t), memory, from, BYTES);
    /* By stream, to memory of both kinds; the second one is written over by the third. */
    BACK(to, 64, one);
    BACK(pinned, 64, one);
    BACK(pinned + 32, 64, one);
    CALL(cuStreamSynchronize, (CUstream), one);
    /* By event, and through a stream that has waited for one. */
    BACK(to, 128, one);
    CALL(cuEventRecord, (void *, CUstream), event, one);
    CALL(cuStreamWaitEvent, (CUstream, void *, unsigned), other, event, 0);
    CALL(cuEventSynchronize, (void *), event);
    BACK(pinned, 256, one);
    CALL(cuEventRecord, (void *, CUstream), event, one);
    CALL(cuStreamWaitEvent, (CUstream, void *, unsigned), other, event, 0);
    CALL(cuStreamSynchronize, (CUstream), other);
    CALL(cuEventQuery, (void *), event);
    printf("later: %d\n", memcmp(from, pinned, 256) | memcmp(from, to, 128));
    /* Never. */
    BACK(to, 512, one);
    CALL(cuStreamDestroy_v2, (CUstream), one);
}

int main(void)
{
    static char from[BYTES], to[BYTES];
    CUdevice device = 0;
    CUcontext context = NULL;
    CUdeviceptr memory = 0;
    library = open_driver();
    CUresult result = start_device(&device, &context);
    printf("start: %d\n", (int)result);
    if (result != CUDA_SUCCESS) {
        return 0;
    }
    CALL(cuMemAlloc_v2, (CUdeviceptr *, size_t), &memory, 1 << 20);
    rectangles(memory, from, to);
    boxes(memory, from, to);
    by_address(memory, from, to);
    later(memory, from, to);
    return 0;
}
