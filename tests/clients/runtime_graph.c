/* Goes through graphs of the CUDA runtime: captures work into one, launches it, updates it, breaks a capture on purpose, and prints
 * codes and what the data shows, one line a step.
 *
 *   runtime_graph LIBCUDART
 *
 * LIBCUDART is the path of libcudart.so.12 or .13; it looks for libcuda.so.1 itself.
 *
 * Hazard: captured work must not be done at once, and must be done at each launch; the program's own functions run in the middle of it.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*function)();

enum { TO_DEVICE = 1, TO_HOST = 2, BYTES = 4096, GLOBAL = 0, RELAXED = 2, NO_TIMING = 2 };

static void *library, *stream, *device_memory;
static unsigned char *from, *to;
static int host_calls, host_saw;

static function find(const char *name)
{
    function found;
    *(void **)&found = dlsym(library, name);
    if (!found) {
        fprintf(stderr, "runtime_graph: %s is absent\n", name);
        exit(2);
    }
    return found;
}

static int holds(const unsigned char *memory, int value)
{
    for (int place = 0; place < BYTES; place++)
        if (memory[place] != value) return 0;
    return 1;
}

/* Runs between the two copies of a graph: what the first one is to bring is there, what the second one brings is not. */
static void host_function(void *data)
{
    host_calls++;
    host_saw = from[0];
    *(int *)data += 1;
}

static int give_work(int *counter)
{
    int code = find("cudaMemcpyAsync")(device_memory, from, (size_t)BYTES, TO_DEVICE, stream);
    code |= find("cudaLaunchHostFunc")(stream, host_function, counter);
    return code | find("cudaMemcpyAsync")(to, device_memory, (size_t)BYTES, TO_HOST, stream);
}

static void *capture(int *counter)
{
    void *graph = NULL;
    int status = -1;
    int code = find("cudaStreamBeginCapture")(stream, GLOBAL);
    int asked = find("cudaStreamIsCapturing")(stream, &status);
    printf("capture begins %d, asked %d, status %d\n", code, asked, status);
    code = give_work(counter);
    printf("capture takes %d, done at once: %s\n", code, host_calls || to[0] ? "yes" : "no");
    code = find("cudaStreamEndCapture")(stream, &graph);
    asked = find("cudaStreamIsCapturing")(stream, &status);
    printf("capture ends %d, asked %d, status %d\n", code, asked, status);
    return graph;
}

static void *launch_twice(void *graph, int *counter)
{
    size_t nodes = 0;
    void *exec = NULL;
    int code = find("cudaGraphGetNodes")(graph, NULL, &nodes);
    printf("nodes %d, %zu\n", code, nodes);
    printf("instantiate %d\n", find("cudaGraphInstantiate")(&exec, graph, 0ull));
    for (int round = 1; round <= 2; round++) {
        memset(from, 0x10 + round, BYTES);
        code = find("cudaGraphLaunch")(exec, stream);
        int waited = find("cudaStreamSynchronize")(stream);
        printf("launch %d %d, data %s, host function ran %d times and saw %#x\n", code, waited,
               holds(to, 0x10 + round) ? "arrived" : "did not arrive", *counter, host_saw);
    }
    return exec;
}

/* Waiting for memory while a stream is captured is an error that spoils the capture. */
static void break_capture(void)
{
    void *memory = NULL, *graph = (void *)1;
    int code = find("cudaStreamBeginCapture")(stream, GLOBAL);
    int refused = find("cudaMalloc")(&memory, (size_t)BYTES);
    find("cudaGetLastError")();
    int ended = find("cudaStreamEndCapture")(stream, &graph);
    find("cudaGetLastError")();
    printf("broken capture %d, cudaMalloc %d, end %d, graph %s\n", code, refused, ended, graph ? "set" : "NULL");
    code = find("cudaStreamBeginCapture")(stream, GLOBAL);
    refused = find("cudaStreamSynchronize")(stream);
    find("cudaGetLastError")();
    ended = find("cudaStreamEndCapture")(stream, &graph);
    find("cudaGetLastError")();
    printf("broken capture %d, cudaStreamSynchronize %d, end %d\n", code, refused, ended);
    code = find("cudaStreamBeginCapture")(stream, RELAXED);
    int allowed = find("cudaMalloc")(&memory, (size_t)BYTES);
    ended = find("cudaStreamEndCapture")(stream, &graph);
    printf("relaxed capture %d, cudaMalloc %d, end %d\n", code, allowed, ended);
    printf("empty graph destroyed %d, memory freed %d\n", find("cudaGraphDestroy")(graph), find("cudaFree")(memory));
}

/* A second stream joins the capture through an event, and must come back. */
static void fork_and_join(int join)
{
    void *second = NULL, *forked = NULL, *joined = NULL, *graph = NULL;
    size_t nodes = 0;
    int code = find("cudaStreamCreateWithFlags")(&second, 1u);
    code |= find("cudaEventCreateWithFlags")(&forked, (unsigned)NO_TIMING) | find("cudaEventCreateWithFlags")(&joined, (unsigned)NO_TIMING);
    code |= find("cudaStreamBeginCapture")(stream, GLOBAL);
    code |= find("cudaEventRecord")(forked, stream) | find("cudaStreamWaitEvent")(second, forked, 0u);
    code |= find("cudaMemsetAsync")(device_memory, 7, (size_t)BYTES, second);
    if (join) code |= find("cudaEventRecord")(joined, second) | find("cudaStreamWaitEvent")(stream, joined, 0u);
    int ended = find("cudaStreamEndCapture")(stream, &graph);
    find("cudaGetLastError")();
    if (graph) find("cudaGraphGetNodes")(graph, NULL, &nodes);
    printf("fork %d, %s: end %d, %zu nodes\n", code, join ? "joined" : "not joined", ended, nodes);
    if (graph) find("cudaGraphDestroy")(graph);
    find("cudaEventDestroy")(forked), find("cudaEventDestroy")(joined), find("cudaStreamDestroy")(second);
}

int main(int count, char **arguments)
{
    int counter = 0;
    void *copy = NULL;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count != 2 || !(library = dlopen(arguments[1], RTLD_NOW))) {
        fprintf(stderr, "runtime_graph: expected the path of libcudart, found %s\n", count == 2 ? dlerror() : "something else");
        return 2;
    }
    int code = find("cudaMalloc")(&device_memory, (size_t)BYTES);
    code |= find("cudaMallocHost")(&from, (size_t)BYTES) | find("cudaMallocHost")(&to, (size_t)BYTES);
    printf("memory %d, stream %d\n", code, find("cudaStreamCreate")(&stream));
    memset(from, 0x10, BYTES), memset(to, 0, BYTES);
    void *graph = capture(&counter);
    void *exec = launch_twice(graph, &counter);
    code = find("cudaGraphClone")(&copy, graph);
    printf("clone %d, destroy %d\n", code, find("cudaGraphDestroy")(copy));
    printf("destroy %d %d\n", find("cudaGraphExecDestroy")(exec), find("cudaGraphDestroy")(graph));
    break_capture();
    fork_and_join(1);
    fork_and_join(0);
    printf("end %d %d\n", find("cudaStreamDestroy")(stream), find("cudaDeviceSynchronize")());
    return 0;
}
