/* Signal handlers that call the driver while the main loop is calling it.
 *
 * Hazard: a handler runs in the middle of a traced call, perhaps in the middle of writing its record; and a tracer's own thread must not
 * take signals meant for the program.
 *
 * SIGALRM (wall clock) and SIGPROF (processor time) fire every millisecond. The handler calls cuGetErrorName(1000 + k) as its k-th call,
 * which needs no lock in a driver; main calls cuGetErrorName(100), which answers in memory, and cuMemFree(0), which only returns a code.
 * Prints, once the handler has made 300 calls, whether each call gave the same code as before the timers started, whether errno was
 * kept, and whether handlers ran on the main thread only.
 */
#define _GNU_SOURCE
#include "driver.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

enum { HANDLER_CALLS = 300, UNKNOWN_CODE = 1000 };

static volatile sig_atomic_t handler_calls;
static volatile sig_atomic_t wrong_codes;
static volatile sig_atomic_t other_threads;
static CUresult code_of_unknown;

static void call_in_handler(int signal)
{
    (void)signal;
    int kept = errno;
    if (gettid() != getpid()) {
        other_threads = 1;
    }
    if (handler_calls < HANDLER_CALLS) {
        const char *name = NULL;
        if (cuGetErrorName(UNKNOWN_CODE + handler_calls, &name) != code_of_unknown) {
            wrong_codes++;
        }
        handler_calls++;
    }
    errno = kept;
}

static void start_timer(int which, int signal)
{
    struct sigaction action;
    struct itimerval every_millisecond = {{0, 1000}, {0, 1000}};
    memset(&action, 0, sizeof action);
    action.sa_handler = call_in_handler;
    action.sa_flags = SA_RESTART;
    /* The two signals share call numbers, so neither handler may interrupt the other. */
    sigaddset(&action.sa_mask, SIGALRM);
    sigaddset(&action.sa_mask, SIGPROF);
    sigaction(signal, &action, NULL);
    setitimer(which, &every_millisecond, NULL);
}

int main(void)
{
    open_driver();
    const char *name = NULL;
    int errno_changed = 0;
    int wrong_answers = 0;
    printf("cuInit = %d\n", cuInit(0));
    code_of_unknown = cuGetErrorName(UNKNOWN_CODE, &name);
    CUresult code_of_known = cuGetErrorName(100, &name);
    printf("cuGetErrorName: unknown %d, known %d (%s)\n", code_of_unknown, code_of_known, name);
    CUresult code_of_free = cuMemFree_v2(0);
    start_timer(ITIMER_REAL, SIGALRM);
    start_timer(ITIMER_PROF, SIGPROF);
    while (handler_calls < HANDLER_CALLS) {
        name = NULL;
        errno = EXDEV;
        if (cuGetErrorName(100, &name) != code_of_known || name == NULL || strcmp(name, "CUDA_ERROR_NO_DEVICE") != 0) {
            wrong_answers++;
        }
        if (cuMemFree_v2(0) != code_of_free) {
            wrong_answers++;
        }
        errno_changed |= errno != EXDEV;
    }
    signal(SIGALRM, SIG_IGN);
    signal(SIGPROF, SIG_IGN);
    printf("handler calls %d, wrong codes in the handler %d, wrong answers in the main loop %d\n", (int)handler_calls, (int)wrong_codes,
           wrong_answers);
    printf("errno changed: %s\n", errno_changed ? "yes" : "no");
    printf("handler on another thread: %s\n", other_threads ? "yes" : "no");
    return 0;
}
