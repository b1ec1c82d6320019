/*
 * How long a CUDA runtime takes from being loaded to having a context.
 *
 * Hazard: none; a stopwatch. Its output is a time, so it differs from run to run.
 *
 * Usage: runtime_start LIBCUDART. Prints the microseconds of loading it, counting the devices and making the context. Ends with 1 when a
 * call fails and says which, with 3 when the library can't be loaded.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <time.h>

static double microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static void *symbol(void *library, const char *name)
{
    void *address = dlsym(library, name);
    if (address == NULL)
        fprintf(stderr, "expected the function %s, found: %s\n", name, dlerror());
    return address;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s LIBCUDART\n", argv[0]);
        return 2;
    }
    double begin = microseconds();
    void *library = dlopen(argv[1], RTLD_NOW);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 3;
    }
    int (*count_devices)(int *) = symbol(library, "cudaGetDeviceCount");
    int (*free_memory)(void *) = symbol(library, "cudaFree");
    if (count_devices == NULL || free_memory == NULL)
        return 3;
    int devices = 0;
    int counted = count_devices(&devices);
    int started = free_memory(NULL);
    double end = microseconds();
    if (counted != 0 || started != 0) {
        fprintf(stderr, "cudaGetDeviceCount = %d, cudaFree(NULL) = %d\n", counted, started);
        return 1;
    }
    printf("%.0f\n", end - begin);
    return 0;
}
