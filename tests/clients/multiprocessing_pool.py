"""Pools of worker processes, forked and spawned, as PyTorch's DataLoader makes them, that call the driver through ctypes.

Hazard: a forked worker inherits the parent's mappings but none of its threads; a spawned one must be followed through the environment;
both are ended by terminate (SIGTERM) while they may be in a call.

Usage: multiprocessing_pool.py [WORKERS [TASKS]], 4 and 40 by default. The parent calls cuInit, then each task k (from 1) makes 25 calls,
cuPointerGetAttribute(&value, 2, k << 40 | i) for i from 1. Prints, for each way of starting workers, the number of calls and how often
each code came back.
"""

import collections
import ctypes
import multiprocessing
import sys

CALLS_PER_TASK = 25
MEMORY_TYPE = 2


def open_driver():
    """The driver, or the end of the program with code 3 where there is none."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        print(f"driver: none: {error}")
        sys.exit(3)
    driver.cuPointerGetAttribute.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64]
    return driver


def run_task(task):
    """The codes of one task's calls."""
    driver = open_driver()
    value = ctypes.c_int()
    return [
        driver.cuPointerGetAttribute(ctypes.byref(value), MEMORY_TYPE, task << 40 | call)
        for call in range(1, CALLS_PER_TASK + 1)
    ]


def main():
    workers = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    tasks = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    print(f"cuInit = {open_driver().cuInit(0)}", flush=True)
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(workers) as pool:
            codes = collections.Counter(code for codes in pool.imap_unordered(run_task, range(1, tasks + 1)) for code in codes)
        counts = ", ".join(f"{code} x {count}" for code, count in sorted(codes.items()))
        print(f"{method}: {sum(codes.values())} calls, codes: {counts}", flush=True)


if __name__ == "__main__":
    main()
