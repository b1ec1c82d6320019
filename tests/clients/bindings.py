"""NVIDIA's Python bindings of the driver API (PyPI cuda-bindings), through all families of calls: more than a hundred functions.

Hazard: the bindings look every function up at first use, most by cuGetProcAddress, and are a client that nobody wrote for cutape. Versions
12 and 13 of them call different functions under the same name.

The package must be importable (PYTHONPATH). Prints the code and, where it does not change from run to run, the answer of each call; stops
after the first calls that need a device when there is none. Ends with the number of calls, and of different functions.
"""

import ctypes
import sys

from cuda.bindings import driver

MIB = 1 << 20
PATTERN = bytes(range(256)) * 16
CUDA_13 = driver.CUDA_VERSION >= 13000

KERNELS = b""".version 7.0
.target sm_50
.address_size 64
.visible .global .align 4 .u32 counter = 7;
.visible .const .align 4 .b8 table[16];
.visible .entry add(.param .u64 add_0, .param .u32 add_1)
{
    ret;
}
.visible .entry nothing()
{
    ret;
}
\0"""

calls = 0
functions = set()


def show(call, result, answer=None):
    """Prints one call; gives its first answer, None when it failed."""
    global calls
    calls += 1
    functions.add(call.split()[0])
    code, *answers = result
    succeeded = code == driver.CUresult.CUDA_SUCCESS
    text = f": {answer(*answers)}" if answer is not None and succeeded else ""
    print(f"{call} = {code.name} ({int(code)}){text}", flush=True)
    return answers[0] if succeeded and answers else None


def call(name, *arguments, answer=None, about=""):
    """Makes one call and prints it."""
    return show(f"{name} {about}".strip(), getattr(driver, name)(*arguments), answer)


def is_set(value):
    return "set" if int(value) else "NULL"


