"""Makes contexts with NVIDIA's Python bindings of CUDA 13, where cuCtxCreate is its version 4: parameters, flags, device.

Hazard: a driver that gives version 2 (flags, device) under this name reads flags for a device, and nothing tells.

The package cuda-bindings must be importable (PYTHONPATH). Prints a code for each flag, and the flags that the context then has.
"""

from cuda.bindings import driver

driver.cuInit(0)
for flags in (driver.CUctx_flags.CU_CTX_SCHED_AUTO, driver.CUctx_flags.CU_CTX_SCHED_BLOCKING_SYNC):
    code, context = driver.cuCtxCreate(None, flags.value, 0)
    print(f"{flags.name}: {code.name}")
    if code == driver.CUresult.CUDA_SUCCESS:
        print(f"  has flags {int(driver.cuCtxGetFlags()[1])}")
        driver.cuCtxDestroy(context)
