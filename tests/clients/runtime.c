/* Goes through the CUDA runtime as a small program does, and prints codes and stable values, one line a step.
 *
 *   runtime LIBCUDART
 *
 * LIBCUDART is the path of libcudart.so.12 or .13; it looks for libcuda.so.1 itself.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef int (*function)();

static void *library;

static function find(const char *name)
{
    function found;
    *(void **)&found = dlsym(library, name);
    if (!found) fprintf(stderr, "runtime: %s is absent\n", name);
    return found;
}

int main(int count, char **arguments)
{
    enum { TO_DEVICE = 1, TO_HOST = 2, BYTES = 4096 };
    static char from[BYTES], to[BYTES];
    void *memory = NULL, *pooled = NULL, *host = NULL, *stream = NULL, *start = NULL, *end = NULL;
    size_t free_bytes = 7, total_bytes = 7;
    float milliseconds = -1;
    int devices = -1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count != 2 || !(library = dlopen(arguments[1], RTLD_NOW))) {
        fprintf(stderr, "runtime: expected the path of libcudart, found %s\n", count == 2 ? dlerror() : "something else");
        return 2;
    }
    memset(from, 0x5a, BYTES);
    int code = find("cudaGetDeviceCount")(&devices);
    printf("cudaGetDeviceCount %d, %d\n", code, devices);
    /* Without a device no handle below would be one, and the runtime of CUDA 13.5 follows those that it is given. */
    if (code == 0 && devices == 0) return 0;
    code = find("cudaMemGetInfo")(&free_bytes, &total_bytes);
    printf("cudaMemGetInfo %d, %zu of %zu\n", code, free_bytes, total_bytes);
    printf("cudaMalloc %d\n", find("cudaMalloc")(&memory, (size_t)BYTES));
    code = find("cudaMemcpy")(memory, from, (size_t)BYTES, TO_DEVICE);
    int back = find("cudaMemcpy")(to, memory, (size_t)BYTES, TO_HOST);
    printf("cudaMemcpy %d %d, %s\n", code, back, memcmp(from, to, BYTES) ? "came back wrong" : "came back");
    code = find("cudaStreamCreate")(&stream);
    back = find("cudaStreamSynchronize")(stream);
    printf("cudaStream %d %d %d\n", code, back, find("cudaStreamQuery")(stream));
    code = find("cudaEventCreate")(&start) | find("cudaEventCreate")(&end);
    back = find("cudaEventRecord")(start, stream) | find("cudaEventRecord")(end, stream);
    int waited = find("cudaEventSynchronize")(end);
    int timed = find("cudaEventElapsedTime")(&milliseconds, start, end);
    printf("cudaEvent %d %d %d %d, time is %s\n", code, back, waited, timed, milliseconds >= 0 ? "not negative" : "negative");
    code = find("cudaMallocAsync")(&pooled, (size_t)BYTES, stream);
    back = find("cudaFreeAsync")(pooled, stream);
    printf("cudaMallocAsync %d %d %d\n", code, back, find("cudaStreamSynchronize")(stream));
    code = find("cudaMallocHost")(&host, (size_t)BYTES);
    printf("cudaMallocHost %d %d\n", code, find("cudaFreeHost")(host));
    printf("cudaFree %d\n", find("cudaFree")(memory));
    code = find("cudaDeviceReset")();
    printf("cudaDeviceReset %d, then cudaMalloc %d\n", code, find("cudaMalloc")(&memory, (size_t)BYTES));
    printf("cudaDeviceSynchronize %d\n", find("cudaDeviceSynchronize")());
    return 0;
}
