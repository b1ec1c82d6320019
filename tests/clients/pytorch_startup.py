"""PyTorch's way to a GPU: start-up, memory, streams, events, a matrix product, worker processes.

Hazard: the largest CUDA client there is. It brings a CUDA runtime of its own, cuBLAS and cuDNN with a private runtime each, looks up driver
functions by itself, forks and spawns workers, and asks NVML.

The package torch must be importable (PYTHONPATH). Prints only what does not change from run to run on one driver. Kernels need not be
executed: what is compared was copied, not computed. Ends with 0, also where a step fails: the step's line says so.

Usage: pytorch_startup.py [STEP...], all steps by default.
"""

import multiprocessing
import os
import sys
import warnings

warnings.filterwarnings("ignore", message="Failed to initialize NumPy")

import torch  # noqa: E402

MIB = 1 << 20
NUMBERS = 1000
WORKERS = 2


def round_trip(device="cuda"):
    """Whether numbers made on the CPU come back from the device as they went."""
    sent = torch.arange(NUMBERS)
    return torch.equal(sent.to(device).cpu(), sent)


def available():
    return f"{torch.cuda.is_available()}, devices {torch.cuda.device_count()}"


def initialized():
    torch.cuda.init()
    return f"{torch.cuda.is_initialized()}, current device {torch.cuda.current_device()}"


def properties():
    of = torch.cuda.get_device_properties(0)
    capability = ".".join(map(str, torch.cuda.get_device_capability(0)))
    return (
        f"{torch.cuda.get_device_name(0)}, {capability}, {of.total_memory // MIB} MiB, "
        f"{of.multi_processor_count} multiprocessors, L2 {of.L2_cache_size // MIB} MiB, {of.uuid}"
    )


def memory_info():
    free, total = torch.cuda.mem_get_info()
    return f"total {total // MIB} MiB, free {free * 100 // total} %"


def copies():
    sent = torch.arange(NUMBERS)
    there = sent.cuda()
    sent[0] = NUMBERS
    return f"equal {round_trip()}, a copy of its own {not torch.equal(there.cpu(), sent)}"


def copies_of_all_types():
    types = (torch.uint8, torch.int16, torch.int32, torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64)
    same = [torch.equal(torch.arange(100).to(kind).cuda().cpu(), torch.arange(100).to(kind)) for kind in types]
    return f"{sum(same)} of {len(types)}"


def copies_on_the_device():
    sent = torch.arange(NUMBERS)
    first = sent.cuda()
    return f"clone {torch.equal(first.clone().cpu(), sent)}, part {torch.equal(first[100:200].cpu(), sent[100:200])}"


def pinned_memory():
    sent = torch.arange(NUMBERS).pin_memory()
    there = sent.to("cuda", non_blocking=True)
    back = torch.empty(NUMBERS, dtype=sent.dtype, pin_memory=True)
    back.copy_(there, non_blocking=True)
    torch.cuda.synchronize()
    return f"pinned {sent.is_pinned()} {back.is_pinned()}, came back {torch.equal(sent, back)}"


def streams():
    stream, other = torch.cuda.Stream(), torch.cuda.Stream(priority=-1)
    with torch.cuda.stream(stream):
        there = torch.arange(NUMBERS).cuda()
    other.wait_stream(stream)
    with torch.cuda.stream(other):
        back = there.cpu()
    torch.cuda.synchronize()
    return f"different {stream != other}, done {stream.query()} {other.query()}, came back {torch.equal(back, torch.arange(NUMBERS))}"


def events():
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    copied = round_trip()
    end.record()
    end.synchronize()
    return f"done {begin.query()} {end.query()}, time is not negative {begin.elapsed_time(end) >= 0}, {copied}"


def allocator():
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    block = torch.empty(8 * MIB, dtype=torch.uint8, device="cuda")
    held = torch.cuda.memory_allocated() - before
    del block
    kept = torch.cuda.memory_reserved() > 0
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return f"held {held // MIB} MiB, kept {kept}, after empty_cache {torch.cuda.memory_allocated() == before}"


def out_of_memory():
    free, _ = torch.cuda.mem_get_info()
    try:
        torch.empty(2 * free, dtype=torch.uint8, device="cuda")
    except torch.cuda.OutOfMemoryError as error:
        return f"OutOfMemoryError, and copies still work {round_trip()}: {str(error).split('.')[0]}"
    return "allocated twice of what is free"


def memory_summary():
    kept = torch.empty(MIB, dtype=torch.uint8, device="cuda")
    told = torch.cuda.memory_stats()["allocated_bytes.all.current"] >= kept.numel()
    return f"{len(torch.cuda.memory_summary().splitlines())} lines, tells what is allocated {told}"


def products():
    kinds = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
    shapes = [tuple((torch.zeros(64, 32, device="cuda", dtype=kind) @ torch.zeros(32, 16, device="cuda", dtype=kind)).shape) for kind in kinds]
    torch.cuda.synchronize()
    return f"accepted {len(shapes)}, shapes {sorted(set(shapes))}"


def network():
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8 * 30 * 30, 10)).cuda()
    optimizer = torch.optim.SGD(layers.parameters(), lr=0.1)
    layers(torch.zeros(4, 3, 32, 32, device="cuda")).sum().backward()
    optimizer.step()
    torch.cuda.synchronize()
    return f"one training step accepted, parameters {sum(part.numel() for part in layers.parameters())}"


