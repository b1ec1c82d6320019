"""NVIDIA's Python bindings of the driver API (PyPI cuda-bindings), through start-up, memory and a stream.

Hazard: the bindings look every function up at first use, most by cuGetProcAddress, and are a client that nobody wrote for cutape.

The package must be importable (PYTHONPATH). Prints the code and, where it does not change from run to run, the answer of each call; stops
after the first calls that need a device when there is none.
"""

import sys

from cuda.bindings import driver

MIB = 1 << 20


def show(call, result, answer=None):
    """Prints one call; gives its first answer, None when it failed."""
    code, *answers = result
    succeeded = code == driver.CUresult.CUDA_SUCCESS
    text = f": {answer(*answers)}" if answer is not None and succeeded else ""
    print(f"{call} = {code.name} ({int(code)}){text}", flush=True)
    return answers[0] if succeeded and answers else None


def round_trip(pointer):
    """Copies a pattern to the device and back."""
    sent = bytes(range(256)) * 16
    received = bytearray(len(sent))
    show("cuMemcpyHtoD", driver.cuMemcpyHtoD(pointer, sent, len(sent)))
    show("cuMemcpyDtoH", driver.cuMemcpyDtoH(received, pointer, len(received)))
    print(f"came back unchanged: {'yes' if bytes(received) == sent else 'no'}")


def use_device(device):
    show("cuDeviceGetName", driver.cuDeviceGetName(128, device), lambda name: name.split(b"\0")[0].decode())
    show("cuDeviceTotalMem", driver.cuDeviceTotalMem(device), lambda total: f"{total // MIB} MiB")
    attributes = driver.CUdevice_attribute
    for attribute in (
        attributes.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
        attributes.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
        attributes.CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING,
    ):
        show(f"cuDeviceGetAttribute {attribute.name}", driver.cuDeviceGetAttribute(attribute, device), str)
    context = show("cuDevicePrimaryCtxRetain", driver.cuDevicePrimaryCtxRetain(device))
    if context is None:
        return
    show("cuCtxSetCurrent", driver.cuCtxSetCurrent(context))
    show("cuMemGetInfo", driver.cuMemGetInfo(), lambda free, total: f"total {total // MIB} MiB")
    stream = show("cuStreamCreate", driver.cuStreamCreate(0))
    pointer = show("cuMemAlloc", driver.cuMemAlloc(MIB))
    if pointer is not None:
        round_trip(pointer)
        show("cuMemFree", driver.cuMemFree(pointer))
    if stream is not None:
        show("cuStreamSynchronize", driver.cuStreamSynchronize(stream))
        show("cuStreamDestroy", driver.cuStreamDestroy(stream))
    show("cuDevicePrimaryCtxRelease", driver.cuDevicePrimaryCtxRelease(device))


def main():
    show("cuDriverGetVersion", driver.cuDriverGetVersion(), str)
    show("cuInit", driver.cuInit(0))
    show("cuDeviceGetCount", driver.cuDeviceGetCount(), str)
    show("cuMemGetInfo", driver.cuMemGetInfo())
    device = show("cuDeviceGet", driver.cuDeviceGet(0))
    if device is not None:
        use_device(device)
    return 0


if __name__ == "__main__":
    sys.exit(main())
