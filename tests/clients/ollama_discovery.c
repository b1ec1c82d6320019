/* Looks for GPUs as Ollama up to 0.12.3 did: takes every file libcuda.so* in the folders of LD_LIBRARY_PATH, then in those given, loads each by
 * its real path, and uses the first one that has all functions and finds a device.
 *
 *   ollama_discovery [FOLDER]...
 *
 * Hazard: a library that lacks one function, or does not start, is passed over without a word, and the next one is used. So one process may
 * load two drivers, and the GPU that a user sees is not the one of the library that he put in front.
 *
 * Prints a line for each library, numbered in the order of the search, then the devices. Ends with 0.
 */
#include <dlfcn.h>
#include <glob.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 256, MOST_FOLDERS = 32, MOST_LIBRARIES = 64 };

enum { INIT, VERSION, COUNT, GET, ATTRIBUTE, UUID, NAME, CREATE, MEMORY, DESTROY, FUNCTIONS };

static const char *const names[FUNCTIONS] = {
    "cuInit",        "cuDriverGetVersion", "cuDeviceGetCount", "cuDeviceGet",     "cuDeviceGetAttribute",
    "cuDeviceGetUuid", "cuDeviceGetName",  "cuCtxCreate_v3",   "cuMemGetInfo_v2", "cuCtxDestroy",
};

typedef int (*function)();

/* The paths of the libraries, each once. */
static char libraries[MOST_LIBRARIES][PATH_MAX];
static int library_count;

static void search(const char *folder)
{
    char pattern[PATH_MAX], real[PATH_MAX];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/libcuda.so*", folder);
    if (glob(pattern, 0, NULL, &found) != 0) return;
    for (size_t at = 0; at < found.gl_pathc && library_count < MOST_LIBRARIES; at++) {
        int known = 0;
        if (!realpath(found.gl_pathv[at], real)) continue;
        for (int other = 0; other < library_count; other++) known |= strcmp(libraries[other], real) == 0;
        if (!known) strcpy(libraries[library_count++], real);
    }
    globfree(&found);
}

/* Whether the library can be used; says why not. */
static int starts(void *library, function *functions, int *count)
{
    for (int at = 0; at < FUNCTIONS; at++) {
        *(void **)&functions[at] = dlsym(library, names[at]);
        if (!functions[at]) {
            printf("%s is absent\n", names[at]);
            return 0;
        }
    }
    int code = functions[INIT](0);
    if (code != 0) {
        printf("cuInit %d\n", code);
        return 0;
    }
    code = functions[COUNT](count);
    printf("cuInit 0, cuDeviceGetCount %d, %d\n", code, *count);
    return code == 0;
}

static void list(function *functions, int count)
{
    enum { MAJOR = 75, MINOR = 76 };
    for (int ordinal = 0; ordinal < count; ordinal++) {
        char name[NAME_BYTES] = "";
        unsigned char uuid[16] = {0};
        int device = -1, major = 0, minor = 0;
        size_t free_bytes = 0, total_bytes = 0;
        void *context = NULL;
        int code = functions[GET](&device, ordinal);
        functions[ATTRIBUTE](&major, MAJOR, device);
        functions[ATTRIBUTE](&minor, MINOR, device);
        functions[UUID](uuid, device);
        functions[NAME](name, NAME_BYTES, device);
        /* Version 3 takes a list of affinities ahead of the flags. */
        code = code ? code : functions[CREATE](&context, NULL, 0, 0, device);
        int asked = functions[MEMORY](&free_bytes, &total_bytes);
        printf("%s, compute %d.%d, GPU-%02x%02x%02x%02x: %d %d, %zu of %zu MiB, destroyed %d\n", name, major, minor, uuid[0], uuid[1], uuid[2],
               uuid[3], code, asked, free_bytes >> 20, total_bytes >> 20, functions[DESTROY](context));
    }
}

int main(int count, char **arguments)
{
    char *path = getenv("LD_LIBRARY_PATH");
    path = path ? strdup(path) : NULL;
    for (char *folder = path ? strtok(path, ":") : NULL; folder; folder = strtok(NULL, ":")) search(folder);
    for (int at = 1; at < count && at < MOST_FOLDERS; at++) search(arguments[at]);
    for (int at = 0; at < library_count; at++) {
        function functions[FUNCTIONS];
        int devices = 0;
        printf("library %d: ", at + 1);
        void *library = dlopen(libraries[at], RTLD_LAZY);
        if (!library) {
            printf("can't be loaded\n");
        } else if (starts(library, functions, &devices)) {
            list(functions, devices);
            return 0;
        }
    }
    printf("no GPU: CPU only\n");
    return 0;
}