def libraries_of_nvidia():
    numbers = torch.zeros(64, device="cuda")
    torch.fft.fft(numbers)
    torch.nn.LSTM(8, 8).cuda()(torch.zeros(3, 2, 8, device="cuda"))
    torch.sparse.mm(torch.eye(8).to_sparse().cuda(), torch.zeros(8, 8, device="cuda"))
    torch.linalg.cholesky_ex(torch.eye(8).cuda())
    torch.cuda.synchronize()
    return "cuFFT, cuDNN, cuSPARSE and cuSOLVER accepted"


def graph():
    made = torch.cuda.CUDAGraph()
    numbers = torch.zeros(NUMBERS, device="cuda")
    with torch.cuda.graph(made):
        sums = numbers + 1
    made.replay()
    torch.cuda.synchronize()
    return f"captured and replayed, {tuple(sums.shape)}"


def green_context():
    """A part of the multiprocessors, by cuda-bindings; a stream that runs on it."""
    from torch.cuda.green_contexts import GreenContext

    torch.zeros(1).cuda()
    part = GreenContext.create(num_sms=32, device_id=0)
    stream = part.Stream()
    with torch.cuda.stream(stream):
        there = torch.arange(1000).cuda()
    stream.synchronize()
    return f"{part.sm_count} multiprocessors, came back {torch.equal(there.cpu(), torch.arange(1000))}"


def profiler():
    """What is seen depends on the driver: without one that CUPTI accepts, only what happens on the CPU."""
    os.environ["KINETO_LOG_LEVEL"] = "99"
    activities = torch.profiler.ProfilerActivity
    with torch.profiler.profile(activities=[activities.CPU, activities.CUDA]) as seen:
        torch.zeros(64, 64, device="cuda") @ torch.zeros(64, 64, device="cuda")
        torch.cuda.synchronize()
    on_gpu = [event for event in seen.events() if event.device_type != torch.autograd.DeviceType.CPU]
    names = {event.name for event in seen.events()}
    return f"sees the product {'aten::mm' in names}, on the GPU {len(on_gpu)}"


def libraries():
    return f"cuDNN {torch.backends.cudnn.is_available()}, compiled for CUDA {torch.version.cuda}"


class Numbers(torch.utils.data.Dataset):
    """What the loader's workers read: batches of the numbers from 0 on."""

    def __len__(self):
        return 64

    def __getitem__(self, index):
        return torch.tensor(index)


def loader(method):
    batches = torch.utils.data.DataLoader(Numbers(), batch_size=8, num_workers=WORKERS, pin_memory=True, multiprocessing_context=method)
    seen = torch.cat([batch.cuda(non_blocking=True).cpu() for batch in batches])
    return f"{len(seen)} of {len(Numbers())}, in order {torch.equal(seen, torch.arange(len(Numbers())))}"


def loader_fork():
    return loader("fork")


def loader_spawn():
    return loader("spawn")


def child(place, results):
    results[place] = round_trip()


def processes():
    context = multiprocessing.get_context("spawn")
    results = context.Array("i", 2)
    running = [context.Process(target=child, args=(place, results)) for place in range(2)]
    for process in running:
        process.start()
    for process in running:
        process.join()
    return f"exit codes {[process.exitcode for process in running]}, came back {[bool(result) for result in results]}"


def take(queue, results):
    tensor = queue.get()
    results[0] = torch.equal(tensor.cpu(), torch.arange(NUMBERS))
    tensor[:] = torch.arange(NUMBERS, 2 * NUMBERS).cuda()
    torch.cuda.synchronize()


def shared_tensor():
    """A tensor goes to another process by a handle of its memory and one of an event."""
    context = torch.multiprocessing.get_context("spawn")
    queue, results = context.Queue(), context.Array("i", 1)
    other = context.Process(target=take, args=(queue, results))
    other.start()
    tensor = torch.arange(NUMBERS).cuda()
    queue.put(tensor)
    other.join()
    return f"came there {bool(results[0])}, came back {torch.equal(tensor.cpu(), torch.arange(NUMBERS, 2 * NUMBERS))}"


def forked_after_init():
    """A child that was forked from an initialised process can't use the driver, and PyTorch says so."""
    torch.cuda.init()
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            torch.zeros(1, device="cuda")
            os.write(writer, b"used the GPU")
        except RuntimeError as error:
            os.write(writer, str(error).split(".")[0].encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(process, 0)
    return os.read(reader, 1000).decode()


STEPS = (
    available,
    initialized,
    properties,
    memory_info,
    copies,
    copies_of_all_types,
    copies_on_the_device,
    pinned_memory,
    streams,
    events,
    allocator,
    out_of_memory,
    memory_summary,
    libraries,
    products,
    network,
    libraries_of_nvidia,
    graph,
    green_context,
    profiler,
    loader_fork,
    loader_spawn,
    processes,
    shared_tensor,
    forked_after_init,
)


def main():
    wanted = sys.argv[1:]
    unknown = set(wanted) - {step.__name__ for step in STEPS}
    if unknown:
        print(f"expected steps among {', '.join(step.__name__ for step in STEPS)}; found {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    for step in STEPS:
        if wanted and step.__name__ not in wanted:
            continue
        try:
            outcome = step()
        except Exception as error:  # a step's failure is an answer, too
            outcome = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        print(f"{step.__name__}: {outcome}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
