/* Lists the devices that llama.cpp would compute on, as a program on top of its libllama does.
 *
 *   llama_devices LIBGGML LIBLLAMA BACKEND_FOLDER
 *
 * LIBGGML and LIBLLAMA are the paths of libggml.so and libllama.so, BACKEND_FOLDER holds GGML's backends (libggml-cuda.so, ...).
 *
 * Prints each GPU with its memory, how many devices are CPUs, and whether llama.cpp would offload layers. Ends with 0, or 2 where a
 * library or symbol is missing.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { TYPE_CPU = 0, TYPE_GPU = 1 };

static void *ggml, *llama;

static void *find(void *library, const char *name)
{
    void *found = dlsym(library, name);
    if (found == NULL) {
        fprintf(stderr, "llama_devices: %s is absent\n", name);
        exit(2);
    }
    return found;
}

/* Declares a local pointer to a function of a library. */
#define USE(library, result, name, ...) result (*name)(__VA_ARGS__) = find(library, #name)

int main(int count, char **arguments)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count != 4 || (ggml = dlopen(arguments[1], RTLD_NOW | RTLD_GLOBAL)) == NULL ||
        (llama = dlopen(arguments[2], RTLD_NOW | RTLD_GLOBAL)) == NULL) {
        fprintf(stderr, "llama_devices: expected LIBGGML LIBLLAMA BACKEND_FOLDER, found %s\n", count == 4 ? dlerror() : "something else");
        return 2;
    }
    USE(ggml, void, ggml_backend_load_all_from_path, const char *);
    USE(ggml, size_t, ggml_backend_dev_count, void);
    USE(ggml, void *, ggml_backend_dev_get, size_t);
    USE(ggml, const char *, ggml_backend_dev_name, void *);
    USE(ggml, const char *, ggml_backend_dev_description, void *);
    USE(ggml, int, ggml_backend_dev_type, void *);
    USE(ggml, void, ggml_backend_dev_memory, void *, size_t *, size_t *);
    USE(llama, void, llama_backend_init, void);
    USE(llama, void, llama_backend_free, void);
    USE(llama, bool, llama_supports_gpu_offload, void);
    USE(llama, size_t, llama_max_devices, void);
    int processors = 0;
    ggml_backend_load_all_from_path(arguments[3]);
    llama_backend_init();
    for (size_t place = 0; place < ggml_backend_dev_count(); place++) {
        void *device = ggml_backend_dev_get(place);
        size_t free_bytes = 7, total_bytes = 7;
        if (ggml_backend_dev_type(device) != TYPE_GPU) {
            processors += ggml_backend_dev_type(device) == TYPE_CPU;
            continue;
        }
        ggml_backend_dev_memory(device, &free_bytes, &total_bytes);
        printf("GPU: %s (%s), %zu MiB free of %zu MiB\n", ggml_backend_dev_name(device), ggml_backend_dev_description(device),
               free_bytes >> 20, total_bytes >> 20);
    }
    printf("CPU: %d\n", processors);
    printf("offload: %s, at most %s\n", llama_supports_gpu_offload() ? "yes" : "no", llama_max_devices() > 1 ? "several devices" : "one device");
    llama_backend_free();
    return 0;
}
