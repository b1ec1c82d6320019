/* Asks the CUDA runtime what the first GPU is, as `cudaGetDeviceProperties` tells it, and prints it.
 *
 *   runtime_properties LIBCUDART
 *
 * LIBCUDART is the path of libcudart.so.12 or .13. Nothing of its headers is needed: the fields below are at the same places in both, as the
 * documentation of cudaDeviceProp has them; what follows is room to spare.
 *
 * Hazard: the runtime asks for some hundred attributes, and gives up if one of them is refused.
 *
 * Ends with 0, or 2 where the library or a symbol is missing.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

struct properties {
    char name[256];
    unsigned char uuid[16];
    char luid[8];
    unsigned luid_device_node_mask;
    size_t total_memory, shared_memory_per_block;
    int registers_per_block, warp_size;
    size_t memory_pitch;
    int threads_per_block, block_size[3], grid_size[3], more_of_12;
    size_t constant_memory;
    int major, minor;
    char more[2048];
};

int main(int count, char **arguments)
{
    static struct properties found;
    void *library = count == 2 ? dlopen(arguments[1], RTLD_NOW) : NULL;
    if (!library) {
        fprintf(stderr, "runtime_properties: expected the path of libcudart, found %s\n", count == 2 ? dlerror() : "something else");
        return 2;
    }
    int (*ask)(struct properties *, int) = NULL;
    /* The one without a number is, in libcudart.so.12, for programs built for CUDA 11. */
    *(void **)&ask = dlsym(library, "cudaGetDeviceProperties_v2");
    if (!ask) *(void **)&ask = dlsym(library, "cudaGetDeviceProperties");
    if (!ask) {
        fprintf(stderr, "runtime_properties: cudaGetDeviceProperties is absent\n");
        return 2;
    }
    printf("cudaGetDeviceProperties %d\n", ask(&found, 0));
    printf("%s, %d.%d, %zu MiB\n", found.name, found.major, found.minor, found.total_memory >> 20);
    printf("uuid %02x%02x%02x%02x-...-%02x\n", found.uuid[0], found.uuid[1], found.uuid[2], found.uuid[3], found.uuid[15]);
    printf("warps of %d, blocks of %d threads, %d registers, %zu bytes shared, %zu constant\n", found.warp_size, found.threads_per_block,
           found.registers_per_block, found.shared_memory_per_block, found.constant_memory);
    printf("grid up to %d x %d x %d\n", found.grid_size[0], found.grid_size[1], found.grid_size[2]);
    printf("second device %d\n", ask(&found, 1));
    return 0;
}
