/* Calls that fail deep in the program, on every kind of stack.
 *
 * Hazard: a tracer that keeps the stack of a failing call reads memory around it: beyond the end of a small stack, on a signal stack or a
 * coroutine's, whose ends nobody tells. It must neither crash nor change what the call answers, nor errno.
 *
 * Each scene asks for a device that there isn't, from functions whose names the test knows. Without an argument all scenes are played, with
 * one only the scene of that name. Prints the code of each call, or for the scene "many" how many failed.
 */
#include "driver.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#define APART __attribute__((noinline, noclone))

enum { NO_SUCH_DEVICE = 9999, DEEP = 4000, MANY = 100, SMALL_STACK = 16 << 10 };

static volatile int kept; /* so that calls are no jumps */

APART static CUresult ask(void)
{
    CUdevice device = 0;
    errno = 77;
    CUresult code = cuDeviceGet(&device, NO_SUCH_DEVICE);
    if (errno != 77)
        printf("errno is %d\n", errno);
    kept = 1;
    return code;
}

APART CUresult exported_asks(void)
{
    CUresult code = ask();
    kept = 2;
    return code;
}

static inline __attribute__((always_inline)) CUresult inlined_asks(void)
{
    return exported_asks();
}

APART static CUresult outer_asks(void)
{
    CUresult code = inlined_asks();
    kept = 3;
    return code;
}

/* Room on its stack that is not a multiple of 16, and aligned: its frame is found by another register than rsp. */
APART static CUresult aligned_asks(void)
{
    volatile char room[100] __attribute__((aligned(64)));
    room[0] = 1;
    CUresult code = outer_asks();
    room[99] = 1;
    kept = room[0];
    return code;
}

APART static CUresult of_any_size_asks(int bytes)
{
    volatile char room[bytes];
    room[0] = room[bytes - 1] = 1;
    CUresult code = outer_asks();
    kept = room[0];
    return code;
}

APART static CUresult deep_asks(int depth)
{
    volatile char room[64] = {0};
    CUresult code = depth > 0 ? deep_asks(depth - 1) : ask();
    kept = room[0];
    return code;
}

static void *thread_asks(void *code)
{
    *(CUresult *)code = outer_asks();
    return NULL;
}

static CUresult on_small_thread(void)
{
    CUresult code = -1;
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (pthread_attr_setstacksize(&attributes, SMALL_STACK) != 0 || pthread_create(&thread, &attributes, thread_asks, &code) != 0)
        exit(3);
    pthread_join(thread, NULL);
    return code;
}

static volatile CUresult code_in_handler;

static void handler_asks(int signal)
{
    (void)signal;
    code_in_handler = outer_asks();
}

APART static CUresult raises(int flags)
{
    struct sigaction action = {.sa_handler = handler_asks, .sa_flags = flags};
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    kept = 4;
    return code_in_handler;
}

static CUresult in_handler(void)
{
    return raises(0);
}

static CUresult on_signal_stack(void)
{
    size_t bytes = 64 << 10;
    stack_t stack = {.ss_sp = malloc(bytes), .ss_size = bytes};
    sigaltstack(&stack, NULL);
    CUresult code = raises(SA_ONSTACK);
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, NULL);
    free(stack.ss_sp);
    return code;
}

static ucontext_t back;
static CUresult code_of_coroutine;

static void coroutine_asks(void)
{
    code_of_coroutine = outer_asks();
    kept = 5;
}

static CUresult on_coroutine(void)
{
    ucontext_t coroutine;
    size_t bytes = 64 << 10;
    void *stack = malloc(bytes);
    getcontext(&coroutine);
    coroutine.uc_stack.ss_sp = stack;
    coroutine.uc_stack.ss_size = bytes;
    coroutine.uc_link = &back;
    makecontext(&coroutine, coroutine_asks, 0);
    swapcontext(&back, &coroutine);
    free(stack);
    return code_of_coroutine;
}

static CUresult deep(void)
{
    return deep_asks(DEEP);
}

static CUresult of_any_size(void)
{
    return of_any_size_asks(1000 + kept * 0);
}

static CUresult many(void)
{
    int failed = 0;
    for (int i = 0; i < MANY; i++)
        failed += ask() != CUDA_SUCCESS;
    return failed;
}

static const struct {
    const char *name;
    CUresult (*play)(void);
} scenes[] = {
    {"plain", outer_asks},       {"aligned", aligned_asks},   {"any-size", of_any_size},
    {"deep", deep},              {"thread", on_small_thread}, {"handler", in_handler},
    {"signal-stack", on_signal_stack}, {"coroutine", on_coroutine}, {"many", many},
};

int main(int count, char **words)
{
    open_driver();
    printf("cuInit %d\n", cuInit(0));
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++)
        if (count < 2 || strcmp(words[1], scenes[i].name) == 0)
            printf("%s %d\n", scenes[i].name, scenes[i].play());
    fflush(stdout);
    if (count > 2) /* as the test asked for: the end comes without a warning */
        kill(getpid(), SIGKILL);
    return 0;
}
