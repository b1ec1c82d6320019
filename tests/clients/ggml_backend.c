/* Computes on the best backend that GGML finds, as llama.cpp does: loads the CUDA backend, asks each device for its memory, moves a tensor
 * there and back, runs a graph of one addition.
 *
 *   ggml_backend LIBGGML BACKEND CPU_BACKEND
 *
 * LIBGGML is the path of libggml.so, BACKEND that of libggml-cuda.so, CPU_BACKEND that of a libggml-cpu-*.so to fall back to. Nothing of
 * GGML's headers is needed: the few prototypes used are below, as its documentation has them.
 *
 * Hazard: a GPU whose memory cannot be asked for is still listed, with 0 of 0 bytes, and is passed over in silence.
 *
 * Prints the devices, the backend chosen, and whether each step worked. Ends with 0, or 2 where a library or symbol is missing.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct init_params {
    size_t bytes;
    void *memory;
    bool no_alloc;
};

enum { F32 = 0, COUNT = 1000 };

static void *library;

static void *find(const char *name)
{
    void *found = dlsym(library, name);
    if (found == NULL) {
        fprintf(stderr, "ggml_backend: %s is absent\n", name);
        exit(2);
    }
    return found;
}

/* Declares a local pointer to a function of GGML. */
#define USE(result, name, ...) result (*name)(__VA_ARGS__) = find(#name)

/* The first device of a backend that has memory; says what each one has. */
static void *best_device(void *registry)
{
    USE(size_t, ggml_backend_reg_dev_count, void *);
    USE(void *, ggml_backend_reg_dev_get, void *, size_t);
    USE(const char *, ggml_backend_dev_name, void *);
    USE(const char *, ggml_backend_dev_description, void *);
    USE(void, ggml_backend_dev_memory, void *, size_t *, size_t *);
    void *best = NULL;
    size_t count = ggml_backend_reg_dev_count(registry);
    printf("devices: %zu\n", count);
    for (size_t place = 0; place < count; place++) {
        size_t free_bytes = 7, total_bytes = 7;
        void *device = ggml_backend_reg_dev_get(registry, place);
        ggml_backend_dev_memory(device, &free_bytes, &total_bytes);
        printf("device: %s (%s), %zu MiB free of %zu MiB\n", ggml_backend_dev_name(device), ggml_backend_dev_description(device),
               free_bytes >> 20, total_bytes >> 20);
        if (best == NULL && total_bytes > 0) best = device;
    }
    return best;
}

static int same(const float *one, const float *other)
{
    return memcmp(one, other, COUNT * sizeof *one) == 0;
}

/* Moves two tensors to the device, one back, and adds them. */
static void compute(void *backend)
{
    USE(void *, ggml_init, struct init_params);
    USE(void, ggml_free, void *);
    USE(void *, ggml_new_tensor_1d, void *, int, int64_t);
    USE(void *, ggml_add, void *, void *, void *);
    USE(void *, ggml_new_graph, void *);
    USE(void, ggml_build_forward_expand, void *, void *);
    USE(void *, ggml_backend_alloc_ctx_tensors, void *, void *);
    USE(void, ggml_backend_buffer_free, void *);
    USE(void, ggml_backend_tensor_set, void *, const void *, size_t, size_t);
    USE(void, ggml_backend_tensor_get, const void *, void *, size_t, size_t);
    USE(int, ggml_backend_graph_compute, void *, void *);
    USE(void, ggml_backend_synchronize, void *);
    static float ones[COUNT], twos[COUNT], sums[COUNT], back[COUNT];
    for (int place = 0; place < COUNT; place++) {
        ones[place] = (float)place * 0.5f;
        twos[place] = 1000.0f - (float)place;
        sums[place] = ones[place] + twos[place];
    }
    struct init_params params = {1 << 20, NULL, true};
    void *context = ggml_init(params);
    void *one = ggml_new_tensor_1d(context, F32, COUNT), *two = ggml_new_tensor_1d(context, F32, COUNT);
    void *sum = ggml_add(context, one, two);
    void *graph = ggml_new_graph(context);
    ggml_build_forward_expand(graph, sum);
    void *buffer = ggml_backend_alloc_ctx_tensors(context, backend);
    printf("buffer: %s\n", buffer != NULL ? "allocated" : "refused");
    if (buffer != NULL) {
        ggml_backend_tensor_set(one, ones, 0, sizeof ones);
        ggml_backend_tensor_set(two, twos, 0, sizeof twos);
        ggml_backend_tensor_get(one, back, 0, sizeof back);
        printf("tensor: %s\n", same(back, ones) ? "came back" : "came back wrong");
        int status = 0;
        /* A backend that captures its work into a graph does so after the same work was given a few times. */
        for (int round = 0; round < 5 && status == 0; round++) status = ggml_backend_graph_compute(backend, graph);
        ggml_backend_synchronize(backend);
        printf("graph: status %d\n", status);
        ggml_backend_tensor_get(sum, back, 0, sizeof back);
        printf("sum: %s\n", same(back, sums) ? "computed" : "not computed");
        ggml_backend_tensor_get(two, back, 0, sizeof back);
        printf("tensor: %s\n", same(back, twos) ? "untouched" : "changed");
        ggml_backend_buffer_free(buffer);
    }
    ggml_free(context);
}

int main(int count, char **arguments)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count != 4 || (library = dlopen(arguments[1], RTLD_NOW | RTLD_GLOBAL)) == NULL) {
        fprintf(stderr, "ggml_backend: expected LIBGGML BACKEND CPU_BACKEND, found %s\n", count == 4 ? dlerror() : "something else");
        return 2;
    }
    USE(void *, ggml_backend_load, const char *);
    USE(void *, ggml_backend_dev_init, void *, const char *);
    USE(const char *, ggml_backend_name, void *);
    USE(void, ggml_backend_free, void *);
    void *registry = ggml_backend_load(arguments[2]);
    printf("CUDA backend: %s\n", registry != NULL ? "loaded" : "not loaded");
    void *device = registry != NULL ? best_device(registry) : NULL;
    if (device == NULL && (registry = ggml_backend_load(arguments[3])) != NULL) {
        USE(void *, ggml_backend_reg_dev_get, void *, size_t);
        device = ggml_backend_reg_dev_get(registry, 0);
    }
    void *backend = device != NULL ? ggml_backend_dev_init(device, NULL) : NULL;
    if (backend == NULL) {
        printf("backend: none\n");
        return 0;
    }
    printf("backend: %s\n", ggml_backend_name(backend));
    compute(backend);
    ggml_backend_free(backend);
    return 0;
}
