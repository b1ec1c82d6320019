/* Asks a driver about one thing and prints the answer in one line, for tests that break one thing.
 *
 *   symptoms STEP [ARGUMENT]...
 *
 * Hazard: a driver that is wrong in one answer. Functions are looked up one by one, so that a driver without some of them is no
 * obstacle to asking about the others. The output is the same in each run on the same driver. Ends with 0, or with 2 and a line on
 * stderr if the step or a function that it needs does not exist.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernel.h"

typedef int (*function)();

static void *cuda;
static void *context;

static void *symbol(void *library, const char *name)
{
    void *found = library ? dlsym(library, name) : NULL;
    if (!found) {
        fprintf(stderr, "symptoms: no %s\n", name);
        exit(2);
    }
    return found;
}

static function find(const char *name)
{
    function found;
    *(void **)&found = symbol(cuda, name);
    return found;
}

static int enter(void)
{
    int code = find("cuInit")(0);
    if (code == 0) code = find("cuDevicePrimaryCtxRetain")(&context, 0);
    return code != 0 ? code : find("cuCtxSetCurrent")(context);
}

/* start: whether the driver starts, and how many devices it has */
static void start(void)
{
    int count = -1;
    int code = find("cuInit")(0);
    int counted = find("cuDeviceGetCount")(&count);
    printf("cuInit %d, cuDeviceGetCount %d, %d\n", code, counted, count);
}

static void version(void)
{
    int number = -1;
    int code = find("cuDriverGetVersion")(&number);
    printf("cuDriverGetVersion %d, %d\n", code, number);
}

static void contexts(void)
{
    void *current = &current;
    int device = -1;
    int codes[5] = {find("cuInit")(0), find("cuCtxGetCurrent")(&current)};
    codes[2] = find("cuDevicePrimaryCtxRetain")(&context, 0);
    codes[3] = find("cuCtxSetCurrent")(context);
    codes[4] = find("cuCtxGetDevice")(&device);
    printf("cuInit %d, cuCtxGetCurrent %d, retain %d, cuCtxSetCurrent %d, cuCtxGetDevice %d\n", codes[0], codes[1], codes[2], codes[3],
           codes[4]);
}

/* memory: what is free, three times */
static void memory(void)
{
    int code = enter();
    printf("enter %d, cuMemGetInfo", code);
    for (int times = 0; times < 3; times++) {
        size_t free_bytes = 7, total_bytes = 7;
        code = find("cuMemGetInfo_v2")(&free_bytes, &total_bytes);
        printf(" %d (%zu of %zu)", code, free_bytes, total_bytes);
    }
    printf("\n");
}

static void device(void)
{
    size_t bytes = 0;
    char bus[32] = "none";
    int code = find("cuInit")(0);
    int total = find("cuDeviceTotalMem_v2")(&bytes, 0);
    printf("cuInit %d, cuDeviceTotalMem %d, %zu, ", code, total, bytes);
    code = find("cuDeviceGetPCIBusId")(bus, (int)sizeof bus, 0);
    printf("cuDeviceGetPCIBusId %d, %s\n", code, bus);
}

/* attributes NUMBER... */
static void attributes(char **numbers)
{
    find("cuInit")(0);
    for (; *numbers; numbers++) {
        int value = -1;
        int code = find("cuDeviceGetAttribute")(&value, atoi(*numbers), 0);
        printf("%s: %d, %d%s", *numbers, code, value, numbers[1] ? "; " : "\n");
    }
}

static void granularity(void)
{
    /* CUmemAllocationProp: pinned, on device 0 */
    int prop[8] = {1, 0, 1, 0};
    size_t bytes = 0;
    int code = enter();
    int found = find("cuMemGetAllocationGranularity")(&bytes, prop, 0);
    printf("enter %d, cuMemGetAllocationGranularity %d, %zu\n", code, found, bytes);
}

static void pinned(void)
{
    static char page[8192] __attribute__((aligned(4096)));
    void *host = NULL;
    int code = enter();
    int allocated = find("cuMemHostAlloc")(&host, (size_t)4096, 0);
    printf("enter %d, cuMemHostAlloc %d, cuMemHostRegister %d\n", code, allocated,
           find("cuMemHostRegister_v2")(page, (size_t)4096, 0));
}

static void code_images(void)
{
    void *module = NULL, *library = NULL;
    int code = enter();
    int loaded = find("cuModuleLoadData")(&module, kernel_image);
    printf("enter %d, cuModuleLoadData %d, cuLibraryLoadData %d\n", code, loaded,
           find("cuLibraryLoadData")(&library, kernel_image, NULL, NULL, 0, NULL, NULL, 0));
}

/* table: the table that the CUDA runtime asks for first */
static void table(void)
{
    static const unsigned char id[16] = {0x6b, 0xd5, 0xfb, 0x6c, 0x5b, 0xf4, 0xe7, 0x4a, 0x89, 0x87, 0xd9, 0x39, 0x12, 0xfd, 0x9d, 0xf9};
    const void *found = NULL;
    int code = find("cuGetExportTable")(&found, id);
    printf("cuGetExportTable %d, %s\n", code, found ? "a table" : "nothing");
}

