"""Asks for the driver's private function tables, as libcudart, cuBLAS and profilers do.

Hazard: libcudart checks the addresses of two of them, so nobody may move them; what a driver does not have must stay refused.

Prints for each table its id, the code, and whether there is one; asked again, whether it is the same.
"""

import ctypes
import sys
import uuid

TABLES = (
    "6bd5fb6c-5bf4-e74a-8987-d93912fd9df9",  # CUDART_INTERFACE
    "a094798c-2e74-2e74-93f2-0800200c0a66",  # TOOLS_RUNTIME_CALLBACK_HOOKS
    "42d85a81-23f6-cb47-8298-f6e78a3aecdc",  # TOOLS_TLS
    "c693336e-1121-df11-a8c3-68f355d89593",  # CONTEXT_LOCAL_STORAGE
    "d4082055-bde6-704b-8d34-ba123c66e1f2",  # INTEGRITY_CHECK
    "00000000-0000-0000-0000-000000000000",  # nobody's
)


def main():
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        print(f"driver: none: {error}")
        return 3
    for table in TABLES:
        first, second = ctypes.c_void_p(), ctypes.c_void_p()
        identifier = uuid.UUID(table).bytes
        code = driver.cuGetExportTable(ctypes.byref(first), identifier)
        driver.cuGetExportTable(ctypes.byref(second), identifier)
        same = "the same again" if first.value == second.value else "another one the next time"
        print(f"{table} = {code}, {'a table' if first.value else 'no table'}, {same}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
