/* Calls made while the process or a thread is already going away.
 *
 * Hazard: late calls come when thread-local storage is being destroyed and atexit handlers of libraries may have run; a tracer that
 * tears itself down there crashes the program or loses these calls.
 *
 * Usage: exit_paths MODE
 *     atexit         two atexit handlers call, one from before and one from after the driver was opened
 *     destructor     a function of the program with attribute destructor calls
 *     thread-key     the destructors of two thread keys call, in two rounds, as a thread ends
 *     main-ends      the main thread ends with pthread_exit, a second one goes on calling and ends the process by returning
 *     exit-thread    a second thread calls exit() while the main thread is in a loop of calls; ends with 5
 *     quick-exit     an at_quick_exit handler calls, then quick_exit(6)
 * The calls are cuGetErrorName(100); each prints its code and where it came from. Ends with 0 where not said otherwise. NVIDIA's library
 * answers 4 (deinitialized) once its own exit handlers have run.
 */
#include "driver.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static int calls_in_destructor;
static pthread_key_t first_key;
static pthread_key_t second_key;

static void call_from(const char *place)
{
    const char *name = NULL;
    CUresult result = cuGetErrorName(100, &name);
    printf("%s: cuGetErrorName = %d (%s)\n", place, result, name != NULL ? name : "no name");
    fflush(stdout);
}

static void at_exit_before_driver(void)
{
    call_from("atexit handler registered before the driver was opened");
}

static void at_exit_after_driver(void)
{
    call_from("atexit handler registered after the driver was opened");
}

static void at_quick_exit_handler(void)
{
    call_from("at_quick_exit handler");
}

__attribute__((destructor)) static void when_unloaded(void)
{
    if (calls_in_destructor) {
        call_from("destructor function");
    }
}

static void first_key_destroyed(void *value)
{
    call_from("first key");
    if (value == (void *)1) {
        /* Asks for one more round of destructors. */
        pthread_setspecific(first_key, (void *)2);
    }
}

static void second_key_destroyed(void *unused)
{
    (void)unused;
    call_from("second key");
}

static void *end_with_keys(void *unused)
{
    (void)unused;
    call_from("thread");
    pthread_setspecific(first_key, (void *)1);
    pthread_setspecific(second_key, (void *)1);
    return NULL;
}

static void *call_after_main(void *main_thread)
{
    pthread_join(*(pthread_t *)main_thread, NULL);
    for (int i = 0; i < 3; i++) {
        call_from("thread after main");
    }
    return NULL;
}

static atomic_int main_is_calling;

static void *exit_process(void *unused)
{
    (void)unused;
    while (!atomic_load(&main_is_calling)) {
        sched_yield();
    }
    call_from("thread that calls exit");
    exit(5);
}

static void start(pthread_t *thread, void *(*function)(void *), void *argument)
{
    if (pthread_create(thread, NULL, function, argument) != 0) {
        fprintf(stderr, "exit_paths: no thread\n");
        exit(2);
    }
}

static int run_mode(const char *mode)
{
    pthread_t thread;
    static pthread_t main_thread;
    if (strcmp(mode, "atexit") == 0) {
        atexit(at_exit_after_driver);
    } else if (strcmp(mode, "destructor") == 0) {
        calls_in_destructor = 1;
    } else if (strcmp(mode, "thread-key") == 0) {
        pthread_key_create(&first_key, first_key_destroyed);
        pthread_key_create(&second_key, second_key_destroyed);
        start(&thread, end_with_keys, NULL);
        pthread_join(thread, NULL);
    } else if (strcmp(mode, "main-ends") == 0) {
        main_thread = pthread_self();
        start(&thread, call_after_main, &main_thread);
        pthread_exit(NULL);
    } else if (strcmp(mode, "exit-thread") == 0) {
        start(&thread, exit_process, NULL);
        for (;;) {
            const char *name = NULL;
            cuGetErrorName(200, &name);
            atomic_store(&main_is_calling, 1);
        }
    } else if (strcmp(mode, "quick-exit") == 0) {
        at_quick_exit(at_quick_exit_handler);
        quick_exit(6);
    } else {
        fprintf(stderr, "usage: exit_paths atexit|destructor|thread-key|main-ends|exit-thread|quick-exit\n");
        return 2;
    }
    return 0;
}

int main(int argc, char **argv)
{
    /* Handlers run in reverse order, so the driver's own run between this one and at_exit_after_driver. */
    if (argc > 1 && strcmp(argv[1], "atexit") == 0) {
        atexit(at_exit_before_driver);
    }
    open_driver();
    printf("cuInit = %d\n", cuInit(0));
    call_from("main");
    return run_mode(argc > 1 ? argv[1] : "");
}
