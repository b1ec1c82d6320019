/* A library in the driver's place that only writes down what is looked up, and asks the real driver.
 *
 * It is the other witness: built without anything of cutape, it says how often a client calls cuGetProcAddress, with what, and what it
 * gets. A trace must say the same.
 *
 * Build as libcuda.so.1. REAL_DRIVER names the real library, LOOKUP_LOG the file to write. It exports the few functions that libcudart
 * takes by dlsym; everything else a client gets by look-up, from the real driver itself. One line a look-up:
 *     NAME VERSION FLAGS = CODE found|absent|none       none: the client passed no place for the pointer
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*look_up_v1)(const char *name, void **pointer, int version, uint64_t flags);
typedef int (*look_up_v2)(const char *name, void **pointer, int version, uint64_t flags, int *status);

int cuGetProcAddress(const char *name, void **pointer, int version, uint64_t flags);
int cuGetProcAddress_v2(const char *name, void **pointer, int version, uint64_t flags, int *status);
int cuDriverGetVersion(int *version);
int cuInit(unsigned int flags);
int cuGetExportTable(const void **table, const void *id);

static void *real(const char *name)
{
    static void *library;
    if (library == NULL) {
        const char *path = getenv("REAL_DRIVER");
        library = path != NULL ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    }
    void *function = library != NULL ? dlsym(library, name) : NULL;
    if (function == NULL) {
        fprintf(stderr, "proc_address_log: no %s in REAL_DRIVER\n", name);
        exit(2);
    }
    return function;
}

static void write_down(const char *name, int version, uint64_t flags, int code, void **pointer)
{
    static FILE *log;
    if (log == NULL) {
        const char *path = getenv("LOOKUP_LOG");
        log = path != NULL ? fopen(path, "w") : NULL;
    }
    if (log == NULL) {
        fprintf(stderr, "proc_address_log: LOOKUP_LOG can't be written\n");
        exit(2);
    }
    const char *answer = pointer == NULL ? "none" : *pointer != NULL ? "found" : "absent";
    fprintf(log, "%s %d %d = %d %s\n", name, version, (int)flags, code, answer);
    fflush(log);
}

/* A look-up of look-up must lead back here. */
static void keep_listening(const char *name, void **pointer, int version)
{
    if (pointer != NULL && *pointer != NULL && strcmp(name, "cuGetProcAddress") == 0) {
        *pointer = version >= 12000 ? (void *)cuGetProcAddress_v2 : (void *)cuGetProcAddress;
    }
}

int cuGetProcAddress(const char *name, void **pointer, int version, uint64_t flags)
{
    look_up_v1 look_up;
    *(void **)(&look_up) = real("cuGetProcAddress");
    int code = look_up(name, pointer, version, flags);
    write_down(name, version, flags, code, pointer);
    keep_listening(name, pointer, version);
    return code;
}

int cuGetProcAddress_v2(const char *name, void **pointer, int version, uint64_t flags, int *status)
{
    look_up_v2 look_up;
    *(void **)(&look_up) = real("cuGetProcAddress_v2");
    int code = look_up(name, pointer, version, flags, status);
    write_down(name, version, flags, code, pointer);
    keep_listening(name, pointer, version);
    return code;
}

int cuDriverGetVersion(int *version)
{
    int (*function)(int *);
    *(void **)(&function) = real("cuDriverGetVersion");
    return function(version);
}

int cuInit(unsigned int flags)
{
    int (*function)(unsigned int);
    *(void **)(&function) = real("cuInit");
    return function(flags);
}

int cuGetExportTable(const void **table, const void *id)
{
    int (*function)(const void **, const void *);
    *(void **)(&function) = real("cuGetExportTable");
    return function(table, id);
}