/* exports NAME...: which of them a program finds */
static void exports(char **names)
{
    for (; *names; names++) printf("%s: %s%s", *names, dlsym(cuda, *names) ? "there" : "absent", names[1] ? "; " : "\n");
}

/* found NAME VERSION FLAGS: which exported function cuGetProcAddress gives */
static void found(char **arguments)
{
    static const char *endings[] = {"", "_v2", "_v3", "_v4", "_ptsz", "_ptds", "_v2_ptsz", "_v2_ptds"};
    void *address = NULL;
    int status = -1;
    int code = find("cuGetProcAddress_v2")(arguments[0], &address, atoi(arguments[1]), (uint64_t)atoi(arguments[2]), &status);
    printf("%s %s %s: %d, status %d, ", arguments[0], arguments[1], arguments[2], code, status);
    for (size_t at = 0; address && at < sizeof endings / sizeof *endings; at++) {
        char name[256];
        snprintf(name, sizeof name, "%s%s", arguments[0], endings[at]);
        if (dlsym(cuda, name) == address) {
            printf("%s\n", name);
            return;
        }
    }
    printf("%s\n", address ? "another function" : "nothing");
}

/* nvml: name and memory of the first GPU, and the driver's */
static void nvml(void)
{
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    function call;
    uint64_t gpu = 0, bytes[3] = {0};
    size_t driver_bytes = 0;
    char name[96] = "", driver_name[96] = "";
    *(void **)&call = symbol(library, "nvmlInit_v2");
    int code = call();
    *(void **)&call = symbol(library, "nvmlDeviceGetHandleByIndex_v2");
    code = code ? code : call(0, &gpu);
    *(void **)&call = symbol(library, "nvmlDeviceGetName");
    code = code ? code : call(gpu, name, 96);
    *(void **)&call = symbol(library, "nvmlDeviceGetMemoryInfo");
    code = code ? code : call(gpu, bytes);
    int driver_code = find("cuInit")(0) | find("cuDeviceGetName")(driver_name, 96, 0) | find("cuDeviceTotalMem_v2")(&driver_bytes, 0);
    printf("NVML %d, %s, %llu MiB; driver %d, %s, %zu MiB\n", code, name, (unsigned long long)bytes[0] >> 20, driver_code, driver_name,
           driver_bytes >> 20);
}

/* slow: whether each of ten calls takes at least 25 ms */
static void slow(void)
{
    struct timespec from, to;
    int count = 0;
    find("cuInit")(0);
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int times = 0; times < 10; times++) find("cuDeviceGetCount")(&count);
    clock_gettime(CLOCK_MONOTONIC, &to);
    double ms = (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
    printf("ten calls take %s\n", ms >= 250 ? "at least 250 ms" : "less than 250 ms");
}

static void still_inside(int number)
{
    static const char line[] = "cuDevicePrimaryCtxRetain does not come back\n";
    (void)number;
    (void)!write(STDOUT_FILENO, line, sizeof line - 1);
    _exit(0);
}

/* hang: whether the call comes back at all; the time given is a hundred times what it needs */
static void hang(void)
{
    signal(SIGALRM, still_inside);
    find("cuInit")(0);
    alarm(2);
    int code = find("cuDevicePrimaryCtxRetain")(&context, 0);
    alarm(0);
    printf("cuDevicePrimaryCtxRetain %d\n", code);
}

static const struct {
    const char *name;
    void (*plain)(void);
    void (*with_arguments)(char **);
    int least_arguments;
} steps[] = {
    {"start", start, NULL, 0},        {"version", version, NULL, 0},         {"contexts", contexts, NULL, 0},
    {"memory", memory, NULL, 0},      {"device", device, NULL, 0},           {"attributes", NULL, attributes, 1},
    {"granularity", granularity, NULL, 0}, {"pinned", pinned, NULL, 0},      {"code", code_images, NULL, 0},
    {"table", table, NULL, 0},        {"exports", NULL, exports, 1},         {"found", NULL, found, 3},
    {"nvml", nvml, NULL, 0},          {"slow", slow, NULL, 0},               {"hang", hang, NULL, 0},
};

int main(int count, char **arguments)
{
    cuda = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!cuda) {
        printf("driver: none: %s\n", dlerror());
        return 3;
    }
    for (size_t at = 0; count > 1 && at < sizeof steps / sizeof *steps; at++) {
        if (strcmp(steps[at].name, arguments[1]) != 0 || count - 2 < steps[at].least_arguments) continue;
        if (steps[at].plain) {
            steps[at].plain();
        } else {
            steps[at].with_arguments(arguments + 2);
        }
        return 0;
    }
    fprintf(stderr, "symptoms: expected a step and its arguments, found %s\n", count > 1 ? arguments[1] : "nothing");
    return 2;
}
