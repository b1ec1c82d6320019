/* Uses the CUDA runtime as a program does that was compiled with `nvcc --default-stream per-thread`: calls its functions `_ptsz` and `_ptds`, and
 * passes no stream.
 *
 *   per_thread_stream LIBCUDART
 *
 * LIBCUDART is the path of libcudart.so.12 or .13.
 *
 * Hazard: a driver that passes over the flag for per-thread streams in cuGetProcAddress puts this program's work on the legacy default
 * stream, which all others wait for. That stream can't be captured, and must not be used while another one is: so the work tells by its codes
 * where it went.
 *
 * Prints codes, one line a step. Ends with 0, or 2 where the library or a symbol is missing.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

typedef int (*function)();

static void *library;

static function find(const char *name)
{
    function found;
    *(void **)&found = dlsym(library, name);
    if (!found) {
        fprintf(stderr, "per_thread_stream: %s is absent\n", name);
        exit(2);
    }
    return found;
}

int main(int count, char **arguments)
{
    enum { RELAXED = 2, BYTES = 4096 };
    void *memory = NULL, *other = NULL, *graph = NULL;
    unsigned long long legacy = 0, own = 0;
    if (count != 2 || !(library = dlopen(arguments[1], RTLD_NOW))) {
        fprintf(stderr, "per_thread_stream: expected the path of libcudart, found %s\n", count == 2 ? dlerror() : "something else");
        return 2;
    }
    int code = find("cudaMalloc")(&memory, (size_t)BYTES);
    printf("cudaMalloc %d, cudaStreamCreate %d\n", code, find("cudaStreamCreate")(&other));
    code = find("cudaStreamGetId")(NULL, &legacy);
    int asked = find("cudaStreamGetId_ptsz")(NULL, &own);
    printf("default stream: %d %d, %s\n", code, asked, legacy == own ? "the legacy one" : "one of this thread");
    code = find("cudaStreamBeginCapture")(other, RELAXED);
    int set = find("cudaMemsetAsync_ptsz")(memory, 0, (size_t)BYTES, NULL);
    printf("beside a capture: begin %d, memset %d, end %d\n", code, set, find("cudaStreamEndCapture")(other, &graph));
    code = find("cudaStreamBeginCapture_ptsz")(NULL, RELAXED);
    set = find("cudaMemsetAsync_ptsz")(memory, 0, (size_t)BYTES, NULL);
    printf("captured: begin %d, memset %d, end %d\n", code, set, find("cudaStreamEndCapture_ptsz")(NULL, &graph));
    return 0;
}
