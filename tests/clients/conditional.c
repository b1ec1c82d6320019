/* A graph with a conditional node: the driver makes the graph inside and tells its handle through a list of its own.
 *
 * Hazard: what the list holds is known only by following a pointer that the driver answered. Prints the code of each call, and what the graph
 * inside has written. Ends with code 0. Without a GPU it prints the code of the start alone. */
#include <stdint.h>
#include <string.h>

#include "calls_by_name.h"

enum { CONDITIONAL = 13, ASSIGN_DEFAULT = 1, BYTES = 64 };

typedef struct {
    int type, reserved0[3];
    unsigned long long condition;
    int kind;
    unsigned size;
    void **bodies;
    void *context;
    char rest[232 - 32];
    long long reserved2;
} node_params;

typedef struct {
    CUdeviceptr to;
    size_t pitch;
    unsigned value, element_bytes;
    size_t width, height;
} fill_params;

int main(void)
{
    CUdevice device = 0;
    CUcontext context = NULL;
    CUdeviceptr memory = 0;
    void *graph = NULL, *exec = NULL, *node = NULL;
    char found[BYTES] = {0};
    library = open_driver();
    CUresult result = start_device(&device, &context);
    printf("start: %d\n", (int)result);
    if (result != CUDA_SUCCESS) {
        return 0;
    }
    node_params params = {.type = CONDITIONAL, .size = 1};
    /* What lies in the place of the answer before the call means nothing. */
    memset(&params.bodies, 0x5a, sizeof params.bodies);
    CALL(cuMemAlloc_v2, (CUdeviceptr *, size_t), &memory, BYTES);
    CALL(cuMemsetD8_v2, (CUdeviceptr, unsigned char, size_t), memory, 0, BYTES);
    CALL(cuGraphCreate, (void **, unsigned), &graph, 0);
    CALL(cuGraphConditionalHandleCreate, (unsigned long long *, void *, CUcontext, unsigned, unsigned), &params.condition, graph, context, 1,
         ASSIGN_DEFAULT);
    CALL(cuGraphAddNode, (void **, void *, void *, size_t, void *), &node, graph, NULL, 0, &params);
    fill_params fill = {.to = memory, .value = 7, .element_bytes = 1, .width = BYTES, .height = 1};
    CALL(cuGraphAddMemsetNode, (void **, void *, void *, size_t, void *, CUcontext), &node, params.bodies[0], NULL, 0, &fill, context);
    CALL(cuGraphInstantiateWithFlags, (void **, void *, unsigned long long), &exec, graph, 0);
    CALL(cuGraphLaunch, (void *, CUstream), exec, NULL);
    CALL(cuMemcpyDtoH_v2, (void *, CUdeviceptr, size_t), found, memory, BYTES);
    printf("found: %d\n", found[BYTES - 1]);
    return 0;
}
