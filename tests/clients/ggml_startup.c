/* Starts up as the CUDA backend of GGML (llama.cpp, Ollama) does, and falls back to the CPU without a word when something is wrong.
 *
 * Hazard: a driver that answers one question badly, most often cuMemGetInfo_v2, costs the user the whole GPU, and no message says so.
 *
 * Prints one line, the backend that inference would run on:
 *     backend: CPU
 *     backend: CUDA0 (NVIDIA H100 80GB HBM3, compute 9.0, 79872 MiB free of 81920 MiB)
 * With --debug it also says on stderr why the GPU was passed over, as Ollama does at its debug level. Ends with 0 in either case.
 */
#include "driver.h"

struct gpu {
    CUdevice device;
    char name[256];
    int major;
    int minor;
    int has_virtual_memory;
    size_t granularity;
    size_t free_bytes;
    size_t total_bytes;
};

static int debug;

static int worked(const char *call, CUresult result)
{
    if (result != CUDA_SUCCESS && debug) {
        const char *name = NULL;
        cuGetErrorName(result, &name);
        fprintf(stderr, "debug: %s failed: %s (%d)\n", call, name != NULL ? name : "unknown error", result);
    }
    return result == CUDA_SUCCESS;
}

static int count_devices(int *count)
{
    int version = 0;
    return worked("cuInit", cuInit(0)) && worked("cuDriverGetVersion", cuDriverGetVersion(&version)) &&
           worked("cuDeviceGetCount", cuDeviceGetCount(count)) && *count > 0;
}

static int attribute(struct gpu *gpu, int which, int *value)
{
    return worked("cuDeviceGetAttribute", cuDeviceGetAttribute(value, which, gpu->device));
}

static int describe_device(struct gpu *gpu)
{
    char bus_id[16];
    int unified_addressing = 0;
    return worked("cuDeviceGet", cuDeviceGet(&gpu->device, 0)) &&
           worked("cuDeviceGetName", cuDeviceGetName(gpu->name, sizeof gpu->name, gpu->device)) &&
           worked("cuDeviceTotalMem_v2", cuDeviceTotalMem_v2(&gpu->total_bytes, gpu->device)) &&
           attribute(gpu, CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, &gpu->has_virtual_memory) &&
           attribute(gpu, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, &gpu->major) &&
           attribute(gpu, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, &gpu->minor) &&
           attribute(gpu, CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, &unified_addressing) &&
           worked("cuDeviceGetPCIBusId", cuDeviceGetPCIBusId(bus_id, sizeof bus_id, gpu->device)) && unified_addressing == 1;
}

static int enter_context(struct gpu *gpu)
{
    CUcontext context = NULL;
    return worked("cuCtxGetCurrent", cuCtxGetCurrent(&context)) &&
           worked("cuDevicePrimaryCtxRetain", cuDevicePrimaryCtxRetain(&context, gpu->device)) &&
           worked("cuCtxSetCurrent", cuCtxSetCurrent(context));
}

static int measure_memory(struct gpu *gpu)
{
    if (gpu->has_virtual_memory) {
        CUmemAllocationProp prop;
        memset(&prop, 0, sizeof prop);
        prop.type = 1;
        prop.location.type = 1;
        prop.location.id = gpu->device;
        if (!worked("cuMemGetAllocationGranularity", cuMemGetAllocationGranularity(&gpu->granularity, &prop, 1))) {
            return 0;
        }
    }
    if (!worked("cuMemGetInfo_v2", cuMemGetInfo_v2(&gpu->free_bytes, &gpu->total_bytes))) {
        return 0;
    }
    if (gpu->free_bytes == 0 || gpu->total_bytes == 0) {
        if (debug) {
            fprintf(stderr, "debug: skipping device with zero memory\n");
        }
        return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    debug = argc > 1 && strcmp(argv[1], "--debug") == 0;
    open_driver();

    struct gpu gpu;
    memset(&gpu, 0, sizeof gpu);
    int devices = 0;
    if (count_devices(&devices) && describe_device(&gpu) && enter_context(&gpu) && measure_memory(&gpu)) {
        printf("backend: CUDA0 (%s, compute %d.%d, %zu MiB free of %zu MiB)\n", gpu.name, gpu.major, gpu.minor, gpu.free_bytes >> 20,
               gpu.total_bytes >> 20);
    } else {
        printf("backend: CPU\n");
    }
    return 0;
}
