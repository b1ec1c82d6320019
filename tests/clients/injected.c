/* Makes calls that a recording may answer by rules of its own, and prints what it got.
 *
 *   injected STEP [NUMBER]
 *     memory N     cuMemGetInfo_v2 N times, by a pointer that dlsym found, by one that cuGetProcAddress_v2 found, and again
 *     null         the same with NULL for one of the results, and for both
 *     nowhere      the same with an address where nothing is: the driver would crash
 *     threads N    eight threads that each call cuDriverGetVersion N times: how many calls answered which code
 *     fork         two calls of cuDriverGetVersion in the parent, three in a child, one more in the parent
 *     device       what the first device says of itself
 *     handler      cuInit with a handler for SIGUSR1: whether it ran, and on which thread
 *     find NAME    what dlsym and both forms of cuGetProcAddress say of a function
 *     allocate N   N allocations of 1 MiB: their codes
 *
 * Hazard: an injected fault that hits the wrong call, another thread's, or none; one that does not look like the driver's own. Sizes are
 * printed as they are answered, so the output is the same in each run on the simulated driver and on rules. Ends with 0.
 */
#define _GNU_SOURCE
#include "driver.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 8, VERSION = 12000 };

static void *library;

static void *look_up(const char *name, int *code, int *status)
{
    void *found = &found;
    CUresult (*get)(const char *, void **, int, uint64_t, int *);
    *(void **)&get = dlsym(library, "cuGetProcAddress_v2");
    *status = -1;
    *code = get != NULL ? get(name, &found, VERSION, 0, status) : -1;
    return *code == CUDA_SUCCESS ? found : NULL;
}

static void memory(long calls)
{
    int code = 0, status = 0;
    CUresult (*by_look_up)(size_t *, size_t *);
    cuInit(0);
    *(void **)&by_look_up = look_up("cuMemGetInfo", &code, &status);
    for (long call = 1; call <= calls; call++) {
        size_t free_bytes = 1, total_bytes = 2;
        errno = 42;
        int is_look_up = call % 2 == 0 && by_look_up != NULL;
        CUresult result = is_look_up ? by_look_up(&free_bytes, &total_bytes) : cuMemGetInfo_v2(&free_bytes, &total_bytes);
        printf("%ld: %d, %zu of %zu%s\n", call, result, free_bytes, total_bytes, errno == 42 ? "" : ", errno changed");
    }
}

static void null(void)
{
    size_t total_bytes = 2;
    cuInit(0);
    CUresult one = cuMemGetInfo_v2(NULL, &total_bytes);
    printf("one: %d, %zu\n", one, total_bytes);
    printf("both: %d\n", cuMemGetInfo_v2(NULL, NULL));
}

static void nowhere(void)
{
    size_t total_bytes = 2;
    cuInit(0);
    CUresult result = cuMemGetInfo_v2((size_t *)16, &total_bytes);
    printf("nowhere: %d, %zu\n", result, total_bytes);
}

static long calls_of_thread;
static int codes[THREADS][2];

static void *call_versions(void *place)
{
    int(*counts)[2] = place;
    for (long call = 0; call < calls_of_thread; call++) {
        int version = 0;
        (*counts)[cuDriverGetVersion(&version) != CUDA_SUCCESS]++;
    }
    return NULL;
}

static void threads(long calls)
{
    pthread_t all[THREADS];
    int succeeded = 0, failed = 0;
    calls_of_thread = calls;
    for (int thread = 0; thread < THREADS; thread++) pthread_create(&all[thread], NULL, call_versions, &codes[thread]);
    for (int thread = 0; thread < THREADS; thread++) {
        pthread_join(all[thread], NULL);
        succeeded += codes[thread][0];
        failed += codes[thread][1];
    }
    printf("succeeded %d, failed %d\n", succeeded, failed);
}

