/* Hands the driver what a call's arguments only point to: module images by address, by length and by file; kernel arguments as pointers (on
 * the stack, on the heap, unreadable) and as a buffer; launches through structures; graph nodes; copies in both directions.
 *
 * Hazard: whoever records all that reads memory which the driver may not read, and reads it while the driver still may. Prints the code of
 * each call; the path of the module's file is the first argument. Ends with code 0. Without a GPU every code is one that is not 0. */
#include <stdint.h>
#include <string.h>

#include "calls_by_name.h"

static const char image[] = ".version 8.0\n"
                            ".target sm_70\n"
                            ".address_size 64\n"
                            ".visible .entry mixed(.param .u64 to, .param .u32 count, .param .f64 scale, .param .align 8 .b8 pair[24])\n"
                            "{\n    ret;\n}\n"
                            ".visible .entry nothing()\n"
                            "{\n    ret;\n}\n";

typedef struct {
    void *function;
    unsigned grid[3], block[3], shared;
    void **params, **extra;
    void *kernel, *context;
} node_params;

typedef struct {
    unsigned grid[3], block[3], shared;
    void *stream, *attributes;
    unsigned attribute_count;
} launch_config;

typedef struct {
    int id;
    char pad[4];
    union {
        char bytes[64];
        int cooperative;
        int priority;
    } value;
} launch_attribute;

static void load_images(const char *path)
{
    CUmodule module = NULL;
    void *state = NULL, *out = NULL;
    size_t size = 0;
    CALL(cuModuleLoad, (void *, const char *), &module, path);
    CALL(cuModuleLoad, (void *, const char *), &module, "/nonexistent.cubin");
    CALL(cuModuleLoadDataEx, (void *, const void *, unsigned, void *, void *), &module, image, 0, NULL, NULL);
    CALL(cuLinkCreate_v2, (unsigned, void *, void *, void *), 0, NULL, NULL, &state);
    CALL(cuLinkAddData_v2, (void *, int, const void *, size_t, const char *, unsigned, void *, void *), state, 1, image, sizeof image,
         "image", 0, NULL, NULL);
    CALL(cuLinkComplete, (void *, void *, void *), state, &out, &size);
}

static void launch(void *mixed, void *nothing, CUdeviceptr memory)
{
    unsigned count = 1000;
    double scale = 2.5, pair[3] = {1, 2, 3};
    void *params[] = {&memory, &count, &scale, pair};
    for (int round = 0; round < 3; round++) {
        CALL(cuLaunchKernel, LAUNCH, mixed, 1, 1, 1, 32, 1, 1, 0, NULL, params, NULL);
        count++;
    }
    CALL(cuLaunchKernel, LAUNCH, nothing, 1, 1, 1, 32, 1, 1, 0, NULL, NULL, NULL);

    void **heap = malloc(sizeof params);
    double *heap_pair = malloc(sizeof pair);
    memcpy(heap_pair, pair, sizeof pair);
    memcpy(heap, params, sizeof params);
    heap[3] = heap_pair;
    CALL(cuLaunchKernel, LAUNCH, mixed, 1, 1, 1, 32, 1, 1, 0, NULL, heap, NULL);
    CALL(cuLaunchCooperativeKernel, (void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **), mixed,
         1, 1, 1, 32, 1, 1, 0, NULL, heap);

    char buffer[48];
    size_t bytes = sizeof buffer;
    memset(buffer, 0, sizeof buffer);
    memcpy(buffer, &memory, 8);
    memcpy(buffer + 8, &count, 4);
    memcpy(buffer + 16, &scale, 8);
    memcpy(buffer + 24, pair, 24);
    void *extra[] = {(void *)1, buffer, (void *)2, &bytes, NULL};
    CALL(cuLaunchKernel, LAUNCH, mixed, 1, 1, 1, 32, 1, 1, 0, NULL, NULL, extra);

    launch_attribute attributes[2] = {{.id = 2, .value.cooperative = 1}, {.id = 8, .value.priority = -1}};
    launch_config config = {{1, 1, 1}, {32, 1, 1}, 0, NULL, attributes, 2};
    CALL(cuLaunchKernelEx, (void *, void *, void **, void **), &config, mixed, params, NULL);

    /* A handle that is none, with arguments that are nowhere. */
    CALL(cuLaunchKernel, LAUNCH, NULL, 1, 1, 1, 32, 1, 1, 0, NULL, (void **)16, NULL);
    free(heap);
    free(heap_pair);
}

