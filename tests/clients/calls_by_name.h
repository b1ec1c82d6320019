/* Calls of functions that driver.h doesn't declare: each is found by its name, made, and its code printed.
 *
 * A client sets `library` to what open_driver() returns.
 */
#ifndef CUTAPE_TEST_CALLS_BY_NAME_H
#define CUTAPE_TEST_CALLS_BY_NAME_H

#include "driver.h"

static void *library;

static void *find(const char *name)
{
    void *function = dlsym(library, name);
    if (function == NULL) {
        printf("%s: missing\n", name);
        exit(3);
    }
    return function;
}

#define CALL(name, parameters, ...)                                                  \
    do {                                                                             \
        CUresult(*call) parameters;                                                  \
        *(void **)(&call) = find(#name);                                             \
        printf("%s: %d\n", #name, (int)call(__VA_ARGS__));                           \
    } while (0)

/* Parameters of cuLaunchKernel. */
#define LAUNCH (void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **)

#endif
