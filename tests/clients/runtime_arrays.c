/* Uses arrays, textures and surfaces by the CUDA runtime, as image processing does, and prints codes and whether bytes came back.
 *
 *   runtime_arrays LIBCUDART
 *
 * LIBCUDART is the path of libcudart.so.12 or .13. Nothing of its headers is needed: structures are as its documentation has them, in room to
 * spare.
 *
 * Hazard: descriptions that the driver keeps and gives back, unions in them, and memory without an address.
 *
 * Ends with 0, or 2 where the library or a symbol is missing.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*function)();

/* Bits of up to four channels, and what they hold: 0 signed, 1 unsigned, 2 floating point. */
struct channels {
    int bits[4];
    int kind;
};

struct extent {
    size_t width, height, depth;
};

/* What a texture is of: a type, and a union that begins with a pointer. */
struct resource {
    int type;
    void *of;
    char more[256];
};

static void *library;

static function find(const char *name)
{
    function found;
    *(void **)&found = dlsym(library, name);
    if (!found) {
        fprintf(stderr, "runtime_arrays: %s is absent\n", name);
        exit(2);
    }
    return found;
}

int main(int count, char **arguments)
{
    enum { WIDTH = 100, HEIGHT = 20, LEVELS = 3, ARRAY = 0, MIPMAPPED = 1, FOR_SURFACES = 2, TO_DEVICE = 1, TO_HOST = 2 };
    static float from[HEIGHT][WIDTH], to[HEIGHT][WIDTH];
    struct channels one_float = {{32, 0, 0, 0}, 2}, found = {{0}, -1};
    struct extent extent = {WIDTH, HEIGHT, 0}, has = {0, 0, 0};
    struct resource resource = {ARRAY, NULL, ""}, told = {-1, NULL, ""};
    char how[256] = "";
    void *array = NULL, *mipmapped = NULL, *level = NULL;
    unsigned long long texture = 0, surface = 0;
    unsigned flags = 99;
    if (count != 2 || !(library = dlopen(arguments[1], RTLD_NOW))) {
        fprintf(stderr, "runtime_arrays: expected the path of libcudart, found %s\n", count == 2 ? dlerror() : "something else");
        return 2;
    }
    for (int at = 0; at < HEIGHT * WIDTH; at++) from[at / WIDTH][at % WIDTH] = (float)at;
    int code = find("cudaMallocArray")(&array, &one_float, (size_t)WIDTH, (size_t)HEIGHT, FOR_SURFACES);
    int asked = find("cudaArrayGetInfo")(&found, &has, &flags, array);
    printf("cudaMallocArray %d, cudaArrayGetInfo %d, %zux%zu, %d bits, kind %d, flags %u\n", code, asked, has.width, has.height, found.bits[0],
           found.kind, flags);
    size_t row = sizeof from[0];
    code = find("cudaMemcpy2DToArray")(array, (size_t)0, (size_t)0, from, row, row, (size_t)HEIGHT, TO_DEVICE);
    asked = find("cudaMemcpy2DFromArray")(to, row, array, (size_t)0, (size_t)0, row, (size_t)HEIGHT, TO_HOST);
    printf("copied %d %d, %s\n", code, asked, memcmp(from, to, sizeof from) ? "came back wrong" : "came back");
    code = find("cudaMemcpy2DToArray")(array, row, (size_t)0, from, row, row, (size_t)HEIGHT, TO_DEVICE);
    printf("copied beyond its rows %d\n", code);
    resource.of = array;
    code = find("cudaCreateTextureObject")(&texture, &resource, how, NULL);
    asked = find("cudaGetTextureObjectResourceDesc")(&told, texture);
    printf("cudaCreateTextureObject %d, told %d, %s\n", code, asked, told.of == array ? "of the array" : "of something else");
    code = find("cudaCreateSurfaceObject")(&surface, &resource);
    asked = find("cudaDestroySurfaceObject")(surface);
    printf("surface %d %d, cudaDestroyTextureObject %d\n", code, asked, find("cudaDestroyTextureObject")(texture));
    code = find("cudaMallocMipmappedArray")(&mipmapped, &one_float, extent, LEVELS, 0);
    asked = find("cudaGetMipmappedArrayLevel")(&level, mipmapped, LEVELS - 1);
    find("cudaArrayGetInfo")(&found, &has, &flags, level);
    printf("cudaMallocMipmappedArray %d, level %d, %zux%zu\n", code, asked, has.width, has.height);
    resource.type = MIPMAPPED;
    resource.of = mipmapped;
    code = find("cudaCreateTextureObject")(&texture, &resource, how, NULL);
    asked = find("cudaDestroyTextureObject")(texture);
    printf("texture of it %d %d\n", code, asked);
    code = find("cudaFreeMipmappedArray")(mipmapped);
    printf("freed %d %d\n", code, find("cudaFreeArray")(array));
    return 0;
}