static void versions(const char *whose, int calls)
{
    for (int call = 1; call <= calls; call++) {
        int version = -1;
        CUresult result = cuDriverGetVersion(&version);
        printf("%s %d: %d, %d\n", whose, call, result, version);
    }
    fflush(stdout);
}

static void fork_calls(void)
{
    versions("parent", 2);
    pid_t child = fork();
    if (child == 0) {
        versions("child", 3);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    versions("parent again", 1);
}

static void device(void)
{
    char name[16] = "unset", whole[64] = "unset";
    int major = -1, minor = -1, properties[14] = {0};
    CUuuid uuid;
    CUresult (*get_properties)(int *, CUdevice);
    *(void **)&get_properties = dlsym(library, "cuDeviceGetProperties");
    memset(&uuid, 0, sizeof uuid);
    cuInit(0);
    CUresult result = cuDeviceGetName(whole, sizeof whole, 0);
    printf("name: %d, %s\n", result, whole);
    result = cuDeviceGetName(name, sizeof name, 0);
    printf("short name: %d, %s\n", result, name);
    result = cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 0);
    printf("major: %d, %d\n", result, major);
    result = cuDeviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 0);
    printf("minor: %d, %d\n", result, minor);
    result = cuDeviceGetUuid_v2(&uuid, 0);
    printf("uuid: %d, %02x %02x\n", result, uuid.bytes[0], uuid.bytes[15]);
    result = get_properties(properties, 0);
    printf("properties: %d, %d, %d\n", result, properties[0], properties[3]);
}

static volatile sig_atomic_t handled_by;

static void handle(int signal)
{
    (void)signal;
    handled_by = gettid();
}

static void handler(void)
{
    signal(SIGUSR1, handle);
    CUresult result = cuInit(0);
    printf("cuInit %d, handler ran on this thread: %s\n", result, handled_by == gettid() ? "yes" : "no");
}

static void find(const char *name)
{
    int code = 0, status = 0;
    void *found = look_up(name, &code, &status);
    cuInit(0);
    printf("dlsym: %s\n", dlsym(library, name) != NULL ? "found" : "not found");
    found = look_up(name, &code, &status);
    printf("cuGetProcAddress_v2: %d, status %d, %s\n", code, status, found != NULL ? "found" : "not found");
    CUresult (*get)(const char *, void **, int, uint64_t);
    *(void **)&get = dlsym(library, "cuGetProcAddress");
    found = NULL;
    code = get != NULL ? get(name, &found, VERSION, 0) : -1;
    printf("cuGetProcAddress: %d, %s\n", code, found != NULL ? "found" : "not found");
}

static void allocate(long calls)
{
    CUcontext context = NULL;
    cuInit(0);
    cuDevicePrimaryCtxRetain(&context, 0);
    cuCtxSetCurrent(context);
    for (long call = 1; call <= calls; call++) {
        CUdeviceptr pointer = 0;
        CUresult result = cuMemAlloc_v2(&pointer, 1 << 20);
        printf("%ld: %d, %s\n", call, result, pointer != 0 ? "a pointer" : "none");
    }
}

int main(int count, char **arguments)
{
    const char *step = count > 1 ? arguments[1] : "";
    long number = count > 2 ? atol(arguments[2]) : 0;
    library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library != NULL && strcmp(step, "find") == 0 && count > 2) {
        *(void **)&cuInit = dlsym(library, "cuInit");
        find(arguments[2]);
        return 0;
    }
    library = open_driver();
    if (strcmp(step, "memory") == 0) memory(number);
    else if (strcmp(step, "null") == 0) null();
    else if (strcmp(step, "nowhere") == 0) nowhere();
    else if (strcmp(step, "threads") == 0) threads(number);
    else if (strcmp(step, "fork") == 0) fork_calls();
    else if (strcmp(step, "device") == 0) device();
    else if (strcmp(step, "handler") == 0) handler();
    else if (strcmp(step, "allocate") == 0) allocate(number);
    else printf("injected: no step %s\n", step);
    return 0;
}