def versions_and_errors():
    call("cuDriverGetVersion", answer=lambda version: str(version // 1000 * 1000))
    call("cuGetErrorName", driver.CUresult.CUDA_ERROR_NO_DEVICE, answer=lambda name: name.decode())
    call("cuGetErrorString", driver.CUresult.CUDA_ERROR_OUT_OF_MEMORY, answer=lambda text: text.decode())
    flags = driver.CUdriverProcAddress_flags.CU_GET_PROC_ADDRESS_DEFAULT
    for name in (b"cuMemGetInfo", b"cuNoSuchFunction"):
        status = lambda address, status: f"{'found' if address else 'not found'}, {status.name}"  # noqa: E731
        call("cuGetProcAddress", name, 12000, flags, answer=status, about=name.decode())


def devices(device):
    call("cuDeviceGetName", 128, device, answer=lambda name: name.split(b"\0")[0].decode())
    call("cuDeviceTotalMem", device, answer=lambda total: f"{total // MIB} MiB")
    call("cuDeviceGetUuid", device, answer=lambda uuid: uuid.bytes.hex() if isinstance(uuid.bytes, bytes) else "16 bytes")
    bus = call("cuDeviceGetPCIBusId", 32, device, answer=lambda bus: bus.split(b"\0")[0].decode())
    call("cuDeviceGetByPCIBusId", bus.split(b"\0")[0] + b"\0", answer=int)
    attributes = driver.CUdevice_attribute
    for attribute in (
        attributes.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
        attributes.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
        attributes.CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING,
        attributes.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
        attributes.CU_DEVICE_ATTRIBUTE_WARP_SIZE,
        attributes.CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED,
    ):
        call("cuDeviceGetAttribute", attribute, device, answer=str, about=attribute.name)
    call("cuDeviceGetTexture1DLinearMaxWidth", driver.CUarray_format.CU_AD_FORMAT_FLOAT, 1, device, answer=lambda width: width > 0)
    call("cuDeviceGetExecAffinitySupport", driver.CUexecAffinityType.CU_EXEC_AFFINITY_TYPE_SM_COUNT, device)
    call("cuDeviceCanAccessPeer", device, device, answer=str)
    call("cuDeviceGet", 99, about="of a device that is not there")


def primary_context(device):
    call("cuDevicePrimaryCtxGetState", device, answer=lambda flags, active: f"flags {flags}, active {active}")
    call("cuDevicePrimaryCtxSetFlags", device, driver.CUctx_flags.CU_CTX_SCHED_BLOCKING_SYNC.value)
    context = call("cuDevicePrimaryCtxRetain", device)
    if context is not None:
        call("cuCtxSetCurrent", context)
        call("cuDevicePrimaryCtxGetState", device, answer=lambda flags, active: f"flags {flags}, active {active}")
    return context


def contexts(device, context):
    same = lambda found: "the primary context" if int(found) == int(context) else "another"  # noqa: E731
    call("cuCtxGetCurrent", answer=same)
    call("cuCtxGetDevice", answer=int)
    call("cuCtxGetFlags", answer=str)
    call("cuCtxGetApiVersion", context, answer=lambda version: version > 3000)
    call("cuCtxGetId", context, answer=lambda number: number > 0)
    call("cuCtxGetStreamPriorityRange", answer=lambda least, greatest: f"{least} to {greatest}")
    limit = driver.CUlimit.CU_LIMIT_STACK_SIZE
    call("cuCtxGetLimit", limit, answer=str)
    call("cuCtxSetLimit", limit, 2048)
    call("cuCtxGetLimit", limit, answer=str, about="after it was set")
    call("cuCtxGetCacheConfig", answer=lambda config: config.name)
    call("cuCtxSetCacheConfig", driver.CUfunc_cache.CU_FUNC_CACHE_PREFER_L1)
    call("cuCtxResetPersistingL2Cache")
    own = call("cuCtxCreate", *((None, 0, device) if CUDA_13 else (0, device)), about="one of our own")
    if own is not None:
        call("cuCtxGetCurrent", answer=same, about="after cuCtxCreate")
        call("cuCtxSynchronize")
        call("cuCtxPopCurrent", answer=lambda found: "the new one" if int(found) == int(own) else "another")
        call("cuCtxPushCurrent", own)
        call("cuCtxDestroy", own)
        call("cuCtxDestroy", own, about="again")
    call("cuCtxSetCurrent", context)


def memory():
    call("cuMemGetInfo", answer=lambda free, total: f"total {total // MIB} MiB")
    pointer = call("cuMemAlloc", MIB)
    if pointer is None:
        return
    received = bytearray(len(PATTERN))
    call("cuMemcpyHtoD", pointer, PATTERN, len(PATTERN))
    call("cuMemcpyDtoD", int(pointer) + len(PATTERN), pointer, len(PATTERN))
    call("cuMemcpyDtoH", received, int(pointer) + len(PATTERN), len(received))
    print(f"came back unchanged: {'yes' if bytes(received) == PATTERN else 'no'}")
    call("cuMemsetD8", pointer, 0x5A, 16)
    call("cuMemsetD16", int(pointer) + 16, 0x1234, 8)
    call("cuMemsetD32", int(pointer) + 32, 0x12345678, 4)
    call("cuMemsetD2D8", int(pointer) + 64, 32, 1, 8, 2)
    call("cuMemcpyDtoH", received, pointer, len(received), about="what was set")
    print(f"set: {received[0]:#x} {received[16]:#x} {received[35]:#x} {received[64]} {received[96]} {received[72]:#x}")
    call("cuMemGetAddressRange", int(pointer) + 100, answer=lambda base, size: f"same base {int(base) == int(pointer)}, {size} bytes")
    attributes = driver.CUpointer_attribute
    for attribute in (attributes.CU_POINTER_ATTRIBUTE_MEMORY_TYPE, attributes.CU_POINTER_ATTRIBUTE_IS_MANAGED, attributes.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL):
        call("cuPointerGetAttribute", attribute, pointer, answer=lambda value: str(int(value)), about=attribute.name)
    both = [attributes.CU_POINTER_ATTRIBUTE_MEMORY_TYPE, attributes.CU_POINTER_ATTRIBUTE_RANGE_SIZE]
    call("cuPointerGetAttributes", 2, both, pointer, answer=lambda values: [int(value) for value in values])
    call("cuMemFree", pointer)
    call("cuMemFree", pointer, about="again")
    call("cuMemcpyHtoD", pointer, PATTERN, 16, about="to freed memory")
    pitched = call("cuMemAllocPitch", 100, 10, 4, answer=lambda base, pitch: f"pitch {pitch}")
    call("cuMemFree", pitched)
    call("cuMemAlloc", 1 << 50, about="of a pebibyte")
    call("cuMemAlloc", 0, about="of nothing")


def host_and_managed_memory():
    host = call("cuMemHostAlloc", MIB, driver.CU_MEMHOSTALLOC_DEVICEMAP)
    call("cuMemHostGetDevicePointer", host, 0, answer=lambda pointer: "same address" if int(pointer) == int(host) else "another")
    call("cuMemHostGetFlags", host, answer=str)
    call("cuMemFreeHost", host)
    plain = call("cuMemAllocHost", 4096)
    call("cuMemFreeHost", plain)
    call("cuMemHostUnregister", plain, about="what was not registered")
    managed = call("cuMemAllocManaged", MIB, driver.CUmemAttach_flags.CU_MEM_ATTACH_GLOBAL.value)
    attribute = driver.CUmem_range_attribute.CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY
    advice = driver.CUmem_advise.CU_MEM_ADVISE_SET_READ_MOSTLY
    place = driver.CUmemLocation()
    place.type = driver.CUmemLocationType.CU_MEM_LOCATION_TYPE_DEVICE
    place.id = 0
    call("cuMemAdvise", managed, MIB, advice, place if CUDA_13 else 0)
    call("cuMemRangeGetAttribute", 4, attribute, managed, MIB, answer=lambda value: str(int(value)))
    call("cuMemPrefetchAsync", managed, MIB, *((place, 0, 0) if CUDA_13 else (0, 0)))
    call("cuMemFree", managed)


def virtual_memory():
    properties = driver.CUmemAllocationProp()
    properties.type = driver.CUmemAllocationType.CU_MEM_ALLOCATION_TYPE_PINNED
    properties.location.type = driver.CUmemLocationType.CU_MEM_LOCATION_TYPE_DEVICE
    properties.location.id = 0
    minimum = driver.CUmemAllocationGranularity_flags.CU_MEM_ALLOC_GRANULARITY_MINIMUM
    size = call("cuMemGetAllocationGranularity", properties, minimum, answer=str)
    if size is None:
        return
    memory = call("cuMemCreate", size, properties, 0)
    address = call("cuMemAddressReserve", size, 0, 0, 0)
    call("cuMemMap", address, size, 0, memory, 0)
    access = driver.CUmemAccessDesc()
    access.location = properties.location
    access.flags = driver.CUmemAccess_flags.CU_MEM_ACCESS_FLAGS_PROT_READWRITE
    call("cuMemSetAccess", address, size, [access], 1)
    call("cuMemGetAccess", properties.location, address, answer=lambda flags: str(int(flags)))
    received = bytearray(len(PATTERN))
    call("cuMemcpyHtoD", address, PATTERN, len(PATTERN), about="to mapped memory")
    call("cuMemcpyDtoH", received, address, len(received), about="from mapped memory")
    print(f"came back unchanged: {'yes' if bytes(received) == PATTERN else 'no'}")
    call("cuMemGetAllocationPropertiesFromHandle", memory, answer=lambda found: found.type.name)
    call("cuMemUnmap", address, size)
    call("cuMemAddressFree", address, size)
    call("cuMemRelease", memory)


def pools(device, stream):
    pool = call("cuDeviceGetDefaultMemPool", device)
    call("cuDeviceGetMemPool", device, answer=lambda found: "the default pool" if int(found) == int(pool) else "another")
    threshold = driver.CUmemPool_attribute.CU_MEMPOOL_ATTR_RELEASE_THRESHOLD
    call("cuMemPoolSetAttribute", pool, threshold, driver.cuuint64_t(MIB))
    call("cuMemPoolGetAttribute", pool, threshold, answer=lambda value: str(int(value)))
    properties = driver.CUmemPoolProps()
    properties.allocType = driver.CUmemAllocationType.CU_MEM_ALLOCATION_TYPE_PINNED
    properties.location.type = driver.CUmemLocationType.CU_MEM_LOCATION_TYPE_DEVICE
    own = call("cuMemPoolCreate", properties)
    pointer = call("cuMemAllocAsync", MIB, stream)
    call("cuMemFreeAsync", pointer, stream)
    pointer = call("cuMemAllocFromPoolAsync", MIB, own, stream)
    call("cuMemFreeAsync", pointer, stream, about="of the pool's")
    call("cuStreamSynchronize", stream, about="after both")
    call("cuMemPoolTrimTo", own, 0)
    call("cuMemPoolDestroy", own)


def streams_and_events():
    stream = call("cuStreamCreate", driver.CUstream_flags.CU_STREAM_NON_BLOCKING.value)
    urgent = call("cuStreamCreateWithPriority", 0, -1)
    if stream is None or urgent is None:
        return
    call("cuStreamGetPriority", urgent, answer=str)
    call("cuStreamGetFlags", stream, answer=str)
    call("cuStreamGetCtx", stream, answer=is_set)
    call("cuStreamGetId", stream, answer=lambda number: number > 0)
    call("cuStreamIsCapturing", stream, answer=lambda status: status.name)
    pointer = call("cuMemAlloc", MIB, about="for copies on streams")
    begin = call("cuEventCreate", driver.CUevent_flags.CU_EVENT_DEFAULT.value)
    end = call("cuEventCreate", driver.CUevent_flags.CU_EVENT_DEFAULT.value)
    received = bytearray(len(PATTERN))
    call("cuEventRecord", begin, stream)
    call("cuMemcpyHtoDAsync", pointer, PATTERN, len(PATTERN), stream)
    call("cuMemsetD8Async", int(pointer) + len(PATTERN), 1, 16, stream)
    call("cuEventRecord", end, stream)
    call("cuStreamWaitEvent", urgent, end, 0)
    call("cuMemcpyDtoHAsync", received, pointer, len(received), urgent)
    call("cuStreamSynchronize", urgent)
    print(f"came back unchanged: {'yes' if bytes(received) == PATTERN else 'no'}")
    call("cuEventSynchronize", end)
    call("cuEventQuery", end)
    call("cuEventElapsedTime", begin, end, answer=lambda time: "not negative" if time >= 0 else "negative")
    call("cuStreamQuery", stream)
    pools(0, stream)
    for event in (begin, end):
        call("cuEventDestroy", event)
    call("cuEventQuery", end, about="of a destroyed event")
    call("cuMemFree", pointer, about="after copies on streams")
    for one in (stream, urgent):
        call("cuStreamDestroy", one)
    call("cuStreamQuery", stream, about="of a destroyed stream")


def modules():
    call("cuModuleGetLoadingMode", answer=lambda mode: mode.name)
    module = call("cuModuleLoadData", KERNELS)
    if module is None:
        return
    call("cuModuleGetFunctionCount", module, answer=str)
    function = call("cuModuleGetFunction", module, b"add")
    call("cuModuleGetFunction", module, b"absent", about="that is absent")
    call("cuModuleGetGlobal", module, b"counter", answer=lambda pointer, size: f"{size} bytes")
    call("cuFuncGetName", function, answer=lambda name: name.decode())
    call("cuFuncGetModule", function, answer=lambda found: "same" if int(found) == int(module) else "another")
    attributes = driver.CUfunction_attribute
    call("cuFuncGetAttribute", attributes.CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, function, answer=str)
    call("cuFuncSetAttribute", function, attributes.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 1024)
    call("cuFuncSetCacheConfig", function, driver.CUfunc_cache.CU_FUNC_CACHE_PREFER_SHARED)
    call("cuFuncGetParamInfo", function, 1, answer=lambda offset, size: f"at {offset}, {size} bytes")
    call("cuFuncIsLoaded", function, answer=lambda state: state.name)
    call("cuOccupancyMaxActiveBlocksPerMultiprocessor", function, 128, 0, answer=lambda blocks: blocks > 0)
    call("cuOccupancyAvailableDynamicSMemPerBlock", function, 1, 128, answer=lambda size: size > 0)
    arguments = ((0, 1), (ctypes.c_uint64, ctypes.c_uint32))
    call("cuLaunchKernel", function, 4, 1, 1, 128, 1, 1, 0, 0, arguments, 0)
    call("cuLaunchKernel", function, 4, 1, 1, 5000, 1, 1, 0, 0, arguments, 0, about="with too many threads")
    call("cuLaunchCooperativeKernel", function, 4, 1, 1, 128, 1, 1, 0, 0, arguments)
    call("cuCtxSynchronize", about="after launches")
    call("cuModuleUnload", module)
    call("cuModuleGetFunction", module, b"add", about="of an unloaded module")
    call("cuModuleLoadData", b"not a module at all\0", about="of nonsense")


def libraries():
    library = call("cuLibraryLoadData", KERNELS, [], [], 0, [], [], 0)
    if library is None:
        return
    call("cuLibraryGetKernelCount", library, answer=str)
    kernel = call("cuLibraryGetKernel", library, b"nothing")
    call("cuKernelGetName", kernel, answer=lambda name: name.decode())
    call("cuKernelGetFunction", kernel, answer=is_set)
    call("cuKernelGetLibrary", kernel, answer=lambda found: "same" if int(found) == int(library) else "another")
    attributes = driver.CUfunction_attribute
    call("cuKernelGetAttribute", attributes.CU_FUNC_ATTRIBUTE_NUM_REGS, kernel, 0, answer=lambda count: count >= 0)
    call("cuLibraryGetModule", library, answer=is_set)
    call("cuLibraryGetGlobal", library, b"counter", answer=lambda pointer, size: f"{size} bytes")
    call("cuLibraryUnload", library)


def use_device(device):
    devices(device)
    context = primary_context(device)
    if context is None:
        return
    contexts(device, context)
    memory()
    host_and_managed_memory()
    virtual_memory()
    streams_and_events()
    modules()
    libraries()
    call("cuGetExportTable", driver.CUuuid(), about="that is unknown")
    call("cuProfilerStart")
    call("cuProfilerStop")
    call("cuDevicePrimaryCtxRelease", device)
    call("cuMemGetInfo", about="after the primary context was released")
    call("cuDevicePrimaryCtxRelease", device, about="again")


def main():
    call("cuMemGetInfo", about="before cuInit")
    versions_and_errors()
    call("cuInit", 0)
    call("cuDeviceGetCount", answer=str)
    call("cuMemGetInfo")
    device = call("cuDeviceGet", 0, answer=int)
    if device is not None:
        use_device(device)
    print(f"calls {calls}, functions {len(functions)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
