"""NVIDIA's real CUDA runtime, driven through ctypes.

Hazard: libcudart finds every driver function through cuGetProcAddress (400 and more look-ups) and private export tables, and checks that
nobody moved them.

Usage: cudart_lookups.py PATH-OF-LIBCUDART. Prints, in this order, the code and the answer of cudaRuntimeGetVersion, cudaDriverGetVersion,
cudaGetDeviceCount, cudaGetDevice, cudaMemGetInfo (free and total in MiB), cudaMalloc and cudaFree, cudaGetLastError.
"""

import ctypes
import sys


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: cudart_lookups.py PATH-OF-LIBCUDART")
    runtime = ctypes.CDLL(sys.argv[1])
    runtime.cudaGetErrorName.restype = ctypes.c_char_p
    runtime.cudaFree.argtypes = [ctypes.c_void_p]

    def show(call, code, answer=""):
        name = runtime.cudaGetErrorName(code).decode()
        print(f"{call} = {code} ({name}){answer and ': '}{answer}", flush=True)

    number = ctypes.c_int(-1)
    for call in ("cudaRuntimeGetVersion", "cudaDriverGetVersion", "cudaGetDeviceCount", "cudaGetDevice"):
        number.value = -1
        code = runtime[call](ctypes.byref(number))
        show(call, code, str(number.value))

    free, total = ctypes.c_size_t(0), ctypes.c_size_t(0)
    code = runtime.cudaMemGetInfo(ctypes.byref(free), ctypes.byref(total))
    show("cudaMemGetInfo", code, f"{free.value >> 20} MiB free of {total.value >> 20} MiB")

    pointer = ctypes.c_void_p()
    code = runtime.cudaMalloc(ctypes.byref(pointer), ctypes.c_size_t(1 << 20))
    show("cudaMalloc", code)
    if code == 0:
        show("cudaFree", runtime.cudaFree(pointer))
    show("cudaGetLastError", runtime.cudaGetLastError())


if __name__ == "__main__":
    main()
