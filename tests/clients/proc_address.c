/* Looks functions up as libcudart does, by cuGetProcAddress, and calls what it gets.
 *
 * Hazard: a tracer must give out its own functions here, or it misses nearly every call of real software; and the answer must be the one
 * that the driver gives for that name, version and flags: not found stays not found, and the pointer is the same that dlsym gives.
 *
 * Prints, for each look-up: code, symbol status, and which exported name has the address that came back ("nothing exported" where none
 * of the names tried has it). Then the codes of calls made through the pointers.
 */
#include "driver.h"

typedef CUresult (*look_up_v1)(const char *name, void **pointer, int version, uint64_t flags);
typedef CUresult (*look_up_v2)(const char *name, void **pointer, int version, uint64_t flags, int *status);

struct request {
    const char *name;
    int version;
    uint64_t flags; /* 0 default, 1 legacy stream, 2 per-thread default stream */
};

static const struct request requests[] = {
    {"cuInit", 12000, 0},
    {"cuDriverGetVersion", 12000, 0},
    {"cuDeviceGetCount", 12000, 0},
    {"cuDeviceTotalMem", 2000, 0},
    {"cuDeviceTotalMem", 12000, 0},
    {"cuMemGetInfo", 3020, 0},
    {"cuMemGetInfo", 12000, 0},
    {"cuMemGetInfo_v2", 12000, 0},
    {"cuMemAlloc", 12000, 0},
    {"cuMemcpyHtoD", 12000, 0},
    {"cuMemcpyHtoD", 12000, 1},
    {"cuMemcpyHtoD", 12000, 2},
    {"cuMemcpyHtoDAsync", 12000, 2},
    {"cuStreamSynchronize", 12000, 0},
    {"cuStreamSynchronize", 12000, 2},
    {"cuLaunchKernel", 12000, 0},
    {"cuLaunchKernel", 12000, 2},
    {"cuLaunchKernel", 3000, 0},
    {"cuCtxCreate", 4000, 0},
    {"cuCtxCreate", 12000, 0},
    {"cuGetProcAddress", 11030, 0},
    {"cuGetProcAddress", 12000, 0},
    {"cuGetExportTable", 12000, 0},
    {"cuMemGetAllocationGranularity", 10020, 0},
    {"cuMemGetAllocationGranularity", 9000, 0},
    {"cuNoSuchFunction", 12000, 0},
    {"", 0, 0},
};

static const char *const endings[] = {"", "_v2", "_v3", "_v4", "_ptsz", "_ptds", "_v2_ptsz", "_v2_ptds"};

/* The first exported name made of `name` and one of the endings that has this address. */
static void print_match(void *library, const char *name, void *pointer)
{
    char exported[128];
    if (pointer == NULL) {
        printf("no pointer\n");
        return;
    }
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(exported, sizeof exported, "%s%s", name, endings[i]);
        if (dlsym(library, exported) == pointer) {
            printf("%s\n", exported);
            return;
        }
    }
    printf("nothing exported\n");
}

static void look_up_all(void *library, look_up_v1 v1, look_up_v2 v2)
{
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        const struct request *r = &requests[i];
        void *pointer = NULL;
        int status = -1;
        CUresult result = v2(r->name, &pointer, r->version, r->flags, &status);
        printf("v2 \"%s\" %d %d: %d, status %d, ", r->name, r->version, (int)r->flags, result, status);
        print_match(library, r->name, pointer);

        pointer = (void *)1;
        result = v1(r->name, &pointer, r->version, r->flags);
        printf("v1 \"%s\" %d %d: %d, ", r->name, r->version, (int)r->flags, result);
        if (pointer == (void *)1) {
            printf("pointer untouched\n");
        } else {
            print_match(library, r->name, pointer);
        }
    }
}

static void *get(look_up_v2 v2, const char *name)
{
    void *pointer = NULL;
    int status = -1;
    CUresult result = v2(name, &pointer, 12000, 0, &status);
    if (result != CUDA_SUCCESS || pointer == NULL) {
        printf("%s: not given (%d, status %d)\n", name, result, status);
        exit(1);
    }
    return pointer;
}

static void call_through(look_up_v2 v2)
{
    CUresult (*init)(unsigned int);
    CUresult (*version_of)(int *);
    CUresult (*count_of)(int *);
    CUresult (*memory_of)(size_t *, size_t *);
    look_up_v2 again;
    int number = -1;
    size_t free_bytes = 1;
    size_t total_bytes = 1;
    *(void **)(&init) = get(v2, "cuInit");
    *(void **)(&version_of) = get(v2, "cuDriverGetVersion");
    *(void **)(&count_of) = get(v2, "cuDeviceGetCount");
    *(void **)(&memory_of) = get(v2, "cuMemGetInfo");
    *(void **)(&again) = get(v2, "cuGetProcAddress");
    printf("cuInit = %d\n", init(0));
    printf("cuDriverGetVersion = %d\n", version_of(&number));
    printf("cuDeviceGetCount = %d\n", count_of(&number));
    printf("cuMemGetInfo = %d\n", memory_of(&free_bytes, &total_bytes));
    printf("a look-up through a look-up gives the same: %s\n", get(again, "cuInit") == get(v2, "cuInit") ? "yes" : "no");
}

int main(void)
{
    void *library = open_driver();
    look_up_v1 v1;
    look_up_v2 v2;
    *(void **)(&v1) = dlsym(library, "cuGetProcAddress");
    *(void **)(&v2) = dlsym(library, "cuGetProcAddress_v2");
    if (v1 == NULL || v2 == NULL) {
        printf("driver: no cuGetProcAddress or no cuGetProcAddress_v2\n");
        return 3;
    }
    look_up_all(library, v1, v2);
    call_through(v2);
    return 0;
}
