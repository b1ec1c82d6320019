/* Launches a kernel that takes 20000 bytes of arguments, as CUDA allows since 12.1: by pointers, and by a buffer.
 *
 * Hazard: arguments are larger than what else belongs to a call. Prints the code of each call. Ends with code 0. Without a GPU it prints the code of
 * the start alone. */
#include <stdint.h>
#include <string.h>

#include "calls_by_name.h"

enum { BIG = 20000 };

static const char image[] = ".version 8.1\n"
                            ".target sm_70\n"
                            ".address_size 64\n"
                            ".visible .entry large(.param .align 8 .b8 big[20000], .param .u64 to, .param .u32 count)\n"
                            "{\n    ret;\n}\n";

int main(void)
{
    static char buffer[BIG + 12];
    CUdevice device = 0;
    CUcontext context = NULL;
    CUmodule module = NULL;
    CUfunction function = NULL;
    CUdeviceptr memory = 0;
    unsigned count = 1234567;
    library = open_driver();
    CUresult result = start_device(&device, &context);
    printf("start: %d\n", (int)result);
    if (result != CUDA_SUCCESS) {
        return 0;
    }
    CALL(cuModuleLoadData, (void *, const void *), &module, image);
    CALL(cuModuleGetFunction, (void *, void *, const char *), &function, module, "large");
    CALL(cuMemAlloc_v2, (CUdeviceptr *, size_t), &memory, BIG);
    void *params[] = {buffer, &memory, &count};
    CALL(cuLaunchKernel, LAUNCH, function, 1, 1, 1, 32, 1, 1, 0, NULL, params, NULL);
    size_t bytes = sizeof buffer;
    memcpy(buffer + BIG, &memory, 8);
    memcpy(buffer + BIG + 8, &count, 4);
    void *extra[] = {(void *)1, buffer, (void *)2, &bytes, NULL};
    CALL(cuLaunchKernel, LAUNCH, function, 1, 1, 1, 32, 1, 1, 0, NULL, NULL, extra);
    return 0;
}
