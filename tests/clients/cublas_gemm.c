/* Multiplies two matrices with cuBLAS on the device, and prints codes, one line a step.
 *
 *   cublas_gemm LIBCUDART LIBCUBLAS
 *
 * The paths are those of libcudart.so.13 and libcublas.so.13; both look for libcuda.so.1 themselves. Whether the product is right is not
 * said: a simulated GPU accepts kernels and computes nothing.
 *
 * Hazard: cuBLAS loads hundreds of MiB of kernels, asks for many attributes, and keeps a workspace of its own.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*function)();

static function find(void *library, const char *name)
{
    function found;
    *(void **)&found = dlsym(library, name);
    if (!found) {
        fprintf(stderr, "cublas_gemm: %s is absent\n", name);
        exit(2);
    }
    return found;
}

static void *open_library(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    if (!library) {
        fprintf(stderr, "cublas_gemm: %s\n", dlerror());
        exit(2);
    }
    return library;
}

int main(int count, char **arguments)
{
    enum { SIDE = 64, VALUES = SIDE * SIDE, TO_DEVICE = 1, TO_HOST = 2, PLAIN = 0, F16 = 2, F32 = 0, COMPUTE_F32 = 68, DEFAULT = -1 };
    static float from[VALUES], to[VALUES];
    float one = 1, zero = 0;
    size_t bytes = sizeof from;
    void *a = NULL, *b = NULL, *c = NULL, *handle = NULL, *stream = NULL;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count != 3) {
        fprintf(stderr, "cublas_gemm: expected LIBCUDART LIBCUBLAS\n");
        return 2;
    }
    void *runtime = open_library(arguments[1]), *blas = open_library(arguments[2]);
    function allocate = find(runtime, "cudaMalloc"), copy = find(runtime, "cudaMemcpy");
    for (int place = 0; place < VALUES; place++) from[place] = (float)place;
    printf("cudaMalloc %d %d %d\n", allocate(&a, bytes), allocate(&b, bytes), allocate(&c, bytes));
    printf("cudaMemcpy %d %d\n", copy(a, from, bytes, TO_DEVICE), copy(b, from, bytes, TO_DEVICE));
    printf("cublasCreate %d\n", find(blas, "cublasCreate_v2")(&handle));
    printf("cudaStreamCreate %d\n", find(runtime, "cudaStreamCreate")(&stream));
    printf("cublasSetStream %d\n", find(blas, "cublasSetStream_v2")(handle, stream));
    printf("cublasSgemm %d\n",
           find(blas, "cublasSgemm_v2")(handle, PLAIN, PLAIN, SIDE, SIDE, SIDE, &one, a, SIDE, b, SIDE, &zero, c, SIDE));
    printf("cublasGemmEx %d\n", find(blas, "cublasGemmEx")(handle, PLAIN, PLAIN, SIDE, SIDE, SIDE, &one, a, F16, SIDE, b, F16, SIDE, &zero, c,
                                                           F32, SIDE, COMPUTE_F32, DEFAULT));
    printf("cudaStreamSynchronize %d\n", find(runtime, "cudaStreamSynchronize")(stream));
    int code = copy(to, a, bytes, TO_HOST);
    printf("cudaMemcpy %d, the factor %s\n", code, memcmp(from, to, bytes) ? "was changed" : "is untouched");
    printf("cublasDestroy %d\n", find(blas, "cublasDestroy_v2")(handle));
    printf("cudaDeviceSynchronize %d\n", find(runtime, "cudaDeviceSynchronize")());
    printf("cudaGetLastError %d\n", find(runtime, "cudaGetLastError")());
    return 0;
}
