/* A program that is linked to the driver (DT_NEEDED libcuda.so.1) instead of opening it, and that looks at its own symbols.
 *
 * Hazard: the loader, not the program, decides which library answers; and what dladdr and dlsym say about it must be what the real
 * library would say.
 *
 * Build with -lcuda against a stub whose SONAME is libcuda.so.1 (libcuda_stub.c). Prints the results of the first calls, then for each
 * function its name by dladdr and the base name of the file it lies in, whether dlsym(RTLD_DEFAULT), dlsym(RTLD_NEXT) and dlsym of a
 * handle agree with the linked address, and that absent names are absent.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

int cuInit(unsigned int flags);
int cuDriverGetVersion(int *version);
int cuDeviceGetCount(int *count);
int cuMemGetInfo_v2(size_t *free_bytes, size_t *total_bytes);

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static void look_at(const char *name, void *address, void *handle)
{
    Dl_info info;
    if (dladdr(address, &info) == 0) {
        printf("%s: dladdr knows nothing of it\n", name);
        return;
    }
    printf("%s: dladdr %s in %s, RTLD_DEFAULT %s, RTLD_NEXT %s, handle %s\n", name, info.dli_sname != NULL ? info.dli_sname : "(no name)",
           base_name(info.dli_fname), dlsym(RTLD_DEFAULT, name) == address ? "same" : "another",
           dlsym(RTLD_NEXT, name) == address ? "same" : "another", dlsym(handle, name) == address ? "same" : "another");
}

static void look_for(const char *name)
{
    printf("%s: RTLD_DEFAULT %s, RTLD_NEXT %s\n", name, dlsym(RTLD_DEFAULT, name) != NULL ? "found" : "absent",
           dlsym(RTLD_NEXT, name) != NULL ? "found" : "absent");
}

int main(void)
{
    size_t free_bytes = 1;
    size_t total_bytes = 1;
    int version = 0;
    int count = -1;
    printf("cuInit = %d\n", cuInit(0));
    printf("cuDriverGetVersion = %d\n", cuDriverGetVersion(&version));
    printf("version %d\n", version);
    printf("cuDeviceGetCount = %d\n", cuDeviceGetCount(&count));
    printf("count %d\n", count);
    printf("cuMemGetInfo_v2 = %d\n", cuMemGetInfo_v2(&free_bytes, &total_bytes));
    printf("free %zu of %zu MiB\n", free_bytes >> 20, total_bytes >> 20);

    void *handle = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    printf("libcuda.so.1 is loaded: %s\n", handle != NULL ? "yes" : "no");
    if (handle == NULL) {
        return 1;
    }
    look_at("cuInit", (void *)cuInit, handle);
    look_at("cuDriverGetVersion", (void *)cuDriverGetVersion, handle);
    look_at("cuDeviceGetCount", (void *)cuDeviceGetCount, handle);
    look_at("cuMemGetInfo_v2", (void *)cuMemGetInfo_v2, handle);
    look_for("cuMemGetInfo");
    look_for("cuGetProcAddress_v2");
    look_for("cuNoSuchFunction");
    look_for("cutape");
    look_for("nvmlInit_v2");
    return 0;
}
