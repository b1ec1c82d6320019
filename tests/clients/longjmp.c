/* Leaves calls that never return: longjmp out of a call back, siglongjmp out of a crash in the driver.
 *
 * Hazard: the end of such a call never comes. It must stay on record as begun, and the next call of the thread must be recorded rightly,
 * not taken for the end of the one that was left.
 *
 * Prints how each way out went. Five crashes in cuDriverGetVersion are caught; in between, calls must still work. The call back is that of
 * cuOccupancyMaxPotentialBlockSize, which runs on the calling thread; without a GPU it can't be reached, and that is printed.
 */
#include "driver.h"
#include "kernel.h"

#include <setjmp.h>
#include <signal.h>

enum { CRASHES = 5 };

static sigjmp_buf before_crash;
static jmp_buf before_call_back;

static void leave_crash(int signal)
{
    (void)signal;
    siglongjmp(before_crash, 1);
}

static size_t leave_call(int block_size)
{
    (void)block_size;
    longjmp(before_call_back, 1);
}

static void print_calls_work(void)
{
    const char *name = NULL;
    CUresult result = cuGetErrorName(3, &name);
    printf("cuGetErrorName(3) = %d (%s)\n", result, name != NULL ? name : "no name");
}

static void leave_by_crash(void)
{
    static volatile int crashes;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = leave_crash;
    sigaction(SIGSEGV, &action, NULL);
    for (crashes = 0; crashes < CRASHES; crashes++) {
        if (sigsetjmp(before_crash, 1) == 0) {
            CUresult result = cuDriverGetVersion((int *)16);
            printf("cuDriverGetVersion(16) returned %d\n", result);
        } else {
            printf("left a crash in cuDriverGetVersion(16)\n");
        }
        print_calls_work();
    }
}

static void leave_by_call_back(void)
{
    static CUdevice device;
    static CUcontext context;
    static CUmodule module;
    static CUfunction function;
    CUresult result = start_device(&device, &context);
    if (result == CUDA_SUCCESS) {
        result = cuModuleLoadData(&module, kernel_image);
    }
    if (result == CUDA_SUCCESS) {
        result = cuModuleGetFunction(&function, module, KERNEL_NAME);
    }
    if (result != CUDA_SUCCESS) {
        printf("no call back without a kernel: %d\n", result);
        return;
    }
    if (setjmp(before_call_back) == 0) {
        int grid = 0;
        int block = 0;
        result = cuOccupancyMaxPotentialBlockSize(&grid, &block, function, leave_call, 0, 0);
        printf("cuOccupancyMaxPotentialBlockSize returned %d\n", result);
    } else {
        printf("left cuOccupancyMaxPotentialBlockSize\n");
    }
    print_calls_work();
}

int main(void)
{
    open_driver();
    print_calls_work();
    leave_by_crash();
    leave_by_call_back();
    return 0;
}
