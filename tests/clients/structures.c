/* Passes structures from everywhere: the same bytes to the same function from the thread's stack, from the heap, from the last bytes of a
 * page before memory that isn't there, from the stack of a context of its own that also makes the call, and NULL.
 *
 *   structures
 *
 * Hazard: a recorder that copies structures the short way where they lie on the stack must copy the same bytes as elsewhere, and look at
 * nothing where it would crash the program. Prints each function and what it returned from each place; which functions there are is up to
 * the driver.
 */
#define _GNU_SOURCE
#include "driver.h"

#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum { MOST_BYTES = 256, CONTEXT_BYTES = 1 << 18 };

/* Name, which of the words is the pointer, bytes of the structure. All other words are 0. */
static const struct function {
    const char *library, *name;
    int at, bytes;
} functions[] = {
    {"libcuda.so.1", "cuMemcpy2D_v2", 0, 128},
    {"libcuda.so.1", "cuMemcpy2DAsync_v2", 0, 128},
    {"libcuda.so.1", "cuMemcpy3D_v2", 0, 200},
    {"libcuda.so.1", "cuMemcpy3DPeerAsync", 0, 200},
    {"libcuda.so.1", "cuStreamSetAttribute", 2, 64},
    {"libcuda.so.1", "cuGraphMemsetNodeSetParams", 1, 40},
    {"libcuda.so.1", "cuGraphExecMemsetNodeSetParams", 2, 40},
    {"libcuda.so.1", "cuTexRefSetAddress2D_v3", 1, 24},
    {"libcuda.so.1", "cuMemcpyWithAttributesAsync", 3, 24},
    {"libnvidia-ml.so.1", "nvmlDeviceModifyDrainState", 0, 68},
    {"libnvidia-ml.so.1", "nvmlDeviceSetTemperatureThreshold", 2, 4},
};

typedef int any_function(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

struct call {
    any_function *function;
    const struct function *what;
    int returned;
};

static void make(struct call *call, const void *structure)
{
    uint64_t words[5] = {0};
    words[call->what->at] = (uintptr_t)structure;
    call->returned = call->function(words[0], words[1], words[2], words[3], words[4]);
    printf(" %d", call->returned);
}

static void fill(unsigned char *structure, const struct function *what)
{
    for (int n = 0; n < what->bytes; n++)
        structure[n] = (unsigned char)(n * 7 + 0x81);
}

static void from_own_stack(struct call *call)
{
    unsigned char structure[MOST_BYTES];
    fill(structure, call->what);
    make(call, structure);
}

static struct call *call_of_context;
static ucontext_t main_context, own_context;

static void in_context(void)
{
    from_own_stack(call_of_context);
}

static void from_context(struct call *call)
{
    static char stack[CONTEXT_BYTES];
    call_of_context = call;
    getcontext(&own_context);
    own_context.uc_stack.ss_sp = stack;
    own_context.uc_stack.ss_size = sizeof stack;
    own_context.uc_link = &main_context;
    makecontext(&own_context, in_context, 0);
    swapcontext(&main_context, &own_context);
}

static void from_heap(struct call *call)
{
    unsigned char *structure = malloc(MOST_BYTES);
    fill(structure, call->what);
    make(call, structure);
    free(structure);
}

static void from_end_of_page(struct call *call)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(pages + page, page);
    unsigned char *structure = pages + page - call->what->bytes;
    fill(structure, call->what);
    make(call, structure);
    munmap(pages, page);
}

int main(void)
{
    open_driver();
    cuInit(0);
    for (size_t n = 0; n < sizeof functions / sizeof *functions; n++) {
        struct call call = {.what = &functions[n]};
        void *library = dlopen(call.what->library, RTLD_NOW);
        if (library != NULL)
            *(void **)&call.function = dlsym(library, call.what->name);
        if (call.function == NULL)
            continue;
        printf("%s", call.what->name);
        from_own_stack(&call);
        from_heap(&call);
        from_end_of_page(&call);
        from_context(&call);
        make(&call, NULL);
        printf("\n");
    }
    return 0;
}
