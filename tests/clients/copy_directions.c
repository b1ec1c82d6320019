/* Copies with the CUDA runtime and says which way only where it must: cudaMemcpyDefault lets the addresses tell.
 *
 *   copy_directions LIBCUDART
 *
 * LIBCUDART is the path of libcudart.so.12 or .13.
 *
 * Hazard: without unified addressing an address does not tell what memory it is of.
 *
 * Prints what the device says of unified addressing, then codes and whether the bytes came back. Ends with 0, or 2 where the library or
 * a symbol is missing.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*function)();

static void *library;

static function find(const char *name)
{
    function found;
    *(void **)&found = dlsym(library, name);
    if (!found) {
        fprintf(stderr, "copy_directions: %s is absent\n", name);
        exit(2);
    }
    return found;
}

int main(int count, char **arguments)
{
    enum { TO_DEVICE = 1, TO_HOST = 2, DEFAULT = 4, UNIFIED_ADDRESSING = 41, BYTES = 4096 };
    static char from[BYTES], to[BYTES];
    void *memory = NULL;
    int value = -1;
    if (count != 2 || !(library = dlopen(arguments[1], RTLD_NOW))) {
        fprintf(stderr, "copy_directions: expected the path of libcudart, found %s\n", count == 2 ? dlerror() : "something else");
        return 2;
    }
    int code = find("cudaDeviceGetAttribute")(&value, UNIFIED_ADDRESSING, 0);
    printf("unified addressing: %d, %d\n", code, value);
    printf("cudaMalloc %d\n", find("cudaMalloc")(&memory, (size_t)BYTES));
    for (int told = 1; told >= 0; told--) {
        memset(from, 0x5a + told, BYTES);
        memset(to, 0, BYTES);
        code = find("cudaMemcpy")(memory, from, (size_t)BYTES, told ? TO_DEVICE : DEFAULT);
        int back = find("cudaMemcpy")(to, memory, (size_t)BYTES, told ? TO_HOST : DEFAULT);
        printf("%s: %d %d, %s\n", told ? "told" : "default", code, back, memcmp(from, to, BYTES) ? "did not come back" : "came back");
    }
    return 0;
}
