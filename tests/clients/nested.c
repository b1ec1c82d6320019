/* Calls inside calls: the driver calls the program back, and the program calls the driver again.
 *
 * Hazard: a tracer that holds anything over the driver call, or that keeps one call in flight per thread, breaks here.
 *
 * Three ways: cuLaunchHostFunc and cuStreamAddCallback (on a thread of the driver, or inline, as the driver likes) and the block size
 * callback of cuOccupancyMaxPotentialBlockSize (on the calling thread, inside the call). A call back makes cuGetErrorName(4242) and
 * cuDriverGetVersion. Prints the code of every call and whether the calls made inside the call back worked.
 */
#include "driver.h"
#include "kernel.h"

#include <stdatomic.h>

static atomic_int called_back;
static atomic_int inner_calls_worked;

static void call_again(void)
{
    const char *name = NULL;
    int version = 0;
    CUresult unknown = cuGetErrorName(4242, &name);
    CUresult known = cuDriverGetVersion(&version);
    atomic_store(&inner_calls_worked, unknown != CUDA_SUCCESS && known == CUDA_SUCCESS && version > 0);
    atomic_store(&called_back, 1);
}

static void host_function(void *user_data)
{
    (void)user_data;
    call_again();
}

static void stream_callback(CUstream stream, CUresult status, void *user_data)
{
    (void)stream;
    (void)status;
    (void)user_data;
    call_again();
}

static size_t shared_bytes(int block_size)
{
    (void)block_size;
    call_again();
    return 0;
}

static void print_outcome(const char *call, CUresult result)
{
    printf("%s = %d, call back: %s\n", call, result,
           !atomic_load(&called_back)          ? "none"
           : atomic_load(&inner_calls_worked) ? "its calls worked"
                                              : "its calls failed");
    atomic_store(&called_back, 0);
}

int main(void)
{
    CUdevice device = 0;
    CUcontext context = NULL;
    CUstream stream = NULL;
    CUmodule module = NULL;
    CUfunction function = NULL;
    open_driver();
    printf("start = %d\n", start_device(&device, &context));

    CUresult created = cuStreamCreate(&stream, 0);
    printf("cuStreamCreate = %d\n", created);
    if (created != CUDA_SUCCESS) {
        stream = NULL;
    }
    CUresult result = cuLaunchHostFunc(stream, host_function, NULL);
    cuStreamSynchronize(stream);
    print_outcome("cuLaunchHostFunc", result);
    result = cuStreamAddCallback(stream, stream_callback, NULL, 0);
    cuStreamSynchronize(stream);
    print_outcome("cuStreamAddCallback", result);

    result = cuModuleLoadData(&module, kernel_image);
    printf("cuModuleLoadData = %d\n", result);
    if (result == CUDA_SUCCESS) {
        int grid = 0;
        int block = 0;
        printf("cuModuleGetFunction = %d\n", cuModuleGetFunction(&function, module, KERNEL_NAME));
        result = cuOccupancyMaxPotentialBlockSize(&grid, &block, function, shared_bytes, 0, 0);
        print_outcome("cuOccupancyMaxPotentialBlockSize", result);
        printf("cuModuleUnload = %d\n", cuModuleUnload(module));
    }
    if (created == CUDA_SUCCESS) {
        printf("cuStreamDestroy_v2 = %d\n", cuStreamDestroy_v2(stream));
    }
    return 0;
}
