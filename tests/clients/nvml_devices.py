"""Lists GPUs by NVML with NVIDIA's own Python bindings (pynvml), as monitoring tools do, and prints what it is told.

Needs nvidia-ml-py on PYTHONPATH. The output is the same in each run on the same simulated GPU.
"""

import pynvml

pynvml.nvmlInit()
print("driver", pynvml.nvmlSystemGetDriverVersion(), "CUDA", pynvml.nvmlSystemGetCudaDriverVersion())
for index in range(pynvml.nvmlDeviceGetCount()):
    gpu = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(gpu)
    detailed = pynvml.nvmlDeviceGetMemoryInfo(gpu, version=pynvml.nvmlMemory_v2)
    load = pynvml.nvmlDeviceGetUtilizationRates(gpu)
    print(index, pynvml.nvmlDeviceGetName(gpu), pynvml.nvmlDeviceGetUUID(gpu), pynvml.nvmlDeviceGetPciInfo(gpu).busId)
    print("  memory", memory.total, memory.free, memory.used, "reserved", detailed.reserved, "used", detailed.used)
    print("  utilisation", load.gpu, load.memory, "temperature", pynvml.nvmlDeviceGetTemperatureV(gpu, pynvml.NVML_TEMPERATURE_GPU))
    print("  processes", [process.usedGpuMemory for process in pynvml.nvmlDeviceGetComputeRunningProcesses(gpu)])
    try:
        print("  fan", pynvml.nvmlDeviceGetFanSpeed(gpu))
    except pynvml.NVMLError as error:
        print("  fan:", error)
    same = pynvml.nvmlDeviceGetHandleByUUID(pynvml.nvmlDeviceGetUUID(gpu))
    print("  found by UUID at", pynvml.nvmlDeviceGetIndex(same))
try:
    pynvml.nvmlDeviceGetHandleByIndex(99)
except pynvml.NVMLError as error:
    print("99:", error)
pynvml.nvmlShutdown()