static void graph(void *mixed, CUdeviceptr memory)
{
    void *graph = NULL, *node = NULL, *exec = NULL;
    unsigned count = 7;
    double scale = 0.5, pair[3] = {4, 5, 6};
    void *params[] = {&memory, &count, &scale, pair};
    node_params one = {mixed, {1, 1, 1}, {32, 1, 1}, 0, params, NULL, NULL, NULL};
    struct {
        int type, reserved0[3];
        node_params kernel;
        char rest[232 - sizeof(node_params)];
        long long reserved2;
    } any = {0, {0}, one, {0}, 0};
    CALL(cuGraphCreate, (void *, unsigned), &graph, 0);
    CALL(cuGraphAddKernelNode_v2, (void *, void *, void *, size_t, void *), &node, graph, NULL, 0, &one);
    count = 8;
    CALL(cuGraphKernelNodeSetParams_v2, (void *, void *), node, &one);
    CALL(cuGraphAddNode, (void *, void *, void *, size_t, void *), &node, graph, NULL, 0, &any);
    CALL(cuGraphInstantiateWithFlags, (void *, void *, unsigned long long), &exec, graph, 0);
    count = 9;
    CALL(cuGraphExecKernelNodeSetParams_v2, (void *, void *, void *), exec, node, &one);
    CALL(cuGraphExecDestroy, (void *), exec);
    CALL(cuGraphDestroy, (void *), graph);
}

static void copy(CUdeviceptr memory)
{
    char out[64], back[64];
    for (int index = 0; index < 64; index++) {
        out[index] = (char)index;
    }
    CALL(cuMemcpyHtoD_v2, (CUdeviceptr, const void *, size_t), memory, out, sizeof out);
    CALL(cuMemcpyHtoDAsync_v2, (CUdeviceptr, const void *, size_t, void *), memory, out, sizeof out, NULL);
    CALL(cuMemcpyDtoH_v2, (void *, CUdeviceptr, size_t), back, memory, sizeof back);
    CALL(cuMemcpyDtoHAsync_v2, (void *, CUdeviceptr, size_t, void *), back, memory, sizeof back, NULL);
    CALL(cuMemcpy, (CUdeviceptr, CUdeviceptr, size_t), memory, (CUdeviceptr)(uintptr_t)out, sizeof out);
    copy_2d box;
    memset(&box, 0, sizeof box);
    box.src_type = 1;
    box.src_host = out;
    box.src_pitch = 16;
    box.src_x = 2;
    box.src_y = 1;
    box.dst_type = 2;
    box.dst_device = memory;
    box.dst_pitch = 16;
    box.width = 4;
    box.height = 3;
    CALL(cuMemcpy2D_v2, (void *), &box);
    printf("copied: %d\n", memcmp(out, back, sizeof out));
}

int main(int argc, char **argv)
{
    CUdevice device = 0;
    CUcontext context = NULL;
    CUmodule module = NULL;
    CUfunction mixed = NULL, nothing = NULL;
    CUdeviceptr memory = 0;
    library = open_driver();
    CUresult result = start_device(&device, &context);
    printf("start: %d\n", (int)result);
    if (result != CUDA_SUCCESS) {
        return 0;
    }
    load_images(argc > 1 ? argv[1] : "absent.ptx");
    CALL(cuModuleLoadData, (void *, const void *), &module, image);
    CALL(cuModuleGetFunction, (void *, void *, const char *), &mixed, module, "mixed");
    CALL(cuModuleGetFunction, (void *, void *, const char *), &nothing, module, "nothing");
    CALL(cuMemAlloc_v2, (CUdeviceptr *, size_t), &memory, 1 << 20);
    launch(mixed, nothing, memory);
    graph(mixed, memory);
    copy(memory);
    return 0;
}
